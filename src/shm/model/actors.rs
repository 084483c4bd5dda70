//! Writers and readers of the model: they run what the engine and its followers do with the
//! protocol, step by step, over the model's disk.

use std::collections::BTreeMap;

use super::super::protocol::{
    CheckpointLimit, Mark, ReadPoint, ReaderSide, Span, TableEntry, WriterSide,
};
use super::disk::{Array, Block, Disk, Live, RECORDS};
use super::explorer::Reading;
use super::scheduler::Port;

/// Mistakes in the use of the protocol. The model must notice each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A writer publishes a commit before it is in the log.
    PublishFirst,
    /// A writer reuses the log before the header says that the array holds its commits.
    RecycleFirst,
    /// A writer reuses the log up to the commit in the array, whatever readers need.
    RecycleAll,
    /// A writer reuses the log up to the first commit that readers need: to find it they need the
    /// commit before it.
    RecycleUpTo,
    /// A checkpoint writes up to its target, whatever it is offered.
    IgnoreOffer,
    /// A reader looks for a writer before it reads the mark, and not again.
    WriterFirst,
    /// A reader without an entry does not block checkpoints.
    NoLock,
    /// A reader keeps what it has read in the time of another writer.
    KeepCache,
    /// A reader locks its byte of the data file only after it has read header and log.
    NameLate,
    /// A reader does not wait for the checkpoint of a writer under another name.
    NoWait,
}

/// The actions of a writer, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Commits and syncs before readers see the commit.
    Commit,
    /// Commits without a sync.
    CommitUnsynced,
    /// Checkpoints as far as allowed, up to the newest commit.
    Checkpoint,
    /// Checkpoints up to the commit before that: the writer's own process reads that one.
    CheckpointHeldBack,
    /// Dies here, independently of the scheduler.
    Die,
    /// Dies in a checkpoint, after some images are in the array.
    DieInCheckpoint,
    /// Ends its process, replaces the store by the other one, and opens that one.
    Replace,
    /// Ends its process and opens the store again.
    Reopen,
    /// Ends its process and opens the store by the other name.
    Move,
    /// Wipes all entries, which no program that follows the protocol does.
    Wipe,
    /// Makes all entries name another store.
    Falsify,
}

pub(super) struct Writer {
    port: Port,
    me: usize,
    store: usize,
    file: usize,
    side: WriterSide<Port>,
    flaw: Option<Flaw>,
    newest: u64,
    held: u64,
    /// Whether it dies in its next checkpoint.
    dies: bool,
}

/// The number of a store in the lock words.
fn name_of(store: usize) -> u64 {
    100 + store as u64
}

impl Writer {
    /// Opens the store that has the name. With `loses`, unsynced commits are lost.
    pub(super) fn open(port: &Port, me: usize, flaw: Option<Flaw>, loses: bool) -> Self {
        Self::open_by(port, me, 0, flaw, loses)
    }

    fn open_by(port: &Port, me: usize, file: usize, flaw: Option<Flaw>, loses: bool) -> Self {
        let store = port.look("which store is it", |disk| disk.named);
        let port = &port.at(store, file);
        port.change("opens the store", |disk| disk.lock_writer(store, me, file));
        port.change("writes the log elsewhere", |disk| disk.recover(store, loses));
        let (newest, held) = port.look("finds commits", |disk| {
            (disk.stores[store].end(), disk.stores[store].header.commit)
        });
        let side = WriterSide::new(port.clone(), name_of(store));
        side.begin(newest, held, 1 + me as u64).expect("simulated words have no errors");
        port.note(|disk| disk.show(store, newest));
        // After the other steps: some systems refuse to remove a file that a reader has open.
        port.change("removes old logs", |disk| disk.remove_old_logs(store));
        Self { port: port.clone(), me, store, file, side, flaw, newest, held, dies: false }
    }

    pub(super) fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Commit => self.commit(true),
            Deed::CommitUnsynced => self.commit(false),
            Deed::Checkpoint => self.checkpoint(self.newest),
            Deed::CheckpointHeldBack => self.checkpoint(self.newest.saturating_sub(1)),
            Deed::Die => self.port.kill(),
            Deed::DieInCheckpoint => {
                self.dies = true;
                self.checkpoint(self.newest);
            }
            Deed::Replace | Deed::Reopen | Deed::Move => {
                self.port.exit();
                if deed == Deed::Replace {
                    self.port.change("replaces the store", |disk| disk.named = 1 - disk.named);
                }
                let file = if deed == Deed::Move { 1 - self.file } else { self.file };
                *self = Self::open_by(&self.port, self.me, file, self.flaw, false);
            }
            Deed::Wipe => self.port.overwrite_entries(0),
            Deed::Falsify => self.port.overwrite_entries(name_of(self.store + 1)),
        }
    }

    fn commit(&mut self, synced: bool) {
        let store = self.store;
        if self.flaw == Some(Flaw::PublishFirst) {
            self.side.publish(self.newest + 1);
        }
        self.newest = self.port.change("writes a commit", |disk| disk.append(store));
        if synced {
            self.port.change("syncs the log", |disk| disk.stores[store].sync());
        }
        self.port.note(|disk| disk.show(store, self.newest));
        self.side.publish(self.newest);
    }

    fn checkpoint(&mut self, target: u64) {
        let (store, me) = (self.store, self.me);
        self.port.change("syncs the log", |disk| disk.stores[store].sync());
        if target <= self.held {
            return;
        }
        if !self.port.change("begins a checkpoint", |disk| disk.try_checkpoint(store, me)) {
            return;
        }
        let limit = self.side.limit(target).expect("simulated words have no errors");
        let ignores = self.flaw == Some(Flaw::IgnoreOffer);
        let allowed = limit.map_or(0, |CheckpointLimit { through, .. }| through);
        let through = if ignores { target } else { allowed };
        if through > self.held {
            self.write_back(through);
        }
        self.port.change("ends the checkpoint", |disk| disk.end_checkpoint(store));
    }

    fn write_back(&mut self, through: u64) {
        let (store, after) = (self.store, self.held + 1);
        let blocks = self.port.look("gathers images", |disk| {
            let store = &disk.stores[store];
            let block = |commit| store.block(store.header.log, commit);
            (after..=through).map(block).collect::<Option<Vec<_>>>()
        });
        let Some(blocks) = blocks else {
            self.port.fail(format!("commits {after} to {through} are not in the log"));
        };
        for record in 0..RECORDS {
            let newest = blocks.iter().rev().find(|block| block.record == record);
            if let Some(&block) = newest {
                self.port.change("writes an image to the array", |disk| {
                    disk.write(store, record, block.image);
                });
                if self.dies {
                    self.port.kill();
                }
            }
        }
        let recycle = |allowed| {
            self.port.change("reuses the log", |disk| disk.recycle(store, allowed));
        };
        if self.flaw == Some(Flaw::RecycleFirst) {
            recycle(through);
        }
        let after = blocks.last().map_or([0; RECORDS], |block| block.after);
        self.port.change("writes the header", |disk| {
            let begins = (through + 1).min(disk.stores[store].end());
            let header = &mut disk.stores[store].header;
            (header.commit, header.begins, header.after) = (through, begins, after);
        });
        self.side.hold(through);
        let allowed = self.side.retire(through).expect("simulated words have no errors");
        // The last commit's segment continues if nothing has been written after it.
        let unfinished = self.newest == through;
        recycle(match self.flaw {
            Some(Flaw::RecycleAll) => through,
            Some(Flaw::RecycleUpTo) => allowed.min(through),
            _ if allowed >= through && !unfinished => through,
            _ => allowed.min(through).saturating_sub(1),
        });
        self.held = through;
    }

    /// Without readers a checkpoint reaches everything, and the whole log can be reused.
    pub(super) fn check_progress(mut self) {
        let (store, end) = (self.store, self.newest);
        self.checkpoint(end);
        let reached = self.port.look("looks at the header", |disk| {
            let store = &disk.stores[store];
            // The last commit stays: the next one follows it in the log.
            let is_recycled = store.block(store.header.log, end.saturating_sub(1)).is_none();
            (store.header.commit, is_recycled)
        });
        if reached != (end, true) {
            self.port.fail(format!(
                "no reader reads {end}, and the array holds {}; the log is reused: {}",
                reached.0, reached.1
            ));
        }
    }
}

/// The actions of a reader, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Takes a snapshot of the newest commit.
    Take,
    /// Takes a snapshot after reading header and log again.
    TakeAnew,
    /// Reads every record of its snapshots.
    Read,
    /// Drops its oldest snapshot.
    Drop,
    /// Waits until something changes.
    Wait,
}

/// A reader's knowledge of a commit.
#[derive(Clone, Debug)]
struct State {
    mark: Mark,
    commit: u64,
    /// Whether it was everything in the store, without a writer.
    at_rest: bool,
    log: usize,
    /// The position from which the log is read for the next commit.
    begins: u64,
    /// For each record, its newest image and the commit of it.
    overlay: BTreeMap<usize, (u64, u64)>,
    after: Array,
}

struct Held {
    number: u64,
    lineage: u64,
    state: State,
}

pub(super) struct Reader {
    port: Port,
    me: usize,
    store: usize,
    side: ReaderSide<Port>,
    entry: Option<TableEntry>,
    file: usize,
    flaw: Option<Flaw>,
    cached: Option<State>,
    held: Vec<Held>,
}

impl Reader {
    pub(super) fn open(port: &Port, me: usize, reading: &Reading, flaw: Option<Flaw>) -> Self {
        let &Reading { store, file, has_entry, .. } = reading;
        let port = port.at(store, file);
        let entry = has_entry.then(|| {
            let is_late = flaw == Some(Flaw::NameLate) && file != 0;
            let lock_name = |disk: &mut Disk| disk.lock_name(store, me);
            let name = if is_late { None } else { port.change("locks its byte", lock_name) };
            TableEntry { number: port.take_entry(), name }
        });
        let side = ReaderSide::new(port.clone(), name_of(store), entry, 1 + me as u64);
        let is_under_way = |disk: &mut Disk| disk.is_checkpoint_elsewhere(store, file);
        while entry.is_some()
            && flaw != Some(Flaw::NoWait)
            && port.look("is there a checkpoint elsewhere?", is_under_way)
        {
            port.wait_for_change();
        }
        Self { port, me, store, side, entry, file, flaw, cached: None, held: Vec::new() }
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Take => self.take(),
            Act::TakeAnew => {
                self.cached = None;
                self.take();
            }
            Act::Read => self.read_all(),
            Act::Drop => self.drop_oldest(),
            Act::Wait => self.port.wait_for_change(),
        }
    }

    pub(super) fn drop_all(&mut self) {
        while !self.held.is_empty() {
            self.drop_oldest();
        }
    }

    pub(super) fn leave(self) {
        self.side.leave();
    }

    fn take(&mut self) {
        while !self.try_take() {
            self.port.wait_for_change();
        }
    }

    fn try_take(&mut self) -> bool {
        let was_alive = self.has_writer(Some(Flaw::WriterFirst));
        let (mark, published) = self.side.mark();
        let is_current = |state: &State| {
            (state.mark == mark || self.flaw == Some(Flaw::KeepCache))
                && (state.at_rest || published <= state.commit)
        };
        if !self.cached.as_ref().is_some_and(is_current) {
            let alive = was_alive.or_else(|| self.has_writer(None)).unwrap_or(false);
            let live = (alive && mark.has_words).then_some(published);
            let found = match self.cached.take() {
                Some(state) if state.mark == mark && live.is_some() => self.tail(state, published),
                _ => self.read(mark, live),
            };
            self.port.note(|disk| disk.end_log(self.me));
            self.side.need_nothing();
            self.cached = found;
            if self.flaw == Some(Flaw::NameLate) && self.file != 0 {
                let (store, me) = (self.store, self.me);
                self.port.change("locks its byte", |disk| disk.lock_name(store, me));
            }
        }
        let Some(state) = self.cached.clone() else { return false };
        let mark = if self.flaw == Some(Flaw::KeepCache) { mark } else { state.mark };
        self.begin(mark, state)
    }

    fn has_writer(&self, flaw: Option<Flaw>) -> Option<bool> {
        let (store, file) = (self.store, self.file);
        let asks = flaw.is_none() || flaw == self.flaw;
        asks.then(|| self.port.look("is there a writer?", |disk| disk.has_writer(store, file)))
    }

    /// Reads header and log: up to the newest published commit of a living writer, or to the log's
    /// end.
    fn read(&self, mark: Mark, live: Option<u64>) -> Option<State> {
        let store = self.store;
        let header = self.port.look("reads the header", |disk| disk.stores[store].header);
        let state = State {
            mark,
            commit: header.commit,
            at_rest: false,
            log: header.log,
            begins: header.begins,
            overlay: BTreeMap::new(),
            after: header.after,
        };
        match live {
            Some(published) => self.tail(state, published),
            None => self.to_the_end(state, header.log, header.commit),
        }
    }

    /// Reads the log from a state on.
    fn tail(&self, state: State, published: u64) -> Option<State> {
        let (store, log, from) = (self.store, state.log, state.commit + 1);
        if !self.side.need(from, state.mark) {
            return None;
        }
        if self.entry.is_some() {
            self.port.note(|disk| disk.read_log(self.me, store, log, state.begins));
        }
        if state.begins < from {
            let before = |disk: &mut Disk| disk.stores[store].block(log, state.begins);
            self.port.look("finds its position in the log", before)?;
        }
        (from..=published).try_fold(state, |state, commit| {
            let block =
                self.port.look("reads a commit", |disk| disk.stores[store].block(log, commit));
            block.map(|block| state.with(block))
        })
    }

    /// Reads the log to its end: `None` if a writer has come to the store during the read.
    fn to_the_end(&self, mut state: State, log: usize, after: u64) -> Option<State> {
        let store = self.store;
        loop {
            let next = state.commit + 1;
            let block =
                self.port.look("reads a commit", |disk| disk.stores[store].block(log, next));
            let Some(block) = block else { break };
            state = state.with(block);
        }
        let has_words = state.mark.has_words || self.file != 0;
        if has_words && self.flaw != Some(Flaw::WriterFirst) {
            let has_writer = self.has_writer(None).unwrap_or(false);
            let same = self.port.look("reads the header again", |disk| {
                let header = &disk.stores[store].header;
                header.log == log && header.commit == after
            });
            if has_writer || !same {
                return None;
            }
        }
        state.at_rest = true;
        Some(state)
    }

    fn begin(&mut self, mark: Mark, state: State) -> bool {
        let (me, store) = (self.me, self.store);
        let locks = self.entry.is_none() && self.flaw != Some(Flaw::NoLock);
        if locks && self.held.is_empty() {
            let away = self.port.change("blocks checkpoints", |disk| disk.try_keep_away(store, me));
            if !away {
                return false;
            }
        }
        let in_array = self.side.held();
        let (commit, lineage) = (state.commit, mark.lineage);
        let point = ReadPoint { mark, commit, at_rest: state.at_rest };
        self.held.push(Held { number: 0, lineage, state });
        let span = self.span().expect("a snapshot is held");
        if !self.side.begin(span, &point) {
            self.held.pop();
            self.release();
            return false;
        }
        let Some(held) = self.held.last_mut() else { return false };
        let live = Live {
            reader: me,
            store,
            file: self.file,
            commit,
            overlay: held.state.overlay.clone(),
            after: held.state.after,
        };
        self.port.note(|disk| {
            held.number = disk.begin(live);
            if point.goes_by_words() && in_array <= commit {
                disk.thin(held.number, in_array);
            }
        });
        true
    }

    fn span(&self) -> Option<Span> {
        let commits = || self.held.iter().map(|held| held.state.commit);
        Some(Span {
            lineage: self.held.iter().map(|held| held.lineage).min()?,
            oldest: commits().min()?,
            newest: commits().max()?,
            since: 1,
        })
    }

    /// Announces the snapshots that are left.
    fn release(&self) {
        let (me, store) = (self.me, self.store);
        let span = self.span();
        if self.entry.is_some() {
            self.side.say(span);
        } else if span.is_none() {
            self.port.change("allows checkpoints again", |disk| disk.let_go_on(store, me));
        }
    }

    fn drop_oldest(&mut self) {
        let held = self.held.remove(0);
        self.port.note(|disk| disk.end(held.number));
        self.release();
    }

    /// The model checks every byte after each change; this gives the others a turn.
    fn read_all(&self) {
        self.port.look("reads its records", |_| ());
    }
}

impl State {
    fn with(mut self, block: Block) -> Self {
        self.overlay.insert(block.record, (block.commit, block.image));
        self.commit = block.commit;
        self.begins = block.commit + 1;
        self.after = block.after;
        self
    }
}
