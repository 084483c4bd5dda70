//! Standard output and standard error that are full, closed, or missing.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::*;

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A file descriptor whose reader is gone before the first byte.
fn closed() -> OwnedFd {
    let (here, _) = UnixStream::pair().unwrap();
    here.into()
}

/// `append` returned 1 after it had added the rows, so a retry added them twice; `verify` of a
/// damaged store returned 0 when its list had no reader.
#[test]
fn an_output_that_cannot_be_written_does_not_change_what_was_done() {
    for row in ROWS {
        for is_full in [true, false] {
            let place = place();
            let before = place.files();
            let mut command = place.command(row.args);
            let stdout: Stdio = if is_full { full().into() } else { closed().into() };
            let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
            let ended = wait(child);
            let about = format!("{:?}, full: {is_full}, {ended:?}", row.args);
            let status = match is_full {
                true => row.kind.status_when_full(),
                false => row.kind.status_when_closed(),
            };
            assert_eq!(ended.status, status, "{about}");
            // A note may come before it.
            let last = ended.stderr.lines().last().unwrap_or_default();
            let said = last.strip_prefix("flatrec: ").unwrap_or_default();
            if status == 0 {
                assert_eq!(ended.stderr, "", "{about}");
            } else if row.kind == Kind::Output {
                assert!(said.starts_with("write to standard output: "), "{about}");
            } else {
                assert!(said.starts_with(row.says), "{about}");
            }
            assert_eq!(status == 3, said.contains("; only "), "{about}");
            assert!(status != 3 || said.contains("could not be written to standard output: "));
            check_left(&place, &before, row, row.kind.is_work(), &about);
        }
    }
}

/// A message that could not be written caused a panic, status 101.
#[test]
fn without_standard_error_the_status_is_the_same() {
    for row in ROWS {
        for error in ["full", "closed", "none"] {
            let place = place();
            let before = place.files();
            let mut command = match error {
                "none" => in_shell(&place, "exec \"$@\" 2>&-", row.args),
                _ => place.command(row.args),
            };
            match error {
                "full" => command.stderr(full()),
                "closed" => command.stderr(closed()),
                _ => command.stderr(Stdio::null()),
            };
            let ended = wait(command.stdout(Stdio::null()).spawn().unwrap());
            let about = format!("{:?}, {error}", row.args);
            assert_eq!(ended.status, row.kind.status(), "{about}");
            check_left(&place, &before, row, row.kind.is_work(), &about);
        }
    }
}

/// Messages before the work may be lost too: that a load is discarded, that there is nothing to
/// resume, that the command line is wrong.
#[test]
fn messages_beside_the_work_need_no_reader() {
    let place = place();
    let load = ["load", "in.csv", "o.rec", "--resume"];
    let ended = wait(place.command(load).stderr(full()).stdout(Stdio::null()).spawn().unwrap());
    assert_eq!(ended.status, 0);
    let wrong = place.command(["scan"]).stderr(full()).stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(wait(wrong).status, 2);
    for args in [&["--help"][..], &["help"], &["scan", "--help"], &["--version"]] {
        let status = |stdout: Stdio| {
            wait(place.command(args).stdout(stdout).stderr(Stdio::null()).spawn().unwrap()).status
        };
        assert_eq!((status(full().into()), status(closed().into())), (1, 0), "{args:?}");
    }
}

/// A closed standard stream counts as empty: no file that the command opens takes its place.
#[test]
fn a_stream_that_was_closed_is_empty() {
    for row in ROWS {
        for closed in ["<&-", ">&-", "<&- >&- 2>&-"] {
            let place = place();
            let before = place.files();
            let mut command = in_shell(&place, &format!("exec \"$@\" {closed}"), row.args);
            let ended = wait(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
            let about = format!("{:?} {closed}: {ended:?}", row.args);
            assert_eq!(ended.status, row.kind.status(), "{about}");
            check_left(&place, &before, row, row.kind.is_work(), &about);
        }
    }
    let place = place();
    let mut load = in_shell(&place, "exec \"$@\" <&-", &["append", "s.rec", "-"]);
    let ended = wait(load.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ended.status, 1, "{ended:?}");
}

/// `load --rejects /dev/stdout | head -1` loaded nothing, reported nothing, and returned 0.
#[test]
fn rejected_rows_without_a_reader_are_a_failure() {
    let schema = Place::new();
    copy_to(&place(), schema.0.path());
    let schema = schema.ok(["schema", "n.rec", "--as", "json"]);
    for args in [
        &["load", "bad.csv", "o.rec", "--schema", "schema.json"][..],
        &["load", "bad.csv", "s.rec", "--append"],
        &["append", "s.rec", "bad.csv"],
    ] {
        let place = place();
        place.write("schema.json", &schema);
        let (before, store) = (place.files(), bytes(&place.path("s.rec")));
        let args = [args, &["--rejects", "/dev/stdout"]].concat();
        let line = "{ \"$@\" 2>said; echo $? >status; } | head -1 >/dev/null";
        assert!(in_shell(&place, line, &args).status().unwrap().success());
        let (said, status) = (place.read("said"), place.read("status"));
        assert_eq!(status, "1\n", "{args:?}: {said}");
        assert!(said.starts_with("flatrec: write the rows set aside: Broken pipe"), "{said}");
        for name in ["said", "status"] {
            std::fs::remove_file(place.path(name)).unwrap();
        }
        assert_eq!(place.files(), before, "{args:?}");
        assert!(bytes(&place.path("s.rec"))[65_536..] == store[65_536..], "{args:?}");
    }
}

/// A list is beside the work: its failure is told as such, and never turns lost records into work
/// that was done. `salvage` of a damaged store said 3 where its list could not be written.
#[test]
fn what_follows_the_work_can_fail_by_itself() {
    for (args, makes, status) in [
        (&["salvage", "s.rec", "o.rec", "--list", "/dev/full"][..], "599 of 600", 3),
        (&["salvage", "d.rec", "o.rec", "--list", "/dev/full"], "0 of 600", 1),
    ] {
        let place = place();
        let ran = place.run(args);
        assert_eq!(ran.status, Some(status), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(makes), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("but: write /dev/full: No space left"), "{args:?}: {ran:?}");
        assert!(DynDatabase::open(place.path("o.rec")).is_ok(), "{args:?}");
    }
}

/// The statuses that the table of this test knows are those that the help and the document tell.
#[test]
fn the_statuses_are_those_of_the_help_and_the_document() {
    let help = Place::new().ok(["--help"]);
    let (_, told) = help.split_once("Exit status:\n").unwrap();
    let (_, document) =
        include_str!("../../../../docs/CLI.md").split_once("## Exit statuses\n").unwrap();
    let known: std::collections::BTreeSet<i32> = ROWS
        .iter()
        .flat_map(|row| {
            let kind = &row.kind;
            [kind.status(), kind.status_when_full(), kind.status_when_closed()]
        })
        .chain([2, 129, 130, 143])
        .collect();
    assert_eq!(known.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 129, 130, 143]);
    // A line begins with one status or several, between spaces, commas and the rules of a table.
    let told_in = |text: &str| -> std::collections::BTreeSet<i32> {
        let words = |line: &str| line.trim_start_matches('|').trim_start().to_owned();
        let lines = text.lines().map(words);
        lines
            .flat_map(|line| {
                let numbers = line.split(' ').map(|word| word.trim_end_matches(',').parse().ok());
                numbers.map_while(|number| number).collect::<Vec<i32>>()
            })
            .collect()
    };
    let (document, _) = document.split_once("\n## ").unwrap();
    assert_eq!(told_in(told), known);
    assert_eq!(told_in(document), known);
}
