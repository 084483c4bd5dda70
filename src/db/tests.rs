//! Tests that need more than the public API, such as a windowed store over a backing that fails.

#![allow(unsafe_code, reason = "opening a store over a test's backing is unsafe")]

#[cfg(target_os = "linux")]
mod locks;
mod read_beside;
#[cfg(all(feature = "derive", feature = "text"))]
mod seeds;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::array::{Reading, WriteBack};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Schema};
use crate::io::hooked::{Call, Hook, Hooked, Then};
use crate::io::{Access, Backing, FileBacking};
use crate::step::{self, Step};
use crate::store::{DynEdit, DynStore, ExclusiveFile, Unpublished};
use crate::txn::Common;

/// Fails the writes to a file while the flag `broken` is set.
#[derive(Default)]
struct Unwritable {
    broken: AtomicBool,
    /// Whether the current name of the file is durable.
    name_synced: AtomicBool,
    /// The parts of the file that views flushed.
    flushed: Mutex<Vec<Range<u64>>>,
}

impl Unwritable {
    fn over(file: FileBacking) -> Arc<Hooked<Self>> {
        Arc::new(Hooked::over(Arc::new(file), Self::default()))
    }
}

impl Hook for Unwritable {
    fn ask(&self, _: &Arc<dyn Backing>, _: &str, call: Call<'_>) -> Result<Then> {
        match call {
            Call::Write { .. } if self.broken.load(Ordering::Relaxed) => {
                return Err(Error::new(ErrorKind::Io, "write"));
            }
            Call::Flush { view, range } => {
                let at = |lead: usize| view.offset() + lead as u64;
                self.flushed.lock().unwrap().push(at(range.start)..at(range.end));
            }
            Call::Rename => self.name_synced.store(false, Ordering::Relaxed),
            Call::SyncDirectory => self.name_synced.store(true, Ordering::Relaxed),
            _ => {}
        }
        Ok(Then::Forward)
    }
}

const PAGE: usize = 4096;

const WINDOWS: Reading = Reading::Windowed { budget_bytes: 1 << 20, window_bytes: 64 << 10 };

/// A store of 64 records of a page each.
fn pages() -> Arc<Hooked<Unwritable>> {
    let backing = Unwritable::over(FileBacking::temporary(0).unwrap());
    let schema = Schema::packed([Field::new("page", DataType::Binary(4096))]).unwrap();
    let common = Common::default();
    // SAFETY: records are bytes, and only this test uses the backing.
    let made = unsafe {
        ExclusiveFile::<[u8]>::create_over(Arc::clone(&backing) as _, Some(&schema), &common)
    };
    let mut store = made.unwrap();
    store.append(&[1; 64 * PAGE], 64).unwrap();
    store.close().unwrap();
    backing
}

fn open(
    backing: &Arc<Hooked<Unwritable>>,
    reading: Reading,
    way: WriteBack,
) -> Result<ExclusiveFile<[u8]>> {
    let common = Common { reading, write_back: way, ..Common::default() };
    // SAFETY: records are bytes, and each test uses its own backing.
    unsafe { ExclusiveFile::over(Arc::clone(backing) as _, Access::ReadWrite, None, &common) }
}

/// A read through an edit may slide the window, which first writes earlier changes. If that write
/// fails, the edit fails.
#[cfg(unix)] // Windows has no positioned writes
#[test]
fn an_edit_fails_if_a_sliding_window_cannot_write_its_changes() {
    let backing = pages();
    let mut file = open(&backing, WINDOWS, WriteBack::Positioned).unwrap();
    let mut edit = DynEdit::begin(&mut file).unwrap();
    edit.get_mut(0).unwrap().unwrap().fill(2);
    backing.broken.store(true, Ordering::Relaxed);
    assert_eq!(edit.try_get(64).unwrap_err().kind(), ErrorKind::OutOfRange);
    let found = edit.try_get(0).unwrap();
    assert_eq!(found, [2; PAGE], "a number past the last must not poison the edit");
    assert_eq!(edit.get(63).unwrap_err().kind(), ErrorKind::Io);
    backing.broken.store(false, Ordering::Relaxed);
    assert_eq!(edit.get(0).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(edit.finish().unwrap_err().kind(), ErrorKind::Poisoned);
    drop(file);
    let error = open(&backing, Reading::Whole, WriteBack::Auto).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InterruptedEdit);
}

/// Some systems do not find changes in an unmapped view when they sync the file, so the window must
/// flush them while it is mapped.
#[test]
fn changes_in_a_window_are_flushed_before_it_slides() {
    let backing = pages();
    let mut file = open(&backing, WINDOWS, WriteBack::Mapped).unwrap();
    let mut edit = DynEdit::begin(&mut file).unwrap();
    edit.get_mut(1).unwrap().unwrap().fill(2);
    edit.get(63).unwrap();
    let start = 65_536 + PAGE as u64;
    let flushed = backing.flushed.lock().unwrap().clone();
    assert!(flushed.iter().any(|range| range.start <= start && start + 4096 <= range.end));
    edit.finish().unwrap();
    file.close().unwrap();
}

/// A store that could not be finished must not get its name.
#[test]
fn an_unpublished_store_appears_only_when_it_is_finished() {
    for broken in [true, false] {
        make_aside(broken);
    }
}

fn make_aside(broken: bool) {
    let directory = tempfile::tempdir().unwrap();
    let (made_at, publish_at) = (directory.path().join("aside"), directory.path().join("store"));
    let backing = Unwritable::over(FileBacking::create_new(&made_at).unwrap());
    let schema = Schema::packed([Field::new("page", DataType::Binary(4096))]).unwrap();
    let common = Common::default();
    // SAFETY: records are bytes, and only this test uses the backing.
    let made = unsafe {
        ExclusiveFile::<[u8]>::create_over(Arc::clone(&backing) as _, Some(&schema), &common)
    };
    let mut store = made.unwrap();
    let file = Arc::new(FileBacking::open_any(&made_at, true).unwrap());
    let publish_at_close =
        Unpublished { file, publish_at: publish_at.clone(), replace: false, keep: false };
    store.mode.unpublish(publish_at_close);
    store.append(&[1; PAGE], 1).unwrap();
    backing.broken.store(broken, Ordering::Relaxed);
    let closed = store.close();
    if broken {
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::Io);
        // Some systems keep the name of a deleted file while it is open.
        drop(backing);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    } else {
        closed.unwrap();
        assert!(publish_at.exists() && backing.name_synced.load(Ordering::Relaxed));
    }
}

/// Until the new store's name is synced, a power cut may bring back the replaced store, which then
/// needs its checksum file.
#[test]
fn a_replaced_store_keeps_its_checksums_until_the_new_name_is_durable() {
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    for checksums in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (path, sums) = (directory.path().join("store"), directory.path().join("store-sum"));
        let with_sums = DynStore::create_options().checksums(true);
        with_sums.create(&path, &schema).unwrap().close().unwrap();
        let before = std::fs::read(&sums).unwrap();
        let options = DynStore::create_options().checksums(checksums);
        let new = options.create_aside(&path, &schema, true).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let at = sums.clone();
        step::at(Step::StoreNameSync, move || tell.send(std::fs::read(at)).unwrap());
        new.close().unwrap();
        assert_eq!(told.try_recv().unwrap().unwrap(), before);
        assert_eq!(std::fs::read(&sums).is_ok(), checksums);
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, if checksums { 3 } else { 2 }, "the store, its lock and its sums");
    }
}
