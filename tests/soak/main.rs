//! A long run of everything that happens between one writer and its readers. The writer commits,
//! checkpoints, grows the store, closes, opens and is killed. The readers are threads and
//! processes; they hold snapshots for long and short times, follow, wait, and are killed. `rows.rs`
//! says what each of them must see.
//!
//! It runs for `FLATREC_SECONDS`, by default four. `FLATREC_SEED` repeats the random choices, but
//! not the timing, which depends on the scheduler.

mod children;
mod reading;
mod rows;
mod stopped;
#[path = "../support/mod.rs"]
mod support;
mod writing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use flatrec::{Database, Durability, ReadOnlyDatabase, VerifyOptions, verify};

use children::Process;
use reading::Reading;
use rows::{Change, Row, look};
use support::random::Random;
use support::settings;
use writing::Writing;

const READER_THREADS: usize = 4;
const READER_PROCESSES: usize = 4;

/// The duration of the test.
fn run_time() -> Duration {
    settings::seconds(4)
}

/// How often readers and writers have reported each kind of work.
#[derive(Default)]
struct Totals(Mutex<BTreeMap<String, u64>>);

impl Totals {
    fn add(&self, what: &str) {
        let what = what.split(' ').next().unwrap_or_default();
        *self.0.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    fn of(&self, what: &str) -> u64 {
        self.0.lock().unwrap().get(what).copied().unwrap_or(0)
    }
}

/// What the reports say of the store.
#[derive(Default)]
struct Knowledge {
    totals: Totals,
    /// The newest acknowledged commit. A reader that begins a snapshot now must see it.
    made: AtomicU64,
    /// The newest commit that a reader or writer has seen. A writer that opens the store must find
    /// it.
    seen: AtomicU64,
}

impl Knowledge {
    /// Records the report of a child process.
    fn hear(&self, line: &str) {
        if let Some((what, commit)) = line.split_once(' ') {
            let commit = commit.parse().expect("a report ends with a commit's number");
            self.seen.fetch_max(commit, SeqCst);
            if what != "seen" {
                self.made.fetch_max(commit, SeqCst);
            }
        }
        self.totals.add(line);
    }
}

/// Ends the round when a thread fails.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, SeqCst);
        }
    }
}

/// One store with its readers and its writer.
struct Round {
    path: PathBuf,
    deletes: bool,
    /// Whether the writer is another process, which the round kills.
    writer_apart: bool,
    /// The longest time for which a reader holds a snapshot.
    longest: Duration,
    over: AtomicBool,
    known: Arc<Knowledge>,
    writer: RwLock<Option<Database<Row>>>,
}

impl Round {
    /// Makes the store. The lowest bits of `kind` select deletes, checksums and the writer's place.
    fn new(path: PathBuf, kind: u64, known: &Arc<Knowledge>, random: &mut Random) -> Self {
        let deletes = kind & 1 != 0;
        let options = Database::<Row>::create_options().deletes(deletes).checksums(kind & 2 != 0);
        let database = options.create(&path).unwrap();
        let mut transaction = database.begin_write().unwrap();
        Change::new(&mut transaction, random).make(deletes);
        transaction.commit(Durability::Immediate).unwrap();
        database.close().unwrap();
        known.made.store(0, SeqCst);
        known.seen.store(0, SeqCst);
        Self {
            path,
            deletes,
            writer_apart: kind & 4 != 0,
            longest: (run_time() / 10).clamp(Duration::from_millis(400), Duration::from_secs(3)),
            over: AtomicBool::new(false),
            known: Arc::clone(known),
            writer: RwLock::new(None),
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    fn start(&self, job: &str, random: &mut Random) -> Process {
        let floor = match job {
            "writer" => &self.known.seen,
            _ => &self.known.made,
        };
        let job = Job {
            name: job.to_owned(),
            seed: random.next(),
            floor: floor.load(SeqCst),
            longest: self.longest,
            deletes: self.deletes,
            path: self.path.clone(),
        };
        let known = Arc::clone(&self.known);
        Process::start(&job.to_text(), move |line| known.hear(line))
    }

    /// Lets all threads and processes work for this time.
    ///
    /// # Panics
    /// If one of them fails.
    fn run(&self, time: Duration, random: &mut Random) {
        let common = Database::<Row>::open_read_only(&self.path).unwrap();
        let common = (&common, &AtomicU64::new(0));
        std::thread::scope(|scope| {
            let _alarm = Alarm(&self.over);
            if !self.writer_apart {
                let random = Random::new(random.next());
                scope.spawn(move || self.write(random));
            }
            for _ in 0..READER_THREADS {
                let random = Random::new(random.next());
                scope.spawn(move || self.read(random, common));
            }
            self.reign(time, random);
            self.over.store(true, SeqCst);
        });
        assert_eq!(verify(&self.path, VerifyOptions::new()).unwrap().problems, []);
        let database = Database::<Row>::open(&self.path).unwrap();
        let last = look(&database.begin_read().unwrap());
        database.close().unwrap();
        let floor = self.known.seen.load(SeqCst);
        assert!(
            last.commit >= floor,
            "a process saw commit {floor}, but the store ends with {last:?}"
        );
        assert_eq!(verify(&self.path, VerifyOptions::new()).unwrap().problems, []);
    }

    /// Starts processes and kills them.
    fn reign(&self, time: Duration, random: &mut Random) {
        let until = Instant::now() + time;
        // In some rounds every process has a short life.
        let pace_us = [8_000, 25_000, 80_000][random.below(3) as usize];
        let mut readers: Vec<Process> =
            (0..READER_PROCESSES).map(|_| self.start("reader", random)).collect();
        let mut writer = self.writer_apart.then(|| self.start("writer", random));
        while Instant::now() < until && !self.is_over() {
            std::thread::sleep(Duration::from_micros(random.below(pace_us)));
            let reader = random.below(READER_PROCESSES as u64) as usize;
            match random.below(6) {
                // Few processes are killed before their first report.
                0..2 if readers[reader].has_spoken() || random.below(8) == 0 => {
                    readers.swap_remove(reader).kill();
                    readers.push(self.start("reader", random));
                    self.known.totals.add("reader-killed");
                }
                2..4 => {
                    let spoken = writer.as_ref().is_some_and(Process::has_spoken);
                    if spoken || random.below(8) == 0 {
                        let Some(last) = writer.take() else { continue };
                        last.kill();
                        self.known.totals.add("writer-killed");
                        writer = Some(self.start("writer", random));
                    }
                }
                _ => {}
            }
        }
        self.over.store(true, SeqCst);
        readers.into_iter().chain(writer).for_each(Process::end);
    }

    fn write(&self, random: Random) {
        let _alarm = Alarm(&self.over);
        let writing = Writing {
            path: self.path.clone(),
            random,
            deletes: self.deletes,
            floor: &self.known.seen,
            is_over: &|| self.is_over(),
            tell: &|line| self.known.hear(line),
            place: &self.writer,
        };
        writing.run();
    }

    fn read(&self, random: Random, common: (&ReadOnlyDatabase<Row>, &AtomicU64)) {
        let _alarm = Alarm(&self.over);
        let reading = Reading {
            path: self.path.clone(),
            random,
            made: &self.known.made,
            is_over: &|| self.is_over(),
            tell: &|line| self.known.hear(line),
            writer: (!self.writer_apart).then_some(&self.writer),
            common: Some(common),
            longest: self.longest,
            last: 0,
        };
        reading.run();
    }
}

/// The arguments of a child.
struct Job {
    name: String,
    seed: u64,
    /// A commit that existed before the child was started.
    floor: u64,
    longest: Duration,
    deletes: bool,
    path: PathBuf,
}

impl Job {
    fn to_text(&self) -> String {
        let Self { name, seed, floor, deletes, .. } = self;
        let (longest, path) = (self.longest.as_millis(), self.path.display());
        format!("{name}|{seed}|{floor}|{longest}|{deletes}|{path}")
    }

    fn parse(text: &str) -> Self {
        let parts: Vec<&str> = text.splitn(6, '|').collect();
        let [name, seed, floor, longest, deletes, path] = parts[..] else { panic!("{text}") };
        Self {
            name: name.to_owned(),
            seed: seed.parse().unwrap(),
            floor: floor.parse().unwrap(),
            longest: Duration::from_millis(longest.parse().unwrap()),
            deletes: deletes == "true",
            path: path.into(),
        }
    }
}

/// Does the job that the environment names.
#[test]
#[ignore = "the child of the other tests"]
fn child() {
    let Ok(job) = std::env::var(children::JOB) else { return };
    let job = Job::parse(&job);
    let over = AtomicBool::new(false);
    if job.name == "holder" {
        return stopped::hold(&job.path);
    }
    std::thread::scope(|scope| {
        // The parent ends the child's work by closing the pipe or by dying.
        scope.spawn(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
            over.store(true, SeqCst);
        });
        let work = std::panic::catch_unwind(|| job.work(&|| over.load(SeqCst)));
        if work.is_err() {
            // The thread that reads the pipe may never end.
            std::process::exit(children::TEST_FAILED);
        }
    });
}

impl Job {
    fn work(self, is_over: &(dyn Fn() -> bool + Sync)) {
        let random = Random::new(self.seed);
        let floor = AtomicU64::new(self.floor);
        let Self { path, longest, deletes, .. } = self;
        let tell = &children::say;
        match &*self.name {
            "reader" => {
                let (made, writer, common, last) = (&floor, None, None, 0);
                Reading { path, random, made, is_over, tell, writer, common, longest, last }.run();
            }
            "writer" => {
                let place = &RwLock::new(None);
                Writing { path, random, deletes, floor: &floor, is_over, tell, place }.run();
            }
            other => panic!("{other}"),
        }
    }
}

/// Finds a reader that mixes two commits, or a commit that a reader saw and that is lost.
#[test]
fn every_snapshot_in_every_process_is_one_commit() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = settings::seed(now);
    println!("FLATREC_SEED={seed} (the timing differs anyway)");
    let mut random = Random::new(seed);
    let time = (run_time() / 4).min(Duration::from_secs(5));
    let known = Arc::new(Knowledge::default());
    let until = Instant::now() + run_time();
    let mut kind = random.below(8);
    while Instant::now() < until {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        println!("a round of kind {kind:03b}");
        Round::new(path, kind, &known, &mut random).run(time, &mut random);
        // Takes all eight kinds in turn, and most times changes the writer's place.
        kind = (kind + 5) % 8;
    }
    let is_busy = known.totals.of("seen") > 0 && known.totals.of("committed") > 0;
    assert!(is_busy, "reports of each kind: {:#?}", known.totals.0.lock().unwrap());
}
