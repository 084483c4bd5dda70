//! Every call of a store fails once: the n-th write, sync, growth or trim of a scripted history,
//! for every n. The handle must report it. The next handle must show the last acknowledged flush,
//! or the one whose outcome is unknown.

#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flatrec::map::{Backing, FileBacking, Mapping};
use flatrec::{DataType, DynStore, Error, ErrorKind, Field, Schema, WriteBack};

use crate::support::hooked::{Call, Hook, Hooked, Then};

/// Makes the n-th changing call of a file fail. A failing write writes a part.
#[derive(Debug)]
struct Faulty {
    calls: AtomicU64,
    fails_at: u64,
    /// Whether all later calls fail too, as on a lost device.
    stays_broken: bool,
    failed: AtomicBool,
    /// Whether a failure is a full disk. Otherwise it is an error that flatrec never makes.
    full: bool,
    reserves: bool,
    /// Whether mapping a view counts as a call that can fail.
    views_fail: bool,
}

impl Faulty {
    fn new(fails_at: u64) -> Self {
        Self {
            calls: AtomicU64::new(0),
            fails_at,
            stays_broken: false,
            failed: AtomicBool::new(false),
            full: false,
            reserves: true,
            views_fail: false,
        }
    }

    /// Makes the n-th call from now fail.
    fn fail_after(&self, calls: u64) {
        self.calls.store(self.fails_at - calls, Ordering::Relaxed);
    }

    fn step(&self) -> Result<(), Error> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call == self.fails_at || (self.stays_broken && call > self.fails_at) {
            self.failed.store(true, Ordering::Relaxed);
            // An error of the operating system, from an impossible request.
            if self.full {
                return Err(FileBacking::temporary(1 << 62).unwrap_err());
            }
            return Err(Mapping::temporary(0).unwrap().view(5..6).unwrap_err());
        }
        Ok(())
    }
}

impl Hook for Faulty {
    fn ask(&self, file: &Arc<dyn Backing>, _: &str, call: Call<'_>) -> Result<Then, Error> {
        // A file without a name has no files beside it, so a search for them changes nothing.
        let beside = matches!(call, Call::OpenSide { .. } | Call::RenameSide | Call::RemoveSide);
        let in_turn = match call {
            Call::View => self.views_fail,
            _ => call.changes() && !beside,
        };
        if in_turn {
            self.step().inspect_err(|_| {
                if let Call::Write { offset, bytes } = call {
                    file.write_at(offset, &bytes[..bytes.len() / 2]).unwrap(); // a short write
                }
            })?;
        }
        match call {
            Call::Grow { len_bytes } if !self.reserves => {
                file.grow(len_bytes)?;
                Ok(Then::Done)
            }
            _ => Ok(Then::Forward),
        }
    }
}

fn schema() -> Schema {
    Schema::packed([Field::new("n", DataType::UInt32), Field::new("rest", DataType::Binary(1021))])
        .unwrap()
}

fn record(n: u32) -> Vec<u8> {
    let mut bytes = vec![n as u8; 1025];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// The number of records after each flush of the history.
const FLUSHES: [u64; 4] = [0, 100, 700, 400];

/// Appends, flushes and truncates. Returns how many of the [`FLUSHES`] were acknowledged.
fn history(store: &mut DynStore) -> (usize, Result<(), Error>) {
    let mut acknowledged = 0;
    let append = |store: &mut DynStore, records: &[u8]| {
        let count = store.count();
        store.append_packed(records).map(|_| ()).inspect_err(|_| {
            assert_eq!(store.count(), count, "the store counts a failed append");
            assert_eq!(
                store.iter().count() as u64,
                count,
                "the store counts a record that it cannot read"
            );
        })
    };
    let mut run = || -> Result<(), Error> {
        for n in 0..100 {
            append(store, &record(n))?;
        }
        store.flush()?;
        acknowledged = 1;
        let many: Vec<u8> = (100..700).flat_map(record).collect();
        append(store, &many)?;
        store.flush()?;
        acknowledged = 2;
        store.truncate(400)?;
        acknowledged = 3;
        Ok(())
    };
    let result = run();
    (acknowledged, result)
}

/// Runs the history with the n-th call failing. Returns `false` if the history has no such call.
fn run_with_failure(fails_at: u64, stays_broken: bool, way: WriteBack, snug: bool) -> bool {
    let file = Arc::new(FileBacking::temporary(0).unwrap());
    let faulty = Faulty { stays_broken, views_fail: snug, ..Faulty::new(fails_at) };
    let faulty = Hooked::over(Arc::clone(&file) as _, faulty)
        .with_properties(|properties| properties.views_pass_end &= !snug);
    let faulty = Arc::new(faulty);
    let options = DynStore::create_options().write_back(way);
    let backing = Arc::clone(&faulty) as Arc<dyn Backing>;
    // SAFETY: this test alone uses the backing.
    let store = unsafe { options.create_over(backing, &schema()) };
    let mut store = match store {
        Ok(store) => store,
        Err(error) => {
            assert!(faulty.failed.load(Ordering::Relaxed), "{error}");
            return true; // the call that made the store reported the failure
        }
    };
    let (acknowledged, result) = history(&mut store);
    let failed_before_close = faulty.failed.load(Ordering::Relaxed);
    assert_eq!(result.is_err(), failed_before_close, "the report is wrong: {result:?}");
    if let Err(error) = result {
        assert_eq!(error.kind(), ErrorKind::OutOfRange, "not the injected error: {error}");
    }
    let close = store.close();
    let failed = faulty.failed.load(Ordering::Relaxed);
    if !failed {
        close.unwrap();
    }

    // Opens the store again without failures.
    // SAFETY: the store before is closed.
    let store = unsafe { DynStore::options().over(file) };
    let store = store.unwrap_or_else(|error| panic!("call {fails_at} failed: {error}"));
    let possible = if failed_before_close {
        &FLUSHES[acknowledged..(acknowledged + 2).min(FLUSHES.len())]
    } else {
        &FLUSHES[acknowledged..=acknowledged]
    };
    assert!(
        possible.contains(&store.count()) || failed_before_close && retried(&store, acknowledged),
        "call {fails_at} failed after {acknowledged} flushes, and the store has {} records",
        store.count()
    );
    for (n, (_, bytes)) in (0..).zip(&store) {
        assert!(bytes == record(n), "call {fails_at} failed: record {n} is torn");
    }
    failed
}

/// Whether the count is that of the appends before the failure, which the close may have made
/// durable.
fn retried(store: &DynStore, acknowledged: usize) -> bool {
    (FLUSHES[acknowledged]..=FLUSHES[(acknowledged + 1).min(3)]).contains(&store.count())
}

/// Finds a failed call after which a store loses flushed records.
#[test]
fn every_call_fails_once() {
    for way in [WriteBack::Auto, WriteBack::Mapped] {
        for stays_broken in [false, true] {
            // Snug views end with the file, so the store replaces them whenever it grows.
            for snug in if stays_broken { &[false][..] } else { &[false, true] } {
                let run = |n: &u64| run_with_failure(*n, stays_broken, way, *snug);
                let calls = (0..).take_while(run).count();
                assert!(calls > 15, "the history makes only {calls} calls: {way:?}");
            }
        }
    }
}

/// Finds a retry that succeeds although the system dropped the data of the failed sync.
#[test]
fn after_a_failed_sync_every_write_is_refused() {
    let file = Arc::new(FileBacking::temporary(0).unwrap());
    // SAFETY: this test alone uses the backing.
    let mut store =
        unsafe { DynStore::create_options().create_over(Arc::clone(&file) as _, &schema()) }
            .unwrap();
    store.append(&record(0)).unwrap();
    store.close().unwrap();
    let fails_at = 2; // the growth and the write of the buffer succeed, the sync fails
    let faulty = Arc::new(Hooked::over(Arc::clone(&file) as _, Faulty::new(fails_at)));
    // SAFETY: this test alone uses the backing.
    let store = unsafe { DynStore::options().over(faulty as _) };
    let mut store = store.unwrap();
    store.append(&record(1)).unwrap();
    store.flush().unwrap_err();
    for error in [
        store.append(&record(2)).unwrap_err(),
        store.flush().unwrap_err(),
        store.truncate(0).unwrap_err(),
        store.edit().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
        assert!(error.to_string().contains("reopen"), "{error}");
    }
    assert_eq!(store.get(0), Some(&record(0)[..]), "reading goes on");
    assert_eq!(store.close().unwrap_err().kind(), ErrorKind::Poisoned);
}

/// Makes a store of `count` records over a backing whose calls can fail.
#[cfg(not(windows))]
fn store_over(faulty: &Arc<Hooked<Faulty>>, way: WriteBack, count: u32) -> DynStore {
    let options = DynStore::create_options().write_back(way);
    // SAFETY: this test alone uses the backing.
    let store = unsafe { options.create_over(Arc::clone(faulty) as _, &schema()) };
    let mut store = store.unwrap();
    store.append_packed(&(0..count).flat_map(record).collect::<Vec<_>>()).unwrap();
    store.flush().unwrap();
    store
}

/// Finds an append that succeeds in part on a full disk.
#[cfg(not(windows))] // Windows refuses positioned writing
#[test]
fn appends_that_fill_the_disk_lose_nothing_and_continue_when_it_has_space() {
    let large: Vec<u8> = (20..500).flat_map(record).collect();
    for calls in [0, 1] {
        let file = Arc::new(FileBacking::temporary(0).unwrap());
        let faulty = Faulty { full: true, ..Faulty::new(u64::MAX) };
        // Other systems refuse positioned writing. There the test reads through views only after it
        // has opened the store again.
        let faulty = Hooked::over(Arc::clone(&file) as _, faulty)
            .with_properties(|properties| properties.calls_see_views = true);
        let faulty = Arc::new(faulty);
        let mut store = store_over(&faulty, WriteBack::Positioned, 10);
        store.reserve(2000).unwrap();
        for n in 10..20 {
            store.append(&record(n)).unwrap(); // into the append buffer
        }
        // The buffer cannot be written, and then the records themselves cannot.
        faulty.fail_after(calls);
        let error = store.append_packed(&large).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        assert_eq!(store.count(), 20);
        assert!(store.iter().map(|(_, record)| record).eq((0..20).map(record)), "{calls} calls");
        faulty.calls.store(0, Ordering::Relaxed);
        store.append_packed(&large).unwrap();
        store.close().unwrap();
        // SAFETY: the store before is closed.
        let store = unsafe { DynStore::read_options().over(file) };
        assert!(store.unwrap().iter().map(|(_, record)| record).eq((0..500).map(record)));
    }
}

/// Without reservation the store writes zeros. Finds a length that a disk full half-way leaves, and
/// that later looks like reserved space.
#[test]
fn space_that_could_not_be_reserved_is_not_counted() {
    let file = Arc::new(FileBacking::temporary(0).unwrap());
    let faulty = Faulty { full: true, reserves: false, ..Faulty::new(u64::MAX) };
    let faulty = Arc::new(Hooked::over(Arc::clone(&file) as _, faulty));
    let options = DynStore::create_options().write_back(WriteBack::Mapped);
    // SAFETY: this test alone uses the backing.
    let store = unsafe { options.create_over(Arc::clone(&faulty) as _, &schema()) };
    let mut store = store.unwrap();
    let len_bytes = file.len_bytes().unwrap();
    faulty.fail_after(1); // the length succeeds, and the zeros fail
    let error = store.reserve(10_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    if cfg!(not(windows)) {
        // Wine does not shorten a mapped file.
        assert_eq!(file.len_bytes().unwrap(), len_bytes, "the failed call left a longer file");
    }
    faulty.calls.store(0, Ordering::Relaxed);
    store.append(&record(0)).unwrap();
    assert_eq!(store.get(0), Some(&record(0)[..]));
}
