//! Recovery: a writer reads the log to a state in memory, makes the log durable, and goes on from
//! there. A writer that goes on without a log then makes a checkpoint of all of it, as any writer
//! does (`checkpoint`).
//!
//! Recovery does not assume that bytes in the system's cache are on the disk: the earlier process
//! may have died between a write and its sync, or after a sync that failed. So a writer first
//! writes what it found again, in another place, and syncs that, before it overwrites anything.

use std::sync::Arc;

use super::checkpoint::{CheckpointPlan, Files, Outcome, UNSEEN_READER, beside_readers, ranges_of};
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
use crate::trace::{self, Stopwatch};
use crate::wal::{self, Log};

/// Returns the state of header and log, and a log in which a writer can continue. Tells `sums`
/// which blocks an interrupted checkpoint may have changed.
///
/// The writer copies the log's frames into a new segment and syncs it, before the header names that
/// segment and the old ones are removed: bytes found in the cache may not be on the disk, and a
/// sync of a file that is clean in the cache would not put them there. If there is no room for a
/// copy, the writer writes the frames over themselves and syncs them in place ([`Log::keep`]).
///
/// The copy is one segment, however long. If its writer dies before the header names it, the copy
/// may hold commits that the disk has nowhere else, and that a power cut takes back; a second
/// segment would then be evidence that the commits before it had been made durable.
fn recover(
    superblock: &mut Superblock,
    sums: Option<&mut Sums>,
    alignment: usize,
    was_at_rest: bool,
) -> Result<(RecoveredState, Option<Log>)> {
    let Some(found) = read_log(superblock, alignment)? else {
        remove_leftovers(superblock, was_at_rest);
        return Ok((nothing(superblock), None));
    };
    if let Some(sums) = sums {
        exempt_begun(sums, superblock, &found)?;
    }
    let log = if found.frames > 0 { Some(secure(superblock, &found)?) } else { None };
    let salt = log.as_ref().map(Log::salt);
    superblock.commit(|header| header.live_log = salt)?;
    let keep = log.as_ref().map(Log::salts).unwrap_or_default();
    // Durably: a copy that an earlier recovery left may have commits that were lost since, and must
    // not reappear as evidence of them.
    let backing = superblock.backing();
    wal::remove_stale(&**backing, superblock.header().file_id, &keep)
        .and_then(|()| backing.sync_directory())
        .map_err(|error| superblock.name(error))?;
    Ok((found, log))
}

/// Removes the log files that a killed writer has left, in a store whose header names no log. After
/// a clean close there are none, and listing a large directory would make opening the store slow:
/// so this lists it only if the slots disagree, as they do until a close has removed the log, or if
/// a file has the name of a first segment.
fn remove_leftovers(superblock: &Superblock, was_at_rest: bool) {
    let backing = &**superblock.backing();
    if !was_at_rest || wal::may_be_left(backing) {
        // A file that cannot be removed does no harm, and the writer of the next log tries again.
        let _ = wal::remove_stale(backing, superblock.header().file_id, &[]);
    }
}

/// Makes the log that was found durable, and returns a log in which a writer can continue.
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

/// An error if the second reading of the log ended at another commit than the first.
fn check_unchanged(superblock: &Superblock, found: &RecoveredState, next: u64) -> Result<()> {
    // Cannot overflow: the log's commits follow one another from a header's number below 2^63.
    if next == found.counts.commit + 1 {
        return Ok(());
    }
    Err(superblock.name(
        Error::new(ErrorKind::Corrupt, "read the log of")
            .detail("the log changed while it was read")
            .advice("open the store again: it then shows what the disk has"),
    ))
}

/// Copies the frames of the log into a new segment, durably. No header names the segment yet.
fn copy_log(superblock: &Superblock, found: &RecoveredState) -> Result<Log> {
    let header = superblock.header();
    // The header was checked: numbers of commits are below 2^63.
    let (file_id, first) = (header.file_id, header.counts.commit + 1);
    let backing = Arc::clone(superblock.backing());
    let mut copy = Log::create_with_room(backing, file_id, first, found.log_len_bytes)
        .map_err(|error| superblock.name(error))?;
    let copied = read_log_and(superblock, 1, &mut |(commit, ids, images)| {
        let pieces = [images];
        let images = wal::Images { ids, image_len: header.stride, pieces: &pieces };
        copy.append(commit, header.counts.commit, &images).map(drop)
    });
    let copied = copied
        .and_then(|_| check_unchanged(superblock, found, copy.next()))
        .and_then(|()| step::take(Step::RecoverySync, || copy.segment().sync_data()));
    match copied {
        Ok(()) => Ok(copy),
        Err(error) => {
            // The log that was found stays as it is. If this fails, the next log's writer removes
            // the copy.
            let _ = copy.remove();
            Err(superblock.name(error))
        }
    }
}

/// What a writer does with the log that an earlier process left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundLog {
    /// It continues the log, beside any readers.
    Continued,
    /// It ends the log by a checkpoint of everything, after at most this wait for readers, because
    /// it uses no log and will trim the file.
    Ended(Wait),
}

/// What a writer starts from.
pub(crate) struct TakenOver {
    pub(super) found: RecoveredState,
    pub(super) log: Option<Log>,
    /// The checksums of the array, if the store has them.
    pub(crate) sums: Option<Sums>,
    pub(crate) sharing: WriterSide<LockWords>,
    /// Whether readers of lost commits exist, or may exist.
    pub(super) has_strangers: bool,
    /// How many records the checkpoint of this recovery copied to the array.
    pub(super) brought_at_open: u64,
}

/// Recovers what an earlier process left, and begins the time of this writer: makes header and
/// checksums durable as they were read, then the log, then tells readers.
///
/// A checkpoint ends the log if the writer uses no log. It also ends a log without room, whose
/// files may take all the room of the disk, unless readers are in the way. The log is recovered
/// before that: bytes that were found only in the cache must be on the disk in the log before any
/// of them are in the array, where a power cut could not take them back.
pub(crate) fn take_over(
    superblock: &mut Superblock,
    locks: &Locks,
    alignment: usize,
    found_log: FoundLog,
) -> Result<TakenOver> {
    let data = Arc::clone(superblock.backing());
    let (watch, _span) = (Stopwatch::start(), trace::recovery(&*data));
    let was_at_rest = superblock.at_rest();
    let mut sums = settle(superblock)?;
    let sharing = locks.words(superblock.header().file_id)?;
    let (found, log) = recover(superblock, sums.as_mut(), alignment, was_at_rest)?;
    let has_strangers = begin_time(superblock, &found, locks, &sharing, found_log)?;
    let mut recovery = trace::Recovery {
        commits: found.frames,
        log_len_bytes: found.log_len_bytes,
        commit: found.counts.commit,
        records: 0,
    };
    let mut taken = TakenOver { found, log, sums, sharing, has_strangers, brought_at_open: 0 };
    end_log_if_needed(superblock, locks, found_log, &mut taken)?;
    if recovery.commits > 0 {
        recovery.records = taken.brought_at_open;
        trace::recovered(&*data, &recovery, watch);
    }
    Ok(taken)
}

/// Ends the log that was found if its writer uses none, or if it has no room.
fn end_log_if_needed(
    superblock: &mut Superblock,
    locks: &Locks,
    found_log: FoundLog,
    taken: &mut TakenOver,
) -> Result<()> {
    let wait = match (&taken.log, found_log) {
        (Some(_), FoundLog::Ended(wait)) => wait,
        (Some(log), FoundLog::Continued) if log.is_full() && !taken.has_strangers => Wait::No,
        _ => return Ok(()),
    };
    match end_log(superblock, locks, wait, taken)? {
        Outcome::Done(records) => {
            taken.found = nothing(superblock);
            taken.brought_at_open = records;
        }
        Outcome::HeldBack(by) if found_log != FoundLog::Continued => {
            return Err(superblock.name(held_back_by(by)));
        }
        Outcome::HeldBack(_) => {}
    }
    Ok(())
}

/// Begins the writer's time with the state that was found. Returns whether readers of lost commits
/// exist, or may exist. Such readers may count more records than the store has, so a writer that
/// ends the log, and then trims the file, is refused.
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
    // Refused before the time begins, because the next attempt must find the same words.
    refuse(misses_some)?;
    sharing.begin(commit, superblock.header().counts.commit, process())?;
    let has_strangers = misses_some || sharing.has_strangers()?;
    refuse(has_strangers)?;
    Ok(has_strangers)
}

/// Ends the log by a checkpoint of everything that was found, as soon as no reader is in the way.
/// Returns how many records it copied to the array.
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
        let mut array = ArrayWriter::new(backing, geometry, counts.records)?;
        let (sums, array) = (sums.as_mut(), &mut array);
        plan.install(Files { superblock, sums, array, log, sharing })?;
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
        .advice("close the reader, wait for it with OpenOptions::wait, or open a Database");
    match reader {
        Some(reader) => error.detail(format!("the log must be ended first, and {reader}")),
        None => error.detail(format!("the log must be ended first, and {UNSEEN_READER}")),
    }
}

/// Exempts blocks that an interrupted checkpoint may have changed. It may have written images of
/// commits after the header's and up to the one in the checksum file's stamp, so the blocks of
/// these records may differ from their checksums. It has written nothing of later commits, whose
/// blocks must match.
fn exempt_begun(sums: &mut Sums, superblock: &Superblock, found: &RecoveredState) -> Result<()> {
    let Some(through) = sums.checkpoint_begun() else { return Ok(()) };
    let mut images = found.overlay.sorted_after(superblock.header().counts.commit);
    images.retain(|&(id, _)| found.overlay.has_changed(id, through));
    let ranges = ranges_of(&superblock.header().layout()?, &images);
    sums.exempt(&ranges).map_err(|error| superblock.name(error))
}
