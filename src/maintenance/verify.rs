//! Looking for what cannot be right in a store, without changing it.

use std::ops::Range;
use std::path::Path;

use super::damaged::{Damaged, wrong_value};
use super::problem::{Problem, is_problem};
use super::scan::{BadBlock, Inspect, ScannedRecord};
use crate::error::Result;
use crate::format::{Field, Found, bad_status, next_free};
use crate::shm::Wait;
use crate::sums::{Checksums, describe};
use crate::txn::Slots;

/// What [`verify`] has looked at and found.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("flags.rec");
/// let schema = Schema::packed([Field::new("flag", DataType::Bool)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[0, 1, 7])?; // 7 is no bool
/// store.close()?;
/// let report = flatrec::verify(&path, 100)?;
/// assert_eq!(report.records, 3);
/// assert_eq!(report.problems[0].record, Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Records looked at, without the deleted ones.
    pub records: u64,
    /// Deleted records, in a store with deletes.
    pub deleted: u64,
    /// How many commits are in the log and not in the array yet. What they say of a record is what
    /// was looked at, and the checksums of the blocks that they change mean nothing until then.
    pub commits_in_log: u64,
    /// Whether there are checksums by which damaged records would show.
    pub checksums: Checksums,
    /// How many records the log counts that lie in their places, with checksums in the log: those
    /// of the store follow with the next checkpoint.
    pub summed_in_log: u64,
    /// How many records, deleted ones included, no checksum covers: neither one of the store's nor
    /// one of the log's. Damage in them can go unseen.
    pub unsummed: u64,
    /// The first problems, in the order of the file, as many as were asked for.
    pub problems: Vec<Problem>,
    /// How many problems there are in all.
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

/// Checks the header, the schema, the length, every block of records that has a checksum, and every
/// value whose bytes can be wrong (bools and presence bytes other than 0 and 1, text that is not
/// UTF-8), and lists at most `problems_max` of the problems it finds. In a store with deletes it
/// also checks every record's status byte, the number of those that live, and that the free list
/// leads through all deleted records and no others. A file whose header or schema cannot be read is
/// a report of that one problem.
///
/// What commits have left in the log is looked at in place of the records that it changes.
/// Everything is read by calls, so that a bad sector is a problem and not a signal, and nothing is
/// written, not even a lock file.
///
/// # Errors
/// The system's, and [`Locked`](crate::ErrorKind::Locked) while an exclusive edit is under way.
pub fn verify(path: impl AsRef<Path>, problems_max: usize) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let store = match Damaged::open(path.as_ref(), Wait::No) {
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
    if store.slots.mark().is_some() {
        verifier.check_counts(store.live_count(), store.free_head(), store.count());
    }
    let deleted = verifier.deleted.len() as u64;
    report.deleted = deleted;
    report.records = store.count() - deleted;
    Ok(report)
}

/// Writes down what a scan finds.
struct Verifier<'r> {
    report: &'r mut VerifyReport,
    problems_max: usize,
    fields: Vec<Field>,
    slots: &'r Slots,
    live: u64,
    /// The deleted records, in order, and what each says is the next of the free list.
    deleted: Vec<(u64, Option<u64>)>,
    /// Whether there are records of which nobody knows whether they are deleted.
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
            // It was named with its block.
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
        Ok(()) // That the file is too short was the first problem.
    }
}

impl Verifier<'_> {
    fn add(&mut self, problem: Problem) {
        self.report.add(self.problems_max, problem);
    }

    /// That as many records live as the header counts, and that the free list leads from deleted
    /// record to deleted record, and ends after all of them: a list that ends meets none of its
    /// members twice.
    fn check_counts(&mut self, live_count: u64, free_head: Option<u64>, count: u64) {
        if self.unknown {
            return;
        }
        if self.live != live_count {
            self.add(Problem::of_file(format!(
                "the header counts {live_count} records that are not deleted, and there are {}",
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
                return Some("the free list goes round in a circle".to_owned());
            }
            members += 1;
            from = format!("the free list goes on from record {id}");
            next = self.deleted[at].1;
        }
        (members < self.deleted.len()).then(|| {
            format!("the free list has {members} of {} deleted records", self.deleted.len())
        })
    }
}
