//! The table of round trips in docs/FORMATS.md: what comes back of each type from each format.
//! With FLATREC_WRITE_EXPECTED set, the test writes the table.
#![cfg(all(feature = "parquet", target_endian = "little"))]

use std::path::Path;

use flatrec::exchange::{
    CsvOptions, CsvReader, ExportFormat, Exporter, Input, InputFormat, TableReader,
};
use flatrec::{DataType, DisplayHint, DynStore, Field, Result, Schema, TimeUnit, Variant};

const FORMATS: [(&str, ExportFormat); 6] = [
    ("csv", ExportFormat::Csv),
    ("ndjson", ExportFormat::Ndjson),
    ("npy", ExportFormat::Npy),
    ("arrow", ExportFormat::Arrow),
    ("arrows", ExportFormat::ArrowStream),
    ("parquet", ExportFormat::Parquet),
];

/// A row of the table, its fields, and the values of each record; an empty text is null.
type Row = (&'static str, Vec<Field>, Vec<Vec<&'static str>>);

fn row(name: &'static str, field: Field, values: &[&'static str]) -> Row {
    (name, vec![field], values.iter().map(|value| vec![*value]).collect())
}

fn rows() -> Vec<Row> {
    use DataType::*;
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let of = |data_type| Field::new("x", data_type);
    let time = |unit| of(Timestamp(unit));
    let took = |unit| of(Duration(unit));
    let sides = [Variant::new(1, "Buy"), Variant::new(2, "Sell, short")];
    vec![
        row("`bool`", of(Bool), &["true", "false"]),
        row("`int8`", of(Int8), &["-128", "127"]),
        row("`int16`, big-endian", of(Int16).big_endian(), &["-32768", "1"]),
        row("`int32`", of(Int32), &["-2147483648", "2147483647"]),
        row("`int64`", of(Int64), &["-9223372036854775808", "9223372036854775807"]),
        row("`uint8`", of(UInt8), &["0", "255"]),
        row("`uint16`", of(UInt16), &["0", "65535"]),
        row("`uint32`", of(UInt32), &["0", "4294967295"]),
        row("`uint64`", of(UInt64), &["0", "18446744073709551615"]),
        row("`int128`", of(Int128), &["-170141183460469231731687303715884105728", "1"]),
        row("`uint128`", of(UInt128), &["340282366920938463463374607431768211455", "1"]),
        row("`float32`", of(Float32), &["0.1", "-inf", "nan", "3.4028235e38"]),
        row("`float64`", of(Float64), &["0.1", "inf", "nan", "-5e-324"]),
        row("`date32`", of(Date32), &["0001-01-01", "9999-12-31"]),
        row("`timestamp(s)`", time(Second), &["1969-12-31T23:59:59", "2013-01-31T05:00:00"]),
        row("`timestamp(ms)`", time(Millisecond), &["2013-01-31T05:00:00.001"]),
        row("`timestamp(us)`, UTC", time(Microsecond).utc(), &["2013-01-31T05:00:00.000001Z"]),
        row("`timestamp(ns)`, UTC", time(Nanosecond).utc(), &["1969-12-31T23:59:59.999999999Z"]),
        row("`duration(s)`", took(Second), &["PT0S", "-PT90S"]),
        row("`duration(ms)`", took(Millisecond), &["PT0.001S"]),
        row("`duration(us)`", took(Microsecond), &["PT0.000001S"]),
        row("`duration(ns)`", took(Nanosecond), &["-PT0.000000001S"]),
        row("`utf8(8)`", of(Utf8(8)), &["", "Łódź", "a,\"b\"", "longest8"]),
        row("`utf8(12)`, wider than its texts", of(Utf8(12)), &["a", "bc"]),
        row("`binary(2)`", of(Binary(2)), &["00ff", "0a00"]),
        row("`int16[3]`", of(Int16).array(3), &["[1,-2,3]"]),
        row("`float64[4][2]`", of(Float64).with_shape([4, 2]), &["[[1,2],[3,4],[5,6],[7,8.5]]"]),
        row("`utf8(2)[2]`", of(Utf8(2)).array(2), &["[\"a\",\"bc\"]"]),
        row("`bool[2]`", of(Bool).array(2), &["[true,false]"]),
        row(
            "`uint8` with names of variants",
            of(UInt8).with_variants(sides),
            &["Buy", "Sell, short"],
        ),
        row("`uint32` shown as a character", of(UInt32).with_display(DisplayHint::Char), &["ß"]),
        row(
            "`binary(16)` shown as a UUID",
            of(Binary(16)).with_display(DisplayHint::Uuid),
            &["67e55044-10b1-426f-9247-bb680e5fe0c8"],
        ),
        row("`int64` with a scale", of(Int64).with_scale(2), &["150", "-7"]),
        row("`int32` nullable", of(Int32).nullable(), &["", "7"]),
        row("`utf8(2)` nullable", of(Utf8(2)).nullable(), &["", "ab"]),
        row("`timestamp(ns)` nullable", time(Nanosecond).nullable(), &["", "2013-01-31"]),
        row("`int16[3]` nullable", of(Int16).array(3).nullable(), &["", "[1,-2,3]"]),
        row("`float64` nullable, all null", of(Float64).nullable(), &["", ""]),
        row("`binary(2)` nullable, all null", of(Binary(2)).nullable(), &["", ""]),
        (
            "names with dots",
            vec![Field::new("at.x", Float64), Field::new("at.to.y", Int64)],
            vec![vec!["0.5", "1"], vec!["-1.0", "2"]],
        ),
    ]
}

/// The schema that `path` is loaded with, and the records; `None` for `schema` infers it.
fn loaded(path: &Path, schema: Option<&Schema>) -> Result<(Schema, Vec<u8>)> {
    let input = Input::open(path)?;
    let mut records: Vec<u8> = Vec::new();
    let schema = match InputFormat::from_path(path) {
        InputFormat::Csv => {
            let mut reader = CsvReader::new(input, CsvOptions::new().header(true));
            let schema = match schema {
                Some(schema) => schema.clone(),
                None => reader.infer(None)?.schema,
            };
            reader.load(&schema, &mut records)?;
            schema
        }
        format => {
            let mut reader = TableReader::new(input, format)?;
            let schema = match schema {
                Some(schema) => schema.clone(),
                None => reader.infer(None)?.schema,
            };
            reader.load(&schema, &mut records)?;
            schema
        }
    };
    Ok((schema, records))
}

/// What comes back of the records of a row.
fn verdict(path: &Path, schema: &Schema, records: &[u8]) -> &'static str {
    let is_same = |given: Option<&Schema>| {
        loaded(path, given).is_ok_and(|(found, bytes)| found == *schema && bytes == records)
    };
    match (is_same(None), is_same(Some(schema))) {
        (true, true) => "yes",
        (false, true) => "schema",
        _ => "no",
    }
}

fn table() -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut table = String::from(
        "| type | CSV | NDJSON | npy | Arrow's file | its stream | Parquet |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (number, (name, fields, values)) in rows().into_iter().enumerate() {
        let schema = Schema::packed(fields).unwrap();
        let mut records = Vec::new();
        for texts in &values {
            let mut record = vec![0; schema.record_size() as usize];
            for (field, text) in schema.fields().iter().zip(texts) {
                if !(text.is_empty() && field.is_nullable()) {
                    let rounded = field.parse_text_rounded(text, &mut record);
                    assert!(!rounded.unwrap(), "{field}: {text}");
                }
            }
            records.extend(record);
        }
        let mut store = DynStore::temporary(&schema).unwrap();
        store.append_packed(&records).unwrap();
        let mut line = format!("| {name} |");
        for (ending, format) in FORMATS {
            let path = dir.path().join(format!("{number}.{ending}"));
            Exporter::new(&schema, format).export(store.iter(), &path).unwrap();
            line.push_str(&format!(" {} |", verdict(&path, &schema, &records)));
        }
        table.push_str(&line);
        table.push('\n');
    }
    table
}

/// Finds a type that no longer comes back from a format as docs/FORMATS.md says.
#[test]
fn the_table_says_what_comes_back() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/FORMATS.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, section) = document.split_once("\n## Round trips\n").unwrap();
    let first = section.find("\n| type |").unwrap() + 1;
    let len = section[first..].find("\n\n").map_or(section.len() - first, |at| at + 1);
    let found = table();
    if std::env::var_os("FLATREC_WRITE_EXPECTED").is_some() {
        let (head, tail) = (&section[..first], &section[first + len..]);
        std::fs::write(path, format!("{before}\n## Round trips\n{head}{found}{tail}")).unwrap();
        return;
    }
    assert_eq!(&section[first..first + len], found, "FLATREC_WRITE_EXPECTED=1 writes the table");
}
