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

use std::ops::Range;

use super::table::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Header, Mark, Record, STATUS_DEAD, STATUS_LIVE, one_from_bytes, put_live};

/// How much is gathered of records that are appended, to give each its status byte.
const STAGING_BYTES_MAX: usize = 256 << 10;

/// Where record and status lie in a slot.
#[derive(Debug)]
pub(super) struct Slots {
    record_len: usize,
    stride: usize,
    mark: Option<Mark>,
    /// Records on their way into the array.
    staging: Vec<u8>,
}

/// What is found under a record number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Live,
    Deleted,
    PastTheLast,
}

impl Slots {
    pub(super) fn of(header: &Header) -> Result<Self> {
        let len = |bytes: u32| {
            usize::try_from(bytes).map_err(|_| Error::new(ErrorKind::OutOfRange, "open"))
        };
        let (record_len, stride) = (len(header.record_size)?, len(header.stride)?);
        let mark = header.deletes.then_some(Mark { at: record_len, live: STATUS_LIVE });
        Ok(Self { record_len, stride, mark, staging: Vec::new() })
    }

    /// The status byte's place, in a store with deletes.
    #[inline]
    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Bytes of a record without its status.
    #[inline]
    pub(super) fn record_len(&self) -> usize {
        self.record_len
    }

    /// Bytes from one record to the next.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// What a slot holds.
    ///
    /// # Errors
    /// The status byte, if it is none.
    #[inline]
    pub(super) fn found(&self, slot: &[u8]) -> Result<Found, u8> {
        match self.mark {
            None => Ok(Found::Live),
            Some(mark) => of_status(slot.get(mark.at).copied().unwrap_or(0)),
        }
    }

    /// Fills the staging buffer with slots of the records in `bytes`, and hands it over.
    fn stage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut staging = std::mem::take(&mut self.staging);
        staging.clear();
        for record in bytes.chunks_exact(self.record_len) {
            let start = staging.len();
            staging.resize(start + self.stride, 0);
            put_live(&mut staging[start..], record);
        }
        staging
    }
}

/// What a status byte says; an error is one that says nothing.
pub(super) fn of_status(status: u8) -> Result<Found, u8> {
    match status {
        STATUS_LIVE => Ok(Found::Live),
        STATUS_DEAD => Ok(Found::Deleted),
        other => Err(other),
    }
}

/// What is wrong with a record of such a status byte.
pub(super) fn bad_status(status: u8) -> String {
    format!("its status byte is {status}, which says neither that it lives nor that it is deleted")
}

impl<T: Copy + Send + Sync> Table<T> {
    /// How many records are not deleted, those appended and not yet flushed among them.
    pub(super) fn live_count(&self) -> u64 {
        let live_count = match &self.log {
            Some(log) => log.live_count,
            None => self.core.header().live_count,
        };
        live_count + (self.array.count() - self.committed_count())
    }

    /// How many records there are for everybody.
    pub(super) fn committed_count(&self) -> u64 {
        self.log.as_ref().map_or(self.core.header().count, |log| log.count)
    }

    /// The deleted record whose place is used again first.
    pub(super) fn free_head(&self) -> Option<u64> {
        self.log.as_ref().map_or(self.core.header().free_head, |log| log.free_head)
    }

    /// Whether there is a record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if its status byte is none; the system's, for a windowed store.
    pub(super) fn found(&self, id: u64) -> Result<Found> {
        if id >= self.array.count() {
            return Ok(Found::PastTheLast);
        }
        if self.slots.mark.is_none() {
            return Ok(Found::Live);
        }
        let status = match self.image_slot(id) {
            Some(slot) => slot.get(self.slots.record_len).copied(),
            None => self.array.mark_of(id).map_err(|error| self.core.name(error))?,
        };
        match status {
            None => Ok(Found::PastTheLast),
            Some(status) => of_status(status).map_err(|status| self.damaged(id, status)),
        }
    }

    #[cold]
    pub(super) fn damaged(&self, id: u64, status: u8) -> Error {
        self.core.name(damaged(id, status))
    }

    /// Appends records whose bytes follow one another, each with a status byte.
    pub(super) fn append_marked(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        let first = self.array.count();
        let Slots { record_len, stride, .. } = self.slots;
        let chunk_len = (STAGING_BYTES_MAX / stride).max(1) * record_len;
        if bytes.len() > chunk_len {
            // For all of them at once: a full disk is to show before the first of them is there.
            self.array.make_room(added).map_err(|error| self.core.name(error))?;
        }
        for chunk in bytes.chunks(chunk_len) {
            let staged = self.slots.stage(chunk);
            let appended = self.append_slots(&staged, (chunk.len() / record_len) as u64);
            self.slots.staging = staged;
            if let Err(error) = appended {
                if error.kind() == ErrorKind::NoSpace && self.array.count() > first {
                    let cut = self.array.truncate(first);
                    self.core.keep(cut)?;
                }
                return Err(error);
            }
        }
        Ok(first..self.array.count())
    }

    /// Refuses what would leave the free list with numbers of records that are no more.
    pub(super) fn refuse_with_deletes(&self, operation: &'static str) -> Result<()> {
        let header = self.core.header();
        let none_is_deleted = header.free_head.is_none() && header.live_count == header.count;
        if self.slots.mark.is_none() || none_is_deleted {
            return Ok(());
        }
        Err(self.core.name(
            Error::new(ErrorKind::Unsupported, operation)
                .detail("records of this store have been deleted one by one")
                .advice("delete them in a transaction, and compact the store"),
        ))
    }
}

impl<R: Record> Table<R> {
    /// Record `index` where the fast path has not found it.
    #[cold] // for stores without deletes, whose loops are laid out for the fast path
    pub(super) fn record_elsewhere(&self, index: u64) -> Option<&R> {
        let slot = self.array.slot(index)?;
        match self.slots.found(slot) {
            Ok(Found::Live) => one_from_bytes(slot.get(..self.slots.record_len)?),
            _ => None,
        }
    }
}

impl Table<u8> {
    /// The first `len` bytes of record `index` where the fast path has not found it.
    #[cold] // for stores without deletes, whose loops are laid out for the fast path
    pub(super) fn bytes_elsewhere(&self, index: u64, len: usize) -> Option<&[u8]> {
        let slot = self.array.slot(index)?;
        match self.slots.found(slot) {
            Ok(Found::Live) => slot.get(..len),
            _ => None,
        }
    }
}

/// The error of reading a record with such a status byte.
pub(super) fn damaged(id: u64, status: u8) -> Error {
    Error::new(ErrorKind::Corrupt, "read")
        .record(id)
        .detail(bad_status(status))
        .advice("verify lists all such records")
}

/// The error of editing a record that was deleted.
pub(super) fn deleted(operation: &'static str, id: u64) -> Error {
    Error::new(ErrorKind::Deleted, operation).record(id)
}
