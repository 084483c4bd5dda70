//! Locks on the data file itself, which all its names share.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::{FileBacking, LOCKS_RANGES_OF_DATA};
use crate::error::{Error, Result};
use crate::os::{self, LockKind};

impl FileBacking {
    /// Locks the inode itself, whatever its names, where the system can do that without hindering
    /// reads and writes; `false` if another handle holds it. Dropping the backing unlocks it.
    pub(crate) fn try_lock_inode(&self, kind: LockKind) -> Result<bool> {
        let locked = os::try_lock_inode(self.open.file(), kind)
            .map_err(|source| self.error("lock", source))?;
        self.inode_locked.fetch_or(locked, Ordering::Relaxed);
        Ok(locked)
    }

    /// Locks a range of the inode, which stands for something else than its bytes, whatever the
    /// file's names: `false` if another handle is in the way. Where the system cannot do that it
    /// does nothing, and the lock file alone must do. Dropping the backing unlocks it.
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

    /// Locks a byte of this range of the inode, shared, that no other handle is likely to have, and
    /// returns which; `None` where ranges of the inode are not locked.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) if another program has locked it, as no
    /// handle does, exclusively; the system's.
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

    /// Locks a range of the inode, shared, that no handle ever locks exclusively.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) if another program does; the system's.
    pub(crate) fn lock_beside_others(&self, range: Range<u64>) -> Result<()> {
        if self.try_lock_data(range, LockKind::Shared)? {
            return Ok(());
        }
        Err(self.open.name(Error::held_by("another program has bytes of it locked past its end")))
    }

    /// Gives a lock of [`FileBacking::try_lock_data`] back.
    pub(crate) fn unlock_data(&self, range: Range<u64>) -> Result<()> {
        if !self.range_locked.load(Ordering::Relaxed) {
            return Ok(());
        }
        os::unlock_range(self.open.file(), range.start, range.end - range.start)
            .map_err(|source| self.error("unlock", source))
    }

    /// Whether another handle has locked something in this range of the inode that is in the way of
    /// a lock of this kind. Where ranges of the inode are not locked, none has.
    pub(crate) fn is_data_locked(&self, range: Range<u64>, kind: LockKind) -> Result<bool> {
        if !LOCKS_RANGES_OF_DATA || range.is_empty() {
            return Ok(false);
        }
        os::is_range_locked(self.open.file(), range.start, range.end - range.start, kind)
            .map_err(|source| self.error("look at the locks of", source))
    }
}
