//! Comparisons of two fields of a record.
//!
//! The values of up to [`BLOCK`] records are read into an array for each side, so that the loops
//! over the bytes know one type each.

use std::cmp::Ordering;

use super::lanes::{FALSE, UNKNOWN, unless};
use super::rows::Rows;
use super::test::holds;
use super::text::trimmed;
use crate::format::DataType;
use crate::query::node::{Comparison, Slot, Truth};
use crate::query::scalar::Scalar;

const BLOCK: usize = 64;

/// Whether the comparison holds for the two fields; *unknown* if one is null.
pub(super) fn lanes<'t>(
    left: &'t Slot,
    comparison: Comparison,
    right: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
) -> Result<(), &'t Slot> {
    let stride = rows.stride();
    let (mut left_damaged, mut right_damaged) = (false, false);
    rows.each_run(out, |bytes, out| {
        for (block, out) in bytes.chunks(BLOCK * stride).zip(out.chunks_mut(BLOCK)) {
            match (class(left), class(right)) {
                (Class::Int, Class::Int) => {
                    let [mut a, mut b] = [[0_i128; BLOCK]; 2];
                    ints(left, block, stride, &mut a);
                    ints(right, block, stride, &mut b);
                    put(&a, &b, out, |a, b| Some(a.cmp(b)), comparison);
                }
                (Class::Float, Class::Float) => {
                    let [mut a, mut b] = [[0_f64; BLOCK]; 2];
                    floats(left, block, stride, &mut a);
                    floats(right, block, stride, &mut b);
                    put(&a, &b, out, f64::partial_cmp, comparison);
                }
                _ => {
                    let [mut a, mut b] = [[Scalar::Int(0); BLOCK]; 2];
                    scalars(left, block, stride, &mut a);
                    scalars(right, block, stride, &mut b);
                    put(&a, &b, out, |a, b| a.order(*b), comparison);
                }
            }
            left_damaged |= nulls(left, block, stride, out);
            right_damaged |= nulls(right, block, stride, out);
        }
    });
    unless(left, left_damaged)?;
    unless(right, right_damaged)
}

/// How a field's values are read.
#[derive(Clone, Copy)]
enum Class {
    /// As an i128, in nanoseconds if it is a time.
    Int,
    Float,
    Other,
}

fn class(slot: &Slot) -> Class {
    match slot.data_type {
        DataType::Float32 | DataType::Float64 => Class::Float,
        DataType::UInt128 | DataType::Utf8(_) | DataType::Binary(_) => Class::Other,
        _ => Class::Int,
    }
}

fn put<T>(
    left: &[T],
    right: &[T],
    out: &mut [u8],
    order: impl Fn(&T, &T) -> Option<Ordering>,
    comparison: Comparison,
) {
    for ((out, left), right) in out.iter_mut().zip(left).zip(right) {
        // NaN is unequal to everything.
        let unordered = comparison == Comparison::NotEqual;
        let holds = order(left, right).map_or(unordered, |order| holds(comparison, order));
        *out = if holds { Truth::True as u8 } else { FALSE };
    }
}

/// Makes the lanes of nulls *unknown*; returns whether a field was damaged.
fn nulls(slot: &Slot, block: &[u8], stride: usize, out: &mut [u8]) -> bool {
    let is_bool = slot.data_type == DataType::Bool;
    let mut damage = 0;
    for (out, record) in out.iter_mut().zip(block.chunks_exact(stride)) {
        let presence = slot.presence.map_or(1, |at| record[at]);
        damage |= presence & !1;
        if presence == 0 {
            *out = UNKNOWN;
        } else if is_bool {
            damage |= record[slot.at] & !1;
        }
    }
    damage != 0
}

/// The `N` bytes of the field in each record, little-endian.
fn each<const N: usize>(
    slot: &Slot,
    block: &[u8],
    stride: usize,
    mut take: impl FnMut(usize, [u8; N]),
) {
    for (at, record) in block.chunks_exact(stride).enumerate() {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&record[slot.at..slot.at + N]);
        if slot.big_endian {
            bytes.reverse();
        }
        take(at, bytes);
    }
}

fn ints(slot: &Slot, block: &[u8], stride: usize, into: &mut [i128; BLOCK]) {
    let tick = slot.tick();
    macro_rules! read {
        ($type:ty) => {
            each(slot, block, stride, |at, bytes| {
                into[at] = i128::from(<$type>::from_le_bytes(bytes)) * tick;
            })
        };
    }
    match slot.data_type {
        DataType::Bool | DataType::UInt8 => read!(u8),
        DataType::Int8 => read!(i8),
        DataType::Int16 => read!(i16),
        DataType::Int32 | DataType::Date32 => read!(i32),
        DataType::Int64 | DataType::Timestamp(_) | DataType::Duration(_) => read!(i64),
        DataType::UInt16 => read!(u16),
        DataType::UInt32 => read!(u32),
        DataType::UInt64 => read!(u64),
        DataType::Int128 => read!(i128),
        DataType::UInt128
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8(_)
        | DataType::Binary(_) => {}
    }
}

fn floats(slot: &Slot, block: &[u8], stride: usize, into: &mut [f64; BLOCK]) {
    if slot.data_type == DataType::Float32 {
        each(slot, block, stride, |at, bytes| into[at] = f32::from_le_bytes(bytes).into());
    } else {
        each(slot, block, stride, |at, bytes| into[at] = f64::from_le_bytes(bytes));
    }
}

/// The values of any type.
fn scalars<'a>(slot: &Slot, block: &'a [u8], stride: usize, into: &mut [Scalar<'a>; BLOCK]) {
    match (class(slot), slot.data_type) {
        (Class::Int, _) => {
            let mut values = [0; BLOCK];
            ints(slot, block, stride, &mut values);
            into.iter_mut().zip(values).for_each(|(into, int)| *into = Scalar::Int(int));
        }
        (Class::Float, _) => {
            let mut values = [0.0; BLOCK];
            floats(slot, block, stride, &mut values);
            into.iter_mut().zip(values).for_each(|(into, float)| *into = Scalar::Float(float));
        }
        (Class::Other, DataType::UInt128) => each(slot, block, stride, |at, bytes| {
            let value = u128::from_le_bytes(bytes);
            into[at] = i128::try_from(value).map_or(Scalar::Large(value), Scalar::Int);
        }),
        (Class::Other, data_type) => {
            let is_text = matches!(data_type, DataType::Utf8(_));
            for (into, record) in into.iter_mut().zip(block.chunks_exact(stride)) {
                let bytes = &record[slot.at..slot.at + slot.len_bytes];
                *into = Scalar::Bytes(if is_text { trimmed(bytes) } else { bytes });
            }
        }
    }
}
