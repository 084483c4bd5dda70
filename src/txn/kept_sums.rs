//! The checksum file of a store that is created, opened or replaced, before the first change.

use std::path::Path;

use super::options::Common;
use super::recovered::check_no_log_is_lost;
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Header;
use crate::io::{Backing, FileBacking, side_path};
use crate::sums::{FoundSums, SUM_SUFFIX, Sums, is_ours, is_sum_file};

/// Refuses checksums of a store without a path, before it is made: a checksum file lies beside the
/// store, by its name.
pub(crate) fn check_sums_possible(backing: &dyn Backing, common: &Common) -> Result<()> {
    if common.checksums && backing.path().is_none() {
        return Err(Error::new(ErrorKind::Unsupported, "create")
            .detail("a store without a path cannot have a checksum file beside it")
            .advice("create it at a path, or without checksums"));
    }
    Ok(())
}

/// Makes the checksum file of a new store, if the options ask for one.
pub(crate) fn create_sums(superblock: &Superblock, common: &Common) -> Result<()> {
    let backing = &**superblock.backing();
    match is_sum_file(backing)? {
        Some(true) => backing.remove_side(SUM_SUFFIX)?,
        Some(false) if common.checksums => {
            return Err(superblock.name(other_file("make a checksum file beside")));
        }
        _ => {}
    }
    if common.checksums {
        Sums::create(backing, SUM_SUFFIX, superblock.header())?;
    }
    Ok(())
}

/// Before a writer's first change: makes header and checksums durable as they were read.
///
/// # Errors
/// [`ErrorKind::UnsupportedFormat`] if the file has features that only a newer flatrec can write;
/// [`ErrorKind::Corrupt`] if a damaged header slot may have named a log with later commits;
/// [`ErrorKind::Io`] if the operating system reports an error.
pub(super) fn settle(superblock: &mut Superblock) -> Result<Option<Sums>> {
    superblock.header().check_writable().map_err(|error| superblock.name(error))?;
    check_no_log_is_lost(superblock)?;
    let named = Sums::name_left(&**superblock.backing(), superblock.header());
    if superblock.header().editing {
        named?;
        // The records are what the interrupted edit left; the checksums are from before the edit.
        // The writer removes them before it removes the mark from the header, so that no handle
        // compares them with these records.
        let found = Sums::find(&**superblock.backing(), superblock.header(), true)?;
        if matches!(found, FoundSums::Kept(_)) {
            Sums::remove(&**superblock.backing())?;
        }
    }
    // Two slots that say the same vouch for the last entry of the sums, too. If a sync of that
    // entry fails, or the writer dies before it, the next writer must find the slots as they were:
    // else it trusts an entry that the cache has and the disk has not.
    let at_rest = superblock.at_rest();
    superblock.settle_slot_in_force()?;
    let mut sums = Sums::open(&**superblock.backing(), superblock.header(), true)?;
    if let Some(sums) = &mut sums {
        sums.settle(&**superblock.backing(), at_rest)?;
    }
    superblock.settle()?;
    if let Some(sums) = &mut sums {
        if superblock.header().live_log.is_none() {
            sums.unannounce(superblock.header().counts.commit)?;
        }
    }
    Ok(sums)
}

pub(crate) fn replaced(path: &Path) -> Option<(FileBacking, Header)> {
    path.symlink_metadata().ok().filter(|found| found.is_file())?;
    let file = FileBacking::open(path, false).ok()?;
    let header = Superblock::header_in(&file).ok()?;
    Some((file, header))
}

/// Before a new store replaces the one at `path`: gives that store's checksum file its name, if a
/// crashed writer left it at the place where the new store's is made.
pub(crate) fn name_sums_of_replaced(path: &Path) -> Result<()> {
    match replaced(path) {
        Some((file, header)) => Sums::name_left(&file, &header),
        None => Ok(()),
    }
}

/// Refuses to make a checksum file where the user has a file of another kind.
pub(crate) fn refuse_other_file(path: &Path) -> Result<()> {
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
