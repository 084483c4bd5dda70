//! Four threads read a file a hundred times as large as the mapping budget through one
//! `WindowedStore`, while a writer in another process commits and checkpoints. Every record must be
//! as it was when the store was opened. The mapped bytes must stay within the budget, as counted by
//! the store and, on Linux, by the kernel.
//!
//! It runs for `FLATREC_SECONDS`, by default two.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use flatrec::{Database, Durability, PodRecord, Store, VerifyOptions, WindowedStore, verify};
use support::mapped::mapped_bytes;
use support::random::{Random, mix};
use support::{process, settings};

const WORDS: usize = 128;
type Row = PodRecord<[u64; WORDS]>;

const BUDGET: u64 = 1 << 20;
const WINDOW: u64 = 64 << 10;
/// The first number of records: they fill a hundred budgets.
const BASE: u64 = 100 * BUDGET / size_of::<Row>() as u64;
/// The records that each transaction appends.
const APPENDED: u64 = 3;
const THREADS: u64 = 4;

/// Record `id` as transaction `number` has left it.
fn row(id: u64, number: u64) -> Row {
    let mut row = PodRecord([mix(id ^ number << 32); WORDS]);
    (row.0[0], row.0[1]) = (id, number);
    row
}

/// The records that transaction `number` changes, besides the first.
fn changed(number: u64) -> impl Iterator<Item = u64> {
    (0..30).map(move |n| 1 + mix(number << 8 | n) % (BASE - 1))
}

const CHILD: &str = "FLATREC_BOUNDED_CHILD";

/// The writer, which commits until its parent closes the pipe or dies.
#[test]
#[ignore = "the writer of the other test"]
fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
            over.store(true, SeqCst);
        });
        let database = Database::<Row>::options().checkpoint_at(128 << 10).open(path).unwrap();
        while !over.load(SeqCst) {
            let mut transaction = database.begin_write().unwrap();
            let number = transaction.get(0).unwrap().0[1] + 1;
            transaction.set(0, &row(0, number)).unwrap();
            for id in changed(number) {
                *transaction.get_mut(id).unwrap().unwrap() = row(id, number);
            }
            for _ in 0..APPENDED {
                let id = transaction.count();
                transaction.append(&row(id, number)).unwrap();
            }
            transaction.commit(Durability::Eventual).unwrap();
            if number % 20 == 0 {
                database.checkpoint().unwrap();
            }
        }
        database.close().unwrap();
    });
}

/// The running child. Dropping it kills the process.
struct Writer(Child);

impl Writer {
    fn start(path: &Path) -> Self {
        let child = process::running("child")
            .env(CHILD, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn check(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "the writer ended by itself");
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn create() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.rec");
    let mut store = Store::<Row>::create(&path).unwrap();
    for first in (0..BASE).step_by(1024) {
        let rows: Vec<Row> = (first..BASE.min(first + 1024)).map(|id| row(id, 0)).collect();
        store.append_slice(&rows).unwrap();
    }
    store.close().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() >= 100 * BUDGET);
    (directory, path)
}

/// An open store, and what it must show.
struct Bounded {
    path: PathBuf,
    store: WindowedStore<Row>,
    number: u64,
    /// The transaction that changed each record last.
    numbers: Vec<u64>,
    over: AtomicBool,
    reads: AtomicU64,
    /// Readers share it; the count of mapped bytes takes it alone, so nothing is mapped during the
    /// count.
    reading: RwLock<()>,
}

impl Bounded {
    fn open(path: &Path) -> Self {
        let store = WindowedStore::<Row>::read_options()
            .max_mapped_bytes(BUDGET)
            .window_bytes(WINDOW)
            .open_read_only(path)
            .unwrap();
        let number = store.copy(0).unwrap().unwrap().0[1];
        let mut numbers = vec![0; BASE as usize];
        numbers[0] = number;
        for number in 1..=number {
            changed(number).for_each(|id| numbers[id as usize] = number);
            numbers.extend([number; APPENDED as usize]);
        }
        let (over, reads, reading) = Default::default();
        Self { path: path.to_owned(), store, number, numbers, over, reads, reading }
    }

    fn check(&self, id: u64, found: &Row) {
        let number = self.numbers[id as usize];
        assert_eq!(found.0[..2], [id, number], "opened at {}", self.number);
        assert_eq!(*found, row(id, number), "record {id} is torn");
        self.reads.fetch_add(1, SeqCst);
    }

    /// Reads random records in every way.
    fn read(&self, seed: u64) {
        let mut random = Random::new(seed);
        let count = self.store.count();
        assert_eq!(count, self.numbers.len() as u64);
        while !self.over.load(SeqCst) {
            let _reading = self.reading.read().unwrap();
            let id = random.below(count);
            match random.below(8) {
                0 => {
                    let mut rows = [row(0, 0); 70];
                    let read = self.store.copy_into(id, &mut rows).unwrap();
                    (id..).zip(&rows[..read]).for_each(|(id, row)| self.check(id, row));
                }
                1 => {
                    for found in self.store.range(id..id + 50) {
                        let (id, row) = found.unwrap();
                        self.check(id, &row);
                    }
                }
                2 => {
                    // There is no window where the log has later records.
                    if let Some(window) = self.store.window(id).unwrap() {
                        window.ids().for_each(|id| self.check(id, window.get(id).unwrap()));
                    }
                }
                3 => self.check(id, &self.store.copy(id).unwrap().unwrap()),
                _ => {
                    let pinned = self.store.get(id).unwrap().unwrap();
                    self.check(id, &pinned);
                    self.check_counters();
                    self.check(id, &pinned);
                }
            }
            self.check_counters();
        }
    }

    fn check_counters(&self) {
        let counters = self.store.view_counters();
        assert!(counters.mapped_bytes <= BUDGET, "{counters:?}");
    }

    /// Counts the mapped bytes until the given time, and longer if the budget was not used up.
    fn measure(&self, until: Instant, writer: &mut Writer) -> u64 {
        let mut most = 0;
        let evicted = || self.store.view_counters().evictions > 0;
        while (Instant::now() < until || !evicted()) && !self.over.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
            writer.check();
            assert!(self.store.info().unwrap().mapped_bytes <= BUDGET);
            // The kernel's list is consistent only while no thread maps anything.
            let _alone = self.reading.write().unwrap();
            let said = self.store.view_counters().mapped_bytes;
            let Some(mapped) = mapped_bytes(&self.path) else { continue };
            assert!(mapped <= BUDGET, "{mapped} bytes are mapped, but the store counts {said}");
            most = most.max(mapped);
        }
        most
    }
}

/// Ends the test for all threads when one of them fails.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Finds a windowed store that shows a later commit, or maps more than its budget.
#[test]
fn a_windowed_store_keeps_its_records_and_its_budget_beside_a_writer() {
    let time = settings::seconds(2);
    let seed = settings::seed(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    println!("FLATREC_SEED={seed}");
    let (_directory, path) = create();
    let mut writer = Writer::start(&path);
    let (mut reads, mut most, mut last) = (0, 0, 0);
    let rounds = 4;
    for round in 0..rounds {
        let until = Instant::now() + time / rounds;
        let bounded = Bounded::open(&path);
        assert!(
            bounded.number >= last,
            "the store went from transaction {last} back to {}",
            bounded.number
        );
        last = bounded.number;
        std::thread::scope(|scope| {
            let _alarm = Alarm(&bounded.over);
            for thread in 0..THREADS {
                let (bounded, seed) = (&bounded, mix(seed ^ u64::from(round) << 8 ^ thread));
                scope.spawn(move || {
                    let _alarm = Alarm(&bounded.over);
                    bounded.read(seed);
                });
            }
            most = bounded.measure(until, &mut writer).max(most);
        });
        reads += bounded.reads.into_inner();
        let counters = bounded.store.view_counters();
        assert!(counters.evictions > 0, "the store never used up its budget: {counters:?}");
    }
    writer.end();
    assert!(last > 0, "{reads} reads, no transactions, at most {most} bytes mapped");
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
}
