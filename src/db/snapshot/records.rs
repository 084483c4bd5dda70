//! Iterators over the records of a snapshot.
//!
//! A walk goes from run to run. A run has consecutive records of the array without images, and the
//! walk passes through it as through a slice. Between runs come images, each once. In a store with
//! deletes, or with gaps between records, the walk reads records one by one.

use std::iter::{FusedIterator, from_fn};
use std::ops::Range;

use super::Snapshot;
use crate::number::size_hint;
use crate::overlay::ImagesWithin;
use crate::txn::Row;

/// The records of a snapshot, or of a range of it, in place and in order, each with its number.
/// [`Snapshot::iter`], [`Snapshot::range`] and [`Chunk::iter`](super::Chunk::iter) make it.
///
/// It skips deleted records, and those with a damaged status byte, which
/// [`TryRecords`](crate::TryRecords) reports. In a store without deletes,
/// [`size_hint`](Iterator::size_hint) is exact, and [`nth`](Iterator::nth) and `nth_back` do not
/// walk through the skipped records. In a store with deletes the least number of `size_hint` is 0.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Database, Durability, Record};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Counter { n: u64 }
/// let directory = tempfile::tempdir().unwrap();
/// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
/// let mut transaction = database.begin_write().unwrap();
/// for n in 0..1000 {
///     transaction.append(&Counter { n: n * n }).unwrap();
/// }
/// transaction.commit(Durability::Immediate).unwrap();
///
/// let snapshot = database.begin_read().unwrap();
/// let mut records = snapshot.range(900..2000);
/// assert_eq!(records.size_hint(), (100, Some(100)));
/// assert_eq!(records.nth(5).map(|(id, counter)| (id, counter.n)), Some((905, 905 * 905)));
/// assert_eq!(records.next_back().map(|(id, _)| id), Some(999));
/// # }
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct SnapshotRecords<'a, R: Row + ?Sized> {
    snapshot: &'a Snapshot<R>,
    /// Records before `rest`, and the number of the first of them.
    front: R::Run<'a>,
    front_start: u64,
    /// Records between front and back, not visited yet.
    rest: Range<u64>,
    /// Records after `rest`, and the number of the first of them.
    back: R::Run<'a>,
    back_start: u64,
    /// The images over `rest`, if there are any.
    images: Option<Box<ImagesWithin<'a>>>,
}

impl<'a, R: Row + ?Sized> SnapshotRecords<'a, R> {
    /// The records `ids`, which are below the snapshot's count.
    pub(super) fn new(snapshot: &'a Snapshot<R>, ids: Range<u64>) -> Self {
        let overlay = &snapshot.state.overlay;
        let images = (!overlay.is_empty()).then(|| Box::new(overlay.within(ids.clone())));
        let (front, back) = (R::no_rows(), R::no_rows());
        Self { snapshot, front, front_start: 0, rest: ids, back, back_start: 0, images }
    }

    /// The greatest number of records that may still come.
    fn left(&self) -> u64 {
        let runs = self.front.len().saturating_add(self.back.len());
        (self.rest.end - self.rest.start).saturating_add(runs as u64)
    }

    /// The next record of the run at the front.
    #[inline]
    fn in_front(&mut self) -> Option<(u64, &'a R)> {
        let row = self.front.next()?;
        let id = self.front_start;
        self.front_start += 1;
        Some((id, row))
    }

    /// The last record of the run at the back.
    #[inline]
    fn in_back(&mut self) -> Option<(u64, &'a R)> {
        let row = self.back.next_back()?;
        Some((self.back_start + self.back.len() as u64, row))
    }

    /// The next record after the run at the front, which must be empty.
    fn after_front(&mut self) -> Option<(u64, &'a R)> {
        while !self.rest.is_empty() {
            let start = self.rest.start;
            let image = self.images.as_mut().and_then(|images| images.first());
            if image == Some(start) {
                self.rest.start += 1;
                let image = self.images.as_mut().and_then(|images| images.take_first());
                match image.and_then(|image| self.snapshot.row_of(image)) {
                    Some(row) => return Some((start, row)),
                    None => continue,
                }
            }
            let end = image.unwrap_or(self.rest.end);
            if let Some(run) = self.snapshot.run(start..end) {
                (self.front, self.front_start) = (run, start);
                self.rest.start = end;
                return self.in_front();
            }
            self.rest.start += 1;
            self.snapshot.array.approach(start);
            if let Some(row) = self.snapshot.beneath(start) {
                return Some((start, row));
            }
        }
        std::mem::swap(&mut self.front, &mut self.back);
        std::mem::swap(&mut self.front_start, &mut self.back_start);
        self.in_front()
    }

    /// The last record before the run at the back, which must be empty.
    fn before_back(&mut self) -> Option<(u64, &'a R)> {
        while !self.rest.is_empty() {
            let last = self.rest.end - 1;
            let image = self.images.as_mut().and_then(|images| images.last());
            if image == Some(last) {
                self.rest.end -= 1;
                let image = self.images.as_mut().and_then(|images| images.take_last());
                match image.and_then(|image| self.snapshot.row_of(image)) {
                    Some(row) => return Some((last, row)),
                    None => continue,
                }
            }
            let start = image.map_or(self.rest.start, |image| image + 1);
            if let Some(run) = self.snapshot.run(start..last + 1) {
                (self.back, self.back_start) = (run, start);
                self.rest.end = start;
                return self.in_back();
            }
            self.rest.end -= 1;
            self.snapshot.array.approach(last);
            if let Some(row) = self.snapshot.beneath(last) {
                return Some((last, row));
            }
        }
        std::mem::swap(&mut self.front, &mut self.back);
        std::mem::swap(&mut self.front_start, &mut self.back_start);
        self.in_back()
    }

    /// Narrows the unvisited records to `rest`.
    fn narrow(&mut self, rest: Range<u64>) {
        if let Some(images) = &mut self.images {
            images.narrow(rest.clone());
        }
        self.rest = rest;
    }
}

impl<'a, R: Row + ?Sized> Iterator for SnapshotRecords<'a, R> {
    type Item = (u64, &'a R);

    #[inline]
    fn next(&mut self) -> Option<(u64, &'a R)> {
        match self.in_front() {
            Some(found) => Some(found),
            None => self.after_front(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.left(), self.snapshot.layout.deletes)
    }

    fn nth(&mut self, skipped: usize) -> Option<(u64, &'a R)> {
        if self.snapshot.layout.deletes {
            return from_fn(|| self.next()).nth(skipped);
        }
        let in_run = self.front.len();
        if skipped >= in_run {
            self.front = R::no_rows();
            let (past_run, rest) = ((skipped - in_run) as u64, self.rest.clone());
            let past_rest = past_run.saturating_sub(rest.end - rest.start);
            self.narrow(rest.start + (past_run - past_rest)..rest.end);
            // The back is a run, so its length is a `usize`.
            self.back_start += past_rest.min(self.back.len() as u64);
            if let Some(before) = usize::try_from(past_rest).ok().and_then(|n| n.checked_sub(1)) {
                self.back.nth(before);
            }
            return self.after_front();
        }
        self.front_start += skipped as u64 + 1;
        Some((self.front_start - 1, self.front.nth(skipped)?))
    }

    fn fold<B, F: FnMut(B, (u64, &'a R)) -> B>(mut self, start: B, mut add: F) -> B {
        let mut so_far = start;
        loop {
            let run = std::mem::replace(&mut self.front, R::no_rows());
            so_far = (self.front_start..).zip(run).fold(so_far, &mut add);
            match self.after_front() {
                Some(found) => so_far = add(so_far, found),
                None => return so_far,
            }
        }
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for SnapshotRecords<'_, R> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self.in_back() {
            Some(found) => Some(found),
            None => self.before_back(),
        }
    }

    fn nth_back(&mut self, skipped: usize) -> Option<Self::Item> {
        if self.snapshot.layout.deletes {
            return from_fn(|| self.next_back()).nth(skipped);
        }
        let in_run = self.back.len();
        if skipped >= in_run {
            self.back = R::no_rows();
            let (past_run, rest) = ((skipped - in_run) as u64, self.rest.clone());
            let past_rest = past_run.saturating_sub(rest.end - rest.start);
            self.narrow(rest.start..rest.end - (past_run - past_rest));
            if let Some(before) = usize::try_from(past_rest).ok().and_then(|n| n.checked_sub(1)) {
                self.front.nth_back(before);
            }
            return self.before_back();
        }
        let row = self.back.nth_back(skipped)?;
        Some((self.back_start + self.back.len() as u64, row))
    }
}

impl<R: Row + ?Sized> FusedIterator for SnapshotRecords<'_, R> {}

impl<R: Row + ?Sized> Clone for SnapshotRecords<'_, R> {
    fn clone(&self) -> Self {
        let (front, back) = (self.front.clone(), self.back.clone());
        let (rest, images) = (self.rest.clone(), self.images.clone());
        Self { front, rest, back, images, ..*self }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for SnapshotRecords<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotRecords").field("left", &self.left()).finish_non_exhaustive()
    }
}
