//! Readers beside a writer: what they see, what they hold back, and how the writer learns of it.
//! Each reader here is a handle of its own, which a writer treats like another process.

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
    // Dropped last.
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

/// Finds a reader that stays behind, or maps too little after the file grew.
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

/// Finds a reader that sees records before their commit, or misses those the log only counts.
#[test]
fn a_large_append_in_place_is_seen_once_it_is_committed() {
    let rig = Rig::new();
    let database = rig.create();
    let reader = rig.reader();
    let before = reader.begin_read().unwrap();
    // Far past what is logged, and past the view that the reader began with on small systems.
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
        "what the reader's images are of goes to the array"
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

/// Finds an error that does not say which process to end.
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
        assert!(snapshot.is_newest(), "appended, and not flushed");
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
        assert!(rig.has_log(), "the old snapshot is still read");
        assert_eq!(values(&old), (0..10).collect::<Vec<_>>());
    }
    // A handle that wants the log ended has to wait for the old snapshot.
    let error = Store::<Row>::open(&rig.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("process"), "{error}");
    drop((old, snapshot));
    let mut store = Store::<Row>::open(&rig.path).unwrap();
    store.append(&row(10)).unwrap();
    store.flush().unwrap();
    let snapshot = reader.begin_read().unwrap();
    assert_eq!((snapshot.count(), snapshot.get(1).unwrap().n), (11, 202));
    // In place nothing is changed beside a reader.
    assert_eq!(store.edit().unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(store.truncate(2).unwrap_err().kind(), ErrorKind::Locked);
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
            panic!("a hundred commits, and not all records");
        });
        for n in 0..100 {
            let commit = append(&database, n..n + 1);
            assert!(database.wait((commit - 1).into(), Duration::ZERO).unwrap());
        }
        waiting.join().unwrap();
    });
}

/// Finds a checkpoint that overwrites records that a read-only store lends.
#[test]
fn stores_that_only_lend_let_checkpoints_go_as_far_as_they_see() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..100);
    let commit = set(&database, 7, 70);
    let whole = Store::<Row>::open_read_only(&rig.path).unwrap();
    let windowed = WindowedStore::<Row>::options()
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

/// By another name the file has another lock file, in which the writer sees no slots.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_under_another_name_is_not_overlooked() {
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

/// The lock file stays when another store takes a store's place; so may readers of the old one.
#[test]
fn readers_of_a_store_that_was_replaced_are_in_nobodys_way() {
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
        // Not every file system, nor Wine, lets a file be replaced that is open.
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
    assert!(newest.is_newest() && !newest.refresh().unwrap(), "no writer has the old file");
    assert_eq!(values(&reader.begin_read().unwrap()), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.reader().begin_read().unwrap().get(0), Some(&row(99)));
}

/// Finds a reader table that does not grow.
#[test]
fn there_is_room_for_hundreds_of_readers() {
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
    // Their slots are used again.
    let len_bytes = || std::fs::metadata(format!("{}-lock", rig.path.display())).unwrap().len();
    let before = len_bytes();
    let again: Vec<_> = (0..300).map(|_| rig.reader()).collect();
    assert!(again.iter().all(|reader| reader.begin_read().unwrap().get(3) == Some(&row(33))));
    assert_eq!(len_bytes(), before);
}

/// What the lock file says is believed no further than it makes sense.
#[test]
fn nonsense_in_the_lock_file_is_no_harm() {
    let rig = Rig::new();
    let database = rig.create();
    append(&database, 0..10);
    set(&database, 3, 33);
    let lock = PathBuf::from(format!("{}-lock", rig.path.display()));
    database.close().unwrap();
    let magic = std::fs::read(&lock).unwrap()[..72].to_vec();
    for fill in [0x00_u8, 0xff, 0x5a] {
        // Behind what a lock file is known by: anything else is not taken for one.
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

/// Copies are what is lent in place: in the array and in the log, of what lives and what does not.
#[test]
fn copies_of_records_are_what_a_snapshot_lends() {
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
        let mut live = 0;
        for id in 0..25 {
            let mut copy = [0; 128];
            let found = snapshot.read_bytes(id, &mut copy).unwrap();
            assert_eq!(found, snapshot.get(id).is_some(), "{id}");
            if let Some(row) = snapshot.get(id) {
                live += 1;
                assert_eq!(copy[..8], row.n.to_ne_bytes());
                assert_eq!(copy[120..], row.filler[14].to_ne_bytes());
            }
        }
        assert_eq!(live, if deletes { 18 } else { 22 });
        let error = snapshot.read_bytes(0, &mut [0; 127]).unwrap_err();
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::InvalidArgument, Some(0)));
    }
}
