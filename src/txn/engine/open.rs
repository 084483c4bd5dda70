//! Opening a store for transactions.

use std::sync::Arc;

use super::super::locks::Locks;
use super::super::long_append::UncountedBytes;
use super::super::options::Common;
use super::super::recover::{FoundLog, TakenOver, take_over};
use super::super::superblock::Superblock;
use super::super::token_lock::TokenLock;
use super::super::versions::{Published, State, view_of};
use super::commit::SEGMENTS_OF_A_LOG;
use super::counters::Counters;
use super::group::Group;
use super::{Engine, Writer, records_in};
use crate::array::ArrayWriter;
use crate::error::Result;
use crate::io::Backing;
use crate::os::Survives;
use crate::shm::Wait;

impl Engine {
    /// Opens the store for transactions, with the commits that an earlier process left in the log.
    /// Images of its records are aligned to `alignment`.
    pub(crate) fn open(
        mut superblock: Superblock,
        locks: Locks,
        common: &Common,
        alignment: usize,
    ) -> Result<Self> {
        let layout = superblock.header().layout()?.aligned_to(alignment);
        let backing = Arc::clone(superblock.backing());
        let taken = take_over(&mut superblock, &locks, alignment, FoundLog::Continued)?;
        let TakenOver { found, mut log, sums, sharing, has_strangers, brought_at_open } = taken;
        if let Some(log) = &mut log {
            log.limit_segments(common.checkpoint_bytes / SEGMENTS_OF_A_LOG);
        }
        let records = found.counts.records;
        let mut array = ArrayWriter::new(Arc::clone(&backing), layout.geometry, records)?;
        trim(&*backing, &locks, &mut array, records)?;
        let view = view_of(&*backing, array.file_len_bytes())?;
        let (counters, watch) = (Counters::new(&found), Arc::clone(superblock.watch()));
        let newest = Arc::new(State {
            counts: found.counts,
            overlay: found.overlay,
            view: Arc::clone(&view),
            pin: None,
        });
        let mut uncounted = UncountedBytes::default();
        // Cannot overflow: the file is long enough for these records.
        uncounted.add(found.counts.commit, found.long_append_records * layout.geometry.stride);
        let (schema, metadata) = (superblock.schema().clone(), Arc::clone(superblock.metadata()));
        let writer = Writer {
            superblock,
            log,
            array,
            // A reader that this writer does not see may be reading a lost commit too.
            logs_all: has_strangers || sharing.is_blind()?,
            sums,
            newest: Arc::clone(&newest),
            in_file: records_in(view, layout.geometry, found.counts.records)?,
            busy: false,
            closed: false,
            untrimmed: None,
            uncounted,
            checkpoint_at_bytes: common.checkpoint_bytes,
            held_back_by: None,
            shut_out: false,
            brought_at_open,
            in_transaction: false,
        };
        // Only a backing without a path can be temporary; asking any other may take long.
        let survives_unsynced = match backing.path() {
            Some(_) => Survives::Process,
            None => backing.survives_synced().min(Survives::Process),
        };
        counters.show_log(writer.log_size());
        Ok(Self {
            writer: TokenLock::new(writer),
            group: Group::new(found.counts.commit),
            published: Published::new(newest, sharing),
            counters,
            watch,
            layout,
            schema,
            metadata,
            backing,
            survives_unsynced,
            common: common.clone(),
            locks,
        })
    }
}

/// Cuts off the bytes that a crashed writer left behind the records, which may be holes. On a
/// system where a view keeps a file from being cut, a file has no such bytes behind its records.
fn trim(backing: &dyn Backing, locks: &Locks, array: &mut ArrayWriter, count: u64) -> Result<()> {
    // Not beside a reader, which may have read commits that the log has lost since, with more
    // records.
    if !backing.properties().views_pass_end || locks.exclude_readers(Wait::No).is_err() {
        return Ok(());
    }
    let trimmed = array.trim(count);
    locks.admit_readers()?;
    trimmed
}
