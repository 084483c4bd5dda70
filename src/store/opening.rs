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
use crate::txn::{CreateOptions, OpenOptions, Row};

#[allow(unsafe_code, reason = "only the caller knows what else changes a file")]
impl<R: Row + ?Sized> OpenOptions<Store<R>> {
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

    /// Opens the store in an open file. With `path`, it locks the inode if the system supports
    /// that. It uses no side files.
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
    pub unsafe fn from_file(
        self,
        file: File,
        path: Option<&Path>,
        access: Access,
    ) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::from_file(file, path, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }

    /// Opens the store in any backing.
    ///
    /// # Errors
    /// As [`Store::open`].
    ///
    /// # Safety
    /// The caller promises that nothing else changes the backing while the store is open, and that
    /// no other handle has it open as a store while this one is edited or truncated.
    pub unsafe fn over(self, backing: Arc<dyn Backing>, access: Access) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        // SAFETY: the caller has promised it.
        let file = unsafe { ExclusiveFile::over(backing, access, by_hand, &self.common) }?;
        Ok(Store { file })
    }

    fn open_with(self, path: &Path, access: Access) -> Result<Store<R>> {
        let by_hand = self.schema.as_ref();
        Ok(Store { file: ExclusiveFile::open(path, access, by_hand, &self.common)? })
    }
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
