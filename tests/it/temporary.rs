//! Databases without a name: all of a database, and nothing that stays.
#![cfg(feature = "derive")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use flatrec::{Database, Durability, DynDatabase, ErrorKind, PodRecord, Record, Store, Survives};

use crate::support::files::names;
use crate::support::numbered::{N, add};
use crate::support::process;
use crate::support::random::Random;
use crate::support::script::ends_within;
use crate::support::settings;

const LIMIT: Duration = Duration::from_secs(60);

/// Finds a commit that claims to survive something, and a handle that has a path.
#[test]
fn a_commit_survives_nothing_and_says_so() {
    let database = Database::<N>::temporary().unwrap();
    for durability in [Durability::Eventual, Durability::Immediate] {
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&N { n: 7 }).unwrap();
        let receipt = transaction.commit(durability).unwrap();
        assert_eq!(receipt.survives(), Survives::Nothing, "{durability:?}");
        assert_eq!(receipt.commit_id(), database.commit_id());
    }
    assert_eq!(database.path(), None);
    assert!(database.readers().unwrap().is_empty());
    database.close().unwrap();
    // A store in a directory survives at least the end of its process.
    let directory = tempfile::tempdir().unwrap();
    let database = Database::<N>::create(directory.path().join("s")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&N { n: 7 }).unwrap();
    assert_eq!(transaction.commit(Durability::Eventual).unwrap().survives(), Survives::Process);
}

/// Finds options that a temporary database ignores.
#[test]
fn a_temporary_database_has_its_options() {
    let options = || Database::<N>::create_options().metadata("m").deletes(true);
    let database = options().temporary().unwrap();
    assert_eq!(database.metadata().unwrap(), b"m");
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&[N { n: 1 }, N { n: 2 }]).unwrap();
    transaction.delete(0).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let snapshot = database.begin_read().unwrap();
    assert_eq!(
        (snapshot.live_count(), snapshot.get(0), snapshot.get(1)),
        (1, None, Some(&N { n: 2 }))
    );
    drop(snapshot);

    let error = options().checksums(true).temporary().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let schema = N::schema().unwrap();
    let bytes = DynDatabase::create_options().max_log(64 << 10).temporary(&schema).unwrap();
    assert_eq!(bytes.schema(), &schema);
    // A snapshot holds checkpoints back, and so the log reaches its limit.
    let mut transaction = bytes.begin_write().unwrap();
    transaction.append(&[7; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let held = bytes.begin_read().unwrap();
    let full = (0..10_000).find_map(|n: u64| {
        let mut transaction = bytes.begin_write().unwrap();
        transaction.set(0, &n.to_ne_bytes()).unwrap();
        transaction.commit(Durability::Eventual).err()
    });
    assert_eq!(full.unwrap().kind(), ErrorKind::LogFull);
    assert_eq!(held.get(0), Some(&[7; 8][..]));
    drop(held);
    assert_eq!(bytes.checkpoint().unwrap().held_back(), None);
}

/// Finds a snapshot that changes, a checkpoint that loses or reveals something, and a rollback that
/// leaves something, in random histories.
#[test]
fn transactions_snapshots_and_checkpoints_are_those_of_any_database() {
    let seed = settings::seed(11);
    for case in 0..settings::cases(4) {
        let mut random = Random::new(seed + case);
        let checkpoint_at = 4096 << random.below(6);
        let options = Database::<N>::create_options().checkpoint_at(checkpoint_at);
        let database = options.temporary().unwrap();
        let mut expected: Vec<u64> = Vec::new();
        let mut held = Vec::new();
        for step in 0..400 {
            let mut transaction = database.begin_write().unwrap();
            let mut next = expected.clone();
            // Once in a while a long append, which goes to the data file itself.
            let appended = if random.one_in(60) { (1 << 17) + 9 } else { random.below(40) };
            for n in 0..appended {
                transaction.append(&N { n: step + n }).unwrap();
                next.push(step + n);
            }
            for _ in 0..random.below(20).min(next.len() as u64) {
                let id = random.below(next.len() as u64);
                transaction.set(id, &N { n: step }).unwrap();
                next[id as usize] = step;
            }
            if random.one_in(5) {
                transaction.rollback();
            } else {
                let durability = [Durability::Eventual, Durability::Immediate];
                transaction.commit(durability[random.below(2) as usize]).unwrap();
                expected = next;
            }
            if random.one_in(10) {
                database.checkpoint().unwrap();
            }
            if random.one_in(20) {
                held.push((database.begin_read().unwrap(), expected.clone()));
            }
            if random.one_in(30) && !held.is_empty() {
                held.swap_remove(random.below(held.len() as u64) as usize);
            }
            held.retain(|(snapshot, _)| snapshot.count() < 1 << 18);
            if expected.len() > 1 << 18 {
                break;
            }
        }
        held.push((database.begin_read().unwrap(), expected));
        for (snapshot, expected) in &held {
            assert!(snapshot.iter().map(|(_, record)| &record.n).eq(expected), "case {case}");
        }
        drop(held);
        database.close().unwrap();
    }
}

/// Finds a database that ends before its owned transaction, or that a thread cannot share.
#[test]
fn threads_share_it_and_owned_transactions_keep_it() {
    let database = Arc::new(Database::<N>::temporary().unwrap());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let database = Arc::clone(&database);
            std::thread::spawn(move || (0..50).for_each(|n| add(&database, thread * 50 + n)))
        })
        .collect();
    ends_within(LIMIT, || threads.into_iter().for_each(|thread| thread.join().unwrap()));
    let snapshot = database.begin_read().unwrap();
    let mut found: Vec<u64> = snapshot.iter().map(|(_, record)| record.n).collect();
    found.sort_unstable();
    assert!(found.into_iter().eq(0..200));

    let mut owned = database.begin_write_owned().unwrap();
    let database = Arc::into_inner(database).unwrap();
    assert_eq!(database.close().unwrap_err().kind(), ErrorKind::TransactionInProgress);
    owned.append(&N { n: 200 }).unwrap();
    assert_eq!(owned.count(), 201);
    owned.commit(Durability::Immediate).unwrap();
    assert_eq!(snapshot.count(), 200, "a snapshot outlives its database");
}

/// Finds two databases that share a log or records.
#[test]
fn temporary_databases_have_nothing_in_common() {
    let databases: Vec<_> = (0..5).map(|_| Database::<N>::temporary().unwrap()).collect();
    for (database, n) in databases.iter().zip(0..) {
        (0..=n).for_each(|_| add(database, n));
    }
    for (database, n) in databases.iter().zip(0..) {
        let snapshot = database.begin_read().unwrap();
        assert_eq!(snapshot.count(), n + 1);
        assert!(snapshot.iter().all(|(_, record)| record.n == n));
    }
}

const CHILD: &str = "FLATREC_TEMPORARY_CHILD";
type Block = PodRecord<[u8; 4096]>;

/// Makes a database with a log, data and a checkpoint in the directory for temporary files that its
/// parent chose. Ends in the way that the parent wants.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    let Ok(end) = std::env::var(CHILD) else { return };
    let database = Database::<Block>::create_options().checkpoint_at(1 << 20).temporary().unwrap();
    for n in 0..1000_u64 {
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&PodRecord([n as u8; 4096])).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
    }
    let mut store = Store::<Block>::temporary().unwrap();
    store.append(&PodRecord([1; 4096])).unwrap();
    store.flush().unwrap();
    println!("\n! written");
    match &*end {
        "drop" => drop((database, store)),
        "close" => {
            database.close().unwrap();
            store.close().unwrap();
        }
        _ => {
            // Until its parent kills it.
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            unreachable!("the parent keeps the pipe open");
        }
    }
    println!("\n! ended");
}

/// Finds a file that a temporary database shows to other programs, or leaves behind.
#[test]
fn nothing_is_visible_and_nothing_stays_not_even_after_a_kill() {
    for end in ["drop", "close", "kill"] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = process::running("temporary::child");
        for variable in ["TMPDIR", "TMP", "TEMP"] {
            command.env(variable, directory.path());
        }
        let command = command.env(CHILD, end).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = |what: &str| lines.by_ref().any(|line| line.unwrap() == what);
        assert!(said("! written"), "{end}");
        if end == "kill" {
            if cfg!(unix) {
                assert_eq!(names(directory.path()), [""; 0], "{end}");
            }
            child.kill().unwrap();
        } else {
            assert!(said("! ended"), "{end}");
        }
        let status = child.wait().unwrap();
        assert_eq!(status.success(), end != "kill");
        assert_eq!(names(directory.path()), [""; 0], "{end}");
    }
}
