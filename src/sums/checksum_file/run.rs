//! Entries of a checksum file, written many at a time.

use super::offset_of_entry;
use crate::error::Result;
use crate::format::{BlockChecksum, ENTRY_BYTES};
use crate::io::Backing;

/// Entries gather into writes of at most this many bytes.
const RUN_BYTES: usize = 64 << 10;

/// Entries that follow one another, on their way to the file.
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
