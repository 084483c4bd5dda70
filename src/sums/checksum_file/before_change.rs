//! Compares blocks with their checksums before they change, so that a new checksum never hides
//! damage.

use std::ops::Range;

use super::run::Run;
use super::{BlockState, Sums, describe, offset_of_entry, read_block, unreadable};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{BLOCK_BYTES, BlockChecksum, ENTRY_BYTES, block_checksum};
use crate::io::Backing;
use crate::number::smaller;
use crate::step::{self, Step};

/// The number of entries in one read.
const ENTRIES_AT_ONCE: usize = 8192;

impl Sums {
    /// A writer calls this before it first changes bytes in `ranges` of the file. Compares their
    /// blocks with their checksums, so that a new checksum does not hide damage.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a block that does not match, with the block, its bytes and its
    /// records; [`ErrorKind::Io`] if the operating system reports an error.
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

    /// The blocks that `ranges` touch and that this handle has not compared yet.
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

    /// The commit up to which an interrupted checkpoint had begun. Blocks may differ from their
    /// entries without damage if the log has records of those commits for them.
    pub(crate) fn checkpoint_begun(&self) -> Option<u64> {
        self.checkpoint_begun
    }

    /// A writer that cannot refuse a change calls this before it first changes bytes in `ranges` of
    /// the file. The entries of blocks that do not match, or cannot be read, become doubted,
    /// durably. This must precede the change, because the traces of an interrupted change look like
    /// damage.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error for the entries.
    pub(crate) fn doubt_damaged(
        &mut self,
        data: &dyn Backing,
        ranges: &[Range<u64>],
    ) -> Result<()> {
        let mut found = Vec::new();
        for block in self.blocks_to_compare(ranges) {
            if self.doubted.contains_key(&block) {
                continue;
            }
            match self.compare(data, block).or_else(unreadable)? {
                BlockState::Sound => self.trusted.insert(block),
                state => found.push((block, state)),
            }
        }
        self.doubt(found)
    }

    /// Records that these blocks are doubted, durably.
    fn doubt(&mut self, found: Vec<(u64, BlockState)>) -> Result<()> {
        let mut entries = Run::new(&*self.side);
        let mut is_new = false;
        for &(block, state) in found.iter().filter(|(_, state)| *state != BlockState::Doubted) {
            debug_assert_ne!(state, BlockState::Sound);
            entries.push(block, BlockChecksum::DOUBTED)?;
            is_new = true;
        }
        entries.write()?;
        if is_new {
            step::take(Step::DoubtSync, || self.side.sync_data())?;
        }
        self.doubted.extend(found);
        Ok(())
    }

    /// Lets a writer change bytes in `ranges` without comparing their blocks: the log has their new
    /// content, and an interrupted checkpoint may have written some of it. Blocks that were doubted
    /// before stay doubted.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn exempt(&mut self, ranges: &[Range<u64>]) -> Result<()> {
        let covered = self.covered_len_bytes;
        for range in ranges {
            for block in self.blocks_in(range, covered) {
                if self.trusted.contains(block) || self.doubted.contains_key(&block) {
                    continue;
                }
                match self.entry(block) {
                    Ok(entry) if entry.is_doubted() && !step::skip(Step::DoubtKept) => {
                        self.doubted.insert(block, BlockState::Doubted);
                    }
                    Ok(_) => self.trusted.insert(block),
                    Err(error) => {
                        self.doubted.insert(block, unreadable(error)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// The new entry of the last block, of which `counted_len` bytes are counted: their checksum if
    /// the block matches its old entry, otherwise the entry of a doubted block.
    pub(super) fn settled(
        &mut self,
        data: &dyn Backing,
        block: u64,
        entry: BlockChecksum,
        counted_len: u64,
    ) -> Result<BlockChecksum> {
        let state = match read_block(data, self.start_of(block), BLOCK_BYTES) {
            Ok(bytes) => match self.state_of(block, entry, &bytes) {
                BlockState::Sound => {
                    return Ok(block_checksum(&bytes[..smaller(counted_len, bytes.len())]));
                }
                state => state,
            },
            Err(error) => unreadable(error)?,
        };
        self.doubted.insert(block, state);
        Ok(BlockChecksum::DOUBTED)
    }

    /// The doubted blocks that this handle knows, in the state in which it found them.
    pub(crate) fn doubted(&self) -> impl Iterator<Item = (u64, BlockState)> + '_ {
        self.doubted.iter().map(|(&block, &state)| (block, state))
    }

    /// The first `most` blocks with doubted entries, and the number of all.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn find_doubted(&self, most: usize) -> Result<(Vec<u64>, u64)> {
        let (mut first, mut found) = (Vec::new(), 0);
        let mut bytes = vec![0; ENTRIES_AT_ONCE * ENTRY_BYTES];
        let mut block = 0;
        while block < self.blocks() {
            let got = self.side.read_at(offset_of_entry(block), &mut bytes)?;
            let entries = bytes[..got].chunks_exact(ENTRY_BYTES);
            let entries = entries.filter_map(|entry| entry.try_into().ok());
            for (number, entry) in (block..self.blocks()).zip(entries) {
                if BlockChecksum::decode(entry).is_doubted() {
                    found += 1;
                    if first.len() < most {
                        first.push(number);
                    }
                }
            }
            if got < bytes.len() {
                break;
            }
            block += ENTRIES_AT_ONCE as u64;
            if bytes.iter().all(|&byte| byte == 0) {
                // Many blocks without sums may be a hole.
                let data = self.side.next_data(offset_of_entry(block))?;
                let entries = data.saturating_sub(offset_of_entry(0)) / ENTRY_BYTES as u64;
                block = block.max(entries);
            }
        }
        Ok((first, found))
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
                "verify lists all damage; salvage copies the records that can be trusted; verify \
                 --rebuild accepts the records as they are",
            );
        match data.path() {
            Some(path) => error.path(path),
            None => error,
        }
    }
}
