//! Saving what can be trusted of a store that is damaged, into a new one.
//!
//! A record is saved if every block that it lies in matches its checksum; without checksums, if it
//! can be read. A value that is none of its field is no reason to give a record up: it is kept as
//! it is, and told.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::damaged::{Damaged, wrong_value};
use super::problem::Problem;
use super::scan::{BadBlock, Inspect, ScannedRecord};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Found, bad_status};
use crate::io::FileBacking;
use crate::shm::Wait;
use crate::store::DynStore;
use crate::sums::{Checksums, describe};
use crate::txn::{NewMetadata, Slots, Torn};

/// How [`salvage`] saves.
///
/// ```
/// let options = flatrec::SalvageOptions::new().keep_ids().replace();
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SalvageOptions {
    keep_ids: bool,
    keep_doubtful: bool,
    replace: bool,
    wait: Wait,
}

impl SalvageOptions {
    /// What can be trusted, one record after the other, into a store that is not there yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a record of zero bytes in the place of each that is lost or was deleted, so that those
    /// behind it keep their numbers. Unless said, they close up.
    pub fn keep_ids(mut self) -> Self {
        self.keep_ids = true;
        self
    }

    /// Saves records, too, that can be read but lie in a block that does not match its checksum.
    /// [`SalvageReport::doubtful`] says which.
    pub fn keep_doubtful(mut self) -> Self {
        self.keep_doubtful = true;
        self
    }

    /// Takes the place of a store that is there. A symbolic link in its place is replaced itself,
    /// as [`std::fs::rename`] does: the file that it leads to stays.
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] by default.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }
}

/// Records that follow one another, and why they cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// Their numbers in the damaged store.
    pub records: Range<u64>,
    /// What is wrong with them: the block that they lie in, and why it is not believed.
    pub why: String,
}

/// What [`salvage`] has saved, and what not.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Records that the damaged store counts, deleted ones among them.
    pub records: u64,
    /// Records that were saved, doubtful ones among them.
    pub saved: u64,
    /// Records that had been deleted, and were left out.
    pub deleted: u64,
    /// Records that were not saved: the first 65,536 runs of them.
    pub lost: Vec<Lost>,
    /// Records that were saved only because [`SalvageOptions::keep_doubtful`] asked for it: the
    /// first 65,536 runs of them.
    pub doubtful: Vec<Lost>,
    /// Whether the damaged store has checksums. Without, damage within the records goes unseen.
    pub checksums: Checksums,
    /// What else is wrong: header slots, length, and values that are none of their fields, which
    /// were saved as they are. The first 1000 of them.
    pub problems: Vec<Problem>,
    /// How many such problems there are in all.
    pub problems_found: u64,
    /// Whether the log cannot be read: the commits in it are lost, and nobody knows how many
    /// records they added or changed.
    pub log_lost: bool,
    all_lost: Tally,
    all_doubtful: Tally,
}

impl SalvageReport {
    /// How many records were not saved.
    pub fn lost_records(&self) -> u64 {
        self.all_lost.records
    }

    /// How many records were saved that are doubtful.
    pub fn doubtful_records(&self) -> u64 {
        self.all_doubtful.records
    }

    /// How many runs of lost and of doubtful records there are of which the report has only the
    /// number of records.
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
/// Runs that a report lists: hostile status bytes make one of every record, and each takes more
/// memory than the record.
const RUNS_MAX: usize = 1 << 16;

/// Counts runs of records, whether they are listed or not.
#[derive(Clone, Debug, Default)]
struct Tally {
    records: u64,
    runs: u64,
    last: Option<Lost>,
}

impl Tally {
    /// Counts the records, and lists them in `runs` if there is room: with the last run if they go
    /// on from there.
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
/// the same schema and metadata, and with checksums; tells which were lost and why.
///
/// The damaged store is only read, by calls and not through a map: it may be cut short, have lost a
/// header slot, bear the mark of an interrupted edit, or lie on a disk with bad sectors. Its header
/// and schema must be readable. The new store takes its name when it is complete.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, SalvageOptions, Schema};
/// let directory = tempfile::tempdir()?;
/// let (path, out) = (directory.path().join("numbers.rec"), directory.path().join("saved.rec"));
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::options().checksums().create(&path, &schema)?;
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
/// [`ErrorKind::UnsupportedFormat`] if it cannot be known where the records are;
/// [`ErrorKind::AlreadyExists`] if there is something at `out`; [`ErrorKind::InvalidArgument`] if
/// `out` is the damaged store; the system's.
pub fn salvage(
    path: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: SalvageOptions,
) -> Result<SalvageReport> {
    salvage_with_progress(path, out, options, &mut |_, _| Ok(()))
}

/// As [`salvage`], and calls `progress` now and then with how many records are done, and of how
/// many, the last time before the new store gets its name. An error that it returns ends the work,
/// and leaves nothing of the new store.
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
    let mut new = DynStore::options().wait(options.wait).checksums();
    new.common.metadata = NewMetadata::Of(Arc::clone(store.superblock.metadata()));
    if store.slots.mark().is_some() {
        new = new.deletes();
    }
    new.common.set_copy_of(path)?;
    let mut saved = new.create_aside(out, schema, options.replace)?;
    let record_len = usize::try_from(schema.record_size()).unwrap_or(usize::MAX);
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
        torn: store.torn(),
    };
    store.scan(&mut saver)?;
    progress(store.count(), store.count())?;
    saved.close()?;
    Ok(report)
}

/// Copies what a scan finds.
struct Saver<'s> {
    out: &'s mut DynStore,
    options: SalvageOptions,
    report: &'s mut SalvageReport,
    slots: &'s Slots,
    fields: Vec<Field>,
    zeros: Vec<u8>,
    /// The bad blocks that records to come may lie in, the first one first.
    why: Vec<BadBlock>,
    progress: &'s mut dyn FnMut(u64, u64) -> Result<()>,
    /// How many there are in all.
    records: u64,
    torn: &'s [Torn],
}

/// So many records go between two calls of the progress.
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
        // No record behind them has a number to keep.
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

    /// What is wrong with the first bad block that record `id` lies in.
    fn why(&mut self, id: u64) -> String {
        self.why.retain(|bad| bad.records.end > id);
        match self.why.iter().find(|bad| bad.records.contains(&id)) {
            Some(bad) => format!("{}: {}", describe(bad.block, &bad.bytes, &bad.records), bad.why),
            None => match self.torn.iter().find(|torn| torn.ids.contains(&id)) {
                Some(torn) => torn.to_string(),
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
            .detail("the damaged store cannot be its own copy")
            .advice("choose another path for what is saved"));
    }
    Ok(())
}
