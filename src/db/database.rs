//! Stores that threads share and transactions change.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::snapshot::Snapshot;
use super::transaction::WriteTransaction;
use crate::error::Result;
use crate::format::{Record, Schema};
use crate::io::{Access, Backing};
use crate::store::ExclusiveFile;
use crate::txn::opening::Opening;
use crate::txn::{
    Checkpoint, Common, Engine, Locks, Options, ReaderInfo, Row, Source, Superblock, create_sums,
};

/// A store that threads share: read through [snapshots](Snapshot), changed by
/// [transactions](WriteTransaction) that happen whole or not at all, whatever is killed and however
/// the power goes.
///
/// A commit is one write and one sync of the write-ahead log `X-wal-N`; from there the changes go
/// to the file at checkpoints, in bulk, when no reader is in the way. After [`Database::close`] the
/// file is as flat as ever.
///
/// It is the same file that [`Store`](crate::Store) opens, which changes it alone, without a log,
/// by `&mut`: for loading and for transformations of everything.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Database, Durability, Record};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Hit { page: u32, times: u32 }
///
/// let directory = tempfile::tempdir().unwrap();
/// let hits = Database::<Hit>::create(directory.path().join("hits.rec")).unwrap();
/// let mut transaction = hits.begin_write().unwrap();
/// transaction.append_slice(&[Hit { page: 7, times: 0 }; 4]).unwrap();
/// transaction.commit(Durability::Immediate).unwrap();
///
/// std::thread::scope(|scope| {
///     for page in 0..4 {
///         let hits = &hits;
///         scope.spawn(move || {
///             for _ in 0..10 {
///                 let mut transaction = hits.begin_write().unwrap(); // one at a time
///                 transaction.get_mut(page).unwrap().unwrap().times += 1;
///                 transaction.commit(Durability::Immediate).unwrap(); // threads share syncs
///             }
///         });
///     }
/// });
/// let snapshot = hits.begin_read();
/// assert!(snapshot.iter().all(|(_, hit)| hit.times == 10));
/// drop(snapshot);
/// hits.close().unwrap();
/// # }
/// ```
pub struct Database<R: Row + ?Sized> {
    engine: Arc<Engine>,
    closed: bool,
    marker: PhantomData<fn() -> Box<R>>,
}

/// A [`Database`] whose records are bytes, with the schema found in the file.
pub type DynDatabase = Database<[u8]>;

impl<R: Row + ?Sized> Database<R> {
    /// Options, for more than the defaults.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Opens the store at `path`. What a process that died has left in the log is taken up.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open); [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if
    /// the log is missing, damaged, or another store's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// A snapshot of the newest committed state.
    ///
    /// # Panics
    /// If the records' place in the address space is not aligned for their type, which views at
    /// page boundaries and the check of the schema at open exclude.
    pub fn begin_read(&self) -> Snapshot<R> {
        let engine = Arc::clone(&self.engine);
        let state = engine.load();
        Snapshot::new(engine, state).expect("the schema was checked when the store was opened")
    }

    /// Begins a transaction, once the one under way has ended. A thread that has one already waits
    /// for itself for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`](crate::ErrorKind::Poisoned) after a failed write or sync.
    pub fn begin_write(&self) -> Result<WriteTransaction<'_, R>> {
        WriteTransaction::new(&self.engine)
    }

    /// Brings what is committed from the log to its place in the file, as far as no reader is in
    /// the way ([`Checkpoint::held_back`] tells). Happens by itself when the log has grown
    /// ([`Options::checkpoint_at`]) and at close.
    ///
    /// # Errors
    /// The system's; the handle is poisoned then, and nothing that was committed is lost.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        self.engine.checkpoint()
    }

    /// Why the last checkpoint failed, if none has succeeded since, or what poisoned this handle.
    /// The checkpoints that commits make by themselves are among them: such a commit has happened
    /// all the same. The log keeps what was to go to the file, and grows meanwhile; later commits
    /// try again now and then, and so does [`Database::checkpoint`].
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// # use flatrec::{Database, Record};
    /// # #[derive(Clone, Copy, Record)]
    /// # #[repr(C)]
    /// # struct Counter { n: u64 }
    /// # let directory = tempfile::tempdir().unwrap();
    /// let counters = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// assert_eq!(counters.checkpoint_failure(), None);
    /// # }
    /// ```
    pub fn checkpoint_failure(&self) -> Option<String> {
        self.engine.failure()
    }

    /// Waits until there is a commit after commit `after`, or until the time is over; says whether
    /// there is one. For readers of this handle; those of other processes have
    /// [`Reader::wait`](crate::Reader::wait).
    ///
    /// # Errors
    /// None on the systems there are.
    pub fn wait(&self, after: u64, at_most: Duration) -> Result<bool> {
        self.engine.wait(after, at_most)
    }

    /// The readers that have the store open in other handles and processes, and what they hold.
    /// Those that may not write the lock file are not among them.
    ///
    /// # Errors
    /// The system's.
    pub fn readers(&self) -> Result<Vec<ReaderInfo>> {
        Ok(self.engine.readers()?.iter().map(ReaderInfo::of).collect())
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.engine.schema()
    }

    /// The bytes that the store was created with by [`Options::metadata`]. They are read from the
    /// file when they are asked for first; [`StoreInfo::metadata_len_bytes`](crate::StoreInfo) says
    /// how many they are.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if they do not fit in this
    /// process's memory; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if they are not what
    /// they were when the store was opened; the system's.
    pub fn metadata(&self) -> Result<&[u8]> {
        self.engine.metadata().get()
    }

    /// Where the store is; `None` over a backing without a name.
    pub fn path(&self) -> Option<PathBuf> {
        self.engine.path()
    }

    /// A checkpoint of everything; then the log is removed and the file trimmed to its records.
    /// Beside a snapshot that is still read, here or in another process, the log stays for who
    /// opens the store next, and the locks are held until the last snapshot of this handle ends.
    ///
    /// # Errors
    /// The system's; nothing that was committed is lost.
    pub fn close(mut self) -> Result<()> {
        self.closed = true;
        self.engine.close()
    }

    fn of(opening: Opening, options: &Options<Self>) -> Result<Self> {
        let engine = opening
            .check_rows::<R>(options.schema.as_ref(), &options.common)?
            .write(&options.common, R::ALIGNMENT)?;
        Ok(Self { engine: Arc::new(engine), closed: false, marker: PhantomData })
    }
}

impl<R: Record> Database<R> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Store::create`](crate::Store::create).
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().create(path)
    }
}

impl DynDatabase {
    /// Makes a new, empty store at `path`, of records with this schema.
    ///
    /// # Errors
    /// As [`DynStore::create`](crate::DynStore::create).
    pub fn create(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::options().create(path, schema)
    }
}

impl<R: Row + ?Sized> Options<Database<R>> {
    /// Opens the store at `path`.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Database<R>> {
        Database::of(Opening::at(path.as_ref(), Access::ReadWrite, &self.common)?, &self)
    }

    /// Opens the store in any backing; its log lies beside it ([`Backing::open_side`]).
    ///
    /// # Errors
    /// As [`Database::open`].
    ///
    /// # Safety
    /// Nobody else changes the backing or the files beside it while the store is open, nor has it
    /// open as a store.
    #[allow(unsafe_code, reason = "that nobody else has the backing is the caller's to know")]
    pub unsafe fn over(self, backing: Arc<dyn Backing>) -> Result<Database<R>> {
        Database::of(Opening::over(backing)?, &self)
    }
}

impl<R: Record> Options<Database<R>> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`Database::create`].
    pub fn create(self, path: impl AsRef<Path>) -> Result<Database<R>> {
        let schema = crate::txn::wanted_schema::<R>(self.schema.as_ref())?;
        create_empty(path.as_ref(), &schema, &self.common)?;
        self.open(path)
    }

    /// Makes a new, empty store in a backing that has no bytes.
    ///
    /// # Errors
    /// As [`Database::create`].
    ///
    /// # Safety
    /// As for [`Options::over`](Options::<Database<R>>::over).
    #[allow(unsafe_code, reason = "that nobody else has the backing is the caller's to know")]
    pub unsafe fn create_over(self, backing: Arc<dyn Backing>) -> Result<Database<R>> {
        let schema = crate::txn::wanted_schema::<R>(self.schema.as_ref())?;
        Database::of(create_in(backing, &schema, &self.common)?, &self)
    }
}

impl Options<DynDatabase> {
    /// Makes a new, empty store at `path`.
    ///
    /// # Errors
    /// As [`DynDatabase::create`].
    pub fn create(self, path: impl AsRef<Path>, schema: &Schema) -> Result<DynDatabase> {
        if let Some(wanted) = &self.schema {
            wanted.check_found(schema)?;
        }
        create_empty(path.as_ref(), schema, &self.common)?;
        self.open(path)
    }

    /// Makes a new, empty store in a backing that has no bytes.
    ///
    /// # Errors
    /// As [`DynDatabase::create`].
    ///
    /// # Safety
    /// As for [`Options::over`](Options::<DynDatabase>::over).
    #[allow(unsafe_code, reason = "that nobody else has the backing is the caller's to know")]
    pub unsafe fn create_over(
        self,
        backing: Arc<dyn Backing>,
        schema: &Schema,
    ) -> Result<DynDatabase> {
        Database::of(create_in(backing, schema, &self.common)?, &self)
    }
}

/// Makes a new, empty store in a backing that has no bytes.
fn create_in(backing: Arc<dyn Backing>, schema: &Schema, common: &Common) -> Result<Opening> {
    let superblock = Superblock::create(backing, schema, &common.metadata, common.deletes)?;
    create_sums(&superblock, common)?;
    Ok(Opening { superblock, locks: Locks::none() })
}

/// Makes the file of a store, and closes it.
fn create_empty(path: &Path, schema: &Schema, common: &Common) -> Result<()> {
    ExclusiveFile::<[u8]>::create(path, Some(schema), common)?.close()
}

impl<R: Row + ?Sized> Drop for Database<R> {
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            // Errors cannot be told from here; `close` is for those who want to know. A transaction
            // that was leaked has the writer's place for ever, and nothing is left to do then.
            let _ = self.engine.close_if_free();
        }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Database<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.engine.load();
        f.debug_struct("Database")
            .field("path", &self.path())
            .field("commit", &state.counts.commit)
            .field("count", &state.counts.records)
            .finish_non_exhaustive()
    }
}
