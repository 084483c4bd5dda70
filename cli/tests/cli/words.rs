//! Words for null, headers, and advice that must not destroy values.

use crate::Place;

fn stderr(place: &Place, line: &[&str]) -> String {
    let ran = place.run(line.iter().copied());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran.stderr
}

/// The first row of a file of numbers became the names of its columns without a word.
#[test]
fn a_header_of_numbers_is_refused_or_said() {
    let place = Place::new();
    place.write("in.csv", "1,2,3\n4,5,6\n");
    assert_eq!(
        place.error(["load", "in.csv", "in.rec"]),
        "read the header of in.csv: invalid value: its names \"1\", \"2\", \"3\" could be values \
         of their columns (if the first row is data, use --no-header; if it has the names, \
         --header)"
    );
    let csv = |options: &[&str]| {
        place.ok([&["load", "in.csv", "in.rec", "--force"][..], options].concat());
        place.ok(["export", "in.rec", "-"])
    };
    assert_eq!(csv(&["--no-header"]), "column_1,column_2,column_3\n1,2,3\n4,5,6\n");
    assert_eq!(csv(&["--header"]), "1,2,3\n4,5,6\n");
    assert!(place.usage(["load", "in.csv", "x.rec", "--header", "--no-header"]).contains("header"));
    place.write("years.csv", "country,2001,2002\nAruba,5,7\n");
    let line = ["load", "years.csv", "years.rec"];
    assert_eq!(
        stderr(&place, &line),
        "flatrec: names in the header such as \"2001\", \"2002\" could be values: if the first row \
         is data, load with --no-header (--header says that it has the names)\n"
    );
    let line = ["load", "years.csv", "years.rec", "--force", "--header"];
    assert_eq!(stderr(&place, &line), "");
}

/// Advice made a word null in every column, although it was a value of one.
#[test]
fn a_word_for_null_of_one_column_stays_a_value_of_others() {
    let place = Place::new();
    place.write("in.csv", "country,delay,a b\nNA,5,1\nDE,NA,2\nNA,7,NA\nFR,8,3\n");
    let said = stderr(&place, &["load", "in.csv", "in.rec"]);
    assert!(said.contains("(with --null-in delay=NA it is int64)"), "{said}");
    assert!(said.contains("(with --null-in '\"a b\"=NA' it is int64)"), "{said}");
    let text = place.error(["scan", "in.rec", "--where", "delay > 6"]);
    assert!(text.contains("load the file again with --null-in delay=NA, and it has num"), "{text}");
    let options = ["--null-in", "delay=NA", "--null-in", "\"a b\"=NA", "--force"];
    let said = stderr(&place, &[&["load", "in.csv", "in.rec"][..], &options].concat());
    assert_eq!(said, "");
    let expected = "country,delay,a b\nNA,5,1\nDE,,2\nNA,7,\nFR,8,3\n";
    assert_eq!(place.ok(["export", "in.rec", "-"]), expected);
    // The store keeps it.
    place.ok(["append", "in.rec", "in.csv"]);
    let twice = place.ok(["export", "in.rec", "-"]);
    assert_eq!(twice, format!("{expected}{}", expected.split_once('\n').unwrap().1));
    place.write("more.csv", "country,delay,a b\n-,-,4\n");
    place.ok(["append", "in.rec", "more.csv", "--null-in", "delay=-"]);
    assert!(place.ok(["export", "in.rec", "-"]).ends_with("\n-,,4\n"));
    for line in [["append", "in.rec", "more.csv"], ["load", "more.csv", "no.rec"]] {
        let text = place.error([&line[..], &["--null-in", "dely=-"]].concat());
        assert!(text.contains("no column \"dely\" (did you mean \"delay\"?)"), "{text}");
    }
    place.usage(["append", "in.rec", "more.csv", "--null-in", "delay"]);
}

/// Advice made truth values null.
#[test]
fn truth_values_are_no_words_for_null() {
    let place = Place::new();
    place.write("in.csv", "a,b\ntrue,true\nfalse,false\nT,yes\ntrue,true\nF,no\nfalse,false\n");
    let said = stderr(&place, &["load", "in.csv", "in.rec"]);
    assert!(said.contains("(with --type a=bool all its values are of that type)"), "{said}");
    assert!(said.contains("(with --type b=bool they do not fit, and --rejects"), "{said}");
    let typed = ["--type", "a=bool", "--type", "b=utf8(5)", "--force"];
    place.ok([&["load", "in.csv", "in.rec"][..], &typed].concat());
    place.write("more.csv", "a,b\nYes,x\n");
    let text = place.error(["append", "in.rec", "more.csv"]);
    assert!(text.contains(" --type 'a=utf8(40)' (then append again)"), "{text}");
    assert!(!text.contains("--null"), "{text}");
}

/// The advice for a word in a column of numbers had no way to keep it.
#[test]
fn a_word_beside_numbers_can_stay_text() {
    let place = Place::new();
    place.write("jan.csv", "id,n\n1,300\n");
    place.write("feb.csv", "id,n\n2,cancelled\n");
    place.ok(["load", "jan.csv", "jan.rec"]);
    let text = place.error(["append", "jan.rec", "feb.csv"]);
    let advice = "flatrec migrate jan.rec --nullable n (then append again with --null-in \
                  n=cancelled); if \"cancelled\" is more than a word for null, --type \
                  'n=utf8(40)' instead of --nullable n makes the field text, and the append needs \
                  no --null-in n=cancelled";
    assert!(text.ends_with(advice), "{text}");
    place.ok(["migrate", "jan.rec", "--type", "n=utf8(40)", "--out", "text.rec"]);
    place.ok(["append", "text.rec", "feb.csv"]);
    assert_eq!(place.ok(["export", "text.rec", "-"]), "id,n\n1,300\n2,cancelled\n");
    place.ok(["migrate", "jan.rec", "--nullable", "n", "--out", "null.rec"]);
    place.ok(["append", "null.rec", "feb.csv", "--null-in", "n=cancelled"]);
    assert_eq!(place.ok(["export", "null.rec", "-"]), "id,n\n1,300\n2,\n");
}

/// A value that `set` made a word for null came back as null.
#[test]
fn an_export_refuses_a_value_that_is_a_word_for_null() {
    let place = Place::new();
    place.write("in.csv", "n,x\n1,1.5\n-999,2.5\n");
    place.ok(["load", "in.csv", "in.rec", "--null", "-999", "--null", "-999.0"]);
    place.ok(["set", "in.rec", "0", "x=-999"]);
    assert_eq!(place.ok(["export", "in.rec", "-"]), "n,x\n1,-999.00\n,2.5\n");
    place.ok(["set", "in.rec", "0", "n=-999"]);
    let text = place.error(["export", "in.rec", "out.csv"]);
    assert!(text.contains("in.rec, record 0: "), "{text}");
    assert!(text.contains("\"n\" is -999, which is one of the field's words for null"), "{text}");
    assert!(!place.path("out.csv").exists());
    let ndjson = place.ok(["export", "in.rec", "-", "--as", "ndjson"]);
    assert!(ndjson.starts_with("{\"n\":-999,\"x\":-999.0}\n"), "{ndjson}");
}

/// Errors named no file, or gave advice that led back to themselves.
#[test]
fn errors_name_the_schema_and_advice_does_not_loop() {
    let place = Place::new();
    place.write("in.csv", "month\n1\n2\n");
    place.ok(["load", "in.csv", "in.rec"]);
    let line = ["load", "in.csv", "x.rec", "--schema", "in.rec", "--type", "nope=int8"];
    let text = place.error(line);
    assert!(text.starts_with("in.rec: ") && text.contains("no column \"nope\""), "{text}");
    for condition in ["month = '01'", "month = 01"] {
        let text = place.error(["scan", "in.rec", "--where", condition]);
        assert!(text.contains("write 1)"), "{text}");
    }
    assert_eq!(place.ok(["scan", "in.rec", "--where", "month = 1", "--count"]), "1\n");
}

/// Finds a message about paths in the wrong places that does not say what to do.
#[test]
fn paths_in_the_wrong_places_are_told() {
    let place = Place::new();
    place.write("in.csv", "a\n1\n");
    place.write("other.csv", "a\n2\n");
    place.ok(["load", "in.csv", "out.rec"]);
    for force in [&[][..], &["--force"]] {
        assert_eq!(
            place.error([&["load", "in.csv", "."][..], force].concat()),
            format!(
                ". is a directory: name a store in it, such as .{}in.rec",
                std::path::MAIN_SEPARATOR
            )
        );
    }
    assert_eq!(
        place.error(["load", "in.csv", "other.csv"]),
        "other.csv exists already (it is not a flatrec store: name another file)"
    );
    for args in [["append", "in.csv", "out.rec"], ["--append", "out.rec", "in.csv"]] {
        let args = match args[0] {
            "append" => args.to_vec(),
            _ => [&["load"][..], &args[..]].concat(),
        };
        assert_eq!(
            place.error(args),
            "in.csv is not a flatrec store, but out.rec is: exchange the two"
        );
    }
    let error = place.error(["load", "in.csv", "new.rec", "--schema", "other.csv"]);
    assert!(error.ends_with("as flatrec schema --as json writes it)"), "{error}");
}
