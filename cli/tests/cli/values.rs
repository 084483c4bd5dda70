//! Values come in as they were, or not at all: `load`, `append`, `set` and conditions.

use super::*;

/// The types that `load` infers for the columns of a CSV file.
fn inferred(place: &Place, csv: &str, options: &[&str]) -> Vec<String> {
    place.write("in.csv", csv);
    // Standard error may tell of columns that are text only because of a few values.
    let ran = place.run([&["load", "in.csv", "in.rec", "--force"], options].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let schema = place.ok(["schema", "in.rec"]);
    let rows = schema.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.map(|row| [&row[1..2], &row[4..]].concat().join(" ")).collect()
}

fn rows(place: &Place, store: &str) -> Vec<String> {
    place.ok(["scan", store, "--format", "csv"]).lines().skip(1).map(str::to_owned).collect()
}

/// Finds an inference that takes a type which changes a value, or text where a type keeps all.
#[test]
fn load_infers_types_that_keep_every_value() {
    let place = Place::new();
    for (csv, types) in [
        ("account,balance\nA-1,90071992547409.93\nA-2,12.50\n", &["utf8(3)", "utf8(17)"][..]),
        ("t,v\n1700000004.3891005,1\n1700000005.1234561,2\n", &["utf8(18)", "int64"]),
        ("ts\n2022-01-01 01:01:01.123456+00\n2022-02-02 02:02:02+00\n", &["timestamp(us) utc"]),
        ("flag\nTrue\nFalse\n", &["bool"]),
        ("flag\nT\nF\n", &["utf8(1)"]),
        ("x,y\nnan,-Infinity\n", &["float64", "float64"]),
        ("at\n2013-01-31\n2013-01-31 05:00\n", &["timestamp(s)"]),
        ("\"id\",\"n\"\n\"1\",\"\"\n\"2\",\"7\"\n", &["int64", "int64 nullable"]),
        ("x\n1.23456e-321\n", &["utf8(12)"]),
    ] {
        assert_eq!(inferred(&place, csv, &[]), types, "{csv}");
    }
    let numpy = "5.118216247002567165e-01,9.504636963259353033e-01\n\
                 1.000000000000000056e-01,2.500000000000000000e-01\n";
    assert_eq!(inferred(&place, numpy, &["--no-header"]), ["float64", "float64"]);
    assert_eq!(rows(&place, "in.rec"), ["0.5118216247002567,0.9504636963259353", "0.1,0.25"]);
    let types = inferred(&place, "id,v\n1,-999\n2,5\n", &["--null", "-999"]);
    assert_eq!(types, ["int64", "int64 nullable"]);
    assert_eq!(rows(&place, "in.rec"), ["1,", "2,5"]);
}

/// Finds an `append` that stores another number than the one in its file.
#[test]
fn numbers_that_do_not_fit_are_not_appended() {
    let place = Place::new();
    place.write("jan.csv", "zip,x\n12345,0.5\n");
    place.ok(["load", "jan.csv", "jan.rec"]);
    place
        .write("feb.csv", "zip,x\n00501,9007199254740993\n00011,1e-400\n7,9007199254740993\n8,2\n");
    for command in
        [&["append", "jan.rec", "feb.csv"][..], &["load", "feb.csv", "jan.rec", "--append"]]
    {
        let text = place.error(command);
        assert_eq!(
            text.lines().next().unwrap(),
            "load feb.csv: invalid value: line 2: field zip (int64): \"00501\": it would be stored \
             as 501, without its leading zeros (correct it, or set bad rows aside with --rejects \
             FILE, or store the nearest values with --round)"
        );
        assert_eq!(rows(&place, "jan.rec"), ["12345,0.5"]);
    }
    let out = place.ok(["append", "jan.rec", "feb.csv", "--rejects", "bad.csv"]);
    assert!(out.starts_with("loaded    1 records into jan.rec\nrejected  3 rows\n"), "{out}");
    assert_eq!(rows(&place, "jan.rec"), ["12345,0.5", "8,2.0"]);
    let bad = place.read("bad.csv");
    for part in [
        "2,zip,\"field zip (int64): \"\"00501\"\": it would be stored as 501, without its leading",
        "3,zip,\"field zip (int64): \"\"00011\"\": it would be stored as 11, without its leading",
        "4,x,\"field x (float64): \"\"9007199254740993\"\": it would be stored as \
         9007199254740992.0, the nearest float64\",\"7,9007199254740993\"",
    ] {
        assert!(bad.contains(part), "{part} is not in {bad}");
    }
    let out = place.ok(["append", "jan.rec", "feb.csv", "--round"]);
    assert!(out.contains("\nrejected  0 rows\nrounded   5 values\n"), "{out}");
    assert_eq!(rows(&place, "jan.rec")[2..4], ["501,9007199254740992.0", "11,0.0"]);
}

/// Finds a load with given types that changes a value.
#[test]
fn a_given_type_refuses_what_it_does_not_keep() {
    let place = Place::new();
    place.write("float.json", r#"{"fields":[{"name":"x","type":"float64"}]}"#);
    place.write(
        "float.csv",
        "x\n0.5\n9007199254740993\n18446744073709551617\n0.1234567890123456789\n1e-400\n00.5\n",
    );
    let load = ["load", "float.csv", "float.rec", "--schema", "float.json"];
    let text = place.error(load);
    assert!(text.contains("line 3: field x (float64): \"9007199254740993\""), "{text}");
    let out = place.ok([&load[..], &["--rejects", "bad.csv"]].concat());
    assert!(out.contains("\nrejected  5 rows\n"), "{out}");
    assert_eq!(rows(&place, "float.rec"), ["0.5"]);
    let reasons: Vec<String> = place.read("bad.csv").lines().skip(1).map(str::to_owned).collect();
    let stored =
        ["9007199254740992.0", "1.8446744073709552e19", "0.12345678901234568", "0.0", "0.5"];
    for (reason, stored) in reasons.iter().zip(stored) {
        assert!(reason.contains(&format!("it would be stored as {stored}, ")), "{reason}");
    }
    place.write(
        "quoted.json",
        r#"{"fields":[{"name":"id","type":"int64"},{"name":"n","type":"int64","nullable":true}]}"#,
    );
    place.write("quoted.csv", "\"id\",\"n\"\n\"1\",\"\"\n\"2\",\"7\"\n");
    place.ok(["load", "quoted.csv", "quoted.rec", "--schema", "quoted.json"]);
    assert_eq!(rows(&place, "quoted.rec"), ["1,", "2,7"]);
}

/// Finds a command that takes a text which another refuses.
#[test]
fn every_command_takes_the_same_texts() {
    let place = Place::new();
    // A first row with the type of the texts after it, which are taken or not.
    for (first, data_type, texts) in [
        (
            "7",
            "int64",
            &[("-12", true), ("007", false), ("+5", false), ("-0", false), ("1e3", false)][..],
        ),
        (
            "0.5",
            "float64",
            &[
                ("40300.619960000004", true),
                ("-0", true),
                ("9007199254740993", false),
                ("1e-400", false),
                ("00.5", false),
                ("+5", false),
            ],
        ),
    ] {
        let taken: Vec<&str> = texts.iter().filter(|text| text.1).map(|text| text.0).collect();
        let all: Vec<&str> = texts.iter().map(|text| text.0).collect();
        place.write("first.csv", format!("x\n{first}\n"));
        place.write("rest.csv", format!("x\n{}\n", all.join("\n")));
        place.write("both.csv", format!("x\n{first}\n{}\n", all.join("\n")));
        let schema = format!("{{\"fields\":[{{\"name\":\"x\",\"type\":\"{data_type}\"}}]}}");
        place.write("schema.json", schema);
        place.ok(["load", "first.csv", "first.rec", "--force"]);
        for command in [
            &["load", "both.csv", "x.rec", "--schema", "schema.json"][..],
            &["load", "both.csv", "x.rec", "--sample", "1"],
            &["append", "x.rec", "rest.csv"],
            &["load", "rest.csv", "x.rec", "--append"],
        ] {
            let appends = !command.contains(&"both.csv");
            match appends {
                true => drop(std::fs::copy(place.path("first.rec"), place.path("x.rec")).unwrap()),
                false => drop(std::fs::remove_file(place.path("x.rec"))),
            }
            for file in ["x.rec-sum", "bad.csv"] {
                let _ = std::fs::remove_file(place.path(file));
            }
            place.ok([command, &["--rejects", "bad.csv"]].concat());
            let mut expected = vec![place.ok(["get", "first.rec", "0", "--format", "csv"])];
            for text in &taken {
                place.ok(["set", "first.rec", "0", &format!("x={text}")]);
                expected.push(place.ok(["get", "first.rec", "0", "--format", "csv"]));
            }
            place.ok(["set", "first.rec", "0", &format!("x={first}")]);
            let expected: Vec<&str> = expected.iter().map(|csv| csv.trim()[2..].trim()).collect();
            assert_eq!(rows(&place, "x.rec"), expected, "{command:?}");
        }
        for &(text, taken) in texts {
            let set = place.run(["set", "x.rec", "0", &format!("x={text}")]);
            assert_eq!(set.status, Some(i32::from(!taken)), "{text}: {set:?}");
            let condition = format!("x = {text}");
            let found = place.run(["scan", "x.rec", "--count", "--where", &condition]);
            if taken {
                assert_ne!(found.stdout, "0\n", "{text}: {found:?}");
            } else if !matches!(text, "1e3" | "+5" | "-0") {
                let said = found.stderr.contains("it would be stored as ");
                assert!(said && set.stderr.contains("it would be stored as "), "{text}: {set:?}");
            }
        }
    }
}

/// Finds a `set` that rounds unasked, or without saying so.
#[test]
fn set_rounds_on_request_and_says_so() {
    let place = Place::new();
    people(&place);
    let text = place.error(["set", "people.rec", "0", "age=036"]);
    assert!(
        text.contains("\"036\": it would be stored as 36, without its leading zeros"),
        "{text}"
    );
    assert!(text.ends_with(" (--round stores the nearest value)"), "{text}");
    assert_eq!(
        place.ok(["set", "people.rec", "0", "age=035", "score=9007199254740993", "--round"]),
        "age: 36 -> 35 (rounded from \"035\")\n\
         score: 0.1 -> 9007199254740992.0 (rounded from \"9007199254740993\")\n"
    );
    assert_eq!(place.ok(["set", "people.rec", "0", "age=7", "--round"]), "age: 35 -> 7\n");
    let text = place.error(["set", "people.rec", "0", "age=256", "--round"]);
    assert!(text.contains("number too large"), "{text}");
    place.ok(["set", "people.rec", "0", "admin=f", "seen=2024-01-01 05:00+01"]);
    let row = rows(&place, "people.rec").swap_remove(0);
    assert!(row.contains(",2024-01-01T04:00:00Z,") && row.contains(",false,"), "{row}");
}

/// Finds a value that begins with a minus and is taken for an option.
#[test]
fn values_may_begin_with_a_minus() {
    let place = Place::new();
    people(&place);
    assert_eq!(place.ok(["scan", "people.rec", "--count", "--where", "-1 < age"]), "2\n");
    assert_eq!(
        place
            .ok(["tail", "people.rec", "--where", "-1e299 > score", "--select", "age"])
            .lines()
            .count(),
        2
    );
    for command in [
        &["get", "people.rec", "-1"][..],
        &["get", "people.rec", "0", "-1"],
        &["set", "people.rec", "-1", "age=5"],
        &["set", "people.rec", "0,-1", "age=5"],
        &["delete", "people.rec", "-1"],
    ] {
        let text = place.usage(command);
        assert!(text.contains("the numbers of records start at 0"), "{command:?}: {text}");
    }
    // Options after these values are options.
    place.ok(["get", "people.rec", "0", "1", "--format", "csv"]);
    place.ok(["set", "people.rec", "1", "--null", "age"]);
    place.write("in.csv", "a,-b\n-,--\n5,x\n");
    place.ok(["load", "in.csv", "in.rec", "--null", "-", "--null", "--", "--sample", "2"]);
    assert_eq!(rows(&place, "in.rec"), [",", "5,x"]);
    assert_eq!(place.ok(["scan", "in.rec", "--select", "-b", "--format", "csv"]), "-b\n\nx\n");
    place.ok(["set", "in.rec", "1", "--null", "-b"]);
}

/// Finds a name of a file that reaches the terminal as it is, or at full length.
#[test]
fn names_in_errors_are_escaped_and_cut() {
    let place = Place::new();
    place.write("in.csv", "\u{1b}]0;title\u{7}\u{1b}[31mred,b\n1,2\n");
    let text = place.error(["load", "in.csv", "in.rec"]);
    assert!(text.contains("field \\u{1b}]0;title\\u{7}\\u{1b}[31mred: int64"), "{text}");
    let name = "n".repeat(5000);
    place.write("in.csv", format!("{name},b\n1,2\n"));
    let text = place.error(["load", "in.csv", "in.rec"]);
    assert!(text.len() < 250 && text.contains("nn…: int64"), "{text}");
    place.write("in.csv", format!("{name},{name}\n1,2\n"));
    let text = place.error(["load", "in.csv", "in.rec"]);
    assert!(text.len() < 250 && text.contains("columns 1 and 2 are both \"nn"), "{text}");
}

/// Finds a quoted null of a text column that `--quoted-null` leaves as text.
#[test]
fn quoted_null_makes_quoted_nulls_of_text() {
    let place = Place::new();
    let csv = "id,name\n1,\"\"\n2,\"NA\"\n3,Ada\n";
    assert_eq!(inferred(&place, csv, &["--null", "NA"]), ["int64", "utf8(3)"]);
    assert_eq!(rows(&place, "in.rec"), ["1,\"\"", "2,\"NA\"", "3,Ada"]);
    let options = ["--null", "NA", "--quoted-null"];
    assert_eq!(inferred(&place, csv, &options), ["int64", "utf8(3) nullable"]);
    assert_eq!(rows(&place, "in.rec"), ["1,", "2,", "3,Ada"]);
}

/// Finds a column that becomes text for a few values without a word.
#[test]
fn load_says_which_values_make_a_column_text() {
    let place = Place::new();
    place.write(
        "in.csv",
        "id,delay,name,ratio\n1,5,Ada,0.5\n2,NA,7,90071992547409.93\n3,NA,x,1\n4,n a,y,2\n\
         5,1,z,3\n6,2,u,4\n",
    );
    let ran = place.run(["load", "in.csv", "in.rec"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "flatrec: column \"delay\" is text only because of 3 values, first \"NA\" on line 3, \
         \"n a\" on line 5 (with --null-in delay=NA --null-in 'delay=n a' it is int64)\n\
         flatrec: column \"ratio\" is text only because of 1 value, \"90071992547409.93\" on \
         line 3 (with --type ratio=float64 they do not fit, and --rejects takes them)\n"
    );
    let options = ["--null", "NA", "--null", "n a", "--force"];
    let ran = place.run([&["load", "in.csv", "in.rec"][..], &options].concat());
    assert!(!ran.stderr.contains("delay") && ran.stdout.contains("\ndelay  int64"), "{ran:?}");
    // Half of the values, or four texts, are not a few.
    place.write("in.csv", "a,b\n1,p\nx,q\ny,1\nz,r\n2,s\n");
    place.ok(["load", "in.csv", "in.rec", "--force"]);
    let text = place.error(["scan", "in.rec", "--where", "a > 5"]);
    assert!(text.contains("like \"x\", \"y\", \"z\"") && text.contains("--schema"), "{text}");
}

/// Finds a line that is counted from the start of a block, a control character that reaches the
/// terminal, or a long text that hides the column.
#[test]
fn the_values_that_make_a_column_text_are_shown_with_their_lines() {
    let place = Place::new();
    let rows: String = (0..60_000).map(|row| format!("{row},{row}.5,1,{row}\n")).collect();
    let note = "a remark about this value that goes on for more than forty letters";
    place.write(
        "in.csv",
        format!("a,b,c,d\n{rows}-1,\"x\n\u{1b}[2J\",2,N/A\n-2,1,{note},N/A\n{rows}"),
    );
    let ran = place.run(["load", "in.csv", "in.rec"]);
    assert_eq!(
        ran.stderr,
        "flatrec: column \"b\" is text only because of 1 value, \"x\\n\\u{1b}[2J\" on line \
         60002 (with --type b=float64 they do not fit, and --rejects takes them)\n\
         flatrec: column \"c\" is text only because of 1 value, \"a remark about this value \
         that goes on f…\" on line 60004 (with --type c=int64 they do not fit, and --rejects \
         takes them)\n\
         flatrec: column \"d\" is text only because of 2 values, first \"N/A\" on line 60002 (with \
         --null N/A it is int64)\n"
    );
    let options = ["--type", "b=float64", "--type", "c=int64", "--null", "N/A", "--rejects", "bad"];
    let ran = place.run([&["load", "in.csv", "in.rec", "--force"][..], &options].concat());
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.contains("rejected  2 rows"), "{ran:?}");

    // The flights have six such columns.
    let flights = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/flights-2013-01.csv");
    let ran = place.run(["load", flights, "flights.rec"]);
    assert_eq!(ran.stderr.lines().count(), 5, "{}", ran.stderr);
    let first = "flatrec: column \"dep_time\" is text only because of 521 values, first \"NA\" on \
                 line 840 (with --null-in dep_time=NA it is int64)\n";
    assert!(ran.stderr.starts_with(first), "{}", ran.stderr);

    let wide: String = (0..9).map(|at| format!("c{at},")).collect();
    place
        .write("wide.csv", format!("{wide}z\n{}NA\n{1}1\n{1}1\n", "NA,".repeat(9), "1,".repeat(9)));
    let ran = place.run(["load", "wide.csv", "wide.rec"]);
    assert_eq!(ran.stderr.lines().count(), 6, "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with("of 5 columns more the same can be said (--null NA)\n"),
        "{}",
        ran.stderr
    );
}

/// Finds a delimiter that is not found, or is taken without a word, or without a reason.
#[test]
fn another_delimiter_is_found_and_said() {
    let place = Place::new();
    for (csv, delimiter, rows_expected) in [
        ("a\tb\n1\t2\n", "tabs, as with --delimiter tab", &["1,2"][..]),
        (
            "a;b\n1,5;2,5\n\"x;y\n\";3,1\n",
            "semicolons, as with --delimiter ';'",
            &["\"1,5\",\"2,5\"", "\"x;y", "\",\"3,1\""],
        ),
        ("a|b\n1|2\n", "bars (|), as with --delimiter '|'", &["1,2"]),
        ("sep=!\r\na!b\r\n1!2\r\n", "'!', as with --delimiter '!'", &["1,2"]),
        ("\"sep=;\"\na;b\n1;2\n", "semicolons, as with --delimiter ';'", &["1,2"]),
    ] {
        place.write("in.csv", csv);
        let ran = place.run(["load", "in.csv", "in.rec", "--force"]);
        let said = format!("flatrec: the columns are divided by {delimiter}\n");
        assert_eq!((ran.status, ran.stderr), (Some(0), said), "{csv}");
        assert_eq!(rows(&place, "in.rec"), rows_expected);
        let ran = place.run(["append", "in.rec", "in.csv"]);
        assert!(ran.stderr.contains("divided by"), "{ran:?}");
    }
    // Not every row has as many columns, or the comma divides the header, or an option says so.
    for (csv, options) in [
        ("a;b\n1;2\n3\n", &[][..]),
        ("a;b,c\n1;2,3\n", &[]),
        ("a;b\n1;2\n", &["--delimiter", ","]),
        ("a\n1\n", &[]),
    ] {
        place.write("in.csv", csv);
        let ran = place.run([&["load", "in.csv", "in.rec", "--force"], options].concat());
        assert_eq!((ran.status, ran.stderr.contains("divided")), (Some(0), false), "{ran:?}");
    }
}

/// Finds lines that are not rows, and that become rows.
#[test]
fn lines_before_the_header_and_comments_are_left_out() {
    let place = Place::new();
    let csv = "Report, \"2013\n\n# units: \"m\na,b\n1,#2\n# end, \"\n3,x\n";
    let options = ["--skip", "2", "--comment", "#"];
    assert_eq!(inferred(&place, csv, &options), ["int64", "utf8(2)"]);
    assert_eq!(rows(&place, "in.rec"), ["1,#2", "3,x"]);
    place.write("more.csv", csv.replace("3,x", "y,x"));
    let text = place.error([&["append", "in.rec", "more.csv"][..], &options].concat());
    assert!(text.contains("line 7: field a"), "{text}");
    place.write("in.csv", "a\n");
    let text = place.error(["load", "in.csv", "x.rec", "--skip", "3"]);
    assert!(text.contains("the file has no rows"), "{text}");
}

/// Finds a header whose error does not say what to do about it.
#[test]
fn errors_of_headers_name_the_options_that_help() {
    let place = Place::new();
    place.write("in.csv", ",a\n1,2\n");
    assert_eq!(
        place.error(["load", "in.csv", "in.rec"]),
        "read the header of in.csv: invalid value: column 1 has no name (name it, or use \
         --rename-duplicates, which calls it column_1)"
    );
    place.write("in.csv", "a,b\nx,1,2\ny,3,4\n");
    assert_eq!(
        place.error(["load", "in.csv", "in.rec"]),
        "read the header of in.csv: invalid value: it has 2 names, and the rows have 3 fields, one \
         more (R writes names of rows without a name for their column: add it; or leave the header \
         out (--skip) and use --no-header)"
    );
    let table = ["load", "in.csv", "in.rec", "--skip", "1", "--no-header"];
    place.ok(table);
    assert_eq!(rows(&place, "in.rec"), ["x,1,2", "y,3,4"]);
    std::fs::remove_file(place.path("in.rec")).unwrap();
    place.write("in.csv", "a b\n1 x\n");
    assert_eq!(
        place.error(["load", "in.csv", "in.rec"]),
        "read the header of in.csv: invalid value: the lines look like 2 columns that spaces \
         divide (use --delimiter ' '; with --delimiter , it is one column of text)"
    );
    place.ok(["load", "in.csv", "in.rec", "--delimiter", " ", "--force"]);
    assert_eq!(rows(&place, "in.rec"), ["1,x"]);
    std::fs::remove_file(place.path("in.rec")).unwrap();
    place.write("in.csv", "a,b,a,c,a_2\n1,2,3,4,5\n");
    let text = place.error(["load", "in.csv", "in.rec"]);
    assert!(text.contains("columns 1 and 3 are both \"a\" (rename one of them, or use "), "{text}");
    assert!(text.ends_with("--rename-duplicates)"), "{text}");
    place.write("in.csv", "a,b,a,,a_2\n1,2,3,4,5\n");
    place.ok(["load", "in.csv", "in.rec", "--rename-duplicates"]);
    let csv = place.ok(["scan", "in.rec", "--format", "csv"]);
    assert_eq!(csv, "a,b,a_3,column_4,a_2\n1,2,3,4,5\n");
    place.write("data.csv", "1,1,2\n3,4,5\n");
    let text = place.error(["load", "data.csv", "x.rec"]);
    assert!(text.ends_with("(the first row looks like data: if it is, use --no-header)"), "{text}");
    place.write("more.csv", "1,2,3,4,5\n");
    let text = place.error(["append", "in.rec", "more.csv"]);
    assert!(text.ends_with("(the first row looks like data: if it is, use --no-header)"), "{text}");
}
