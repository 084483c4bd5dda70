//! Iterators over records in place.

use std::iter::FusedIterator;
use std::ops::Range;

use super::exclusive_file::ExclusiveFile;
use crate::error::Result;
use crate::format::Found;
use crate::number::size_hint;
use crate::txn::{Row, slots};

/// The records of a store, or of a range of it, in place and in order, each with its number.
/// [`Store::iter`](crate::Store::iter) and [`Store::range`](crate::Store::range) make it.
///
/// It skips deleted records, and those with a damaged status byte, which [`TryRecords`] reports. In
/// a store without deletes, [`size_hint`](Iterator::size_hint) is exact, and
/// [`nth`](Iterator::nth) does not walk through the skipped records. In a store with deletes the
/// least number of `size_hint` is 0.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 2, 3, 4, 5])?;
/// let mut records = store.range(1..);
/// assert_eq!(records.size_hint(), (4, Some(4)));
/// assert_eq!(records.next_back(), Some((4, &[5][..])));
/// assert_eq!(records.nth(1), Some((2, &[3][..])));
/// assert_eq!(records.collect::<Vec<_>>(), [(3, &[4][..])]);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Records<'a, R: Row + ?Sized> {
    file: &'a ExclusiveFile<R>,
    /// The first records, which lie in the file one after another, and the number of the first.
    in_file: R::Run<'a>,
    in_file_start: u64,
    /// The records after them, read one by one.
    rest: Range<u64>,
}

impl<'a, R: Row + ?Sized> Records<'a, R> {
    /// The records `ids`, which exist.
    pub(crate) fn new(file: &'a ExclusiveFile<R>, ids: Range<u64>) -> Self {
        let split = file.array.whole().count().clamp(ids.start, ids.end);
        match file.run(ids.start..split) {
            Some(in_file) => Self { file, in_file, in_file_start: ids.start, rest: split..ids.end },
            None => Self { file, in_file: R::no_rows(), in_file_start: 0, rest: ids },
        }
    }
}

/// Record `id`, the next one in order, with its number.
#[inline]
fn numbered<R: Row + ?Sized>(file: &ExclusiveFile<R>, id: u64) -> Option<(u64, &R)> {
    file.array.whole().approach(id);
    Some((id, file.record(id)?))
}

impl<'a, R: Row + ?Sized> Iterator for Records<'a, R> {
    type Item = (u64, &'a R);

    #[inline]
    fn next(&mut self) -> Option<(u64, &'a R)> {
        match self.in_file.next() {
            Some(record) => {
                let id = self.in_file_start;
                self.in_file_start += 1;
                Some((id, record))
            }
            None => {
                let file = self.file;
                self.rest.find_map(|id| numbered(file, id))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) =
            size_hint(self.rest.end - self.rest.start, self.file.slots.layout().deletes);
        let in_file = self.in_file.len();
        (in_file.saturating_add(least), most.map(|most| in_file.saturating_add(most)))
    }

    fn nth(&mut self, skipped: usize) -> Option<(u64, &'a R)> {
        let in_file = self.in_file.len();
        if skipped < in_file {
            let id = self.in_file_start + skipped as u64;
            self.in_file_start = id + 1;
            return Some((id, self.in_file.nth(skipped)?));
        }
        self.in_file = R::no_rows();
        let (file, skipped) = (self.file, skipped - in_file);
        if file.slots.status_byte().is_none() {
            return numbered(file, self.rest.nth(skipped)?);
        }
        self.rest.by_ref().filter_map(|id| numbered(file, id)).nth(skipped)
    }

    fn fold<B, F: FnMut(B, (u64, &'a R)) -> B>(self, start: B, mut add: F) -> B {
        let file = self.file;
        let so_far = (self.in_file_start..).zip(self.in_file).fold(start, &mut add);
        self.rest.filter_map(|id| numbered(file, id)).fold(so_far, add)
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for Records<'_, R> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let file = self.file;
        match self.rest.by_ref().rev().find_map(|id| numbered(file, id)) {
            Some(found) => Some(found),
            None => {
                let record = self.in_file.next_back()?;
                Some((self.in_file_start + self.in_file.len() as u64, record))
            }
        }
    }
}

impl<R: Row + ?Sized> FusedIterator for Records<'_, R> {}

impl<R: Row + ?Sized> Clone for Records<'_, R> {
    fn clone(&self) -> Self {
        Self { in_file: self.in_file.clone(), rest: self.rest.clone(), ..*self }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("in_file", &self.in_file.len())
            .field("rest", &self.rest)
            .finish_non_exhaustive()
    }
}

/// A handle that lends records in place.
pub(crate) trait Lends<R: ?Sized>: Sync {
    /// Record `id`, the next one in order, in place; `None` past the last record and for a deleted
    /// one.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if its status byte is damaged.
    fn lend(&self, id: u64) -> Result<Option<&R>>;

    /// Whether records can be deleted.
    fn has_deletes(&self) -> bool;
}

impl<R: Row + ?Sized> Lends<R> for ExclusiveFile<R> {
    #[inline]
    fn lend(&self, id: u64) -> Result<Option<&R>> {
        self.array.whole().approach(id);
        match self.record(id) {
            None if self.found(id)? == Found::Live => Err(self.superblock.name(slots::misfit(id))),
            record => Ok(record),
        }
    }

    fn has_deletes(&self) -> bool {
        self.slots.layout().deletes
    }
}

/// The records of a store, a snapshot or a transaction, or of a range of one, in place and in
/// order, each with its number, or an error for a record that is damaged. `try_iter` and
/// `try_range` of [`Store`](crate::Store), [`Snapshot`](crate::Snapshot) and
/// [`WriteTransaction`](crate::WriteTransaction) make it.
///
/// It skips deleted records, and continues after an error. Only stores with deletes have such
/// errors, because only their records have a status byte. Use it where a missing record would be
/// wrong; `iter` and `range` skip damaged records.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 0, 2, 0])?;
/// let found: Result<Vec<_>, _> = store.try_iter().collect();
/// assert_eq!(found?, [(0, &[1, 0][..]), (1, &[2, 0])]);
/// assert_eq!(store.try_range(..1).next_back().transpose()?, Some((0, &[1, 0][..])));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct TryRecords<'a, R: Row + ?Sized> {
    source: &'a dyn Lends<R>,
    ids: Range<u64>,
}

impl<'a, R: Row + ?Sized> TryRecords<'a, R> {
    /// The records `ids`, which exist.
    pub(crate) fn new(source: &'a dyn Lends<R>, ids: Range<u64>) -> Self {
        Self { source, ids }
    }
}

/// Record `id` with its number; an error if it is damaged.
fn lent<R: Row + ?Sized>(source: &dyn Lends<R>, id: u64) -> Option<Result<(u64, &R)>> {
    let found = source.lend(id).transpose()?;
    Some(found.map(|record| (id, record)))
}

impl<'a, R: Row + ?Sized> Iterator for TryRecords<'a, R> {
    type Item = Result<(u64, &'a R)>;

    fn next(&mut self) -> Option<Self::Item> {
        let source = self.source;
        self.ids.find_map(|id| lent(source, id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.ids.end - self.ids.start, self.source.has_deletes())
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for TryRecords<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let source = self.source;
        self.ids.by_ref().rev().find_map(|id| lent(source, id))
    }
}

impl<R: Row + ?Sized> FusedIterator for TryRecords<'_, R> {}

impl<R: Row + ?Sized> Clone for TryRecords<'_, R> {
    fn clone(&self) -> Self {
        Self { ids: self.ids.clone(), ..*self }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for TryRecords<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryRecords").field("ids", &self.ids).finish_non_exhaustive()
    }
}
