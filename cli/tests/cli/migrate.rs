//! `migrate` and `diff-schema`.

use std::process::Child;

use super::*;

/// `trades.rec`: a number, a text that has numbers, a nullable number.
fn trades(rows: u32) -> Place {
    let place = Place::new();
    let mut csv = String::from("id,px,delay\n");
    for n in 0..rows {
        let delay = if n % 3 == 0 { "NA".to_owned() } else { (n % 500).to_string() };
        csv.push_str(&format!("{n},p{},{delay}\n", n % 100));
    }
    place.write("in.csv", csv);
    place.ok(["load", "in.csv", "trades.rec", "--null", "NA"]);
    place
}

fn fields(place: &Place, store: &str) -> Vec<(String, String)> {
    let text = place.ok(["schema", store, "--format", "csv"]);
    let line = |line: &str| {
        let mut cells = line.split(',');
        (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned())
    };
    text.lines().skip(1).map(line).collect()
}

/// Finds an option that does something else than its help says, or edits in another order.
#[test]
fn each_option_changes_the_schema_as_its_name_says() {
    let place = trades(600);
    let told = place.ok([
        "migrate",
        "trades.rec",
        "--rename",
        "px=delay",
        "--rename=delay=px",
        "--widen",
        "delay=float64",
        "--nullable",
        "id",
        "--add",
        "\"the venue\" utf8(4) nullable",
        "--add",
        "at timestamp(ms) utc",
        "--fill",
        "at=2024-01-01T00:00Z",
        "--add",
        "rgb uint8[3]",
        "--fill",
        "rgb=[1,2,3]",
    ]);
    assert!(told.starts_with("migrated 600 records of trades.rec: trades.rec has "), "{told}");
    assert!(told.ends_with("; added the venue, at, rgb\n"), "{told}");
    let expected = [
        ("id", "int64"),
        ("delay", "utf8(3)"),
        ("px", "float64"),
        ("the venue", "utf8(4)"),
        ("at", "timestamp(ms)"),
        ("rgb", "uint8[3]"),
    ];
    let expected = expected.map(|(name, data_type)| (name.to_owned(), data_type.to_owned()));
    assert_eq!(fields(&place, "trades.rec"), expected);
    let records = place.ok(["get", "trades.rec", "3", "4", "--format", "csv"]);
    assert_eq!(
        records,
        "id,delay,px,the venue,at,rgb\n\
         3,p3,,,2024-01-01T00:00:00Z,\"[1,2,3]\"\n\
         4,p4,4.0,,2024-01-01T00:00:00Z,\"[1,2,3]\"\n"
    );
    place.ok(["migrate", "trades.rec", "--drop", "\"the venue\"", "--drop=rgb", "--drop", "at"]);
    assert_eq!(fields(&place, "trades.rec").len(), 3);
    assert!(place.ok(["verify", "trades.rec"]).contains("600 records, checksums"));
    // The words for null go with the store.
    place.write("more.csv", "id,delay,px\n600,x,NA\n");
    place.ok(["append", "trades.rec", "more.csv"]);
    assert_eq!(place.ok(["scan", "trades.rec", "--count", "--where", "px is null"]), "201\n");
}

/// Finds values that are lost without a word, or a list that is not whole.
#[test]
fn values_that_do_not_fit_are_listed_or_set_aside() {
    let place = trades(600);
    let before = std::fs::read(place.path("trades.rec")).unwrap();
    let narrow = ["migrate", "trades.rec", "--type", "delay=int8"];
    let ran = place.run(narrow);
    assert_eq!((ran.status, &*ran.stdout), (Some(1), ""));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 22, "{}", ran.stderr);
    assert_eq!(lines[0], "flatrec: record 128, delay: 128 is out of range");
    assert_eq!(lines[20], "flatrec: … and 228 more");
    assert!(lines[21].contains("248 values do not fit the new schema; nothing was changed"));
    assert!(lines[21].ends_with("set such records aside with --rejects FILE)"), "{}", lines[21]);
    assert_eq!(std::fs::read(place.path("trades.rec")).unwrap(), before);

    let ran = place.run([&narrow[..], &["--rejects", "bad.csv"]].concat());
    assert_eq!(ran.status, Some(0));
    assert!(
        ran.stderr.starts_with("note: 248 records had values that do not fit; "),
        "{}",
        ran.stderr
    );
    let bad = place.read("bad.csv");
    let mut lines = bad.lines();
    assert_eq!(lines.next(), Some("record,field,value,reason"));
    assert_eq!(lines.next(), Some("128,delay,128,128 is out of range"));
    assert_eq!(lines.count(), 247);
    assert_eq!(place.ok(["scan", "trades.rec", "--count"]), "352\n");
    let text = place.error(["migrate", "trades.rec", "--type", "id=int8", "--rejects", "bad.csv"]);
    assert!(text.contains("--rejects bad.csv exists already"), "{text}");
    assert_eq!(place.read("bad.csv"), bad);
}

/// Finds an error without a remedy, or one whose command line does not work.
#[test]
fn wrong_changes_are_refused_with_what_to_do() {
    let place = trades(9);
    place.write("new.json", r#"{"fields": [{"name": "price", "type": "utf8(3)"}]}"#);
    let files = place.files();
    let by_schema = ["migrate", "trades.rec", "--schema", "new.json", "--rename", "px=price"];
    let text = place.error(by_schema);
    assert!(text.ends_with("or to lose the values --drop=id --drop=delay"), "{text}");
    let error = |args: &[&str], said: &str| {
        let text = place.error([&["migrate", "trades.rec"], args].concat());
        assert!(text.contains(said), "{text}");
    };
    error(&["--rename", "dela=x"], "there is no field dela (the nearest name is delay)");
    error(&["--add", "lot uint16"], "field lot: the field is new and cannot be null (see the");
    error(&["--type", "id=binary(3)"], "field id: int64 cannot become binary(3)");
    error(&["--type", "id=int32", "--fill", "id=x"], "\"x\"");
    error(&["--metadata", "no.txt"], "--metadata no.txt: ");
    error(&["--type", "id=int32", "--out", "trades.rec"], "trades.rec");
    let usage = |args: &[&str], said: &str| {
        let text = place.usage([&["migrate", "trades.rec"], args].concat());
        assert!(text.contains(said), "{text}");
    };
    usage(&[], "there is no change to make");
    usage(&["--add", "lot"], "write it as 'NAME TYPE'");
    usage(&["--add", "lot int3"], "types are bool, int8");
    usage(&["--add", "lot int32 null"], "\"null\" is not nullable, utc or big_endian");
    usage(&["--rename", "x"], "write it as OLD=NEW");
    usage(&["--schema", "new.json", "--nullable", "id"], "cannot be used with");
    assert_eq!(place.files(), files);
    place.ok([&by_schema[..], &["--drop=id", "--drop=delay"]].concat());
    assert_eq!(fields(&place, "trades.rec"), [("price".to_owned(), "utf8(3)".to_owned())]);
    let told = place.ok(["migrate", "trades.rec", "--schema", "new.json"]);
    assert_eq!(told, "trades.rec has this schema already: nothing was changed\n");
}

/// Finds a dry run that writes, an `--out` that touches the store, or metadata that get lost.
#[test]
fn a_copy_leaves_the_store_as_it_is() {
    let place = trades(9);
    let before = std::fs::read(place.path("trades.rec")).unwrap();
    let args = ["migrate", "trades.rec", "--type", "id=int16"];
    let told = place.ok([&args[..], &["--dry-run"]].concat());
    assert_eq!(told, "9 records of trades.rec would fit; nothing was changed\n");
    assert_eq!(place.files(), ["in.csv", "trades.rec", "trades.rec-lock", "trades.rec-sum"]);
    place.write("about.txt", "from A");
    place.ok([&args[..], &["--out", "new.rec", "--metadata", "about.txt"]].concat());
    assert_eq!(std::fs::read(place.path("trades.rec")).unwrap(), before);
    assert_eq!(
        DynStore::open_read_only(place.path("new.rec")).unwrap().metadata().unwrap(),
        b"from A"
    );
    let text = place.error([&args[..], &["--out", "new.rec"]].concat());
    assert!(text.ends_with("(choose another path, or replace it with --force)"), "{text}");
    place.ok([&args[..], &["--out", "new.rec", "--force"]].concat());
    assert!(
        DynStore::open_read_only(place.path("new.rec")).unwrap().metadata().unwrap().is_empty()
    );

    let ran = place.run(["diff-schema", "trades.rec", "new.rec"]);
    assert_eq!(
        (ran.status, &*ran.stdout),
        (
            Some(1),
            "~ id: int64 -> int16\n\
             ~ (record): 19 bytes -> 13 bytes\n\
             (2 more fields lie at other places)\n"
        )
    );
    assert_eq!(ran.stderr, "flatrec: trades.rec and new.rec: 2 differences\n");
    let json = place.run(["diff-schema", "trades.rec", "new.rec", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["field"], "id");
    assert_eq!(json[0]["b"], "int16");
    assert_eq!(place.ok(["diff-schema", "new.rec", "new.rec"]), "");
}

/// Kills migrations at any moment, and goes on with each: finds records that are lost or doubled,
/// or a store that a kill leaves half changed.
#[test]
fn killed_migrations_are_resumed() {
    let place = trades(60_000);
    place.ok(["migrate", "trades.rec", "--out", "expected.rec", "--widen", "px=utf8(40)"]);
    let expected = place.ok(["export", "expected.rec", "-"]);
    let before = place.ok(["export", "trades.rec", "-"]);
    let args = ["migrate", "trades.rec", "--widen", "px=utf8(40)", "--resume"];
    let spawn = || -> Child {
        let mut command = place.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for kills in 0.. {
        let mut child = spawn();
        // Later each time, by the work that the migration has done and not by the clock.
        let steps = kills * 40;
        for _ in 0..steps {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::yield_now();
        }
        let _ = child.kill();
        let ended = child.wait_with_output().unwrap();
        if ended.status.success() {
            assert!(kills > 0, "no migration was killed");
            break;
        }
        let now = place.ok(["export", "trades.rec", "-"]);
        assert!(now == before || now == expected, "after {kills} kills");
    }
    assert_eq!(place.ok(["export", "trades.rec", "-"]), expected);
    assert!(place.ok(["verify", "trades.rec"]).contains("60000 records, checksums"));
    assert!(place.files().iter().all(|name| !name.contains("unfinished")), "{:?}", place.files());
}

/// Finds metadata that a command loses or changes, or that a resumed load takes from another file.
#[test]
fn metadata_are_set_by_load_kept_by_every_copy_and_written_again() {
    let place = Place::new();
    let about: Vec<u8> = (0..=255).collect();
    place.write("about.bin", &about);
    place.write("in.csv", "n\n1\n2\n");
    place.ok(["load", "in.csv", "n.rec", "--deletes", "--metadata", "about.bin"]);
    place.ok(["backup", "n.rec", "backup.rec"]);
    place.ok(["compact", "n.rec", "compact.rec"]);
    place.ok(["salvage", "n.rec", "saved.rec"]);
    place.ok(["migrate", "n.rec", "--nullable", "n"]);
    place.ok(["append", "n.rec", "in.csv"]);
    for store in ["n.rec", "backup.rec", "compact.rec", "saved.rec"] {
        let output = output_of(&mut place.command(["info", store, "--metadata"]));
        assert_eq!((output.status.code(), output.stdout), (Some(0), about.clone()), "{store}");
    }
    place.ok(["load", "in.csv", "plain.rec"]);
    assert_eq!(place.ok(["info", "plain.rec", "--metadata"]), "");
    let text = place.error(["load", "in.csv", "x.rec", "--metadata", "none"]);
    assert!(text.starts_with("--metadata none: "), "{text}");
    assert!(!place.path("x.rec").exists());
}
