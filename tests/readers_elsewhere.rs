//! A reader in a process of another user, who may read the store but may not write it or its lock
//! file.

#![cfg(all(unix, feature = "derive"))]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use flatrec::{Database, Durability, ErrorKind, Record, Snapshot};
use support::files::lock_file;
use support::process;
use support::skip::skip;

const STORE: &str = "FLATREC_TEST_STORE";
/// An unprivileged user that every system has.
const OTHER_USER: u32 = 65_534;

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Row {
    n: u64,
}

/// The other process, which executes one order a line.
struct Other {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    /// Returns `None` and skips the test if this user cannot start a process of another user.
    fn start(store: &Path) -> Option<Self> {
        let mut command = process::running("the_other_process");
        command.env(STORE, store).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.uid(OTHER_USER).gid(OTHER_USER).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                skip!("only root can start a process of another user: {error}");
                return None;
            }
        };
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, orders, answers })
    }

    fn tell(&mut self, order: &str) -> String {
        writeln!(self.orders, "{order}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the other process ended");
            // The test harness writes to the same output.
            if let Some((_, answer)) = line.trim_end().split_once("answer: ") {
                return answer.to_owned();
            }
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Executes the orders of its parent.
#[test]
#[ignore = "the other process of these tests"]
fn the_other_process() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let reader = match Database::<Row>::open_read_only(path) {
        Ok(reader) => reader,
        Err(error) => return println!("answer: {:?} {error}", error.kind()),
    };
    let mut held: Option<Snapshot<Row>> = None;
    for order in std::io::stdin().lines() {
        match order.unwrap().as_str() {
            "begin" => held = Some(reader.begin_read().unwrap()),
            "end" => held = None,
            "wait" => {
                let after = held.as_ref().map(Snapshot::commit_id).unwrap_or_default();
                assert!(reader.wait(after, Duration::from_secs(60)).unwrap());
            }
            "wait for events" => {
                let snapshot = held.as_ref().unwrap();
                let events = reader.commit_events().unwrap();
                assert!(events.wait(Duration::ZERO).unwrap());
                events.acknowledge(snapshot).unwrap();
                println!("answer: {}", events.wait(Duration::ZERO).unwrap());
                assert!(events.wait(Duration::from_secs(60)).unwrap());
            }
            "look" => {}
            other => panic!("unknown order {other}"),
        }
        let rows = held.iter().flat_map(|snapshot| snapshot.iter());
        println!("answer: {:?}", rows.map(|(_, row)| row.n).collect::<Vec<_>>());
    }
}

/// A directory that other users may read, and the path of a store in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    let path = directory.path().join("rows.rec");
    (directory, path)
}

fn share(path: &Path) {
    for path in [path.to_path_buf(), lock_file(path)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
}

fn commit(database: &Database<Row>, change: impl FnOnce(&mut flatrec::WriteTransaction<'_, Row>)) {
    let mut transaction = database.begin_write().unwrap();
    change(&mut transaction);
    transaction.commit(Durability::Eventual).unwrap();
}

/// Finds a checkpoint that overwrites what an unregistered reader reads, or waits for one that
/// ended.
#[test]
fn an_unregistered_reader_holds_back_checkpoints_while_it_reads() {
    let (_directory, path) = place();
    let database = Database::<Row>::create(&path).unwrap();
    share(&path);
    commit(&database, |it| {
        it.append_slice(&[Row { n: 1 }, Row { n: 2 }]).unwrap();
    });
    let Some(mut other) = Other::start(&path) else { return };
    assert_eq!(other.tell("begin"), "[1, 2]");
    commit(&database, |it| it.set(0, &Row { n: 10 }).unwrap());
    let held_back = database.checkpoint().unwrap().held_back().map(str::to_owned);
    assert!(held_back.as_ref().is_some_and(|by| by.contains("cannot see")), "{held_back:?}");
    assert_eq!(database.readers().unwrap(), []);
    assert_eq!(other.tell("look"), "[1, 2]");
    // The reader follows the writer.
    assert_eq!(other.tell("wait"), "[1, 2]");
    assert_eq!(other.tell("begin"), "[10, 2]");
    assert_eq!(other.tell("end"), "[]");
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    commit(&database, |it| it.set(1, &Row { n: 20 }).unwrap());
    assert_eq!(other.tell("begin"), "[10, 20]");
    // A killed reader holds nothing back.
    other.child.kill().unwrap();
    other.child.wait().unwrap();
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    database.close().unwrap();
}

/// No bell rings for a reader that may not count itself. Finds commit events that such a reader
/// never gets, and those that need a lock file with words.
#[test]
fn an_unregistered_reader_gets_commit_events() {
    for words_come_later in [false, true] {
        let (_directory, path) = place();
        Database::<Row>::create(&path).unwrap().close().unwrap();
        if words_come_later {
            std::fs::write(lock_file(&path), "").unwrap();
        }
        share(&path);
        let Some(mut other) = Other::start(&path) else { return };
        assert_eq!(other.tell("begin"), "[]");
        assert_eq!(other.tell("wait for events"), "false");
        let database = Database::<Row>::open(&path).unwrap();
        commit(&database, |it| {
            it.append(&Row { n: 1 }).unwrap();
        });
        assert_eq!(other.answer(), "[]");
        // A writer that opens the store is an event, and its commit another one.
        assert_eq!(other.tell("end"), "[]");
        assert_eq!(other.tell("begin"), "[1]");
        assert_eq!(other.tell("wait for events"), "false");
        commit(&database, |it| {
            it.append(&Row { n: 2 }).unwrap();
        });
        assert_eq!(other.answer(), "[1]");
    }
}

/// Finds a writer that opens the store beside a reader that it cannot see.
#[test]
fn a_reader_that_cannot_make_a_lock_file_keeps_writers_out() {
    let (_directory, path) = place();
    let database = Database::<Row>::create(&path).unwrap();
    share(&path);
    commit(&database, |it| {
        it.append(&Row { n: 1 }).unwrap();
    });
    database.close().unwrap();
    std::fs::remove_file(lock_file(&path)).unwrap();
    let Some(mut other) = Other::start(&path) else { return };
    assert_eq!(other.tell("begin"), "[1]");
    assert_eq!(Database::<Row>::open(&path).unwrap_err().kind(), ErrorKind::Locked);
    drop(other);
    Database::<Row>::open(&path).unwrap().close().unwrap();
}
