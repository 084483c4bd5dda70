//! Recovery: a writer reads the log to a state in memory, makes the log durable, and goes on from
//! there. One that goes on without a log then makes a checkpoint of all of it, as any writer does
//! (`checkpoint`).
//!
//! Nothing found in the system's cache is taken to be on the disk: the process before may have died
//! between a write and its sync, or after a sync that failed. So a writer first writes what it
//! found again, elsewhere, and syncs that, before anything is written over.

use std::sync::Arc;

use super::checkpoint::{CheckpointPlan, Files, Outcome, beside_readers, ranges_of};
use super::install::Plan;
use super::kept_sums::settle;
use super::locks::Locks;
use super::recovered::{RecoveredState, nothing, read_log, read_log_and};
use super::superblock::Superblock;
use crate::array::ArrayWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::{CheckpointLimit, LockWords, Seen, Wait, WriterSide, process};
use crate::step::{self, Step};
use crate::sums::Sums;
use crate::wal::{self, Log};

/// The state that is found, and the log that goes on from it, for a writer. `sums` learns which
/// blocks a checkpoint that was cut short explains.
///
/// What the log holds is copied into a fresh segment, synced, before the header names that and the
/// old ones go: bytes that were found in the cache may not be on the disk, and a sync of a file
/// that is clean in the cache would not put them there. Where there is no room for a copy, the
/// bytes are written over themselves and synced where they lie ([`Log::keep`]).
///
/// The copy is one segment, however long. Should its maker die before the header names it, it may
/// hold commits that the disk has nowhere else, and that are taken back when the power goes; a
/// second segment would bear witness then that the commits before it had been made durable.
fn recover(
    superblock: &mut Superblock,
    sums: Option<&mut Sums>,
    alignment: usize,
) -> Result<(RecoveredState, Option<Log>)> {
    // Log files that no header names are left for the next log's maker to remove: looking for them
    // would make opening a store wait for a large directory.
    let Some(found) = read_log(superblock, alignment)? else {
        return Ok((nothing(superblock), None));
    };
    if let Some(sums) = sums {
        exempt_begun(sums, superblock, &found)?;
    }
    let log = if found.blocks > 0 { Some(secure(superblock, &found)?) } else { None };
    let salt = log.as_ref().map(Log::salt);
    superblock.commit(|header| header.live_log = salt)?;
    let keep = log.as_ref().map(Log::salts).unwrap_or_default();
    // Durably: a copy that an earlier recovery left may have commits that are lost by now, and must
    // not come back to speak for them.
    let backing = superblock.backing();
    wal::remove_stale(&**backing, superblock.header().file_id, &keep)
        .and_then(|()| backing.sync_directory())
        .map_err(|error| superblock.name(error))?;
    Ok((found, log))
}

/// The log that goes on behind what was found, which is durable then.
fn secure(superblock: &Superblock, found: &RecoveredState) -> Result<Log> {
    match copy_log(superblock, found) {
        Err(error) if error.kind() == ErrorKind::NoSpace => {
            let header = superblock.header();
            let salt = header.live_log.unwrap_or_default();
            let stride = header.stride;
            let kept =
                Log::keep(superblock.backing(), header.file_id, salt, header.counts.commit, stride)
                    .map_err(|error| superblock.name(error))?;
            check_unchanged(superblock, found, kept.next())?;
            Ok(kept)
        }
        copied => copied,
    }
}

/// An error if the log has not been read a second time as it was the first.
fn check_unchanged(superblock: &Superblock, found: &RecoveredState, next: u64) -> Result<()> {
    if next == found.counts.commit.saturating_add(1) {
        return Ok(());
    }
    Err(superblock.name(
        Error::new(ErrorKind::Corrupt, "read the log of")
            .detail("it has changed while it was read")
            .advice("open the store again: it comes up with what the disk has"),
    ))
}

/// Copies the blocks of the log into a segment of their own, which nothing names yet, durably.
fn copy_log(superblock: &Superblock, found: &RecoveredState) -> Result<Log> {
    let header = superblock.header();
    let (file_id, first) = (header.file_id, header.counts.commit.saturating_add(1));
    let backing = Arc::clone(superblock.backing());
    let mut copy = Log::create_with_room(backing, file_id, first, found.log_len_bytes)
        .map_err(|error| superblock.name(error))?;
    let copied = read_log_and(superblock, 1, &mut |(commit, ids, images)| {
        let pieces = [images];
        let images = wal::Images { ids, image_len: header.stride, pieces: &pieces };
        copy.append(commit, header.counts.commit, &images)
    });
    let copied = copied
        .and_then(|_| check_unchanged(superblock, found, copy.next()))
        .and_then(|()| step::take(Step::RecoverySync, || copy.segment().sync_data()));
    match copied {
        Ok(()) => Ok(copy),
        Err(error) => {
            // The log that was found stays as it is; the copy is only clutter.
            let _ = copy.remove();
            Err(superblock.name(error))
        }
    }
}

/// What a writer does with the log that the process before it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundLog {
    /// It goes on in it, beside whatever readers there are.
    Continued,
    /// A checkpoint of everything ends it, after at most this wait for readers: the writer has no
    /// log, and is about to trim the file.
    Ended(Wait),
}

/// What a writer begins with.
pub(crate) struct TakenOver {
    pub(super) found: RecoveredState,
    pub(super) log: Option<Log>,
    /// The checksums of the array, if the store has them.
    pub(crate) sums: Option<Sums>,
    pub(crate) sharing: WriterSide<LockWords>,
    /// Whether readers of lost commits exist, or may exist.
    pub(super) has_strangers: bool,
    /// How many records a checkpoint brought to the array.
    pub(super) brought_at_open: u64,
}

/// Recovers what a process before has left, for a writer, whose time begins with that: first header
/// and checksums are made to be what they look like, then the log, then readers are told.
///
/// The log is ended by a checkpoint if the writer has no use for it; so is one that has no room
/// left, and whose files may take all the room there is, unless readers are in the way. It is
/// recovered before: what was found in the cache alone must be on the disk before any of it is in
/// the array, where a power cut could not take it back.
pub(crate) fn take_over(
    superblock: &mut Superblock,
    locks: &Locks,
    alignment: usize,
    found_log: FoundLog,
) -> Result<TakenOver> {
    let mut sums = settle(superblock)?;
    let sharing = locks.words(superblock.header().file_id)?;
    let (found, log) = recover(superblock, sums.as_mut(), alignment)?;
    let has_strangers = begin_time(superblock, &found, locks, &sharing, found_log)?;
    let mut taken = TakenOver { found, log, sums, sharing, has_strangers, brought_at_open: 0 };
    let wait = match (&taken.log, found_log) {
        (Some(_), FoundLog::Ended(wait)) => wait,
        (Some(log), FoundLog::Continued) if log.is_full() && !has_strangers => Wait::No,
        _ => return Ok(taken),
    };
    match end_log(superblock, locks, wait, &mut taken)? {
        Outcome::Done(records) => {
            taken.found = nothing(superblock);
            taken.brought_at_open = records;
        }
        Outcome::HeldBack(by) if found_log != FoundLog::Continued => {
            return Err(superblock.name(held_back_by(by)));
        }
        Outcome::HeldBack(_) => {}
    }
    Ok(taken)
}

/// Begins the writer's time with what was found, and says whether readers of commits that were lost
/// exist, or may exist. They may count more records than there are: a writer that ends the log, and
/// then trims the file, is refused.
fn begin_time(
    superblock: &Superblock,
    found: &RecoveredState,
    locks: &Locks,
    sharing: &WriterSide<LockWords>,
    found_log: FoundLog,
) -> Result<bool> {
    let refuse = |has_strangers| match has_strangers && found_log != FoundLog::Continued {
        true => Err(superblock.name(held_by_strangers())),
        false => Ok(()),
    };
    let commit = found.counts.commit;
    let misses_some = sharing.has_lost(commit) && locks.misses_readers(sharing)?;
    // Before the time begins: the next attempt must find the same words.
    refuse(misses_some)?;
    sharing.begin(commit, superblock.header().counts.commit, process())?;
    let has_strangers = misses_some || sharing.has_strangers()?;
    refuse(has_strangers)?;
    Ok(has_strangers)
}

/// Ends the log by a checkpoint of all that was found, once no reader is in the way. Returns how
/// many records it brought to the array.
fn end_log(
    superblock: &mut Superblock,
    locks: &Locks,
    wait: Wait,
    taken: &mut TakenOver,
) -> Result<Outcome<u64>> {
    let TakenOver { found, log, sums, sharing, .. } = taken;
    let (backing, counts, sharing) = (Arc::clone(superblock.backing()), found.counts, &*sharing);
    let allows_all = |limit: &CheckpointLimit| limit.blocker.is_none();
    let ended = beside_readers((locks, sharing), counts.commit, wait, allows_all, |_| {
        let state = (counts, &found.overlay);
        let plan = CheckpointPlan::new(Plan::Recovery, superblock, state, true)?;
        plan.reserve(sums.as_ref())?;
        let geometry = superblock.header().layout()?.geometry;
        let mut placed = ArrayWriter::new(backing, geometry, counts.records)?;
        let (sums, placed) = (sums.as_mut(), &mut placed);
        plan.install(Files { superblock, sums, placed, log, sharing })?;
        Ok(plan.records())
    });
    ended.map_err(|error| superblock.name(error))
}

fn held_by_strangers() -> Error {
    Error::new(ErrorKind::Locked, "open")
        .detail("a reader still holds a snapshot of commits that the device has lost")
        .advice("close the reader")
}

fn held_back_by(reader: Option<Seen>) -> Error {
    let error = Error::new(ErrorKind::Locked, "open")
        .advice("close the reader, wait for it with Options::wait, or open a Database");
    match reader {
        Some(reader) => error.detail(format!("the log must be ended first, and {reader}")),
        None => error.detail(
            "the log must be ended first, and a reader without a slot has the store open, one \
             under another name, or one that is just coming, or one that is just reading the log",
        ),
    }
}

/// A checkpoint that was cut short may have written what the log has of commits after the header's
/// and up to the one that the checksums' stamp names: the blocks of these records may differ from
/// their checksums. It has written nothing of later commits, whose blocks must match.
fn exempt_begun(sums: &mut Sums, superblock: &Superblock, found: &RecoveredState) -> Result<()> {
    let Some(through) = sums.checkpoint_begun() else { return Ok(()) };
    let mut images = found.overlay.sorted_after(superblock.header().counts.commit);
    images.retain(|&(id, _)| found.overlay.has_changed(id, through));
    let ranges = ranges_of(&superblock.header().layout()?, &images);
    sums.exempt(&ranges).map_err(|error| superblock.name(error))
}
