//! Reads all records in order, every word of each, all of them in memory.

mod common;

use common::{CHUNK_RECORDS, Item, RECORD_BYTES, RECORDS, Sample, calls, place};
use flatrec::zerocopy::{FromBytes, FromZeros, IntoBytes};

fn main() {
    let sample = Sample::make();
    let expected = common::expected(Item::digest);
    let mut criterion = common::criterion();
    let mut group = common::group(&mut criterion, "scan 1M records of 125 bytes", RECORDS);
    group.sample_size(30);

    let map = sample.map_file();
    common::measure(&mut group, "raw map", expected, || sum((0..RECORDS).map(|id| map.get(id))));

    let store = sample.open_store();
    common::measure(&mut group, "flatrec Store", expected, || {
        sum(store.iter().map(|(_, item)| item))
    });
    common::measure(&mut group, "flatrec Store, as one slice", expected, || {
        sum(store.slice(0..RECORDS).expect("all records"))
    });

    let store = sample.open_dyn_store();
    common::measure(&mut group, "flatrec DynStore", expected, || {
        sum(store.iter().map(|(_, record)| Item::of(record)))
    });

    let file = sample.open_file();
    let mut chunk = vec![0; CHUNK_RECORDS * RECORD_BYTES];
    common::measure(&mut group, "1 MiB chunks", expected, || {
        let starts = (0..RECORDS).step_by(CHUNK_RECORDS);
        starts.fold(0_u64, |total, first| {
            let records = (RECORDS - first).min(CHUNK_RECORDS as u64) as usize;
            let bytes = &mut chunk[..records * RECORD_BYTES];
            calls::read_at(&file, place(first), bytes);
            total.wrapping_add(sum(<[Item]>::ref_from_bytes(bytes).expect("whole records")))
        })
    });

    group.sample_size(10);
    common::measure(&mut group, "call per record", expected, || {
        (0..RECORDS).fold(0_u64, |total, id| {
            let mut item = Item::new_zeroed();
            calls::read_at(&file, place(id), item.as_mut_bytes());
            total.wrapping_add(item.digest())
        })
    });
    group.finish();
    criterion.final_summary();
}

fn sum<'a>(items: impl IntoIterator<Item = &'a Item>) -> u64 {
    items.into_iter().fold(0, |sum, item| sum.wrapping_add(item.digest()))
}
