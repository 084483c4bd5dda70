//! Recovery: what the log holds beyond the array.
//!
//! Nothing found in the system's cache is taken to be on the disk: the process before may have died
//! between a write and its sync, or after a sync that failed. So whoever goes on writing first
//! writes what was found again, elsewhere, and syncs that, before anything is written over.

use std::sync::Arc;

use super::super::core::Core;
use super::super::locks::Locks;
use super::Layout;
use crate::error::{Error, ErrorKind, Result};
use crate::map::Wait;
use crate::store::{Committed, Images, Overlay, Placed};
use crate::wal::{self, Commit};

/// The state that header and log make together.
#[derive(Debug)]
pub(in crate::db) struct Recovered {
    /// The newest commit.
    pub(in crate::db) commit: u64,
    pub(in crate::db) count: u64,
    pub(in crate::db) live_count: u64,
    pub(in crate::db) free_head: Option<u64>,
    /// The images of the records that the array does not hold yet.
    pub(in crate::db) overlay: Overlay,
    /// How many commits were found in the log.
    pub(in crate::db) blocks: u64,
    /// The bytes of their blocks.
    pub(in crate::db) log_len_bytes: u64,
}

/// What `also` is told of: each commit, the records it changed, and their images.
pub(super) type Block<'a> = (&'a Commit, &'a [u64], &'a [u8]);

/// Reads the log that the header names; `None` if it names none.
pub(in crate::db) fn read_log(core: &Core) -> Result<Option<Recovered>> {
    read_log_and(core, &mut |_| Ok(()))
}

/// As [`read_log`], telling `also` of each block.
pub(super) fn read_log_and(
    core: &Core,
    also: &mut dyn FnMut(Block<'_>) -> Result<()>,
) -> Result<Option<Recovered>> {
    let header = core.header();
    let Some(salt) = header.live_log else { return Ok(None) };
    let layout = Layout::of(core)?;
    let mut found = Recovered {
        commit: header.commit,
        count: header.count,
        live_count: header.live_count,
        free_head: header.free_head,
        overlay: Overlay::default(),
        blocks: 0,
        log_len_bytes: 0,
    };
    let mut most = header.count;
    let replayed = wal::replay(
        &**core.backing(),
        header.file_id,
        salt,
        header.commit,
        header.stride,
        &mut |commit, ids, images| {
            also((commit, ids, images))?;
            let images = images_of(&layout, ids, images)?;
            let committed = Arc::new(Committed { commit: commit.number, images });
            found.overlay = found.overlay.with(committed);
            found.commit = commit.number;
            found.count = commit.count;
            found.live_count = commit.live_count;
            found.free_head = commit.free_head;
            most = most.max(commit.count);
            Ok(())
        },
    );
    let replayed = replayed.map_err(|error| core.name(error))?;
    found.blocks = replayed.blocks;
    found.log_len_bytes = replayed.log_len_bytes;
    check_length(core, &layout, most)?;
    Ok(Some(found))
}

fn images_of(layout: &Layout, ids: &[u64], bytes: &[u8]) -> Result<Images> {
    let mut images = Images::new(layout.stride, layout.alignment);
    for (&id, image) in ids.iter().zip(bytes.chunks_exact(layout.stride)) {
        match images.find_mut(id) {
            Some(twice) => twice.copy_from_slice(image),
            None => images.add(id)?.copy_from_slice(image),
        }
    }
    Ok(images)
}

/// The file is made long enough, durably, before a commit counts on it.
fn check_length(core: &Core, layout: &Layout, count: u64) -> Result<()> {
    let file_len_bytes = core.backing().len_bytes()?;
    let end = layout.geometry.offset_of(count)?;
    if end <= file_len_bytes {
        return Ok(());
    }
    Err(core.name(
        Error::new(ErrorKind::Truncated, "read the log of")
            .detail(format!(
                "the log counts {count} records, up to byte {end}; the file ends at byte \
                 {file_len_bytes}"
            ))
            .advice("restore the file from a copy"),
    ))
}

/// Brings what the log holds to the array, for a handle that writes without a log, and ends the
/// log. Whatever happens meanwhile, header and log as they were found stay until the array has
/// everything.
pub(in crate::db) fn absorb(core: &mut Core, locks: &Locks, wait: Wait) -> Result<()> {
    let Some(found) = read_log(core)? else { return Ok(()) };
    locks.exclude_readers(wait).map_err(|error| core.name(error))?;
    let absorbed = absorb_alone(core, &found);
    let admitted = locks.admit_readers();
    absorbed.and(admitted)
}

fn absorb_alone(core: &mut Core, found: &Recovered) -> Result<()> {
    core.settle()?;
    let layout = Layout::of(core)?;
    let placed = Placed::new(Arc::clone(core.backing()), layout.geometry)?;
    let images = found.overlay.sorted_after(core.header().commit);
    let written = placed.write_sorted(&images).and_then(|()| placed.sync());
    core.keep(written)?;
    core.commit(|header| {
        header.commit = found.commit;
        header.count = found.count;
        header.live_count = found.live_count;
        header.free_head = found.free_head;
        header.live_log = None;
    })?;
    let file_id = core.header().file_id;
    wal::remove_stale(&**core.backing(), file_id, &[]).map_err(|error| core.name(error))
}
