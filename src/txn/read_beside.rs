//! Opening a store to read beside a writer that is at work.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::in_place::Torn;
use super::locks::Locks;
use super::reader_session::{CHECKPOINT_WAIT, Presence, Quiet, SnapshotPin};
use super::recovered;
use super::recovered::RecoveredState;
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::NUMBERS_END;
use crate::io::FileBacking;
use crate::shm::{Mark, ReadPoint, Wait, store_word};
use crate::wal::Position;

/// How often a reader looks again at a log that a writer may be changing.
const LOG_TRIES: u32 = 8;
/// How long a reader waits for a writer that is opening the store to be done with the log.
const OPENING_WAIT: Duration = Duration::from_secs(5);
/// How long it waits before it looks at the log again, unless the writer says that it is done.
const OPENING_PAUSE: Duration = Duration::from_millis(1);
/// How often a reader is too late before it asks the writer to make no checkpoint meanwhile.
pub(crate) const OVERTAKEN_TIMES: u32 = 4;
/// How long it waits for one that is under way.
const QUIET_WAIT: Duration = Duration::from_secs(1);

/// Takes the locks of a handle that only lends records. A checkpoint shuts readers out for as long
/// as it takes to write its records, which nobody should have to think of; an exclusive edit, which
/// the header tells of, for as long as its user likes.
pub(crate) fn reader_locks(path: &Path, file: &Arc<FileBacking>, wait: Wait) -> Result<Locks> {
    patient(file, wait, |in_place| Locks::reader(path, file, wait, in_place))
}

/// As [`reader_locks`], making no lock file, for a handle beside which no checkpoint begins.
pub(crate) fn onlooker_locks(path: &Path, file: &Arc<FileBacking>, wait: Wait) -> Result<Locks> {
    let locks = patient(file, wait, |in_place| Locks::onlooker(path, file, wait, in_place))?;
    locks.keep_checkpoints_away(Wait::AtMost(CHECKPOINT_WAIT))?;
    Ok(locks)
}

fn patient(
    file: &Arc<FileBacking>,
    wait: Wait,
    lock: impl Fn(Wait) -> Result<Locks>,
) -> Result<Locks> {
    match lock(wait) {
        Err(error) if error.kind() == ErrorKind::Locked && wait == Wait::No => {
            if Superblock::header_in(&**file)?.editing {
                return Err(error);
            }
            lock(Wait::AtMost(CHECKPOINT_WAIT))
        }
        other => other,
    }
}

/// What a reader has found.
pub(crate) struct Found {
    /// What the log holds beyond the array; `None` without a log.
    pub(crate) log: Option<RecoveredState>,
    /// From where the log can be followed, where there is a writer.
    pub(crate) position: Option<Position>,
    /// What that is, for who is to hold it.
    pub(crate) point: ReadPoint,
}

/// Reads header and log, up to what a writer who is at work shows to readers, and otherwise up to
/// the log's end. The images are aligned to `alignment`.
///
/// The writer may be going on, to other files even, while this reads: then it looks again.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if what is found makes no sense, though the writer has given up nothing
/// of what was read, and does nothing to change that; as [`RetryPolicy::wait`]; the system's.
pub(crate) fn read(
    superblock: &mut Superblock,
    presence: &Presence,
    alignment: usize,
) -> Result<Found> {
    let (mut tries, mut since) = (0, Instant::now());
    let (mut last, _) = presence.mark();
    let mut retry = RetryPolicy::default();
    let mut is_first = true;
    loop {
        let (mark, published) = presence.mark();
        if mark != last {
            (last, since, tries) = (mark, Instant::now(), 0);
        }
        let is_live = presence.has_writer()?;
        // It was read before this reader had said that it is here, perhaps, and what waits to write
        // under this name may not be the writer: one under another name went on meanwhile.
        if std::mem::take(&mut is_first) && is_live && !superblock.is_current().is_ok_and(|is| is) {
            *superblock = Superblock::open(Arc::clone(superblock.backing()))?;
        }
        let needed = Needed(presence);
        let found =
            read_once(superblock, presence, alignment, is_live.then_some((mark, published)));
        // Nothing that is given up while it is read needs to make sense.
        let is_kept = match found {
            Err(_) if is_live => presence.need(first_needed(superblock), mark),
            Err(_) => presence.mark().0 == mark,
            Ok(_) => true,
        };
        drop(needed);
        match found {
            Ok(found) => {
                let at_rest = !is_live && found.is_some() && is_still(superblock, presence)?;
                // A writer by another name of the file is seen by nothing but the header, which it
                // changes before it changes records; readers have said by then that they are here.
                if let Some((log, position)) = found.filter(|_| is_live || at_rest) {
                    if presence.mark().0 == mark {
                        let commit = log
                            .as_ref()
                            .map_or(superblock.header().counts.commit, |log| log.counts.commit);
                        let point = ReadPoint { mark, commit, at_rest };
                        superblock.check_views()?;
                        return Ok(Found { log, position, point });
                    }
                }
                retry.wait(presence, mark, published)?;
            }
            Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
            Err(_) if !is_kept => retry.wait(presence, mark, published)?,
            Err(error) => {
                tries += 1;
                // A writer that is just opening the store takes its time to write the log anew.
                let patient = is_live && since.elapsed() < OPENING_WAIT;
                if tries > LOG_TRIES && !patient {
                    return Err(error);
                }
                if tries > LOG_TRIES {
                    presence.wait_until(OPENING_PAUSE, || Ok(presence.mark().0 != mark))?;
                }
            }
        }
        superblock.look_again()?;
    }
}

/// Whether there still is no writer, and none has been since `superblock` was read.
fn is_still(superblock: &Superblock, presence: &Presence) -> Result<bool> {
    // In this order: one that comes after the first look changes nothing before it says so.
    let is_current = superblock.is_current()?;
    Ok(is_current && !presence.has_writer()?)
}

/// From which commit on a reader needs the log that comes from this header.
fn first_needed(superblock: &Superblock) -> u64 {
    superblock.header().counts.commit.saturating_add(1)
}

/// Who finds again and again that it is too late does not try for ever: if the writer goes on, it
/// is kept from going on to other places, and if nothing goes on, that is an error.
#[derive(Default)]
pub(crate) struct RetryPolicy<'p> {
    /// What there was to be read last, and since when.
    seen: Option<(Mark, u64, Instant)>,
    times: u32,
    /// Once that was often: since when, and what keeps checkpoints away if that could be had.
    overtaken: Option<(Instant, Option<Quiet<'p>>)>,
}

impl<'p> RetryPolicy<'p> {
    /// To be called before the next try, with what there was to be read in this one.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if that has been the same for long, or no writer can have published
    /// that commit; the system's.
    pub(crate) fn wait(&mut self, presence: &'p Presence, mark: Mark, commit: u64) -> Result<()> {
        if commit >= NUMBERS_END {
            return Err(impossible(commit));
        }
        self.times += 1;
        if self.times >= OVERTAKEN_TIMES {
            let (since, quiet) = self.overtaken.get_or_insert_with(|| (Instant::now(), None));
            if since.elapsed() >= CHECKPOINT_WAIT && self.times >= 2 * OVERTAKEN_TIMES {
                return Err(too_late(commit));
            }
            if quiet.is_none() {
                *quiet = match presence.keep_quiet(Wait::AtMost(QUIET_WAIT)) {
                    // One checkpoint overtakes nobody for as long as that.
                    Err(error) if error.kind() == ErrorKind::Locked => None,
                    quiet => Some(quiet?),
                };
                self.seen = None;
                return Ok(());
            }
        }
        let now = (mark, commit);
        let Some((.., since)) = self.seen.filter(|&(last, at, _)| (last, at) == now) else {
            self.seen = Some((mark, commit, Instant::now()));
            return Ok(());
        };
        if since.elapsed() < CHECKPOINT_WAIT {
            let shown = presence.mark();
            presence.wait_until(OPENING_PAUSE, || Ok(presence.mark() != shown))?;
            return Ok(());
        }
        Err(too_late(commit))
    }
}

fn too_late(commit: u64) -> Error {
    Error::new(ErrorKind::Locked, "read")
        .detail(format!(
            "by the lock file, records are being written over that commit {commit} reads, or its \
             log is no more, and no other commit is to be had"
        ))
        .advice("let the writer go on, or end it and open the store to write once")
}

fn impossible(commit: u64) -> Error {
    Error::new(ErrorKind::Locked, "read")
        .detail(format!(
            "the lock file names commit {commit}, and numbers of commits end at 2^63: its words \
             are damaged"
        ))
        .advice("end the writer, and open the store to write once")
}

/// As [`read`], once: `None` if the writer has gone on meanwhile. It says what is needed of the
/// log; to take that back is the caller's.
fn read_once(
    superblock: &Superblock,
    presence: &Presence,
    alignment: usize,
    live: Option<(Mark, u64)>,
) -> Result<Option<(Option<RecoveredState>, Option<Position>)>> {
    let Some((mark, published)) = live.filter(|(mark, _)| mark.has_words) else {
        return Ok(Some((recovered::read_log(superblock, alignment)?, None)));
    };
    if !presence.need(first_needed(superblock), mark) {
        return Ok(None);
    }
    let through = published.max(superblock.header().counts.commit);
    recovered::read_log_through(superblock, alignment, through).map(Some)
}

/// What is needed of the log, until this is dropped.
pub(crate) struct Needed<'p>(pub(crate) &'p Presence);

impl Drop for Needed<'_> {
    fn drop(&mut self) {
        self.0.need_nothing();
    }
}

/// Reads header and log for a handle that stays with what it finds, and holds that: from now on no
/// checkpoint changes what of it lies in the array.
pub(crate) fn take_up(
    superblock: &mut Superblock,
    locks: &Locks,
    alignment: usize,
) -> Result<(Option<RecoveredState>, SnapshotPin)> {
    let presence = Presence::new(locks.clone(), store_word(superblock.header().file_id))?;
    let presence = Arc::new(presence);
    let wait = Wait::AtMost(CHECKPOINT_WAIT);
    // Without a slot nothing is held until all is read, and a writer by another name, which has
    // another lock file, could change records meanwhile.
    let _quiet = match presence.has_slot() {
        true => None,
        false => Some(presence.keep_quiet(wait)?),
    };
    let mut retry = RetryPolicy::default();
    loop {
        let Found { log, point, .. } = read(superblock, &presence, alignment)?;
        if let Some(pin) = presence.pin(point, wait)? {
            return Ok((log, pin));
        }
        retry.wait(&presence, point.mark, point.commit)?;
        superblock.look_again()?;
    }
}

/// Reads the log for a handle that keeps every checkpoint away, and takes a store as it is.
pub(crate) fn read_log(superblock: &mut Superblock) -> Result<Option<(RecoveredState, Vec<Torn>)>> {
    let mut tries = 0;
    loop {
        match recovered::read_log_even_torn(superblock, 1) {
            Err(error) if error.kind() == ErrorKind::Corrupt && tries < LOG_TRIES => {
                tries += 1;
                superblock.look_again()?;
            }
            other => return other,
        }
    }
}
