//! Names of fields as people write them: one rule, for conditions and for every other text that has
//! names.

use std::borrow::Cow;

use sqlparser::ast::Expr;

use super::parse;
use crate::error::{Error, ErrorKind, Result, quoted};

/// The name as it must be written in a condition: in double quotes unless it has only letters,
/// digits and `_`, begins with no digit, and is no word of the language.
///
/// ```
/// use flatrec::query::written_name;
/// assert_eq!(written_name("delay"), "delay");
/// assert_eq!(written_name("dep delay"), "\"dep delay\"");
/// assert_eq!(written_name("5\" pipe"), "\"5\"\" pipe\"");
/// assert_eq!(written_name("null"), "\"null\"");
/// ```
pub fn written_name(name: &str) -> Cow<'_, str> {
    match is_bare(name) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))),
    }
}

/// Reads the name at the start of `text`, up to the character `end`, or up to the end of the text.
/// Returns the name, and the text after `end` if that is there.
///
/// A name in double quotes may have `end` in it, and two double quotes for each of its own. A name
/// without them is the text up to `end`, without the spaces around it; it may have any character
/// but a double quote at its start.
///
/// ```
/// use flatrec::query::read_name;
/// assert_eq!(read_name("delay=5", Some('='))?, ("delay".into(), Some("5")));
/// assert_eq!(read_name("\"a=b\"=5=6", Some('='))?, ("a=b".into(), Some("5=6")));
/// assert_eq!(read_name("dep delay", Some(','))?, ("dep delay".into(), None));
/// assert!(read_name("\"a=5", Some('=')).is_err());
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name is empty, its
/// quotes do not end, or another character than `end` follows them.
pub fn read_name(text: &str, end: Option<char>) -> Result<(Cow<'_, str>, Option<&str>)> {
    let (name, rest) = match text.trim_start().strip_prefix('"') {
        Some(inner) => {
            let (name, after) = read_quoted(inner).ok_or_else(|| {
                invalid(format!("the quotes of the name {} do not end", quoted(inner)))
            })?;
            let after = after.trim_start();
            match after.chars().next() {
                None => (name, None),
                Some(next) if Some(next) == end => (name, Some(&after[next.len_utf8()..])),
                Some(_) => {
                    let message = format!("there is text after the name {}", quoted(&name));
                    return Err(
                        invalid(message).advice("a double quote in a name is written twice")
                    );
                }
            }
        }
        None => {
            let (name, rest) = match end.and_then(|end| text.split_once(end)) {
                Some((name, rest)) => (name, Some(rest)),
                None => (text, None),
            };
            (Cow::Borrowed(name.trim()), rest)
        }
    };
    match name.is_empty() {
        true => Err(invalid("a name is empty".into())),
        false => Ok((name, rest)),
    }
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, "read the name of a field").detail(detail)
}

/// The name up to its closing quote, and the text after that.
fn read_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find('"')?;
        let after = &text[at + 1..];
        if !after.starts_with('"') {
            let name = &text[..at];
            let name = match name.contains('"') {
                true => Cow::Owned(name.replace("\"\"", "\"")),
                false => Cow::Borrowed(name),
            };
            return Some((name, after));
        }
        from = at + 2;
    }
}

/// Whether a condition takes the name without quotes: in every place where a name can stand.
fn is_bare(name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    if !name.chars().all(is_part) || name.starts_with(|c: char| !c.is_alphabetic() && c != '_') {
        return false;
    }
    let is_name = |expr: &Expr| matches!(expr, Expr::Identifier(it) if it.value == name);
    let alone = parse::expression(&format!("{name} IS NULL"));
    let places = format!(
        "NOT {name} AND 0 < {name} AND {name} = {name} AND {name} BETWEEN 0 AND {name} \
         AND {name} IN (0) AND {name} LIKE '' OR {name} AND {name} IS TRUE OR ({name})"
    );
    matches!(alone, Ok(Expr::IsNull(inner)) if is_name(&inner))
        && parse::expression(&places).is_ok_and(|expr| expr.to_string() == places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{DataType, Field, Schema};
    use crate::query::Filter;

    /// Finds a name that cannot be written, or is not read as it was written.
    #[test]
    fn every_name_can_be_written_and_read() {
        let words = "a delay _x x1 Ünder 1x between BETWEEN not in is null true false and or like \
                     case cast date timestamp interval exists select from where order group time \
                     year day current_date unknown any all some array row position trim left name \
                     id status value key text x X e b escape similar overlaps collate struct map";
        let names = words.split(' ').chain([
            "a=b",
            "a,b",
            "a b",
            " a",
            "a ",
            " ",
            "\"",
            "\"\"",
            "a\"b",
            "\"a\"",
            "a.b",
            "-x",
            "'x'",
            "ä=ö",
            "\u{feff}id",
            "--x",
            "a)(b",
            "`x`",
            "[x]",
            "x\\",
            "\u{200b}",
        ]);
        for name in names {
            let written = written_name(name);
            for end in [Some('='), Some(','), None] {
                assert_eq!(read_name(&written, end).unwrap(), (name.into(), None), "{written}");
            }
            let followed = format!("{written}=5,=6");
            assert_eq!(read_name(&followed, Some('=')).unwrap(), (name.into(), Some("5,=6")));
            let schema = Schema::packed([Field::new(name, DataType::Bool).nullable()]).unwrap();
            for condition in [
                format!("{written}"),
                format!("{written} IS NULL OR NOT {written}"),
                format!("{written} = TRUE AND TRUE = {written}"),
                format!("({written} IN (TRUE, FALSE)) IS UNKNOWN AND {written} < {written}"),
                format!("{written} BETWEEN FALSE AND TRUE"),
            ] {
                Filter::parse(&condition, &schema)
                    .unwrap_or_else(|error| panic!("{condition}: {error}"));
            }
        }
    }

    #[test]
    fn a_name_without_need_has_no_quotes() {
        for name in ["delay", "_x", "x1", "Ünder", "id", "name", "status", "value", "year", "text"]
        {
            assert_eq!(written_name(name), name);
        }
        for name in ["not", "NULL", "true", "exists", "5x", "dep delay"] {
            assert_eq!(written_name(name), format!("\"{name}\""));
        }
    }

    #[test]
    fn quotes_that_do_not_fit_are_errors() {
        for text in
            ["", " ", "=5", "\"a", "\"a\"\"=5", "\"\"=5", "\"a\"b=5", "\"a\"b\"=5", "\"a\",5"]
        {
            assert!(read_name(text, Some('=')).is_err(), "{text}");
        }
    }
}
