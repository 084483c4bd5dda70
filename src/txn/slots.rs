//! Records with the byte behind each that says whether it lives, in stores with deletes.
//!
//! ```text
//! |<-------------- stride -------------->|
//! | record ... (record size) | status |  |  zeros up to the alignment
//!                              1 lives, 2 is deleted, anything else is damage
//! ```
//!
//! Without deletes a slot is its record, and nothing here costs anything. A status that is neither
//! 1 nor 2 never shows its record: calls that can fail say so, and the others leave the record out.

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Header, Mark, STATUS_DEAD, STATUS_LIVE, put_live};

/// Where record and status lie in a slot.
#[derive(Debug)]
pub(crate) struct Slots {
    record_len: usize,
    stride: usize,
    mark: Option<Mark>,
    /// Records on their way into the array.
    staging: Vec<u8>,
}

/// What is found under a record number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Live,
    Deleted,
    PastTheLast,
}

impl Slots {
    pub(crate) fn of(header: &Header) -> Result<Self> {
        let len = |bytes: u32| {
            usize::try_from(bytes).map_err(|_| Error::new(ErrorKind::OutOfRange, "open"))
        };
        let (record_len, stride) = (len(header.record_size)?, len(header.stride)?);
        let mark = header.deletes.then_some(Mark { at: record_len, live: STATUS_LIVE });
        Ok(Self { record_len, stride, mark, staging: Vec::new() })
    }

    /// The status byte's place, in a store with deletes.
    #[inline]
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Bytes of a record without its status.
    #[inline]
    pub(crate) fn record_len(&self) -> usize {
        self.record_len
    }

    /// Bytes from one record to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// What a slot holds.
    ///
    /// # Errors
    /// The status byte, if it is none.
    #[inline]
    pub(crate) fn found(&self, slot: &[u8]) -> Result<Found, u8> {
        match self.mark {
            None => Ok(Found::Live),
            Some(mark) => of_status(slot.get(mark.at).copied().unwrap_or(0)),
        }
    }

    /// Fills the staging buffer with slots of the records in `bytes`, and hands it over.
    pub(crate) fn stage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut staging = std::mem::take(&mut self.staging);
        staging.clear();
        for record in bytes.chunks_exact(self.record_len) {
            let start = staging.len();
            staging.resize(start + self.stride, 0);
            put_live(&mut staging[start..], record);
        }
        staging
    }

    /// Takes the staging buffer back, to be filled again.
    pub(crate) fn give_back(&mut self, staging: Vec<u8>) {
        self.staging = staging;
    }
}

/// What a status byte says; an error is one that says nothing.
pub(crate) fn of_status(status: u8) -> Result<Found, u8> {
    match status {
        STATUS_LIVE => Ok(Found::Live),
        STATUS_DEAD => Ok(Found::Deleted),
        other => Err(other),
    }
}

/// What is wrong with a record of such a status byte.
pub(crate) fn bad_status(status: u8) -> String {
    format!("its status byte is {status}, which says neither that it lives nor that it is deleted")
}

/// The error of reading a record with such a status byte.
pub(crate) fn damaged(id: u64, status: u8) -> Error {
    Error::new(ErrorKind::Corrupt, "read")
        .record(id)
        .detail(bad_status(status))
        .advice("verify lists all such records")
}

/// The error of editing a record that was deleted.
pub(crate) fn deleted(operation: &'static str, id: u64) -> Error {
    Error::new(ErrorKind::Deleted, operation).record(id)
}
