//! Killed processes. A child commits in a loop and reports each acknowledged commit; its parent
//! kills it at a random moment and checks the store. A kill cuts no power, so every commit that
//! returned must be there, whatever its durability.
//!
//! The store holds [`CELLS`] cells, whose sum no commit changes, and entries behind them. Commits
//! append entries; in stores with deletes they also delete some and reuse their places. Each record
//! carries its checksum. The first cell holds the number of the last transaction. A transaction
//! follows from its number and the state before it, so the parent can compute every state.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use flatrec::{
    Database, Durability, DynStore, PodRecord, Store, VerifyOptions, Wait, WindowedStore,
    WriteTransaction, verify,
};
use support::random::Random;
use support::{process, settings};

/// Two words of content, and the record's checksum.
type Row = PodRecord<[u64; 3]>;

const CELLS: u64 = 64;
/// The first content of each cell but the first.
const SHARE: u64 = 1 << 32;
const CHECKPOINT_BYTES: u64 = 48 << 10;
/// The records of a long append, more than a megabyte.
const BULK: u64 = (1 << 20) / 24 + 100;

fn sealed(first: u64, second: u64) -> Row {
    PodRecord([first, second, check_of(first, second)])
}

fn check_of(first: u64, second: u64) -> u64 {
    (first.rotate_left(17) ^ second).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0123_4567_89ab_cdef
}

fn is_whole(row: &Row) -> bool {
    row.0[2] == check_of(row.0[0], row.0[1])
}

/// The calls of a transaction, on a store or on the parent's picture of it.
trait Rows {
    fn count(&self) -> u64;
    fn get(&self, id: u64) -> Option<Row>;
    fn set(&mut self, id: u64, row: Row);
    fn append(&mut self, rows: &[Row]);
    fn insert(&mut self, row: Row);
    fn delete(&mut self, id: u64);
}

impl Rows for WriteTransaction<'_, Row> {
    fn count(&self) -> u64 {
        self.count()
    }

    fn get(&self, id: u64) -> Option<Row> {
        self.get(id).copied()
    }

    fn set(&mut self, id: u64, row: Row) {
        // Uses both calls that change a record.
        match id % 2 {
            0 => self.set(id, &row).unwrap(),
            _ => *self.get_mut(id).unwrap().unwrap() = row,
        }
    }

    fn append(&mut self, rows: &[Row]) {
        self.append_slice(rows).unwrap();
    }

    fn insert(&mut self, row: Row) {
        self.insert(&row).unwrap();
    }

    fn delete(&mut self, id: u64) {
        self.delete(id).unwrap();
    }
}

/// What the parent knows of the store.
#[derive(Clone, Debug, Default)]
struct Picture {
    rows: Vec<Option<Row>>,
    /// Deleted records. An insert takes the last one first.
    free: Vec<u64>,
}

impl Rows for Picture {
    fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    fn get(&self, id: u64) -> Option<Row> {
        self.rows.get(id as usize).copied().flatten()
    }

    fn set(&mut self, id: u64, row: Row) {
        self.rows[id as usize] = Some(row);
    }

    fn append(&mut self, rows: &[Row]) {
        self.rows.extend(rows.iter().copied().map(Some));
    }

    fn insert(&mut self, row: Row) {
        match self.free.pop() {
            Some(id) => self.set(id, row),
            None => self.append(&[row]),
        }
    }

    fn delete(&mut self, id: u64) {
        if self.rows[id as usize].take().is_some() {
            self.free.push(id);
        }
    }
}

/// Makes transaction `n`, which follows from `n` and the state before it.
fn change(rows: &mut dyn Rows, n: u64, deletes: bool) {
    let mut random = Random::new(n.wrapping_mul(0xd134_2543_de82_ef95));
    for _ in 0..1 + random.below(12) {
        let (from, to) = (1 + random.below(CELLS - 1), 1 + random.below(CELLS - 1));
        let moved = random.below(100);
        let cell = |rows: &dyn Rows, id| rows.get(id).expect("cells are never deleted").0[0];
        let left = cell(rows, from) - moved;
        rows.set(from, sealed(left, n));
        let got = cell(rows, to) + moved;
        rows.set(to, sealed(got, n));
    }
    let entry = |random: &mut Random| sealed(n, random.below(u64::MAX));
    match random.below(if n % 40 == 0 { 1 } else { 12 }) {
        0 if n % 40 == 0 => {
            let many: Vec<Row> = (0..BULK).map(|_| entry(&mut random)).collect();
            rows.append(&many);
        }
        1..5 => {
            let some: Vec<Row> = (0..random.below(60)).map(|_| entry(&mut random)).collect();
            rows.append(&some);
        }
        5..8 => (0..random.below(8)).for_each(|_| rows.insert(entry(&mut random))),
        _ if rows.count() > CELLS => {
            for _ in 0..random.below(40) {
                let id = CELLS + random.below(rows.count() - CELLS);
                if deletes && random.below(3) == 0 {
                    rows.delete(id);
                } else if rows.get(id).is_some() {
                    rows.set(id, entry(&mut random));
                }
            }
        }
        _ => {}
    }
    rows.set(0, sealed(n, 0));
}

fn first_cells() -> Vec<Row> {
    (0..CELLS).map(|id| if id == 0 { sealed(0, 0) } else { sealed(SHARE, 0) }).collect()
}

const CHILD: &str = "FLATREC_KILLED_CHILD";
/// The exit code of a killed process, on systems where it has one.
const KILLED: i32 = 1;

/// Commits until the parent kills it.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let [seed, threads, deletes, path] = job.splitn(4, '|').collect::<Vec<_>>()[..] else {
        panic!("{job}")
    };
    let (seed, threads) = (seed.parse::<u64>().unwrap(), threads.parse::<u64>().unwrap());
    let deletes = deletes == "true";
    let mut random = Random::new(seed);
    say("opening");
    for life in 0_u64.. {
        let options = Database::<Row>::options()
            .checkpoint_at(CHECKPOINT_BYTES << random.below(3))
            .wait(Wait::AtMost(Duration::from_secs(60)));
        let database = options.open(path).unwrap();
        // Every second life is short, so that many kills hit a recovery or a close.
        let commits = if life % 2 == 0 { random.below(4) } else { random.below(200) };
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let database = &database;
                let seed = seed ^ (thread << 32) ^ (life << 40);
                scope.spawn(move || work(database, seed, commits, deletes));
            }
        });
        say("closing");
        if random.below(3) > 0 {
            database.close().unwrap();
        }
    }
}

/// Writes a line to the parent in one call, so that a kill cannot split it.
fn say(line: &str) {
    let line = format!("\n! {line}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

fn work(database: &Database<Row>, seed: u64, commits: u64, deletes: bool) {
    let mut random = Random::new(seed);
    for _ in 0..commits {
        let mut transaction = database.begin_write().unwrap();
        if random.below(9) == 0 {
            // A rolled-back transaction must change nothing.
            transaction.append(&sealed(u64::MAX, 0)).unwrap();
            change(&mut transaction, random.below(400), deletes);
            transaction.rollback();
            continue;
        }
        let n = transaction.get(0).unwrap().0[0] + 1;
        change(&mut transaction, n, deletes);
        let durability = [Durability::Eventual, Durability::Immediate][random.below(2) as usize];
        transaction.commit(durability).unwrap();
        say(&format!("committed {n}"));
        if random.below(30) == 0 {
            database.checkpoint().unwrap();
        }
        if random.below(10) == 0 {
            let snapshot = database.begin_read().unwrap();
            let sum: u64 = (1..CELLS).map(|id| snapshot.get(id).unwrap().0[0]).sum();
            assert_eq!(sum, (CELLS - 1) * SHARE);
        }
    }
}

/// The child and its reports.
struct Victim {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The transactions that it has reported as committed.
    committed: Vec<u64>,
    /// Its last line.
    last: String,
}

impl Victim {
    fn spawn(job: &str) -> Self {
        let mut child = process::running("child")
            .env(CHILD, job)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, committed: Vec::new(), last: String::new() }
    }

    /// Reads a line. Returns `false` at the end of the output.
    fn listen(&mut self) -> bool {
        self.last.clear();
        if self.output.read_line(&mut self.last).unwrap() == 0 {
            return false;
        }
        if let Some(n) = self.last.strip_prefix("! committed ") {
            self.committed.push(n.trim().parse().unwrap());
        }
        true
    }

    /// Kills the child at a random moment, and returns the commits that it reported.
    fn kill(mut self, random: &mut Random) -> Vec<u64> {
        while self.listen() && self.last != "! opening\n" {}
        // Half of the kills hit the first recovery or a close, the others the commits.
        match random.below(4) {
            0 => {}
            1 => while self.listen() && self.last != "! closing\n" {},
            _ => {
                let lines = random.below(120);
                let _ = (0..lines).take_while(|_| self.listen()).count();
            }
        }
        std::thread::sleep(Duration::from_micros(random.below(4000)));
        self.child.kill().unwrap();
        while self.listen() {}
        let status = self.child.wait().unwrap();
        // On Windows a killed process has an exit code, other than that of a failed test.
        if !matches!(status.code(), None | Some(KILLED)) {
            let mut said = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the child ended by itself, {status}: {said}");
        }
        self.committed
    }
}

/// A store, and what the parent knows of it.
struct Rig {
    directory: tempfile::TempDir,
    deletes: bool,
    /// The last state that the parent found, and the number of its last transaction.
    picture: Picture,
    last: u64,
    /// The commits reported since `last`, and the highest of all.
    said: u64,
    highest: u64,
    threads: u64,
}

impl Rig {
    fn new(deletes: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Database::<Row>::create_options().deletes(deletes);
        let database = options.create(directory.path().join("store")).unwrap();
        let mut transaction = database.begin_write().unwrap();
        transaction.append_slice(&first_cells()).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        database.close().unwrap();
        let rows = first_cells().into_iter().map(Some).collect();
        let picture = Picture { rows, free: Vec::new() };
        Self { directory, deletes, picture, last: 0, said: 0, highest: 0, threads: 0 }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("store")
    }

    /// Starts a child, lets it work, and kills it.
    fn kill_one(&mut self, random: &mut Random) {
        let threads = 1 + random.below(2) * random.below(4);
        let seed = random.below(u64::MAX);
        let job = format!("{seed}|{threads}|{}|{}", self.deletes, self.path().display());
        let committed = Victim::spawn(&job).kill(random);
        self.said += committed.len() as u64;
        self.highest = committed.into_iter().fold(self.highest, u64::max);
        // Each thread may have one commit that it could not report.
        self.threads += threads;
    }

    /// Compares everything that a handle shows with the only state that it may show.
    fn check(&mut self, count: u64, get: &dyn Fn(u64) -> Option<Row>) {
        let found = get(0).expect("the first cell").0[0];
        assert!(
            found >= self.highest,
            "transaction {} was acknowledged, but the store is at {found}",
            self.highest
        );
        let unsaid = (found - self.last)
            .checked_sub(self.said)
            .expect("the child reported more commits than the store has");
        assert!(
            unsaid <= self.threads,
            "{unsaid} commits were not reported, by {} threads",
            self.threads
        );
        for n in self.last + 1..=found {
            change(&mut self.picture, n, self.deletes);
        }
        (self.last, self.said, self.threads) = (found, 0, 0);
        assert_eq!(count, self.picture.count());
        for (id, expected) in (0..).zip(&self.picture.rows) {
            let row = get(id);
            assert!(row.as_ref().is_none_or(is_whole), "record {id} is torn: {row:?}");
            assert_eq!(row, *expected, "record {id}");
        }
        assert_eq!(get(count), None);
        let sum: u64 = (1..CELLS).map(|id| get(id).unwrap().0[0]).sum();
        assert_eq!(sum, (CELLS - 1) * SHARE);
    }

    /// Checks the store through the handles of one kind.
    fn look(&mut self, how: u64) {
        let path = self.path();
        match how {
            0 => {
                let database = Database::<Row>::open(&path).unwrap();
                let snapshot = database.begin_read().unwrap();
                self.check(snapshot.count(), &|id| snapshot.get(id).copied());
            }
            1 => {
                let store = Store::<Row>::open_read_only(&path).unwrap();
                self.check(store.count(), &|id| store.get(id).copied());
                drop(store);
                let store = Store::<Row>::open(&path).unwrap();
                self.check(store.count(), &|id| store.get(id).copied());
                store.close().unwrap();
                assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
            }
            2 => {
                let store = DynStore::open_read_only(&path).unwrap();
                self.check(store.count(), &|id| store.get(id).map(row_of));
            }
            3 => {
                let store = WindowedStore::<Row>::read_options()
                    .max_mapped_bytes(1 << 20)
                    .window_bytes(1 << 16)
                    .open_read_only(&path)
                    .unwrap();
                // A copy also asks for the file's length, which takes long under Wine.
                self.check(store.count(), &|id| match id % 64 {
                    0 => store.copy(id).unwrap(),
                    _ => store.get(id).unwrap().map(|row| *row),
                });
            }
            // The next child opens the store first.
            _ => {}
        }
    }
}

fn row_of(bytes: &[u8]) -> Row {
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    PodRecord([word(0), word(8), word(16)])
}

/// Finds a recovery that loses an acknowledged commit, or shows a part of one.
#[test]
fn killed_processes_lose_nothing_that_was_acknowledged() {
    let few = if cfg!(debug_assertions) { 40 } else { 200 };
    let kills = settings::number("FLATREC_KILLS").unwrap_or(few);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = settings::seed(now);
    println!("FLATREC_SEED={seed} (the moments of the kills differ anyway)");
    let mut random = Random::new(seed);
    let mut rig = Rig::new(false);
    for kill in 0..kills {
        if rig.picture.rows.len() > 300_000 || kill % 16 == 15 {
            rig.look(1);
            rig = Rig::new(!rig.deletes);
        }
        rig.kill_one(&mut random);
        let how = random.below(6);
        println!("kill {kill}, checked in way {how}");
        rig.look(how);
    }
    rig.look(1);
}
