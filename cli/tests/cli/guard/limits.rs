//! A full disk, and limits of the process on its memory and on the size of its files.

use super::super::shell::shell;
use super::super::skip::skip;
use super::*;

/// Checks a command that runs out of a resource: it does all of its work, or nothing.
#[track_caller]
fn check_all_or_nothing(
    place: &Place,
    before: &[String],
    row: &Row,
    ended: &Ended,
    why: &[&str],
    about: &str,
) {
    let done = ended.status == row.kind.status() && !is_told(ended, why);
    if !done {
        assert_eq!(ended.status, 1, "{about}");
        assert!(ended.stderr.starts_with("flatrec: ") && is_told(ended, why), "{about}");
    }
    check_left(place, before, row, done && row.kind.is_work(), about);
}

fn is_told(ended: &Ended, why: &[&str]) -> bool {
    why.iter().any(|why| ended.stderr.contains(why))
}

/// A signal ended the command when the file grew beyond the limit, and its unfinished file stayed.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user does not pass limits on")]
fn a_limit_on_the_size_of_files_is_an_error_that_says_so() {
    let mut failed = 0;
    for row in ROWS {
        // In the shell's unit, blocks of 512 bytes.
        for blocks in [0, 1, 100, 129, 200] {
            let place = place();
            let before = place.files();
            let mut command =
                in_shell(&place, &format!("ulimit -f {blocks}; exec \"$@\""), row.args);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let ended = wait(child);
            let about = format!("{:?}, {blocks} blocks: {ended:?}", row.args);
            failed += u32::from(ended.stderr.contains("File too large"));
            check_all_or_nothing(&place, &before, row, &ended, &["File too large"], &about);
        }
    }
    assert!(failed > 20, "{failed}");
}

/// With at least this much address space beyond the program itself, a failed allocation never ends
/// a command.
const ENOUGH_MIB: u64 = 16;

/// Finds a command that a failed allocation ends, or that does a part of its work.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user needs memory of its own")]
fn a_limit_on_memory_is_an_error_that_says_so() {
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_flatrec")).unwrap().len();
    let mut failed = 0;
    for row in ROWS {
        for mib in [ENOUGH_MIB, 2 * ENOUGH_MIB, 8 * ENOUGH_MIB] {
            let place = place();
            let before = place.files();
            let kib = (program >> 10) + (mib << 10);
            let mut command = in_shell(&place, &format!("ulimit -v {kib}; exec \"$@\""), row.args);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let ended = wait(child);
            let about = format!("{:?}, {kib} KiB: {ended:?}", row.args);
            let why = ["Cannot allocate memory", "Resource temporarily unavailable"];
            failed += u32::from(is_told(&ended, &why));
            check_all_or_nothing(&place, &before, row, &ended, &why, &about);
        }
    }
    // A command of this table needs little. Those of stores that do not fit are in hostile.rs.
    println!("{failed} commands had too little memory");
}

/// A small disk, unmounted when dropped.
struct Disk(Place);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = shell(self.0.0.path().parent().unwrap(), &format!("umount -l {}", self.name()));
    }
}

impl Disk {
    fn mount() -> Result<Self, String> {
        let place = Place::new();
        let disk = Self(place);
        let line = format!("mount -t tmpfs -o size=2m tmpfs {}", disk.name());
        match shell(disk.0.0.path().parent().unwrap(), &line) {
            Some(Ok(())) => Ok(disk),
            Some(Err(said)) => Err(said),
            None => Err("there is no shell to mount a disk".to_owned()),
        }
    }

    fn name(&self) -> String {
        self.0.0.path().file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Fills the disk except for so many bytes.
    fn fill(&self, left: usize) {
        let mut ballast = std::fs::File::create(self.0.path("ballast")).unwrap();
        while ballast.write_all(&[1; 4096]).is_ok() {}
        let len = ballast.metadata().unwrap().len();
        ballast.set_len(len.saturating_sub(left as u64)).unwrap();
    }
}

/// Finds a command that does a part of its work on a full disk, or hides the reason.
#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let template = place();
    template.write("bad.csv", format!("n,text\n{}", "x,y\n".repeat(3_000)));
    let mut failed = 0;
    for row in ROWS {
        for left in [0, 4 << 10, 32 << 10, 80 << 10, 200 << 10] {
            let disk = match Disk::mount() {
                Ok(disk) => disk,
                Err(why) => return skip!("{why}"),
            };
            let place = &disk.0;
            copy_to(&template, place.0.path());
            disk.fill(left);
            let before = place.files();
            let mut command = place.command(row.args);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let ended = wait(child);
            let about = format!("{:?}, {left} bytes left: {ended:?}", row.args);
            failed += u32::from(ended.stderr.contains("No space left"));
            // The following check may need space.
            std::fs::File::options()
                .write(true)
                .open(place.path("ballast"))
                .unwrap()
                .set_len(0)
                .unwrap();
            check_all_or_nothing(place, &before, row, &ended, &["No space left"], &about);
        }
    }
    assert!(failed > 20, "{failed}");
}

/// The commit is durable when the checkpoint behind it fails: the command must not be run again.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user does not pass limits on")]
fn a_checkpoint_that_fails_behind_its_commit_does_not_unsay_it() {
    const ROW_COUNT: usize = 6000;
    let template = Place::new();
    let row = |n: usize| format!("{n},{:x<100}\n", "");
    template.write("in.csv", format!("n,text\n{}", (0..ROW_COUNT).map(row).collect::<String>()));
    template.ok(["load", "in.csv", "s.rec", "--deletes"]);
    let last = (ROW_COUNT - 1).to_string();
    for (args, done) in [
        (&["set", "s.rec", &last, "n=4"][..], "changed record 5999"),
        (&["delete", "s.rec", &last], "deleted 1 record"),
    ] {
        let place = Place::new();
        copy_to(&template, place.0.path());
        // The log, of 64 KiB, can be written, and the end of the records cannot.
        let mut command = in_shell(&place, "ulimit -f 200; exec \"$@\"", args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ended = wait(child);
        assert_eq!(ended.status, 3, "{args:?}: {ended:?}");
        let said = [done, "but its log could not be written to its records", "File too large"];
        assert!(said.iter().all(|said| ended.stderr.contains(said)), "{args:?}: {ended:?}");
        let now = place.run(["get", "s.rec", &last, "--format", "csv"]);
        match args[0] {
            "set" => assert!(now.stdout.contains("\n4,x"), "{now:?}"),
            _ => assert_eq!(now.status, Some(1), "{now:?}"),
        }
        assert_eq!(place.run(["verify", "s.rec"]).status, Some(0));
    }
}
