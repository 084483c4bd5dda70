//! Actors that take turns: each is a coroutine, and only the one whose turn it is runs. As threads
//! they would spend most of the time in waking one another up.
//!
//! Before each step that lets an actor learn something from the others (a load, a fence, a question
//! whether an actor lives, an access of the disk) the scheduler decides which actor continues,
//! which pending stores arrive, and which actor dies. A store is not such a step: it goes to a
//! buffer, which the others do not see before the next decision.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use generator::{Generator, Gn};

use super::super::protocol::{ENTRY_WORDS, FIRST_ENTRY, PUBLISHED, Shared};
use super::disk::Disk;
use super::memory::Memory;
use super::plan::Plan;
use crate::error::Result;

pub(super) const ENTRIES: usize = 3;
/// How many names the stores have, each with a lock file of its own.
const FILES: usize = 2;
/// The words of a lock file.
const WORDS: usize = FIRST_ENTRY + ENTRIES * ENTRY_WORDS;
/// An execution with more turns than this is in a loop.
const TURNS_MAX: usize = 20_000;
/// The stack of an actor, in words. Only the pages that it uses take memory.
const STACK_WORDS: usize = 1 << 16;
/// How often a reader may look again while nothing changes.
const QUIET_TRIES_MAX: usize = 2;

const NOBODY: usize = usize::MAX;

/// The scheduler's choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The same actor continues.
    Continue,
    /// So many of the actor's stores arrive, and another actor continues.
    Switch { to: usize, arrive: usize },
    /// So many stores of an idle actor arrive.
    Arrive { of: usize, count: usize },
    /// So many of the actor's stores arrive, and it dies. It may start again.
    Kill { arrive: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    /// Until something has changed since this version.
    Waiting(u64),
    Done,
}

/// Thrown through an actor that dies.
pub(super) struct Killed;

/// Thrown through all actors after a fault was found.
pub(super) struct Stopped;

pub(super) struct Inner {
    pub(super) memory: Memory,
    pub(super) disk: Disk,
    plan: Plan,
    current: usize,
    status: Vec<Status>,
    /// How often each actor may still be killed.
    lives: Vec<usize>,
    /// The owner of each entry's lock, in each lock file.
    owners: [[Option<usize>; ENTRIES]; FILES],
    /// The number of entries ever created there.
    entries: [usize; FILES],
    /// Changes with everything that a reader may wait for.
    version: u64,
    quiet_tries: usize,
    turns: usize,
    failure: Option<String>,
    trace: Option<Vec<String>>,
}

/// One run of a scenario.
pub(super) struct Execution {
    inner: Mutex<Inner>,
}

/// The result of an execution.
pub(super) struct Outcome {
    pub(super) plan: Plan,
    pub(super) failure: Option<String>,
    pub(super) trace: Vec<String>,
}

impl Execution {
    /// `lives` gives how often each actor may be killed.
    pub(super) fn new(plan: Plan, lives: &[usize], disk: Disk, traced: bool) -> Arc<Self> {
        let actors = lives.len();
        let inner = Inner {
            memory: Memory::new(FILES * WORDS, actors),
            disk,
            plan,
            current: NOBODY,
            status: vec![Status::Ready; actors],
            lives: lives.to_vec(),
            owners: [[None; ENTRIES]; FILES],
            entries: [0; FILES],
            version: 1,
            quiet_tries: 0,
            turns: 0,
            failure: None,
            trace: traced.then(Vec::new),
        };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn outcome(self: Arc<Self>) -> Outcome {
        let mut inner = self.lock();
        Outcome {
            plan: std::mem::take(&mut inner.plan),
            failure: inner.failure.take(),
            trace: inner.trace.take().unwrap_or_default(),
        }
    }

    /// Runs all actors until each has ended. `act` is what the actor of this number does.
    pub(super) fn run(&self, act: impl Fn(usize) + Sync) {
        let act = &act;
        let count = self.lock().status.len();
        let actor = |me| Gn::<()>::new_opt(STACK_WORDS, move || act(me));
        let mut actors: Vec<Generator<'_, (), ()>> = (0..count).map(actor).collect();
        self.start();
        while let Some(running) = actors.iter().position(|actor| !actor.is_done()) {
            let inner = self.lock();
            // After a fault each actor ends at its next step, whoever's turn it is.
            let next = if inner.failure.is_some() { running } else { inner.current };
            drop(inner);
            assert!(!actors[next].is_done(), "an actor that has ended has the turn");
            actors[next].resume();
        }
    }

    /// Gives the first turn to an actor.
    fn start(&self) {
        let mut inner = self.lock();
        let actors = 0..inner.status.len();
        let choices: Vec<_> = actors.map(|to| (Choice::Switch { to, arrive: 0 }, 0)).collect();
        if let Choice::Switch { to, .. } = inner.plan.choose(&choices) {
            inner.current = to;
        }
    }

    /// Waits for an actor's turn.
    fn wait<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, me: usize) -> MutexGuard<'a, Inner> {
        while inner.current != me && inner.failure.is_none() {
            drop(inner);
            give_way();
            inner = self.lock();
        }
        if inner.failure.is_some() {
            drop(inner);
            resume_unwind(Box::new(Stopped));
        }
        inner
    }
}

/// Suspends the running actor, until [`Execution::run`] resumes it.
fn give_way() {
    // The other way takes a scope, which every call of the protocol would have to be given.
    #[allow(deprecated)]
    generator::yield_with(());
}

impl Inner {
    pub(super) fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    pub(super) fn say(&mut self, actor: usize, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:indent$}{actor}: {}", "", what(), indent = actor * 24));
        }
    }

    fn arrive(&mut self, actor: usize, count: usize) {
        for _ in 0..count {
            let Some((word, value)) = self.memory.flush_one(actor) else { return };
            if word % WORDS < FIRST_ENTRY {
                self.has_changed();
            }
            self.say(actor, || format!("  word {word} = {value} arrives"));
            if word % WORDS == PUBLISHED {
                if let Err(what) = self.disk.check_published(value) {
                    self.fail(what);
                }
            }
        }
    }

    fn is_ready(&self, actor: usize) -> bool {
        match self.status[actor] {
            Status::Ready => true,
            Status::Waiting(version) => self.version > version,
            Status::Done => false,
        }
    }

    fn others(&self, me: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.status.len();
        (1..count).map(move |step| (me + step) % count)
    }

    /// The possible events at a step of `me`, or at the end of its turn: each with its cost in
    /// unusual events.
    fn choices(&mut self, me: usize, goes_on: bool) -> Vec<(Choice, usize)> {
        let mut choices = Vec::new();
        let pending = self.memory.pending(me);
        let switch_cost = usize::from(goes_on);
        if goes_on {
            choices.push((Choice::Continue, 0));
        }
        for to in self.others(me).filter(|&to| self.is_ready(to)) {
            for arrive in (0..=pending).rev() {
                let late = usize::from(arrive < pending && !goes_on);
                choices.push((Choice::Switch { to, arrive }, switch_cost + late));
            }
        }
        for of in self.others(me) {
            let counts = 1..=self.memory.pending(of);
            choices.extend(counts.map(|count| (Choice::Arrive { of, count }, 1)));
        }
        if goes_on && self.lives[me] > 0 {
            choices.extend((0..=pending).map(|arrive| (Choice::Kill { arrive }, 1)));
        }
        choices
    }

    /// When no actor can continue: all stores arrive, and each waiting actor may look once more.
    fn settle(&mut self) {
        let before = self.version;
        for actor in 0..self.status.len() {
            self.arrive(actor, usize::MAX);
        }
        if self.version == before {
            self.version += 1;
            self.quiet_tries += 1;
            if self.quiet_tries > QUIET_TRIES_MAX * self.status.len() {
                self.fail("an actor tries again for ever although nothing changes".to_owned());
            }
        }
    }

    fn has_changed(&mut self) {
        self.version += 1;
        self.quiet_tries = 0;
    }
}

/// An actor's access to the shared words and the disk.
#[derive(Clone)]
pub(super) struct Port {
    execution: Arc<Execution>,
    me: usize,
    /// Which lock file's words it sees.
    file: usize,
    /// Which store's data file it has open.
    store: usize,
}

impl Port {
    pub(super) fn new(execution: &Arc<Execution>, me: usize) -> Self {
        Self { execution: Arc::clone(execution), me, file: 0, store: 0 }
    }

    /// The port of the same actor, with the data file of this store open under that name.
    pub(super) fn at(&self, store: usize, file: usize) -> Self {
        Self { store, file, ..self.clone() }
    }

    /// The first turn of a process. Other actors may run before it.
    pub(super) fn begin(&self) {
        let inner = self.execution.lock();
        let mut inner = self.execution.wait(inner, self.me);
        let others = inner.others(self.me).filter(|&other| inner.is_ready(other));
        let switch = |to| (Choice::Switch { to, arrive: usize::MAX }, 1);
        let choices: Vec<_> =
            [(Choice::Continue, 0)].into_iter().chain(others.map(switch)).collect();
        if let Choice::Switch { to, .. } = inner.plan.choose_any(&choices) {
            inner.current = to;
            inner = self.execution.wait(inner, self.me);
        }
        drop(inner);
    }

    /// A step at which others may continue instead.
    fn point(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.execution.lock();
        inner = self.execution.wait(inner, self.me);
        inner.turns += 1;
        if inner.turns > TURNS_MAX {
            inner.fail("the execution does not end".to_owned());
        }
        loop {
            let choices = inner.choices(self.me, true);
            let chosen = inner.plan.choose(&choices);
            match chosen {
                Choice::Continue => break,
                Choice::Switch { to, arrive } => {
                    inner.arrive(self.me, arrive);
                    inner.current = to;
                    inner = self.execution.wait(inner, self.me);
                    break;
                }
                Choice::Arrive { of, count } => inner.arrive(of, count),
                Choice::Kill { arrive } => {
                    inner.arrive(self.me, arrive);
                    self.die(&mut inner);
                    drop(inner);
                    resume_unwind(Box::new(Killed));
                }
            }
        }
        self.stop_if_failed(inner)
    }

    fn stop_if_failed<'a>(&'a self, inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        if inner.failure.is_some() {
            drop(inner);
            resume_unwind(Box::new(Stopped));
        }
        inner
    }

    /// Dies here in any case, after all its stores have arrived.
    pub(super) fn kill(&self) -> ! {
        let mut inner = self.execution.lock();
        inner.arrive(self.me, usize::MAX);
        self.die(&mut inner);
        drop(inner);
        resume_unwind(Box::new(Killed))
    }

    fn die(&self, inner: &mut Inner) {
        inner.say(self.me, || "dies".to_owned());
        inner.memory.lose(self.me);
        inner.lives[self.me] = inner.lives[self.me].saturating_sub(1);
        inner.has_changed();
        self.give_up(inner);
    }

    fn give_up(&self, inner: &mut Inner) {
        let owners = inner.owners.as_flattened_mut().iter_mut();
        owners.filter(|owner| **owner == Some(self.me)).for_each(|owner| *owner = None);
        inner.disk.forget(self.me);
    }

    /// Lets others run until something has changed.
    pub(super) fn wait_for_change(&self) {
        let mut inner = self.execution.lock();
        inner.say(self.me, || "waits".to_owned());
        inner.status[self.me] = Status::Waiting(inner.version);
        let mut inner = self.leave(inner);
        while !inner.is_ready(self.me) {
            inner = self.leave(inner);
        }
        inner.status[self.me] = Status::Ready;
        drop(self.stop_if_failed(inner));
    }

    /// Ends a process normally: all its stores arrive, and its locks are released.
    pub(super) fn exit(&self) {
        self.fence();
        let mut inner = self.execution.lock();
        inner.say(self.me, || "exits".to_owned());
        inner.has_changed();
        self.give_up(&mut inner);
    }

    /// Waits until this actor is the only one left. It can no longer be killed.
    pub(super) fn outlive_others(&self) {
        self.execution.lock().lives[self.me] = 0;
        loop {
            let inner = self.execution.lock();
            let left = inner.status.iter().filter(|&&status| status != Status::Done).count();
            drop(inner);
            if left == 1 {
                return;
            }
            self.wait_for_change();
        }
    }

    /// Gives the turn to another actor.
    fn leave<'a>(&'a self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        loop {
            if inner.failure.is_some() || inner.is_ready(self.me) {
                return inner;
            }
            let choices = inner.choices(self.me, false);
            if !choices.iter().any(|(choice, _)| matches!(choice, Choice::Switch { .. })) {
                if inner.status.iter().all(|&status| status == Status::Done) {
                    return inner;
                }
                inner.settle();
                continue;
            }
            match inner.plan.choose(&choices) {
                Choice::Switch { to, arrive } => {
                    inner.arrive(self.me, arrive);
                    inner.current = to;
                    if inner.status[self.me] == Status::Done {
                        return inner;
                    }
                    return self.execution.wait(inner, self.me);
                }
                Choice::Arrive { of, count } => inner.arrive(of, count),
                Choice::Continue | Choice::Kill { .. } => unreachable!("no actor runs"),
            }
        }
    }

    /// The last turn of an actor. A remaining process stays idle, with its entry.
    pub(super) fn end(&self) {
        let mut inner = self.execution.lock();
        inner.say(self.me, || "ends".to_owned());
        inner.arrive(self.me, usize::MAX);
        inner.status[self.me] = Status::Done;
        inner.has_changed();
        drop(self.leave(inner));
    }

    /// Ends this actor after a panic, so that the others do not wait for it.
    pub(super) fn abandon(&self) {
        self.execution.lock().fail(format!("actor {} has panicked", self.me));
    }

    /// Records a fault and stops all actors.
    pub(super) fn fail(&self, what: String) -> ! {
        self.execution.lock().fail(what);
        resume_unwind(Box::new(Stopped))
    }

    /// A change of the disk, or of a lock, which all actors see at once.
    pub(super) fn change<V>(&self, what: &str, access: impl FnOnce(&mut Disk) -> V) -> V {
        let value = self.look(what, access);
        self.execution.lock().has_changed();
        value
    }

    /// A look at the disk, or at a lock.
    pub(super) fn look<V>(&self, what: &str, access: impl FnOnce(&mut Disk) -> V) -> V {
        let mut inner = self.point();
        inner.say(self.me, || what.to_owned());
        let value = access(&mut inner.disk);
        if let Some(what) = inner.disk.fault() {
            inner.fail(what);
        }
        drop(self.stop_if_failed(inner));
        value
    }

    /// Records a fact that no actor sees.
    pub(super) fn note(&self, what: impl FnOnce(&mut Disk)) {
        let mut inner = self.execution.lock();
        what(&mut inner.disk);
        if let Some(what) = inner.disk.fault() {
            inner.fail(what);
        }
        drop(self.stop_if_failed(inner));
    }

    /// Takes the first free entry.
    pub(super) fn take_entry(&self) -> usize {
        let mut inner = self.point();
        let owners = &mut inner.owners[self.file];
        let entry = owners.iter().position(Option::is_none).expect("there are enough entries");
        owners[entry] = Some(self.me);
        inner.entries[self.file] = inner.entries[self.file].max(entry + 1);
        inner.say(self.me, || format!("takes entry {entry}"));
        entry
    }

    /// Gives every word of every entry of the lock file this value, which no program that follows
    /// the protocol does.
    pub(super) fn overwrite_entries(&self, value: u64) {
        for word in FIRST_ENTRY..WORDS {
            self.store(word, value);
        }
        self.fence();
    }
}

impl Shared for Port {
    fn load(&self, word: usize) -> u64 {
        let word = self.file * WORDS + word;
        let mut inner = self.point();
        let value = inner.memory.load(self.me, word);
        inner.say(self.me, || format!("word {word} is {value}"));
        value
    }

    fn store(&self, word: usize, value: u64) {
        let word = self.file * WORDS + word;
        let mut inner = self.execution.lock();
        inner = self.execution.wait(inner, self.me);
        inner.say(self.me, || format!("word {word} = {value}"));
        inner.memory.store(self.me, word, value);
    }

    fn fence(&self) {
        let mut inner = self.point();
        inner.say(self.me, || "fence".to_owned());
        inner.arrive(self.me, usize::MAX);
        drop(self.stop_if_failed(inner));
    }

    fn entries(&self) -> Result<usize> {
        Ok(self.point().entries[self.file])
    }

    fn is_alive(&self, entry: usize) -> Result<bool> {
        let mut inner = self.point();
        let owner = inner.owners[self.file][entry];
        inner.say(self.me, || format!("entry {entry} is {owner:?}'s"));
        Ok(owner.is_some())
    }

    fn has_other_entries(&self, entries: &[usize]) -> Result<bool> {
        let mut inner = self.point();
        let owners = &inner.owners[self.file];
        let other = (0..ENTRIES).find(|entry| owners[*entry].is_some() && !entries.contains(entry));
        inner.say(self.me, || format!("an entry besides {entries:?} is taken: {other:?}"));
        Ok(other.is_some())
    }

    fn has_other_names(&self, names: &[u64]) -> Result<bool> {
        Ok(self.look("looks for readers by other names", |disk| {
            disk.has_other_names(self.store, names)
        }))
    }

    // Waiting actors look again by themselves, and nothing depends on the bell.
    fn ring(&self) {}
}
