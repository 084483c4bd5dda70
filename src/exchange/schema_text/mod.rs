//! Schemas as text: JSON to keep and edit, and declarations for Rust, C, numpy, SQL
//! and pyarrow.

mod arrow;
mod c;
mod json;
mod layout;
pub(super) mod numpy;
mod rust;
mod sql;

#[cfg(feature = "arrow")]
pub(super) use arrow::notes;
pub use arrow::schema_to_arrow;
pub use c::{schema_to_c, slots_to_c};
pub(crate) use json::field_from_json;
#[cfg(feature = "arrow")]
pub(super) use json::variants_from_json;
pub use json::{schema_from_json, schema_to_json, schema_to_json_without_layout};
pub use numpy::{schema_to_numpy, slots_to_numpy};
pub use rust::schema_to_rust;
pub use sql::schema_to_sql;

use std::collections::{HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Schema, layout::stride_for};

/// The name of the status byte after each record of a store with deletes.
const STATUS: &str = "status";

/// The bytes from one record to the next in a store with deletes.
fn stride_with_deletes(schema: &Schema) -> Result<u32> {
    stride_for(schema.record_size(), schema.alignment(), true).ok_or_else(|| {
        Error::new(ErrorKind::InvalidSchema, "lay out").detail(format!(
            "deletes are not possible for records of {} bytes",
            schema.record_size()
        ))
    })
}

/// A part of a record: a field, or bytes between fields.
enum Piece<'s> {
    Field(&'s Field),
    Gap { offset: u32, len_bytes: u32 },
}

/// The parts of a record from its first byte to its last.
fn pieces(schema: &Schema) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut end = 0;
    for field in schema.fields() {
        pieces.extend(gap(end, field.offset()));
        pieces.push(Piece::Field(field));
        end = field.offset() + field.size_bytes();
    }
    pieces.extend(gap(end, schema.record_size()));
    pieces
}

/// The bytes between two fields, or between a field and an end of the record, if there are any.
fn gap<'s>(from: u32, to: u32) -> Option<Piece<'s>> {
    (to > from).then(|| Piece::Gap { offset: from, len_bytes: to - from })
}

/// Gives out names, each once.
struct Names {
    taken: HashSet<String>,
    /// The next number to try after a name that was asked for before. A file can have a million
    /// names with the same identifier, and the search must not restart for each.
    next: HashMap<String, u64>,
}

impl Names {
    fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self { taken: taken.into_iter().collect(), next: HashMap::new() }
    }

    /// `wanted`, or if it is taken the first free one of `wanted_`, `wanted_2`, `wanted_3` and so
    /// on.
    fn unique(&mut self, wanted: String) -> String {
        if self.taken.insert(wanted.clone()) {
            return wanted;
        }
        let next = self.next.entry(wanted.clone()).or_insert(1);
        loop {
            let name = match *next {
                1 => format!("{wanted}_"),
                number => format!("{wanted}_{number}"),
            };
            *next += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// `name` as an identifier of most languages: ASCII letters, digits and underscores.
fn identifier(name: &str) -> String {
    let mut identifier: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect();
    if identifier.starts_with(|first: char| first.is_ascii_digit()) {
        identifier.insert(0, '_');
    }
    identifier
}

/// Refuses a record name that is not an identifier.
fn check_record_name(name: &str) -> Result<()> {
    if !name.is_empty() && identifier(name) == name {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "name the record")
        .detail(format!("{name:?} is not an identifier"))
        .advice("use letters, digits and underscores, and begin with a letter or underscore"))
}
