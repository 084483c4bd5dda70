//! Readers beside a writer: what they show, what they hold back, and how the writer learns of it.
//! Each reader is a handle of its own, which a writer treats like another process.

#![cfg(feature = "derive")]

use std::path::PathBuf;
use std::time::Duration;

use flatrec::{
    CommitId, Database, Durability, ErrorKind, ReadOnlyDatabase, ReadableDatabase, Record, Store,
    VerifyOptions, WindowedStore, verify,
};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Row {
    n: u64,
    filler: [u64; 15],
}

fn row(n: u64) -> Row {
    Row { n, filler: [n ^ 7; 15] }
}

struct Rig {
    // Outlives the handles, which the tests declare after the rig.
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.rec");
        Self { _directory: directory, path }
    }

    fn create(&self) -> Database<Row> {
        Database::<Row>::create(&self.path).unwrap()
    }

    fn reader(&self) -> ReadOnlyDatabase<Row> {
        Database::open_read_only(&self.path).unwrap()
    }

    fn has_log(&self) -> bool {
        let files = std::fs::read_dir(self.path.parent().unwrap()).unwrap();
        let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name();
        files.map(name).any(|name| name.to_str().unwrap().contains("-wal-"))
    }
}

fn append(database: &Database<Row>, rows: std::ops::Range<u64>) -> u64 {
    let mut transaction = database.begin_write().unwrap();
    for n in rows {
        transaction.append(&row(n)).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap().commit_id().get()
}

fn set(database: &Database<Row>, id: u64, n: u64) -> u64 {
    let mut transaction = database.begin_write().unwrap();
    transaction.set(id, &row(n)).unwrap();
    transaction.commit(Durability::Immediate).unwrap().commit_id().get()
}

fn values(snapshot: &flatrec::Snapshot<Row>) -> Vec<u64> {
    let check = |(_, found): (u64, &Row)| {
        assert_eq!(*found, row(found.n));
        found.n
    };
    snapshot.iter().map(check).collect()
}

/// Finds a call that the two handles answer differently.
#[test]
fn code_that_reads_works_with_both_handles() {
    let rig = Rig::new();
    let database = rig.create();
    let reader = rig.reader();
    let handles: [&dyn ReadableDatabase<Row = Row>; 2] = [&database, &reader];
    for n in 0..3 {
        let commit = append(&database, n..n + 1);
        for handle in handles {
            assert_eq!(handle.commit_id(), CommitId::from(commit));
            assert_eq!(handle.begin_read().unwrap().commit_id(), handle.commit_id());
            assert_eq!(values(&handle.begin_read().unwrap()), Vec::from_iter(0..=n));
            assert!(handle.wait(CommitId::from(commit - 1), Duration::ZERO).unwrap());
            assert!(!handle.wait(handle.commit_id(), Duration::ZERO).unwrap());
            assert_eq!(handle.schema(), &Row::schema().unwrap());
            assert_eq!(handle.metadata().unwrap(), b"");
            assert_eq!(handle.path().unwrap().file_name(), rig.path.file_name());
        }
    }
}

/// Finds a reader that misses a commit, or maps too little after the file grew.
#[test]
fn a_reader_follows_commits_growth_and_checkpoints() {
    let rig = Rig::new();
    let database = rig.create();
    let reader = rig.reader();
    assert_eq!(reader.begin_read().unwrap().count(), 0);
    let mut held = Vec::new();
    let mut expected = Vec::new();
    for step in 0..40_u64 {
        append(&database, step * 10..step * 10 + 10);
        expected.extend(step * 10..step * 10 + 10);
        let id = step * 7 % expected.len() as u64;
        let commit = set(&database, id, 1000 + step);
        expected[id as usize] = 1000 + step;
        if step % 3 == 0 {
            database.checkpoint().unwrap();
        }
        assert_eq!(reader.commit_id().get(), commit);
        let snapshot = reader.begin_read().unwrap();
        assert_eq!((snapshot.commit_id().get(), values(&snapshot)), (commit, expected.clone()));
        assert!(snapshot.is_newest());
        if step % 10 == 5 {
            held.push((snapshot, expected.clone()));
        }
    }
    for (mut snapshot, then) in held {
        assert_eq!(values(&snapshot), then);
        assert!(!snapshot.is_newest() && snapshot.refresh().unwrap() && snapshot.is_newest());
        assert_eq!(values(&snapshot), expected);
        assert!(!snapshot.refresh().unwrap());
    }
    database.close().unwrap();
    let snapshot = reader.begin_read().unwrap();
    assert_eq!(values(&snapshot), expected);
    assert!(!reader.has_writer().unwrap());
    assert!(!rig.has_log());
}

/// Finds a writer, or a reader, that keeps in memory what the array has: its memory grows with each
/// commit.
#[test]
fn after_a_checkpoint_records_are_read_in_the_array() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..3);
    database.checkpoint().unwrap();
    let reader = rig.reader();
    let is_in_array = |snapshot: &flatrec::Snapshot<Row>, id| {
        let at = |id| std::ptr::from_ref(snapshot.get(id).unwrap()).addr();
        at(id).wrapping_sub(at(0)) == size_of::<Row>() * id as usize
    };
    set(&database, 1, 11);
    let read = || [database.begin_read().unwrap(), reader.begin_read().unwrap()];
    assert_eq!(read().map(|it| is_in_array(&it, 1)), [false; 2]);
    assert_eq!(database.checkpoint().unwrap().records(), 1);
    set(&database, 2, 12);
    let snapshots = read();
    assert_eq!(snapshots.each_ref().map(|it| is_in_array(it, 1)), [true; 2]);
    assert_eq!(snapshots.each_ref().map(|it| is_in_array(it, 2)), [false; 2]);
    assert_eq!(snapshots.map(|it| values(&it)), [[0, 11, 12]; 2]);
}

/// Finds a reader that shows records before their commit, or misses those that the log only counts.
#[test]
fn a_reader_sees_a_long_append_after_its_commit() {
    let rig = Rig::new();
    let database = rig.create();
    let reader = rig.reader();
    let before = reader.begin_read().unwrap();
    // A long append, also longer than a reader's first view on small systems.
    let many: Vec<Row> = (0..600_000).map(row).collect();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&many).unwrap();
    assert!(before.is_newest());
    transaction.commit(Durability::Eventual).unwrap();
    assert_eq!(before.count(), 0);
    let after = reader.begin_read().unwrap();
    assert_eq!(after.count(), 600_000);
    assert_eq!(after.get(599_999), Some(&row(599_999)));
}

/// Finds a checkpoint that overwrites what a snapshot reads.
#[test]
fn a_held_snapshot_keeps_newer_commits_out_of_the_array_and_no_older_ones() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..100);
    set(&database, 5, 500);
    let reader = rig.reader();
    let other = rig.reader();
    let snapshot = reader.begin_read().unwrap();
    let held = snapshot.commit_id().get();
    set(&database, 5, 501);
    set(&database, 6, 600);
    let later = other.begin_read().unwrap();
    set(&database, 5, 502);

    let checkpoint = database.checkpoint().unwrap();
    assert_eq!(
        checkpoint.commit_id().get(),
        held,
        "the checkpoint must write up to the reader's commit"
    );
    let by = checkpoint.held_back().unwrap();
    let process = format!("process {}", std::process::id());
    assert!(by.contains(&process) && by.contains(&format!("commit {held} ")), "{by}");
    let readers = database.readers().unwrap();
    assert_eq!(readers.len(), 2);
    assert!(readers.iter().any(|reader| reader.oldest == Some(held.into())));
    assert_eq!(snapshot.get(5).unwrap().n, 500);

    drop(snapshot);
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!(checkpoint.commit_id(), later.commit_id());
    assert_eq!((later.get(5).unwrap().n, later.get(6).unwrap().n), (501, 600));
    drop(later);
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!((checkpoint.held_back(), checkpoint.commit_id()), (None, reader.commit_id()));
    assert_eq!(reader.begin_read().unwrap().get(5).unwrap().n, 502);
    drop((reader, other));
    assert_eq!(database.readers().unwrap(), []);
    database.close().unwrap();
    assert_eq!(verify(&rig.path, VerifyOptions::new()).unwrap().problems, []);
}

/// Finds an error that does not name the process to end.
#[test]
fn a_full_log_names_the_reader_that_holds_it() {
    let rig = Rig::new();
    let options = Database::<Row>::create_options().max_log(64 << 10).checkpoint_at(16 << 10);
    let database = options.create(&rig.path).unwrap();
    append(&database, 0..100);
    let reader = rig.reader();
    let snapshot = reader.begin_read().unwrap();
    let full = loop {
        let mut transaction = database.begin_write().unwrap();
        (0..50).for_each(|id| transaction.set(id, &row(id + 1)).unwrap());
        if let Err(error) = transaction.commit(Durability::Eventual) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::LogFull);
    let process = format!("process {}", std::process::id());
    assert!(full.to_string().contains(&process), "{full}");
    assert_eq!(values(&snapshot), (0..100).collect::<Vec<_>>());
    drop(snapshot);
    set(&database, 3, 33);
    assert_eq!(reader.begin_read().unwrap().get(3).unwrap().n, 33);
}

/// Finds a reader that takes the log of a later writer for the one it follows.
#[test]
fn a_reader_follows_one_writer_after_the_other() {
    let rig = Rig::new();
    let mut store = Store::<Row>::create(&rig.path).unwrap();
    let reader = rig.reader();
    assert!(reader.has_writer().unwrap());
    let mut snapshot = reader.begin_read().unwrap();
    for n in 0..10 {
        store.append(&row(n)).unwrap();
        assert!(snapshot.is_newest(), "the reader sees an unflushed append");
        store.flush().unwrap();
        assert!(snapshot.refresh().unwrap());
        assert_eq!(values(&snapshot), (0..=n).collect::<Vec<_>>());
    }
    store.close().unwrap();
    let old = reader.begin_read().unwrap();
    for round in 0..3 {
        let database = Database::<Row>::open(&rig.path).unwrap();
        set(&database, 0, 100 + round);
        let commit = set(&database, 1, 200 + round);
        assert!(reader.wait((commit - 1).into(), Duration::from_secs(60)).unwrap());
        let snapshot = reader.begin_read().unwrap();
        assert_eq!(
            (snapshot.get(0).unwrap().n, snapshot.get(1).unwrap().n),
            (100 + round, 200 + round)
        );
        database.close().unwrap();
        assert!(rig.has_log(), "the writer removed a log that a snapshot reads");
        assert_eq!(values(&old), (0..10).collect::<Vec<_>>());
    }
    // A handle without a log must wait for the old snapshot.
    let error = Store::<Row>::open(&rig.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("process"), "{error}");
    drop((old, snapshot));
    let mut store = Store::<Row>::open(&rig.path).unwrap();
    store.append(&row(10)).unwrap();
    store.flush().unwrap();
    let snapshot = reader.begin_read().unwrap();
    assert_eq!((snapshot.count(), snapshot.get(1).unwrap().n), (11, 202));
    // A store changes no record in place beside a reader.
    assert_eq!(store.edit().unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(store.truncate(2).unwrap_err().kind(), ErrorKind::Locked);
}

/// Finds a reader that takes a copy for its own file, or does not follow links and new names.
#[test]
fn a_reader_knows_which_paths_lead_to_its_file() {
    let rig = Rig::new();
    let beside = |name: &str| rig.path.with_file_name(name);
    append(&rig.create(), 0..3);
    Store::<Row>::create(beside("other.rec")).unwrap().close().unwrap();
    let reader = rig.reader();
    assert!(reader.is_at(&rig.path).unwrap());
    assert!(reader.is_at(rig.path.parent().unwrap().join(".").join("rows.rec")).unwrap());
    assert!(!reader.is_at(beside("other.rec")).unwrap());
    assert!(!reader.is_at(beside("none.rec")).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        std::fs::hard_link(&rig.path, beside("hard.rec")).unwrap();
        assert!(reader.is_at(beside("hard.rec")).unwrap());
        symlink("rows.rec", beside("soft.rec")).unwrap();
        symlink("none.rec", beside("dangling.rec")).unwrap();
        symlink("circle.rec", beside("circle.rec")).unwrap();
        assert!(reader.is_at(beside("soft.rec")).unwrap());
        assert!(!reader.is_at(beside("dangling.rec")).unwrap());
        let error = reader.is_at(beside("circle.rec")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains("circle.rec"), "{error}");
        // Another process replaces the store; the reader stays with its file.
        std::fs::rename(beside("other.rec"), &rig.path).unwrap();
        assert!(!reader.is_at(&rig.path).unwrap() && !reader.is_at(beside("soft.rec")).unwrap());
        assert!(reader.is_at(beside("hard.rec")).unwrap());
    }
    assert_eq!(values(&reader.begin_read().unwrap()), [0, 1, 2]);
}

/// Finds a handle that names another store, or another commit, than it shows.
#[test]
fn handles_say_which_store_and_which_commit_they_show() {
    let rig = Rig::new();
    let database = rig.create();
    let reader = rig.reader();
    let before = reader.begin_read().unwrap();
    append(&database, 0..3);
    set(&database, 0, 7);
    let after = database.begin_read().unwrap();
    let transaction = database.begin_write().unwrap();
    assert_eq!(database.path().as_deref(), Some(&*rig.path));
    assert_eq!(reader.path().as_deref(), Some(&*rig.path));
    assert_eq!((database.schema(), reader.schema()), (after.schema(), before.schema()));
    assert_eq!(after.schema().fields()[0].name(), "n");
    for (shown, numbers) in [
        (format!("{database:?}"), "commit: 2, count: 3"),
        (format!("{reader:?}"), "commit: 2"),
        (format!("{before:?}"), "commit: 0, count: 0"),
        (format!("{after:?}"), "commit: 2, count: 3"),
        (format!("{transaction:?}"), "count: 3"),
    ] {
        assert!(shown.contains("rows.rec") && shown.contains(numbers), "{numbers}: {shown}");
    }
}

/// Finds a reader that sleeps through a commit.
#[test]
fn a_wait_ends_with_the_next_commit_or_with_its_time() {
    let rig = Rig::new();
    let database = rig.create();
    let reader = rig.reader();
    let commit = reader.commit_id().get();
    assert!(!reader.wait(commit.into(), Duration::from_millis(5)).unwrap());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut seen = commit;
            for _ in 0..100 {
                assert!(reader.wait(seen.into(), Duration::from_secs(60)).unwrap());
                let now = reader.begin_read().unwrap();
                assert!(now.commit_id().get() > seen);
                seen = now.commit_id().get();
                if now.count() == 100 {
                    return;
                }
            }
            panic!("the reader missed records of a hundred commits");
        });
        for n in 0..100 {
            let commit = append(&database, n..n + 1);
            assert!(database.wait((commit - 1).into(), Duration::ZERO).unwrap());
        }
        waiting.join().unwrap();
    });
}

/// Finds a checkpoint that overwrites records that a read-only store lends, or stops before that
/// store's commit.
#[test]
fn read_only_stores_let_checkpoints_write_up_to_their_commit() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..100);
    let commit = set(&database, 7, 70);
    let whole = Store::<Row>::open_read_only(&rig.path).unwrap();
    let windowed = WindowedStore::<Row>::read_options()
        .max_mapped_bytes(1 << 20)
        .window_bytes(1 << 16)
        .open_read_only(&rig.path)
        .unwrap();
    let mut private = Store::<Row>::open_private(&rig.path).unwrap();
    private.edit().unwrap().set(8, &row(80)).unwrap();
    set(&database, 7, 71);
    set(&database, 8, 81);
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!(checkpoint.commit_id().get(), commit);
    assert_eq!(whole.get(7), Some(&row(70)));
    assert_eq!(*windowed.get(7).unwrap().unwrap(), row(70));
    assert_eq!((private.get(7), private.get(8)), (Some(&row(70)), Some(&row(80))));
    drop((whole, windowed));
    assert_eq!(database.checkpoint().unwrap().commit_id().get(), commit);
    drop(private);
    assert_eq!(database.checkpoint().unwrap().commit_id().get(), commit + 2);
    assert_eq!(database.begin_read().unwrap().get(8), Some(&row(81)));
}

/// Finds a checkpoint that overlooks a reader by another name, whose lock file the writer does not
/// see.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_by_another_name_holds_checkpoints_back() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..10);
    database.close().unwrap();
    let link = rig.path.with_file_name("alias.rec");
    std::fs::hard_link(&rig.path, &link).unwrap();
    let reader = Database::<Row>::open_read_only(&link).unwrap();
    let snapshot = reader.begin_read().unwrap();
    let database = Database::<Row>::open(&rig.path).unwrap();
    set(&database, 3, 33);
    let checkpoint = database.checkpoint().unwrap();
    assert!(checkpoint.held_back().unwrap().contains("another name"), "{checkpoint:?}");
    assert_eq!(snapshot.get(3), Some(&row(3)));
    drop((snapshot, reader));
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
}

/// A replaced store leaves its lock file and maybe its readers to the new one. Finds a checkpoint
/// that those readers hold back.
#[test]
fn readers_of_a_replaced_store_hold_no_checkpoint_back() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..10);
    database.close().unwrap();
    let reader = rig.reader();
    let old = reader.begin_read().unwrap();
    let other = rig.path.with_file_name("other.rec");
    let database = Database::<Row>::create(&other).unwrap();
    append(&database, 50..60);
    database.close().unwrap();
    let replaced = flatrec::backup(&other, &rig.path, flatrec::CopyOptions::new().replace(true));
    if let (true, Err(error)) = (cfg!(windows), &replaced) {
        // Wine and some file systems refuse to replace an open file.
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains("close it there, or"), "{error}");
        assert_eq!(values(&rig.reader().begin_read().unwrap()), (0..10).collect::<Vec<_>>());
        return;
    }
    replaced.unwrap();
    let database = Database::<Row>::open(&rig.path).unwrap();
    set(&database, 0, 99);
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    assert_eq!(database.readers().unwrap(), []);
    assert_eq!(values(&old), (0..10).collect::<Vec<_>>());
    let mut newest = reader.begin_read().unwrap();
    assert!(newest.is_newest() && !newest.refresh().unwrap(), "the old file has a newer commit");
    assert_eq!(values(&reader.begin_read().unwrap()), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.reader().begin_read().unwrap().get(0), Some(&row(99)));
}

/// Finds a reader table that does not grow.
#[test]
fn the_reader_table_holds_hundreds_of_readers() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..10);
    let readers: Vec<_> = (0..300).map(|_| rig.reader()).collect();
    let snapshots: Vec<_> = readers.iter().map(|reader| reader.begin_read().unwrap()).collect();
    let commit = snapshots[0].commit_id().get();
    set(&database, 3, 33);
    assert_eq!(database.readers().unwrap().len(), 300);
    assert_eq!(database.checkpoint().unwrap().commit_id().get(), commit);
    assert!(snapshots.iter().all(|snapshot| snapshot.get(3) == Some(&row(3))));
    drop(snapshots);
    assert_eq!(database.checkpoint().unwrap().commit_id().get(), commit + 1);
    drop(readers);
    // New readers use the free entries.
    let len_bytes = || std::fs::metadata(format!("{}-lock", rig.path.display())).unwrap().len();
    let before = len_bytes();
    let again: Vec<_> = (0..300).map(|_| rig.reader()).collect();
    assert!(again.iter().all(|reader| reader.begin_read().unwrap().get(3) == Some(&row(33))));
    assert_eq!(len_bytes(), before);
}

/// Finds a handle that fails, or shows wrong records, because the lock file holds nonsense.
#[test]
fn nonsense_in_the_lock_file_does_no_harm() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..10);
    set(&database, 3, 33);
    let lock = PathBuf::from(format!("{}-lock", rig.path.display()));
    database.close().unwrap();
    let magic = std::fs::read(&lock).unwrap()[..72].to_vec();
    for fill in [0x00_u8, 0xff, 0x5a] {
        // The nonsense follows the first bytes, by which handles recognise a lock file.
        let front = if fill == 0 { &[][..] } else { &magic };
        std::fs::write(&lock, [front, &vec![fill; 12_288 - front.len()]].concat()).unwrap();
        let reader = rig.reader();
        assert_eq!(reader.begin_read().unwrap().get(3), Some(&row(33)));
        let database = Database::<Row>::open(&rig.path).unwrap();
        assert_eq!(database.readers().unwrap().len(), 1);
        let commit = set(&database, 4, u64::from(fill));
        assert_eq!(reader.begin_read().unwrap().get(4), Some(&row(fill.into())));
        assert_eq!(database.checkpoint().unwrap().commit_id().get(), commit);
    }
}

/// Finds a copy that differs from the lent record, in the array or the log, live or deleted.
#[test]
fn copies_of_records_equal_those_that_a_snapshot_lends() {
    for deletes in [false, true] {
        let rig = Rig::new();
        let options = Database::<Row>::create_options().deletes(deletes);
        let database = options.create(&rig.path).unwrap();
        append(&database, 0..20);
        database.checkpoint().unwrap();
        let mut transaction = database.begin_write().unwrap();
        (3..6).for_each(|id| transaction.set(id, &row(100 + id)).unwrap());
        if deletes {
            (5..9).for_each(|id| assert!(transaction.delete(id).unwrap()));
        }
        transaction.commit(Durability::Eventual).unwrap();
        append(&database, 20..22);
        let reader = rig.reader();
        let snapshot = reader.begin_read().unwrap();
        let mut copy = [row(0)];
        for id in 0..25 {
            assert_eq!(snapshot.copy(id).unwrap().as_ref(), snapshot.get(id), "{id}");
            match snapshot.copy_into(id, &mut copy) {
                Ok(1) => assert_eq!(Some(&copy[0]), snapshot.get(id), "{id}"),
                Ok(copied) => assert!(copied == 0 && id >= snapshot.count(), "{id}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Deleted, "{id}"),
            }
        }
        let live: Vec<(u64, Row)> = snapshot.iter().map(|(id, row)| (id, *row)).collect();
        assert_eq!(live.len(), if deletes { 18 } else { 22 });
        assert!(snapshot.copies(..).map(Result::unwrap).eq(live.iter().copied()));
        assert!(snapshot.copies(..).rev().map(Result::unwrap).eq(live.into_iter().rev()));
    }
}
