//! `flatrec crash-test`.

#[cfg(target_os = "linux")]
use std::process::Stdio;

use crate::Place;

/// A figure in the command's output, by its name.
fn figure(output: &str, name: &str) -> u64 {
    let line = output.lines().find(|line| line.starts_with(name)).expect(output);
    line[name.len()..].trim().parse().expect(line)
}

/// Finds a `crash-test` that runs fewer histories, or uses a real disk.
#[test]
fn histories_are_run_and_counted() {
    let place = Place::new();
    let output = place.ok(["crash-test", "--seed", "5", "--histories", "12"]);
    assert_eq!(figure(&output, "seed"), 5);
    assert_eq!(figure(&output, "histories"), 12);
    assert_eq!(figure(&output, "violations"), 0);
    for name in ["commits", "power cuts", "killed processes", "failed calls", "states checked"] {
        assert!(figure(&output, name) > 0, "{name}: {output}");
    }
    assert_eq!(place.files(), [""; 0], "the command made a file");
}

/// Finds a history that its seed does not repeat.
#[test]
fn a_seed_repeats_its_history() {
    let place = Place::new();
    let run = |threads| {
        place.ok(["crash-test", "--seed", "77", "--histories", "4", "--threads", threads])
    };
    assert_eq!(run("1"), run("1"));
    assert_eq!(run("1"), run("3"), "the number of threads counts");
}

/// Finds a `crash-test` that passes its time limit.
#[test]
fn the_time_limit_ends_the_test() {
    let output = Place::new().ok(["crash-test", "--seconds", "0"]);
    assert_eq!(figure(&output, "histories"), 0);
}

/// Finds a Ctrl-C that loses the results so far.
#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user hides which signals the program handles")]
fn an_interrupted_test_reports_its_results_so_far() {
    let place = Place::new();
    let mut command = place.command(["crash-test", "--seed", "5", "--histories", "1000000000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // SIGTERM is the last signal for which the command installs a handler.
    let status = format!("/proc/{}/status", child.id());
    let handles_signals = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << 14 != 0
    };
    while child.try_wait().unwrap().is_none() && !handles_signals() {
        std::thread::yield_now();
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(130));
    let output = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(figure(&output, "seed"), 5);
    assert!(figure(&output, "histories") > 0);
}
