//! Databases that are open to read only: they follow the commits of the writer.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::database::Database;
use super::snapshot::Snapshot;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::Schema;
use crate::io::Access;
use crate::txn::opening::{Opening, until_current};
use crate::txn::{CommitId, Common, LogFollower, ReadOptions, Row, Source, StoreInfo};

/// A store that is open for reading, while another handle, thread or process may write to it.
/// [`Database::open_read_only`] makes one.
///
/// [`ReadOnlyDatabase::begin_read`] gives a snapshot of the newest commit. The reader follows the
/// writer's log and the growth of the file, and keeps images from the log in its own memory. Reads
/// and commits do not wait for each other. After a writer closes or dies, the reader follows the
/// next one. While a reader holds a snapshot, checkpoints leave the records that it needs alone, so
/// later commits stay in the log until the reader drops the snapshot or dies
/// ([`Database::readers`] lists the readers).
///
/// A reader that may not write the lock file beside the store (another user, a read-only directory)
/// can read too. But while it holds a snapshot, no checkpoint can run, and its
/// [`ReadOnlyDatabase::begin_read`] waits for a running checkpoint. If there is no lock file and
/// the reader may not create one, no writer can open the store until the reader closes it.
///
/// While a reader is open, no other handle can change records in place:
/// [`Store::edit`](crate::Store::edit) and [`Store::truncate`](crate::Store::truncate) fail.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use std::time::Duration;
/// use flatrec::{Database, Durability, Record};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Tick { price: u64 }
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("ticks.rec");
/// let writer = Database::<Tick>::create(&path).unwrap();
///
/// let reader = Database::<Tick>::open_read_only(&path).unwrap(); // in any process
/// let mut snapshot = reader.begin_read().unwrap();
/// assert_eq!(snapshot.count(), 0);
///
/// let mut transaction = writer.begin_write().unwrap();
/// transaction.append(&Tick { price: 100 }).unwrap();
/// transaction.commit(Durability::Immediate).unwrap();
///
/// assert!(reader.wait(snapshot.commit_id(), Duration::from_secs(60)).unwrap()); // for a commit
/// assert!(snapshot.refresh().unwrap());
/// assert_eq!(snapshot.get(0).unwrap().price, 100);
/// # }
/// ```
pub struct ReadOnlyDatabase<R: Row + ?Sized> {
    follower: Arc<LogFollower>,
    marker: PhantomData<fn() -> Box<R>>,
}

/// A [`ReadOnlyDatabase`] whose records are bytes, with the schema in the file.
///
/// ```
/// use flatrec::{DataType, DynDatabase, DynReadOnlyDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// DynDatabase::create(&path, &schema)?.close()?;
/// let reader: DynReadOnlyDatabase = DynDatabase::open_read_only(&path)?;
/// assert!(!reader.has_writer()? && reader.is_at(&path)?);
/// assert!(reader.begin_read()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DynReadOnlyDatabase = ReadOnlyDatabase<[u8]>;

impl<R: Row + ?Sized> ReadOnlyDatabase<R> {
    /// Options for opening a store to read.
    ///
    /// ```
    /// use std::time::Duration;
    /// use flatrec::{DataType, DynDatabase, DynReadOnlyDatabase, Field, Schema, Wait};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynDatabase::create(&path, &schema)?.close()?;
    /// let options = DynReadOnlyDatabase::options().wait(Wait::AtMost(Duration::from_secs(5)));
    /// let reader = options.open(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options() -> ReadOptions<Self> {
        ReadOptions::new(Common::default())
    }

    /// A snapshot of the newest commit.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`] if there are commits that this reader has not read, and the file
    ///   was moved or replaced ([`ReadOnlyDatabase::is_at`] tells): open the path again;
    /// - [`ErrorKind::Corrupt`] if the log is damaged;
    /// - [`ErrorKind::Locked`] if the reader may not write the lock file and a checkpoint takes
    ///   longer than ten seconds, or if for ten seconds the lock file says that a checkpoint is
    ///   overwriting the records of the newest commit, which no writer of flatrec does;
    /// - [`ErrorKind::Outdated`] on an overlay file system, after a writer has made the system copy
    ///   the store to the upper layer: open the store again;
    /// - [`ErrorKind::Io`] if the operating system reports an error.
    pub fn begin_read(&self) -> Result<Snapshot<R>> {
        let state = self.follower.newest()?;
        Snapshot::new(self.source(), state)
    }

    /// The number of the newest commit that this reader knows: the one that
    /// [`ReadOnlyDatabase::begin_read`] would read, or an older one. Costs a few loads of memory.
    pub fn commit_id(&self) -> CommitId {
        self.follower.newest_commit().into()
    }

    /// Waits for a commit after commit `after`, at most for the given time. Returns whether there
    /// is one. The thread sleeps. On Linux the writer wakes it; on other systems, and if the reader
    /// may not write the lock file, the thread checks every few milliseconds.
    /// [`ReadOnlyDatabase::commit_events`] waits without a thread.
    ///
    /// # Errors
    /// [`ErrorKind::Outdated`] as for [`ReadOnlyDatabase::begin_read`]; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub fn wait(&self, after: CommitId, at_most: Duration) -> Result<bool> {
        self.follower.wait(after.get(), at_most)
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.follower) as Arc<dyn Source>
    }

    /// Whether a writer has the store open under this name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn has_writer(&self) -> Result<bool> {
        self.follower.presence().has_writer()
    }

    /// Whether `path` leads to the file of this reader, directly or through links. Another process
    /// may have replaced the store; this reader does not follow that, so open the path again. If
    /// there is no file at `path`, the result is `false`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports another error.
    pub fn is_at(&self, path: impl AsRef<Path>) -> Result<bool> {
        self.follower.presence().is_at(path.as_ref())
    }

    /// Facts about the store at this moment: counts, sizes, the log, the writer, other readers.
    /// The call reads what the writer has published since, as [`ReadOnlyDatabase::begin_read`]
    /// does. It keeps no checkpoint away.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let writer = DynDatabase::create(&path, &schema)?;
    /// let info = DynDatabase::open_read_only(&path)?.info()?;
    /// assert_eq!(info.writer.unwrap().process, Some(u64::from(std::process::id())));
    /// assert_eq!((info.count, info.activity), (0, None)); // only a writer has an activity
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`ReadOnlyDatabase::begin_read`].
    pub fn info(&self) -> Result<StoreInfo> {
        self.follower.info()
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.follower.schema()
    }

    /// The bytes that [`CreateOptions::metadata`](crate::CreateOptions::metadata) gave the store
    /// when it was made. The first call reads them from the file.
    /// [`StoreInfo::metadata_len_bytes`](crate::StoreInfo) is their length.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if they do not fit into this process's memory;
    /// [`ErrorKind::Corrupt`] if they have changed since the store was opened; [`ErrorKind::Io`] if
    /// the operating system reports an error.
    pub fn metadata(&self) -> Result<&[u8]> {
        self.follower.metadata().get()
    }

    /// The path of the store.
    pub fn path(&self) -> Option<PathBuf> {
        self.follower.path()
    }
}

impl<R: Row + ?Sized> Database<R> {
    /// Opens the store at `path` for reading, with or without a writer beside it.
    ///
    /// # Errors
    /// As [`Store::open_read_only`](crate::Store::open_read_only).
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<ReadOnlyDatabase<R>> {
        ReadOnlyDatabase::options().open(path)
    }
}

impl<R: Row + ?Sized> ReadOptions<ReadOnlyDatabase<R>> {
    /// Opens the store at `path` for reading, with or without a writer beside it.
    ///
    /// # Errors
    /// As [`Database::open_read_only`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<ReadOnlyDatabase<R>> {
        let follower = until_current(|| {
            Opening::at(path.as_ref(), Access::ReadOnly, &self.common)?
                .check_rows::<R>(self.schema.as_ref(), &self.common)?
                .follow(R::ALIGNMENT)
        })?;
        Ok(ReadOnlyDatabase { follower: Arc::new(follower), marker: PhantomData })
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for ReadOnlyDatabase<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOnlyDatabase")
            .field("path", &self.path())
            .field("commit", &self.commit_id().get())
            .finish_non_exhaustive()
    }
}
