//! `--wait`: commands that write, while another program writes.

use std::io::Read as _;

use super::*;

/// Commands that write to `s.rec` or create `o.rec`, and the sign that they have.
const WRITERS: [&[&str]; 9] = [
    &["append", "s.rec", "in.csv"],
    &["load", "in.csv", "s.rec", "--append"],
    &["set", "s.rec", "0", "n=9"],
    &["delete", "s.rec", "0"],
    &["checkpoint", "s.rec"],
    &["verify", "s.rec", "--rebuild"],
    &["load", "in.csv", "o.rec"],
    &["backup", "s.rec", "o.rec"],
    &["compact", "s.rec", "o.rec"],
];

fn place() -> Place {
    let place = Place::new();
    place.write("in.csv", "n\n1\n2\n3\n");
    place.ok(["load", "in.csv", "s.rec", "--deletes"]);
    place
}

/// A handle that writes to `s.rec`, and one that creates `o.rec`.
fn hold(place: &Place) -> (DynStore, DynStore) {
    let written = DynStore::open(place.path("s.rec")).unwrap();
    let schema = written.schema().clone();
    let made =
        DynStore::create_options().create_aside(place.path("o.rec"), &schema, false).unwrap();
    (written, made)
}

/// Of 22,700 simultaneous appends 422 succeeded, and no option made the others wait.
#[test]
fn appends_that_wait_all_get_in() {
    const APPENDS: usize = 40;
    let place = place();
    let append = || {
        let mut command = place.command(["append", "s.rec", "in.csv", "--wait", "600"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<_> = (0..APPENDS).map(|_| append()).collect();
    let mut commits = Vec::new();
    for child in all {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let told = String::from_utf8(output.stdout).unwrap();
        let records = told.lines().find_map(|line| line.strip_prefix("records   ")).expect(&told);
        commits.push(records.split(' ').next().unwrap().parse::<usize>().unwrap());
    }
    commits.sort_unstable();
    let expected: Vec<usize> = (1..=APPENDS).map(|n| 3 + 3 * n).collect();
    assert_eq!(commits, expected, "the appends did not come one after the other");
    let counted = place.ok(["scan", "s.rec", "--count"]);
    assert_eq!(counted, format!("{}\n", 3 + 3 * APPENDS));
    assert!(place.ok(["verify", "s.rec"]).ends_with("no doubts\n"));
}

/// Finds a writing command that ignores `--wait`, or whose error does not mention it.
#[test]
fn every_command_that_writes_waits_for_the_lock_or_says_how_long_it_waited() {
    let salvage = ["salvage", "s.rec", "o.rec"];
    for args in WRITERS.into_iter().chain([&salvage[..]]) {
        let place = place();
        let held = hold(&place);
        let text = place.error(args);
        assert!(text.contains(": locked by another handle: "), "{args:?}: {text}");
        let advice =
            "(close the other program that has it open, or wait for it with --wait SECONDS)";
        assert!(text.ends_with(advice), "{args:?}: {text}");
        let text = place.error([args, &["--wait", "0.05"]].concat());
        assert!(text.contains(", still after 0.05 s (close the other"), "{args:?}: {text}");
        assert!(!place.path("o.rec").exists());

        let mut command = place.command([args, &["--wait", "600"]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{args:?}");
        drop(held);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{args:?}: {said}");
    }
}

/// Finds a reading command that waits for a lock.
#[test]
fn reading_commands_need_no_wait_option() {
    let place = place();
    let _held = hold(&place);
    for command in ["scan", "info", "tail", "schema", "export", "get"] {
        assert!(!place.ok([command, "--help"]).contains("--wait"), "{command}");
    }
    assert_eq!(place.ok(["scan", "s.rec", "--count"]), "3\n");
    for wrong in ["-1", "never", "inf", "NaN", "1e300"] {
        let said = place.usage(["append", "s.rec", "in.csv", &format!("--wait={wrong}")]);
        assert!(said.contains("--wait <SECONDS>"), "{wrong}: {said}");
    }
}

/// Finds a wait that a signal does not end, or that leaves files.
#[cfg(unix)]
#[test]
fn a_wait_can_be_interrupted() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::os::unix::process::ExitStatusExt as _;
    for args in WRITERS {
        let place = place();
        let held = hold(&place);
        let before = place.files();
        let mut command = place.command([args, &["--wait", "600"]].concat());
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        let status = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
        assert_eq!(status, Some(128 + 15), "{args:?}");
        assert_eq!(place.files(), before, "{args:?}");
        drop(held);
    }
}
