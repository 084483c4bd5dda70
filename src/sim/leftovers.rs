//! What a killed writer leaves of a log that it was making or removing: the next writer's opening
//! removes it.

use std::sync::Arc;

use super::disk::Fault;
use super::model::Stamp;
use super::world::{Ending, Stop, World};
use super::{exclusive, transactional};
use crate::txn::Durability;

const RECORD_LEN: usize = 2000;
/// So many images need a segment of their own, longer than those that are reused.
const RECORDS: u64 = 2200;

/// Commits changes of all records, and closes the store; the fault strikes one of the calls.
/// Returns whether it did.
fn strike(seed: u64, call: u64, fault: Fault) -> Result<bool, Stop> {
    let mut world = World::new(seed, false);
    (world.deletes, world.checksums, world.bulk_only) = (false, false, false);
    world.record_len = RECORD_LEN;
    let world = &mut world;
    exclusive::create(world)?;
    world.end(Ending::Drop)?;
    let mut store = exclusive::open(world)?;
    let mut next = Vec::new();
    while next.len() < RECORDS as usize {
        exclusive::append(world, &mut store, &mut next)?;
    }
    exclusive::flush(world, &mut store, &next)?;
    let closed = store.close();
    world.take("close", closed)?;
    world.end(Ending::Close)?;

    let strikes = world.disk.strikes();
    world.disk.strike_after(call, true, fault);
    let changed = change_all(world, &mut next);
    let has_struck = world.disk.strikes() > strikes;
    match changed {
        Err(Stop::Struck) if has_struck => {}
        other => other?,
    }
    world.end(if has_struck { Ending::Kill } else { Ending::Close })?;

    // A writer that commits nothing begins no log, for which it would have to make room.
    let store = exclusive::open(world)?;
    let found = exclusive::stamps(world, &store)?;
    world.find(&found)?;
    let left: Vec<String> =
        world.disk.names().into_iter().filter(|name| name.contains("-wal")).collect();
    if !left.is_empty() {
        return Err(Stop::Broken(format!("{fault:?} at call {call} leaves {left:?}")));
    }
    Ok(has_struck)
}

fn change_all(world: &mut World, next: &mut [Stamp]) -> Result<(), Stop> {
    let database = transactional::open(world, 64 << 20)?;
    let mut transaction = world.take("begin", database.begin_write())?;
    for id in 0..RECORDS {
        let (stamp, record) = world.record();
        world.take("set", transaction.set(id, &record))?;
        next[usize::try_from(id).expect("few records")] = stamp;
    }
    world.oracle.attempt(Arc::new(next.to_vec()));
    let committed = transaction.commit(Durability::Immediate);
    world.take("commit", committed)?;
    world.acknowledge(true);
    let closed = database.close();
    world.take("close", closed)
}

/// Finds a segment that stays for ever, because the writer died after it made the file and before
/// it wrote the header; or a part of a log that a close was removing.
#[test]
fn the_next_writer_removes_what_a_killed_one_left_of_a_log() {
    let struck = (0..).take_while(|&call| strike(0, call, Fault::Kill).unwrap()).count();
    assert!(struck > 30, "{struck} calls were struck");
}
