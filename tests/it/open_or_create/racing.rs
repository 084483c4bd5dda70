//! Threads and processes that open or create the same stores at the same time.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Barrier;

use flatrec::{ErrorKind, Store, VerifyOptions, Wait, verify};

use super::{Asked, WAYS};
use crate::support::numbered::N;
use crate::support::{process, settings};

const STARTERS: u64 = 4;

fn store_of(directory: &Path, round: u64) -> PathBuf {
    directory.join(format!("s{round}"))
}

/// Opens or creates the store of a round, and appends a record. Without a wait, tries again as long
/// as another starter has the lock. Returns how often it was refused, or what went wrong.
fn start(directory: &Path, round: u64, wait: Wait) -> Result<u64, String> {
    let path = store_of(directory, round);
    let (way, open_or_create) = WAYS[usize::try_from(round).unwrap() % WAYS.len()];
    let asked = Asked { checksums: Some(round % 2 == 0), metadata: Some("m"), deletes: None, wait };
    let mut refused = 0;
    loop {
        match open_or_create(&path, asked) {
            Ok(_) => return Ok(refused),
            Err(error) if wait == Wait::No && error.kind() == ErrorKind::Locked => {
                refused += 1;
                std::thread::yield_now();
            }
            Err(error) => return Err(format!("{way}, round {round}, {wait:?}: {error}")),
        }
    }
}

/// Each starter has appended one record, so a second creation would have lost some.
fn check(directory: &Path, rounds: u64) {
    for round in 0..rounds {
        let path = store_of(directory, round);
        let store = Store::<N>::open_read_only(&path).unwrap();
        let found: Vec<u64> = store.iter().map(|(_, record)| record.n).collect();
        assert_eq!(found, (0..STARTERS).collect::<Vec<_>>(), "round {round}");
        assert_eq!(store.metadata().unwrap(), b"m", "round {round}");
        assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, [], "round {round}");
    }
    let left = crate::support::files::names(directory);
    assert!(!left.iter().any(|name| name.contains("unfinished")), "{left:?}");
}

/// Finds two threads that both create a store, and a thread that fails because another was quicker.
#[test]
fn of_racing_threads_one_creates_the_store_and_all_use_it() {
    let rounds = settings::cases(36);
    for wait in [Wait::Forever, Wait::No] {
        let directory = tempfile::tempdir().unwrap();
        let barrier = Barrier::new(STARTERS as usize);
        std::thread::scope(|scope| {
            let starter = || {
                let round = |round| {
                    barrier.wait();
                    start(directory.path(), round, wait)
                };
                // All rounds, also after a failure: the others wait for this thread.
                let rounds: Vec<_> = (0..rounds).map(round).collect();
                for round in rounds {
                    round.unwrap();
                }
            };
            (0..STARTERS).for_each(|_| drop(scope.spawn(starter)));
        });
        check(directory.path(), rounds);
    }
}

const CHILD: &str = "FLATREC_RACING_CHILD";

#[test]
#[ignore = "the child of the other test"]
fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let (job, directory) = job.split_once('|').unwrap();
    let (rounds, wait) = job.split_once(' ').unwrap();
    let wait = if wait == "waiting" { Wait::Forever } else { Wait::No };
    let mut go = [0];
    for round in 0..rounds.parse::<u64>().unwrap() {
        // All children of a round begin when their parent writes to them.
        std::io::stdin().read_exact(&mut go).unwrap();
        let refused = start(Path::new(directory), round, wait).unwrap();
        println!("\nround {round}: refused {refused} times");
    }
}

/// Finds two processes that both create a store, and a process that fails because another was
/// quicker.
#[test]
fn of_racing_processes_one_creates_the_store_and_all_use_it() {
    let rounds = settings::cases(36);
    for wait in ["waiting", "impatient"] {
        let directory = tempfile::tempdir().unwrap();
        let job = format!("{rounds} {wait}|{}", directory.path().display());
        let spawn = || {
            let mut command = process::running("open_or_create::racing::child");
            let command = command.env(CHILD, &job).stdin(Stdio::piped()).stdout(Stdio::null());
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut children: Vec<Child> = (0..STARTERS).map(|_| spawn()).collect();
        for _ in 0..rounds {
            for child in &mut children {
                // A child that has failed does not listen; its status tells below.
                let _ = child.stdin.as_mut().unwrap().write_all(b"!");
            }
        }
        for child in children {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{wait}: {said}");
        }
        check(directory.path(), rounds);
    }
}
