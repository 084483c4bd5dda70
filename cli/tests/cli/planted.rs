//! Files that another user has put at the names of a load's own files: the load trusts none of
//! them, writes to none, removes none, and takes no file name from them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;

use super::skip::skip;
use super::*;

/// A user of these tests, without an account.
const VICTIM: u32 = 65_531;
const OTHER: u32 = 65_532;

const SCHEMA: &str =
    r#"{"record_size": 8, "fields": [{"name": "id", "type": "int64", "offset": 0}]}"#;

/// Rows that take a load some time; an early one does not fit.
fn rows() -> String {
    let mut csv = String::from("id\noops\n");
    (0..400_000).for_each(|n| csv.push_str(&format!("{n}\n")));
    csv
}

/// A directory like `/tmp`, and a command that every user may run; `None` if the test cannot become
/// another user.
fn shared_place() -> Option<Place> {
    if !rustix::process::geteuid().is_root() {
        skip!("only root can become another user");
        return None;
    }
    let place = Place::new();
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).unwrap();
    // Copied by another process: a child that another test is starting would hold the copy open for
    // writing, and such a program cannot be run.
    let mut copy = Command::new("cp");
    copy.arg(env!("CARGO_BIN_EXE_flatrec")).arg(place.path("flatrec"));
    assert!(copy.status().unwrap().success());
    fs::set_permissions(place.path("flatrec"), Permissions::from_mode(0o755)).unwrap();
    place.write("in.csv", rows());
    place.write("schema.json", SCHEMA);
    for (name, mode, user) in
        [("sticky", 0o1777, 0), ("home", 0o755, VICTIM), ("evil", 0o755, OTHER)]
    {
        fs::create_dir(place.path(name)).unwrap();
        fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
        if chown(place.path(name), Some(user), Some(user)).is_err() {
            skip!("this root cannot give files away");
            return None;
        }
    }
    if as_user(&place, VICTIM, &["--version"]).output().is_err() {
        skip!("another user cannot run the command");
        return None;
    }
    Some(place)
}

fn as_user(place: &Place, user: u32, args: &[&str]) -> Command {
    let mut command = Command::new(place.path("flatrec"));
    command.current_dir(place.0.path()).args(args).stdin(Stdio::null()).uid(user).gid(user);
    command
}

fn run_as(place: &Place, user: u32, args: &[&str]) -> Ran {
    let output = as_user(place, user, args).output().unwrap();
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn load<'a>(rejects: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["load", "in.csv", "sticky/x.rec", "--schema", "schema.json", "--rejects", rejects];
    [&args[..], &["--progress-every", "1"], more].concat()
}

/// The leftovers of a load of that user, killed after it kept some progress.
fn cut_as(place: &Place, user: u32, args: &[&str]) {
    for _ in 0..50 {
        let mut child =
            as_user(place, user, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !place.path("sticky/x.rec-unfinished-progress").exists()
            && child.try_wait().unwrap().is_none()
        {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        if !ended.success() && !place.path("sticky/x.rec").exists() {
            return;
        }
        // The load was nearly finished.
        for entry in fs::read_dir(place.path("sticky")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let _ = fs::remove_file(place.path(args[6]));
    }
    panic!("every load ended before it was killed");
}

/// Everything below the shared directory and the users' directories: its owner and its content.
fn everything(place: &Place) -> Vec<(PathBuf, u32, u64, u32)> {
    let mut found = Vec::new();
    for directory in ["sticky", "home", "evil"] {
        for entry in fs::read_dir(place.path(directory)).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let held = if metadata.is_file() { bytes(&path) } else { Vec::new() };
            // A failed load may leave a lock file, which is empty.
            if !path.to_str().unwrap().ends_with("-lock") {
                found.push((path, metadata.uid(), metadata.ino(), crc32c::crc32c(&held)));
            }
        }
    }
    found.sort();
    found
}

/// Another user planted an unfinished store and a progress file that named the victim's own file as
/// the one for bad rows: `load --resume` truncated that file, wrote rows into it and renamed it,
/// and a load without `--resume` removed it.
#[test]
fn files_of_another_user_are_neither_resumed_nor_removed() {
    let Some(place) = shared_place() else { return };
    place.write("home/authorized_keys", "ssh-ed25519 AAAA the only key of the victim\n");
    chown(place.path("home/authorized_keys"), Some(VICTIM), Some(VICTIM)).unwrap();
    cut_as(&place, OTHER, &load("evil/bad.csv", &[]));
    for entry in fs::read_dir(place.path("sticky")).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o666)).unwrap();
    }
    // The first form of the program, and the present one.
    let progress = place.path("sticky/x.rec-unfinished-progress");
    let key = place.path("home/authorized_keys");
    let text = fs::read_to_string(&progress).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let mut json: serde_json::Value = serde_json::from_str(rest).unwrap();
    json["choices"]["--rejects"] = place.path("home/bad.csv").to_str().into();
    json["rejects"] = serde_json::json!({
        "made_at": key.to_str(), "tag": "../authorized_keys", "bytes": 0
    });
    for version in ["1", "2"] {
        let rest = format!("{json:#}\n");
        let crc = crc32c::crc32c(rest.as_bytes());
        let text = format!("flatrec unfinished load {version} {crc:08x}\n{rest}");
        fs::write(&progress, text).unwrap();
        let before = everything(&place);
        for user in [VICTIM, 0] {
            for more in [&["--resume"][..], &[], &["--force"], &["--resume", "--force"]] {
                let ran = run_as(&place, user, &load("home/bad.csv", more));
                assert_eq!(ran.status, Some(1), "{user} {more:?}: {ran:?}");
                let why = "x.rec-unfinished-progress is in the way: it belongs to another user";
                assert!(ran.stderr.contains(why), "{user} {more:?}: {ran:?}");
                assert_eq!(everything(&place), before, "{user} {more:?}");
            }
        }
    }
    // The owner does not resume either with a file that others may have written.
    let ran = run_as(&place, OTHER, &load("evil/bad.csv", &["--resume"]));
    assert!(ran.stderr.contains("other users may write to it"), "{ran:?}");
}

/// Finds a maker of `x.rec` that removes or continues another user's file, or whose error does not
/// name it.
#[test]
fn another_user_s_file_under_each_name_is_an_error_that_names_it() {
    let Some(place) = shared_place() else { return };
    run_as(&place, VICTIM, &["load", "in.csv", "home/t.rec", "--rejects", "home/t.csv"]);
    for suffix in ["-unfinished", "-unfinished-progress", "-unfinished-progress-new"] {
        let name = format!("x.rec{suffix}");
        let planted = place.path(&format!("sticky/{name}"));
        // The leftover of a dead maker, which would be removed if it were the user's own.
        for held in [&b""[..], &[0; 4096], b"flatrec unfinished load 3 00000000\n{}\n"] {
            fs::write(&planted, held).unwrap();
            fs::set_permissions(&planted, Permissions::from_mode(0o666)).unwrap();
            chown(&planted, Some(OTHER), Some(OTHER)).unwrap();
            let before = everything(&place);
            for user in [VICTIM, 0] {
                let made: [&[&str]; 4] = [
                    &load("home/bad.csv", &[]),
                    &load("home/bad.csv", &["--resume"]),
                    &["backup", "home/t.rec", "sticky/x.rec"],
                    &["salvage", "home/t.rec", "sticky/x.rec", "--force"],
                ];
                let made = if suffix == "-unfinished" { &made[..] } else { &made[..2] };
                for args in made {
                    let ran = run_as(&place, user, args);
                    assert_eq!(ran.status, Some(1), "{user} {args:?} {name}: {ran:?}");
                    assert!(ran.stderr.contains(&*name), "{user} {args:?}: {ran:?}");
                    assert!(
                        ran.stderr.contains("belongs to another user"),
                        "{user} {args:?}: {ran:?}"
                    );
                    assert_eq!(everything(&place), before, "{user} {args:?} {name}");
                }
            }
            fs::remove_file(&planted).unwrap();
        }
    }
    let ran = run_as(&place, VICTIM, &load("home/bad.csv", &[]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

/// Files that root creates in the place of a user's store belong to the user, and so do the
/// leftovers of a killed root command: root's next command removes them.
#[test]
fn root_removes_its_leftovers_in_the_place_of_a_user_s_store() {
    let Some(place) = shared_place() else { return };
    run_as(&place, VICTIM, &load("home/bad.csv", &[]));
    let left = place.path("sticky/x.rec-unfinished");
    fs::write(&left, [0; 4096]).unwrap();
    chown(&left, Some(VICTIM), Some(VICTIM)).unwrap();
    let ran = run_as(&place, 0, &load("home/bad.csv", &["--force"]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(!left.exists());
    assert_eq!(fs::metadata(place.path("sticky/x.rec")).unwrap().uid(), VICTIM);
}

/// An interrupted load of this user, in a place of its own.
fn cut() -> Place {
    let place = Place::new();
    place.write("in.csv", rows());
    place.write("schema.json", SCHEMA);
    fs::create_dir(place.path("sticky")).unwrap();
    symlink(env!("CARGO_BIN_EXE_flatrec"), place.path("flatrec")).unwrap();
    let user = rustix::process::geteuid().as_raw();
    cut_as(&place, user, &load("bad.csv", &[]));
    place
}

/// The name of the file with the bad rows.
fn set_aside(place: &Place) -> String {
    place.files().into_iter().find(|name| name.starts_with(".bad.csv.")).unwrap()
}

/// Finds a load that continues from a progress file which other users may have written.
#[test]
fn a_progress_file_that_is_a_link_or_open_to_others_is_not_trusted() {
    type Change = fn(&Path, &Path);
    let changes: [(Change, &str); 4] = [
        (
            |progress, to| (fs::rename(progress, to).unwrap(), symlink(to, progress).unwrap()).1,
            "link",
        ),
        (|progress, to| fs::hard_link(progress, to).unwrap(), "second name"),
        (
            |progress, _| fs::set_permissions(progress, Permissions::from_mode(0o620)).unwrap(),
            "other users may write to it",
        ),
        (
            |progress, _| {
                fs::remove_file(progress).unwrap();
                fs::create_dir(progress).unwrap();
            },
            "not a regular file",
        ),
    ];
    for (change, why) in changes {
        let place = cut();
        change(&place.path("sticky/x.rec-unfinished-progress"), &place.path("elsewhere"));
        for more in [&["--resume"][..], &[]] {
            let text = place.error(load("bad.csv", more));
            assert!(text.contains("is in the way: ") && text.contains(why), "{more:?}: {text}");
        }
        assert!(place.path("sticky/x.rec-unfinished").exists());
    }
}

/// Finds a load that writes the bad rows through a link which another user put beside the file of
/// `--rejects`.
#[test]
fn the_rows_set_aside_are_written_to_no_other_file() {
    type Put = fn(&Path, &Path);
    let puts: [Put; 3] = [
        |precious, aside| fs::hard_link(precious, aside).unwrap(),
        |precious, aside| symlink(precious, aside).unwrap(),
        // A file of the user's own that is not from a load.
        |_, aside| fs::write(aside, "three years of work, and more of it than rows").unwrap(),
    ];
    for put in puts {
        let place = cut();
        let aside = place.path(&set_aside(&place));
        place.write("precious", "line,column,reason,row\nof another file\n");
        fs::remove_file(&aside).unwrap();
        put(&place.path("precious"), &aside);
        let text = place.error(load("bad.csv", &["--resume"]));
        assert!(text.starts_with("the rows set aside so far, in .bad.csv."), "{text}");
        assert!(text.contains("start over without --resume"), "{text}");
        // Without --resume the file does not count as a load's, and stays.
        let ran = place.run(load("bad.csv", &[]));
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(aside.symlink_metadata().is_ok());
        assert_eq!(place.read("precious"), "line,column,reason,row\nof another file\n");
    }
}

/// Finds a load that continues in a file to which an unfinished store links.
#[test]
fn an_unfinished_store_that_is_a_link_is_not_resumed() {
    for hard in [false, true] {
        let place = cut();
        let (left, moved) = (place.path("sticky/x.rec-unfinished"), place.path("moved"));
        fs::rename(&left, &moved).unwrap();
        match hard {
            true => fs::hard_link(&moved, &left).unwrap(),
            false => symlink(&moved, &left).unwrap(),
        }
        let before = bytes(&moved);
        let text = place.error(load("bad.csv", &["--resume"]));
        assert!(text.contains("x.rec-unfinished"), "{text}");
        assert!(bytes(&moved) == before);
    }
}

/// Finds a load that takes a path from a progress file, even the user's own.
#[test]
fn a_progress_file_names_no_file() {
    let place = cut();
    let progress = place.path("sticky/x.rec-unfinished-progress");
    place.write("precious.tmp", "line,column,reason,row\nof another file, and longer\n");
    fs::create_dir(place.path(".bad.csv.x")).unwrap();
    let text = fs::read_to_string(&progress).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let json: serde_json::Value = serde_json::from_str(rest).unwrap();
    for tag in
        ["/../precious", "x/../precious", "x/../../precious", "", ".", "a\0b", &"9".repeat(41)]
    {
        let mut json = json.clone();
        json["rejects"]["tag"] = tag.into();
        json["rejects"]["bytes"] = 23.into();
        let rest = format!("{json:#}\n");
        let crc = crc32c::crc32c(rest.as_bytes());
        let first = &first[..first.rfind(' ').unwrap()];
        fs::write(&progress, format!("{first} {crc:08x}\n{rest}")).unwrap();
        let text = place.error(load("bad.csv", &["--resume"]));
        assert!(text.contains("from another version of flatrec"), "{tag:?}: {text}");
        assert!(place.read("precious.tmp").ends_with("and longer\n"), "{tag:?}");
    }
    assert!(place.run(load("bad.csv", &[])).status == Some(0));
    assert!(place.read("precious.tmp").ends_with("and longer\n"));
}
