//! Opens and creates stores as their options say.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::exclusive_file::ExclusiveFile;
use super::handle::{DynStore, Store};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Record, Schema};
use crate::io::{Access, Backing};
use crate::txn::{Common, CreateOptions, OpenOptions, ReadOptions, Row};

#[allow(unsafe_code, reason = "only the caller knows what else changes a file")]
impl<R: Row + ?Sized> OpenOptions<Store<R>> {
    /// Opens the store at `path` for reading and writing.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        open_at(path.as_ref(), Access::ReadWrite, self.schema.as_ref(), &self.common)
    }

    /// Opens the unfinished store that [`create_aside`](CreateOptions::create_aside) of `path` has
    /// left, with the records of its last flush. A crash or a power cut leaves one, and so does a
    /// drop after [`Store::keep_unfinished`]. The store appears at `path` when it is closed; if it
    /// is dropped before, it stays unfinished.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::create_options().create_aside(&path, &schema, false)?;
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
    /// [`ErrorKind::NotFound`] if there is no unfinished store; [`ErrorKind::AlreadyExists`] if the
    /// path is taken and `replace` is not set, or if the store under the temporary name is
    /// finished; [`ErrorKind::PermissionDenied`] if another user owns it;
    /// [`ErrorKind::InvalidArgument`] if it has other names; as [`Store::open`]. After an error the
    /// unfinished store stays.
    pub fn resume_aside(self, path: impl AsRef<Path>, replace: bool) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        let file = ExclusiveFile::resume_aside(path.as_ref(), by_hand, &self.common, replace)?;
        Ok(Store { file })
    }

    /// Opens the store in an open file for reading and writing. With `path`, it locks the inode if
    /// the system supports that; without, it has no lock to wait for. It uses no side files.
    ///
    /// ```
    /// # #![allow(unsafe_code)]
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let file = std::fs::File::options().read(true).write(true).open(&path)?;
    /// // SAFETY: nothing else changes the file.
    /// let mut store = unsafe { DynStore::options().from_file(file, Some(&path)) }?;
    /// store.append(&[7])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open`].
    ///
    /// # Safety
    /// The caller promises:
    ///
    /// - Without a path, and on Windows always, nothing else changes the file while the store is
    ///   open.
    /// - Except on Linux, no other handle has the file open as a store while this one is edited or
    ///   truncated.
    /// - The file is not a clone of one that another store uses, because clones share their locks.
    pub unsafe fn from_file(self, file: File, path: Option<&Path>) -> Result<Store<R>> {
        let (by_hand, access) = (self.schema.as_ref(), Access::ReadWrite);
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::from_file(file, path, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }

    /// Opens the store in any backing for reading and writing. The backing has no lock to wait for.
    ///
    /// ```
    /// # #![allow(unsafe_code)]
    /// use std::sync::Arc;
    /// use flatrec::map::FileBacking;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let backing = Arc::new(FileBacking::temporary(0)?);
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// // SAFETY: nothing else uses the backing.
    /// unsafe { DynStore::create_options().create_over(backing.clone(), &schema) }?.close()?;
    /// // SAFETY: as above.
    /// let mut store = unsafe { DynStore::options().over(backing) }?;
    /// store.append(&[7])?;
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open`].
    ///
    /// # Safety
    /// The caller promises that nothing else changes the backing while the store is open, and that
    /// no other handle has it open as a store while this one is edited or truncated.
    pub unsafe fn over(self, backing: Arc<dyn Backing>) -> Result<Store<R>> {
        let (by_hand, access) = (self.schema.as_ref(), Access::ReadWrite);
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::over(backing, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }
}

#[allow(unsafe_code, reason = "only the caller knows what else changes a file")]
impl<R: Row + ?Sized> ReadOptions<Store<R>> {
    /// Opens the store at `path` for reading.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema, Wait};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let store = DynStore::read_options().wait(Wait::Forever).open_read_only(&path)?;
    /// assert!(store.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Options of writing do not open a store for reading:
    ///
    /// ```compile_fail,E0599
    /// flatrec::DynStore::options().open_read_only("numbers.rec");
    /// ```
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        open_at(path.as_ref(), Access::ReadOnly, self.schema.as_ref(), &self.common)
    }

    /// Opens the store at `path` copy-on-write.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema, Wait};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::create(&path, &schema)?;
    /// store.append(&[1])?;
    /// store.close()?;
    /// let mut private = DynStore::read_options().wait(Wait::Forever).open_private(&path)?;
    /// private.edit()?.set(0, &[2])?;
    /// assert_eq!(private.get(0), Some(&[2][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```compile_fail,E0599
    /// flatrec::DynStore::options().open_private("numbers.rec");
    /// ```
    ///
    /// # Errors
    /// As [`Store::open_private`].
    pub fn open_private(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        open_at(path.as_ref(), Access::Private, self.schema.as_ref(), &self.common)
    }

    /// Opens the store in an open file for reading, as
    /// [`OpenOptions::from_file`](OpenOptions::<Store<R>>::from_file) does for writing.
    ///
    /// ```
    /// # #![allow(unsafe_code)]
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let file = std::fs::File::open(&path)?;
    /// // SAFETY: nothing else changes the file.
    /// let store = unsafe { DynStore::read_options().from_file(file, Some(&path)) }?;
    /// assert!(store.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    ///
    /// # Safety
    /// As for [`OpenOptions::from_file`](OpenOptions::<Store<R>>::from_file).
    pub unsafe fn from_file(self, file: File, path: Option<&Path>) -> Result<Store<R>> {
        let (by_hand, access) = (self.schema.as_ref(), Access::ReadOnly);
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::from_file(file, path, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }

    /// Opens the store in any backing for reading. The backing has no lock to wait for.
    ///
    /// ```
    /// # #![allow(unsafe_code)]
    /// use std::sync::Arc;
    /// use flatrec::map::FileBacking;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let backing = Arc::new(FileBacking::temporary(0)?);
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// // SAFETY: nothing else uses the backing.
    /// unsafe { DynStore::create_options().create_over(backing.clone(), &schema) }?.close()?;
    /// // SAFETY: as above.
    /// let store = unsafe { DynStore::read_options().over(backing) }?;
    /// assert!(store.is_empty());
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    ///
    /// # Safety
    /// As for [`OpenOptions::over`](OpenOptions::<Store<R>>::over).
    pub unsafe fn over(self, backing: Arc<dyn Backing>) -> Result<Store<R>> {
        let (by_hand, access) = (self.schema.as_ref(), Access::ReadOnly);
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::over(backing, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }
}

fn open_at<R: Row + ?Sized>(
    path: &Path,
    access: Access,
    by_hand: Option<&Schema>,
    common: &Common,
) -> Result<Store<R>> {
    Ok(Store { file: ExclusiveFile::open(path, access, by_hand, common)? })
}

#[allow(unsafe_code, reason = "only the caller knows what else changes a backing")]
impl<R: Row + ?Sized> CreateOptions<Store<R>> {
    fn make_aside(self, path: &Path, replace: bool) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        let file = ExclusiveFile::create_aside(path, by_hand, &self.common, replace)?;
        Ok(Store { file })
    }

    fn make(self, path: &Path) -> Result<Store<R>> {
        Ok(Store { file: ExclusiveFile::create(path, self.schema.as_ref(), &self.common)? })
    }

    fn open_or_make(self, path: &Path) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        Ok(Store { file: ExclusiveFile::open_or_create(path, by_hand, &self.common)? })
    }

    fn make_temporary(self) -> Result<Store<R>> {
        Ok(Store { file: ExclusiveFile::temporary(self.schema.as_ref(), &self.common)? })
    }

    unsafe fn make_over(self, backing: Arc<dyn Backing>) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::create_over(backing, by_hand, &self.common) }?;
        Ok(Store { file })
    }
}

#[allow(unsafe_code, reason = "only the caller knows what else changes a backing")]
impl<R: Record> CreateOptions<Store<R>> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Store::create`]; [`ErrorKind::InvalidSchema`] if the schema given
    /// ([`CreateOptions::schema`]) does not fit `R`. Only its own fits, or for a
    /// [`PodRecord`](crate::PodRecord) any of its size.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        self.make(path.as_ref())
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one with these
    /// options if there is no file. Of the settings that the file keeps, an existing store must
    /// agree with those that the caller has set.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{ErrorKind, Record, Store};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("counters.rec");
    /// let options = Store::<Counter>::create_options().deletes(true);
    /// options.open_or_create(&path).unwrap().close().unwrap();
    /// let other = Store::<Counter>::create_options().deletes(false);
    /// assert_eq!(other.open_or_create(&path).unwrap_err().kind(), ErrorKind::OptionsMismatch);
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Store::open_or_create`]; [`ErrorKind::OptionsMismatch`], which names each difference,
    /// if the store was created with other options; [`ErrorKind::InvalidSchema`] if the schema
    /// given does not fit `R`.
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<Store<R>> {
        self.open_or_make(path.as_ref())
    }

    /// Makes a new, empty store that appears at `path` when it is closed. If it is dropped before,
    /// it leaves nothing behind. With `replace` it replaces an existing store. A symbolic link at
    /// `path` is itself replaced, as by [`std::fs::rename`]: the store that it leads to stays.
    ///
    /// # Errors
    /// As [`CreateOptions::create`].
    pub fn create_aside(self, path: impl AsRef<Path>, replace: bool) -> Result<Store<R>> {
        self.make_aside(path.as_ref(), replace)
    }

    /// Makes a store in a file without a name, which ends when it is closed.
    ///
    /// # Errors
    /// As [`Store::temporary`]; [`ErrorKind::Unsupported`] with [`CreateOptions::checksums`].
    pub fn temporary(self) -> Result<Store<R>> {
        self.make_temporary()
    }

    /// Makes a new, empty store in an empty backing.
    ///
    /// # Errors
    /// As [`CreateOptions::create`].
    ///
    /// # Safety
    /// As for [`OpenOptions::over`](OpenOptions::<Store<R>>::over).
    pub unsafe fn create_over(self, backing: Arc<dyn Backing>) -> Result<Store<R>> {
        // SAFETY: the caller has promised it.
        unsafe { self.make_over(backing) }
    }
}

#[allow(unsafe_code, reason = "only the caller knows what else changes a backing")]
impl CreateOptions<DynStore> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`DynStore::create`].
    pub fn create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynStore> {
        self.of_schema(schema).make(path.as_ref())
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one with these
    /// options, of records with this schema, if there is no file. Of the settings that the file
    /// keeps, an existing store must agree with those that the caller has set.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let options = DynStore::create_options().metadata("version 1");
    /// options.open_or_create(&path, &schema)?.close()?;
    /// let other = DynStore::create_options().metadata("version 2");
    /// let error = other.open_or_create(&path, &schema).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OptionsMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DynStore::open_or_create`]; [`ErrorKind::OptionsMismatch`], which names each
    /// difference, if the store was created with other options.
    pub fn open_or_create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynStore> {
        self.of_schema(schema).open_or_make(path.as_ref())
    }

    /// Makes a new, empty store that appears at `path` when it is closed. If it is dropped before,
    /// it leaves nothing behind. With `replace` it replaces an existing store. A symbolic link at
    /// `path` is itself replaced, as by [`std::fs::rename`]: the store that it leads to stays.
    ///
    /// # Errors
    /// As [`CreateOptions::create`](CreateOptions::<DynStore>::create).
    pub fn create_aside(
        self,
        path: impl AsRef<Path>,
        schema: &Schema,
        replace: bool,
    ) -> Result<DynStore> {
        self.of_schema(schema).make_aside(path.as_ref(), replace)
    }

    /// Makes a store in a file without a name, which ends when it is closed.
    ///
    /// # Errors
    /// As [`DynStore::temporary`]; [`ErrorKind::Unsupported`] with [`CreateOptions::checksums`].
    pub fn temporary(self, schema: &Schema) -> Result<DynStore> {
        self.of_schema(schema).make_temporary()
    }

    /// Makes a new, empty store in an empty backing.
    ///
    /// # Errors
    /// As [`CreateOptions::create`](CreateOptions::<DynStore>::create).
    ///
    /// # Safety
    /// As for [`OpenOptions::over`](OpenOptions::<DynStore>::over).
    pub unsafe fn create_over(
        self,
        backing: Arc<dyn Backing>,
        schema: &Schema,
    ) -> Result<DynStore> {
        // SAFETY: the caller has promised it.
        unsafe { self.of_schema(schema).make_over(backing) }
    }

    fn of_schema(mut self, schema: &Schema) -> Self {
        self.schema = Some(schema.clone());
        self
    }
}
