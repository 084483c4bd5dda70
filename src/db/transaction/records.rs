//! Iterators over the records of a transaction.

use std::iter::{FusedIterator, from_fn};
use std::marker::PhantomData;
use std::ops::{Range, RangeBounds};

use crate::number::{ids_within, size_hint};
use crate::txn::{Changes, Row, Writer};

/// The records of a transaction, or of a range of it, in order, each with its number and with the
/// changes of the transaction.
/// [`WriteTransaction::iter`](super::WriteTransaction::iter) and
/// [`WriteTransaction::range`](super::WriteTransaction::range) make it.
///
/// It skips deleted records, and those with a damaged status byte. In a store without deletes,
/// [`size_hint`](Iterator::size_hint) is exact, and [`nth`](Iterator::nth) and `nth_back` do not
/// walk through the skipped records. In a store with deletes the least number of `size_hint` is 0.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct TransactionRecords<'t, R: Row + ?Sized> {
    changes: &'t Changes,
    writer: &'t Writer,
    /// The records that were not visited yet, all below the transaction's count.
    left: Range<u64>,
    marker: PhantomData<fn() -> Box<R>>,
}

impl<'t, R: Row + ?Sized> TransactionRecords<'t, R> {
    pub(super) fn new(
        changes: &'t Changes,
        writer: &'t Writer,
        ids: impl RangeBounds<u64>,
    ) -> Self {
        let left = ids_within(ids, changes.count());
        Self { changes, writer, left, marker: PhantomData }
    }
}

/// Record `id`, the next one in order, with its number, if it exists.
#[inline]
fn numbered<'t, R: Row + ?Sized>(
    changes: &'t Changes,
    writer: &'t Writer,
    id: u64,
) -> Option<(u64, &'t R)> {
    changes.approach(writer, id);
    Some((id, R::of_bytes(changes.get(writer, id)?)?))
}

impl<'t, R: Row + ?Sized> Iterator for TransactionRecords<'t, R> {
    type Item = (u64, &'t R);

    #[inline]
    fn next(&mut self) -> Option<(u64, &'t R)> {
        let (changes, writer) = (self.changes, self.writer);
        self.left.find_map(|id| numbered(changes, writer, id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.left.end - self.left.start, self.changes.has_deletes())
    }

    fn nth(&mut self, skipped: usize) -> Option<(u64, &'t R)> {
        if self.changes.has_deletes() {
            return from_fn(|| self.next()).nth(skipped);
        }
        numbered(self.changes, self.writer, self.left.nth(skipped)?)
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for TransactionRecords<'_, R> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let (changes, writer) = (self.changes, self.writer);
        self.left.by_ref().rev().find_map(|id| numbered(changes, writer, id))
    }

    fn nth_back(&mut self, skipped: usize) -> Option<Self::Item> {
        if self.changes.has_deletes() {
            return from_fn(|| self.next_back()).nth(skipped);
        }
        numbered(self.changes, self.writer, self.left.nth_back(skipped)?)
    }
}

impl<R: Row + ?Sized> FusedIterator for TransactionRecords<'_, R> {}

impl<R: Row + ?Sized> Clone for TransactionRecords<'_, R> {
    fn clone(&self) -> Self {
        Self { left: self.left.clone(), ..*self }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for TransactionRecords<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransactionRecords").field("left", &self.left).finish_non_exhaustive()
    }
}
