//! Loops over the fields of a batch, which write a [`Truth`](crate::query::node::Truth) as a byte
//! for each record: its lane.
//!
//! A loop has no branch that depends on the data. It computes a lane also from the bytes of a null
//! and of a damaged field, puts *unknown* over it, and collects whether anything was damaged. The
//! caller repeats a batch with damage record by record.

use super::rows::Rows;
use crate::format::Found;
use crate::query::node::{Slot, Truth};

pub(super) const FALSE: u8 = Truth::False as u8;
pub(super) const UNKNOWN: u8 = Truth::Unknown as u8;
pub(super) const TRUE: u8 = Truth::True as u8;

#[inline]
fn lane(holds: bool) -> u8 {
    u8::from(holds) << 1
}

/// The lane of a nullable field, from the lowest bit of its presence byte.
#[inline]
fn nullable(presence: u8, holds: bool) -> u8 {
    let present = presence & 1;
    lane(holds) & present.wrapping_neg() | (present ^ 1)
}

/// `Err` with the slot if a batch had damage in it.
pub(super) fn unless(slot: &Slot, damaged: bool) -> Result<(), &Slot> {
    if damaged { Err(slot) } else { Ok(()) }
}

/// Whether `holds` for the `N` bytes of each value; *unknown* for a null.
#[inline]
pub(super) fn fixed<'t, const N: usize>(
    rows: Rows<'_, '_>,
    slot: &'t Slot,
    lanes: &mut [u8],
    holds: impl Fn([u8; N]) -> bool,
) -> Result<(), &'t Slot> {
    checked(rows, slot, lanes, holds, |_| false)
}

/// As [`fixed`], for a type of which not all bytes are values.
#[inline]
pub(super) fn checked<'t, const N: usize>(
    rows: Rows<'_, '_>,
    slot: &'t Slot,
    lanes: &mut [u8],
    holds: impl Fn([u8; N]) -> bool,
    is_damaged: impl Fn([u8; N]) -> bool,
) -> Result<(), &'t Slot> {
    let (stride, at) = (rows.stride(), slot.at);
    // Once for the loop, so that it has no checks.
    assert!(at < stride && N <= stride - at, "slots lie within records");
    let value = |record: &[u8]| {
        let mut value = [0; N];
        value.copy_from_slice(&record[at..at + N]);
        value
    };
    let (mut damage, mut presences) = (0, 0);
    match slot.presence {
        None => rows.each_run(lanes, |bytes, lanes| {
            for (out, record) in lanes.iter_mut().zip(bytes.chunks_exact(stride)) {
                let value = value(record);
                *out = lane(holds(value));
                damage |= u8::from(is_damaged(value));
            }
        }),
        Some(presence) => {
            assert!(presence < stride, "slots lie within records");
            rows.each_run(lanes, |bytes, lanes| {
                for (out, record) in lanes.iter_mut().zip(bytes.chunks_exact(stride)) {
                    let (presence, value) = (record[presence], value(record));
                    *out = nullable(presence, holds(value));
                    presences |= presence;
                    damage |= presence & u8::from(is_damaged(value));
                }
            });
        }
    }
    unless(slot, damage | presences & !1 != 0)
}

/// Whether `holds` for the bytes of each value; *unknown* for a null.
#[inline]
pub(super) fn bytes<'t>(
    rows: Rows<'_, '_>,
    slot: &'t Slot,
    lanes: &mut [u8],
    holds: impl Fn(&[u8]) -> bool,
) -> Result<(), &'t Slot> {
    let (stride, value) = (rows.stride(), slot.at..slot.at + slot.len_bytes);
    let mut damage = 0;
    rows.each_run(lanes, |bytes, lanes| {
        for (out, record) in lanes.iter_mut().zip(bytes.chunks_exact(stride)) {
            let presence = slot.presence.map_or(1, |at| record[at]);
            damage |= presence & !1;
            *out = match presence {
                0 => UNKNOWN,
                _ => lane(holds(&record[value.clone()])),
            };
        }
    });
    unless(slot, damage != 0)
}

/// Whether each field is null.
pub(super) fn is_null<'t>(
    rows: Rows<'_, '_>,
    slot: &'t Slot,
    lanes: &mut [u8],
) -> Result<(), &'t Slot> {
    let Some(at) = slot.presence else {
        lanes.fill(FALSE);
        return Ok(());
    };
    let stride = rows.stride();
    assert!(at < stride, "slots lie within records");
    let mut presences = 0;
    rows.each_run(lanes, |bytes, lanes| {
        for (out, record) in lanes.iter_mut().zip(bytes.chunks_exact(stride)) {
            let presence = record[at];
            presences |= presence;
            *out = lane(presence == 0);
        }
    });
    unless(slot, presences & !1 != 0)
}

/// Whether each record is live, by its status byte; false if another value is among them.
pub(super) fn is_live(rows: Rows<'_, '_>, at: usize, live: u8, lanes: &mut [u8]) -> bool {
    let mut sound = true;
    rows.each_run(lanes, |bytes, lanes| {
        for (out, record) in lanes.iter_mut().zip(bytes.chunks_exact(rows.stride())) {
            let status = record[at];
            sound &= Found::by_status(status).is_ok();
            *out = lane(status == live);
        }
    });
    sound
}

/// `AND` and `OR`: the least or the greatest of both.
pub(super) fn merge(lanes: &mut [u8], others: &[u8], is_all: bool) {
    if is_all {
        lanes.iter_mut().zip(others).for_each(|(lane, other)| *lane = (*lane).min(*other));
    } else {
        lanes.iter_mut().zip(others).for_each(|(lane, other)| *lane = (*lane).max(*other));
    }
}

pub(super) fn not(lanes: &mut [u8]) {
    lanes.iter_mut().for_each(|lane| *lane = TRUE - *lane);
}

pub(super) fn is(lanes: &mut [u8], truth: Truth) {
    let truth = truth as u8;
    lanes.iter_mut().for_each(|it| *it = lane(*it == truth));
}

/// How many lanes have the value.
pub(in crate::query) fn count(lanes: &[u8], value: u8) -> usize {
    // Sums of bytes do not overflow in blocks of 255, and add up as vectors.
    let block = |block: &[u8]| block.iter().map(|lane| u8::from(*lane == value)).sum::<u8>();
    lanes.chunks(255).map(|lanes| usize::from(block(lanes))).sum()
}
