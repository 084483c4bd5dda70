//! Checks a store for damage without changing it.

use std::ops::Range;
use std::path::Path;

use super::damaged::{Damaged, wrong_value};
use super::problem::{Problem, is_problem};
use super::scan::{BadBlock, Inspect, ScannedRecord};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Field, Found, bad_status, next_free};
use crate::shm::Wait;
use crate::sums::{Checksums, describe};
use crate::txn::Slots;
use crate::wal::LeftoverFile;

/// The result of [`verify`]: what it checked, and what it found.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("flags.rec");
/// let schema = Schema::packed([Field::new("flag", DataType::Bool)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[0, 1, 7])?; // 7 is not a bool
/// store.close()?;
/// let report = flatrec::verify(&path, flatrec::VerifyOptions::new())?;
/// assert_eq!(report.records, 3);
/// assert_eq!(report.problems[0].record, Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The number of checked records, without the deleted ones.
    pub records: u64,
    /// The number of deleted records, in a store with deletes.
    pub deleted: u64,
    /// The number of commits that are in the log and not yet in the array. `verify` checks their
    /// images instead of the records in the array. Until a checkpoint, the blocks that they change
    /// may differ from their checksums.
    pub commits_in_log: u64,
    /// The state of the checksum file. Only checksums reveal damage within records.
    pub checksums: Checksums,
    /// The number of records in the array that only the log counts and has checksums of. The next
    /// checkpoint adds their checksums to the checksum file.
    pub summed_in_log: u64,
    /// The number of records, deleted ones included, that no checksum covers, in the checksum file
    /// or in the log. Damage in them can stay unnoticed.
    pub unsummed: u64,
    /// The files with names of segments that are not part of the log. They are no problem: the
    /// store is whole without them. Empty while a writer has the store open, because they may be
    /// the writer's.
    pub leftovers: Vec<LeftoverFile>,
    /// The first problems, in the order of the file, at most
    /// [`VerifyOptions::max_problems`].
    pub problems: Vec<Problem>,
    /// The number of all problems.
    pub problems_found: u64,
}

impl VerifyReport {
    fn add(&mut self, problems_max: usize, problem: Problem) {
        self.problems_found += 1;
        if self.problems.len() < problems_max {
            self.problems.push(problem);
        }
    }
}

/// Options for [`verify`].
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema, VerifyOptions};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("flags.rec");
/// let schema = Schema::packed([Field::new("flag", DataType::Bool)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[7, 7, 7])?; // 7 is not a bool
/// store.close()?;
/// let report = flatrec::verify(&path, VerifyOptions::new().max_problems(1))?;
/// assert_eq!((report.problems.len(), report.problems_found), (1, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until they are given to a function"]
pub struct VerifyOptions {
    max_problems: usize,
    wait: Wait,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { max_problems: MAX_PROBLEMS, wait: Wait::No }
    }
}

impl VerifyOptions {
    /// Options that list at most 100 problems, and wait for no lock.
    ///
    /// ```
    /// let options = flatrec::VerifyOptions::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// How many problems the report lists at most, 100 by default. It counts all of them:
    /// [`VerifyReport::problems_found`].
    ///
    /// ```
    /// let options = flatrec::VerifyOptions::new().max_problems(1000);
    /// ```
    pub fn max_problems(mut self, max_problems: usize) -> Self {
        self.max_problems = max_problems;
        self
    }

    /// How long to wait for an exclusive edit in another handle; [`Wait::No`] by default.
    ///
    /// ```
    /// let options = flatrec::VerifyOptions::new().wait(flatrec::Wait::Forever);
    /// ```
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }
}

/// The default of [`VerifyOptions::max_problems`].
const MAX_PROBLEMS: usize = 100;

/// Checks a store, and lists the problems that it finds.
///
/// It checks the header, the schema, the length, each block that has a checksum, and each value
/// whose bytes can be invalid: bools and presence bytes must be 0 or 1, and text must be UTF-8. In
/// a store with deletes it also checks each record's status byte, the number of live records, and
/// that the free list has exactly the deleted records. If header or schema cannot be read, the
/// report has only that problem.
///
/// Of records that the log changes, `verify` checks the images in the log. It reads by calls, so
/// that a bad sector is a problem and not a signal, and writes nothing, not even a lock file.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such file; [`ErrorKind::Locked`] during an exclusive
/// edit; [`ErrorKind::Io`] if the operating system reports another error.
pub fn verify(path: impl AsRef<Path>, options: VerifyOptions) -> Result<VerifyReport> {
    let problems_max = options.max_problems;
    let mut report = VerifyReport::default();
    let store = match Damaged::open(path.as_ref(), options.wait) {
        Ok(store) => store,
        Err(error) if is_problem(&error) => {
            let problem = Problem {
                offset: error.file_offset(),
                record: error.record_number(),
                field: None,
                what: error.to_string(),
            };
            report.add(problems_max, problem);
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    for problem in store.problems()? {
        report.add(problems_max, problem);
    }
    report.checksums = store.checksums.clone();
    report.leftovers = store.leftovers()?;
    report.commits_in_log = store.commits_in_log();
    report.summed_in_log = store.summed_in_log();
    report.unsummed = store.unsummed();
    let mut verifier = Verifier {
        report: &mut report,
        problems_max,
        fields: store.doubtful_fields(),
        slots: &store.slots,
        live: 0,
        deleted: Vec::new(),
        unknown: false,
    };
    store.scan(&mut verifier)?;
    if store.slots.status_byte().is_some() {
        verifier.check_counts(store.live_count(), store.free_head(), store.count());
    }
    let deleted = verifier.deleted.len() as u64;
    report.deleted = deleted;
    report.records = store.count() - deleted;
    Ok(report)
}

/// Reports the problems that a scan finds.
struct Verifier<'r> {
    report: &'r mut VerifyReport,
    problems_max: usize,
    fields: Vec<Field>,
    slots: &'r Slots,
    live: u64,
    /// The deleted records, in order, each with its successor in the free list.
    deleted: Vec<(u64, Option<u64>)>,
    /// Whether a record is unreadable, so that it may be live or deleted.
    unknown: bool,
}

impl Inspect for Verifier<'_> {
    fn bad_block(&mut self, bad: &BadBlock) -> Result<()> {
        let what = format!("{}: {}", describe(bad.block, &bad.bytes, &bad.records), bad.why);
        self.add(Problem { offset: Some(bad.bytes.start), ..Problem::of_file(what) });
        Ok(())
    }

    fn record(&mut self, id: u64, record: ScannedRecord<'_>) -> Result<()> {
        let (ScannedRecord::Sound(slot) | ScannedRecord::Doubtful(slot)) = record else {
            // The problem of its block names it.
            self.unknown = true;
            return Ok(());
        };
        match self.slots.found(slot) {
            Ok(Found::Live) => self.live += 1,
            Ok(_) => {
                self.deleted.push((id, next_free(slot)));
                return Ok(());
            }
            Err(status) => {
                self.add(Problem::of_record(id, bad_status(status)));
                return Ok(());
            }
        }
        let record = slot.get(..self.slots.record_len()).unwrap_or(slot);
        for at in 0..self.fields.len() {
            if let Some(what) = wrong_value(&self.fields[at], record) {
                let field = Some(self.fields[at].name().to_owned());
                self.add(Problem { field, ..Problem::of_record(id, what) });
            }
        }
        Ok(())
    }

    fn missing(&mut self, _: Range<u64>) -> Result<()> {
        self.unknown = true;
        Ok(()) // `Damaged::problems` has reported the length
    }
}

impl Verifier<'_> {
    fn add(&mut self, problem: Problem) {
        self.report.add(self.problems_max, problem);
    }

    /// Checks that the newest commit counts the live records correctly, and that the free list has
    /// exactly the deleted records. A list that ends has no record twice.
    fn check_counts(&mut self, live_count: u64, free_head: Option<u64>, count: u64) {
        if self.unknown {
            return;
        }
        if self.live != live_count {
            self.add(Problem::of_file(format!(
                "the newest commit counts {live_count} live records, but the store has {}",
                self.live
            )));
        }
        if let Some(broken) = self.broken_free_list(free_head, count) {
            self.add(Problem::of_file(broken));
        }
    }

    fn broken_free_list(&self, free_head: Option<u64>, count: u64) -> Option<String> {
        let (mut next, mut members) = (free_head, 0);
        let mut from = "the free list begins".to_owned();
        while let Some(id) = next {
            if id >= count {
                return Some(format!("{from} at record {id}, past the last"));
            }
            let Ok(at) = self.deleted.binary_search_by_key(&id, |(id, _)| *id) else {
                return Some(format!("{from} at record {id}, which is not deleted"));
            };
            if members == self.deleted.len() {
                return Some("the free list is circular".to_owned());
            }
            members += 1;
            from = format!("the free list continues after record {id}");
            next = self.deleted[at].1;
        }
        (members < self.deleted.len()).then(|| {
            format!("the free list has {members} of {} deleted records", self.deleted.len())
        })
    }
}
