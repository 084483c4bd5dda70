//! Every format as input and output of the commands: pipes, endings, damage, lengths, and loads
//! that are cut.

use super::resume::cut_by;
use super::*;

/// The endings that this build loads and exports.
fn endings() -> Vec<&'static str> {
    let optional: &[&str] =
        if cfg!(feature = "parquet") { &["arrow", "arrows", "parquet"] } else { &[] };
    [&["ndjson", "npy"], optional].concat()
}

/// The name that `--format` and `--as` have for an ending.
fn named(ending: &str) -> [&str; 2] {
    match ending {
        "arrows" => ["arrow", "arrow-stream"],
        other => [other, other],
    }
}

const ROWS: &str = "n,name,x\n1,one,0.5\n2,,-3.0\n,three,\n4,four,1e300\n";

/// A place with `in.rec`, and the same records in a file of every format.
fn place() -> Place {
    let place = Place::new();
    place.write("in.csv", ROWS);
    place.ok(["load", "in.csv", "in.rec", "--text-width", "8"]);
    for ending in endings() {
        place.ok(["export", "in.rec", &format!("in.{ending}")]);
    }
    place
}

fn piped(place: &Place, args: &[&str], input: &[u8]) -> Ran {
    let mut child = place
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its input closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Finds a format that a pipe changes, in either direction, or an append that loses rows.
#[test]
fn every_format_goes_through_pipes() {
    let place = place();
    for ending in endings() {
        let [input, output] = named(ending);
        let file = std::fs::read(place.path(&format!("in.{ending}"))).unwrap();
        let store = format!("{ending}.rec");
        let schema = ["--schema", "in.rec"];
        let load = [&["load", "-", &*store, "--format", input][..], &schema].concat();
        let ran = piped(&place, &load, &file);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{ending}");
        assert_eq!(place.ok(["export", &*store, "-"]), ROWS, "{ending}");
        let ran = piped(&place, &["append", &store, "-", "--format", input], &file);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{ending}");
        assert_eq!(place.ok(["scan", &*store, "--count"]).trim(), "8", "{ending}");

        let ran = output_of(&mut place.command(["export", "in.rec", "-", "--as", output]));
        assert_eq!(ran.status.code(), Some(0), "{ending}");
        assert!(ran.stdout == file, "{ending}");
    }
    assert!(!place.files().iter().any(|name| name.contains("unfinished")));
}

/// Finds an append of columns that the store does not have, or that changes the store and fails.
#[test]
fn an_append_of_other_columns_changes_nothing() {
    let place = place();
    place.write("other.csv", "n,title,x\n1,a,2\n");
    place.ok(["load", "other.csv", "other.rec"]);
    let before = bytes(&place.path("other.rec"));
    for ending in endings() {
        let said = place.error(["append", "other.rec", &*format!("in.{ending}")]);
        assert!(said.contains("name"), "{ending}: {said}");
        assert!(before == bytes(&place.path("other.rec")), "{ending}");
    }
}

/// Finds an ending that is believed although the bytes say otherwise, or `--format` that is not.
#[test]
fn a_wrong_ending_is_an_error_and_the_format_overrides_it() {
    let place = place();
    let endings = endings();
    for ending in &endings {
        for other in endings.iter().filter(|other| named(other)[0] != named(ending)[0]) {
            let wrong = format!("wrong.{other}");
            std::fs::copy(place.path(&format!("in.{ending}")), place.path(&wrong)).unwrap();
            // An array of numpy is told by its first bytes, and read in place.
            if *ending != "npy" {
                let said = place.error(["load", &wrong, "o.rec"]);
                let is_named =
                    ["load", "read"].map(|it| said.starts_with(&format!("{it} {wrong}: ")));
                assert!(is_named.contains(&true), "{ending} as {other}: {said}");
            }
            assert!(!place.path("o.rec").exists());
            place.ok(["load", &wrong, "o.rec", "--format", named(ending)[0], "--schema", "in.rec"]);
            assert_eq!(place.ok(["export", "o.rec", "-"]), ROWS, "{ending} as {other}");
            for name in ["o.rec", "o.rec-lock", "o.rec-sum"] {
                std::fs::remove_file(place.path(name)).unwrap();
            }
        }
    }
}

/// Finds a cut file that is loaded, a replaced store that is lost with it, or files left behind.
#[test]
fn a_cut_file_replaces_nothing() {
    let place = place();
    place.write("old.csv", "n\n7\n");
    place.ok(["load", "old.csv", "o.rec"]);
    let before = bytes(&place.path("o.rec"));
    for ending in endings() {
        let file = format!("in.{ending}");
        let whole = std::fs::read(place.path(&file)).unwrap();
        let files = place.files();
        for len in [whole.len() - 10, whole.len() / 2, 9] {
            std::fs::write(place.path(&file), &whole[..len]).unwrap();
            let load = ["load", &*file, "o.rec", "--force"];
            // A stream may end without its mark.
            if ending == "arrows" && len == whole.len() - 10 {
                continue;
            }
            let said = place.error(load);
            assert!(said.contains(&file), "{ending}, {len} bytes: {said}");
            assert_eq!(place.files(), files, "{ending}, {len} bytes");
            assert!(before == bytes(&place.path("o.rec")), "{ending}, {len} bytes");
        }
        let said = place.error(["append", "o.rec", &*file]);
        assert!(said.contains(&file), "{ending}: {said}");
        std::fs::write(place.path(&file), &whole).unwrap();
        // Whole again.
        place.ok(["load", &*file, "o.rec", "--force", "--schema", "in.rec"]);
        assert_eq!(place.ok(["export", "o.rec", "-"]), ROWS, "{ending}");
        place.ok(["load", "old.csv", "o.rec", "--force", "--no-checksums"]);
        std::fs::write(place.path("o.rec"), &before).unwrap();
        let said = place.error(["load", &*file, &*file, "--force"]);
        assert!(said.contains("same file") || said.contains("not a"), "{ending}: {said}");
        assert!(whole == std::fs::read(place.path(&file)).unwrap(), "{ending}");
    }
}

/// Finds no row, or one, that becomes another number of rows.
#[test]
fn no_row_and_one_row_come_back() {
    let place = place();
    for ending in endings() {
        for (range, csv) in [("0..0", "n,name,x\n"), ("1..2", "n,name,x\n2,,-3.0\n")] {
            let (file, store) = (format!("few{range}.{ending}"), format!("{ending}{range}.rec"));
            place.ok(["export", "in.rec", &file, "--range", range]);
            place.ok(["load", &file, &store, "--schema", "in.rec"]);
            assert_eq!(place.ok(["export", &store, "-"]), csv, "{ending}");
            place.ok(["append", &store, &file]);
            let said = place.run(["load", &file, "typed.rec", "--force"]);
            match ending {
                // It has neither names nor types.
                "ndjson" if range == "0..0" => assert!(said.stderr.contains("no JSON object")),
                _ => assert_eq!(said.status, Some(0), "{ending}: {}", said.stderr),
            }
        }
    }
}

/// Rows for some blocks; `delay` of one in a thousand is too large for an int16.
fn many_rows() -> String {
    let row = |n: u32| {
        let delay = if n % 1000 == 13 { 100_000 } else { n / 4 % 30_000 };
        format!("{n},a name of some length,{delay}\n")
    };
    format!("id,name,delay\n{}", (0..120_000).map(row).collect::<String>())
}

const NARROW: &str = r#"{ "fields": [
    { "name": "id", "type": "uint32" },
    { "name": "name", "type": "utf8(25)" },
    { "name": "delay", "type": "int16", "nullable": true }
] }"#;

/// Finds a kill after which a resumed load of some format loses a row, loads it twice, or sets it
/// aside twice.
#[test]
fn a_killed_load_of_every_format_is_resumed() {
    let place = Place::new();
    place.write("in.csv", many_rows());
    place.write("schema.json", NARROW);
    place.ok(["load", "in.csv", "in.rec"]);
    let mut expected = None;
    for ending in endings() {
        let file = format!("in.{ending}");
        place.ok(["export", "in.rec", &*file]);
        let load = ["load", &*file, "out.rec", "--schema", "schema.json", "--rejects", "bad.csv"];
        let load = [&load[..], &["--progress-every", "1"]].concat();
        let result = || {
            let csv = place.ok(["export", "out.rec", "-"]);
            let rejects = place.read("bad.csv");
            for name in place.files() {
                if name.starts_with("out.rec") || name == "bad.csv" {
                    std::fs::remove_file(place.path(&name)).unwrap();
                }
            }
            (csv, rejects)
        };
        place.ok(load.clone());
        let (csv, rejects) = result();
        assert_eq!(rejects.lines().count(), 121, "{ending}");
        assert_eq!(csv.lines().count(), 120_001 - 120, "{ending}");
        assert!(expected.get_or_insert_with(|| csv.clone()) == &csv, "{ending}");

        cut_by(&place, &load, |child| child.kill().unwrap());
        let out = place.ok([&load[..], &["--resume"]].concat());
        assert!(out.contains("resumed   behind row "), "{ending}: {out}");
        assert!(result() == (csv, rejects), "{ending}");
    }
}

/// Finds a null word or a narrow type of CSV that NDJSON does not have, or one that changes a text.
#[test]
fn null_texts_and_narrow_types_are_for_ndjson_too() {
    let place = Place::new();
    let line = |n: &str, s: &str| format!("{{\"n\":{n},\"x\":0.5,\"s\":\"{s}\"}}\n");
    place.write("in.ndjson", [line("300", "NA"), line("\"NA\"", "b")].concat());
    place.ok(["load", "in.ndjson", "a.rec", "--null", "NA", "--narrow"]);
    assert_eq!(place.ok(["export", "a.rec", "-"]), "n,x,s\n300,0.5,\"NA\"\n,0.5,b\n");
    let shown = place.ok(["schema", "a.rec"]);
    assert!(shown.contains("int16") && shown.contains("float32"), "{shown}");
    // The store keeps the word.
    place.ok(["append", "a.rec", "in.ndjson"]);
    assert_eq!(place.ok(["scan", "a.rec", "--count", "--where", "n is null"]).trim(), "2");
    place.ok([
        "load",
        "in.ndjson",
        "b.rec",
        "--null-in",
        "s=NA",
        "--quoted-null",
        "--type",
        "n=utf8(3)",
    ]);
    assert_eq!(place.ok(["export", "b.rec", "-"]), "n,x,s\n300,0.5,\nNA,0.5,b\n");
    let said = place.run(["load", "in.ndjson", "c.rec", "--schema", "a.rec", "--null", "300"]);
    assert_eq!(said.status, Some(0), "{}", said.stderr);
    let said = place.usage(["load", "in.ndjson", "d.rec", "--decimal", "float"]);
    assert!(said.contains("only Arrow and Parquet have decimals"), "{said}");
}
