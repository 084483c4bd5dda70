//! How a store that was made under another name gets its own, and how readers learn of commits.

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
    /// Shows readers what this handle has committed.
    pub(crate) fn tell_readers(&self) {
        if let Some(state) = self.mode.writer() {
            let commit = self.superblock.header().counts.commit;
            state.sharing.hold(commit);
            state.sharing.publish(commit);
        }
    }

    /// Begins to share a store that has its name only now, by the words in its lock file.
    pub(crate) fn begin_sharing(&mut self, sharing: WriterSide<LockWords>) -> Result<()> {
        let header = self.superblock.header();
        sharing.begin(header.counts.commit, header.counts.commit, process())?;
        if let Some(state) = self.mode.writer_mut() {
            state.sharing = sharing;
        }
        Ok(())
    }

    /// Gives a store that was made aside its name.
    pub(crate) fn publish(&mut self) -> Result<()> {
        let Mode::Unpublished(_, unpublished) = &self.mode else { return Ok(()) };
        let backing = self.superblock.backing();
        let replaced = if unpublished.replace { replaced_id(unpublished) } else { None };
        if self.mode.sums().is_some() {
            refuse_other_file(&unpublished.publish_at)?;
        }
        // Before it has its name: a full disk is an error after which there is no such store.
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
            // Only now: without the sync the store before may come back, and would need its log.
            // What cannot be removed is in nobody's way.
            let _ = wal::remove_stale(&**backing, file_id, &[]);
        }
        Ok(())
    }

    /// Gives the checksums of a store that was made aside and has its name by now theirs, or takes
    /// those away that the store before it has left there. Before that the store's name is durable:
    /// a store before it that came back would have lost its own. If it goes no further, the new
    /// store's are found where they are ([`Sums::find`]).
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

/// The id of the store that one made aside is to replace: `None` if it replaces none, or one that
/// cannot be read. A symbolic link alone would be replaced, and not the store that it leads to.
fn replaced_id(unpublished: &Unpublished) -> Option<[u8; 16]> {
    let path = unpublished.file.destination(&unpublished.publish_at);
    replaced(&path).map(|(_, header)| header.file_id)
}
