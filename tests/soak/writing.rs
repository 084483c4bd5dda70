//! The writer, in the test's process or another one. It opens, commits, closes, and opens again,
//! sometimes through a `Store`.

use std::path::PathBuf;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use flatrec::{Database, Durability, ErrorKind, Store, Wait};

use super::rows::{Change, Row, batch, look};
use crate::support::random::Random;

/// The longest wait for another handle to close.
const LOCK_WAIT: Wait = Wait::AtMost(Duration::from_secs(60));

/// A writer that works until `is_over`.
pub(crate) struct Writing<'w> {
    pub(crate) path: PathBuf,
    pub(crate) random: Random,
    pub(crate) deletes: bool,
    /// The newest commit that a reader or writer has seen. A writer that opens the store must find
    /// it.
    pub(crate) floor: &'w AtomicU64,
    pub(crate) is_over: &'w (dyn Fn() -> bool + Sync),
    /// Takes a report of each finished call.
    pub(crate) tell: &'w (dyn Fn(&str) + Sync),
    /// The place where other threads find the handle.
    pub(crate) place: &'w RwLock<Option<Database<Row>>>,
}

impl Writing<'_> {
    /// Opens and closes the store repeatedly.
    ///
    /// # Panics
    /// If a call fails, or the store is not as the last writer left it.
    pub(crate) fn run(mut self) {
        while !(self.is_over)() {
            if self.random.below(5) == 0 {
                self.append_by_a_store();
            }
            self.live();
        }
    }

    fn live(&mut self) {
        let floor = self.floor.load(SeqCst);
        let checkpoint_at = (16 << 10) << self.random.below(5);
        let options = Database::<Row>::options().checkpoint_at(checkpoint_at).wait(LOCK_WAIT);
        let database = options
            .open(&self.path)
            .expect("a writer must be able to open the store beside any reader");
        {
            let snapshot = database.begin_read().unwrap();
            let commit = snapshot.commit_id().get();
            assert!(commit >= floor, "a process saw commit {floor}, but the store is at {commit}");
            look(&snapshot);
        }
        *self.place.write().unwrap() = Some(database);
        // Half of the lives are short, so that the test has many recoveries and closes.
        let commits = if self.random.below(2) == 0 { 4 } else { 200 };
        let commits = self.random.below(commits);
        let seeds: Vec<u64> = (0..1 + self.random.below(2)).map(|_| self.random.next()).collect();
        std::thread::scope(|scope| {
            let writing = &*self;
            for seed in seeds {
                scope.spawn(move || writing.commit(Random::new(seed), commits));
            }
        });
        let database =
            self.place.write().unwrap().take().expect("only this thread takes the handle");
        if self.random.below(3) > 0 {
            database.close().expect("a writer must be able to close beside any reader");
            (self.tell)("closed");
        }
    }

    fn commit(&self, mut random: Random, commits: u64) {
        let database = self.place.read().unwrap();
        let database = database.as_ref().expect("the handle stays until its threads end");
        for _ in 0..commits {
            if (self.is_over)() {
                return;
            }
            let mut transaction = database.begin_write().unwrap();
            Change::new(&mut transaction, &mut random).make(self.deletes);
            if random.below(12) == 0 {
                transaction.rollback();
                continue;
            }
            let durability =
                [Durability::Eventual, Durability::Immediate][random.below(2) as usize];
            let receipt = transaction.commit(durability).unwrap();
            self.floor.fetch_max(receipt.commit_id().get(), SeqCst);
            (self.tell)(&format!("committed {}", receipt.commit_id()));
            if random.below(8) == 0 {
                // Leaves readers time to refresh, so that some checkpoints get further than others.
                std::thread::sleep(Duration::from_micros(random.below(20_000)));
                let checkpoint = database.checkpoint().unwrap();
                (self.tell)("checkpoint");
                if checkpoint.held_back().is_some() {
                    (self.tell)("held-back");
                }
                if checkpoint.records() > 0 {
                    (self.tell)("wrote-records");
                }
            }
        }
    }

    /// Appends without a log, if no snapshot keeps the last log.
    fn append_by_a_store(&mut self) {
        let floor = self.floor.load(SeqCst);
        let options = Store::<Row>::options().wait(Wait::AtMost(Duration::from_millis(100)));
        let mut store = match options.open(&self.path) {
            Ok(store) => store,
            Err(error) if error.kind() == ErrorKind::Locked => return (self.tell)("refused"),
            Err(error) => panic!("{error}"),
        };
        for _ in 0..1 + self.random.below(3) {
            let rows = batch(store.count(), &mut self.random);
            store.append_slice(&rows).unwrap();
            store.flush().unwrap();
            let commit = store.info().unwrap().commit_id.get();
            assert!(commit > floor, "a process saw commit {floor}, but a store made {commit}");
            (self.tell)(&format!("appended {commit}"));
        }
        store.close().unwrap();
    }
}
