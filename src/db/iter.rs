//! Walking through records in place.

use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

use super::table::Table;
use crate::format::Record;

/// The records of a range, in place and in order; made by [`Store::iter`](crate::Store::iter) and
/// [`Store::range`](crate::Store::range).
#[derive(Clone)]
pub struct Records<'a, R: Record> {
    table: &'a Table<R>,
    /// Those in the file, as far as they follow one another without gaps.
    in_file: slice::Iter<'a, R>,
    /// Those after them, one by one.
    rest: Range<u64>,
}

impl<'a, R: Record> Records<'a, R> {
    /// The records of `range` that exist.
    pub(super) fn new(table: &'a Table<R>, range: Range<u64>) -> Self {
        let range = clamp(range, table.array.count());
        let whole = table.array.whole();
        let split = whole.count().clamp(range.start, range.end);
        match whole.slice(range.start..split) {
            Some(in_file) => Self { table, in_file: in_file.iter(), rest: split..range.end },
            None => Self { table, in_file: [].iter(), rest: range },
        }
    }
}

impl<'a, R: Record> Iterator for Records<'a, R> {
    type Item = &'a R;

    #[inline]
    fn next(&mut self) -> Option<&'a R> {
        match self.in_file.next() {
            Some(record) => Some(record),
            None => self.table.record(self.rest.next()?),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (rest, _) = size_hint(&self.rest);
        let left = self.in_file.len().saturating_add(rest);
        (left, Some(left))
    }

    fn nth(&mut self, skipped: usize) -> Option<&'a R> {
        let in_file = self.in_file.len();
        match self.in_file.nth(skipped) {
            Some(record) => Some(record),
            None => self.table.record(self.rest.nth(skipped - in_file)?),
        }
    }

    fn fold<B, F: FnMut(B, &'a R) -> B>(self, start: B, mut add: F) -> B {
        let table = self.table;
        let so_far = self.in_file.fold(start, &mut add);
        self.rest.map_while(|index| table.record(index)).fold(so_far, add)
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
        match self.rest.next_back() {
            Some(index) => self.table.record(index),
            None => self.in_file.next_back(),
        }
    }
}

impl<R: Record> ExactSizeIterator for Records<'_, R> {}
impl<R: Record> FusedIterator for Records<'_, R> {}

/// The bytes of the records of a range, in place and in order; made by
/// [`DynStore::iter`](crate::DynStore::iter) and [`DynStore::range`](crate::DynStore::range).
#[derive(Clone, Debug)]
pub struct DynRecords<'a> {
    table: &'a Table<u8>,
    range: Range<u64>,
    record_len: usize,
}

impl<'a> DynRecords<'a> {
    /// The records of `range` that exist.
    pub(super) fn new(table: &'a Table<u8>, range: Range<u64>, record_len: usize) -> Self {
        Self { table, range: clamp(range, table.array.count()), record_len }
    }
}

impl<'a> Iterator for DynRecords<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let index = self.range.next()?;
        self.table.record_bytes(index, self.record_len)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(&self.range)
    }

    fn nth(&mut self, skipped: usize) -> Option<&'a [u8]> {
        let index = self.range.nth(skipped)?;
        self.table.record_bytes(index, self.record_len)
    }
}

impl DoubleEndedIterator for DynRecords<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let index = self.range.next_back()?;
        self.table.record_bytes(index, self.record_len)
    }
}

impl ExactSizeIterator for DynRecords<'_> {}
impl FusedIterator for DynRecords<'_> {}

fn clamp(range: Range<u64>, count: u64) -> Range<u64> {
    let start = range.start.min(count);
    start..range.end.clamp(start, count)
}

/// Records that are mapped at once are never more than the address space holds.
fn size_hint(range: &Range<u64>) -> (usize, Option<usize>) {
    let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    (left, Some(left))
}
