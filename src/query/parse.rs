//! From text to sqlparser's tree, within limits for hostile text.
//!
//! sqlparser reads by recursion, with up to 120 KB of stack a level in an unoptimised build. It
//! returns long chains (`a AND b AND c …`) as trees that lean left, which it also drops by
//! recursion. So this code counts the words first, limits the parser's depth, and runs the parser
//! on a stack that suffices for both.

use std::borrow::Cow;

use sqlparser::ast::Expr;
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::READ;
use crate::error::{Error, ErrorKind, Result, cut};

/// Nested parentheses, `NOT`s and the like.
pub(super) const DEPTH_MAX: usize = 40;
/// Words and operators; the values of an `IN (…)` and their commas do not count.
const WORDS_MAX: usize = 10_000;
/// More than twice what [`DEPTH_MAX`] levels and a chain of [`WORDS_MAX`] took in measurements.
const STACK_BYTES: usize = 16 << 20;

/// SQL without the extensions of any product, so that errors do not depend on them.
#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_'
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }
}

/// Runs `work` on a stack of [`STACK_BYTES`], whatever the caller's own is.
pub(super) fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        match spawned.map_err(|error| Error::io(READ, error))?.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The tree of `text`, which must be exactly one expression.
pub(super) fn expression(text: &str) -> Result<Expr> {
    let tokens = Tokenizer::new(&Plain, text)
        .tokenize_with_location()
        .map_err(|error| invalid(plain(&error.to_string())))?;
    let words = tokens.iter().filter(|token| is_counted(&token.token)).count();
    if tokens.iter().all(|token| matches!(token.token, Token::Whitespace(_))) {
        return Err(invalid("the condition is empty".into()).advice("for example: delay > 60"));
    }
    if words > WORDS_MAX {
        return Err(invalid(format!(
            "the condition has {words} words and operators; the limit is {WORDS_MAX}"
        )));
    }
    let nots = deepest_nots(&tokens);
    let mut parser =
        Parser::new(&Plain).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(syntax_error)?;
    let next = parser.next_token();
    if next.token != Token::EOF {
        // The parser tries other meanings of a `NOT` that it finds too deep, and reports those. The
        // comparison behind the `NOT`s takes levels, too.
        if nots + 3 > DEPTH_MAX {
            return Err(too_deep());
        }
        let word = next.token.to_string();
        return Err(invalid(format!("unexpected `{}`{}", shortened(&word), place(&next))));
    }
    Ok(expression)
}

/// The most `NOT`s that follow one another.
fn deepest_nots(tokens: &[TokenWithSpan]) -> usize {
    let (mut deepest, mut depth) = (0, 0);
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        let is_not = matches!(&token.token, Token::Word(word) if word.keyword == Keyword::NOT);
        depth = if is_not { depth + 1 } else { 0 };
        deepest = deepest.max(depth);
    }
    deepest
}

/// The parser's text about a fault, in plain words.
fn plain(text: &str) -> String {
    let (text, place) = match text.rsplit_once(" at Line: ") {
        Some((text, place)) => (text, placed(place)),
        None => (text, String::new()),
    };
    if let Some((wanted, found)) =
        text.strip_prefix("Expected: ").and_then(|it| it.split_once(", found: "))
    {
        // The parser lists what all products of SQL allow there.
        let wanted = match wanted.ends_with(" after IS") {
            true => "NULL, TRUE, FALSE or UNKNOWN after IS",
            false => wanted,
        };
        return match found {
            "EOF" => format!("the condition ends where {wanted} is expected"),
            _ => format!("unexpected `{}`{place}: {wanted} is expected", shortened(found)),
        };
    }
    let unended = [
        ("Unterminated string literal", "text in single quotes"),
        ("Expected close delimiter '\"'", "name in double quotes"),
        ("Unexpected EOF while in a multi-line comment", "comment"),
    ];
    match unended.iter().find(|(begin, _)| text.starts_with(begin)) {
        // The parser gives the end of the text as the place of a comment.
        Some((_, "comment")) => "a comment does not end".to_owned(),
        Some((_, what)) => format!("the {what}{place} does not end"),
        None => format!("{text}{place}"),
    }
}

/// `1, Column: 5` as words.
fn placed(place: &str) -> String {
    match place.split_once(", Column: ") {
        Some(("1", column)) => format!(" at column {column}"),
        Some((line, column)) => format!(" at line {line}, column {column}"),
        None => String::new(),
    }
}

fn is_counted(token: &Token) -> bool {
    !matches!(
        token,
        Token::Whitespace(_)
            | Token::Comma
            | Token::EOF
            | Token::Number(..)
            | Token::SingleQuotedString(_)
    )
}

fn place(token: &TokenWithSpan) -> String {
    let start = token.span.start;
    match (start.line, start.column) {
        (0, _) => String::new(),
        (1, column) => format!(" at column {column}"),
        (line, column) => format!(" at line {line}, column {column}"),
    }
}

fn syntax_error(error: ParserError) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => invalid(plain(&text))
            .advice(
                "put a field name that is a word of SQL in double quotes, text in single quotes",
            ),
    }
}

pub(super) fn too_deep() -> Error {
    invalid(format!("the condition is nested more than {DEPTH_MAX} levels deep"))
}

/// The error for a text that is not a condition, and why.
pub(super) fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, READ).detail(detail)
}

/// `text`, cut to a readable length.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 120;
    cut(text, CHARS_MAX)
}
