//! Iterators over records in place.

use std::iter::FusedIterator;
use std::ops::Range;

use super::exclusive_file::ExclusiveFile;
use crate::error::Result;
use crate::format::Found;
use crate::txn::Row;

/// The records of a range, in place and in order. [`Store::iter`](crate::Store::iter) and
/// [`Store::range`](crate::Store::range) make it.
///
/// Its [`size_hint`](Iterator::size_hint) is exact in a store without deletes.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 2, 3, 4, 5])?;
/// let mut records = store.range(1..9);
/// assert_eq!(records.size_hint(), (4, Some(4)));
/// assert_eq!(records.next_back(), Some(&[5][..]));
/// assert_eq!(records.nth(1), Some(&[3][..]));
/// assert_eq!(records.collect::<Vec<_>>(), [&[4][..]]);
/// # Ok::<(), flatrec::Error>(())
/// ```
pub struct Records<'a, R: Row + ?Sized> {
    file: &'a ExclusiveFile<R>,
    /// The first records, which lie in the file one after another.
    in_file: R::Run<'a>,
    /// The records after them, read one by one.
    rest: Range<u64>,
}

/// [`Records`] of a [`DynStore`](crate::DynStore).
pub type DynRecords<'a> = Records<'a, [u8]>;

impl<'a, R: Row + ?Sized> Records<'a, R> {
    /// The existing records of `range`.
    pub(crate) fn new(file: &'a ExclusiveFile<R>, range: Range<u64>) -> Self {
        let range = clamp(range, file.array.count());
        let split = file.array.whole().count().clamp(range.start, range.end);
        match file.run(range.start..split) {
            Some(in_file) => Self { file, in_file, rest: split..range.end },
            None => Self { file, in_file: R::no_rows(), rest: range },
        }
    }
}

impl<'a, R: Row + ?Sized> Iterator for Records<'a, R> {
    type Item = &'a R;

    #[inline]
    fn next(&mut self) -> Option<&'a R> {
        match self.in_file.next() {
            Some(record) => Some(record),
            None => {
                let file = self.file;
                self.rest.find_map(|index| file.record(index))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = size_hint(self.file, &self.rest);
        let in_file = self.in_file.len();
        (in_file.saturating_add(least), most.map(|most| in_file.saturating_add(most)))
    }

    fn nth(&mut self, skipped: usize) -> Option<&'a R> {
        let in_file = self.in_file.len();
        if skipped < in_file {
            return self.in_file.nth(skipped);
        }
        self.in_file = R::no_rows();
        let (file, skipped) = (self.file, skipped - in_file);
        if file.slots.status_byte().is_none() {
            return file.record(self.rest.nth(skipped)?);
        }
        self.rest.by_ref().filter_map(|index| file.record(index)).nth(skipped)
    }

    fn fold<B, F: FnMut(B, &'a R) -> B>(self, start: B, mut add: F) -> B {
        let file = self.file;
        let so_far = self.in_file.fold(start, &mut add);
        self.rest.filter_map(|index| file.record(index)).fold(so_far, add)
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for Records<'_, R> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let file = self.file;
        match self.rest.by_ref().rev().find_map(|index| file.record(index)) {
            Some(record) => Some(record),
            None => self.in_file.next_back(),
        }
    }
}

impl<R: Row + ?Sized> FusedIterator for Records<'_, R> {}

impl<R: Row + ?Sized> Clone for Records<'_, R> {
    fn clone(&self) -> Self {
        Self { file: self.file, in_file: self.in_file.clone(), rest: self.rest.clone() }
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

/// The records of a range with their numbers, in place and in order.
/// [`Store::iter_with_ids`](crate::Store::iter_with_ids) and
/// [`Store::range_with_ids`](crate::Store::range_with_ids) make it.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Point { x: u32, y: u32 }
/// let mut store = Store::<Point>::create_options().deletes(true).temporary().unwrap();
/// store.append_slice(&[Point { x: 1, y: 2 }; 5]).unwrap();
/// for found in store.range_with_ids(3..9) {
///     let (id, point) = found.unwrap();
///     assert!(id < 5 && point.x == 1);
/// }
/// let (last, _) = store.iter_with_ids().next_back().unwrap().unwrap();
/// assert_eq!(last, 4);
/// # }
/// ```
pub struct RecordsWithIds<'a, R: Row + ?Sized> {
    file: &'a ExclusiveFile<R>,
    range: Range<u64>,
}

/// [`RecordsWithIds`] of a [`DynStore`](crate::DynStore).
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 0, 2, 0])?;
/// let found: Result<Vec<_>, _> = store.iter_with_ids().collect();
/// assert_eq!(found?, [(0, &[1, 0][..]), (1, &[2, 0])]);
/// # Ok::<(), flatrec::Error>(())
/// ```
pub type DynRecordsWithIds<'a> = RecordsWithIds<'a, [u8]>;

impl<'a, R: Row + ?Sized> RecordsWithIds<'a, R> {
    /// The existing records of `range`.
    pub(crate) fn new(file: &'a ExclusiveFile<R>, range: Range<u64>) -> Self {
        Self { file, range: clamp(range, file.array.count()) }
    }
}

impl<'a, R: Row + ?Sized> Iterator for RecordsWithIds<'a, R> {
    type Item = Result<(u64, &'a R)>;

    fn next(&mut self) -> Option<Self::Item> {
        let file = self.file;
        self.range.find_map(|id| with_id(file, id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.file, &self.range)
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for RecordsWithIds<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let file = self.file;
        self.range.by_ref().rev().find_map(|id| with_id(file, id))
    }
}

impl<R: Row + ?Sized> FusedIterator for RecordsWithIds<'_, R> {}

impl<R: Row + ?Sized> Clone for RecordsWithIds<'_, R> {
    fn clone(&self) -> Self {
        Self { file: self.file, range: self.range.clone() }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for RecordsWithIds<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordsWithIds").field("range", &self.range).finish_non_exhaustive()
    }
}

/// Record `id` with its number, unless it is deleted.
fn with_id<R: Row + ?Sized>(file: &ExclusiveFile<R>, id: u64) -> Option<Result<(u64, &R)>> {
    match file.found(id) {
        Ok(Found::Live) => file.record(id).map(|record| Ok((id, record))),
        Ok(Found::Deleted | Found::PastTheLast) => None,
        Err(error) => Some(Err(error)),
    }
}

/// The part of `range` that is below `count`.
pub(super) fn clamp(range: Range<u64>, count: u64) -> Range<u64> {
    let start = range.start.min(count);
    start..range.end.clamp(start, count)
}

/// The size hint of a range. All records are mapped, so their number fits into a `usize`. In a
/// store with deletes the least number is 0, because each record may be deleted.
fn size_hint<R: Row + ?Sized>(
    file: &ExclusiveFile<R>,
    range: &Range<u64>,
) -> (usize, Option<usize>) {
    let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let least = if file.slots.status_byte().is_some() { 0 } else { left };
    (least, Some(left))
}
