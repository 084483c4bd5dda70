//! The cost of snapshots: to begin, to read by number, in order, in chunks and in batches, with
//! none, some and all of the records in the log, on one thread and on two, and beside a writer.
//! Everything is in memory, and compared with a raw map in the same run.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use common::{CHUNK_RECORDS, Item, RECORDS, Random, Sample};
use criterion::Criterion;
use flatrec::{Database, Durability, Snapshot};

/// The part of the records that is in the log: every n-th record, or none.
const LOGS: [(&str, usize); 3] = [("log empty", 0), ("1 % in the log", 100), ("all in the log", 1)];
const CHUNK: u64 = CHUNK_RECORDS as u64;
/// The reads of a reader before it begins a newer snapshot.
const READS: usize = 1000;

fn main() {
    let sample = Sample::make();
    let ids = common::shuffled_ids();
    let mut criterion = common::criterion();
    begin(&mut criterion, &sample);
    get(&mut criterion, &sample, &ids);
    scan(&mut criterion, &sample);
    batches(&mut criterion, &sample, &ids);
    scanning_threads(&mut criterion, &sample);
    readers(&mut criterion, &sample, &ids);
    criterion.final_summary();
}

/// A database of its own, with every `step`-th record in the log.
fn with_log(step: usize) -> (Sample, Database<Item>) {
    let sample = Sample::make();
    let options = Database::<Item>::options().checkpoint_at(u64::MAX);
    let database = options.open(&sample.path).expect("open");
    if step > 0 {
        let mut transaction = database.begin_write().expect("begin");
        for id in (0..RECORDS).step_by(step) {
            transaction.set(id, &Item::new(id)).expect("set");
        }
        transaction.commit(Durability::Immediate).expect("commit");
    }
    (sample, database)
}

fn begin(criterion: &mut Criterion, sample: &Sample) {
    let mut group = common::group(criterion, "snapshot: begin_read, and its end", 1);
    group.sample_size(50);
    let database = Database::<Item>::open(&sample.path).expect("open");
    common::measure(&mut group, "log empty", RECORDS, || {
        database.begin_read().expect("begin").count()
    });
    group.finish();
}

fn get(criterion: &mut Criterion, sample: &Sample, ids: &[u64]) {
    let mut group = common::group(criterion, "snapshot: random get, two fields", RECORDS);
    group.sample_size(30);
    let expected = common::expected(Item::two_fields);
    let map = sample.map_file();
    let raw = || sum(ids.iter().map(|&id| map.get(id).two_fields()));
    common::measure(&mut group, "raw map", expected, raw);
    for (name, step) in LOGS {
        let (_sample, database) = with_log(step);
        let snapshot = database.begin_read().expect("begin");
        common::measure(&mut group, name, expected, || get_all(&snapshot, ids));
    }
    group.finish();
}

fn scan(criterion: &mut Criterion, sample: &Sample) {
    let mut group = common::group(criterion, "snapshot: scan 1M records of 125 bytes", RECORDS);
    group.sample_size(30);
    let expected = common::expected(Item::digest);
    let map = sample.map_file();
    let raw = || sum((0..RECORDS).map(|id| map.get(id).digest()));
    common::measure(&mut group, "raw map", expected, raw);
    let store = sample.open_store();
    let iter = || sum(store.iter().map(|(_, item)| item.digest()));
    common::measure(&mut group, "flatrec Store", expected, iter);
    drop(store);
    for (name, step) in LOGS {
        let (_sample, database) = with_log(step);
        let snapshot = database.begin_read().expect("begin");
        let iter = || sum(snapshot.iter().map(|(_, item)| item.digest()));
        common::measure(&mut group, name, expected, iter);
        let chunks = || sum(snapshot.chunks(.., CHUNK).map(|chunk| digest(&chunk)));
        common::measure(&mut group, &format!("chunks, {name}"), expected, chunks);
    }
    group.finish();
}

/// The same loop over the results of `get` and `get_many`, and over the raw map.
fn batches(criterion: &mut Criterion, sample: &Sample, ids: &[u64]) {
    let database = Database::<Item>::open(&sample.path).expect("open");
    let snapshot = database.begin_read().expect("begin");
    let map = sample.map_file();
    for len in [16, 1000, 100_000] {
        let name = format!("snapshot: batch of {len} random points, two fields");
        let mut group = common::group(criterion, &name, len as u64);
        group.sample_size(30);
        let ids = &ids[..len];
        let expected = sum(ids.iter().map(|&id| Item::new(id).two_fields()));
        let raw = || sum(ids.iter().map(|&id| map.get(id).two_fields()));
        common::measure(&mut group, "raw map", expected, raw);
        common::measure(&mut group, "loop of get", expected, || get_all(&snapshot, ids));
        common::measure(&mut group, "loop of get, into a Vec first", expected, || {
            let found: Vec<_> = ids.iter().map(|&id| snapshot.get(id)).collect();
            sum(found.iter().map(|found| found.expect("a record").two_fields()))
        });
        common::measure(&mut group, "get_many", expected, || {
            let found = snapshot.get_many(ids);
            sum(found.iter().map(|found| found.expect("a record").two_fields()))
        });
        group.finish();
    }
}

/// Threads that take chunks in turns.
fn scanning_threads(criterion: &mut Criterion, sample: &Sample) {
    let mut group = common::group(criterion, "snapshot: scan by threads", RECORDS);
    group.sample_size(30);
    let expected = common::expected(Item::digest);
    let map = sample.map_file();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let snapshot = database.begin_read().expect("begin");
    for threads in [1, 2] {
        common::measure(&mut group, &format!("raw map, {threads}"), expected, || {
            by_threads(threads, |start| {
                let ids = start..RECORDS.min(start + CHUNK);
                sum(ids.map(|id| map.get(id).digest()))
            })
        });
        common::measure(&mut group, &format!("chunks, {threads}"), expected, || {
            by_threads(threads, |start| {
                let chunk = snapshot.chunks(start..start + CHUNK, CHUNK).next();
                digest(&chunk.expect("a chunk"))
            })
        });
    }
    group.finish();
}

/// Reads by number from snapshots that are renewed now and then, alone and beside a writer that
/// commits single records.
fn readers(criterion: &mut Criterion, sample: &Sample, ids: &[u64]) {
    let mut group = common::group(criterion, "snapshot: readers", RECORDS);
    group.sample_size(30);
    let expected = common::expected(Item::two_fields);
    let map = sample.map_file();
    let database = Database::<Item>::open(&sample.path).expect("open");
    for threads in [1, 2] {
        let part = ids.len().div_ceil(threads);
        let raw = || read(ids, part, |ids| sum(ids.iter().map(|&id| map.get(id).two_fields())));
        common::measure(&mut group, &format!("raw map, {threads}"), expected, raw);
        let from_snapshots = || {
            read(ids, part, |ids| {
                sum(ids
                    .chunks(READS)
                    .map(|ids| get_all(&database.begin_read().expect("begin"), ids)))
            })
        };
        database.checkpoint().expect("checkpoint");
        common::measure(&mut group, &format!("{threads} alone"), expected, from_snapshots);
        let (done, commits) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| write(&database, &done, &commits));
            let name = format!("{threads} beside a writer");
            common::measure(&mut group, &name, expected, from_snapshots);
            done.store(true, Relaxed);
        });
        println!("{} commits during the reads", commits.load(Relaxed));
    }
    group.finish();
}

/// Commits single records, durably, until `done`.
fn write(database: &Database<Item>, done: &AtomicBool, commits: &AtomicU64) {
    let mut random = Random(3);
    while !done.load(Relaxed) {
        let id = random.below(RECORDS);
        let mut transaction = database.begin_write().expect("begin");
        transaction.set(id, &Item::new(id)).expect("set");
        transaction.commit(Durability::Immediate).expect("commit");
        commits.fetch_add(1, Relaxed);
    }
}

/// Reads each part of the numbers on one thread.
fn read(ids: &[u64], part: usize, read: impl Fn(&[u64]) -> u64 + Sync) -> u64 {
    std::thread::scope(|scope| {
        let read = &read;
        let threads: Vec<_> = ids.chunks(part).map(|ids| scope.spawn(move || read(ids))).collect();
        sum(threads.into_iter().map(|thread| thread.join().expect("a reader")))
    })
}

/// Lets threads take chunks, given by their first records, until all are taken.
fn by_threads(threads: usize, scan: impl Fn(u64) -> u64 + Sync) -> u64 {
    let next = AtomicU64::new(0);
    let starts = || Some(next.fetch_add(CHUNK, Relaxed)).filter(|&start| start < RECORDS);
    std::thread::scope(|scope| {
        let work = || sum(std::iter::from_fn(starts).map(&scan));
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        sum(threads.into_iter().map(|thread| thread.join().expect("a thread")))
    })
}

fn digest(chunk: &flatrec::Chunk<'_, Item>) -> u64 {
    match chunk.as_slice() {
        Some(items) => sum(items.iter().map(Item::digest)),
        None => sum(chunk.iter().map(|(_, item)| item.digest())),
    }
}

fn get_all(snapshot: &Snapshot<Item>, ids: &[u64]) -> u64 {
    sum(ids.iter().map(|&id| snapshot.get(id).expect("a record").two_fields()))
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::wrapping_add)
}
