//! A disk without free space, and one that changes bytes by itself.

use super::super::inode::Inode;
use super::{Disk, State};
use crate::error::{Error, Result};

impl Disk {
    /// Makes the disk full, or frees space: on a full disk files cannot grow, but existing bytes
    /// can be overwritten.
    pub(in crate::sim) fn set_full(&self, is_full: bool) {
        let mut state = self.state();
        state.is_full = is_full;
        let word = if is_full { "no room is left" } else { "there is room" };
        state.note(|| format!("-- {word} --"));
    }

    /// Whether the disk is full.
    pub(in crate::sim) fn is_full(&self) -> bool {
        self.state().is_full
    }

    /// The number of calls refused for lack of space so far.
    pub(in crate::sim) fn refusals(&self) -> u64 {
        self.state().refusals
    }

    /// Changes bits of a durable byte without the knowledge of the file's handles.
    pub(in crate::sim) fn damage(&self, name: &str, offset: u64, mask: u8) -> Result<()> {
        let mut state = self.state();
        state.note(|| format!("-- byte {offset} of {name} is changed by {mask:#x} --"));
        let number = state.directory.get(name).ok_or_else(super::gone)?;
        let inode: Option<&mut Inode> = state.files.get_mut(&number);
        inode.ok_or_else(super::gone)?.damage(offset, mask)
    }
}

impl State {
    /// The error of a call that needs space, if the disk is full.
    pub(super) fn refuse(&mut self, operation: &'static str) -> Result<()> {
        if !self.is_full {
            return Ok(());
        }
        self.refusals += 1;
        self.note(|| "      no room".into());
        Err(Error::io(operation, std::io::ErrorKind::StorageFull.into()))
    }
}
