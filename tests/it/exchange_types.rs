//! The types that a load infers or is told: room for later files, narrow numbers, and the layout of
//! schemas in JSON.
#![cfg(feature = "exchange")]

use flatrec::exchange::{
    CsvOptions, CsvReader, CsvWriter, Input, NdjsonWriter, schema_from_json, schema_to_json,
    schema_to_json_without_layout,
};
use flatrec::{DataType, ErrorKind, Field, Result, Schema, TimeUnit, Value};
use proptest::prelude::*;

use crate::support::fields::UNITS;

fn infer(csv: &str, options: CsvOptions) -> Result<Schema> {
    Ok(CsvReader::new(Input::from_bytes(csv), options).infer(None)?.schema)
}

fn types(csv: &str, options: CsvOptions) -> Vec<String> {
    let schema = infer(csv, options).unwrap();
    let shown = |field: &Field| {
        let null = if field.is_nullable() { " nullable" } else { "" };
        format!("{}{null}", field.data_type())
    };
    schema.fields().iter().map(shown).collect()
}

/// Loads with the inferred schema and writes CSV.
fn through(csv: &str, options: CsvOptions) -> (Schema, String) {
    let mut reader = CsvReader::new(Input::from_bytes(csv), options);
    let schema = reader.infer(None).unwrap().schema;
    let mut records: Vec<u8> = Vec::new();
    reader.load(&schema, &mut records).unwrap();
    let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
    csv.header().unwrap();
    for record in records.chunks_exact(schema.record_size() as usize) {
        csv.write(record).unwrap();
    }
    (schema, String::from_utf8(csv.finish().unwrap()).unwrap())
}

const TABLE: &str = "id,name,none,zip\n1,Ada,,10115\n2,Al,,501\n";

/// Finds a field that stays without a presence byte, or a width that only one kind of text gets.
#[test]
fn a_load_leaves_room_for_the_next_file() {
    let plain = ["int64", "utf8(3)", "utf8(1) nullable", "int64"];
    assert_eq!(types(TABLE, CsvOptions::new()), plain);
    assert_eq!(
        types(TABLE, CsvOptions::new().nullable(true).text_width(16)),
        ["int64 nullable", "utf8(16) nullable", "utf8(16) nullable", "int64 nullable"]
    );
    let options = CsvOptions::new().text_width(16).text_width_of("zip", 5).text_width_of("none", 2);
    assert_eq!(types(TABLE, options), ["int64", "utf8(16)", "utf8(2) nullable", "utf8(5)"]);
    let options = CsvOptions::new().data_type_of("id", DataType::UInt8);
    let options = options.data_type_of("zip", DataType::Int16);
    assert_eq!(types(TABLE, options), ["uint8", "utf8(3)", "utf8(1) nullable", "int16"]);
    // A quoted null is a null of what the column is told to be.
    let csv = "a,b\n\"\",x\ny,z\n";
    assert_eq!(types(csv, CsvOptions::new()), ["utf8(1)", "utf8(1)"]);
    let options = CsvOptions::new().data_type_of("a", DataType::Int8);
    assert_eq!(types(csv, options), ["int8 nullable", "utf8(1)"]);
}

/// Finds a text that is cut to the width, or an unknown column that is ignored.
#[test]
fn a_width_is_a_limit_and_names_are_checked() {
    let options = CsvOptions::new().text_width(2);
    let mut reader = CsvReader::new(Input::from_bytes(TABLE), options);
    let schema = reader.infer(None).unwrap().schema;
    let error = reader.load(&schema, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("line 2: field name (utf8(2))"), "{error}");

    for (name, words) in [
        ("nmae", "no column \"nmae\" (did you mean \"name\"?)"),
        ("x", "no column \"x\" (the columns are \"id\", \"name\", \"none\", \"zip\")"),
    ] {
        let error = infer(TABLE, CsvOptions::new().text_width_of(name, 3)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = infer(TABLE, CsvOptions::new().text_width_of("name", 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error}");
    // Without a header the columns have the names of their places.
    let options = CsvOptions::new().header(false).text_width_of("column_2", 9);
    assert_eq!(types("1,2\n", options), ["int64", "utf8(9)"]);
}

/// Finds an adapted schema that loses a place, an annotation or a flag.
#[test]
fn a_given_schema_is_adapted() {
    let schema = Schema::new(
        vec![
            Field::new("at", DataType::Timestamp(TimeUnit::Second)).utc(),
            Field::new("n", DataType::UInt16).at(8),
            Field::new("code", DataType::Utf8(2)).with_null_words(["-"]).at(12),
        ],
        16,
        4,
    )
    .unwrap()
    .with_null_words(["NA"])
    .unwrap();
    assert_eq!(CsvOptions::new().adapt(&schema).unwrap(), schema);
    let same_size = CsvOptions::new().data_type_of("n", DataType::Int16);
    let adapted = same_size.adapt(&schema).unwrap();
    assert_eq!((adapted.record_size(), adapted.fields()[2].offset()), (16, 12));
    let wider = CsvOptions::new()
        .nullable(true)
        .text_width(5)
        .data_type_of("at", DataType::Timestamp(TimeUnit::Millisecond));
    let adapted = wider.adapt(&schema).unwrap();
    let shown: Vec<String> = adapted.fields().iter().map(Field::to_string).collect();
    assert_eq!(
        shown,
        [
            "at: timestamp(ms) nullable utc at 0",
            "n: uint16 nullable at 9",
            "code: utf8(5) nullable at 12"
        ]
    );
    assert_eq!((adapted.record_size(), adapted.alignment()), (18, 1));
    assert_eq!(adapted.null_words(), ["NA"]);
    assert_eq!(adapted.fields()[2].null_words(), ["-"]);
    let no_time = CsvOptions::new().data_type_of("at", DataType::Date32).adapt(&schema).unwrap();
    assert!(!no_time.fields()[0].is_utc());
    let error = CsvOptions::new().text_width_of("cod", 1).adapt(&schema).unwrap_err();
    assert!(error.to_string().contains("did you mean \"code\"?"), "{error}");
}

/// Finds an integer type whose range is off by one, an unsigned one, or a float that loses digits.
#[test]
fn narrow_numbers_are_as_wide_as_their_values() {
    let narrow = |values: &[&str]| {
        let csv = format!("x\n{}\n", values.join("\n"));
        types(&csv, CsvOptions::new().narrow(true)).remove(0)
    };
    for (values, expected) in [
        (&["127", "-128"][..], "int8"),
        (&["128"], "int16"),
        (&["-129"], "int16"),
        (&["255", "0"], "int16"),
        (&["32767", "-32768"], "int16"),
        (&["32768"], "int32"),
        (&["2147483647", "-2147483648"], "int32"),
        (&["2147483648"], "int64"),
        (&["-9223372036854775808", "1"], "int64"),
        (&["12345678901234567", "1"], "int64"),
        (&["0.1", "-2.5", "100000"], "float32"),
        (&["0.1", "16777216"], "float32"),
        (&["0.1", "16777217"], "float64"),
        (&["1234567.8"], "float32"),
        (&["12345678.9"], "float64"),
        (&["3.4028235e38"], "float32"),
        (&["1e39"], "float64"),
        (&["1e-46"], "float64"),
        (&["nan", "inf", "0.5"], "float32"),
        // A float32 keeps it, but is written as 0.1.
        (&["0.10000000149011612"], "float64"),
        (&["2000000000.5", "1"], "float64"),
        (&["9223372036854775808"], "utf8(19)"),
        (&["2013-01-01", "2013-01-02"], "date32"),
        (&["2013-01-01T00:00:00"], "timestamp(s)"),
        (&["1", "x"], "utf8(1)"),
    ] {
        assert_eq!(narrow(values), expected, "{values:?}");
    }
    // The values between others that keep a column text.
    let csv = "x\n300\nNA\n5\n";
    let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new().narrow(true));
    let strays = reader.infer(None).unwrap().strays;
    assert_eq!(strays[0].field.data_type(), DataType::Int16);
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i8>().prop_map(|n| n.to_string()),
        any::<i32>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (any::<i32>(), 0usize..12).prop_map(|(n, digits)| {
            format!("{:.digits$}", f64::from(n) / 10_f64.powi(i32::try_from(digits).unwrap()))
        }),
        any::<f32>().prop_map(|n| format!("{n:?}")),
        any::<f32>().prop_map(|n| format!("{n:e}")),
        any::<f64>().prop_map(|n| format!("{n:?}")),
        any::<f32>().prop_map(|n| format!("{:?}", f64::from(n))),
        (0_u32..40_000_000).prop_map(|n| format!("{n}.0")),
        Just(String::new()),
        Just("nan".into()),
        Just("-0".into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Finds a narrow type in which a value comes back as another text.
    #[test]
    fn narrow_types_export_the_same_texts(
        columns in prop::collection::vec(prop::collection::vec(number(), 4), 1..4),
        kinds in prop::collection::vec(0usize..4, 3),
    ) {
        // Columns of one kind of number, which have a number type more often.
        let of_kind = |text: &String, kind: usize| match kind {
            0 => true,
            1 => !text.contains(['.', 'e', 'n', 'N', 'i']),
            2 => text.len() < 8,
            _ => text.contains('.') || text.is_empty(),
        };
        let mut csv = String::from("i,a,b,c");
        csv.truncate(1 + 2 * columns.len());
        for row in 0..4 {
            csv.push_str(&format!("\n{row}"));
            for (column, &kind) in columns.iter().zip(&kinds) {
                let text = &column[row];
                csv.push(',');
                csv.push_str(if of_kind(text, kind) { text } else { "1" });
            }
        }
        let (wide, expected) = through(&csv, CsvOptions::new());
        let (narrow, found) = through(&csv, CsvOptions::new().narrow(true));
        prop_assert_eq!(&found, &expected);
        prop_assert!(narrow.record_size() < wide.record_size());
    }
}

/// Finds a result of narrow inference that depends on the blocks of a large file.
#[test]
fn narrow_types_do_not_depend_on_threads() {
    let rows = (0..200_000).map(|row| format!("{},{}\n", row % 100, f64::from(row % 7) / 2.0));
    let rows: String = rows.collect();
    for (last, expected) in
        [("1,1\n", ["int8", "float32"]), ("200,0.123456789\n", ["int16", "float64"])]
    {
        let csv = format!("a,b\n{rows}{last}{rows}");
        for threads in [1, 4] {
            assert_eq!(types(&csv, CsvOptions::new().narrow(true).threads(threads)), expected);
        }
    }
}

/// Finds words for null that a load does not note, or does not take from the schema.
#[test]
fn a_schema_has_the_words_for_null_of_its_load() {
    let csv = "a,b\n-,x\n5,-\n";
    let options = CsvOptions::new().null_text("-").null_text("").null_text("-");
    let schema = infer(csv, options.clone()).unwrap();
    assert_eq!(schema.null_words(), ["-"]);
    assert!(infer(csv, CsvOptions::new()).unwrap().null_words().is_empty());

    let load = |csv: &str, schema: &Schema, options: CsvOptions| {
        let mut reader = CsvReader::new(Input::from_bytes(csv), options);
        reader.load(schema, &mut Vec::new()).map(|report| report.nulls)
    };
    assert_eq!(load(csv, &schema, CsvOptions::new()).unwrap(), 2);
    assert_eq!(load("a,b\n-,?\n", &schema, CsvOptions::new().null_text("?")).unwrap(), 2);
    // Words of a field stand instead of those of the record, but not of the options.
    let own = Field::new("a", DataType::Int8).nullable().with_null_words(["none"]);
    let schema = Schema::packed([own]).unwrap().with_null_words(["-"]).unwrap();
    assert_eq!(load("a\nnone\n\n?\n", &schema, CsvOptions::new().null_text("?")).unwrap(), 3);
    assert!(load("a\n-\n", &schema, CsvOptions::new()).is_err());
    let noted = CsvOptions::new().null_text("?").adapt(&schema).unwrap();
    assert_eq!(noted.null_words(), ["-", "?"]);
    assert_eq!(noted.fields()[0].null_words(), ["none", "?"]);
    let long = CsvOptions::new().null_text("x".repeat(70_000));
    assert_eq!(infer(csv, long).unwrap_err().kind(), ErrorKind::InvalidSchema);
}

/// Finds a line that counts from its block, and texts that are not those of the first rows.
#[test]
fn texts_that_make_a_column_text_have_their_lines() {
    let rows = "1,2\n".repeat(100_000);
    let csv = format!("a,b\n{rows}\"y\n\",x\n{rows}y,x\n{rows}");
    for threads in [1, 3] {
        let mut reader =
            CsvReader::new(Input::from_bytes(&csv), CsvOptions::new().threads(threads));
        let strays = reader.infer(None).unwrap().strays;
        let [a, b] = &strays[..] else { panic!("{strays:?}") };
        assert_eq!(
            (&*a.texts, &*a.lines),
            (&["y".into(), "y\n".into()][..], &[200_004, 100_002][..])
        );
        assert_eq!((&*b.texts, &*b.lines, b.values), (&["x".into()][..], &[100_002][..], 2));
    }
}

/// Finds a number since 1970 that becomes another time, or another number on the way back.
#[test]
fn epochs_are_numbers_in_text_and_timestamps_in_records() {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    for (unit, epoch, text, time) in [
        (Second, Second, "1357016400", 1_357_016_400),
        (Millisecond, Second, "1357016400.25", 1_357_016_400_250),
        (Millisecond, Second, "-1.5", -1500),
        (Millisecond, Second, "-0.001", -1),
        (Second, Millisecond, "5000", 5),
        (Nanosecond, Second, "0.000000001", 1),
        (Nanosecond, Nanosecond, "-9223372036854775808", i64::MIN),
        (Microsecond, Millisecond, "9223372036854775.807", i64::MAX),
        (Second, Nanosecond, "9223372036854775807000000000", i64::MAX),
        (Nanosecond, Microsecond, "0", 0),
    ] {
        for big_endian in [false, true] {
            let field = Field::new("at", DataType::Timestamp(unit)).utc().with_epoch(epoch);
            let field = if big_endian { field.big_endian() } else { field };
            let mut record = [0; 8];
            field.parse_text(text, &mut record).unwrap();
            assert_eq!(field.read(&record).unwrap(), Value::Timestamp(time, unit), "{text}");
            let mut written = String::new();
            field.format_text(&record, &mut written).unwrap();
            assert_eq!(written, text);
        }
    }
    let field = Field::new("at", DataType::Timestamp(Millisecond)).with_epoch(Second);
    let mut record = [0; 8];
    for (text, time) in [("1e3", 1_000_000), ("1.50", 1500), ("1970-01-01T00:00:02", 2000)] {
        field.parse_text(text, &mut record).unwrap();
        assert_eq!(field.read(&record).unwrap(), Value::Timestamp(time, Millisecond), "{text}");
    }
    for text in ["1.0005", "007", "+1", "-0", "9223372036854775.808", "x", "nan", "1e30"] {
        let error = field.parse_text(text, &mut record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{text}: {error}");
    }
    assert!(field.parse_text_rounded("1.0004", &mut record).unwrap());
    assert_eq!(field.read(&record).unwrap(), Value::Timestamp(1000, Millisecond));

    // Through a load, an export and an append of the export.
    let json = r#"{"fields": [{"name": "at", "type": "timestamp(us)", "utc": true, "epoch": "ms"},
        {"name": "n", "type": "int8"}]}"#;
    let schema = schema_from_json(json).unwrap();
    let csv = "at,n\n1357016400000,1\n0.5,2\n";
    let mut records: Vec<u8> = Vec::new();
    CsvReader::new(Input::from_bytes(csv), CsvOptions::new()).load(&schema, &mut records).unwrap();
    let mut out = CsvWriter::new(Vec::new(), schema.fields(), b',');
    out.header().unwrap();
    let mut ndjson = NdjsonWriter::new(Vec::new(), schema.fields());
    for record in records.chunks_exact(9) {
        out.write(record).unwrap();
        ndjson.write(record).unwrap();
    }
    assert_eq!(String::from_utf8(out.finish().unwrap()).unwrap(), csv);
    let expected = "{\"at\":1357016400000,\"n\":1}\n{\"at\":0.5,\"n\":2}\n";
    assert_eq!(String::from_utf8(ndjson.finish().unwrap()).unwrap(), expected);
}

proptest! {
    /// Finds a time whose number gives another time.
    #[test]
    fn the_number_of_every_time_is_read_back(
        time in any::<i64>(), units in (0usize..4, 0usize..4),
    ) {
        let (unit, epoch) = (UNITS[units.0], UNITS[units.1]);
        let field = Field::new("at", DataType::Timestamp(unit)).with_epoch(epoch);
        let mut text = String::new();
        field.format_text(&time.to_le_bytes(), &mut text).unwrap();
        let mut record = [0; 8];
        field.parse_text(&text, &mut record).unwrap();
        prop_assert_eq!(i64::from_le_bytes(record), time, "{}", text);
    }
}

fn pair(first: &str, second: &str) -> String {
    format!(
        r#"{{"record_size": 16, "alignment": 1, "fields": [
            {{"name": "a", "type": "{first}", "offset": 0}},
            {{"name": "b", "type": "{second}", "offset": 8}}]}}"#
    )
}

/// Finds offsets of other types that make a store with holes.
#[test]
fn stale_offsets_are_refused_with_what_to_drop() {
    schema_from_json(&pair("int64", "int64")).unwrap();
    for (json, why) in [
        (pair("int16", "int64"), "field b: 6 bytes before it not used"),
        (
            pair("utf8(9)", "utf8(7)"),
            "field b: it begins at byte 8, and the field before it ends at 9",
        ),
        (pair("int64", "int16"), "the record of 16 bytes: 6 bytes at its end not used"),
        (
            r#"{"fields": [{"name": "b", "type": "int8", "offset": 8}]}"#.into(),
            "field b: 8 bytes before it not used",
        ),
        (
            r#"{"record_size": 8, "fields": [{"name": "a", "type": "int8"}]}"#.into(),
            "7 bytes at its end not used",
        ),
        (
            r#"{"fields": [{"name": "a", "type": "int8", "offset": 0},
                {"name": "b", "type": "int8", "padding": 2, "offset": 2}]}"#
                .into(),
            "field b: 1 byte before it not used",
        ),
    ] {
        let error = schema_from_json(&json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSchema);
        let text = error.to_string();
        assert!(text.contains(why), "{text}");
        let advice = "(drop \"record_size\", \"alignment\" and every \"offset\" and \"padding\"";
        assert!(text.contains(advice), "{text}");
    }
}

/// Finds a layout that its own JSON does not give back.
#[test]
fn padding_explains_unused_bytes() {
    let fields =
        || vec![Field::new("a", DataType::Int8).at(3), Field::new("b", DataType::Int64).at(8)];
    let schema = Schema::new(fields(), 24, 8).unwrap();
    let json = schema_to_json(&schema);
    assert!(json.contains("\"padding\": 8,\n") && json.contains("\"padding\": 3, \"offset\": 3"));
    assert_eq!(schema_from_json(&json).unwrap(), schema);
    // As a compiler places them: the alignment is reason enough.
    let in_c = r#"{"record_size": 24, "alignment": 8, "fields": [
        {"name": "a", "type": "int8", "offset": 0},
        {"name": "b", "type": "int64", "offset": 8},
        {"name": "c", "type": "int16", "offset": 16},
        {"name": "d", "type": "int32", "offset": 20}]}"#;
    assert_eq!(schema_from_json(in_c).unwrap().record_size(), 24);
    // Without offsets.
    let padded = r#"{"padding": 2, "fields": [
        {"name": "a", "type": "int8"}, {"name": "b", "type": "int8", "padding": 4}]}"#;
    let schema = schema_from_json(padded).unwrap();
    assert_eq!((schema.fields()[1].offset(), schema.record_size()), (5, 8));
}

/// Finds a schema without its layout that loses more than that.
#[test]
fn a_schema_without_layout_can_be_edited() {
    let fields = [
        Field::new("id", DataType::Int64),
        Field::new("code", DataType::Utf8(3)).nullable().with_null_words(["-"]).at(16),
    ];
    let schema = Schema::new(fields.into(), 24, 8).unwrap().with_null_words(["NA"]).unwrap();
    let json = schema_to_json_without_layout(&schema);
    assert!(
        !["offset", "padding", "record_size", "alignment"].iter().any(|key| json.contains(key))
    );
    let packed = schema_from_json(&json).unwrap();
    assert_eq!((packed.record_size(), packed.alignment()), (12, 1));
    assert_eq!(
        (packed.null_words(), packed.fields()[1].null_words()),
        (&["NA".into()][..], &["-".into()][..])
    );
    let narrower = schema_from_json(&json.replace("int64", "int16")).unwrap();
    assert_eq!(narrower.record_size(), 6);
}
