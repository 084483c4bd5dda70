//! A million updates of random records in place, durable together at the end.
//!
//! Each update reads and changes one field and sets another. Files are open and in memory before
//! the clock starts. A store's exclusive edit syncs three times and the others once (the mark of
//! the edit, the records, the removal of the mark); all syncs are timed.

mod common;

use common::raw::RawMap;
use common::{
    CHUNK_RECORDS, DATA_OFFSET, Item, RECORD_BYTES, RECORDS, Random, Sample, calls, place,
};
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use flatrec::zerocopy::{FromBytes, FromZeros, IntoBytes};
use flatrec::{DynStore, Store, WriteBack};

const UPDATES: u64 = 1_000_000;

fn main() {
    let mut criterion = common::criterion();
    let name = "1M random updates of 125-byte records, one sync";
    let mut group = common::group(&mut criterion, name, UPDATES);
    let mut random = Random(2);
    let ids: Vec<u64> = (0..UPDATES).map(|_| random.below(RECORDS)).collect();

    // Mapped again for each pass, as an edit does. This is much faster, because a first store to a
    // page that is already mapped read-only costs more than one to an unmapped page.
    measure(&mut group, "raw map", &ids, |sample| {
        let file = sample.open_file();
        let ids = &ids;
        move || update_map(&mut RawMap::new(&file, DATA_OFFSET), ids)
    });
    measure(&mut group, "raw map, kept from pass to pass", &ids, |sample| {
        let mut map = sample.map_file();
        let ids = &ids;
        move || update_map(&mut map, ids)
    });
    let ways = [
        ("flatrec Store", WriteBack::Auto),
        ("flatrec Store, positioned writes", WriteBack::Positioned),
        ("flatrec Store, mapped writes", WriteBack::Mapped),
    ];
    for (name, write_back) in ways {
        if write_back == WriteBack::Positioned && cfg!(windows) {
            continue; // Windows refuses it, because views and write calls are not coherent there
        }
        measure(&mut group, name, &ids, |sample| {
            let options = Store::options().write_back(write_back);
            let mut store: Store<Item> = options.open(&sample.path).expect("open");
            let ids = &ids;
            move || {
                let mut edit = store.edit().expect("edit");
                for (stamp, &id) in (0..).zip(ids) {
                    change(edit.get_mut(id).expect("edit").expect("a record"), stamp);
                }
                edit.finish().expect("finish");
            }
        });
    }
    measure(&mut group, "flatrec DynStore", &ids, |sample| {
        let mut store = DynStore::open(&sample.path).expect("open");
        let ids = &ids;
        move || {
            let mut edit = store.edit().expect("edit");
            for (stamp, &id) in (0..).zip(ids) {
                let record = edit.get_mut(id).expect("edit").expect("a record");
                change(Item::mut_from_bytes(record).expect("125 bytes"), stamp);
            }
            edit.finish().expect("finish");
        }
    });
    measure_calls(&mut group, &ids);
    group.finish();
    criterion.final_summary();
}

/// The ways of read and write calls.
fn measure_calls(group: &mut BenchmarkGroup<'_, WallTime>, ids: &[u64]) {
    measure(group, "call per record", ids, |sample| {
        let file = sample.open_file();
        move || {
            for (stamp, &id) in (0..).zip(ids) {
                let mut item = Item::new_zeroed();
                calls::read_at(&file, place(id), item.as_mut_bytes());
                change(&mut item, stamp);
                calls::write_at(&file, place(id), item.as_bytes());
            }
            file.sync_data().expect("sync");
        }
    });
    measure(group, "1 MiB chunks, updates sorted first", ids, |sample| {
        let file = sample.open_file();
        move || {
            update_in_chunks(&file, ids);
            file.sync_data().expect("sync");
        }
    });
}

fn update_map(map: &mut RawMap, ids: &[u64]) {
    for (stamp, &id) in (0..).zip(ids) {
        change(map.get_mut(id), stamp);
    }
    map.sync();
}

/// One update.
#[inline]
fn change(item: &mut Item, stamp: u64) {
    item.value += 1;
    item.id = stamp.into();
}

/// Measures the work that `open` prepares on a fresh store, and checks its result.
fn measure<W: FnMut()>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    ids: &[u64],
    open: impl FnOnce(&Sample) -> W,
) {
    let sample = Sample::make();
    let mut passes = 0;
    let mut work = open(&sample);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            work();
            passes += 1;
        });
    });
    drop(work);
    if passes == 0 {
        return; // excluded by the command line's filter
    }

    let mut expected: Vec<Item> = (0..RECORDS).map(Item::new).collect();
    for (stamp, &id) in (0..).zip(ids) {
        let item = &mut expected[id as usize];
        item.value += passes;
        item.id = stamp.into();
    }
    let bytes = std::fs::read(&sample.path).expect("read back");
    let found = <[Item]>::ref_from_bytes(&bytes[DATA_OFFSET as usize..]).expect("whole records");
    let wrong =
        (0..).zip(found.iter().zip(&expected)).find(|(_, (found, expected))| found != expected);
    assert!(wrong.is_none(), "{name} after {passes} passes: {wrong:?}");
}

/// Reads, changes and writes each chunk once, as a program without maps does.
fn update_in_chunks(file: &std::fs::File, ids: &[u64]) {
    let mut updates: Vec<(u64, u64)> = ids.iter().copied().zip(0..).collect();
    updates.sort_unstable(); // by record, and for each by stamp
    let mut chunk = vec![0; CHUNK_RECORDS * RECORD_BYTES];
    let chunk_of = |id: u64| id / CHUNK_RECORDS as u64;
    for updates in updates.chunk_by(|one, next| chunk_of(one.0) == chunk_of(next.0)) {
        let first = chunk_of(updates[0].0) * CHUNK_RECORDS as u64;
        let records = (RECORDS - first).min(CHUNK_RECORDS as u64) as usize;
        let bytes = &mut chunk[..records * RECORD_BYTES];
        calls::read_at(file, place(first), bytes);
        let items = <[Item]>::mut_from_bytes(bytes).expect("whole records");
        for &(id, stamp) in updates {
            change(&mut items[(id - first) as usize], stamp);
        }
        calls::write_at(file, place(first), bytes);
    }
}
