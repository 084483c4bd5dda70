//! All records in order, every word of each, all of them in memory.

mod common;

use common::raw::RawMap;
use common::{CHUNK_RECORDS, Files, Item, RECORD_BYTES, RECORDS, calls};
use flatrec::zerocopy::{FromBytes, FromZeros, IntoBytes};

fn main() {
    let files = Files::make();
    let expected = common::expected(Item::digest);
    let mut criterion = common::criterion();
    let mut group = common::group(&mut criterion, "scan 1M records of 125 bytes", RECORDS);
    group.sample_size(30);

    let map = RawMap::new(&files.open_plain());
    common::measure(&mut group, "raw map", expected, || sum((0..RECORDS).map(|id| map.get(id))));

    let store = files.open_store();
    common::measure(&mut group, "flatrec Store", expected, || sum(store.iter()));
    common::measure(&mut group, "flatrec Store, as one slice", expected, || {
        sum(store.slice(0..RECORDS).expect("all records"))
    });

    let store = files.open_dyn_store();
    common::measure(&mut group, "flatrec DynStore", expected, || sum(store.iter().map(Item::of)));

    let file = files.open_plain();
    let mut chunk = vec![0; CHUNK_RECORDS * RECORD_BYTES];
    common::measure(&mut group, "1 MiB chunks", expected, || {
        let starts = (0..RECORDS).step_by(CHUNK_RECORDS);
        starts.fold(0_u64, |total, first| {
            let records = (RECORDS - first).min(CHUNK_RECORDS as u64) as usize;
            let bytes = &mut chunk[..records * RECORD_BYTES];
            calls::read_at(&file, first * RECORD_BYTES as u64, bytes);
            total.wrapping_add(sum(<[Item]>::ref_from_bytes(bytes).expect("whole records")))
        })
    });

    group.sample_size(10);
    common::measure(&mut group, "call per record", expected, || {
        (0..RECORDS).fold(0_u64, |total, id| {
            let mut item = Item::new_zeroed();
            calls::read_at(&file, id * RECORD_BYTES as u64, item.as_mut_bytes());
            total.wrapping_add(item.digest())
        })
    });
    group.finish();
    criterion.final_summary();
}

fn sum<'a>(items: impl IntoIterator<Item = &'a Item>) -> u64 {
    items.into_iter().fold(0, |sum, item| sum.wrapping_add(item.digest()))
}
