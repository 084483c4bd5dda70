//! The command with the paths, line ends and standard output of Windows.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;

use super::skip::skip;
use super::*;

const CSV: &str = "id,name\n1,Łukasz\n2,航班\n3,🦀\n";

/// Finds a byte order mark or a CR that becomes a part of a value.
#[test]
fn text_from_windows_editors_loads_like_any_other() {
    let place = Place::new();
    place.write("plain.csv", CSV);
    place.write("notepad.csv", format!("\u{feff}{}", CSV.replace('\n', "\r\n")));
    for name in ["plain", "notepad"] {
        place.ok(["load", &format!("{name}.csv"), &format!("{name}.rec")]);
        place.ok(["export", &format!("{name}.rec"), &format!("{name}.out.csv")]);
        assert_eq!(place.read(&format!("{name}.out.csv")), CSV, "{name}");
    }
    let schema = place.ok(["schema", "notepad.rec", "--as", "json"]);
    assert_eq!(schema, place.ok(["schema", "plain.rec", "--as", "json"]));
    // A schema that an editor there has saved.
    place.write("schema.json", format!("\u{feff}{}", schema.replace('\n', "\r\n")));
    place.ok(["load", "plain.csv", "given.rec", "--schema", "schema.json"]);
}

/// Finds an output that Windows translates: it must be UTF-8 without a CR before each LF.
#[test]
fn output_is_not_translated() {
    let place = Place::new();
    place.write("in.csv", CSV);
    assert!(!place.ok(["load", "in.csv", "n.rec"]).contains('\r'));
    assert_eq!(place.ok(["scan", "n.rec", "--format", "csv"]), CSV);
    let table = place.ok(["scan", "n.rec"]);
    assert!(
        table.contains("Łukasz\n") && table.contains("🦀\n") && !table.contains('\r'),
        "{table}"
    );
    assert!(!place.ok(["info", "n.rec"]).contains('\r'));
    let found = place.ok(["scan", "n.rec", "--where", "name = '航班'", "--format", "ndjson"]);
    assert_eq!(found, "{\"id\":2,\"name\":\"航班\"}\n", "the argument in UTF-16 lost characters");
}

/// Finds a name that the command passes on in the system's code page.
#[test]
fn a_store_has_a_name_in_any_language() {
    let place = Place::new();
    place.write("in.csv", CSV);
    for name in ["Größe.rec", "航班記錄.rec", "🦀.rec"] {
        let loaded = place.ok(["load", "in.csv", name]);
        assert!(loaded.contains(&format!("into {name}\n")), "{loaded}");
        assert!(place.ok(["info", name]).contains(name));
        place.ok(["set", name, "0", "name=Ö"]);
        assert!(place.ok(["verify", name]).starts_with(name));
        assert!(
            place.error(["load", "in.csv", name]).starts_with(&format!("{name} exists already"))
        );
    }
    // Half of an emoji is not Unicode.
    let half = OsString::from_wide(&[u16::from(b'a'), 0xd83e]);
    let shown = place.error([OsStr::new("info"), &half]);
    assert!(shown.starts_with("open a\u{fffd}: not found"), "{shown}");
    if std::fs::write(place.0.path().join(&half), "").is_err() {
        skip!("this system refuses a file name that is not Unicode");
        return;
    }
    std::fs::remove_file(place.0.path().join(&half)).unwrap();
    assert!(place.ok([OsStr::new("load"), OsStr::new("in.csv"), &half]).contains("a\u{fffd}"));
    assert_eq!(place.ok([OsStr::new("get"), &half, OsStr::new("0")]).lines().count(), 2);
}

/// Finds a message with another form of the path than the user's.
#[test]
fn paths_are_shown_as_they_were_given() {
    let place = Place::new();
    place.write("in.csv", CSV);
    let absolute = place.path("n.rec").display().to_string();
    let (drive, rooted) = absolute.split_once(':').expect("a drive");
    let ways = [
        "n.rec".into(),
        r".\n.rec".into(),
        "./n.rec".into(),
        format!("{drive}:n.rec"),
        rooted.to_owned(),
        absolute.replace('\\', "/"),
        absolute.clone(),
        format!(r"\\?\{absolute}"),
    ];
    for way in &ways {
        let loaded = place.ok(["load", "in.csv", way, "--force"]);
        assert!(loaded.contains(&format!(" into {way}\n")), "{loaded}");
        assert!(place.ok(["info", way]).contains(&format!(" {way}\n")));
        let error = place.error(["get", way, "9"]);
        assert!(error.contains(way) && error.contains(r"\\?\") == way.contains(r"\\?\"), "{error}");
    }
    assert_eq!(place.files(), ["in.csv", "n.rec", "n.rec-lock", "n.rec-sum"]);
    // Longer than 260 characters.
    let deep = ["d".repeat(120), "d".repeat(120), "n.rec".into()].join(r"\");
    std::fs::create_dir_all(place.path(&deep).parent().unwrap()).unwrap();
    for way in [deep.clone(), place.path(&deep).display().to_string()] {
        assert!(place.ok(["load", "in.csv", &way, "--force"]).contains(&way));
        place.ok(["set", &way, "0", "id=7"]);
        assert!(place.ok(["verify", &way]).starts_with(&way));
        let error = place.error(["load", "in.csv", &way]);
        assert!(error.starts_with(&format!("{way} exists already")), "{error}");
    }
}

/// Finds a name that Windows changes or opens as a device.
#[test]
fn invalid_names_of_stores_are_refused_with_a_reason() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "n.rec"]);
    let before = place.files();
    for (name, why) in [
        ("NUL", "the name of a device"),
        ("con", "the name of a device"),
        (r"\\.\COM1", "the name of a device"),
        ("n.rec:stream", "a stream of another file"),
        ("n.rec::$DATA", "a stream of another file"),
        ("n.rec.", "cuts dots and spaces"),
        ("n.rec ", "cuts dots and spaces"),
        // The shell expands no wildcards, and no command takes several stores.
        ("*.rec", "without any of"),
        ("a<b>.rec", "without any of"),
    ] {
        let load = ["load", "in.csv", name, "--force"];
        for command in [&["info", name][..], &["verify", name], &["set", name, "0", "id=1"], &load]
        {
            let error = place.error(command);
            assert!(error.contains(name) && error.contains(why), "{command:?}: {error}");
            assert!(!error.contains(r"\\?\"), "{error}");
        }
        assert!(place.error(&load[..3]).contains(name));
    }
    assert_eq!(place.files(), before);
}

/// Finds a `--rejects NUL` that fails or makes a file.
#[test]
fn rejected_rows_can_go_to_nul() {
    let place = Place::new();
    place.write("in.csv", "n\n1\n2\n");
    place.ok(["load", "in.csv", "n.rec"]);
    place.write("bad.csv", "n\n3\nx\n");
    let appended = place.ok(["append", "n.rec", "bad.csv", "--rejects", "NUL"]);
    assert!(appended.contains("rejected  1 row"), "{appended}");
    assert_eq!(place.files(), ["bad.csv", "in.csv", "n.rec", "n.rec-lock", "n.rec-sum"]);
}

/// Finds a command that takes a name in other capitals for another file.
#[test]
fn no_command_overwrites_a_file_by_its_name_in_other_capitals() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "n.rec"]);
    let (text, store) = (bytes(&place.path("in.csv")), bytes(&place.path("n.rec")));
    for (args, why) in [
        (&["load", "in.csv", "IN.CSV", "--force"][..], "IN.CSV is the same file as in.csv"),
        (&["load", "in.csv", "in.CSV"], "in.CSV is the same file as in.csv"),
        (&["backup", "n.rec", "N.REC", "--force"], "the same"),
        (&["load", "in.csv", "N.REC"], "N.REC exists already"),
        (&["load", "in.csv", "new.rec", "--rejects", "NEW.rec"], "would overwrite that file"),
        (&["load", "in.csv", "new.rec", "--rejects", "New.Rec-Lock"], "would overwrite that file"),
        (
            &["load", "in.csv", "new.rec", "--rejects", "IN.csv", "--force"],
            "would overwrite that file",
        ),
    ] {
        let error = place.error(args);
        assert!(error.contains(why), "{args:?}: {error}");
    }
    assert_eq!((bytes(&place.path("in.csv")), bytes(&place.path("n.rec"))), (text, store));
    assert!(!place.path("new.rec").exists());
}
