//! Before blocks change: what of them is looked at first, so that damage is not summed as sound.

use std::ops::Range;

use super::{BLOCK_BYTES, BlockState, Sums, describe, read_block};
use crate::error::{Error, ErrorKind, Result};
use crate::map::Backing;

impl Sums {
    /// Before bytes in `ranges` of the file are changed for the first time: compares the blocks
    /// that they lie in with their checksums, so that damage is not summed as if it were sound.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`], which names the block, its bytes and its records; the system's.
    pub(crate) fn before_change(
        &mut self,
        data: &dyn Backing,
        ranges: &[Range<u64>],
    ) -> Result<()> {
        for block in self.blocks_to_compare(ranges) {
            match self.compare(data, block)? {
                BlockState::Sound => self.trusted.insert(block),
                state => return Err(self.damaged(data, block, state)),
            }
        }
        Ok(())
    }

    /// The blocks that `ranges` touch and that nobody has looked at yet.
    fn blocks_to_compare(&self, ranges: &[Range<u64>]) -> Vec<u64> {
        let blocks = |range| self.blocks_in(range, self.covered_len_bytes);
        let mut found: Vec<u64> =
            ranges.iter().flat_map(blocks).filter(|&block| !self.trusted.contains(block)).collect();
        found.dedup();
        found
    }

    fn compare(&self, data: &dyn Backing, block: u64) -> Result<BlockState> {
        self.check_block(block, &read_block(data, self.start_of(block), BLOCK_BYTES)?)
    }

    /// Whether blocks that the log names may differ from their entries without being damaged.
    pub(crate) fn checkpoint_begun(&self) -> bool {
        self.checkpoint_begun
    }

    /// Before bytes in `ranges` of the file are changed by who cannot refuse to: blocks that do not
    /// match will not match their new entries either.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn doubt_damaged(
        &mut self,
        data: &dyn Backing,
        ranges: &[Range<u64>],
    ) -> Result<()> {
        for block in self.blocks_to_compare(ranges) {
            match self.compare(data, block)? {
                BlockState::Sound => self.trusted.insert(block),
                _ => self.doubted.insert(block),
            }
        }
        Ok(())
    }

    /// Lets bytes in `ranges` be changed without a look at what is there: the log says what they
    /// are to be, and an interrupted checkpoint may have written some of it.
    pub(crate) fn exempt(&mut self, ranges: &[Range<u64>]) {
        for range in ranges {
            for block in self.blocks_in(range, self.covered_len_bytes) {
                self.trusted.insert(block);
            }
        }
    }

    #[cold]
    fn damaged(&self, data: &dyn Backing, block: u64, state: BlockState) -> Error {
        let bytes = self.bytes_of(block);
        let records = self.records_in(&bytes);
        let error = Error::new(ErrorKind::Corrupt, "change")
            .offset(bytes.start)
            .record(records.start)
            .detail(format!("{}: {}", describe(block, &bytes, &records), state.why()))
            .advice(
                "verify lists all the damage; salvage copies what can be trusted; verify --rebuild \
                 takes the records as they are",
            );
        match data.path() {
            Some(path) => error.path(path),
            None => error,
        }
    }
}
