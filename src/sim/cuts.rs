//! The power is cut, or the process killed, at every call of a life that has everything in it: what
//! random histories come upon now and then is met here for certain.

use std::sync::Arc;

use super::disk::Fault;
use super::exclusive::{append, create, edit, flush, open, stamps, truncate};
use super::model::Stamp;
use super::world::{Ending, Stop, World};
use crate::step::{Step, without};
use crate::store::DynStore;
use crate::txn::{Plan, Stage, in_order, unsynced};

/// What one handle does, in turn, before it ends.
type Act = fn(&mut World, &mut DynStore, &mut Vec<Stamp>) -> Result<(), Stop>;

const FLUSH: Act = |world, store, next| flush(world, store, next);
const EDIT: Act = |world, store, next| edit(world, store, next);

/// The handles of the life: the first is killed, the second closed.
const LIFE: [&[Act]; 3] = [
    &[append, FLUSH, EDIT, append, append, FLUSH, truncate, append],
    &[append, EDIT, truncate, append],
    &[EDIT, append, FLUSH],
];

/// Lives until something strikes.
fn live(world: &mut World) -> Result<(), Stop> {
    for (handle, acts) in LIFE.into_iter().enumerate() {
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
    let calls = world.random.below(8);
    world.disk.strike_after(calls, true, Fault::PowerCut);
    append(world, &mut store, &mut next)?;
    flush(world, &mut store, &next)
}

/// Lets a fault strike call `call` of the life; `false` if it has no such call.
fn strike(seed: u64, call: u64, fault: Fault) -> Result<bool, Stop> {
    let mut world = World::new(seed, false);
    (world.deletes, world.checksums, world.bulk_only) = (false, false, false);
    world.record_len = 1000;
    let world = &mut world;
    create(world)?;
    world.end(Ending::Drop)?;
    world.disk.strike_after(call, true, fault);
    let lived = live(world);
    if world.disk.struck().is_none() {
        return lived.map(|()| false);
    }
    let gone_on = match lived {
        Err(Stop::Struck) if world.over => return Ok(true),
        Err(Stop::Struck) | Ok(()) if fault == Fault::Kill => {
            world.end(Ending::Kill)?;
            go_on(world)
        }
        other => other,
    };
    match gone_on {
        Err(Stop::Broken(what)) => return Err(Stop::Broken(what)),
        _ if world.over => return Ok(true), // an edit was interrupted, and said so
        _ => {}
    }
    world.end(Ending::PowerCut)?;
    let found = open(world).and_then(|store| stamps(world, &store));
    match found {
        Err(Stop::Struck) if world.over => Ok(true),
        found => world.find(&found?).map(|()| true),
    }
}

/// What the life of the first of these seeds gets wrong, at which call.
fn first_broken(seeds: u64, fault: Fault) -> Option<(u64, u64, Stop)> {
    let mut calls = 0;
    for seed in 0..seeds {
        for call in 0.. {
            match strike(seed, call, fault) {
                Ok(true) => calls += 1,
                Ok(false) => break,
                Err(stop) => return Some((seed, call, stop)),
            }
        }
    }
    assert!(calls > 60 * seeds, "{calls} calls were struck");
    None
}

/// Under Wine each call is slow.
const SEEDS: u64 = if cfg!(windows) { 1 } else { 6 };

fn assert_holds(fault: Fault) {
    if let Some((seed, call, what)) = first_broken(SEEDS, fault) {
        panic!("seed {seed}, call {call}: {what:?}");
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

#[test]
fn cuts_at_every_call_need_each_step_of_a_flush() {
    let first = || first_broken(SEEDS, Fault::PowerCut);
    let is_broken = |broken: Option<(u64, u64, Stop)>, how: &str| {
        assert!(matches!(broken, Some((_, _, Stop::Broken(_)))), "{how}: {broken:?}");
    };
    for step in [Step::HeaderSync, Step::OtherSlot] {
        is_broken(without(&[step], first), &format!("{step:?}"));
    }
    is_broken(unsynced(Plan::Flush, Stage::SyncData, first), "data not synced");
    let header_first =
        [Stage::Header, Stage::SyncData, Stage::WriteSums, Stage::SyncSums, Stage::Tell];
    is_broken(in_order(Plan::Flush, &header_first, first), "header first");
}
