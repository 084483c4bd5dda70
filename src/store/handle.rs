//! Stores that are mapped whole, with records of a Rust type or of the schema in the file.

use std::borrow::Borrow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::copies::CopySource;
use super::edit::Edit;
use super::exclusive_file::ExclusiveFile;
use super::info::info_of;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Record, Schema, bytes_of, bytes_of_mut};
use crate::sums::Checksums;
use crate::txn::{Common, CreateOptions, OpenOptions, ReadOptions, Row, StoreInfo};

/// A store of records of type `R`, or of bytes ([`DynStore`]): one flat, mapped file, with records
/// found by number.
///
/// Reads lend records in place. This handle sees appended records at once. [`Store::flush`] and
/// [`Store::close`] make them durable and visible to other handles, all together: a crash leaves
/// the state of the last flush. Dropping a store closes it too, but cannot report errors.
///
/// One handle at a time writes. Other handles can read beside it; a `Store` that is opened to read
/// shows the records that the store had when it was opened. A `Store` is `Send` and `Sync`, so
/// threads can share it to read.
///
/// ```
/// use flatrec::{Record, Store, zerocopy::*};
/// # #[cfg(feature = "derive")] {
/// #[derive(Clone, Copy, Debug, PartialEq, Record, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "flatrec::zerocopy")]
/// #[repr(C)]
/// struct Reading { sensor: u32, celsius: f32 }
///
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("readings.rec");
/// let mut store = Store::<Reading>::create(&path).unwrap();
/// let id = store.append(&Reading { sensor: 7, celsius: 21.5 }).unwrap();
/// store.append_slice(&[Reading { sensor: 8, celsius: 19.0 }; 100]).unwrap();
/// assert_eq!(store.get(id).unwrap().sensor, 7); // in place, no copy
/// store.close().unwrap(); // durable
///
/// let store = Store::<Reading>::open_read_only(&path).unwrap();
/// assert_eq!(store.count(), 101);
/// assert_eq!(store.iter().filter(|(_, reading)| reading.celsius > 20.0).count(), 1);
/// # }
/// ```
pub struct Store<R: Row + ?Sized> {
    pub(crate) file: ExclusiveFile<R>,
}

/// A [`Store`] whose records are bytes, with fields by name from the schema in the file.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema, Value};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("people.rec");
/// let schema = Schema::packed([
///     Field::new("name", DataType::Utf8(10)),
///     Field::new("age", DataType::UInt8).nullable(),
/// ])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// let mut record = vec![0; schema.record_size() as usize];
/// schema.field("name").unwrap().write(&mut record, &Value::Text("Ada"))?;
/// schema.field("age").unwrap().write(&mut record, &Value::UInt(36))?;
/// store.append(&record)?;
/// store.close()?;
///
/// let store = DynStore::open_read_only(&path)?;
/// let name = store.schema().field("name").unwrap();
/// assert_eq!(name.read(store.get(0).unwrap())?, Value::Text("Ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DynStore = Store<[u8]>;

impl<R: Row + ?Sized> Store<R> {
    /// Options for opening a store to read and write.
    ///
    /// ```
    /// use flatrec::{Advice, DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let store = DynStore::options().advice(Advice::Random).open(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options() -> OpenOptions<Self> {
        OpenOptions::new(Common::default())
    }

    /// Options for opening a store without changing it: [`ReadOptions::open_read_only`] and
    /// [`ReadOptions::open_private`].
    ///
    /// ```
    /// use flatrec::{Advice, DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let store = DynStore::read_options().advice(Advice::Random).open_read_only(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_options() -> ReadOptions<Self> {
        ReadOptions::new(Common::default())
    }

    /// Options for creating a store, and for [`CreateOptions::open_or_create`].
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let options = DynStore::create_options().deletes(true).metadata("made by hand");
    /// assert_eq!(options.temporary(&schema)?.metadata()?, b"made by hand");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn create_options() -> CreateOptions<Self> {
        CreateOptions::new(Common::default())
    }

    /// Opens the store at `path` for reading and writing.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let mut store = DynStore::open(&path)?;
    /// store.append(&[7])?;
    /// store.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`] if there is no such file;
    /// - [`ErrorKind::NotAStore`], [`ErrorKind::UnsupportedFormat`], [`ErrorKind::Corrupt`] or
    ///   [`ErrorKind::Truncated`] if the file is not a store, or not an intact one of a known
    ///   version;
    /// - [`ErrorKind::SchemaMismatch`], which lists the fields that differ, if the file has another
    ///   schema;
    /// - [`ErrorKind::Locked`] while another handle writes, or, for a `Store`, while a reader still
    ///   needs the log that an earlier writer left;
    /// - [`ErrorKind::InterruptedEdit`] if an exclusive edit did not finish;
    /// - [`ErrorKind::NetworkFileSystem`] for writing on a network file system;
    /// - [`ErrorKind::PermissionDenied`] if this user may not open the store, or if its lock file
    ///   or checksum file belongs to a user who may not write the store;
    /// - [`ErrorKind::AlreadyExists`] if a file that is not a lock file has that name;
    /// - [`ErrorKind::Io`] if the operating system reports another error.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Opens the store at `path` for reading. The handle does not see records that a writer appends
    /// later.
    ///
    /// # Errors
    /// As [`Store::open`], but [`ErrorKind::Locked`] in other cases:
    ///
    /// - during an exclusive edit;
    /// - if a checkpoint keeps the reader out for ten seconds;
    /// - if 65,536 readers have the store open;
    /// - if there is no lock file, this user may not make one, and a writer has the store open;
    /// - on Linux, while a writable [`Mapping`](crate::map::Mapping) of the file exists.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_options().open_read_only(path)
    }

    /// Opens the store at `path` copy-on-write: [`Store::edit`] changes only what this handle sees,
    /// and never the file.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::create(&path, &schema)?;
    /// store.append(&[1])?;
    /// store.close()?;
    ///
    /// let mut private = DynStore::open_private(&path)?;
    /// private.edit()?.set(0, &[2])?;
    /// assert_eq!(private.get(0), Some(&[2][..]));
    /// assert_eq!(DynStore::open_read_only(&path)?.get(0), Some(&[1][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open_private(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_options().open_private(path)
    }

    /// The number of records, including those not yet flushed and those deleted. Record numbers are
    /// below it.
    #[inline]
    pub fn count(&self) -> u64 {
        self.file.array.count()
    }

    /// The number of records that are not deleted. Without deletes it equals [`Store::count`].
    pub fn live_count(&self) -> u64 {
        self.file.live_count()
    }

    /// Whether the store has no records, or only deleted ones.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// Sets whether a store from `CreateOptions::create_aside` is kept, with the records of its
    /// last flush, if it is dropped without closing or if closing it fails.
    /// [`OpenOptions::resume_aside`] opens it then. By default it is removed.
    pub fn keep_unfinished(&mut self, keep: bool) {
        self.file.keep_unfinished(keep);
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.file.superblock.schema()
    }

    /// The bytes that [`CreateOptions::metadata`] gave the store when it was made. The first call
    /// reads them from the file. [`StoreInfo::metadata_len_bytes`](crate::StoreInfo) is their
    /// length.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if they do not fit into this process's memory;
    /// [`ErrorKind::Corrupt`] if they have changed since the store was opened; [`ErrorKind::Io`] if
    /// the operating system reports an error.
    pub fn metadata(&self) -> Result<&[u8]> {
        self.file.superblock.metadata().get()
    }

    /// The path of the store; `None` for a temporary one.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.path()
    }

    /// Appends one record, and returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] if the store is open for reading; [`ErrorKind::NoSpace`] if the disk
    /// is full, with nothing changed; [`ErrorKind::Poisoned`] after a failed write;
    /// [`ErrorKind::InvalidArgument`] if `record` does not have the length of a record;
    /// [`ErrorKind::Io`] if the operating system reports another error.
    #[inline]
    pub fn append(&mut self, record: &R) -> Result<u64> {
        self.file.append_record(record)
    }

    /// Appends records given as consecutive bytes, and returns their numbers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `records` is not a whole number of records; as
    /// [`Store::append`].
    pub fn append_packed(&mut self, records: &[u8]) -> Result<Range<u64>> {
        self.file.append_packed(records)
    }

    /// Appends all records of an iterator, and returns their numbers.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// assert_eq!(store.append_all((0..1000u16).map(u16::to_le_bytes))?, 0..1000);
    /// assert_eq!(store.get(999), Some(&999u16.to_le_bytes()[..]));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::append`]. The records before the failed one stay appended.
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

    /// Makes all appended records durable, and visible to every
    /// [`ReadOnlyDatabase`](crate::ReadOnlyDatabase) and to handles that are opened later. From
    /// then on the records survive a power cut, as far as the file system allows.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] if the disk has no room for their checksums; [`ErrorKind::Io`] if the
    /// operating system reports an error. After a failed write or sync the handle is
    /// [poisoned](ErrorKind::Poisoned), and the file holds the state of an earlier flush.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    /// Removes the records from `count` on, durably. Does nothing if `count` is past the last
    /// record.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 2, 3])?;
    /// store.truncate(1)?;
    /// assert_eq!(store.count(), 1);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] if the store is not open for writing; [`ErrorKind::Locked`] while
    /// another handle has the store open for reading; [`ErrorKind::Unsupported`] if records have
    /// been deleted and a flush has counted the records to remove; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub fn truncate(&mut self, count: u64) -> Result<()> {
        self.file.truncate(count)
    }

    /// Starts an exclusive edit, which changes records in place and keeps all other handles out. In
    /// a store opened by [`Store::open_private`] only this handle sees the changes.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] if the store is open for reading only; [`ErrorKind::Locked`] while
    /// another handle has the store open; [`ErrorKind::InterruptedEdit`] after an edit through this
    /// handle panicked; [`ErrorKind::Io`] if the operating system reports an error.
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
    /// As [`Store::flush`]; the file then holds the state of an earlier flush. For a store from
    /// `CreateOptions::create_aside` also [`ErrorKind::AlreadyExists`] if its path is taken.
    pub fn close(self) -> Result<()> {
        self.file.close()
    }

    /// Whether the handles that write to the store maintain checksums of its records.
    pub(crate) fn has_checksums(&self) -> Result<bool> {
        let superblock = &self.file.superblock;
        let found = Checksums::look(&**superblock.backing(), superblock.header())?;
        Ok(matches!(found, Checksums::Present { .. }))
    }
}

impl<R: Record> Store<R> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// - [`ErrorKind::AlreadyExists`] if the path, or the name of one of its side files, is taken;
    /// - [`ErrorKind::Locked`] while another handle makes or writes a store at this path;
    /// - [`ErrorKind::NoSpace`] if the disk is full;
    /// - [`ErrorKind::NetworkFileSystem`] on a network file system;
    /// - [`ErrorKind::Unsupported`] for a native-endian type on a big-endian system;
    /// - [`ErrorKind::Io`] if the operating system reports another error.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_options().create(path)
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one if there is no
    /// file. Several threads and processes may call it at the same time:
    /// [`Database::open_or_create`](crate::Database::open_or_create) says what each finds.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, Store};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Start { at: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("starts.rec");
    /// for run in 0..3 {
    ///     let mut starts = Store::<Start>::open_or_create(&path).unwrap();
    ///     assert_eq!(starts.append(&Start { at: 1_357_000_000 + run }).unwrap(), run);
    ///     starts.close().unwrap();
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// - as [`Store::open`] if there is a file: it is never replaced or filled, even if it is empty
    ///   or not a store;
    /// - as [`Store::create`] if there is no file;
    /// - [`ErrorKind::NotFound`] for a symbolic link that leads to no file.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_options().open_or_create(path)
    }

    /// Makes a store in a file without a name, which ends when it is closed. It has no side files.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn temporary() -> Result<Self> {
        Self::create_options().temporary()
    }

    /// Copies the records from `first` on into `into`, until the records or the places end, and
    /// returns how many. Once [`install_fault_guard`](crate::install_fault_guard) was called, an
    /// unreadable page is an error here, while reading in place raises a signal: use it for files
    /// that another program may truncate, and on disks that may fail.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, Store};
    /// #[derive(Clone, Copy, Debug, Default, PartialEq, Record)]
    /// #[repr(C)]
    /// struct Point { x: u32, y: u32 }
    /// flatrec::install_fault_guard().unwrap();
    /// let mut store = Store::<Point>::temporary().unwrap();
    /// store.append_slice(&[Point { x: 1, y: 2 }; 100]).unwrap();
    /// let mut points = [Point::default(); 64];
    /// assert_eq!(store.copy_into(50, &mut points).unwrap(), 50);
    /// assert_eq!(points[49], Point { x: 1, y: 2 });
    /// assert_eq!(store.copy(99).unwrap(), Some(Point { x: 1, y: 2 }));
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if another program has truncated the file, with the number of the
    /// first missing record; [`ErrorKind::Io`] if the operating system cannot read a page and the
    /// guard is installed; [`ErrorKind::Deleted`] if one of the records is deleted;
    /// [`ErrorKind::Corrupt`] if a status byte is damaged. The content of `into` is unspecified
    /// after an error.
    pub fn copy_into(&self, first: u64, into: &mut [R]) -> Result<usize> {
        self.file.copy_packed(first, bytes_of_mut(into))
    }

    /// The records of a range as one slice, in place. `None` if the range ends past the records in
    /// the file, because appended records may stay in a buffer until the next flush. Always `None`
    /// in a store with deletes, because status bytes lie between its records.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, Store};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Point { x: u32, y: u32 }
    /// let mut store = Store::<Point>::temporary().unwrap();
    /// store.append_slice(&[Point { x: 1, y: 2 }; 100]).unwrap();
    /// store.flush().unwrap();
    /// let sum: u32 = store.slice(0..100).unwrap().iter().map(|point| point.x + point.y).sum();
    /// assert_eq!(sum, 300);
    /// # }
    /// ```
    pub fn slice(&self, ids: Range<u64>) -> Option<&[R]> {
        self.file.array.whole().slice(ids)
    }

    /// Appends records in order, and returns their numbers.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_slice(&mut self, records: &[R]) -> Result<Range<u64>> {
        self.file.append(bytes_of(records), records.len() as u64)
    }
}

impl DynStore {
    /// Makes a new, empty store at `path`, of records with this schema.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::create_options().create(path, schema)
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one of records with
    /// this schema if there is no file.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::open_or_create(&path, &schema)?.close()?;
    /// let other = Schema::packed([Field::new("m", DataType::UInt8)])?;
    /// let error = DynStore::open_or_create(&path, &other).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for a store of a Rust type; [`ErrorKind::SchemaMismatch`], which lists the fields that
    /// differ, if the file has another schema.
    pub fn open_or_create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::create_options().open_or_create(path, schema)
    }

    /// Makes a store in a file without a name, which ends when it is closed. It has no side files.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn temporary(schema: &Schema) -> Result<Self> {
        Self::create_options().temporary(schema)
    }

    /// Copies the bytes of the records from `first` on into `into`, packed, until the records or
    /// the room end, and returns how many records. Once
    /// [`install_fault_guard`](crate::install_fault_guard) was called, an unreadable page is an
    /// error here, while reading in place raises a signal.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 0, 2, 0, 3, 0])?;
    /// let mut bytes = [0; 100];
    /// assert_eq!(store.copy_into(1, &mut bytes)?, 2);
    /// assert_eq!(bytes[..4], [2, 0, 3, 0]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `into` is shorter than one record; as `copy_into` of a
    /// store of a Rust type.
    pub fn copy_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        self.file.copy_into(first, into)
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Store<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.file).finish()
    }
}
