//! A file of 16 GiB, more than the address space of a 32-bit process, walked and read at random
//! through 64 MiB of views. The same is asked of every machine: the budget holds where the address
//! space is large, too. The file is sparse, so that it takes a few megabytes of disk; records that
//! are not zeros lie in every window of it.
//!
//! The walk looks at every `FLATREC_STEP`-th record, by default at one in each mebibyte, and with
//! `FLATREC_STEP=1` at all of them.
#![cfg(all(unix, feature = "derive"))]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use flatrec::{Database, DynStore, Error, ErrorKind, Record, Store, WindowedStore, le};
use support::mapped::mapped_bytes;
use support::random::mix;
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Row {
    id: le::U64,
    mixed: le::U64,
    zeros: [u8; 112],
}

const STRIDE: u64 = size_of::<Row>() as u64;
const DATA_OFFSET: u64 = 65_536;
const COUNT: u64 = (16 << 30) / STRIDE;
const BUDGET: u64 = 64 << 20;
const WINDOW: u64 = 8 << 20;
/// One record in each so many is not zeros: one in each window, and at another place in each.
const SPREAD: u64 = WINDOW / STRIDE;

/// Record `id`, where it is not zeros.
fn row(id: u64) -> Row {
    Row { id: le::U64::new(id), mixed: le::U64::new(mix(id)), zeros: [0; 112] }
}

fn bytes_of(row: &Row) -> Vec<u8> {
    let mut bytes = row.id.get().to_le_bytes().to_vec();
    bytes.extend(row.mixed.get().to_le_bytes());
    bytes.extend(row.zeros);
    bytes
}

/// The record of window `window` that is not zeros.
fn known_in(window: u64) -> u64 {
    window * SPREAD + mix(window) % SPREAD
}

/// What record `id` of the file is.
fn expected(id: u64) -> Row {
    let is_known = id == 0 || id == COUNT - 1 || id == known_in(id / SPREAD);
    if is_known {
        row(id)
    } else {
        Row { id: le::U64::ZERO, mixed: le::U64::ZERO, zeros: [0; 112] }
    }
}

/// An empty store, made long by a plain file's means: a header that counts more, after
/// docs/FORMAT.md, and a length.
fn create() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse.rec");
    Store::<Row>::create(&path).unwrap().close().unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    for slot in [0, 4096] {
        let mut bytes = [0; 512];
        file.read_exact_at(&mut bytes, slot).unwrap();
        for place in [72, 80] {
            bytes[place..place + 8].copy_from_slice(&COUNT.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes[..508]).to_le_bytes();
        bytes[508..].copy_from_slice(&crc);
        file.write_all_at(&bytes, slot).unwrap();
    }
    file.set_len(DATA_OFFSET + COUNT * STRIDE).unwrap();
    let known = (0..COUNT / SPREAD).map(known_in).chain([0, COUNT - 1]);
    for id in known {
        file.write_all_at(&bytes_of(&row(id)), DATA_OFFSET + id * STRIDE).unwrap();
    }
    (directory, path)
}

/// The most that was mapped, as the store and the system count it.
#[derive(Default)]
struct Most(u64);

impl Most {
    fn look(&mut self, store: &WindowedStore<Row>, path: &Path) {
        let counted = store.view_counters().mapped_bytes;
        let mapped = mapped_bytes(path).unwrap_or(counted);
        assert!(counted <= BUDGET && mapped <= BUDGET, "{counted} counted, {mapped} mapped");
        self.0 = self.0.max(mapped);
    }
}

/// Every window from the first to the last, each in place.
fn walk(store: &WindowedStore<Row>, path: &Path, most: &mut Most) {
    let step = support::settings::number("FLATREC_STEP").unwrap_or((1 << 20) / STRIDE);
    let (mut windows, mut known, mut next) = (0, 0, 0);
    while next < COUNT {
        let window = store.window(next).unwrap().unwrap();
        let ids = window.ids();
        assert!(ids.start == next && ids.end <= COUNT, "{ids:?} at {next}");
        // The records that are not zeros by the rule, and then every n-th.
        for id in ids.clone().step_by(usize::try_from(step).unwrap()).chain([ids.end - 1]) {
            assert_eq!(window.get(id), Some(&expected(id)), "{id}");
        }
        for at in ids.start / SPREAD..ids.end.div_ceil(SPREAD) {
            let id = known_in(at);
            assert_eq!(window.get(id), Some(&row(id)), "{id}");
            known += 1;
        }
        next = ids.end;
        windows += 1;
        drop(window);
        if windows % 50 == 0 {
            most.look(store, path);
        }
    }
    assert_eq!((windows, known), (COUNT * STRIDE / WINDOW, COUNT / SPREAD));
}

#[test]
fn sixteen_gibibytes_are_read_through_a_budget_of_64_mebibytes() {
    let (_directory, path) = create();
    let store = WindowedStore::<Row>::options()
        .max_mapped_bytes(BUDGET)
        .window_bytes(WINDOW)
        .open_read_only(&path)
        .unwrap();
    assert_eq!(store.count(), COUNT);
    let mut most = Most::default();
    walk(&store, &path, &mut most);

    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("seed {seed}");
    for n in 0..100_000 {
        // Most are not zeros.
        let window = mix(seed ^ n) % (COUNT / SPREAD);
        let id = if n % 8 == 0 { mix(!seed ^ n) % COUNT } else { known_in(window) };
        let found = if n % 2 == 0 {
            *store.get(id).unwrap().unwrap()
        } else {
            store.read(id).unwrap().unwrap()
        };
        assert_eq!(found, expected(id), "{id}");
        if n % 1000 == 0 {
            most.look(&store, &path);
        }
    }
    let counters = store.view_counters();
    assert!(most.0 > BUDGET / 2, "the budget is used: at most {} were mapped", most.0);
    assert!(counters.remaps >= 2 * COUNT / SPREAD, "windows came and went: {counters:?}");
    println!("at most {} bytes mapped; {counters:?}", most.0);
}

#[test]
fn sixteen_gibibytes_are_written_at_their_far_end() {
    let (_directory, path) = create();
    let before = allocated_bytes(&path);
    let mut store = WindowedStore::<Row>::options()
        .max_mapped_bytes(BUDGET)
        .window_bytes(WINDOW)
        .open(&path)
        .unwrap();
    assert_eq!(store.append(&row(COUNT)).unwrap(), COUNT);
    store.flush().unwrap();
    let mut edit = store.edit().unwrap();
    for id in [1, COUNT / 2, COUNT - 2] {
        edit.set(id, &row(id)).unwrap();
    }
    edit.finish().unwrap();
    let mapped = mapped_bytes(&path).unwrap_or(0);
    assert!(mapped <= BUDGET + 2 * WINDOW, "one window more to write, but {mapped} bytes");
    store.close().unwrap();
    let after = allocated_bytes(&path);
    assert!(after < before + (8 << 20), "{before} bytes on the disk became {after}");

    let store = WindowedStore::<Row>::options()
        .max_mapped_bytes(BUDGET)
        .window_bytes(WINDOW)
        .open_read_only(&path)
        .unwrap();
    assert_eq!(store.count(), COUNT + 1);
    for id in [0, 1, COUNT / 2, COUNT - 2, COUNT - 1, COUNT] {
        assert_eq!(store.read(id).unwrap(), Some(row(id)), "{id}");
    }
    assert_eq!(store.read(2).unwrap(), Some(expected(2)));
}

/// What the file takes on its disk.
fn allocated_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().blocks() * 512
}

/// Where one view cannot show it all, the error says what can be done; elsewhere it is shown.
#[test]
fn a_store_larger_than_the_address_space_is_refused_with_advice() {
    let (_directory, path) = create();
    let says_how = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
        let text = error.to_string();
        assert!(text.contains("larger than the address space"), "{text}");
        assert!(text.contains("with a WindowedStore"), "{text}");
        assert!(text.contains("sparse.rec"), "{text}");
    };
    if cfg!(target_pointer_width = "32") {
        says_how(Store::<Row>::open(&path).unwrap_err());
        says_how(Store::<Row>::open_read_only(&path).unwrap_err());
        says_how(DynStore::open_private(&path).unwrap_err());
        says_how(Database::<Row>::open(&path).unwrap_err());
    } else {
        let store = Store::<Row>::open(&path).unwrap();
        assert_eq!(store.get(COUNT - 1), Some(&row(COUNT - 1)));
        store.close().unwrap();
        let database = Database::<Row>::open(&path).unwrap();
        assert_eq!(database.begin_read().unwrap().get(COUNT - 1), Some(&row(COUNT - 1)));
    }
    // What was refused has not been changed.
    let store = WindowedStore::<Row>::options()
        .max_mapped_bytes(BUDGET)
        .window_bytes(WINDOW)
        .open_read_only(&path)
        .unwrap();
    assert_eq!((store.count(), store.read(COUNT - 1).unwrap()), (COUNT, Some(row(COUNT - 1))));
}
