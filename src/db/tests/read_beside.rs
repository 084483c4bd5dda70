//! Readers that a writer overtakes while they read the log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::db::database::Database;
use crate::error::{ErrorKind, Result};
use crate::format::PodRecord;
use crate::io::hooked::{Call, Hook, Hooked, Then};
use crate::io::{Backing, FileBacking};
use crate::os::LockKind;
#[cfg(target_os = "linux")]
use crate::shm::EARLIER_READERS;
use crate::shm::{CHECKPOINT, ReadPoint, Wait, store_word};
use crate::txn::{
    CreateOptions, Durability, Locks, Presence, Superblock,
    read_beside::{Needed, OVERTAKEN_TIMES, reader_locks, take_up},
};

/// Three such records fill a large part of the smallest segment of a log.
type Row = PodRecord<[u64; 512]>;

fn options() -> CreateOptions<Database<Row>> {
    Database::<Row>::create_options().checkpoint_at(64 << 10)
}

fn store(options: &CreateOptions<Database<Row>>) -> (tempfile::TempDir, PathBuf, Database<Row>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.rec");
    let database = options.clone().create(&path).unwrap();
    (directory, path, database)
}

fn append(database: &Database<Row>, count: usize) {
    let mut transaction = database.begin_write().unwrap();
    for _ in 0..count {
        transaction.append(&PodRecord([0; 512])).unwrap();
    }
    transaction.commit(Durability::Eventual).unwrap();
}

/// Commits `number` as the content of the first `count` records.
fn try_commit(database: &Database<Row>, count: u64, number: u64) -> Result<()> {
    let mut transaction = database.begin_write().unwrap();
    for id in 0..count {
        transaction.set(id, &PodRecord([number; 512])).unwrap();
    }
    transaction.commit(Durability::Eventual).map(drop)
}

fn commit(database: &Database<Row>, count: u64, number: u64) {
    try_commit(database, count, number).unwrap();
}

fn open(path: &Path) -> (Arc<FileBacking>, Locks) {
    let file = Arc::new(FileBacking::open(path, false).unwrap());
    let locks = reader_locks(path, &file, Wait::No).unwrap();
    (file, locks)
}

fn begin(path: &Path) -> (Superblock, Presence) {
    let (file, locks) = open(path);
    let superblock = Superblock::open(file as _).unwrap();
    let presence = Presence::new(locks, store_word(superblock.header().file_id)).unwrap();
    (superblock, presence)
}

/// The segment that the header names may end with the last commit that the array holds. A reader
/// needs only the segments after it, but finds them through that segment.
#[test]
fn a_log_stays_for_a_reader_that_needs_it_wherever_its_segments_end() {
    let (_directory, path, database) = store(&options());
    append(&database, 3);
    let mut number = 0;
    for round in 0..12 {
        let (superblock, presence) = begin(&path);
        let (mark, published) = presence.mark();
        let _needed = Needed(&presence);
        assert!(
            presence.need(superblock.header().counts.commit + 1, mark),
            "no commit overtook it"
        );
        for _ in 0..40 {
            number += 1;
            commit(&database, 3, number);
            database.checkpoint().unwrap();
        }
        let found = crate::txn::read_log_through(&superblock, 1, published);
        assert!(found.is_ok(), "round {round}: {}", found.err().unwrap());
        number += 1;
        commit(&database, 3, number);
    }
}

/// A first commit that is larger than the first segment leaves that segment empty.
#[test]
fn a_log_stays_for_a_reader_that_needs_its_first_commit() {
    let (_directory, path, database) = store(&options());
    let nothing = database.begin_read().unwrap();
    append(&database, 20);
    let (superblock, presence) = begin(&path);
    assert_eq!(superblock.header().counts.commit, 0, "a checkpoint must not pass the snapshot");
    let (mark, published) = presence.mark();
    let _needed = Needed(&presence);
    assert!(presence.need(1, mark), "no commit overtook it");
    drop(nothing);
    for number in 1..40 {
        commit(&database, 3, number);
        database.checkpoint().unwrap();
        let found = crate::txn::read_log_through(&superblock, 1, published);
        assert!(found.is_ok(), "after {number}: {}", found.err().unwrap());
    }
}

/// Finds a log that one reader, which has stopped, holds for ever.
#[test]
fn a_reader_that_stops_holds_a_part_of_the_log() {
    let (directory, path, database) = store(&options());
    append(&database, 768);
    database.checkpoint().unwrap();
    let (superblock, presence) = begin(&path);
    let (mark, _) = presence.mark();
    let first = superblock.header().counts.commit + 1;
    let needed = Needed(&presence);
    assert!(presence.need(first, mark), "the log after the checkpoint is still to come");
    let (commits, commit_bytes) = (16, 3 << 20);
    for number in 1..=commits {
        commit(&database, 768, number);
        database.checkpoint().unwrap();
    }
    assert!(!presence.need(first, mark), "the reader is told that it came too late");
    let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap());
    let logs = files.filter(|file| file.file_name().to_string_lossy().contains("-wal-"));
    let len_bytes: u64 = logs.map(|file| file.metadata().unwrap().len()).sum();
    assert!(len_bytes < commits * commit_bytes / 2, "{len_bytes}");
    drop(needed);
}

/// Finds a reader that shows an older state than the file has, because a writer under another name
/// of the file came and went after the reader had read the header.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_reads_a_header_again_that_has_changed() {
    let (directory, path, database) = store(&options());
    append(&database, 3);
    database.close().unwrap();
    let link = directory.path().join("link.rec");
    std::fs::hard_link(&path, &link).unwrap();
    let (file, locks) = open(&link);
    let mut superblock = Superblock::open(file as _).unwrap();
    let before = superblock.header().counts.commit;
    let database = Database::<Row>::open(&path).unwrap();
    commit(&database, 3, 7);
    database.close().unwrap();
    let (found, pin) = take_up(&mut superblock, &locks, 1).unwrap();
    assert!(found.is_none(), "a closed store has no log");
    assert_eq!((superblock.header().counts.commit, pin.point().commit), (before + 1, before + 1));
}

#[test]
fn an_unneeded_segment_does_not_count_towards_the_limit_of_the_log() {
    let (_directory, _path, database) = store(&options().max_log(6 << 20).checkpoint_at(64 << 20));
    append(&database, 1100);
    database.checkpoint().unwrap();
    let before = database.begin_read().unwrap();
    commit(&database, 1100, 1);
    let held = database.begin_read().unwrap();
    commit(&database, 1, 2);
    drop(before);
    assert_eq!(database.checkpoint().unwrap().commit_id(), held.commit_id());
    commit(&database, 1100, 3);
}

/// Whenever a reader lists the segments of the log, lets the writer commit and checkpoint so much
/// that the old log is gone: more than a writer keeps for a reader.
struct Overtaken {
    database: Database<Row>,
    /// How many checkpoints succeeded during that, and how many were held back.
    made: AtomicU64,
    kept_away: AtomicU64,
}

impl Hook for Overtaken {
    fn ask(&self, _: &Arc<dyn Backing>, _: &str, call: Call<'_>) -> Result<Then> {
        if !matches!(call, Call::ListSides) {
            return Ok(Then::Forward);
        }
        for _ in 0..4 {
            let number = self.database.begin_read().unwrap().commit_id().get() + 1;
            commit(&self.database, 768, number);
            let made = self.database.checkpoint()?.held_back().is_none();
            let count = if made { &self.made } else { &self.kept_away };
            count.fetch_add(1, SeqCst);
        }
        Ok(Then::Forward)
    }
}

#[test]
fn a_reader_that_is_overtaken_repeatedly_holds_checkpoints_back_for_a_while() {
    // Three commits are more than a writer keeps for a reader, and less than a segment may have.
    let (_directory, path, database) = store(&options());
    append(&database, 768);
    let (file, locks) = open(&path);
    let (made, kept_away) = Default::default();
    let overtaken = Overtaken { database, made, kept_away };
    let overtaken = Arc::new(Hooked::over(file, overtaken));
    let mut superblock = Superblock::open(Arc::clone(&overtaken) as _).unwrap();
    let (found, pin) = take_up(&mut superblock, &locks, 1).unwrap();
    let found = found.unwrap();
    assert!(
        overtaken.made.load(SeqCst) >= 4 * u64::from(OVERTAKEN_TIMES) - 4,
        "{:?}, {:?}",
        overtaken.made,
        overtaken.kept_away
    );
    assert!(
        overtaken.kept_away.load(SeqCst) > 0,
        "{:?}, {:?}",
        overtaken.made,
        overtaken.kept_away
    );
    assert_eq!(found.counts.commit, pin.point().commit);
    assert_eq!(found.overlay.find(500), None, "the array must hold the record");
    let mut first = [0; 8];
    superblock
        .backing()
        .read_at(superblock.header().layout().unwrap().geometry.offset_of(500).unwrap(), &mut first)
        .unwrap();
    assert_eq!(u64::from_ne_bytes(first), found.counts.commit);
    // Only the pin held checkpoints back.
    drop(pin);
    assert_eq!(overtaken.database.checkpoint().unwrap().held_back(), None);
}

/// A thread that waits for a running checkpoint must not block a thread that ends a snapshot.
#[test]
fn a_snapshot_ends_while_another_thread_waits_for_a_checkpoint() {
    let (_directory, path, database) = store(&options());
    append(&database, 3);
    let (_superblock, presence) = begin(&path);
    let presence = Arc::new(presence);
    let (mark, commit) = presence.mark();
    let pin = presence.pin(ReadPoint { mark, commit, at_rest: false }, Wait::No).unwrap().unwrap();
    let (_file, writer) = open(&path);
    let writer = writer.side().unwrap();
    assert!(writer.try_lock(CHECKPOINT, LockKind::Exclusive).unwrap());
    let both = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            both.wait();
            presence.keep_quiet(Wait::AtMost(Duration::from_secs(30))).unwrap();
        });
        both.wait();
        drop(pin);
        writer.unlock(CHECKPOINT).unwrap();
    });
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
}

#[test]
fn a_full_log_and_a_close_respect_a_reader_that_is_reading_the_log() {
    let (_directory, path, database) = store(&options().max_log(128 << 10));
    append(&database, 10);
    let (superblock, presence) = begin(&path);
    let both = Barrier::new(2);
    let beside_a_reader = |work: &mut dyn FnMut()| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _quiet = presence.keep_quiet(Wait::No).unwrap();
                both.wait();
                both.wait();
            });
            both.wait();
            work();
        });
    };
    beside_a_reader(&mut || {
        let refused = (1..9).find_map(|number| try_commit(&database, 10, number).err());
        let refused = refused.expect("a checkpoint must be held back, and the log must fill");
        assert_eq!(refused.kind(), ErrorKind::LogFull);
        assert!(refused.to_string().contains("reading the log"), "{refused}");
        both.wait();
        commit(&database, 10, 9);
    });
    let mut database = Some(database);
    beside_a_reader(&mut || {
        both.wait();
        database.take().unwrap().close().unwrap();
    });
    let superblock = Superblock::open(Arc::clone(superblock.backing())).unwrap();
    assert_eq!(superblock.header().live_log, None, "closing must delete the log");
}

/// A reader of an earlier version locks a byte that stands for its lock file.
#[cfg(target_os = "linux")]
#[test]
fn readers_and_writers_of_earlier_versions_are_respected() {
    let (_directory, path, database) = store(&options());
    append(&database, 3);
    let (earlier, _locks) = open(&path);
    for byte in [EARLIER_READERS.start + 2, EARLIER_READERS.start + 131, EARLIER_READERS.end - 1] {
        assert!(earlier.try_lock_data(byte..byte + 1, LockKind::Shared).unwrap());
        commit(&database, 3, byte);
        assert!(database.checkpoint().unwrap().held_back().is_some(), "{byte}");
        earlier.unlock_data(byte..byte + 1).unwrap();
        assert_eq!(database.checkpoint().unwrap().held_back(), None, "{byte}");
    }
    // A writer of an earlier version checks all these bytes except its own, which may be any.
    let (_superblock, presence) = begin(&path);
    let is_locked = |range| earlier.is_data_locked(range, LockKind::Exclusive).unwrap();
    for own in [EARLIER_READERS.start, EARLIER_READERS.start + 1, EARLIER_READERS.start + 77] {
        assert!(is_locked(EARLIER_READERS.start..own) || is_locked(own + 1..EARLIER_READERS.end));
    }
    drop(presence);
    assert!(!is_locked(EARLIER_READERS));
}

/// The checkpoint began before the reader announced itself, so the writer does not know the reader.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_waits_for_the_checkpoint_of_a_writer_under_another_name() {
    let (directory, path, database) = store(&options());
    append(&database, 3);
    database.close().unwrap();
    let link = directory.path().join("link.rec");
    std::fs::hard_link(&path, &link).unwrap();
    let writer = FileBacking::open_any(&path, true).unwrap();
    assert!(writer.try_lock_data(CHECKPOINT, LockKind::Exclusive).unwrap());
    let (came, reader_came) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || came.send(begin(&link).1.mark()));
        // A reader that does not wait needs far less time.
        let early = reader_came.recv_timeout(Duration::from_millis(200));
        assert!(early.is_err(), "the reader must wait for the checkpoint");
        writer.unlock_data(CHECKPOINT).unwrap();
        assert!(reader_came.recv().is_ok());
    });
}
