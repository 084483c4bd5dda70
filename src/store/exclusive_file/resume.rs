//! Stores that are made aside in more than one go: kept when they are dropped unfinished, and
//! opened again to be finished.

use std::path::Path;
use std::sync::Arc;

use super::publish::Aside;
use super::{Table, WHOLE};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Schema;
use crate::io::{Access, open_unfinished, refuse_lock_file};
use crate::sums::Sums;
use crate::txn::{Common, Locks, Superblock, opening::refuse_network_unless};

impl<T: Copy + Send + Sync> Table<T> {
    /// Opens what a maker of `path` that was cut off has left: its records as of the last flush.
    /// The store appears at `path` when it is closed; dropped before, it stays as it is.
    ///
    /// # Safety
    /// `T` is `u8`, or `check` accepts only schemas of `T`.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn resume_aside(
        path: &Path,
        common: &Common,
        replace: bool,
        check: impl FnOnce(&Schema) -> Result<()>,
    ) -> Result<Self> {
        let locks = Locks::writer(path, common.wait, || None)?;
        let resumed = Self::refuse_taken(path, replace).and_then(|()| {
            let (made_at, file) = open_unfinished(path, Superblock::is_leftover)?;
            let file = Arc::new(file);
            locks.check_trust(&file)?;
            locks.take_over();
            refuse_network_unless(common, &file, "resume")?;
            let inode = Locks::handed_over(&file, Some(&made_at), true, common.wait)?;
            let mut core = Superblock::open(Arc::clone(&file) as _)?;
            core.begin_unfinished();
            check(core.schema()).map_err(|error| core.name(error))?;
            // SAFETY: the writer's locks on path and inode keep every other writer out, and the
            // caller vouches for `T`.
            let table = unsafe { Self::assemble(core, inode, common, Access::ReadWrite, WHOLE) }?;
            Ok((table, file))
        });
        match resumed {
            Ok((mut table, file)) => {
                let publish_at = path.to_path_buf();
                table.aside = Some(Aside { file, publish_at, replace, keep: true });
                table.locks.join(locks);
                Ok(table)
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
        if let Some(aside) = &mut self.aside {
            aside.keep = keep;
        }
    }

    /// Gives a store up that was made aside and is not finished: it must not appear.
    pub(super) fn abandon(&mut self) {
        let Some(aside) = self.aside.take().filter(|aside| !aside.keep) else { return };
        discard(&aside);
        self.locks.withdraw();
    }
}

/// Removes a store that was made aside and is not to appear. What cannot be removed is in nobody's
/// way: the next maker removes it first.
pub(super) fn discard(aside: &Aside) {
    let _ = Sums::remove(&*aside.file);
    let _ = aside.file.remove_name();
}
