//! What an exclusive file is open for, and what it keeps for that.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::io::{Access, FileBacking};
use crate::shm::{LockWords, WriterSide};
use crate::sums::{BlockSet, Sums};
use crate::txn::{Locks, RecoveredState, SnapshotPin, Superblock, read_beside};

/// What an exclusive file is open for.
pub(crate) enum Mode {
    /// Reads the state of one commit.
    Read(ReadState),
    /// Reads the state of one commit, and changes it for this handle alone.
    Private(ReadState),
    /// Writes to the store that has the name.
    Write(WriteState),
    /// Writes to a store that gets its name when it is closed.
    Unpublished(WriteState, Unpublished),
    /// Nothing: the handle is closed, and dropping it has nothing left to do.
    Closed,
}

/// What a handle keeps that does not write.
pub(crate) struct ReadState {
    /// What the log held beyond the array. A whole view has it in pages of its own; the windows of
    /// a windowed store do not.
    pub(crate) log: Option<RecoveredState>,
    /// Keeps the writer from changing what this handle reads.
    pub(crate) pin: SnapshotPin,
}

/// What a handle keeps that writes.
pub(crate) struct WriteState {
    /// The checksums, if the store has them.
    pub(crate) sums: Option<EditedSums>,
    /// Where readers see what this handle has committed.
    pub(crate) sharing: WriterSide<LockWords>,
}

/// Checksums, and the blocks that an exclusive edit has changed since they were written.
pub(crate) struct EditedSums {
    pub(crate) sums: Sums,
    pub(crate) edited: BlockSet,
}

/// A store that is being made under another name, and gets its own when it is closed.
#[derive(Debug)]
pub(crate) struct Unpublished {
    pub(crate) file: Arc<FileBacking>,
    pub(crate) publish_at: PathBuf,
    pub(crate) replace: bool,
    /// Whether it stays where it is made if it is not finished.
    pub(crate) keep: bool,
}

impl ReadState {
    /// Reads header and log, and keeps what it found from being changed.
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
    /// What the handle may do.
    pub(crate) fn access(&self) -> Access {
        match self {
            Self::Read(_) | Self::Closed => Access::ReadOnly,
            Self::Private(_) => Access::Private,
            Self::Write(_) | Self::Unpublished(..) => Access::ReadWrite,
        }
    }

    /// What a handle keeps that does not write.
    pub(crate) fn reader(&self) -> Option<&ReadState> {
        match self {
            Self::Read(state) | Self::Private(state) => Some(state),
            Self::Write(_) | Self::Unpublished(..) | Self::Closed => None,
        }
    }

    /// What a handle keeps that writes.
    pub(crate) fn writer(&self) -> Option<&WriteState> {
        match self {
            Self::Write(state) | Self::Unpublished(state, _) => Some(state),
            Self::Read(_) | Self::Private(_) | Self::Closed => None,
        }
    }

    /// As [`Mode::writer`], for changing.
    pub(crate) fn writer_mut(&mut self) -> Option<&mut WriteState> {
        match self {
            Self::Write(state) | Self::Unpublished(state, _) => Some(state),
            Self::Read(_) | Self::Private(_) | Self::Closed => None,
        }
    }

    /// What the log held beyond the array, for a handle that does not write.
    pub(crate) fn log(&self) -> Option<&RecoveredState> {
        self.reader()?.log.as_ref()
    }

    /// The checksums that this handle keeps.
    pub(crate) fn sums(&self) -> Option<&Sums> {
        Some(&self.writer()?.sums.as_ref()?.sums)
    }

    /// As [`Mode::sums`], for changing, with the blocks that were edited.
    pub(crate) fn sums_mut(&mut self) -> Option<&mut EditedSums> {
        self.writer_mut()?.sums.as_mut()
    }

    /// Keeps the checksums no longer: their file is to be replaced.
    pub(crate) fn forget_sums(&mut self) {
        if let Some(state) = self.writer_mut() {
            state.sums = None;
        }
    }

    /// Has a store that is written get its name only when it is closed.
    pub(crate) fn unpublish(&mut self, unpublished: Unpublished) {
        *self = match mem::replace(self, Self::Closed) {
            Self::Write(state) => Self::Unpublished(state, unpublished),
            other => other,
        };
    }

    /// A store that was unpublished has its name.
    pub(super) fn publish(&mut self) {
        *self = match mem::replace(self, Self::Closed) {
            Self::Unpublished(state, _) => Self::Write(state),
            other => other,
        };
    }
}
