//! Files are little-endian on every machine. Little-endian record types mean the same everywhere; a
//! big-endian machine refuses types in its own order.
#![cfg(feature = "derive")]

use std::path::Path;

use flatrec::{
    Database, Durability, DynStore, Error, ErrorKind, PodRecord, Record, Store, Value,
    WindowedStore, le,
};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C, packed)]
struct Little {
    id: le::U64,
    at: le::I64,
    share: le::F64,
    kind: le::U16,
    name: [u8; 6],
}

fn little(id: u64) -> Little {
    Little {
        id: id.into(),
        at: (-(id as i64)).into(),
        share: (id as f64 / 4.0).into(),
        kind: (id as u16).into(),
        name: *b"little",
    }
}

/// The bytes of the record, by docs/FORMAT.md.
fn bytes(id: u64) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend((-(id as i64)).to_le_bytes());
    bytes.extend((id as f64 / 4.0).to_le_bytes());
    bytes.extend((id as u16).to_le_bytes());
    bytes.extend(b"little");
    bytes
}

/// Finds a write or a read that swaps the bytes of a little-endian field.
#[test]
fn little_endian_types_are_the_same_bytes_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("little.rec");
    let rows: Vec<Little> = (0..1000).map(little).collect();
    let mut store = Store::<Little>::create(&path).unwrap();
    store.append_slice(&rows).unwrap();
    store.close().unwrap();

    let database = Database::<Little>::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    *transaction.get_mut(3).unwrap().unwrap() = little(0x0102_0304_0506_0708);
    transaction.append(&little(1000)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    // The log holds the records first, and then the array.
    for _ in 0..2 {
        let snapshot = database.begin_read().unwrap();
        assert_eq!(snapshot.get(3), Some(&little(0x0102_0304_0506_0708)));
        assert_eq!(snapshot.get(1000), Some(&little(1000)));
        drop(snapshot);
        database.checkpoint().unwrap();
    }
    database.close().unwrap();

    let windowed = WindowedStore::<Little>::read_options()
        .max_mapped_bytes(256 << 10)
        .window_bytes(64 << 10)
        .open_read_only(&path)
        .unwrap();
    assert_eq!(windowed.copy(999).unwrap(), Some(little(999)));
    let dynamic = DynStore::open_read_only(&path).unwrap();
    let number = dynamic.schema().fields()[0].read(dynamic.get(3).unwrap()).unwrap();
    assert_eq!(number, Value::UInt(0x0102_0304_0506_0708));
    let expected: Vec<u8> =
        (0..=1000).flat_map(|id| bytes(if id == 3 { 0x0102_0304_0506_0708 } else { id })).collect();
    assert!(std::fs::read(&path).unwrap()[65_536..] == expected);
}

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Native {
    id: u32,
    other: u32,
}

/// Makes and opens a store of `R`s in every way, and returns the results.
fn every_way<R: Record>(path: &Path, made: &Path) -> Vec<Result<(), Error>> {
    let mut results = vec![
        Store::<R>::create(path).map(drop),
        Database::<R>::create(path.with_extension("db")).map(drop),
    ];
    results.extend([
        Store::<R>::open(made).map(drop),
        Store::<R>::open_read_only(made).map(drop),
        Store::<R>::open_private(made).map(drop),
        Database::<R>::open(made).map(drop),
        WindowedStore::<R>::read_options()
            .max_mapped_bytes(256 << 10)
            .window_bytes(64 << 10)
            .open_read_only(made)
            .map(drop),
    ]);
    results
}

/// Finds a big-endian machine that makes or opens a store of records in its own byte order.
#[test]
#[cfg_attr(flatrec_any_endian, ignore = "this cfg turns the refusal off")]
fn types_in_the_machines_order_are_refused_on_big_endian_machines() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made.rec");
    DynStore::create(&made, &Native::schema().unwrap()).unwrap().close().unwrap();
    let before = std::fs::read(&made).unwrap();
    let native = every_way::<Native>(&directory.path().join("native.rec"), &made);
    let pods = every_way::<PodRecord<[u32; 2]>>(&directory.path().join("pods.rec"), &made);
    for result in native.into_iter().chain(pods) {
        if cfg!(target_endian = "little") {
            result.unwrap();
            continue;
        }
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let text = error.to_string();
        assert!(text.contains("native-endian") && text.contains("flatrec::le"), "{text}");
    }
    if cfg!(target_endian = "big") {
        assert_eq!(std::fs::read(&made).unwrap(), before);
        let left = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let stores = left.filter(|path| path.extension().is_some_and(|end| end == "rec"));
        assert_eq!(stores.collect::<Vec<_>>(), [made], "a refused call made a store");
    }
}
