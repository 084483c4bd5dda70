//! Stores that are made aside in more than one go: kept when they are dropped unfinished, and
//! opened again to be finished.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use super::mode::{Mode, Unpublished};
use super::{ExclusiveFile, WHOLE};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Schema;
use crate::io::{Access, open_unfinished, refuse_lock_file};
use crate::sums::Sums;
use crate::txn::{Common, Locks, Row, Superblock, opening::refuse_network_unless};

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Opens what a maker of `path` that was cut off has left: its records as of the last flush.
    /// The store appears at `path` when it is closed; dropped before, it stays as it is.
    #[allow(unsafe_code, reason = "the locks that make a mapped array sound are held here")]
    pub(crate) fn resume_aside(
        path: &Path,
        by_hand: Option<&Schema>,
        common: &Common,
        replace: bool,
    ) -> Result<Self> {
        let locks = Locks::writer(path, common.wait, || None)?;
        let resumed = Self::refuse_taken(path, replace).and_then(|()| {
            let (made_at, file) = open_unfinished(path, Superblock::is_leftover)?;
            let file = Arc::new(file);
            locks.check_trust(&file)?;
            locks.take_over();
            refuse_network_unless(common, &file, "resume")?;
            let inode = Locks::handed_over(&file, Some(&made_at), true, common.wait)?;
            let mut superblock = Superblock::open(Arc::clone(&file) as _)?;
            superblock.begin_unfinished();
            let access = Access::ReadWrite;
            // SAFETY: the writer's locks on path and inode keep every other writer out.
            let resumed =
                unsafe { Self::assemble(superblock, inode, by_hand, common, access, WHOLE) }?;
            Ok((resumed, file))
        });
        match resumed {
            Ok((mut resumed, file)) => {
                let publish_at = path.to_path_buf();
                resumed.mode.unpublish(Unpublished { file, publish_at, replace, keep: true });
                resumed.locks.join(locks);
                Ok(resumed)
            }
            Err(error) => {
                if error.kind() == ErrorKind::NotFound {
                    locks.withdraw();
                }
                Err(error)
            }
        }
    }

    /// Refuses to make a store where something lies, unless it is to be replaced.
    pub(super) fn refuse_taken(path: &Path, replace: bool) -> Result<()> {
        refuse_lock_file(path, "make a store in place of")?;
        match path.symlink_metadata() {
            Ok(_) if !replace => Err(Error::new(ErrorKind::AlreadyExists, "create")
                .path(path)
                .advice("open it instead, or choose another path")),
            _ => Ok(()),
        }
    }

    /// Whether a store that was made aside stays where it is if it is not finished.
    pub(crate) fn keep_unfinished(&mut self, keep: bool) {
        if let Mode::Unpublished(_, unpublished) = &mut self.mode {
            unpublished.keep = keep;
        }
    }

    /// Gives a store up that was made aside and is not finished: it must not appear.
    pub(super) fn abandon(&mut self) {
        if let Mode::Unpublished(_, unpublished) = mem::replace(&mut self.mode, Mode::Closed) {
            if !unpublished.keep {
                discard(&unpublished);
                self.locks.withdraw();
            }
        }
    }
}

/// Removes a store that was made aside and is not to appear. What cannot be removed is in nobody's
/// way: the next maker removes it first.
pub(super) fn discard(unpublished: &Unpublished) {
    let _ = Sums::remove(&*unpublished.file);
    let _ = unpublished.file.remove_name();
}
