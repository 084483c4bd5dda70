//! Recovery: what the log holds beyond the array.
//!
//! Nothing found in the system's cache is taken to be on the disk: the process before may have died
//! between a write and its sync, or after a sync that failed. So whoever goes on writing first
//! writes what was found again, elsewhere, and syncs that, before anything is written over.

use std::ops::Range;
use std::sync::Arc;

use super::install::{Change, Plan, Work, install};
use super::locks::Locks;
use super::recovered::{RecoveredState, nothing, read_log, read_log_and};
use super::superblock::Superblock;
use crate::array::Placed;
use crate::error::{Error, ErrorKind, Result};
use crate::format::RecordLayout;
use crate::shm::{LockWords, Seen, Wait, WriterSide, process};
use crate::step::{self, Step};
use crate::sums::Sums;
use crate::wal::{self, Log};

/// The state that is found, and the log that goes on from it, for a writer.
///
/// What the log holds is copied into a fresh segment, synced, before the header names that and the
/// old ones go: bytes that were found in the cache may not be on the disk, and a sync of a file
/// that is clean in the cache would not put them there. Where there is no room for a copy, the
/// bytes are written over themselves and synced where they lie ([`Log::keep`]).
///
/// The copy is one segment, however long. Should its maker die before the header names it, it may
/// hold commits that the disk has nowhere else, and that are taken back when the power goes; a
/// second segment would bear witness then that the commits before it had been made durable.
pub(super) fn recover(
    superblock: &mut Superblock,
    alignment: usize,
) -> Result<(RecoveredState, Option<Log>)> {
    // Log files that no header names are left for the next log's maker to remove: looking for them
    // would make opening a store wait for a large directory.
    let Some(found) = read_log(superblock, alignment)? else {
        return Ok((nothing(superblock), None));
    };
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

/// Takes up what a process that died has left in the log, for a handle that writes without one: the
/// log is ended, and the array holds everything. `sharing` begins its time with that.
///
/// The log is recovered first: what was found in the cache alone must be on the disk before any of
/// it is in the array, where a power cut could not take it back.
pub(crate) fn absorb(
    superblock: &mut Superblock,
    sums: &mut Option<Sums>,
    locks: &Locks,
    sharing: &WriterSide<LockWords>,
    wait: Wait,
) -> Result<()> {
    let (found, log) = recover(superblock, 1)?;
    // Before its time begins: whoever tries again is to find the same.
    let misses_some = sharing.has_lost(found.counts.commit) && locks.misses_readers(sharing)?;
    if misses_some {
        return Err(superblock.name(held_by_strangers()));
    }
    sharing.begin(found.counts.commit, superblock.header().counts.commit, process())?;
    if sharing.has_strangers()? {
        // They may count more records than there are by now, and the file is about to be trimmed.
        return Err(superblock.name(held_by_strangers()));
    }
    let Some(log) = log else { return Ok(()) };
    match bring_home(superblock, sums, (locks, sharing), wait, (&found, log))? {
        Brought::Home => Ok(()),
        Brought::HeldBack(_, by) => Err(superblock.name(held_back_by(by))),
    }
}

/// What has become of a log that was to be ended.
enum Brought {
    /// The array holds everything, and there is no log.
    Home,
    /// Somebody reads what would be changed; who, if that is known.
    HeldBack(Box<Log>, Option<Seen>),
}

/// What a writer with transactions begins with.
pub(super) struct TakenOver {
    pub(super) found: RecoveredState,
    pub(super) log: Option<Log>,
    pub(super) sharing: WriterSide<LockWords>,
    /// Whether readers of lost commits exist, or may exist.
    pub(super) has_strangers: bool,
    /// How many records the array had to be brought at once.
    pub(super) brought_at_open: u64,
}

/// Recovers what a process before has left, for a writer with transactions, whose time begins with
/// that. A log that has no room left, and whose files may take all the room there is, is ended,
/// unless readers are in the way.
pub(super) fn take_over(
    superblock: &mut Superblock,
    sums: &mut Option<Sums>,
    locks: &Locks,
    alignment: usize,
) -> Result<TakenOver> {
    let (found, log) = recover(superblock, alignment)?;
    let sharing = locks.words(superblock.header().file_id)?;
    let has_lost = sharing.has_lost(found.counts.commit);
    sharing.begin(found.counts.commit, superblock.header().counts.commit, process())?;
    let has_strangers = sharing.has_strangers()? || has_lost && locks.misses_readers(&sharing)?;
    let mut taken = TakenOver { found, log, sharing, has_strangers, brought_at_open: 0 };
    let Some(log) = taken.log.take_if(|log| log.is_full() && !has_strangers) else {
        return Ok(taken);
    };
    let records = taken.found.overlay.sorted_after(superblock.header().counts.commit).len() as u64;
    match bring_home(superblock, sums, (locks, &taken.sharing), Wait::No, (&taken.found, log))? {
        Brought::Home => {
            taken.found = nothing(superblock);
            taken.brought_at_open = records;
        }
        Brought::HeldBack(log, _) => taken.log = Some(*log),
    }
    Ok(taken)
}

/// Brings what was found to the array and ends the log, once no reader is in the way.
fn bring_home(
    superblock: &mut Superblock,
    sums: &mut Option<Sums>,
    (locks, sharing): (&Locks, &WriterSide<LockWords>),
    wait: Wait,
    (found, log): (&RecoveredState, Log),
) -> Result<Brought> {
    let mut in_the_way = None;
    let alone = wait.until(|| {
        let Some(limit) = locks.begin_checkpoint(sharing, found.counts.commit)? else {
            in_the_way = None;
            return Ok(false);
        };
        in_the_way = limit.blocker;
        if in_the_way.is_some() {
            locks.end_checkpoint()?;
        }
        Ok(in_the_way.is_none())
    });
    if !alone.map_err(|error| superblock.name(error))? {
        return Ok(Brought::HeldBack(Box::new(log), in_the_way));
    }
    let absorbed = absorb_alone(superblock, sums, found, log);
    if absorbed.is_ok() {
        sharing.hold(found.counts.commit);
    }
    let admitted = locks.end_checkpoint();
    absorbed.and(admitted).map(|()| Brought::Home)
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

fn absorb_alone(
    superblock: &mut Superblock,
    sums: &mut Option<Sums>,
    found: &RecoveredState,
    log: Log,
) -> Result<()> {
    let layout = superblock.header().layout()?.aligned_to(1);
    let images = found.overlay.sorted_after(superblock.header().counts.commit);
    let end = layout.geometry.offset_of(found.counts.records)?;
    if let Some(sums) = sums {
        sums.reserve(end).map_err(|error| superblock.name(error))?;
        let done = superblock.header().counts.commit;
        exempt_begun(sums, &layout, found, done).map_err(|error| superblock.name(error))?;
    }
    let placed =
        Placed::new(Arc::clone(superblock.backing()), layout.geometry, found.counts.records)?;
    let changed = ranges_of(&layout, &images);
    let change = Change {
        commit: found.counts.commit,
        changed: &changed,
        end,
        header: &|header| {
            header.counts = found.counts;
            header.live_log = None;
        },
    };
    let mut work = EndLog { superblock, sums, placed, images: &images, log: Some(log) };
    install(Plan::Recovery, &change, &mut work)
}

/// The own part of a recovery that ends the log.
struct EndLog<'a> {
    superblock: &'a mut Superblock,
    sums: &'a mut Option<Sums>,
    placed: Placed,
    images: &'a [(u64, &'a [u8])],
    log: Option<Log>,
}

impl Work for EndLog<'_> {
    fn parts(&mut self) -> (&mut Superblock, Option<&mut Sums>) {
        (self.superblock, self.sums.as_mut())
    }

    fn write(&mut self) -> Result<()> {
        self.placed.write_sorted(self.images)
    }

    fn sync(&mut self) -> Result<()> {
        self.placed.sync()
    }

    fn release(&mut self) -> Result<()> {
        self.log.take().map_or(Ok(()), Log::remove)
    }
}

/// A checkpoint that was cut short may have written what the log has of commits after `done` and up
/// to the one that the checksums' stamp names: the blocks of these records may differ from their
/// checksums. It has written nothing of later commits, and their blocks are to be compared.
pub(super) fn exempt_begun(
    sums: &mut Sums,
    layout: &RecordLayout,
    found: &RecoveredState,
    done: u64,
) -> Result<()> {
    let Some(through) = sums.checkpoint_begun() else { return Ok(()) };
    let mut images = found.overlay.sorted_after(done);
    images.retain(|&(id, _)| found.overlay.has_changed(id, through));
    sums.exempt(&ranges_of(layout, &images))
}

/// The bytes of the file that these images take; neighbours are one range.
pub(super) fn ranges_of(layout: &RecordLayout, images: &[(u64, &[u8])]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &(id, image) in images {
        let Ok(start) = layout.geometry.offset_of(id) else { continue };
        let end = start + image.len() as u64;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}
