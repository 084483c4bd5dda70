//! Waiting for commits without a thread: a descriptor or handle of the system for each wait.

use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::database::Database;
use super::read_only::ReadOnlyDatabase;
use super::snapshot::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::ServedWatch;
use crate::txn::{Row, Source};

/// Tells of commits by a descriptor (Unix) or an event handle (Windows), so that one thread can
/// wait for many stores, sockets and timers at once: with `poll`, `epoll`, `kqueue`,
/// `WaitForMultipleObjects`, or an asynchronous runtime. [`ReadOnlyDatabase::commit_events`] and
/// [`Database::commit_events`] make one.
///
/// The descriptor is readable, or the event set, until the program
/// [acknowledges](CommitEvents::acknowledge) a snapshot of the newest commit, and then from the
/// next commit on. So it is readable at first. A program repeats three steps, and misses no commit:
///
/// 1. wait until the descriptor is readable;
/// 2. [refresh](Snapshot::refresh) the snapshot, or begin one, and read what is new;
/// 3. acknowledge that snapshot. If there has been another commit since step 2, the descriptor
///    stays readable.
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
/// let events = reader.commit_events().unwrap();
/// events.acknowledge(&snapshot).unwrap();
/// assert!(!events.wait(Duration::ZERO).unwrap()); // no commit since the snapshot
///
/// let mut transaction = writer.begin_write().unwrap();
/// transaction.append(&Tick { price: 100 }).unwrap();
/// transaction.commit(Durability::Immediate).unwrap();
///
/// assert!(events.wait(Duration::from_secs(60)).unwrap()); // or poll, epoll, AsyncFd
/// assert!(snapshot.refresh().unwrap());
/// events.acknowledge(&snapshot).unwrap();
/// # }
/// ```
///
/// - **Level and edge.** The descriptor stays readable until an acknowledgement, for all that wait
///   for it. Programs only wait for it; they do not read from it. If it is still readable after an
///   acknowledgement, that is a new event for waits that count changes only (`EPOLLET`,
///   `EV_CLEAR`, tokio's `AsyncFd`).
/// - **What makes it readable.** Each commit of a [`Database`] and each flush of a
///   [`Store`](crate::Store), from any process; also a writer that opens the store. Many commits
///   make it readable once. Now and then it is readable without a newer commit: the program takes
///   the same steps.
/// - **What does not.** The end of a writer ([`ReadOnlyDatabase::has_writer`]), and another file in
///   this one's place, until a writer opens that file ([`ReadOnlyDatabase::is_at`]).
/// - **Costs.** All these values of a process share one thread, which sleeps. It starts with the
///   first and ends with the last. A commit costs the writer a system call only if the descriptor
///   is not readable; then the thread sleeps on until the next acknowledgement.
/// - **Where the system cannot wake the thread.** On Windows and macOS, and on Linux before 5.16,
///   the thread looks at the store every 5 ms while it is idle. It looks every 20 ms for a reader
///   that may not write the lock file, and every 5 ms if there are more than 127 handles with
///   events.
/// - **Lifetime.** The value holds no snapshot and no lock of the store. It may outlive the handle.
/// - **Fork.** A child can make its own values, and must not use those of its parent: it would
///   clear the parent's descriptor.
#[must_use = "events that are dropped tell nothing"]
pub struct CommitEvents {
    served: ServedWatch,
    /// Identifies the handle.
    source: Weak<dyn Source>,
}

impl CommitEvents {
    pub(super) fn of(source: Arc<dyn Source>) -> Result<Self> {
        let served = ServedWatch::new(source.watched()).map_err(|error| source.name(error))?;
        Ok(Self { served, source: Arc::downgrade(&source) })
    }

    /// Makes the descriptor unreadable until there is a newer commit than the snapshot's; if there
    /// is one already, the descriptor is readable afterwards, too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let before = database.begin_read()?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append(&[7])?;
    /// transaction.commit(Durability::Immediate)?;
    ///
    /// let events = database.commit_events()?;
    /// events.acknowledge(&before)?; // not the newest
    /// assert!(events.wait(Duration::ZERO)?);
    /// events.acknowledge(&database.begin_read()?)?;
    /// assert!(!events.wait(Duration::ZERO)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the snapshot belongs to another handle;
    /// [`ErrorKind::Io`] if the operating system reports an error, and then the descriptor is
    /// readable.
    pub fn acknowledge<R: Row + ?Sized>(&self, snapshot: &Snapshot<R>) -> Result<()> {
        let source = snapshot.source();
        if !ptr::addr_eq(Arc::as_ptr(source), self.source.as_ptr()) {
            return Err(source.name(
                Error::new(ErrorKind::InvalidArgument, "acknowledge a snapshot")
                    .detail("it belongs to another handle than these commit events")
                    .advice("acknowledge a snapshot of the handle that gave the events"),
            ));
        }
        let armed = self.served.watch().arm(|| snapshot.is_newest());
        armed.map_err(|error| source.name(error))
    }

    /// Waits until the descriptor is readable, at most for the given time. Returns whether it is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn wait(&self, at_most: Duration) -> Result<bool> {
        let waited = self.served.watch().signal().wait(at_most);
        waited.map_err(|source| Error::io("wait for a commit", source))
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for CommitEvents {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.served.watch().signal().as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for CommitEvents {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsFd;
        self.as_fd().as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsHandle for CommitEvents {
    fn as_handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
        self.served.watch().signal().as_handle()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsRawHandle for CommitEvents {
    fn as_raw_handle(&self) -> std::os::windows::io::RawHandle {
        use std::os::windows::io::AsHandle;
        self.as_handle().as_raw_handle()
    }
}

impl std::fmt::Debug for CommitEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitEvents").finish_non_exhaustive()
    }
}

impl<R: Row + ?Sized> ReadOnlyDatabase<R> {
    /// Events by which a program waits for commits together with other things, as an asynchronous
    /// one does: see [`CommitEvents`]. [`ReadOnlyDatabase::wait`] blocks a thread instead.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system gives no descriptor or no thread.
    pub fn commit_events(&self) -> Result<CommitEvents> {
        CommitEvents::of(self.source())
    }
}

impl<R: Row + ?Sized> Database<R> {
    /// Events by which other parts of this program wait for commits together with other things, as
    /// an asynchronous one does: see [`CommitEvents`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system gives no descriptor or no thread.
    pub fn commit_events(&self) -> Result<CommitEvents> {
        CommitEvents::of(self.source())
    }
}
