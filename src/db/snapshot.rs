//! Snapshots: one state of the store, read in place for as long as it is held.

mod batch;
mod chunks;
mod copies;
#[cfg(feature = "rayon")]
mod parallel;
mod records;
mod refresh;

use std::ops::Range;
use std::sync::Arc;

pub use self::chunks::{Chunk, Chunks};
pub use self::records::SnapshotRecords;
use crate::array::RecordView;
use crate::error::Result;
use crate::format::{RecordLayout, Schema};
use crate::txn::{Row, Source, State};

/// The store as one commit has left it, however long it is held and whatever is committed
/// meanwhile. [`Database::begin_read`](crate::Database::begin_read) makes one.
///
/// Records are lent in place: what [`Snapshot::get`] returns cannot change while the snapshot
/// lives. A snapshot is `Send` and `Sync`, and waits for nobody; nobody waits for it, but a
/// checkpoint passes by what it reads, so that a snapshot held for long costs room in the log.
///
/// What reading costs, as long as the pages are in memory and the log is empty:
///
/// - [`get`](Snapshot::get) is a comparison, a multiply and an add;
/// - [`iter`](Snapshot::iter), [`range`](Snapshot::range) and [`chunks`](Snapshot::chunks) go
///   through records as through a slice;
/// - [`get_many`](Snapshot::get_many) is a loop of `get`, and a few system calls to find out if the
///   pages are in memory.
///
/// With records in the log `get` looks at a filter first, and probes hash tables for a record that
/// is there; a walk goes as through a slice between one such record and the next; a chunk is a
/// slice if it has none, which takes two binary searches to know. In a store with deletes each
/// record's status byte is looked at, and nothing is a slice.
///
/// "In the log" are the records that were changed since the last checkpoint that no reader held
/// back.
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
/// transaction.append(&Counter { n: 1 }).unwrap();
/// transaction.commit(Durability::Immediate).unwrap();
///
/// let before = database.begin_read();
/// let mut transaction = database.begin_write().unwrap();
/// transaction.get_mut(0).unwrap().unwrap().n = 2;
/// transaction.commit(Durability::Immediate).unwrap();
/// assert_eq!(before.get(0).unwrap().n, 1);
/// assert_eq!(database.begin_read().get(0).unwrap().n, 2);
/// # }
/// ```
pub struct Snapshot<R: Row + ?Sized> {
    /// The records in the array, under a cover unless nothing lies over any and none can be
    /// deleted.
    array: RecordView<R::Unit>,
    layout: RecordLayout,
    state: Arc<State>,
    source: Arc<dyn Source>,
}

impl<R: Row + ?Sized> Snapshot<R> {
    /// A snapshot of a state that came from `source`.
    #[allow(unsafe_code, reason = "that the source's stores hold rows of `R` is checked at open")]
    pub(crate) fn new(source: Arc<dyn Source>, state: Arc<State>) -> Result<Self> {
        let layout = *source.layout();
        // SAFETY: the source was opened for rows of `R`, which are valid in any pattern of bytes
        // and have neither padding nor interior mutability (`Record`), or are bytes.
        let mut array = unsafe { RecordView::new(Arc::clone(&state.view), layout.geometry) }?;
        // SAFETY: the file holds `state.count` records durably, and is never cut below them while
        // the locks are held which `source` keeps. What lies in the array is changed by checkpoints
        // only, which leave alone what a held state reads there, in the writer's process or, by its
        // `pin`, in another: what is lent from here are only records without an image in the
        // state's overlay (see `cover` below), and those are the ones that a checkpoint leaves
        // alone.
        unsafe { array.publish(state.counts.records) }?;
        if layout.deletes || !state.overlay.is_empty() {
            array.cover();
        }
        Ok(Self { array, layout, state, source })
    }

    /// Records, deleted ones included: the numbers below this are those of records.
    #[inline]
    pub fn count(&self) -> u64 {
        self.state.counts.records
    }

    /// Records that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.state.counts.live
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.state.counts.live == 0
    }

    /// The number of the newest commit that the snapshot sees.
    pub fn commit(&self) -> u64 {
        self.state.counts.commit
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.source.schema()
    }

    /// Record `id`, in place; `None` past the last, and for one that was deleted.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&R> {
        match R::in_view(&self.array, id, self.layout.record_size) {
            Some(row) => Some(row),
            None => self.get_under_images(id),
        }
    }

    /// Record `id` where images may lie over the array, or records may be deleted. Few instructions
    /// for a record without an image, so that the processor can look at several at once.
    #[inline]
    fn get_under_images(&self, id: u64) -> Option<&R> {
        if self.state.overlay.may_hold(id) {
            if let Some(found) = self.image(id) {
                return found;
            }
        }
        self.beneath(id)
    }

    /// What the image of record `id` says, if there is one.
    #[cold]
    #[inline(never)]
    fn image(&self, id: u64) -> Option<Option<&R>> {
        let image = self.state.overlay.find(id)?;
        Some(self.row_of(image))
    }

    /// The record whose stride this is, unless it was deleted.
    fn row_of<'a>(&self, stride: &'a [u8]) -> Option<&'a R> {
        self.layout.live(stride).and_then(R::of_bytes)
    }

    /// Record `id` as the array has it, for one that has no image, unless it was deleted.
    #[inline]
    fn beneath(&self, id: u64) -> Option<&R> {
        if self.layout.deletes {
            self.layout.live(self.array.slot(id)?)?;
        }
        R::beneath(&self.array, id, self.layout.record_size)
    }

    /// Records without images, if all of them are there and can be walked through in place.
    fn run(&self, ids: Range<u64>) -> Option<R::Run<'_>> {
        if self.layout.deletes {
            return None;
        }
        R::run(self.array.strides(ids)?, self.layout.stride, self.layout.record_size)
    }

    /// All records in order, in place, each with its number.
    pub fn iter(&self) -> SnapshotRecords<'_, R> {
        self.range(0..self.count())
    }

    /// The records of a range in order, in place, each with its number. Deleted ones, and those
    /// past the last, are left out.
    pub fn range(&self, ids: Range<u64>) -> SnapshotRecords<'_, R> {
        SnapshotRecords::new(self, self.clamp(ids))
    }

    /// The part of a range that there are records for.
    fn clamp(&self, ids: Range<u64>) -> Range<u64> {
        let start = ids.start.min(self.count());
        start..ids.end.clamp(start, self.count())
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Snapshot<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("path", &self.source.path())
            .field("commit", &self.commit())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// Threads share snapshots, and whatever walks through them.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    const fn of<R: Row + ?Sized>() {
        is_shared::<Snapshot<R>>();
        is_shared::<SnapshotRecords<'_, R>>();
        is_shared::<Chunks<'_, R>>();
        is_shared::<Chunk<'_, R>>();
    }
    of::<[u8]>();
};
