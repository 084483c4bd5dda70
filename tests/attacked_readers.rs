//! Readers in unusual circumstances: shared words that do not describe the data file, devices that
//! lose commits, lock files that appear late.

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
use std::time::Duration;

use flatrec::{Database, Durability, ReadOnlyDatabase, Record, Store};
use support::files::lock_file;
use support::script::ends_within;

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

/// Returns what `work` returns, and fails if that takes longer than 20 s.
fn in_a_moment<V: Send + 'static>(work: impl FnOnce() -> V + Send + 'static) -> V {
    ends_within(Duration::from_secs(20), work)
}

/// Drops the handle as if its process were killed: the store is not closed.
fn kill(database: Database<Row>) {
    // A handle that is dropped by a panic does not close its store.
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _database = database;
        std::panic::resume_unwind(Box::new("killed"));
    }));
    assert!(killed.is_err());
}

/// Makes a store of ten records and copies it, appends ten more, and renames the copy over the
/// store as a restore from a backup does.
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

/// Finds a store handle that waits for the commit named in the lock file, which the restored file
/// does not have.
#[test]
fn a_restored_store_is_read_despite_newer_words_in_the_lock_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = put_back(directory.path());
    in_a_moment(move || {
        let store = Store::<Row>::open_read_only(&path).unwrap();
        assert_eq!(store.count(), 10);
    });
}

/// Finds a reader that believes the lock file about commits which the restored file does not have.
#[test]
fn a_reader_of_a_restored_store_shows_its_commits_and_follows_the_next_writer() {
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
        // The reader follows a writer that opens the store later.
        let database = Database::<Row>::open(&path).unwrap();
        let commit = append(&database, 10..11);
        assert!(reader.wait(snapshot.commit_id(), Duration::from_secs(20)).unwrap());
        assert!(snapshot.refresh().unwrap());
        assert_eq!((snapshot.commit_id().get(), snapshot.count()), (commit, 11));
    });
}

/// Finds a reader that skips commits of a restored log, because the shared words say that the array
/// holds them. The array of another file holds them.
#[test]
fn a_restored_log_is_read_whole_despite_newer_words_in_the_lock_file() {
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

/// Finds a writer that overwrites records of a lost commit while a reader holds them.
#[test]
fn records_of_a_lost_commit_stay_while_a_reader_holds_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    // A long append, which the writer puts into the array before the commit.
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

/// Finds a lock file whose unused length takes disk space.
#[cfg(unix)] // on Windows a file takes the space of its whole length
#[test]
fn a_long_lock_file_takes_little_disk_space() {
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
    // flatrec never makes a lock file of this length, so a handle that opens the store now refuses
    // it.
    let error = Database::<Row>::open_read_only(&path).map(drop).unwrap_err();
    assert_eq!(error.kind(), flatrec::ErrorKind::AlreadyExists, "{error}");
    // Nearly the length for the greatest number of readers.
    lock.set_len(4 << 20).unwrap();
    drop((reader, database));
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    append(&Database::<Row>::open(&path).unwrap(), 20..30);
    assert_eq!(reader.begin_read().unwrap().count(), 30);
    let allocated_bytes = lock.metadata().unwrap().blocks() * 512;
    assert!(allocated_bytes <= 8 << 20, "{allocated_bytes}");
}

/// Finds a writer whose log grows without end because a reader stopped while it read the log.
#[test]
fn a_reader_that_stops_while_it_reads_the_log_keeps_a_bounded_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create_options().checkpoint_at(64 << 10).create(&path).unwrap();
    append(&database, 0..10);
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    // The word in which the owner of the first entry says which part of the log it needs
    // (docs/CONCURRENCY.md).
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

/// Fills the reader table of the lock file with one byte, as another program may.
fn overwrite_reader_table(path: &Path, byte: u8) {
    let mut lock = std::fs::OpenOptions::new().write(true).open(lock_file(path)).unwrap();
    lock.seek(std::io::SeekFrom::Start(4096)).unwrap();
    lock.write_all(&[byte; 4096]).unwrap();
}

/// A checkpoint overlooked a reader whose entry was wiped, and changed a record that the reader had
/// lent. The reader's lock on its entry shows that it is there.
#[test]
fn a_reader_whose_entry_was_wiped_keeps_what_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    database.close().unwrap();
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    let held = snapshot.get(3).unwrap();
    overwrite_reader_table(&path, 0);
    let database = Database::<Row>::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(3, &row(666)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().is_some(), "{checkpoint:?}");
    assert_eq!(*std::hint::black_box(held), row(3));
    // A reader that opens the store now writes its entry anew.
    let other: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    assert_eq!(other.begin_read().unwrap().get(3), Some(&row(666)));
    assert!(database.checkpoint().unwrap().held_back().is_some());
    // A later snapshot of the first reader writes its commit into the entry, which still does not
    // name its owner.
    drop(snapshot);
    let snapshot = reader.begin_read().unwrap();
    assert_eq!(snapshot.get(3), Some(&row(666)));
    assert!(database.checkpoint().unwrap().held_back().is_some());
    drop((snapshot, reader));
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!((checkpoint.held_back(), checkpoint.records()), (None, 1));
    database.close().unwrap();
}

/// Finds a checkpoint that overlooks a reader whose entry holds nonsense.
#[cfg(target_os = "linux")] // on other systems a writer believes an entry that names another store
#[test]
fn a_reader_whose_entry_names_another_store_keeps_what_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    let reader: ReadOnlyDatabase<Row> = Database::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    overwrite_reader_table(&path, 0x77);
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
