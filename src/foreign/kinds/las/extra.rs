//! The fields that a LAS file adds to its points: the record `LASF_Spec` 4 between the header and
//! the points.
//!
//! ```text
//! records: 2 user (16)  18 number (u16)  20 bytes (u16)  54 …
//! a field: 2 type  3 options  4 name (32)  112 scales (3 f64)  136 offsets (3 f64)  192 …
//! ```

use super::super::super::source::{Source, corrupt};
use crate::error::Result;
use crate::format::{DataType, Field};

/// The most records that are looked at.
const RECORDS_MAX: u32 = 10_000;
const RECORD_HEAD_BYTES: u64 = 54;
const DESCRIBED_BYTES: usize = 192;
const USER: &[u8] = b"LASF_Spec\0";
const EXTRA_BYTES: u16 = 4;

/// A field of the points.
pub(super) struct Extra {
    pub(super) field: Field,
    /// The factor and the offset of its numbers, if it has them.
    pub(super) scaling: Option<(f64, f64)>,
    /// Whether the file has the least or the greatest of its values.
    pub(super) has_bounds: bool,
}

/// The fields that the `count` records from byte `start` on describe.
pub(super) fn fields(source: &Source, start: u64, count: u32) -> Result<Vec<Extra>> {
    if count > RECORDS_MAX {
        return Err(corrupt(100, format!("{count} records before the points")));
    }
    let mut at = start;
    for _ in 0..count {
        let head = source.exactly(at, RECORD_HEAD_BYTES as usize, "a record before the points")?;
        let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let (number, len) = (u16_at(18), u16_at(20));
        at += RECORD_HEAD_BYTES;
        if head[2..18].starts_with(USER) && number == EXTRA_BYTES {
            let bytes = source.exactly(at, len.into(), "the description of its extra bytes")?;
            let described = bytes.chunks_exact(DESCRIBED_BYTES).zip(1..);
            return described.map(|(bytes, number)| extra(bytes, number, at)).collect();
        }
        at += u64::from(len);
    }
    Ok(Vec::new())
}

fn extra(bytes: &[u8], number: u64, at: u64) -> Result<Extra> {
    let (code, options) = (bytes[2], bytes[3]);
    let name = bytes[4..36].split(|&byte| byte == 0).next().unwrap_or_default();
    let name = match name {
        [] => format!("extra_{number}"),
        name => String::from_utf8_lossy(name).into_owned(),
    };
    let data_type = match code {
        // Bytes without a type: the options are their number.
        0 => DataType::Binary(options.into()),
        1..=30 => match (code - 1) % 10 {
            0 => DataType::UInt8,
            1 => DataType::Int8,
            2 => DataType::UInt16,
            3 => DataType::Int16,
            4 => DataType::UInt32,
            5 => DataType::Int32,
            6 => DataType::UInt64,
            7 => DataType::Int64,
            8 => DataType::Float32,
            _ => DataType::Float64,
        },
        other => {
            let place = at + (number - 1) * DESCRIBED_BYTES as u64 + 2;
            return Err(corrupt(place, format!("the extra field {name:?} has the type {other}")));
        }
    };
    let mut field = Field::new(name, data_type);
    if code > 10 {
        field = field.array(u32::from((code - 1) / 10) + 1);
    }
    let float_at = |at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        f64::from_le_bytes(number)
    };
    let has = |bit: u8| code != 0 && options & 1 << bit != 0;
    let scaling = (has(3) || has(4)).then(|| {
        (if has(3) { float_at(112) } else { 1.0 }, if has(4) { float_at(136) } else { 0.0 })
    });
    Ok(Extra { field, scaling, has_bounds: has(1) || has(2) })
}
