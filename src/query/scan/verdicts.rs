//! For which records of a batch a condition is true.

use memchr::memchr;

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::format::{Found, RecordLayout};
use crate::query::Filter;
use crate::query::batch::{self, MATCH, Rows, Run};
use crate::txn::slots;

/// How many records a batch has at most.
const RECORDS_MAX: usize = 2048;
/// How many bytes of records a batch has at most, unless it is one record: loops over several
/// fields find them in a second-level cache.
const BYTES_MAX: usize = 256 << 10;

/// The results of a batch, to be taken in order.
pub(in crate::query) struct Verdicts<'f> {
    filter: &'f Filter,
    layout: RecordLayout,
    /// Of each record up to the first damaged one.
    lanes: Vec<u8>,
    scratch: Vec<u8>,
    /// The next lane.
    at: usize,
    /// What is wrong with the record after the lanes.
    trouble: Option<Trouble>,
}

/// Why a condition has no value for a record.
enum Trouble {
    Status(u8),
    Field(Error),
}

impl<'f> Verdicts<'f> {
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the filter is for records of another size.
    pub(in crate::query) fn new(filter: &'f Filter, layout: &RecordLayout) -> Result<Self> {
        if filter.record_size != layout.record_size {
            return Err(filter.wrong_length(layout.record_size));
        }
        let (lanes, scratch) = (Vec::new(), Vec::new());
        Ok(Self { filter, layout: *layout, lanes, scratch, at: 0, trouble: None })
    }

    /// None yet, of the same condition for other records.
    #[cfg(feature = "exchange")]
    pub(super) fn for_others(&self) -> Self {
        let (lanes, scratch) = (Vec::new(), Vec::new());
        let Self { filter, layout, .. } = *self;
        Self { filter, layout, lanes, scratch, at: 0, trouble: None }
    }

    pub(super) fn filter(&self) -> &'f Filter {
        self.filter
    }

    /// How many records a batch may have.
    pub(in crate::query) fn records_max(&self) -> usize {
        (BYTES_MAX / self.layout.stride).clamp(1, RECORDS_MAX)
    }

    /// Evaluates the condition for the records of these runs, up to the first damaged one.
    pub(in crate::query) fn judge(&mut self, runs: &[Run<'_>]) {
        let records = runs.iter().map(Run::records).sum();
        let term = &self.filter.term;
        self.lanes.resize(records, 0);
        self.scratch.resize((term.scratch_lanes() + 1) * records, 0);
        (self.at, self.trouble) = (0, None);
        let rows = Rows::new(runs, self.layout.stride);
        let (lanes, scratch) = (&mut self.lanes, &mut self.scratch);
        let sound = match self.layout.status_byte() {
            None => term.eval(rows, lanes, scratch).ok(),
            Some(status) => batch::of_live(term, status, rows, lanes, scratch),
        };
        if sound.is_none() {
            self.judge_one_by_one(rows);
        }
    }

    /// As [`Verdicts::judge`], for records with damage among them that may not matter.
    #[cold]
    fn judge_one_by_one(&mut self, rows: Rows<'_, '_>) {
        for (lane, record) in rows.records().enumerate() {
            let found = match self.layout.found(record) {
                Ok(Found::Live) => self.filter.is_true_of(record).map_err(Trouble::Field),
                Ok(_) => Ok(false),
                Err(status) => Err(Trouble::Status(status)),
            };
            match found {
                Ok(is_true) => self.lanes[lane] = if is_true { MATCH } else { 0 },
                Err(trouble) => {
                    self.trouble = Some(trouble);
                    self.lanes.truncate(lane);
                    return;
                }
            }
        }
    }

    /// Moves past the next record for which the condition is true, and returns how many come before
    /// it; `None` if no such record comes before the end or the damaged record.
    #[inline]
    pub(in crate::query) fn next(&mut self) -> Option<usize> {
        let before = memchr(MATCH, &self.lanes[self.at..])?;
        self.at += before + 1;
        Some(before)
    }

    /// Moves past the other records before the end or the damaged record, and returns how many.
    pub(in crate::query) fn skip_rest(&mut self) -> usize {
        let left = self.lanes.len() - self.at;
        self.at = self.lanes.len();
        left
    }

    /// For how many of the records the condition is true.
    pub(in crate::query) fn count(&self) -> u64 {
        batch::count(&self.lanes[self.at..], MATCH) as u64
    }

    /// Moves past the damaged record after the others, which has number `id`. Returns its error.
    pub(in crate::query) fn take_trouble(&mut self, id: u64) -> Option<Error> {
        Some(match self.trouble.take()? {
            Trouble::Status(status) => slots::damaged(id, status),
            Trouble::Field(error) => error.record(id),
        })
    }

    /// Forgets the batch.
    pub(in crate::query) fn clear(&mut self) {
        self.lanes.clear();
        (self.at, self.trouble) = (0, None);
    }
}
