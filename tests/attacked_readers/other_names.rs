//! Readers that open the store by another name use another lock file, so the writer does not see
//! their entries.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use flatrec::{Database, Durability, ErrorKind, ReadOnlyDatabase, Snapshot, Store};

use super::{Row, append, kill, row};
use crate::support::files::lock_file;
use crate::support::mounts::Mounts;

/// Makes a store of ten records and closes it.
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

/// Runs a checkpoint and returns whether it wrote everything. A checkpoint that did not must blame
/// a reader by another name.
fn reaches_all(database: &Database<Row>) -> bool {
    let checkpoint = database.checkpoint().unwrap();
    let by = checkpoint.held_back();
    assert!(by.is_none_or(|by| by.contains("another name")), "{checkpoint:?}");
    by.is_none()
}

/// Writes by `path` beside a snapshot by `other`, which must not change while it lives.
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

/// Finds a checkpoint that overwrites a record lent to a reader by a hard link or a symbolic link.
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

/// Finds a checkpoint that looks for readers by other names only when its writer opens the store.
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

/// Finds a checkpoint that forgets readers by another name when others of them end.
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
        // Takes readers from either end, so the remaining ones have neighbours that ended on both
        // sides.
        drop(if there.len() % 2 == 0 { there.remove(0) } else { there.pop().unwrap() });
        if [149, 75, 2, 1].contains(&there.len()) {
            assert!(!reaches_all(&database), "{} readers are left", there.len());
        }
    }
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().unwrap().contains("has read commit"), "{checkpoint:?}");
    assert!(here.iter().all(|(_, snapshot)| snapshot.get(3) == Some(&row(3))));
    // Readers without a snapshot hold back no checkpoint.
    for (reader, snapshot) in &mut here {
        *snapshot = reader.begin_read().unwrap();
    }
    assert!(reaches_all(&database));
    assert_eq!(database.readers().unwrap().len(), 150);
}

/// Finds a checkpoint that overlooks a reader whose entry is in a removed lock file, beside a new
/// one of the same name.
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

/// Kills this writer, and erases its last commit as a failing device does.
fn lose_a_commit(database: Database<Row>, path: &Path) {
    kill(database);
    let log = path.with_file_name("rows.rec-wal-1");
    let mut bytes = std::fs::read(&log).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 512 * 512;
    bytes[last..last + 512].fill(0);
    std::fs::write(&log, bytes).unwrap();
}

/// Finds a writer that overwrites records of a lost commit while an unregistered reader holds them.
/// The writer knows of that reader by the checkpoint byte alone.
#[test]
fn records_above_every_count_stay_for_an_unregistered_reader() {
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

/// Finds a store that opens beside a reader of a lost commit, whose records it would overwrite.
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
    let error = Store::<Row>::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    assert_eq!(*std::hint::black_box(held), row(15_000));
    drop((snapshot, reader));
    assert_eq!(Store::<Row>::open(&path).unwrap().count(), 10);
}

/// Records of a lost commit lie above every count that the next writer sees. Appended records took
/// their place while a reader held them.
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
    // Without the reader, appends go straight to the array again, and the log holds only their
    // counts.
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

/// A writer knew a reader by the inode number of its lock file, without the device. Files on two
/// fresh file systems have the same numbers.
#[test]
fn lock_files_with_one_inode_number_on_two_devices_are_told_apart() {
    let line = "mount -t tmpfs -o size=8m none one && mount -t tmpfs -o size=8m none two";
    let Some(mounts) = Mounts::make(line, &["one", "two"]) else { return };
    // Gives the store's files numbers that the second file system has not reached.
    for spare in 0..20 {
        std::fs::write(mounts.path("one").join(spare.to_string()), "").unwrap();
    }
    let path = make(&mounts.path("one"));
    let link = mounts.path("two/rows.rec");
    symlink(&path, &link).unwrap();
    let wanted = inode_of(&lock_file(&path));
    // Makes files in the second file system until the next one, the lock file, gets the number.
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
    assert_eq!(found, wanted, "fresh file systems number their files differently");
    write_beside(&path, &link);
}

/// A writer knew a reader by the lower 29 bits of its lock file's inode number. XFS puts the number
/// of the allocation group into the higher bits.
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
    // Renames lock files aside until a new one gets the number.
    for spare in 0..200 {
        drop(read(&link));
        if inode_of(&lock_file(&link)) % (1 << 29) == wanted {
            return write_beside(&path, &link);
        }
        std::fs::rename(lock_file(&link), elsewhere.join(format!("spare{spare}"))).unwrap();
    }
    panic!("no lock file got a number with the same lower bits");
}

/// A reader without a snapshot trusted the shared words of its own lock file. It combined the array
/// of a commit by another name with the counts of an older one.
#[test]
fn an_unregistered_reader_never_mixes_commits_by_another_name() {
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
    assert!(!reaches_all(&database)); // the reader locks the checkpoint byte of the data file too
    assert_eq!(all(held), (0..10).collect::<Vec<_>>());
    assert!(reaches_all(&database));
    database.close().unwrap();
    for (by, added) in [(&link, 1), (&link, 2), (&path, 3)] {
        if by == &path {
            std::fs::remove_file(lock_file(&path)).unwrap(); // the reader still has it open
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
        if by == &path {
            assert_eq!(shown().unwrap(), after);
        } else {
            // The log has the other name too, so the reader cannot find it.
            assert_eq!(shown().unwrap_err().kind(), ErrorKind::Corrupt);
        }
        database.close().unwrap();
        assert_eq!(shown().unwrap(), after);
    }
}

/// Finds a checkpoint that writes beside a reader without shared words, even if that reader holds
/// no snapshot.
#[test]
fn a_reader_without_shared_words_holds_back_checkpoints_while_it_is_open() {
    let line = "mkdir store && mount --bind store ro && mount -o remount,bind,ro ro";
    let Some(mounts) = Mounts::make(line, &["ro"]) else { return };
    let path = make(&mounts.path("store"));
    std::fs::File::create(lock_file(&path)).unwrap(); // the state before the first writer
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

/// Finds a reader that believes the shared words of a writer whose data file was replaced by a
/// copy.
#[test]
fn a_reader_of_a_copy_that_replaced_an_open_store_loses_no_records() {
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
    // The checkpoint writes to the file without a name.
    assert!(reaches_all(&database));
    assert_eq!(shown(), all);
}
