//! How a store that was made under another name gets its own, and how readers learn of commits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Table;
use crate::error::Result;
use crate::io::{FileBacking, side_path};
use crate::shm::{LockWords, WriterSide, process};
use crate::step::{self, Step};
use crate::sums::{SUM_SUFFIX, is_sum_file};
use crate::txn::{refuse_other_file, replaced};
use crate::wal;

/// A store that is being made under another name, and gets its own when it is closed.
#[derive(Debug)]
pub(crate) struct Aside {
    pub(crate) file: Arc<FileBacking>,
    pub(crate) publish_at: PathBuf,
    pub(crate) replace: bool,
    /// Whether it stays where it is made if it is not finished.
    pub(crate) keep: bool,
}

impl<T: Copy + Send + Sync> Table<T> {
    /// Shows readers what this handle has committed.
    pub(crate) fn tell_readers(&self) {
        if let Some(sharing) = &self.sharing {
            let commit = self.core.header().counts.commit;
            sharing.hold(commit);
            sharing.publish(commit);
        }
    }

    /// Begins to share a store that has its name only now, by the words in its lock file.
    pub(crate) fn begin_sharing(&mut self, sharing: WriterSide<LockWords>) -> Result<()> {
        let header = self.core.header();
        sharing.begin(header.counts.commit, header.counts.commit, process())?;
        self.sharing = Some(sharing);
        Ok(())
    }

    /// Gives a store that was made aside its name.
    pub(crate) fn publish(&mut self) -> Result<()> {
        let Some(aside) = &self.aside else { return Ok(()) };
        let backing = self.core.backing();
        let replaced = if aside.replace { replaced_id(aside) } else { None };
        if self.sums.is_some() {
            refuse_other_file(&aside.publish_at)?;
        }
        // Before it has its name: a full disk is an error after which there is no such store.
        let sharing = self.locks.words(self.core.header().file_id)?;
        backing.rename(&aside.publish_at, aside.replace)?;
        let published = self.aside.take();
        self.core.finish()?;
        if let Some(aside) = published {
            self.publish_sums(&aside.publish_at)?;
            self.begin_sharing(sharing)?;
        }
        let backing = self.core.backing();
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
        let backing = self.core.backing();
        if self.sums.is_none() && is_sum_file(&**backing)? != Some(true) {
            return Ok(());
        }
        step::take(Step::StoreNameSync, || backing.sync_directory())?;
        match &self.sums {
            Some(sums) => sums.rename(&side_path(path, SUM_SUFFIX)),
            None => backing.remove_side(SUM_SUFFIX),
        }
    }
}

/// The id of the store that one made aside is to replace: `None` if it replaces none, or one that
/// cannot be read. A symbolic link alone would be replaced, and not the store that it leads to.
fn replaced_id(aside: &Aside) -> Option<[u8; 16]> {
    let path = aside.file.destination(&aside.publish_at);
    replaced(&path).map(|(_, header)| header.file_id)
}
