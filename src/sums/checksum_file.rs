//! The checksums of a store's records: a file beside the data file, with an entry for each block of
//! 64 KiB.
//!
//! Invariants: a writer writes an entry only after it has synced the bytes that the entry covers.
//! It syncs the entries, stamped with a commit, before it writes a header of that commit that
//! counts their bytes. So after a crash an entry covers what the header counts, or more bytes that
//! are in the file too. The next writer brings such an entry back to the counted bytes
//! ([`Sums::settle`]) before it can overwrite the bytes behind.
//!
//! A new checksum never hides damage: bytes appended to a block extend its checksum without reading
//! the old bytes, and a writer compares a block with its checksum before it changes the block. If
//! they differ, either the change fails ([`Sums::before_change`]), or the entry records, durably
//! and before the change, that the block is doubted ([`Sums::doubt_damaged`]). Only computing all
//! checksums anew ends the doubt. Entries are not cached in memory.

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

/// The suffix of a checksum file.
pub(crate) const SUM_SUFFIX: &str = "-sum";

/// [`BLOCK_BYTES`], as a file length.
pub(crate) const BLOCK_LEN_BYTES: u64 = BLOCK_BYTES as u64;

/// The number of bytes summed between two calls of `progress`, a multiple of a block.
const SUM_STEP_BYTES: u64 = 256 * BLOCK_LEN_BYTES;

/// How often a reader tries again if a writer was writing the header.
const HEADER_TRIES: u32 = 8;

/// What was found in the place of a store's checksum file.
#[derive(Debug)]
pub(crate) enum FoundSums {
    /// No file.
    Absent,
    /// The checksums of another store.
    Foreign,
    /// Checksums of this store that a later change did not update.
    Stale,
    /// An unusable file, and the reason.
    Damaged(String),
    /// Valid checksums.
    Kept(Sums),
}

/// The state of a block by its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockState {
    /// It matches its checksum.
    Sound,
    /// It does not match its checksum.
    Changed,
    /// The header counts more of it than its checksum covers, which is this many bytes.
    Uncovered(u32),
    /// The file has less of it than its checksum covers, which is this many bytes.
    CutOff(u32),
    /// A writer found it damaged before changing it. This is permanent.
    Doubted,
    /// It or its checksum could not be read.
    Unreadable,
}

/// A set of blocks, a bit for each.
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

    /// Adds a block. Files are small enough that its number fits an index.
    pub(crate) fn insert(&mut self, block: u64) {
        let Ok(word) = usize::try_from(block >> 6) else { return };
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (block & 63);
    }

    /// Returns the blocks in order, and empties the set.
    pub(crate) fn take(&mut self) -> Vec<u64> {
        let words = std::mem::take(&mut self.0);
        let bits = |(at, word): (usize, u64)| {
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| at as u64 * 64 + bit)
        };
        words.into_iter().enumerate().filter(|(_, word)| *word != 0).flat_map(bits).collect()
    }
}

/// The open checksum file of a store.
#[derive(Debug)]
pub(crate) struct Sums {
    side: Arc<dyn Backing>,
    header: SumHeader,
    /// Whether this handle has written the header. A header that was only read may be in the cache
    /// alone after a failed sync, and no later sync would write it.
    header_written: bool,
    /// The commit up to which a checkpoint was announced ([`Sums::sync`]), if later than the
    /// store's header: an interrupted checkpoint may have written some of its records.
    checkpoint_begun: Option<u64>,
    geometry: Geometry,
    /// The durable part of its length: a crashed writer may have lengthened the file without a
    /// sync.
    durable_len_bytes: u64,
    /// The number of bytes of records that the entries cover.
    covered_len_bytes: u64,
    /// The blocks that this handle has compared with their entries or summed since it opened the
    /// store.
    trusted: BlockSet,
    /// The doubted blocks that this handle knows, with the state in which it found them; their
    /// entries say that they are doubted.
    doubted: BTreeMap<u64, BlockState>,
}

impl Sums {
    /// Makes a new checksum file with that suffix beside `data`, replacing an old one, for a store
    /// with this header, and sums the counted records. Its content is durable; its name becomes
    /// durable when the caller syncs the directory.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if a file that is not a checksum file has its name;
    /// [`ErrorKind::Unsupported`] beside a backing without a name; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub(crate) fn create(data: &dyn Backing, suffix: &str, header: &Header) -> Result<Self> {
        Self::create_with_progress(data, suffix, header, &mut |_, _| Ok(()))
    }

    /// As [`Sums::create`]; calls `progress` with the number of summed bytes and the total, and
    /// removes the file if that fails.
    pub(crate) fn create_with_progress(
        data: &dyn Backing,
        suffix: &str,
        header: &Header,
        progress: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<Self> {
        vacate(data, suffix)?;
        let side = data.open_side(suffix, OpenSide::Create)?.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "make a checksum file")
                .detail("this kind of storage has no files beside it")
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

    /// Sums the records up to `end`, step by step.
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

    /// The checksums in `side`, whose header is `found`.
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

    /// As [`Sums::find`]; returns `None` for anything but valid checksums of this store.
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

    /// Removes a store's checksum file, durably. A file that is not a checksum file stays.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn remove(data: &dyn Backing) -> Result<()> {
        if is_sum_file(data)? == Some(true) {
            data.remove_side(SUM_SUFFIX)?;
            data.sync_directory()?;
        }
        Ok(())
    }

    /// Renames the checksum file, replacing a file with the new name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn rename(&self, to: &Path) -> Result<()> {
        self.side.rename(to, true)
    }

    /// The stamp in the file now: the commit up to which the sums are valid or a checkpoint was
    /// announced; `None` if the header is not valid.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn stamp(&self) -> Result<Option<u64>> {
        Ok(read_header(&*self.side)?.ok().map(|header| header.commit))
    }

    /// The number of blocks of counted records.
    pub(crate) fn blocks(&self) -> u64 {
        self.covered_len_bytes.div_ceil(BLOCK_LEN_BYTES)
    }

    /// The counted part of `block`, as a byte range of the file.
    pub(crate) fn bytes_of(&self, block: u64) -> Range<u64> {
        let start = block.saturating_mul(BLOCK_LEN_BYTES);
        let end = start.saturating_add(BLOCK_LEN_BYTES).min(self.covered_len_bytes).max(start);
        self.geometry.data_offset + start..self.geometry.data_offset + end
    }

    /// Brings the last entry back to the counted bytes, durably, if a crash, a truncation or a
    /// failed sync may have left another one. A writer does so before it writes behind the count.
    /// `at_rest`: the store was closed cleanly, so an entry that looks right is also right on the
    /// disk.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn settle(&mut self, data: &dyn Backing, at_rest: bool) -> Result<()> {
        let partial = self.covered_len_bytes % BLOCK_LEN_BYTES;
        if partial == 0 {
            // Entries behind the count are computed anew before their blocks are counted.
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

    /// Removes the entries from `end` on, a byte offset in the file, after a truncation there that
    /// the header records. Durable after [`Sums::sync`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn truncate(&mut self, data: &dyn Backing, end: u64) -> Result<()> {
        let covered = self.covered_len_bytes.min(end.saturating_sub(self.geometry.data_offset));
        self.covered_len_bytes = covered;
        // Later bytes in a removed block make a new block.
        self.doubted.split_off(&self.blocks());
        self.settle(data, false)
    }

    /// The state of `block`, given its bytes in the file: up to a block, as many as exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
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

    /// The records with a byte in the range `bytes` of the file.
    pub(crate) fn records_in(&self, bytes: &Range<u64>) -> Range<u64> {
        let first = self.geometry.records_below(bytes.start).0;
        let (whole, more) = self.geometry.records_below(bytes.end);
        first..whole + u64::from(more)
    }

    /// Makes room for the entries of records up to the byte `new_end` of the file, so that a full
    /// disk fails before anything changes. Returns `true` if the room may not be durable.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] on a full disk; [`ErrorKind::Io`] if the operating system reports
    /// another error.
    pub(crate) fn reserve(&self, new_end: u64) -> Result<bool> {
        let blocks = new_end.saturating_sub(self.geometry.data_offset).div_ceil(BLOCK_LEN_BYTES);
        let needed = offset_of_entry(blocks);
        if self.side.len_bytes()? < needed {
            return self.side.grow(round_up(needed, 4096)).map(|_| true);
        }
        Ok(needed > self.durable_len_bytes)
    }

    /// Makes the reserved room durable, before a commit that relies on it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn sync_room(&mut self) -> Result<()> {
        let len_bytes = self.side.len_bytes()?;
        self.side.sync_data()?;
        self.durable_len_bytes = len_bytes;
        Ok(())
    }

    /// Sums the changed bytes: those in `ranges` of the file, and those appended up to `new_end`,
    /// the new end of the records. The caller has synced them; this reads them back. Durable after
    /// [`Sums::sync`].
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the file ends before its records; [`ErrorKind::Io`] if the
    /// operating system reports an error.
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
                // Ranges are sorted: the first range that touches a block begins first.
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
                    // The old bytes of a block that was only extended were not compared.
                    self.trusted.insert(block);
                }
            }
        }
        run.write()
    }

    /// The number of bytes at the start of `block` whose checksum is kept: the covered bytes if the
    /// change begins behind them, otherwise 0.
    fn kept_len(&self, block: u64, changed_from: u64, old_covered: u64) -> u64 {
        let had = old_covered.saturating_sub(block * BLOCK_LEN_BYTES).min(BLOCK_LEN_BYTES);
        if changed_from < self.start_of(block).saturating_add(had) { 0 } else { had }
    }

    /// The checksum of `block`, whose first `kept` bytes are unchanged.
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
            .ok_or_else(|| {
                Error::new(ErrorKind::OutOfRange, "compute a checksum").offset(bytes.start)
            })?;
        if self.doubted.contains_key(&block) {
            return Ok(BlockChecksum::DOUBTED);
        }
        let got = match data.read_at(bytes.start + kept, buffer) {
            Ok(got) => got,
            Err(error) => return unreadable(error).map(|_| BlockChecksum::DOUBTED),
        };
        if got < buffer.len() {
            return Err(Error::new(ErrorKind::Truncated, "compute a checksum")
                .offset(bytes.start + kept + got as u64)
                .detail("the file ends before its records"));
        }
        if kept == 0 {
            return Ok(block_checksum(buffer));
        }
        let old = self.entry(block)?;
        // An entry that covers another length was damaged or lost, so it is unknown whether the old
        // bytes are sound.
        let is_known = u64::from(old.covered_len_bytes) == kept;
        Ok(if is_known { old.extended(buffer) } else { BlockChecksum::DOUBTED })
    }

    /// Makes all entries durable, for a header of that commit or an earlier one, before a caller
    /// writes that header. A checkpoint also calls it before it writes any record, so that a later
    /// opener knows that it had begun.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn sync(&mut self, commit: u64) -> Result<()> {
        self.sync_with(true, commit)
    }

    /// As [`Sums::sync`]; a test can omit the sync.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn sync_with(&mut self, is_synced: bool, commit: u64) -> Result<()> {
        if commit > self.header.commit || !self.header_written {
            self.header.commit = commit.max(self.header.commit);
            self.side.write_at(0, &self.header.encode())?;
            self.header_written = true;
        }
        if is_synced { self.side.sync_data() } else { Ok(()) }
    }

    /// Cuts the file behind the last counted entry.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
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

    /// A block's entry; the entry of a block without a checksum if the file ends before it.
    fn entry(&self, block: u64) -> Result<BlockChecksum> {
        let mut bytes = [0; ENTRY_BYTES];
        let got = self.side.read_at(offset_of_entry(block), &mut bytes)?;
        Ok(if got == ENTRY_BYTES { BlockChecksum::decode(bytes) } else { BlockChecksum::NONE })
    }
}

impl BlockState {
    /// Why a block in this state cannot be trusted.
    pub(crate) fn why(self) -> String {
        match self {
            Self::Sound => "it matches its checksum".into(),
            Self::Changed => "it does not match its checksum".into(),
            Self::Uncovered(0) => "it has no checksum".into(),
            Self::Uncovered(covered) => {
                format!("its checksum covers only its first {covered} bytes")
            }
            Self::CutOff(covered) => {
                format!("its checksum covers {covered} bytes, but the file ends before them")
            }
            Self::Doubted => "it did not match its checksum before some of its records were \
                              changed; it is unknown which of its records are right"
                .into(),
            Self::Unreadable => "it could not be read".into(),
        }
    }
}

/// Reads the header, several times if a writer may be writing it.
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

/// The offset of a block's entry. No file has enough blocks to overflow it.
fn offset_of_entry(block: u64) -> u64 {
    block.saturating_mul(ENTRY_BYTES as u64).saturating_add(SUM_HEADER_BYTES as u64)
}

/// The state of a block that could not be read, or the error if it says nothing about the block.
fn unreadable(error: Error) -> Result<BlockState> {
    if error.kind() == ErrorKind::Io { Ok(BlockState::Unreadable) } else { Err(error) }
}

/// Up to `len` bytes from `offset` on: as many as the file has.
fn read_block(data: &dyn Backing, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let got = data.read_at(offset, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
