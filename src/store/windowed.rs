//! Stores that map their records through sliding windows within a budget.

mod opening;

use std::borrow::Borrow;
use std::ops::{Range, RangeBounds};
use std::path::PathBuf;

use super::copies::{Copies, CopySource};
use super::edit::Edit;
use super::exclusive_file::ExclusiveFile;
#[cfg(doc)]
use super::handle::Store;
use super::info::info_of;
use crate::array::{RecordGuard, ViewCounters, WindowGuard};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Found, Record, Schema, bytes_of, bytes_of_mut};
use crate::number::ids_within;
#[cfg(doc)]
use crate::txn::OpenOptions;
use crate::txn::{Row, StoreInfo};

/// How many bytes of records [`WindowedStore::copies`] copies at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// A store that never maps more than a budget for reading: for 32-bit processes, for files larger
/// than the address space, and for machines with several tenants.
///
/// [`WindowedStore::get`] returns a guard that pins its window. To make room, the store unmaps the
/// least recently used windows without pins. If pinned windows fill the budget, it returns an
/// error. [`OpenOptions::max_mapped_bytes`] sets the budget, [`OpenOptions::window_bytes`] the size
/// of a window. Everything else is as in [`Store`].
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store, WindowedStore, zerocopy::*};
/// #[derive(Clone, Copy, Record, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "flatrec::zerocopy")]
/// #[repr(C)]
/// struct Point { x: u32, y: u32 }
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("points.rec");
/// let mut store = Store::<Point>::create(&path).unwrap();
/// for x in 0..50_000 { store.append(&Point { x, y: 1 }).unwrap(); }
/// store.close().unwrap();
///
/// let mut store = WindowedStore::<Point>::open(&path).unwrap();
/// assert_eq!(store.get(49_999).unwrap().unwrap().x, 49_999);
/// store.append(&Point { x: 50_000, y: 2 }).unwrap();
/// store.close().unwrap();
/// # }
/// ```
pub struct WindowedStore<R: Row + ?Sized> {
    pub(crate) file: ExclusiveFile<R>,
}

/// A [`WindowedStore`] of records of bytes, with fields by name from the schema in the file.
///
/// ```
/// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_all((0..50_000u32).map(u32::to_le_bytes))?;
/// store.close()?;
///
/// let store = DynWindowedStore::open_read_only(&path)?;
/// assert_eq!(store.get(49_999)?.as_deref(), Some(&49_999u32.to_le_bytes()[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DynWindowedStore = WindowedStore<[u8]>;

impl<R: Row + ?Sized> WindowedStore<R> {
    /// The number of records, including those not yet flushed and those deleted. Record numbers are
    /// below it.
    pub fn count(&self) -> u64 {
        self.file.array.count()
    }

    /// The number of records that are not deleted. Without deletes it equals
    /// [`WindowedStore::count`].
    pub fn live_count(&self) -> u64 {
        self.file.live_count()
    }

    /// Whether the store has no records, or only deleted ones.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.file.superblock.schema()
    }

    /// The metadata that the store was made with: as [`Store::metadata`].
    ///
    /// # Errors
    /// As [`Store::metadata`].
    pub fn metadata(&self) -> Result<&[u8]> {
        self.file.superblock.metadata().get()
    }

    /// The path of the store.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.path()
    }

    /// Record `id`, in place; the guard pins its window. `None` past the last record and for a
    /// deleted one. [`WindowedStore::try_get`] says which.
    ///
    /// # Errors
    /// [`ErrorKind::BudgetExhausted`] if the windows that other guards pin leave no room;
    /// [`ErrorKind::Corrupt`] if the record's status byte is damaged: neither live nor deleted;
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn get(&self, id: u64) -> Result<Option<RecordGuard<'_, R>>> {
        if self.file.found(id)? != Found::Live {
            return Ok(None);
        }
        if let Some(image) = self.file.image(id) {
            return Ok(R::of_bytes(image).map(RecordGuard::borrowed));
        }
        let record_len = self.file.slots.record_len();
        match self.file.array.pin(id, record_len, R::of_bytes) {
            Ok(None) => {
                let record = || R::of_bytes(self.file.array.pending(id)?.get(..record_len)?);
                Ok(record().map(RecordGuard::borrowed))
            }
            other => other.map_err(|error| self.file.superblock.name(error)),
        }
    }

    /// Record `id`, in place, or why it is not there; the guard pins its window.
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, ErrorKind, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynWindowedStore::create(&path, &schema)?;
    /// store.append(&[7])?;
    /// assert_eq!(store.try_get(0)?[0], 7);
    /// assert_eq!(store.try_get(1).unwrap_err().kind(), ErrorKind::OutOfRange);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record was
    /// deleted; as [`WindowedStore::get`].
    pub fn try_get(&self, id: u64) -> Result<RecordGuard<'_, R>> {
        self.get(id)?.ok_or_else(|| self.file.not_there(id))
    }

    /// A copy of record `id`, made one window at a time; `None` past the last record and for a
    /// deleted one.
    ///
    /// # Errors
    /// As [`WindowedStore::get`] and [`Store::copy`].
    pub fn copy(&self, id: u64) -> Result<Option<R::Owned>> {
        self.file.copy_one::<R>(id)
    }

    /// Copies of all records in order, each with its number: as [`WindowedStore::range`].
    pub fn iter(&self) -> Copies<'_, R> {
        self.copies(..)
    }

    /// Copies of the existing records of a range in order, each with its number. These are the
    /// copies of [`WindowedStore::copies`], under the name that code for all handles uses: they pin
    /// no window between two records.
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynWindowedStore::create(&path, &schema)?;
    /// store.append_packed(&[5, 6, 7])?;
    /// for found in store.range(1..).rev() {
    ///     let (id, record) = found?;
    ///     assert_eq!(u64::from(record[0]), id + 5);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range(&self, ids: impl RangeBounds<u64>) -> Copies<'_, R> {
        self.copies(ids)
    }

    /// Copies of the existing records of a range with their numbers, in order, made about 64 KiB at
    /// a time. Skips deleted records.
    pub fn copies(&self, ids: impl RangeBounds<u64>) -> Copies<'_, R> {
        Copies::new(&self.file, ids_within(ids, self.count()), CHUNK_BYTES)
    }

    /// Counters of the windows: what they have done, and the bytes that they map now.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::create(&path, &schema)?;
    /// store.append(&[7])?;
    /// store.close()?;
    ///
    /// let store = DynWindowedStore::open(&path)?;
    /// assert!(store.get(0)?.is_some());
    /// assert!(store.view_counters().mapped_bytes > 0);
    /// store.release_views();
    /// assert_eq!(store.view_counters().mapped_bytes, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn view_counters(&self) -> ViewCounters {
        self.file.array.counters().unwrap_or_default()
    }

    /// Unmaps every window that no guard pins.
    pub fn release_views(&self) {
        self.file.array.release_views();
    }

    /// Appends one record, and returns its number.
    ///
    /// # Errors
    /// As [`Store::append`].
    #[inline]
    pub fn append(&mut self, record: &R) -> Result<u64> {
        self.file.append_record(record)
    }

    /// Appends records given as consecutive bytes, and returns their numbers.
    ///
    /// # Errors
    /// As [`Store::append_packed`].
    pub fn append_packed(&mut self, records: &[u8]) -> Result<Range<u64>> {
        self.file.append_packed(records)
    }

    /// Appends all records of an iterator, and returns their numbers.
    ///
    /// # Errors
    /// As [`Store::append_all`].
    pub fn append_all(
        &mut self,
        records: impl IntoIterator<Item = impl Borrow<R>>,
    ) -> Result<Range<u64>> {
        self.file.append_all(records)
    }

    /// Reserves disk space for this number of further records.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn reserve(&mut self, records: u64) -> Result<()> {
        self.file.reserve(records)
    }

    /// Makes all appended records durable and visible to other handles.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    /// Removes the records from `count` on, durably: as [`Store::truncate`].
    ///
    /// # Errors
    /// As [`Store::truncate`].
    pub fn truncate(&mut self, count: u64) -> Result<()> {
        self.file.truncate(count)
    }

    /// Starts an exclusive edit, which uses one window of its own: as [`Store::edit`].
    ///
    /// # Errors
    /// As [`Store::edit`].
    pub fn edit(&mut self) -> Result<Edit<'_, R>> {
        Edit::begin(&mut self.file)
    }

    /// Sizes, header slots, views, residency and page faults at this moment.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn info(&self) -> Result<StoreInfo> {
        info_of(&self.file)
    }

    /// Makes everything durable, trims the file to its records, and releases the locks.
    ///
    /// # Errors
    /// As [`Store::close`].
    pub fn close(self) -> Result<()> {
        self.file.close()
    }
}

/// The copies of [`WindowedStore::iter`].
impl<'a, R: Row + ?Sized> IntoIterator for &'a WindowedStore<R> {
    type Item = Result<(u64, R::Owned)>;
    type IntoIter = Copies<'a, R>;

    fn into_iter(self) -> Copies<'a, R> {
        self.iter()
    }
}

impl<R: Record> WindowedStore<R> {
    /// Copies the records from `first` on into `into`, until the records or the places end, and
    /// returns how many. Pins one window at a time.
    ///
    /// # Errors
    /// As [`WindowedStore::get`] and [`Store::copy_into`].
    pub fn copy_into(&self, first: u64, into: &mut [R]) -> Result<usize> {
        self.file.copy_packed(first, bytes_of_mut(into))
    }

    /// All records of the window that holds record `id`, in place; the guard pins the window.
    /// `None` past the last record, for an appended record that is still in a buffer, and for a
    /// window with records that a commit in the log has changed; [`WindowedStore::get`] gives
    /// these. The guard skips deleted records and those with a damaged status byte.
    ///
    /// # Errors
    /// As [`WindowedStore::get`].
    pub fn window(&self, id: u64) -> Result<Option<WindowGuard<'_, R>>> {
        let window = self.pin_window(id)?;
        let has_images = |window: &WindowGuard<'_, R>| self.file.has_images(window.ids());
        Ok(window.filter(|window| !has_images(window)))
    }

    /// Appends records in order, and returns their numbers.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_slice(&mut self, records: &[R]) -> Result<Range<u64>> {
        self.file.append(bytes_of(records), records.len() as u64)
    }

    fn pin_window(&self, id: u64) -> Result<Option<WindowGuard<'_, R>>> {
        self.file.array.pin_window(id).map_err(|error| self.file.superblock.name(error))
    }
}

impl DynWindowedStore {
    /// Copies the bytes of the records from `first` on into `into`, packed, until the records or
    /// the room end, and returns how many records. Pins one window at a time.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `into` is shorter than one record; as
    /// [`WindowedStore::copy`].
    pub fn copy_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        self.file.copy_into(first, into)
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for WindowedStore<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WindowedStore").field(&self.file).finish()
    }
}
