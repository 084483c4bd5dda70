//! The checksums of an open store: when they are made, kept up and given up.
//!
//! They are kept by every handle that writes to a store that has them. Entries are synced before
//! the header that counts what they cover, and after the data; see [`Sums`].

use std::ops::Range;

use super::ExclusiveFile;
use super::mode::EditedSums;
use crate::error::Result;
use crate::sums::{BLOCK_LEN_BYTES, Sums};
use crate::txn::Row;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Makes room for the checksums of `count` records. A full disk is an error that harms nothing.
    pub(crate) fn reserve_sums(&self, count: u64) -> Result<()> {
        match self.mode.sums() {
            Some(sums) => {
                let reserved = sums.reserve(self.end_of(count)?);
                reserved.map(drop).map_err(|error| self.superblock.name(error))
            }
            None => Ok(()),
        }
    }

    /// The bytes of the blocks that were edited since the last commit.
    pub(crate) fn edited_bytes(&mut self) -> Vec<Range<u64>> {
        let data_offset = self.superblock.header().data_offset;
        let bytes_of = |block: u64| {
            let start = data_offset.saturating_add(block.saturating_mul(BLOCK_LEN_BYTES));
            start..start.saturating_add(BLOCK_LEN_BYTES)
        };
        let kept = self.mode.sums_mut();
        kept.map(|kept| kept.edited.take().into_iter().map(bytes_of).collect()).unwrap_or_default()
    }

    /// Before record `id` is edited: compares the blocks that it lies in with their checksums, once
    /// each, and notes that they change.
    pub(crate) fn before_edit(&mut self, id: u64) -> Result<()> {
        let bytes = self.end_of(id)?..self.end_of(id.saturating_add(1))?;
        let Some(EditedSums { sums, edited }) = self.mode.sums_mut() else { return Ok(()) };
        let data_offset = self.superblock.header().data_offset;
        let first = (bytes.start - data_offset) / BLOCK_LEN_BYTES;
        let last = (bytes.end - 1 - data_offset) / BLOCK_LEN_BYTES;
        for block in first..=last {
            if !edited.contains(block) {
                // Damage in one block is no reason to give the others up: nothing is poisoned.
                sums.before_change(&**self.superblock.backing(), std::slice::from_ref(&bytes))?;
                edited.insert(block);
            }
        }
        Ok(())
    }

    /// Cuts the checksum file to what means anything, when the store is closed.
    pub(crate) fn trim_sums(&self) -> Result<()> {
        self.mode.sums().map_or(Ok(()), Sums::trim).map_err(|error| self.superblock.name(error))
    }

    /// Where the records below `count` end in the file.
    pub(crate) fn end_of(&self, count: u64) -> Result<u64> {
        self.array.geometry().offset_of(count)
    }
}
