//! Types and schemas of many fields.

use flatrec::{DataType, Field, Schema, TimeUnit};

pub(crate) const UNITS: [TimeUnit; 4] =
    [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

/// The types that have no unit and no length.
pub(crate) const PLAIN_TYPES: [DataType; 12] = [
    DataType::Bool,
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt8,
    DataType::UInt16,
    DataType::UInt32,
    DataType::UInt64,
    DataType::Float32,
    DataType::Float64,
    DataType::Date32,
];

/// A schema of these fields with gaps of three bytes between them, and a gap at the end.
pub(crate) fn with_gaps(fields: impl IntoIterator<Item = Field>) -> Schema {
    let mut offset = 0;
    let placed = fields.into_iter().map(|field| {
        let field = field.at(offset);
        offset += field.size_bytes() + 3;
        field
    });
    let placed: Vec<Field> = placed.collect();
    Schema::new(placed, offset.next_multiple_of(8), 8).unwrap()
}
