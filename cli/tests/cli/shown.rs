//! Paths that are not places in a directory, and names that would command the terminal.

use super::*;

/// Clears the screen, begins a new line, and reverses the direction of writing.
const HOSTILE: &str = "a\x1b[2J\u{9b}31m\nflatrec: all is well\u{202e}cer";

/// The escaped form of such a name.
#[cfg(unix)]
const ESCAPED: &str = r"a\u{1b}[2J\u{9b}31m\nflatrec: all is well\u{202e}cer";

#[track_caller]
fn check_shown(ran: &Ran, about: &str) {
    let shown = [&ran.stdout[..], &ran.stderr].concat();
    let commands = shown.chars().filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(commands.collect::<String>(), "", "{about}: {ran:?}");
    let forged = shown.lines().any(|line| line.starts_with("flatrec: all is well"));
    assert!(!forged, "{about}: {ran:?}");
}

/// Commands wrote a file's name to the terminal unchanged.
#[cfg(unix)] // Windows refuses such names
#[test]
fn no_name_of_a_file_commands_the_terminal() {
    let place = Place::new();
    let (store, other) = (format!("{HOSTILE}.rec"), format!("{HOSTILE}-2.rec"));
    place.write("in.csv", "n\n1\n2\n");
    place.write("bad.csv", "n\nx\n");
    place.write(&format!("{HOSTILE}.csv"), "n\n1\nx\n");
    let csv = format!("{HOSTILE}.csv");
    let out = format!("{HOSTILE}-out.csv");
    let all: &[(&[&str], i32)] = &[
        (&["info", &store], 1),
        (&["load", "in.csv", &store, "--deletes"], 0),
        (&["load", "in.csv", &store], 1),
        (&["load", &csv, "o.rec", "--sample", "1"], 1),
        (&["load", &csv, "o.rec", "--sample", "1", "--rejects", &out], 0),
        (&["load", &csv, "o.rec", "--sample", "1", "--rejects", &out], 1),
        (&["info", &store], 0),
        (&["get", &store, "0"], 0),
        (&["get", &store, "9"], 1),
        (&["scan", &store, "--where", "m = 1"], 1),
        (&["schema", &store], 0),
        (&["append", &store, "in.csv"], 0),
        (&["append", &store, "bad.csv"], 1),
        (&["set", &store, "0", "n=7"], 0),
        (&["set", &store, "0", "n=seven"], 1),
        (&["delete", &store, "0"], 0),
        (&["delete", &store, "0"], 1),
        (&["checkpoint", &store], 0),
        (&["verify", &store], 0),
        (&["verify", &store, "--rebuild"], 0),
        (&["verify", "in.csv"], 1),
        (&["verify", &csv], 1),
        (&["salvage", &store, &other], 0),
        (&["salvage", &store, &other], 1),
        (&["backup", &store, &other, "--force"], 0),
        (&["compact", &store, &other, "--force"], 0),
        (&["export", &store, &out, "--force"], 0),
        (&["export", &store, &out], 1),
        (&["export", &store, &other], 1),
        (&["load", &store, &store], 1),
        // As a shell's wildcard may give them.
        (&["info", "in.csv", &store], 2),
        (&[&store], 2),
        (&["append", "s.rec", "in.csv", "--wait", &store], 2),
    ];
    for (args, status) in all {
        let ran = place.run(*args);
        assert_eq!(ran.status, Some(*status), "{args:?}: {ran:?}");
        check_shown(&ran, &format!("{args:?}"));
    }
    let said = place.error(["info", &format!("{HOSTILE}.none")]);
    assert!(said.starts_with(&format!("open {ESCAPED}.none: not found")), "{said}");
    let json = place.ok(["info", &store, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["path"].as_str().unwrap(), store, "JSON must have the unchanged name");
}

/// Commands wrote the names and texts of a store's fields unchanged too. A field's name has no
/// control characters, but may have other special ones.
#[test]
fn no_text_of_a_store_commands_the_terminal() {
    const FIELD: &str = "a\u{202e}cer";
    let place = Place::new();
    place.write("in.csv", format!("\"{FIELD}\",text\n1,\"{HOSTILE}\"\n"));
    for (args, status) in [
        (&["load", "in.csv", "s.rec"][..], 0),
        (&["info", "s.rec"], 0),
        (&["schema", "s.rec"], 0),
        (&["get", "s.rec", "0"], 0),
        (&["scan", "s.rec"], 0),
        (&["tail", "s.rec"], 0),
        (&["set", "s.rec", "0", &format!("{FIELD}=7")], 0),
        (&["set", "s.rec", "0", &format!("{FIELD}=x")], 1),
        (&["set", "s.rec", "0", &format!("no {HOSTILE}=x")], 1),
        (&["scan", "s.rec", "--select", &format!("no {HOSTILE}")], 1),
        (&["scan", "s.rec", "--where", &format!("\"{FIELD}\"")], 1),
        (&["append", "s.rec", "other.csv"], 1),
        (&["load", "hostile.csv", "o.rec"], 1),
        (&["load", "hostile.csv", "s.rec", "--append"], 1),
    ] {
        place.write("hostile.csv", format!("\"{HOSTILE}\"\n1\n"));
        place.write("other.csv", format!("\"{FIELD}\",text\n\"{HOSTILE}\",b\n"));
        let ran = place.run(args);
        assert_eq!(ran.status, Some(status), "{args:?}: {ran:?}");
        check_shown(&ran, &format!("{args:?}"));
    }
    let csv = place.ok(["scan", "s.rec", "--format", "csv"]);
    assert_eq!(csv, format!("{FIELD},text\n7,\"{HOSTILE}\"\n"), "CSV must have the unchanged text");
}

/// `scan /dev/fd/3` failed because there was no lock file in `/dev/fd`; run by root, `info
/// /dev/stdin` created `/dev/stdin-lock`.
#[cfg(target_os = "linux")]
#[test]
fn a_store_is_read_by_the_path_of_its_descriptor() {
    let place = Place::new();
    place.write("in.csv", "n\n1\n2\n");
    place.ok(["load", "in.csv", "s.rec", "--deletes"]);
    place.ok(["load", "in.csv", "gone.rec", "--deletes"]);
    let run = |line: &str| {
        let mut command = Command::new("sh");
        command.current_dir(place.0.path()).args(["-c", line, env!("CARGO_BIN_EXE_flatrec")]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let beside = || {
        let entries = std::fs::read_dir("/dev").unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.contains("-lock") || name.contains("-wal")).collect::<Vec<_>>()
    };
    let before = beside();
    std::os::unix::fs::symlink("/dev/fd/3", place.path("link")).unwrap();
    for path in ["/dev/fd/3", "/proc/self/fd/3", "/dev/stdin", "link"] {
        let redirected = "3<s.rec </dev/fd/3";
        assert_eq!(run(&format!("\"$0\" scan {path} --count {redirected}")), "2\n", "{path}");
        assert!(run(&format!("\"$0\" verify {path} {redirected}")).ends_with("no doubts\n"));
        run(&format!("\"$0\" info {path} {redirected}"));
        run(&format!("\"$0\" tail {path} {redirected}"));
        // A file without a name is read normally.
        let lost = "cp gone.rec lost.rec; exec 3<lost.rec </dev/fd/3; rm lost.rec;";
        assert_eq!(run(&format!("{lost} \"$0\" scan {path} --count")), "2\n", "{path}");
        assert!(run(&format!("{lost} \"$0\" verify {path}")).contains(": 2 records, "));
        run(&format!("{lost} \"$0\" info {path}"));
        let refused = format!("{lost} ! \"$0\" set {path} 0 n=9 2>said; cat said");
        let said = run(&refused);
        assert!(
            said.contains("a file without a name cannot have files beside it"),
            "{path}: {said}"
        );
        // A file that was put in the place of another is not that one.
        let moved =
            "cp gone.rec lost.rec; exec 3<lost.rec </dev/fd/3; rm lost.rec; echo >lost.rec;";
        assert_eq!(run(&format!("{moved} \"$0\" scan {path} --count; rm lost.rec")), "2\n");
    }
    // A writer by the descriptor's path shares the lock file with a writer by the name.
    run("exec 3<s.rec; \"$0\" set /dev/fd/3 0 n=9");
    let writer = DynStore::open(place.path("s.rec")).unwrap();
    assert_eq!(run("! \"$0\" set /dev/fd/3 0 n=8 3<s.rec 2>/dev/null; echo refused"), "refused\n");
    drop(writer);
    assert_eq!(place.ok(["get", "s.rec", "0", "--format", "csv"]), "n\n9\n");
    assert_eq!(beside(), before);
    let mut expected = [
        "gone.rec",
        "gone.rec-lock",
        "gone.rec-sum",
        "in.csv",
        "link",
        "s.rec",
        "s.rec-lock",
        "s.rec-sum",
        "said",
    ];
    expected.sort();
    assert_eq!(place.files(), expected);
}
