//! Transactions beside failed syncs, panics and closes: what must not hang, must not lose a commit,
//! and must not write with a poisoned handle.

#![cfg(feature = "derive")]
#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use flatrec::map::{Backing, FileBacking};
use flatrec::{
    Database, Durability, ErrorKind, OwnedWriteTransaction, Result, WriteTransaction,
    WriterOwnership,
};

use crate::support::hooked::{Call, Hook, Hooked, Then};
use crate::support::numbered::N;
use crate::support::script::{Script, ends_within};

/// Longer than any of these tests takes, for what must not hang.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq)]
enum Plan {
    Forward,
    /// A sync of the log waits until the test lets it go on.
    SyncWaits,
    SyncFails,
    WritePanics,
}

/// Decides on the calls of the log, and notes what has happened.
struct World {
    plan: Mutex<Plan>,
    script: Script,
}

impl World {
    fn set(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }
}

impl Hook for World {
    fn ask(&self, _: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then> {
        let plan = *self.plan.lock().unwrap();
        match call {
            Call::SyncData if suffix.starts_with("-wal-") => match plan {
                Plan::SyncWaits => {
                    self.script.reach("the sync has begun");
                    self.script.wait("the sync may end", LONG);
                    self.script.reach("the sync has ended");
                }
                Plan::SyncFails => return Err(std::io::Error::other("on purpose").into()),
                Plan::Forward | Plan::WritePanics => {}
            },
            Call::Write { .. } if suffix.starts_with("-wal-") && plan == Plan::WritePanics => {
                panic!("on purpose")
            }
            _ => {}
        }
        Ok(Then::Forward)
    }
}

/// A database of one record, whose log follows a plan.
fn scripted(path: &Path) -> (Database<N>, Arc<World>) {
    Database::<N>::create(path).unwrap().close().unwrap();
    let world = Arc::new(World { plan: Mutex::new(Plan::Forward), script: Script::default() });
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(path, true) }.unwrap());
    let backing = Arc::new(Hooked::sharing(file, Arc::clone(&world)));
    // SAFETY: only this test has the file.
    let database = unsafe { Database::<N>::options().over(backing) }.unwrap();
    append(database.begin_write().unwrap()).unwrap();
    (database, world)
}

/// Appends a record, and commits.
fn append<O: WriterOwnership>(mut transaction: WriteTransaction<'_, N, O>) -> Result<()> {
    transaction.append(&N { n: 7 })?;
    transaction.commit(Durability::Immediate).map(drop)
}

/// Runs `test` with the path of a store in a thread, and fails if it hangs.
fn ends(test: impl FnOnce(&Path) + Send + 'static) {
    ends_within(LONG * 2, || {
        let directory = tempfile::tempdir().unwrap();
        test(&directory.path().join("numbers.rec"));
    });
}

fn count(path: &Path) -> u64 {
    Database::<N>::open(path).unwrap().begin_read().unwrap().count()
}

fn has_log(path: &Path) -> bool {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    entries.into_iter().any(|entry| entry.unwrap().file_name().to_string_lossy().contains("-wal-"))
}

/// A commit gives the writer back before its sync, so a close can come between. Finds a close that
/// deletes a log while it is synced.
#[test]
fn a_close_beside_the_sync_of_an_owned_commit_waits_for_it() {
    ends(|path| {
        let (database, world) = scripted(path);
        world.set(Plan::SyncWaits);
        let transaction = database.begin_write_owned().unwrap();
        let commit = thread::spawn(move || append(transaction));
        world.script.wait("the sync has begun", LONG);
        let closing = Arc::clone(&world);
        let close = thread::spawn(move || {
            let closed = database.close();
            closing.script.reach("the close has ended");
            closed
        });
        let is_early = world.script.is_reached("the close has ended", Duration::from_millis(100));
        assert!(!is_early, "the close did not wait for the sync");
        world.script.reach("the sync may end");
        commit.join().unwrap().unwrap();
        close.join().unwrap().unwrap();
        assert!(!has_log(path), "the store was not closed");
        assert_eq!(count(path), 2);
    });
}

fn expect_poisoned(database: &Database<N>) {
    let begun = [
        database.begin_write().map(drop),
        database.try_begin_write().map(drop),
        database.begin_write_timeout(LONG).map(drop),
        database.begin_write_owned().map(drop),
        database.try_begin_write_owned().map(drop),
        database.begin_write_owned_timeout(LONG).map(drop),
        database.checkpoint().map(drop),
    ];
    let kinds = begun.map(|begun| begun.map_err(|error| error.kind()));
    assert_eq!(kinds, [Err(ErrorKind::Poisoned); 7]);
}

/// Finds a way to begin that does not ask whether the handle is poisoned.
#[test]
fn a_failed_sync_of_an_owned_commit_poisons_every_way_to_begin() {
    ends(|path| {
        let (database, world) = scripted(path);
        let owned = database.begin_write_owned().unwrap();
        world.set(Plan::SyncFails);
        thread::scope(|scope| {
            // Begins before the failure or after it.
            let waiting = scope.spawn(|| database.begin_write().and_then(append));
            let error = thread::spawn(move || append(owned)).join().unwrap().unwrap_err();
            // The other thread may have made the sync, for both.
            assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned), "{error}");
            assert!(waiting.join().unwrap().is_err());
        });
        world.set(Plan::Forward);
        expect_poisoned(&database);
        // The reader sees what was acknowledged.
        assert_eq!(database.begin_read().unwrap().count(), 1);
        assert_eq!(database.close().unwrap_err().kind(), ErrorKind::Poisoned);
        assert!((1..=3).contains(&count(path)));
    });
}

/// Finds a writer that stays away after a panic in a commit, or that goes on as if nothing had
/// happened.
#[test]
fn a_panic_in_an_owned_commit_poisons_and_wakes_the_threads_that_wait() {
    ends(|path| {
        let (database, world) = scripted(path);
        let owned = database.begin_write_owned().unwrap();
        world.set(Plan::WritePanics);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| database.begin_write().map(drop).map_err(|e| e.kind()));
            let panicked = thread::spawn(move || append(owned)).join();
            assert!(panicked.is_err());
            assert_eq!(waiting.join().unwrap(), Err(ErrorKind::Poisoned));
        });
        world.set(Plan::Forward);
        expect_poisoned(&database);
        drop(database);
        assert_eq!(count(path), 1);
    });
}

/// Finds a thread that still has its transaction after a panic that it caught.
#[test]
fn a_panic_beside_a_borrowed_transaction_gives_the_writer_back() {
    ends(|path| {
        let database = Database::<N>::create(path).unwrap();
        for _ in 0..3 {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let mut transaction = database.begin_write().unwrap();
                transaction.append(&N { n: 9 }).unwrap();
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
            assert!(database.try_begin_write().unwrap().is_some());
            append(database.begin_write().unwrap()).unwrap();
        }
        database.checkpoint().unwrap();
        assert_eq!(database.begin_read().unwrap().count(), 3);
        database.close().unwrap();
    });
}

/// Finds a database whose end in a panic takes its owned transaction along, and a transaction whose
/// end in a panic leaves a store that cannot be opened.
#[test]
fn a_panic_with_the_last_handle_leaves_a_store_that_opens() {
    ends(|path| {
        let database = Database::<N>::create(path).unwrap();
        append(database.begin_write().unwrap()).unwrap();
        let mut owned = database.begin_write_owned().unwrap();
        let panicked = thread::spawn(move || {
            let _database = database;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        owned.append(&N { n: 8 }).unwrap();
        owned.commit(Durability::Immediate).unwrap();
        assert!(!has_log(path), "the transaction was the last handle, and did not close the store");

        let database = Database::<N>::open(path).unwrap();
        append(database.begin_write().unwrap()).unwrap();
        let mut owned = database.begin_write_owned().unwrap();
        drop(database);
        let panicked = thread::spawn(move || {
            owned.append(&N { n: 9 }).unwrap();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(count(path), 3);
    });
}

/// Finds a store that neither the database nor its last transaction closes, when both end at once.
#[test]
fn a_store_is_closed_once_when_both_its_handles_end_at_the_same_time() {
    const ROUNDS: usize = 60;
    ends(|path| {
        let mut expected = 0;
        Database::<N>::create(path).unwrap().close().unwrap();
        for round in 0..ROUNDS {
            let database = Database::<N>::open(path).unwrap();
            let owned = database.begin_write_owned().unwrap();
            let start = Barrier::new(2);
            let commits = round % 2 == 0;
            let closes = round % 4 < 2;
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    end(owned, commits);
                });
                start.wait();
                if let Some(Err(error)) = closes.then(|| database.close()) {
                    assert_eq!(error.kind(), ErrorKind::TransactionInProgress, "{error}");
                }
            });
            expected += u64::from(commits);
            assert!(!has_log(path), "round {round}: the store was not closed");
            assert_eq!(count(path), expected, "round {round}");
        }
    });
}

fn end(transaction: OwnedWriteTransaction<N>, commits: bool) {
    if commits {
        append(transaction).unwrap();
    } else {
        drop(transaction);
    }
}
