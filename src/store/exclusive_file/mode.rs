//! How an exclusive file may be used, and the state that each use needs.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::io::{Access, FileBacking};
use crate::shm::{LockWords, WriterSide};
use crate::sums::{BlockSet, Sums};
use crate::txn::{Locks, RecoveredState, SnapshotPin, Superblock, read_beside};

/// How an exclusive file may be used.
pub(crate) enum Mode {
    /// Reads the state of one commit.
    Read(ReadState),
    /// Reads the state of one commit, and changes it for this handle alone.
    Private(ReadState),
    /// Writes to a store that has its own name.
    Write(WriteState),
    /// Writes to a store that gets its own name when it is closed.
    Unpublished(WriteState, Unpublished),
    /// The handle is closed, and dropping it does nothing.
    Closed,
}

/// The state of a handle that does not write.
pub(crate) struct ReadState {
    /// The state of the log when the store was opened. A whole view shows its images in private
    /// pages; the windows of a windowed store do not show them.
    pub(crate) log: Option<RecoveredState>,
    /// Keeps the writer from changing the records that this handle reads.
    pub(crate) pin: SnapshotPin,
}

/// The state of a handle that writes.
pub(crate) struct WriteState {
    /// The checksums, if the store has them.
    pub(crate) sums: Option<EditedSums>,
    /// Tells readers the commits of this handle.
    pub(crate) sharing: WriterSide<LockWords>,
}

/// Checksums, and the blocks that an exclusive edit has changed since they were written.
pub(crate) struct EditedSums {
    pub(crate) sums: Sums,
    pub(crate) edited: BlockSet,
}

/// A store under a temporary name, which gets its own when it is closed.
#[derive(Debug)]
pub(crate) struct Unpublished {
    pub(crate) file: Arc<FileBacking>,
    pub(crate) publish_at: PathBuf,
    pub(crate) replace: bool,
    /// Whether the file stays under its temporary name if the store is dropped or closing fails.
    pub(crate) keep: bool,
}

impl ReadState {
    /// Reads header and log, and pins the commit that it found.
    pub(super) fn take_up(
        superblock: &mut Superblock,
        locks: &Locks,
        alignment: usize,
    ) -> Result<Self> {
        let (log, pin) = read_beside::take_up(superblock, locks, alignment)?;
        Ok(Self { log, pin })
    }
}

impl From<Sums> for EditedSums {
    fn from(sums: Sums) -> Self {
        Self { sums, edited: BlockSet::default() }
    }
}

impl Mode {
    pub(crate) fn access(&self) -> Access {
        match self {
            Self::Read(_) | Self::Closed => Access::ReadOnly,
            Self::Private(_) => Access::Private,
            Self::Write(_) | Self::Unpublished(..) => Access::ReadWrite,
        }
    }

    /// The state of a handle that does not write.
    pub(crate) fn reader(&self) -> Option<&ReadState> {
        match self {
            Self::Read(state) | Self::Private(state) => Some(state),
            Self::Write(_) | Self::Unpublished(..) | Self::Closed => None,
        }
    }

    /// The state of a handle that writes.
    pub(crate) fn writer(&self) -> Option<&WriteState> {
        match self {
            Self::Write(state) | Self::Unpublished(state, _) => Some(state),
            Self::Read(_) | Self::Private(_) | Self::Closed => None,
        }
    }

    /// As [`Mode::writer`], to change.
    pub(crate) fn writer_mut(&mut self) -> Option<&mut WriteState> {
        match self {
            Self::Write(state) | Self::Unpublished(state, _) => Some(state),
            Self::Read(_) | Self::Private(_) | Self::Closed => None,
        }
    }

    /// The state of the log, for a handle that does not write.
    pub(crate) fn log(&self) -> Option<&RecoveredState> {
        self.reader()?.log.as_ref()
    }

    /// The checksums that this handle keeps.
    pub(crate) fn sums(&self) -> Option<&Sums> {
        Some(&self.writer()?.sums.as_ref()?.sums)
    }

    /// As [`Mode::sums`], to change, with the edited blocks.
    pub(crate) fn sums_mut(&mut self) -> Option<&mut EditedSums> {
        self.writer_mut()?.sums.as_mut()
    }

    /// Stops maintaining the checksums, because their file will be replaced.
    pub(crate) fn forget_sums(&mut self) {
        if let Some(state) = self.writer_mut() {
            state.sums = None;
        }
    }

    /// Turns a store that is open for writing into an unpublished one.
    pub(crate) fn unpublish(&mut self, unpublished: Unpublished) {
        *self = match mem::replace(self, Self::Closed) {
            Self::Write(state) => Self::Unpublished(state, unpublished),
            other => other,
        };
    }

    /// Notes that an unpublished store has its own name.
    pub(super) fn publish(&mut self) {
        *self = match mem::replace(self, Self::Closed) {
            Self::Unpublished(state, _) => Self::Write(state),
            other => other,
        };
    }
}
