//! The power is cut, or the process killed, at every call of a life that has everything in it: what
//! random histories come upon now and then is met here for certain.

use std::sync::Arc;

use super::disk::Fault;
use super::exclusive::{append, create, edit, flush, look, open, stamps, truncate};
use super::model::Stamp;
use super::world::{Ending, Stop, World};
use crate::step::{Step, without};
use crate::store::DynStore;
use crate::txn::{Plan, Stage, in_order, unsynced};

/// What one handle does, in turn, before it ends.
type Act = fn(&mut World, &mut DynStore, &mut Vec<Stamp>) -> Result<(), Stop>;

const FLUSH: Act = |world, store, next| flush(world, store, next);
const EDIT: Act = |world, store, next| edit(world, store, next);

/// The handles of the life: the first is killed, the others are closed.
const LIFE: [&[Act]; 3] = [
    &[append, FLUSH, EDIT, append_many, FLUSH, truncate, append],
    &[append, EDIT, truncate, append],
    &[EDIT, append, FLUSH],
];

const RECORD_LEN: usize = 1000;

/// More records than the buffer of appended ones holds, so that a part is written before the flush.
const MANY: usize = 300;

/// A call of one of the handles, and what strikes it.
#[derive(Clone, Copy, Debug)]
struct Strike {
    handle: usize,
    call: u64,
    fault: Fault,
}

/// What came of a strike that broke no promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Struck {
    /// The handle makes no such call.
    Nothing,
    /// A store that says that an edit was interrupted, during an edit.
    Edit,
    /// A state that was flushed, or was just being flushed.
    State,
}

fn append_many(world: &mut World, store: &mut DynStore, next: &mut Vec<Stamp>) -> Result<(), Stop> {
    let full = next.len() + MANY;
    while next.len() < full {
        append(world, store, next)?;
    }
    Ok(())
}

/// Lives until something strikes.
fn live(world: &mut World, strike: Strike) -> Result<(), Stop> {
    for (handle, acts) in LIFE.into_iter().enumerate() {
        if handle == strike.handle {
            world.disk.strike_after(strike.call, true, strike.fault);
        }
        let mut store = open(world)?;
        let mut next = stamps(world, &store)?;
        world.find(&next)?;
        for act in acts {
            act(world, &mut store, &mut next)?;
        }
        if handle == 0 {
            world.disk.bring_down();
            drop(store);
            world.end(Ending::Kill)?;
        } else {
            world.oracle.attempt(Arc::new(next));
            let closed = store.close();
            world.take("close", closed)?;
            world.acknowledge(true);
            world.end(Ending::Close)?;
        }
    }
    Ok(())
}

/// Another process goes on with what a killed one has left, not all of which is durable, until the
/// power goes.
fn go_on(world: &mut World) -> Result<(), Stop> {
    let mut store = open(world)?;
    let mut next = stamps(world, &store)?;
    world.find(&next)?;
    let calls = world.random.below(16);
    world.disk.strike_after(calls, true, Fault::PowerCut);
    append_many(world, &mut store, &mut next)?;
    flush(world, &mut store, &next)
}

/// Lets something strike, and then has the power go.
fn strike(seed: u64, strike: Strike) -> Result<Struck, Stop> {
    let mut world = World::new(seed, false);
    (world.deletes, world.checksums, world.bulk_only) = (false, false, false);
    world.record_len = RECORD_LEN;
    let world = &mut world;
    create(world)?;
    world.end(Ending::Drop)?;
    let strikes = world.disk.strikes();
    let lived = live(world, strike);
    if world.disk.strikes() == strikes {
        return lived.map(|()| Struck::Nothing);
    }
    let lived = match strike.fault {
        Fault::Kill if !matches!(lived, Err(Stop::Broken(_))) => {
            world.end(Ending::Kill)?;
            go_on(world)
        }
        _ => lived,
    };
    match lived {
        Err(Stop::Broken(what)) => return Err(Stop::Broken(what)),
        _ if world.over => return Ok(Struck::Edit),
        _ => world.end(Ending::PowerCut)?,
    }
    match look(world).and_then(|()| open(world)) {
        Err(Stop::Struck) if world.over => Ok(Struck::Edit),
        Err(stop) => Err(stop),
        Ok(store) => {
            let found = stamps(world, &store)?;
            world.find(&found).map(|()| Struck::State)
        }
    }
}

/// What the life of the first of these seeds gets wrong, and where.
fn first_broken(seeds: u64, fault: Fault) -> Option<(u64, Strike, Stop)> {
    let (mut states, mut edits) = (0, 0);
    for (seed, handle) in (0..seeds).flat_map(|seed| [(seed, 0), (seed, 1), (seed, 2)]) {
        for call in 0.. {
            let at = Strike { handle, call, fault };
            match strike(seed, at) {
                Ok(Struck::State) => states += 1,
                Ok(Struck::Edit) => edits += 1,
                Ok(Struck::Nothing) => break,
                Err(stop) => return Some((seed, at, stop)),
            }
        }
    }
    assert!(states > 50 * seeds, "{states} states were found");
    assert!((1..states / 2).contains(&edits), "{edits} edits were interrupted");
    None
}

/// Under Wine each call is slow.
const SEEDS: u64 = if cfg!(windows) { 1 } else { 6 };

fn assert_holds(fault: Fault) {
    if let Some((seed, strike, what)) = first_broken(SEEDS, fault) {
        panic!("seed {seed}, {strike:?}: {what:?}");
    }
}

#[test]
fn a_power_cut_at_any_call_leaves_a_state_that_was_flushed() {
    assert_holds(Fault::PowerCut);
}

#[test]
fn a_process_killed_at_any_call_leaves_a_state_that_the_next_can_go_on_from() {
    assert_holds(Fault::Kill);
}

/// Expects what breaks to be a promise, and not the simulation.
fn assert_breaks(how: &str, broken: Option<(u64, Strike, Stop)>) {
    assert!(matches!(broken, Some((_, _, Stop::Broken(_)))), "{how}: {broken:?}");
}

#[test]
fn power_cuts_at_every_call_show_each_sync_and_order_that_is_broken() {
    let cut = || first_broken(SEEDS, Fault::PowerCut);
    for (plan, stage) in [
        (Plan::Flush, Stage::SyncData),
        (Plan::Flush, Stage::Header),
        (Plan::BeginEdit, Stage::Header),
        (Plan::FinishEdit, Stage::SyncData),
        (Plan::FinishEdit, Stage::Header),
        (Plan::Truncate, Stage::Header),
    ] {
        assert_breaks(
            &format!("{plan:?} without the sync of {stage:?}"),
            unsynced(plan, stage, cut),
        );
    }
    for plan in [Plan::Flush, Plan::FinishEdit] {
        let order = [Stage::Header, Stage::SyncData, Stage::Tell];
        assert_breaks(&format!("{plan:?} with the header first"), in_order(plan, &order, cut));
    }
    assert_breaks("edits without a mark", in_order(Plan::BeginEdit, &[Stage::Tell], cut));
}

#[test]
fn kills_at_every_call_show_that_what_is_found_is_not_made_durable() {
    for step in [Step::Settle, Step::OtherSlot] {
        let broken = without(&[step], || first_broken(SEEDS, Fault::Kill));
        assert_breaks(&format!("without {step:?}"), broken);
    }
}
