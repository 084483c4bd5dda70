//! A snapshot's records in chunks, for code that needs slices and for threads that share a walk.

use std::iter::FusedIterator;
use std::ops::{Range, RangeBounds};

use super::{Snapshot, SnapshotRecords};
use crate::format::{Record, from_bytes};
use crate::number::{ids_within, size_hint};
use crate::txn::Row;

impl<R: Row + ?Sized> Snapshot<R> {
    /// The existing records of a range in chunks of `records` record numbers each; the last chunk
    /// may have fewer. A chunk counts deleted records and skips them in its iterator.
    ///
    /// Threads can share a walk by taking chunks in turns, as here with the standard library alone.
    /// The feature `rayon` adds `par_chunks` for rayon's threads.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// let directory = tempfile::tempdir().unwrap();
    /// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// let mut transaction = database.begin_write().unwrap();
    /// transaction.append_slice(&[Counter { n: 3 }; 100_000]).unwrap();
    /// transaction.commit(Durability::Immediate).unwrap();
    ///
    /// let snapshot = database.begin_read().unwrap();
    /// let chunks = Mutex::new(snapshot.chunks(.., 8192));
    /// let total: u64 = std::thread::scope(|scope| {
    ///     let sum = || {
    ///         let next = || chunks.lock().unwrap().next();
    ///         std::iter::from_fn(next).flat_map(|chunk| chunk.iter()).map(|(_, it)| it.n).sum()
    ///     };
    ///     let threads: Vec<_> = (0..2).map(|_| scope.spawn(sum)).collect();
    ///     threads.into_iter().map(|thread| -> u64 { thread.join().unwrap() }).sum()
    /// });
    /// assert_eq!(total, 300_000);
    /// # }
    /// ```
    ///
    /// # Panics
    /// If `records` is 0.
    pub fn chunks(&self, ids: impl RangeBounds<u64>, records: u64) -> Chunks<'_, R> {
        assert!(records > 0, "a chunk must have at least one record");
        let ids = ids_within(ids, self.count());
        self.state.overlay.prepare(&ids);
        Chunks { snapshot: self, ids, records }
    }
}

/// An iterator over chunks of a snapshot's records. [`Snapshot::chunks`] makes it.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
/// let mut transaction = database.begin_write()?;
/// (0..10).try_for_each(|n| transaction.append(&[n]).map(drop))?;
/// transaction.commit(Durability::Immediate)?;
///
/// let snapshot = database.begin_read()?;
/// let mut chunks = snapshot.chunks(1..100, 4);
/// assert_eq!(chunks.len(), 3);
/// assert_eq!(chunks.next_back().map(|chunk| chunk.ids()), Some(9..10));
/// assert_eq!(chunks.next().map(|chunk| chunk.ids()), Some(1..5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Chunks<'a, R: Row + ?Sized> {
    snapshot: &'a Snapshot<R>,
    /// Below the snapshot's count.
    ids: Range<u64>,
    /// At least 1.
    records: u64,
}

impl<'a, R: Row + ?Sized> Chunks<'a, R> {
    fn left(&self) -> u64 {
        (self.ids.end - self.ids.start).div_ceil(self.records)
    }

    /// The remaining chunk at index `number`, which must exist.
    #[cfg(feature = "rayon")]
    pub(super) fn at(&self, number: u64) -> Chunk<'a, R> {
        let start = self.ids.start + number * self.records;
        Chunk { snapshot: self.snapshot, ids: start..self.end_of(start) }
    }

    /// Where the chunk that begins with record `start` ends.
    fn end_of(&self, start: u64) -> u64 {
        start.saturating_add(self.records).min(self.ids.end)
    }
}

impl<'a, R: Row + ?Sized> Iterator for Chunks<'a, R> {
    type Item = Chunk<'a, R>;

    fn next(&mut self) -> Option<Chunk<'a, R>> {
        if self.ids.is_empty() {
            return None;
        }
        let ids = self.ids.start..self.end_of(self.ids.start);
        self.ids.start = ids.end;
        Some(Chunk { snapshot: self.snapshot, ids })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.left(), false)
    }

    fn nth(&mut self, skipped: usize) -> Option<Chunk<'a, R>> {
        let skipped = (skipped as u64).saturating_mul(self.records);
        self.ids.start = self.ids.start.saturating_add(skipped).min(self.ids.end);
        self.next()
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for Chunks<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let before = self.left().checked_sub(1)?;
        // At most `ids.end`, because one more chunk is left.
        let start = self.ids.start + before * self.records;
        let ids = start..self.ids.end;
        self.ids.end = start;
        Some(Chunk { snapshot: self.snapshot, ids })
    }
}

impl<R: Row + ?Sized> ExactSizeIterator for Chunks<'_, R> {}
impl<R: Row + ?Sized> FusedIterator for Chunks<'_, R> {}

impl<R: Row + ?Sized> Clone for Chunks<'_, R> {
    fn clone(&self) -> Self {
        Self { ids: self.ids.clone(), ..*self }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Chunks<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks")
            .field("ids", &self.ids)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

/// Consecutive records of a snapshot. [`Snapshot::chunks`] makes it.
///
/// [`Chunk::as_slice`] gives its records as one slice if they lie in the array without gaps;
/// [`Chunk::iter`] always gives them one by one.
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
/// transaction.append_slice(&[Counter { n: 1 }; 3000]).unwrap();
/// transaction.commit(Durability::Immediate).unwrap();
/// database.checkpoint().unwrap();
/// let mut transaction = database.begin_write().unwrap();
/// transaction.set(1234, &Counter { n: 5 }).unwrap();
/// transaction.commit(Durability::Immediate).unwrap();
///
/// let snapshot = database.begin_read().unwrap();
/// let (mut sum, mut slices) = (0, 0);
/// for chunk in snapshot.chunks(.., 1000) {
///     sum += match chunk.as_slice() {
///         Some(counters) => {
///             slices += 1;
///             counters.iter().map(|counter| counter.n).sum::<u64>()
///         }
///         None => chunk.iter().map(|(_, counter)| counter.n).sum(),
///     };
/// }
/// assert_eq!((sum, slices), (3004, 2)); // 1234 is in the log
/// # }
/// ```
pub struct Chunk<'a, R: Row + ?Sized> {
    snapshot: &'a Snapshot<R>,
    /// Below the snapshot's count.
    ids: Range<u64>,
}

impl<'a, R: Row + ?Sized> Chunk<'a, R> {
    /// The record numbers of the chunk, those of deleted records included.
    pub fn ids(&self) -> Range<u64> {
        self.ids.clone()
    }

    /// The records in order, in place, each with its number. Skips deleted records.
    pub fn iter(&self) -> SnapshotRecords<'a, R> {
        SnapshotRecords::new(self.snapshot, self.ids.clone())
    }

    /// The bytes of all records, in place and without gaps. Each record has
    /// [`record_size`](crate::Schema::record_size) bytes. `None` if the log has a record of the
    /// chunk, if the store has deletes, or if there are gaps between records in the file.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// transaction.commit(Durability::Immediate)?;
    /// database.checkpoint()?;
    /// let snapshot = database.begin_read()?;
    /// let chunk = snapshot.chunks(0..3, 2).next().unwrap();
    /// assert_eq!(chunk.as_bytes(), Some(&[5, 6][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        let snapshot = self.snapshot;
        let (layout, overlay) = (&snapshot.layout, &snapshot.state.overlay);
        let gapless = layout.stride == layout.record_size && !layout.deletes;
        if !gapless || (!overlay.is_empty() && overlay.any_within(&self.ids)) {
            return None;
        }
        snapshot.array.strides(self.ids.clone())
    }
}

/// The records of [`Chunk::iter`].
impl<'a, R: Row + ?Sized> IntoIterator for &Chunk<'a, R> {
    type Item = (u64, &'a R);
    type IntoIter = SnapshotRecords<'a, R>;

    fn into_iter(self) -> SnapshotRecords<'a, R> {
        self.iter()
    }
}

impl<'a, R: Record> Chunk<'a, R> {
    /// All records as one slice, in place; `None` if [`Chunk::as_bytes`] is `None`.
    pub fn as_slice(&self) -> Option<&'a [R]> {
        from_bytes(self.as_bytes()?)
    }
}

impl<R: Row + ?Sized> Clone for Chunk<'_, R> {
    fn clone(&self) -> Self {
        Self { ids: self.ids.clone(), ..*self }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Chunk<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk").field("ids", &self.ids).finish_non_exhaustive()
    }
}
