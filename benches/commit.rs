//! Durable commits: of one record, of a hundred, of a million, and of several threads at once.
//!
//! The limit is a positioned write of as many bytes to an existing file, one after the other as in
//! a log, and one sync. All ways are measured in one run, because a sync depends on the disk and
//! its other users.

mod common;

use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::raw::RawMap;
use common::{DATA_OFFSET, Item, RECORD_BYTES, RECORDS, Random, Sample, calls};
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use flatrec::{Database, Durability};

/// The length at which the bare log starts over, as a reused segment does.
const LOG_BYTES: u64 = 4 << 20;
/// The head of a frame. A frame's length is rounded up to sectors.
const FRAME_HEAD_BYTES: usize = 128;

fn main() {
    let mut criterion = common::criterion();
    let mut group = common::group(&mut criterion, "durable commit of one record", 1);
    in_turns(&mut group, 1);
    group.finish();

    let mut group = common::group(&mut criterion, "durable commit of 100 updates", 100);
    in_turns(&mut group, 100);
    group.finish();

    let mut group = common::group(&mut criterion, "commit of one record, synced later", 1);
    eventual(&mut group);
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

/// The length of a frame with so many images.
fn frame_len(images: usize) -> usize {
    (FRAME_HEAD_BYTES + images * (8 + RECORD_BYTES)).next_multiple_of(512)
}

/// Measures durable commits of so many random updates, and writes of as many bytes with a sync, in
/// turns, because a busy device slows down both.
fn in_turns(group: &mut BenchmarkGroup<'_, WallTime>, records: u64) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut bare = Bare::new(records as usize);
    let mut random = Random(3);
    let mut sum = 0;
    let mut turns = Turns::default();
    let mut turn = |turns: &mut Turns| {
        let started = Instant::now();
        bare.commit();
        turns.bare.push_back(started.elapsed());
        let started = Instant::now();
        commit(&database, &mut random, records, Durability::Immediate);
        turns.database.push_back(started.elapsed());
        sum += records;
    };
    group.bench_function("pwrite + fdatasync", |bencher| {
        bencher.iter_custom(|commits| turns.take(commits, &mut turn, |turns| &mut turns.bare));
    });
    group.bench_function("flatrec Database", |bencher| {
        bencher.iter_custom(|commits| turns.take(commits, &mut turn, |turns| &mut turns.database));
    });
    let snapshot = database.begin_read().expect("begin");
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// The times of each way, turn by turn. Each way takes its own times from here, and makes more
/// turns when they run out.
#[derive(Default)]
struct Turns {
    bare: VecDeque<Duration>,
    database: VecDeque<Duration>,
}

impl Turns {
    fn take(
        &mut self,
        commits: u64,
        turn: &mut impl FnMut(&mut Self),
        of: impl Fn(&mut Self) -> &mut VecDeque<Duration>,
    ) -> Duration {
        let mut spent = Duration::ZERO;
        for _ in 0..commits {
            if of(self).is_empty() {
                turn(self);
            }
            spent += of(self).pop_front().expect("a turn was made");
        }
        spent
    }
}

/// Writes as many bytes as a frame, and syncs, at consecutive places in a file of zeros.
struct Bare {
    file: File,
    frame: Vec<u8>,
    offset: u64,
    _scratch: tempfile::TempDir,
}

impl Bare {
    fn new(records: usize) -> Self {
        let scratch = common::scratch();
        let path = scratch.path().join("bare");
        std::fs::write(&path, vec![0; LOG_BYTES as usize]).expect("write zeros");
        let file = File::options().write(true).open(&path).expect("open");
        file.sync_all().expect("sync");
        Self { file, frame: vec![7; frame_len(records)], offset: 0, _scratch: scratch }
    }

    fn commit(&mut self) {
        let len = self.frame.len() as u64;
        if self.offset + len > LOG_BYTES {
            self.offset = 0;
        }
        calls::write_at(&self.file, self.offset, &self.frame);
        self.file.sync_data().expect("sync");
        self.offset += len;
    }
}

/// Commits so many random updates.
fn commit(database: &Database<Item>, random: &mut Random, records: u64, durability: Durability) {
    let mut transaction = database.begin_write().expect("begin");
    for _ in 0..records {
        let id = random.below(RECORDS);
        transaction.get_mut(id).expect("change").expect("a record").value += 1;
    }
    transaction.commit(durability).expect("commit");
}

/// Measures commits of one record without a sync.
fn eventual(group: &mut BenchmarkGroup<'_, WallTime>) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut random = Random(3);
    let mut sum = 0;
    group.bench_function("flatrec Database", |bencher| {
        bencher.iter(|| {
            commit(&database, &mut random, 1, Durability::Eventual);
            sum += 1;
        });
    });
    let snapshot = database.begin_read().expect("begin");
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// Measures commits of one record by several threads, which share syncs. One iteration is one
/// commit.
fn together(group: &mut BenchmarkGroup<'_, WallTime>, threads: u64) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut sum = 0;
    group.bench_function("flatrec Database", |bencher| {
        bencher.iter_custom(|commits| {
            sum += commits;
            let next = AtomicU64::new(0);
            let started = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (database, next) = (&database, &next);
                    scope.spawn(move || {
                        let mut random = Random(thread + 5);
                        while next.fetch_add(1, Ordering::Relaxed) < commits {
                            commit(database, &mut random, 1, Durability::Immediate);
                        }
                    });
                }
            });
            started.elapsed()
        });
    });
    let snapshot = database.begin_read().expect("begin");
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// Measures a million updates in one commit, beside a map that is synced.
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
    check(store.iter().map(|(_, item)| item), sum);
    drop(store);

    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let mut sum = 0;
    let mut commit = |bencher: &mut criterion::Bencher<'_>, checkpoint: bool| {
        bencher.iter_custom(|commits| {
            let mut spent = Duration::ZERO;
            for _ in 0..commits {
                let started = Instant::now();
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
    let snapshot = database.begin_read().expect("begin");
    check(snapshot.iter().map(|(_, item)| item), sum);
}

/// Checks that so many updates were made and nothing else changed.
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
