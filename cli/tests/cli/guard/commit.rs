//! Signals during a commit that a frozen file system holds up, and killed makers.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use super::super::interrupt::stop;
use super::super::shell::shell;
use super::super::skip::skip;
use super::signals::{handles_signals, make_big, pipe, spawn, spawn_slow, wait_until};
use super::*;

/// A file system that can be frozen, thawed and unmounted when dropped.
struct Frozen<'p>(&'p Place);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = self.shell("fsfreeze -u disk");
        let _ = self.shell("umount -l disk");
    }
}

impl<'p> Frozen<'p> {
    fn mount(place: &'p Place) -> Result<Self, String> {
        let line = "mkdir disk && truncate -s 32m image && mkfs.ext4 -q image \
                    && mount -o loop image disk && fsfreeze -f disk && fsfreeze -u disk";
        let mounted = shell(place.0.path(), line).ok_or("there is no shell to mount a disk")?;
        let disk = Self(place);
        mounted.map(|()| disk)
    }

    fn shell(&self, line: &str) -> Result<(), String> {
        shell(self.0.0.path(), line).unwrap()
    }
}

/// Whether the process has received every signal sent to it and has reacted.
fn has_heard(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap();
    u64::from_str_radix(pending.trim(), 16).unwrap() == 0
        && state_of(child, "signals").as_deref() == Some("S")
}

/// A second Ctrl-C during a commit ended the command with 130, which means "nothing changed",
/// although the rows were committed.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user hides the states of threads")]
fn signals_within_a_commit_wait_for_its_end() {
    let place = place();
    let disk = match Frozen::mount(&place) {
        Ok(disk) => disk,
        Err(why) => return skip!("{why}"),
    };
    place.ok(["load", "in.csv", "disk/s.rec"]);
    let mut input = pipe(&place);
    let command = place.command(["append", "disk/s.rec", "in.fifo"]);
    let mut child = spawn(command, Stdio::piped());
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    input.write_all(b"n,text\n1,a\n2,b\n").unwrap();
    wait_until(&mut child, handles_signals);
    wait_until(&mut child, |_| rustix::io::ioctl_fionread(&input).unwrap() == 0);
    // If this test is killed or waits in vain, the disk thaws after a minute.
    disk.shell("fsfreeze -f disk && { (sleep 60; fsfreeze -u disk) >/dev/null 2>&1 </dev/null & }")
        .unwrap();
    drop(input);
    // The commit waits for the disk, and cannot be ended.
    wait_until(&mut child, |child| state_of(child, "flatrec").as_deref() == Some("D"));
    send(&child, Signal::INT);
    let told = said.next().unwrap().unwrap();
    assert_eq!(
        told,
        "flatrec: the work is being made durable and cannot be undone: waiting for it"
    );
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        send(&child, signal);
        wait_until(&mut child, |child| has_heard(child));
    }
    disk.shell("fsfreeze -u disk").unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(status_of(output.status), 0, "{stdout}");
    assert!(stdout.starts_with("loaded    2 records into disk/s.rec\n"), "{stdout}");
    assert_eq!(said.map(Result::unwrap).collect::<Vec<_>>(), [""; 0], "it is said once");
    assert_eq!(place.ok(["scan", "disk/s.rec", "--count"]), "7\n");
}

/// The temporary names of exports.
fn temporary(place: &Place) -> Vec<PathBuf> {
    let names = place.files();
    names.iter().filter(|name| name.starts_with(".o.csv.")).map(|name| place.path(name)).collect()
}

/// An export that a signal has stopped, and its temporary file, unlike those of `known`.
fn stopped_export(place: &Place, known: &[PathBuf]) -> (Child, PathBuf) {
    loop {
        let mut child = spawn_slow(place.command(["export", "big.rec", "o.csv"]));
        let mut made = None;
        while made.is_none() && child.try_wait().unwrap().is_none() {
            // A file with bytes in it has its maker's lock.
            let is_begun = |path: &PathBuf| path.metadata().is_ok_and(|found| found.len() > 0);
            made = temporary(place).into_iter().find(|it| !known.contains(it) && is_begun(it));
        }
        stop(&child);
        if let Some(made) = made.filter(|path| path.exists()) {
            return (child, made);
        }
        // The export finished before the signal.
        send(&child, Signal::CONT);
        assert!(child.wait().unwrap().success());
        std::fs::remove_file(place.path("o.csv")).unwrap();
    }
}

/// The leftovers of a killed export stayed for ever.
#[test]
fn the_next_export_removes_the_leftovers_of_a_killed_one() {
    let place = place();
    make_big(&place);
    // Files of other programs with different names, and a directory with such a name.
    let others =
        [".o.csv.tmp", ".o.csv.0123456789abcdef.tmp", ".o.csv.flatrec-xyz.tmp", ".o.csvflatrec"];
    for name in others {
        place.write(name, "another program's");
    }
    std::fs::create_dir(place.path(".o.csv.flatrec-0000000000000000.tmp")).unwrap();
    let before = place.files();
    let not_ours = temporary(&place);
    let (mut killed, left) = stopped_export(&place, &not_ours);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left.exists());
    // The file of a living export is not a leftover, however long the export takes.
    let (mut living, made) =
        stopped_export(&place, &[&not_ours[..], std::slice::from_ref(&left)].concat());
    assert!(!left.exists());
    place.ok(["export", "s.rec", "o.csv"]);
    assert!(made.exists());
    living.kill().unwrap();
    living.wait().unwrap();
    place.ok(["export", "s.rec", "o.csv", "--force"]);
    let mut expected = before;
    expected.push("o.csv".to_owned());
    expected.sort();
    assert_eq!(place.files(), expected);
    // The longest possible file name.
    let long = format!("{}.csv", "ä".repeat(125));
    place.ok(["export", "s.rec", &long]);
}
