//! Reading header and log of a store while a writer may be changing it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::locks::Locks;
use super::long_append::MismatchedRecords;
use super::reader_session::{CHECKPOINT_WAIT, Presence, Quiet, SnapshotPin};
use super::recovered;
use super::recovered::RecoveredState;
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::NUMBERS_END;
use crate::io::FileBacking;
use crate::shm::{Mark, ReadPoint, Wait, store_word};
use crate::wal::Position;

/// How often a reader reads a log again that a writer may be changing.
const LOG_TRIES: u32 = 8;
/// How long a reader waits for a writer that is opening the store to finish with the log.
const OPENING_WAIT: Duration = Duration::from_secs(5);
/// How long it waits before it reads the log again, unless the writer says that it has finished.
const OPENING_PAUSE: Duration = Duration::from_millis(1);
/// How often a checkpoint overtakes a reader before the reader asks the writer for a pause.
pub(crate) const OVERTAKEN_TIMES: u32 = 4;
/// How long the reader then waits for a running checkpoint to end.
const QUIET_WAIT: Duration = Duration::from_secs(1);

/// Takes the locks of a handle that only lends records. A checkpoint shuts readers out only while
/// it writes its records, so this waits for it even if `wait` is [`Wait::No`]. An exclusive edit,
/// which the header shows, may last for as long as its user likes: for that this waits as `wait`
/// says.
pub(crate) fn reader_locks(path: &Path, file: &Arc<FileBacking>, wait: Wait) -> Result<Locks> {
    patient(file, wait, |in_place| Locks::reader(path, file, wait, in_place))
}

/// As [`reader_locks`], but makes no lock file, and lets no checkpoint begin while the locks are
/// held.
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

/// What a reader has read of a store.
pub(crate) struct Found {
    /// What the log holds beyond the array; `None` without a log.
    pub(crate) log: Option<RecoveredState>,
    /// Where to read on in the log, if there is a writer.
    pub(crate) position: Option<Position>,
    /// The commit that was read, for a reader that pins it.
    pub(crate) point: ReadPoint,
}

/// Reads header and log: up to the published commit if a writer has the store open, otherwise up to
/// the log's end. The images are aligned to `alignment`.
///
/// If the writer goes on while this reads, perhaps to other files of the log, this reads again.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if header or log are damaged, although the writer has kept everything
/// that was read and does not replace it; an error of [`RetryPolicy::wait`]; [`ErrorKind::Io`] if
/// the operating system reports an error.
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
        // The header may be from before this reader registered, and the process that holds or
        // awaits the writer's lock under this name may not be the writer: one under another name
        // may have gone on since.
        if std::mem::take(&mut is_first) && is_live && !superblock.is_current().is_ok_and(|is| is) {
            *superblock = Superblock::open(Arc::clone(superblock.backing()))?;
        }
        let needed = Needed(presence);
        let found =
            read_once(superblock, presence, alignment, is_live.then_some((mark, published)));
        // An error counts only if the writer kept what was read: a part of the log that was
        // released during the reading may hold anything.
        let is_kept = match found {
            Err(_) if is_live => presence.need(first_needed(superblock), mark),
            Err(_) => presence.mark().0 == mark,
            Ok(_) => true,
        };
        drop(needed);
        match found {
            Ok(found) => {
                let at_rest = !is_live && found.is_some() && is_still(superblock, presence)?;
                // Only the header shows a writer under another name of the file. That writer
                // changes the header before it changes records, and this reader has announced
                // itself before it looks at the header.
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
                // A writer that is opening the store needs time to copy the log.
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

/// Whether there still is no writer, and there was none since `superblock` was read.
fn is_still(superblock: &Superblock, presence: &Presence) -> Result<bool> {
    // In this order: a writer that comes after the first look takes its lock before it changes
    // anything, so the second look finds it.
    let is_current = superblock.is_current()?;
    Ok(is_current && !presence.has_writer()?)
}

/// The first commit that a reader with this header needs from the log.
fn first_needed(superblock: &Superblock) -> u64 {
    // The header was checked: numbers of commits are below 2^63.
    superblock.header().counts.commit + 1
}

/// Ends the tries of a reader that checkpoints overtake again and again: if the writer makes
/// progress, the reader keeps it from making checkpoints; if it makes none, the reader gives up
/// with an error.
#[derive(Default)]
pub(crate) struct RetryPolicy<'p> {
    /// What the last try read, and since when the tries have read the same.
    seen: Option<(Mark, u64, Instant)>,
    times: u32,
    /// After many tries: since when, and what keeps checkpoints away, if the reader got it.
    overtaken: Option<(Instant, Option<Quiet<'p>>)>,
}

impl<'p> RetryPolicy<'p> {
    /// Waits before the next try. `mark` and `commit` are what the last try read.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if the tries have failed for 10 s, or no writer can have published
    /// `commit`; [`ErrorKind::Io`] if the operating system reports an error.
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
                    // A single checkpoint that lasts that long cannot keep overtaking this reader.
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
            "cannot open a snapshot of commit {commit}: the lock file says a checkpoint is \
             overwriting its records, or its log was deleted, and no newer commit appeared within \
             {} s",
            CHECKPOINT_WAIT.as_secs()
        ))
        .advice("resume the writer, or end it and open the store once for writing")
}

fn impossible(commit: u64) -> Error {
    Error::new(ErrorKind::Locked, "read")
        .detail(format!(
            "the lock file is damaged: it names commit {commit}, and commit numbers are below 2^63"
        ))
        .advice("end the writer, and open the store once for writing")
}

/// As [`read`], once: `None` if the writer has released a part of the log that this needs.
/// Announces that this reader needs the log; the caller must take that back ([`Needed`]).
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

/// Takes back, when it is dropped, that the reader needs the log.
pub(crate) struct Needed<'p>(pub(crate) &'p Presence);

impl Drop for Needed<'_> {
    fn drop(&mut self) {
        self.0.need_nothing();
    }
}

/// Reads header and log for a handle that shows this one state, and pins the state: no checkpoint
/// changes its records in the array while the pin lives.
pub(crate) fn take_up(
    superblock: &mut Superblock,
    locks: &Locks,
    alignment: usize,
) -> Result<(Option<RecoveredState>, SnapshotPin)> {
    let presence = Presence::new(locks.clone(), store_word(superblock.header().file_id))?;
    let presence = Arc::new(presence);
    let wait = Wait::AtMost(CHECKPOINT_WAIT);
    // An unregistered reader holds nothing until it has read everything, and a writer under another
    // name, with another lock file, could change records during that.
    let _quiet = match presence.has_entry() {
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

/// Reads the log for a handle that keeps every checkpoint away and inspects a damaged store.
pub(crate) fn read_log(
    superblock: &mut Superblock,
) -> Result<Option<(RecoveredState, Vec<MismatchedRecords>)>> {
    let mut tries = 0;
    loop {
        match recovered::read_log_even_mismatched(superblock, 1) {
            Err(error) if error.kind() == ErrorKind::Corrupt && tries < LOG_TRIES => {
                tries += 1;
                superblock.look_again()?;
            }
            other => return other,
        }
    }
}
