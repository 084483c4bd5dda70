//! Copies of the records for which a condition is true.

use std::iter::FusedIterator;
#[cfg(feature = "exchange")]
use std::ops::Range;

use super::parts;
use super::verdicts::Verdicts;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
#[cfg(feature = "exchange")]
use crate::format::RecordLayout;
use crate::query::Filter;
use crate::query::batch::Run;
use crate::store::Copies;
use crate::txn::Row;

/// How many bytes of records are copied at a time. The loops over their fields find them in the
/// first-level cache, where the copy has left them.
const CHUNK_BYTES: usize = 12 << 10;

impl<'a, R: Row + ?Sized> Copies<'a, R> {
    /// Only the copies for which `filter` is true. It skips deleted records, as these do.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// let mut matching = store.copies(..).matching(&filter);
    /// assert_eq!(matching.next_record()?, Some((1, &[20][..])));
    /// assert_eq!(matching.next_record()?, Some((3, &[40][..])));
    /// assert_eq!(matching.next_record()?, None);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn matching(self, filter: &'a Filter) -> MatchingCopies<'a, R> {
        MatchingCopies::new(self, filter)
    }
}

/// Copies of the records for which a condition is true, with their numbers, in order.
/// [`Copies::matching`] makes it.
///
/// It copies a chunk of records as [`Copies`] does, and evaluates the condition on the copies. With
/// [`install_fault_guard`](crate::install_fault_guard) an unreadable page is an error. Each error
/// is of one record, and the next call continues after it.
///
/// ```
/// use flatrec::query::Filter;
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 20, 3, 40])?;
/// let filter = Filter::parse("n > 10", &schema)?;
/// let found: Vec<(u64, Vec<u8>)> =
///     store.copies(..).matching(&filter).collect::<Result<_, _>>()?;
/// assert_eq!(found, [(1, vec![20]), (3, vec![40])]);
/// assert_eq!(store.copies(2..).matching(&filter).count_records()?, 1);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct MatchingCopies<'a, R: Row + ?Sized = [u8]> {
    copies: Copies<'a, R>,
    refused: Option<Error>,
    verdicts: Option<Verdicts<'a>>,
}

impl<'a, R: Row + ?Sized> MatchingCopies<'a, R> {
    fn new(copies: Copies<'a, R>, filter: &'a Filter) -> Self {
        let copies = copies.in_chunks(CHUNK_BYTES);
        match Verdicts::new(filter, copies.layout()) {
            Ok(verdicts) => Self { copies, refused: None, verdicts: Some(verdicts) },
            Err(error) => {
                let refused = Some(copies.name(error));
                Self { copies, refused, verdicts: None }
            }
        }
    }

    /// The next record and its number; `None` after the last.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// let mut matching = store.copies(..).matching(&filter);
    /// while let Some((id, record)) = matching.next_record()? {
    ///     assert_eq!((id, record), (1, &[20][..]));
    /// }
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Copies::next_record`]; [`ErrorKind::Corrupt`] if a field that the condition asks for is
    /// damaged. The next call continues with the record after it. [`ErrorKind::InvalidArgument`] if
    /// the filter was made for records of another size; then there are no records.
    pub fn next_record(&mut self) -> Result<Option<(u64, &R)>> {
        loop {
            if let Some(skipped) = self.verdicts.as_mut().and_then(Verdicts::next) {
                self.copies.skip_records(skipped);
                return self.copies.next_record();
            }
            if !self.next_batch()? {
                return Ok(None);
            }
        }
    }

    /// How many records are left for which the condition is true.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3])?;
    /// let filter = Filter::parse("n < 10", &schema)?;
    /// assert_eq!(store.copies(..).matching(&filter).count_records()?, 2);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`MatchingCopies::next_record`].
    pub fn count_records(mut self) -> Result<u64> {
        let mut count = 0;
        loop {
            count += self.verdicts.as_ref().map_or(0, Verdicts::count);
            if !self.next_batch()? {
                return Ok(count);
            }
        }
    }

    /// As [`MatchingCopies::count_records`], by up to `threads` threads, this one among them. Each
    /// counts some MiB of records at a time.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3])?;
    /// let filter = Filter::parse("n < 10", &schema)?;
    /// assert_eq!(store.copies(..).matching(&filter).par_count_records(2)?, 2);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`MatchingCopies::next_record`].
    pub fn par_count_records(mut self, threads: usize) -> Result<u64> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        let Some(verdicts) = &self.verdicts else { return Ok(0) };
        let (copies, filter) = (&self.copies, verdicts.filter());
        parts::count(copies.ids(), copies.layout().stride, threads, |ids| {
            copies.part(ids).matching(filter).count_records()
        })
    }

    /// Why there is nothing to evaluate.
    #[cfg(feature = "exchange")]
    pub(crate) fn take_refusal(&mut self) -> Option<Error> {
        self.refused.take()
    }

    /// The numbers of the records that were not passed yet.
    #[cfg(feature = "exchange")]
    pub(crate) fn ids(&self) -> Range<u64> {
        self.copies.ids()
    }

    /// The layout of the records.
    #[cfg(feature = "exchange")]
    pub(crate) fn layout(&self) -> &RecordLayout {
        self.copies.layout()
    }

    /// Those of these records for which the condition is true.
    #[cfg(feature = "exchange")]
    pub(crate) fn part(&self, ids: Range<u64>) -> Self {
        let verdicts = self.verdicts.as_ref().map(Verdicts::for_others);
        Self { copies: self.copies.part(ids), refused: None, verdicts }
    }

    /// Goes on with these records of the same handle, in the same buffers.
    #[cfg(feature = "exchange")]
    pub(crate) fn move_to(&mut self, ids: Range<u64>) {
        self.copies.move_to(ids);
        self.verdicts.iter_mut().for_each(Verdicts::clear);
    }

    /// Leaves the batch, and evaluates the next one; returns false after the last.
    fn next_batch(&mut self) -> Result<bool> {
        let Some(verdicts) = &mut self.verdicts else {
            return self.refused.take().map_or(Ok(false), Err);
        };
        self.copies.skip_records(verdicts.skip_rest());
        if let Some(error) = verdicts.take_trouble(self.copies.next_id()) {
            self.copies.skip_records(1);
            verdicts.clear();
            return Err(self.copies.name(error));
        }
        verdicts.clear();
        let stride = self.copies.layout().stride;
        let Some(bytes) = self.copies.ahead()? else { return Ok(false) };
        let bytes = &bytes[..bytes.len().min(verdicts.records_max() * stride)];
        verdicts.judge(&[Run::new(bytes, stride)]);
        Ok(true)
    }
}

impl<R: Row + ?Sized> Iterator for MatchingCopies<'_, R> {
    type Item = Result<(u64, R::Owned)>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.next_record();
        found.map(|found| found.map(|(id, record)| (id, record.to_owned()))).transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.copies.size_hint().1;
        (0, most.and_then(|most| most.checked_add(usize::from(self.refused.is_some()))))
    }
}

impl<R: Row + ?Sized> FusedIterator for MatchingCopies<'_, R> {}

impl<R: Row + ?Sized> std::fmt::Debug for MatchingCopies<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MatchingCopies").field("copies", &self.copies).finish_non_exhaustive()
    }
}
