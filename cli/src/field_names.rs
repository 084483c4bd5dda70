//! Names of fields on the command line, by the rule of conditions: [`query::read_name`].

use std::borrow::Cow;

use flatrec::{Field, Schema, query};

use crate::failure::Failure;

/// What help says about names.
pub(crate) const HELP: &str = "\
Names of fields:
  delay, or \"dep delay\" in double quotes, with a double quote in the name written twice;
  the shell needs quotes of its own: '\"a=b\"=5'. A name needs its quotes if it has a
  comma or =, and in a condition if it has other characters than letters, digits and _,
  or is a word of SQL.";

/// The field that the whole text names.
pub(crate) fn one<'s>(schema: &'s Schema, text: &str) -> Result<&'s Field, Failure> {
    if let Some(field) = unquoted(schema, text) {
        return Ok(field);
    }
    let (name, _) = query::read_name(text, None)?;
    Ok(query::field(schema, &name)?)
}

/// The field whose name is the whole text, with its spaces. Quotes always have their meaning.
fn unquoted<'s>(schema: &'s Schema, text: &str) -> Option<&'s Field> {
    schema.field(text).filter(|_| !text.starts_with('"'))
}

/// The field that an assignment names: with the spaces around the name, or without them.
pub(crate) fn assigned<'s>(schema: &'s Schema, name: &str) -> Result<&'s Field, Failure> {
    match schema.field(name) {
        Some(field) => Ok(field),
        None => Ok(query::field(schema, name.trim())?),
    }
}

/// The fields that lists divided by commas name. A comma outside of quotes always divides, so that
/// a list means the same whatever other names there are.
pub(crate) fn all(schema: &Schema, lists: &[String]) -> Result<Vec<Field>, Failure> {
    let mut fields = Vec::new();
    for list in lists {
        if let Some(field) = unquoted(schema, list).filter(|_| !list.contains(',')) {
            fields.push(field.clone());
            continue;
        }
        let mut rest = Some(&**list);
        while let Some(text) = rest {
            let (name, after) = query::read_name(text, Some(','))?;
            fields.push(query::field(schema, &name)?.clone());
            rest = after;
        }
    }
    Ok(fields)
}

/// `FIELD=VALUE`. A name without quotes keeps its spaces: [`assigned`] finds its field.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match query::read_name(text, Some('=')) {
        Ok((name, Some(value))) => {
            let raw = &text[..text.len() - value.len() - 1];
            let name = if raw.trim_start().starts_with('"') { name } else { raw.into() };
            Ok((name.into_owned(), value.to_owned()))
        }
        Ok((_, None)) => Err("write it as field=value".into()),
        Err(error) => Err(format!("write it as field=value: {error}")),
    }
}

/// `COLUMN=WHAT`, where the latter has no equals sign: so a name without quotes may have some.
pub(crate) fn column_and(text: &str) -> Result<(String, String), String> {
    if text.starts_with('"') {
        return assignment(text);
    }
    let (name, what) = text.rsplit_once('=').ok_or("write it as column=value")?;
    Ok((name.to_owned(), what.to_owned()))
}

/// `COLUMN=TEXT`, as [`assignment`] reads it.
pub(crate) fn text_of(name: &str, text: &str) -> String {
    format!("{}={text}", query::written_name(name))
}

/// The name as [`column_and`] reads it.
pub(crate) fn before_equals(name: &str) -> Cow<'_, str> {
    if name.starts_with('"') { query::written_name(name) } else { name.into() }
}
