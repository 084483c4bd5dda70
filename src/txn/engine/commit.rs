//! Commits: one frame in the log and one sync.

use std::sync::Arc;

use super::super::commit_id::CommitId;
use super::super::source::Source;
use super::super::token_lock::Token;
use super::super::versions::{State, view_of};
use super::changes::Changes;
use super::checkpoint::{Due, Reason};
use super::{Engine, EngineHandle, Writer, unknown};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Counts;
use crate::io::View;
use crate::os::Survives;
use crate::overlay::Committed;
use crate::step::{self, Step};
use crate::wal::{self, Log};

/// What a commit must survive when [`commit`](crate::WriteTransaction::commit) returns.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Database, Durability, Record, Survives};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Counter { n: u64 }
/// let directory = tempfile::tempdir().unwrap();
/// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
/// let mut transaction = database.begin_write().unwrap();
/// transaction.append(&Counter { n: 1 }).unwrap();
/// let receipt = transaction.commit(Durability::Eventual).unwrap();
/// assert!(receipt.survives() >= Survives::Process);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// A loss of power: the commit syncs the log. Threads that commit at the same time share a
    /// sync.
    #[default]
    Immediate,
    /// Any end of this process: the commit writes the log, and a later `Immediate` commit or a
    /// checkpoint syncs it. A loss of power can take back the newest such commits, each as a whole.
    Eventual,
}

/// What [`commit`](crate::WriteTransaction::commit) promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    commit: u64,
    survives: Survives,
}

impl Receipt {
    /// The commit's number; the next commit has a higher one. For a transaction without changes it
    /// is the number of the commit that the transaction read.
    pub fn commit_id(&self) -> CommitId {
        self.commit.into()
    }

    /// What the commit survives.
    pub fn survives(&self) -> Survives {
        self.survives
    }
}

/// How many segments a log has, about, when a checkpoint is due. Most of them are free afterwards.
pub(super) const SEGMENTS_OF_A_LOG: u64 = 4;

impl Engine {
    /// Commits `changes` to the newest state, and puts the writer back before the sync. Inlined,
    /// because the changes are large, and a call would move them once more.
    #[inline(always)]
    pub(crate) fn commit<E: EngineHandle>(
        mut token: Token<E, Writer>,
        changes: Changes,
        durability: Durability,
    ) -> Result<Receipt> {
        let handle = token.origin().clone();
        let engine = handle.engine();
        let commit = engine.log(&mut token, changes, durability)?;
        let log_size = token.log_size();
        let due = Due::of(&token, log_size.1);
        engine.counters.show_log(log_size);
        token.in_transaction = false;
        drop(token);
        engine.settle(commit, durability)?;
        engine.checkpoint_if_due(&due);
        Ok(Receipt { commit, survives: engine.survives(durability) })
    }

    /// Writes the changes to the log, and returns the number of their commit.
    fn log(&self, writer: &mut Writer, changes: Changes, durability: Durability) -> Result<u64> {
        self.check(writer, "commit")?;
        if !changes.is_empty(&writer.newest) {
            let durable = durability == Durability::Immediate;
            self.make_room(writer, &changes)?;
            self.step(writer, |writer| self.write(writer, changes, durable))?;
        }
        Ok(writer.newest.counts.commit)
    }

    /// Makes a commit visible, and as durable as asked.
    fn settle(&self, commit: u64, durability: Durability) -> Result<()> {
        let settled = if durability == Durability::Immediate {
            self.group.settle(commit, &self.published).and_then(|()| self.make_durable(commit))
        } else {
            self.group.settle(commit, &self.published)
        };
        settled.map_err(|error| self.name(unknown(error)))
    }

    /// Makes the commit durable that a transaction without changes has read.
    fn make_durable(&self, commit: u64) -> Result<()> {
        if self.group.synced() >= commit {
            return Ok(());
        }
        self.group.settle_all(&self.published)
    }

    /// Does everything that may run out of space, before the frame is written: after an error here
    /// the transaction has not happened, and the store stays usable.
    fn make_room(&self, writer: &mut Writer, changes: &Changes) -> Result<()> {
        let named = |result: Result<()>| result.map_err(|error| self.name(error));
        let logged = if changes.has_spilled(&writer.newest) { 0 } else { changes.tail.records() };
        let images = changes.images.len() as u64 + logged;
        self.check_log_size(writer, images)?;
        named(writer.make_room(changes.counts.records))?;
        if changes.counts.records > writer.newest.counts.records {
            named(
                writer.make_room_for_sums(self.layout.geometry.offset_of(changes.counts.records)?),
            )?;
        }
        if writer.log.is_none() {
            self.begin_log(writer)?;
        }
        let reserve = |writer: &mut Writer| {
            let image_len = writer.superblock.header().stride;
            let log = writer.log.as_mut().ok_or_else(no_log)?;
            log.reserve(images, image_len).inspect_err(|error| writer.doubt(error))
        };
        match reserve(writer) {
            // A checkpoint frees segments of the log, which can then be used again.
            Err(error) if error.kind() == ErrorKind::NoSpace => {
                self.checkpoint_locked(writer, Reason::Full)?;
                match reserve(writer) {
                    Err(error) if error.kind() == ErrorKind::NoSpace => {
                        self.begin_anew(writer)?;
                        named(reserve(writer))
                    }
                    other => named(other),
                }
            }
            other => named(other),
        }
    }

    /// Ends a log whose commits are all in the array, to free the room of its files, and begins a
    /// new log.
    fn begin_anew(&self, writer: &mut Writer) -> Result<()> {
        if writer.newest.counts.commit > writer.superblock.header().counts.commit {
            return Ok(());
        }
        self.checkpoint_locked(writer, Reason::Closing)?;
        if writer.superblock.header().live_log.is_some() {
            return Ok(());
        }
        // A reader of the old log finds it gone, and starts again from the header.
        self.published.sharing().give_up(writer.newest.counts.commit);
        self.group.release_segment();
        if let Some(log) = writer.log.take() {
            log.remove().map_err(|error| self.name(error))?;
        }
        self.begin_log(writer)
    }

    /// Makes the first segment of a log, and then writes the header that names it.
    fn begin_log(&self, writer: &mut Writer) -> Result<()> {
        let file_id = writer.superblock.header().file_id;
        let first = writer.newest.counts.commit + 1;
        let backing = &self.backing;
        // First removes the log files that no header names: a process may have died while it made
        // or removed such a log.
        let mut log = wal::remove_stale(&**backing, file_id, &[])
            .and_then(|()| Log::create(Arc::clone(backing), file_id, first))
            .inspect_err(|error| writer.doubt(error))
            .map_err(|error| self.name(error))?;
        log.limit_segments(self.common.checkpoint_bytes / SEGMENTS_OF_A_LOG);
        let salt = log.salt();
        writer.log = Some(log);
        self.step(writer, |writer| writer.superblock.commit(|header| header.live_log = Some(salt)))
    }

    /// An error if `images` more images would make the log larger than the options allow, even
    /// after a checkpoint.
    fn check_log_size(&self, writer: &mut Writer, images: u64) -> Result<()> {
        let Some(max_bytes) = self.common.max_log_bytes else { return Ok(()) };
        let stride = u64::from(writer.superblock.header().stride);
        // Cannot overflow: the images are in memory, and the log is on a disk.
        let added = images * (stride + 8) + 512;
        let is_full = |writer: &Writer| writer.log_size().1 + added > max_bytes;
        if !is_full(writer) || writer.log_size().1 == 0 {
            return Ok(());
        }
        let checkpoint = self.checkpoint_locked(writer, Reason::Full)?;
        if !is_full(writer) || checkpoint.held_back().is_none() {
            return Ok(());
        }
        let why = checkpoint.held_back().unwrap_or_default().to_owned();
        Err(self.name(
            Error::new(ErrorKind::LogFull, "commit")
                .detail(format!("the log is limited to {max_bytes} bytes, and {why}"))
                .advice("end the reader, or allow a larger log with OpenOptions::max_log"),
        ))
    }

    /// Writes the frame, and makes the state after it the newest.
    fn write(&self, writer: &mut Writer, mut changes: Changes, durable: bool) -> Result<()> {
        let base = Arc::clone(&writer.newest);
        if changes.has_spilled(&base) {
            changes.spill(writer)?;
            // At every durability: no crash may leave a frame that counts records without them.
            step::take(Step::LongAppendSync, || writer.array.sync())?;
        } else {
            log_tail(&mut changes)?;
        }
        let counts = Counts { commit: base.counts.commit + 1, ..changes.counts };
        let commit = wal::Commit { counts, long_append: changes.long_append.take().map(Arc::new) };
        let appended = commit.long_append.as_ref().map_or(0, |sums| sums.len_bytes());
        let pieces = changes.images.pieces();
        let image_len = writer.superblock.header().stride;
        let images = wal::Images { ids: changes.images.ids(), image_len, pieces: &pieces };
        let log = writer.log.as_mut().ok_or_else(no_log)?;
        if log.changes_segment(images.ids.len() as u64, image_len) {
            // The log syncs the segment that it leaves. If another thread were syncing the same
            // segment for its commit, the system might report a failure to only one of the two.
            step::take(Step::SegmentSync, || self.group.settle_all(&self.published))?;
        }
        self.counters.count_written(log.append(&commit, self.group.synced(), &images)?);
        let segment = log.segment();
        writer.uncounted.add(counts.commit, appended);
        drop(pieces);
        let committed = Arc::new(Committed::of_one(counts.commit, changes.images));
        let state = Arc::new(State {
            counts,
            overlay: base.overlay.with(committed, counts.records),
            view: self.view_over(writer, &base, counts.records)?,
            pin: None,
        });
        writer.newest = Arc::clone(&state);
        self.group.enter(state, durable, segment);
        Ok(())
    }

    /// The base's view if it covers `count` records, otherwise a larger one.
    fn view_over(&self, writer: &Writer, base: &State, count: u64) -> Result<Arc<View>> {
        let end = self.layout.geometry.offset_of(count)?;
        if base.view.len_bytes() as u64 >= end {
            return Ok(Arc::clone(&base.view));
        }
        view_of(&*self.backing, writer.array.file_len_bytes())
    }

    /// What a commit survives with this operating system and file system.
    fn survives(&self, durability: Durability) -> Survives {
        match durability {
            Durability::Eventual => self.survives_unsynced,
            Durability::Immediate => self.backing.survives_synced(),
        }
    }
}

/// Makes images of the appended records, to log them.
fn log_tail(changes: &mut Changes) -> Result<()> {
    let Changes { images, tail, tail_start, .. } = changes;
    for (id, record) in (*tail_start..).zip(tail.iter()) {
        images.add(id)?.copy_from_slice(record);
    }
    *tail_start += tail.records();
    tail.clear();
    Ok(())
}

#[cold]
fn no_log() -> Error {
    Error::new(ErrorKind::Corrupt, "commit").detail("the writer has no log: a bug in flatrec")
}
