//! `tail`: the last records, and those that a live writer appends. The writer may close, die, or
//! have its store replaced.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use flatrec::{Durability, DynDatabase};

use super::interrupt::{heed_interrupts, interrupt, was_run_in_a_console_of_its_own};
use super::*;

/// Longer than any step here takes; a longer wait is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

fn schema() -> Schema {
    Schema::packed([Field::new("n", DataType::UInt64)]).unwrap()
}

fn append(database: &DynDatabase, numbers: std::ops::Range<u64>) -> u64 {
    let mut transaction = database.begin_write().unwrap();
    for n in numbers {
        transaction.append(&n.to_le_bytes()).unwrap();
    }
    transaction.commit(Durability::Eventual).unwrap().commit_id().get()
}

/// A store of the numbers 0 to 19 with deletes; 3 and 15 to 17 are deleted.
fn numbers(place: &Place) -> PathBuf {
    let path = place.path("n.rec");
    let database = DynDatabase::create_options().deletes(true).create(&path, &schema()).unwrap();
    append(&database, 0..20);
    let mut transaction = database.begin_write().unwrap();
    for id in [3, 15, 16, 17] {
        transaction.delete(id).unwrap();
    }
    transaction.commit(Durability::Eventual).unwrap();
    database.close().unwrap();
    path
}

/// A running command, and the lines that it writes.
struct Going {
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn spawn(place: &Place, args: &[&str]) -> Self {
        let mut command = place.command(args);
        heed_interrupts(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (into, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| into.send(line))
        });
        Self { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    #[track_caller]
    fn expect(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            assert_eq!(self.line(), n.to_string());
        }
    }

    /// Waits for its end; returns its unread output, its status, and its messages.
    fn end(mut self) -> (Vec<String>, ExitStatus, String) {
        let rest = self.lines.iter().collect();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (rest, self.child.wait().unwrap(), stderr)
    }

    /// As [`Going::end`], for a command that writes nothing more.
    #[track_caller]
    fn end_quietly(self) {
        let (rest, status, stderr) = self.end();
        assert_eq!((rest, status.code(), &*stderr), (Vec::new(), Some(0), ""));
    }
}

/// Finds a `tail` that shows other records than the last ones, or those from a number on.
#[test]
fn tail_shows_the_last_records_or_those_from_a_number_on() {
    let place = Place::new();
    numbers(&place);
    let tail = |args: &[&str]| {
        let text = place.ok([&["tail", "n.rec", "--format", "csv"], args].concat());
        let numbers = text.strip_prefix("n\n").unwrap().lines().map(str::parse);
        numbers.collect::<Result<Vec<u64>, _>>().unwrap()
    };
    assert_eq!(tail(&[]), [7, 8, 9, 10, 11, 12, 13, 14, 18, 19]);
    assert_eq!(tail(&["-n", "3"]), [14, 18, 19]);
    assert!(tail(&["-n0"]).is_empty());
    assert_eq!(tail(&["--records", "+16"]), [18, 19]);
    assert!(tail(&["-n", "+20"]).is_empty());
    assert!(tail(&["-n", "+99"]).is_empty());
    let live: Vec<u64> = (0..20).filter(|n| ![3, 15, 16, 17].contains(n)).collect();
    assert_eq!(tail(&["-n", "+0"]), live);
    assert_eq!(tail(&["-n", "16"]), live);
    assert_eq!(tail(&["-n", "18446744073709551615"]), live);
    assert_eq!(tail(&["-n", "2", "--where", "n < 5"]), [2, 4]);
    assert_eq!(tail(&["-n", "+3", "--where", "n < 6"]), [4, 5]);
    assert_eq!(place.ok(["tail", "n.rec", "-n", "2"]), " #   n\n18  18\n19  19\n");

    people(&place);
    assert_eq!(
        place.ok(["tail", "people.rec", "-n1", "--format", "ndjson", "--select", "age,name"]),
        "{\"age\":7,\"name\":\"\"}\n"
    );
    assert_eq!(place.ok(["tail", "people.rec"]), place.ok(["scan", "people.rec"]));
}

/// Finds an error of `tail` without its fault.
#[test]
fn errors_of_tail_name_the_fault() {
    let place = Place::new();
    numbers(&place);
    for wrong in ["x", "+", "", "1.5", "++1", "18446744073709551616"] {
        let text = place.usage(["tail", "n.rec", "-n", wrong]);
        assert!(text.contains("write it as 10, or as +1000"), "{wrong}: {text}");
    }
    assert!(place.usage(["tail", "n.rec", "--exit-with-writer"]).contains("--follow"));
    assert!(place.usage(["tail"]).contains("<STORE>"));
    assert!(place.error(["tail", "n.rec", "--select", "m"]).contains("no field \"m\""));
    assert!(place.error(["tail", "n.rec", "--where", "m = 1"]).contains("scan --help"));
    assert!(place.error(["tail", "none.rec", "-f"]).contains("none.rec: not found"));
    place.write("text.rec", "no store");
    assert!(place.error(["tail", "text.rec"]).contains("text.rec: not a flatrec store"));
}

/// Finds a record that `tail -f` loses, repeats, or keeps in a buffer.
#[test]
fn records_of_a_live_writer_arrive_in_order_and_once() {
    let place = Place::new();
    let path = place.path("n.rec");
    let options = DynDatabase::create_options().checkpoint_at(64 << 10);
    let database = options.create(&path, &schema()).unwrap();
    append(&database, 0..7);
    let args = ["tail", "n.rec", "-n", "+0", "-f", "--exit-with-writer", "--format", "csv"];
    let all = Going::spawn(&place, &args);
    let even = Going::spawn(&place, &[&args[..], &["--where", "n IN (2, 400, 90000)"]].concat());
    assert_eq!((all.line(), even.line()), ("n".into(), "n".into()));
    all.expect(0..7);
    assert_eq!(even.line(), "2");
    let mut count = 7;
    for step in 0..60 {
        // Some appends are too large for the log, and too large for one chunk of the copy.
        let added = if step % 20 == 7 { 150_000 } else { 1 + step * 37 % 200 };
        append(&database, count..count + added);
        if step % 3 == 0 {
            // Every appended record must arrive without waiting in a buffer.
            all.expect(count..count + added);
        } else {
            let seen = count..count + added;
            append(&database, seen.end..seen.end + 1);
            all.expect(seen.start..seen.end + 1);
            count += 1;
        }
        count += added;
    }
    assert_eq!((even.line(), even.line()), ("400".into(), "90000".into()));
    append(&database, count..count + 3);
    database.close().unwrap();
    all.expect(count..count + 3);
    all.end_quietly();
    even.end_quietly();
}

/// Finds a `tail` that holds a snapshot while its output is full or while it waits.
#[test]
fn a_waiting_tail_does_not_block_checkpoints() {
    let place = Place::new();
    let database = DynDatabase::create(place.path("n.rec"), &schema()).unwrap();
    append(&database, 0..200_000); // more than a pipe holds
    let args = ["tail", "n.rec", "-n+0", "-f", "--exit-with-writer", "--format", "csv"];
    let mut command = place.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let checkpoint_soon = || {
        let mut transaction = database.begin_write().unwrap();
        transaction.set(7, &7u64.to_le_bytes()).unwrap();
        transaction.commit(Durability::Eventual).unwrap();
        let started = Instant::now();
        while let Some(by) = database.checkpoint().unwrap().held_back() {
            assert!(started.elapsed() < PATIENCE, "{by}");
        }
    };
    checkpoint_soon();
    for n in 0..200_000 {
        line.clear();
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), n.to_string());
    }
    checkpoint_soon();
    database.close().unwrap();
    assert_eq!(output.read_line(&mut line).unwrap(), 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Finds a `tail -f` that ends, or shows earlier records, when the first requested one does not
/// exist yet.
#[test]
fn tail_waits_for_the_first_requested_record() {
    let place = Place::new();
    let database = DynDatabase::create(place.path("n.rec"), &schema()).unwrap();
    let args = ["tail", "n.rec", "-n+5", "-f", "--exit-with-writer", "--format", "ndjson"];
    let tail = Going::spawn(&place, &args);
    append(&database, 0..3);
    append(&database, 3..7);
    assert_eq!((tail.line(), tail.line()), ("{\"n\":5}".into(), "{\"n\":6}".into()));
    database.close().unwrap();
    tail.end_quietly();
}

/// Finds a `tail -f` that waits for ever after its reader has ended.
#[test]
fn a_closed_output_ends_a_waiting_tail() {
    let place = Place::new();
    let database = DynDatabase::create(place.path("n.rec"), &schema()).unwrap();
    append(&database, 0..3);
    // Windows reports the end of a pipe only to a writer.
    let ways = if cfg!(windows) { &[true][..] } else { &[false, true] };
    for &writes in ways {
        let mut command = place.command(["tail", "n.rec", "-f", "--format", "csv"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 4];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap(); // and then closes it
        if writes {
            append(&database, 3..4);
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    }
}

/// Finds a Ctrl-C that `tail` reports as an error.
#[test]
fn an_interrupted_tail_says_nothing() {
    if was_run_in_a_console_of_its_own("tail::an_interrupted_tail_says_nothing") {
        return;
    }
    let place = Place::new();
    numbers(&place);
    let tail = Going::spawn(&place, &["tail", "n.rec", "-f", "-n", "1", "--format", "csv"]);
    assert_eq!((tail.line(), tail.line()), ("n".into(), "19".into()));
    interrupt(&tail.child);
    let (rest, status, stderr) = tail.end();
    assert_eq!((rest.len(), &*stderr), (0, ""));
    // The signal itself ends the command, so that a shell knows. Wine has only one kind of end.
    #[cfg(unix)]
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
    #[cfg(windows)]
    assert!(
        [0, windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT]
            .contains(&status.code().unwrap())
    );
}

/// Appends to the store that the environment names, until it is killed.
#[test]
#[ignore = "the child of the next test"]
fn child_that_appends() {
    let Some(path) = std::env::var_os("FLATREC_TEST_APPEND_TO") else { return };
    let database = DynDatabase::open(path).unwrap();
    let mut count = database.begin_read().unwrap().count();
    loop {
        append(&database, count..count + 5);
        count += 5;
    }
}

/// Finds a record that `tail -f` loses or repeats when the writer changes.
#[test]
fn writers_that_die_and_restart_are_followed() {
    let place = Place::new();
    let path = place.path("n.rec");
    DynDatabase::create(&path, &schema()).unwrap().close().unwrap();
    let mut tail = Going::spawn(&place, &["tail", "n.rec", "-n+0", "-f", "--format", "csv"]);
    assert_eq!(tail.line(), "n");
    let mut shown = 0;
    for _ in 0..4 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tail::child_that_appends", "--include-ignored", "--nocapture"])
            .env("FLATREC_TEST_APPEND_TO", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tail.expect(shown..shown + 500);
        shown += 500;
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    let database = DynDatabase::open(&path).unwrap();
    let count = database.begin_read().unwrap().count();
    assert!(count >= shown);
    append(&database, count..count + 1);
    tail.expect(shown..count + 1);
    database.close().unwrap();
    tail.child.kill().unwrap();
    let (rest, _, stderr) = tail.end();
    assert_eq!((rest.len(), &*stderr), (0, ""));
}

/// Finds a `tail -f` that stays with a replaced store, or loses its last records.
#[cfg(unix)] // Windows refuses to replace an open store
#[test]
fn tail_follows_a_store_that_replaces_its_own() {
    let place = Place::new();
    let path = place.path("n.rec");
    let database = DynDatabase::create(&path, &schema()).unwrap();
    append(&database, 0..50);
    let args = ["tail", "n.rec", "-n", "2", "-f", "--exit-with-writer", "--format", "csv"];
    let tail = Going::spawn(&place, &args);
    assert_eq!(tail.line(), "n");
    tail.expect(48..50);
    let other = DynDatabase::create(place.path("other.rec"), &schema()).unwrap();
    append(&other, 100..103);
    other.close().unwrap();
    // `tail` also shows the records that the old store gets first.
    append(&database, 50..51);
    std::fs::rename(place.path("other.rec"), &path).unwrap();
    tail.expect(50..51);
    tail.expect(100..103);
    drop(database);
    let database = DynDatabase::open(&path).unwrap();
    append(&database, 103..104);
    database.close().unwrap();
    let (rest, status, stderr) = tail.end();
    // `tail` may have ended between the two writers, because it saw none.
    assert!(rest.is_empty() || rest == ["103"], "{rest:?}");
    assert_eq!(status.code(), Some(0));
    assert_eq!(stderr, "flatrec: n.rec was replaced by another store; continuing with that\n");
}

/// Finds a `tail -f` that shows records of another schema under the old header.
#[cfg(unix)] // as in the test above
#[test]
fn a_replacement_with_other_fields_ends_the_tail() {
    let place = Place::new();
    let path = numbers(&place);
    let tail = Going::spawn(&place, &["tail", "n.rec", "-n", "0", "-f", "--format", "csv"]);
    assert_eq!(tail.line(), "n");
    people(&place);
    std::fs::rename(place.path("people.rec"), path).unwrap();
    let (rest, status, stderr) = tail.end();
    assert_eq!((rest.len(), status.code()), (0, Some(1)));
    assert!(stderr.contains("n.rec was replaced by a store with other fields"), "{stderr}");
}

/// On an overlay file system the first writer makes the system copy the store: the tail stayed with
/// the original, which gets no appends.
#[cfg(target_os = "linux")]
#[test]
fn tail_follows_a_store_that_is_copied_to_an_upper_layer() {
    let line = "mount -t tmpfs -o size=64m none disk && mkdir disk/lower disk/upper disk/work";
    let Some(mounts) = super::mounts::Mounts::make(line, &["disk", "mnt"]) else { return };
    let lower = mounts.path("disk/lower/n.rec");
    let database = DynDatabase::create(&lower, &schema()).unwrap();
    append(&database, 0..5);
    database.close().unwrap();
    let line = "cd disk && mount -t overlay overlay ../mnt \
                -o lowerdir=lower,upperdir=upper,workdir=work";
    if !mounts.shell(line) {
        return;
    }
    let (place, path) = (Place::new(), mounts.path("mnt/n.rec"));
    let args = ["tail", path.to_str().unwrap(), "-n+0", "-f", "--format", "csv"];
    let mut tail = Going::spawn(&place, &args);
    assert_eq!(tail.line(), "n");
    tail.expect(0..5);
    // The last writer puts more records into the array than the original has space for.
    for (from, to) in [(5, 6), (6, 9), (9, 200_000)] {
        let database = DynDatabase::open(&path).unwrap();
        append(&database, from..to);
        database.close().unwrap();
        tail.expect(from..to);
    }
    tail.child.kill().unwrap();
    let (rest, _, stderr) = tail.end();
    assert_eq!((rest, &*stderr), (Vec::new(), ""));
}
