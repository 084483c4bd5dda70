//! Stores whose schema is found in the file.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copies::Copies;
use super::edit::DynEdit;
use super::exclusive_file::ExclusiveFile;
use super::info::StoreInfo;
use super::records::{DynRecords, DynRecordsWithIds};
use crate::array::Reading;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Found, Schema};
use crate::io::{Access, Backing};
use crate::sums::Checksums;
use crate::txn::Options;

/// A store of records that are bytes, with fields by name from the schema in the file; otherwise as
/// [`Store`](crate::Store).
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
#[derive(Debug)]
pub struct DynStore {
    pub(crate) file: ExclusiveFile<u8>,
    record_len: usize,
}

impl DynStore {
    /// Options, for more than the defaults.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Store::create`](crate::Store::create).
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::options().create(path, schema)
    }

    /// Opens the store at `path` for reading and writing.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    /// As [`Store::open_read_only`](crate::Store::open_read_only).
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open_read_only(path)
    }

    /// Opens the store at `path` copy-on-write.
    ///
    /// # Errors
    /// As [`Store::open_private`](crate::Store::open_private).
    pub fn open_private(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open_private(path)
    }

    /// Makes a store in a file without a name, gone when it is closed.
    ///
    /// # Errors
    /// The system's.
    pub fn temporary(schema: &Schema) -> Result<Self> {
        Self::options().temporary(schema)
    }

    /// How many records there are, those appended and not yet flushed among them, and in a store
    /// with deletes the deleted ones: record numbers are below it.
    #[inline]
    pub fn count(&self) -> u64 {
        self.file.array.count()
    }

    /// How many records there are that are not deleted: [`DynStore::count`], but in a store with
    /// deletes.
    pub fn live_count(&self) -> u64 {
        self.file.live_count()
    }

    /// Whether there are none, or none that are not deleted.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// Whether a store that is made aside is kept if it is not closed, or closed in vain: as of its
    /// last flush, for [`Options::resume_aside`]. It is removed unless said.
    pub fn keep_unfinished(&mut self, keep: bool) {
        self.file.keep_unfinished(keep);
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.file.core.schema()
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
        self.file.core.metadata().get()
    }

    /// Where the store is; `None` for a temporary one.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.path()
    }

    /// The bytes of record `id`, in place; `None` past the last, for a record that was deleted, and
    /// for one whose status byte is damaged.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&[u8]> {
        self.file.record_bytes(id, self.record_len)
    }

    /// The bytes of record `id`, in place; `None` past the last, and for a record that was deleted.
    ///
    /// # Errors
    /// As [`Store::try_get`](crate::Store::try_get).
    pub fn try_get(&self, id: u64) -> Result<Option<&[u8]>> {
        Ok(match self.file.found(id)? {
            Found::Live => self.get(id),
            Found::Deleted | Found::PastTheLast => None,
        })
    }

    /// A copy of the bytes of record `id`, made as [`DynStore::read_into`] does; `None` past the
    /// last, and for a record that was deleted.
    ///
    /// # Errors
    /// As [`DynStore::read_into`], but for deleted records.
    pub fn try_read(&self, id: u64) -> Result<Option<Vec<u8>>> {
        let mut record = vec![0; self.record_len];
        Ok(self.file.read_one(id, &mut record)?.then_some(record))
    }

    /// Copies the bytes of the records from `first` on into `into`, one after the other, as many as
    /// there are and as it has room for, and returns how many records that were. What is a signal
    /// when records are read in place is an error here: see
    /// [`Store::read_into`](crate::Store::read_into).
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
    /// [`ErrorKind::InvalidArgument`] if `into` has no room for one record; as
    /// [`Store::read_into`](crate::Store::read_into).
    pub fn read_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        if into.len() < self.record_len {
            let detail =
                format!("{} bytes have no room for a record of {}", into.len(), self.record_len);
            let error = Error::new(ErrorKind::InvalidArgument, "read").detail(detail);
            return Err(self.file.core.name(error));
        }
        self.file.read_packed(first, into)
    }

    /// Copies of the records of a range with their numbers, in order, made chunk by chunk; deleted
    /// ones, and those past the last, are left out. The safe way through a file that others may cut
    /// or a disk that may fail.
    pub fn copies(&self, ids: Range<u64>) -> Copies<'_> {
        Copies::new(&self.file, ids)
    }

    /// The bytes of all records, in place and in order, but for deleted ones.
    pub fn iter(&self) -> DynRecords<'_> {
        self.range(0..self.count())
    }

    /// The bytes of the records of a range, in place and in order; deleted ones, and those past the
    /// last, are left out. So are those with a damaged status byte: [`DynStore::range_with_ids`]
    /// tells of them.
    pub fn range(&self, ids: Range<u64>) -> DynRecords<'_> {
        DynRecords::new(&self.file, ids, self.record_len)
    }

    /// The bytes of all records with their numbers, in place and in order, but for deleted ones.
    pub fn iter_with_ids(&self) -> DynRecordsWithIds<'_> {
        self.range_with_ids(0..self.count())
    }

    /// The bytes of the records of a range with their numbers: as
    /// [`Store::range_with_ids`](crate::Store::range_with_ids).
    pub fn range_with_ids(&self, ids: Range<u64>) -> DynRecordsWithIds<'_> {
        DynRecordsWithIds::new(&self.file, ids, self.record_len)
    }

    /// Appends one record, and returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `record` is not as long as a record; as
    /// [`Store::append`](crate::Store::append).
    pub fn append(&mut self, record: &[u8]) -> Result<u64> {
        if record.len() != self.record_len {
            return Err(self.misfit(record.len()));
        }
        self.file.append(record, 1).map(|ids| ids.start)
    }

    /// Appends records whose bytes follow one another, and returns their numbers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `records` is no whole number of records; as
    /// [`Store::append`](crate::Store::append).
    pub fn append_packed(&mut self, records: &[u8]) -> Result<Range<u64>> {
        if records.len() % self.record_len != 0 {
            return Err(self.misfit(records.len()));
        }
        let added = records.len() / self.record_len;
        self.file.append(records, added as u64)
    }

    /// Reserves disk space for so many records more.
    ///
    /// # Errors
    /// As [`Store::append`](crate::Store::append).
    pub fn reserve(&mut self, records: u64) -> Result<()> {
        self.file.reserve(records)
    }

    /// Makes all appended records durable, and counts them.
    ///
    /// # Errors
    /// As [`Store::flush`](crate::Store::flush).
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    /// Forgets the records from `count` on, durably.
    ///
    /// # Errors
    /// As [`Store::truncate`](crate::Store::truncate).
    pub fn truncate(&mut self, count: u64) -> Result<()> {
        self.file.truncate(count)
    }

    /// Starts an exclusive edit: changes in place, with every other handle shut out.
    ///
    /// # Errors
    /// As [`Store::edit`](crate::Store::edit).
    pub fn edit(&mut self) -> Result<DynEdit<'_>> {
        DynEdit::begin(&mut self.file)
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
    /// As [`Store::close`](crate::Store::close).
    pub fn close(self) -> Result<()> {
        self.file.close()
    }

    /// Whether whoever writes to the store keeps checksums of its records.
    pub(crate) fn has_checksums(&self) -> Result<bool> {
        let core = &self.file.core;
        let found = Checksums::look(&**core.backing(), core.header())?;
        Ok(matches!(found, Checksums::Present { .. }))
    }

    fn over(file: ExclusiveFile<u8>) -> Result<Self> {
        let size = file.core.schema().record_size();
        let record_len = usize::try_from(size)
            .map_err(|_| Error::new(ErrorKind::OutOfRange, "open").detail("record too large"))?;
        Ok(Self { file, record_len })
    }

    fn misfit(&self, len: usize) -> Error {
        self.file.core.name(
            Error::new(ErrorKind::InvalidArgument, "append")
                .detail(format!("{len} bytes are no whole records of {}", self.record_len)),
        )
    }
}

/// Any schema will do for records that are bytes.
fn any(_: &Schema) -> Result<()> {
    Ok(())
}

#[allow(unsafe_code, reason = "records of bytes suit every schema")]
impl Options<DynStore> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`DynStore::create`].
    pub fn create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynStore> {
        // SAFETY: the record type is `u8`.
        DynStore::over(unsafe { ExclusiveFile::create(path.as_ref(), schema, &self.common) }?)
    }

    /// Makes a new, empty store that appears at `path` when it is closed; dropped before that, it
    /// leaves nothing behind. With `replace` it takes the place of a store that is there. A link at
    /// `path` is replaced itself, as [`std::fs::rename`] does: the store that it leads to
    /// stays.
    ///
    /// # Errors
    /// As [`DynStore::create`].
    pub fn create_aside(
        self,
        path: impl AsRef<Path>,
        schema: &Schema,
        replace: bool,
    ) -> Result<DynStore> {
        // SAFETY: the record type is `u8`.
        let file =
            unsafe { ExclusiveFile::create_aside(path.as_ref(), schema, &self.common, replace) };
        DynStore::over(file?)
    }

    /// Opens what was left by a [`create_aside`](Options::create_aside) of `path` that was cut off,
    /// by a kill or a power cut or because [`DynStore::keep_unfinished`] said so: the store with
    /// the records of its last flush, to be finished. It appears at `path` when it is closed, and
    /// stays unfinished when it is dropped before that.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::options().create_aside(&path, &schema, false)?;
    /// store.keep_unfinished(true);
    /// store.append_packed(&[0, 1, 2])?;
    /// store.flush()?;
    /// store.append(&[3])?;
    /// drop(store); // as a kill would
    /// assert!(!path.exists());
    ///
    /// let mut store = DynStore::options().resume_aside(&path, false)?;
    /// assert_eq!(store.count(), 3);
    /// store.append(&[9])?;
    /// store.close()?;
    /// assert_eq!(DynStore::open_read_only(&path)?.get(3), Some(&[9][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is nothing to resume; [`ErrorKind::AlreadyExists`] without
    /// `replace` if there is something at `path`, and if the store that would be resumed is a
    /// finished one; [`ErrorKind::PermissionDenied`] if it is another user's, and
    /// [`ErrorKind::InvalidArgument`] if it has other names; those of [`DynStore::open`]. What was
    /// left stays.
    pub fn resume_aside(self, path: impl AsRef<Path>, replace: bool) -> Result<DynStore> {
        // SAFETY: the record type is `u8`.
        DynStore::over(unsafe {
            ExclusiveFile::resume_aside(path.as_ref(), &self.common, replace, any)
        }?)
    }

    /// Opens the store at `path` for reading and writing.
    ///
    /// # Errors
    /// As [`DynStore::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<DynStore> {
        self.open_with(path.as_ref(), Access::ReadWrite)
    }

    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    /// As [`DynStore::open_read_only`].
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<DynStore> {
        self.open_with(path.as_ref(), Access::ReadOnly)
    }

    /// Opens the store at `path` copy-on-write.
    ///
    /// # Errors
    /// As [`DynStore::open_private`].
    pub fn open_private(self, path: impl AsRef<Path>) -> Result<DynStore> {
        self.open_with(path.as_ref(), Access::Private)
    }

    /// Makes a store in a file without a name.
    ///
    /// # Errors
    /// As [`DynStore::temporary`].
    pub fn temporary(self, schema: &Schema) -> Result<DynStore> {
        // SAFETY: the record type is `u8`.
        DynStore::over(unsafe { ExclusiveFile::temporary(schema, &self.common) }?)
    }

    /// Opens the store in a file that is open already. Given its path, the inode is locked, where
    /// the system can do that; there are no side files.
    ///
    /// # Errors
    /// As [`DynStore::open`].
    ///
    /// # Safety
    /// Where no path is given, and on Windows in any case, nobody else changes the file while the
    /// store is open; elsewhere than on Linux nobody has it open as a store while this one is
    /// edited or truncated. The file is no clone of one that another store has: clones share their
    /// locks.
    pub unsafe fn from_file(
        self,
        file: File,
        path: Option<&Path>,
        access: Access,
    ) -> Result<DynStore> {
        // SAFETY: the caller's promise, and the record type is `u8`.
        DynStore::over(unsafe { ExclusiveFile::from_file(file, path, access, &self.common, any) }?)
    }

    /// Opens the store in any backing.
    ///
    /// # Errors
    /// As [`DynStore::open`].
    ///
    /// # Safety
    /// Nobody else changes the backing while the store is open, nor has it open as a store while
    /// this one is edited or truncated.
    pub unsafe fn over(self, backing: Arc<dyn Backing>, access: Access) -> Result<DynStore> {
        // SAFETY: the caller's promise, and the record type is `u8`.
        let file =
            unsafe { ExclusiveFile::over(backing, access, Reading::Whole, &self.common, any) }?;
        DynStore::over(file)
    }

    /// Makes a new, empty store in a backing that has no bytes yet.
    ///
    /// # Errors
    /// As [`DynStore::create`].
    ///
    /// # Safety
    /// Nobody else changes the backing while the store is open, nor has it open as a store while
    /// this one is edited or truncated.
    pub unsafe fn create_over(
        self,
        backing: Arc<dyn Backing>,
        schema: &Schema,
    ) -> Result<DynStore> {
        // SAFETY: the caller's promise, and the record type is `u8`.
        DynStore::over(unsafe { ExclusiveFile::create_over(backing, schema, &self.common) }?)
    }

    fn open_with(self, path: &Path, access: Access) -> Result<DynStore> {
        // SAFETY: the record type is `u8`.
        let file = unsafe { ExclusiveFile::open(path, access, Reading::Whole, &self.common, any) }?;
        DynStore::over(file)
    }
}
