//! A disk without room, and one that changes bytes by itself.

use super::super::inode::Inode;
use super::{Disk, State};
use crate::error::{Error, Result};

impl Disk {
    /// Takes all room away, or gives it back: without any, no file grows, and what files have can
    /// be written over.
    pub(in crate::sim) fn set_full(&self, is_full: bool) {
        let mut state = self.state();
        state.is_full = is_full;
        let word = if is_full { "no room is left" } else { "there is room" };
        state.note(|| format!("-- {word} --"));
    }

    /// Whether there is none.
    pub(in crate::sim) fn is_full(&self) -> bool {
        self.state().is_full
    }

    /// How many calls were refused for want of room, ever.
    pub(in crate::sim) fn refusals(&self) -> u64 {
        self.state().refusals
    }

    /// Changes bits of a byte that is durable, behind the back of whoever knows the file.
    pub(in crate::sim) fn damage(&self, name: &str, offset: u64, mask: u8) -> Result<()> {
        let mut state = self.state();
        state.note(|| format!("-- byte {offset} of {name} is changed by {mask:#x} --"));
        let number = state.directory.get(name).ok_or_else(super::gone)?;
        let inode: Option<&mut Inode> = state.files.get_mut(&number);
        inode.ok_or_else(super::gone)?.damage(offset, mask)
    }
}

impl State {
    /// The error of a call that needs room, if there is none.
    pub(super) fn refuse(&mut self, operation: &'static str) -> Result<()> {
        if !self.is_full {
            return Ok(());
        }
        self.refusals += 1;
        self.note(|| "      no room".into());
        Err(Error::io(operation, std::io::ErrorKind::StorageFull.into()))
    }
}
