//! Readers in handles of their own beside two kinds of writers: one checkpoints all the time, the
//! other opens and closes all the time. Each test runs for `FLATREC_SECONDS`, by default two.

#![cfg(feature = "derive")]

mod long_snapshots;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flatrec::{
    CopyOptions, Database, Durability, Error, Record, Store, VerifyOptions, Wait, WindowedStore,
    backup, verify,
};

use crate::support::random::Random;
use crate::support::settings;

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Account {
    cents: i64,
    pad: [u64; 7],
}

const ACCOUNTS: u64 = 3000;
const TOTAL: i64 = 100 * ACCOUNTS as i64;

/// A bank whose accounts always have the same sum, its readers, and their failures.
struct Bank {
    directory: tempfile::TempDir,
    path: PathBuf,
    over: AtomicBool,
    looks: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Bank {
    fn new() -> (Self, Database<Account>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bank.rec");
        let options = Database::<Account>::create_options().checksums(true).deletes(true);
        let database = options.checkpoint_at(128 << 10).create(&path).unwrap();
        let mut transaction = database.begin_write().unwrap();
        let account = Account { cents: 100, pad: [3; 7] };
        transaction.append_slice(&vec![account; ACCOUNTS as usize]).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        let (over, looks, errors) = Default::default();
        (Self { directory, path, over, looks, errors }, database)
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Returns the value. Notes an error for the report at the end.
    fn note<V>(&self, what: &str, result: Result<V, Error>) -> Option<V> {
        let note = |error: Error| {
            let text = format!("{what}: {error}");
            let text = text.chars().filter(|letter| !letter.is_ascii_digit()).take(200).collect();
            *self.errors.lock().unwrap().entry(text).or_default() += 1;
        };
        result.map_err(note).ok()
    }

    fn look(&self, records: impl Iterator<Item = Account>, how: &str) {
        let sum = records.inspect(|account| assert!(account.pad == [3; 7], "torn, {how}"));
        assert_eq!(sum.map(|account| account.cents).sum::<i64>(), TOTAL, "{how}");
        self.looks.fetch_add(1, Relaxed);
    }

    /// Opens and reads repeatedly.
    fn read(&self) {
        while !self.is_over() {
            if let Some(store) = self.note("open", Store::<Account>::open_read_only(&self.path)) {
                self.look(store.iter().map(|(_, row)| *row), "a store");
            }
            let opened = WindowedStore::<Account>::read_options()
                .max_mapped_bytes(1 << 20)
                .window_bytes(64 << 10)
                .open_read_only(&self.path);
            if let Some(store) = self.note("open windowed", opened) {
                self.look(store.iter().map(|found| found.unwrap().1), "a windowed store");
            }
        }
    }

    /// Verifies and backs up repeatedly.
    fn copy(&self) {
        let out = self.directory.path().join("copy.rec");
        while !self.is_over() {
            if let Some(report) = self.note("verify", verify(&self.path, VerifyOptions::new())) {
                assert_eq!(report.problems, []);
            }
            let copied = backup(&self.path, &out, CopyOptions::new().replace(true));
            if self.note("backup", copied).is_some() {
                let store = Store::<Account>::open_read_only(&out).unwrap();
                self.look(store.iter().map(|(_, row)| *row), "a backup");
            }
        }
    }

    /// Holds snapshots for a while, repeatedly.
    fn hold(&self, database: &Database<Account>) {
        while !self.is_over() {
            let snapshot = database.begin_read().unwrap();
            for _ in 0..3 {
                self.look(snapshot.iter().map(|(_, account)| *account), "a snapshot");
            }
        }
    }

    /// Lets readers and writers work for the time of the test.
    fn wait_and_end(&self) {
        let started = Instant::now();
        while started.elapsed() < settings::seconds(2) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.over.store(true, Relaxed);
    }

    fn check(self) {
        assert_eq!(verify(&self.path, VerifyOptions::new()).unwrap().problems, []);
        let errors = self.errors.into_inner().unwrap();
        assert!(errors.is_empty(), "errors in {} looks: {errors:#?}", self.looks.into_inner());
    }
}

/// Moves money between accounts, and accounts to other places.
fn transfer(database: &Database<Account>, random: &mut Random) {
    let mut transaction = database.begin_write().unwrap();
    for _ in 0..1 + random.below(20) {
        let (from, to, cents) =
            (random.below(ACCOUNTS), random.below(ACCOUNTS), random.below(50) as i64);
        if transaction.get(from).is_none() || transaction.get(to).is_none() {
            continue;
        }
        transaction.get_mut(from).unwrap().unwrap().cents -= cents;
        transaction.get_mut(to).unwrap().unwrap().cents += cents;
    }
    let id = random.below(ACCOUNTS);
    if let Some(account) = transaction.get(id).copied() {
        transaction.delete(id).unwrap();
        transaction.insert(&account).unwrap();
    }
    let durable = [Durability::Eventual, Durability::Immediate][usize::from(random.below(4) == 0)];
    transaction.commit(durable).unwrap();
}

/// Finds a reader that mixes two commits.
#[test]
fn every_reader_beside_a_writer_sees_one_commit() {
    let (bank, database) = Bank::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(7);
            while !bank.is_over() {
                transfer(&database, &mut random);
            }
        });
        scope.spawn(|| bank.read());
        scope.spawn(|| bank.copy());
        scope.spawn(|| bank.hold(&database));
        bank.wait_and_end();
    });
    database.close().unwrap();
    bank.check();
}

/// Finds a reader that mixes the commits of two writers.
#[test]
fn every_reader_beside_changing_writers_sees_one_commit() {
    let (bank, database) = Bank::new();
    database.close().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(8);
            while !bank.is_over() {
                let options = Database::<Account>::options();
                let opened = options.wait(Wait::AtMost(Duration::from_secs(5))).open(&bank.path);
                let Some(database) = bank.note("open to write", opened) else { continue };
                for _ in 0..random.below(4) {
                    transfer(&database, &mut random);
                }
                bank.note("close", database.close());
            }
        });
        scope.spawn(|| bank.read());
        scope.spawn(|| bank.copy());
        bank.wait_and_end();
    });
    bank.check();
}
