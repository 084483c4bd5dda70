//! Arrays of the MNIST data sets: `idx`.
//!
//! ```text
//! 0 two zeros  2 type  3 number of dimensions n  4 their lengths (n big-endian u32)  elements
//! ```
//!
//! The first dimension counts the records; a record is an array of the others, big-endian.

use super::super::column::Column;
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Parts};
use super::super::source::{Source, corrupt, unsupported};
use crate::error::Result;
use crate::format::{DataType, Field};

/// The layout of a file with that magic, whose length is that of its elements.
pub(super) fn detect(source: &Source) -> Result<Option<ForeignLayout>> {
    let head = source.at_most(0, 4)?;
    let [0, 0, kind, 1..=255] = head[..] else { return Ok(None) };
    if data_type(kind).is_none() {
        return Ok(None);
    }
    match layout(source) {
        Err(error) if error.io_error().is_some() => Err(error),
        found => Ok(found.ok()),
    }
}

pub(super) fn layout(source: &Source) -> Result<ForeignLayout> {
    let head = source.exactly(0, 4, "the magic")?;
    let (kind, dimensions) = (head[2], usize::from(head[3]));
    if head[..2] != [0, 0] {
        return Err(corrupt(0, "an idx file begins with two zeros"));
    }
    let Some(data_type) = data_type(kind) else {
        return Err(unsupported(2, format!("elements of type {kind:#04x}")));
    };
    if dimensions == 0 {
        return Err(corrupt(3, "an array without dimensions"));
    }
    let lengths = source.exactly(4, 4 * dimensions, "the lengths of the dimensions")?;
    let lengths: Vec<u32> = lengths
        .chunks_exact(4)
        .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    let (count, shape) = (u64::from(lengths[0]), &lengths[1..]);
    let offset = 4 + 4 * dimensions as u64;
    let elements = shape.iter().try_fold(1_u64, |len, &next| len.checked_mul(next.into()));
    let stride = elements.and_then(|it| it.checked_mul(data_type.size_bytes().into()));
    let Some(stride) = stride.filter(|&stride| stride > 0) else {
        return Err(corrupt(8, "a record of no elements, or of too many"));
    };
    let needed = count.checked_mul(stride).and_then(|bytes| bytes.checked_add(offset));
    if needed != Some(source.len_bytes()) {
        let len_bytes = source.len_bytes();
        return Err(corrupt(
            4,
            format!("{count} records of {stride} bytes do not fill the file of {len_bytes} bytes"),
        ));
    }
    let mut field = Field::new(if shape.is_empty() { "value" } else { "values" }, data_type);
    if !shape.is_empty() {
        field = field.with_shape(shape.iter().copied());
    }
    if data_type.size_bytes() > 1 {
        field = field.big_endian();
    }
    let mut parts = Parts::new(ForeignKind::Idx, offset, count, stride);
    parts.columns.push(Column::plain(field, 0));
    parts.checked()
}

fn data_type(code: u8) -> Option<DataType> {
    Some(match code {
        0x08 => DataType::UInt8,
        0x09 => DataType::Int8,
        0x0B => DataType::Int16,
        0x0C => DataType::Int32,
        0x0D => DataType::Float32,
        0x0E => DataType::Float64,
        _ => return None,
    })
}
