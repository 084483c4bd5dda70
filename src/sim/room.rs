//! Which errors say no more than that the disk has no room, or had none.

use super::disk::Disk;
use crate::error::{Error, ErrorKind};

/// What is known of the calls that the disk has refused for want of room.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// How many of them have shown in an error.
    refusals_told: u64,
    /// Whether one was in this life.
    was_refused: bool,
}

impl Room {
    /// Whether an error says no more than that there is no room, or was none before.
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

    /// Whether calls were refused since an error last told of one.
    pub(super) fn was_refused_since(&self, disk: &Disk) -> bool {
        disk.refusals() > self.refusals_told
    }

    /// A life has ended, and with it what its errors told of.
    pub(super) fn end_life(&mut self) {
        self.was_refused = false;
    }
}
