//! What an export writes, a load takes in as the same records, or the export says why not.
#![cfg(feature = "exchange")]

use flatrec::exchange::{CsvOptions, CsvReader, CsvWriter, ExportFormat, Exporter, Input};
use flatrec::{DataType, ErrorKind, Field, Result, Schema, TimeUnit, Value, Variant};
use proptest::prelude::*;

/// Names and texts that a reader may take for something else.
const STRANGE: &[&str] = &[
    "sep=;",
    "sep=,",
    "sep=",
    "sep=\t",
    "a;b",
    "x,y",
    "a b",
    "1 2",
    "a|b",
    "a\tb",
    "\u{feff}n",
    "NA",
    "-999",
    "5",
    "true",
    "\"q\"",
    "#",
];
const WORDS: &[&str] =
    &["NA", "-999", "-999.0", "-999.00", "true", "NaN", "inf", "1000.0", "2013-01-31", "Buy", "5"];

fn types() -> impl Strategy<Value = Field> {
    let of = |data_type| Field::new("f", data_type);
    prop_oneof![
        3 => Just(of(DataType::Utf8(8))),
        1 => Just(of(DataType::Int16)),
        2 => Just(of(DataType::Float64)),
        1 => Just(of(DataType::Float32).big_endian()),
        1 => Just(of(DataType::Bool)),
        1 => Just(of(DataType::Date32)),
        1 => Just(of(DataType::Timestamp(TimeUnit::Second)).with_epoch(TimeUnit::Second)),
        1 => {
            let variants = [Variant::new(5, "Buy"), Variant::new(7, "NA")];
            Just(of(DataType::Int8).with_variants(variants))
        },
        1 => Just(of(DataType::Int16).array(2)),
    ]
}

fn schemas() -> impl Strategy<Value = Schema> {
    let field = (types(), any::<bool>(), prop::sample::subsequence(WORDS, 0..3));
    let fields = prop::collection::vec(field, 1..4);
    let names = prop::sample::subsequence(STRANGE, 3).prop_shuffle();
    (fields, names, prop::sample::subsequence(WORDS, 0..3)).prop_map(|(fields, names, words)| {
        let fields = fields.into_iter().zip(names).map(|((field, nullable, own), name)| {
            let name = name.replace('\t', "_");
            let field = field.named(name).with_null_words(own);
            if nullable { field.nullable() } else { field }
        });
        Schema::packed(fields).unwrap().with_null_words(words).unwrap()
    })
}

trait Named {
    fn named(self, name: String) -> Self;
}

impl Named for Field {
    fn named(self, name: String) -> Self {
        let renamed = Field::new(name, self.data_type()).with_variants(self.variants().to_vec());
        let renamed = if self.is_big_endian() { renamed.big_endian() } else { renamed };
        let renamed = match self.epoch() {
            Some(epoch) => renamed.with_epoch(epoch),
            None => renamed,
        };
        match self.array_len() {
            Some(len) => renamed.array(len),
            None => renamed,
        }
    }
}

/// Puts a value, number `choice` of those of its type, into the record.
fn put(field: &Field, choice: usize, record: &mut [u8]) {
    if field.is_nullable() && choice % 3 == 0 {
        return field.write(record, &Value::Null).unwrap();
    }
    let texts: &[&str] = match field.data_type() {
        DataType::Utf8(_) if choice % 5 == 1 => &[""],
        DataType::Utf8(_) => STRANGE,
        DataType::Int16 if field.array_len().is_some() => &["[1,2]", "[-999,5]"],
        DataType::Int16 => &["-999", "5", "0"],
        DataType::Float64 | DataType::Float32 => {
            &["-999", "1000", "nan", "inf", "-inf", "0.5", "1e300", "5"][..]
        }
        DataType::Bool => &["true", "false"],
        DataType::Date32 => &["2013-01-31", "1970-01-01"],
        DataType::Timestamp(_) => &["5", "-999"],
        _ => &["Buy", "NA", "3"],
    };
    let text = texts[choice % texts.len()];
    let text = if field.data_type() == DataType::Float32 && text == "1e300" { "3" } else { text };
    field.parse_text(text, record).unwrap();
}

/// Whether a value that is not text has the text of a word for null.
fn has_word(schema: &Schema, record: &[u8]) -> bool {
    schema.fields().iter().any(|field| {
        let words =
            if field.null_words().is_empty() { schema.null_words() } else { field.null_words() };
        let mut text = String::new();
        field.format_text(record, &mut text).unwrap();
        !matches!(field.data_type(), DataType::Utf8(_)) && words.contains(&text)
    })
}

fn export(schema: &Schema, records: &[u8], delimiter: u8, header: bool) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let exporter = Exporter::new(schema, ExportFormat::Csv).delimiter(delimiter).header(header);
    let mut export = exporter.begin_to(&mut out)?;
    for (id, record) in records.chunks_exact(schema.record_size() as usize).enumerate() {
        export.push(id as u64, record)?;
    }
    export.finish()?;
    Ok(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Finds a first row that is taken for a delimiter or for nothing, and a value that becomes
    /// null, or another.
    #[test]
    fn an_export_loads_as_the_same_records(
        schema in schemas(),
        choices in prop::collection::vec(0..60_usize, 3..15),
        delimiter in prop::sample::select(&[b',', b',', b',', b';', b'\t', b'|', b' '][..]),
        header in any::<bool>(),
    ) {
        let mut records: Vec<u8> = Vec::new();
        for row in choices.chunks_exact(3) {
            let mut record = vec![0; schema.record_size() as usize];
            for (field, choice) in schema.fields().iter().zip(row) {
                put(field, *choice, &mut record);
            }
            records.extend(record);
        }
        let rows = || records.chunks_exact(schema.record_size() as usize);
        let csv = match export(&schema, &records, delimiter, header) {
            Ok(csv) => csv,
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::InvalidValue);
                let id = error.record_number().unwrap();
                prop_assert!(has_word(&schema, rows().nth(id as usize).unwrap()), "{}", error);
                prop_assert!(error.to_string().contains("words for null"), "{}", error);
                return Ok(());
            }
        };
        let options = match delimiter {
            b',' => CsvOptions::new().detect_delimiter(true),
            other => CsvOptions::new().delimiter(other).unwrap(),
        };
        let mut back: Vec<u8> = Vec::new();
        let mut reader = CsvReader::new(Input::from_bytes(csv.clone()), options.header(header));
        let report = reader.load(&schema, &mut back);
        let csv = String::from_utf8_lossy(&csv);
        prop_assert!(report.is_ok(), "{}: {:?}", report.unwrap_err(), csv);
        prop_assert_eq!(&back, &records, "{:?}", csv);
    }
}

/// A float, which has other spellings, came back as null, and so did an integer, which has none.
#[test]
fn a_value_that_is_a_word_for_null_is_spelled_otherwise_or_refused() {
    let float = Field::new("temp", DataType::Float64).nullable();
    let schema = Schema::packed([float]).unwrap().with_null_words(["-999.0", "-999.00"]).unwrap();
    let text = |value: f64| {
        let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
        csv = csv.null_words(schema.null_words());
        csv.header()?;
        let mut record = [0; 9];
        schema.fields()[0].write(&mut record, &Value::Float(value))?;
        csv.write(&record)?;
        Ok::<_, flatrec::Error>(String::from_utf8(csv.finish()?).unwrap())
    };
    assert_eq!(text(-999.0).unwrap(), "temp\n-999.000\n");
    assert_eq!(text(-998.0).unwrap(), "temp\n-998.0\n");

    let count = Field::new("count", DataType::Int16).nullable().with_null_words(["-999"]);
    let schema = Schema::packed([count]).unwrap();
    let error = export(&schema, &[1, 5, 0, 1, 0x19, 0xfc], b',', true).unwrap_err();
    assert_eq!(error.record_number(), Some(1));
    let told = error.to_string();
    assert!(
        told.contains("\"count\" is -999, which is one of the field's words for null"),
        "{told}"
    );
    assert!(told.ends_with("(set it to null or to another value, or write NDJSON)"), "{told}");
}

/// Threads that make text gave the first rows of their parts quotes of a first line.
#[test]
fn only_the_first_line_of_a_long_export_is_guarded() {
    let schema = Schema::packed([Field::new("t", DataType::Utf8(8))]).unwrap();
    let records: Vec<u8> = b"a b;c\0\0\0".repeat(200_000);
    let csv = String::from_utf8(export(&schema, &records, b',', false).unwrap()).unwrap();
    assert!(csv == format!("\"a b;c\"\n{}", "a b;c\n".repeat(199_999)));
}

/// Nulls before the first value of a file without a header were left out.
#[test]
fn blank_lines_without_a_header_are_nulls() {
    for (csv, expected) in [
        ("\n\n3\n", Some("column_1\n\n\n3\n")),
        ("\r\n\r\n3\r\n\r\n", Some("column_1\n\n\n3\n\n")),
        ("\n\n", Some("column_1\n\n\n")),
        ("\n\n1,2\n", Some("column_1,column_2\n1,2\n")),
        ("", None),
    ] {
        let options = CsvOptions::new().header(false).detect_delimiter(true);
        let mut reader = CsvReader::new(Input::from_bytes(csv), options);
        let Ok(inferred) = reader.infer(None) else {
            assert_eq!(expected, None, "{csv:?}");
            continue;
        };
        let mut records: Vec<u8> = Vec::new();
        reader.load(&inferred.schema, &mut records).unwrap();
        let back = export(&inferred.schema, &records, b',', true).unwrap();
        assert_eq!(Some(&*String::from_utf8(back).unwrap()), expected, "{csv:?}");
    }
}

/// A file of numbers without a header lost its first row to the names of its columns.
#[test]
fn a_header_that_looks_like_data_is_refused() {
    let infer = |csv: &str, options: CsvOptions| {
        let mut reader = CsvReader::new(Input::from_bytes(csv), options);
        reader.infer(None).map(|inferred| inferred.header_may_be_data)
    };
    for csv in [
        "1,2,3\n4,5,6\n",
        "1.5\n2.5\n",
        "-1,7\n3,4\n",
        "1,2013-01-01\n2,2013-01-02\n",
        "1,true\n2,false\n",
        "AAPL,190.5,100\nMSFT,300,200\n",
        "2013-01-01T05:00:00,a\n2013-01-01T06:00:00,b\n",
        "7\n",
        "1,2\n",
        "5,nan\n6,inf\n",
    ] {
        let error = infer(csv, CsvOptions::new()).expect_err(csv).to_string();
        assert!(error.contains("CsvOptions::header(false); if it has the names, "), "{error}");
        assert!(!infer(csv, CsvOptions::new().header(true)).unwrap(), "{csv}");
        assert!(!infer(csv, CsvOptions::new().header(false)).unwrap(), "{csv}");
    }
    // Years may be names.
    for csv in ["country,2001,2002\nAruba,5,7\n", "1,2\nx,5\ny,6\n", "1,2\n3,\n"] {
        assert!(infer(csv, CsvOptions::new()).unwrap(), "{csv}");
        assert!(!infer(csv, CsvOptions::new().header(true)).unwrap(), "{csv}");
    }
    for csv in ["a,1\n5,6\n", "x\ny\n", "a\n", "a,b\n1,2\n", "1,2\nx,y\n", "2001,b\n5,7\n"] {
        assert!(!infer(csv, CsvOptions::new()).unwrap(), "{csv}");
    }
}

/// The second of two byte order marks is a part of the first value, in every encoding.
#[test]
fn a_second_byte_order_mark_stays() {
    let text = "\u{feff}\u{feff}a\n5\n";
    let units = || text.encode_utf16();
    let files = [
        text.as_bytes().to_vec(),
        units().flat_map(u16::to_le_bytes).collect(),
        units().flat_map(u16::to_be_bytes).collect(),
    ];
    for file in files {
        let names = CsvReader::new(Input::from_bytes(file), CsvOptions::new()).columns().unwrap();
        assert_eq!(names, ["\u{feff}a"]);
    }
}

/// Errors about a record of more than 16 MiB, a word for null and an epoch did not say enough.
#[test]
fn errors_name_the_column_the_word_and_the_unit() {
    let error = |csv: &str| {
        let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new());
        reader.infer(None).unwrap_err().to_string()
    };
    let told = error(&format!("id,note\n1,x\n2,{}\n", "y".repeat(17 << 20)));
    assert!(told.contains("text of column \"note\" has 17825792 bytes, on line 3"), "{told}");
    let texts = format!("a,b\n{},{}\n", "y".repeat(9 << 20), "z".repeat(8 << 20));
    assert!(error(&texts).contains("text of column \"a\" has 9437184 bytes, on line 2"));

    let load = |field: Field, csv: &str| {
        let schema = Schema::packed([field]).unwrap();
        let options = CsvOptions::new().null_text("NA");
        CsvReader::new(Input::from_bytes(csv), options)
            .load(&schema, &mut Vec::new())
            .unwrap_err()
            .to_string()
    };
    let told = load(Field::new("n", DataType::Int8), "n\nNA\n");
    assert!(told.contains("field n (int8) has \"NA\", a word for null, but is not null"), "{told}");
    let told = load(Field::new("n", DataType::Int8), "n\n\n");
    assert!(told.contains("field n (int8) is empty but not nullable"), "{told}");
    let at = Field::new("at", DataType::Timestamp(TimeUnit::Millisecond));
    for (epoch, text, stored) in [
        (TimeUnit::Second, "1357016400.1234", "1357016400.123"),
        (TimeUnit::Microsecond, "1357016400000400", "1357016400000000"),
        (TimeUnit::Millisecond, "5.5", "6"),
        (TimeUnit::Second, "05", "5"),
    ] {
        let told = load(at.clone().with_epoch(epoch), &format!("at\n{text}\n"));
        assert!(told.contains(&format!("it would be stored as {stored}, ")), "{told}");
    }
}

/// An option could not give a field with an epoch, a form or names another type.
#[test]
fn a_field_gets_another_type_without_its_form() {
    let of = |data_type| Field::new("f", data_type);
    let seconds = of(DataType::Timestamp(TimeUnit::Second)).with_epoch(TimeUnit::Second).utc();
    for (field, data_type, expected) in [
        (seconds.clone(), DataType::Int64, of(DataType::Int64)),
        (seconds.clone(), DataType::Utf8(20), of(DataType::Utf8(20))),
        (
            seconds,
            DataType::Timestamp(TimeUnit::Millisecond),
            of(DataType::Timestamp(TimeUnit::Millisecond)).with_epoch(TimeUnit::Second).utc(),
        ),
        (
            of(DataType::Int8).with_variants([Variant::new(1, "Buy")]).with_null_words(["-"]),
            DataType::Utf8(4),
            of(DataType::Utf8(4)).with_null_words(["-"]),
        ),
        (
            of(DataType::Int8).with_variants([Variant::new(1, "Buy")]),
            DataType::Int16,
            of(DataType::Int16).with_variants([Variant::new(1, "Buy")]),
        ),
    ] {
        let schema = Schema::packed([field]).unwrap();
        let adapted = CsvOptions::new().data_type_of("f", data_type).adapt(&schema).unwrap();
        assert_eq!(adapted.fields(), [expected]);
    }
}
