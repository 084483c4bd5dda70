//! Stores that take the file of the next month, and small ones.

use crate::Place;

const JANUARY: &str = "station,temp\nA,1.5\nB,2.5\n";
const FEBRUARY: &str = "station,temp\nA,\nLONGER,3.5\n";

fn months() -> Place {
    let place = Place::new();
    place.write("jan.csv", JANUARY);
    place.write("feb.csv", FEBRUARY);
    place
}

fn schema(place: &Place, store: &str) -> Vec<String> {
    let text = place.ok(["schema", store, "--format", "csv"]);
    text.lines().skip(1).map(str::to_owned).collect()
}

fn rows(place: &Place, store: &str) -> String {
    place.ok(["scan", store, "--format", "csv"])
}

/// Finds a store that does not take the next month although it was made for it.
#[test]
fn a_store_with_room_takes_the_next_month() {
    let place = months();
    place.ok(["load", "jan.csv", "year.rec", "--nullable", "--text-width", "16"]);
    place.ok(["append", "year.rec", "feb.csv"]);
    let expected = format!("{JANUARY}{}", FEBRUARY.replace("station,temp\n", ""));
    assert_eq!(rows(&place, "year.rec"), expected);

    place.ok(["load", "jan.csv", "one.rec", "--text-width", "station=6", "--nullable"]);
    place.ok(["append", "one.rec", "feb.csv"]);
    assert_eq!(schema(&place, "one.rec")[0], "station,utf8(6),0,7,nullable");
    // Of two widths the one with the name counts, in any order.
    let widths = ["--text-width", "station=6", "--text-width", "3"];
    place.ok([&["load", "jan.csv", "two.rec"][..], &widths].concat());
    assert_eq!(schema(&place, "two.rec")[0], "station,utf8(6),0,6,");

    let text = place.error(["load", "feb.csv", "no.rec", "--text-width", "3"]);
    assert!(text.contains("line 3: field station (utf8(3)): "), "{text}");
    let out = place.ok(["load", "feb.csv", "cut.rec", "--text-width", "3", "--rejects", "bad.csv"]);
    assert!(out.contains("rejected  1 rows"), "{out}");
    let text = place.error(["load", "jan.csv", "no.rec", "--text-width", "staton=3"]);
    assert!(text.contains("no column \"staton\" (did you mean \"station\"?)"), "{text}");
    let text = place.error(["load", "jan.csv", "no.rec", "--type", "temperature=int8"]);
    assert!(text.contains("no column \"temperature\" (the columns are "), "{text}");
    assert!(!place.path("no.rec").exists());

    for (option, why) in [
        (["--text-width", "x"], "number of bytes"),
        (["--text-width", "a=0"], "one byte at least"),
        (["--type", "int8"], "COLUMN=TYPE"),
        (["--type", "a=int9"], "types are bool, int8"),
    ] {
        let text = place.usage([&["load", "jan.csv", "no.rec"][..], &option].concat());
        assert!(text.contains(why), "{text}");
    }
    for option in
        [&["--nullable"][..], &["--text-width", "4"], &["--type", "a=int8"], &["--narrow"]]
    {
        let line = [&["load", "feb.csv", "year.rec", "--append"][..], option].concat();
        assert!(place.usage(line).contains("--append"));
    }
}

/// Finds options that do not reach a column whose name begins with a quote, and advice without it.
#[test]
fn a_name_with_quotes_is_quoted() {
    let place = Place::new();
    place.write("jan.csv", "\"\"\"q\"\"\",a=b\nA,1\n");
    place.write("feb.csv", "\"\"\"q\"\"\",a=b\nLONGER,1\n");
    place.ok(["load", "jan.csv", "jan.rec", "--type", "a=b=int8"]);
    assert_eq!(schema(&place, "jan.rec")[1], "a=b,int8,1,1,");
    let text = place.error(["append", "jan.rec", "feb.csv"]);
    assert!(text.contains("--type '\"\"\"q\"\"\"=utf8(6)'"), "{text}");
    place.ok(["load", "feb.csv", "feb.rec", "--text-width", "\"\"\"q\"\"\"=6"]);
    assert!(schema(&place, "feb.rec")[0].contains("utf8(6)"));
    let text = place.usage(["load", "feb.csv", "no.rec", "--text-width", "\"q=6"]);
    assert!(text.contains("quotes"), "{text}");
}

/// Finds a schema without its layout that makes a store as large as before.
#[test]
fn an_edited_schema_makes_a_smaller_store() {
    let place = Place::new();
    place.write("in.csv", "id,name,delay\n1,Ada,\n2,Al,-3\n");
    place.ok(["load", "in.csv", "wide.rec"]);
    let json = place.ok(["schema", "wide.rec", "--as", "json", "--no-layout"]);
    assert!(!json.contains("offset") && !json.contains("record_size"), "{json}");
    place.write("small.json", json.replace("int64", "int16"));
    let out = place.ok(["load", "in.csv", "small.rec", "--schema", "small.json"]);
    assert!(out.contains("records   2 of 8 bytes\n"), "{out}");
    assert_eq!(rows(&place, "small.rec"), rows(&place, "wide.rec"));
    let size = |name| place.path(name).metadata().unwrap().len();
    assert!(size("small.rec") < size("wide.rec"));

    for language in ["rust", "c", "numpy"] {
        let text = place.usage(["schema", "wide.rec", "--as", language, "--no-layout"]);
        assert!(text.contains("--no-layout is for --as json only"), "{text}");
    }
    place.usage(["schema", "wide.rec", "--no-layout"]);
}

/// Finds a store that cannot stand for its schema, or that the options do not change.
#[test]
fn a_store_gives_its_schema_to_a_load() {
    let place = months();
    place.ok(["load", "jan.csv", "jan.rec", "--type", "temp=float32"]);
    place.ok(["load", "jan.csv", "same.rec", "--schema", "jan.rec"]);
    assert_eq!(schema(&place, "same.rec"), schema(&place, "jan.rec"));
    let wider = ["--schema", "jan.rec", "--nullable", "--text-width", "station=6"];
    place.ok([&["load", "feb.csv", "wide.rec"][..], &wider].concat());
    assert_eq!(
        schema(&place, "wide.rec"),
        ["station,utf8(6),0,7,nullable", "temp,float32,7,5,nullable"]
    );
    let text = place.error(["load", "jan.csv", "jan.rec", "--schema", "jan.rec", "--force"]);
    assert!(text.contains("jan.rec"), "{text}");
    let narrow = ["load", "jan.csv", "n.rec", "--schema", "jan.rec", "--narrow"];
    assert!(place.usage(narrow).contains("--narrow"));
}

/// Finds a narrow store that is as large as a wide one, or that gives other texts.
#[test]
fn a_narrow_store_of_the_flights_is_half_as_large() {
    let place = Place::new();
    let flights = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/flights-2013-01.csv");
    place.ok(["load", flights, "wide.rec", "--null", "NA"]);
    let out = place.ok(["load", flights, "narrow.rec", "--null", "NA", "--narrow"]);
    place.ok(["export", "wide.rec", "wide.csv"]);
    place.ok(["export", "narrow.rec", "narrow.csv"]);
    assert!(place.read("wide.csv") == place.read("narrow.csv"));
    assert!(out.contains("records   27004 of 52 bytes\n"), "{out}");
}

/// Finds words for null that an append forgets, or that an export makes null.
#[test]
fn an_append_takes_the_words_for_null_of_the_load() {
    let place = Place::new();
    place.write("jan.csv", "code,delay,note\nNA,5,x\n\"NA\",NA,?\n");
    place.ok(["load", "jan.csv", "year.rec", "--null", "NA", "--null", "?", "--text-width", "4"]);
    let json = place.ok(["schema", "year.rec", "--as", "json"]);
    assert!(json.contains(r#""null_words": ["NA","?"]"#), "{json}");
    let january = "code,delay,note\n,5,x\n\"NA\",,\n";
    assert_eq!(rows(&place, "year.rec"), january);
    let second = place.ok(["get", "year.rec", "1", "--format", "csv"]);
    assert_eq!(second, "code,delay,note\n\"NA\",,\n");

    place.write("feb.csv", "code,delay,note\nNA,NA,?\n\"?\",\"NA\",-\n");
    place.ok(["append", "year.rec", "feb.csv"]);
    assert_eq!(rows(&place, "year.rec"), format!("{january},,\n\"?\",,-\n"));
    // Those of the command line come besides, for this file.
    let out = place.ok(["load", "feb.csv", "year.rec", "--append", "--null", "-"]);
    assert!(out.contains("nulls     5\n"), "{out}");
    let out = place.ok(["append", "year.rec", "feb.csv"]);
    assert!(out.contains("nulls     4\n"), "{out}");

    // The export gives the same records again, also to a store with the same schema.
    place.ok(["export", "year.rec", "year.csv"]);
    place.ok(["load", "year.csv", "again.rec", "--schema", "year.rec"]);
    place.ok(["append", "again.rec", "year.csv"]);
    let twice = place.read("year.csv").replace("code,delay,note\n", "");
    assert_eq!(rows(&place, "again.rec"), format!("code,delay,note\n{twice}{twice}"));

    // A field with words of its own gets those of the command line, too.
    place.write(
        "own.json",
        r#"{"fields": [{"name": "code", "type": "utf8(4)", "nullable": true, "null_words": ["-"]},
            {"name": "delay", "type": "int8", "nullable": true},
            {"name": "note", "type": "utf8(4)", "nullable": true}]}"#,
    );
    place.ok(["load", "jan.csv", "own.rec", "--schema", "own.json", "--null", "NA"]);
    place.write("mar.csv", "code,delay,note\n-,NA,-\nNA,7,x\n");
    place.ok(["append", "own.rec", "mar.csv"]);
    let shown = place.ok(["scan", "own.rec", "--range", "2..", "--format", "csv"]);
    assert_eq!(shown, "code,delay,note\n,,-\n,7,x\n");
    assert!(place.ok(["schema", "own.rec"]).contains("null words [\"-\", \"NA\"]"));
}

/// Runs the commands that an error suggests, with this `flatrec`.
fn follow(place: &Place, advice: &str) {
    let line = advice.split_once("take it: ").expect(advice).1;
    let line = line.rsplit_once(" (then append again").unwrap().0;
    for command in line.split(" && ") {
        let words: Vec<String> =
            command.split(' ').skip(1).map(|word| word.trim_matches('\'').to_owned()).collect();
        place.ok(words);
    }
}

/// Finds a value that does not fit without the commands that help, or commands that do not.
#[test]
fn a_value_that_does_not_fit_names_the_commands_that_widen_the_store() {
    for (january, february, option) in [
        ("a,b\nA,1\n", "a,b\nA,\n", "--nullable b"),
        ("a,b\nA,1\n", "a,b\nLONGER,1\n", "--type 'a=utf8(6)'"),
        ("a,b\nA,1\n", "a,b\nA,1.5\n", "--type b=float64"),
        ("a,b\nA,1\n", "a,b\nA,00501\n", "--type 'b=utf8(40)'"),
        ("a,b\nA,1.5\n", "a,b\nA,90071992547409.93\n", "--type 'b=utf8(40)'"),
        ("a,b\nA,2013-01-01\n", "a,b\nA,2013-01-01T05:00\n", "--type 'b=timestamp(s)'"),
        ("a,b\nA,true\n", "a,b\nA,7\n", "--type 'b=utf8(40)'"),
    ] {
        let place = Place::new();
        place.write("jan.csv", january);
        place.write("feb.csv", february);
        place.ok(["load", "jan.csv", "jan.rec"]);
        let text = place.error(["append", "jan.rec", "feb.csv"]);
        let advice = text.lines().nth(1).expect(&text);
        let expected = format!(
            "flatrec: to make the store take it: flatrec migrate jan.rec {option} (then append \
             again)"
        );
        assert_eq!(advice, expected);
        follow(&place, advice);
        place.ok(["append", "jan.rec", "feb.csv"]);
    }
    let place = Place::new();
    place.write("jan.csv", "id,n\n1,300\n");
    place.write("feb.csv", "id,n\n1,70000\n");
    place.ok(["load", "jan.csv", "jan 1.rec", "--type", "n=int16", "--deletes"]);
    let text = place.error(["append", "jan 1.rec", "feb.csv"]);
    let migrate = "flatrec migrate 'jan 1.rec' --type n=int32 (then append again)";
    assert!(text.ends_with(migrate), "{text}");
    // A word may mean null.
    place.write("feb.csv", "id,n\n1,NA\n");
    let text = place.error(["append", "jan 1.rec", "feb.csv"]);
    assert!(text.contains(" --nullable n (then append again with --null-in n=NA)"), "{text}");
    place.ok(["load", "jan.csv", "null.rec", "--nullable"]);
    let text = place.error(["append", "null.rec", "feb.csv"]);
    assert!(text.contains("flatrec: if \"NA\" means null, append with --null-in n=NA; "), "{text}");
    assert!(text.contains(" migrate null.rec --type 'n=utf8(40)' (then append"), "{text}");
    place.ok(["backup", "null.rec", "copy.rec"]);
    follow(&place, text.lines().nth(1).unwrap());
    place.ok(["append", "null.rec", "feb.csv"]);
    assert_eq!(rows(&place, "null.rec"), "id,n\n1,300\n1,NA\n");
    place.ok(["append", "copy.rec", "feb.csv", "--null-in", "n=NA"]);
    assert_eq!(rows(&place, "copy.rec"), "id,n\n1,300\n1,\n");
}
