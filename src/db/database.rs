//! Databases: stores that threads share and transactions change.

// First, so that the documentation of a database begins with opening it.
mod opening;

mod begin_write;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::closing::CloseAtEnd;
use super::snapshot::Snapshot;
#[cfg(doc)]
use super::transaction::WriteTransaction;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::Schema;
use crate::txn::opening::Opening;
use crate::txn::{
    Checkpoint, CommitId, Common, CreateOptions, Engine, OpenOptions, ReaderInfo, Row, Source,
    StoreInfo,
};

/// A store that threads share: [snapshots](Snapshot) read it, and
/// [transactions](WriteTransaction) change it. A transaction happens whole or not at all, even if a
/// process is killed or the power fails.
///
/// A commit is one write and one sync of the write-ahead log `X-wal-N`. Checkpoints copy the
/// changes from the log to the data file in bulk, as far as no reader still needs the old records.
/// After a [`Database::close`] that no reader holds back, the data file holds everything, and the
/// log is deleted.
///
/// [`Store`](crate::Store) opens the same file. It changes the file alone and without a log: use it
/// to load data, and to transform all records.
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
/// let snapshot = hits.begin_read().unwrap();
/// assert!(snapshot.iter().all(|(_, hit)| hit.times == 10));
/// drop(snapshot);
/// hits.close().unwrap();
/// # }
/// ```
pub struct Database<R: Row + ?Sized> {
    engine: Arc<Engine>,
    /// Shared with the owned transactions.
    closing: Arc<CloseAtEnd>,
    marker: PhantomData<fn() -> Box<R>>,
}

/// A [`Database`] whose records are bytes, with the schema in the file.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
/// DynDatabase::create(&path, &schema)?.close()?;
///
/// let database = DynDatabase::open(&path)?;
/// let mut transaction = database.begin_write()?;
/// transaction.append(&7u16.to_le_bytes())?;
/// transaction.commit(Durability::Immediate)?;
/// assert_eq!(database.begin_read()?.get(0), Some(&[7, 0][..]));
/// assert_eq!(database.schema(), &schema);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DynDatabase = Database<[u8]>;

impl<R: Row + ?Sized> Database<R> {
    /// Options for opening a database to read and write. To open it for reading only, see
    /// [`ReadOnlyDatabase::options`](crate::ReadOnlyDatabase::options).
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema, Wait};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// DynDatabase::create(&path, &schema)?.close()?;
    /// let database = DynDatabase::options().wait(Wait::Forever).max_log(1 << 30).open(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options() -> OpenOptions<Self> {
        OpenOptions::new(Common::default())
    }

    /// Options for creating a database, and for [`CreateOptions::open_or_create`].
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let options = DynDatabase::create_options().deletes(true).checkpoint_at(1 << 20);
    /// let database = options.create(&path, &schema)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_options() -> CreateOptions<Self> {
        CreateOptions::new(Common::default())
    }

    /// Opens the store at `path`. If an earlier writer has left a log, recovers its commits first.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open); [`ErrorKind::Corrupt`] also if the log is missing,
    /// is damaged, or belongs to another store.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// A snapshot of the newest committed state. It never waits.
    ///
    /// # Errors
    /// No condition today: the state is in this process's memory. The signature is that of
    /// [`ReadableDatabase::begin_read`](crate::ReadableDatabase::begin_read).
    pub fn begin_read(&self) -> Result<Snapshot<R>> {
        let engine = Arc::clone(&self.engine);
        let state = engine.load();
        Snapshot::new(engine, state)
    }

    /// The number of the newest commit: the one that [`Database::begin_read`] reads. Costs a few
    /// loads of memory.
    ///
    /// ```
    /// use flatrec::{CommitId, DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// assert_eq!(database.commit_id(), CommitId::from(0)); // no commit yet
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit_id(&self) -> CommitId {
        self.engine.newest_commit().into()
    }

    /// The number of records in the newest commit, deleted ones included. Another commit may follow
    /// at once: for a number that agrees with records, take [`Snapshot::count`], or
    /// [`WriteTransaction::count`] within a transaction.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let database = DynDatabase::create_options().deletes(true).temporary(&schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_all([[5; 8], [6; 8], [7; 8]])?;
    /// transaction.delete(1)?;
    /// assert_eq!(database.count(), 0); // until the commit
    /// transaction.commit(Durability::Immediate)?;
    /// assert_eq!((database.count(), database.live_count()), (3, 2));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn count(&self) -> u64 {
        self.engine.load().counts.records
    }

    /// The number of records in the newest commit that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.engine.load().counts.live
    }

    /// Copies committed changes from the log to their places in the data file, as far as no reader
    /// still needs the old records ([`Checkpoint::held_back`] says whether one does). Commits and
    /// [`Database::close`] make checkpoints too: a commit makes one when the log has grown to
    /// [`OpenOptions::checkpoint_at`].
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(&path, &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append(&[7])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let checkpoint = database.checkpoint()?;
    /// assert_eq!(checkpoint.commit_id(), database.commit_id());
    /// assert_eq!(checkpoint.held_back(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error. After a failed write or sync the
    /// handle is [poisoned](ErrorKind::Poisoned); committed changes are not lost.
    /// [`ErrorKind::TransactionInProgress`] if this thread has a transaction of the database. The
    /// call waits for the end of an owned transaction, and of one of another thread.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        self.engine.checkpoint()
    }

    /// Why the last checkpoint failed, if none has succeeded since, or why this handle is poisoned.
    /// This includes checkpoints that a commit has started; the commit itself has succeeded. Until
    /// a checkpoint succeeds, the log keeps the changes and grows. Later commits try again from
    /// time to time, and so does [`Database::checkpoint`].
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

    /// Waits for a commit after commit `after`, at most for the given time. Returns whether there
    /// is one. Threads with this handle use it; other processes use
    /// [`ReadOnlyDatabase::wait`](crate::ReadOnlyDatabase::wait), and asynchronous programs
    /// [`Database::commit_events`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// assert!(!database.wait(database.commit_id(), Duration::ZERO)?); // no commit yet
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error, which no supported system does.
    pub fn wait(&self, after: CommitId, at_most: Duration) -> Result<bool> {
        self.engine.wait(after.get(), at_most)
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.engine) as Arc<dyn Source>
    }

    /// The readers in other handles and processes, and the commits that they hold. The list does
    /// not have the readers that may not write the lock file.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(&path, &schema)?;
    /// let reader = DynDatabase::open_read_only(&path)?;
    /// assert_eq!(database.readers()?.len(), 1);
    /// drop(reader);
    /// assert!(database.readers()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn readers(&self) -> Result<Vec<ReaderInfo>> {
        Ok(self.engine.readers()?.iter().map(ReaderInfo::of).collect())
    }

    /// Facts about the store at this moment: counts, sizes, the log, checkpoints and what holds
    /// them back, readers, and what this handle has done since it was opened.
    ///
    /// Any thread can call it at any time, also one with a transaction: the call waits for no
    /// transaction, commit or checkpoint. It takes longer with more records in the log, and with
    /// checksums (it reads 8 bytes for each 64 KiB of records).
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append(&[7])?;
    /// transaction.commit(Durability::Immediate)?;
    ///
    /// let running = database.begin_write()?;
    /// let info = database.info()?;
    /// assert_eq!((info.count, info.commit_id), (1, database.commit_id()));
    /// assert_eq!(info.log.unwrap().commits, 1); // until a checkpoint
    /// assert_eq!(info.activity.unwrap().commits, 1);
    /// # drop(running);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn info(&self) -> Result<StoreInfo> {
        self.engine.info()
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.engine.schema()
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
        self.engine.metadata().get()
    }

    /// The path of the store; `None` for a temporary one and for a backing without a name.
    pub fn path(&self) -> Option<PathBuf> {
        self.engine.path()
    }

    /// Makes a checkpoint of everything, deletes the log and trims the file to its records. If a
    /// snapshot, here or in another process, still needs old records, the log stays, and the next
    /// writer that opens the store recovers it. This handle keeps its locks until its last snapshot
    /// ends.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error; committed changes are not lost.
    /// [`ErrorKind::TransactionInProgress`] if an [owned transaction](Database::begin_write_owned)
    /// has not ended. It can still commit, and the store is closed when it ends.
    pub fn close(self) -> Result<()> {
        self.engine.close()
    }

    fn of(opening: Opening, by_hand: Option<&Schema>, common: &Common) -> Result<Self> {
        let engine = opening.check_rows::<R>(by_hand, common)?.write(common, R::ALIGNMENT)?;
        let engine = Arc::new(engine);
        let closing = Arc::new(CloseAtEnd::new(Arc::clone(&engine)));
        Ok(Self { engine, closing, marker: PhantomData })
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
