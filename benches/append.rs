//! Bulk append: a new file of all records, one by one, durable at the end.
//!
//! The time covers everything from creating the file to the sync that makes it durable. A store
//! syncs four times and the others once (its new header, its records, the header that counts them,
//! the header of the trimmed file); all syncs are timed.

mod common;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use common::raw::RawMap;
use common::{CHUNK_RECORDS, Item, RECORD_BYTES, RECORDS, calls};
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use flatrec::zerocopy::IntoBytes;
use flatrec::{DynStore, Record, Store, WriteBack};

fn main() {
    let scratch = common::scratch();
    let path = scratch.path().join("appended");
    let mut criterion = common::criterion();
    let name = "append 1M records of 125 bytes, one sync";
    let mut group = common::group(&mut criterion, name, RECORDS);

    append(&mut group, "raw map", &path, 0, raw_map);
    append(&mut group, "1 MiB chunks", &path, 0, chunks);
    append(&mut group, "flatrec Store", &path, 65_536, |path| {
        fill(Store::<Item>::create(path).expect("create"));
    });
    append(&mut group, "flatrec Store, slices of 1 MiB", &path, 65_536, store_slices);
    append(&mut group, "flatrec Store, mapped writes", &path, 65_536, |path| {
        let mapped = Store::<Item>::create_options().write_back(WriteBack::Mapped);
        fill(mapped.create(path).expect("create"));
    });
    append(&mut group, "flatrec DynStore", &path, 65_536, dyn_store);
    append(&mut group, "BufWriter", &path, 0, buf_writer);
    append(&mut group, "call per record", &path, 0, call_per_record);
    group.finish();
    criterion.final_summary();
}

/// Measures `make`, which writes all records to a new file at `path`, from `data_offset` on.
fn append(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    path: &Path,
    data_offset: usize,
    make: impl Fn(&Path),
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut took = Duration::ZERO;
            for _ in 0..iterations {
                let begun = Instant::now();
                make(path);
                took += begun.elapsed();
                check(name, path, data_offset);
                std::fs::remove_file(path).expect("remove");
            }
            took
        });
    });
}

/// Every byte has its expected value, and there are no further bytes.
fn check(name: &str, path: &Path, data_offset: usize) {
    let bytes = std::fs::read(path).expect("read back");
    let records = &bytes[data_offset..];
    assert_eq!(records.len() as u64, RECORDS * RECORD_BYTES as u64, "{name}: length");
    for (id, record) in (0..).zip(records.chunks_exact(RECORD_BYTES)) {
        assert_eq!(Item::of(record), &Item::new(id), "{name}: record {id}");
    }
}

fn create(path: &Path) -> File {
    File::options().read(true).write(true).create_new(true).open(path).expect("create")
}

fn raw_map(path: &Path) {
    let file = create(path);
    file.set_len(RECORDS * RECORD_BYTES as u64).expect("set the length");
    let mut map = RawMap::new(&file, 0);
    for id in 0..RECORDS {
        *map.get_mut(id) = Item::new(id);
    }
    map.sync();
}

fn call_per_record(path: &Path) {
    let file = create(path);
    for id in 0..RECORDS {
        calls::write_at(&file, id * RECORD_BYTES as u64, Item::new(id).as_bytes());
    }
    file.sync_data().expect("sync");
}

fn chunks(path: &Path) {
    let file = create(path);
    let mut chunk = Vec::with_capacity(CHUNK_RECORDS);
    for first in (0..RECORDS).step_by(CHUNK_RECORDS) {
        chunk.clear();
        chunk.extend((first..RECORDS.min(first + CHUNK_RECORDS as u64)).map(Item::new));
        calls::write_at(&file, first * RECORD_BYTES as u64, chunk.as_bytes());
    }
    file.sync_data().expect("sync");
}

fn buf_writer(path: &Path) {
    let mut out = BufWriter::new(create(path));
    for id in 0..RECORDS {
        out.write_all(Item::new(id).as_bytes()).expect("write");
    }
    out.into_inner().expect("write").sync_data().expect("sync");
}

fn fill(mut store: Store<Item>) {
    for id in 0..RECORDS {
        store.append(&Item::new(id)).expect("append");
    }
    store.close().expect("close");
}

fn store_slices(path: &Path) {
    let mut store = Store::<Item>::create(path).expect("create");
    let mut chunk = Vec::with_capacity(CHUNK_RECORDS);
    for first in (0..RECORDS).step_by(CHUNK_RECORDS) {
        chunk.clear();
        chunk.extend((first..RECORDS.min(first + CHUNK_RECORDS as u64)).map(Item::new));
        store.append_slice(&chunk).expect("append");
    }
    store.close().expect("close");
}

fn dyn_store(path: &Path) {
    let schema = Item::schema().expect("schema");
    let mut store = DynStore::create(path, &schema).expect("create");
    for id in 0..RECORDS {
        store.append(Item::new(id).as_bytes()).expect("append");
    }
    store.close().expect("close");
}
