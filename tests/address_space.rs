//! Walks a file of 16 GiB and reads it at random through 64 MiB of views. The file exceeds the
//! address space of a 32-bit process. Other machines run the same tests, because the budget holds
//! there too. The file is sparse, so it takes a few megabytes of disk. Every window of it has a
//! record that is not zeros.
//!
//! The walk checks every `FLATREC_STEP`-th record: by default one in each mebibyte, and all of them
//! with `FLATREC_STEP=1`.
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
/// One record in each `SPREAD` is not zeros, so each window has one, at a place of its own.
const SPREAD: u64 = WINDOW / STRIDE;

/// The content of record `id` if it is not zeros.
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

/// The content of record `id` of the file.
fn expected(id: u64) -> Row {
    let is_known = id == 0 || id == COUNT - 1 || id == known_in(id / SPREAD);
    if is_known {
        row(id)
    } else {
        Row { id: le::U64::ZERO, mixed: le::U64::ZERO, zeros: [0; 112] }
    }
}

/// Makes an empty store and lengthens it as a plain file, by docs/FORMAT.md: a header that counts
/// more records, and a file length.
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

/// The largest number of mapped bytes, as the store and the system count them.
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

/// Reads every window in place, from the first to the last.
fn walk(store: &WindowedStore<Row>, path: &Path, most: &mut Most) {
    let step = support::settings::number("FLATREC_STEP").unwrap_or((1 << 20) / STRIDE);
    let (mut windows, mut known, mut next) = (0, 0, 0);
    while next < COUNT {
        let window = store.window(next).unwrap().unwrap();
        let ids = window.ids();
        assert!(ids.start == next && ids.end <= COUNT, "{ids:?} at {next}");
        // Every `step`-th record and the last, then the records that are not zeros.
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

/// Finds a windowed store that maps more than its budget, or shows a wrong record of a large file.
#[test]
fn sixteen_gibibytes_are_read_through_a_budget_of_64_mebibytes() {
    let (_directory, path) = create();
    let store = WindowedStore::<Row>::read_options()
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
        // Seven of eight are records that are not zeros.
        let window = mix(seed ^ n) % (COUNT / SPREAD);
        let id = if n % 8 == 0 { mix(!seed ^ n) % COUNT } else { known_in(window) };
        let found = if n % 2 == 0 {
            *store.get(id).unwrap().unwrap()
        } else {
            store.copy(id).unwrap().unwrap()
        };
        assert_eq!(found, expected(id), "{id}");
        if n % 1000 == 0 {
            most.look(&store, &path);
        }
    }
    let counters = store.view_counters();
    assert!(most.0 > BUDGET / 2, "the store used only {} bytes of its budget", most.0);
    assert!(counters.remaps >= 2 * COUNT / SPREAD, "the store kept too many windows: {counters:?}");
}

/// Finds a writer that fills the holes of a sparse file, or maps more than its windows need.
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
    assert!(
        after < before + (8 << 20),
        "the file took {before} bytes of the disk, and now takes {after}"
    );

    let store = WindowedStore::<Row>::read_options()
        .max_mapped_bytes(BUDGET)
        .window_bytes(WINDOW)
        .open_read_only(&path)
        .unwrap();
    assert_eq!(store.count(), COUNT + 1);
    for id in [0, 1, COUNT / 2, COUNT - 2, COUNT - 1, COUNT] {
        assert_eq!(store.copy(id).unwrap(), Some(row(id)), "{id}");
    }
    assert_eq!(store.copy(2).unwrap(), Some(expected(2)));
}

/// The bytes of disk that the file takes.
fn allocated_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().blocks() * 512
}

/// Finds a 32-bit handle that fails to map the file without advice, and a 64-bit handle that
/// refuses it.
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
    // The refused handles have not changed the store.
    let store = WindowedStore::<Row>::read_options()
        .max_mapped_bytes(BUDGET)
        .window_bytes(WINDOW)
        .open_read_only(&path)
        .unwrap();
    assert_eq!((store.count(), store.copy(COUNT - 1).unwrap()), (COUNT, Some(row(COUNT - 1))));
}
