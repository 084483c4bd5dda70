//! Opens and creates windowed stores as their options say.

use std::path::Path;

use super::{DynWindowedStore, WindowedStore};
use crate::array::Reading;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Record, Schema};
use crate::io::Access;
use crate::store::exclusive_file::ExclusiveFile;
#[cfg(doc)]
use crate::store::handle::Store;
use crate::txn::{Common, CreateOptions, OpenOptions, ReadOptions, Row};

/// How many bytes a windowed store maps at most by default: little beside the 2 GiB of a 32-bit
/// process.
const MAX_MAPPED_BYTES: u64 = 256 << 20;
/// The default size of a window: a scan maps a window per 1 MiB, and random reads find a place
/// among 256.
const WINDOW_BYTES: u64 = 1 << 20;

/// The settings of a windowed store that its caller has not set.
fn windowed() -> Common {
    let reading = Reading::Windowed { budget_bytes: MAX_MAPPED_BYTES, window_bytes: WINDOW_BYTES };
    Common { reading, ..Common::default() }
}

impl<R: Row + ?Sized> WindowedStore<R> {
    /// Options for opening a store by windows, to read and write.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// DynStore::create(&path, &Schema::packed([Field::new("n", DataType::UInt64)])?)?.close()?;
    /// let options = DynWindowedStore::options().max_mapped_bytes(8 << 20).window_bytes(64 << 10);
    /// let store = options.open(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options() -> OpenOptions<Self> {
        OpenOptions::new(windowed())
    }

    /// Options for opening a store by windows, to read.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// DynStore::create(&path, &Schema::packed([Field::new("n", DataType::UInt64)])?)?.close()?;
    /// let options = DynWindowedStore::read_options().max_mapped_bytes(8 << 20);
    /// let store = options.window_bytes(64 << 10).open_read_only(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_options() -> ReadOptions<Self> {
        ReadOptions::new(windowed())
    }

    /// Options for creating a store and opening it by windows, and for
    /// [`CreateOptions::open_or_create`].
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let options = DynWindowedStore::create_options().deletes(true).window_bytes(64 << 10);
    /// let mut store = options.create(directory.path().join("numbers.rec"), &schema)?;
    /// store.append(&7u64.to_le_bytes())?;
    /// assert_eq!(store.get(0)?.as_deref(), Some(&7u64.to_le_bytes()[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_options() -> CreateOptions<Self> {
        CreateOptions::new(windowed())
    }

    /// Opens the store at `path` for reading and writing, with the defaults of
    /// [`OpenOptions::max_mapped_bytes`] and [`OpenOptions::window_bytes`].
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let mut store = DynWindowedStore::open(&path)?;
    /// store.append_packed(&[7, 8])?;
    /// store.close()?;
    /// assert_eq!(DynWindowedStore::open_read_only(&path)?.copy(1)?.as_deref(), Some(&[8][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if one window does not fit into the budget; as
    /// [`Store::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Opens the store at `path` for reading: as [`WindowedStore::open`].
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// assert!(DynWindowedStore::open_read_only(&path)?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::open`] and [`Store::open_read_only`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_options().open_read_only(path)
    }
}

impl<R: Record> WindowedStore<R> {
    /// Makes a new, empty store at `path`, with the defaults of
    /// [`CreateOptions::max_mapped_bytes`] and [`CreateOptions::window_bytes`].
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, WindowedStore};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Tick { price: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("ticks.rec");
    /// let mut store = WindowedStore::<Tick>::create(&path).unwrap();
    /// store.append_all((0..1000).map(|price| Tick { price })).unwrap();
    /// assert_eq!(store.get(999).unwrap().unwrap().price, 999);
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if one window does not fit into the budget; as
    /// [`Store::create`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_options().create(path)
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one if there is no
    /// file: as [`Store::open_or_create`].
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, WindowedStore};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Tick { price: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("ticks.rec");
    /// for run in 0..3 {
    ///     let mut store = WindowedStore::<Tick>::open_or_create(&path).unwrap();
    ///     assert_eq!(store.append(&Tick { price: 7 }).unwrap(), run);
    ///     store.close().unwrap();
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if one window does not fit into the budget; as
    /// [`Store::open_or_create`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_options().open_or_create(path)
    }
}

impl DynWindowedStore {
    /// Makes a new, empty store at `path`, of records with this schema: as
    /// [`WindowedStore::create`].
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// assert_eq!(DynWindowedStore::create(&path, &schema)?.append(&[7])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::create`].
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::create_options().create(path, schema)
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one of records with
    /// this schema if there is no file: as [`WindowedStore::open_or_create`].
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// for run in 0..3 {
    ///     let mut store = DynWindowedStore::open_or_create(&path, &schema)?;
    ///     assert_eq!(store.append(&[7])?, run);
    ///     store.close()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::open_or_create`].
    pub fn open_or_create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::create_options().open_or_create(path, schema)
    }
}

impl<R: Row + ?Sized> OpenOptions<WindowedStore<R>> {
    /// Opens the store at `path` for reading and writing.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let mut store = DynWindowedStore::options().window_bytes(64 << 10).open(&path)?;
    /// assert_eq!(store.append(&[7])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<WindowedStore<R>> {
        open_at(path.as_ref(), Access::ReadWrite, self.schema.as_ref(), &self.common)
    }
}

impl<R: Row + ?Sized> ReadOptions<WindowedStore<R>> {
    /// Opens the store at `path` for reading.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let store = DynWindowedStore::read_options().window_bytes(64 << 10).open_read_only(&path)?;
    /// assert_eq!(store.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```compile_fail,E0599
    /// flatrec::DynWindowedStore::options().open_read_only("numbers.rec");
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::open`].
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<WindowedStore<R>> {
        open_at(path.as_ref(), Access::ReadOnly, self.schema.as_ref(), &self.common)
    }
}

fn open_at<R: Row + ?Sized>(
    path: &Path,
    access: Access,
    by_hand: Option<&Schema>,
    common: &Common,
) -> Result<WindowedStore<R>> {
    Ok(WindowedStore { file: ExclusiveFile::open(path, access, by_hand, common)? })
}

impl<R: Record> CreateOptions<WindowedStore<R>> {
    /// Makes a new, empty store at `path`.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, WindowedStore};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Tick { price: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("ticks.rec");
    /// let mut store =
    ///     WindowedStore::<Tick>::create_options().checksums(true).create(&path).unwrap();
    /// store.append(&Tick { price: 7 }).unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::create`]; [`ErrorKind::InvalidSchema`] if the schema given
    /// ([`CreateOptions::schema`]) does not fit `R`.
    pub fn create(self, path: impl AsRef<Path>) -> Result<WindowedStore<R>> {
        let by_hand = self.schema.as_ref();
        Ok(WindowedStore { file: ExclusiveFile::create(path.as_ref(), by_hand, &self.common)? })
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one with these
    /// options if there is no file. Of the settings that the file keeps, an existing store must
    /// agree with those that the caller has set.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Record, WindowedStore};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Tick { price: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("ticks.rec");
    /// let options = WindowedStore::<Tick>::create_options().window_bytes(64 << 10).deletes(true);
    /// options.clone().open_or_create(&path).unwrap().close().unwrap();
    /// assert!(options.open_or_create(&path).unwrap().is_empty());
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::open_or_create`]; [`ErrorKind::OptionsMismatch`], which names each
    /// difference, if the store was created with other options;
    /// [`ErrorKind::InvalidSchema`] if the schema given does not fit `R`.
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<WindowedStore<R>> {
        let (path, by_hand) = (path.as_ref(), self.schema.as_ref());
        Ok(WindowedStore { file: ExclusiveFile::open_or_create(path, by_hand, &self.common)? })
    }
}

impl CreateOptions<DynWindowedStore> {
    /// Makes a new, empty store at `path`, of records with this schema.
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let options = DynWindowedStore::create_options().checksums(true);
    /// assert_eq!(options.create(&path, &schema)?.append(&[7])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WindowedStore::create`].
    pub fn create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynWindowedStore> {
        let file = ExclusiveFile::create(path.as_ref(), Some(schema), &self.common)?;
        Ok(WindowedStore { file })
    }

    /// Opens the store at `path` for reading and writing, or makes a new, empty one with these
    /// options, of records with this schema, if there is no file. Of the settings that the file
    /// keeps, an existing store must agree with those that the caller has set.
    ///
    /// ```
    /// use flatrec::{DataType, DynWindowedStore, ErrorKind, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// # let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let options = DynWindowedStore::create_options().checksums(true);
    /// options.open_or_create(&path, &schema)?.close()?;
    /// let other = DynWindowedStore::create_options().checksums(false);
    /// let error = other.open_or_create(&path, &schema).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OptionsMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DynWindowedStore::open_or_create`]; [`ErrorKind::OptionsMismatch`], which names each
    /// difference, if the store was created with other options.
    pub fn open_or_create(
        self,
        path: impl AsRef<Path>,
        schema: &Schema,
    ) -> Result<DynWindowedStore> {
        let file = ExclusiveFile::open_or_create(path.as_ref(), Some(schema), &self.common)?;
        Ok(WindowedStore { file })
    }
}
