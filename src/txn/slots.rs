//! Records in stores with deletes, where a status byte behind each record says whether it is live.
//! [`RecordLayout`] has a picture.
//!
//! Without deletes a slot is just its record, at no cost. If a status byte is neither 1 nor 2, no
//! call shows the record: calls that can fail return an error, and the others leave the record out.

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Found, Header, RecordLayout, StatusByte, bad_status, put_live};

/// The layout of a store's records, and a buffer in which records get their status bytes.
#[derive(Debug)]
pub(crate) struct Slots {
    layout: RecordLayout,
    staging: Vec<u8>,
}

impl Slots {
    pub(crate) fn of(header: &Header) -> Result<Self> {
        Ok(Self { layout: header.layout()?, staging: Vec::new() })
    }

    /// The layout of the records.
    pub(crate) fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    /// The status byte's place, in a store with deletes.
    #[inline]
    pub(crate) fn status_byte(&self) -> Option<StatusByte> {
        self.layout.status_byte()
    }

    /// The bytes of a record without its status byte.
    #[inline]
    pub(crate) fn record_len(&self) -> usize {
        self.layout.record_size
    }

    /// Bytes from one record to the next.
    pub(crate) fn stride(&self) -> usize {
        self.layout.stride
    }

    /// What a slot holds.
    ///
    /// # Errors
    /// The status byte, if it is neither 1 nor 2.
    #[inline]
    pub(crate) fn found(&self, slot: &[u8]) -> Result<Found, u8> {
        self.layout.found(slot)
    }

    /// Fills the staging buffer with slots of the records in `bytes`, and returns it.
    pub(crate) fn stage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut staging = std::mem::take(&mut self.staging);
        staging.clear();
        for record in bytes.chunks_exact(self.layout.record_size) {
            let start = staging.len();
            staging.resize(start + self.layout.stride, 0);
            put_live(&mut staging[start..], record);
        }
        staging
    }

    /// Takes the staging buffer back, to fill it again.
    pub(crate) fn give_back(&mut self, staging: Vec<u8>) {
        self.staging = staging;
    }
}

/// The error of reading a record with such a status byte.
pub(crate) fn damaged(id: u64, status: u8) -> Error {
    Error::new(ErrorKind::Corrupt, "read")
        .record(id)
        .detail(bad_status(status))
        .advice("verify lists all such records")
}

/// The error of an operation that needs record `id`, in a store of `count` records, where the
/// number leads to `found`.
#[cold]
pub(crate) fn not_there(
    operation: &'static str,
    id: u64,
    count: u64,
    found: Result<Found, u8>,
) -> Error {
    match found {
        Ok(Found::PastTheLast) => past_the_last(operation, id, count),
        Ok(Found::Deleted) => deleted(operation, id),
        Ok(Found::Live) => misfit(id),
        Err(status) => damaged(id, status),
    }
}

/// The error of an operation that needs record `id`, in a store of `count` records.
#[cold]
pub(crate) fn past_the_last(operation: &'static str, id: u64, count: u64) -> Error {
    Error::new(ErrorKind::OutOfRange, operation)
        .record(id)
        .detail(format!("the store holds {count} records"))
}

/// The error of an operation that needs a record that was deleted.
pub(crate) fn deleted(operation: &'static str, id: u64) -> Error {
    Error::new(ErrorKind::Deleted, operation).record(id)
}

/// The error for bytes that are not valid for the record's type: only a wrong layout of the array
/// could cause it.
pub(crate) fn misfit(id: u64) -> Error {
    Error::new(ErrorKind::Corrupt, "reach").record(id).detail("it does not fit its type")
}
