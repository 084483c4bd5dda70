//! Walking through records in place.

use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

use super::exclusive_file::ExclusiveFile;
use crate::error::Result;
use crate::format::{Found, Record};

/// The records of a range, in place and in order; made by [`Store::iter`](crate::Store::iter) and
/// [`Store::range`](crate::Store::range).
#[derive(Clone)]
pub struct Records<'a, R: Record> {
    file: &'a ExclusiveFile<R>,
    /// Those in the file, as far as they follow one another without gaps.
    in_file: slice::Iter<'a, R>,
    /// Those after them, one by one.
    rest: Range<u64>,
}

impl<'a, R: Record> Records<'a, R> {
    /// The records of `range` that exist.
    pub(crate) fn new(file: &'a ExclusiveFile<R>, range: Range<u64>) -> Self {
        let range = clamp(range, file.array.count());
        let whole = file.array.whole();
        let split = whole.count().clamp(range.start, range.end);
        match whole.slice(range.start..split) {
            Some(in_file) => Self { file, in_file: in_file.iter(), rest: split..range.end },
            None => Self { file, in_file: [].iter(), rest: range },
        }
    }
}

impl<'a, R: Record> Iterator for Records<'a, R> {
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
        match self.in_file.nth(skipped) {
            Some(record) => Some(record),
            None => {
                let file = self.file;
                nth(file, &mut self.rest, skipped - in_file, |index| file.record(index))
            }
        }
    }

    fn fold<B, F: FnMut(B, &'a R) -> B>(self, start: B, mut add: F) -> B {
        let file = self.file;
        let so_far = self.in_file.fold(start, &mut add);
        self.rest.filter_map(|index| file.record(index)).fold(so_far, add)
    }
}

impl<R: Record> std::fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("in_file", &self.in_file.len())
            .field("rest", &self.rest)
            .finish_non_exhaustive()
    }
}

impl<R: Record> DoubleEndedIterator for Records<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let file = self.file;
        match self.rest.by_ref().rev().find_map(|index| file.record(index)) {
            Some(record) => Some(record),
            None => self.in_file.next_back(),
        }
    }
}

impl<R: Record> FusedIterator for Records<'_, R> {}

/// The bytes of the records of a range, in place and in order; made by
/// [`DynStore::iter`](crate::DynStore::iter) and [`DynStore::range`](crate::DynStore::range).
#[derive(Clone, Debug)]
pub struct DynRecords<'a> {
    file: &'a ExclusiveFile<u8>,
    range: Range<u64>,
    record_len: usize,
}

impl<'a> DynRecords<'a> {
    /// The records of `range` that exist.
    pub(crate) fn new(file: &'a ExclusiveFile<u8>, range: Range<u64>, record_len: usize) -> Self {
        Self { file, range: clamp(range, file.array.count()), record_len }
    }
}

impl<'a> Iterator for DynRecords<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let Self { file, record_len, .. } = *self;
        self.range.find_map(|index| file.record_bytes(index, record_len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.file, &self.range)
    }

    fn nth(&mut self, skipped: usize) -> Option<&'a [u8]> {
        let Self { file, record_len, .. } = *self;
        nth(file, &mut self.range, skipped, |index| file.record_bytes(index, record_len))
    }
}

impl DoubleEndedIterator for DynRecords<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let Self { file, record_len, .. } = *self;
        self.range.by_ref().rev().find_map(|index| file.record_bytes(index, record_len))
    }
}

impl FusedIterator for DynRecords<'_> {}

/// The records of a range with their numbers, in place and in order; made by
/// [`Store::iter_with_ids`](crate::Store::iter_with_ids) and
/// [`Store::range_with_ids`](crate::Store::range_with_ids).
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Point { x: u32, y: u32 }
/// let mut store = Store::<Point>::options().deletes().temporary().unwrap();
/// store.append_slice(&[Point { x: 1, y: 2 }; 5]).unwrap();
/// for found in store.range_with_ids(3..9) {
///     let (id, point) = found.unwrap();
///     assert!(id < 5 && point.x == 1);
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct RecordsWithIds<'a, R: Record> {
    file: &'a ExclusiveFile<R>,
    range: Range<u64>,
}

impl<'a, R: Record> RecordsWithIds<'a, R> {
    /// The records of `range` that exist.
    pub(crate) fn new(file: &'a ExclusiveFile<R>, range: Range<u64>) -> Self {
        Self { file, range: clamp(range, file.array.count()) }
    }
}

impl<'a, R: Record> Iterator for RecordsWithIds<'a, R> {
    type Item = Result<(u64, &'a R)>;

    fn next(&mut self) -> Option<Self::Item> {
        let file = self.file;
        self.range.find_map(|id| with_id(file, id, |id| file.record(id)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.file, &self.range)
    }
}

impl<R: Record> FusedIterator for RecordsWithIds<'_, R> {}

impl<R: Record> std::fmt::Debug for RecordsWithIds<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordsWithIds").field("range", &self.range).finish_non_exhaustive()
    }
}

/// The bytes of the records of a range with their numbers, in place and in order; made by
/// [`DynStore::iter_with_ids`](crate::DynStore::iter_with_ids) and
/// [`DynStore::range_with_ids`](crate::DynStore::range_with_ids).
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
#[derive(Clone, Debug)]
pub struct DynRecordsWithIds<'a> {
    file: &'a ExclusiveFile<u8>,
    range: Range<u64>,
    record_len: usize,
}

impl<'a> DynRecordsWithIds<'a> {
    /// The records of `range` that exist.
    pub(crate) fn new(file: &'a ExclusiveFile<u8>, range: Range<u64>, record_len: usize) -> Self {
        Self { file, range: clamp(range, file.array.count()), record_len }
    }
}

impl<'a> Iterator for DynRecordsWithIds<'a> {
    type Item = Result<(u64, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { file, record_len, .. } = *self;
        self.range.find_map(|id| with_id(file, id, |id| file.record_bytes(id, record_len)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.file, &self.range)
    }
}

impl FusedIterator for DynRecordsWithIds<'_> {}

/// Record `id`, if it is not deleted.
fn with_id<T: Copy + Send + Sync, V>(
    file: &ExclusiveFile<T>,
    id: u64,
    get: impl FnOnce(u64) -> Option<V>,
) -> Option<Result<(u64, V)>> {
    match file.found(id) {
        Ok(Found::Live) => get(id).map(|record| Ok((id, record))),
        Ok(Found::Deleted | Found::PastTheLast) => None,
        Err(error) => Some(Err(error)),
    }
}

/// The record after `skipped` others that are there; by arithmetic where every record is.
fn nth<T: Copy + Send + Sync, V>(
    file: &ExclusiveFile<T>,
    range: &mut Range<u64>,
    skipped: usize,
    get: impl Fn(u64) -> Option<V>,
) -> Option<V> {
    if file.slots.mark().is_none() {
        return get(range.nth(skipped)?);
    }
    range.filter_map(get).nth(skipped)
}

fn clamp(range: Range<u64>, count: u64) -> Range<u64> {
    let start = range.start.min(count);
    start..range.end.clamp(start, count)
}

/// Records that are mapped at once are never more than the address space holds. Where any of them
/// may be deleted, none is sure to be there.
fn size_hint<T: Copy + Send + Sync>(
    file: &ExclusiveFile<T>,
    range: &Range<u64>,
) -> (usize, Option<usize>) {
    let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let least = if file.slots.mark().is_some() { 0 } else { left };
    (least, Some(left))
}
