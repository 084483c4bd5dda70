//! Records seen as bytes, and bytes as records: the named casts that `Record`'s contract allows.

#![allow(unsafe_code, reason = "what a record is in bytes is the contract of `Record`")]

use super::record::Record;

/// The bytes of records that follow one another.
pub(crate) fn bytes_of<R: Record>(records: &[R]) -> &[u8] {
    // SAFETY: a `Record` has no padding, so each of its `size_of_val` bytes is initialised, and no
    // interior mutability, so none changes while borrowed. Bytes have no alignment.
    unsafe { std::slice::from_raw_parts(records.as_ptr().cast(), size_of_val(records)) }
}

/// The record that starts with `bytes`; `None` if they are too few or misaligned for it.
pub(crate) fn record_of<R: Record>(bytes: &[u8]) -> Option<&R> {
    let record = bytes.as_ptr().cast::<R>();
    if bytes.len() < size_of::<R>() || !record.is_aligned() {
        return None;
    }
    // SAFETY: enough bytes, aligned, and every bit pattern is a valid `Record`.
    Some(unsafe { &*record })
}

/// As [`record_of`], for changing.
pub(crate) fn record_of_mut<R: Record>(bytes: &mut [u8]) -> Option<&mut R> {
    let record = bytes.as_mut_ptr().cast::<R>();
    if bytes.len() < size_of::<R>() || !record.is_aligned() {
        return None;
    }
    // SAFETY: enough bytes, aligned, exclusively borrowed; every bit pattern is a valid `Record`,
    // and a `Record` has no padding, so whatever is stored leaves valid bytes behind.
    Some(unsafe { &mut *record })
}
