//! Unpublished stores that are made in more than one session: dropping keeps them unfinished, and a
//! later session opens and finishes them.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use super::ExclusiveFile;
use super::mode::{Mode, Unpublished};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Schema;
use crate::io::{Access, open_unfinished, refuse_lock_file};
use crate::sums::Sums;
use crate::txn::{Common, Locks, Row, Superblock, opening::refuse_network_unless};

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Opens the unpublished store that an interrupted maker of `path` has left, with the records
    /// of its last flush. It appears at `path` when it is closed; if it is dropped before, it stays
    /// unpublished.
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
            refuse_network_unless(common, &*file, "resume")?;
            let inode = Locks::handed_over(&file, Some(&made_at), true, common.wait)?;
            let mut superblock = Superblock::open(Arc::clone(&file) as _)?;
            superblock.begin_unfinished();
            let access = Access::ReadWrite;
            // SAFETY: the writer's locks on path and inode keep every other writer out.
            let resumed = unsafe { Self::assemble(superblock, inode, by_hand, common, access) }?;
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

    /// Refuses to make a store at a path that is taken, unless `replace` is set.
    pub(super) fn refuse_taken(path: &Path, replace: bool) -> Result<()> {
        refuse_lock_file(path, "make a store in place of")?;
        match path.symlink_metadata() {
            Ok(_) if !replace => Err(Error::new(ErrorKind::AlreadyExists, "create")
                .path(path)
                .advice("open it instead, or choose another path")),
            _ => Ok(()),
        }
    }

    /// Sets whether an unpublished store stays if it is dropped or closing it fails.
    pub(crate) fn keep_unfinished(&mut self, keep: bool) {
        if let Mode::Unpublished(_, unpublished) = &mut self.mode {
            unpublished.keep = keep;
        }
    }

    /// Gives up an unpublished store: it must not get its name.
    pub(super) fn abandon(&mut self) {
        if let Mode::Unpublished(_, unpublished) = mem::replace(&mut self.mode, Mode::Closed) {
            if !unpublished.keep {
                discard(&unpublished);
                self.locks.withdraw();
            }
        }
    }
}

/// Removes an unpublished store. If a file cannot be removed, the next maker removes it.
pub(super) fn discard(unpublished: &Unpublished) {
    let _ = Sums::remove(&*unpublished.file);
    let _ = unpublished.file.remove_name();
}
