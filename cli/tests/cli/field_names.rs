//! Fields with unusual names: each can be reached in each place that takes a name.

use super::*;

/// A field could not be reached by `set` if its name had `=`, nor by `--select` beside others if it
/// had a comma.
#[test]
fn every_name_is_reached_by_set_select_and_where() {
    let names = [
        "a=b",
        "a,b",
        "a",
        "b",
        "a b",
        " a",
        " ",
        "a.b",
        "\"",
        "\"a\"",
        "a\"b",
        "'a'",
        "-x",
        "--select",
        "not",
        "NULL",
        "5",
        "Ünder",
        "\u{feff}id",
        "x=1,\"y\"",
        "\u{200b}",
    ];
    let schema = Schema::packed(names.map(|name| Field::new(name, DataType::Int16).nullable()));
    let schema = schema.unwrap();
    let place = Place::new();
    let mut store = DynStore::create(place.path("s.rec"), &schema).unwrap();
    store.append(&vec![0; schema.record_size() as usize]).unwrap();
    store.close().unwrap();
    let csv = |args: &[&str]| place.ok([&["scan", "s.rec", "--format", "csv"], args].concat());
    for (value, name) in (1..).zip(names) {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let said = place.ok(["set", "s.rec", "0", &format!("{quoted}={value}")]);
        assert!(said.ends_with(&format!(": null -> {value}\n")), "{name}: {said}");
        let rest = format!("{quoted},a,{quoted}");
        let shown = csv(&["--select", &rest]);
        let row = shown.lines().last().unwrap();
        assert!(
            row.starts_with(&format!("{value},")) && row.ends_with(&format!(",{value}")),
            "{row}"
        );
        let condition = format!("{quoted} = {value} AND NOT {quoted} IS NULL");
        assert_eq!(place.ok(["scan", "s.rec", "--count", "--where", &condition]), "1\n", "{name}");
        place.ok(["set", "s.rec", "0", "--null", &quoted]);
        assert_eq!(place.ok(["scan", "s.rec", "--count", "--where", &condition]), "0\n", "{name}");
        // What an error shows can be written.
        let written = flatrec::query::written_name(name);
        place.ok(["set", "s.rec", "0", &format!("{written}=-5")]);
        let condition = format!("{written} < 0");
        assert_eq!(place.ok(["scan", "s.rec", "--count", "--where", &condition]), "1\n", "{name}");
        place.ok(["set", "s.rec", "0", &format!("{quoted}=")]);
    }
}

/// Finds an error that shows a name in a form in which it cannot be written.
#[test]
fn errors_show_names_as_they_are_written() {
    let place = Place::new();
    place.write("in.csv", "\"a=b\",c\n1,2\n");
    place.ok(["load", "in.csv", "s.rec"]);
    assert_eq!(place.ok(["set", "s.rec", "0", "\"a=b\"=5"]), "a=b: 1 -> 5\n");
    assert_eq!(
        place.error(["set", "s.rec", "0", "a=b=5"]),
        "set s.rec, record 0: invalid argument: no field \"a\" (the fields are \"a=b\", c)"
    );
    assert_eq!(
        place.error(["scan", "s.rec", "--select", "\"a=c\""]),
        "find the field: invalid argument: no field \"a=c\" (did you mean \"a=b\"?)"
    );
    assert!(place.error(["scan", "s.rec", "--select", "\"a"]).contains("quotes"));
    assert!(place.error(["scan", "s.rec", "--select", "c,"]).contains("a name is empty"));
    for word in ["=5", "\"a=b\"5", "\"a=b=5", "\"\"=5"] {
        assert!(place.usage(["set", "s.rec", "0", word]).contains("write it as field=value"));
    }
    for command in ["set", "scan", "tail"] {
        assert!(place.ok([command, "--help"]).contains("Names of fields"), "{command}");
    }
}

/// Finds spaces of a name that count in one place and not in another: `set` changed another field.
#[test]
fn spaces_of_names_count_everywhere() {
    let place = Place::new();
    place.write("in.csv", "a, a,b\n1,6,2\n");
    place.ok(["load", "in.csv", "s.rec"]);
    assert_eq!(place.ok(["set", "s.rec", "0", " a=9"]), " a: 6 -> 9\n");
    assert_eq!(place.ok(["set", "s.rec", "0", "\" a\"=8", "a=4"]), " a: 9 -> 8\na: 1 -> 4\n");
    assert_eq!(place.ok(["set", "s.rec", "0", "b =5"]), "b: 2 -> 5\n");
    let select = |names: &str| place.ok(["scan", "s.rec", "--format", "csv", "--select", names]);
    assert_eq!(select("a,b"), "a,b\n4,5\n");
    assert_eq!(select(" a"), "\" a\"\n8\n");
    assert_eq!(select("b, a"), "b,a\n5,4\n");
}

/// Finds a value that is taken for an option because it begins with a minus.
#[test]
fn values_that_begin_with_a_minus_reach_their_places() {
    let place = Place::new();
    place.write("in.csv", "x,-y\n-999,1\n-5,-1\n");
    place.ok(["load", "in.csv", "s.rec", "--null", "-999"]);
    let count = |condition: &str| place.ok(["scan", "s.rec", "--count", "--where", condition]);
    assert_eq!(count("-10 < x"), "1\n");
    assert_eq!(count("x = -5"), "1\n");
    assert_eq!(place.ok(["set", "s.rec", "1", "x=-7", "\"-y\"=-3"]), "x: -5 -> -7\n-y: -1 -> -3\n");
    assert_eq!(place.ok(["set", "s.rec", "1", "--null", "x"]), "x: -7 -> null\n");
    assert!(place.usage(["set", "s.rec", "-1", "x=1"]).contains("start at 0"));
    assert_eq!(place.ok(["tail", "s.rec", "-n1", "--select", "-y", "--format", "csv"]), "-y\n-3\n");
}
