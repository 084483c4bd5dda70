//! Opens and creates databases as their options say.

use std::path::Path;
use std::sync::Arc;

use super::{Database, DynDatabase};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::{Record, Schema};
use crate::io::{Access, Backing, TemporaryBacking};
use crate::store::ExclusiveFile;
use crate::txn::open_or_create::{check_created_as, open_or_create};
use crate::txn::opening::{Opening, refuse_network_unless};
use crate::txn::{
    Common, CreateOptions, Locks, OpenOptions, Row, Superblock, check_sums_possible, create_sums,
    wanted_schema,
};

impl<R: Record> Database<R> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Store::create`](crate::Store::create).
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_options().create(path)
    }

    /// Opens the store at `path` to read and write, or makes a new, empty one if there is no file.
    ///
    /// Of several threads and processes that call it at the same time, one makes the store. The
    /// others find the file that it made, and open that one. As one handle at a time can write,
    /// they fail with [`ErrorKind::Locked`], or wait as [`CreateOptions::wait`] says. A process
    /// that is killed during the call leaves no store, or a whole one.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Start { at: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("starts.rec");
    /// for run in 0..3 {
    ///     let starts = Database::<Start>::open_or_create(&path).unwrap();
    ///     assert_eq!(starts.begin_read().unwrap().count(), run);
    ///     let mut transaction = starts.begin_write().unwrap();
    ///     transaction.append(&Start { at: 1_357_000_000 + run }).unwrap();
    ///     transaction.commit(Durability::Immediate).unwrap();
    ///     starts.close().unwrap();
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// - as [`Database::open`] if there is a file: it is never replaced or filled, even if it is
    ///   empty or not a store;
    /// - as [`Database::create`] if there is no file;
    /// - [`ErrorKind::NotFound`] for a symbolic link that leads to no file.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_options().open_or_create(path)
    }

    /// Makes a database without a name: its data and its log lie in files without names in the
    /// directory for temporary files, and no other process can open them. They are gone when the
    /// database is closed or dropped, and when the process is killed.
    ///
    /// Transactions, snapshots and checkpoints work as in any database. A commit survives nothing
    /// ([`Survives::Nothing`](crate::Survives)), and so syncs nothing, whatever its durability.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record, Survives};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Hit { page: u64 }
    /// let hits = Database::<Hit>::temporary().unwrap();
    /// let mut transaction = hits.begin_write().unwrap();
    /// transaction.append(&Hit { page: 7 }).unwrap();
    /// let receipt = transaction.commit(Durability::Eventual).unwrap();
    /// assert_eq!(receipt.survives(), Survives::Nothing);
    /// assert_eq!(hits.begin_read().unwrap().get(0).unwrap().page, 7);
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] if the disk is full; [`ErrorKind::Unsupported`] for a native-endian
    /// type on a big-endian system; [`ErrorKind::Io`] if the operating system reports another
    /// error.
    pub fn temporary() -> Result<Self> {
        Self::create_options().temporary()
    }
}

impl DynDatabase {
    /// Makes a new, empty store at `path` for records with this schema.
    ///
    /// # Errors
    /// As [`DynStore::create`](crate::DynStore::create).
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::create_options().create(path, schema)
    }

    /// Opens the store at `path` to read and write, or makes a new, empty one for records with this
    /// schema if there is no file. Several threads and processes may call it at the same time, as
    /// for a database of a Rust type.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, ErrorKind, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynDatabase::open_or_create(&path, &schema)?.close()?; // creates it
    /// DynDatabase::open_or_create(&path, &schema)?.close()?; // opens it
    ///
    /// let other = Schema::packed([Field::new("m", DataType::UInt16)])?;
    /// let error = DynDatabase::open_or_create(&path, &other).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - as [`Database::open`] if there is a file, and [`ErrorKind::SchemaMismatch`], which lists
    ///   the fields that differ, if it has another schema;
    /// - as [`DynDatabase::create`] if there is no file;
    /// - [`ErrorKind::NotFound`] for a symbolic link that leads to no file.
    pub fn open_or_create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::create_options().open_or_create(path, schema)
    }

    /// Makes a database without a name, of records with this schema. It is gone when it is closed
    /// or dropped, and when the process is killed, and a commit survives nothing.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let numbers = DynDatabase::temporary(&schema)?;
    /// let mut transaction = numbers.begin_write()?;
    /// transaction.append(&[7])?;
    /// transaction.commit(Durability::Eventual)?;
    /// assert_eq!((numbers.begin_read()?.count(), numbers.path()), (1, None));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] if the disk is full; [`ErrorKind::Io`] if the operating system
    /// reports another error.
    pub fn temporary(schema: &Schema) -> Result<Self> {
        Self::create_options().temporary(schema)
    }
}

impl<R: Row + ?Sized> OpenOptions<Database<R>> {
    /// Opens the store at `path` to read and write.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Database<R>> {
        let opening = Opening::at(path.as_ref(), Access::ReadWrite, &self.common)?;
        Database::of(opening, self.schema.as_ref(), &self.common)
    }

    /// Opens the store in any backing; its log lies beside it ([`Backing::open_side`]). The backing
    /// has no lock to wait for.
    ///
    /// # Errors
    /// As [`Database::open`].
    ///
    /// # Safety
    /// The caller promises that nothing else changes the backing or the files beside it while the
    /// store is open, and that no other handle has it open as a store.
    #[allow(unsafe_code, reason = "only the caller knows what else uses the backing")]
    pub unsafe fn over(self, backing: Arc<dyn Backing>) -> Result<Database<R>> {
        refuse_network_unless(&self.common, &*backing, "open for writing")?;
        Database::of(Opening::over(backing)?, self.schema.as_ref(), &self.common)
    }
}

impl<R: Record> CreateOptions<Database<R>> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Database::create`]; [`ErrorKind::InvalidSchema`] if the schema given
    /// ([`CreateOptions::schema`]) does not fit `R`.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Database<R>> {
        let schema = wanted_schema::<R>(self.schema.as_ref())?;
        create_at(path.as_ref(), &schema, &self.common)
    }

    /// Opens the store at `path` to read and write, or makes a new, empty one with these options if
    /// there is no file. Of the settings that the file keeps, an existing store must agree with
    /// those that the caller has set.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, ErrorKind, Record};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("counters.rec");
    /// let options = Database::<Counter>::create_options().deletes(true);
    /// options.clone().open_or_create(&path).unwrap().close().unwrap(); // creates it
    /// options.open_or_create(&path).unwrap().close().unwrap(); // opens it
    ///
    /// let error = Database::<Counter>::create_options()
    ///     .deletes(false)
    ///     .metadata("version 2")
    ///     .open_or_create(&path)
    ///     .unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OptionsMismatch);
    /// assert!(error.to_string().contains("deletes: expected false"));
    /// assert!(error.to_string().contains("metadata: expected 9 bytes, found 0"));
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Database::open_or_create`]; [`ErrorKind::OptionsMismatch`], which names each
    /// difference, if the store was created with other options;
    /// [`ErrorKind::InvalidSchema`] if the schema given does not fit `R`.
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<Database<R>> {
        let schema = wanted_schema::<R>(self.schema.as_ref())?;
        let by_hand = self.schema.as_ref();
        opened_or_created(path.as_ref(), by_hand, &schema, self.common)
    }

    /// Makes a database without a name, which is gone when it is closed.
    ///
    /// ```
    /// use flatrec::{Database, PodRecord};
    /// let options = Database::<PodRecord<u64>>::create_options().deletes(true);
    /// let numbers = options.temporary()?;
    /// assert_eq!(numbers.path(), None);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::temporary`]; [`ErrorKind::Unsupported`] with [`CreateOptions::checksums`].
    pub fn temporary(self) -> Result<Database<R>> {
        let schema = wanted_schema::<R>(self.schema.as_ref())?;
        create_temporary(&schema, &self.common)
    }

    /// Makes a new, empty store in an empty backing.
    ///
    /// # Errors
    /// As [`CreateOptions::create`].
    ///
    /// # Safety
    /// As for [`OpenOptions::over`](OpenOptions::<Database<R>>::over).
    #[allow(unsafe_code, reason = "only the caller knows what else uses the backing")]
    pub unsafe fn create_over(self, backing: Arc<dyn Backing>) -> Result<Database<R>> {
        let schema = wanted_schema::<R>(self.schema.as_ref())?;
        create_over(backing, &schema, &self.common)
    }
}

impl CreateOptions<DynDatabase> {
    /// Makes a new, empty store at `path`, for records with this schema.
    ///
    /// # Errors
    /// As [`DynDatabase::create`].
    pub fn create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynDatabase> {
        create_at(path.as_ref(), schema, &self.common)
    }

    /// Opens the store at `path` to read and write, or makes a new, empty one with these options,
    /// for records with this schema, if there is no file. Of the settings that the file keeps, an
    /// existing store must agree with those that the caller has set.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, ErrorKind, Field, Schema};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let options = DynDatabase::create_options().checksums(true);
    /// options.open_or_create(&path, &schema)?.close()?;
    /// let other = DynDatabase::create_options().checksums(false);
    /// let error = other.open_or_create(&path, &schema).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OptionsMismatch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DynDatabase::open_or_create`]; [`ErrorKind::OptionsMismatch`], which names each
    /// difference, if the store was created with other options.
    pub fn open_or_create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynDatabase> {
        opened_or_created(path.as_ref(), Some(schema), schema, self.common)
    }

    /// Makes a database without a name, of records with this schema, which is gone when it is
    /// closed.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let numbers = DynDatabase::create_options().checkpoint_at(1 << 20).temporary(&schema)?;
    /// assert_eq!(numbers.schema(), &schema);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DynDatabase::temporary`]; [`ErrorKind::Unsupported`] with [`CreateOptions::checksums`].
    pub fn temporary(self, schema: &Schema) -> Result<DynDatabase> {
        create_temporary(schema, &self.common)
    }

    /// Makes a new, empty store in an empty backing.
    ///
    /// # Errors
    /// As [`DynDatabase::create`].
    ///
    /// # Safety
    /// As for [`OpenOptions::over`](OpenOptions::<DynDatabase>::over).
    #[allow(unsafe_code, reason = "only the caller knows what else uses the backing")]
    pub unsafe fn create_over(
        self,
        backing: Arc<dyn Backing>,
        schema: &Schema,
    ) -> Result<DynDatabase> {
        create_over(backing, schema, &self.common)
    }
}

fn create_at<R: Row + ?Sized>(
    path: &Path,
    schema: &Schema,
    common: &Common,
) -> Result<Database<R>> {
    let opening = ExclusiveFile::<[u8]>::create_opening(path, schema, common)?;
    Database::of(opening, Some(schema), common)
}

/// Opens the store at `path`, whose schema must be `by_hand`, if given, or that of the type, or
/// makes a new one with `schema`.
fn opened_or_created<R: Row + ?Sized>(
    path: &Path,
    by_hand: Option<&Schema>,
    schema: &Schema,
    common: Common,
) -> Result<Database<R>> {
    let open = |common: &Common| {
        let opening = Opening::at(path, Access::ReadWrite, common)?;
        Database::of(check_created_as::<R>(opening, by_hand, common)?, by_hand, common)
    };
    open_or_create(path, common, open, |common| create_at(path, schema, common))
}

fn create_over<R: Row + ?Sized>(
    backing: Arc<dyn Backing>,
    schema: &Schema,
    common: &Common,
) -> Result<Database<R>> {
    refuse_network_unless(common, &*backing, "create")?;
    create_in(backing, schema, common)
}

fn create_temporary<R: Row + ?Sized>(schema: &Schema, common: &Common) -> Result<Database<R>> {
    create_in(Arc::new(TemporaryBacking::new()?), schema, common)
}

/// Makes a new, empty store in an empty backing that no other handle has open.
fn create_in<R: Row + ?Sized>(
    backing: Arc<dyn Backing>,
    schema: &Schema,
    common: &Common,
) -> Result<Database<R>> {
    check_sums_possible(&*backing, common)?;
    let superblock = Superblock::create(backing, schema, &common.metadata, common.deletes)?;
    create_sums(&superblock, common)?;
    Database::of(Opening { superblock, locks: Locks::none() }, Some(schema), common)
}
