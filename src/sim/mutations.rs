//! Breaks each step of the protocol on purpose, to show that the simulation notices.

use std::sync::Arc;

use super::disk::Fault;
use super::world::{Ending, Stop, World};
use super::{CrashReport, CrashTest, exclusive, transactional};
use crate::number::in_memory;
use crate::step::{Step, without};
use crate::txn::{Durability, Plan, Stage, in_order, unsynced};

/// The number of histories until a broken step must show. Most show within a few.
const HISTORIES_MAX: u64 = 4000;

/// Leaves the steps out, and expects histories of these seeds and later ones to notice.
fn caught(steps: &[Step], from_seed: u64) {
    breaks(from_seed, &format!("without {steps:?}"), |test| without(steps, || test.run(|_| {})));
}

/// Expects that a history of these seeds and later ones breaks a promise with the alteration, and
/// none without it.
fn breaks(from_seed: u64, how: &str, altered: impl Fn(CrashTest) -> CrashReport) {
    let report = altered(CrashTest::new(from_seed).histories(HISTORIES_MAX));
    let Some(broken) = report.violations.first() else {
        panic!("{HISTORIES_MAX} histories break nothing {how}");
    };
    let with_all = CrashTest::new(broken.seed).histories(1).run(|_| {});
    assert!(with_all.violations.is_empty(), "{:?}", with_all.violations[0].what);
}

macro_rules! caught {
    ($($name:ident: $($step:ident)+, from $seed:literal;)*) => {$(
        #[test]
        fn $name() {
            caught(&[$(Step::$step),+], $seed);
        }
    )*};
}

// The seeds belong to histories that show the fault: in debug builds and under emulators, hundreds
// of histories take minutes. The suites of other systems leave these tests out (scripts/suite.sh).
// A change to the histories may require new seeds.
caught! {
    commits_sync_the_log: LogSync, from 13;
    checkpoints_sync_the_log_first: CheckpointLogSync, from 492;
    a_failed_sync_ends_a_handle: Poison, from 427;
    segments_are_synced_before_their_successors: SegmentSync, from 148;
    new_segments_are_synced: SegmentZeroSync, from 660;
    names_of_segments_are_synced: SegmentNameSync, from 60;
    growth_is_synced_before_it_is_counted_on: GrowthSync, from 498;
    long_appends_are_synced_before_they_are_counted: LongAppendSync, from 389;
    headers_are_synced: HeaderSync, from 11;
    headers_are_written_to_the_other_slot: OtherSlot, from 571;
    recovery_syncs_what_it_found: RecoverySync, from 98;
    checkpoints_heed_snapshots: SnapshotTarget, from 2;
    torn_frames_are_refused: FrameCheck, from 189;
    long_appends_count_towards_a_checkpoint: LongAppendDue, from 7;
    // Each of the three checks distinguishes an old frame from a new one. The log's own tests make
    // bytes that no history leaves and that each check alone must refuse.
    old_frames_are_refused: SaltCheck ChainCheck NumberCheck, from 153;
}

macro_rules! plans {
    ($($name:ident: $plan:ident without the sync of $stage:ident, from $seed:literal;)*) => {$(
        #[test]
        fn $name() {
            let how = concat!("without the sync of ", stringify!($plan $stage));
            breaks($seed, how, |test| {
                unsynced(Plan::$plan, Stage::$stage, || test.run(|_| {}))
            });
        }
    )*};
}

plans! {
    checkpoints_announce_durably: Checkpoint without the sync of Announce, from 291;
    checkpoints_sync_the_array: Checkpoint without the sync of SyncData, from 31;
    checkpoints_sync_the_checksums: Checkpoint without the sync of SyncSums, from 108;
    checkpoints_sync_the_header: Checkpoint without the sync of Header, from 126;
    recoveries_announce_durably: Recovery without the sync of Announce, from 134;
    recoveries_sync_the_array: Recovery without the sync of SyncData, from 527;
    recoveries_sync_the_checksums: Recovery without the sync of SyncSums, from 108;
    recoveries_sync_the_header: Recovery without the sync of Header, from 37;
    flushes_sync_the_array: Flush without the sync of SyncData, from 521;
    flushes_sync_the_checksums: Flush without the sync of SyncSums, from 242;
    flushes_sync_the_header: Flush without the sync of Header, from 69;
    edits_are_marked_durably: BeginEdit without the sync of Header, from 209;
    edits_sync_the_array: FinishEdit without the sync of SyncData, from 17;
    edits_sync_the_checksums: FinishEdit without the sync of SyncSums, from 65;
    edits_sync_the_header: FinishEdit without the sync of Header, from 74;
    truncations_announce_durably: Truncate without the sync of Announce, from 1187;
    truncations_sync_the_headers: Truncate without the sync of Header, from 325;
}

macro_rules! orders {
    ($($name:ident: $plan:ident in the order $($stage:ident)+, from $seed:literal;)*) => {$(
        #[test]
        fn $name() {
            let order = [$(Stage::$stage),+];
            let how = concat!(stringify!($plan), " in the order ", stringify!($($stage)+));
            breaks($seed, how, |test| in_order(Plan::$plan, &order, || test.run(|_| {})));
        }
    )*};
}

// A truncation writes both headers because a slot may be damaged later, which no history does:
// tests/it/handles.rs damages one.
orders! {
    checkpoints_write_the_header_last:
        Checkpoint in the order Header Announce Write SyncData WriteSums SyncSums Tell Release,
        from 44;
    checkpoints_announce_first:
        Checkpoint in the order Write SyncData Announce WriteSums SyncSums Header Tell Release,
        from 2;
    checkpoints_sum_what_is_synced:
        Checkpoint in the order Announce Write WriteSums SyncSums SyncData Header Tell Release,
        from 30;
    checkpoints_release_last:
        Checkpoint in the order Announce Write SyncData WriteSums SyncSums Release Header Tell,
        from 106;
    checkpoints_sum: Checkpoint in the order Announce Write SyncData Header Tell Release, from 7;
    recoveries_write_the_header_last:
        Recovery in the order Header Announce Write SyncData WriteSums SyncSums Tell Release,
        from 19;
    recoveries_announce_first:
        Recovery in the order Write SyncData Announce WriteSums SyncSums Header Tell Release,
        from 30;
    recoveries_release_last:
        Recovery in the order Announce Write SyncData WriteSums SyncSums Release Header Tell,
        from 213;
    recoveries_sum: Recovery in the order Announce Write SyncData Header Tell Release, from 9;
    flushes_write_the_header_last:
        Flush in the order Header SyncData WriteSums SyncSums Tell, from 2;
    flushes_sum: Flush in the order SyncData Header Tell, from 42;
    edits_write_the_header_last:
        FinishEdit in the order Header SyncData WriteSums SyncSums Tell, from 168;
    edits_sum: FinishEdit in the order SyncData Header Tell, from 30;
    edits_are_marked: BeginEdit in the order Tell, from 121;
    truncations_announce_first:
        Truncate in the order Header Header Announce CutSums Cut Tell, from 223;
    truncations_cut_the_checksums: Truncate in the order Announce Header Header Cut Tell, from 1462;
    truncations_cut_the_checksums_after_the_headers:
        Truncate in the order Announce CutSums Header Header Cut Tell, from 80;
}

/// A truncation is killed after its header is written and before it is synced; the next handle
/// appends over the truncated records, and the power goes. The header from before the truncation
/// must not come back.
fn truncated_and_killed(seed: u64) -> Result<(), Stop> {
    let mut world = World::new(seed, false);
    (world.deletes, world.checksums, world.record_len) = (false, false, 100);
    world.bulk_only = false;
    let world = &mut world;
    exclusive::create(world)?;
    world.end(Ending::Drop)?;
    let mut next = Vec::new();
    let mut store = exclusive::open(world)?;
    exclusive::append(world, &mut store, &mut next)?;
    exclusive::flush(world, &mut store, &next)?;
    world.disk.strike_after(1, true, Fault::Kill);
    let killed = exclusive::truncate(world, &mut store, &mut next);
    drop(store);
    if !matches!(killed, Err(Stop::Struck)) {
        return killed; // There was nothing to truncate.
    }
    world.end(Ending::Kill)?;
    let mut store = exclusive::open(world)?;
    let mut next = exclusive::stamps(world, &store)?;
    world.find(&next)?;
    exclusive::append(world, &mut store, &mut next)?;
    let calls = world.random.below(4);
    world.disk.strike_after(calls, true, Fault::PowerCut);
    match exclusive::flush(world, &mut store, &next) {
        Ok(()) | Err(Stop::Struck) => {}
        failed => return failed,
    }
    drop(store);
    world.end(Ending::PowerCut)?;
    let store = exclusive::open(world)?;
    let found = exclusive::stamps(world, &store)?;
    world.find(&found)
}

#[test]
fn a_found_header_is_made_durable_before_anything_relies_on_it() {
    let broken = |seed: &u64| matches!(truncated_and_killed(*seed), Err(Stop::Broken(_)));
    assert_eq!((0..300).find(broken), None);
    let broken_without = without(&[Step::Settle], || (0..300).find(broken));
    assert!(broken_without.is_some(), "no history notices");
}

/// An append-only store is copied during writes: first the data file, and its log two commits
/// later. The log then counts records that the copied data file lacks.
fn copied_alive(seed: u64) -> Result<(), Stop> {
    let mut world = World::new(seed, false);
    (world.bulk_only, world.checksums, world.record_len) = (true, seed % 2 == 0, 900);
    let world = &mut world;
    exclusive::create(world)?;
    world.end(Ending::Drop)?;
    let database = transactional::open(world, 64 << 20)?;
    let mut next = Vec::new();
    let mut copied = Vec::new();
    for commit in 0..4 {
        if commit == 2 {
            let file = world.file()?;
            let len = file.len_bytes().map_err(|error| Stop::Broken(error.to_string()))?;
            copied = vec![0; in_memory(len)];
            let read = file.read_at(0, &mut copied);
            world.take("read", read)?;
        }
        let begun = database.begin_write();
        let mut transaction = world.take("begin", begun)?;
        transactional::append_many(world, &mut transaction, &mut next)?;
        world.oracle.attempt(Arc::new(next.clone()));
        let committed = transaction.commit(Durability::Immediate);
        world.take("commit", committed)?;
        world.acknowledge(true);
    }
    world.disk.bring_down();
    drop(database);
    world.end(Ending::Kill)?;
    let file = world.file()?;
    let rest = file.len_bytes().map_or(0, in_memory);
    // A data file that grew ahead ends in zeros.
    copied.resize(rest, 0);
    let written = file.write_at(0, &copied);
    world.take("write", written)?;
    match exclusive::look(world) {
        Err(Stop::Broken(refused)) if refused.contains("are not those that commit 3") => Ok(()),
        other => Err(Stop::Broken(format!("the copy is not refused: {other:?}"))),
    }
}

#[test]
fn long_appends_are_compared_with_the_log() {
    let broken = |seed: &u64| copied_alive(*seed).is_err();
    assert_eq!((0..6).find(broken), None);
    assert!(without(&[Step::LongAppendCheck], || (0..6).all(|seed| broken(&seed))));
}
