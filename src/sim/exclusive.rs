//! A life of the store in the hands of one exclusive handle: appends, flushes, edits in place.

// The simulated disk belongs to this history alone, as the unsafe calls require.
#![allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]

use std::sync::Arc;

use super::model::{DEAD, Stamp, State, fill};
use super::world::{Ending, Stop, World};
use crate::array::WriteBack;
use crate::error::{Error, ErrorKind};
use crate::number::in_memory;
use crate::store::DynStore;
use crate::txn::OpenOptions;

/// Makes the store; starts again if that is interrupted.
pub(super) fn create(world: &mut World) -> Result<(), Stop> {
    loop {
        world.begin_file()?;
        if world.random.one_in(8) {
            world.endanger(8);
        }
        match create_once(world) {
            Err(Stop::Struck | Stop::Failed) => {}
            result => return result,
        }
        world.end(Ending::Drop)?;
    }
}

fn create_once(world: &mut World) -> Result<(), Stop> {
    let (file, schema) = (world.file()?, world.schema()?);
    let directory = Arc::clone(&file);
    let options = DynStore::create_options().deletes(world.deletes).checksums(world.checksums);
    // SAFETY: no other code uses the simulated disk.
    let store = unsafe { options.create_over(file, &schema) };
    let store = world.take("create", store)?;
    let closed = store.close();
    world.take("close", closed)?;
    // A store that is made by its path has its directory synced.
    world.take("sync the directory", directory.sync_directory())
}

/// Opens the store with a read-only handle, which must change nothing.
pub(super) fn look(world: &mut World) -> Result<(), Stop> {
    world.note(|| "look:".into());
    let (file, calls) = (world.file()?, world.disk.calls());
    // SAFETY: no other code uses the simulated disk, and every other handle of it has ended.
    let store = unsafe { DynStore::read_options().over(file) };
    let store = world.take_opened(store)?;
    let found = stamps(world, &store)?;
    drop(store);
    if world.disk.calls() != calls {
        return Err(Stop::Broken("a read-only handle has changed something".into()));
    }
    world.find_by_reader(&found)
}

/// Opens the store, appends and edits, and ends as `ending` says or by a strike.
pub(super) fn live(world: &mut World, ending: Ending) -> Result<(), Stop> {
    world.note(|| "exclusive handle:".into());
    let mut store = open(world)?;
    let mut next = stamps(world, &store)?;
    world.find(&next)?;
    world.draw_room_back();
    let mut changed = false;
    for _ in 0..world.random.within(1..6) {
        if world.random.one_in(4) {
            world.endanger(6);
        }
        let step = match world.random.below(9) {
            0..=3 => append(world, &mut store, &mut next),
            4 | 5 => flush(world, &mut store, &next),
            6 => truncate(world, &mut store, &mut next),
            _ => edit(world, &mut store, &mut next),
        };
        changed = true;
        if let Err(stop) = step {
            return abandon(world, store, next, stop);
        }
    }
    match ending {
        Ending::Close => {
            world.note(|| "  close".into());
            world.oracle.attempt(Arc::new(next));
            let closed = store.close();
            world.take("close", closed)?;
            world.acknowledge(changed);
            if world.disk.struck().is_none() {
                world.check_at_rest()?;
            }
        }
        Ending::Drop => return abandon(world, store, next, Stop::Failed),
        Ending::Kill | Ending::PowerCut => {
            world.note(|| format!("  {ending:?}"));
            world.disk.bring_down();
        }
    }
    Ok(())
}

/// Drops a handle, which flushes what it can.
fn abandon(
    world: &mut World,
    store: DynStore,
    mut next: Vec<Stamp>,
    stop: Stop,
) -> Result<(), Stop> {
    if !matches!(stop, Stop::Broken(_)) {
        next.truncate(in_memory(store.count()));
        world.oracle.attempt(Arc::new(next));
        world.note(|| "  drop".into());
    }
    drop(store);
    match stop {
        Stop::Broken(_) => Err(stop),
        _ => Ok(()),
    }
}

pub(super) fn open(world: &mut World) -> Result<DynStore, Stop> {
    let ways = [WriteBack::Auto, WriteBack::Mapped, WriteBack::Positioned];
    // Positioned writing is refused where views may not see it.
    let ways = if world.disk.calls_see_views() { &ways[..] } else { &ways[..2] };
    let options: OpenOptions<DynStore> = DynStore::options().write_back(world.random.pick(ways));
    let file = world.file()?;
    // SAFETY: no other code uses the simulated disk, and every other handle of it has ended.
    let store = unsafe { options.over(file) };
    world.take_opened(store)
}

pub(super) fn stamps(world: &mut World, store: &DynStore) -> Result<Vec<Stamp>, Stop> {
    world.stamps((0..store.count()).map(|id| store.get(id)))
}

pub(super) fn append(
    world: &mut World,
    store: &mut DynStore,
    next: &mut Vec<Stamp>,
) -> Result<(), Stop> {
    let many = world.random.within(1..40);
    world.note(|| format!("  append {many}"));
    for _ in 0..many {
        let (stamp, record) = world.record();
        let appended = store.append(&record);
        let id = world.take("append", appended)?;
        next.push(stamp);
        if id + 1 != next.len() as u64 {
            return Err(Stop::Broken(format!("appended as record {id} of {}", next.len())));
        }
    }
    Ok(())
}

pub(super) fn flush(world: &mut World, store: &mut DynStore, next: &[Stamp]) -> Result<(), Stop> {
    if world.current()[..] == *next {
        return Ok(());
    }
    world.note(|| "  flush".into());
    world.oracle.attempt(Arc::new(next.to_vec()));
    let flushed = store.flush();
    world.take("flush", flushed)?;
    world.acknowledge(true);
    Ok(())
}

pub(super) fn truncate(
    world: &mut World,
    store: &mut DynStore,
    next: &mut Vec<Stamp>,
) -> Result<(), Stop> {
    if world.deletes {
        return Ok(());
    }
    let count = world.random.index(next.len() + 1);
    world.note(|| format!("  truncate to {count} of {}", next.len()));
    let committed = world.current();
    let shorter = count < committed.len();
    if shorter {
        world.oracle.attempt(Arc::new(committed[..count].to_vec()));
        world.cut_damage(count, false);
    }
    let cut = store.truncate(count as u64);
    world.take("truncate", cut)?;
    next.truncate(count);
    if shorter {
        world.acknowledge(true);
        world.cut_damage(count, true);
    }
    Ok(())
}

/// Checks that an edit of a record in a damaged block is refused.
fn refuses_to_bury(world: &World, error: Option<Error>) -> Result<(), Stop> {
    match error {
        // Also after a failed call that the store has recovered from: dropping an edit that was
        // given up finishes it, which this test would not expect.
        Some(error) if error.kind() == ErrorKind::Corrupt => Ok(()),
        _ if world.disk.struck().is_some() => Err(Stop::Struck),
        other => Err(Stop::Broken(format!("an edit in a damaged block: {other:?}"))),
    }
}

pub(super) fn edit(
    world: &mut World,
    store: &mut DynStore,
    next: &mut [Stamp],
) -> Result<(), Stop> {
    if next.iter().all(|&stamp| stamp == DEAD) {
        return Ok(());
    }
    flush(world, store, next)?;
    world.note(|| "  edit".into());
    world.editing = true;
    let mut edited = next.to_vec();
    let edit = store.edit();
    let mut edit = world.take("edit", edit)?;
    for _ in 0..world.random.within(1..10) {
        let id = world.random.index(edited.len());
        if edited[id] == DEAD {
            continue;
        }
        if world.is_damaged(id) {
            refuses_to_bury(world, edit.get_mut(id as u64).err())?;
            continue;
        }
        let stamp = world.stamp();
        let record = edit.get_mut(id as u64);
        match world.take("get_mut", record)? {
            Some(record) => fill(record, stamp),
            None => return Err(Stop::Broken(format!("record {id} is gone"))),
        }
        edited[id] = stamp;
    }
    let state: State = Arc::new(edited.clone());
    world.oracle.attempt(state);
    let finished = edit.finish();
    world.take("finish", finished)?;
    world.acknowledge(true);
    next.copy_from_slice(&edited);
    Ok(())
}
