//! A reader's place among those who share a store: what it says of itself, so that the writer
//! leaves alone what it reads.
//!
//! There are three ways, by what the reader may do:
//!
//! - It has a **slot** in the lock file, and says in it which commits it reads. The writer goes on,
//!   and brings no newer commits to the array than the oldest of these.
//! - It may only read the lock file: while it reads anything, it keeps checkpoints away altogether,
//!   by a lock that they need.
//! - There is no lock file and it cannot make one: it keeps every writer away (`Locks` does that).
//!
//! Invariant: while `held` has anything, the slot says so, or the range is locked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::locks::Locks;
use super::superblock::outdated;
use crate::error::{ErrorKind, Result};
use crate::shm::{
    EPOCH, LockWords, Mark, ReadPoint, ReaderSide, Seen, Shared as _, Slot, Span, Wait, now,
    process,
};

/// How long a reader waits for a checkpoint to end, however impatient it is.
pub(crate) const CHECKPOINT_WAIT: Duration = Duration::from_secs(10);
/// How long a waiter sleeps that sees no words before it looks for them again.
const WORDLESS_WAIT: Duration = Duration::from_millis(20);

/// What a reader holds at a time.
#[derive(Debug, Default)]
struct Held {
    /// By lineage and commit: how often, and since when.
    commits: BTreeMap<(u64, u64), (usize, u64)>,
    /// How often checkpoints are kept away besides: see [`Quiet`].
    quiet: usize,
}

/// A reader's place, for as long as it has the store open.
#[derive(Debug)]
pub(crate) struct Presence {
    /// `None` where there were no words to be seen.
    side: Option<ReaderSide<LockWords>>,
    /// The words that a writer has made since, where there were none.
    late: OnceLock<ReaderSide<LockWords>>,
    store: u64,
    slot: Option<Slot>,
    held: Mutex<Held>,
    locks: Locks,
}

/// A commit that is being read, until this is dropped.
#[derive(Debug)]
pub(crate) struct SnapshotPin {
    presence: Arc<Presence>,
    point: ReadPoint,
}

/// No checkpoint is made until this is dropped. A reader asks for that only if it has been too
/// late for what it read again and again: it holds the writer up as little as it can.
#[derive(Debug)]
pub(crate) struct Quiet<'p>(&'p Presence);

impl SnapshotPin {
    /// Whose place among the readers it is held from.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// What is held.
    pub(crate) fn point(&self) -> &ReadPoint {
        &self.point
    }
}

impl Presence {
    /// Takes a place among the readers of the store with this id, as well as `locks` allow.
    pub(crate) fn new(locks: Locks, store: u64) -> Result<Self> {
        let words = match locks.side().map(LockWords::open) {
            // On a full disk it makes no room for words, and can do without.
            Some(Err(error)) if error.kind() == ErrorKind::NoSpace => None,
            Some(opened) => opened?,
            None => None,
        };
        let (words, slot) = match words {
            Some(words) if words.lock().is_some_and(|lock| lock.is_writable()) => {
                // Before there is a slot, so that nobody is ever overlooked who has one.
                let name = locks.name_reader()?;
                let (words, number) = words.take_slot()?;
                (Some(words), Some(Slot { number, name }))
            }
            words => (words, None),
        };
        let side = words.map(|words| ReaderSide::new(words, store, slot, process()));
        let (late, held) = (OnceLock::new(), Mutex::default());
        let presence = Self { side, late, store, slot, held, locks };
        if presence.side.is_none() {
            // It does not see what a checkpoint is about to do: none is to be for as long as it is
            // here, even if there are words later.
            presence.locks.keep_checkpoints_away(Wait::AtMost(CHECKPOINT_WAIT))?;
        } else if presence.slot.is_some() {
            presence.locks.await_checkpoint_elsewhere(Wait::AtMost(CHECKPOINT_WAIT))?;
        }
        Ok(presence)
    }

    /// Whether it has a slot: what it does not say in one, nothing tells a writer of but the range
    /// that it locks while it reads.
    pub(crate) fn has_slot(&self) -> bool {
        self.slot.is_some()
    }

    /// What the writer says, where it can be seen.
    pub(crate) fn side(&self) -> Option<&ReaderSide<LockWords>> {
        if self.side.is_some() {
            return self.side.as_ref();
        }
        let lock = self.locks.side()?;
        if self.late.get().is_none() {
            // It can do without as long as they cannot be had.
            let words = LockWords::open_if_there(lock).ok().flatten()?;
            let _ = self.late.set(ReaderSide::new(words, self.store, None, process()));
        }
        self.late.get()
    }

    /// An error if the words are no writer's any more: the file system copied the lock file when a
    /// writer opened it, and what is mapped here is the original. That writer changes the epoch
    /// before it does anything else.
    pub(crate) fn check_words(&self) -> Result<()> {
        let Some(lock) = self.locks.side().filter(|lock| lock.is_original()) else {
            return Ok(());
        };
        let mut before = None;
        loop {
            let written = lock.word_in_file(EPOCH)?;
            if before == Some(written) {
                return Err(outdated());
            }
            let seen = self.side.as_ref().map_or(0, |side| side.shared().load(EPOCH));
            if seen == written {
                return Ok(());
            }
            before = Some(written);
        }
    }

    /// What the writer says now, and the newest commit that readers may see; what nobody changes,
    /// and 0, where nothing is said.
    pub(crate) fn mark(&self) -> (Mark, u64) {
        self.side().map_or((Mark::without_writers(), 0), ReaderSide::mark)
    }

    /// Says that the log is read from `commit` on, and whether it may still be there.
    pub(crate) fn need(&self, commit: u64, mark: Mark) -> bool {
        self.side().is_none_or(|side| side.need(commit, mark))
    }

    /// Says that the log is not read.
    pub(crate) fn need_nothing(&self) {
        if let Some(side) = self.side() {
            side.need_nothing();
        }
    }

    /// Waits until `changed` is true, or the time is over: says which. It looks again whenever the
    /// writer has published something.
    pub(crate) fn wait_until(
        &self,
        at_most: Duration,
        mut changed: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let started = Instant::now();
        loop {
            let left = at_most.saturating_sub(started.elapsed());
            if let Some(side) = self.side() {
                return side.shared().wait_until(left, changed);
            }
            // Nobody rings here before a writer has made words, if one can come at all.
            let patience = left.min(WORDLESS_WAIT);
            if LockWords::in_memory().wait_until(patience, &mut changed)? {
                return Ok(true);
            }
            if left == patience {
                return Ok(false);
            }
        }
    }

    /// Whether some writer has the store open.
    pub(crate) fn has_writer(&self) -> Result<bool> {
        self.locks.has_writer()
    }

    /// The process of the writer, as it calls itself, if there is one and it can be seen.
    pub(crate) fn writer_process(&self) -> Option<u64> {
        self.side().and_then(ReaderSide::writer_process)
    }

    /// The other readers that can be seen, the writer's own process among them if there is one.
    pub(crate) fn others(&self, has_writer: bool) -> Result<Vec<Seen>> {
        self.side().map_or_else(|| Ok(Vec::new()), |side| side.others(has_writer))
    }

    /// Whether `path` leads to the file that is read.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool> {
        self.locks.is_at(path)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a state that was read: `None` if it is too late, and newer commits may have been
    /// written over what of it lies in the array.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked) if a checkpoint takes longer than `wait`, for a reader
    /// without a slot; the system's.
    pub(crate) fn pin(
        self: &Arc<Self>,
        point: ReadPoint,
        wait: Wait,
    ) -> Result<Option<SnapshotPin>> {
        let mut held = match self.slot {
            None => self.lock_and_keep_away(wait)?,
            Some(_) => self.lock(),
        };
        let key = (point.mark.lineage, point.commit);
        let (times, _) = held.commits.entry(key).or_insert_with(|| (0, now()));
        *times += 1;
        let pin = SnapshotPin { presence: Arc::clone(self), point };
        let safe = match (&self.side, span(&held)) {
            (Some(side), Some(span)) => side.begin(span, &point),
            _ => true,
        };
        drop(held);
        Ok(Some(pin).filter(|_| safe))
    }

    /// Says what is left once a commit is read no more.
    fn release(&self, lineage: u64, commit: u64) {
        let mut held = self.lock();
        if let Some((times, _)) = held.commits.get_mut(&(lineage, commit)) {
            *times -= 1;
            if *times > 0 {
                return;
            }
            held.commits.remove(&(lineage, commit));
        }
        match (self.slot, &self.side) {
            (Some(_), Some(side)) => side.say(span(&held)),
            _ => self.let_checkpoints_go_on(&held),
        }
    }

    /// Keeps checkpoints away for a while.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked) if one takes longer than `wait`; the system's.
    pub(crate) fn keep_quiet(&self, wait: Wait) -> Result<Quiet<'_>> {
        self.lock_and_keep_away(wait)?.quiet += 1;
        Ok(Quiet(self))
    }

    /// Whether what is held keeps checkpoints away, or that nothing is seen of them.
    fn keeps_away(&self, held: &Held) -> bool {
        let by_commits = self.slot.is_none() && !held.commits.is_empty();
        self.side.is_none() || by_commits || held.quiet > 0
    }

    /// Keeps checkpoints away for what is going to be held. Nobody else who ends a snapshot, or
    /// begins one, waits for a checkpoint meanwhile.
    fn lock_and_keep_away(&self, wait: Wait) -> Result<MutexGuard<'_, Held>> {
        let mut refused = Ok(());
        let mut held = None;
        wait.until(|| {
            let guard = self.lock();
            refused = match self.keeps_away(&guard) {
                true => Ok(()), // Once only: Windows counts locks.
                false => self.locks.keep_checkpoints_away(Wait::No),
            };
            match &refused {
                Err(error) if error.kind() == ErrorKind::Locked => return Ok(false),
                _ => held = Some(guard),
            }
            Ok(true)
        })?;
        refused?;
        Ok(held.unwrap_or_else(|| self.lock()))
    }

    /// Lets checkpoints go on, unless what is still held keeps them away.
    fn let_checkpoints_go_on(&self, held: &Held) {
        if !self.keeps_away(held) {
            // Should it fail, checkpoints wait until this handle is closed.
            let _ = self.locks.let_checkpoints_go_on();
        }
    }
}

/// What a slot says of what is held.
fn span(held: &Held) -> Option<Span> {
    let commits = &held.commits;
    let lineage = commits.keys().map(|&(lineage, _)| lineage).min()?;
    let oldest = commits.keys().map(|&(_, commit)| commit).min()?;
    let newest = commits.keys().map(|&(_, commit)| commit).max()?;
    let since = commits.values().map(|&(_, since)| since).min()?;
    Some(Span { lineage, oldest, newest, since })
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Closing the files gives the locks back as well, unless a child process has a copy. The
        // byte goes first: while it is locked, the slot must speak of it.
        if let Some(name) = self.slot.and_then(|slot| slot.name) {
            let _ = self.locks.unname_reader(name);
        }
        if let Some(side) = &self.side {
            side.leave();
        }
        if let (Some(slot), Some(lock)) = (self.slot, self.locks.side()) {
            let _ = lock.unlock_slot(slot.number as u64);
        }
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let mut held = self.0.lock();
        held.quiet -= 1;
        self.0.let_checkpoints_go_on(&held);
    }
}

impl Drop for SnapshotPin {
    fn drop(&mut self) {
        self.presence.release(self.point.mark.lineage, self.point.commit);
    }
}
