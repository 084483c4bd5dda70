//! Random reads of single records, all of them in memory.

mod common;

use std::io::{BufReader, Read, Seek, SeekFrom};

use common::{Item, RECORDS, Sample, calls, offset_of_field, place, word_at};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use flatrec::zerocopy::{FromZeros, IntoBytes};
use flatrec::{Database, Durability, Snapshot};

fn main() {
    let sample = Sample::make();
    let ids = common::shuffled_ids();
    let mut criterion = common::criterion();
    whole_records(&mut criterion, &sample, &ids);
    two_fields(&mut criterion, &sample, &ids);
    criterion.final_summary();
}

/// Reads every word of each record.
fn whole_records(criterion: &mut Criterion, sample: &Sample, ids: &[u64]) {
    let mut group = common::group(criterion, "random get, whole record of 125 bytes", RECORDS);
    let expected = common::expected(Item::digest);

    let map = sample.map_file();
    common::measure(&mut group, "raw map", expected, || sum(ids, |id| map.get(id).digest()));

    let store = sample.open_store();
    common::measure(&mut group, "flatrec Store", expected, || {
        sum(ids, |id| store.get(id).expect("a record").digest())
    });

    snapshots(&mut group, ids, |item| item.digest());

    let store = sample.open_dyn_store();
    common::measure(&mut group, "flatrec DynStore", expected, || {
        sum(ids, |id| Item::of(store.get(id).expect("a record")).digest())
    });

    let file = sample.open_file();
    common::measure(&mut group, "call per record", expected, || {
        sum(ids, |id| {
            let mut item = Item::new_zeroed();
            calls::read_at(&file, place(id), item.as_mut_bytes());
            item.digest()
        })
    });

    let mut reader = BufReader::new(sample.open_file());
    common::measure(&mut group, "BufReader, seek per record", expected, || {
        sum(ids, |id| {
            let mut item = Item::new_zeroed();
            reader.seek(SeekFrom::Start(place(id))).expect("seek");
            reader.read_exact(item.as_mut_bytes()).expect("read");
            item.digest()
        })
    });
    group.finish();
}

/// Reads two fields of each record, in place if possible.
fn two_fields(criterion: &mut Criterion, sample: &Sample, ids: &[u64]) {
    let mut group = common::group(criterion, "random get, two fields of 8 bytes", RECORDS);
    let expected = common::expected(Item::two_fields);

    let map = sample.map_file();
    common::measure(&mut group, "raw map", expected, || sum(ids, |id| map.get(id).two_fields()));

    let store = sample.open_store();
    common::measure(&mut group, "flatrec Store", expected, || {
        sum(ids, |id| store.get(id).expect("a record").two_fields())
    });

    snapshots(&mut group, ids, Item::two_fields);

    let store = sample.open_dyn_store();
    let (id_at, value_at) = (offset_of_field(&store, "id"), offset_of_field(&store, "value"));
    common::measure(&mut group, "flatrec DynStore", expected, || {
        sum(ids, |id| {
            let record = store.get(id).expect("a record");
            word_at(record, id_at).wrapping_add(word_at(record, value_at))
        })
    });

    let file = sample.open_file();
    common::measure(&mut group, "call per record", expected, || {
        sum(ids, |id| {
            let mut fields = [0; 16];
            calls::read_at(&file, place(id), &mut fields);
            word_at(&fields, 0).wrapping_add(word_at(&fields, 8))
        })
    });
    group.finish();
}

/// Snapshots of a database with an empty log, and of one with a hundredth of the records only in
/// the log.
fn snapshots(
    group: &mut BenchmarkGroup<'_, WallTime>,
    ids: &[u64],
    digest: impl Fn(&Item) -> u64 + Copy,
) {
    let sample = Sample::make();
    let expected = common::expected(digest);
    let database = Database::<Item>::open(&sample.path).expect("open");
    let get =
        |snapshot: &Snapshot<Item>| sum(ids, |id| digest(snapshot.get(id).expect("a record")));
    let snapshot = database.begin_read().expect("begin");
    common::measure(group, "flatrec Snapshot", expected, || get(&snapshot));

    let mut transaction = database.begin_write().expect("begin");
    for id in (0..RECORDS).step_by(100) {
        transaction.set(id, &Item::new(id)).expect("set");
    }
    transaction.commit(Durability::Immediate).expect("commit");
    let snapshot = database.begin_read().expect("begin");
    let name = "flatrec Snapshot, 1 % of the records in the log";
    common::measure(group, name, expected, || get(&snapshot));
}

fn sum(ids: &[u64], mut read: impl FnMut(u64) -> u64) -> u64 {
    ids.iter().fold(0, |sum, &id| sum.wrapping_add(read(id)))
}
