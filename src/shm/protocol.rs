//! The protocol between one writer and its readers, over words that they share.
//!
//! The writer announces its target, and then looks for readers in the way; a reader announces what
//! it reads, and then checks whether the writer has passed it. Each puts a fence between the two
//! steps, so that of two at the same time at least one sees the other:
//!
//! | writer | reader |
//! | --- | --- |
//! | stores its target | stores the oldest commit that it reads, in its entry |
//! | fence | fence |
//! | looks at the entries | looks at the target |
//! | writes no further than the oldest | reads only if the target has not passed |
//!
//! A writer must also see every reader. A reader with an entry locks a byte of its own on the data
//! file and names the byte in the entry. If a writer finds another byte locked there, it cannot see
//! that reader's entry, or the entry's words: another name of the file has another lock file, and a
//! program may have wiped a lock file. The writer then writes nothing. The same holds for an entry
//! of a living owner without words.
//!
//! The segments of the log work likewise, with *retired* for the target and *needs* for what a
//! reader reads. docs/CONCURRENCY.md argues why this suffices.
//!
//! No call here blocks or waits, and a dead process leaves nothing to clean up: an entry counts
//! only while its owner's lock on it is held, and the system releases that lock.
//!
//! Invariants: only the owner of an entry writes it; only the writer writes the other words (except
//! the count of waiters). *Target* is at least every commit of which a checkpoint may have written
//! an image that the header does not say to be in the array.

use std::fmt;

use crate::error::Result;
use crate::step::{self, Step};

#[cfg(test)]
mod tests;

/// The lock file begins with this value, after the bytes for locks: it gives the version of its
/// words.
pub(super) const MAGIC_VALUE: u64 = u64::from_le_bytes(*b"\x89FLATLK\x01");

// Words from the start of the lock file. The first 64 bytes are for locks.
pub(super) const MAGIC: usize = 8;
/// The store of the words: a part of its file id. Another store may replace it.
const STORE: usize = 9;
/// How often a writer has opened a store. The position of commits in the log changes with it.
pub(crate) const EPOCH: usize = 10;
/// Changes when commits are lost that a reader may have seen; commit numbers are then ambiguous.
const LINEAGE: usize = 11;
/// The newest commit that readers may see.
pub(super) const PUBLISHED: usize = 12;
/// The array may hold images of commits up to this one.
const TARGET: usize = 13;
/// The log up to this commit may be reused at any time.
const RETIRED: usize = 14;
/// The array holds all commits up to this one.
const HELD: usize = 15;
/// The writer's process, for messages.
const WRITER: usize = 16;
/// The oldest commit that the writer's own process reads, if it has held a checkpoint back.
const OWN_OLDEST: usize = 17;
/// The time since which that has been known.
const OWN_SINCE: usize = 18;
/// Rung when a commit is published and a reader waits.
pub(super) const BELL: usize = 24;
/// The number of waiters.
pub(super) const WAITERS: usize = 25;
/// The first word of the entries.
pub(super) const FIRST_ENTRY: usize = 512;
/// The number of words of an entry.
pub(super) const ENTRY_WORDS: usize = 8;

// Words of an entry.
const ENTRY_STORE: usize = 0;
const ENTRY_LINEAGE: usize = 1;
const ENTRY_OLDEST: usize = 2;
const ENTRY_NEWEST: usize = 3;
const ENTRY_NEEDS: usize = 4;
pub(super) const ENTRY_PROCESS: usize = 5;
const ENTRY_SINCE: usize = 6;
/// The byte of the data file that the reader has locked; 0 if the reader has not named it.
const ENTRY_NAME: usize = 7;

/// No commit: nothing is read.
const NONE: u64 = u64::MAX;

/// The words and locks, as both sides use them.
pub(crate) trait Shared {
    /// Word `word` of the lock file.
    fn load(&self, word: usize) -> u64;
    /// Gives a word a value.
    fn store(&self, word: usize, value: u64);
    /// Orders all accesses before it before all accesses after it, for all processes.
    fn fence(&self);
    /// The number of entries now.
    fn entries(&self) -> Result<usize>;
    /// Whether the owner of an entry is alive.
    fn is_alive(&self, entry: usize) -> Result<bool>;
    /// Whether a living owner has an entry that is not among these, which are in order.
    fn has_other_entries(&self, entries: &[usize]) -> Result<bool>;
    /// Whether a reader has the data file open, under any name, that has locked another byte of it
    /// than these, which are in order.
    fn has_other_names(&self, names: &[u64]) -> Result<bool>;
    /// Wakes those that wait for a commit to be published.
    fn ring(&self);
}

/// A fence that a test may leave out.
fn fence(shared: &impl Shared, step: Step) {
    if !step::skip(step) {
        shared.fence();
    }
}

/// The index of an entry's word.
pub(super) fn entry_word(entry: usize, word: usize) -> usize {
    FIRST_ENTRY + entry * ENTRY_WORDS + word
}

/// The content of a living reader's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its process, by its own account.
    pub(crate) process: u64,
    /// The oldest commit that it reads.
    pub(crate) oldest: Option<u64>,
    /// The newest one.
    newest: u64,
    /// The first commit that it needs of the log.
    needs: Option<u64>,
    /// The time since when it has read something, in seconds since 1970.
    pub(crate) since: u64,
    lineage: u64,
    /// The byte of the data file that it has locked, or 0.
    name: u64,
}

impl Seen {
    /// The newest commit that may be written to the array beside this reader.
    fn allows(&self, lineage: u64) -> u64 {
        match self.oldest {
            None => NONE,
            // It reads commits that were lost: no record that it sees in the array may change.
            Some(_) if self.lineage != lineage => 0,
            Some(oldest) => oldest,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a reader in process {} ", self.process)?;
        match self.oldest {
            Some(oldest) => {
                write!(f, "has read commit {oldest} for {} s", super::seconds_since(self.since))
            }
            None => write!(f, "has the store open"),
        }
    }
}

/// How far a writer may go, and the reader that prevents more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointLimit {
    pub(crate) through: u64,
    pub(crate) blocker: Option<Seen>,
}

/// The side of the one writer.
#[derive(Debug)]
pub(crate) struct WriterSide<S> {
    shared: S,
    store: u64,
}

impl<S: Shared> WriterSide<S> {
    pub(crate) fn new(shared: S, store: u64) -> Self {
        Self { shared, store }
    }

    pub(crate) fn shared(&self) -> &S {
        &self.shared
    }

    /// The store, as the words identify it.
    pub(crate) fn store(&self) -> u64 {
        self.store
    }

    /// Whether readers may have seen newer commits than `found`, the newest in the store. Called
    /// before the writer begins its epoch.
    pub(crate) fn has_lost(&self, found: u64) -> bool {
        self.shared.load(STORE) == self.store && self.shared.load(PUBLISHED) > found
    }

    /// Begins an epoch: the writer has found the store at commit `found`, and the array holds the
    /// commits up to `held`.
    pub(crate) fn begin(&self, found: u64, held: u64, process: u64) -> Result<()> {
        let shared = &self.shared;
        if shared.load(STORE) == self.store {
            // An interrupted checkpoint may have written images up to its target.
            let target = shared.load(TARGET).min(found).max(held);
            shared.store(TARGET, if step::skip(Step::TargetKept) { held } else { target });
        } else {
            shared.store(STORE, 0);
            shared.store(MAGIC, MAGIC_VALUE);
            shared.store(TARGET, found);
        }
        shared.store(RETIRED, held);
        shared.store(HELD, held);
        shared.store(PUBLISHED, found);
        shared.store(WRITER, process);
        shared.store(OWN_OLDEST, NONE);
        shared.store(EPOCH, shared.load(EPOCH).wrapping_add(1));
        shared.store(STORE, self.store);
        fence(shared, Step::EpochFence);
        let lineage = shared.load(LINEAGE);
        let saw_more = |seen: &Seen| seen.lineage == lineage && seen.newest > found;
        let strays = self.readers()?.iter().any(|seen| seen.oldest.is_some() && saw_more(seen));
        if strays && !step::skip(Step::NewLineage) {
            shared.store(LINEAGE, lineage.wrapping_add(1));
        }
        shared.ring();
        Ok(())
    }

    /// Publishes a commit to readers.
    pub(crate) fn publish(&self, commit: u64) {
        self.shared.store(PUBLISHED, commit);
        self.shared.ring();
    }

    /// Returns how far, up to `target`, a checkpoint may write commits to the array. Until the next
    /// call no reader begins to read a commit older than the answer. `None` if there is a reader
    /// that this writer cannot see: then nothing may be written.
    pub(crate) fn limit(&self, target: u64) -> Result<Option<CheckpointLimit>> {
        let shared = &self.shared;
        let before = shared.load(TARGET);
        if !step::skip(Step::TargetFirst) {
            shared.store(TARGET, target.max(before));
        }
        fence(shared, Step::TargetFence);
        let lineage = shared.load(LINEAGE);
        let mut limit = CheckpointLimit { through: target, blocker: None };
        let readers = self.readers()?;
        for &seen in &readers {
            let allowed = seen.allows(lineage);
            if allowed < limit.through && !step::skip(Step::EntryScan) {
                limit = CheckpointLimit { through: allowed, blocker: Some(seen) };
            }
        }
        // After the scan, and with its result: an entry that was wiped before the scan was not
        // obeyed.
        let is_blind = self.misses_some(&readers)?;
        // Nothing was written beyond what was allowed, so readers may read the commits between
        // again.
        shared.store(TARGET, if is_blind { before } else { limit.through.max(before) });
        Ok((!is_blind).then_some(limit))
    }

    /// Whether there is a reader that this writer cannot see.
    pub(crate) fn is_blind(&self) -> Result<bool> {
        self.misses_some(&self.readers()?)
    }

    /// Whether there is a reader besides these. A reader that is opening the store, and has not
    /// filled in its entry yet, counts.
    fn misses_some(&self, readers: &[Seen]) -> Result<bool> {
        let mut names: Vec<u64> = readers.iter().map(|seen| seen.name).collect();
        names.sort_unstable();
        if !step::skip(Step::NameScan) && self.shared.has_other_names(&names)? {
            return Ok(true);
        }
        // An entry may name another store, which had this file name before.
        let says = |entry: &usize| {
            [ENTRY_STORE, ENTRY_PROCESS]
                .iter()
                .all(|&it| self.shared.load(entry_word(*entry, it)) != 0)
        };
        let speaking: Vec<usize> = (0..self.shared.entries()?).filter(says).collect();
        Ok(!step::skip(Step::SilentEntryScan) && self.shared.has_other_entries(&speaking)?)
    }

    /// Announces which commit the writer's own process still reads, for processes that ask what
    /// holds the log.
    pub(crate) fn note_own(&self, oldest: Option<u64>) {
        let oldest = oldest.unwrap_or(NONE);
        if self.shared.load(OWN_OLDEST) != oldest {
            self.shared.store(OWN_SINCE, super::now());
            self.shared.store(OWN_OLDEST, oldest);
        }
    }

    /// For how many seconds the writer's own process has been known to hold a checkpoint back.
    pub(crate) fn own_held_for(&self) -> u64 {
        super::seconds_since(self.shared.load(OWN_SINCE))
    }

    /// Announces that the array holds all commits up to this one.
    pub(crate) fn hold(&self, commit: u64) {
        self.shared.store(HELD, commit);
    }

    /// Returns the commit, at most `through`, after which readers need the log. Until the next call
    /// no reader begins to read it further back. If the answer is less than `through`, the segment
    /// that ends with that very commit is needed, too: a reader's header may name it, if the header
    /// was written before a commit followed.
    pub(crate) fn retire(&self, through: u64) -> Result<u64> {
        let shared = &self.shared;
        let before = shared.load(RETIRED);
        if !step::skip(Step::RetiredFirst) {
            shared.store(RETIRED, through.max(before));
        }
        fence(shared, Step::RetiredFence);
        let mut allowed = through;
        if !step::skip(Step::NeedsScan) {
            for needed in self.readers()?.iter().filter_map(|seen| seen.needs) {
                allowed = allowed.min(needed.saturating_sub(1));
            }
        }
        // A part that was reused stays so: a reader that needs it came too late, and is about to
        // notice.
        let kept = if step::skip(Step::RetiredKept) { 0 } else { before };
        shared.store(RETIRED, allowed.max(kept));
        Ok(allowed)
    }

    /// Whether a reader reads `commit` or an older one. Fit for frequent calls: it asks only for
    /// entries with such a commit whether their owner is alive.
    pub(crate) fn is_read(&self, commit: u64) -> Result<bool> {
        let shared = &self.shared;
        for entry in 0..shared.entries()? {
            let word = |word| shared.load(entry_word(entry, word));
            let says_so = word(ENTRY_OLDEST) <= commit && word(ENTRY_PROCESS) != 0;
            if says_so && word(ENTRY_STORE) == self.store && shared.is_alive(entry)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Retires the log up to commit `through`, even if readers need it: they notice it, from this
    /// word or from what they read, and read from the header on.
    pub(crate) fn give_up(&self, through: u64) {
        self.shared.store(RETIRED, through.max(self.shared.load(RETIRED)));
    }

    /// Whether a reader reads commits that were lost.
    pub(crate) fn has_strangers(&self) -> Result<bool> {
        let lineage = self.shared.load(LINEAGE);
        let is_stranger = |seen: &Seen| seen.oldest.is_some() && seen.lineage != lineage;
        Ok(self.readers()?.iter().any(is_stranger))
    }

    /// The living readers of this store.
    pub(crate) fn readers(&self) -> Result<Vec<Seen>> {
        readers(&self.shared, self.store, None)
    }
}

/// The read of the writer's own process, if it is known to have held a checkpoint back.
fn own_reader(shared: &impl Shared, store: u64) -> Option<Seen> {
    let oldest = shared.load(OWN_OLDEST);
    (shared.load(STORE) == store && oldest != NONE).then(|| Seen {
        process: shared.load(WRITER),
        oldest: Some(oldest),
        newest: oldest,
        needs: None,
        since: shared.load(OWN_SINCE),
        lineage: shared.load(LINEAGE),
        name: 0,
    })
}

/// The process that began to write to `store` last, by its own account. Its lock says whether it
/// still writes.
pub(crate) fn writer_of(shared: &impl Shared, store: u64) -> Option<u64> {
    // Checked before and after: a writer that takes the words over for another store begins and
    // ends with the store's word.
    let is_ours = || shared.load(STORE) == store && shared.load(MAGIC) == MAGIC_VALUE;
    if !is_ours() {
        return None;
    }
    let process = shared.load(WRITER);
    (process != 0 && is_ours()).then_some(process)
}

/// The living readers of `store`, except the one in the entry `own`.
fn readers(shared: &impl Shared, store: u64, own: Option<usize>) -> Result<Vec<Seen>> {
    let some = |value: u64| Some(value).filter(|&value| value != NONE);
    let mut readers = Vec::new();
    for entry in (0..shared.entries()?).filter(|&entry| Some(entry) != own) {
        let word = |word| shared.load(entry_word(entry, word));
        let seen = Seen {
            process: word(ENTRY_PROCESS),
            oldest: some(word(ENTRY_OLDEST)),
            newest: word(ENTRY_NEWEST),
            needs: some(word(ENTRY_NEEDS)),
            since: word(ENTRY_SINCE),
            lineage: word(ENTRY_LINEAGE),
            name: word(ENTRY_NAME),
        };
        // An entry without a process was released, or never taken.
        if seen.process != 0 && word(ENTRY_STORE) == store && shared.is_alive(entry)? {
            readers.push(seen);
        }
    }
    Ok(readers)
}

/// The writer's epoch at the time of a read. What the writer says about commits holds as long as
/// the mark stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whether the words belong to this store: the last writer to use them was a writer of it.
    pub(crate) has_words: bool,
    epoch: u64,
    pub(crate) lineage: u64,
}

impl Mark {
    /// The mark of a store that no writer can open.
    pub(crate) fn without_writers() -> Self {
        Self { has_words: false, epoch: 0, lineage: 0 }
    }
}

/// The present mark of `store`'s writer, and the newest commit that readers may see; 0 while the
/// words belong to another store.
#[inline]
pub(super) fn mark_of(load: impl Fn(usize) -> u64, store: u64) -> (Mark, u64) {
    loop {
        // The epoch also counts for a reader without words: between two looks a writer of its
        // store may have come and gone, and one of another store may have followed.
        let epoch = load(EPOCH);
        let has_words = load(STORE) == store;
        let mark = Mark { has_words, epoch, lineage: load(LINEAGE) };
        let published = if has_words { load(PUBLISHED) } else { 0 };
        let still = load(STORE) == store;
        if still == has_words && load(EPOCH) == epoch {
            return (mark, published);
        }
    }
}

/// A state of the store that a reader has read, for a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadPoint {
    /// The writer's mark at that time.
    pub(crate) mark: Mark,
    pub(crate) commit: u64,
    /// Whether the state was the whole store, without a writer: the words about commits may then
    /// belong to a file that this one replaced.
    pub(crate) at_rest: bool,
}

impl ReadPoint {
    /// Whether the words about commits apply to this state.
    pub(crate) fn goes_by_words(&self) -> bool {
        self.mark.has_words && !self.at_rest
    }
}

/// The content of a reader's entry: what of the store it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lineage: u64,
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
    pub(crate) since: u64,
}

/// A reader's entry in the reader table, locked by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableEntry {
    pub(crate) number: usize,
    /// The byte of the data file that the reader has also locked, on systems with such locks.
    pub(crate) name: Option<u64>,
}

/// A reader's side. Without an entry it only looks; the caller must then exclude the writer by
/// other means.
#[derive(Debug)]
pub(crate) struct ReaderSide<S> {
    shared: S,
    store: u64,
    entry: Option<usize>,
}

impl<S: Shared> ReaderSide<S> {
    /// Takes an entry, whose lock the caller holds.
    pub(crate) fn new(shared: S, store: u64, entry: Option<TableEntry>, process: u64) -> Self {
        let side = Self { shared, store, entry: entry.map(|entry| entry.number) };
        // A dead reader may have left any content in the entry; processes that look at it now
        // expect that.
        side.say(None);
        side.set(ENTRY_NEEDS, NONE);
        if !step::skip(Step::EntryName) {
            side.set(ENTRY_NAME, entry.and_then(|entry| entry.name).unwrap_or(0));
        }
        side.set(ENTRY_STORE, store);
        side.set(ENTRY_PROCESS, process.max(1));
        side
    }

    pub(crate) fn shared(&self) -> &S {
        &self.shared
    }

    /// As [`mark_of`] this store.
    pub(crate) fn mark(&self) -> (Mark, u64) {
        mark_of(|word| self.shared.load(word), self.store)
    }

    /// As [`writer_of`] this store.
    pub(crate) fn writer_process(&self) -> Option<u64> {
        writer_of(&self.shared, self.store)
    }

    /// The living readers of this store, except this one; and the read of the writer's own process,
    /// if there is a writer.
    pub(crate) fn others(&self, has_writer: bool) -> Result<Vec<Seen>> {
        let mut others = readers(&self.shared, self.store, self.entry)?;
        others.extend(own_reader(&self.shared, self.store).filter(|_| has_writer));
        Ok(others)
    }

    /// The array holds all commits up to this one.
    pub(crate) fn held(&self) -> u64 {
        self.shared.load(HELD)
    }

    /// Announces what the reader reads from now on, including `point`, and returns whether that is
    /// safe: otherwise the writer may have changed records of it in the array.
    pub(crate) fn begin(&self, span: Span, point: &ReadPoint) -> bool {
        self.say(Some(span));
        fence(&self.shared, Step::ReaderFence);
        self.is_safe(point) || step::skip(Step::ReaderRecheck)
    }

    /// Whether the array still has all bytes that a reader of this state reads there.
    fn is_safe(&self, point: &ReadPoint) -> bool {
        let target = self.shared.load(TARGET);
        // After the load: the target was this store's if the words still belong to this store. And
        // where there was no writer, none has begun since.
        let (now, _) = self.mark();
        now == point.mark && (!point.goes_by_words() || target <= point.commit)
    }

    /// Announces what the reader reads from now on: less than before.
    pub(crate) fn say(&self, span: Option<Span>) {
        if let Some(span) = span {
            self.set(ENTRY_LINEAGE, span.lineage);
            self.set(ENTRY_NEWEST, span.newest);
            self.set(ENTRY_SINCE, span.since);
            self.set(ENTRY_OLDEST, span.oldest);
        } else {
            self.set(ENTRY_OLDEST, NONE);
        }
    }

    /// Announces that the reader reads the log from `commit` on, and returns whether that part
    /// still exists: `false` if the writer has retired it.
    pub(crate) fn need(&self, commit: u64, mark: Mark) -> bool {
        self.set(ENTRY_NEEDS, commit);
        fence(&self.shared, Step::NeedFence);
        let retired = self.shared.load(RETIRED);
        // After the load, as in `is_safe`.
        let (now, _) = self.mark();
        let is_there = now == mark && (!mark.has_words || retired < commit);
        is_there || step::skip(Step::NeedRecheck)
    }

    /// Announces that the reader does not read the log.
    pub(crate) fn need_nothing(&self) {
        self.set(ENTRY_NEEDS, NONE);
    }

    /// Releases the entry. The caller releases its lock.
    pub(crate) fn leave(&self) {
        self.say(None);
        self.need_nothing();
        self.set(ENTRY_PROCESS, 0);
    }

    fn set(&self, word: usize, value: u64) {
        if let Some(entry) = self.entry {
            self.shared.store(entry_word(entry, word), value);
        }
    }
}
