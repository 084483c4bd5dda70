//! Records of an exclusive file that may be deleted.

use std::ops::Range;

use super::ExclusiveFile;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Counts, Found};
use crate::txn::{Row, slots};

/// How many bytes of appended records are staged at a time, to add their status bytes.
const STAGING_BYTES_MAX: usize = 256 << 10;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// The number of records that are not deleted, including those not yet flushed.
    pub(crate) fn live_count(&self) -> u64 {
        let committed = self.committed();
        committed.live + (self.array.count() - committed.records)
    }

    /// The counts of the newest commit, in the header or in the log.
    pub(crate) fn committed(&self) -> Counts {
        self.mode.log().map_or(self.superblock.header().counts, |log| log.counts)
    }

    /// The head of the free list.
    pub(crate) fn free_head(&self) -> Option<u64> {
        self.committed().free_head
    }

    /// Whether record `id` exists, and is live or deleted.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if its status byte is damaged; [`ErrorKind::Io`] if the operating
    /// system reports an error, for a windowed store.
    pub(crate) fn found(&self, id: u64) -> Result<Found> {
        if id >= self.array.count() {
            return Ok(Found::PastTheLast);
        }
        if self.slots.status_byte().is_none() {
            return Ok(Found::Live);
        }
        let status = match self.image_slot(id) {
            Some(slot) => slot.get(self.slots.record_len()).copied(),
            None => self.array.status_of(id).map_err(|error| self.superblock.name(error))?,
        };
        match status {
            None => Ok(Found::PastTheLast),
            Some(status) => Found::by_status(status).map_err(|status| self.damaged(id, status)),
        }
    }

    /// Why record `id` is not there to be read.
    #[cold]
    pub(crate) fn not_there(&self, id: u64) -> Error {
        match self.found(id) {
            Ok(found) => {
                let error = slots::not_there("read", id, self.array.count(), Ok(found));
                self.superblock.name(error)
            }
            Err(error) => error,
        }
    }

    #[cold]
    pub(crate) fn damaged(&self, id: u64, status: u8) -> Error {
        self.superblock.name(slots::damaged(id, status))
    }

    /// Appends records whose bytes follow one another, each with a status byte.
    pub(crate) fn append_with_status(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        let first = self.array.count();
        let (record_len, stride) = (self.slots.record_len(), self.slots.stride());
        let chunk_len = (STAGING_BYTES_MAX / stride).max(1) * record_len;
        if bytes.len() > chunk_len {
            // Room for all at once: a full disk must fail before the first record is appended.
            self.array.make_room(added).map_err(|error| self.superblock.name(error))?;
        }
        for chunk in bytes.chunks(chunk_len) {
            let staged = self.slots.stage(chunk);
            let appended = self.append_slots(&staged, (chunk.len() / record_len) as u64);
            self.slots.give_back(staged);
            if let Err(error) = appended {
                if error.kind() == ErrorKind::NoSpace && self.array.count() > first {
                    let cut = self.array.truncate(first);
                    self.superblock.keep(cut)?;
                }
                return Err(error);
            }
        }
        Ok(first..self.array.count())
    }

    /// Refuses an operation that would remove records which the free list may name.
    pub(crate) fn refuse_with_deletes(&self, operation: &'static str) -> Result<()> {
        if self.slots.status_byte().is_none() || self.superblock.header().counts.are_all_live() {
            return Ok(());
        }
        Err(self.superblock.name(
            Error::new(ErrorKind::Unsupported, operation)
                .detail("the free list may name the records to remove")
                .advice("delete the records in a transaction, then compact the store"),
        ))
    }

    /// Record `index` if the fast path has not found it.
    #[cold] // keeps loops over stores without deletes on the fast path
    pub(crate) fn record_elsewhere(&self, index: u64) -> Option<&R> {
        let slot = self.array.slot(index)?;
        match self.slots.found(slot) {
            Ok(Found::Live) => R::of_bytes(slot.get(..self.slots.record_len())?),
            _ => None,
        }
    }
}
