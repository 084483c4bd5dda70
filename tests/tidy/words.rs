//! Phrases that hide the actor of a sentence or its claim. The test refuses them wherever people
//! read.
//!
//! The test reads the comments, the strings (errors, help texts, messages of assertions) and the
//! names of functions in Rust files, and the whole text of documents and scripts. It finds a phrase
//! across lines of one comment.

use std::fs;
use std::path::Path;

use super::tokens::{Kind, pieces};

/// This file, which must name the phrases.
const THIS_FILE: &str = "tests/tidy/words.rs";

/// The phrases as words, and the advice.
const REFUSED: &[(&[&str], &str)] = &[
    (&["for", "who"], NAME_THE_ACTOR),
    (&["of", "who"], NAME_THE_ACTOR),
    (&["by", "who"], NAME_THE_ACTOR),
    (&["to", "who"], NAME_THE_ACTOR),
    (&["from", "who"], NAME_THE_ACTOR),
    (&["Who"], NAME_THE_ACTOR),
    (&["Whoever"], NAME_THE_ACTOR),
    (&["somebody"], NAME_THE_ACTOR),
    (&["nobody"], NAME_THE_ACTOR),
    (&["is", "none"], "say what is"),
    (&["is", "to", "be", "had"], "say which call gives it"),
    (&["are", "no", "more"], "say what happened to them"),
    (&["unless", "said"], "name the default"),
    (&["by", "now"], "leave it out, or say since when"),
    (&["in", "the", "midst"], "say during what"),
    (&["meanwhile"], "leave it out, or say during what"),
    (&["the", "system", "'", "s", "."], LIST_THE_ERRORS),
    (&["the", "system", "'", "s", ";"], LIST_THE_ERRORS),
    (&["the", "system", "'", "s", ","], LIST_THE_ERRORS),
];
const NAME_THE_ACTOR: &str = "name the reader, writer, caller or process";
const LIST_THE_ERRORS: &str = "[`ErrorKind::Io`] if the operating system reports an error";

/// A word or a mark of punctuation, and its line.
type Word<'a> = (usize, &'a str);

/// Finds a sentence with a refused phrase.
#[test]
fn sentences_name_their_actors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, root, &mut files);
    assert!(files.iter().any(|(path, _)| path == "src/lib.rs"), "no sources found");
    assert!(files.iter().any(|(path, _)| path == THIS_FILE), "no tests found");

    let checked = files.iter().filter(|(path, _)| path != THIS_FILE);
    let faults: Vec<String> = checked.flat_map(|(path, text)| faults_of(path, text)).collect();
    assert!(faults.is_empty(), "{} phrases:\n{}", faults.len(), faults.join("\n"));
}

/// Adds the files below `folder` that people read, by their paths from `root`.
pub(super) fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, into);
            }
        } else if path
            .extension()
            .is_some_and(|it| ["rs", "md", "py", "sh"].iter().any(|e| it == *e))
        {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            into.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn faults_of(path: &str, text: &str) -> Vec<String> {
    let words = if path.ends_with(".rs") { words_of_rust(text) } else { words_of(1, text) };
    let mut faults = Vec::new();
    for at in 0..words.len() {
        for (phrase, instead) in REFUSED {
            let found = words[at..].iter().map(|(_, word)| *word);
            if words.len() - at >= phrase.len() && phrase_matches(phrase, found) {
                faults.push(format!("{path}:{}: \"{}\": {instead}", words[at].0, phrase.join(" ")));
            }
        }
    }
    faults
}

/// Whether the words begin with the phrase, whose first word may be the first of a sentence.
fn phrase_matches<'a>(phrase: &[&str], mut words: impl Iterator<Item = &'a str>) -> bool {
    let first = words.next().unwrap_or_default();
    let (expected, rest) = phrase.split_first().expect("a phrase has words");
    let capital = expected[..1].to_uppercase() + &expected[1..];
    (first == *expected || first == capital) && rest.iter().copied().eq(words.take(rest.len()))
}

/// The words of comments, strings and names of functions, with an empty word between two texts.
fn words_of_rust(source: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut previous = ("", 0);
    let mut after_fn = false;
    for (kind, text, line) in pieces(source) {
        match kind {
            Kind::Comment => {
                let goes_on = previous.0.starts_with("//") && previous.1 + 1 == line;
                if !goes_on {
                    words.push((line, ""));
                }
                words.extend(words_of(line, text.trim_start_matches(['/', '!', '*'])));
                previous = (text, line);
            }
            Kind::Text => {
                words.push((line, ""));
                words.extend(words_of(line, text));
                words.push((line, ""));
                previous = ("", 0);
            }
            Kind::Code => {
                // `Option` has a function of this name, and so have types like it.
                if after_fn && text != "is_none" {
                    words.push((line, ""));
                    words.extend(text.split('_').map(|word| (line, word)));
                }
                after_fn = text == "fn";
            }
            Kind::Space => {}
        }
    }
    words
}

/// The words and the punctuation of a text that begins on `line`, without quotation marks and
/// emphasis. An escape in a string separates words.
fn words_of(line: usize, text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut line = line;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word_len = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let len = match first {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ if word_len > 0 => word_len,
            _ => first.len_utf8(),
        };
        let (word, behind) = rest.split_at(len);
        if !first.is_whitespace() && !"\"`*".contains(first) && word != "\\\n" {
            words.push((line, word));
        }
        line += word.matches('\n').count();
        rest = behind;
    }
    words
}

mod tests {
    use super::faults_of;

    fn lines(path: &str, text: &str) -> Vec<String> {
        let faults = faults_of(path, text);
        faults.iter().map(|fault| fault.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect()
    }

    /// Finds a phrase that a line break hides.
    #[test]
    fn phrases_are_found_across_lines_of_a_comment() {
        let source = "/// A lock for\n/// who comes first.\n\n// Of\nlet who = 1;\n";
        assert_eq!(lines("a.rs", source), ["a.rs:1 \"for who\""]);
        assert_eq!(lines("a.md", "Read by\nwho wants."), ["a.md:1 \"by who\""]);
    }

    /// Finds a phrase that a string or a name hides.
    #[test]
    fn strings_and_names_of_functions_are_read() {
        let source = "fn set_waits_for_nobody() {\n panic!(\"that is \\\n none\\nWho did it\");\n}";
        let expected = ["a.rs:1 \"nobody\"", "a.rs:2 \"is none\"", "a.rs:3 \"Who\""];
        assert_eq!(lines("a.rs", source), expected);
        assert!(lines("a.rs", "if it.is_none() { nobody() }").is_empty());
    }

    /// Finds a phrase that a capital letter hides, or a longer word that the test takes for a
    /// phrase.
    #[test]
    fn a_phrase_may_begin_a_sentence() {
        assert_eq!(lines("a.md", "Whoever comes."), ["a.md:1 \"Whoever\""]);
        assert_eq!(lines("a.md", "Meanwhile it waits."), ["a.md:1 \"meanwhile\""]);
        assert!(lines("a.md", "The process whose lock it is, and which owns it.").is_empty());
        assert!(lines("a.py", "if it is None: pass").is_empty());
    }

    /// Finds an `# Errors` section without conditions.
    #[test]
    fn lists_of_errors_are_lists() {
        let source = "/// # Errors\n/// The system's.\n// The system's pages\nfn f() {}";
        assert_eq!(lines("a.rs", source), ["a.rs:2 \"the system ' s .\""]);
        assert_eq!(lines("a.rs", "/// `NotFound`; the system's.").len(), 1);
    }
}
