//! Commit events: a descriptor or handle by which a program waits for commits.

#![cfg(feature = "derive")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use flatrec::{
    CommitEvents, Database, Durability, ErrorKind, ReadOnlyDatabase, ReadableDatabase, Snapshot,
    Store,
};

use crate::support::numbered::N;

const LONG: Duration = Duration::from_secs(60);

struct Rig {
    // Outlives the handles, which the tests declare after the rig.
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n.rec");
        Self { _directory: directory, path }
    }
}

fn reader(path: &Path) -> ReadOnlyDatabase<N> {
    Database::open_read_only(path).unwrap()
}

fn commit(database: &Database<N>, n: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&N { n }).unwrap();
    transaction.commit(Durability::Eventual).unwrap();
}

fn is_set(events: &CommitEvents) -> bool {
    events.wait(Duration::ZERO).unwrap()
}

/// Finds events that come without a commit, or not with one, or end before an acknowledgement.
#[test]
fn a_commit_sets_the_events_until_it_is_acknowledged() {
    let rig = Rig::new();
    let database = Database::<N>::create(&rig.path).unwrap();
    let reader = reader(&rig.path);
    let handles: [&dyn ReadableDatabase<Row = N>; 2] = [&database, &reader];
    for handle in handles {
        let events = handle.commit_events().unwrap();
        assert!(is_set(&events), "the program has acknowledged nothing");
        for _ in 0..3 {
            let before = handle.begin_read().unwrap();
            events.acknowledge(&before).unwrap();
            assert!(!is_set(&events) && !events.wait(Duration::from_millis(2)).unwrap());
            commit(&database, 1);
            commit(&database, 2);
            assert!(events.wait(LONG).unwrap());
            assert!(is_set(&events), "a wait must not clear it");
            // A commit between the read and the acknowledgement is not forgotten.
            events.acknowledge(&before).unwrap();
            assert!(is_set(&events), "there is a newer commit than that snapshot");
        }
    }
}

/// Finds a `Store` whose flushes only some readers see.
#[test]
fn the_flushes_of_a_store_set_the_events() {
    let rig = Rig::new();
    let mut store = Store::<N>::create(&rig.path).unwrap();
    let reader = reader(&rig.path);
    let events = reader.commit_events().unwrap();
    let mut snapshot = reader.begin_read().unwrap();
    for n in 0..3 {
        events.acknowledge(&snapshot).unwrap();
        store.append(&N { n }).unwrap();
        assert!(!is_set(&events));
        store.flush().unwrap();
        assert!(events.wait(LONG).unwrap());
        assert!(snapshot.refresh().unwrap());
        assert_eq!(snapshot.count(), n + 1);
    }
}

/// Finds events that stay with the writer at which they began.
#[test]
fn events_follow_one_writer_after_the_other() {
    let rig = Rig::new();
    drop(Database::<N>::create(&rig.path).unwrap());
    let reader = reader(&rig.path);
    let events = reader.commit_events().unwrap();
    let mut snapshot = reader.begin_read().unwrap();
    for n in 0..4 {
        let database = Database::<N>::open(&rig.path).unwrap();
        // The writer itself may have set them.
        snapshot.refresh().unwrap();
        events.acknowledge(&snapshot).unwrap();
        assert!(!is_set(&events));
        commit(&database, n);
        assert!(events.wait(LONG).unwrap());
        assert!(snapshot.refresh().unwrap());
        assert_eq!(snapshot.count(), n + 1);
        match n {
            0 => database.close().unwrap(),
            1 => die(database),
            _ => drop(database),
        }
    }
}

/// Drops the handle as if its process were killed: the store is not closed.
fn die(database: Database<N>) {
    // A handle that is dropped by a panic does not close its store.
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _database = database;
        std::panic::resume_unwind(Box::new("killed"));
    }));
    assert!(died.is_err());
}

/// Reads all new records until there are `count`.
fn follow(events: &CommitEvents, snapshot: &mut Snapshot<N>, count: u64) {
    let mut next = 0;
    while next < count {
        assert!(events.wait(LONG).unwrap(), "missed a commit after {next} of {count} records");
        snapshot.refresh().unwrap();
        for (id, record) in snapshot.range(next..) {
            assert_eq!(record.n, id);
        }
        next = snapshot.count();
        events.acknowledge(snapshot).unwrap();
    }
}

/// Finds a commit that is lost while a program acknowledges an earlier one.
#[test]
fn a_follower_sees_the_last_of_ten_thousand_commits() {
    const COMMITS: u64 = 10_000;
    let rig = Rig::new();
    let database = Database::<N>::create(&rig.path).unwrap();
    std::thread::scope(|scope| {
        for in_other_handle in [false, true] {
            let (rig, database) = (&rig, &database);
            scope.spawn(move || {
                let reader = reader(&rig.path);
                let (mut snapshot, events) = if in_other_handle {
                    (reader.begin_read().unwrap(), reader.commit_events().unwrap())
                } else {
                    (database.begin_read().unwrap(), database.commit_events().unwrap())
                };
                follow(&events, &mut snapshot, COMMITS);
                assert!(snapshot.is_newest() && !is_set(&events));
            });
        }
        (0..COMMITS).for_each(|n| commit(&database, n));
    });
}

/// Each of the two waits for the other. Finds a wake-up that is lost, in either.
#[test]
fn two_stores_answer_each_other() {
    const ROUNDS: u64 = 1000;
    let rigs = [Rig::new(), Rig::new()];
    let [asks, answers] = rigs.each_ref().map(|rig| Database::<N>::create(&rig.path).unwrap());
    let [questions, replies] = rigs.each_ref().map(|rig| reader(&rig.path));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let events = questions.commit_events().unwrap();
            for n in 0..ROUNDS {
                wait_for(&events, &questions, n + 1);
                commit(&answers, n);
            }
        });
        let events = replies.commit_events().unwrap();
        for n in 0..ROUNDS {
            commit(&asks, n);
            wait_for(&events, &replies, n + 1);
        }
    });
}

fn wait_for(events: &CommitEvents, reader: &ReadOnlyDatabase<N>, count: u64) {
    loop {
        let snapshot = reader.begin_read().unwrap();
        events.acknowledge(&snapshot).unwrap();
        if snapshot.count() >= count {
            return;
        }
        assert!(events.wait(LONG).unwrap(), "no answer to commit {count}");
    }
}

/// Finds events that go by another handle's snapshot, of another store perhaps.
#[test]
fn events_take_only_snapshots_of_their_own_handle() {
    let rig = Rig::new();
    let database = Database::<N>::create(&rig.path).unwrap();
    let reader = reader(&rig.path);
    let events = database.commit_events().unwrap();
    let refused = events.acknowledge(&reader.begin_read().unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("n.rec"), "{refused}");
    assert!(is_set(&events));
    events.acknowledge(&database.begin_read().unwrap()).unwrap();
    assert!(!is_set(&events));
}

/// Finds events that keep a store open, or that end with their handle.
#[test]
fn events_outlive_their_handle_and_hold_nothing() {
    let rig = Rig::new();
    let database = Database::<N>::create(&rig.path).unwrap();
    let of_writer = database.commit_events().unwrap();
    of_writer.acknowledge(&database.begin_read().unwrap()).unwrap();
    let reader = reader(&rig.path);
    let of_reader = reader.commit_events().unwrap();
    of_reader.acknowledge(&reader.begin_read().unwrap()).unwrap();
    drop(reader);
    assert_eq!(database.readers().unwrap(), []);
    drop(database);

    let mut store = Store::<N>::open(&rig.path).unwrap();
    store.append(&N { n: 7 }).unwrap();
    store.flush().unwrap();
    store.edit().unwrap().set(0, &N { n: 8 }).unwrap();
    store.close().unwrap();
    assert!(of_writer.wait(LONG).unwrap() && of_reader.wait(LONG).unwrap());
    drop((of_writer, of_reader));
    rig._directory.close().unwrap();
}

/// Finds events that a store in another's place sets with each commit, or that do not tell of it.
#[test]
fn a_store_in_the_place_of_another_sets_the_events_once() {
    let rig = Rig::new();
    drop(Database::<N>::create(&rig.path).unwrap());
    let reader = reader(&rig.path);
    let events = reader.commit_events().unwrap();
    events.acknowledge(&reader.begin_read().unwrap()).unwrap();
    let other = rig.path.with_file_name("other.rec");
    let database = Database::<N>::create(&other).unwrap();
    (0..5).for_each(|n| commit(&database, n));
    database.close().unwrap();
    if std::fs::rename(&other, &rig.path).is_err() && cfg!(windows) {
        return; // Wine and some file systems refuse to replace an open file.
    }
    let database = Database::<N>::open(&rig.path).unwrap();
    assert!(events.wait(LONG).unwrap());
    assert!(!reader.is_at(&rig.path).unwrap());
    events.acknowledge(&reader.begin_read().unwrap()).unwrap();
    let new = self::reader(&rig.path);
    let new_events = new.commit_events().unwrap();
    for n in 5..10 {
        new_events.acknowledge(&new.begin_read().unwrap()).unwrap();
        commit(&database, n);
        // One thread sets both, in the order in which they were made.
        assert!(new_events.wait(LONG).unwrap());
        assert!(!is_set(&events), "commit {n} is another store's");
    }
}

/// The descriptors of several stores and handles, in one call of one thread.
#[cfg(unix)]
mod descriptors {
    use std::os::fd::{AsFd, AsRawFd};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::*;

    /// Waits for one of them, and returns which are readable.
    fn readable(events: &[CommitEvents], at_most: Duration) -> Vec<usize> {
        let watched = |it| PollFd::from_borrowed_fd(CommitEvents::as_fd(it), PollFlags::IN);
        let mut fds: Vec<_> = events.iter().map(watched).collect();
        let timeout = Timespec { tv_sec: at_most.as_secs() as i64, tv_nsec: 0 };
        poll(&mut fds, Some(&timeout)).unwrap();
        let is_readable = |fd: &PollFd<'_>| fd.revents().contains(PollFlags::IN);
        fds.iter().enumerate().filter(|(_, fd)| is_readable(fd)).map(|(at, _)| at).collect()
    }

    /// Finds events that wake the followers of another store, or only one of several.
    #[test]
    fn one_poll_waits_for_several_handles() {
        let rigs = [Rig::new(), Rig::new(), Rig::new()];
        let writers = rigs.each_ref().map(|rig| Database::<N>::create(&rig.path).unwrap());
        // Two handles of each store.
        let readers: Vec<_> = [0, 1, 2, 0, 1, 2].map(|at| reader(&rigs[at].path)).into();
        let events: Vec<_> = readers.iter().map(|it| it.commit_events().unwrap()).collect();
        assert!(events.iter().all(|it| it.as_fd().as_raw_fd() == it.as_raw_fd()));
        assert_eq!(readable(&events, LONG), [0, 1, 2, 3, 4, 5]);
        let acknowledge = |at: usize| {
            events[at].acknowledge(&readers[at].begin_read().unwrap()).unwrap();
        };
        (0..6).for_each(acknowledge);
        assert!(readable(&events, Duration::ZERO).is_empty());
        for (at, writer) in writers.iter().enumerate() {
            commit(writer, 0);
            assert!(events[at].wait(LONG).unwrap() && events[at + 3].wait(LONG).unwrap());
            assert_eq!(readable(&events, LONG), [at, at + 3]);
            acknowledge(at + 3);
            assert_eq!(readable(&events, LONG), [at]);
            acknowledge(at);
        }
    }

    /// Reads all new records until there are `count`, in a task.
    #[allow(unsafe_code, reason = "tokio asks for a promise about the descriptor")]
    async fn follow(reader: ReadOnlyDatabase<N>, count: u64) {
        let events = reader.commit_events().unwrap();
        // SAFETY: commit events own their descriptor and never replace it, and nothing closes it
        // before `AsyncFd` drops them.
        let events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) };
        let events = events.unwrap();
        let mut snapshot = reader.begin_read().unwrap();
        let mut next = 0;
        while next < count {
            let mut guard = events.readable().await.unwrap();
            snapshot.refresh().unwrap();
            for (id, record) in snapshot.range(next..) {
                assert_eq!(record.n, id);
            }
            next = snapshot.count();
            events.get_ref().acknowledge(&snapshot).unwrap();
            guard.clear_ready();
        }
    }

    /// tokio counts changes of a descriptor. Finds events that are set without such a change.
    #[test]
    fn tasks_of_one_thread_follow_several_stores() {
        const COMMITS: u64 = 300;
        let rigs = [Rig::new(), Rig::new(), Rig::new()];
        let writers = rigs.each_ref().map(|rig| Database::<N>::create(&rig.path).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let readers = [0, 1, 2, 0, 1, 2].map(|at| reader(&rigs[at].path));
        let tasks = readers.map(|reader| runtime.spawn(follow(reader, COMMITS)));
        let idle = runtime.spawn(follow(reader(&rigs[0].path), u64::MAX));
        std::thread::scope(|scope| {
            for writer in &writers {
                scope.spawn(|| (0..COMMITS).for_each(|n| commit(writer, n)));
            }
            runtime.block_on(async {
                for task in tasks {
                    let seen = tokio::time::timeout(LONG, task).await;
                    seen.expect("a task missed the last commit").unwrap();
                }
                // A task that waits can be cancelled.
                idle.abort();
                assert!(idle.await.unwrap_err().is_cancelled());
            });
        });
        assert_eq!(writers[0].readers().unwrap(), []);
    }
}

/// The handles of several events, in one call of one thread.
#[cfg(windows)]
#[test]
#[allow(unsafe_code, reason = "the call is one of Windows")]
fn one_call_waits_for_several_handles() {
    use std::os::windows::io::AsRawHandle;
    use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
    use windows_sys::Win32::System::Threading::WaitForMultipleObjects;

    let rigs = [Rig::new(), Rig::new(), Rig::new()];
    let writers = rigs.each_ref().map(|rig| Database::<N>::create(&rig.path).unwrap());
    let readers = rigs.each_ref().map(|rig| reader(&rig.path));
    let events = readers.each_ref().map(|reader| reader.commit_events().unwrap());
    let handles = events.each_ref().map(AsRawHandle::as_raw_handle);
    // SAFETY: the handles are open, and their number is that of the array.
    let wait = |at_most_ms| unsafe { WaitForMultipleObjects(3, handles.as_ptr(), 0, at_most_ms) };
    for at in 0..3 {
        events[at].acknowledge(&readers[at].begin_read().unwrap()).unwrap();
    }
    assert_eq!(wait(0), WAIT_TIMEOUT);
    for at in [1, 0, 2] {
        commit(&writers[at], 0);
        assert_eq!(wait(60_000), WAIT_OBJECT_0 + at as u32);
        events[at].acknowledge(&readers[at].begin_read().unwrap()).unwrap();
        assert_eq!(wait(0), WAIT_TIMEOUT);
    }
}
