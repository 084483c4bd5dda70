//! Schemas as text: the JSON is read back, and compilers check the Rust and the C.
#![cfg(feature = "exchange")]

use std::io::Write;
use std::process::{Command, Stdio};

use flatrec::exchange::{
    schema_from_json, schema_to_c, schema_to_json, schema_to_rust, schema_to_sql,
};
use flatrec::{DataType, DisplayHint, ErrorKind, Field, Group, Schema, TimeUnit, Variant};

use crate::support::fields::with_gaps;
use crate::support::skip::skip;

/// Every type, nullable and not, arrays, byte orders, gaps, and names that are keywords elsewhere.
fn every_kind() -> Schema {
    use DataType::*;
    let fields = [
        Field::new("flag", Bool),
        Field::new("i8", Int8),
        Field::new("i16", Int16).nullable(),
        Field::new("i32", Int32).big_endian(),
        Field::new("i64", Int64),
        Field::new("u8", UInt8),
        Field::new("u16", UInt16).big_endian().nullable(),
        Field::new("u32", UInt32).array(3),
        Field::new("u64", UInt64),
        Field::new("f32", Float32).array(2).nullable(),
        Field::new("f64", Float64),
        Field::new("day", Date32).nullable(),
        Field::new("at", Timestamp(TimeUnit::Second)).utc(),
        Field::new("at ms", Timestamp(TimeUnit::Millisecond)).nullable(),
        Field::new("at_us", Timestamp(TimeUnit::Microsecond)).big_endian(),
        Field::new("at-us", Timestamp(TimeUnit::Nanosecond)).array(2),
        Field::new("type", Utf8(7)),
        Field::new("struct", Utf8(3)).array(2).nullable(),
        Field::new("2nd \"*/\\'", Binary(5)),
        Field::new("Größe", Bool).array(4),
        Field::new("took", Duration(TimeUnit::Microsecond)).nullable(),
        Field::new("i128", Int128),
        Field::new("u128", UInt128).big_endian(),
    ];
    with_gaps(fields)
}

/// Finds a property of a schema that its JSON omits.
#[test]
fn a_schema_survives_as_json() {
    let schema = every_kind();
    assert_eq!(schema_from_json(&schema_to_json(&schema)).unwrap(), schema);
}

/// Finds a property without its default when the JSON omits it.
#[test]
fn json_may_omit_properties_with_defaults() {
    let schema = schema_from_json(
        r#"{"fields": [{"name": "a", "type": "int16"}, {"name": "b", "type": "utf8(3)"}]}"#,
    )
    .unwrap();
    assert_eq!((schema.record_size(), schema.alignment()), (5, 1));
    let schema = schema_from_json(
        r#"{"record_size": 4, "alignment": 4, "fields": [{"name": "a", "type": "int16"}]}"#,
    )
    .unwrap();
    assert_eq!((schema.record_size(), schema.alignment()), (4, 4));
    let schema = schema_from_json(
        r#"{"fields": [{"name": "a", "type": "int16", "padding": 6, "offset": 6}]}"#,
    )
    .unwrap();
    assert_eq!(schema.record_size(), 8);
}

/// Finds invalid JSON that is accepted, or refused without a reason.
#[test]
fn invalid_json_is_refused_with_a_reason() {
    for (text, why) in [
        ("", "EOF"),
        ("[]", "not an object"),
        ("{}", "\"fields\" is not an array"),
        (r#"{"fields": []}"#, "at least one field"),
        (r#"{"fields": [], "colour": 1}"#, "unknown key \"colour\""),
        (r#"{"fields": [{"type": "int8"}]}"#, "without a name"),
        (r#"{"fields": [{"name": "a"}]}"#, "\"a\" has no type"),
        (r#"{"fields": [{"name": "a", "type": "text"}]}"#, "text"),
        (r#"{"fields": [{"name": "a", "type": "int8", "nulable": true}]}"#, "nulable"),
        (r#"{"fields": [{"name": "a", "type": "int8", "utc": 1}]}"#, "neither true nor false"),
        (r#"{"fields": [{"name": "a", "type": "int8", "array": -1}]}"#, "\"array\" of a"),
        (r#"{"fields": [{"name": "a", "type": "int8", "array": 0}]}"#, "at least one element"),
        (
            r#"{"fields": [{"name": "a", "type": "int8", "offset": 0},
                           {"name": "b", "type": "int8"}]}"#,
            "some fields have an offset",
        ),
        (r#"{"fields": [{"name": "a", "type": "int8", "offset": 4294967295}]}"#, "16777216"),
    ] {
        let error = schema_from_json(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{text}: {error}");
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
}

/// Finds a change of the generated Rust. The text is kept as a file, which the next test compiles.
/// To make it again: `FLATREC_WRITE_EXPECTED=1 cargo test -p flatrec --features exchange
/// generated_rust`
#[test]
fn generated_rust_is_the_expected_text() {
    let text = schema_to_rust(&every_kind(), "EveryKind").unwrap();
    if std::env::var_os("FLATREC_WRITE_EXPECTED").is_some() {
        std::fs::write("tests/it/exchange_schema/every_kind.rs", &text).unwrap();
    }
    let expected = include_str!("exchange_schema/every_kind.rs");
    assert_eq!(text.lines().collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>());
}

#[cfg(feature = "derive")]
#[allow(unreachable_pub)] // The generated struct is public.
#[path = "exchange_schema/every_kind.rs"]
mod every_kind_in_rust;

/// Finds a generated struct whose layout differs from the file's.
#[cfg(feature = "derive")]
#[test]
fn generated_rust_compiles_and_has_the_same_schema() {
    use flatrec::{Record, Store, Value};
    let schema = every_kind();
    let rust = every_kind_in_rust::EveryKind::schema().unwrap();
    assert_eq!(rust.fields(), schema.fields());
    assert_eq!(rust.record_size(), schema.record_size());

    // The struct opens a store of the schema.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("every.rec");
    let mut record = vec![0; schema.record_size() as usize];
    schema.field("i32").unwrap().write(&mut record, &Value::Int(-5)).unwrap();
    schema.field("type").unwrap().write(&mut record, &Value::Text("seven")).unwrap();
    let mut store = flatrec::DynStore::create(&path, &schema).unwrap();
    store.append(&record).unwrap();
    store.close().unwrap();
    let store: Store<every_kind_in_rust::EveryKind> = Store::open_read_only(&path).unwrap();
    let record = store.get(0).unwrap();
    assert_eq!((record.i32.get(), record.type_.as_str().unwrap()), (-5, "seven"));
}

/// Nested records, arrays of them with unused bytes at both ends, and names of values.
fn nested_and_named() -> Schema {
    use DataType::*;
    let sides = || ["Buy", "sell short", "Self"].into_iter().zip(1u8..);
    let sides = || sides().map(|(name, value)| Variant::new(value, name));
    let mut fields = vec![
        Field::new("id", Binary(16)).with_display(DisplayHint::Uuid),
        Field::new("side", UInt8).with_variants(sides()).at(16),
        Field::new("sides", UInt8).array(2).with_variants(sides()).at(17),
        Field::new("venue", Int16).nullable().with_variants([Variant::new(-7, "x")]).at(19),
        Field::new("matrix", Float64).with_shape([2, 3]).at(22),
        Field::new("pos.x", Int32).at(70),
        Field::new("pos.in.y", Int32).nullable().at(76),
    ];
    let groups = [
        Group::new("pos", 5..7),
        Group::new("pos.in", 6..7),
        Group::new("legs", 7..13).array(3),
        Group::new("legs[0].of", 8..9),
        Group::new("legs[1].of", 10..11),
        Group::new("legs[2].of", 12..13),
        Group::new("one leg", 13..14).array(1),
    ];
    // Each leg has 2 bytes before its fields, and 3 behind them.
    for (leg, offset) in [(0, 81), (1, 95), (2, 109)] {
        let price = Field::new(format!("legs[{leg}].price"), Float64).at(offset + 2);
        let kind = Field::new(format!("legs[{leg}].of.kind"), UInt8).with_variants(sides());
        fields.extend([price, kind.at(offset + 10)]);
    }
    fields.push(Field::new("one leg[0].n", UInt16).at(123));
    Schema::new(fields, 130, 1).unwrap().with_groups(groups).unwrap()
}

/// The structs were one flat struct, and the enums were plain numbers. Write the file again with
/// `FLATREC_WRITE_EXPECTED`, as above.
#[test]
fn nested_records_and_names_of_values_become_types() {
    let text = schema_to_rust(&nested_and_named(), "Nested").unwrap();
    if std::env::var_os("FLATREC_WRITE_EXPECTED").is_some() {
        std::fs::write("tests/it/exchange_schema/nested.rs", &text).unwrap();
    }
    let expected = include_str!("exchange_schema/nested.rs");
    assert_eq!(text.lines().collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>());
}

#[cfg(feature = "derive")]
#[allow(unreachable_pub)] // The generated types are public.
#[path = "exchange_schema/nested.rs"]
mod nested_in_rust;

/// Finds a generated type whose bytes, names or groups differ from the file's.
#[cfg(feature = "derive")]
#[test]
fn generated_types_have_the_schema_that_they_come_from() {
    use flatrec::Record;
    let (schema, rust) = (nested_and_named(), nested_in_rust::Nested::schema().unwrap());
    assert_eq!(rust.fields(), schema.fields());
    assert_eq!(rust.groups(), schema.groups());
    assert_eq!(rust.record_size(), schema.record_size());
}

/// A file can say that records are an array although no array of Rust can lie there, or nest them
/// without end. Finds a struct with other bytes than the file, and a stack that overflows.
#[test]
fn groups_that_no_struct_can_be_stay_flat() {
    let flat = |fields: Vec<Field>, size: u32, groups: Vec<Group>| {
        let schema = Schema::new(fields, size, 1).unwrap().with_groups(groups).unwrap();
        let text = schema_to_rust(&schema, "Flat").unwrap();
        assert_eq!(text.matches("pub struct").count(), 1, "{text}");
        assert_eq!(text.matches("rename").count(), schema.fields().len(), "{text}");
    };
    let legs = |types: [(DataType, u32); 3]| {
        let field = |(leg, (of, offset))| Field::new(format!("a[{leg}].n"), of).at(offset);
        (0..).zip(types).map(field).collect::<Vec<_>>()
    };
    use DataType::{Int8, Int16, UInt8};
    let of_three = || vec![Group::new("a", 0..3).array(3)];
    // Another type, another distance, and no room for the records' last bytes.
    flat(legs([(Int8, 0), (UInt8, 1), (Int8, 2)]), 3, of_three());
    flat(legs([(Int8, 0), (Int8, 2), (Int8, 5)]), 9, of_three());
    flat(legs([(Int16, 0), (Int16, 4), (Int16, 8)]), 10, of_three());
    let other = ["a[0].n", "a[1].m"].map(|name| Field::new(name, Int8));
    let other = Schema::packed(other).unwrap().fields().to_vec();
    flat(other, 2, vec![Group::new("a", 0..2).array(2)]);
    // A name that is empty within the outer record.
    let inner = vec![Field::new("a..n", Int8)];
    let text = schema_to_rust(
        &Schema::new(inner, 1, 1)
            .unwrap()
            .with_groups([Group::new("a", 0..1), Group::new("a.", 0..1)])
            .unwrap(),
        "Flat",
    );
    assert_eq!(text.unwrap().matches("pub struct").count(), 2);

    let deep: Vec<String> = (1..500).map(|depth| vec!["a"; depth].join(".")).collect();
    let field = Field::new(deep[498].clone() + ".n", Int8);
    let groups = deep.iter().map(|name| Group::new(name.clone(), 0..1));
    let schema = Schema::new(vec![field], 1, 1).unwrap().with_groups(groups).unwrap();
    assert_eq!(schema_to_rust(&schema, "Deep").unwrap().matches("pub struct").count(), 65);
}

/// No `Enum` is big-endian, so the field is a number.
#[test]
fn big_endian_values_with_names_stay_numbers() {
    let field = Field::new("b", DataType::Int16).big_endian();
    let schema = Schema::packed([field.with_variants([Variant::new(1, "One")])]).unwrap();
    let text = schema_to_rust(&schema, "Numbers").unwrap();
    assert!(!text.contains("enum") && text.contains("pub b: flatrec::be::I16"), "{text}");
}

/// Finds a generated struct that the derive refuses.
#[test]
fn arrays_of_bytes_cannot_become_rust() {
    for data_type in [DataType::UInt8, DataType::Binary(2)] {
        let schema = Schema::packed([Field::new("a", data_type).array(3)]).unwrap();
        let error = schema_to_rust(&schema, "A").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

/// Finds a name in generated code that is not an identifier.
#[test]
fn names_of_records_must_be_identifiers() {
    let schema = Schema::packed([Field::new("a", DataType::Int8)]).unwrap();
    for name in ["", "a b", "1st", "x-y", "é"] {
        for error in [schema_to_rust(&schema, name), schema_to_c(&schema, name)] {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidArgument, "{name}");
        }
    }
    assert!(schema_to_rust(&schema, "struct").is_err());
    assert!(schema_to_c(&schema, "struct").unwrap().contains("struct struct_ {"));
}

/// Whether `compiler` accepts the text, or `None` without such a compiler.
fn accepts(compiler: &str, language: &str, text: &str) -> Option<Result<(), String>> {
    let mut child = Command::new(compiler)
        .args(["-x", language, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() { Ok(()) } else { Err(errors) })
}

/// Finds a generated header whose assertions fail, or check nothing.
#[test]
fn c_and_cpp_compilers_check_every_offset() {
    let text = schema_to_c(&every_kind(), "every_kind").unwrap();
    let with_use =
        text.clone() + "static struct every_kind one; int main(void) { return one.i8; }\n";
    let wrong = with_use.replacen("uint8_t flag;", "uint16_t flag;", 1);
    assert_ne!(wrong, with_use);
    for (compiler, language) in [("cc", "c"), ("c++", "c++")] {
        match accepts(compiler, language, &with_use) {
            None => skip!("this machine has no {compiler}"),
            Some(result) => {
                assert_eq!(result, Ok(()), "{text}");
                let errors = accepts(compiler, language, &wrong).unwrap().unwrap_err();
                assert!(errors.contains("assert"), "{errors}");
            }
        }
    }
}

/// Each name that became a known identifier got as many underscores as there were such names before
/// it. 8,000 columns made 32 MB of underscores in 40 s.
#[test]
fn many_names_that_become_one_identifier_stay_short() {
    const FIELDS: u32 = 8000;
    // The names of the second half are those that the generator would give the first half.
    let names = (0..FIELDS).map(|number| match number {
        number if number < FIELDS / 2 => char::from_u32(0x4E00 + number).unwrap().to_string(),
        number => format!("__{}", number - FIELDS / 2),
    });
    let fields = names.map(|name| Field::new(name, DataType::UInt16).nullable());
    let schema = Schema::packed(fields).unwrap();
    for text in [schema_to_rust(&schema, "Wide").unwrap(), schema_to_c(&schema, "wide").unwrap()] {
        assert!(text.len() < 300 * FIELDS as usize, "{} bytes", text.len());
        let declared = text.lines().filter_map(|line| {
            let line = line.strip_prefix("    ")?.strip_prefix("pub ").unwrap_or(line);
            let declared = line.split([':', ';']).next()?.trim();
            (!declared.starts_with('#')).then(|| declared.rsplit(' ').next().unwrap_or(declared))
        });
        let declared: Vec<&str> = declared.collect();
        let distinct: std::collections::HashSet<&str> = declared.iter().copied().collect();
        assert!(declared.len() >= FIELDS as usize, "{}", declared.len());
        assert_eq!(distinct.len(), declared.len(), "two fields have the same name");
    }
}

/// Finds a table that SQLite refuses, or that has other columns.
#[test]
fn sqlite_creates_the_table() {
    const SCRIPT: &str = "\
import sqlite3, sys
database = sqlite3.connect(':memory:')
database.execute(sys.argv[1])
for row in database.execute('pragma table_info(trades)'):
    print(row[1], row[2], row[3], sep='|')
";
    let schema = Schema::packed([
        Field::new("id", DataType::UInt64),
        Field::new("a \"b\"", DataType::Utf8(3)).nullable(),
        Field::new("side", DataType::UInt8).with_variants([Variant::new(1, "Buy")]),
        Field::new("at", DataType::Timestamp(TimeUnit::Nanosecond)).utc(),
        Field::new("key", DataType::Binary(16)).with_display(DisplayHint::Uuid),
        Field::new("rgb", DataType::UInt8).array(3),
    ])
    .unwrap();
    let sql = schema_to_sql(&schema, "trades").unwrap();
    let python = std::env::var("FLATREC_PYTHON").unwrap_or_else(|_| "python3".into());
    let ran = match Command::new(python).args(["-c", SCRIPT, &sql]).output() {
        Ok(ran) => ran,
        Err(error) => return skip!("no python3: {error}"),
    };
    let columns = String::from_utf8(ran.stdout).unwrap();
    let expected = "id|NUMERIC(20)|1\na \"b\"|VARCHAR(3)|0\nside|VARCHAR(20)|1\n\
                    at|TIMESTAMP WITH TIME ZONE|1\nkey|UUID|1\nrgb|VARCHAR|1\n";
    assert_eq!(columns.replace('\r', ""), expected, "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(schema_to_sql(&schema, "trades; drop").is_err());
}
