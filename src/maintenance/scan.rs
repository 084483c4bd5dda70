//! Reads a whole array that may be damaged, block by block and record by record, and says how far
//! each can be trusted.
//!
//! It reads by calls and never through a map, so that an unreadable sector is an error and not a
//! signal. If a block cannot be read whole, it is read page by page, so that one bad sector loses a
//! page and not a block.

use std::ops::Range;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::format::Geometry;
use crate::io::Backing;
use crate::number::{in_memory, smaller};
use crate::overlay::Overlay;
use crate::shm::Wait;
use crate::step::{self, Step};
use crate::sums::{BLOCK_LEN_BYTES, BlockState, Sums};
use crate::txn::{MismatchedRecords, Presence, Superblock};

/// How often a block that seems damaged is read again: a writer may append to it and change its
/// checksum between the two reads.
const TRIES: u32 = 8;

/// How long to wait for a running checkpoint that may explain why a block differs.
const CHECKPOINT_WAIT: Wait = Wait::AtMost(Duration::from_secs(60));

/// The unit of reading in a block that cannot be read whole.
const PAGE_BYTES: usize = 4096;

/// A block that cannot be trusted.
#[derive(Clone, Debug)]
pub(crate) struct BadBlock {
    pub(crate) block: u64,
    /// The part of the block with counted records, as offsets in the file.
    pub(crate) bytes: Range<u64>,
    /// The records with a byte in it.
    pub(crate) records: Range<u64>,
    pub(crate) why: String,
}

/// A record of a store that may be damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScannedRecord<'r> {
    /// No check has failed.
    Sound(&'r [u8]),
    /// It is readable, but lies in a block that does not match its checksum.
    Doubtful(&'r [u8]),
    /// It cannot be read whole.
    Unreadable,
}

/// Receives the results of a scan: each bad block before the records that begin in it.
pub(crate) trait Inspect {
    fn bad_block(&mut self, bad: &BadBlock) -> Result<()>;
    fn record(&mut self, id: u64, record: ScannedRecord<'_>) -> Result<()>;
    /// The last records, which the file does not have whole.
    fn missing(&mut self, records: Range<u64>) -> Result<()>;
}

/// What to scan.
pub(crate) struct Scan<'s> {
    pub(crate) data: &'s dyn Backing,
    pub(crate) geometry: Geometry,
    pub(crate) count: u64,
    pub(crate) sums: Option<&'s Sums>,
    /// The images of the log, which replace the records of the array.
    pub(crate) images: Option<&'s Overlay>,
    /// The records that do not match their checksums in the log.
    pub(crate) mismatched: &'s [MismatchedRecords],
    /// Can keep checkpoints away for a moment; `None` if no checkpoint can run during the scan.
    pub(crate) beside: Option<&'s Presence>,
}

/// How far the bytes of a range can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Sound,
    Doubtful,
    Unreadable,
}

/// Bytes that were read and not yet handed on as records.
struct Window {
    bytes: Vec<u8>,
    /// The start of `bytes`, from the start of the array.
    from: u64,
    /// The ranges among them that are not sound, sorted by start.
    bad: Vec<(Range<u64>, Trust)>,
}

impl Scan<'_> {
    /// Reads everything, and reports to `to`.
    ///
    /// # Errors
    /// The errors of `to`, and errors that say nothing about the store, such as
    /// [`Locked`](crate::ErrorKind::Locked).
    pub(crate) fn run(&self, to: &mut impl Inspect) -> Result<()> {
        let len_bytes = self.geometry.offset_of(self.count)? - self.geometry.data_offset;
        // A header may count more than the file has, so the length of the file bounds the work.
        let there = self.data.len_bytes()?.saturating_sub(self.geometry.data_offset);
        let there = there.min(len_bytes);
        let mut window = Window { bytes: Vec::new(), from: 0, bad: Vec::new() };
        let mut next = 0;
        for block in 0..there.div_ceil(BLOCK_LEN_BYTES) {
            let start = block * BLOCK_LEN_BYTES;
            let counted = (len_bytes - start).min(BLOCK_LEN_BYTES);
            if let Some(bad) = self.block(block, counted, &mut window)? {
                to.bad_block(&bad)?;
            }
            next = self.hand_on(next, there, &mut window, to)?;
        }
        if next < self.count { to.missing(next..self.count) } else { Ok(()) }
    }

    /// Adds a block to the window; returns it if it is bad.
    fn block(&self, block: u64, counted: u64, window: &mut Window) -> Result<Option<BadBlock>> {
        let start = block * BLOCK_LEN_BYTES;
        let offset = self.geometry.data_offset + start;
        let counted_len = in_memory(counted);
        let mut read = self.read(offset, counted_len, start);
        let mut why = read.why.take();
        if why.is_none() {
            why = self.compare(block, offset, &mut read.bytes)?;
            if why.is_some() {
                read.bad.push((start..start + counted, Trust::Doubtful));
            }
        } else if self.sums.is_some_and(|sums| block < sums.blocks()) {
            // The checksum is of the whole block, so the readable pages cannot be compared.
            read.bad.insert(0, (start..start + counted, Trust::Doubtful));
        }
        read.bad.extend(self.mismatched_within(start..start + counted));
        read.bad.sort_by_key(|(bytes, _)| bytes.start);
        read.bytes.resize(counted_len, 0);
        window.bytes.extend_from_slice(&read.bytes);
        window.bad.extend(read.bad);
        let bytes = offset..offset + counted;
        Ok(why.map(|why| BadBlock { block, records: self.records_in(&bytes), bytes, why }))
    }

    /// The bytes of a block that do not match their checksums in the log.
    fn mismatched_within(&self, block: Range<u64>) -> impl Iterator<Item = (Range<u64>, Trust)> {
        let within = move |mismatched: &MismatchedRecords| {
            mismatched.bytes.start.max(block.start)..mismatched.bytes.end.min(block.end)
        };
        let doubtful = self.mismatched.iter().map(within).filter(|bytes| bytes.start < bytes.end);
        doubtful.map(|bytes| (bytes, Trust::Doubtful))
    }

    /// Compares a block with its checksum, and says why it is bad. `None` if it has no checksum, if
    /// it matches, or if an interrupted checkpoint may explain the difference. `bytes` become the
    /// compared bytes.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked) if a checkpoint that may explain the difference takes
    /// longer than [`CHECKPOINT_WAIT`].
    fn compare(&self, block: u64, offset: u64, bytes: &mut Vec<u8>) -> Result<Option<String>> {
        // Blocks that no header counts yet have no checksum.
        let Some(sums) = self.sums.filter(|sums| block < sums.blocks()) else { return Ok(None) };
        let found = self.look(sums, block, offset, bytes);
        let records = self.records_in(&sums.bytes_of(block));
        let is_named = self.is_changed_by_log(&records, u64::MAX);
        match found {
            Ok(BlockState::Sound) => return Ok(None),
            Ok(state) if state == BlockState::Doubted || !is_named => return Ok(Some(state.why())),
            Err(why) => return Ok(Some(why)),
            Ok(_) => {}
        }
        // A checkpoint may be copying images to this block: between its writes of records and of
        // checksums, each changed block differs. While no checkpoint runs, a block that differs is
        // damaged, unless the last checkpoint was interrupted: then the stamp of the checksum file
        // is newer than the header.
        step::reach(Step::MomentOfQuiet);
        let beside = self.beside.filter(|_| !step::skip(Step::MomentOfQuiet));
        let _quiet = beside.map(|presence| presence.keep_quiet(CHECKPOINT_WAIT)).transpose()?;
        match self.look(sums, block, offset, bytes) {
            Ok(BlockState::Sound) => Ok(None),
            Ok(state) if state == BlockState::Doubted => Ok(Some(state.why())),
            Ok(state) => {
                step::reach(Step::JudgeBlock);
                let begun = sums.stamp()?;
                let done = Superblock::header_in(self.data)?.counts.commit;
                // That checkpoint wrote no images of commits after the stamp.
                let is_explained = begun
                    .is_some_and(|begun| begun > done && self.is_changed_by_log(&records, begun));
                Ok((!is_explained).then(|| state.why()))
            }
            Err(why) => Ok(Some(why)),
        }
    }

    /// Compares a block with its checksum, and reads it again up to [`TRIES`] times while it does
    /// not match. Fails with the reason if block or checksum cannot be read.
    fn look(
        &self,
        sums: &Sums,
        block: u64,
        offset: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<BlockState, String> {
        let check = |bytes: &[u8]| {
            let checked = sums.check_block(block, bytes);
            checked.map_err(|error| format!("its checksum cannot be read: {error}"))
        };
        let mut state = check(bytes)?;
        for _ in 0..TRIES {
            if state == BlockState::Sound {
                break;
            }
            let again = self.read_once(offset);
            *bytes = again.map_err(|error| format!("it cannot be read: {error}"))?;
            state = check(bytes)?;
        }
        Ok(state)
    }

    fn read_once(&self, offset: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; in_memory(BLOCK_LEN_BYTES)];
        let got = self.data.read_at(offset, &mut bytes)?;
        bytes.truncate(got);
        Ok(bytes)
    }

    /// Reads a block as far as the file has it. Its first `counted_len` bytes are of records.
    fn read(&self, offset: u64, counted_len: usize, at: u64) -> BlockRead {
        let mut read = match self.read_once(offset) {
            Ok(bytes) => BlockRead { bytes, bad: Vec::new(), why: None },
            Err(error) => self.read_pages(offset, counted_len, at, &error),
        };
        if read.bytes.len() < counted_len {
            let end = offset + read.bytes.len() as u64;
            read.why.get_or_insert_with(|| format!("the file ends at byte {end}"));
            let lost = at + read.bytes.len() as u64..at + counted_len as u64;
            read.bad.push((lost, Trust::Unreadable));
        }
        read
    }

    fn read_pages(&self, offset: u64, len: usize, at: u64, why: &Error) -> BlockRead {
        let mut bytes = vec![0; len];
        let mut bad = Vec::new();
        let mut end = 0;
        for start in (0..len).step_by(PAGE_BYTES) {
            let page = start..len.min(start + PAGE_BYTES);
            match self.data.read_at(offset + start as u64, &mut bytes[page.clone()]) {
                Ok(0) => break,
                Ok(got) => end = start + got,
                Err(_) => {
                    end = page.end;
                    bad.push((at + page.start as u64..at + page.end as u64, Trust::Unreadable));
                }
            }
        }
        bytes.truncate(end);
        BlockRead { bytes, bad, why: Some(format!("it cannot be read: {why}")) }
    }

    /// Hands on the records from `next` on that the window has whole and that end at or below
    /// `there`. Returns the number of the first remaining record.
    fn hand_on(
        &self,
        next: u64,
        there: u64,
        window: &mut Window,
        to: &mut impl Inspect,
    ) -> Result<u64> {
        let stride = self.geometry.stride;
        let end = there.min(window.from + window.bytes.len() as u64);
        let mut bad = window.bad.iter().peekable();
        let mut next = next;
        while next < self.count && (next + 1) * stride <= end {
            let range = next * stride..(next + 1) * stride;
            while bad.peek().is_some_and(|(bytes, _)| bytes.end <= range.start) {
                bad.next();
            }
            let overlapping = bad
                .clone()
                .take_while(|(bytes, _)| bytes.start < range.end)
                .filter(|(bytes, _)| bytes.end > range.start);
            let worst = overlapping.map(|(_, trust)| *trust).max().unwrap_or(Trust::Sound);
            let start = in_memory(range.start - window.from);
            let len = in_memory(stride);
            let bytes = &window.bytes[start..start + len];
            let scanned = match (worst, self.image(next)) {
                (_, Some(image)) => ScannedRecord::Sound(image),
                (Trust::Sound, None) => ScannedRecord::Sound(bytes),
                (Trust::Doubtful, None) => ScannedRecord::Doubtful(bytes),
                (Trust::Unreadable, None) => ScannedRecord::Unreadable,
            };
            to.record(next, scanned)?;
            next += 1;
        }
        let done = smaller(next * stride - window.from, window.bytes.len());
        window.bytes.drain(..done);
        window.from = next * stride;
        window.bad.retain(|(bytes, _)| bytes.end > window.from);
        Ok(next)
    }

    fn image(&self, id: u64) -> Option<&[u8]> {
        self.images?.find(id)
    }

    /// Whether a checkpoint up to commit `through` may change a block with these records.
    fn is_changed_by_log(&self, records: &Range<u64>, through: u64) -> bool {
        let images = self.images.filter(|images| !images.is_empty());
        images.is_some_and(|images| records.clone().any(|id| images.has_changed(id, through)))
    }

    fn records_in(&self, bytes: &Range<u64>) -> Range<u64> {
        let (whole, more) = self.geometry.records_below(bytes.end);
        self.geometry.records_below(bytes.start).0..whole + u64::from(more)
    }
}

/// The result of reading a block.
struct BlockRead {
    /// The bytes that the file has of the block, with zeros in place of unreadable pages.
    bytes: Vec<u8>,
    bad: Vec<(Range<u64>, Trust)>,
    /// Why it could not be read whole.
    why: Option<String>,
}

#[cfg(test)]
mod beside_writer;
#[cfg(test)]
mod tests;
