//! Names and texts as an error shows them: escaped, and cut.

use std::borrow::Cow;

/// `text` as a terminal may show it: escapes control characters, which could command the terminal
/// or begin a line, and characters that change the direction of writing, as in Rust's literals.
///
/// Errors show their paths this way. Programs can use it to print a name, or text from a file.
///
/// ```
/// assert_eq!(flatrec::printable("Łukasz.rec"), "Łukasz.rec");
/// assert_eq!(flatrec::printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
/// assert_eq!(flatrec::printable("cer.\u{202e}txt"), "cer.\\u{202e}txt");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    // Most text has only these bytes, which are quick to check.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_command(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A name as an error shows it: as [`printable`], and cut.
pub(crate) fn named(name: &str) -> Cow<'_, str> {
    match cut(name, NAME_CHARS_MAX) {
        Cow::Borrowed(name) => printable(name),
        Cow::Owned(name) => Cow::Owned(printable(&name).into_owned()),
    }
}

/// The same in double quotes, with those inside doubled: so the user can write it in a condition.
pub(crate) fn quoted(name: &str) -> String {
    let literal = format!("{:?}", cut(name, NAME_CHARS_MAX));
    let mut shown = String::from("\"");
    let mut letters = literal[1..literal.len() - 1].chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('"') => shown.push_str("\"\""),
                Some(same @ ('\\' | '\'')) => shown.push(same),
                other => shown.extend([letter].into_iter().chain(other)),
            },
            _ => shown.push(letter),
        }
    }
    shown.push('"');
    shown
}

/// The length that an error shows of a name.
const NAME_CHARS_MAX: usize = 60;

/// `text`, cut after so many characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// Whether a character changes how the text after it is shown. Joiners, which emoji need, do not.
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}
