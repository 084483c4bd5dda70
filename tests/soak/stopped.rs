//! A reader that is stopped while it holds a snapshot, beside a writer with a limited log.

use std::path::Path;
use std::time::Duration;

use flatrec::{Database, Durability, ErrorKind, WriteTransaction};

use super::Job;
use super::children::{Process, say};
use super::rows::{Change, Row, look};
use crate::support::random::Random;
use crate::support::settings;

const MAX_LOG: u64 = 512 << 10;

/// Holds a snapshot from one line of the parent to the next. For a child.
pub(crate) fn hold(path: &Path) {
    let reader = Database::<Row>::open_read_only(path).unwrap();
    loop {
        let snapshot = reader.begin_read().unwrap();
        let first = look(&snapshot);
        say("holding");
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).unwrap() == 0 {
            return;
        }
        assert_eq!(look(&snapshot), first, "a snapshot changed");
        drop(snapshot);
        say("free");
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).unwrap() == 0 {
            return;
        }
    }
}

fn start(path: &Path) -> Process {
    let (name, path) = ("holder".to_owned(), path.to_owned());
    let job = Job { name, seed: 0, floor: 0, longest: Duration::ZERO, deletes: false, path };
    let mut process = Process::start(&job.to_text(), |_| {});
    process.wait_for("holding");
    process
}

/// Stops a process or lets it continue. Windows cannot stop one: there the process waits for its
/// parent's next line.
#[cfg_attr(not(unix), allow(unused_variables, reason = "it does nothing"))]
fn stop(process: &Process, stopped: bool) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
        kill_process(pid, if stopped { Signal::STOP } else { Signal::CONT }).unwrap();
    }
}

fn begin<'d>(database: &'d Database<Row>, random: &mut Random) -> WriteTransaction<'d, Row> {
    let mut transaction = database.begin_write().unwrap();
    Change::new(&mut transaction, random).make(false);
    transaction
}

/// Commits until the log is full, and returns the text of the error.
fn fill(database: &Database<Row>, random: &mut Random) -> String {
    for _ in 0..100_000 {
        let before = database.begin_read().unwrap().commit_id().get();
        if let Err(error) = begin(database, random).commit(Durability::Eventual) {
            assert_eq!(error.kind(), ErrorKind::LogFull, "{error}");
            let snapshot = database.begin_read().unwrap();
            assert_eq!(look(&snapshot).commit, before, "a snapshot shows the failed commit");
            return error.to_string();
        }
    }
    panic!("100,000 commits did not fill the log");
}

/// Finds a log that stays full after its reader has continued or died.
#[test]
fn a_stopped_reader_holds_the_log_until_it_continues_or_is_killed() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = settings::seed(now);
    println!("FLATREC_SEED={seed}");
    let mut random = Random::new(seed);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let options = Database::<Row>::create_options().checkpoint_at(32 << 10).max_log(MAX_LOG);
    let database = options.create(&path).unwrap();
    for _ in 0..20 {
        begin(&database, &mut random).commit(Durability::Eventual).unwrap();
    }

    let mut reader = start(&path);
    stop(&reader, true);
    let error = fill(&database, &mut random);
    assert!(error.contains(&format!("process {} ", reader.id())), "{error}");
    // A smaller commit may still fit, but the log stays full while the reader is stopped.
    fill(&database, &mut random);
    stop(&reader, false);
    reader.say("let go");
    reader.wait_for("free");
    for _ in 0..200 {
        begin(&database, &mut random).commit(Durability::Eventual).unwrap();
    }

    reader.say("hold on");
    reader.wait_for("holding");
    stop(&reader, true);
    let error = fill(&database, &mut random);
    assert!(error.contains(&format!("process {} ", reader.id())), "{error}");
    reader.kill();
    for _ in 0..200 {
        begin(&database, &mut random).commit(Durability::Eventual).unwrap();
    }
    look(&database.begin_read().unwrap());
    database.close().unwrap();
}
