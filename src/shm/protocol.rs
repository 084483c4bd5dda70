//! The protocol between one writer and any number of readers, over words that they share.
//!
//! The writer says what it is about to do, and then looks who is in the way; a reader says what it
//! reads, and then looks whether the writer has passed it. Each puts a fence between the two, so
//! that of two who do this at the same time at least one sees the other:
//!
//! | writer | reader |
//! | --- | --- |
//! | stores its target | stores the oldest commit that it reads, in its slot |
//! | fence | fence |
//! | looks at the slots | looks at the target |
//! | writes no further than the oldest | reads only if the target has not passed |
//!
//! Besides, a writer must see every reader that there is. A reader with a slot has locked a byte of
//! its own on the data file, and names it in the slot. A writer that finds another byte locked
//! there does not see that reader's slot, or not its words: another name of the file has another
//! lock file, and what is in one may be wiped. It writes nothing then. A slot whose owner is alive
//! and which says nothing counts alike.
//!
//! The segments of the log go the same way: *retired* for the target, what a reader *needs* for
//! what it reads. docs/CONCURRENCY.md argues why that is enough.
//!
//! Nothing here blocks or waits, and nothing that anybody leaves behind by dying needs to be tidied
//! up: a slot counts only while its owner's lock on it is held, and the system gives that back.
//!
//! Invariants: only the owner of a slot writes it; only the writer writes the other words (but for
//! the count of those who wait). *Target* is at least every commit of which a checkpoint may have
//! written an image that the header does not say to be in the array.

use std::fmt;

use crate::error::Result;
use crate::step::{self, Step};

/// What the lock file begins with, behind the bytes that locks lie on: what its words mean.
pub(super) const MAGIC_VALUE: u64 = u64::from_le_bytes(*b"\x89FLATLK\x01");

// Words from the start of the lock file. The first 64 bytes are for the ranges that are locked.
pub(super) const MAGIC: usize = 8;
/// Whose words they are: a part of the store's file id. A store may be replaced by another.
const STORE: usize = 9;
/// How often a writer has opened a store: where commits lie in the log changes with it.
pub(crate) const EPOCH: usize = 10;
/// Changes when commits that a reader may have seen are no more: numbers say nothing then.
const LINEAGE: usize = 11;
/// The newest commit that readers may see.
pub(super) const PUBLISHED: usize = 12;
/// The array may hold images of commits up to this one.
const TARGET: usize = 13;
/// Nobody is promised commits of the log up to this one.
const RETIRED: usize = 14;
/// The array holds all commits up to this one.
const HELD: usize = 15;
/// The writer's process, for messages.
const WRITER: usize = 16;
/// The oldest commit that the writer's own process reads, if that has held a checkpoint back.
const OWN_OLDEST: usize = 17;
/// Since when that has been known.
const OWN_SINCE: usize = 18;
/// Rung when something is published, if anybody waits.
pub(super) const BELL: usize = 24;
/// How many wait.
pub(super) const WAITERS: usize = 25;
/// Where the slots begin.
pub(super) const FIRST_SLOT: usize = 512;
/// The words of a slot.
pub(super) const SLOT_WORDS: usize = 8;

// Words of a slot.
const SLOT_STORE: usize = 0;
const SLOT_LINEAGE: usize = 1;
const SLOT_OLDEST: usize = 2;
const SLOT_NEWEST: usize = 3;
const SLOT_NEEDS: usize = 4;
pub(super) const SLOT_PROCESS: usize = 5;
const SLOT_SINCE: usize = 6;
/// Which byte of the data file the reader has locked; 0 if it has not said so.
const SLOT_NAME: usize = 7;

/// No commit: nothing is read.
const NONE: u64 = u64::MAX;

/// What both sides see.
pub(crate) trait Shared {
    /// A word, by its place in the lock file.
    fn load(&self, word: usize) -> u64;
    /// Gives a word a value.
    fn store(&self, word: usize, value: u64);
    /// Orders all before it in front of all behind it, for everybody.
    fn fence(&self);
    /// How many slots there are by now.
    fn slots(&self) -> Result<usize>;
    /// Whether the owner of a slot is alive.
    fn is_alive(&self, slot: usize) -> Result<bool>;
    /// Whether the owner of a slot is alive that is not among these, which are in order.
    fn has_other_slots(&self, slots: &[usize]) -> Result<bool>;
    /// Whether a reader has the data file open, under whatever name, that has locked another byte
    /// of it than these, which are in order.
    fn has_other_names(&self, names: &[u64]) -> Result<bool>;
    /// Wakes those who wait for something to be published.
    fn ring(&self);
}

/// A fence that a test may leave out.
fn fence(shared: &impl Shared, step: Step) {
    if !step::skip(step) {
        shared.fence();
    }
}

/// The place of a slot's word.
pub(super) fn slot_word(slot: usize, word: usize) -> usize {
    FIRST_SLOT + slot * SLOT_WORDS + word
}

/// What a living reader says in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its process, as it calls itself.
    pub(crate) process: u64,
    /// The oldest commit that it reads.
    pub(crate) oldest: Option<u64>,
    /// The newest one.
    newest: u64,
    /// The first commit that it needs of the log.
    needs: Option<u64>,
    /// Since when it has read something, in seconds since 1970.
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
            // It reads commits that are no more: what it has of the array must not change at all.
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

/// How far a writer may go, and who is in the way of more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) through: u64,
    pub(crate) blocker: Option<Seen>,
}

/// The one writer's side.
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

    /// Whether readers may have seen newer commits than `found`, the newest one that there is. To
    /// be asked before the writer begins its epoch.
    pub(crate) fn has_lost(&self, found: u64) -> bool {
        self.shared.load(STORE) == self.store && self.shared.load(PUBLISHED) > found
    }

    /// Begins an epoch: the writer has found the store at commit `found`, of which the array holds
    /// those up to `held`.
    pub(crate) fn begin(&self, found: u64, held: u64, process: u64) -> Result<()> {
        let shared = &self.shared;
        if shared.load(STORE) == self.store {
            // A checkpoint that was cut short may have written images up to its target.
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

    /// Shows readers a commit.
    pub(crate) fn publish(&self, commit: u64) {
        self.shared.store(PUBLISHED, commit);
        self.shared.ring();
    }

    /// Asks how far, up to `target`, commits may be written to the array. Until the next call no
    /// reader begins to read a commit older than the answer. `None` if there is a reader that this
    /// writer does not see: nothing may be written.
    pub(crate) fn offer(&self, target: u64) -> Result<Option<Offer>> {
        let shared = &self.shared;
        let before = shared.load(TARGET);
        if !step::skip(Step::TargetFirst) {
            shared.store(TARGET, target.max(before));
        }
        fence(shared, Step::TargetFence);
        let lineage = shared.load(LINEAGE);
        let mut offer = Offer { through: target, blocker: None };
        let readers = self.readers()?;
        for &seen in &readers {
            let allowed = seen.allows(lineage);
            if allowed < offer.through && !step::skip(Step::SlotScan) {
                offer = Offer { through: allowed, blocker: Some(seen) };
            }
        }
        // After that, and by what was seen then: a slot that is wiped before was not obeyed.
        let is_blind = self.misses_some(&readers)?;
        // Nothing was written beyond what was allowed: readers of what is between may come again.
        shared.store(TARGET, if is_blind { before } else { offer.through.max(before) });
        Ok((!is_blind).then_some(offer))
    }

    /// Whether there is a reader that this writer does not see.
    pub(crate) fn is_blind(&self) -> Result<bool> {
        self.misses_some(&self.readers()?)
    }

    /// Whether there is a reader besides these. One that is just coming, and has yet to say so in
    /// its slot, is one.
    fn misses_some(&self, readers: &[Seen]) -> Result<bool> {
        let mut names: Vec<u64> = readers.iter().map(|seen| seen.name).collect();
        names.sort_unstable();
        if !step::skip(Step::NameScan) && self.shared.has_other_names(&names)? {
            return Ok(true);
        }
        // What a slot says of another store is understood: it is of a file that lay here before.
        let says = |slot: &usize| {
            [SLOT_STORE, SLOT_PROCESS].iter().all(|&it| self.shared.load(slot_word(*slot, it)) != 0)
        };
        let speaking: Vec<usize> = (0..self.shared.slots()?).filter(says).collect();
        Ok(!step::skip(Step::SilentSlotScan) && self.shared.has_other_slots(&speaking)?)
    }

    /// Says which commit the writer's own process still reads, for those who ask who holds the log.
    pub(crate) fn note_own(&self, oldest: Option<u64>) {
        let oldest = oldest.unwrap_or(NONE);
        if self.shared.load(OWN_OLDEST) != oldest {
            self.shared.store(OWN_SINCE, super::now());
            self.shared.store(OWN_OLDEST, oldest);
        }
    }

    /// For how many seconds it has been known that the own process holds a checkpoint back.
    pub(crate) fn own_held_for(&self) -> u64 {
        super::seconds_since(self.shared.load(OWN_SINCE))
    }

    /// Says that the array holds all commits up to this one.
    pub(crate) fn hold(&self, commit: u64) {
        self.shared.store(HELD, commit);
    }

    /// Asks behind which commit, at most `through`, readers need the log; until the next call none
    /// begins to read it further back. If that is less than `through`, the segment that ends with
    /// that very commit is needed, too: the header from which somebody reads may name it, having
    /// been written when no commit came behind.
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
        // What is gone is gone: who says that they need it was too late, and is about to find out.
        let kept = if step::skip(Step::RetiredKept) { 0 } else { before };
        shared.store(RETIRED, allowed.max(kept));
        Ok(allowed)
    }

    /// Whether anybody reads `commit` or an older one. To be asked often: only of those that say so
    /// it looks who is alive.
    pub(crate) fn is_read(&self, commit: u64) -> Result<bool> {
        let shared = &self.shared;
        for slot in 0..shared.slots()? {
            let word = |word| shared.load(slot_word(slot, word));
            let says_so = word(SLOT_OLDEST) <= commit && word(SLOT_PROCESS) != 0;
            if says_so && word(SLOT_STORE) == self.store && shared.is_alive(slot)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives up the log up to commit `through`, whoever needs it: they find that out, from this or
    /// from what they read, and read from the header on.
    pub(crate) fn give_up(&self, through: u64) {
        self.shared.store(RETIRED, through.max(self.shared.load(RETIRED)));
    }

    /// Whether anybody reads commits that are no more.
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

/// What the writer's own process reads, if that is known to have held a checkpoint back.
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

/// The process that began to write to `store` last, as it calls itself; whether it still does, its
/// lock says.
pub(crate) fn writer_of(shared: &impl Shared, store: u64) -> Option<u64> {
    // Before and after: whoever takes the words over for another store begins and ends with whose
    // they are.
    let is_ours = || shared.load(STORE) == store && shared.load(MAGIC) == MAGIC_VALUE;
    if !is_ours() {
        return None;
    }
    let process = shared.load(WRITER);
    (process != 0 && is_ours()).then_some(process)
}

/// The living readers of `store`, but for the one in the slot `own`.
fn readers(shared: &impl Shared, store: u64, own: Option<usize>) -> Result<Vec<Seen>> {
    let some = |value: u64| Some(value).filter(|&value| value != NONE);
    let mut readers = Vec::new();
    for slot in (0..shared.slots()?).filter(|&slot| Some(slot) != own) {
        let word = |word| shared.load(slot_word(slot, word));
        let seen = Seen {
            process: word(SLOT_PROCESS),
            oldest: some(word(SLOT_OLDEST)),
            newest: word(SLOT_NEWEST),
            needs: some(word(SLOT_NEEDS)),
            since: word(SLOT_SINCE),
            lineage: word(SLOT_LINEAGE),
            name: word(SLOT_NAME),
        };
        // One of no process was given back, or never taken.
        if seen.process != 0 && word(SLOT_STORE) == store && shared.is_alive(slot)? {
            readers.push(seen);
        }
    }
    Ok(readers)
}

/// The time of the writer in which something was read: what it says of commits holds for as long as
/// this stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whether the words are this store's: some writer of it was the last to use them.
    pub(crate) has_words: bool,
    epoch: u64,
    pub(crate) lineage: u64,
}

impl Mark {
    /// Of a store to which no writer can come.
    pub(crate) fn nobody() -> Self {
        Self { has_words: false, epoch: 0, lineage: 0 }
    }
}

/// A state of the store that was read, and is to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The writer's time in which it was read.
    pub(crate) mark: Mark,
    pub(crate) commit: u64,
    /// Whether it is all that there was, and no writer was there: what the words say of commits may
    /// be of a file that this one was put in place of.
    pub(crate) at_rest: bool,
}

impl Taken {
    /// Whether what the words say of commits says something of this one.
    pub(crate) fn goes_by_words(&self) -> bool {
        self.mark.has_words && !self.at_rest
    }
}

/// What a reader's slot is to say: what of the store is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lineage: u64,
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
    pub(crate) since: u64,
}

/// A reader's slot, whose lock it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) number: usize,
    /// The byte of the data file that the reader has locked besides, where there are such locks.
    pub(crate) name: Option<u64>,
}

/// A reader's side. Without a slot it only looks; something else must keep the writer away then.
#[derive(Debug)]
pub(crate) struct ReaderSide<S> {
    shared: S,
    store: u64,
    slot: Option<usize>,
}

impl<S: Shared> ReaderSide<S> {
    /// Takes a slot, whose lock the caller holds.
    pub(crate) fn new(shared: S, store: u64, slot: Option<Slot>, process: u64) -> Self {
        let side = Self { shared, store, slot: slot.map(|slot| slot.number) };
        // Somebody who died may have left it as it pleased; whoever looks meanwhile is careful.
        side.say(None);
        side.set(SLOT_NEEDS, NONE);
        if !step::skip(Step::SlotName) {
            side.set(SLOT_NAME, slot.and_then(|slot| slot.name).unwrap_or(0));
        }
        side.set(SLOT_STORE, store);
        side.set(SLOT_PROCESS, process.max(1));
        side
    }

    pub(crate) fn shared(&self) -> &S {
        &self.shared
    }

    /// What the writer says now, and the newest commit that readers may see; 0 while the words are
    /// another store's.
    pub(crate) fn mark(&self) -> (Mark, u64) {
        let shared = &self.shared;
        loop {
            // The epoch counts for a reader without words as well: between two looks at them a
            // writer of its store may have come and gone, and one of another store have followed.
            let epoch = shared.load(EPOCH);
            let has_words = shared.load(STORE) == self.store;
            let mark = Mark { has_words, epoch, lineage: shared.load(LINEAGE) };
            let published = if has_words { shared.load(PUBLISHED) } else { 0 };
            let still = shared.load(STORE) == self.store;
            if still == has_words && shared.load(EPOCH) == epoch {
                return (mark, published);
            }
        }
    }

    /// As [`writer_of`] this store.
    pub(crate) fn writer_process(&self) -> Option<u64> {
        writer_of(&self.shared, self.store)
    }

    /// The living readers of this store, but for this one; and what the writer's own process reads,
    /// if there is one.
    pub(crate) fn others(&self, has_writer: bool) -> Result<Vec<Seen>> {
        let mut others = readers(&self.shared, self.store, self.slot)?;
        others.extend(own_reader(&self.shared, self.store).filter(|_| has_writer));
        Ok(others)
    }

    /// The array holds all commits up to this one.
    pub(crate) fn held(&self) -> u64 {
        self.shared.load(HELD)
    }

    /// Says what is read from now on, `taken` among it, and whether that may be done: if not, the
    /// writer may have changed what of it is read from the array.
    pub(crate) fn begin(&self, span: Span, taken: &Taken) -> bool {
        self.say(Some(span));
        fence(&self.shared, Step::ReaderFence);
        self.is_safe(taken) || step::skip(Step::ReaderRecheck)
    }

    /// Whether the array still has all bytes that a reader of this state reads there.
    fn is_safe(&self, taken: &Taken) -> bool {
        let target = self.shared.load(TARGET);
        // After that: it was this store's target if the words are still this store's. And where
        // there was no writer, none has begun since.
        let (now, _) = self.mark();
        now == taken.mark && (!taken.goes_by_words() || target <= taken.commit)
    }

    /// Says what is read from now on: less than before.
    pub(crate) fn say(&self, span: Option<Span>) {
        if let Some(span) = span {
            self.set(SLOT_LINEAGE, span.lineage);
            self.set(SLOT_NEWEST, span.newest);
            self.set(SLOT_SINCE, span.since);
            self.set(SLOT_OLDEST, span.oldest);
        } else {
            self.set(SLOT_OLDEST, NONE);
        }
    }

    /// Says that the log is read from `commit` on, and whether it may still be there: `false` if
    /// the writer has given up what lies there.
    pub(crate) fn need(&self, commit: u64, mark: Mark) -> bool {
        self.set(SLOT_NEEDS, commit);
        fence(&self.shared, Step::NeedFence);
        let retired = self.shared.load(RETIRED);
        // After that, as above.
        let (now, _) = self.mark();
        let is_there = now == mark && (!mark.has_words || retired < commit);
        is_there || step::skip(Step::NeedRecheck)
    }

    /// Says that the log is not read.
    pub(crate) fn need_nothing(&self) {
        self.set(SLOT_NEEDS, NONE);
    }

    /// Gives the slot back; its lock is still the caller's to give.
    pub(crate) fn leave(&self) {
        self.say(None);
        self.need_nothing();
        self.set(SLOT_PROCESS, 0);
    }

    fn set(&self, word: usize, value: u64) {
        if let Some(slot) = self.slot {
            self.shared.store(slot_word(slot, word), value);
        }
    }
}
