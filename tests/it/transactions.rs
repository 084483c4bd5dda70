//! Databases: transactions, snapshots, checkpoints, and what the next handle finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flatrec::{
    DataType, Database, Durability, DynDatabase, DynStore, ErrorKind, Field, PodRecord, Schema,
    Store, Survives, VerifyOptions, WindowedStore,
};

use crate::support::random::Random;

type Numbers = PodRecord<[u64; 3]>;

fn number(n: u64) -> Numbers {
    PodRecord([n, n * n, !n])
}

struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    Place { _directory: directory, path }
}

/// Makes a database of records with their own numbers, committed and checkpointed.
fn filled(path: &Path, records: u64) -> Database<Numbers> {
    let database = Database::<Numbers>::create(path).unwrap();
    append(&database, 0..records);
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    database
}

fn append(database: &Database<Numbers>, numbers: std::ops::Range<u64>) {
    let mut transaction = database.begin_write().unwrap();
    for n in numbers {
        assert_eq!(transaction.append(&number(n)).unwrap(), n);
    }
    transaction.commit(Durability::Immediate).unwrap();
}

fn set(database: &Database<Numbers>, id: u64, to: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.set(id, &number(to)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
}

/// The segments of the store's log.
fn log_files(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("-wal-")).collect();
    names.sort();
    names
}

/// Drops the handle as if its process were killed: its locks end, and the store is not closed.
fn kill(database: Database<Numbers>, path: &Path) {
    let copy = path.with_extension("killed");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    drop(database);
    for entry in std::fs::read_dir(&copy).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), path.parent().unwrap().join(entry.file_name())).unwrap();
    }
    std::fs::remove_dir_all(copy).unwrap();
}

/// Finds a rollback that leaves a change, or a commit that loses one.
#[test]
fn a_transaction_happens_completely_or_not_at_all() {
    let place = place();
    let database = filled(&place.path, 10);
    let mut transaction = database.begin_write().unwrap();
    transaction.get_mut(3).unwrap().unwrap().0[0] = 33;
    transaction.set(4, &number(44)).unwrap();
    assert_eq!(transaction.append(&number(10)).unwrap(), 10);
    assert_eq!(transaction.get(3).unwrap().0, [33, 9, !3]);
    assert_eq!(transaction.get(4), Some(&number(44)));
    assert_eq!((transaction.get(10), transaction.count()), (Some(&number(10)), 11));
    assert!(transaction.get(11).is_none() && transaction.get_mut(11).unwrap().is_none());
    assert_eq!(transaction.set(11, &number(0)).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(database.begin_read().unwrap().get(3), Some(&number(3)));
    transaction.rollback();
    let snapshot = database.begin_read().unwrap();
    assert!((0..10).all(|n| snapshot.get(n) == Some(&number(n))));
    assert_eq!((snapshot.count(), snapshot.get(10)), (10, None));
}

/// Finds a commit or a checkpoint that changes what an older snapshot shows.
#[test]
fn a_snapshot_does_not_change() {
    let place = place();
    let database = filled(&place.path, 1000);
    let mut snapshots = Vec::new();
    for round in 1..40 {
        snapshots.push((round, database.begin_read().unwrap()));
        let mut transaction = database.begin_write().unwrap();
        for id in (0..1000).step_by(round as usize) {
            transaction.set(id, &number(id + round)).unwrap();
        }
        transaction.append(&number(round)).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        if round % 5 == 0 {
            snapshots.remove(snapshots.len() / 3);
            database.checkpoint().unwrap();
        }
    }
    let value = |id: u64, rounds: u64| {
        (1..rounds).rev().find(|round| id % round == 0).map_or(id, |round| id + round)
    };
    let check = |(round, snapshot): &(u64, flatrec::Snapshot<Numbers>)| {
        assert_eq!(snapshot.count(), 1000 + round - 1);
        for id in 0..1000 {
            assert_eq!(snapshot.get(id), Some(&number(value(id, *round))), "{id} in {round}");
        }
        assert!((1..*round).all(|n| snapshot.get(999 + n) == Some(&number(n))));
    };
    snapshots.iter().for_each(check);
    let held = database.checkpoint().unwrap();
    assert!(held.held_back().unwrap().contains("snapshot of commit"), "{held:?}");
    snapshots.iter().for_each(check);
    let last = snapshots.pop().unwrap();
    drop(snapshots);
    database.checkpoint().unwrap();
    check(&last);
    drop(database); // the log stays for the snapshot
    check(&last);
    assert!(!log_files(&place.path).is_empty());
    drop(last);
    let store = Store::<Numbers>::open(&place.path).unwrap();
    assert_eq!(store.count(), 1039);
    assert_eq!(store.get(780), Some(&number(780 + 39)));
    assert!(log_files(&place.path).is_empty());
}

/// Finds a commit that only its process knows.
#[test]
fn commits_of_a_killed_process_are_recovered() {
    let place = place();
    let database = filled(&place.path, 100);
    for n in 0..100 {
        set(&database, n, n + 1000);
    }
    append(&database, 100..300);
    let mut open = database.begin_write().unwrap();
    open.set(0, &number(7)).unwrap();
    drop(open);
    kill(database, &place.path);
    let check = |get: &dyn Fn(u64) -> Option<Numbers>| {
        let expected = |n| if n < 100 { n + 1000 } else { n };
        assert!((0..300).all(|n| get(n) == Some(number(expected(n)))));
        assert_eq!(get(300), None);
    };
    // Readers see the commits in the log and leave the log.
    let store = Store::<Numbers>::open_read_only(&place.path).unwrap();
    check(&|n| store.get(n).copied());
    assert_eq!(store.iter().count(), 300);
    assert_eq!(store.slice(98..102).unwrap()[1..3], [number(1099), number(100)]);
    drop(store);
    let mut private = Store::<Numbers>::open_private(&place.path).unwrap();
    check(&|n| private.get(n).copied());
    let mut edit = private.edit().unwrap();
    edit.get_mut(0).unwrap().unwrap().0[0] = 1;
    edit.finish().unwrap();
    drop(private);
    let windowed = WindowedStore::<Numbers>::read_options()
        .max_mapped_bytes(1 << 20)
        .window_bytes(1 << 16)
        .open_read_only(&place.path)
        .unwrap();
    check(&|n| windowed.get(n).unwrap().map(|record| *record));
    assert!(
        windowed
            .range(..300)
            .map(Result::unwrap)
            .all(|(n, record)| { record == number(if n < 100 { n + 1000 } else { n }) })
    );
    drop(windowed);
    assert!(!log_files(&place.path).is_empty());
    // A database continues the log, and a store brings it to the array.
    let database = Database::<Numbers>::open(&place.path).unwrap();
    let snapshot = database.begin_read().unwrap();
    check(&|n| snapshot.get(n).copied());
    drop(snapshot);
    kill(database, &place.path);
    let store = Store::<Numbers>::open(&place.path).unwrap();
    check(&|n| store.get(n).copied());
    assert!(log_files(&place.path).is_empty());
    store.close().unwrap();
    let len = std::fs::metadata(&place.path).unwrap().len();
    assert_eq!(len, 65_536 + 300 * 24);
}

/// Finds a log that a clean close leaves.
#[test]
fn a_clean_close_leaves_a_flat_file_without_a_log() {
    let place = place();
    let database = filled(&place.path, 10);
    set(&database, 3, 33);
    assert_eq!(log_files(&place.path), ["numbers.rec-wal-1"]);
    database.close().unwrap();
    assert!(log_files(&place.path).is_empty());
    assert_eq!(std::fs::metadata(&place.path).unwrap().len(), 65_536 + 240);
    let store = Store::<Numbers>::open_read_only(&place.path).unwrap();
    assert_eq!(store.get(3), Some(&number(33)));
}

/// Finds a long append that the log holds in full, or that a kill loses.
#[test]
fn long_appends_go_to_the_array_and_short_ones_to_the_log() {
    let place = place();
    let database = filled(&place.path, 10);
    let before = database.begin_read().unwrap();
    let mut transaction = database.begin_write().unwrap();
    let many: Vec<Numbers> = (10..200_000).map(number).collect();
    assert_eq!(transaction.append_slice(&many).unwrap(), 10..200_000);
    assert_eq!(transaction.get(100_000), Some(&number(100_000)));
    transaction.get_mut(100_000).unwrap().unwrap().0[0] = 5;
    transaction.get_mut(199_999).unwrap().unwrap().0[0] = 6;
    let receipt = transaction.commit(Durability::Eventual).unwrap();
    assert!(receipt.survives() >= Survives::Process);
    let log: u64 = log_files(&place.path)
        .iter()
        .map(|name| std::fs::metadata(place.path.with_file_name(name)).unwrap().len())
        .sum();
    assert!(log < 1 << 20, "{log} bytes of log");
    assert_eq!((before.count(), before.get(10)), (10, None));
    drop(before); // the handle would keep its locks
    kill(database, &place.path);
    let database = Database::<Numbers>::open(&place.path).unwrap();
    let after = database.begin_read().unwrap();
    assert_eq!(after.count(), 200_000);
    for n in 10..200_000 {
        let expected = match n {
            100_000 => PodRecord([5, n * n, !n]),
            199_999 => PodRecord([6, n * n, !n]),
            _ => number(n),
        };
        assert_eq!(after.get(n), Some(&expected));
    }
}

/// Finds an update that two threads lose.
#[test]
fn threads_commit_together_and_lose_nothing() {
    let place = place();
    let database = filled(&place.path, 8);
    std::thread::scope(|scope| {
        for id in 0..8 {
            let database = &database;
            scope.spawn(move || {
                let mut last = 0;
                for _ in 0..50 {
                    let mut transaction = database.begin_write().unwrap();
                    transaction.get_mut(id).unwrap().unwrap().0[1] += 1;
                    transaction.get_mut((id + 1) % 8).unwrap().unwrap().0[2] ^= 1;
                    let durability =
                        if id % 3 == 0 { Durability::Eventual } else { Durability::Immediate };
                    let receipt = transaction.commit(durability).unwrap();
                    assert!(receipt.commit_id().get() > last);
                    last = receipt.commit_id().get();
                    // The next snapshot of a thread shows its commit.
                    assert!(database.begin_read().unwrap().commit_id().get() >= last);
                }
            });
        }
    });
    let snapshot = database.begin_read().unwrap();
    assert!((0..8).all(|id| snapshot.get(id).unwrap().0[1] == id * id + 50));
}

/// Finds a checkpoint that overwrites records that another process reads.
#[test]
fn open_readers_hold_back_checkpoints_and_not_commits() {
    let place = place();
    let database = filled(&place.path, 10);
    let reader = Store::<Numbers>::open_read_only(&place.path).unwrap();
    let lent = reader.get(3).unwrap();
    set(&database, 3, 33);
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().unwrap().contains("reader"), "{checkpoint:?}");
    assert_eq!(lent, &number(3));
    let later = Store::<Numbers>::open_read_only(&place.path).unwrap();
    assert_eq!(later.get(3), Some(&number(33)));
    database.close().unwrap();
    assert_eq!(lent, &number(3));
    let refused = Store::<Numbers>::open(&place.path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    drop((reader, later));
    assert_eq!(Store::<Numbers>::open(&place.path).unwrap().get(3), Some(&number(33)));
}

/// Finds an error that does not say why the log is full.
#[test]
fn a_full_log_names_the_reader() {
    let place = place();
    filled(&place.path, 100).close().unwrap();
    let options = Database::<Numbers>::options().checkpoint_at(8 << 10).max_log(32 << 10);
    let database = options.open(&place.path).unwrap();
    let snapshot = database.begin_read().unwrap();
    let mut commits = 0;
    let error = loop {
        let mut transaction = database.begin_write().unwrap();
        transaction.set(5, &number(commits)).unwrap();
        match transaction.commit(Durability::Eventual) {
            Ok(_) => commits += 1,
            Err(error) => break error,
        }
        assert!(commits < 1000);
    };
    assert_eq!(error.kind(), ErrorKind::LogFull);
    assert!(error.to_string().contains("snapshot of commit"), "{error}");
    assert_eq!(snapshot.get(5), Some(&number(5)));
    drop(snapshot);
    set(&database, 5, 7000);
    assert_eq!(database.begin_read().unwrap().get(5), Some(&number(7000)));
}

fn schema() -> Schema {
    Schema::packed([Field::new("r", DataType::Binary(13))]).unwrap()
}

/// Finds a deleted record that a snapshot shows, or a place that no insert uses again.
#[test]
fn deleted_records_disappear_and_inserts_reuse_their_places() {
    let place = place();
    let options = DynDatabase::create_options().deletes(true);
    let database = options.create(&place.path, &schema()).unwrap();
    let record = |n: u64| format!("record {n:06}").into_bytes();
    let mut model: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut random = Random::new(99);
    let mut draw = |below: u64| random.below(below);
    let mut next = 0;
    for round in 0..200 {
        let mut transaction = database.begin_write().unwrap();
        for _ in 0..draw(20) {
            match draw(4) {
                0 => {
                    let id = draw(next + 1);
                    assert_eq!(transaction.delete(id).unwrap(), model.remove(&id).is_some());
                }
                1 => {
                    let id = transaction.append(&record(round)).unwrap();
                    assert!(model.insert(id, record(round)).is_none() && id == next);
                    next += 1;
                }
                _ => {
                    let id = transaction.insert(&record(round + 1000)).unwrap();
                    assert!(model.insert(id, record(round + 1000)).is_none());
                    next = next.max(id + 1);
                }
            }
        }
        assert!((0..next + 1).all(|id| transaction.get(id) == model.get(&id).map(|r| &r[..])));
        transaction.commit(Durability::Eventual).unwrap();
        if round % 17 == 0 {
            database.checkpoint().unwrap();
        }
        let snapshot = database.begin_read().unwrap();
        assert_eq!((snapshot.count(), snapshot.live_count()), (next, model.len() as u64));
        assert!(snapshot.iter().eq(model.iter().map(|(&id, record)| (id, &record[..]))));
    }
    database.close().unwrap();
    let database = DynDatabase::open(&place.path).unwrap();
    let snapshot = database.begin_read().unwrap();
    assert!(snapshot.iter().eq(model.iter().map(|(&id, record)| (id, &record[..]))));
}

/// Finds a delete that a store without status bytes accepts, or a record of the wrong length.
#[test]
fn deletes_without_status_bytes_and_wrong_lengths_are_refused() {
    let place = place();
    let database = DynDatabase::create(&place.path, &schema()).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[1; 13]).unwrap();
    assert_eq!(transaction.delete(0).unwrap_err().kind(), ErrorKind::Unsupported);
    let wrong = transaction.append(&[1; 12]).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidArgument);
    assert!(wrong.to_string().contains("numbers.rec"), "{wrong}");
    assert_eq!(transaction.set(0, &[1; 14]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(transaction.append_packed(&[1; 27]).is_err());
    assert_eq!(transaction.append_packed(&[2; 26]).unwrap(), 1..3);
    transaction.commit(Durability::Immediate).unwrap();
    assert_eq!(DynStore::open_read_only(&place.path).unwrap().count(), 3);
}

/// Finds a checkpoint that makes a damaged block look sound.
#[test]
fn a_checkpoint_keeps_checksums_and_never_sums_damage() {
    let place = place();
    let options = Database::<Numbers>::create_options().checksums(true);
    let database = options.create(&place.path).unwrap();
    append(&database, 0..10_000); // four blocks of 64 KiB
    let verified = || flatrec::verify(&place.path, VerifyOptions::new()).unwrap();
    let report = verified();
    assert_eq!((report.records, report.commits_in_log), (10_000, 1), "{:?}", report.problems);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    database.checkpoint().unwrap();
    set(&database, 5, 55);
    set(&database, 9000, 9);
    assert!(verified().problems.is_empty());
    database.checkpoint().unwrap();
    append(&database, 10_000..100_000); // a long append
    assert!(verified().problems.is_empty());
    kill(database, &place.path);
    assert!(verified().problems.is_empty());
    let database = Database::<Numbers>::open(&place.path).unwrap();
    assert!(verified().problems.is_empty());
    set(&database, 99_999, 1);
    database.close().unwrap();
    let report = verified();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.checksums, flatrec::Checksums::Present { blocks: 37 });

    // Damages the second block, which no handle has compared yet.
    let mut bytes = std::fs::read(&place.path).unwrap();
    bytes[65_536 + 100_000] ^= 1;
    std::fs::write(&place.path, bytes).unwrap();
    let database = Database::<Numbers>::open(&place.path).unwrap();
    set(&database, 3000, 3);
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!(checkpoint.damaged()[0].records, 2730..5462);
    set(&database, 4000, 4);
    assert_eq!(database.begin_read().unwrap().get(3000), Some(&number(3)));
    database.close().unwrap();
    let report = verified();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].what.contains("records 2730..5462"), "{:?}", report.problems);
}
