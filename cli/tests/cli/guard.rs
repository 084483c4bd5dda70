//! Every command under every hostile condition: its output, its exit status, the work done and the
//! files left, compared with a table.
//!
//! The commands are those that `flatrec help` lists: a command without a row fails the first test.

mod commit;
mod limits;
mod output;
mod signals;
mod table;

use std::process::Child;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use flatrec::{Durability, DynDatabase, VerifyOptions};
use rustix::process::{Pid, Signal, kill_process};

use super::*;
use table::{Kind, ROWS, Row};

/// A command that takes longer is killed, a status that no row expects.
const AT_MOST: Duration = Duration::from_secs(120);

/// The number of records of the stores.
const RECORDS: u64 = 600;

/// A directory with the stores and files of the table's rows.
fn place() -> Place {
    static TEMPLATE: OnceLock<Place> = OnceLock::new();
    let place = Place::new();
    copy_to(TEMPLATE.get_or_init(template), place.0.path());
    place
}

fn copy_to(template: &Place, directory: &Path) {
    for name in template.files() {
        std::fs::copy(template.path(&name), directory.join(name)).unwrap();
    }
}

/// - `s.rec`: with deletes and checksums, one record deleted.
/// - `n.rec`: without checksums.
/// - `d.rec`: with checksums, one of its records damaged.
/// - `l.rec`: with a log that a killed writer has left.
/// - `in.npy`, `in.ndjson`, `in.parquet`: the rows of `in.csv`.
/// - `in.csv`: five rows; `bad.csv`: many rows, all bad.
fn template() -> Place {
    let place = Place::new();
    let rows = |count: u64| (0..count).map(|n| format!("{n},row {n}\n")).collect::<String>();
    place.write("in.csv", format!("n,text\n{}", rows(RECORDS)));
    place.ok(["load", "in.csv", "s.rec", "--deletes"]);
    place.ok(["delete", "s.rec", "7"]);
    place.ok(["load", "in.csv", "n.rec", "--no-checksums"]);
    place.ok(["load", "in.csv", "d.rec"]);
    let mut damaged = bytes(&place.path("d.rec"));
    damaged[65_536 + 50] ^= 0x10;
    std::fs::write(place.path("d.rec"), damaged).unwrap();
    place.write("in.csv", format!("n,text\n{}", rows(5)));
    place.write("f.bin", [b'7'; 1000]);
    place.write("f.json", r#"{ "fields": [{ "name": "n", "type": "uint16" }] }"#);
    place.write("bad.csv", format!("n,text\n{}", "x,y\n".repeat(20_000)));

    place.ok(["load", "in.csv", "l.rec"]);
    place.ok(["export", "l.rec", "in.npy"]);
    place.ok(["export", "l.rec", "in.ndjson"]);
    #[cfg(feature = "parquet")]
    place.ok(["export", "l.rec", "in.parquet"]);
    let database = DynDatabase::open(place.path("l.rec")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    let record = transaction.get(1).unwrap().to_vec();
    transaction.set(0, &record).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let killed = Place::new();
    copy_to(&place, killed.0.path());
    database.close().unwrap();
    assert!(killed.files().iter().any(|name| name.starts_with("l.rec-wal-")));
    killed
}

/// The end of a command, as a shell shows it.
#[derive(Debug)]
struct Ended {
    status: i32,
    stderr: String,
}

fn status_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
}

/// Waits for the end of a command, and kills one that does not end.
pub(super) fn output_in_time(child: Child) -> Output {
    let process = Pid::from_child(&child);
    let (over, is_over) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if is_over.recv_timeout(AT_MOST) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(process, Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(over);
    watchdog.join().unwrap();
    output
}

fn wait(child: Child) -> Ended {
    let output = output_in_time(child);
    Ended { status: status_of(output.status), stderr: String::from_utf8(output.stderr).unwrap() }
}

/// The state of the process's thread with that name, as in /proc.
pub(super) fn state_of(child: &Child, name: &str) -> Option<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).ok()?;
    let stats =
        tasks.flatten().filter_map(|it| std::fs::read_to_string(it.path().join("stat")).ok());
    let of_name = |stat: String| {
        let (before, after) = stat.rsplit_once(')')?;
        before.ends_with(&format!("({name}")).then(|| after.trim_start()[..1].to_owned())
    };
    stats.filter_map(of_name).next()
}

/// Runs `line` of shell, in which `"$@"` stands for the row's command.
fn in_shell(place: &Place, line: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(place.0.path()).args(["-c", line, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_flatrec")).args(args).stdin(Stdio::null());
    command
}

/// Checks that the command has done its work or not, and has left no other file in either case.
#[track_caller]
fn check_left(place: &Place, before: &[String], row: &Row, done: bool, about: &str) {
    assert_eq!((row.done)(place), done, "{about}: what was done");
    let mut expected = before.to_vec();
    if done {
        expected.extend(row.makes.iter().map(|&name| name.to_owned()));
        expected.retain(|name| !row.removes.contains(&&**name));
    }
    expected.sort();
    expected.dedup();
    assert_eq!(place.files(), expected, "{about}: what is left");
    for name in row.reads {
        let verified = flatrec::verify(place.path(name), VerifyOptions::new()).unwrap();
        let doubts = u64::from(*name == "d.rec");
        assert_eq!(verified.problems_found, doubts, "{about}: {name}: {verified:?}");
    }
}

/// Sends a signal.
fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Finds a command that the table does not test.
#[test]
fn every_command_has_rows() {
    let help = Place::new().ok(["help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let commands: Vec<&str> =
        commands.into_iter().filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(commands.len() >= 16, "{help}");
    for command in &commands {
        assert!(ROWS.iter().any(|row| row.args[0] == *command), "{command} has no row");
    }
    for row in ROWS {
        assert!(commands.contains(&row.args[0]), "there is no command {}", row.args[0]);
    }
}

/// Without hostile conditions the rows describe the commands correctly.
#[test]
fn the_table_is_true() {
    for row in ROWS {
        let place = place();
        let before = place.files();
        let ran = place.run(row.args);
        assert_eq!(ran.status, Some(row.kind.status()), "{:?}: {}", row.args, ran.stderr);
        check_left(&place, &before, row, row.kind.is_work(), &format!("{:?}", row.args));
    }
}
