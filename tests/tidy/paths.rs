//! The paths of the crate in a file, in `use` and elsewhere.

use super::tokens::{Token, text_at};

/// A path, segment by segment.
pub(crate) type Path = Vec<String>;

/// The paths in `module` that begin with `crate` or `super`, from the crate's root. Each comes with
/// the line of what follows the `crate` or the last `super`.
pub(crate) fn paths(module: &[String], tokens: &[Token<'_>]) -> Vec<(usize, Path)> {
    let inline = inline_module_depths(tokens);
    let mut paths = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let begins = matches!(token.text, "crate" | "super");
        if !begins || at > 0 && tokens[at - 1].text == ":" {
            continue;
        }
        let mut found = Vec::new();
        tree(tokens, at, &[], &mut found);
        for path in found {
            let climbed = path.iter().take_while(|segment| segment.text == "super").count();
            let kept = match climbed {
                0 => Some(0),
                climbed => (module.len() + inline[at]).checked_sub(climbed),
            };
            let (Some(kept), rest) = (kept, &path[climbed.max(1)..]) else { continue };
            if let Some(first) = rest.first() {
                let kept = module[..kept.min(module.len())].iter().cloned();
                let rest = rest.iter().map(|segment| segment.text.to_owned());
                paths.push((first.line, kept.chain(rest).collect()));
            }
        }
    }
    paths
}

/// Reads the path, or the tree of paths in braces, that begins at `at`. Returns its end.
pub(crate) fn tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    before: &[Token<'a>],
    found: &mut Vec<Vec<Token<'a>>>,
) -> usize {
    let mut path = before.to_vec();
    loop {
        if text_at(tokens, at) == "{" {
            at += 1;
            while at < tokens.len() && text_at(tokens, at) != "}" {
                at = tree(tokens, at, &path, found);
                if text_at(tokens, at) == "as" {
                    at += 2;
                }
                if text_at(tokens, at) == "," {
                    at += 1;
                }
            }
            return at + 1;
        }
        path.extend(tokens.get(at).filter(|segment| segment.text != "self"));
        let goes_on = text_at(tokens, at + 1) == ":" && text_at(tokens, at + 2) == ":";
        let next = tokens.get(at + 3).filter(|it| it.is_word() || ["{", "*"].contains(&it.text));
        if !goes_on || next.is_none() {
            found.push(path);
            return at + 1;
        }
        at += 3;
    }
}

/// Counts for each token the `mod name { … }` around it.
fn inline_module_depths(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut opened_at = Vec::new();
    let mut braces = 0_usize;
    let mut depths = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => {
                braces += 1;
                if index >= 2 && tokens[index - 2].text == "mod" {
                    opened_at.push(braces);
                }
            }
            "}" => {
                if opened_at.last() == Some(&braces) {
                    opened_at.pop();
                }
                braces = braces.saturating_sub(1);
            }
            _ => {}
        }
        depths.push(opened_at.len());
    }
    depths
}
