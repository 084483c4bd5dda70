//! Byte-range locks on the small file beside a data file.
//!
//! `X-lock` lies beside `X`, is created with it and never unlinked: a new inode would hide the
//! locks on the old one. On Windows no lock lies on the data file, because Windows denies other
//! handles' reads and writes of a locked range; on Linux some lie there too (docs/CONCURRENCY.md).
//! A range's lock belongs to the open file and ends with its process.

mod whose;

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::words::SharedWords;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{
    Access, LOCK_SUFFIX, OpenFile, Place, RAW, STORE, UNFINISHED, View, disbelieved, lock_path,
    nameless, refuse_irregular, refuse_no_file, side_path, why_not_believed,
};
use crate::number::{in_memory, smaller};
use crate::os::{self, Distrust, LockKind, Permissions, Preallocated, Sharing, no_follow};
use crate::trace::{self, Stopwatch, Traced};

/// Held exclusively by the one writer of a store.
pub(crate) const WRITER: Range<u64> = 0..1;
/// Held shared by handles that lend records in place; exclusively by a handle that changes them
/// there.
pub(crate) const IN_PLACE: Range<u64> = 1..2;
/// Held exclusively by the opener that initialises the data file.
pub(crate) const INITIALISER: Range<u64> = 2..3;

/// Held exclusively by a checkpoint while it changes the array; shared by an unregistered reader.
pub(crate) const CHECKPOINT: Range<u64> = 3..4;
/// The lock on this byte says that the owner of the first table entry is alive; the bytes of the
/// other entries follow.
const FIRST_ENTRY: u64 = 1 << 20;
/// The greatest number of readers with entries at a time.
pub(crate) const ENTRIES_MAX: u64 = 1 << 16;

/// The words of a lock file end before this byte: each entry needs fewer bytes than this counts.
const WORDS_MAX_BYTES: u64 = 8192 + ENTRIES_MAX * 64;

/// On the data file: each reader with an entry, in any lock file, locks a byte of its own here,
/// shared, and names it in its entry. A locked byte that no visible entry names shows a writer that
/// there is a reader whose entry it cannot see.
pub(crate) const READERS: Range<u64> = 1 << 62..(1 << 63) - 1;
/// On the data file: readers of earlier versions lock a byte here that stands for their lock file.
/// A writer of those versions checks all these bytes except the one of its own lock file.
pub(crate) const EARLIER_READERS: Range<u64> = 1 << 29..1 << 30;
/// Held shared by readers for such a writer: one of the two bytes is not its own, and it finds that
/// one locked.
pub(crate) const FOR_EARLIER_WRITERS: Range<u64> = 1 << 29..(1 << 29) + 2;

/// How long to wait for a handle that lengthens the lock file; the lengthening itself is short.
const GROWTH_WAIT: Wait = Wait::AtMost(Duration::from_secs(10));

/// How long to wait for a lock that another handle holds.
///
/// ```
/// use std::time::Duration;
/// use flatrec::{DynStore, DataType, Field, Schema, ErrorKind, Wait};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let writer = DynStore::create(&path, &schema)?;
/// let second = DynStore::options().wait(Wait::AtMost(Duration::from_millis(20))).open(&path);
/// assert_eq!(second.unwrap_err().kind(), ErrorKind::Locked);
/// writer.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wait {
    /// Not at all: fail at once.
    #[default]
    No,
    /// Up to this long.
    AtMost(Duration),
    /// As long as it takes.
    Forever,
}

impl Wait {
    /// The rest of a wait that began at `started`, for a call that waits several times.
    pub(crate) fn rest_since(self, started: Instant) -> Self {
        match self {
            Self::AtMost(limit) => Self::AtMost(limit.saturating_sub(started.elapsed())),
            other => other,
        }
    }

    /// As [`Wait::until`], for a lock of the file at `place` that `holder` has, if known in
    /// `process`. Tells of a wait, but not of a lock that it gets or misses at once.
    pub(crate) fn until_locked<P: Traced + ?Sized>(
        self,
        place: &P,
        holder: &str,
        process: impl FnOnce() -> Option<u64>,
        mut attempt: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let (watch, mut attempts) = (Stopwatch::start(), 0_u64);
        let is_locked = self.until(|| {
            attempts += 1;
            attempt()
        })?;
        if attempts > 1 {
            trace::lock_wait(place, (holder, process()), watch, is_locked);
        }
        Ok(is_locked)
    }

    /// Tries until it succeeds or the time is over; `false` then.
    pub(crate) fn until(self, mut attempt: impl FnMut() -> Result<bool>) -> Result<bool> {
        let started = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            if attempt()? {
                return Ok(true);
            }
            let over = match self {
                Self::No => true,
                Self::AtMost(limit) => started.elapsed() >= limit,
                Self::Forever => false,
            };
            if over {
                return Ok(false);
            }
            // Locks of open files cannot wait for a limited time, so this tries again: soon at
            // first, then every 20 ms.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

/// An open lock file.
#[derive(Debug)]
pub(crate) struct SideLock {
    open: Arc<OpenFile>,
    /// Whether it is open for writing, so that it can be locked exclusively.
    writable: bool,
    /// Its length when opened, if the file system may copy the file when a program opens it for
    /// writing: a view of this handle keeps showing the original.
    original_bytes: Option<u64>,
    /// The path for errors.
    path: PathBuf,
    /// Its absolute path: the process may change its directory.
    real: PathBuf,
    /// The data file.
    data: PathBuf,
    /// Whether this handle created it.
    made: bool,
    /// Whether it was created for a data file that may never exist, and is then removed with it.
    withdrawn: AtomicBool,
    /// The ranges that it has locked: Windows unlocks each exactly as it was locked.
    held: Mutex<Vec<Range<u64>>>,
}

impl SideLock {
    /// Opens the lock file beside `data_path` for exclusive locks. Creates it if needed, with the
    /// data file's owner, group and permissions, or with the process's defaults if there is no data
    /// file yet.
    pub(crate) fn open_or_create(data_path: &Path) -> Result<Self> {
        Self::open_or_create_shared(data_path, &Sharing::like(data_path))
    }

    /// As [`SideLock::open_or_create`], beside a data file that will be created with this
    /// `sharing`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if a file of another kind has its name, which stays unchanged;
    /// [`ErrorKind::PermissionDenied`] for a file that is not trusted ([`SideLock::check_trust`]);
    /// [`ErrorKind::InvalidArgument`] for anything but a regular file; [`ErrorKind::Io`] if the
    /// operating system reports another error.
    pub(crate) fn open_or_create_shared(data_path: &Path, sharing: &Sharing) -> Result<Self> {
        refuse_no_file(data_path, "lock")?;
        refuse_long(data_path)?;
        if os::is_nameless(data_path) {
            return Err(nameless().path(data_path));
        }
        let (path, real) = (side_path(data_path, LOCK_SUFFIX), lock_path(data_path));
        refuse_irregular(&real).map_err(|error| error.path(&path))?;
        let (file, made) = open_or_create(&real, sharing).map_err(|source| {
            let no_directory = source.kind() == io::ErrorKind::NotFound;
            let error = Error::io("open the lock file", source).path(&path);
            if no_directory { error.advice("create the directory first") } else { error }
        })?;
        let mut lock = Self::over(file, true, path, &real, data_path)?;
        lock.made = made;
        lock.withdrawn = AtomicBool::new(made);
        if let Some(like) = &sharing.like {
            lock.check_trust(like)?;
        }
        Ok(lock)
    }

    /// Refuses a lock file of a user that may not write the data, or one that is open to users that
    /// may not use the data: its words decide what a writer writes beside readers.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`]; [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn check_trust(&self, data: &Permissions) -> Result<()> {
        if !self.made {
            os::narrow(self.open.file(), data);
        }
        let found = self.open.file().metadata();
        let found =
            found.map_err(|source| Error::io("ask the permissions of", source).path(&self.path))?;
        let why = match why_not_believed(&found, &self.real, data) {
            None => return Ok(()),
            Some(Distrust::Owner(user)) => {
                format!("the owner of the lock file, user {user}, may not write the data file")
            }
            Some(Distrust::Open(mode)) => format!(
                "the lock file's permissions ({mode:o}) admit users that may not use the data file"
            ),
        };
        Err(disbelieved(why, &self.data).path(&self.path))
    }

    /// An existing file, after a check that it is a lock file.
    fn over(
        file: File,
        writable: bool,
        path: PathBuf,
        real: &Path,
        data_path: &Path,
    ) -> Result<Self> {
        let open = Arc::new(OpenFile::new(file, Some(Place::as_given(&path))));
        whose::refuse_foreign(&open, &path, data_path)?;
        let (real, data) = (absolute(real), absolute(data_path));
        let is_original =
            !writable && os::file_system(open.file()).is_ok_and(|kind| os::copies_up(&kind));
        let original_bytes = is_original.then(|| open.len_bytes().unwrap_or(0));
        let held = Mutex::default();
        let (made, withdrawn) = (false, AtomicBool::new(false));
        let lock = Self { open, writable, original_bytes, path, real, data, made, withdrawn, held };
        // On systems where a question about a lock takes it for a moment, only the first bytes are
        // checked.
        if os::LOCKS_CAN_BE_ASKED_FOR {
            let entered = lock.try_lock(STORE, LockKind::Shared)?;
            if !entered || lock.is_locked(RAW, LockKind::Exclusive)? {
                return Err(lock.held_by("a mapping or a backing, which has it open for writing"));
            }
        }
        Ok(lock)
    }

    /// Opens an existing lock file beside `data_path` for shared locks, and for writing if its
    /// permissions allow that.
    pub(crate) fn open_if_there(data_path: &Path) -> Result<Option<Self>> {
        let (path, real) = (side_path(data_path, LOCK_SUFFIX), lock_path(data_path));
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        no_follow(&mut options);
        refuse_irregular(&real).map_err(|error| error.path(&path))?;
        let (writable, opened) = match options.open(&real) {
            Err(refused)
                if matches!(
                    refused.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                (false, options.write(false).open(&real))
            }
            other => (true, other),
        };
        match opened {
            Ok(file) => {
                let lock = Self::over(file, writable, path, &real, data_path)?;
                if let Some(like) = &Sharing::like(data_path).like {
                    lock.check_trust(like)?;
                }
                Ok(Some(lock))
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::io("open the lock file", source).path(&path)),
        }
    }

    /// Opens the lock file beside `data_path` for shared locks, or creates it; `None` if it cannot
    /// be created or must not be. A store `X-unfinished` differs from the leftover of a maker of
    /// `X` by its lock file, so a reader creates none there.
    pub(crate) fn open_for_reading(data_path: &Path) -> Result<Option<Self>> {
        match Self::open_if_there(data_path)? {
            Some(lock) => Ok(Some(lock)),
            None if is_unfinished(data_path) || os::is_nameless(data_path) => Ok(None),
            None => {
                // A reader that may not write the data creates no lock file: users that may write
                // the data could not lock it.
                if !os::may_write(data_path) {
                    return Ok(None);
                }
                match Self::open_or_create(data_path) {
                    Ok(lock) => Ok(Some(lock)),
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::PermissionDenied | ErrorKind::NoSpace
                        ) =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Takes a lock; on failure the error names `holder` as its likely holder.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when `wait` is over.
    pub(crate) fn lock(
        &self,
        range: Range<u64>,
        kind: LockKind,
        wait: Wait,
        holder: &'static str,
    ) -> Result<()> {
        let attempt = || self.try_lock(range.clone(), kind);
        let locked = wait.until_locked(&*self.path, holder, || None, attempt)?;
        if locked { Ok(()) } else { Err(self.held_by(holder)) }
    }

    /// The error of a lock in this file that `holder` has.
    pub(crate) fn held_by(&self, holder: impl Into<Cow<'static, str>>) -> Error {
        Error::held_by(holder).path(&self.path)
    }

    /// Tries to take a lock; `false` if another handle has a conflicting one.
    pub(crate) fn try_lock(&self, range: Range<u64>, kind: LockKind) -> Result<bool> {
        let (start, len) = lock_place(&range);
        let locked = os::try_lock_range(self.open.file(), start, len, kind)
            .map_err(|source| Error::io("lock", source).path(&self.path))?;
        if locked {
            let mut held = self.held();
            if !held.contains(&range) {
                held.push(range);
            }
        }
        Ok(locked)
    }

    fn held(&self) -> MutexGuard<'_, Vec<Range<u64>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another handle holds a lock there that conflicts with one of this kind; on Windows
    /// whether another handle holds an exclusive lock there.
    pub(crate) fn is_locked(&self, range: Range<u64>, kind: LockKind) -> Result<bool> {
        // On Windows this question would release the own lock.
        debug_assert!(!self.held().contains(&range), "this handle holds the lock itself");
        let (start, len) = lock_place(&range);
        os::is_range_locked(self.open.file(), start, len, kind)
            .map_err(|source| Error::io("look at the locks of", source).path(&self.path))
    }

    /// Tries to lock a table entry. The lock says that the entry's owner is alive.
    pub(crate) fn try_lock_entry(&self, entry: u64) -> Result<bool> {
        self.try_lock(FIRST_ENTRY + entry..FIRST_ENTRY + entry + 1, LockKind::Exclusive)
    }

    /// Releases a table entry.
    pub(crate) fn unlock_entry(&self, entry: u64) -> Result<()> {
        self.unlock(FIRST_ENTRY + entry..FIRST_ENTRY + entry + 1)
    }

    /// Whether the owner of one of these entries is alive; ignores entries of this handle.
    pub(crate) fn is_entry_locked(&self, entries: Range<u64>) -> Result<bool> {
        self.is_locked(FIRST_ENTRY + entries.start..FIRST_ENTRY + entries.end, LockKind::Exclusive)
    }

    /// The first `len` words of the lock file, or those that exist if the file is not writable.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] on a full disk; [`ErrorKind::Io`] if the operating system reports
    /// another error.
    pub(crate) fn words(&self, len: usize) -> Result<SharedWords> {
        let wanted = (len * size_of::<u64>()) as u64;
        let mut len_bytes = self.open.len_bytes()?;
        let whole = whole_pages(wanted.max(len_bytes.min(WORDS_MAX_BYTES)));
        if self.writable && !self.has_room(whole)? {
            // Another handle that lengthens the file at the same time must not truncate it again.
            self.lock(INITIALISER, LockKind::Exclusive, GROWTH_WAIT, "another initialiser")?;
            let grown = self.make_room(wanted);
            self.unlock(INITIALISER)?;
            len_bytes = grown?;
        }
        if self.original_bytes.is_some_and(|original| original != len_bytes) {
            return Err(Error::new(ErrorKind::Outdated, "map the lock file").path(&self.path));
        }
        let mapped = smaller(len_bytes, in_memory(wanted));
        let access = if self.writable { Access::ReadWrite } else { Access::ReadOnly };
        SharedWords::of_view(View::of_file(&self.open, 0, mapped, access)?)
    }

    /// Whether the lock file has so many bytes, with blocks behind them: on a full disk, a store to
    /// a page without a block would fault.
    fn has_room(&self, len_bytes: u64) -> Result<bool> {
        let allocated = os::allocated_bytes(self.open.file())
            .map_err(|source| Error::io("ask the blocks of", source).path(&self.path))?;
        Ok(self.open.len_bytes()? >= len_bytes && allocated >= len_bytes)
    }

    fn make_room(&self, wanted: u64) -> Result<u64> {
        let named = |source| Error::io("make room in the lock file", source).path(&self.path);
        let old = self.open.len_bytes()?;
        let len_bytes = whole_pages(old.max(wanted));
        let made = os::preallocate(self.open.file(), old, len_bytes).map_err(named)?;
        if made == Preallocated::LengthOnly {
            // No other handle has written to the new bytes yet.
            let zeros = vec![0; usize::try_from(len_bytes - old).unwrap_or(0)];
            self.open.write_at(old, &zeros)?;
        }
        // A copy of a lock file may have holes. The bytes past the last entry are not used.
        os::fill_holes(self.open.file(), wanted.max(len_bytes.min(WORDS_MAX_BYTES)))
            .map_err(named)?;
        Ok(len_bytes)
    }

    /// Whether the file system may copy the file when a program opens it for writing, while this
    /// handle, opened for reading, keeps the original.
    pub(crate) fn is_original(&self) -> bool {
        self.original_bytes.is_some()
    }

    /// Word `at` as read calls see it, in the copy if there is one; 0 past the end.
    pub(crate) fn word_in_file(&self, at: usize) -> Result<u64> {
        let mut word = [0; size_of::<u64>()];
        self.open.read_at((at * size_of::<u64>()) as u64, &mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    /// The lock file's length in words.
    pub(crate) fn len_words(&self) -> Result<usize> {
        let len_bytes = self.open.len_bytes()?;
        Ok(usize::try_from(len_bytes / size_of::<u64>() as u64).unwrap_or(usize::MAX))
    }

    /// Whether this handle created the lock file. Then no maker of the data file has died before,
    /// because each creates a lock file first.
    pub(crate) fn is_new(&self) -> bool {
        self.made
    }

    /// Notes that this handle has taken over the data file of a dead maker, which created this lock
    /// file.
    pub(crate) fn take_over(&self) {
        self.withdrawn.store(true, Ordering::Relaxed);
    }

    /// The open file. It has the same locks, which the drop of this handle releases.
    pub(super) fn open_file(&self) -> &Arc<OpenFile> {
        &self.open
    }

    /// Whether the lock file is writable, so that it can be locked exclusively.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The identity of the lock file.
    pub(crate) fn identity(&self) -> Result<os::FileIdentity> {
        os::file_identity(self.open.file())
            .map_err(|source| Error::io("identify", source).path(&self.path))
    }

    /// Whether the lock file still has its name.
    pub(crate) fn is_named(&self) -> Result<bool> {
        os::is_at(self.open.file(), &self.real)
            .map_err(|source| Error::io("look at the lock file", source).path(&self.path))
    }

    /// Removes the name of a lock file that this handle, or the dead maker that it took over from,
    /// has created, unless the data file exists or is being made. Another lock file may be a user's
    /// empty file.
    pub(crate) fn withdraw(&self) {
        let empty = self.open.file().metadata().is_ok_and(|metadata| metadata.len() == 0);
        let is_ours = self.withdrawn.load(Ordering::Relaxed);
        if !is_ours || !empty || !self.is_named().is_ok_and(|is| is) {
            return;
        }
        let is_alone = [WRITER, INITIALISER].into_iter().all(|range| self.holds(range));
        if is_alone && self.data.symlink_metadata().is_err() {
            // Best effort: a lock file without a store does no harm.
            let _ = os::remove(&self.real);
        }
    }

    /// Whether this handle has a lock, or can take it.
    fn holds(&self, range: Range<u64>) -> bool {
        let held = self.held().contains(&range);
        held || self.try_lock(range, LockKind::Exclusive).is_ok_and(|locked| locked)
    }

    /// Releases a lock.
    pub(crate) fn unlock(&self, range: Range<u64>) -> Result<()> {
        let (start, len) = lock_place(&range);
        os::unlock_range(self.open.file(), start, len)
            .map_err(|source| Error::io("unlock", source).path(&self.path))?;
        self.held().retain(|held| *held != range);
        Ok(())
    }
}

impl Drop for SideLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that another thread is starting holds copies of
        // all open files, and so their locks, until it runs its program.
        for range in std::mem::take(&mut *self.held()) {
            let (start, len) = lock_place(&range);
            let _ = os::unlock_range(self.open.file(), start, len);
        }
    }
}

/// A lock file has whole pages, which helps to recognise it. A dead maker may have left another
/// length.
fn whole_pages(len_bytes: u64) -> u64 {
    len_bytes.next_multiple_of(whose::PAGE_BYTES)
}

/// The start and the number of the bytes that stand for a range.
fn lock_place(range: &Range<u64>) -> (u64, u64) {
    (os::LOCKS_START + range.start, range.end - range.start)
}

/// Opens a lock file or creates it, even while other programs create and remove it. The `bool` says
/// whether this call created it.
fn open_or_create(path: &Path, sharing: &Sharing) -> io::Result<(File, bool)> {
    const ATTEMPTS_MAX: u32 = 100;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    no_follow(&mut options);
    let mut attempts = 0;
    loop {
        match os::create_new(path, sharing) {
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (made, true)),
        }
        match options.open(path) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS_MAX => {
                attempts += 1;
            }
            found => return found.map(|found| (found, false)),
        }
    }
}

/// The longest suffix of a name; a segment's suffix with a number of ten digits is shorter.
const LONGEST_SUFFIX: &str = "-unfinished-sum";

/// Refuses a name that is too long for the files beside it.
fn refuse_long(path: &Path) -> Result<()> {
    if os::has_room_for(path, LONGEST_SUFFIX) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "lock")
        .path(path)
        .detail(format!(
            "the files beside it add up to {} characters to the name, and a name can have 255",
            LONGEST_SUFFIX.len()
        ))
        .advice("choose a shorter name"))
}

/// Whether a file at `path` may be one that is not complete yet.
fn is_unfinished(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
