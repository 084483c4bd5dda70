//! Readers in unusual circumstances: words in the lock file that say nothing about the data file
//! beside it, devices that lose commits, lock files that appear late.

#![cfg(feature = "derive")]

#[path = "attacked_readers/other_names.rs"]
#[cfg(target_os = "linux")] // elsewhere a store has one name: docs/CONCURRENCY.md
mod other_names;
#[path = "attacked_readers/overlay.rs"]
#[cfg(target_os = "linux")]
mod overlay;
mod support;

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use flatrec::{Database, Durability, ReadOnlyDatabase, Record, Store};
use support::files::lock_file;

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Row {
    n: u64,
    filler: [u64; 15],
}

fn row(n: u64) -> Row {
    Row { n, filler: [n ^ 7; 15] }
}

fn append(database: &Database<Row>, rows: std::ops::Range<u64>) -> u64 {
    let mut transaction = database.begin_write().unwrap();
    for n in rows {
        transaction.append(&row(n)).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap().commit_id().get()
}

/// What `work` returns, if it does so in a moment.
fn in_a_moment<V: Send + 'static>(work: impl FnOnce() -> V + Send + 'static) -> V {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(20)).expect("it hangs, or panics")
}

/// Ends the process of this handle as if it were killed: nothing is tidied up.
fn kill(database: Database<Row>) {
    // The transaction that is leaked keeps the handle from closing the store when it is dropped.
    std::mem::forget(database.begin_write().unwrap());
    drop(database);
}

/// A store of ten records, copied, with twenty in the end; the copy is put back, as from a backup.
fn put_back(directory: &Path) -> PathBuf {
    let path = directory.join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    database.close().unwrap();
    std::fs::copy(&path, directory.join("copy")).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    for n in 10..20 {
        append(&database, n..n + 1);
    }
    database.close().unwrap();
    std::fs::rename(directory.join("copy"), &path).unwrap();
    path
}

#[test]
fn a_store_that_was_put_back_from_a_copy_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = put_back(directory.path());
    in_a_moment(move || {
        let store = Store::<Row>::open_read_only(&path).unwrap();
        assert_eq!(store.count(), 10);
    });
}

#[test]
fn a_reader_of_a_store_that_was_put_back_goes_by_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = put_back(directory.path());
    in_a_moment(move || {
        let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
        let mut snapshot = reader.begin_read().unwrap();
        assert_eq!(snapshot.count(), 10);
        assert_eq!(reader.commit_id(), snapshot.commit_id());
        assert!(snapshot.is_newest());
        assert!(!snapshot.refresh().unwrap());
        assert!(!reader.wait(snapshot.commit_id(), Duration::from_millis(10)).unwrap());
        // And follows a writer that comes later.
        let database = Database::<Row>::open(&path).unwrap();
        let commit = append(&database, 10..11);
        assert!(reader.wait(snapshot.commit_id(), Duration::from_secs(20)).unwrap());
        assert!(snapshot.refresh().unwrap());
        assert_eq!((snapshot.commit_id().get(), snapshot.count()), (commit, 11));
    });
}

/// With its log, too: what the words say to be in the array is in that of another file.
#[test]
fn a_log_that_was_put_back_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let log = directory.path().join("rows.rec-wal-1");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    let mut transaction = database.begin_write().unwrap();
    transaction.set(3, &row(33)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    kill(database);
    let copies = [path.clone(), log].map(|file| (std::fs::read(&file).unwrap(), file));
    Database::<Row>::open(&path).unwrap().close().unwrap();
    for (bytes, file) in copies {
        let aside = directory.path().join("aside");
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(aside, file).unwrap();
    }
    in_a_moment(move || {
        let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
        let snapshot = reader.begin_read().unwrap();
        let found: Vec<u64> = snapshot.iter().map(|(_, found)| found.n).collect();
        assert_eq!(found, [0, 1, 2, 33, 4, 5, 6, 7, 8, 9]);
    });
}

/// The device loses a commit that a reader holds, and other records take the place of its own.
#[test]
fn records_of_a_commit_that_is_no_more_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    // Far more than is logged: they go to their places in the array.
    append(&database, 10..20_000);
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    let held = snapshot.get(15_000).unwrap();
    kill(database);
    let log = directory.path().join("rows.rec-wal-1");
    let mut bytes = std::fs::read(&log).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 512 * 512;
    bytes[last..last + 512].fill(0);
    std::fs::write(&log, bytes).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    assert_eq!(database.begin_read().unwrap().count(), 10);
    append(&database, 1_000_010..1_020_000);
    assert_eq!(database.begin_read().unwrap().get(15_000), Some(&row(1_015_000)));
    database.checkpoint().unwrap();
    assert_eq!(*held, row(15_000));
    database.close().unwrap();
    assert_eq!(snapshot.get(19_999), Some(&row(19_999)));
    drop(snapshot);
    assert_eq!(reader.begin_read().unwrap().get(15_000), Some(&row(1_015_000)));
    let database = Database::<Row>::open(&path).unwrap();
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    append(&database, 0..100_000);
    assert_eq!(database.begin_read().unwrap().get(120_000 - 1), Some(&row(99_999)));
}

/// However long a lock file is, only the part for the slots takes room.
#[cfg(unix)] // elsewhere a file has its room once it has its length
#[test]
fn a_long_lock_file_takes_no_room() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    database.close().unwrap();
    let lock = std::fs::OpenOptions::new().write(true).open(lock_file(&path)).unwrap();
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    lock.set_len(256 << 20).unwrap();
    append(&database, 10..20);
    assert_eq!(reader.begin_read().unwrap().count(), 20);
    // No program makes such a long lock file, so handles that open the store now refuse it.
    let error = Database::<Row>::open_read_only(&path).map(drop).unwrap_err();
    assert_eq!(error.kind(), flatrec::ErrorKind::AlreadyExists, "{error}");
    // Nearly as long as one of all readers: what it is used for is what there is.
    lock.set_len(4 << 20).unwrap();
    drop((reader, database));
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    append(&Database::<Row>::open(&path).unwrap(), 20..30);
    assert_eq!(reader.begin_read().unwrap().count(), 30);
    let allocated_bytes = lock.metadata().unwrap().blocks() * 512;
    assert!(allocated_bytes <= 8 << 20, "{allocated_bytes}");
}

/// A reader that stops while it reads the log keeps a bounded part of it.
#[test]
fn a_reader_that_stops_while_it_reads_the_log_does_not_let_it_grow_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create_options().checkpoint_at(64 << 10).create(&path).unwrap();
    append(&database, 0..10);
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    // As docs/CONCURRENCY.md has it: what the first slot's owner needs of the log.
    let mut lock = std::fs::OpenOptions::new().write(true).open(lock_file(&path)).unwrap();
    lock.seek(std::io::SeekFrom::Start(4096 + 32)).unwrap();
    lock.write_all(&1_u64.to_le_bytes()).unwrap();
    for n in 0..12_000 {
        let mut transaction = database.begin_write().unwrap();
        for id in 0..10 {
            transaction.set(id, &row(n)).unwrap();
        }
        transaction.commit(Durability::Eventual).unwrap();
    }
    let len_bytes =
        |file: std::io::Result<std::fs::DirEntry>| file.unwrap().metadata().unwrap().len();
    let all: u64 = std::fs::read_dir(directory.path()).unwrap().map(len_bytes).sum();
    assert!(all < 12 << 20, "{all} bytes");
    assert_eq!(reader.begin_read().unwrap().get(3), Some(&row(11_999)));
}

/// Bytes over all slots of a lock file, as another program may write them.
fn overwrite_slots(path: &Path, byte: u8) {
    let mut lock = std::fs::OpenOptions::new().write(true).open(lock_file(path)).unwrap();
    lock.seek(std::io::SeekFrom::Start(4096)).unwrap();
    lock.write_all(&[byte; 4096]).unwrap();
}

/// A reader whose slot says nothing any more was overlooked, and the checkpoint changed what it
/// lends: by its lock on the slot it is known to be there.
#[test]
fn a_reader_whose_slot_was_wiped_keeps_what_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    database.close().unwrap();
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    let held = snapshot.get(3).unwrap();
    overwrite_slots(&path, 0);
    let database = Database::<Row>::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(3, &row(666)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().is_some(), "{checkpoint:?}");
    assert_eq!(*std::hint::black_box(held), row(3));
    // One that comes then has a slot that says something.
    let other: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    assert_eq!(other.begin_read().unwrap().get(3), Some(&row(666)));
    assert!(database.checkpoint().unwrap().held_back().is_some());
    // What begins later says what it reads in a slot that still does not say whose it is.
    drop(snapshot);
    let snapshot = reader.begin_read().unwrap();
    assert_eq!(snapshot.get(3), Some(&row(666)));
    assert!(database.checkpoint().unwrap().held_back().is_some());
    drop((snapshot, reader));
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!((checkpoint.held_back(), checkpoint.records()), (None, 1));
    database.close().unwrap();
}

/// The same where the slots come to say something that makes no sense.
#[cfg(target_os = "linux")] // elsewhere what a slot says of another store is believed
#[test]
fn a_reader_whose_slot_speaks_of_another_store_keeps_what_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    overwrite_slots(&path, 0x77);
    let mut transaction = database.begin_write().unwrap();
    transaction.set(3, &row(666)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().is_some(), "{checkpoint:?}");
    assert_eq!(snapshot.get(3), Some(&row(3)));
    drop((snapshot, reader));
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    database.close().unwrap();
}
