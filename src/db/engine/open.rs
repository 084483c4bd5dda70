//! Opening a store for transactions.

use std::sync::{Arc, Mutex};

use super::super::core::Core;
use super::super::locks::Locks;
use super::super::options::Common;
use super::super::table_sums::settle;
use super::commit::SEGMENTS_OF_A_LOG;
use super::recover::{bytes_of, recover};
use super::{Engine, Group, Layout, Published, State, Writer, records_in, view_of};
use crate::error::Result;
use crate::store::Placed;

impl Engine {
    /// Opens the store for transactions, with what a process before left in the log.
    pub(in crate::db) fn open(mut core: Core, locks: Locks, common: &Common) -> Result<Self> {
        let mut sums = settle(&mut core)?;
        let layout = Layout::of(&core)?;
        let backing = Arc::clone(core.backing());
        let (found, mut log) = recover(&mut core)?;
        if let Some(log) = &mut log {
            log.limit_segments(common.checkpoint_bytes / SEGMENTS_OF_A_LOG);
        }
        if let Some(sums) = &mut sums {
            // A checkpoint that was cut short may have written some of these.
            let images = found.overlay.sorted_after(core.header().commit);
            sums.exempt(&bytes_of(&layout, &images)?);
        }
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
            sums,
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
