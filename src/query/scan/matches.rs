//! Records in place for which a condition is true.

use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::{Range, RangeBounds};

use super::verdicts::Verdicts;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::number::{ids_within, size_hint};
use crate::query::Filter;
use crate::query::batch::Run;
use crate::store::{LendsStrides, Strides};
use crate::txn::{Row, slots};

/// The records for which a condition is true, in place and in order, each with its number, or an
/// error for a record that is damaged. [`Store::filter`](crate::Store::filter) and
/// [`Snapshot::filter`](crate::Snapshot::filter) make it.
///
/// It evaluates the condition for some thousand records at a time. It skips deleted records, and
/// continues after an error.
///
/// # Errors
/// Each record may be an error: [`ErrorKind::Corrupt`] if its status byte is damaged, or a field
/// that the condition asks for. The only one is [`ErrorKind::InvalidArgument`] if the filter was
/// made for records of another size.
///
/// ```
/// use flatrec::query::Filter;
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 20, 3, 40])?;
/// let filter = Filter::parse("n > 10", &schema)?;
/// let found: Result<Vec<_>, _> = store.filter(&filter).collect();
/// assert_eq!(found?, [(1, &[20][..]), (3, &[40])]);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Matches<'a, R: Row + ?Sized> {
    source: &'a dyn LendsStrides,
    /// Why there is nothing to evaluate.
    refused: Option<Error>,
    verdicts: Option<Verdicts<'a>>,
    /// The records that were not taken: those of the batch, and those after it.
    ids: Range<u64>,
    /// The records after the batch; `None` before the first one.
    strides: Option<Strides<'a>>,
    /// The records of the batch, and the next one: its run, and its index there.
    runs: Vec<Run<'a>>,
    at: (usize, usize),
    marker: PhantomData<&'a R>,
}

impl<'a, R: Row + ?Sized> Matches<'a, R> {
    /// The records for which `filter` is true among all of `source`.
    pub(super) fn new(source: &'a dyn LendsStrides, filter: &'a Filter) -> Self {
        let (verdicts, refused) = match Verdicts::new(filter, source.layout()) {
            Ok(verdicts) => (Some(verdicts), None),
            Err(error) => (None, Some(source.name(error))),
        };
        let ids = 0..source.records();
        let (runs, at) = (Vec::new(), (0, 0));
        Self { source, refused, verdicts, ids, strides: None, runs, at, marker: PhantomData }
    }

    /// Only those of the records that were not taken yet whose numbers lie in a range.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// assert_eq!(store.filter(&filter).within(2..).count_records()?, 1);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn within(mut self, ids: impl RangeBounds<u64>) -> Self {
        let ids = ids_within(ids, self.source.records());
        let start = ids.start.clamp(self.ids.start, self.ids.end);
        self.restart(start..ids.end.clamp(start, self.ids.end));
        self
    }

    /// How many records are left for which the condition is true. It reads only the fields that the
    /// condition names.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// let mut matches = store.filter(&filter);
    /// assert_eq!(matches.next().transpose()?, Some((1, &[20][..])));
    /// assert_eq!(matches.count_records()?, 1);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of the iterator.
    pub fn count_records(mut self) -> Result<u64> {
        let mut count = 0;
        loop {
            count += self.verdicts.as_ref().map_or(0, Verdicts::count);
            match self.next_batch() {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(count),
            }
        }
    }

    /// Starts anew with these records.
    fn restart(&mut self, ids: Range<u64>) {
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.clear();
        }
        (self.ids, self.strides) = (ids, None);
    }

    /// Leaves the batch, and evaluates the next one; an error for a damaged record that ended the
    /// batch; `None` after the last.
    fn next_batch(&mut self) -> Option<Result<()>> {
        let Some(verdicts) = &mut self.verdicts else { return self.refused.take().map(Err) };
        self.ids.start += verdicts.skip_rest() as u64;
        let id = self.ids.start;
        if let Some(error) = verdicts.take_trouble(id) {
            self.restart(id + 1..self.ids.end);
            return Some(Err(self.source.name(error)));
        }
        if self.ids.is_empty() {
            return None;
        }
        let (source, ids) = (self.source, self.ids.clone());
        let stride = source.layout().stride;
        let strides = self.strides.get_or_insert_with(|| Strides::new(source, ids));
        self.runs.clear();
        let mut room = verdicts.records_max();
        while room > 0 {
            let Some(bytes) = strides.next_run(room as u64) else { break };
            let run = Run::new(bytes, stride);
            room = room.saturating_sub(run.records());
            self.runs.push(run);
        }
        self.at = (0, 0);
        verdicts.judge(&self.runs);
        if self.runs.is_empty() {
            self.ids.start = self.ids.end; // Handles lend all records that they count.
        }
        Some(Ok(()))
    }

    /// Record `skipped` places after the next one of the batch, of which there must be so many.
    fn pass(&mut self, skipped: usize) -> &'a [u8] {
        let (mut run, mut index) = (self.at.0, self.at.1 + skipped);
        while index >= self.runs[run].records() {
            index -= self.runs[run].records();
            run += 1;
        }
        self.at = (run, index + 1);
        self.runs[run].record(index, self.source.layout().stride)
    }
}

impl<'a, R: Row + ?Sized> Iterator for Matches<'a, R> {
    type Item = Result<(u64, &'a R)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(skipped) = self.verdicts.as_mut().and_then(Verdicts::next) {
                let id = self.ids.start + skipped as u64;
                let record = &self.pass(skipped)[..self.source.layout().record_size];
                self.ids.start = id + 1;
                let row = R::of_bytes(record).map(|row| (id, row));
                return Some(row.ok_or_else(|| self.source.name(slots::misfit(id))));
            }
            if let Err(error) = self.next_batch()? {
                return Some(Err(error));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.ids.end - self.ids.start + u64::from(self.refused.is_some()), true)
    }
}

impl<R: Row + ?Sized> FusedIterator for Matches<'_, R> {}

impl<R: Row + ?Sized> std::fmt::Debug for Matches<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matches").field("ids", &self.ids).finish_non_exhaustive()
    }
}
