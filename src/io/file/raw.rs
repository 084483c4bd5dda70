//! Files that are written to by their bytes, and stores, whose records are lent in place: no file
//! is both at a time.
//!
//! A writable [`FileBacking`] (and so a writable mapping, its views, and the files beside it) is
//! refused over a file that begins like a store or like a lock file. On Linux it holds the byte
//! [`RAW`] of the file, far from what it means as bytes, for as long as it or a view of it lives;
//! a store's handle holds the byte [`STORE`] of its data file and of its lock file. Each takes its
//! own first and looks for the other then, so that of two that meet at least one gives way.

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
    /// A file that is open already, by this process or the one it was inherited from, as
    /// [`FileBacking::open_unchecked`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no regular file; the system's.
    ///
    /// # Safety
    /// As for [`FileBacking::open_unchecked`].
    pub unsafe fn from_file_unchecked(file: File, path: Option<&Path>) -> Result<Self> {
        Self::adopt(file, path)
    }

    /// Opens a file that exists, for reading and, if `writable`, for writing, whatever it is: a
    /// store among other things.
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
    /// As [`FileBacking::open`], but for what that refuses to write to.
    ///
    /// # Safety
    /// While a handle has a store open, nothing is written through this backing, its views or the
    /// files beside it into the store's file or its lock file, and neither is cut, but by that
    /// handle itself.
    pub unsafe fn open_unchecked(path: impl AsRef<Path>, writable: bool) -> Result<Self> {
        Self::open_any(path.as_ref(), writable)
    }

    /// Keeps stores away from a file whose bytes this backing may write, and refuses one that
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

    /// Whose it is, and who may use it.
    pub(crate) fn permissions(&self) -> Result<Permissions> {
        let metadata = self.file().metadata();
        metadata
            .map(|metadata| Permissions::of(&metadata))
            .map_err(|source| self.error("ask the permissions of", source))
    }

    /// For a handle of a store: says that it is here, and whether others write the file's bytes.
    pub(crate) fn enter_as_store(&self) -> Result<bool> {
        if !self.try_lock_data(STORE, LockKind::Shared)? {
            return Ok(true);
        }
        self.is_data_locked(RAW, LockKind::Exclusive)
    }

    /// Opens a file beside this one to be written; one that belongs to a store, to be read only.
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

/// Takes the lock of those that write a file's bytes; `false` if a store's handle is there. A file
/// system without locks has no store's handles.
fn lock_raw(file: &File) -> io::Result<bool> {
    match os::try_lock_range(file, RAW.start, 1, LockKind::Shared) {
        Ok(true) => Ok(!os::is_range_locked(file, STORE.start, 1, LockKind::Exclusive)?),
        Ok(false) => Ok(false),
        Err(error) if os::has_no_locks(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses to take a lock file's name away, by removing it or by giving it to another file: a new
/// one would hide the locks of those who hold the old one.
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
                .detail("a store's lock file has this name, and keeps it while the store lives")
                .advice("choose another name"))
        }
        _ => Ok(()),
    }
}

fn belongs_to_a_store(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "open for writing")
        .detail(format!("it is {what}, whose handles lend records in place"))
        .advice(
            "open it with Store or Database, or read-only; FileBacking::open_unchecked, which is \
             unsafe, opens it all the same",
        )
}

fn in_use() -> Error {
    Error::new(ErrorKind::Locked, "open for writing")
        .detail("a handle has it open as a store, whose records are lent in place")
        .advice("use that handle, or close it first")
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Locked)
}
