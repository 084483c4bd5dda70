//! Vectors of benchmarks for nearest neighbours: `.fvecs`, `.bvecs` and `.ivecs`.
//!
//! Each record is its number of elements, a little-endian `int32`, and then the elements. The
//! number is the same in all records, and is compared in each.

use super::super::column::Column;
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Guard, Parts, count_to_end};
use super::super::source::{Source, corrupt};
use crate::error::Result;
use crate::format::{DataType, Field};

const DIMENSION_BYTES: u32 = 4;

pub(super) fn layout(source: &Source, kind: ForeignKind) -> Result<ForeignLayout> {
    let data_type = match kind {
        ForeignKind::Bvecs => DataType::UInt8,
        ForeignKind::Ivecs => DataType::Int32,
        _ => DataType::Float32,
    };
    let bytes = source.exactly(0, 4, "the number of elements of its first record")?;
    let dimension = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let Some(len) = u32::try_from(dimension).ok().filter(|&len| len > 0) else {
        return Err(corrupt(0, format!("the first record has {dimension} elements")));
    };
    let column = Column::plain(Field::new("vector", data_type).array(len), DIMENSION_BYTES);
    let stride = u64::from(DIMENSION_BYTES) + u64::from(len) * u64::from(data_type.size_bytes());
    let count = count_to_end(source.len_bytes(), 0, stride)?;
    let mut parts = Parts::new(kind, 0, count, stride);
    parts.columns.push(column);
    parts.guard = Some(Guard {
        at: 0,
        bytes,
        ends_line: false,
        otherwise: "the vector has another number of elements than the first one",
    });
    parts.facts.push(("dimension", len.to_string()));
    parts.checked()
}
