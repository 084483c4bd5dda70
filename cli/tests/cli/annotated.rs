//! Stores whose schemas name values, shapes and forms: every command shows, takes and keeps them.

use super::*;

const SCHEMA: &str = r#"{"fields": [
    {"name": "side", "type": "uint8", "variants": {"Buy": 1, "Sell": 2}},
    {"name": "id", "type": "binary(16)", "display": "uuid", "nullable": true},
    {"name": "grid", "type": "float32", "shape": [2, 2]},
    {"name": "took", "type": "duration(ms)"},
    {"name": "big", "type": "uint128"}
]}"#;

const ROWS: &str = "side,id,grid,took,big
Buy,67e55044-10b1-426f-9247-bb680e5fe0c8,\"[[1.0,2.0],[3.0,4.0]]\",PT1.500S,0
Sell,,\"[[0.0,0.0],[0.0,0.5]]\",-PT90S,340282366920938463463374607431768211455
7,67e55044-10b1-426f-9247-bb680e5fe0c9,\"[[1.0,1.0],[1.0,1.0]]\",PT0S,18446744073709551616
";

fn loaded() -> Place {
    let place = Place::new();
    place.write("schema.json", SCHEMA);
    place.write("in.csv", ROWS);
    place.ok(["load", "in.csv", "s.rec", "--schema", "schema.json", "--deletes"]);
    place
}

/// Finds a name or a form that is lost on the way into a store, through it or out of it.
#[test]
fn rows_come_out_as_they_went_in_through_every_copy() {
    let place = loaded();
    place.ok(["backup", "s.rec", "backup.rec"]);
    place.ok(["compact", "backup.rec", "compact.rec"]);
    place.ok(["salvage", "compact.rec", "saved.rec"]);
    for store in ["s.rec", "backup.rec", "compact.rec", "saved.rec"] {
        place.ok(["export", store, "out.csv", "--force"]);
        assert_eq!(place.read("out.csv"), ROWS, "{store}");
        let schema = place.ok(["schema", store, "--as", "json"]);
        assert_eq!(schema, place.ok(["schema", "s.rec", "--as", "json"]), "{store}");
    }
    place.write("again.json", place.ok(["schema", "s.rec", "--as", "json"]));
    place.ok(["load", "out.csv", "again.rec", "--schema", "again.json"]);
    place.ok(["export", "again.rec", "again.csv"]);
    assert_eq!(place.read("again.csv"), ROWS);
}

/// Finds an export whose names or forms are not JSON.
#[test]
fn ndjson_has_names_and_forms_as_strings_and_wide_integers_as_numbers() {
    let place = loaded();
    place.ok(["export", "s.rec", "out.ndjson"]);
    let text = place.read("out.ndjson");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        [
            r#"{"side":"Buy","id":"67e55044-10b1-426f-9247-bb680e5fe0c8","#,
            r#""grid":[[1.0,2.0],[3.0,4.0]],"took":"PT1.500S","big":0}"#,
        ]
        .concat()
    );
    assert!(lines[1].starts_with(r#"{"side":"Sell","id":null,"#), "{}", lines[1]);
    assert!(
        lines[1].ends_with(r#""big":340282366920938463463374607431768211455}"#),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with(r#"{"side":7,"#), "{}", lines[2]);
}

/// Finds a condition that compares a name, a form, a duration or a wide integer as something else.
#[test]
fn conditions_name_values_as_the_schema_does() {
    let place = loaded();
    for (condition, count) in [
        ("side = 'Buy'", "1"),
        ("side <> 'Buy' AND side < 3", "1"),
        ("side IN ('Buy', 'Sell')", "2"),
        ("id = '67E5504410B1426F9247BB680E5FE0C9'", "1"),
        ("took > 'PT1S'", "1"),
        ("took < 'PT0.001S'", "2"),
        ("big > 18446744073709551615", "2"),
        ("big = 340282366920938463463374607431768211455", "1"),
        ("big < 0.5", "1"),
    ] {
        let found = place.ok(["scan", "s.rec", "--count", "--where", condition]);
        assert_eq!(found.trim(), count, "{condition}");
    }
    for (condition, said) in [
        ("side = 'Hold'", "its variants are Buy, Sell"),
        ("id = '67e5'", "is not a UUID"),
        ("took > '1.5'", "a duration is written like PT1.5S"),
        ("big > 1e60", "a decimal number of up to 128 bits"),
    ] {
        let error = place.error(["scan", "s.rec", "--where", condition]);
        assert!(error.contains(said), "{condition}: {error}");
    }
}

/// Finds a command that shows numbers, or stores a text that is no value.
#[test]
fn values_are_shown_and_set_by_their_names() {
    let place = loaded();
    assert_eq!(place.ok(["set", "s.rec", "0", "side=Sell"]), "side: Buy -> Sell\n");
    let error = place.error(["set", "s.rec", "0", "side=Hold"]);
    assert!(error.contains("neither a variant (Buy, Sell) nor a number"), "{error}");
    let fields = place.ok(["schema", "s.rec"]);
    for notes in ["Buy = 1, Sell = 2", "nullable, shown as uuid", "shape [2, 2]"] {
        assert!(fields.contains(notes), "{fields}");
    }
}

/// Finds Rust text without an attribute or a shape that the schema has.
#[test]
fn rust_text_has_durations_forms_names_and_shapes() {
    let place = loaded();
    let text = place.ok(["schema", "s.rec", "--as", "rust"]);
    for field in [
        "    #[record(duration = \"ms\")]\n    pub took: flatrec::le::I64,\n",
        "    pub side: flatrec::Enum<Side>,\n    pub id: flatrec::Nullable<flatrec::Uuid>,\n",
        "    pub grid: [[flatrec::le::F32; 2]; 2],\n",
    ] {
        assert!(text.contains(field), "{text}");
    }
}

/// Finds annotations in a schema file that are taken although they do not fit.
#[test]
fn annotations_that_do_not_fit_are_refused_before_there_is_a_store() {
    let place = loaded();
    for (field, said) in [
        (r#""type": "uint8", "variants": {"A": 256}"#, "A = 256 does not fit in uint8"),
        (r#""type": "uint8", "variants": {"A": "1"}"#, "has no integer as its value"),
        (r#""type": "float64", "variants": {"A": 1}"#, "float64 cannot have variants"),
        (r#""type": "int8", "display": "uuid""#, "int8 cannot be shown as uuid"),
        (r#""type": "int8", "display": "roman""#, "uuid, hex, char, ipv4 or ipv6"),
        (r#""type": "int8", "shape": [2, 2], "array": 5"#, "as many elements as \"array\""),
        (r#""type": "int8", "epoch": "s""#, "only a timestamp"),
        (r#""type": "int8", "null_words": "NA""#, "not an array of texts"),
    ] {
        place.write("bad.json", format!(r#"{{"fields": [{{"name": "a", {field}}}]}}"#));
        let error = place.error(["load", "in.csv", "bad.rec", "--schema", "bad.json"]);
        assert!(error.contains(said), "{field}: {error}");
        assert!(!place.path("bad.rec").exists());
    }
}

/// Finds a remark about a field that is made twice.
#[test]
fn the_schema_makes_each_remark_once() {
    let place = Place::new();
    place.write(
        "s.json",
        r#"{ "fields": [{ "name": "at", "type": "timestamp(ms)", "epoch": "s" }] }"#,
    );
    place.write("in.csv", "at\n1357016400.25\n");
    place.ok(["load", "in.csv", "at.rec", "--schema", "s.json"]);
    assert_eq!(
        place.ok(["schema", "at.rec", "--format", "csv"]),
        "field,type,offset,bytes,notes\nat,timestamp(ms),0,8,written in s since 1970\n"
    );
}
