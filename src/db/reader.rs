//! Stores that are open to read, and follow whoever writes to them.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::database::Database;
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::format::Schema;
use crate::io::Access;
use crate::txn::opening::{Opening, until_current};
use crate::txn::{LogFollower, Options, Row, Source};

/// A store that is open to read, while another handle, thread or process may be writing to it.
/// [`Database::open_read_only`] makes one.
///
/// [`Reader::begin_read`] gives a snapshot of the newest commit: the reader follows the writer's
/// log and the file's growth by itself, and keeps what the log holds in memory of its own. It
/// waits for nobody, and nobody waits for it; a writer that opens, closes, dies and comes again is
/// followed, too. A reader that holds snapshots keeps later commits in the log, out of the array,
/// until it ends them, or dies, whatever way it does ([`Database::readers`] tells who does).
///
/// A reader that may not write the lock file beside the store (other users, read-only directories)
/// reads as well, but it keeps checkpoints away altogether while it holds a snapshot, and its
/// [`Reader::begin_read`] waits for one that is under way. Where there is no lock file and it may
/// make none, no writer can open the store meanwhile.
///
/// While a reader is open, records are not changed in place: [`Store::edit`](crate::Store::edit)
/// and [`Store::truncate`](crate::Store::truncate) of others fail.
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
/// assert!(reader.wait(snapshot.commit(), Duration::from_secs(60)).unwrap()); // for a commit
/// assert!(snapshot.refresh().unwrap());
/// assert_eq!(snapshot.get(0).unwrap().price, 100);
/// # }
/// ```
pub struct Reader<R: Row + ?Sized> {
    follower: Arc<LogFollower>,
    marker: PhantomData<fn() -> Box<R>>,
}

/// A [`Reader`] whose records are bytes, with the schema found in the file.
pub type DynReader = Reader<[u8]>;

impl<R: Row + ?Sized> Reader<R> {
    /// A snapshot of the newest commit.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the log is damaged;
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) if a checkpoint takes longer than ten
    /// seconds, for a reader that may not write the lock file, or if for as long the lock file says
    /// that the newest commit is being written over, which no writer of ours does;
    /// [`ErrorKind::Outdated`](crate::ErrorKind::Outdated) on an overlay file system, from when a
    /// writer has had the store copied to the upper layer: open it again; the system's.
    pub fn begin_read(&self) -> Result<Snapshot<R>> {
        let state = self.follower.newest()?;
        Snapshot::new(Arc::clone(&self.follower) as Arc<dyn Source>, state)
    }

    /// The number of the newest commit: what [`Reader::begin_read`] would give a snapshot of, or
    /// an older one. Costs a few loads.
    pub fn commit(&self) -> u64 {
        self.follower.newest_commit()
    }

    /// Waits until there is a commit after commit `after`, or until the time is over; says whether
    /// there is one. The thread sleeps meanwhile: on Linux the writer wakes it, elsewhere, and for
    /// a reader that may not write the lock file, it looks every few milliseconds.
    ///
    /// # Errors
    /// [`ErrorKind::Outdated`](crate::ErrorKind::Outdated) as for [`Reader::begin_read`]; the
    /// system's.
    pub fn wait(&self, after: u64, at_most: Duration) -> Result<bool> {
        self.follower.wait(after, at_most)
    }

    /// Whether somebody has the store open to write, under this name.
    ///
    /// # Errors
    /// The system's.
    pub fn has_writer(&self) -> Result<bool> {
        self.follower.presence().has_writer()
    }

    /// Whether `path` leads to the file that is read here, through links or not. Another store may
    /// have been put in its place since, which this reader does not follow: open it anew for that.
    ///
    /// # Errors
    /// The system's; that nothing is there is none.
    pub fn is_at(&self, path: impl AsRef<Path>) -> Result<bool> {
        self.follower.presence().is_at(path.as_ref())
    }

    /// The schema in the file.
    pub fn schema(&self) -> &Schema {
        self.follower.schema()
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
        self.follower.metadata().get()
    }

    /// Where the store is.
    pub fn path(&self) -> Option<PathBuf> {
        self.follower.path()
    }
}

impl<R: Row + ?Sized> Database<R> {
    /// Opens the store at `path` to read, beside a writer or not.
    ///
    /// # Errors
    /// As [`Store::open_read_only`](crate::Store::open_read_only).
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Reader<R>> {
        Self::options().open_read_only(path)
    }
}

impl<R: Row + ?Sized> Options<Database<R>> {
    /// Opens the store at `path` to read, beside a writer or not.
    ///
    /// # Errors
    /// As [`Database::open_read_only`].
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<Reader<R>> {
        let follower = until_current(|| {
            Opening::at(path.as_ref(), Access::ReadOnly, &self.common)?
                .check_rows::<R>(self.schema.as_ref(), &self.common)?
                .follow(R::ALIGNMENT)
        })?;
        Ok(Reader { follower: Arc::new(follower), marker: PhantomData })
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.path())
            .field("commit", &self.commit())
            .finish_non_exhaustive()
    }
}
