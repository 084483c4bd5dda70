//! Who may do what with a store at the same time.
//!
//! - A **writer** holds `X-lock`'s writer range and, on Unix, an exclusive lock on the data inode,
//!   which hard links and aliases share.
//! - Who lends records in place from a handle that does not write (a **reader**, a private store)
//!   holds the in-place range shared: no byte below its count changes meanwhile.
//! - An **exclusive edit** and a truncation are a writer's, with the in-place range held
//!   exclusively for as long as they take.
//! - A reader that has no lock file and may not make one holds the data inode's lock shared, which
//!   keeps every writer out.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::map::{FileBacking, IN_PLACE, SideLock, WRITER, Wait};
use crate::os::LockKind;

/// The locks that one handle holds; closing the files gives them back.
#[derive(Debug, Default)]
pub(super) struct Locks {
    side: Option<SideLock>,
}

impl Locks {
    /// No locks: for files without a name, which nobody else can open.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Takes the writer's lock for a store at `path` that is about to be made or opened.
    pub(super) fn writer(path: &Path, wait: Wait) -> Result<Self> {
        const HOLDER: &str = "another handle has the store open to write";
        loop {
            let side = SideLock::open_or_create(path)?;
            side.lock(WRITER, LockKind::Exclusive, wait, HOLDER)?;
            // Whoever waited for a creator that failed finds its lock file gone, and starts again.
            if side.is_named()? {
                return Ok(Self { side: Some(side) });
            }
        }
    }

    /// Removes the lock file of a store that did not come into being after all. Only under the
    /// writer's lock, and only if there is no data file: a store's lock file is never unlinked.
    pub(super) fn withdraw(&self, path: &Path) {
        if let (Some(side), Err(_)) = (&self.side, path.symlink_metadata()) {
            side.unlink();
        }
    }

    /// Takes the locks of a handle that only lends records.
    pub(super) fn reader(path: &Path, file: &FileBacking, wait: Wait) -> Result<Self> {
        let side = SideLock::open_for_reading(path)?;
        match &side {
            Some(side) => {
                side.lock(IN_PLACE, LockKind::Shared, wait, "an exclusive edit is under way")?;
            }
            None => lock_inode(path, file, LockKind::Shared)?,
        }
        Ok(Self { side })
    }

    /// Shuts every reader out, for changes in place.
    pub(super) fn exclude_readers(&self, wait: Wait) -> Result<()> {
        match &self.side {
            Some(side) => side.lock(
                IN_PLACE,
                LockKind::Exclusive,
                wait,
                "changing records in place needs the store alone, and a reader has it open",
            ),
            None => Ok(()),
        }
    }

    /// Lets readers in again.
    pub(super) fn admit_readers(&self) -> Result<()> {
        self.side.as_ref().map_or(Ok(()), |side| side.unlock(IN_PLACE))
    }
}

/// Locks the data inode itself, where the system can do so without hindering reads and writes.
pub(super) fn lock_inode(path: &Path, file: &FileBacking, kind: LockKind) -> Result<()> {
    match file.try_lock_inode(kind)? {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Locked, "lock")
            .path(path)
            .detail("another handle has the data file open to write, maybe under another name")
            .advice("close the other handle")),
    }
}
