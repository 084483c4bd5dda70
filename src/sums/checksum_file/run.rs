//! Gathers entries of a checksum file into long writes.

use super::offset_of_entry;
use crate::error::Result;
use crate::format::{BlockChecksum, ENTRY_BYTES};
use crate::io::Backing;

/// The greatest length of a write.
const RUN_BYTES: usize = 64 << 10;

/// Consecutive entries that are not written yet.
pub(super) struct Run<'s> {
    side: &'s dyn Backing,
    first: u64,
    entries: Vec<u8>,
}

impl<'s> Run<'s> {
    pub(super) fn new(side: &'s dyn Backing) -> Self {
        Self { side, first: 0, entries: Vec::new() }
    }

    pub(super) fn push(&mut self, block: u64, sum: BlockChecksum) -> Result<()> {
        let next = self.first + (self.entries.len() / ENTRY_BYTES) as u64;
        if block != next || self.entries.len() >= RUN_BYTES {
            self.flush()?;
            self.first = block;
        }
        self.entries.extend(sum.encode());
        Ok(())
    }

    pub(super) fn write(mut self) -> Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        if !self.entries.is_empty() {
            self.side.write_at(offset_of_entry(self.first), &self.entries)?;
            self.entries.clear();
        }
        Ok(())
    }
}
