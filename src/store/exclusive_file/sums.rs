//! The checksums of an open store: when they are made, kept up and given up.
//!
//! They are kept by every handle that writes to a store that has them. Entries are synced before
//! the header that counts what they cover, and after the data; see [`Sums`].

use std::ops::Range;

use super::Table;
use crate::error::Result;
use crate::sums::{BLOCK_LEN_BYTES, Sums};

impl<T: Copy + Send + Sync> Table<T> {
    /// Makes room for the checksums of `count` records. A full disk is an error that harms nothing.
    pub(crate) fn reserve_sums(&self, count: u64) -> Result<()> {
        match &self.sums {
            Some(sums) => {
                let reserved = sums.reserve(self.end_of(count)?);
                reserved.map(drop).map_err(|error| self.core.name(error))
            }
            None => Ok(()),
        }
    }

    /// Sums what was edited and appended, durably, for the commit that is next: `count` records,
    /// which are in the file and synced.
    pub(crate) fn sum(&mut self, count: u64) -> Result<()> {
        if self.sums.is_none() {
            return Ok(());
        }
        let summed = self.sum_blocks(count);
        self.core.keep(summed)
    }

    fn sum_blocks(&mut self, count: u64) -> Result<()> {
        let data_offset = self.core.header().data_offset;
        let bytes_of = |block: u64| {
            let start = data_offset.saturating_add(block.saturating_mul(BLOCK_LEN_BYTES));
            start..start.saturating_add(BLOCK_LEN_BYTES)
        };
        let edited: Vec<Range<u64>> = self.edited.take().into_iter().map(bytes_of).collect();
        let end = self.end_of(count)?;
        let commit = self.core.header().commit.saturating_add(1);
        let Some(sums) = &mut self.sums else { return Ok(()) };
        sums.update(&**self.core.backing(), &edited, end)?;
        sums.sync(commit)
    }

    /// Stamps the checksums as kept for the next `commits` headers, durably: before headers that
    /// are written before the checksums are.
    pub(crate) fn announce_commits(&mut self, commits: u64) -> Result<()> {
        let commit = self.core.header().commit.saturating_add(commits);
        let stamped = self.sums.as_mut().map_or(Ok(()), |sums| sums.sync(commit));
        self.core.keep(stamped)
    }

    /// Takes the checksums of the records from `count` on back, durably, once no header counts
    /// them.
    pub(crate) fn cut_sums(&mut self, count: u64) -> Result<()> {
        let end = self.end_of(count)?;
        let Some(sums) = &mut self.sums else { return Ok(()) };
        let cut = sums.truncate(&**self.core.backing(), end);
        self.core.keep(cut)
    }

    /// Before record `id` is edited: compares the blocks that it lies in with their checksums, once
    /// each, and notes that they change.
    pub(crate) fn before_edit(&mut self, id: u64) -> Result<()> {
        let bytes = self.end_of(id)?..self.end_of(id.saturating_add(1))?;
        let Some(sums) = &mut self.sums else { return Ok(()) };
        let data_offset = self.core.header().data_offset;
        let first = (bytes.start - data_offset) / BLOCK_LEN_BYTES;
        let last = (bytes.end - 1 - data_offset) / BLOCK_LEN_BYTES;
        for block in first..=last {
            if !self.edited.contains(block) {
                // Damage in one block is no reason to give the others up: nothing is poisoned.
                sums.before_change(&**self.core.backing(), std::slice::from_ref(&bytes))?;
                self.edited.insert(block);
            }
        }
        Ok(())
    }

    /// Cuts the checksum file to what means anything, when the store is closed.
    pub(crate) fn trim_sums(&self) -> Result<()> {
        self.sums.as_ref().map_or(Ok(()), Sums::trim).map_err(|error| self.core.name(error))
    }

    /// Where the records below `count` end in the file.
    fn end_of(&self, count: u64) -> Result<u64> {
        self.array.geometry().offset_of(count)
    }
}
