//! Commit events in several processes, killed ones and forked ones among them, and the one thread
//! that serves those of a process.

#![cfg(feature = "derive")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::time::Duration;

use flatrec::{CommitEvents, Database, Durability, ReadOnlyDatabase};
use support::numbered::N;
use support::process;
use support::script::ends_within;

const LONG: Duration = Duration::from_secs(60);
const STORE: &str = "FLATREC_TEST_STORE";

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    drop(Database::<N>::create(&path).unwrap());
    (directory, path)
}

fn commit(database: &Database<N>, n: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&N { n }).unwrap();
    transaction.commit(Durability::Eventual).unwrap();
}

/// Events that wait for a commit after the newest one.
fn armed(reader: &ReadOnlyDatabase<N>) -> CommitEvents {
    let events = reader.commit_events().unwrap();
    events.acknowledge(&reader.begin_read().unwrap()).unwrap();
    events
}

fn is_set(events: &CommitEvents) -> bool {
    events.wait(Duration::ZERO).unwrap()
}

/// A process that runs one of the ignored tests of this program.
struct Other {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(test: &str, store: &Path) -> Self {
        let mut command = process::running(test);
        command.env(STORE, store).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, orders, answers }
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Waits for this answer.
    fn answers(&mut self, expected: &str) {
        let mut line = String::new();
        while !line.trim_end().ends_with(&format!("answer: {expected}")) {
            line.clear();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the other process ended");
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ends(mut self) -> ExitStatus {
        drop(self.orders);
        ends_within(LONG, move || self.child.wait().unwrap())
    }
}

/// The store and the orders of the parent; `None` in a run without a parent.
fn parents() -> Option<(PathBuf, impl Iterator<Item = String>)> {
    let path = std::env::var_os(STORE)?.into();
    Some((path, std::io::stdin().lines().map(Result::unwrap)))
}

#[test]
#[ignore = "a process of these tests"]
fn commits_until_it_is_killed() {
    let Some((path, _)) = parents() else { return };
    let database = Database::<N>::open(path).unwrap();
    for n in 0.. {
        commit(&database, n);
    }
}

#[test]
#[ignore = "a process of these tests"]
fn follows_until_it_is_killed() {
    let Some((path, mut orders)) = parents() else { return };
    let reader = Database::<N>::open_read_only(path).unwrap();
    let events = armed(&reader);
    println!("answer: armed");
    while orders.next().is_some() {
        assert!(events.wait(LONG).unwrap());
        let snapshot = reader.begin_read().unwrap();
        events.acknowledge(&snapshot).unwrap();
        println!("answer: {}", snapshot.count());
    }
}

#[test]
#[ignore = "a process of these tests"]
fn ends_with_armed_events() {
    let Some((path, _)) = parents() else { return };
    let reader = Database::<N>::open_read_only(path).unwrap();
    std::mem::forget((armed(&reader), reader));
}

/// Finds a follower that stays with a killed writer.
#[test]
fn a_follower_goes_on_after_a_killed_writer() {
    let (_directory, path) = place();
    let reader = Database::<N>::open_read_only(&path).unwrap();
    let events = armed(&reader);
    for round in 1..4 {
        let mut writer = Other::start("commits_until_it_is_killed", &path);
        let mut snapshot = reader.begin_read().unwrap();
        let before = snapshot.count();
        while snapshot.count() < before + 200 {
            assert!(events.wait(LONG).unwrap(), "round {round}");
            snapshot.refresh().unwrap();
            events.acknowledge(&snapshot).unwrap();
        }
        writer.kill();
        snapshot.refresh().unwrap();
        events.acknowledge(&snapshot).unwrap();
        drop(snapshot);
    }
    // This writer recovers what the last one left.
    let database = Database::<N>::open(&path).unwrap();
    assert!(events.wait(LONG).unwrap());
    events.acknowledge(&reader.begin_read().unwrap()).unwrap();
    assert!(!is_set(&events));
    commit(&database, 0);
    assert!(events.wait(LONG).unwrap());
}

/// Finds a killed follower that harms the writer or other followers.
#[test]
fn followers_in_other_processes_come_and_die() {
    let (_directory, path) = place();
    let database = Database::<N>::open(&path).unwrap();
    let reader = Database::<N>::open_read_only(&path).unwrap();
    let events = armed(&reader);
    let mut count = 0;
    for _ in 0..3 {
        let mut other = Other::start("follows_until_it_is_killed", &path);
        other.answers("armed");
        for _ in 0..5 {
            other.tell("follow");
            commit(&database, count);
            count += 1;
            other.answers(&count.to_string());
            assert!(events.wait(LONG).unwrap());
            events.acknowledge(&reader.begin_read().unwrap()).unwrap();
        }
        other.kill();
    }
    assert_eq!(database.readers().unwrap().len(), 1);
    assert!(Other::start("follows_until_it_is_killed", &path).ends().success());
}

/// Finds a thread that keeps its process from ending.
#[test]
fn a_process_ends_beside_its_thread() {
    let (_directory, path) = place();
    assert!(Other::start("ends_with_armed_events", &path).ends().success());
}

/// What Linux shows of threads and words, and forks.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a fork is a call of the C library")]
mod on_linux {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::panic::AssertUnwindSafe;
    use std::time::Instant;

    use super::*;
    use crate::support::files::lock_file;

    /// How many threads this process has.
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }

    /// Waits until the process has so many threads: one that was joined is there a moment longer.
    fn ends_with(expected: usize) {
        let started = Instant::now();
        while threads() != expected {
            assert!(started.elapsed() < LONG, "{} threads, not {expected}", threads());
            std::thread::yield_now();
        }
    }

    /// The words of the bell in the lock file: how often it rang, and how many wait.
    fn bell(path: &Path) -> [u64; 2] {
        let bytes = std::fs::read(lock_file(path)).unwrap();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        [word(192), word(200)]
    }

    /// In a process of its own, because it counts threads.
    #[test]
    #[ignore = "a process of these tests"]
    fn counts_its_threads() {
        let Some((path, _)) = parents() else { return };
        let alone = threads();
        for _ in 0..20 {
            let readers: Vec<_> =
                (0..20).map(|_| Database::<N>::open_read_only(&path).unwrap()).collect();
            assert_eq!(threads(), alone, "readers alone need no thread");
            let mut events: Vec<_> = readers.iter().map(armed).collect();
            events.extend(readers.iter().map(armed));
            assert_eq!((threads(), bell(&path)[1]), (alone + 1, 40));
            events.truncate(1);
            assert_eq!((threads(), bell(&path)[1]), (alone + 1, 1));
            events.clear();
            assert_eq!(bell(&path)[1], 0);
            ends_with(alone);
        }
    }

    /// Finds a thread for each follower, and one that outlives them.
    #[test]
    fn one_thread_serves_all_events_and_ends_with_the_last() {
        let (_directory, path) = place();
        assert!(Other::start("on_linux::counts_its_threads", &path).ends().success());
    }

    /// Finds commits that ring a bell for no waiter: each costs a system call.
    #[test]
    fn the_writer_rings_only_for_armed_events() {
        let (_directory, path) = place();
        let database = Database::<N>::open(&path).unwrap();
        let reader = Database::<N>::open_read_only(&path).unwrap();
        let rings = |commits: u64| {
            let [before, _] = bell(&path);
            (0..commits).for_each(|n| commit(&database, n));
            bell(&path)[0] - before
        };
        assert_eq!(rings(5), 0);
        let events = reader.commit_events().unwrap();
        assert_eq!(rings(5), 0, "nothing was acknowledged");
        for _ in 0..5 {
            events.acknowledge(&reader.begin_read().unwrap()).unwrap();
            assert_eq!(rings(1), 1);
            assert!(events.wait(LONG).unwrap());
            assert_eq!(rings(5), 0, "the events are set");
        }
        drop((events, reader));
        assert_eq!(rings(5), 0);
    }

    /// In a process of its own, which it forks.
    #[test]
    #[ignore = "a process of these tests"]
    fn forks() {
        let Some((path, _)) = parents() else { return };
        let database = Database::<N>::open(&path).unwrap();
        let reader = Database::<N>::open_read_only(&path).unwrap();
        let events = armed(&reader);
        let [ready, go] = [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
        // SAFETY: the child calls what may allocate and lock. The C library takes care of its
        // allocator in a fork, and the other threads of this process hold no lock that the child
        // needs: they sleep.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let [(_, ready), (go, _)] = [ready, go];
            let work = AssertUnwindSafe(|| in_the_child(&path, events, ready, go));
            let succeeded = std::panic::catch_unwind(work);
            // SAFETY: the call ends the process. It leaves the parent's handles alone.
            unsafe { libc::_exit(if succeeded.is_ok() { 0 } else { 1 }) };
        }
        (&ready.0).read_exact(&mut [0]).unwrap();
        assert!(!is_set(&events), "the child has changed its parent's events");
        commit(&database, 0);
        (&go.1).write_all(&[1]).unwrap();
        assert!(events.wait(LONG).unwrap());
        let mut status = 0;
        // SAFETY: the call waits for a child of this process, and fills the status.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child failed");
        assert_eq!(bell(&path)[1], 0);
    }

    fn in_the_child(path: &Path, parents: CommitEvents, ready: UnixStream, go: UnixStream) {
        // The thread that would notice the end of these is not in this process.
        drop(parents);
        let reader = Database::<N>::open_read_only(path).unwrap();
        let events = armed(&reader);
        assert_eq!(threads(), 2);
        (&ready).write_all(&[1]).unwrap();
        (&go).read_exact(&mut [0]).unwrap();
        assert!(events.wait(LONG).unwrap());
        assert_eq!(reader.begin_read().unwrap().count(), 1);
        drop(events);
        ends_with(1);
    }

    /// Finds a child whose events wait for its parent's thread.
    #[test]
    fn a_forked_child_makes_events_of_its_own() {
        let (_directory, path) = place();
        assert!(Other::start("on_linux::forks", &path).ends().success());
    }
}
