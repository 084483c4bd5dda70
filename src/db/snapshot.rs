//! Snapshots: one state of the store, read in place for as long as it is held.

mod refresh;

use std::ops::Range;
use std::sync::Arc;

use super::engine::State;
use super::row::Row;
use super::source::Source;
use crate::error::Result;
use crate::format::Schema;
use crate::map::RecordView;

/// The store as one commit has left it, however long it is held and whatever is committed
/// meanwhile. [`Database::begin_read`](crate::Database::begin_read) makes one.
///
/// Records are lent in place: what [`Snapshot::get`] returns cannot change while the snapshot
/// lives. A snapshot is `Send` and `Sync`, and waits for nobody; nobody waits for it, but a
/// checkpoint passes by what it reads, so that a snapshot held for long costs room in the log.
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
    /// The records of which nothing lies over the array, and none can be deleted: all or none.
    plain: RecordView<R::Unit>,
    /// The records in the array, whether or not an image lies over them.
    array: RecordView<R::Unit>,
    record_size: usize,
    deletes: bool,
    state: Arc<State>,
    source: Arc<dyn Source>,
}

impl<R: Row + ?Sized> Snapshot<R> {
    /// A snapshot of a state that came from `source`.
    #[allow(unsafe_code, reason = "that the source's stores hold rows of `R` is checked at open")]
    pub(super) fn new(source: Arc<dyn Source>, state: Arc<State>) -> Result<Self> {
        let layout = *source.layout();
        // SAFETY: the source was opened for rows of `R`, which are valid in any pattern of bytes
        // and have neither padding nor interior mutability (`Record`), or are bytes.
        let mut array = unsafe { RecordView::new(Arc::clone(&state.view), layout.geometry) }?;
        // SAFETY: as above.
        let mut plain = unsafe { RecordView::new(Arc::clone(&state.view), layout.geometry) }?;
        // SAFETY: the file holds `state.count` records durably, and is never cut below them while
        // the locks are held which `source` keeps. What lies in the array is changed by checkpoints
        // only, which leave alone what a held state reads there, in the writer's process or, by its
        // `hold`, in another: `get` reads from here only records without an image in the state's
        // overlay, and those are the ones that a checkpoint leaves alone.
        unsafe { array.publish(state.count) }?;
        if state.overlay.is_empty() && !layout.deletes {
            // SAFETY: as above; there is no image.
            unsafe { plain.publish(state.count) }?;
        }
        Ok(Self {
            plain,
            array,
            record_size: layout.record_size,
            deletes: layout.deletes,
            state,
            source,
        })
    }

    /// Records, deleted ones included: the numbers below this are those of records.
    #[inline]
    pub fn count(&self) -> u64 {
        self.state.count
    }

    /// Records that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.state.live_count
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.state.live_count == 0
    }

    /// The number of the newest commit that the snapshot sees.
    pub fn commit(&self) -> u64 {
        self.state.commit
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.source.schema()
    }

    /// Record `id`, in place; `None` past the last, and for one that was deleted.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&R> {
        match R::in_view(&self.plain, id, self.record_size) {
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
        if self.deletes {
            self.source.layout().live(self.array.slot(id)?)?;
        }
        R::in_view(&self.array, id, self.record_size)
    }

    /// What the image of record `id` says, if there is one.
    #[cold]
    #[inline(never)]
    fn image(&self, id: u64) -> Option<Option<&R>> {
        let image = self.state.overlay.find(id)?;
        Some(self.source.layout().live(image).and_then(R::of_bytes))
    }

    /// All records in order, in place, each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &R)> + '_ {
        self.range(0..self.count())
    }

    /// The records of a range in order, in place, each with its number. Deleted ones, and those
    /// past the last, are left out.
    pub fn range(&self, ids: Range<u64>) -> impl Iterator<Item = (u64, &R)> + '_ {
        let end = ids.end.min(self.count());
        (ids.start.min(end)..end).filter_map(|id| Some((id, self.get(id)?)))
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
