//! Byte-range locks on the small file beside a data file.
//!
//! `X-lock` lies beside `X`, is created with it and never unlinked: a new inode would hide the
//! locks of those who hold the old one. Locks lie on it and never on the data bytes, since Windows
//! would then deny other handles' reads and writes. A range's lock belongs to the open file and
//! dies with its process, whatever way that ends.

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
use crate::os::{self, Distrust, LockKind, Permissions, Preallocated, Sharing, no_follow};

/// Held exclusively by the one writer of a store.
pub(crate) const WRITER: Range<u64> = 0..1;
/// Held shared by everybody who lends records in place; exclusively by who changes them in place.
pub(crate) const IN_PLACE: Range<u64> = 1..2;
/// Held exclusively by who is initialising the data file.
pub(crate) const INITIALISER: Range<u64> = 2..3;

/// Held exclusively by a checkpoint while it changes the array; shared by a reader that has no slot
/// to say what it reads.
pub(crate) const CHECKPOINT: Range<u64> = 3..4;
/// The byte whose lock says that the owner of the first reader's slot is alive; the next ones
/// follow.
const FIRST_SLOT: u64 = 1 << 20;
/// As many readers at a time may have slots.
pub(crate) const SLOTS_MAX: u64 = 1 << 16;

/// No lock file has words past this byte: there are fewer than so many for each slot.
const WORDS_MAX_BYTES: u64 = 8192 + SLOTS_MAX * 64;

/// On the data file itself: a reader that has a slot, in whichever lock file, holds a byte of its
/// own here, shared, and says in the slot which. By a locked byte that no slot speaks of a writer
/// knows that there is a reader whose slot it does not see.
pub(crate) const READERS: Range<u64> = 1 << 62..(1 << 63) - 1;
/// On the data file, too: where readers of earlier programs lock a byte that stands for their lock
/// file. A writer of those looks at all of these bytes but the one of its own lock file.
pub(crate) const EARLIER_READERS: Range<u64> = 1 << 29..1 << 30;
/// Held shared by readers for such a writer: whichever byte is its own, it finds the other locked.
pub(crate) const FOR_EARLIER_WRITERS: Range<u64> = 1 << 29..(1 << 29) + 2;

/// How long to wait for somebody who makes the lock file longer: they do nothing else meanwhile.
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
    /// Tries until it succeeds, or until it has waited long enough: `false` then.
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
            // Locks of open files have no call that waits for a limited time, so this asks again:
            // soon at first, then every 20 ms.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

/// An open lock file.
#[derive(Debug)]
pub(crate) struct SideLock {
    open: Arc<OpenFile>,
    /// Whether it may be written, and so locked exclusively.
    writable: bool,
    /// Its length when it was opened, if the file system may copy it once it is opened to be
    /// written: a view of what is open here stays with the original.
    original_bytes: Option<u64>,
    /// The path for errors.
    path: PathBuf,
    /// Where it lies, wherever the process is by now.
    real: PathBuf,
    /// The data file.
    data: PathBuf,
    /// Whether this handle has made it.
    made: bool,
    /// Whether it goes with a data file that does not come into being: it was made for that.
    withdrawn: AtomicBool,
    /// The ranges that it has locked: on Windows each is given back as it was taken.
    held: Mutex<Vec<Range<u64>>>,
}

impl SideLock {
    /// Opens the lock file beside `data_path` for exclusive locks, creating it if need be: with
    /// the data file's owner, group and permissions, or as the process makes its files if there is
    /// no data file yet.
    pub(crate) fn open_or_create(data_path: &Path) -> Result<Self> {
        Self::open_or_create_shared(data_path, &Sharing::like(data_path))
    }

    /// As [`SideLock::open_or_create`], beside a data file that is yet to be made and to be shared
    /// with others like that.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if a file of another kind has its name, which is left as it is;
    /// [`ErrorKind::PermissionDenied`] for one that is not believed ([`SideLock::check_trust`]);
    /// [`ErrorKind::InvalidArgument`] for what is no regular file; the system's.
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
            if no_directory { error.advice("make the directory first") } else { error }
        })?;
        let mut lock = Self::over(file, true, path, &real, data_path)?;
        lock.made = made;
        lock.withdrawn = AtomicBool::new(made);
        if let Some(like) = &sharing.like {
            lock.check_trust(like)?;
        }
        Ok(lock)
    }

    /// Refuses a lock file that a user has made who may not write the data, or that others may use
    /// who may not use the data: what it says decides over what is written beside readers.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`]; the system's.
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
                format!("user {user} owns the lock file, who may not write the data")
            }
            Some(Distrust::Open(mode)) => format!(
                "the lock file's permissions ({mode:o}) let users at it who may not use the data"
            ),
        };
        Err(disbelieved(why, &self.data).path(&self.path))
    }

    /// A lock file that was there, once it is known to be one.
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
        // Where asking for a lock takes it for a moment, what a lock file begins with must do.
        if os::LOCKS_CAN_BE_ASKED_FOR {
            let entered = lock.try_lock(STORE, LockKind::Shared)?;
            if !entered || lock.is_locked(RAW, LockKind::Exclusive)? {
                return Err(lock.held_by("a mapping or a backing has it open for writing"));
            }
        }
        Ok(lock)
    }

    /// Opens the lock file beside `data_path` for shared locks, if there is one; for all that its
    /// permissions allow.
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

    /// Opens the lock file beside `data_path` for shared locks; `None` if there is none and none
    /// can be made, or none is to be: by its lock file a store `X-unfinished` is told from what
    /// the maker of `X` has left, which stays that when somebody looks into it.
    pub(crate) fn open_for_reading(data_path: &Path) -> Result<Option<Self>> {
        match Self::open_if_there(data_path)? {
            Some(lock) => Ok(Some(lock)),
            None if is_unfinished(data_path) || os::is_nameless(data_path) => Ok(None),
            None => {
                // Who may not write the data makes no lock file: it would be one that those who
                // may could not lock.
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

    /// Takes a lock; `holder` is who is known to have it if it cannot be had.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] once `wait` is over.
    pub(crate) fn lock(
        &self,
        range: Range<u64>,
        kind: LockKind,
        wait: Wait,
        holder: &'static str,
    ) -> Result<()> {
        let locked = wait.until(|| self.try_lock(range.clone(), kind))?;
        if locked { Ok(()) } else { Err(self.held_by(holder)) }
    }

    /// The error of a lock in this file that `holder` has.
    pub(crate) fn held_by(&self, holder: impl Into<Cow<'static, str>>) -> Error {
        Error::held_by(holder).path(&self.path)
    }

    /// Tries to take a lock; `false` if another handle is in the way.
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

    /// Whether another handle holds a lock there that is in the way of one of this kind; on Windows
    /// whether one holds an exclusive lock there.
    pub(crate) fn is_locked(&self, range: Range<u64>, kind: LockKind) -> Result<bool> {
        // On Windows asking would give the lock back.
        debug_assert!(!self.held().contains(&range), "asked of one's own lock");
        let (start, len) = lock_place(&range);
        os::is_range_locked(self.open.file(), start, len, kind)
            .map_err(|source| Error::io("look at the locks of", source).path(&self.path))
    }

    /// Tries to lock a reader's slot, whose owner is alive for as long as it is locked.
    pub(crate) fn try_lock_slot(&self, slot: u64) -> Result<bool> {
        self.try_lock(FIRST_SLOT + slot..FIRST_SLOT + slot + 1, LockKind::Exclusive)
    }

    /// Gives a reader's slot back.
    pub(crate) fn unlock_slot(&self, slot: u64) -> Result<()> {
        self.unlock(FIRST_SLOT + slot..FIRST_SLOT + slot + 1)
    }

    /// Whether the owner of one of these slots is alive, as another handle sees it.
    pub(crate) fn is_slot_locked(&self, slots: Range<u64>) -> Result<bool> {
        self.is_locked(FIRST_SLOT + slots.start..FIRST_SLOT + slots.end, LockKind::Exclusive)
    }

    /// The words in the lock file, of which there are to be `len`: as many as there are if it may
    /// not be written.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] on a full disk; the system's.
    pub(crate) fn words(&self, len: usize) -> Result<SharedWords> {
        let wanted = (len * size_of::<u64>()) as u64;
        let mut len_bytes = self.open.len_bytes()?;
        let whole = whole_pages(wanted.max(len_bytes.min(WORDS_MAX_BYTES)));
        if self.writable && !self.has_room(whole)? {
            // Somebody else who does this at the same time must not cut it again.
            self.lock(INITIALISER, LockKind::Exclusive, GROWTH_WAIT, "another initialiser")?;
            let grown = self.make_room(wanted);
            self.unlock(INITIALISER)?;
            len_bytes = grown?;
        }
        if self.original_bytes.is_some_and(|original| original != len_bytes) {
            return Err(Error::new(ErrorKind::Outdated, "map the lock file").path(&self.path));
        }
        let mapped = usize::try_from(len_bytes.min(wanted)).unwrap_or(usize::MAX);
        let access = if self.writable { Access::ReadWrite } else { Access::ReadOnly };
        SharedWords::of_view(View::of_file(&self.open, 0, mapped, access)?)
    }

    /// Whether the lock file has so many bytes, and blocks behind them: a store to a page without
    /// would be a fault on a full disk.
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
            // Behind what was there nobody has written anything yet.
            let zeros = vec![0; usize::try_from(len_bytes - old).unwrap_or(0)];
            self.open.write_at(old, &zeros)?;
        }
        // A copy of a lock file may have holes. Past the last slot nobody looks.
        os::fill_holes(self.open.file(), wanted.max(len_bytes.min(WORDS_MAX_BYTES)))
            .map_err(named)?;
        Ok(len_bytes)
    }

    /// Whether the file system may copy the file when it is opened to be written, beside this
    /// handle, which is not: what was mapped here stays with the original then.
    pub(crate) fn is_original(&self) -> bool {
        self.original_bytes.is_some()
    }

    /// Word `at` as calls read it, in the copy if there is one; 0 past the end.
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

    /// Whether this handle has made the lock file: no maker of the data file can have died before,
    /// since each makes a lock file first.
    pub(crate) fn is_new(&self) -> bool {
        self.made
    }

    /// Says that a maker has left it that died, and of whose data file this handle has taken over.
    pub(crate) fn take_over(&self) {
        self.withdrawn.store(true, Ordering::Relaxed);
    }

    /// Whether the lock file may be written, and so locked exclusively.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// What tells this lock file from others.
    pub(crate) fn identity(&self) -> Result<os::FileIdentity> {
        os::file_identity(self.open.file())
            .map_err(|source| Error::io("identify", source).path(&self.path))
    }

    /// Whether the lock file still has its name.
    pub(crate) fn is_named(&self) -> Result<bool> {
        os::is_at(self.open.file(), &self.real)
            .map_err(|source| Error::io("look at the lock file", source).path(&self.path))
    }

    /// Takes the name of a lock file away that this handle has made, or that a maker has left of
    /// which it has taken over, unless there is a data file, or one is being made. Any other may be
    /// a user's empty file.
    pub(crate) fn withdraw(&self) {
        let empty = self.open.file().metadata().is_ok_and(|metadata| metadata.len() == 0);
        let is_ours = self.withdrawn.load(Ordering::Relaxed);
        if !is_ours || !empty || !self.is_named().is_ok_and(|is| is) {
            return;
        }
        let is_alone = [WRITER, INITIALISER].into_iter().all(|range| self.holds(range));
        if is_alone && self.data.symlink_metadata().is_err() {
            // Best effort: a lock file without a store is clutter, not harm.
            let _ = os::remove(&self.real);
        }
    }

    /// Whether this handle has a lock, or can take it.
    fn holds(&self, range: Range<u64>) -> bool {
        let held = self.held().contains(&range);
        held || self.try_lock(range, LockKind::Exclusive).is_ok_and(|locked| locked)
    }

    /// Gives a lock back.
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
        // Closing the file would do, but for a process that another thread is just starting: until
        // it becomes its program it holds a copy of every open file, locks and all.
        for range in std::mem::take(&mut *self.held()) {
            let (start, len) = lock_place(&range);
            let _ = os::unlock_range(self.open.file(), start, len);
        }
    }
}

/// A lock file is made in whole pages, by which it is known. A maker that died may leave others.
fn whole_pages(len_bytes: u64) -> u64 {
    len_bytes.next_multiple_of(whose::PAGE_BYTES)
}

/// The bytes that stand for a range, and how many.
fn lock_place(range: &Range<u64>) -> (u64, u64) {
    (os::LOCKS_START + range.start, range.end - range.start)
}

/// Opens a lock file, or makes it, and says which, even if other programs make and remove it.
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

/// The longest of what is added to a name; ten digits of a segment's number are not longer.
const LONGEST_SUFFIX: &str = "-unfinished-sum";

/// Refuses a name that is too long for the files beside it.
fn refuse_long(path: &Path) -> Result<()> {
    if os::has_room_for(path, LONGEST_SUFFIX) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "lock")
        .path(path)
        .detail(format!(
            "the files beside it add up to {} characters to its name, and a name has up to 255",
            LONGEST_SUFFIX.len()
        ))
        .advice("choose a shorter name"))
}

/// Whether a file at `path` may be one that is made aside.
fn is_unfinished(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
