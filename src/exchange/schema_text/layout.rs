//! The places of the fields of a schema in JSON: given by offsets, or one after another.
//!
//! Every unused byte has a reason, a `padding` or the alignment. A schema whose types were edited
//! and whose offsets were not would otherwise be a store with holes.

use crate::error::{Error, ErrorKind, Result, named};
use crate::format::{Field, Schema};

const ADVICE: &str = "drop \"record_size\", \"alignment\" and every \"offset\" and \"padding\", \
                      then the fields follow one another";

/// The size of a record, as far as it was given.
pub(super) struct Layout {
    pub(super) record_size: Option<u32>,
    pub(super) alignment: u32,
    /// The unused bytes at the end.
    pub(super) padding_bytes: Option<u32>,
}

/// The place of a field, as far as it was given.
pub(super) struct Place {
    /// The unused bytes before it.
    pub(super) padding_bytes: Option<u32>,
    pub(super) offset: Option<u32>,
}

impl Layout {
    /// The schema of these fields. Either all of them have an offset, or none has.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if bytes are unused without a reason, and as [`Schema::new`].
    pub(super) fn schema_of(&self, mut fields: Vec<(Field, Place)>) -> Result<Schema> {
        fields.sort_by_key(|(_, place)| place.offset);
        let mut end = 0_u32;
        let mut placed = Vec::with_capacity(fields.len());
        let mut fault = None;
        for (field, place) in fields {
            let after_padding = end.saturating_add(place.padding_bytes.unwrap_or(0));
            let field = field.at(place.offset.unwrap_or(after_padding));
            let start = field.offset();
            if start < end {
                let why =
                    format!("it begins at byte {start}, and the field before it ends at {end}");
                return Err(unfit(&field, &why));
            }
            let natural = field.natural_alignment().max(1);
            let is_aligned = start - end < self.alignment.min(natural) && start % natural == 0;
            if start != after_padding && (place.padding_bytes.is_some() || !is_aligned) {
                fault.get_or_insert_with(|| unfit(&field, &unused(start - end, "before it")));
            }
            end = start.saturating_add(field.size_bytes());
            placed.push(field);
        }
        let after_padding = end.saturating_add(self.padding_bytes.unwrap_or(0));
        let record_size = self.record_size.unwrap_or(after_padding);
        // What is impossible in any case is the first to tell.
        let schema = Schema::new(placed, record_size, self.alignment)?;
        let unused_bytes = record_size - end;
        let is_aligned = unused_bytes < self.alignment;
        if record_size != after_padding && (self.padding_bytes.is_some() || !is_aligned) {
            let why = unused(unused_bytes, "at its end");
            fault.get_or_insert_with(|| {
                invalid(format!("the record of {record_size} bytes: {why}"))
            });
        }
        fault.map_or(Ok(schema), Err)
    }
}

fn unused(bytes: u32, place: &str) -> String {
    let count = if bytes == 1 { "1 byte".into() } else { format!("{bytes} bytes") };
    format!("{count} {place} not used, and no \"padding\" that says so")
}

fn unfit(field: &Field, why: &str) -> Error {
    invalid(format!("field {}: {why}", named(field.name())))
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidSchema, "parse").detail(detail).advice(ADVICE)
}
