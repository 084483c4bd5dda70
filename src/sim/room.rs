//! Which errors only say that the disk is full, or was.

use super::disk::Disk;
use crate::error::{Error, ErrorKind};

/// The calls that the disk has refused for lack of space.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// How many of them have shown in an error.
    refusals_told: u64,
    /// Whether one occurred in this life.
    was_refused: bool,
}

impl Room {
    /// Whether an error only says that the disk is full, or was.
    pub(super) fn explains(&mut self, disk: &Disk, error: &Error) -> bool {
        let is_new = self.was_refused_since(disk);
        self.refusals_told = disk.refusals();
        self.was_refused |= is_new;
        match error.kind() {
            ErrorKind::NoSpace => is_new,
            ErrorKind::Poisoned => self.was_refused,
            _ => false,
        }
    }

    /// Whether calls were refused since an error last reported one.
    pub(super) fn was_refused_since(&self, disk: &Disk) -> bool {
        disk.refusals() > self.refusals_told
    }

    /// A life has ended, and its errors with it.
    pub(super) fn end_life(&mut self) {
        self.was_refused = false;
    }
}
