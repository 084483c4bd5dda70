//! Readers in another process than the writer: the cost of beginning and of following, and their
//! reads alone and beside a writer that commits and checkpoints all the time.
//!
//! The writer is this program again, started with the path of the store; it commits until its
//! standard input is closed.

mod common;

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Item, RECORDS, Random, Sample};
use criterion::Criterion;
use flatrec::{CommitId, Database, Durability, ReadOnlyDatabase};

const WRITER: &str = "FLATREC_BENCH_WRITER";
/// The reads of a reader before it refreshes its snapshot.
const READS: usize = 1000;
/// Longer than any wait.
const LONG: Duration = Duration::from_secs(60);

fn main() {
    if let Some(path) = std::env::var_os(WRITER) {
        return write_until_told(Path::new(&path));
    }
    let mut criterion = common::criterion();
    begin(&mut criterion);
    follow(&mut criterion);
    wake(&mut criterion);
    get(&mut criterion);
    criterion.final_summary();
}

/// Opening, and snapshots of a store without changes.
fn begin(criterion: &mut Criterion) {
    let sample = Sample::make();
    let mut group = common::group(criterion, "reader: begin", 1);
    group.sample_size(50);
    let open = || Database::<Item>::open_read_only(&sample.path).expect("open");
    common::measure(&mut group, "open, begin_read, close", RECORDS, || {
        open().begin_read().expect("begin").count()
    });
    let reader = open();
    common::measure(&mut group, "begin_read, and its end", RECORDS, || {
        reader.begin_read().expect("begin").count()
    });
    let held = reader.begin_read().expect("begin");
    common::measure(&mut group, "begin_read beside another of the commit", RECORDS, || {
        reader.begin_read().expect("begin").count()
    });
    common::measure(&mut group, "is_newest", 1, || u64::from(held.is_newest()));
    group.finish();
}

/// From a commit of one record, without a sync, to its snapshot in another handle.
fn follow(criterion: &mut Criterion) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let reader: ReadOnlyDatabase<Item> = Database::open_read_only(&sample.path).expect("open");
    let mut group = common::group(criterion, "reader: follow a commit of one record", 1);
    let mut random = Random(5);
    group.bench_function("refresh", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            let mut snapshot = reader.begin_read().expect("begin");
            for _ in 0..times {
                commit(&database, &mut random);
                let started = Instant::now();
                assert!(snapshot.refresh().expect("refresh"), "the reader missed a commit");
                spent += started.elapsed();
            }
            assert_eq!(snapshot.commit_id(), database.begin_read().expect("begin").commit_id());
            spent
        });
    });
    group.finish();
}

/// From the start of a commit of one record, without a sync, to the thread that it wakes; and the
/// commit alone, with and without a program to wake.
fn wake(criterion: &mut Criterion) {
    let sample = Sample::make();
    let database = Database::<Item>::open(&sample.path).expect("open");
    let reader: ReadOnlyDatabase<Item> = Database::open_read_only(&sample.path).expect("open");
    let events = reader.commit_events().expect("events");
    let mut group = common::group(criterion, "reader: wake-up by a commit of one record", 1);
    group.sample_size(20);
    let mut random = Random(11);
    let newest = || reader.commit_id();
    let by_wait = |seen| reader.wait(seen, LONG).expect("wait");
    let acknowledged = || {
        events.acknowledge(&reader.begin_read().expect("begin")).expect("acknowledge");
        CommitId::default()
    };
    let by_events = |_| events.wait(LONG).expect("wait");
    let mut measure = |name, waiter: Waiter<'_>, to_the_wake_up| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let commit = || commit(&database, &mut random);
                wakes(times, waiter, commit, to_the_wake_up)
            });
        });
    };
    measure("the commit, with nothing to wake", (&CommitId::default, &|_| true), false);
    measure("the commit, and a wait", (&newest, &by_wait), false);
    measure("the commit, and commit events", (&acknowledged, &by_events), false);
    measure("to the end of a wait", (&newest, &by_wait), true);
    measure("to the end of a wait for commit events", (&acknowledged, &by_events), true);
    group.finish();
}

/// What a thread does before it waits, which tells the newest commit that it has seen; the wait.
type Waiter<'w> = (&'w (dyn Fn() -> CommitId + Sync), &'w (dyn Fn(CommitId) -> bool + Sync));

/// The time of so many commits, or from their starts to the ends of the waits in another thread.
fn wakes(
    times: u64,
    (before, wait): Waiter<'_>,
    mut commit: impl FnMut(),
    to_the_wake_up: bool,
) -> Duration {
    let (begins, begun) = std::sync::mpsc::channel();
    let (wakes, woken) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..times {
                // Before the commit, however late this thread comes to wait for it.
                let seen = before();
                begins.send(()).expect("send");
                assert!(wait(seen), "the waiting thread missed a commit");
                wakes.send(Instant::now()).expect("send");
            }
        });
        let each = (0..times).map(|_| {
            begun.recv().expect("the waiting thread failed");
            // Time for the other thread to fall asleep.
            std::thread::sleep(Duration::from_micros(300));
            let started = Instant::now();
            commit();
            let committed = Instant::now();
            let woken = woken.recv().expect("the waiting thread failed");
            (if to_the_wake_up { woken } else { committed }).saturating_duration_since(started)
        });
        each.sum()
    })
}

/// Reads of two fields by number, with a newer snapshot after every thousand.
fn get(criterion: &mut Criterion) {
    let sample = Sample::make();
    let ids = common::shuffled_ids();
    let expected = common::expected(Item::two_fields);
    let mut group = common::group(criterion, "reader: random get, two fields", RECORDS);
    group.sample_size(30);
    let map = sample.map_file();
    common::measure(&mut group, "raw map", expected, || {
        sum(ids.iter().map(|&id| map.get(id).two_fields()))
    });
    let reader: ReadOnlyDatabase<Item> = Database::open_read_only(&sample.path).expect("open");
    common::measure(&mut group, "alone", expected, || read(&reader, &ids));
    let held = reader.begin_read().expect("begin");
    let writer = Writer::start(&sample.path);
    let before = reader.commit_id().get();
    // First from one snapshot beside the writer, then from new ones, whose images are in the log.
    common::measure(&mut group, "beside a writer, from one snapshot", expected, || {
        sum(ids.iter().map(|&id| held.get(id).expect("a record").two_fields()))
    });
    drop(held);
    common::measure(&mut group, "beside a writer, from new ones", expected, || read(&reader, &ids));
    assert!(reader.commit_id().get() > before, "the writer made no commit");
    writer.end();
    group.finish();
}

fn read(reader: &ReadOnlyDatabase<Item>, ids: &[u64]) -> u64 {
    let mut snapshot = reader.begin_read().expect("begin");
    sum(ids.chunks(READS).map(|ids| {
        snapshot.refresh().expect("refresh");
        sum(ids.iter().map(|&id| snapshot.get(id).expect("a record").two_fields()))
    }))
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::wrapping_add)
}

/// Writes a record back unchanged.
fn commit(database: &Database<Item>, random: &mut Random) {
    let id = random.below(RECORDS);
    let mut transaction = database.begin_write().expect("begin");
    transaction.set(id, &Item::new(id)).expect("set");
    transaction.commit(Durability::Eventual).expect("commit");
}

/// A process that commits all the time.
struct Writer {
    child: Child,
    input: ChildStdin,
}

impl Writer {
    fn start(path: &Path) -> Self {
        let program = std::env::current_exe().expect("find this program");
        let mut command = Command::new(program);
        let mut child = command.env(WRITER, path).stdin(Stdio::piped()).spawn().expect("start");
        let input = child.stdin.take().expect("a pipe");
        Self { child, input }
    }

    fn end(self) {
        let Self { mut child, input } = self;
        drop(input);
        assert!(child.wait().expect("wait").success(), "the writer failed");
    }
}

fn write_until_told(path: &Path) {
    let database = Database::<Item>::open(path).expect("open");
    let told = std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
    });
    let mut random = Random(7);
    while !told.is_finished() {
        commit(&database, &mut random);
    }
    database.close().expect("close");
}
