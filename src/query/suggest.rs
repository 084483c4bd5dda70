//! "Did you mean": the field name nearest to an unknown one.

use std::borrow::Cow;

use super::name::written_name;
use crate::error::{Error, ErrorKind, Result, named, nearest, quoted};
use crate::format::{Field, Schema};

/// The field `name`, or an error of `operation` that suggests the nearest name or lists them.
pub(super) fn field<'s>(
    schema: &'s Schema,
    name: &str,
    operation: &'static str,
) -> Result<&'s Field> {
    if let Some(field) = schema.field(name) {
        return Ok(field);
    }
    let error = Error::new(ErrorKind::InvalidArgument, operation)
        .detail(format!("no field {}", quoted(name)));
    let names = schema.fields().iter().map(Field::name);
    Err(match nearest(name, names) {
        Some(near) => error.advice(format!("did you mean {}?", quoted(near))),
        None => error.advice(format!("the fields are {}", list(schema))),
    })
}

/// The first dozen names, as a list in a sentence.
fn list(schema: &Schema) -> String {
    const SHOWN_MAX: usize = 12;
    let fields = schema.fields();
    let names: Vec<_> = fields.iter().take(SHOWN_MAX).map(|it| shown(it.name())).collect();
    match fields.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// The name as the user must write it.
fn shown(name: &str) -> String {
    match written_name(name) {
        Cow::Borrowed(name) => named(name).into_owned(),
        Cow::Owned(_) => quoted(name),
    }
}
