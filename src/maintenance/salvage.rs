//! Saves the records of a damaged store that can be trusted, into a new store.
//!
//! A record is saved if each of its blocks matches its checksum, or without checksums if it is
//! readable. A record with an invalid value of a field is saved unchanged, and reported.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::damaged::{Damaged, wrong_value};
use super::problem::Problem;
use super::scan::{BadBlock, Inspect, ScannedRecord};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Found, bad_status};
use crate::io::FileBacking;
use crate::number::len_of;
use crate::shm::Wait;
use crate::store::DynStore;
use crate::sums::{Checksums, describe};
use crate::txn::{MismatchedRecords, NewMetadata, Slots};

/// Options for [`salvage`].
///
/// ```
/// let options = flatrec::SalvageOptions::new().keep_ids(true).replace(true);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "options do nothing until they are given to a function"]
pub struct SalvageOptions {
    keep_ids: bool,
    keep_doubtful: bool,
    replace: bool,
    wait: Wait,
}

impl SalvageOptions {
    /// Options that save only trusted records, without gaps, and replace no file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to put a record of zero bytes in the place of each lost or deleted record, so that
    /// the records after it keep their numbers. By default they close up.
    pub fn keep_ids(mut self, keep: bool) -> Self {
        self.keep_ids = keep;
        self
    }

    /// Whether to save readable records also from blocks that do not match their checksums; `false`
    /// by default. [`SalvageReport::doubtful`] lists them.
    pub fn keep_doubtful(mut self, keep: bool) -> Self {
        self.keep_doubtful = keep;
        self
    }

    /// Whether the new store may replace an existing file; `false` by default. A symbolic link is
    /// itself replaced, as by [`std::fs::rename`]: the file that it leads to stays.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] by default.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }
}

/// A run of consecutive records that cannot be trusted, and the reason. [`salvage`] shows one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// Their numbers in the damaged store.
    pub records: Range<u64>,
    /// The reason: the block with the records, and why it cannot be trusted.
    pub why: String,
}

/// The result of [`salvage`]: what it saved, and what is lost.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SalvageReport {
    /// The number of records that the damaged store counts, deleted ones included.
    pub records: u64,
    /// The number of saved records, doubtful ones included.
    pub saved: u64,
    /// The number of deleted records, which are not saved.
    pub deleted: u64,
    /// The first 65,536 runs of lost records.
    pub lost: Vec<Lost>,
    /// The first 65,536 runs of records that were saved only because of
    /// [`SalvageOptions::keep_doubtful`].
    pub doubtful: Vec<Lost>,
    /// Whether the damaged store has checksums. Without them damage within records stays unnoticed.
    pub checksums: Checksums,
    /// The first 1000 other problems: of header slots, of the length, and invalid values of fields.
    /// Records with invalid values are saved unchanged.
    pub problems: Vec<Problem>,
    /// The number of such problems.
    pub problems_found: u64,
    /// Whether the log cannot be read. Then its commits are lost, and it is unknown how many
    /// records they added or changed.
    pub log_lost: bool,
    all_lost: Tally,
    all_doubtful: Tally,
}

impl SalvageReport {
    /// The number of lost records.
    pub fn lost_records(&self) -> u64 {
        self.all_lost.records
    }

    /// The number of saved records that are doubtful.
    pub fn doubtful_records(&self) -> u64 {
        self.all_doubtful.records
    }

    /// The number of runs of lost or doubtful records that the report counts but does not list.
    pub fn runs_not_listed(&self) -> u64 {
        self.all_lost.runs + self.all_doubtful.runs
            - self.lost.len() as u64
            - self.doubtful.len() as u64
    }

    fn lose(&mut self, records: Range<u64>, why: String) {
        self.all_lost.add(&mut self.lost, records, why);
    }

    fn problem(&mut self, problem: Problem) {
        self.problems_found += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

const PROBLEMS_MAX: usize = 1000;
/// The most runs that a report lists. With hostile status bytes each record is a run, which takes
/// more memory than the record.
const RUNS_MAX: usize = 1 << 16;

/// Counts records and runs, listed or not.
#[derive(Clone, Debug, Default)]
struct Tally {
    records: u64,
    runs: u64,
    last: Option<Lost>,
}

impl Tally {
    /// Counts the records, and lists them in `runs` if there is room. Extends the last run if they
    /// continue it for the same reason.
    fn add(&mut self, runs: &mut Vec<Lost>, records: Range<u64>, why: String) {
        self.records += records.end - records.start;
        match &mut self.last {
            Some(last) if last.records.end == records.start && last.why == why => {
                last.records.end = records.end;
                if self.runs == runs.len() as u64 {
                    if let Some(listed) = runs.last_mut() {
                        listed.records.end = records.end;
                    }
                }
            }
            last => {
                self.runs += 1;
                let run = last.insert(Lost { records, why });
                if runs.len() < RUNS_MAX {
                    runs.push(run.clone());
                }
            }
        }
    }
}

/// Copies every record of the store at `path` that can be trusted into a new store at `out`, with
/// the same schema and metadata, and with checksums. Reports which records are lost, and why.
///
/// `salvage` only reads the damaged store, by calls and not through a map. The store may be
/// truncated, have lost a header slot, have the mark of an interrupted edit, or lie on a disk with
/// bad sectors. One header slot and the schema must be readable. The new store gets its name when
/// it is complete.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, SalvageOptions, Schema};
/// let directory = tempfile::tempdir()?;
/// let (path, out) = (directory.path().join("numbers.rec"), directory.path().join("saved.rec"));
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create_options().checksums(true).create(&path, &schema)?;
/// store.append_packed(&[7; 8 * 20_000])?;
/// store.close()?;
/// let mut bytes = std::fs::read(&path)?;
/// bytes[65_536 + 100_000] ^= 4; // in the second block of 64 KiB
/// std::fs::write(&path, bytes)?;
///
/// let report = flatrec::salvage(&path, &out, SalvageOptions::new())?;
/// assert_eq!(report.lost[0].records, 8192..16_384);
/// assert_eq!(DynStore::open_read_only(&out)?.count(), 20_000 - 8192);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::NotAStore`], [`ErrorKind::Corrupt`], [`ErrorKind::InvalidSchema`] and
/// [`ErrorKind::UnsupportedFormat`] if header or schema cannot be read;
/// [`ErrorKind::AlreadyExists`] if there is a file at `out` and [`SalvageOptions::replace`] is not
/// set; [`ErrorKind::InvalidArgument`] if `out` is the damaged store; [`ErrorKind::Locked`] during
/// an exclusive edit; [`ErrorKind::NoSpace`] if the disk is full; [`ErrorKind::Io`] if the
/// operating system reports another error.
pub fn salvage(
    path: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: SalvageOptions,
) -> Result<SalvageReport> {
    salvage_with_progress(path, out, options, &mut |_, _| Ok(()))
}

/// As [`salvage`], but calls `progress` from time to time with the number of records done, and of
/// all records; the last call comes before the new store gets its name. If it returns an error, the
/// work ends with that error, and nothing of the new store is left.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, SalvageOptions, Schema};
/// let directory = tempfile::tempdir()?;
/// let (path, out) = (directory.path().join("numbers.rec"), directory.path().join("saved.rec"));
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[7; 8 * 100])?;
/// store.close()?;
/// let mut last = (0, 0);
/// flatrec::salvage_with_progress(&path, &out, SalvageOptions::new(), &mut |done, all| {
///     last = (done, all);
///     Ok(())
/// })?;
/// assert_eq!(last, (100, 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`salvage`] and of `progress`.
pub fn salvage_with_progress(
    path: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: SalvageOptions,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<SalvageReport> {
    let (path, out) = (path.as_ref(), out.as_ref());
    let store = Damaged::open(path, options.wait)?;
    refuse_same(path, out)?;
    let mut report = SalvageReport {
        records: store.count(),
        checksums: store.checksums.clone(),
        log_lost: store.log_is_lost(),
        ..SalvageReport::default()
    };
    for problem in store.problems()? {
        report.problem(problem);
    }
    let schema = store.superblock.schema();
    let mut new = DynStore::create_options()
        .wait(options.wait)
        .deletes(store.slots.status_byte().is_some())
        .checksums(true);
    new.common.metadata = NewMetadata::Of(Arc::clone(store.superblock.metadata()));
    new.common.set_copy_of(path)?;
    let mut saved = new.create_aside(out, schema, options.replace).map_err(|error| {
        error.advise_to_replace(
            out,
            "choose another path, or replace the file with SalvageOptions::replace",
        )
    })?;
    let record_len = len_of(schema.record_size());
    let mut saver = Saver {
        out: &mut saved,
        options,
        report: &mut report,
        slots: &store.slots,
        fields: store.doubtful_fields(),
        zeros: vec![0; record_len],
        why: Vec::new(),
        progress,
        records: store.count(),
        mismatched: store.mismatched(),
    };
    store.scan(&mut saver)?;
    progress(store.count(), store.count())?;
    saved.close()?;
    Ok(report)
}

/// Copies the records of a scan.
struct Saver<'s> {
    out: &'s mut DynStore,
    options: SalvageOptions,
    report: &'s mut SalvageReport,
    slots: &'s Slots,
    fields: Vec<Field>,
    zeros: Vec<u8>,
    /// The bad blocks that the remaining records may lie in, in order.
    why: Vec<BadBlock>,
    progress: &'s mut dyn FnMut(u64, u64) -> Result<()>,
    /// The number of all records.
    records: u64,
    mismatched: &'s [MismatchedRecords],
}

/// The number of records between two calls of `progress`.
const PROGRESS_STEP: u64 = 1 << 12;

impl Inspect for Saver<'_> {
    fn bad_block(&mut self, bad: &BadBlock) -> Result<()> {
        self.why.push(bad.clone());
        Ok(())
    }

    fn record(&mut self, id: u64, record: ScannedRecord<'_>) -> Result<()> {
        if id % PROGRESS_STEP == 0 {
            (self.progress)(id, self.records)?;
        }
        let (slot, sound) = match record {
            ScannedRecord::Sound(bytes) => (bytes, true),
            ScannedRecord::Doubtful(bytes) if self.options.keep_doubtful => (bytes, false),
            ScannedRecord::Doubtful(_) | ScannedRecord::Unreadable => return self.lose(id),
        };
        match self.slots.found(slot) {
            Ok(Found::Live) => {}
            Ok(_) => {
                self.report.deleted += 1;
                return self.leave_room();
            }
            Err(status) => {
                self.report.lose(id..id + 1, bad_status(status));
                return self.leave_room();
            }
        }
        if !sound {
            let why = self.why(id);
            let report = &mut *self.report;
            report.all_doubtful.add(&mut report.doubtful, id..id + 1, why);
        }
        let bytes = slot.get(..self.zeros.len()).unwrap_or(slot);
        for field in &self.fields {
            if let Some(what) = wrong_value(field, bytes) {
                let field = Some(field.name().to_owned());
                self.report.problem(Problem { offset: None, record: Some(id), field, what });
            }
        }
        self.out.append(bytes)?;
        self.report.saved += 1;
        Ok(())
    }

    fn missing(&mut self, records: Range<u64>) -> Result<()> {
        // No record follows them, so `keep_ids` needs no zeros.
        self.report.lose(records, "the file ends before them".to_owned());
        Ok(())
    }
}

impl Saver<'_> {
    fn lose(&mut self, id: u64) -> Result<()> {
        let why = self.why(id);
        self.report.lose(id..id + 1, why);
        self.leave_room()
    }

    fn leave_room(&mut self) -> Result<()> {
        if self.options.keep_ids {
            self.out.append(&self.zeros)?;
        }
        Ok(())
    }

    /// Why record `id` cannot be trusted, by the first bad block that it lies in.
    fn why(&mut self, id: u64) -> String {
        self.why.retain(|bad| bad.records.end > id);
        match self.why.iter().find(|bad| bad.records.contains(&id)) {
            Some(bad) => format!("{}: {}", describe(bad.block, &bad.bytes, &bad.records), bad.why),
            None => match self.mismatched.iter().find(|mismatched| mismatched.ids.contains(&id)) {
                Some(mismatched) => mismatched.to_string(),
                None => "it cannot be read".to_owned(),
            },
        }
    }
}

fn refuse_same(path: &Path, out: &Path) -> Result<()> {
    let Ok(there) = FileBacking::open(out, false) else { return Ok(()) };
    if FileBacking::open(path, false)?.is_same_file(&there)? {
        return Err(Error::new(ErrorKind::InvalidArgument, "salvage")
            .path(path)
            .detail("the new store would replace the damaged one")
            .advice("choose another path for the new store"));
    }
    Ok(())
}
