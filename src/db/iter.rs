//! Walking through records in place.

use std::iter::FusedIterator;
use std::ops::Range;

use super::table::Table;
use crate::format::Record;

/// The records of a range, in place and in order; made by [`Store::iter`](crate::Store::iter) and
/// [`Store::range`](crate::Store::range).
#[derive(Clone)]
pub struct Records<'a, R: Record> {
    table: &'a Table<R>,
    range: Range<u64>,
}

impl<'a, R: Record> Records<'a, R> {
    /// The records of `range` that exist.
    pub(super) fn new(table: &'a Table<R>, range: Range<u64>) -> Self {
        Self { table, range: clamp(range, table.array.count()) }
    }
}

impl<'a, R: Record> Iterator for Records<'a, R> {
    type Item = &'a R;

    #[inline]
    fn next(&mut self) -> Option<&'a R> {
        let index = self.range.next()?;
        self.table.record(index)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(&self.range)
    }

    fn nth(&mut self, skipped: usize) -> Option<&'a R> {
        let index = self.range.nth(skipped)?;
        self.table.record(index)
    }
}

impl<R: Record> std::fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Records").field(&self.range).finish()
    }
}

impl<R: Record> DoubleEndedIterator for Records<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let index = self.range.next_back()?;
        self.table.record(index)
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
