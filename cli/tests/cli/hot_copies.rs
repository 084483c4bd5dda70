//! `backup`, `compact`, `verify` and `salvage` beside a process that checkpoints again and again: a
//! sound store was once called corrupt whenever a checkpoint began in the middle of a copy.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flatrec::{CopyOptions, Durability, DynDatabase, DynStore, ErrorKind, backup, compact};

use super::*;

const RECORDS: u64 = 6000;
/// The records that the writer changes.
const CHANGED: Range<u64> = 3000..6000;

fn store(place: &Place) -> PathBuf {
    let path = place.path("hot.rec");
    let schema = Schema::packed([Field::new("b", DataType::Binary(100))]).unwrap();
    let mut store = DynStore::options().checksums().create(&path, &schema).unwrap();
    store.append_packed(&vec![1; RECORDS as usize * 100]).unwrap();
    store.close().unwrap();
    path
}

/// Changes records and checkpoints, until `work` is done.
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

#[test]
fn a_sound_store_is_never_called_corrupt_beside_its_writer() {
    let place = Place::new();
    let path = store(&place);
    let again = || CopyOptions::new().replace(true);
    // Where a process takes a second to start there are fewer.
    let times = if cfg!(windows) { 2 } else { 8 };
    beside_a_writer(&path, || {
        for n in 0..times {
            place.ok(["backup", "hot.rec", "a.rec", "--force"]);
            place.ok(["compact", "hot.rec", "b.rec", "--force"]);
            backup(&path, place.path("c.rec"), again()).unwrap();
            compact(&path, place.path("d.rec"), again(), &mut |_, _| Ok(())).unwrap();
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

#[test]
fn damage_is_found_beside_a_writer_that_checkpoints() {
    // Where the writer changes nothing, and where it does.
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
