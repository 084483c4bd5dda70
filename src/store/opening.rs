//! The options of stores: making them and opening them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::exclusive_file::ExclusiveFile;
use super::handle::{DynStore, Store};
use crate::array::Reading;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Record, Schema};
use crate::io::{Access, Backing};
use crate::txn::{Options, Row};

#[allow(unsafe_code, reason = "what else changes a file is the caller's to know")]
impl<R: Row + ?Sized> Options<Store<R>> {
    /// Opens the store at `path` for reading and writing.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        self.open_with(path.as_ref(), Access::ReadWrite)
    }

    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        self.open_with(path.as_ref(), Access::ReadOnly)
    }

    /// Opens the store at `path` copy-on-write.
    ///
    /// # Errors
    /// As [`Store::open_private`].
    pub fn open_private(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        self.open_with(path.as_ref(), Access::Private)
    }

    /// Opens what was left by a [`create_aside`](Options::create_aside) of `path` that was cut off,
    /// by a kill or a power cut or because [`Store::keep_unfinished`] said so: the store with
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
    /// [`ErrorKind::InvalidArgument`] if it has other names; those of [`Store::open`]. What was
    /// left stays.
    pub fn resume_aside(self, path: impl AsRef<Path>, replace: bool) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        let file = ExclusiveFile::resume_aside(path.as_ref(), by_hand, &self.common, replace)?;
        Ok(Store { file })
    }

    /// Opens the store in a file that is open already. Given its path, the inode is locked, where
    /// the system can do that; there are no side files.
    ///
    /// # Errors
    /// As [`Store::open`].
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
    ) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        // SAFETY: the caller's promise.
        let file = unsafe { ExclusiveFile::from_file(file, path, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }

    /// Opens the store in any backing, or makes one there if it has no bytes and the schema is
    /// known: the type's own, or one that [`Options::schema`] gives.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::create`].
    ///
    /// # Safety
    /// Nobody else changes the backing while the store is open, nor has it open as a store while
    /// this one is edited or truncated.
    pub unsafe fn over(self, backing: Arc<dyn Backing>, access: Access) -> Result<Store<R>> {
        let (by_hand, common) = (self.schema.as_ref(), &self.common);
        let is_new = access == Access::ReadWrite && backing.len_bytes()? == 0;
        let file = if is_new && R::schema_to_create(by_hand)?.is_some() {
            // SAFETY: the caller's promise.
            unsafe { ExclusiveFile::create_over(backing, by_hand, common) }?
        } else {
            // SAFETY: the caller's promise.
            unsafe { ExclusiveFile::over(backing, access, Reading::Whole, by_hand, common) }?
        };
        Ok(Store { file })
    }

    fn open_with(self, path: &Path, access: Access) -> Result<Store<R>> {
        Ok(Store { file: self.open_file(path, access, Reading::Whole)? })
    }

    pub(super) fn open_file(
        self,
        path: &Path,
        access: Access,
        reading: Reading,
    ) -> Result<ExclusiveFile<R>> {
        ExclusiveFile::open(path, access, reading, self.schema.as_ref(), &self.common)
    }

    fn make_aside(self, path: &Path, replace: bool) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        let file = ExclusiveFile::create_aside(path, by_hand, &self.common, replace)?;
        Ok(Store { file })
    }

    fn make(self, path: &Path) -> Result<Store<R>> {
        Ok(Store { file: ExclusiveFile::create(path, self.schema.as_ref(), &self.common)? })
    }

    fn make_temporary(self) -> Result<Store<R>> {
        Ok(Store { file: ExclusiveFile::temporary(self.schema.as_ref(), &self.common)? })
    }

    unsafe fn make_over(self, backing: Arc<dyn Backing>) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        // SAFETY: the caller's promise.
        let file = unsafe { ExclusiveFile::create_over(backing, by_hand, &self.common) }?;
        Ok(Store { file })
    }
}

#[allow(unsafe_code, reason = "what else changes a backing is the caller's to know")]
impl<R: Record> Options<Store<R>> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Store::create`]; [`ErrorKind::InvalidSchema`] if the schema given by hand is not one
    /// of `R`: its own, or for a [`PodRecord`](crate::PodRecord) any of its size.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        self.make(path.as_ref())
    }

    /// Makes a new, empty store that appears at `path` when it is closed; dropped before that, it
    /// leaves nothing behind. With `replace` it takes the place of a store that is there. A link at
    /// `path` is replaced itself, as [`std::fs::rename`] does: the store that it leads to
    /// stays.
    ///
    /// # Errors
    /// As [`Options::create`].
    pub fn create_aside(self, path: impl AsRef<Path>, replace: bool) -> Result<Store<R>> {
        self.make_aside(path.as_ref(), replace)
    }

    /// Makes a store in a file without a name.
    ///
    /// # Errors
    /// As [`Store::temporary`].
    pub fn temporary(self) -> Result<Store<R>> {
        self.make_temporary()
    }

    /// Makes a new, empty store in a backing that has no bytes yet.
    ///
    /// # Errors
    /// As [`Options::create`].
    ///
    /// # Safety
    /// As for [`Options::over`](Options::<Store<R>>::over).
    pub unsafe fn create_over(self, backing: Arc<dyn Backing>) -> Result<Store<R>> {
        // SAFETY: the caller's promise.
        unsafe { self.make_over(backing) }
    }
}

#[allow(unsafe_code, reason = "what else changes a backing is the caller's to know")]
impl Options<DynStore> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`DynStore::create`]; [`ErrorKind::SchemaMismatch`] if [`Options::schema`] has given
    /// another schema.
    pub fn create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynStore> {
        self.of_schema(schema)?.make(path.as_ref())
    }

    /// Makes a new, empty store that appears at `path` when it is closed; dropped before that, it
    /// leaves nothing behind. With `replace` it takes the place of a store that is there. A link at
    /// `path` is replaced itself, as [`std::fs::rename`] does: the store that it leads to
    /// stays.
    ///
    /// # Errors
    /// As [`Options::create`](Options::<DynStore>::create).
    pub fn create_aside(
        self,
        path: impl AsRef<Path>,
        schema: &Schema,
        replace: bool,
    ) -> Result<DynStore> {
        self.of_schema(schema)?.make_aside(path.as_ref(), replace)
    }

    /// Makes a store in a file without a name.
    ///
    /// # Errors
    /// As [`DynStore::temporary`].
    pub fn temporary(self, schema: &Schema) -> Result<DynStore> {
        self.of_schema(schema)?.make_temporary()
    }

    /// Makes a new, empty store in a backing that has no bytes yet.
    ///
    /// # Errors
    /// As [`Options::create`](Options::<DynStore>::create).
    ///
    /// # Safety
    /// As for [`Options::over`](Options::<DynStore>::over).
    pub unsafe fn create_over(
        self,
        backing: Arc<dyn Backing>,
        schema: &Schema,
    ) -> Result<DynStore> {
        // SAFETY: the caller's promise.
        unsafe { self.of_schema(schema)?.make_over(backing) }
    }

    /// The same options, of stores with this schema; an error if another was asked for.
    fn of_schema(self, schema: &Schema) -> Result<Self> {
        if let Some(wanted) = &self.schema {
            wanted.check_found(schema)?;
        }
        Ok(self.schema(schema.clone()))
    }
}
