//! Locks on the data file itself, which all its names share.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::{FileBacking, LOCKS_RANGES_OF_DATA};
use crate::error::{Error, Result};
use crate::os::{self, LockKind};

impl FileBacking {
    /// Locks the inode itself, under all its names, if the system can do that without blocking
    /// reads and writes; `false` if another handle holds it. Dropping the backing releases the
    /// lock.
    pub(crate) fn try_lock_inode(&self, kind: LockKind) -> Result<bool> {
        let locked = os::try_lock_inode(self.open.file(), kind)
            .map_err(|source| self.error("lock", source))?;
        self.inode_locked.fetch_or(locked, Ordering::Relaxed);
        Ok(locked)
    }

    /// Locks the file as a whole against other editors, beside programs that read it: its inode, or
    /// on Windows a byte far past its end. `false` if another program has the lock. Dropping the
    /// backing releases it.
    #[cfg(feature = "exchange")]
    pub(crate) fn try_lock_editor(&self) -> Result<bool> {
        /// Past every byte that a file has.
        const EDITOR: u64 = 1 << 62;
        if cfg!(windows) {
            return os::try_lock_range(self.open.file(), EDITOR, 1, LockKind::Exclusive)
                .map_err(|source| self.error("lock", source));
        }
        self.try_lock_inode(LockKind::Exclusive)
    }

    /// Locks a range of the inode that stands for something other than its bytes, under all names
    /// of the file; `false` if another handle has a conflicting lock. On systems that cannot do
    /// that it does nothing, and only the lock file protects the store. Dropping the backing
    /// releases the lock.
    pub(crate) fn try_lock_data(&self, range: Range<u64>, kind: LockKind) -> Result<bool> {
        if !LOCKS_RANGES_OF_DATA {
            return Ok(true);
        }
        let len = range.end - range.start;
        let locked = os::try_lock_range(self.open.file(), range.start, len, kind)
            .map_err(|source| self.error("lock", source))?;
        self.range_locked.fetch_or(locked, Ordering::Relaxed);
        Ok(locked)
    }

    /// Takes a shared lock on a random byte of this range of the inode, and returns the byte;
    /// `None` on systems that do not lock ranges of the inode.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) if another program has locked it
    /// exclusively, which no handle does; [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating
    /// system reports an error.
    pub(crate) fn lock_some_byte(&self, range: Range<u64>) -> Result<Option<u64>> {
        if !LOCKS_RANGES_OF_DATA {
            return Ok(None);
        }
        let drawn =
            os::random_number().map_err(|source| self.error("draw a number for", source))?;
        let byte = range.start + drawn % (range.end - range.start);
        self.lock_beside_others(byte..byte + 1)?;
        Ok(Some(byte))
    }

    /// Takes a shared lock on a range of the inode. No handle locks the range exclusively.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) if another program has locked it
    /// exclusively; [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an
    /// error.
    pub(crate) fn lock_beside_others(&self, range: Range<u64>) -> Result<()> {
        if self.try_lock_data(range, LockKind::Shared)? {
            return Ok(());
        }
        Err(self.open.name(Error::held_by("another program has locked bytes past its end")))
    }

    /// Releases a lock of [`FileBacking::try_lock_data`].
    pub(crate) fn unlock_data(&self, range: Range<u64>) -> Result<()> {
        if !self.range_locked.load(Ordering::Relaxed) {
            return Ok(());
        }
        os::unlock_range(self.open.file(), range.start, range.end - range.start)
            .map_err(|source| self.error("unlock", source))
    }

    /// Whether another handle has a lock in this range of the inode that conflicts with one of this
    /// kind. Always false on systems that do not lock ranges of the inode.
    pub(crate) fn is_data_locked(&self, range: Range<u64>, kind: LockKind) -> Result<bool> {
        if !LOCKS_RANGES_OF_DATA || range.is_empty() {
            return Ok(false);
        }
        os::is_range_locked(self.open.file(), range.start, range.end - range.start, kind)
            .map_err(|source| self.error("look at the locks of", source))
    }
}
