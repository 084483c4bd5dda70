//! Threads on one database: some move amounts between records, some hold snapshots and add them up,
//! one checkpoints. Every snapshot must have the same sum while it is held.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flatrec::{Database, Durability, ErrorKind, PodRecord, Snapshot, Store};

use crate::support::random::Random;
use crate::support::settings;

/// An amount, the number of the last transfer, and a checksum of both.
type Account = PodRecord<[u64; 3]>;

const ACCOUNTS: u64 = 3000;
const AMOUNT: u64 = 1 << 40;
const WRITERS: u64 = 4;
const READERS: u64 = 3;

fn account(amount: u64, transfer: u64) -> Account {
    PodRecord([amount, transfer, amount.rotate_left(31) ^ transfer])
}

/// The duration of the test.
fn span() -> Duration {
    settings::seconds(if cfg!(debug_assertions) { 1 } else { 3 })
}

/// Moves amounts from several accounts to another, and appends records sometimes: each record
/// behind the accounts is a receipt with an amount of 0.
fn transfer(database: &Database<Account>, random: &mut Random) -> u64 {
    let mut transaction = database.begin_write().unwrap();
    // The first account holds the number of the transfer.
    let number = transaction.get(0).unwrap().0[1] + 1;
    for _ in 0..1 + random.below(200) {
        let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
        let moved = random.below(1000);
        for (id, change) in [(from, moved.wrapping_neg()), (to, moved)] {
            let there = transaction.get_mut(id).unwrap().unwrap();
            *there = account(there.0[0].wrapping_add(change), number);
        }
    }
    let first = transaction.get(0).unwrap().0[0];
    transaction.set(0, &account(first, number)).unwrap();
    let receipts = match random.below(400) {
        0 => 50_000, // a long append
        1..80 => random.below(100),
        _ => 0,
    };
    let receipts = vec![account(0, number); receipts as usize];
    transaction.append_slice(&receipts).unwrap();
    if random.below(10) == 0 {
        transaction.rollback();
        return 0;
    }
    let how = [Durability::Eventual, Durability::Immediate][random.below(2) as usize];
    let receipt = transaction.commit(how).unwrap();
    assert!(
        database.begin_read().unwrap().commit_id() >= receipt.commit_id(),
        "a new snapshot misses this thread's commit"
    );
    receipt.commit_id().get()
}

/// Adds up the accounts of a snapshot and its last receipts. Panics if the snapshot is not one
/// commit.
fn sum(snapshot: &Snapshot<Account>) -> (u64, u64) {
    let newest = snapshot.get(0).unwrap().0[1];
    let mut total = 0_u64;
    let mut digest = 0_u64;
    let mut records = 0;
    let receipts = snapshot.count().saturating_sub(500).max(ACCOUNTS)..snapshot.count();
    for (id, row) in snapshot.range(0..ACCOUNTS).chain(snapshot.range(receipts.clone())) {
        let [amount, transfer, _] = row.0;
        assert_eq!(*row, account(amount, transfer), "record {id} is torn");
        assert!(
            transfer <= newest,
            "record {id} is of transfer {transfer}, but the last is {newest}"
        );
        total = total.wrapping_add(amount);
        digest = digest.rotate_left(5) ^ amount ^ transfer;
        records += 1;
    }
    assert_eq!(records, ACCOUNTS + receipts.end - receipts.start);
    assert_eq!(total, ACCOUNTS * AMOUNT, "the sum of commit {} is wrong", snapshot.commit_id());
    (newest, digest)
}

/// Holds several snapshots, and releases them in any order.
fn read(database: &Database<Account>, random: &mut Random, done: &AtomicBool) -> u64 {
    let mut held: Vec<(Snapshot<Account>, (u64, u64))> = Vec::new();
    let mut newest = (0, 0);
    let mut seen = 0;
    while !done.load(Relaxed) || seen == 0 {
        let snapshot = database.begin_read().unwrap();
        let found = sum(&snapshot);
        assert!(snapshot.commit_id().get() >= newest.0, "a snapshot is older than the last one");
        assert!(found.0 >= newest.1, "a snapshot shows an older transfer than the last one");
        newest = (snapshot.commit_id().get(), found.0);
        held.push((snapshot, found));
        seen += 1;
        while held.len() as u64 > random.below(8) {
            let (snapshot, found) = held.swap_remove(random.below(held.len() as u64) as usize);
            assert_eq!(sum(&snapshot), found, "a snapshot changed");
        }
    }
    seen
}

/// Finds a snapshot that shows a part of a transaction.
#[test]
fn every_snapshot_has_the_same_sum() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accounts");
    Database::<Account>::create(&path).unwrap().close().unwrap();
    let options = Database::<Account>::options().checkpoint_at(100 << 10);
    let database = options.clone().open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&vec![account(AMOUNT, 0); ACCOUNTS as usize]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();

    let done = AtomicBool::new(false);
    let last = AtomicU64::new(0);
    let (commits, checkpoints, snapshots) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let end = Instant::now() + span();
    std::thread::scope(|scope| {
        let (database, done, last) = (&database, &done, &last);
        let writers: Vec<_> = (0..WRITERS)
            .map(|seed| {
                let commits = &commits;
                scope.spawn(move || {
                    let mut random = Random::new(seed + 1);
                    // A limit, because the file would grow for ever on a fast disk.
                    while Instant::now() < end && database.begin_read().unwrap().count() < 3_000_000
                    {
                        last.fetch_max(transfer(database, &mut random), Relaxed);
                        commits.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        for seed in 0..READERS {
            let snapshots = &snapshots;
            scope.spawn(move || {
                let seen = read(database, &mut Random::new(100 + seed), done);
                snapshots.fetch_add(seen, Relaxed);
            });
        }
        let checkpoints = &checkpoints;
        scope.spawn(move || {
            while !done.load(Relaxed) {
                let before = database.begin_read().unwrap().commit_id().get();
                let checkpoint = database.checkpoint().unwrap();
                assert!(checkpoint.held_back().is_some() || checkpoint.commit_id().get() >= before);
                checkpoints.fetch_add(u64::from(checkpoint.records() > 0), Relaxed);
                std::thread::yield_now();
            }
        });
        // Ends the other threads even if a writer fails.
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Relaxed);
        ended.into_iter().for_each(|writer| writer.unwrap());
    });
    assert!(
        checkpoints.load(Relaxed) > 1,
        "no checkpoint wrote records beside {} commits and {} snapshots",
        commits.load(Relaxed),
        snapshots.load(Relaxed)
    );
    let found = sum(&database.begin_read().unwrap());
    assert!(database.begin_read().unwrap().commit_id().get() >= last.load(Relaxed));
    database.close().unwrap();
    let store = Store::<Account>::open(&path).unwrap();
    assert_eq!(store.get(0).unwrap().0[1], found.0);
    drop(store);
    let database = options.open(&path).unwrap();
    assert_eq!(sum(&database.begin_read().unwrap()), found);
}

/// Finds a panic in a transaction that leaves a change, or leaves other threads waiting.
#[test]
fn a_panic_in_a_transaction_does_not_stop_other_threads() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::<Account>::create(directory.path().join("accounts")).unwrap();
    let panicked = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut transaction = database.begin_write().unwrap();
            transaction.append_slice(&vec![account(1, 1); 100_000]).unwrap();
            assert_eq!(transaction.set(200_000, &account(1, 1)).unwrap_err().kind(), ErrorKind::Io);
        });
        thread.join()
    });
    assert!(panicked.is_err());
    let mut transaction = database.begin_write().unwrap();
    assert_eq!(transaction.count(), 0);
    assert_eq!(transaction.append(&account(2, 2)).unwrap(), 0);
    transaction.commit(Durability::Immediate).unwrap();
    assert_eq!(database.begin_read().unwrap().get(0), Some(&account(2, 2)));
    database.close().unwrap();
}
