//! Separates files that a program writes as bytes from stores, whose records are lent in place: no
//! file is both at the same time.
//!
//! A writable [`FileBacking`] (and so a writable mapping, its views, and the files beside it)
//! refuses a file that begins like a store or like a lock file. On Linux it locks the byte [`RAW`]
//! of the file, as long as it or a view of it lives; a store's handle locks the byte [`STORE`] of
//! its data file and of its lock file. The locks lie far from the bytes that they protect. Each
//! side takes its own lock first and then checks the other, so that of two at least one gives way.

use std::fs::File;
use std::io;
use std::path::Path;

use super::super::kind::{LOCK_SUFFIX, why_refused};
use super::super::open_file::{RAW, RawLock, STORE};
use super::super::place::Place;
use super::{FileBacking, LOCKS_RANGES_OF_DATA};
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, LockKind, Permissions};

impl FileBacking {
    /// As [`FileBacking::open_unchecked`], for a file that this process has already opened or
    /// inherited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything but a regular file; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    ///
    /// # Safety
    /// As for [`FileBacking::open_unchecked`].
    pub unsafe fn from_file_unchecked(file: File, path: Option<&Path>) -> Result<Self> {
        Self::adopt(file, path)
    }

    /// Opens any existing file, also a store, for reading and, if `writable`, for writing.
    ///
    /// ```
    /// use flatrec::map::{Backing, FileBacking};
    /// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("n.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// DynStore::create(&path, &schema)?.close()?;
    /// let refused = FileBacking::open(&path, true).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    /// // SAFETY: no handle has the store open.
    /// let file = unsafe { FileBacking::open_unchecked(&path, true) }?;
    /// file.write_at(0, &[0; 8])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`FileBacking::open`], without its refusal to write to a store.
    ///
    /// # Safety
    /// While a handle has a store open, only that handle writes to the store's file or its lock
    /// file, or truncates them. The caller does neither through this backing, its views or the
    /// files beside it.
    pub unsafe fn open_unchecked(path: impl AsRef<Path>, writable: bool) -> Result<Self> {
        Self::open_any(path.as_ref(), writable)
    }

    /// Excludes stores from a file whose bytes this backing may write, and refuses a file that
    /// belongs to a store. `shared` is for files that another handle may have opened.
    pub(super) fn guarded(self, shared: bool) -> Result<Self> {
        let own =
            if shared && LOCKS_RANGES_OF_DATA { os::open_again(self.file()).ok() } else { None };
        let lock = RawLock { own };
        let file = lock.own.as_ref().unwrap_or(self.file());
        if LOCKS_RANGES_OF_DATA {
            let taken =
                lock_raw(file).map_err(|source| self.open.name(Error::io("lock", source)))?;
            if !taken {
                lock.unlock(self.file());
                return Err(self.open.name(in_use()));
            }
        }
        let looked = why_refused(file);
        match looked.map_err(|source| self.open.name(Error::io("read", source))) {
            Ok(None) => {}
            refused => {
                if LOCKS_RANGES_OF_DATA {
                    lock.unlock(self.file());
                }
                let Some(what) = refused? else { return Ok(self) };
                return Err(self.open.name(belongs_to_a_store(what)));
            }
        }
        if LOCKS_RANGES_OF_DATA {
            self.open.keep(lock);
        }
        Ok(self)
    }

    /// Its owner, group and permissions.
    pub(crate) fn permissions(&self) -> Result<Permissions> {
        let metadata = self.file().metadata();
        metadata
            .map(|metadata| Permissions::of(&metadata))
            .map_err(|source| self.error("ask the permissions of", source))
    }

    /// Announces the handle of a store, and tells whether another handle writes the file's bytes.
    pub(crate) fn enter_as_store(&self) -> Result<bool> {
        if !self.try_lock_data(STORE, LockKind::Shared)? {
            return Ok(true);
        }
        self.is_data_locked(RAW, LockKind::Exclusive)
    }

    /// Opens a file beside this one for writing; one that belongs to a store for reading only.
    pub(super) fn over_side(
        file: File,
        place: Place,
        reopen: impl FnOnce() -> Result<Option<File>>,
    ) -> Result<Option<Self>> {
        match Self::over(file, Some(place.clone()))?.guarded(false) {
            Err(error) if is_refusal(&error) => {
                reopen()?.map(|file| Self::over(file, Some(place))).transpose()
            }
            other => other.map(Some),
        }
    }
}

/// Takes the lock of handles that write a file's bytes; `false` if a store's handle exists. A file
/// system without locks has no handles of stores.
fn lock_raw(file: &File) -> io::Result<bool> {
    match os::try_lock_range(file, RAW.start, 1, LockKind::Shared) {
        Ok(true) => Ok(!os::is_range_locked(file, STORE.start, 1, LockKind::Exclusive)?),
        Ok(false) => Ok(false),
        Err(error) if os::has_no_locks(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses to remove a lock file's name, or to give it to another file: a new lock file would hide
/// the locks on the old one.
pub(crate) fn refuse_lock_file(path: &Path, operation: &'static str) -> Result<()> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    if !name.ends_with(LOCK_SUFFIX.as_bytes())
        || !path.symlink_metadata().is_ok_and(|it| it.is_file())
    {
        return Ok(());
    }
    let what = File::open(path).and_then(|file| why_refused(&file));
    match what {
        Ok(Some(what)) if what != "a store" => {
            Err(Error::new(ErrorKind::InvalidArgument, operation)
                .path(path)
                .detail(
                    "this is the name of a store's lock file, which must stay as long as the store",
                )
                .advice("choose another name"))
        }
        _ => Ok(()),
    }
}

fn belongs_to_a_store(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "open for writing")
        .detail(format!("the file is {what}, and its handles lend records in place"))
        .advice(
            "open it with Store or Database, or read-only, or with the unsafe \
             FileBacking::open_unchecked",
        )
}

fn in_use() -> Error {
    Error::new(ErrorKind::Locked, "open for writing")
        .detail("a handle has the file open as a store and lends its records in place")
        .advice("use that handle, or close it first")
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Locked)
}
