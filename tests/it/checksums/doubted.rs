//! A damaged block stops no writer, and stays known as damaged. One flipped byte once stopped every
//! checkpoint, while commits returned `Ok` and log and memory grew.

#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flatrec::map::{Backing, FileBacking};
use flatrec::{DamagedBlock, Error, VerifyOptions, WriteTransaction};

use super::*;
use crate::support::hooked::{Call, Hook, Hooked, Then};

const BECAUSE: &str = "it did not match its checksum before some of its records were changed";

/// Record 1400 lies in block 2, of records 1310 to 1967.
const IN_BLOCK_2: u64 = 1400;

fn commit(database: &DynDatabase, changes: impl FnOnce(&mut WriteTransaction<'_, [u8]>)) {
    let mut transaction = database.begin_write().unwrap();
    changes(&mut transaction);
    transaction.commit(Durability::Immediate).unwrap();
}

fn set(database: &DynDatabase, ids: impl IntoIterator<Item = u64>, n: u64) {
    commit(database, |transaction| {
        for id in ids {
            transaction.set(id, &record(n)).unwrap();
        }
    });
}

/// Makes a store of five blocks with a flipped byte in block 2.
fn damaged(place: &Place) -> PathBuf {
    let path = place.store(3000);
    flip(&path, D + 2 * BLOCK + 500, 0x40);
    path
}

/// Checks that `verify` reports block 2 as changed after its damage, and no other block.
#[track_caller]
fn doubts_block_2(path: &Path) {
    let report = verify(path, VerifyOptions::new()).unwrap();
    assert_eq!(report.problems_found, 1, "{:?}", report.problems);
    let doubt = report.problems[0].to_string();
    assert!(doubt.contains("block 2, bytes 196608..262144, records 1310..1967"), "{doubt}");
    assert!(doubt.contains(BECAUSE), "{doubt}");
    let info = DynStore::open_read_only(path).unwrap().info().unwrap();
    assert_eq!((info.damaged_blocks, info.damaged[0].block), (1, 2));
    assert_eq!(info.damaged[0].records, 1310..1967);
}

fn log_bytes(place: &Place) -> u64 {
    let logs = place.files().into_iter().filter(|file| file.contains("-wal-"));
    logs.map(|file| std::fs::metadata(place.path(&file)).unwrap().len()).sum()
}

/// Finds a checkpoint that stops at a damaged block, so that the log grows, or that sums the block.
#[test]
fn a_damaged_block_stops_no_checkpoint_and_stays_a_problem() {
    let place = Place::new();
    let path = damaged(&place);
    let options = || DynDatabase::options().checkpoint_at(64 << 10);
    let database = options().open(&path).unwrap();
    for n in 0..60 {
        set(&database, (0..100).map(|k| (n * 37 + k * 29) % 3000), n);
        assert!(log_bytes(&place) < 1 << 20, "{n}: {} bytes", log_bytes(&place));
        assert_eq!(database.checkpoint_failure(), None);
    }
    let checkpoint = database.checkpoint().unwrap();
    let [block] = checkpoint.damaged() else { panic!("{:?}", checkpoint.damaged()) };
    assert_eq!((block.block, &block.bytes), (2, &(196_608..262_144)));
    assert!(block.to_string().ends_with("records 1310..1967: it does not match its checksum"));
    doubts_block_2(&path);
    database.close().unwrap();
    doubts_block_2(&path);
    // Although handles of every kind overwrite all of its records.
    for n in 0..2 {
        let database = options().open(&path).unwrap();
        set(&database, 1300..2000, n);
        assert_eq!(database.checkpoint().unwrap().damaged().len(), 1);
        database.close().unwrap();
        doubts_block_2(&path);
    }
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 3000..3010);
    let error = store.edit().unwrap().set(IN_BLOCK_2, &record(1)).unwrap_err();
    assert!(error.to_string().contains(BECAUSE), "{error}");
    store.close().unwrap();
    doubts_block_2(&path);
    let store = DynStore::open_read_only(&path).unwrap();
    assert!((1300..2000).all(|id| store.get(id) == Some(&record(1)[..])));
    drop(store);

    let report = salvage(&path, place.path("saved"), SalvageOptions::new()).unwrap();
    assert_eq!(report.lost_records(), 657);
    assert!(report.lost[0].why.contains(BECAUSE), "{:?}", report.lost);
    assert_eq!(rebuild_checksums(&path).unwrap().mismatched, 1);
    clean(&path, 5);
    assert_eq!(DynStore::open(&path).unwrap().info().unwrap().damaged, Vec::<DamagedBlock>::new());
}

/// Finds a checkpoint that reads and sums all between the first and the last record that it writes.
#[test]
fn a_checkpoint_finds_nothing_in_blocks_that_it_does_not_change() {
    let place = Place::new();
    let path = damaged(&place);
    let database = DynDatabase::open(&path).unwrap();
    set(&database, [0, 2999], 7);
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!((checkpoint.records(), checkpoint.damaged()), (2, &[][..]));
    database.close().unwrap();
    let report = verify(&path, VerifyOptions::new()).unwrap();
    assert_eq!(report.problems_found, 1, "{:?}", report.problems);
    let problem = report.problems[0].to_string();
    assert!(problem.contains("block 2") && !problem.contains(BECAUSE), "{problem}");
}

/// Finds a recovery that takes damage found before a kill for a half-written checkpoint.
#[test]
fn damage_found_before_a_checkpoint_is_not_excused_by_its_interruption() {
    for way in 0..3 {
        let place = Place::new();
        let path = damaged(&place);
        let database = DynDatabase::open(&path).unwrap();
        set(&database, [IN_BLOCK_2], 1);
        if way > 0 {
            assert_eq!(database.checkpoint().unwrap().damaged().len(), 1);
            set(&database, [IN_BLOCK_2], 2);
        }
        // The process is killed with a log over the block. A checkpoint that had begun excuses new
        // differences. Recovery once also summed a block that was damaged before.
        let copy = copy_as_killed(&place);
        if way > 0 {
            announce_checkpoint(&copy);
        }
        if way == 1 {
            let database = DynDatabase::open(&copy).unwrap();
            assert_eq!(database.checkpoint().unwrap().damaged().len(), 1);
            database.close().unwrap();
        } else {
            let store = DynStore::open(&copy).unwrap();
            assert_eq!(store.info().unwrap().damaged_blocks, 1);
            store.close().unwrap();
        }
        doubts_block_2(&copy);
    }
}

/// An interrupted checkpoint has written nothing of later commits, so a difference in their blocks
/// is damage. Recovery once summed such blocks.
#[test]
fn an_interrupted_checkpoint_does_not_excuse_damage_in_blocks_of_later_commits() {
    for way in 0..3 {
        let place = Place::new();
        let path = damaged(&place);
        let database = DynDatabase::open(&path).unwrap();
        set(&database, [1000, 1001], 1);
        set(&database, [1001, 2500], 2);
        set(&database, [1000, IN_BLOCK_2], 3);
        let copy = copy_as_killed(&place);
        // The checkpoint was for the first of the three commits; a later one changed block 1 again.
        announce_checkpoint(&copy);
        flip(&copy, D + BLOCK + 9, 1);
        let report = verify(&copy, VerifyOptions::new()).unwrap();
        assert_eq!(report.problems_found, 1, "{:?}", report.problems);
        assert!(report.problems[0].to_string().contains("block 2, "), "{:?}", report.problems);
        if way < 2 {
            let database = DynDatabase::open(&copy).unwrap();
            set(&database, [IN_BLOCK_2 + way], 4);
            assert_eq!(database.checkpoint().unwrap().damaged().len(), 1);
            database.close().unwrap();
        } else {
            let store = DynStore::open(&copy).unwrap();
            assert_eq!(store.info().unwrap().damaged_blocks, 1);
            store.close().unwrap();
        }
        doubts_block_2(&copy);
    }
}

/// Finds a writer that sums a block anew because its entry was lost, or because it is the last one.
#[test]
fn a_lost_entry_and_a_damaged_last_block_stay_problems() {
    let place = Place::new();
    let path = place.store(3000);
    // Damages the last block, which appends extend and truncation shortens, and the entry of block
    // 1.
    flip(&path, D + 4 * BLOCK + 7, 1);
    let sums = place.path("x-sum");
    for at in 520..528 {
        poke(&sums, at, 0);
    }
    let doubted = |blocks: &[u64]| {
        let report = verify(&path, VerifyOptions::new()).unwrap();
        let named = |block| format!("block {block}, ");
        let doubts: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert_eq!(doubts.len(), blocks.len(), "{doubts:?}");
        for (doubt, &block) in doubts.iter().zip(blocks) {
            assert!(doubt.contains(&named(block)), "{doubts:?}");
        }
    };
    doubted(&[1, 4]);
    let database = DynDatabase::open(&path).unwrap();
    set(&database, [700, 2900], 1);
    commit(&database, |transaction| {
        transaction.append(&record(7)).unwrap();
    });
    let checkpoint = database.checkpoint().unwrap();
    let whys: Vec<&str> = checkpoint.damaged().iter().map(|block| block.why.as_str()).collect();
    assert_eq!(whys, ["it has no checksum", "it does not match its checksum"]);
    database.close().unwrap();
    doubted(&[1, 4]);
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 0..5);
    store.flush().unwrap();
    doubted(&[1, 4]);
    store.truncate(2700).unwrap();
    doubted(&[1, 4]);
    // Records appended after the truncation form another block.
    store.truncate(2600).unwrap();
    append(&mut store, 0..500);
    store.close().unwrap();
    doubted(&[1]);
}

/// An append extends a block's checksum without reading the old bytes. Such a handle once counted
/// the block as compared, and its next change hid the damage in it.
#[test]
fn an_extended_block_is_compared_before_it_changes() {
    for way in 0..2 {
        let place = Place::new();
        let path = place.store(100);
        flip(&path, D + 50 * 100 + 7, 1);
        let is_damaged = |doubts: u64| {
            assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems_found, doubts)
        };
        is_damaged(1);
        if way == 0 {
            let mut store = DynStore::open(&path).unwrap();
            append(&mut store, 100..120);
            store.flush().unwrap();
            let error = store.edit().unwrap().set(3, &record(1)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            store.close().unwrap();
        } else {
            let database = DynDatabase::open(&path).unwrap();
            commit(&database, |transaction| {
                transaction.append(&record(7)).unwrap();
            });
            database.checkpoint().unwrap();
            set(&database, [3], 1);
            assert_eq!(database.checkpoint().unwrap().damaged().len(), 1);
            database.close().unwrap();
        }
        is_damaged(1);
    }
}

/// A device that cannot read some bytes of the store, and has no space for the checksum file while
/// it is full.
struct Device {
    bad: Range<u64>,
    is_full: AtomicBool,
    /// Whether syncs fail.
    is_failing: AtomicBool,
}

impl Device {
    fn open(path: &Path, bad: Range<u64>) -> Arc<Hooked<Self>> {
        // SAFETY: the test opens the store only over this backing.
        let file = Arc::new(unsafe { FileBacking::open_unchecked(path, true) }.unwrap());
        let device = Self { bad, is_full: false.into(), is_failing: false.into() };
        Arc::new(Hooked::over(file, device))
    }
}

impl Hook for Device {
    fn ask(&self, _: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then, Error> {
        let is_bad =
            |offset: u64, len: usize| offset < self.bad.end && self.bad.start < offset + len as u64;
        match (suffix, call) {
            ("", Call::Read { offset, len }) if is_bad(offset, len) => {
                Err(io::Error::other("a bad sector").into())
            }
            ("-sum", Call::Grow { .. }) if self.is_full.load(Relaxed) => {
                Err(io::Error::from(io::ErrorKind::StorageFull).into())
            }
            ("", Call::SyncData | Call::SyncFull) if self.is_failing.load(Relaxed) => {
                Err(io::Error::other("the device is gone").into())
            }
            _ => Ok(Then::Forward),
        }
    }
}

fn over(device: Arc<Hooked<Device>>) -> DynDatabase {
    // SAFETY: the test opens the store only through this handle.
    unsafe { DynDatabase::options().checkpoint_at(64 << 10).over(device) }.unwrap()
}

/// Finds a checkpoint that stops at a sector with a read error, or that trusts the block later.
#[test]
fn an_unreadable_block_is_a_problem_and_is_written() {
    let place = Place::new();
    let path = place.store(3000);
    let at = (D + 2 * BLOCK + 40_000) as u64;
    let device = Device::open(&path, at..at + 512);
    let database = over(device);
    for n in 0..20 {
        set(&database, 1300..1400, n);
    }
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!(checkpoint.damaged().len(), 1);
    assert_eq!(checkpoint.damaged()[0].why, "it could not be read");
    assert_eq!((database.checkpoint_failure(), log_bytes(&place) < 1 << 20), (None, true));
    database.close().unwrap();
    // The block can be read again, but its content is unknown.
    doubts_block_2(&path);
}

/// Finds a background checkpoint whose failure no call reports.
#[test]
fn calls_report_why_a_checkpoint_failed() {
    let place = Place::new();
    let path = place.store(3000);
    let device = Device::open(&path, 0..0);
    let database = over(Arc::clone(&device));
    // A checkpoint needs disk space only if the checksum file is too short.
    let sums_at = path.with_file_name("x-sum");
    let sums = std::fs::read(&sums_at).unwrap();
    std::fs::OpenOptions::new().write(true).open(&sums_at).unwrap().set_len(100).unwrap();
    device.is_full.store(true, Relaxed);
    for n in 0..20 {
        set(&database, 0..100, n);
    }
    let why = database.checkpoint_failure().unwrap();
    assert!(why.contains("no space left"), "{why}");
    let error = database.checkpoint().unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NoSpace, why));
    // The writer tries again by itself, and then no call reports a failure.
    std::fs::write(&sums_at, sums).unwrap();
    device.is_full.store(false, Relaxed);
    for n in 0..20 {
        set(&database, 0..100, n);
    }
    assert_eq!(database.checkpoint_failure(), None);
    assert!(log_bytes(&place) < 1 << 20);

    // All later calls report the error that poisoned the handle.
    device.is_failing.store(true, Relaxed);
    let commit_until_told = || {
        for n in 0.. {
            set(&database, 0..100, n);
            if let Some(why) = database.checkpoint_failure() {
                return why;
            }
        }
        unreachable!("no checkpoint failed after so many commits")
    };
    let why = commit_until_told();
    assert!(why.contains("the device is gone"), "{why}");
    let error = database.begin_write().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.to_string().contains("the device is gone"), "{error}");
    device.is_failing.store(false, Relaxed);
    drop(database);
    DynDatabase::open(&path).unwrap().close().unwrap();
    clean(&path, 5);
}
