//! Counts the records for which a condition is true, against the same loop written by hand over a
//! raw map, with as many threads.

mod common;

use std::path::Path;
use std::thread;

use common::raw::RawMap;
use common::{RECORD_BYTES, RECORDS};
use flatrec::query::Filter;
use flatrec::zerocopy::IntoBytes;
use flatrec::{DataType, Durability, DynDatabase, DynStore, Field, Schema};

/// The places of the fields in a record.
const NUMBER: usize = 0;
const PRICE: usize = 48;
const CODE: usize = 56;
const DELAY: usize = 64;

fn schema() -> Schema {
    let schema = Schema::packed([
        Field::new("number", DataType::Int64),
        Field::new("before", DataType::Binary(40)),
        Field::new("price", DataType::Float64),
        Field::new("code", DataType::Utf8(8)),
        Field::new("delay", DataType::Int32).nullable(),
        Field::new("after", DataType::Binary(56)),
    ]);
    schema.expect("a schema")
}

fn record(id: u64) -> [u8; RECORD_BYTES] {
    let random = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut record = [0xAB; RECORD_BYTES];
    record[NUMBER..][..8].copy_from_slice(&((random >> 20) % 1000).to_le_bytes());
    record[PRICE..][..8]
        .copy_from_slice(&((random >> 32) as f64 / (1_u64 << 32) as f64).to_le_bytes());
    record[CODE..][..8].copy_from_slice(format!("N{:05}xx", (random >> 8) % 100_000).as_bytes());
    record[CODE + 6 + (id % 3) as usize..CODE + 8].fill(0);
    record[DELAY] = u8::from(random >> 60 != 0);
    record[DELAY + 1..][..4].copy_from_slice(&((random >> 50) as u32 % 20).to_le_bytes());
    record
}

/// The bytes of a field at a place that the compiler knows.
#[inline]
fn at<const N: usize>(record: &[u8; RECORD_BYTES], place: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[place..place + N]);
    bytes
}

fn is_cheap(record: &[u8; RECORD_BYTES]) -> bool {
    let number = i64::from_le_bytes(at(record, NUMBER));
    (250..=749).contains(&number) & (f64::from_le_bytes(at(record, PRICE)) < 0.5)
}

fn is_alike(record: &[u8; RECORD_BYTES]) -> bool {
    let code: [u8; 8] = at(record, CODE);
    let number = i64::from_le_bytes(at(record, NUMBER));
    number < 500 && code[0] == b'N' && code[1..].contains(&b'7')
}

fn is_late(record: &[u8; RECORD_BYTES]) -> bool {
    let delay = i32::from_le_bytes(at(record, DELAY + 1));
    (record[DELAY] == 0) | [3, 5, 8].contains(&delay)
}

/// A condition, and the same by hand.
type Case = (&'static str, &'static str, fn(&[u8; RECORD_BYTES]) -> bool);

const CASES: [Case; 3] = [
    ("int and float", "number BETWEEN 250 AND 749 AND price < 0.5", is_cheap),
    ("LIKE", "number < 500 AND code LIKE 'N%7%'", is_alike),
    ("IN and NULL", "delay IS NULL OR delay IN (3, 5, 8)", is_late),
];

fn main() {
    let scratch = common::scratch();
    let path = scratch.path().join("sample.rec");
    let mut store = DynStore::create(&path, &schema()).expect("create the store");
    store.append_all((0..RECORDS).map(record)).expect("fill the store");
    store.close().expect("close the store");
    let mut criterion = common::criterion();
    for case in CASES {
        measure(&mut criterion, &path, case);
    }
    criterion.final_summary();
}

fn measure(criterion: &mut criterion::Criterion, path: &Path, (name, text, by_hand): Case) {
    let mut group = common::group(criterion, &format!("condition: {name}"), RECORDS);
    group.sample_size(20);
    let filter = &Filter::parse(text, &schema()).expect("a condition");
    let expected = (0..RECORDS).filter(|&id| by_hand(&record(id))).count() as u64;

    let file = std::fs::File::options().read(true).write(true).open(path).expect("open the file");
    let map = &RawMap::new(&file, common::DATA_OFFSET);
    // Each loop is compiled for its own condition.
    let raw = |ids: std::ops::Range<u64>| match name {
        "int and float" => count(map, ids, is_cheap),
        "LIKE" => count(map, ids, is_alike),
        _ => count(map, ids, is_late),
    };
    common::measure(&mut group, "raw map", expected, || raw(0..RECORDS));
    let store = DynStore::open_read_only(path).expect("open the store");
    common::measure(&mut group, "Store", expected, || store.count_where(filter).expect("count"));
    common::measure(&mut group, "each record alone", expected, || {
        let found = store.iter().filter(|(_, record)| filter.matches(record).expect("evaluate"));
        found.count() as u64
    });
    drop(store);

    let database = DynDatabase::open(path).expect("open the database");
    let snapshot = database.begin_read().expect("begin");
    common::measure(&mut group, "Snapshot", expected, || {
        snapshot.count_where(filter).expect("count")
    });
    let threads = rayon::current_num_threads() as u64;
    let part = RECORDS.div_ceil(threads);
    common::measure(&mut group, "raw map, all threads", expected, || {
        thread::scope(|scope| {
            let parts = (0..threads).map(|at| at * part..RECORDS.min((at + 1) * part));
            let counts: Vec<_> = parts.map(|ids| scope.spawn(move || raw(ids))).collect();
            counts.into_iter().map(|count| count.join().expect("count")).sum()
        })
    });
    common::measure(&mut group, "Snapshot, all threads", expected, || {
        snapshot.par_count_where(filter).expect("count")
    });
    drop(snapshot);
    let mut transaction = database.begin_write().expect("begin");
    for id in (0..RECORDS).step_by(100) {
        transaction.set(id, &record(id)).expect("change"); // to what it was
    }
    transaction.commit(Durability::Eventual).expect("commit");
    let snapshot = database.begin_read().expect("begin");
    common::measure(&mut group, "Snapshot, 1 % in the log", expected, || {
        snapshot.count_where(filter).expect("count")
    });
    drop(snapshot);
    database.close().expect("close the database");

    let store = DynStore::open_read_only(path).expect("open the store");
    flatrec::install_fault_guard().expect("install the guard"); // as the command does
    common::measure(&mut group, "guarded copies", expected, || {
        store.copies(..).matching(filter).count_records().expect("count")
    });
    common::measure(&mut group, "guarded copies, all threads", expected, || {
        let matching = store.copies(..).matching(filter);
        matching.par_count_records(rayon::current_num_threads()).expect("count")
    });
    group.finish();
}

fn count(
    map: &RawMap,
    ids: std::ops::Range<u64>,
    by_hand: impl Fn(&[u8; RECORD_BYTES]) -> bool,
) -> u64 {
    let bytes = |id| map.get(id).as_bytes().try_into().expect("a record");
    ids.map(|id| u64::from(by_hand(bytes(id)))).sum()
}
