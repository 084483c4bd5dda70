//! What snapshots cost: to begin, to read with and without images over the array.

mod common;

use common::{Item, RECORDS, Sample};
use criterion::Criterion;
use flatrec::{Database, Durability, Snapshot};

fn main() {
    let sample = Sample::make();
    let ids = common::shuffled_ids();
    let mut criterion = common::criterion();
    begin(&mut criterion, &sample);
    get(&mut criterion, &sample, &ids);
    criterion.final_summary();
}

fn begin(criterion: &mut Criterion, sample: &Sample) {
    let mut group = common::group(criterion, "begin_read, and the end of the snapshot", 1);
    let database = Database::<Item>::open(&sample.path).expect("open");
    group.bench_function("flatrec Snapshot", |bencher| bencher.iter(|| database.begin_read()));
    group.finish();
}

fn get(criterion: &mut Criterion, sample: &Sample, ids: &[u64]) {
    let mut group = common::group(criterion, "snapshot: random get, two fields", RECORDS);
    group.sample_size(20);
    let expected = common::expected(Item::two_fields);
    let map = sample.map_file();
    let sum = |snapshot: &Snapshot<Item>| {
        ids.iter().fold(0_u64, |sum, &id| {
            sum.wrapping_add(snapshot.get(id).expect("a record").two_fields())
        })
    };
    common::measure(&mut group, "raw map", expected, || {
        ids.iter().fold(0, |sum: u64, &id| sum.wrapping_add(map.get(id).two_fields()))
    });
    for (name, step) in [("empty", 0), ("1 %", 100), ("100 %", 1)] {
        let sample = Sample::make();
        let database = Database::<Item>::open(&sample.path).expect("open");
        let mut transaction = database.begin_write().expect("begin");
        if step > 0 {
            for id in (0..RECORDS).step_by(step) {
                transaction.set(id, &Item::new(id)).expect("set");
            }
        }
        transaction.commit(Durability::Immediate).expect("commit");
        let snapshot = database.begin_read();
        common::measure(&mut group, name, expected, || sum(&snapshot));
    }
    group.finish();
}
