//! Opening a store for transactions.

use std::sync::{Arc, Mutex};

use super::super::core::Core;
use super::super::locks::Locks;
use super::super::options::Common;
use super::recover::{Recovered, read_log_and};
use super::{Engine, Group, Layout, Published, State, Writer, records_in, view_of};
use crate::error::Result;
use crate::store::{Overlay, Placed};
use crate::wal::{self, Log};

impl Engine {
    /// Opens the store for transactions, with what a process before left in the log.
    pub(in crate::db) fn open(mut core: Core, locks: Locks, common: &Common) -> Result<Self> {
        core.settle()?;
        let layout = Layout::of(&core)?;
        let backing = Arc::clone(core.backing());
        let (found, log) = recover(&mut core, &layout)?;
        let mut placed = Placed::new(Arc::clone(&backing), layout.geometry)?;
        // What a writer that died left behind the records may be holes by now, where views keep a
        // file from being cut it has none.
        if backing.properties().views_pass_end {
            placed.trim(found.count)?;
        }
        let view = view_of(&*backing, placed.file_len_bytes())?;
        let newest = Arc::new(State {
            commit: found.commit,
            count: found.count,
            live_count: found.live_count,
            free_head: found.free_head,
            overlay: found.overlay,
            view: Arc::clone(&view),
        });
        let (schema, metadata) = (core.schema().clone(), core.metadata().to_vec());
        let writer = Writer {
            core,
            log,
            placed,
            newest: Arc::clone(&newest),
            in_file: records_in(view, layout.geometry, found.count)?,
            busy: false,
            closed: false,
            checkpoint_at_bytes: common.checkpoint_bytes,
        };
        Ok(Self {
            writer: Mutex::new(writer),
            group: Group::new(found.commit),
            published: Published::new(newest),
            layout,
            schema,
            metadata,
            backing,
            common: common.clone(),
            locks,
        })
    }
}

/// The state that is found, and the log that goes on from it.
///
/// What the log holds is copied into fresh segments, synced, before the header names those and the
/// old ones go: bytes that were found in the cache may not be on the disk, and a sync of a file
/// that is clean in the cache would not put them there.
fn recover(core: &mut Core, layout: &Layout) -> Result<(Recovered, Option<Log>)> {
    let header = core.header().clone();
    let backing = Arc::clone(core.backing());
    let mut copy: Option<Log> = None;
    let found = read_log_and(core, &mut |(commit, ids, images)| {
        let log = match &mut copy {
            Some(log) => log,
            none => none.insert(Log::create(Arc::clone(&backing), header.file_id, commit.number)?),
        };
        log.reserve(ids.len() as u64, header.stride)?;
        let pieces = [images];
        let images = wal::Images { ids, image_len: header.stride, pieces: &pieces };
        log.append(commit, header.commit, &images)
    });
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) => return Ok((nothing(core), None)),
        Err(error) => {
            if let Some(copy) = copy {
                // The log that was found stays as it is; the copy is only clutter.
                let _ = copy.remove();
            }
            return Err(error);
        }
    };
    debug_assert_eq!(layout.stride as u64, u64::from(header.stride));
    if let Some(log) = &copy {
        let synced = log.segment().sync_data();
        core.keep(synced)?;
    }
    let salt = copy.as_ref().map(Log::salt);
    core.commit(|header| header.live_log = salt)?;
    let keep = copy.as_ref().map(Log::salts).unwrap_or_default();
    wal::remove_stale(&*backing, header.file_id, &keep).map_err(|error| core.name(error))?;
    Ok((found, copy))
}

/// The state of a store without a log.
fn nothing(core: &Core) -> Recovered {
    let header = core.header();
    Recovered {
        commit: header.commit,
        count: header.count,
        live_count: header.live_count,
        free_head: header.free_head,
        overlay: Overlay::default(),
        blocks: 0,
        log_len_bytes: 0,
    }
}
