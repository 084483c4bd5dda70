//! The checksums of an open store: when they are made, kept up and given up.
//!
//! They are kept by every handle that writes to a store that has them. Entries are synced before
//! the header that counts what they cover, and after the data; see [`Sums`].

use std::ops::Range;
use std::path::Path;

use super::core::Core;
use super::engine;
use super::options::Common;
use super::table::{Aside, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Header;
use crate::io::{FileBacking, side_path};
use crate::step::{self, Step};
use crate::sums::{BLOCK_LEN_BYTES, FoundSums, SUM_SUFFIX, Sums, is_ours, is_sum_file};
use crate::wal;

/// Makes the checksums of a store that was just created, if it is to have any.
pub(super) fn create_sums(core: &Core, common: &Common) -> Result<()> {
    let backing = &**core.backing();
    match is_sum_file(backing)? {
        Some(true) => backing.remove_side(SUM_SUFFIX)?,
        Some(false) if common.checksums => {
            return Err(core.name(other_file("make a checksum file beside")));
        }
        _ => {}
    }
    // A file without a name has none beside it, and is gone before anybody asks.
    if common.checksums && backing.path().is_some() {
        Sums::create(backing, SUM_SUFFIX, core.header())?;
    }
    Ok(())
}

/// Before a writer's first change: header and checksums are made to be what they look like.
///
/// # Errors
/// [`ErrorKind::UnsupportedFormat`] if the file has features that only a newer writer keeps up.
pub(super) fn settle(core: &mut Core) -> Result<Option<Sums>> {
    core.header().check_writable().map_err(|error| core.name(error))?;
    engine::check_no_log_is_lost(core)?;
    let named = Sums::name_left(&**core.backing(), core.header());
    if core.header().editing {
        named?;
        // The records are what the edit made of them; the sums are of what they were. They go
        // before the mark does, so that nobody ever takes them for those of these records.
        let found = Sums::find(&**core.backing(), core.header(), true)?;
        if matches!(found, FoundSums::Kept(_)) {
            Sums::remove(&**core.backing())?;
        }
    }
    let at_rest = core.at_rest();
    core.settle()?;
    let mut sums = Sums::open(&**core.backing(), core.header(), true)?;
    if let Some(sums) = &mut sums {
        sums.settle(&**core.backing(), at_rest)?;
        if core.header().live_log.is_none() {
            sums.unannounce(core.header().commit)?;
        }
    }
    Ok(sums)
}

impl<T: Copy + Send + Sync> Table<T> {
    /// Makes room for the checksums of `count` records. A full disk is an error that harms nothing.
    pub(super) fn reserve_sums(&self, count: u64) -> Result<()> {
        match &self.sums {
            Some(sums) => {
                let reserved = sums.reserve(self.end_of(count)?);
                reserved.map(drop).map_err(|error| self.core.name(error))
            }
            None => Ok(()),
        }
    }

    /// Sums what was edited and appended, durably, for the commit that is next: `count` records,
    /// which are in the file and synced.
    pub(super) fn sum(&mut self, count: u64) -> Result<()> {
        if self.sums.is_none() {
            return Ok(());
        }
        let summed = self.sum_blocks(count);
        self.core.keep(summed)
    }

    fn sum_blocks(&mut self, count: u64) -> Result<()> {
        let data_offset = self.core.header().data_offset;
        let bytes_of = |block: u64| {
            let start = data_offset.saturating_add(block.saturating_mul(BLOCK_LEN_BYTES));
            start..start.saturating_add(BLOCK_LEN_BYTES)
        };
        let edited: Vec<Range<u64>> = self.edited.take().into_iter().map(bytes_of).collect();
        let end = self.end_of(count)?;
        let commit = self.core.header().commit.saturating_add(1);
        let Some(sums) = &mut self.sums else { return Ok(()) };
        sums.update(&**self.core.backing(), &edited, end)?;
        sums.sync(commit)
    }

    /// Stamps the checksums as kept for the next `commits` headers, durably: before headers that
    /// are written before the checksums are.
    pub(super) fn announce_commits(&mut self, commits: u64) -> Result<()> {
        let commit = self.core.header().commit.saturating_add(commits);
        let stamped = self.sums.as_mut().map_or(Ok(()), |sums| sums.sync(commit));
        self.core.keep(stamped)
    }

    /// Takes the checksums of the records from `count` on back, durably, once no header counts
    /// them.
    pub(super) fn cut_sums(&mut self, count: u64) -> Result<()> {
        let end = self.end_of(count)?;
        let Some(sums) = &mut self.sums else { return Ok(()) };
        let cut = sums.truncate(&**self.core.backing(), end);
        self.core.keep(cut)
    }

    /// Before record `id` is edited: compares the blocks that it lies in with their checksums, once
    /// each, and notes that they change.
    pub(super) fn before_edit(&mut self, id: u64) -> Result<()> {
        let bytes = self.end_of(id)?..self.end_of(id.saturating_add(1))?;
        let Some(sums) = &mut self.sums else { return Ok(()) };
        let data_offset = self.core.header().data_offset;
        let first = (bytes.start - data_offset) / BLOCK_LEN_BYTES;
        let last = (bytes.end - 1 - data_offset) / BLOCK_LEN_BYTES;
        for block in first..=last {
            if !self.edited.contains(block) {
                // Damage in one block is no reason to give the others up: nothing is poisoned.
                sums.before_change(&**self.core.backing(), std::slice::from_ref(&bytes))?;
                self.edited.insert(block);
            }
        }
        Ok(())
    }

    /// Cuts the checksum file to what means anything, when the store is closed.
    pub(super) fn trim_sums(&self) -> Result<()> {
        self.sums.as_ref().map_or(Ok(()), Sums::trim).map_err(|error| self.core.name(error))
    }

    /// Gives a store that was made aside its name.
    pub(super) fn publish(&mut self) -> Result<()> {
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

    /// Where the records below `count` end in the file.
    fn end_of(&self, count: u64) -> Result<u64> {
        self.array.geometry().offset_of(count)
    }
}

/// The id of the store that one made aside is to replace: `None` if it replaces none, or one that
/// cannot be read. A symbolic link alone would be replaced, and not the store that it leads to.
fn replaced_id(aside: &Aside) -> Option<[u8; 16]> {
    let path = aside.file.destination(&aside.publish_at);
    replaced(&path).map(|(_, header)| header.file_id)
}

fn replaced(path: &Path) -> Option<(FileBacking, Header)> {
    path.symlink_metadata().ok().filter(|found| found.is_file())?;
    let file = FileBacking::open(path, false).ok()?;
    let header = Core::header_in(&file).ok()?;
    Some((file, header))
}

/// Before a store is made to replace the one at `path`, whose checksums may lie where the new one's
/// are to be made: gives them their name.
pub(super) fn name_sums_of_replaced(path: &Path) -> Result<()> {
    match replaced(path) {
        Some((file, header)) => Sums::name_left(&file, &header),
        None => Ok(()),
    }
}

/// Refuses to make a checksum file in the place of somebody's file of another kind.
pub(super) fn refuse_other_file(path: &Path) -> Result<()> {
    let path = side_path(path, SUM_SUFFIX);
    let Ok(found) = path.symlink_metadata() else { return Ok(()) };
    if found.is_file() && is_ours(&FileBacking::open(&path, false)?)? {
        return Ok(());
    }
    Err(other_file("make a checksum file at").path(path))
}

fn other_file(operation: &'static str) -> Error {
    Error::new(ErrorKind::AlreadyExists, operation)
        .detail("a file that is not a checksum file already has this name")
        .advice("rename that file, or do without checksums")
}
