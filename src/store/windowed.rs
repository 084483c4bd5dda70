//! Stores read through a bounded number of sliding windows.

use std::ops::Range;
use std::path::Path;

use super::copies::Walk;
use super::edit::Edit;
use super::exclusive_file::ExclusiveFile;
use super::info::StoreInfo;
use super::typed::Store;
use crate::array::{Reading, RecordGuard, ViewCounters, WindowGuard};
use crate::error::Result;
use crate::format::{Found, Record, Schema, bytes_of, bytes_of_mut, one_from_bytes, zeroed};
use crate::io::Access;
use crate::txn::Options;

/// How many bytes of records [`WindowedStore::range`] copies at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// A store that never maps more than a budget: for 32-bit processes, for files larger than the
/// address space, and for those who share a machine.
///
/// [`WindowedStore::get`] returns a guard that pins its window; the least recently used windows
/// that nobody pins are unmapped to make room, and pins that fill the budget are an error.
/// Everything else is as in [`Store`].
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
/// let mut store = WindowedStore::<Point>::open_windowed(&path, 512 << 10, 64 << 10).unwrap();
/// assert_eq!(store.get(49_999).unwrap().unwrap().x, 49_999);
/// store.append(&Point { x: 50_000, y: 2 }).unwrap();
/// store.close().unwrap();
/// # }
/// ```
pub struct WindowedStore<R: Record> {
    pub(crate) file: ExclusiveFile<R>,
}

impl<R: Record> Store<R> {
    /// Opens the store at `path` for reading through windows of about `window` bytes, of which at
    /// most `max_mapped` bytes are mapped at a time.
    ///
    /// # Errors
    /// As [`WindowedStore::open_windowed`].
    pub fn open_windowed(
        path: impl AsRef<Path>,
        max_mapped: u64,
        window: u64,
    ) -> Result<WindowedStore<R>> {
        WindowedStore::open_windowed(path, max_mapped, window)
    }
}

impl<R: Record> Options<Store<R>> {
    /// Opens the store at `path` through windows: see [`WindowedStore::open_windowed`].
    ///
    /// # Errors
    /// As [`WindowedStore::open_windowed`].
    pub fn open_windowed(
        self,
        path: impl AsRef<Path>,
        max_mapped: u64,
        window: u64,
    ) -> Result<WindowedStore<R>> {
        let reading = Reading::Windowed { budget_bytes: max_mapped, window_bytes: window };
        let file = self.open_table(path.as_ref(), Access::ReadWrite, reading)?;
        Ok(WindowedStore { file })
    }

    /// As [`Options::open_windowed`], for reading only.
    ///
    /// # Errors
    /// As [`WindowedStore::open_windowed`].
    pub fn open_windowed_read_only(
        self,
        path: impl AsRef<Path>,
        max_mapped: u64,
        window: u64,
    ) -> Result<WindowedStore<R>> {
        let reading = Reading::Windowed { budget_bytes: max_mapped, window_bytes: window };
        let file = self.open_table(path.as_ref(), Access::ReadOnly, reading)?;
        Ok(WindowedStore { file })
    }
}

impl<R: Record> WindowedStore<R> {
    /// Opens the store at `path` for reading and writing, through windows of about `window` bytes
    /// of which at most `max_mapped` bytes are mapped for reading at a time. Writing maps one
    /// window more.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if one window does not fit
    /// into the budget; as [`Store::open`].
    pub fn open_windowed(path: impl AsRef<Path>, max_mapped: u64, window: u64) -> Result<Self> {
        Store::options().open_windowed(path, max_mapped, window)
    }

    /// As [`WindowedStore::open_windowed`], for reading only.
    ///
    /// # Errors
    /// As [`WindowedStore::open_windowed`].
    pub fn open_windowed_read_only(
        path: impl AsRef<Path>,
        max_mapped: u64,
        window: u64,
    ) -> Result<Self> {
        Store::options().open_windowed_read_only(path, max_mapped, window)
    }

    /// How many records there are, those appended and not yet flushed among them, and in a store
    /// with deletes the deleted ones: record numbers are below it.
    pub fn count(&self) -> u64 {
        self.file.array.count()
    }

    /// How many records there are that are not deleted: [`WindowedStore::count`], but in a store
    /// with deletes.
    pub fn live_count(&self) -> u64 {
        self.file.live_count()
    }

    /// Whether there are none, or none that are not deleted.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.file.core.schema()
    }

    /// Record `id`, in place, its window pinned while the guard lives; `None` past the last, and
    /// for a record that was deleted.
    ///
    /// # Errors
    /// [`ErrorKind::BudgetExhausted`](crate::ErrorKind::BudgetExhausted) if the windows that other
    /// guards pin leave no room; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the record's
    /// status byte says neither that it lives nor that it is deleted; the system's.
    pub fn get(&self, id: u64) -> Result<Option<RecordGuard<'_, R>>> {
        if self.file.found(id)? != Found::Live {
            return Ok(None);
        }
        if let Some(image) = self.file.image(id) {
            return Ok(one_from_bytes(image).map(RecordGuard::borrowed));
        }
        match self.file.array.pin(id) {
            Ok(None) => {
                let record = || one_from_bytes(self.file.array.pending(id)?.get(..size_of::<R>())?);
                Ok(record().map(RecordGuard::borrowed))
            }
            other => other.map_err(|error| self.file.core.name(error)),
        }
    }

    /// A copy of record `id`, made as [`WindowedStore::read_into`] does; `None` past the last, and
    /// for a record that was deleted.
    ///
    /// # Errors
    /// As [`WindowedStore::read_into`], but for deleted records.
    pub fn read(&self, id: u64) -> Result<Option<R>> {
        self.file.try_read(id)
    }

    /// Copies the records from `first` on into `into`, as many as there are and as it has places,
    /// and returns how many. One window is pinned at a time.
    ///
    /// # Errors
    /// As [`WindowedStore::get`] and [`Store::read_into`].
    pub fn read_into(&self, first: u64, into: &mut [R]) -> Result<usize> {
        self.file.read_into(first, into)
    }

    /// All records of the window that holds record `id`, in place, pinned while the guard lives.
    /// `None` past the last record, for one that was appended and is still in a buffer, and for a
    /// window of which a commit in the log has changed records: [`WindowedStore::get`] has them.
    /// The guard leaves out records that were deleted, or whose status byte is damaged.
    ///
    /// # Errors
    /// As [`WindowedStore::get`].
    pub fn window(&self, id: u64) -> Result<Option<WindowGuard<'_, R>>> {
        let window = self.pin_window(id)?;
        let has_images = |window: &WindowGuard<'_, R>| self.file.has_images(window.ids());
        Ok(window.filter(|window| !has_images(window)))
    }

    /// Copies of the records of a range, in order; deleted ones, and those past the last, are left
    /// out. They are made as [`WindowedStore::read_into`] does, some 64 KiB at a time, and no
    /// window is pinned between.
    pub fn range(&self, ids: Range<u64>) -> impl Iterator<Item = Result<R>> + '_ {
        let mut walk = Walk::new(&self.file, ids, CHUNK_BYTES);
        std::iter::from_fn(move || match walk.next_record() {
            Ok(None) => None,
            Err(error) => Some(Err(error)),
            Ok(Some((_, bytes))) => {
                let mut record = zeroed();
                bytes_of_mut(std::slice::from_mut(&mut record)).copy_from_slice(bytes);
                Some(Ok(record))
            }
        })
    }

    fn pin_window(&self, id: u64) -> Result<Option<WindowGuard<'_, R>>> {
        self.file.array.pin_window(id).map_err(|error| self.file.core.name(error))
    }

    /// What the windows have done so far, and map now.
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
    pub fn append(&mut self, record: &R) -> Result<u64> {
        self.append_slice(std::slice::from_ref(record)).map(|ids| ids.start)
    }

    /// Appends records in order, and returns their numbers.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_slice(&mut self, records: &[R]) -> Result<Range<u64>> {
        self.file.append(bytes_of(records), records.len() as u64)
    }

    /// Makes all appended records durable, and counts them.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    /// Forgets the records from `count` on, durably.
    ///
    /// # Errors
    /// As [`Store::truncate`].
    pub fn truncate(&mut self, count: u64) -> Result<()> {
        self.file.truncate(count)
    }

    /// Starts an exclusive edit, which slides one window of its own.
    ///
    /// # Errors
    /// As [`Store::edit`].
    pub fn edit(&mut self) -> Result<Edit<'_, R>> {
        Edit::begin(&mut self.file)
    }

    /// Sizes, header slots, views, residency and faults, as they are now.
    ///
    /// # Errors
    /// The system's.
    pub fn info(&self) -> Result<StoreInfo> {
        StoreInfo::of(&self.file)
    }

    /// Makes everything durable, trims the file to its records, and gives the locks back.
    ///
    /// # Errors
    /// As [`Store::close`].
    pub fn close(self) -> Result<()> {
        self.file.close()
    }
}

impl<R: Record> std::fmt::Debug for WindowedStore<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WindowedStore").field(&self.file).finish()
    }
}
