//! Who may do what with a store at the same time.
//!
//! - A **writer** holds `X-lock`'s writer range and, on Unix, an exclusive lock on the data inode,
//!   which hard links and aliases share.
//! - Who lends records in place from a handle that does not write (a **reader**, a private store)
//!   holds the in-place range shared: no byte below its count changes meanwhile.
//! - An **exclusive edit** and a truncation are a writer's, with the in-place range held
//!   exclusively for as long as they take.
//! - The in-place range is locked in the lock file and, on Linux, in the data inode too: another
//!   name of the store has another lock file, and a file that is handed over has none.
//! - A reader that has no lock file and may not make one holds the data inode's lock shared, which
//!   keeps every writer out.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::map::{FileBacking, IN_PLACE, SideLock, WRITER, Wait, held_by};
use crate::os::{LockKind, Sharing};

const EDITING: &str = "an exclusive edit is under way";
const LENDING: &str = "changing records in place needs the store alone, and a reader has it open";

/// The locks that one handle holds; closing the files gives them back.
#[derive(Debug, Default)]
pub(super) struct Locks {
    // First, and so dropped first: who waits for the writer's range must find the inode free then.
    file: Option<Arc<FileBacking>>,
    side: Option<SideLock>,
}

impl Locks {
    /// No locks: for files without a name, which nobody else can open.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Takes the writer's lock for a store at `path` that is about to be made or opened.
    pub(super) fn writer(path: &Path, wait: Wait) -> Result<Self> {
        Self::maker(path, wait, &Sharing::like(path))
    }

    /// As [`Locks::writer`], of who makes the store and shares it with others like that.
    pub(super) fn maker(path: &Path, wait: Wait, sharing: &Sharing) -> Result<Self> {
        const HOLDER: &str = "another handle has the store open to write";
        loop {
            let side = SideLock::open_or_create_shared(path, sharing)?;
            side.lock(WRITER, LockKind::Exclusive, wait, HOLDER)?;
            // Whoever waited for a creator that failed finds its lock file gone, and starts again.
            if side.is_named()? {
                return Ok(Self { file: None, side: Some(side) });
            }
        }
    }

    /// Adds the writer's lock on the data file itself.
    pub(super) fn add_inode(
        mut self,
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
    ) -> Result<Self> {
        lock_inode(path, file, LockKind::Exclusive, wait)?;
        self.file = Some(Arc::clone(file));
        Ok(self)
    }

    /// Adds the lock file of `other`.
    pub(super) fn join(&mut self, other: Self) {
        self.side = other.side;
    }

    /// Removes the lock file of a store that did not come into being after all. Only under the
    /// writer's lock, and only if there is no data file: a store's lock file is never unlinked.
    pub(super) fn withdraw(&self) {
        if let Some(side) = &self.side {
            side.withdraw();
        }
    }

    /// Takes the locks of a handle that only lends records.
    /// `in_place` is how long to wait for who changes records in place.
    pub(super) fn reader(
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
        in_place: Wait,
    ) -> Result<Self> {
        Self::reader_with(SideLock::open_for_reading(path)?, path, file, wait, in_place)
    }

    /// As [`Locks::reader`], of a handle that makes no lock file where there is none, but keeps
    /// writers out instead.
    pub(super) fn onlooker(
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
        in_place: Wait,
    ) -> Result<Self> {
        Self::reader_with(SideLock::open_if_there(path)?, path, file, wait, in_place)
    }

    fn reader_with(
        side: Option<SideLock>,
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
        in_place: Wait,
    ) -> Result<Self> {
        match &side {
            Some(side) => side.lock(IN_PLACE, LockKind::Shared, in_place, EDITING)?,
            None => lock_inode(path, file, LockKind::Shared, wait)?,
        }
        lock_in_place(file, LockKind::Shared, in_place, EDITING)?;
        Ok(Self { file: Some(Arc::clone(file)), side })
    }

    /// Takes the locks of a handle on a file that is open already: the inode's, if the file's path
    /// is known, and no lock file's.
    pub(super) fn handed_over(
        file: &Arc<FileBacking>,
        path: Option<&Path>,
        writes: bool,
        wait: Wait,
    ) -> Result<Self> {
        if let Some(path) = path {
            let kind = if writes { LockKind::Exclusive } else { LockKind::Shared };
            lock_inode(path, file, kind, wait)?;
        }
        if !writes {
            lock_in_place(file, LockKind::Shared, wait, EDITING)?;
        }
        Ok(Self { file: Some(Arc::clone(file)), side: None })
    }

    /// Shuts every reader out, for changes in place.
    pub(super) fn exclude_readers(&self, wait: Wait) -> Result<()> {
        if let Some(side) = &self.side {
            side.lock(IN_PLACE, LockKind::Exclusive, wait, LENDING)?;
        }
        let Some(file) = &self.file else { return Ok(()) };
        lock_in_place(file, LockKind::Exclusive, wait, LENDING).inspect_err(|_| {
            let _ = self.admit_readers();
        })
    }

    /// Lets readers in again.
    pub(super) fn admit_readers(&self) -> Result<()> {
        let file = self.file.as_ref().map_or(Ok(()), |file| file.unlock_in_place());
        let side = self.side.as_ref().map_or(Ok(()), |side| side.unlock(IN_PLACE));
        file.and(side)
    }
}

/// Locks the data inode itself, where the system can do so without hindering reads and writes.
fn lock_inode(path: &Path, file: &FileBacking, kind: LockKind, wait: Wait) -> Result<()> {
    if wait.until(|| file.try_lock_inode(kind))? {
        return Ok(());
    }
    let holder = match kind {
        LockKind::Shared => "another handle has the data file open to write",
        LockKind::Exclusive => {
            "another handle has the data file open: to write under another name, or to read \
             without a lock file"
        }
    };
    Err(held_by(holder).path(path))
}

fn lock_in_place(
    file: &FileBacking,
    kind: LockKind,
    wait: Wait,
    holder: &'static str,
) -> Result<()> {
    if wait.until(|| file.try_lock_in_place(kind))? {
        return Ok(());
    }
    let error = held_by(holder);
    Err(match crate::map::Backing::path(file) {
        Some(path) => error.path(path),
        None => error,
    })
}
