//! Exclusive edits and truncations, on stores and through windows: what they make durable, and what
//! they refuse.

#![allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flatrec::map::{Backing, FileBacking, Mapping};
use flatrec::{
    DataType, DynDatabase, DynEdit, DynStore, DynWindowedStore, ErrorKind, Field, OpenOptions,
    Schema, SlotInfo, WriteBack,
};

use crate::support::hooked::{Call, Hooked, Then};

/// Windows of 64 KiB, of which four are mapped.
const WINDOWS: (u64, u64) = (256 << 10, 64 << 10);

fn schema(record_len: u32) -> Schema {
    Schema::packed([Field::new("bytes", DataType::Binary(record_len))]).unwrap()
}

/// A closed store of `count` records of 8 bytes, which are their numbers.
fn make_numbers(path: &Path, count: u64) {
    let mut store = DynStore::create(path, &schema(8)).unwrap();
    store.append_all((0..count).map(u64::to_le_bytes)).unwrap();
    store.close().unwrap();
}

fn windows() -> OpenOptions<DynWindowedStore> {
    DynWindowedStore::options().max_mapped_bytes(WINDOWS.0).window_bytes(WINDOWS.1)
}

fn windowed(path: &Path) -> DynWindowedStore {
    windows().open(path).unwrap()
}

/// Finds a flush of a part that leaves the part in memory, where a crash loses it.
#[test]
fn a_flushed_part_of_an_edit_is_in_the_file_before_the_edit_ends() {
    let possible = |way: &WriteBack| cfg!(unix) || *way != WriteBack::Positioned;
    let ways = [WriteBack::Auto, WriteBack::Positioned, WriteBack::Mapped];
    for way in ways.into_iter().filter(possible) {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("pages.rec"), directory.path().join("copy.rec"));
        let mut store =
            DynStore::create_options().write_back(way).create(&path, &schema(4096)).unwrap();
        store.append_packed(&[0; 64 * 4096]).unwrap();
        let mut edit = store.edit().unwrap();
        for id in 0..64 {
            edit.get_mut(id).unwrap().unwrap().fill(1);
        }
        edit.flush_range(20..30).unwrap();
        // A copy is what a crash of the program would leave.
        std::fs::copy(&path, &copy).unwrap();
        let error = DynStore::open(&copy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InterruptedEdit, "{way:?}: {error}");
        let left = DynStore::options().accept_interrupted_edit(true).open(&copy).unwrap();
        for id in 20..30 {
            assert_eq!(left.get(id), Some(&[1; 4096][..]), "{way:?}: record {id}");
        }
        drop(left);
        // The edit goes on.
        edit.set(25, &[2; 4096]).unwrap();
        edit.flush().unwrap();
        std::fs::copy(&path, &copy).unwrap();
        edit.finish().unwrap();
        let left = DynStore::options().accept_interrupted_edit(true).open(&copy).unwrap();
        for store in [store, left] {
            let expected = |id| [if id == 25 { 2 } else { 1 }; 4096];
            assert!(store.iter().map(|(_, record)| record).eq((0..64).map(expected)), "{way:?}");
        }
    }
}

/// Counts the syncs of a data file, and lets them fail.
#[derive(Default)]
struct Syncs {
    count: AtomicU64,
    fail: AtomicBool,
}

/// A file whose syncs are counted.
fn counted(syncs: &Arc<Syncs>) -> Arc<dyn Backing> {
    let syncs = Arc::clone(syncs);
    let file = Arc::new(FileBacking::temporary(0).unwrap());
    Arc::new(Hooked::over(file, move |_: &Arc<dyn Backing>, suffix: &str, call: Call<'_>| {
        if suffix.is_empty() && call.syncs() {
            syncs.count.fetch_add(1, Ordering::Relaxed);
            if syncs.fail.load(Ordering::Relaxed) {
                // A real error of the operating system, from an impossible request.
                return Err(Mapping::temporary(0).unwrap().view(5..6).unwrap_err());
            }
        }
        Ok(Then::Forward)
    }))
}

/// Finds a flush of a part without a sync, one of records that the store does not hold, and a
/// handle that goes on after a sync has failed.
#[test]
fn a_flush_of_a_part_syncs_once_and_a_failed_one_poisons_the_handle() {
    let syncs = Arc::new(Syncs::default());
    // SAFETY: nothing else has the file.
    let mut store =
        unsafe { DynStore::create_options().create_over(counted(&syncs), &schema(8)) }.unwrap();
    store.append_packed(&[0; 10 * 8]).unwrap();
    let mut edit = store.edit().unwrap();
    edit.set(3, &[1; 8]).unwrap();
    let taken = |edit: &mut DynEdit<'_>, records: Range<u64>| {
        let before = syncs.count.load(Ordering::Relaxed);
        let flushed = edit.flush_range(records).map_err(|error| (error.kind(), error.to_string()));
        (flushed, syncs.count.load(Ordering::Relaxed) - before)
    };
    for outside in [Range { start: 5, end: 3 }, 0..11, 11..11, 11..u64::MAX] {
        let (flushed, syncs) = taken(&mut edit, outside.clone());
        let (kind, text) = flushed.unwrap_err();
        assert_eq!((kind, syncs), (ErrorKind::OutOfRange, 0), "{outside:?}: {text}");
        assert!(text.contains("the store holds 10 records"), "{outside:?}: {text}");
    }
    assert_eq!(taken(&mut edit, 3..4), (Ok(()), 1));
    assert_eq!(taken(&mut edit, 0..10).0, Ok(()));
    assert_eq!(taken(&mut edit, 10..10).0, Ok(()), "no records");
    assert_eq!(edit.try_get(3).unwrap(), [1; 8]);

    syncs.fail.store(true, Ordering::Relaxed);
    assert!(edit.flush_range(3..4).is_err());
    syncs.fail.store(false, Ordering::Relaxed);
    let (flushed, synced) = taken(&mut edit, 3..4);
    assert_eq!((flushed.unwrap_err().0, synced), (ErrorKind::Poisoned, 0));
    assert_eq!(edit.get_mut(3).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(edit.finish().unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(store.append(&[0; 8]).unwrap_err().kind(), ErrorKind::Poisoned);
}

/// Finds a private edit whose flush reaches the file.
#[test]
fn a_flush_of_a_private_edit_leaves_the_file_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    make_numbers(&path, 10);
    let before = std::fs::read(&path).unwrap();
    let mut private = DynStore::open_private(&path).unwrap();
    let mut edit = private.edit().unwrap();
    edit.set(3, &[1; 8]).unwrap();
    edit.flush_range(3..4).unwrap();
    let error = edit.flush_range(0..11).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
    edit.finish().unwrap();
    assert_eq!(private.get(3), Some(&[1; 8][..]));
    assert!(std::fs::read(&path).unwrap() == before);
}

/// Finds windows that still show what was cut off, and appends after a truncation that take the
/// bytes, or the numbers, of the old records.
#[test]
fn a_windowed_store_forgets_what_it_has_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    make_numbers(&path, 40_000);
    let mut store = windowed(&path);
    assert_eq!(store.get(39_999).unwrap().as_deref(), Some(&39_999_u64.to_le_bytes()[..]));
    for count in [40_000, 40_001, u64::MAX] {
        store.truncate(count).unwrap();
        assert_eq!(store.count(), 40_000, "nothing lies behind {count}");
    }
    // Of appended records that no flush has counted.
    store.append_packed(&[7; 16]).unwrap();
    store.truncate(40_001).unwrap();
    assert_eq!(store.copy(40_000).unwrap().as_deref(), Some(&[7; 8][..]));
    assert!(store.copy(40_001).unwrap().is_none());

    store.truncate(20_001).unwrap();
    assert_eq!((store.count(), store.live_count()), (20_001, 20_001));
    assert!(store.get(20_001).unwrap().is_none() && store.copy(39_999).unwrap().is_none());
    let (id, last) = store.iter().next_back().unwrap().unwrap();
    assert_eq!((id, last), (20_000, 20_000_u64.to_le_bytes().to_vec()));
    for slot in DynStore::open_read_only(&path).unwrap().info().unwrap().slots {
        assert!(matches!(slot, SlotInfo::Valid { count: 20_001, .. }), "{slot:?}");
    }
    assert_eq!(store.append(&[9; 8]).unwrap(), 20_001);
    store.flush().unwrap();
    assert_eq!(store.get(20_001).unwrap().as_deref(), Some(&[9; 8][..]));
    assert!(store.get(20_002).unwrap().is_none());
    store.truncate(0).unwrap();
    assert!(store.is_empty() && store.get(0).unwrap().is_none());
    assert_eq!(store.append(&[5; 8]).unwrap(), 0);
    store.close().unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!((store.count(), store.get(0)), (1, Some(&[5; 8][..])));
}

/// Finds a windowed store that cuts off what a reader reads, or a handle that may not write does.
#[test]
fn a_windowed_store_cuts_nothing_off_that_it_may_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    make_numbers(&path, 10);
    let mut store = windowed(&path);
    let reader = DynDatabase::open_read_only(&path).unwrap();
    assert_eq!(store.truncate(5).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(store.edit().unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(store.count(), 10);
    assert_eq!(reader.begin_read().unwrap().get(9), Some(&9_u64.to_le_bytes()[..]));
    drop(reader);
    store.truncate(5).unwrap();
    store.close().unwrap();
    let mut store = DynWindowedStore::open_read_only(&path).unwrap();
    assert_eq!(store.truncate(3).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.edit().unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!((store.count(), store.copy(4).unwrap().is_some()), (5, true));
}
