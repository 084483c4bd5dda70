//! Metadata longer than the part that a handle reads with the header.

use std::path::Path;

use flatrec::{
    CopyOptions, DataType, DynDatabase, DynStore, ErrorKind, Field, Schema, WindowedStore, backup,
    verify,
};
use flatrec::{Database, PodRecord, Store};

const LEN: usize = 200_000;

fn metadata() -> Vec<u8> {
    (0..LEN).map(|at| (at * 31 / 7) as u8).collect()
}

fn make(path: &Path) {
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store = DynStore::create_options().metadata(metadata()).create(path, &schema).unwrap();
    store.append(&[7; 8]).unwrap();
    store.close().unwrap();
}

/// Finds a handle that shows only that part.
#[test]
fn every_handle_shows_the_whole_metadata() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    make(&at("long"));
    backup(at("long"), at("copy"), CopyOptions::new()).unwrap();
    for path in [at("long"), at("copy")] {
        let expected = &metadata()[..];
        assert!(DynStore::open(&path).unwrap().metadata().unwrap() == expected);
        let options = Store::<PodRecord<u64>>::read_options();
        assert!(options.open_read_only(&path).unwrap().metadata().unwrap() == expected);
        let windowed = WindowedStore::<PodRecord<u64>>::read_options()
            .max_mapped_bytes(1 << 20)
            .window_bytes(1 << 16)
            .open_read_only(&path);
        assert_eq!(*windowed.unwrap().get(0).unwrap().unwrap(), PodRecord(0x0707_0707_0707_0707));
        assert!(DynDatabase::open(&path).unwrap().metadata().unwrap() == expected);
        let reader = Database::<[u8]>::open_read_only(&path).unwrap();
        assert!(reader.metadata().unwrap() == expected);
        assert_eq!(reader.schema(), DynStore::open_read_only(&path).unwrap().schema());
        assert_eq!(verify(&path, flatrec::VerifyOptions::new()).unwrap().problems, []);
    }
}

/// Finds a handle that lends metadata which changed after it had checked them.
#[test]
fn metadata_damaged_after_the_opening_are_refused() {
    use std::io::{Seek, SeekFrom, Write};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long");
    make(&path);
    let whole = std::fs::read(&path).unwrap();
    let last = whole.windows(8).position(|bytes| bytes == [7; 8]).unwrap();
    assert!(last > LEN);
    let store = DynStore::open_read_only(&path).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(150_000)).unwrap();
    file.write_all(&[!whole[150_000]]).unwrap();
    let error = store.metadata().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(
        error.to_string().contains("metadata have changed since the store was opened"),
        "{error}"
    );
    assert!(error.to_string().contains("long"), "the error does not name the file: {error}");
    drop(store);
    assert_eq!(DynStore::open_read_only(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    // The handle reads again what it could not read.
    file.seek(SeekFrom::Start(150_000)).unwrap();
    file.write_all(&whole[150_000..150_001]).unwrap();
    assert!(DynStore::open_read_only(&path).unwrap().metadata().unwrap() == metadata());
}
