//! A life of the store in the hands of a handle with transactions: commits, rollbacks, snapshots,
//! checkpoints.

// The simulated disk belongs to this history alone, as the unsafe calls require.
#![allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]

use std::sync::Arc;

use super::disk::Fault;
use super::model::{DEAD, Stamp, State, fill, record};
use super::world::{Ending, Stop, World};
use crate::db::{DynDatabase, Snapshot, WriteTransaction};
use crate::error::ErrorKind;
use crate::number::in_memory;
use crate::os::Survives;
use crate::txn::{Durability, OpenOptions, Receipt};

/// The most that a transaction appends, enough to be written in place and not logged.
const BULK_BYTES: usize = 3 << 20;

/// The greatest size of an append-only store.
const BULK_ONLY_BYTES: usize = 8 << 20;

/// A handle, its snapshots, and what each must show.
struct Life<'w> {
    world: &'w mut World,
    database: DynDatabase,
    /// The bytes in the log, and counted by it in the array, at which a checkpoint is due.
    checkpoint_at: u64,
    snapshots: Vec<(Snapshot<[u8]>, State)>,
    /// Whether the handle has reported that it is poisoned.
    poisoned: bool,
}

/// Opens the store, works with it, and ends as `ending` says or by a strike.
pub(super) fn live(world: &mut World, ending: Ending) -> Result<(), Stop> {
    world.note(|| "transactions:".into());
    let checkpoint_at = draw_checkpoint_at(world);
    let database = open(world, checkpoint_at)?;
    let (snapshots, poisoned) = (Vec::new(), false);
    let mut life = Life { world, database, checkpoint_at, snapshots, poisoned };
    let found = life.see()?;
    life.world.find(&found)?;
    life.world.draw_room_back();
    // Some live long enough to reuse segments.
    let steps_max = life.world.random.pick(&[6, 25, 25, 90]);
    let steps = life.world.random.within(1..steps_max);
    for _ in 0..steps {
        match life.step() {
            Err(Stop::Failed) => life.recover_from_failure()?,
            result => result?,
        }
        if life.is_down() || life.poisoned && life.world.random.coin() {
            break;
        }
    }
    life.end(ending)
}

fn draw_checkpoint_at(world: &mut World) -> u64 {
    let logged = [20 << 10, 60 << 10, 100 << 10, 300 << 10, 4 << 20];
    let in_place = [20 << 10, 2 << 20, 3 << 20, 5 << 20, 16 << 20];
    world.random.pick(if world.bulk_only { &in_place } else { &logged })
}

pub(super) fn open(world: &mut World, checkpoint_at: u64) -> Result<DynDatabase, Stop> {
    let options: OpenOptions<DynDatabase> = DynDatabase::options().checkpoint_at(checkpoint_at);
    let file = world.file()?;
    // SAFETY: no other code uses the simulated disk, and every other handle of it has ended.
    let database = unsafe { options.over(file) };
    world.take_opened(database)
}

impl Life<'_> {
    fn is_down(&self) -> bool {
        matches!(self.world.disk.struck(), Some(Fault::PowerCut | Fault::Kill))
    }

    fn step(&mut self) -> Result<(), Stop> {
        match self.world.random.below(20) {
            0 => self.checkpoint(),
            1 | 2 => self.take_snapshot(),
            3 => self.look_at_snapshots(),
            4 => {
                let dropped = self.world.random.index(self.snapshots.len() + 1);
                self.world.note(|| "  drop snapshots".into());
                self.snapshots.truncate(dropped);
                Ok(())
            }
            _ => self.transact(),
        }
    }

    /// What a reader sees now.
    fn see(&mut self) -> Result<Vec<Stamp>, Stop> {
        let snapshot = self.world.take("begin to read", self.database.begin_read())?;
        stamps(self.world, &snapshot)
    }

    fn take_snapshot(&mut self) -> Result<(), Stop> {
        self.world.note(|| "  take a snapshot".into());
        let state = self.world.current();
        let snapshot = self.world.take("begin to read", self.database.begin_read())?;
        self.snapshots.push((snapshot, state));
        Ok(())
    }

    /// Checks that snapshots show what they showed when they were taken.
    fn look_at_snapshots(&mut self) -> Result<(), Stop> {
        for (index, (snapshot, state)) in self.snapshots.iter().enumerate() {
            let seen = stamps(self.world, snapshot)?;
            if seen != **state {
                let commit = snapshot.commit_id().get();
                return Err(Stop::Broken(format!(
                    "snapshot {index}, of commit {commit}, does not show what it did"
                )));
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Stop> {
        if self.world.random.one_in(3) {
            self.world.endanger(12);
        }
        self.world.note(|| "  checkpoint".into());
        let done = self.database.checkpoint();
        let done = self.world.take("checkpoint", done)?;
        self.check_alive("checkpoint")?;
        // Commits that it did not write are in the log, synced.
        self.world.note(|| format!("    up to commit {}", done.commit_id()));
        self.world.make_durable();
        self.look_at_snapshots()
    }

    fn transact(&mut self) -> Result<(), Stop> {
        let begun = self.database.begin_write();
        let mut transaction = self.world.take("begin", begun)?;
        let mut next = self.world.current().to_vec();
        self.world.note(|| "  transaction".into());
        change(self.world, &mut transaction, &mut next)?;
        let durability = match self.world.random.below(10) {
            0 => {
                self.world.note(|| "  rollback".into());
                transaction.rollback();
                return self.check_shown();
            }
            1..=4 => Durability::Eventual,
            _ => Durability::Immediate,
        };
        self.world.note(|| format!("  commit, {durability:?}, of {} records", next.len()));
        self.world.oracle.attempt(Arc::new(next));
        let receipt = transaction.commit(durability);
        let receipt: Receipt = self.world.take("commit", receipt)?;
        self.check_alive("commit")?;
        let survives_power = receipt.survives() == Survives::Power;
        if survives_power != (durability == Durability::Immediate) {
            return Err(Stop::Broken(format!("{durability:?} gives {receipt:?}")));
        }
        self.world.acknowledge(survives_power);
        self.check_counted()?;
        if self.world.random.one_in(4) { self.check_shown() } else { Ok(()) }
    }

    /// A handle that has failed must not report success later, except by recovering.
    fn check_alive(&mut self, doing: &str) -> Result<(), Stop> {
        if self.poisoned {
            return Err(Stop::Broken(format!("{doing}: succeeds on a poisoned handle")));
        }
        Ok(())
    }

    /// Without a snapshot in the way, a checkpoint makes header and checksums follow appended
    /// records.
    fn check_counted(&mut self) -> Result<(), Stop> {
        if !self.world.bulk_only || !self.snapshots.is_empty() {
            return Ok(());
        }
        let stride = (self.world.record_len + usize::from(self.world.deletes)) as u64;
        let uncounted_bytes = self.world.uncounted()?.saturating_mul(stride);
        if uncounted_bytes < self.checkpoint_at || self.world.disk.struck().is_some() {
            return Ok(());
        }
        Err(Stop::Broken(format!("no header counts {uncounted_bytes} bytes of records")))
    }

    /// Checks that a reader sees the last commit.
    fn check_shown(&mut self) -> Result<(), Stop> {
        let shown = self.see()?;
        if shown == **self.world.oracle.current() {
            return Ok(());
        }
        Err(Stop::Broken("a reader does not see exactly the last commit".into()))
    }

    /// After a failed call readers must see the state before it or after it.
    fn recover_from_failure(&mut self) -> Result<(), Stop> {
        let shown = self.see()?;
        self.world.oracle.find_live(&shown).map_err(Stop::Broken)?;
        self.look_at_snapshots()?;
        let begun = self.database.begin_write().map(drop);
        if let Err(error) = begun {
            self.poisoned = true;
            if error.kind() != ErrorKind::Poisoned {
                return Err(Stop::Broken(format!("begin after a failure: {error}")));
            }
        }
        Ok(())
    }

    fn end(self, ending: Ending) -> Result<(), Stop> {
        let Self { world, database, mut snapshots, .. } = self;
        let mut ending = ending;
        if matches!(world.disk.struck(), Some(Fault::PowerCut | Fault::Kill)) {
            ending = Ending::Drop;
        }
        world.note(|| format!("  {ending:?}"));
        let closed = match ending {
            Ending::Close => {
                if world.random.coin() {
                    snapshots.clear();
                }
                if world.random.one_in(3) {
                    world.endanger(12);
                }
                let closed = database.close();
                world.take("close", closed)
            }
            Ending::Drop => {
                drop(database);
                Ok(())
            }
            Ending::Kill | Ending::PowerCut => {
                world.disk.bring_down();
                drop(database);
                Ok(())
            }
        };
        for (index, (snapshot, state)) in snapshots.iter().enumerate() {
            if stamps(world, snapshot)? != **state {
                return Err(Stop::Broken(format!("snapshot {index} changes as its store ends")));
            }
        }
        match closed {
            Ok(()) if ending == Ending::Close => world.make_durable(),
            Ok(()) | Err(Stop::Struck | Stop::Failed) => {}
            Err(broken) => return Err(broken),
        }
        let read = !snapshots.is_empty();
        drop(snapshots);
        if ending == Ending::Close && !read && world.disk.struck().is_none() {
            world.check_at_rest()?;
        }
        Ok(())
    }
}

/// The stamps of all records of a snapshot, which must agree with its counts.
fn stamps(world: &mut World, snapshot: &Snapshot<[u8]>) -> Result<Vec<Stamp>, Stop> {
    let records = (0..snapshot.count()).map(|id| snapshot.get(id));
    let stamps = world.stamps(records)?;
    let live = stamps.iter().filter(|&&stamp| stamp != DEAD).count() as u64;
    if live != snapshot.live_count() {
        let counted = snapshot.live_count();
        return Err(Stop::Broken(format!("{live} records are live, but {counted} are counted")));
    }
    Ok(stamps)
}

/// Changes some records in a transaction, and `next` likewise.
fn change(
    world: &mut World,
    transaction: &mut WriteTransaction<'_, [u8]>,
    next: &mut Vec<Stamp>,
) -> Result<(), Stop> {
    if world.bulk_only {
        let is_full = next.len() * world.record_len >= BULK_ONLY_BYTES;
        return if is_full { Ok(()) } else { append_many(world, transaction, next) };
    }
    let changes = match world.random.below(12) {
        0 => 0,
        1 => 150,
        2..=4 => 30,
        _ => 6,
    };
    for _ in 0..world.random.below(changes + 1) {
        change_one(world, transaction, next)?;
    }
    if world.random.one_in(12) {
        append_many(world, transaction, next)?;
    }
    if next.is_empty() || world.random.one_in(3) {
        return Ok(());
    }
    // The transaction sees its own changes.
    let id = world.random.index(next.len());
    let seen = transaction.get(id as u64).map(<[u8]>::to_vec);
    let seen = world.stamps(std::iter::once(seen.as_deref()))?;
    if seen == [next[id]] {
        return Ok(());
    }
    Err(Stop::Broken(format!("a transaction sees {seen:?} as record {id}, not {}", next[id])))
}

fn change_one(
    world: &mut World,
    transaction: &mut WriteTransaction<'_, [u8]>,
    next: &mut Vec<Stamp>,
) -> Result<(), Stop> {
    let (stamp, record) = world.record();
    let id = world.random.index(next.len());
    let dead = next.get(id) == Some(&DEAD);
    match world.random.below(if world.deletes { 9 } else { 6 }) {
        0..=2 if !next.is_empty() && !dead => {
            world.take("set", transaction.set(id as u64, &record))?;
            next[id] = stamp;
        }
        3 if !next.is_empty() => {
            let found = world.take("get_mut", transaction.get_mut(id as u64))?;
            if found.is_none() != dead {
                return Err(Stop::Broken(format!("get_mut of record {id} finds the opposite")));
            }
            if let Some(found) = found {
                fill(found, stamp);
                next[id] = stamp;
            }
        }
        6 | 7 if !next.is_empty() => {
            let deleted = world.take("delete", transaction.delete(id as u64))?;
            if deleted == dead {
                return Err(Stop::Broken(format!("delete of record {id}: {deleted}")));
            }
            next[id] = DEAD;
        }
        8 => {
            let id = world.take("insert", transaction.insert(&record))?;
            insert_at(next, id, stamp)?;
        }
        _ => {
            let id = world.take("append", transaction.append(&record))?;
            if id != next.len() as u64 {
                return Err(Stop::Broken(format!("appended as {id} to {}", next.len())));
            }
            next.push(stamp);
        }
    }
    Ok(())
}

/// An insert takes the place of a deleted record if there is one.
fn insert_at(next: &mut Vec<Stamp>, id: u64, stamp: Stamp) -> Result<(), Stop> {
    let at = in_memory(id);
    if next.get(at) == Some(&DEAD) {
        next[at] = stamp;
    } else if at == next.len() && !next.contains(&DEAD) {
        next.push(stamp);
    } else {
        let (end, found) = (next.len(), next.get(at));
        return Err(Stop::Broken(format!("inserted as {id} of {end}, where {found:?} was")));
    }
    Ok(())
}

/// Appends many records at once: some kilobytes, or sometimes too many to be logged.
pub(super) fn append_many(
    world: &mut World,
    transaction: &mut WriteTransaction<'_, [u8]>,
    next: &mut Vec<Stamp>,
) -> Result<(), Stop> {
    let (len, held_bytes) = (world.record_len, next.len() * world.record_len);
    // Small records would be too many, and the test would read a lot repeatedly.
    let bulk = world.bulk_only || len >= 100 && held_bytes < BULK_BYTES && world.random.one_in(5);
    let bytes = if bulk { (1 << 20) + world.random.index(200 << 10) } else { 20 << 10 };
    let many = if bulk { bytes / len } else { world.random.index(bytes / len + 1) };
    world.note(|| format!("    append {many} at once"));
    let mut bytes = Vec::with_capacity(many * len);
    let first = next.len() as u64;
    for _ in 0..many {
        let stamp = world.stamp();
        bytes.extend_from_slice(&record(stamp, len));
        next.push(stamp);
    }
    let added = world.take("append_packed", transaction.append_packed(&bytes))?;
    if added != (first..next.len() as u64) {
        return Err(Stop::Broken(format!("appended as {added:?}, not from {first} on")));
    }
    Ok(())
}
