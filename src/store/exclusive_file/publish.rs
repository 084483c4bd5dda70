//! Gives an unpublished store its own name, and tells readers of commits.

use std::path::Path;

use super::ExclusiveFile;
use super::mode::{Mode, Unpublished};
use crate::error::Result;
use crate::io::side_path;
use crate::shm::{LockWords, WriterSide, process};
use crate::step::{self, Step};
use crate::sums::{SUM_SUFFIX, is_sum_file};
use crate::txn::{Row, refuse_other_file, replaced};
use crate::wal;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Tells readers the newest commit of this handle.
    pub(crate) fn tell_readers(&self) {
        if let Some(state) = self.mode.writer() {
            let commit = self.superblock.header().counts.commit;
            state.sharing.hold(commit);
            state.sharing.publish(commit);
        }
    }

    /// Starts to share a store that has just got its name, through the shared words of its lock
    /// file.
    pub(crate) fn begin_sharing(&mut self, sharing: WriterSide<LockWords>) -> Result<()> {
        let header = self.superblock.header();
        sharing.begin(header.counts.commit, header.counts.commit, process())?;
        if let Some(state) = self.mode.writer_mut() {
            state.sharing = sharing;
        }
        Ok(())
    }

    /// Gives an unpublished store its own name.
    pub(crate) fn publish(&mut self) -> Result<()> {
        let Mode::Unpublished(_, unpublished) = &self.mode else { return Ok(()) };
        let backing = self.superblock.backing();
        let replaced = if unpublished.replace { replaced_id(unpublished) } else { None };
        if self.mode.sums().is_some() {
            refuse_other_file(&unpublished.publish_at)?;
        }
        // Before the store has its name: if the disk is full, no store of that name appears.
        let sharing = self.locks.words(self.superblock.header().file_id)?;
        backing.rename(&unpublished.publish_at, unpublished.replace)?;
        let path = unpublished.publish_at.clone();
        self.mode.publish();
        self.superblock.finish()?;
        self.publish_sums(&path)?;
        self.begin_sharing(sharing)?;
        let backing = self.superblock.backing();
        backing.sync_directory()?;
        if let Some(file_id) = replaced {
            // After the sync of the directory: before it, a power cut may bring the replaced store
            // back, which then needs its log. A segment that cannot be removed does no harm.
            let _ = wal::remove_stale(&**backing, file_id, &[]);
        }
        Ok(())
    }

    /// Gives the checksum file of a store that has just got its name the name that belongs to it,
    /// or removes the checksum file of the replaced store. First makes the store's name durable: if
    /// a power cut brought the replaced store back, that one would need its checksum file. If this
    /// function fails before the renaming, [`Sums::find`] finds the new store's checksum file under
    /// its temporary name.
    fn publish_sums(&self, path: &Path) -> Result<()> {
        let backing = self.superblock.backing();
        if self.mode.sums().is_none() && is_sum_file(&**backing)? != Some(true) {
            return Ok(());
        }
        step::take(Step::StoreNameSync, || backing.sync_directory())?;
        match self.mode.sums() {
            Some(sums) => sums.rename(&side_path(path, SUM_SUFFIX)),
            None => backing.remove_side(SUM_SUFFIX),
        }
    }
}

/// The file id of the store that an unpublished store will replace; `None` if there is no such
/// store, or it cannot be read. Behind a symbolic link there is no such store, because the renaming
/// replaces only the link.
fn replaced_id(unpublished: &Unpublished) -> Option<[u8; 16]> {
    let path = unpublished.file.destination(&unpublished.publish_at);
    replaced(&path).map(|(_, header)| header.file_id)
}
