//! The files that commands write beside their work: their places, and the leftovers of killed
//! commands.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// A place with a store `s.rec`, a damaged one `d.rec`, and `bad.csv` with a row that does not fit.
fn stores() -> Place {
    let place = Place::new();
    place.write("good.csv", "n\n7\n8\n");
    place.write("bad.csv", "n\n1\nx\n");
    let schema = r#"{"record_size": 8, "fields": [{"name": "n", "type": "int64", "offset": 0}]}"#;
    place.write("schema.json", schema);
    for name in ["s.rec", "d.rec"] {
        place.ok(["load", "good.csv", name, "--schema", "schema.json"]);
    }
    let mut damaged = bytes(&place.path("d.rec"));
    damaged[65_536] ^= 1;
    fs::write(place.path("d.rec"), damaged).unwrap();
    place
}

const LOAD: [&str; 7] =
    ["load", "bad.csv", "new.rec", "--schema", "schema.json", "--rejects", "OUT"];
const COMPACT: [&str; 5] = ["compact", "s.rec", "new.rec", "--map", "OUT"];
const SALVAGE: [&str; 5] = ["salvage", "d.rec", "new.rec", "--list", "OUT"];

fn with<'a>(command: &[&'a str], out: &'a str) -> Vec<&'a str> {
    command.iter().map(|word| if *word == "OUT" { out } else { *word }).collect()
}

/// `load --rejects /dev/stdout --force >file`, run by root, replaced `/dev/stdout` by a file.
#[test]
fn force_replaces_no_symbolic_link() {
    let place = stores();
    place.write("target.csv", "three years of work");
    symlink("target.csv", place.path("link.csv")).unwrap();
    symlink("nowhere.csv", place.path("dangling.csv")).unwrap();
    fs::copy(place.path("s.rec"), place.path("t.rec")).unwrap();
    symlink("t.rec", place.path("link.rec")).unwrap();
    // /dev/stdout is such a link.
    symlink("/proc/self/fd/1", place.path("out.csv")).unwrap();
    let before = place.files();
    let (target, store) = (bytes(&place.path("target.csv")), bytes(&place.path("t.rec")));
    let mut lines: Vec<Vec<&str>> = Vec::new();
    for out in ["link.csv", "dangling.csv", "out.csv"] {
        lines.extend([&LOAD[..], &COMPACT, &SALVAGE, &["export", "s.rec", "OUT"]].map(|line| {
            let mut line = with(line, out);
            line.push("--force");
            line
        }));
    }
    for line in [["backup", "s.rec"], ["compact", "s.rec"], ["salvage", "d.rec"]] {
        lines.push([&line[..], &["link.rec", "--force"]].concat());
    }
    lines.push(vec!["load", "good.csv", "link.rec", "--force"]);
    for line in lines {
        let stdout = fs::File::create(place.path("stdout")).unwrap();
        let output = place.command(&line).stdout(stdout).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line:?}: {said}");
        assert!(
            said.contains("is a symbolic link: --force does not replace it"),
            "{line:?} {said}"
        );
        fs::remove_file(place.path("stdout")).unwrap();
        assert_eq!(place.files(), before, "{line:?}");
        for link in ["link.csv", "dangling.csv", "link.rec", "out.csv"] {
            assert!(place.path(link).is_symlink(), "{line:?} replaced {link}");
        }
    }
    assert_eq!(bytes(&place.path("target.csv")), target);
    assert_eq!(bytes(&place.path("t.rec")), store);
}

/// `salvage --list` truncated an existing file and wrote into it: also through links, including
/// dangling ones, and into all names of the file.
#[test]
fn a_list_replaces_no_file_unasked() {
    let place = stores();
    let salvage = |more: &[&str]| place.run([&with(&SALVAGE, "list.csv"), more].concat());
    symlink("nowhere.csv", place.path("list.csv")).unwrap();
    let ran = salvage(&[]);
    assert!(ran.stderr.contains("list.csv exists already"), "{ran:?}");
    assert!(!place.path("nowhere.csv").exists() && !place.path("new.rec").exists());

    fs::remove_file(place.path("list.csv")).unwrap();
    place.write("precious", "three years of work");
    fs::hard_link(place.path("precious"), place.path("list.csv")).unwrap();
    let ran = salvage(&["--force"]);
    assert!(ran.stderr.contains("2 lost"), "{ran:?}");
    assert!(place.read("list.csv").starts_with("first,last,records,state,why\n"));
    assert_eq!(place.read("precious"), "three years of work");
    assert!(!place.files().iter().any(|name| name.ends_with(".tmp")), "{:?}", place.files());

    // A directory is refused before the work begins.
    fs::create_dir(place.path("directory")).unwrap();
    let said = place.error(["salvage", "d.rec", "other.rec", "--list", "directory", "--force"]);
    assert!(said.contains("directory is not a regular file"), "{said}");
    assert!(!place.path("other.rec").exists());
}

/// Whether the command waits, as far as the system tells.
fn sleeps(child: &Child) -> bool {
    #[cfg(target_os = "linux")]
    return super::guard::state_of(child, "flatrec").is_none_or(|state| state == "S");
    #[cfg(not(target_os = "linux"))]
    return child.id() > 0;
}

fn spawn(place: &Place, line: &[&str]) -> Child {
    let mut command = place.command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A pipe without a reader blocked a command for ever: `load` noticed only the first TERM and
/// continued to wait, and `salvage`, whose work was done, noticed none.
#[test]
fn a_command_whose_output_is_a_pipe_without_a_reader_is_ended_by_a_signal() {
    for line in [&LOAD[..], &["append", "s.rec", "bad.csv", "--rejects", "OUT"], &SALVAGE] {
        let place = stores();
        shell::shell(place.0.path(), "mkfifo pipe").unwrap().unwrap();
        let mut child = spawn(&place, &with(line, "pipe"));
        let is_work_done = line == SALVAGE;
        until(|| !is_work_done || place.path("new.rec").exists());
        until(|| sleeps(&child));
        let process = Pid::from_child(&child);
        kill_process(process, Signal::TERM).unwrap();
        until(|| {
            let has_ended = child.try_wait().unwrap().is_some();
            // During a salvage the first signal may have come while its store got its name.
            if is_work_done && !has_ended {
                kill_process(process, Signal::TERM).unwrap();
            }
            has_ended
        });
        let output = child.wait_with_output().unwrap();
        assert_eq!(place.path("new.rec").exists(), is_work_done, "{line:?}: {output:?}");
        if is_work_done {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("new.rec: 0 of 2 records saved"), "{said}");
        }
    }
}

/// Waits for an event that takes less than half a minute.
#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the event did not happen within half a minute"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The temporary names of files for `bad-rows.csv`.
fn aside(place: &Place) -> Vec<String> {
    let is_aside = |name: &String| name.starts_with(".bad-rows.csv.") && name.ends_with(".tmp");
    place.files().into_iter().filter(is_aside).collect()
}

/// The leftovers of a killed command stayed for ever.
#[test]
fn the_next_command_removes_the_leftovers_of_a_killed_one() {
    let place = stores();
    for line in [
        &["append", "s.rec", "-", "--rejects", "bad-rows.csv"][..],
        &["load", "-", "new.rec", "--schema", "schema.json", "--rejects", "bad-rows.csv"],
    ] {
        let mut killed = spawn(&place, line);
        until(|| aside(&place).len() == 1);
        let left = aside(&place);
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(aside(&place), left);

        // Files with similar names stay.
        let number = "0123456789abcdef";
        place.write("precious", "three years of work");
        let link = format!(".bad-rows.csv.flatrec-{number}.tmp");
        symlink("precious", place.path(&link)).unwrap();
        let others = [
            format!(".bad-rows.csv.flatrec-{number}0.tmp"),
            format!(".bad-rows.csv.{number}.tmp"),
            format!(".bad-rows.csv.{}-0.tmp", std::process::id()),
        ];
        others.iter().for_each(|name| place.write(name, "three years of work"));

        // While one command writes its file, others leave it alone.
        let goes_on = ["load", "-", "other.rec", "--schema", "schema.json"];
        let goes_on = [&goes_on[..], &["--rejects", "bad-rows.csv"]].concat();
        let mut goes_on = spawn(&place, &goes_on);
        until(|| !aside(&place).contains(&left[0]));
        until(|| aside(&place).len() == 5);
        place.ok(["compact", "s.rec", "compact.rec", "--map", "bad-rows.csv"]);
        assert_eq!(aside(&place).len(), 5, "{:?}", aside(&place));
        fs::remove_file(place.path("bad-rows.csv")).unwrap();
        goes_on.stdin.take().unwrap().write_all(b"n\n1\nx\n").unwrap();
        let output = goes_on.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(place.read("bad-rows.csv").lines().count(), 2);

        let mut expected = [&others[..], &[link]].concat();
        expected.sort();
        assert_eq!(aside(&place), expected);
        assert_eq!(place.read("precious"), "three years of work");
        expected.iter().for_each(|name| fs::remove_file(place.path(name)).unwrap());
        for name in ["bad-rows.csv", "compact.rec", "other.rec"] {
            fs::remove_file(place.path(name)).unwrap();
        }
    }
}

/// Finds a command with the same rejects file that removes the kept rows of an interrupted load.
#[test]
fn the_kept_rows_of_an_interrupted_load_stay() {
    let place = stores();
    let rows: String = (0..400_000).map(|n| format!("{n}\n")).collect();
    place.write("many.csv", format!("n\nx\n{rows}"));
    let line = ["load", "many.csv", "new.rec", "--schema", "schema.json", "--progress-every", "1"];
    let line = [&line[..], &["--rejects", "bad-rows.csv"]].concat();
    let mut child = spawn(&place, &line);
    while !place.path("new.rec-unfinished-progress").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the command ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = aside(&place);
    assert_eq!(kept.len(), 1);
    place.ok(["append", "s.rec", "bad.csv", "--rejects", "bad-rows.csv"]);
    assert_eq!(aside(&place), kept);
    fs::remove_file(place.path("bad-rows.csv")).unwrap();
    place.ok([&line[..], &["--resume"]].concat());
    assert_eq!(place.read("bad-rows.csv").lines().count(), 2);
    assert_eq!(aside(&place), [""; 0]);
}
