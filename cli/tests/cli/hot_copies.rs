//! `backup`, `compact`, `verify` and `salvage` beside a process that checkpoints repeatedly: a
//! sound store was once called corrupt whenever a checkpoint began during a copy.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flatrec::{
    CompactOptions, CopyOptions, Durability, DynDatabase, DynStore, ErrorKind, backup, compact,
};

use super::*;

const RECORDS: u64 = 6000;
/// The records that the writer changes.
const CHANGED: Range<u64> = 3000..6000;

fn store(place: &Place) -> PathBuf {
    let path = place.path("hot.rec");
    let schema = Schema::packed([Field::new("b", DataType::Binary(100))]).unwrap();
    let mut store = DynStore::create_options().checksums(true).create(&path, &schema).unwrap();
    store.append_packed(&vec![1; RECORDS as usize * 100]).unwrap();
    store.close().unwrap();
    path
}

/// Changes records and checkpoints until `work` has ended.
fn beside_a_writer(path: &Path, work: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let database = DynDatabase::open(path).unwrap();
            let mut n = 0u64;
            while !is_over.load(Relaxed) {
                n += 1;
                let mut transaction = database.begin_write().unwrap();
                for k in 0..60 {
                    let span = CHANGED.end - CHANGED.start;
                    let id = CHANGED.start + (n * 7919 + k * 131) % span;
                    transaction.set(id, &[n as u8; 100]).unwrap();
                }
                transaction.commit(Durability::Immediate).unwrap();
                database.checkpoint().unwrap();
            }
            database.close().unwrap();
        });
        let over = Over(&is_over);
        work();
        drop(over);
    });
}

/// Finds a copy or a `verify` that takes a checkpoint for damage.
#[test]
fn a_sound_store_is_never_called_corrupt_beside_its_writer() {
    let place = Place::new();
    let path = store(&place);
    let again = || CopyOptions::new().replace(true);
    // Fewer on systems where a process takes a second to start.
    let times = if cfg!(windows) { 2 } else { 8 };
    beside_a_writer(&path, || {
        for n in 0..times {
            place.ok(["backup", "hot.rec", "a.rec", "--force"]);
            place.ok(["compact", "hot.rec", "b.rec", "--force"]);
            backup(&path, place.path("c.rec"), again()).unwrap();
            compact(&path, place.path("d.rec"), CompactOptions::from(again())).unwrap();
            if n % 4 == 0 {
                let verified = place.ok(["verify", "hot.rec"]);
                assert!(verified.ends_with("no doubts\n"), "{verified}");
                place.ok(["salvage", "hot.rec", "e.rec", "--force"]);
            }
        }
    });
    for copy in ["hot.rec", "a.rec", "b.rec", "c.rec", "d.rec", "e.rec"] {
        assert!(place.ok(["verify", copy]).ends_with("no doubts\n"), "{copy}");
    }
}

/// Finds a copy or a `verify` that excuses damage because a writer checkpoints.
#[test]
fn damage_is_found_beside_a_writer_that_checkpoints() {
    // A place that the writer does not change, and one that it does.
    for damaged in [1000, 5000] {
        let place = Place::new();
        let path = store(&place);
        let mut bytes = bytes(&path);
        bytes[65_536 + damaged * 100] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let block = format!("block {}", damaged * 100 / 65_536);
        beside_a_writer(&path, || {
            for _ in 0..5 {
                assert!(place.error(["backup", "hot.rec", "a.rec"]).contains(&block));
                let error = backup(&path, place.path("a.rec"), CopyOptions::new()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                let ran = place.run(["verify", "hot.rec"]);
                assert_eq!(ran.status, Some(1));
                assert!(ran.stdout.contains(&block), "{ran:?}");
            }
        });
        assert!(!place.path("a.rec").exists());
    }
}

/// The number of records of 1000 bytes. A copy reports its progress before it reaches the changed
/// ones.
const LONG: u64 = 8000;
const LONG_CHANGED: Range<u64> = 2000..8000;

/// A store whose log holds a change of many records that are not in the array.
fn store_with_log(place: &Place) -> (PathBuf, DynDatabase) {
    let path = place.path("long.rec");
    let schema = Schema::packed([Field::new("b", DataType::Binary(1000))]).unwrap();
    let mut store = DynStore::create_options().checksums(true).create(&path, &schema).unwrap();
    store.append_packed(&vec![1; LONG as usize * 1000]).unwrap();
    store.close().unwrap();
    let database = DynDatabase::options().checkpoint_at(1 << 40).open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for id in LONG_CHANGED {
        transaction.set(id, &[2; 1000]).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    (path, database)
}

/// Begins a checkpoint at a copy's first progress report, and lets the copy continue when records
/// are changed: until they are synced their blocks differ from the checksums.
fn overtaken(path: &Path, database: &DynDatabase, copy: impl FnOnce(&mut dyn FnMut())) {
    let mut file = std::fs::File::open(path).unwrap();
    let mut is_changed = || {
        let mut byte = [0];
        file.seek(SeekFrom::Start(65_536 + (LONG - 1) * 1000)).unwrap();
        file.read_exact(&mut byte).unwrap();
        byte == [2]
    };
    std::thread::scope(|scope| {
        let mut checkpoint = None;
        copy(&mut || {
            if checkpoint.is_none() {
                assert!(!is_changed());
                let begun = scope.spawn(|| database.checkpoint().unwrap());
                while !is_changed() && !begun.is_finished() {
                    std::thread::yield_now();
                }
                checkpoint = Some(begun);
            }
        });
        checkpoint.expect("the copy reports").join().unwrap();
    });
}

/// Finds a copy that mixes records from before and after a checkpoint.
#[test]
fn a_copy_that_a_checkpoint_overtakes_is_whole() {
    for compacts in [false, true] {
        let place = Place::new();
        let (path, database) = store_with_log(&place);
        let out = place.path("copy.rec");
        overtaken(&path, &database, |reports| {
            let mut on_progress = |_, _| {
                reports();
                Ok(())
            };
            if compacts {
                compact(
                    &path,
                    &out,
                    CompactOptions::from(CopyOptions::new().on_progress(on_progress)),
                )
                .map(drop)
            } else {
                backup(&path, &out, CopyOptions::new().on_progress(&mut on_progress)).map(drop)
            }
            .unwrap();
        });
        let copy = DynStore::open_read_only(&out).unwrap();
        assert_eq!(copy.count(), LONG);
        for (id, record) in &copy {
            let byte = if LONG_CHANGED.contains(&id) { 2 } else { 1 };
            assert!(record == [byte; 1000], "record {id}");
        }
        drop(database);
        for store in ["long.rec", "copy.rec"] {
            assert!(place.ok(["verify", store]).ends_with("no doubts\n"), "{store}");
        }
    }
}

/// Finds a command that excuses damage in a block because the log changes it, although no
/// checkpoint has begun: beside a writer, and after a kill.
#[test]
fn damage_in_a_block_that_the_log_changes_is_found() {
    let place = Place::new();
    let (path, database) = store_with_log(&place);
    let damaged = LONG_CHANGED.start + 100;
    let mut file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(65_536 + damaged * 1000)).unwrap();
    file.write_all(b"!").unwrap();
    drop(file);
    let block = format!("block {}", damaged * 1000 / 65_536);
    let killed = Place::new();
    for name in place.files() {
        std::fs::copy(place.path(&name), killed.path(&name)).unwrap();
    }
    for place in [&place, &killed] {
        for args in [["backup", "long.rec", "a.rec"], ["compact", "long.rec", "a.rec"]] {
            let text = place.error(args);
            assert!(text.contains(&block), "{args:?}: {text}");
            assert!(!place.path("a.rec").exists());
        }
        let ran = place.run(["verify", "long.rec"]);
        assert_eq!(ran.status, Some(1));
        assert!(ran.stdout.contains(&block), "{ran:?}");
    }
    drop(database);
}

/// Before a checkpoint the log sums long appends, which the header does not count yet. Finds a
/// `verify` that overlooks them in a copy of one moment, or a command that accepts a copy whose
/// data is older than its log.
#[test]
fn a_copy_of_a_store_at_work_is_whole_or_refused() {
    let place = Place::new();
    let path = store(&place);
    let database = DynDatabase::open(&path).unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(place.path(from), place.path(to)).unwrap();
    let append = |records: usize| {
        let mut transaction = database.begin_write().unwrap();
        transaction.append_packed(&vec![7; 100 * records]).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
    };
    append(1);
    for name in ["hot.rec", "hot.rec-sum"] {
        copy(name, &name.replace("hot", "old"));
    }
    // More than a mebibyte, which goes to its place and not into the log.
    append(12_000);
    let files = place.files();
    let logs: Vec<_> = files.iter().filter(|name| name.starts_with("hot.rec-wal-")).collect();
    for name in logs {
        copy(name, &name.replace("hot", "new"));
        copy(name, &name.replace("hot", "old"));
    }
    for name in ["hot.rec", "hot.rec-sum"] {
        copy(name, &name.replace("hot", "new"));
    }
    database.close().unwrap();
    assert_eq!(place.ok(["scan", "new.rec", "--count"]).trim(), "18001");
    let covered = "checksums of 10 blocks and of 12000 records in the log, no doubts";
    assert!(place.ok(["verify", "new.rec"]).contains(covered));
    for args in [&["scan", "old.rec", "--count"][..], &["info", "old.rec"]] {
        let ran = place.run(args);
        assert_eq!(ran.status, Some(1), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("the log counts 18001 records"), "{args:?}: {ran:?}");
    }
    let verified = place.run(["verify", "old.rec"]);
    assert_eq!(verified.status, Some(1), "{verified:?}");
    let why = "data file and log are not of the same moment, as in a copy that was made while";
    assert!(verified.stdout.contains(why), "{verified:?}");
}
