//! Snapshots: one state of the store, readable in place while the snapshot lives.

mod batch;
mod chunks;
mod copies;
#[cfg(feature = "rayon")]
mod parallel;
mod records;
mod refresh;
mod search;
#[cfg(feature = "query")]
mod strides;

use std::ops::{Range, RangeBounds};
use std::sync::Arc;

pub use self::chunks::{Chunk, Chunks};
pub use self::records::SnapshotRecords;
use crate::array::RecordView;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::format::{Found, RecordLayout, Schema};
use crate::number::ids_within;
use crate::store::{Lends, TryRecords};
use crate::txn::{CommitId, Row, Source, State, slots};

/// The store as one commit left it; later commits do not change it.
/// [`Database::begin_read`](crate::Database::begin_read) makes one.
///
/// A snapshot lends records in place: what [`Snapshot::get`] returns does not change while the
/// snapshot lives. It is `Send` and `Sync`. Reads and commits do not wait for each other, but
/// checkpoints leave the records of a snapshot alone, so a long-lived snapshot lets the log grow.
///
/// Costs of reading while the pages are in memory and the data file holds every commit:
///
/// - [`get`](Snapshot::get) is a comparison, a multiplication and an addition;
/// - [`iter`](Snapshot::iter), [`range`](Snapshot::range) and [`chunks`](Snapshot::chunks) walk
///   through records as through a slice;
/// - [`get_many`](Snapshot::get_many) is a loop of `get`, and a few system calls that find out
///   whether the pages are in memory.
///
/// A changed record has an image in memory until a checkpoint copies it from the log to the data
/// file, as far as no reader holds that back. If there are images, `get` first checks a filter, and
/// probes hash tables for a record that has one. An iterator walks as through a slice from one such
/// record to the next. A chunk without such a record is a slice, and two binary searches find that
/// out. In a store with deletes each read checks the record's status byte, and no chunk is a slice.
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
/// let before = database.begin_read().unwrap();
/// let mut transaction = database.begin_write().unwrap();
/// transaction.get_mut(0).unwrap().unwrap().n = 2;
/// transaction.commit(Durability::Immediate).unwrap();
/// assert_eq!(before.get(0).unwrap().n, 1);
/// assert_eq!(database.begin_read().unwrap().get(0).unwrap().n, 2);
/// # }
/// ```
pub struct Snapshot<R: Row + ?Sized> {
    /// The records in the array. If the state has images or the store has deletes, the view is
    /// covered: the fast path of `get` finds nothing in it.
    array: RecordView<R::Unit>,
    layout: RecordLayout,
    state: Arc<State>,
    source: Arc<dyn Source>,
}

impl<R: Row + ?Sized> Snapshot<R> {
    /// A snapshot of a state that came from `source`.
    #[allow(unsafe_code, reason = "opening checks that the source's store holds rows of `R`")]
    pub(crate) fn new(source: Arc<dyn Source>, state: Arc<State>) -> Result<Self> {
        let layout = *source.layout();
        // SAFETY: the source was opened for rows of `R`. These are bytes, or of a type that is
        // valid for any pattern of bytes, without padding or interior mutability (`Record`).
        let mut array = unsafe { RecordView::new(Arc::clone(&state.view), layout.geometry) }?;
        // SAFETY: the file holds `state.counts.records` records durably, and nothing truncates it
        // below them while `source` keeps its locks. Only checkpoints change records in the array.
        // This view lends only records without an image in the state's overlay (see `cover` below).
        // A checkpoint leaves exactly those alone while the state is held, in the writer's process
        // or, by its `pin`, in another.
        unsafe { array.publish(state.counts.records) }?;
        if layout.deletes || !state.overlay.is_empty() {
            array.cover();
        }
        Ok(Self { array, layout, state, source })
    }

    /// The handle that the snapshot comes from.
    pub(super) fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// The number of records, deleted ones included. Record numbers are below it.
    #[inline]
    pub fn count(&self) -> u64 {
        self.state.counts.records
    }

    /// The number of records that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.state.counts.live
    }

    /// Whether the snapshot has no records, or only deleted ones.
    pub fn is_empty(&self) -> bool {
        self.state.counts.live == 0
    }

    /// The number of the commit that the snapshot shows.
    pub fn commit_id(&self) -> CommitId {
        self.state.counts.commit.into()
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.source.schema()
    }

    /// Record `id`, in place; `None` past the last record, for a deleted record, and for one with a
    /// damaged status byte. [`Snapshot::try_get`] says which.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&R> {
        R::in_view_or(&self.array, id, self.layout.record_size, || self.get_under_images(id))
    }

    /// Record `id`, in place, or why it is not there. As fast as [`Snapshot::get`] for a record
    /// that is there.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, ErrorKind, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let database = DynDatabase::create_options().deletes(true).create(&path, &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[7; 16])?;
    /// transaction.delete(1)?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// assert_eq!(snapshot.try_get(0)?, [7; 8]);
    /// assert_eq!(snapshot.try_get(1).unwrap_err().kind(), ErrorKind::Deleted);
    /// assert_eq!(snapshot.try_get(2).unwrap_err().kind(), ErrorKind::OutOfRange);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record was
    /// deleted; [`ErrorKind::Corrupt`] if its status byte is damaged: neither live nor deleted.
    #[inline]
    pub fn try_get(&self, id: u64) -> Result<&R> {
        self.get(id).ok_or_else(|| self.not_there(id))
    }

    /// Why record `id` is not there to be read.
    #[cold]
    fn not_there(&self, id: u64) -> Error {
        self.source.name(slots::not_there("read", id, self.count(), self.found(id)))
    }

    /// `None` if record `id` was deleted, and an error if something else keeps it from being read.
    #[cold]
    fn unless_deleted(&self, id: u64) -> Result<Option<&R>> {
        match self.found(id) {
            Ok(Found::Deleted) => Ok(None),
            _ => Err(self.not_there(id)),
        }
    }

    /// What record number `id` leads to, or the invalid status byte.
    fn found(&self, id: u64) -> Result<Found, u8> {
        let stride = match id < self.count() {
            true => self.state.overlay.find(id).or_else(|| self.array.slot(id)),
            false => None,
        };
        stride.map_or(Ok(Found::PastTheLast), |stride| self.layout.found(stride))
    }

    /// Record `id` if the state has images or the store has deletes. A record without an image
    /// takes few instructions, so that the processor can overlap several reads.
    #[inline]
    fn get_under_images(&self, id: u64) -> Option<&R> {
        if self.state.overlay.may_hold(id) {
            if let Some(found) = self.image(id) {
                return found;
            }
        }
        self.beneath(id)
    }

    /// The record in the image of `id`, if there is an image; `Some(None)` if it is deleted there.
    #[cold]
    #[inline(never)]
    fn image(&self, id: u64) -> Option<Option<&R>> {
        let image = self.state.overlay.find(id)?;
        Some(self.row_of(image))
    }

    /// The record in these bytes of one stride, unless it is deleted.
    fn row_of<'a>(&self, stride: &'a [u8]) -> Option<&'a R> {
        self.layout.live(stride).and_then(R::of_bytes)
    }

    /// Record `id` in the array, for a record without an image; `None` if it is deleted.
    #[inline]
    fn beneath(&self, id: u64) -> Option<&R> {
        if self.layout.deletes {
            self.layout.live(self.array.slot(id)?)?;
        }
        R::beneath(&self.array, id, self.layout.record_size)
    }

    /// Records without images, in place, if all of them exist and none can be deleted.
    fn run(&self, ids: Range<u64>) -> Option<R::Run<'_>> {
        if self.layout.deletes {
            return None;
        }
        R::run(self.array.strides(ids)?, self.layout.stride, self.layout.record_size)
    }

    /// All records in order, in place, each with its number. Skips deleted records, and those with
    /// a damaged status byte, which [`Snapshot::try_iter`] reports. `for (id, record) in &snapshot`
    /// does the same.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// assert_eq!(snapshot.iter().map(|(_, record)| record[0]).max(), Some(7));
    /// for (id, record) in &snapshot {
    ///     assert_eq!(u64::from(record[0]), id + 5);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> SnapshotRecords<'_, R> {
        self.range(..)
    }

    /// The existing records of a range in order, in place, each with its number. Skips records as
    /// [`Snapshot::iter`] does.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// assert_eq!(snapshot.range(1..).collect::<Vec<_>>(), [(1, &[6][..]), (2, &[7])]);
    /// assert_eq!(snapshot.range(..=1).next_back(), Some((1, &[6][..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range(&self, ids: impl RangeBounds<u64>) -> SnapshotRecords<'_, R> {
        SnapshotRecords::new(self, ids_within(ids, self.count()))
    }

    /// As [`Snapshot::iter`], but gives an [`ErrorKind::Corrupt`] for a record with a damaged
    /// status byte, and continues after it.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// let found: Result<Vec<_>, _> = snapshot.try_iter().collect();
    /// assert_eq!(found?[2], (2, &[7][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_iter(&self) -> TryRecords<'_, R> {
        self.try_range(..)
    }

    /// As [`Snapshot::range`], with errors as [`Snapshot::try_iter`] gives them.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// transaction.commit(Durability::Immediate)?;
    /// for found in database.begin_read()?.try_range(1..) {
    ///     let (id, record) = found?;
    ///     assert_eq!(u64::from(record[0]), id + 5);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_range(&self, ids: impl RangeBounds<u64>) -> TryRecords<'_, R> {
        TryRecords::new(self, ids_within(ids, self.count()))
    }
}

impl<R: Row + ?Sized> Lends<R> for Snapshot<R> {
    fn lend(&self, id: u64) -> Result<Option<&R>> {
        self.array.approach(id);
        match (self.get(id), id < self.count()) {
            (None, true) => self.unless_deleted(id),
            (found, _) => Ok(found),
        }
    }

    fn has_deletes(&self) -> bool {
        self.layout.deletes
    }
}

/// The records of [`Snapshot::iter`].
impl<'a, R: Row + ?Sized> IntoIterator for &'a Snapshot<R> {
    type Item = (u64, &'a R);
    type IntoIter = SnapshotRecords<'a, R>;

    fn into_iter(self) -> SnapshotRecords<'a, R> {
        self.iter()
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Snapshot<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("path", &self.source.path())
            .field("commit", &self.commit_id().get())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// Checks that threads can share snapshots and their iterators.
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
