//! The checksums of an open store.
//!
//! Each handle that writes to a store with checksums maintains them. It syncs the data, then the
//! entries of the checksum file, then the header that counts the records; see [`Sums`].

use std::ops::Range;

use super::ExclusiveFile;
use super::mode::EditedSums;
use crate::error::Result;
use crate::sums::{BLOCK_LEN_BYTES, Sums};
use crate::txn::Row;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Reserves disk space for the checksums of `count` records. Changes nothing if the disk is
    /// full.
    pub(crate) fn reserve_sums(&self, count: u64) -> Result<()> {
        match self.mode.sums() {
            Some(sums) => {
                let reserved = sums.reserve(self.end_of(count)?);
                reserved.map(drop).map_err(|error| self.superblock.name(error))
            }
            None => Ok(()),
        }
    }

    /// The bytes of the blocks edited since the last commit; forgets which they are.
    pub(crate) fn edited_bytes(&mut self) -> Vec<Range<u64>> {
        let data_offset = self.superblock.header().data_offset;
        let bytes_of = |block: u64| {
            let start = data_offset.saturating_add(block.saturating_mul(BLOCK_LEN_BYTES));
            start..start.saturating_add(BLOCK_LEN_BYTES)
        };
        let kept = self.mode.sums_mut();
        kept.map(|kept| kept.edited.take().into_iter().map(bytes_of).collect()).unwrap_or_default()
    }

    /// Prepares an edit of record `id`: compares each of its blocks with the block's checksum,
    /// unless an earlier edit did, and notes that the block changes.
    pub(crate) fn before_edit(&mut self, id: u64) -> Result<()> {
        let bytes = self.end_of(id)?..self.end_of(id.saturating_add(1))?;
        let Some(EditedSums { sums, edited }) = self.mode.sums_mut() else { return Ok(()) };
        let data_offset = self.superblock.header().data_offset;
        let first = (bytes.start - data_offset) / BLOCK_LEN_BYTES;
        let last = (bytes.end - 1 - data_offset) / BLOCK_LEN_BYTES;
        for block in first..=last {
            if !edited.contains(block) {
                // Damage in one block does not poison the handle: other blocks stay usable.
                sums.before_change(&**self.superblock.backing(), std::slice::from_ref(&bytes))?;
                edited.insert(block);
            }
        }
        Ok(())
    }

    /// Truncates the checksum file to its valid entries, when the store is closed.
    pub(crate) fn trim_sums(&self) -> Result<()> {
        self.mode.sums().map_or(Ok(()), Sums::trim).map_err(|error| self.superblock.name(error))
    }

    /// The offset at which the records below `count` end.
    pub(crate) fn end_of(&self, count: u64) -> Result<u64> {
        self.array.geometry().offset_of(count)
    }
}
