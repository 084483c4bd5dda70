//! Opens a store that may be damaged, to check or to save it, without changing or mapping it.

use std::path::Path;
use std::sync::Arc;

use super::problem::{Problem, is_problem};
use super::scan::{Inspect, Scan};
use crate::error::Result;
use crate::format::{Counts, DataType, Field, Geometry, Value};
use crate::io::Backing;
use crate::shm::Wait;
use crate::sums::{Checksums, FoundSums, Sums};
use crate::txn::opening::Opening;
use crate::txn::{Locks, MismatchedRecords, RecoveredState, Slots, Superblock, read_beside};
use crate::txn::{SlotInfo, leftovers_beside, slot_info};
use crate::wal::LeftoverFile;

/// An open store that may be damaged.
pub(crate) struct Damaged {
    pub(crate) superblock: Superblock,
    pub(crate) checksums: Checksums,
    pub(crate) slots: Slots,
    /// The state of the log, if there is one.
    log: Option<RecoveredState>,
    /// Why the log cannot be read, if it cannot. Its commits are lost then.
    log_lost: Option<String>,
    /// The records that do not match their checksums in the log.
    mismatched: Vec<MismatchedRecords>,
    sums: Option<Sums>,
    /// Keep writers from changing the array.
    locks: Locks,
}

impl Damaged {
    /// Opens the store at `path`. Header and schema must be readable, because they say where
    /// records begin.
    pub(crate) fn open(path: &Path, wait: Wait) -> Result<Self> {
        let Opening { mut superblock, locks } = Opening::to_inspect(path, wait)?;
        let slots = Slots::of(superblock.header())?;
        let (log, log_lost) = match read_beside::read_log(&mut superblock) {
            Ok(log) => (log, None),
            Err(error) if is_problem(&error) => (None, Some(error.to_string())),
            Err(error) => return Err(error),
        };
        let (log, mismatched) =
            log.map_or((None, Vec::new()), |(log, mismatched)| (Some(log), mismatched));
        let uncountable = match &log {
            Some(log) => why_uncountable(&superblock, log.counts.records)?,
            None => None,
        };
        let (log, mismatched, log_lost) = match uncountable {
            Some(why) => (None, Vec::new(), Some(why)),
            None => (log, mismatched, log_lost),
        };
        let found = Sums::find(&**superblock.backing(), superblock.header(), false)?;
        let checksums = Checksums::of(&found);
        let sums = match found {
            FoundSums::Kept(sums) => Some(sums),
            _ => None,
        };
        Ok(Self { superblock, checksums, slots, log, log_lost, mismatched, sums, locks })
    }

    /// The counts of the newest commit, in the header or in the log.
    fn counts(&self) -> Counts {
        self.log.as_ref().map_or(self.superblock.header().counts, |log| log.counts)
    }

    /// The number of records, including those in the log and deleted ones.
    pub(crate) fn count(&self) -> u64 {
        self.counts().records
    }

    /// Whether there is a log that cannot be read.
    pub(crate) fn log_is_lost(&self) -> bool {
        self.log_lost.is_some()
    }

    /// The number of commits in the log.
    pub(crate) fn commits_in_log(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.frames)
    }

    /// The records that do not match their checksums in the log.
    pub(crate) fn mismatched(&self) -> &[MismatchedRecords] {
        &self.mismatched
    }

    /// The files with names of segments that are not part of the log.
    pub(crate) fn leftovers(&self) -> Result<Vec<LeftoverFile>> {
        let (backing, header) = (&**self.superblock.backing(), self.superblock.header());
        match self.log_lost {
            // Then each may hold a commit.
            Some(_) => Ok(Vec::new()),
            None => leftovers_beside(backing, header, || self.locks.has_writer()),
        }
    }

    /// The number of records in the array that the log counts and has checksums of.
    pub(crate) fn summed_in_log(&self) -> u64 {
        self.log.as_ref().map_or(0, RecoveredState::summed)
    }

    /// The number of records that neither the checksum file nor the log has checksums of.
    pub(crate) fn unsummed(&self) -> u64 {
        let in_header =
            if self.sums.is_some() { 0 } else { self.superblock.header().counts.records };
        in_header.saturating_add(self.log.as_ref().map_or(0, |log| log.unsummed))
    }

    /// The number of live records, by the newest commit.
    pub(crate) fn live_count(&self) -> u64 {
        self.counts().live
    }

    /// The head of the free list, by the newest commit.
    pub(crate) fn free_head(&self) -> Option<u64> {
        self.counts().free_head
    }

    /// The data file.
    pub(crate) fn backing(&self) -> &Arc<dyn Backing> {
        self.superblock.backing()
    }

    /// The problems of header, length, log and checksum file.
    pub(crate) fn problems(&self) -> Result<Vec<Problem>> {
        let at = |offset, what| Problem { offset, ..Problem::of_file(what) };
        let report = self.superblock.report();
        let mut problems = Vec::new();
        for (offset, slot) in [0, 4096].into_iter().zip([&report.a, &report.b]) {
            match slot_info(slot) {
                SlotInfo::Valid { .. } => {}
                SlotInfo::Empty => {
                    problems.push(at(Some(offset), "this header slot is empty".to_owned()));
                }
                SlotInfo::Bad(why) => {
                    problems
                        .push(at(Some(offset), format!("this header slot is not valid: {why}")));
                }
            }
        }
        if self.superblock.header().editing {
            let what = "an exclusive edit was interrupted: records may be half changed";
            problems.push(at(None, what.to_owned()));
        }
        if let Err(error) = self.superblock.header().check_length(self.backing().len_bytes()?) {
            problems.push(at(None, error.to_string()));
        }
        if let Some(log) = &self.log {
            let end = self.geometry()?.offset_of(log.counts.records)?;
            let len_bytes = self.backing().len_bytes()?;
            if end > len_bytes {
                let (count, ends) =
                    (log.counts.records, format!("the file ends at byte {len_bytes}"));
                let what = format!("the log counts {count} records, up to byte {end}; {ends}");
                problems.push(at(None, what));
            }
        }
        for mismatched in &self.mismatched {
            problems.push(Problem::of_record(mismatched.ids.start, mismatched.to_string()));
        }
        if let Some(why) = &self.log_lost {
            problems
                .push(at(None, format!("the log with the newest commits cannot be read: {why}")));
        }
        let what = match &self.checksums {
            Checksums::Absent | Checksums::Present { .. } => return Ok(problems),
            Checksums::Foreign => "the checksum file belongs to another store".to_owned(),
            Checksums::Stale => {
                "a writer changed the store without updating the checksum file".to_owned()
            }
            Checksums::Damaged(why) => format!("the checksum file cannot be used: {why}"),
        };
        problems.push(at(None, what));
        Ok(problems)
    }

    /// Reads all records and compares all blocks with their checksums. A block with records that
    /// the log has newer images of may differ, because a checkpoint may have written some of them.
    pub(crate) fn scan(&self, to: &mut impl Inspect) -> Result<()> {
        let scan = Scan {
            data: &**self.superblock.backing(),
            geometry: self.geometry()?,
            count: self.count(),
            sums: self.sums.as_ref(),
            images: self.log.as_ref().map(|log| &log.overlay),
            mismatched: &self.mismatched,
            beside: None, // `locks` keep checkpoints away
        };
        scan.run(to)
    }

    fn geometry(&self) -> Result<Geometry> {
        let header = self.superblock.header();
        header.layout().map(|layout| layout.geometry)
    }

    /// The fields whose bytes can be invalid.
    pub(crate) fn doubtful_fields(&self) -> Vec<Field> {
        self.superblock
            .schema()
            .fields()
            .iter()
            .filter(|field| can_be_wrong(field))
            .cloned()
            .collect()
    }
}

/// Why a log cannot count so many records, if it cannot: a forged log may count more than a file
/// can hold, and no other code here can work with such a count.
fn why_uncountable(superblock: &Superblock, records: u64) -> Result<Option<String>> {
    let geometry = superblock.header().layout()?.geometry;
    let why = || format!("it counts {records} records, more than a file can hold");
    Ok(geometry.offset_of(records).is_err().then(why))
}

/// Whether some bytes are not a valid value of the field.
fn can_be_wrong(field: &Field) -> bool {
    field.is_nullable() || matches!(field.data_type(), DataType::Bool | DataType::Utf8(_))
}

/// Why the bytes of a field are not a valid value; `None` if they are one.
pub(crate) fn wrong_value(field: &Field, record: &[u8]) -> Option<String> {
    match field.read(record) {
        Ok(Value::Array(elements)) => {
            elements.iter().find_map(|element| element.err()).map(|error| error.to_string())
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
