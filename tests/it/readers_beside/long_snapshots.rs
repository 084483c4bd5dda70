//! The log beside a long snapshot, and records of the greatest size.

use flatrec::{
    DataType, Database, Durability, DynDatabase, DynStore, ErrorKind, Field, Schema, VerifyOptions,
};

use super::Account;

/// Finds arithmetic of a reader that overflows with the largest records.
#[test]
fn readers_follow_records_of_the_largest_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.rec");
    const SIZE: usize = 16 << 20;
    let schema = Schema::packed([Field::new("a", DataType::Binary(SIZE as u32))]).unwrap();
    let database = DynDatabase::create_options().checksums(true).create(&path, &schema).unwrap();
    let record = |n: u8| vec![n; SIZE];
    let mut transaction = database.begin_write().unwrap();
    for n in 0..3 {
        transaction.append(&record(n)).unwrap();
    }
    transaction.set(0, &record(9)).unwrap();
    transaction.get_mut(2).unwrap().unwrap()[5] = 77;
    assert!(transaction.get(u64::MAX).is_none());
    assert!(transaction.get_mut(u64::MAX).unwrap().is_none());
    assert_eq!(transaction.set(u64::MAX, &record(0)).unwrap_err().kind(), ErrorKind::OutOfRange);
    transaction.commit(Durability::Immediate).unwrap();
    let snapshot = database.begin_read().unwrap();
    assert!(snapshot.get(u64::MAX).is_none());
    assert_eq!(snapshot.range(u64::MAX..u64::MAX).count(), 0);
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = snapshot.range(5..1).count();
    assert_eq!(reversed, 0);
    assert_eq!((snapshot.get(0).unwrap()[7], snapshot.get(2).unwrap()[5]), (9, 77));
    drop(snapshot);
    database.checkpoint().unwrap();
    let snapshot = database.begin_read().unwrap();
    assert_eq!((snapshot.get(0).unwrap()[7], snapshot.get(2).unwrap()[5]), (9, 77));
    drop(snapshot);
    database.close().unwrap();
    assert_eq!(flatrec::verify(&path, VerifyOptions::new()).unwrap().problems_found, 0);
}

/// Finds a reader that forgets the padding after the status byte.
#[test]
fn readers_follow_records_of_the_largest_alignment_with_deletes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aligned.rec");
    let schema = Schema::new(vec![Field::new("a", DataType::Binary(4096))], 4096, 4096).unwrap();
    let database = DynDatabase::create_options().deletes(true).create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..600_u64 {
        transaction.append(&[n as u8; 4096]).unwrap();
    }
    assert!(transaction.delete(10).unwrap() && !transaction.delete(10).unwrap());
    assert!(transaction.delete(599).unwrap());
    assert_eq!(transaction.insert(&[1; 4096]).unwrap(), 599);
    drop(transaction);
    let mut transaction = database.begin_write().unwrap();
    assert_eq!(transaction.append(&[5; 4096]).unwrap(), 0);
    assert!(transaction.get(1).is_none() && transaction.get(599).is_none());
    assert!(!transaction.delete(1).unwrap());
    transaction.commit(Durability::Eventual).unwrap();
    assert_eq!(database.begin_read().unwrap().get(0).unwrap()[..3], [5, 5, 5]);
    assert!(database.begin_read().unwrap().get(0).unwrap().as_ptr().align_offset(4096) == 0);
    database.close().unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!((store.count(), store.live_count()), (1, 1));
}

/// Finds a log that stays large after the long snapshot has ended.
#[test]
fn a_log_shrinks_after_the_snapshot_that_held_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bank.rec");
    let at = 256 << 10;
    let database = Database::<Account>::create_options().checkpoint_at(at).create(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&[Account { cents: 1, pad: [0; 7] }; 1000]).unwrap();
    transaction.commit(Durability::Eventual).unwrap();
    let change = |cents: i64| {
        let mut transaction = database.begin_write().unwrap();
        for id in 0..1000 {
            transaction.get_mut(id).unwrap().unwrap().cents = cents;
        }
        transaction.commit(Durability::Eventual).unwrap();
    };
    let log_bytes = || -> u64 {
        let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap());
        files
            .filter(|file| file.file_name().to_str().unwrap().contains("-wal-"))
            .map(|file| file.metadata().unwrap().len())
            .sum()
    };
    let snapshot = database.begin_read().unwrap();
    for n in 0..300 {
        change(n);
    }
    let grown = log_bytes();
    drop(snapshot);
    // Several times the log size of a checkpoint.
    for n in 0..40 {
        change(n);
    }
    let left = log_bytes();
    assert!(left <= grown / 2, "the log had {grown} bytes, and has {left} after the snapshot");
}
