//! A reader among the processes that share a store: it announces what it reads, so that the writer
//! does not overwrite that.
//!
//! There are three ways, depending on the reader's permissions:
//!
//! - A **registered reader** has an entry in the lock file's reader table, and says in it
//!   which commits it reads. Checkpoints go on, up to the oldest of these commits.
//! - A reader that may only read the lock file keeps all checkpoints away while it reads anything,
//!   with a lock that they need.
//! - If there is no lock file and the reader cannot make one, it keeps every writer away (`Locks`
//!   does that).
//!
//! Invariant: while `held` has anything, the reader's entry says so, or the range is locked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::info::WriterInfo;
use super::locks::Locks;
use super::superblock::outdated;
use crate::error::{ErrorKind, Result};
use crate::shm::{
    EPOCH, LockWords, Mark, ReadPoint, ReaderSide, Seen, Shared as _, Span, TableEntry, Wait,
    WatchedWords, now, process,
};

/// How long a reader waits for a checkpoint to end, even if its options say not to wait.
pub(crate) const CHECKPOINT_WAIT: Duration = Duration::from_secs(10);
/// How long a reader without shared words sleeps before it looks for them again.
const WORDLESS_WAIT: Duration = Duration::from_millis(20);

/// What a reader holds at the moment.
#[derive(Debug, Default)]
struct Held {
    /// By lineage and commit: how often, and since when.
    commits: BTreeMap<(u64, u64), (usize, u64)>,
    /// How many [`Quiet`]s also keep checkpoints away.
    quiet: usize,
}

/// A reader's registration, for as long as it has the store open.
#[derive(Debug)]
pub(crate) struct Presence {
    /// `None` if there were no shared words when the reader came.
    side: Option<ReaderSide<LockWords>>,
    /// The shared words, if a writer made them later.
    late: OnceLock<ReaderSide<LockWords>>,
    store: u64,
    entry: Option<TableEntry>,
    held: Mutex<Held>,
    locks: Locks,
}

/// The announcement that a commit is being read, until this is dropped.
#[derive(Debug)]
pub(crate) struct SnapshotPin {
    presence: Arc<Presence>,
    point: ReadPoint,
}

/// Keeps checkpoints away until it is dropped. It hinders the writer, so a reader asks for it only
/// after checkpoints have overtaken it several times.
#[derive(Debug)]
pub(crate) struct Quiet<'p>(&'p Presence);

impl SnapshotPin {
    /// The reader that holds the pin.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The commit that is pinned.
    pub(crate) fn point(&self) -> &ReadPoint {
        &self.point
    }
}

impl Presence {
    /// Registers a reader of the store with this id, as far as `locks` allow.
    pub(crate) fn new(locks: Locks, store: u64) -> Result<Self> {
        let words = match locks.side().map(LockWords::open) {
            // A full disk has no room for the shared words; a reader can do without them.
            Some(Err(error)) if error.kind() == ErrorKind::NoSpace => None,
            Some(opened) => opened?,
            None => None,
        };
        let (words, entry) = match words {
            Some(words) if words.lock().is_some_and(|lock| lock.is_writable()) => {
                // Before it has an entry, so that no writer overlooks a reader with an entry.
                let name = locks.name_reader()?;
                let (words, number) = words.take_entry()?;
                (Some(words), Some(TableEntry { number, name }))
            }
            words => (words, None),
        };
        let side = words.map(|words| ReaderSide::new(words, store, entry, process()));
        let (late, held) = (OnceLock::new(), Mutex::default());
        let presence = Self { side, late, store, entry, held, locks };
        if presence.side.is_none() {
            // This reader does not see what a checkpoint is about to do. It keeps checkpoints away
            // for as long as it lives, even if shared words appear later.
            presence.locks.keep_checkpoints_away(Wait::AtMost(CHECKPOINT_WAIT))?;
        } else if presence.entry.is_some() {
            presence.locks.await_checkpoint_elsewhere(Wait::AtMost(CHECKPOINT_WAIT))?;
        }
        Ok(presence)
    }

    /// Whether the reader is registered. Of an unregistered reader, a writer sees only the range
    /// that it locks while it reads.
    pub(crate) fn has_entry(&self) -> bool {
        self.entry.is_some()
    }

    /// The shared words, if this reader can see them.
    pub(crate) fn side(&self) -> Option<&ReaderSide<LockWords>> {
        if self.side.is_some() {
            return self.side.as_ref();
        }
        let lock = self.locks.side()?;
        if self.late.get().is_none() {
            // The reader can do without the words if opening them fails.
            let words = LockWords::open_if_there(lock).ok().flatten()?;
            let _ = self.late.set(ReaderSide::new(words, self.store, None, process()));
        }
        self.late.get()
    }

    /// An error if this reader maps shared words that no writer uses: the file system copied the
    /// lock file when a writer opened it, and this reader maps the original. That writer changes
    /// the epoch in the copy before it does anything else.
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

    /// The writer's current mark, and the published commit. Without shared words, a mark that never
    /// changes, and 0.
    pub(crate) fn mark(&self) -> (Mark, u64) {
        self.side().map_or((Mark::without_writers(), 0), ReaderSide::mark)
    }

    /// Announces that this reader reads the log from `commit` on. Returns whether the log may still
    /// have that commit.
    pub(crate) fn need(&self, commit: u64, mark: Mark) -> bool {
        self.side().is_none_or(|side| side.need(commit, mark))
    }

    /// Announces that this reader does not read the log.
    pub(crate) fn need_nothing(&self) {
        if let Some(side) = self.side() {
            side.need_nothing();
        }
    }

    /// Waits until `changed` is true or the time is over, and returns whether `changed` was true.
    /// Calls `changed` whenever the writer has published something.
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
            // Without shared words no writer can wake this thread, so it looks again by itself.
            let patience = left.min(WORDLESS_WAIT);
            if LockWords::in_memory().wait_until(patience, &mut changed)? {
                return Ok(true);
            }
            if left == patience {
                return Ok(false);
            }
        }
    }

    /// The shared words as a watch sees them. It holds none of this reader's locks.
    pub(crate) fn watched(&self) -> WatchedWords {
        match (self.side(), self.locks.side()) {
            (Some(side), _) => WatchedWords::of(side.shared(), self.store),
            (None, Some(lock)) => WatchedWords::later(lock, self.store),
            (None, None) => WatchedWords::without_writers(),
        }
    }

    /// Whether a writer has the store open.
    pub(crate) fn has_writer(&self) -> Result<bool> {
        self.locks.has_writer()
    }

    /// The process number that the writer gives in the shared words, if this reader sees one.
    fn writer_process(&self) -> Option<u64> {
        self.side().and_then(ReaderSide::writer_process)
    }

    /// The other readers in the reader table, and the writer's own process if there is a writer.
    fn others(&self, has_writer: bool) -> Result<Vec<Seen>> {
        self.side().map_or_else(|| Ok(Vec::new()), |side| side.others(has_writer))
    }

    /// The writer of the store, if there is one, and the other readers.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn sharers(&self) -> Result<(Option<WriterInfo>, Vec<Seen>)> {
        let has_writer = self.has_writer()?;
        let writer = WriterInfo { process: self.writer_process() };
        Ok((has_writer.then_some(writer), self.others(has_writer)?))
    }

    /// Whether `path` leads to the file that this reader has open.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool> {
        self.locks.is_at(path)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pins a state that was read. `None` if it is too late: a checkpoint may have overwritten some
    /// of its records in the array.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if the reader is unregistered and a checkpoint takes longer than
    /// `wait`; [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn pin(
        self: &Arc<Self>,
        point: ReadPoint,
        wait: Wait,
    ) -> Result<Option<SnapshotPin>> {
        let mut held = match self.entry {
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

    /// Updates the entry, or unlocks the range, when a pin of a commit is dropped.
    fn release(&self, lineage: u64, commit: u64) {
        let mut held = self.lock();
        if let Some((times, _)) = held.commits.get_mut(&(lineage, commit)) {
            *times -= 1;
            if *times > 0 {
                return;
            }
            held.commits.remove(&(lineage, commit));
        }
        match (self.entry, &self.side) {
            (Some(_), Some(side)) => side.say(span(&held)),
            _ => self.let_checkpoints_go_on(&held),
        }
    }

    /// Keeps checkpoints away until the result is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if a running checkpoint takes longer than `wait`; [`ErrorKind::Io`] if
    /// the operating system reports an error.
    pub(crate) fn keep_quiet(&self, wait: Wait) -> Result<Quiet<'_>> {
        self.lock_and_keep_away(wait)?.quiet += 1;
        Ok(Quiet(self))
    }

    /// Whether this reader keeps checkpoints away: because of what it holds, or because it sees no
    /// shared words.
    fn keeps_away(&self, held: &Held) -> bool {
        let by_commits = self.entry.is_none() && !held.commits.is_empty();
        self.side.is_none() || by_commits || held.quiet > 0
    }

    /// Keeps checkpoints away, and locks `held` for the caller to add to. Waits for a running
    /// checkpoint without the lock, so that other threads can begin and end snapshots.
    fn lock_and_keep_away(&self, wait: Wait) -> Result<MutexGuard<'_, Held>> {
        let mut refused = Ok(());
        let mut held = None;
        wait.until(|| {
            let guard = self.lock();
            refused = match self.keeps_away(&guard) {
                true => Ok(()), // Locked once only, because Windows counts locks.
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
            // If this fails, checkpoints wait until this handle is closed.
            let _ = self.locks.let_checkpoints_go_on();
        }
    }
}

/// What an entry says for `held`.
fn span(held: &Held) -> Option<Span> {
    // In one walk, because a walk costs more than what it finds: most readers hold one commit. The
    // first key has the least lineage.
    let mut commits = held.commits.iter();
    let (&(lineage, commit), &(_, since)) = commits.next()?;
    let first = Span { lineage, oldest: commit, newest: commit, since };
    Some(commits.fold(first, |span, (&(_, commit), &(_, since))| Span {
        oldest: span.oldest.min(commit),
        newest: span.newest.max(commit),
        since: span.since.min(since),
        ..span
    }))
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Closing the files releases the locks too, unless a child process has a copy of the
        // descriptor. The byte comes first: while it is locked, the entry must name it.
        if let Some(name) = self.entry.and_then(|entry| entry.name) {
            let _ = self.locks.unname_reader(name);
        }
        if let Some(side) = &self.side {
            side.leave();
        }
        if let (Some(entry), Some(lock)) = (self.entry, self.locks.side()) {
            let _ = lock.unlock_entry(entry.number as u64);
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
