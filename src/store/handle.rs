//! Stores that are mapped whole: of a Rust type, or of a schema found in the file.

use std::borrow::Borrow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::copies::{CHUNK_BYTES, Copies};
use super::edit::Edit;
use super::exclusive_file::ExclusiveFile;
use super::info::StoreInfo;
use super::records::{Records, RecordsWithIds};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Found, Record, Schema, bytes_of, bytes_of_mut};
use crate::sums::Checksums;
use crate::txn::{Options, Row};

/// A store of records of type `R`, or of bytes ([`DynStore`]): one flat file, mapped, records found
/// by number.
///
/// Reading lends records in place. Appended records are seen by this handle at once; they become
/// durable, and counted for everybody else, together at [`Store::flush`] or [`Store::close`]: a
/// crash leaves the state of the last flush. Dropping a store closes it too, but cannot report
/// errors.
///
/// One handle at a time writes; any number read beside it, each the records there were when it was
/// opened. A `Store` is `Send` and `Sync`: threads read it together.
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
/// assert_eq!(store.iter().filter(|reading| reading.celsius > 20.0).count(), 1);
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
    /// Options, for more than the defaults.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Opens the store at `path` for reading and writing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::NotAStore`], [`ErrorKind::UnsupportedFormat`],
    /// [`ErrorKind::Corrupt`] and [`ErrorKind::Truncated`] for what the file holds;
    /// [`ErrorKind::SchemaMismatch`], which says field by field what differs; [`ErrorKind::Locked`]
    /// while another handle writes; [`ErrorKind::InterruptedEdit`]; the system's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Opens the store at `path` for reading: the records there are now, whatever a writer appends
    /// later.
    ///
    /// # Errors
    /// As [`Store::open`]; [`ErrorKind::Locked`] only while an exclusive edit is under way.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open_read_only(path)
    }

    /// Opens the store at `path` copy-on-write: [`Store::edit`] changes what this handle sees, and
    /// never the file.
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open_private(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open_private(path)
    }

    /// How many records there are, those appended and not yet flushed among them, and in a store
    /// with deletes the deleted ones: record numbers are below it.
    #[inline]
    pub fn count(&self) -> u64 {
        self.file.array.count()
    }

    /// How many records there are that are not deleted: [`Store::count`], but in a store with
    /// deletes.
    pub fn live_count(&self) -> u64 {
        self.file.live_count()
    }

    /// Whether there are none, or none that are not deleted.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// Whether a store that is made aside is kept if it is not closed, or if closing it fails: as
    /// of its last flush, for [`Options::resume_aside`]. Such a store is removed by default.
    pub fn keep_unfinished(&mut self, keep: bool) {
        self.file.keep_unfinished(keep);
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.file.superblock.schema()
    }

    /// The bytes that the store was created with by [`Options::metadata`]. They are read from the
    /// file when they are asked for first; [`StoreInfo::metadata_len_bytes`](crate::StoreInfo) says
    /// how many they are.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if they do not fit in this process's memory;
    /// [`ErrorKind::Corrupt`] if they are not what they were when the store was opened; the
    /// system's.
    pub fn metadata(&self) -> Result<&[u8]> {
        self.file.superblock.metadata().get()
    }

    /// Where the store is; `None` for a temporary one.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.path()
    }

    /// Record `id`, in place: one comparison, one multiply, one add. `None` past the last, and for
    /// a record that was deleted (in a store with deletes its status byte is looked at too), or
    /// whose status byte is damaged: [`Store::try_get`] tells these apart.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&R> {
        self.file.record(id)
    }

    /// Record `id`, in place; `None` past the last, and for a record that was deleted.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the record's status byte says neither that it lives nor that it is
    /// deleted.
    pub fn try_get(&self, id: u64) -> Result<Option<&R>> {
        Ok(match self.file.found(id)? {
            Found::Live => self.get(id),
            Found::Deleted | Found::PastTheLast => None,
        })
    }

    /// A copy of record `id`; `None` as for [`Store::get`].
    #[inline]
    pub fn read(&self, id: u64) -> Option<R::Owned> {
        self.get(id).map(R::to_owned)
    }

    /// A copy of record `id`, made as [`Store::read_into`] does; `None` as for [`Store::get`].
    ///
    /// # Errors
    /// As [`Store::read_into`], but for deleted records.
    pub fn try_read(&self, id: u64) -> Result<Option<R::Owned>> {
        self.file.try_read(id)
    }

    /// Copies of the records of a range with their numbers, in order, made chunk by chunk; deleted
    /// ones, and those past the last, are left out. The safe way through a file that others may cut
    /// or a disk that may fail.
    pub fn copies(&self, ids: Range<u64>) -> Copies<'_, R> {
        Copies::new(&self.file, ids, CHUNK_BYTES)
    }

    /// All records, in place and in order, but for deleted ones.
    pub fn iter(&self) -> Records<'_, R> {
        self.range(0..self.count())
    }

    /// The records of a range, in place and in order; deleted ones, and those past the last, are
    /// left out. So are those with a damaged status byte: [`Store::range_with_ids`] tells of them.
    pub fn range(&self, ids: Range<u64>) -> Records<'_, R> {
        Records::new(&self.file, ids)
    }

    /// All records with their numbers, in place and in order, but for deleted ones.
    pub fn iter_with_ids(&self) -> RecordsWithIds<'_, R> {
        self.range_with_ids(0..self.count())
    }

    /// The records of a range with their numbers, in place and in order; deleted ones, and those
    /// past the last, are left out. A record whose status byte is damaged is an
    /// [`ErrorKind::Corrupt`]; the ones after it follow.
    pub fn range_with_ids(&self, ids: Range<u64>) -> RecordsWithIds<'_, R> {
        RecordsWithIds::new(&self.file, ids)
    }

    /// Appends one record, and returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`]; [`ErrorKind::NoSpace`], with nothing changed;
    /// [`ErrorKind::Poisoned`] after a failed write; [`ErrorKind::InvalidArgument`] for bytes that
    /// are not as many as a record's; the system's.
    #[inline]
    pub fn append(&mut self, record: &R) -> Result<u64> {
        self.file.append_record(record)
    }

    /// Appends records whose bytes follow one another, and returns their numbers.
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
    /// As [`Store::append`]; the records before the one that failed are appended then.
    pub fn append_all(
        &mut self,
        records: impl IntoIterator<Item = impl Borrow<R>>,
    ) -> Result<Range<u64>> {
        self.file.append_all(records)
    }

    /// Reserves disk space for so many records more.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn reserve(&mut self, records: u64) -> Result<()> {
        self.file.reserve(records)
    }

    /// Makes all appended records durable, and counts them: after this they survive a power cut.
    ///
    /// # Errors
    /// The system's; the handle is poisoned then, and the file holds the state of an earlier flush.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    /// Forgets the records from `count` on, durably. With `count` past the last it does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`]; [`ErrorKind::Locked`] while another handle has the store open to
    /// read; [`ErrorKind::Unsupported`] if records have been deleted, when only those that were
    /// not flushed yet can be forgotten; the system's.
    pub fn truncate(&mut self, count: u64) -> Result<()> {
        self.file.truncate(count)
    }

    /// Starts an exclusive edit: changes in place, with every other handle shut out. In a store
    /// opened by [`Store::open_private`] the changes are this handle's alone.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`]; [`ErrorKind::Locked`] while another handle has the store open; the
    /// system's.
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
    /// The system's; the file then holds the state of an earlier flush.
    pub fn close(self) -> Result<()> {
        self.file.close()
    }

    /// Whether the handles that write to the store keep checksums of its records.
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
    /// [`ErrorKind::AlreadyExists`], [`ErrorKind::Locked`], [`ErrorKind::NoSpace`],
    /// [`ErrorKind::NetworkFileSystem`], [`ErrorKind::Unsupported`] for a native-endian type on a
    /// big-endian system; the system's.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().create(path)
    }

    /// Makes a store in a file without a name, gone when it is closed; it has no side files.
    ///
    /// # Errors
    /// The system's.
    pub fn temporary() -> Result<Self> {
        Self::options().temporary()
    }

    /// Copies the records from `first` on into `into`, as many as there are and as it has places,
    /// and returns how many. For files on disks that may fail, or that others may cut: what is a
    /// signal when records are read in place is an error here, once the guard is installed
    /// ([`install_fault_guard`](crate::install_fault_guard)).
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
    /// assert_eq!(store.read_into(50, &mut points).unwrap(), 50);
    /// assert_eq!(points[49], Point { x: 1, y: 2 });
    /// assert_eq!(store.try_read(99).unwrap(), Some(Point { x: 1, y: 2 }));
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the file has been cut since it was opened, naming the first
    /// record that it does not have; the system's if it cannot read a page, with the guard
    /// installed; [`ErrorKind::Deleted`] if one of the records was deleted;
    /// [`ErrorKind::Corrupt`] if one's status byte is damaged. What `into` holds then is not said.
    pub fn read_into(&self, first: u64, into: &mut [R]) -> Result<usize> {
        self.file.read_packed(first, bytes_of_mut(into))
    }

    /// The records of a range as one slice, in place. `None` if the range reaches past the records
    /// in the file (those appended since the last flush may still be in a buffer), and in a store
    /// with deletes, whose records have status bytes between them.
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
        Self::options().create(path, schema)
    }

    /// Makes a store in a file without a name, gone when it is closed.
    ///
    /// # Errors
    /// The system's.
    pub fn temporary(schema: &Schema) -> Result<Self> {
        Self::options().temporary(schema)
    }

    /// Copies the bytes of the records from `first` on into `into`, one after the other, as many as
    /// there are and as it has room for, and returns how many records that were. What is a signal
    /// when records are read in place is an error here, once the guard is installed
    /// ([`install_fault_guard`](crate::install_fault_guard)).
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 0, 2, 0, 3, 0])?;
    /// let mut bytes = [0; 100];
    /// assert_eq!(store.read_into(1, &mut bytes)?, 2);
    /// assert_eq!(bytes[..4], [2, 0, 3, 0]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `into` has no room for one record; as `read_into` of a
    /// store of a Rust type.
    pub fn read_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        self.file.read_bytes_into(first, into)
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Store<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.file).finish()
    }
}
