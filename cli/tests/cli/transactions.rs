//! `set`, `append` and `delete` as transactions, and their log.

use flatrec::{Durability, DynDatabase};

use super::*;

/// A store of the numbers 0 to 9 with deletes, `n.rec`.
fn numbers(place: &Place) -> PathBuf {
    let path = place.path("n.rec");
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let database = DynDatabase::create_options().deletes(true).create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..10u64 {
        transaction.append(&n.to_le_bytes()).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    path
}

/// The records of a store, in their order.
fn records(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let database = DynDatabase::open(path).unwrap();
    let snapshot = database.begin_read().unwrap();
    snapshot.iter().map(|(id, record)| (id, record.to_vec())).collect()
}

fn ids(path: &Path) -> Vec<u64> {
    records(path).into_iter().map(|(id, _)| id).collect()
}

/// Finds a `delete` that deletes the records before a wrong one.
#[test]
fn delete_deletes_all_of_its_records_or_none() {
    let place = Place::new();
    let path = numbers(&place);
    assert_eq!(place.ok(["delete", "n.rec", "3"]), "1 record of n.rec was deleted, 9 are left\n");
    assert_eq!(
        place.ok(["delete", "n.rec", "9,0"]),
        "2 records of n.rec were deleted, 7 are left\n"
    );
    assert_eq!(ids(&path), [1, 2, 4, 5, 6, 7, 8]);
    let before = bytes(&path);
    for (args, why) in [
        (&["1", "3"][..], "n.rec: record 3 was deleted"),
        (&["1,3"], "n.rec: record 3 was deleted"),
        (&["1", "10"], "n.rec has no record 10: its last is 9"),
        (&["1", "2", "1"], "record 1 is named twice"),
    ] {
        assert_eq!(place.error([&["delete", "n.rec"], args].concat()), why);
    }
    assert!(bytes(&path)[65_536..] == before[65_536..]);
    assert_eq!(ids(&path), [1, 2, 4, 5, 6, 7, 8]);
    assert!(place.usage(["delete", "n.rec"]).contains("<ID>"));
    assert_eq!(place.files(), ["n.rec", "n.rec-lock"], "the command left its log");

    people(&place);
    assert_eq!(
        place.error(["delete", "people.rec", "1"]),
        "people.rec was made without deletes (load --deletes makes a store with them)"
    );
    assert_eq!(ids(&place.path("people.rec")), [0, 1, 2]);
}

/// Finds a `set` that revives a deleted record.
#[test]
fn a_deleted_record_cannot_be_set() {
    let place = Place::new();
    let path = numbers(&place);
    place.ok(["delete", "n.rec", "3"]);
    let before = records(&path);
    assert_eq!(place.error(["set", "n.rec", "2,3", "n=7"]), "n.rec: record 3 was deleted");
    assert_eq!(records(&path), before);
    assert_eq!(place.ok(["set", "n.rec", "2", "n=7"]), "n: 2 -> 7\n");
    assert_eq!(records(&path)[2], (2, 7u64.to_le_bytes().to_vec()));
}

/// Finds a `set` that changes the records before a missing one.
#[test]
fn set_changes_several_records_or_none() {
    let place = Place::new();
    let path = people(&place);
    assert_eq!(
        place.ok(["set", "people.rec", "2,0", "age=9", "--null", "score"]),
        "\
record 2, age: 7 -> 9
record 2, score: -1e300 -> null
record 0, age: 36 -> 9
record 0, score: 0.1 -> null
"
    );
    let before = records(&path);
    let text = place.error(["set", "people.rec", "1,3", "age=1"]);
    assert_eq!(text, "people.rec has no record 3: its last is 2");
    assert_eq!(place.error(["set", "people.rec", "1,1", "age=1"]), "record 1 is named twice");
    assert!(place.usage(["set", "people.rec", "1,x", "age=1"]).contains("invalid value '1,x'"));
    assert_eq!(records(&path), before);
    assert_eq!(place.files(), ["people.rec", "people.rec-lock"]);
}

/// The lines of `info` on commits and log.
fn log_of(place: &Place) -> Vec<String> {
    let info = place.ok(["info", "people.rec"]);
    let lines =
        info.lines().filter(|line| line.starts_with("last commit") || line.starts_with("log"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Finds a command that overwrites what a reader holds, or leaves a log that `checkpoint` cannot
/// end.
#[test]
fn beside_a_reader_changes_stay_in_the_log_until_it_has_ended() {
    let place = Place::new();
    let path = people(&place);
    assert_eq!(log_of(&place)[1], "log none");
    let reader = DynStore::open_read_only(&path).unwrap();
    let before = reader.get(1).unwrap().to_vec();
    place.ok(["set", "people.rec", "1", "age=41"]);
    place.ok(["set", "people.rec", "1", "age=42"]);
    place.write(
        "more.csv",
        "name,age,score,born,seen,nick name,admin,rgb\nBob,1,,2000-01-01,,,true,\"[0,0,0]\"\n",
    );
    assert!(place.ok(["append", "people.rec", "more.csv"]).contains("\nrecords   4 of "));
    assert_eq!((reader.count(), reader.get(1).unwrap()), (3, &before[..]));

    let ages = || place.ok(["scan", "people.rec", "--select", "age", "--format", "csv"]);
    assert_eq!(ages(), "age\n36\n42\n7\n1\n");
    let log = log_of(&place);
    assert!(log[1].starts_with("log live: 3 commits with changes of 2 records, "), "{log:?}");
    assert!(log[1].ends_with(" in 1 segment"), "{log:?}");
    let json: serde_json::Value =
        serde_json::from_str(&place.ok(["info", "people.rec", "--json"])).unwrap();
    assert_eq!(json["log"]["commits"], 3);
    assert_eq!(json["log"]["records"], 2);
    let commit = json["last_commit"].as_u64().unwrap();
    let text = place.error(["checkpoint", "people.rec"]);
    assert!(text.starts_with("people.rec keeps its log: a reader"), "{text}");

    drop(reader);
    assert_eq!(
        place.ok(["checkpoint", "people.rec"]),
        format!("people.rec: 2 records written to their places, up to commit {commit}\n")
    );
    assert_eq!(log_of(&place), [format!("last commit {commit}"), "log none".into()]);
    assert_eq!(place.files(), ["more.csv", "people.rec", "people.rec-lock"]);
    assert_eq!(ages(), "age\n36\n42\n7\n1\n");
    place.ok(["checkpoint", "people.rec"]);
}

/// Finds a kill after which a part of the rows is there.
#[test]
fn an_append_killed_anywhere_adds_all_rows_or_none() {
    let place = Place::new();
    place.write("in.csv", "a,b\n1,2\n");
    let rows: String = (0..150_000).map(|n| format!("{n},{}\n", n / 2)).collect();
    place.write("more.csv", format!("a,b\n{rows}"));
    place.ok(["load", "in.csv", "out.rec"]);
    let started = std::time::Instant::now();
    place.ok(["append", "out.rec", "more.csv"]);
    let time = started.elapsed();
    let mut count = 150_001;
    let mut cuts = 0;
    for kill in 1..=12u32 {
        let mut child = place.command(["append", "out.rec", "more.csv"]);
        let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(time.mul_f64((f64::from(kill) * 0.618_034).fract()));
        child.kill().unwrap();
        let added = child.wait().unwrap().success();
        let found: u64 = place.ok(["scan", "out.rec", "--count"]).trim().parse().unwrap();
        assert!(
            found == count + 150_000 || !added && found == count,
            "the store has {found} records after {count}"
        );
        cuts += u32::from(found == count);
        count = found;
    }
    assert!(cuts > 0, "every append ended before its kill");
    assert_eq!(place.ok(["set", "out.rec", "0", "a=5"]), "a: 1 -> 5\n");
    let verified = place.ok(["verify", "out.rec"]);
    assert!(
        verified.starts_with(&format!("out.rec: {count} records, checksums of ")),
        "{verified}"
    );
    assert!(verified.ends_with(" blocks, no doubts\n"), "{verified}");
}
