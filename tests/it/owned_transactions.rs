//! The turn of a transaction: waiting for another one or not, nesting, and owned transactions,
//! which move between threads, outlive their database and cross an `await`.

use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use flatrec::{
    Database, Durability, ErrorKind, OwnedWriteTransaction, PodRecord, Row, Store,
    WriteTransaction, WriterOwnership,
};

use crate::support::script::ends_within;

type Number = PodRecord<u64>;

/// Longer than any of these tests takes, for what must not hang.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1);
const MOMENT: Duration = Duration::from_micros(20);

struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    Place { _directory: directory, path }
}

/// A database of one record, which is 0.
fn counter(path: &Path) -> Database<Number> {
    let database = Database::<Number>::create(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&PodRecord(0)).unwrap();
    transaction.commit(Durability::Eventual).unwrap();
    database
}

fn value(database: &Database<Number>) -> u64 {
    database.begin_read().unwrap().get(0).unwrap().0
}

/// Adds 1 to record 0, and commits.
fn count<O: WriterOwnership>(mut transaction: WriteTransaction<'_, Number, O>) {
    transaction.get_mut(0).unwrap().unwrap().0 += 1;
    transaction.commit(Durability::Eventual).unwrap();
}

fn in_progress<V>(result: flatrec::Result<V>) -> String {
    let error = result.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransactionInProgress, "{error}");
    error.to_string()
}

/// `None` if the call gave up.
fn unless_late<V>(result: flatrec::Result<V>) -> Option<V> {
    match result {
        Err(error) if error.kind() == ErrorKind::TransactionInProgress => None,
        result => Some(result.unwrap()),
    }
}

fn until_it_is_there<V>(mut attempt: impl FnMut() -> Option<V>) -> V {
    loop {
        match attempt() {
            Some(value) => return value,
            None => thread::yield_now(),
        }
    }
}

fn log_exists(path: &Path) -> bool {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    entries.into_iter().any(|entry| entry.unwrap().file_name().to_string_lossy().contains("-wal-"))
}

/// Finds two transactions at once, or a thread that is never woken.
#[test]
fn threads_race_for_the_writer_in_every_way() {
    ends_within(LONG, || {
        const ROUNDS: u64 = 200;
        let place = place();
        let database = counter(&place.path);
        let ways: [fn(&Database<Number>); 7] = [
            |database| count(database.begin_write().unwrap()),
            |database| count(database.begin_write_timeout(LONG).unwrap()),
            |database| count(database.begin_write_owned().unwrap()),
            |database| count(database.begin_write_owned_timeout(LONG).unwrap()),
            |database| count(until_it_is_there(|| database.try_begin_write().unwrap())),
            |database| count(until_it_is_there(|| database.try_begin_write_owned().unwrap())),
            // Deadlines that pass at every point of the wait.
            |database| {
                count(until_it_is_there(|| unless_late(database.begin_write_timeout(MOMENT))))
            },
        ];
        let start = Barrier::new(ways.len());
        thread::scope(|scope| {
            for way in ways {
                let (database, start) = (&database, &start);
                scope.spawn(move || {
                    start.wait();
                    (0..ROUNDS).for_each(|_| way(database));
                });
            }
        });
        assert_eq!(value(&database), ROUNDS * ways.len() as u64);
    });
}

/// Finds a deadline that does not pass, or that passes although the writer is free.
#[test]
fn a_deadline_passes_while_a_transaction_runs() {
    let place = place();
    let database = Arc::new(counter(&place.path));
    let running = database.begin_write_owned().unwrap();
    let error = in_progress(database.begin_write_timeout(SHORT));
    assert!(error.contains("numbers.rec") && error.contains("1ms"), "{error}");
    in_progress(database.begin_write_timeout(Duration::ZERO));
    in_progress(database.begin_write_owned_timeout(SHORT));
    assert!(database.try_begin_write().unwrap().is_none());
    assert!(database.try_begin_write_owned().unwrap().is_none());

    // Threads that wait get their turn when it ends: with a deadline, and with one so late that no
    // clock shows it.
    let waiting = [LONG, Duration::MAX].map(|at_most| {
        let database = Arc::clone(&database);
        thread::spawn(move || count(database.begin_write_timeout(at_most).unwrap()))
    });
    count(running);
    waiting.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(value(&database), 3);
    count(database.begin_write_timeout(Duration::ZERO).unwrap());
    count(database.try_begin_write().unwrap().unwrap());
    assert_eq!(value(&database), 5);
}

/// A thread that began a second transaction waited for itself, for ever.
#[test]
fn a_thread_that_would_wait_for_itself_gets_an_error() {
    ends_within(LONG, || {
        let place = place();
        let database = counter(&place.path);
        let first = database.begin_write().unwrap();
        let error = in_progress(database.begin_write());
        assert!(error.contains("this thread"), "{error}");
        in_progress(database.begin_write_timeout(LONG));
        in_progress(database.begin_write_owned());
        in_progress(database.begin_write_owned_timeout(LONG));
        let checkpoint = in_progress(database.checkpoint());
        assert!(checkpoint.starts_with("checkpoint"), "{checkpoint}");
        assert!(database.try_begin_write().unwrap().is_none());
        // Another database is another writer.
        let elsewhere = self::place();
        count(counter(&elsewhere.path).begin_write().unwrap());
        count(first);
        count(database.begin_write().unwrap());
        database.checkpoint().unwrap();
        assert_eq!(value(&database), 2);
    });
}

/// Finds a thread that takes another thread's transaction, or an owned one, for its own.
#[test]
fn a_thread_waits_for_the_transaction_of_another() {
    let place = place();
    let database = counter(&place.path);
    thread::scope(|scope| {
        let (begun, wait) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let database = &database;
        scope.spawn(move || {
            let transaction = database.begin_write().unwrap();
            begun.send(()).unwrap();
            ended.recv().unwrap();
            count(transaction);
        });
        wait.recv().unwrap();
        let error = in_progress(database.begin_write_timeout(SHORT));
        assert!(!error.contains("this thread"), "{error}");
        end.send(()).unwrap();
        count(database.begin_write().unwrap());
    });
    // An owned transaction was begun here, and ends elsewhere.
    let owned = database.begin_write_owned().unwrap();
    let thread = thread::spawn(move || count(owned));
    count(database.begin_write().unwrap());
    thread.join().unwrap();
    assert_eq!(value(&database), 4);
}

/// Finds a hang behind a transaction that never ends.
#[test]
fn a_forgotten_transaction_is_an_error_for_whatever_needs_the_writer() {
    ends_within(LONG, || {
        let place = place();
        let database = counter(&place.path);
        std::mem::forget(database.begin_write().unwrap());
        in_progress(database.begin_write());
        in_progress(database.checkpoint());
        thread::scope(|scope| {
            scope.spawn(|| in_progress(database.begin_write_timeout(SHORT)));
        });
        assert_eq!(value(&database), 0);
        in_progress(database.close());
        // What is forgotten keeps the store locked in this process.
        let locked = || Database::<Number>::open(&place.path).map(drop).unwrap_err().kind();
        if cfg!(target_os = "linux") {
            assert_eq!(locked(), ErrorKind::Locked);
        }
        let elsewhere = self::place();
        let database = counter(&elsewhere.path);
        std::mem::forget(database.begin_write_owned().unwrap());
        in_progress(database.close());
        let locked = Database::<Number>::open(&elsewhere.path).map(drop).unwrap_err();
        assert_eq!(locked.kind(), ErrorKind::Locked);
    });
}

/// Finds a transaction that leaves something behind when it is dropped in another thread.
#[test]
fn an_owned_transaction_moves_to_another_thread_and_is_dropped_there() {
    struct Import {
        transaction: Option<OwnedWriteTransaction<Number>>,
    }
    let place = place();
    let database = counter(&place.path);
    let mut import = Import { transaction: Some(database.begin_write_owned().unwrap()) };
    let transaction = import.transaction.as_mut().unwrap();
    assert_eq!(transaction.append_slice(&[PodRecord(1); 200_000]).unwrap(), 1..200_001);
    transaction.get_mut(0).unwrap().unwrap().0 = 9;
    thread::spawn(move || {
        let transaction = import.transaction.take().unwrap();
        assert_eq!(transaction.get(0), Some(&PodRecord(9)));
        assert_eq!(transaction.get(200_000), Some(&PodRecord(1)));
        drop(transaction);
    })
    .join()
    .unwrap();
    assert_eq!((value(&database), database.begin_read().unwrap().count()), (0, 1));
    database.begin_write_owned().unwrap().rollback();
    count(database.begin_write().unwrap());
    assert_eq!(value(&database), 1);
}

/// Finds a writer that is gone after a panic.
#[test]
fn a_panic_with_an_owned_transaction_gives_the_writer_back() {
    let place = place();
    let database = counter(&place.path);
    let mut transaction = database.begin_write_owned().unwrap();
    let panicked = thread::spawn(move || {
        transaction.get_mut(0).unwrap().unwrap().0 = 9;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(value(&database), 0);
    count(database.try_begin_write().unwrap().expect("the writer is back"));
    assert_eq!(value(&database), 1);
    database.close().unwrap();
}

/// A close beside a transaction would have waited for it for ever.
#[test]
fn a_close_beside_an_owned_transaction_is_an_error_and_happens_at_its_end() {
    ends_within(LONG, || {
        for end in ["commit", "drop"] {
            for closes in [true, false] {
                let place = place();
                let database = counter(&place.path);
                let mut transaction = database.begin_write_owned().unwrap();
                if closes {
                    let error = in_progress(database.close());
                    assert!(error.starts_with("close"), "{error}");
                } else {
                    drop(database);
                }
                // The transaction keeps the store.
                let locked = Database::<Number>::open(&place.path).map(drop).unwrap_err();
                assert_eq!(locked.kind(), ErrorKind::Locked);
                transaction.append(&PodRecord(7)).unwrap();
                let committed = end == "commit";
                if committed {
                    transaction.commit(Durability::Immediate).unwrap();
                } else {
                    drop(transaction);
                }
                assert!(!log_exists(&place.path), "{end}: the store was not closed");
                let store = Store::<Number>::open(&place.path).unwrap();
                assert_eq!(store.count(), 1 + u64::from(committed));
            }
        }
    });
}

/// Wakes a thread by unparking it.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn poll_here<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    future.poll(&mut Context::from_waker(&waker))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        match poll_here(future.as_mut()) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Lets other tasks run once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn count_slowly(database: Arc<Database<Number>>) -> u64 {
    let mut transaction = loop {
        match database.try_begin_write_owned().unwrap() {
            Some(transaction) => break transaction,
            None => yield_once().await,
        }
    };
    transaction.get_mut(0).unwrap().unwrap().0 += 1;
    yield_once().await;
    assert!(database.try_begin_write().unwrap().is_none());
    let count = transaction.get(0).unwrap().0;
    transaction.commit(Durability::Eventual).unwrap();
    count
}

/// Finds a transaction that cannot be kept across an `await`, or that ties a task to a thread.
#[test]
fn an_owned_transaction_lives_across_an_await() {
    let place = place();
    let database = Arc::new(counter(&place.path));
    assert_eq!(block_on(count_slowly(Arc::clone(&database))), 1);

    // A task begins here, and ends in another thread.
    let mut task: Pin<Box<dyn Future<Output = u64> + Send>> =
        Box::pin(count_slowly(Arc::clone(&database)));
    assert!(poll_here(task.as_mut()).is_pending());
    assert!(database.try_begin_write().unwrap().is_none(), "the task has the writer");
    assert_eq!(thread::spawn(move || block_on(task)).join().unwrap(), 2);

    // A task that is dropped gives the writer back.
    let mut task = Box::pin(count_slowly(Arc::clone(&database)));
    assert!(poll_here(task.as_mut()).is_pending());
    drop(task);
    assert_eq!(value(&database), 2);

    // Two tasks in turns, in one thread.
    let mut tasks = vec![Box::pin(count_slowly(Arc::clone(&database)))];
    tasks.push(Box::pin(count_slowly(Arc::clone(&database))));
    let mut counts = Vec::new();
    block_on(poll_fn(|context| {
        tasks.retain_mut(|task| match task.as_mut().poll(context) {
            Poll::Ready(count) => {
                counts.push(count);
                false
            }
            Poll::Pending => true,
        });
        if tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert_eq!(counts, [3, 4]);
}

/// Finds a call that only one kind of transaction has.
#[test]
fn code_that_is_generic_over_the_ownership_serves_both() {
    fn sum<R: Row + ?Sized, O: WriterOwnership>(
        transaction: &WriteTransaction<'_, R, O>,
        number: impl Fn(&R) -> u64,
    ) -> u64 {
        transaction.iter().map(|(_, record)| number(record)).sum()
    }
    let place = place();
    let database = counter(&place.path);
    let mut borrowed = database.begin_write().unwrap();
    borrowed.append_all([PodRecord(2), PodRecord(3)]).unwrap();
    assert_eq!(sum(&borrowed, |number| number.0), 5);
    drop(borrowed);
    let mut owned = database.begin_write_owned().unwrap();
    owned.append_all([PodRecord(4), PodRecord(3)]).unwrap();
    assert_eq!(sum(&owned, |number| number.0), 7);
    assert!(format!("{owned:?}").contains("numbers.rec"));
}
