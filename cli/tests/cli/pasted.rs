//! The commands that messages suggest, as a user pastes them into a shell.

use super::*;

/// Names of columns that a shell, the command line or a CSV file could take for something else.
const NAMES: [&str; 20] = [
    "n",
    "-v",
    "--x",
    "--type",
    "a b",
    " a ",
    "it's",
    "a\"b",
    "\"q\"",
    "a=b",
    "a,b",
    "$HOME",
    "`ls`",
    "a\\b",
    "\u{fc}n\u{ef}",
    "a;b",
    "a|b",
    "*",
    "%s",
    "\u{202e}x",
];

/// Runs a line in a shell whose `flatrec` is this one. It must succeed.
#[track_caller]
fn paste(place: &Place, line: &str) {
    let own = Path::new(env!("CARGO_BIN_EXE_flatrec")).parent().unwrap();
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(place.0.path()).env("PATH", path).stdin(Stdio::null());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}\n{output:?}");
}

/// A value as CSV has it.
fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Appends `new` to a store of a field with the value `old`, follows the advice, and appends again.
#[track_caller]
fn widen(store: &str, field: Field, has_more: bool, old: &str, new: &str) {
    let place = Place::new();
    let name = field.name().to_owned();
    let mut fields = vec![field];
    if has_more {
        fields.push(Field::new("more", DataType::Utf8(4)));
    }
    let schema = Schema::packed(fields).unwrap();
    let mut record = vec![0; schema.record_size() as usize];
    schema.field(&name).unwrap().parse_text(old, &mut record).unwrap();
    let mut made = DynStore::create(place.path(store), &schema).unwrap();
    made.append(&record).unwrap();
    made.close().unwrap();
    let (more, comma, value) = if has_more { ("more", ",", "x") } else { ("", "", "") };
    place.write("new.csv", format!("{}{comma}{more}\n{}{comma}{value}\n", cell(&name), cell(new)));
    let at = format!("./{store}");
    // A header of one column may have another delimiter for the test's own file, too.
    let append = |to: &str| ["append", to, "new.csv", "--delimiter", ","].map(str::to_owned);
    let said = place.error(append(&at));
    let (_, advice) = said.split_once("take it: ").unwrap_or_else(|| panic!("{name:?}: {said}"));
    let (line, _) = advice.rsplit_once(" (then append again").unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");
    paste(&place, line);
    place.ok(append(&at));
    let texts = place.ok(["scan", &at, "--format", "ndjson"]);
    let texts: Vec<serde_json::Value> =
        texts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown = |at: usize| match &texts[at][&name] {
        serde_json::Value::String(text) => text.clone(),
        // 5 in a column that has become one of floats.
        other => other.to_string().trim_end_matches(".0").to_owned(),
    };
    // A date in a column that has become one of timestamps is its midnight.
    let kept = shown(0).replace("T00:00:00", "").starts_with(&old.replace("T00:00:00", ""));
    assert!(kept && (texts.len(), &*shown(1)) == (2, new), "{line}: {texts:?}");
}

/// Finds a name that the suggested commands do not reach.
#[test]
fn the_commands_that_widen_a_store_take_any_name() {
    for name in NAMES {
        for has_more in [false, true] {
            widen("s.rec", Field::new(name, DataType::UInt8), has_more, "7", "-1");
        }
        widen("s.rec", Field::new(name, DataType::Utf8(2)), false, "ab", "abc");
    }
    for store in ["-s.rec", "a b.rec", "it's.rec", "a\nb.rec", "$x.rec", "\u{fc}.rec", "-.rec"] {
        widen(store, Field::new("n", DataType::UInt8), true, "7", "-1");
    }
}

/// An earlier version suggested types that do not keep the values which the store has.
#[test]
fn the_commands_that_widen_a_store_keep_its_values() {
    use DataType::*;
    use TimeUnit::*;
    for (data_type, old, new) in [
        (UInt64, "18446744073709551615", "-1"),
        (UInt64, "5", "-1"),
        (UInt64, "9223372036854775807", "-1"),
        (Int64, "9007199254740993", "2.5"),
        (Int64, "5", "2.5"),
        (Int64, "-9223372036854775807", "9223372036854775808"),
        (Float32, "0.1", "0.123456789012"),
        (Date32, "2013-01-01", "2013-01-01T05:00:00"),
        (Timestamp(Second), "9999-01-01T00:00:00", "2013-01-01T00:00:00.123456789"),
        (Timestamp(Nanosecond), "2013-01-01T00:00:00.123456789", "2600-01-01T00:00:00"),
        (Timestamp(Millisecond), "2013-01-01T00:00:00.250", "2013-01-01T00:00:00.000001"),
    ] {
        for name in ["n", "-v"] {
            widen("s.rec", Field::new(name, data_type), true, old, new);
        }
    }
}

/// Finds words for null, and names, that the suggested options do not reach.
#[test]
fn the_options_that_load_suggests_work() {
    let words =
        ["-", "--", "--x", "n/a", "it's", "$x", "a b", "*", "\"", "\\", "\u{e4}", "`ls`", ";", "#"];
    for (name, word) in
        NAMES.iter().map(|name| (*name, "none")).chain(words.map(|word| ("n", word)))
    {
        let place = Place::new();
        let rows: String = (0..300).map(|n| format!("{n},x\n")).collect();
        place.write("in.csv", format!("{},more\n{},x\n{rows}", cell(name), cell(word)));
        let ran = place.run(["load", "in.csv", "s.rec"]);
        let options = ran.stderr.split_once("(with ").and_then(|(_, it)| it.rsplit_once(" it is "));
        let Some((options, _)) = options else { panic!("{name:?} {word:?}: {ran:?}") };
        paste(&place, &format!("flatrec load in.csv n.rec {options}"));
        let schema = place.ok(["schema", "n.rec", "--format", "csv"]);
        assert!(schema.contains(",int64,"), "{options}: {schema}");
        // A value with digits may be a number, so that the load suggests the type.
        place.write("in.csv", format!("{},more\n1x1,x\n{rows}", cell(name)));
        let ran = place.run(["load", "in.csv", "s2.rec"]);
        let options = ran.stderr.split_once("(with ").and_then(|(_, it)| it.split_once(" they do"));
        let Some((options, _)) = options else { panic!("{name:?}: {ran:?}") };
        paste(&place, &format!("flatrec load in.csv m.rec {options} --rejects bad.csv"));
        assert_eq!(place.ok(["scan", "m.rec", "--count"]), "300\n");
    }
}

/// Finds the path of a store that the suggested commands do not reach.
#[test]
fn the_commands_about_a_store_take_any_path() {
    use flatrec::{Durability, DynDatabase};

    for name in ["-s", "a b", "it's", "$x", "\u{202e}x", "--", "\\"] {
        let place = Place::new();
        place.write("in.csv", "n\n1\n");
        let at = format!("./{name}");
        place.ok(["load", "in.csv", &at]);
        let old = std::fs::read(place.path(&format!("{name}-sum"))).unwrap();
        place.ok(["set", &at, "0", "n=2"]);
        std::fs::write(place.path(&format!("{name}-sum")), old).unwrap();
        let ran = place.run(["verify", &at]);
        let command = ran.stderr.trim_end().rsplit_once("as they are: ").expect(&ran.stderr).1;
        paste(&place, command);
        place.ok(["verify", &at]);

        let database = DynDatabase::open(place.path(name)).unwrap();
        let mut transaction = database.begin_write().unwrap();
        transaction.append_packed(&[7; 8]).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        // As a killed writer leaves them.
        let copy = Place::new();
        for file in place.files() {
            std::fs::copy(place.path(&file), copy.path(&file)).unwrap();
        }
        drop(database);
        let said = copy.run(["schema", &at, "--as", "numpy"]).stderr;
        let commands: Vec<&str> = said.split('`').collect();
        let (checkpoint, backup) = (commands[1], commands[3]);
        paste(&copy, &backup.replace(" COPY", " copy.rec"));
        assert_eq!(copy.ok(["scan", "copy.rec", "--count"]), "2\n", "{backup}");
        paste(&copy, checkpoint);
        assert_eq!(copy.run(["schema", &at, "--as", "numpy"]).stderr, "", "{checkpoint}");
    }
}
