//! A changed byte in any file of a store: at rest with deleted records, and with a live log. Either
//! `verify` finds the change, or docs/FORMAT.md says that the byte means nothing and every handle
//! ignores it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use flatrec::{
    Checksums, DataType, Durability, DynDatabase, DynStore, Field, Schema, VerifyOptions,
    WriteTransaction, verify,
};

use super::{D, EVERY, MASKS, Place, poke};

/// The stride: 96 bytes, the status byte, and padding up to the alignment.
const STRIDE: usize = 100;
/// The number of records: the last few lie in a second block.
const RECORDS: u64 = 660;
/// The end of the schema: no long names and no metadata follow the descriptors.
const END_OF_SCHEMA: usize = 8192 + 4 * 64;

fn schema() -> Schema {
    let fields = [
        Field::new("id", DataType::UInt32).at(0),
        Field::new("flag", DataType::Bool).at(4),
        Field::new("note", DataType::Utf8(9)).at(5),
        Field::new("bytes", DataType::Binary(72)).at(16),
    ];
    Schema::new(fields.to_vec(), 96, 4).unwrap()
}

fn record(n: u64) -> [u8; 96] {
    let mut record = [n as u8; 96];
    record[..4].copy_from_slice(&(n as u32).to_le_bytes());
    record[4] = 1;
    record[5..14].copy_from_slice(b"nine byte");
    record
}

/// What a reader shows: each record, or `None` for a deleted one.
type Contents = Vec<Option<Vec<u8>>>;

/// Returns `None` if the reader refuses the files.
fn contents(path: &Path) -> Option<Contents> {
    let store = DynStore::open_read_only(path).ok()?;
    (0..store.count()).map(|id| store.copy(id).ok()).collect()
}

/// Makes a store of `records` records with checksums, and deletes some.
fn store(path: &Path, records: u64) -> DynDatabase {
    let mut store =
        DynStore::create_options().deletes(true).checksums(true).create(path, &schema()).unwrap();
    let bytes: Vec<u8> = (0..records).flat_map(record).collect();
    store.append_packed(&bytes).unwrap();
    store.close().unwrap();
    let database = DynDatabase::open(path).unwrap();
    commit(&database, |transaction| {
        for id in [4, 2, 9] {
            assert!(transaction.delete(id).unwrap());
        }
    });
    database.checkpoint().unwrap();
    database
}

fn commit(database: &DynDatabase, changes: impl FnOnce(&mut WriteTransaction<'_, [u8]>)) {
    let mut transaction = database.begin_write().unwrap();
    changes(&mut transaction);
    transaction.commit(Durability::Immediate).unwrap();
}

fn is_reserved(at: usize) -> bool {
    super::is_reserved(at, END_OF_SCHEMA)
}

/// Changes every `EVERY`-th byte of a file, or as `step` says. Calls `check` with the place of each
/// change and the number of problems.
fn flip_each(
    path: &Path,
    file: &Path,
    step: impl Fn(usize) -> usize,
    mut check: impl FnMut(usize, u8, u64),
) {
    let bytes = std::fs::read(file).unwrap();
    let is_chosen = |at| at % (EVERY * step(at)) == 0;
    for (at, &byte) in bytes.iter().enumerate().filter(|(at, _)| is_chosen(*at)) {
        let mask = MASKS[at % MASKS.len()];
        poke(file, at, byte ^ mask);
        check(at, mask, verify(path, VerifyOptions::new().max_problems(1)).unwrap().problems_found);
        poke(file, at, byte);
    }
}

/// Finds a byte of a store with deletes that neither a checksum nor a rule covers.
#[test]
fn every_flipped_byte_is_found_or_reserved_where_records_are_deleted() {
    let place = Place::new();
    let path = place.path("x");
    store(&path, 12).close().unwrap();
    let before = contents(&path).unwrap();
    assert_eq!(before.iter().flatten().count(), 9);
    assert_eq!(std::fs::read(&path).unwrap().len(), D + 12 * STRIDE);
    // The many reserved bytes are all alike.
    let step = |at| if is_reserved(at) { 64 } else { 1 };
    flip_each(&path, &path, step, |at, mask, doubts| {
        if is_reserved(at) {
            assert_eq!(doubts, 0, "byte {at} ^ {mask:#x}");
            assert_eq!(contents(&path).as_ref(), Some(&before), "byte {at} ^ {mask:#x}");
        } else {
            assert!(doubts > 0, "byte {at} ^ {mask:#x}");
        }
    });
    flip_each(
        &path,
        &place.path("x-sum"),
        |_| 1,
        |at, mask, doubts| {
            assert!(doubts > 0, "sums, byte {at} ^ {mask:#x}");
        },
    );
    super::clean(&path, 1);
}

/// Files of a process that was killed with commits in its log, and what a reader shows of them with
/// all commits and without the last.
struct Live {
    place: Place,
    path: PathBuf,
    whole: Contents,
    without_last: Contents,
    /// The frames of the log, without the rest of their last sectors.
    frames: Vec<Range<usize>>,
}

impl Live {
    fn new() -> Self {
        let living = Place::new();
        let path = living.path("x");
        let database = store(&path, RECORDS);
        commit(&database, |transaction| transaction.set(50, &record(1000)).unwrap());
        commit(&database, |transaction| {
            // The free list begins with the record deleted last.
            assert_eq!(transaction.insert(&record(1001)).unwrap(), 9);
            assert!(transaction.delete(0).unwrap());
        });
        let without_last = contents(&path).unwrap();
        commit(&database, |transaction| {
            transaction.set(9, &record(1002)).unwrap();
            transaction.append(&record(RECORDS)).unwrap();
            assert_eq!(transaction.insert(&record(1003)).unwrap(), 0);
            assert_eq!(transaction.insert(&record(1003)).unwrap(), 2);
        });
        let place = Place::new();
        for file in living.files().iter().filter(|file| *file != "x-lock") {
            std::fs::copy(living.path(file), place.path(file)).unwrap();
        }
        assert_eq!(place.files(), ["x", "x-sum", "x-wal-1"]);
        drop(database);
        let path = place.path("x");
        let report = verify(&path, VerifyOptions::new().max_problems(1)).unwrap();
        assert_eq!((report.problems_found, report.commits_in_log), (0, 3));
        assert_eq!(report.checksums, Checksums::Present { blocks: 2 });
        let whole = contents(&path).unwrap();
        assert_ne!(whole, without_last);
        let log = std::fs::read(place.path("x-wal-1")).unwrap();
        let begins = (512..log.len()).step_by(512).filter(|&at| log[at..].starts_with(b"FWB1"));
        let frames = begins.map(|at| {
            let len = u64::from_le_bytes(log[at + 8..at + 16].try_into().unwrap());
            at..at + 128 + usize::try_from(len).unwrap()
        });
        Self { frames: frames.collect(), path, place, whole, without_last }
    }

    fn contents(&self) -> Option<Contents> {
        contents(&self.path)
    }
}

/// Finds a byte of the log that replay does not check.
#[test]
fn every_flipped_byte_of_a_live_log_is_found_or_tears_its_end() {
    let live = Live::new();
    // Frames that the array already holds are included: they belong to the chain.
    let last = live.frames.last().unwrap().clone();
    let step = |at| if at < last.end { 1 } else { 509 };
    let (mut found, mut torn, mut harmless) = (0, 0, 0);
    flip_each(&live.path, &live.place.path("x-wal-1"), step, |at, mask, doubts| {
        let place = format!("log, byte {at} ^ {mask:#x}");
        let in_frame = live.frames.iter().find(|frame| frame.contains(&at));
        if doubts > 0 {
            assert!(in_frame.is_some_and(|frame| *frame != last), "{place}: {doubts} doubts");
            assert_eq!(live.contents(), None, "{place}: refused");
            found += 1;
        } else if in_frame == Some(&last) {
            // The commit looks torn by a power failure.
            assert_eq!(live.contents().as_ref(), Some(&live.without_last), "{place}");
            torn += 1;
        } else {
            assert_eq!(in_frame, None, "{place}: verify overlooked it");
            assert_eq!(live.contents().as_ref(), Some(&live.whole), "{place}");
            harmless += 1;
        }
    });
    let before = &live.frames[..live.frames.len() - 1];
    let changed = |frame: &Range<usize>| {
        (frame.start.next_multiple_of(EVERY)..frame.end).step_by(EVERY).count()
    };
    assert_eq!(found, before.iter().map(changed).sum::<usize>());
    assert_eq!(torn, changed(&last));
    assert!(harmless > 512 / EVERY, "{harmless}");
}

/// Finds damage in the array that the log hides.
#[test]
fn every_flipped_byte_beside_a_live_log_is_found() {
    let live = Live::new();
    let counted = D + RECORDS as usize * STRIDE;
    let step = |at| match at {
        at if is_reserved(at) || at >= counted => 64,
        // Only some bytes of each record.
        at if at > D + 12 * STRIDE => 37,
        _ => 1,
    };
    flip_each(&live.path, &live.path, step, |at, mask, doubts| {
        let place = format!("byte {at} ^ {mask:#x}");
        if is_reserved(at) || at >= counted {
            assert_eq!(doubts, 0, "{place}");
            assert_eq!(live.contents().as_ref(), Some(&live.whole), "{place}");
        } else {
            // No checkpoint has begun, so the log excuses no difference.
            assert!(doubts > 0, "{place}");
        }
    });
    let sums = live.place.path("x-sum");
    flip_each(
        &live.path,
        &sums,
        |_| 1,
        |at, mask, doubts| {
            // The entry of the second block is the last one with a meaning.
            let means_nothing = at >= 528;
            assert_eq!(doubts > 0, !means_nothing, "sums, byte {at} ^ {mask:#x}");
            assert_eq!(live.contents().as_ref(), Some(&live.whole), "sums, byte {at} ^ {mask:#x}");
        },
    );
}
