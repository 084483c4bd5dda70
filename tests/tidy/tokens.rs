//! Rust source as tokens, as far as the house rules need it.

/// A word, a number, or one character of anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_char)
    }
}

pub(crate) fn text_at<'a>(tokens: &[Token<'a>], index: usize) -> &'a str {
    tokens.get(index).map_or("", |token| token.text)
}

fn is_word_char(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A part of Rust source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Comment,
    /// A string literal.
    Text,
    /// A word, a number, or one character of anything else.
    Code,
    /// White space, a character literal or a lifetime.
    Space,
}

/// The tokens of Rust source, without comments, strings, character literals and lifetimes.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let code = pieces(source).into_iter().filter(|(kind, ..)| *kind == Kind::Code);
    code.map(|(_, text, line)| Token { text, line }).collect()
}

/// Rust source in pieces, each with the line on which it begins.
pub(crate) fn pieces(source: &str) -> Vec<(Kind, &str, usize)> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let word_len = rest.find(|character| !is_word_char(character)).unwrap_or(rest.len());
        let (kind, len) = if first.is_whitespace() {
            (Kind::Space, first.len_utf8())
        } else if first == '\'' {
            (Kind::Space, quote_len(rest))
        } else if let Some(len) = comment_len(rest) {
            (Kind::Comment, len)
        } else if let Some(len) = string_len(rest, word_len) {
            (Kind::Text, len)
        } else {
            (Kind::Code, if word_len > 0 { word_len } else { first.len_utf8() })
        };
        found.push((kind, &rest[..len], line));
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    found
}

/// The length of a comment at the start of `text`; block comments nest.
fn comment_len(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(at)
}

/// The length of a character literal or of a lifetime at the start of `text`.
fn quote_len(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    let Some((_, first)) = characters.next() else { return 1 };
    if first == '\\' {
        // What is escaped may itself be a quote.
        characters.next();
        return characters.find(|(_, next)| *next == '\'').map_or(text.len(), |(at, _)| at + 1);
    }
    match characters.next() {
        Some((at, '\'')) => at + 1,
        _ => text[1..].find(|next| !is_word_char(next)).map_or(text.len(), |len| len + 1),
    }
}

/// The length of a string literal at the start of `text`, whose first word (its prefix, if it is
/// one) is `word_len` long: `"…"`, `b"…"`, `c"…"`, `r"…"`, `br#"…"#` and so on, and `b'…'`.
fn string_len(text: &str, word_len: usize) -> Option<usize> {
    let (prefix, body) = text.split_at(word_len);
    if prefix == "b" && body.starts_with('\'') {
        return Some(word_len + quote_len(body));
    }
    if !["", "b", "c", "r", "br", "cr"].contains(&prefix) {
        return None;
    }
    let hashes =
        if prefix.contains('r') { body.len() - body.trim_start_matches('#').len() } else { 0 };
    let inner = body[hashes..].strip_prefix('"')?;
    let start = word_len + hashes + 1;
    if prefix.contains('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(inner.find(&end).map_or(text.len(), |at| start + at + end.len()));
    }
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    Some(end.map_or(text.len(), |at| start + at + 1))
}
