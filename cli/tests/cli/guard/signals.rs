//! INT, TERM and HUP at several moments: before any work, during the work, and when only the report
//! is left. Signals during a commit are in `commit.rs`.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::super::interrupt::{give_way, heed_interrupts, stop};
use super::*;

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// The row's command line with its input from the pipe `in.fifo`.
fn from_pipe(row: &Row) -> Option<Vec<&'static str>> {
    let at = row.args.iter().position(|arg| *arg == "in.csv")?;
    let mut args = row.args.to_vec();
    args[at] = "in.fifo";
    // A stream is loaded as it comes.
    if args[0] == "load" && !args.contains(&"--append") {
        args.extend(["--sample", "1"]);
    }
    Some(args)
}

/// The pipe, open at both ends, so that opening it does not wait.
pub(super) fn pipe(place: &Place) -> File {
    let made = Command::new("mkfifo").arg(place.path("in.fifo")).status().unwrap();
    assert!(made.success());
    File::options().read(true).write(true).open(place.path("in.fifo")).unwrap()
}

pub(super) fn spawn(mut command: Command, stdout: Stdio) -> Child {
    heed_interrupts(&mut command);
    command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
}

/// A command that gives way to this test, which sees what the command does before that is over.
pub(super) fn spawn_slow(mut command: Command) -> Child {
    give_way(&mut command);
    spawn(command, Stdio::null())
}

/// Whether the process has a handler for SIGTERM, the last one it installs, or has ended.
pub(super) fn handles_signals(child: &mut Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    caught & 1 << 14 != 0 || child.try_wait().unwrap().is_some()
}

pub(super) fn wait_until(child: &mut Child, mut holds: impl FnMut(&mut Child) -> bool) {
    while !holds(child) {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
}

/// The status of a shell whose command was ended by this signal.
fn status_by(signal: Signal) -> i32 {
    128 + signal.as_raw()
}

#[track_caller]
fn check_taken_back(ended: &Ended, signal: Signal, about: &str) {
    assert_eq!(ended.status, status_by(signal), "{about}: {ended:?}");
    // A signal before any work is handled by the system.
    assert!(
        ["", "flatrec: interrupted, nothing changed\n"].contains(&&*ended.stderr),
        "{about}: {ended:?}"
    );
}

/// A load that waited for its input ignored a TERM until it got some, and always a HUP: its
/// unfinished files stayed.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user hides which signals the program handles")]
fn a_command_that_waits_for_its_input_is_ended_by_a_signal_and_leaves_nothing() {
    for row in ROWS {
        let Some(args) = from_pipe(row) else { continue };
        for signal in SIGNALS {
            for with_rows in [false, true] {
                let place = place();
                let mut input = pipe(&place);
                let before = place.files();
                let mut child = spawn(place.command(&args), Stdio::null());
                if with_rows {
                    input.write_all(b"n,text\n1,a\n2,b\n").unwrap();
                }
                wait_until(&mut child, handles_signals);
                wait_until(&mut child, |_| {
                    // Everything is read, and the next read waits.
                    !with_rows || rustix::io::ioctl_fionread(&input).unwrap() == 0
                });
                send(&child, signal);
                let about = format!("{args:?}, {signal:?}, rows: {with_rows}");
                check_taken_back(&wait(child), signal, &about);
                check_left(&place, &before, row, false, &about);
                drop(input);
            }
        }
    }
}

/// Work that takes long enough to be interrupted, and the file that shows it.
const LONG: [(&[&str], &str); 7] = [
    (&["export", "big.rec", "o.csv"], ".o.csv."),
    (&["export", "big.rec", "o.npy"], ".o.npy."),
    (&["backup", "big.rec", "o.rec"], "o.rec-unfinished"),
    (&["compact", "big.rec", "o.rec", "--map", "map.csv"], "o.rec-unfinished"),
    (&["salvage", "big.rec", "o.rec"], "o.rec-unfinished"),
    (&["verify", "big.rec", "--rebuild"], "big.rec-sum-unfinished"),
    (&["load", "big.csv", "o.rec"], "o.rec-unfinished"),
];

/// A store of 24 MiB, `big.rec`, and as many rows.
pub(super) fn make_big(place: &Place) {
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1024))]).unwrap();
    let options = DynStore::create_options().checksums(true);
    let mut store = options.create(place.path("big.rec"), &schema).unwrap();
    for _ in 0..24 {
        store.append_packed(&[7; 1 << 20]).unwrap();
    }
    store.close().unwrap();
    place.write("big.csv", format!("n\n{}", "123456789\n".repeat(1_000_000)));
}

/// `export`, `salvage` and `verify --rebuild` left their temporary files after a Ctrl-C, and after
/// a HUP all three did.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user stops no process at once")]
fn a_signal_in_the_middle_of_the_work_leaves_nothing_of_it() {
    let place = place();
    make_big(&place);
    let before = place.files();
    let sums = bytes(&place.path("big.rec-sum"));
    for (args, shows) in LONG {
        for signal in SIGNALS {
            let mut met = false;
            for _ in 0..50 {
                let mut child = spawn_slow(place.command(args));
                let is_shown = || place.files().iter().any(|name| name.starts_with(shows));
                while !is_shown() && child.try_wait().unwrap().is_none() {
                    std::thread::yield_now();
                }
                // Stopped, it cannot finish before the signal arrives.
                if child.try_wait().unwrap().is_none() {
                    stop(&child);
                    send(&child, signal);
                    send(&child, Signal::CONT);
                }
                let ended = wait(child);
                if ended.status == 0 {
                    // The command finished first.
                    for name in place.files() {
                        if !before.contains(&name) {
                            std::fs::remove_file(place.path(&name)).unwrap();
                        }
                    }
                    continue;
                }
                check_taken_back(&ended, signal, &format!("{args:?}"));
                assert_eq!(place.files(), before, "{args:?}, {signal:?}");
                assert!(bytes(&place.path("big.rec-sum")) == sums, "{args:?}");
                met = true;
                break;
            }
            assert!(met, "{args:?} was always quicker than {signal:?}");
        }
    }
}

/// An export that checked for signals only at its end would also end and leave nothing: a second
/// name of its file shows how far it came.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user stops no process at once")]
fn an_export_is_ended_by_a_signal_long_before_its_end() {
    let place = place();
    make_big(&place);
    for &(args, shows) in &LONG[..2] {
        let out = place.path(args[2]);
        place.ok(args);
        let whole = out.metadata().unwrap().len();
        std::fs::remove_file(&out).unwrap();
        let met = (0..50).any(|_| {
            let mut child = spawn_slow(place.command(args));
            let made = || place.files().into_iter().find(|name| name.starts_with(shows));
            while made().is_none() && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            if child.try_wait().unwrap().is_some() {
                std::fs::remove_file(&out).unwrap();
                return false;
            }
            stop(&child);
            // If the file is gone, the command finished first.
            let seen = made()
                .and_then(|made| std::fs::hard_link(place.path(&made), place.path("seen")).ok());
            send(&child, Signal::TERM);
            send(&child, Signal::CONT);
            let ended = wait(child);
            let written = seen.map(|()| place.path("seen").metadata().unwrap().len());
            let _ = (std::fs::remove_file(place.path("seen")), std::fs::remove_file(&out));
            ended.status != 0 && written.is_some_and(|written| written < whole / 2)
        });
        assert!(met, "{args:?} always wrote everything");
    }
}

/// A full pipe, on which the next byte waits, and its reader.
fn full_pipe() -> (OwnedFd, UnixStream) {
    let (mut here, there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    while here.write(&[b'.'; 4096]).is_ok() {}
    while here.write(b".").is_ok() {}
    here.set_nonblocking(false).unwrap();
    (here.into(), there)
}

/// The report of finished work waits for a reader that never reads: a signal ends that, with
/// another status than for undone work.
#[test]
fn a_signal_when_only_the_report_is_left_does_not_unsay_the_work() {
    for row in ROWS.iter().filter(|row| row.kind.is_work()) {
        for signal in SIGNALS {
            let place = place();
            let before = place.files();
            let (stdout, _reader) = full_pipe();
            let mut child = spawn(place.command(row.args), stdout.into());
            wait_until(&mut child, |_| (row.done)(&place));
            // While the outcome is decided the command answers a signal but ignores it.
            while child.try_wait().unwrap().is_none() {
                send(&child, signal);
                std::thread::yield_now();
            }
            let ended = wait(child);
            let about = format!("{:?}, {signal:?}: {ended:?}", row.args);
            let status = if row.kind == Kind::WorkWithLosses { 1 } else { 3 };
            assert_eq!(ended.status, status, "{about}");
            let last = ended.stderr.lines().last().unwrap_or_default();
            assert!(last.starts_with(&format!("flatrec: {}", row.says)), "{about}");
            assert!(last.ends_with("ended the command before it could report that"), "{about}");
            if place.files().iter().any(|name| name.starts_with("s.rec-wal-")) {
                // The check above was in the way of the final checkpoint.
                DynDatabase::open(place.path("s.rec")).unwrap().close().unwrap();
            }
            check_left(&place, &before, row, true, &about);
        }
    }
}

/// The system ends commands that only write output.
#[test]
fn a_command_that_only_writes_is_ended_by_a_signal() {
    for row in ROWS.iter().filter(|row| !row.kind.is_work()) {
        if row.args[0] == "crash-test" {
            continue; // reports what it did: see crash_test.rs
        }
        let place = place();
        let before = place.files();
        let (stdout, _reader) = full_pipe();
        let child = spawn(place.command(row.args), stdout.into());
        send(&child, Signal::TERM);
        check_taken_back(&wait(child), Signal::TERM, &format!("{:?}", row.args));
        check_left(&place, &before, row, false, &format!("{:?}", row.args));
    }
}

/// The end of the terminal ended `nohup flatrec load … &`.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user hides which signals the program handles")]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    for (ignored, signal) in [("HUP", Signal::HUP), ("INT", Signal::INT)] {
        let place = place();
        let mut input = pipe(&place);
        let line = format!("trap '' {ignored}; exec \"$@\"");
        let command = in_shell(&place, &line, &["append", "s.rec", "in.fifo"]);
        let mut child = spawn(command, Stdio::null());
        wait_until(&mut child, handles_signals);
        send(&child, signal);
        input.write_all(b"n,text\n1,a\n").unwrap();
        drop(input);
        let ended = wait(child);
        assert_eq!((ended.status, &*ended.stderr), (0, ""), "{ignored}");
        assert_eq!(place.ok(["scan", "s.rec", "--count"]), format!("{RECORDS}\n"));
    }
}
