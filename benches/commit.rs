//! Durable commits: of one record, of a hundred, of a million, and of several threads at once.
//!
//! The limit is a positioned write of as many bytes to a file that is there already, one behind the
//! other as in a log, and one sync. All ways run in one run, since a sync costs what the disk and
//! its other users make of it.

mod common;

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

use common::raw::RawMap;
use common::{DATA_OFFSET, Item, RECORD_BYTES, RECORDS, Random, Sample, calls};
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use flatrec::{Database, Durability};

/// How far the bare log is written before it starts over, as a recycled one does.
const LOG_BYTES: u64 = 4 << 20;
/// A commit's share of a block that is not records: its header, rounded up with them to sectors.
const BLOCK_HEADER_BYTES: usize = 128;

fn main() {
    let mut criterion = common::criterion();
    let mut group = common::group(&mut criterion, "durable commit of one record", 1);
    bare(&mut group, 1);
    commits(&mut group, 1, Durability::Immediate);
    group.finish();

    let mut group = common::group(&mut criterion, "durable commit of 100 updates", 100);
    bare(&mut group, 100);
    commits(&mut group, 100, Durability::Immediate);
    group.finish();

    let mut group = common::group(&mut criterion, "commit of one record, synced later", 1);
    commits(&mut group, 1, Durability::Eventual);
    group.finish();

    for threads in [1, 2, 4, 8] {
        let name = format!("durable commits of one record by {threads} threads");
        let mut group = common::group(&mut criterion, &name, 1);
        together(&mut group, threads);
        group.finish();
    }

    let mut group = common::group(&mut criterion, "1M random updates in one commit", RECORDS);
    million(&mut group);
    group.finish();
    criterion.final_summary();
}

/// The bytes of a log's block of so many images.
fn block_len(images: usize) -> usize {
    (BLOCK_HEADER_BYTES + images * (8 + RECORD_BYTES)).next_multiple_of(512)
}

/// A write of as many bytes and a sync, one behind the other in a file of real zeros.
fn bare(group: &mut BenchmarkGroup<'_, WallTime>, records: usize) {
    let scratch = common::scratch();
    let path = scratch.path().join("bare");
    std::fs::write(&path, vec![0; LOG_BYTES as usize]).expect("write zeros");
    let file = File::options().write(true).open(&path).expect("open");
    file.sync_all().expect("sync");
    let block = vec![7; block_len(records)];
    let mut offset = 0;
    group.bench_function("pwrite + fdatasync", |bencher| {
        bencher.iter(|| {
            if offset + block.len() as u64 > LOG_BYTES {
                offset = 0;
            }
            calls::write_at(&file, offset, &block);
            file.sync_data().expect("sync");
            offset += block.len() as u64;
        });
    });
}

/// Commits of so many random updates by one thread.
fn commits(group: &mut BenchmarkGroup<'_, WallTime>, records: u64, durability: Durability) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut random = Random(3);
    let mut sum = 0;
    group.bench_function("flatrec Database", |bencher| {
        bencher.iter(|| {
            let mut transaction = database.begin_write().expect("begin");
            for _ in 0..records {
                let id = random.below(RECORDS);
                transaction.get_mut(id).expect("change").expect("a record").value += 1;
            }
            transaction.commit(durability).expect("commit");
            sum += records;
        });
    });
    let snapshot = database.begin_read();
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// Commits of one record each by several threads, which share syncs. One iteration is one commit.
fn together(group: &mut BenchmarkGroup<'_, WallTime>, threads: u64) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut sum = 0;
    group.bench_function("flatrec Database", |bencher| {
        bencher.iter_custom(|commits| {
            sum += commits;
            let next = AtomicU64::new(0);
            let started = std::time::Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (database, next) = (&database, &next);
                    scope.spawn(move || {
                        let mut random = Random(thread + 5);
                        while next.fetch_add(1, Ordering::Relaxed) < commits {
                            let mut transaction = database.begin_write().expect("begin");
                            let id = random.below(RECORDS);
                            transaction.get_mut(id).expect("change").expect("a record").value += 1;
                            transaction.commit(Durability::Immediate).expect("commit");
                        }
                    });
                }
            });
            started.elapsed()
        });
    });
    let snapshot = database.begin_read();
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// A million updates that happen together, beside a map that is only synced.
fn million(group: &mut BenchmarkGroup<'_, WallTime>) {
    let mut random = Random(2);
    let ids: Vec<u64> = (0..RECORDS).map(|_| random.below(RECORDS)).collect();
    let sample = Sample::make();
    let mut sum = 0;
    group.bench_function("raw map", |bencher| {
        let file = sample.open_file();
        bencher.iter(|| {
            let mut map = RawMap::new(&file, DATA_OFFSET);
            for &id in &ids {
                map.get_mut(id).value += 1;
            }
            map.sync();
            sum += RECORDS;
        });
    });
    let store = sample.open_store();
    check(store.iter(), sum);
    drop(store);

    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut sum = 0;
    let mut commit = |bencher: &mut criterion::Bencher<'_>, checkpoint: bool| {
        bencher.iter_custom(|commits| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..commits {
                let started = std::time::Instant::now();
                let mut transaction = database.begin_write().expect("begin");
                for &id in &ids {
                    transaction.get_mut(id).expect("change").expect("a record").value += 1;
                }
                transaction.commit(Durability::Immediate).expect("commit");
                let committed = started.elapsed();
                database.checkpoint().expect("checkpoint");
                spent += if checkpoint { started.elapsed() } else { committed };
                sum += RECORDS;
            }
            spent
        });
    };
    group.bench_function("flatrec Database", |bencher| commit(bencher, false));
    group.bench_function("flatrec Database, with its checkpoint", |bencher| commit(bencher, true));
    let snapshot = database.begin_read();
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// Checks that so many updates were made, and nothing else was changed.
fn check<'a>(items: impl Iterator<Item = &'a Item>, updates: u64) {
    let mut found = 0_u64;
    for (id, item) in (0..).zip(items) {
        let mut expected = Item::new(id);
        found = found.wrapping_add(item.value.get().wrapping_sub(expected.value.get()));
        expected.value = item.value;
        assert!(*item == expected, "record {id}");
    }
    assert_eq!(found, updates, "updates found");
}
