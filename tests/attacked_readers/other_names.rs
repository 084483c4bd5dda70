//! Readers that came by another name of the store, which has another lock file: the writer sees no
//! slots of theirs.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use flatrec::{Database, Durability, ErrorKind, ReadOnlyDatabase, Snapshot, Store};

use super::{Row, append, kill, row};
use crate::support::files::lock_file;
use crate::support::mounts::Mounts;

/// A store of ten records, which no handle has open.
fn make(directory: &Path) -> PathBuf {
    std::fs::create_dir_all(directory).unwrap();
    let path = directory.join("rows.rec");
    let database = Database::<Row>::create(&path).unwrap();
    append(&database, 0..10);
    database.close().unwrap();
    path
}

fn read(path: &Path) -> (ReadOnlyDatabase<Row>, Snapshot<Row>) {
    let reader = Database::<Row>::open_read_only(path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    (reader, snapshot)
}

fn set(database: &Database<Row>, id: u64, n: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.set(id, &row(n)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
}

/// Whether the checkpoint reached everything; it says why if it did not.
fn reaches_all(database: &Database<Row>) -> bool {
    let checkpoint = database.checkpoint().unwrap();
    let by = checkpoint.held_back();
    assert!(by.is_none_or(|by| by.contains("another name")), "{checkpoint:?}");
    by.is_none()
}

/// Writes by `path` beside a snapshot by `other`, which must stay as it is while it lives.
fn write_beside(path: &Path, other: &Path) {
    let (reader, snapshot) = read(other);
    let held = snapshot.get(3).unwrap();
    let before = *held;
    let is_kept = || *std::hint::black_box(held) == before && snapshot.get(3) == Some(&before);
    let database = Database::<Row>::open(path).unwrap();
    set(&database, 3, before.n + 100);
    assert!(!reaches_all(&database));
    assert!(is_kept());
    kill(database);
    let database = Database::<Row>::open(path).unwrap();
    set(&database, 3, before.n + 200);
    assert!(!reaches_all(&database));
    assert!(is_kept());
    database.close().unwrap();
    assert!(is_kept());
    drop((snapshot, reader));
    let database = Database::<Row>::open(path).unwrap();
    assert!(reaches_all(&database));
    assert_eq!(database.begin_read().unwrap().get(3), Some(&row(before.n + 200)));
    database.close().unwrap();
}

#[test]
fn a_reader_by_any_other_name_keeps_what_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(&directory.path().join("a"));
    let elsewhere = directory.path().join("b");
    std::fs::create_dir(&elsewhere).unwrap();
    let names = ["hard.rec", "soft.rec", "beside.rec"].map(|name| elsewhere.join(name));
    std::fs::hard_link(&path, &names[0]).unwrap();
    symlink(&path, &names[1]).unwrap();
    symlink("../a/rows.rec", &names[2]).unwrap();
    for name in &names {
        write_beside(&path, name);
    }
    write_beside(&names[1], &path);
    write_beside(&names[0], &names[1]);
}

#[test]
fn a_reader_that_comes_by_another_name_between_two_checkpoints_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(&directory.path().join("a"));
    let link = directory.path().join("link.rec");
    symlink(&path, &link).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    for n in 100..110 {
        set(&database, 3, n);
        assert!(reaches_all(&database));
        let (reader, snapshot) = read(&link);
        set(&database, 3, 1000 + n);
        assert!(!reaches_all(&database));
        assert_eq!(snapshot.get(3), Some(&row(n)));
        drop((snapshot, reader));
        assert!(reaches_all(&database));
    }
    database.close().unwrap();
}

#[test]
fn hundreds_of_readers_under_two_names_are_all_accounted_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(&directory.path().join("a"));
    let link = directory.path().join("link.rec");
    symlink(&path, &link).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    let mut here: Vec<_> = (0..150).map(|_| read(&path)).collect();
    let mut there: Vec<_> = (0..150).map(|_| read(&link)).collect();
    set(&database, 3, 666);
    assert!(!reaches_all(&database));
    while !there.is_empty() {
        // From either end, so that those that are left lie anywhere among the others.
        drop(if there.len() % 2 == 0 { there.remove(0) } else { there.pop().unwrap() });
        if [149, 75, 2, 1].contains(&there.len()) {
            assert!(!reaches_all(&database), "{} are left", there.len());
        }
    }
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().unwrap().contains("has read commit"), "{checkpoint:?}");
    assert!(here.iter().all(|(_, snapshot)| snapshot.get(3) == Some(&row(3))));
    // Those that only have the store open are in no checkpoint's way.
    for (reader, snapshot) in &mut here {
        *snapshot = reader.begin_read().unwrap();
    }
    assert!(reaches_all(&database));
    assert_eq!(database.readers().unwrap().len(), 150);
}

/// A reader in a lock file that was removed has a slot there, and another file has the name.
#[test]
fn a_reader_whose_lock_file_was_removed_keeps_what_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path());
    let (reader, snapshot) = read(&path);
    std::fs::remove_file(lock_file(&path)).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    set(&database, 3, 666);
    assert!(!reaches_all(&database));
    assert_eq!(snapshot.get(3), Some(&row(3)));
    drop((snapshot, reader));
    assert!(reaches_all(&database));
}

/// Ends this writer, and takes its last commit away, as a device that fails does.
fn lose_a_commit(database: Database<Row>, path: &Path) {
    kill(database);
    let log = path.with_file_name("rows.rec-wal-1");
    let mut bytes = std::fs::read(&log).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 512 * 512;
    bytes[last..last + 512].fill(0);
    std::fs::write(&log, bytes).unwrap();
}

/// The same for a reader without a slot, of which a writer knows by the range alone.
#[test]
fn records_above_every_count_stay_for_a_reader_without_a_slot() {
    let line = "mkdir store && mount --bind store ro && mount -o remount,bind,ro ro";
    let Some(mounts) = Mounts::make(line, &["ro"]) else { return };
    let path = make(&mounts.path("store"));
    let database = Database::<Row>::open(&path).unwrap();
    append(&database, 10..20_000);
    let (reader, snapshot) = read(&mounts.path("ro/rows.rec"));
    let held = snapshot.get(15_000).unwrap();
    lose_a_commit(database, &path);
    let database = Database::<Row>::open(&path).unwrap();
    assert_eq!(database.begin_read().unwrap().count(), 10);
    append(&database, 1_000_010..1_020_000);
    assert_eq!(*std::hint::black_box(held), row(15_000));
    drop((snapshot, reader));
    assert!(reaches_all(&database));
}

/// And for a writer that has no log to put them into.
#[test]
fn no_store_is_opened_beside_a_reader_that_may_count_more_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(&directory.path().join("a"));
    let link = directory.path().join("link.rec");
    symlink(&path, &link).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    append(&database, 10..20_000);
    let (reader, snapshot) = read(&link);
    let held = snapshot.get(15_000).unwrap();
    lose_a_commit(database, &path);
    match Store::<Row>::open(&path) {
        Ok(mut store) => {
            assert_eq!(store.count(), 10);
            for n in 10..20_000 {
                store.append(&row(1_000_000 + n)).unwrap();
            }
            store.flush().unwrap();
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Locked, "{error}"),
    }
    assert_eq!(*std::hint::black_box(held), row(15_000));
    drop((snapshot, reader));
    assert_eq!(Store::<Row>::open(&path).unwrap().count(), 10);
}

/// The device loses a commit whose records a reader holds that the next writer does not see: they
/// lie above every count, and records that were appended took their place.
#[test]
fn records_above_every_count_stay_for_a_reader_by_another_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(&directory.path().join("a"));
    let link = directory.path().join("link.rec");
    symlink(&path, &link).unwrap();
    let database = Database::<Row>::open(&path).unwrap();
    append(&database, 10..20_000);
    let (reader, snapshot) = read(&link);
    let held = snapshot.get(15_000).unwrap();
    lose_a_commit(database, &path);
    let database = Database::<Row>::open(&path).unwrap();
    assert_eq!(database.begin_read().unwrap().count(), 10);
    append(&database, 1_000_010..1_020_000);
    assert_eq!(*std::hint::black_box(held), row(15_000));
    drop((snapshot, reader));
    assert!(reaches_all(&database));
    // Now they go straight to their places again, and only that is logged.
    let before = database.begin_read().unwrap().count();
    append(&database, 0..100_000);
    assert_eq!(database.begin_read().unwrap().get(before + 99_999), Some(&row(99_999)));
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap().map(Result::unwrap);
    let logs = files.filter(|file| file.file_name().to_string_lossy().contains("-wal-"));
    let log_bytes: u64 = logs.map(|log| log.metadata().unwrap().len()).sum();
    assert!(log_bytes < 8 << 20, "{log_bytes}");
}

fn inode_of(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

/// A reader by another name was known by its lock file's inode number, without the device: on two
/// fresh file systems files have the same numbers.
#[test]
fn lock_files_with_one_inode_number_on_two_devices_are_told_apart() {
    let line = "mount -t tmpfs -o size=8m none one && mount -t tmpfs -o size=8m none two";
    let Some(mounts) = Mounts::make(line, &["one", "two"]) else { return };
    // So that the store's files have numbers that the second has yet to reach.
    for spare in 0..20 {
        std::fs::write(mounts.path("one").join(spare.to_string()), "").unwrap();
    }
    let path = make(&mounts.path("one"));
    let link = mounts.path("two/rows.rec");
    symlink(&path, &link).unwrap();
    let wanted = inode_of(&lock_file(&path));
    // The second counts on until the lock file there gets the number.
    let spare = mounts.path("two/spare");
    loop {
        std::fs::write(&spare, "").unwrap();
        let reached = inode_of(&spare);
        std::fs::remove_file(&spare).unwrap();
        if reached + 1 >= wanted {
            break;
        }
    }
    drop(read(&link));
    let found = inode_of(&lock_file(&link));
    assert_eq!(found, wanted, "fresh file systems number their files alike");
    write_beside(&path, &link);
}

/// The same on one device: of inode numbers only the lower 29 bits counted, and XFS has the number
/// of a file's allocation group in those above.
#[test]
fn lock_files_whose_inode_numbers_end_alike_are_told_apart() {
    let line = "truncate -s 8T image && mkfs.xfs -q -d agcount=16 -l size=64m image && \
                mount -o loop image disk";
    let Some(mounts) = Mounts::make(line, &["disk"]) else { return };
    let path = make(&mounts.path("disk/a"));
    let elsewhere = mounts.path("disk/b");
    std::fs::create_dir(&elsewhere).unwrap();
    let link = elsewhere.join("rows.rec");
    std::fs::hard_link(&path, &link).unwrap();
    let wanted = inode_of(&lock_file(&path)) % (1 << 29);
    // Each file gets the next number, until the lock file has the one that is wanted.
    for spare in 0..200 {
        drop(read(&link));
        if inode_of(&lock_file(&link)) % (1 << 29) == wanted {
            return write_beside(&path, &link);
        }
        std::fs::rename(lock_file(&link), elsewhere.join(format!("spare{spare}"))).unwrap();
    }
    panic!("no two lock files have numbers that end alike");
}

/// A reader without a slot holds nothing between two snapshots. A writer that has another lock file
/// says nothing in this one: the reader took the array of a later commit for that of its own, with
/// the count of its own.
#[test]
fn a_reader_without_a_slot_shows_no_commit_by_another_name_in_part() {
    let line = "mkdir store && mount --bind store ro && mount -o remount,bind,ro ro";
    let Some(mounts) = Mounts::make(line, &["ro"]) else { return };
    let path = make(&mounts.path("store"));
    let link = mounts.path("store/link.rec");
    std::fs::hard_link(&path, &link).unwrap();
    let reader = Database::<Row>::open_read_only(mounts.path("ro/rows.rec")).unwrap();
    let all = |snapshot: Snapshot<Row>| snapshot.iter().map(|(_, row)| row.n).collect::<Vec<_>>();
    let shown = || reader.begin_read().map(all);
    let held = reader.begin_read().unwrap();
    let database = Database::<Row>::open(&link).unwrap();
    set(&database, 3, 3);
    assert!(!reaches_all(&database)); // by the range, which it holds on the data file as well
    assert_eq!(all(held), (0..10).collect::<Vec<_>>());
    assert!(reaches_all(&database));
    database.close().unwrap();
    for (by, added) in [(&link, 1), (&link, 2), (&path, 3)] {
        if by == &path {
            std::fs::remove_file(lock_file(&path)).unwrap(); // the reader has it open
        }
        let database = Database::<Row>::open(by).unwrap();
        let mut transaction = database.begin_write().unwrap();
        for id in 0..9 + added {
            transaction.set(id, &row(100 * added + id)).unwrap();
        }
        transaction.append(&row(100 * added + 9 + added)).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        assert_eq!(database.checkpoint().unwrap().held_back(), None);
        let after: Vec<u64> = (100 * added..100 * added + 10 + added).collect();
        match shown() {
            Ok(shown) => assert_eq!(shown, after),
            // The log has the other name as well.
            Err(error) => assert_eq!((error.kind(), by), (ErrorKind::Corrupt, &link), "{error}"),
        }
        database.close().unwrap();
        assert_eq!(shown().unwrap(), after);
    }
}

/// It does not see what a checkpoint is about to do, not even between two snapshots.
#[test]
fn a_reader_without_words_keeps_checkpoints_away_as_long_as_it_is_open() {
    let line = "mkdir store && mount --bind store ro && mount -o remount,bind,ro ro";
    let Some(mounts) = Mounts::make(line, &["ro"]) else { return };
    let path = make(&mounts.path("store"));
    std::fs::File::create(lock_file(&path)).unwrap(); // as before the first writer
    let (reader, snapshot) = read(&mounts.path("ro/rows.rec"));
    drop(snapshot);
    let database = Database::<Row>::open(&path).unwrap();
    set(&database, 3, 33);
    drop(reader.begin_read().unwrap());
    assert!(!reaches_all(&database));
    assert_eq!(reader.begin_read().unwrap().get(3), Some(&row(33)));
    drop(reader);
    assert!(reaches_all(&database));
}

/// The words in a lock file describe the file that the writer has open, which may have lost its
/// name to another file.
#[test]
fn a_reader_of_a_copy_in_the_place_of_an_open_store_loses_no_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(&directory.path().join("a"));
    let database = Database::<Row>::open(&path).unwrap();
    set(&database, 3, 33);
    let copy = path.with_file_name("copy");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    let reader = Database::<Row>::open_read_only(&path).unwrap();
    set(&database, 5, 55);
    let shown = || reader.begin_read().unwrap().iter().map(|(_, row)| row.n).collect::<Vec<_>>();
    let all = [0, 1, 2, 33, 4, 55, 6, 7, 8, 9];
    assert_eq!(shown(), all);
    // To the file that has no name any more.
    assert!(reaches_all(&database));
    assert_eq!(shown(), all);
}
