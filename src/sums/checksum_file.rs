//! The checksums of a store's records: a file beside the data, an entry for each 64 KiB block.
//!
//! Invariants, for whoever keeps them: an entry is written only after the bytes it covers have been
//! synced; entries are synced before a header that counts their bytes is written, and are stamped
//! with that header's commit. So after a crash an entry covers what the header counts, or more of
//! it that is in the file too. Whoever opens the store to write brings such an entry back to what
//! is counted ([`Sums::settle`]) before the bytes behind can be written over.
//!
//! Damage is never summed away: bytes that are appended to a block extend its checksum without
//! looking at the old bytes, and a block that is changed is compared with its checksum first. Where
//! they differ, either the change is refused ([`Sums::before_change`]), or the block's entry says
//! from then on, durably and before the change, that the block is doubted
//! ([`Sums::doubt_damaged`]): nothing but making all sums anew takes that back. Nothing is cached:
//! an entry is where it is on the disk.

mod before_change;
mod named;
mod run;
mod whose;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    BLOCK_BYTES, BlockChecksum, ENTRY_BYTES, Geometry, Header, NoSumHeader, SUM_HEADER_BYTES,
    SumHeader, block_checksum, round_up,
};
use crate::io::{Backing, OpenSide};

use run::Run;
use whose::vacate;
pub(crate) use whose::{is_ours, is_sum_file};

/// How a store's checksum file is called: the store's name and this.
pub(crate) const SUM_SUFFIX: &str = "-sum";

/// [`BLOCK_BYTES`], as a length in a file.
pub(crate) const BLOCK_LEN_BYTES: u64 = BLOCK_BYTES as u64;

/// A whole number of blocks: so many bytes are summed between two calls of the progress.
const SUM_STEP_BYTES: u64 = 256 * BLOCK_LEN_BYTES;

/// How often a reader looks again when a writer was just writing the header.
const HEADER_TRIES: u32 = 8;

/// What lies where a store's checksums would be.
#[derive(Debug)]
pub(crate) enum FoundSums {
    /// Nothing.
    Absent,
    /// The checksums of another store.
    Foreign,
    /// Checksums of this store that somebody who changed it since has not kept.
    Stale,
    /// Something that cannot be used, and why.
    Damaged(String),
    /// The checksums.
    Kept(Sums),
}

/// What a block is, by its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockState {
    /// What it was when it was summed.
    Sound,
    /// Not what it was.
    Changed,
    /// Counted by the header further than its checksum says, which covers so many bytes.
    Uncovered(u32),
    /// Shorter in the file than its checksum says, which covers so many bytes.
    CutOff(u32),
    /// Found damaged before it was changed, once and for all.
    Doubted,
    /// Not to be read, or its checksum is not.
    Unreadable,
}

/// A set of blocks: a bit each.
#[derive(Debug, Default)]
pub(crate) struct BlockSet(Vec<u64>);

impl BlockSet {
    #[inline]
    pub(crate) fn contains(&self, block: u64) -> bool {
        usize::try_from(block >> 6)
            .ok()
            .and_then(|word| self.0.get(word))
            .is_some_and(|word| word >> (block & 63) & 1 != 0)
    }

    /// Adds blocks of a file in memory or on a disk: there are not too many for an index.
    pub(crate) fn insert(&mut self, block: u64) {
        let Ok(word) = usize::try_from(block >> 6) else { return };
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (block & 63);
    }

    /// The blocks, in order; none are left.
    pub(crate) fn take(&mut self) -> Vec<u64> {
        let words = std::mem::take(&mut self.0);
        let bits = |(at, word): (usize, u64)| {
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| at as u64 * 64 + bit)
        };
        words.into_iter().enumerate().filter(|(_, word)| *word != 0).flat_map(bits).collect()
    }
}

/// The checksums of a store that has them.
#[derive(Debug)]
pub(crate) struct Sums {
    side: Arc<dyn Backing>,
    header: SumHeader,
    /// Whether this handle has written the header: one that was found may be in the cache only, as
    /// a sync that failed leaves it, and no later sync would write it.
    header_written: bool,
    /// Up to which commit a checkpoint was announced ([`Sums::sync`]) that the store's header does
    /// not know of: it may have written some of its records when it was cut short.
    checkpoint_begun: Option<u64>,
    geometry: Geometry,
    /// As much of its length is durable: a process that died may have grown it and not synced that.
    durable_len_bytes: u64,
    /// How many bytes of records the entries cover.
    covered_len_bytes: u64,
    /// The blocks that were compared with their entries since the store was opened, or were summed
    /// since by this handle.
    trusted: BlockSet,
    /// The blocks that were about to be changed and did not match, as they were found; their
    /// entries say so.
    doubted: BTreeMap<u64, BlockState>,
}

impl Sums {
    /// Makes a new checksum file with that suffix beside `data`, in place of one that is there, for
    /// a store with this header, and sums the records that it counts. What it holds is durable;
    /// its name is so once the directory is synced.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if what is there is no checksum file;
    /// [`ErrorKind::Unsupported`] beside what has no name; the system's.
    pub(crate) fn create(data: &dyn Backing, suffix: &str, header: &Header) -> Result<Self> {
        Self::create_with_progress(data, suffix, header, &mut |_, _| Ok(()))
    }

    /// As [`Sums::create`]; calls `progress` with how many bytes of records are summed, and of how
    /// many, and removes the file if that fails.
    pub(crate) fn create_with_progress(
        data: &dyn Backing,
        suffix: &str,
        header: &Header,
        progress: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<Self> {
        vacate(data, suffix)?;
        let side = data.open_side(suffix, OpenSide::Create)?.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "make a checksum file")
                .detail("this backing keeps no files beside it")
        })?;
        let geometry = header.layout()?.geometry;
        let sum_header = SumHeader { file_id: header.file_id, commit: header.counts.commit };
        let mut sums = Self {
            side,
            header: sum_header,
            header_written: true,
            checkpoint_begun: None,
            geometry,
            durable_len_bytes: 0,
            covered_len_bytes: 0,
            trusted: BlockSet::default(),
            doubted: BTreeMap::new(),
        };
        let made = sums
            .side
            .write_at(0, &sum_header.encode())
            .and_then(|()| sums.sum_all(data, geometry.offset_of(header.counts.records)?, progress))
            .and_then(|()| sums.side.sync_data());
        match made {
            Ok(()) => Ok(sums),
            Err(error) => {
                let _ = data.remove_side(suffix);
                Err(error)
            }
        }
    }

    /// Sums the records up to `end`, a step at a time.
    fn sum_all(
        &mut self,
        data: &dyn Backing,
        end: u64,
        progress: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<()> {
        let start = self.geometry.data_offset;
        let mut done = start;
        loop {
            done = end.min(done.saturating_add(SUM_STEP_BYTES));
            self.update(data, &[], done)?;
            progress(done - start, end - start)?;
            if done == end {
                return Ok(());
            }
        }
    }

    /// The checksums in `side`, whose own header was found to be that one.
    fn over(side: Arc<dyn Backing>, found: SumHeader, header: &Header) -> Result<FoundSums> {
        if found.file_id != header.file_id {
            return Ok(FoundSums::Foreign);
        }
        if found.commit < header.counts.commit {
            return Ok(FoundSums::Stale);
        }
        let geometry = header.layout()?.geometry;
        let covered_len_bytes = geometry.offset_of(header.counts.records)? - geometry.data_offset;
        Ok(FoundSums::Kept(Self {
            side,
            header: found,
            header_written: false,
            checkpoint_begun: Some(found.commit).filter(|&commit| commit > header.counts.commit),
            geometry,
            durable_len_bytes: offset_of_entry(covered_len_bytes.div_ceil(BLOCK_LEN_BYTES)),
            covered_len_bytes,
            trusted: BlockSet::default(),
            doubted: BTreeMap::new(),
        }))
    }

    /// As [`Sums::find`], where whatever is not this store's valid checksums counts as none.
    ///
    /// # Errors
    /// As [`Sums::find`].
    pub(crate) fn open(
        data: &dyn Backing,
        header: &Header,
        writable: bool,
    ) -> Result<Option<Self>> {
        Ok(match Self::find(data, header, writable)? {
            FoundSums::Kept(sums) => Some(sums),
            _ => None,
        })
    }

    /// Removes a store's checksum file, durably. What lies there and is none stays.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn remove(data: &dyn Backing) -> Result<()> {
        if is_sum_file(data)? == Some(true) {
            data.remove_side(SUM_SUFFIX)?;
            data.sync_directory()?;
        }
        Ok(())
    }

    /// Gives the checksum file another name, in place of one that has it.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn rename(&self, to: &Path) -> Result<()> {
        self.side.rename(to, true)
    }

    /// The commit up to which the sums are kept or a checkpoint has begun, as the file says now;
    /// `None` if what it says makes no sense any more.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn stamp(&self) -> Result<Option<u64>> {
        Ok(read_header(&*self.side)?.ok().map(|header| header.commit))
    }

    /// How many blocks the counted records take.
    pub(crate) fn blocks(&self) -> u64 {
        self.covered_len_bytes.div_ceil(BLOCK_LEN_BYTES)
    }

    /// The part of `block` that the header counts, in bytes of the file.
    pub(crate) fn bytes_of(&self, block: u64) -> Range<u64> {
        let start = block.saturating_mul(BLOCK_LEN_BYTES);
        let end = start.saturating_add(BLOCK_LEN_BYTES).min(self.covered_len_bytes).max(start);
        self.geometry.data_offset + start..self.geometry.data_offset + end
    }

    /// Brings the last entry back to what the header counts, durably, if a crash, a truncation or a
    /// failed sync may have left another one: before anybody writes behind the count. `at_rest`:
    /// the store was closed cleanly, so an entry that looks right is right on the disk too.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn settle(&mut self, data: &dyn Backing, at_rest: bool) -> Result<()> {
        let partial = self.covered_len_bytes % BLOCK_LEN_BYTES;
        if partial == 0 {
            // What lies behind is of no count, and is summed anew when it is counted.
            return Ok(());
        }
        let block = self.covered_len_bytes / BLOCK_LEN_BYTES;
        let entry = self.entry(block)?;
        let as_counted = u64::from(entry.covered_len_bytes) == partial;
        if as_counted && at_rest {
            return Ok(());
        }
        let settled = if as_counted { entry } else { self.settled(data, block, entry, partial)? };
        self.side.write_at(offset_of_entry(block), &settled.encode())?;
        self.side.sync_data()
    }

    /// Takes back the entries of what lies from `end` on, a byte offset in the file: for a store
    /// that was truncated there, and whose header says so. Not durable before [`Sums::sync`].
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn truncate(&mut self, data: &dyn Backing, end: u64) -> Result<()> {
        let covered = self.covered_len_bytes.min(end.saturating_sub(self.geometry.data_offset));
        self.covered_len_bytes = covered;
        // What is written where a block was cut off is another block.
        self.doubted.split_off(&self.blocks());
        self.settle(data, false)
    }

    /// What `block` is, of which the file has these bytes: as many as there are, up to a block.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn check_block(&self, block: u64, bytes: &[u8]) -> Result<BlockState> {
        Ok(self.state_of(block, self.entry(block)?, bytes))
    }

    fn state_of(&self, block: u64, entry: BlockChecksum, bytes: &[u8]) -> BlockState {
        if entry.is_doubted() {
            return BlockState::Doubted;
        }
        let counted = self.bytes_of(block);
        let covered = entry.covered_len_bytes;
        if u64::from(covered) < counted.end - counted.start {
            return BlockState::Uncovered(covered);
        }
        if u64::from(covered) <= BLOCK_LEN_BYTES && u64::from(covered) > bytes.len() as u64 {
            return BlockState::CutOff(covered);
        }
        if entry.matches(bytes) { BlockState::Sound } else { BlockState::Changed }
    }

    /// The records of which some byte lies in `bytes` of the file.
    pub(crate) fn records_in(&self, bytes: &Range<u64>) -> Range<u64> {
        let first = self.geometry.records_below(bytes.start).0;
        let (whole, more) = self.geometry.records_below(bytes.end);
        first..whole + u64::from(more)
    }

    /// Makes room for the entries of records up to the byte `new_end` of the file, so that a full
    /// disk shows before anything is changed; `true` if that room is not known to be durable yet.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`]; the system's.
    pub(crate) fn reserve(&self, new_end: u64) -> Result<bool> {
        let blocks = new_end.saturating_sub(self.geometry.data_offset).div_ceil(BLOCK_LEN_BYTES);
        let needed = offset_of_entry(blocks);
        if self.side.len_bytes()? < needed {
            return self.side.grow(round_up(needed, 4096)).map(|_| true);
        }
        Ok(needed > self.durable_len_bytes)
    }

    /// Makes the room that was made durable: before a commit that counts on it.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn sync_room(&mut self) -> Result<()> {
        let len_bytes = self.side.len_bytes()?;
        self.side.sync_data()?;
        self.durable_len_bytes = len_bytes;
        Ok(())
    }

    /// Sums what has changed: the bytes in `ranges` of the file, and those appended up to
    /// `new_end`, where the records end now. The bytes are read back, and have been synced. Not
    /// durable before [`Sums::sync`].
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the file ends before its records; the system's.
    pub(crate) fn update(
        &mut self,
        data: &dyn Backing,
        ranges: &[Range<u64>],
        new_end: u64,
    ) -> Result<()> {
        let old_end = self.geometry.data_offset + self.covered_len_bytes;
        let new_covered = new_end.saturating_sub(self.geometry.data_offset);
        let mut changed: Vec<Range<u64>> =
            ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        if new_end > old_end {
            changed.push(old_end..new_end);
        }
        changed.sort_by_key(|range| range.start);
        let old_covered = std::mem::replace(&mut self.covered_len_bytes, new_covered);
        let mut run = Run::new(&*self.side);
        let mut buffer = vec![0; BLOCK_BYTES];
        let mut next = 0;
        for range in changed {
            for block in self.blocks_in(&range, new_covered) {
                // Ranges are in order: the first that touches a block is the one that begins first.
                if block < next {
                    continue;
                }
                next = block + 1;
                let kept = self.kept_len(block, range.start, old_covered);
                let sum = self.sum(data, block, kept, &mut buffer)?;
                run.push(block, sum)?;
                if sum.is_doubted() {
                    self.doubted.entry(block).or_insert(BlockState::Doubted);
                } else if kept == 0 {
                    // Nobody has looked at the old bytes of a block that was only extended.
                    self.trusted.insert(block);
                }
            }
        }
        run.write()
    }

    /// How many bytes at the start of `block` keep their checksum: those that were covered, if
    /// what changes begins behind them, and otherwise none.
    fn kept_len(&self, block: u64, changed_from: u64, old_covered: u64) -> u64 {
        let had = old_covered.saturating_sub(block * BLOCK_LEN_BYTES).min(BLOCK_LEN_BYTES);
        if changed_from < self.start_of(block).saturating_add(had) { 0 } else { had }
    }

    /// The checksum of `block`, whose first `kept` bytes are what they were.
    fn sum(
        &self,
        data: &dyn Backing,
        block: u64,
        kept: u64,
        buffer: &mut [u8],
    ) -> Result<BlockChecksum> {
        let bytes = self.bytes_of(block);
        let buffer = usize::try_from(bytes.end - bytes.start - kept)
            .ok()
            .and_then(|len| buffer.get_mut(..len))
            .ok_or_else(|| Error::new(ErrorKind::OutOfRange, "sum").offset(bytes.start))?;
        if self.doubted.contains_key(&block) {
            return Ok(BlockChecksum::DOUBTED);
        }
        let got = match data.read_at(bytes.start + kept, buffer) {
            Ok(got) => got,
            Err(error) => return unreadable(error).map(|_| BlockChecksum::DOUBTED),
        };
        if got < buffer.len() {
            return Err(Error::new(ErrorKind::Truncated, "sum")
                .offset(bytes.start + kept + got as u64)
                .detail("the file ends before its records"));
        }
        if kept == 0 {
            return Ok(block_checksum(buffer));
        }
        let old = self.entry(block)?;
        // An entry that covers anything else was damaged or lost, and with it the knowledge whether
        // the old bytes are sound.
        let is_known = u64::from(old.covered_len_bytes) == kept;
        Ok(if is_known { old.extended(buffer) } else { BlockChecksum::DOUBTED })
    }

    /// Makes all entries durable, for a header of that commit or an earlier one: before any header
    /// of it is written. A checkpoint calls it before it writes any record too, so that whoever
    /// finds it cut short knows that it had begun.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn sync(&mut self, commit: u64) -> Result<()> {
        self.sync_with(true, commit)
    }

    /// As [`Sums::sync`]; a test can leave the sync out.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn sync_with(&mut self, is_synced: bool, commit: u64) -> Result<()> {
        if commit > self.header.commit || !self.header_written {
            self.header.commit = commit.max(self.header.commit);
            self.side.write_at(0, &self.header.encode())?;
            self.header_written = true;
        }
        if is_synced { self.side.sync_data() } else { Ok(()) }
    }

    /// Cuts the file to the entries that mean anything.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn trim(&self) -> Result<()> {
        let end = offset_of_entry(self.blocks());
        if self.side.len_bytes()? > end { self.side.trim(end) } else { Ok(()) }
    }

    fn start_of(&self, block: u64) -> u64 {
        self.geometry.data_offset.saturating_add(block.saturating_mul(BLOCK_LEN_BYTES))
    }

    /// The blocks among the first `covered` bytes of records that `range` of the file touches.
    fn blocks_in(&self, range: &Range<u64>, covered: u64) -> Range<u64> {
        let start = range.start.saturating_sub(self.geometry.data_offset);
        let end = range.end.saturating_sub(self.geometry.data_offset).min(covered);
        match start < end {
            true => start / BLOCK_LEN_BYTES..end.div_ceil(BLOCK_LEN_BYTES),
            false => 0..0,
        }
    }

    /// A block's entry; that of a block never summed if the file ends before it.
    fn entry(&self, block: u64) -> Result<BlockChecksum> {
        let mut bytes = [0; ENTRY_BYTES];
        let got = self.side.read_at(offset_of_entry(block), &mut bytes)?;
        Ok(if got == ENTRY_BYTES { BlockChecksum::decode(bytes) } else { BlockChecksum::NONE })
    }
}

impl BlockState {
    /// Why a block of this state is not to be trusted.
    pub(crate) fn why(self) -> String {
        match self {
            Self::Sound => "it matches its checksum".into(),
            Self::Changed => "it does not match its checksum".into(),
            Self::Uncovered(0) => "it has no checksum".into(),
            Self::Uncovered(covered) => {
                format!("its checksum covers only its first {covered} bytes")
            }
            Self::CutOff(covered) => {
                format!("its checksum covers {covered} bytes, and the file ends before those")
            }
            Self::Doubted => "it did not match its checksum before some of its records were \
                              changed: those may be right, and nothing tells which"
                .into(),
            Self::Unreadable => "it could not be read".into(),
        }
    }
}

/// Reads the header, again if a writer beside may just have been writing it.
fn read_header(side: &dyn Backing) -> Result<Result<SumHeader, NoSumHeader>> {
    let mut bytes = [0; SUM_HEADER_BYTES];
    let mut tries = 0;
    loop {
        let got = side.read_at(0, &mut bytes)?;
        match SumHeader::decode(&bytes[..got]) {
            Err(NoSumHeader::Bad(_)) if tries < HEADER_TRIES => tries += 1,
            other => return Ok(other),
        }
    }
}

/// `block 3, bytes 262144..327680, records 1572..2097`.
pub(crate) fn describe(block: u64, bytes: &Range<u64>, records: &Range<u64>) -> String {
    format!(
        "block {block}, bytes {}..{}, records {}..{}",
        bytes.start, bytes.end, records.start, records.end
    )
}

/// Where a block's entry lies. No file has so many blocks that this could overflow.
fn offset_of_entry(block: u64) -> u64 {
    block.saturating_mul(ENTRY_BYTES as u64).saturating_add(SUM_HEADER_BYTES as u64)
}

/// What a block is that could not be read: an error if that says nothing about the block.
fn unreadable(error: Error) -> Result<BlockState> {
    if error.kind() == ErrorKind::Io { Ok(BlockState::Unreadable) } else { Err(error) }
}

/// As many bytes as the file has from `offset` on, up to `len`.
fn read_block(data: &dyn Backing, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let got = data.read_at(offset, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
