//! Records of an exclusive file that may be deleted.

use std::ops::Range;

use super::ExclusiveFile;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Counts, Found};
use crate::txn::{Row, slots::damaged};

/// How much is gathered of records that are appended, to give each its status byte.
const STAGING_BYTES_MAX: usize = 256 << 10;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// How many records are not deleted, those appended and not yet flushed among them.
    pub(crate) fn live_count(&self) -> u64 {
        let committed = self.committed();
        committed.live + (self.array.count() - committed.records)
    }

    /// What the newest commit counts, in the header or in the log.
    pub(crate) fn committed(&self) -> Counts {
        self.mode.log().map_or(self.superblock.header().counts, |log| log.counts)
    }

    /// How many records there are for everybody.
    pub(crate) fn committed_count(&self) -> u64 {
        self.committed().records
    }

    /// The deleted record whose place is used again first.
    pub(crate) fn free_head(&self) -> Option<u64> {
        self.committed().free_head
    }

    /// Whether there is a record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if its status byte is none; the system's, for a windowed store.
    pub(crate) fn found(&self, id: u64) -> Result<Found> {
        if id >= self.array.count() {
            return Ok(Found::PastTheLast);
        }
        if self.slots.mark().is_none() {
            return Ok(Found::Live);
        }
        let status = match self.image_slot(id) {
            Some(slot) => slot.get(self.slots.record_len()).copied(),
            None => self.array.mark_of(id).map_err(|error| self.superblock.name(error))?,
        };
        match status {
            None => Ok(Found::PastTheLast),
            Some(status) => Found::by_status(status).map_err(|status| self.damaged(id, status)),
        }
    }

    #[cold]
    pub(crate) fn damaged(&self, id: u64, status: u8) -> Error {
        self.superblock.name(damaged(id, status))
    }

    /// Appends records whose bytes follow one another, each with a status byte.
    pub(crate) fn append_marked(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        let first = self.array.count();
        let (record_len, stride) = (self.slots.record_len(), self.slots.stride());
        let chunk_len = (STAGING_BYTES_MAX / stride).max(1) * record_len;
        if bytes.len() > chunk_len {
            // For all of them at once: a full disk is to show before the first of them is there.
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

    /// Refuses what would leave the free list with numbers of records that are no more.
    pub(crate) fn refuse_with_deletes(&self, operation: &'static str) -> Result<()> {
        if self.slots.mark().is_none() || self.superblock.header().counts.are_all_live() {
            return Ok(());
        }
        Err(self.superblock.name(
            Error::new(ErrorKind::Unsupported, operation)
                .detail("records of this store have been deleted one by one")
                .advice("delete them in a transaction, and compact the store"),
        ))
    }
    /// Record `index` where the fast path has not found it.
    #[cold] // for stores without deletes, whose loops are laid out for the fast path
    pub(crate) fn record_elsewhere(&self, index: u64) -> Option<&R> {
        let slot = self.array.slot(index)?;
        match self.slots.found(slot) {
            Ok(Found::Live) => R::of_bytes(slot.get(..self.slots.record_len())?),
            _ => None,
        }
    }
}
