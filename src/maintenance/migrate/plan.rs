//! What a migration does to each record, made from the change of the schema.

use super::convert::{convert, is_possible};
use crate::error::{Error, ErrorKind, Result, named};
use crate::format::{Changed, Field, NewField};
use crate::number::len_of;

/// The steps that make a new record from an old one.
#[derive(Debug)]
pub(super) struct Plan {
    /// A new record without the values of the old one.
    template: Vec<u8>,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    /// Bytes that stay as they are.
    Copy { from: usize, to: usize, len: usize },
    /// A value that becomes one of another type, or with another place for null.
    Convert { from: Field, to: Field, fill: Option<Vec<u8>> },
}

/// A value that the new field cannot hold.
#[derive(Debug)]
pub(super) struct Misfit<'p> {
    pub(super) from: &'p Field,
    pub(super) why: String,
}

impl Plan {
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a type cannot become another one.
    pub(super) fn new(changed: &Changed) -> Result<Self> {
        let mut template = vec![0; len_of(changed.schema.record_size())];
        let mut steps = Vec::new();
        for NewField { source, field, fill } in &changed.fields {
            let Some(from) = source else {
                if let Some(fill) = fill {
                    let start = len_of(field.offset());
                    template[start..start + fill.len()].copy_from_slice(fill);
                }
                continue;
            };
            is_possible(from, field).map_err(|why| impossible(from, field, why))?;
            if has_same_bytes(from, field) {
                add_copy(&mut steps, from, field);
            } else {
                let words = field.null_words_or(changed.schema.null_words()).to_vec();
                let (from, to) = (from.clone(), field.clone().with_null_words(words));
                steps.push(Step::Convert { from, to, fill: fill.clone() });
            }
        }
        Ok(Self { template, steps })
    }

    /// Makes the new record of `record` in `into`, which is as long as a record. Calls `misfit` for
    /// each value that does not fit, and returns whether there was none.
    pub(super) fn apply(
        &self,
        record: &[u8],
        into: &mut [u8],
        mut misfit: impl FnMut(Misfit<'_>) -> Result<()>,
    ) -> Result<bool> {
        into.copy_from_slice(&self.template);
        let mut fits = true;
        for step in &self.steps {
            match step {
                Step::Copy { from, to, len } => {
                    into[*to..to + len].copy_from_slice(&record[*from..from + len]);
                }
                Step::Convert { from, to, fill } => {
                    if let Err(why) = convert((from, record), (to, into), fill.as_deref()) {
                        misfit(Misfit { from, why })?;
                        fits = false;
                    }
                }
            }
        }
        Ok(fits)
    }
}

/// Whether each value has the same bytes in both fields.
fn has_same_bytes(from: &Field, to: &Field) -> bool {
    let layout = |field: &Field| {
        (field.data_type(), field.array_len(), field.is_nullable(), field.is_big_endian())
    };
    layout(from) == layout(to)
}

/// Adds the copy of a field, to the step before it if the bytes continue that.
fn add_copy(steps: &mut Vec<Step>, from: &Field, to: &Field) {
    let (start, place) = (len_of(from.offset()), len_of(to.offset()));
    let added = len_of(from.size_bytes());
    if let Some(Step::Copy { from, to, len }) = steps.last_mut() {
        if *from + *len == start && *to + *len == place {
            *len += added;
            return;
        }
    }
    steps.push(Step::Copy { from: start, to: place, len: added });
}

fn impossible(from: &Field, to: &Field, why: &str) -> Error {
    let (old, new) = (from.data_type(), to.data_type());
    let array = |field: &Field| field.array_len().map(|len| format!("[{len}]")).unwrap_or_default();
    Error::new(ErrorKind::InvalidArgument, "change the schema").field(from.name()).detail(format!(
        "field {}: {old}{} cannot become {new}{}: {why}",
        named(from.name()),
        array(from),
        array(to),
    ))
}
