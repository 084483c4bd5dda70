//! Every way in takes the same texts: inference, a load with a given schema or with that of a
//! sample, `Field::parse_text` and conditions.
#![cfg(all(feature = "exchange", feature = "query"))]

use flatrec::exchange::{CsvOptions, CsvReader, Input};
use flatrec::query::Filter;
use flatrec::{DataType, Field, Schema, TimeUnit};

/// What a field makes of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Taken {
    /// It comes back as this text.
    As(&'static str),
    /// The same, but inference does not choose the type because of it.
    BySchema(&'static str),
    Refused,
}
use Taken::{As, BySchema, Refused};

/// A field, a text that makes inference choose its type, and texts beside that one.
type Case = (Field, &'static str, &'static [(&'static str, Taken)]);

const INTEGERS: &[(&str, Taken)] = &[
    ("0", As("0")),
    ("-12", As("-12")),
    ("9007199254740993", As("9007199254740993")),
    ("9223372036854775807", As("9223372036854775807")),
    ("-9223372036854775808", As("-9223372036854775808")),
    ("9223372036854775808", Refused),
    ("00501", Refused),
    ("00", Refused),
    ("-01", Refused),
    ("+5", Refused),
    ("-0", Refused),
    ("5.0", Refused),
    ("1e3", Refused),
    ("5 ", Refused),
    ("x", Refused),
];

const FLOATS: &[(&str, Taken)] = &[
    ("7", As("7.0")),
    ("-0", As("-0.0")),
    ("1.50", As("1.5")),
    (".5", As("0.5")),
    ("5.", As("5.0")),
    ("1E+5", As("100000.0")),
    ("9007199254740992", As("9007199254740992.0")),
    ("9007199254740994", As("9007199254740994.0")),
    ("1180591620717411303424", As("1.1805916207174113e21")),
    ("0.10000000000000001", As("0.1")),
    ("40300.619960000004", As("40300.61996")),
    ("5.118216247002567165e-01", As("0.5118216247002567")),
    ("5.684341886080802e-14", As("5.684341886080802e-14")),
    ("5e-324", As("5e-324")),
    ("nan", As("NaN")),
    ("NAN", As("NaN")),
    ("inf", As("inf")),
    ("-Infinity", As("-inf")),
    ("INFINITY", As("inf")),
    ("9007199254740993", Refused),
    ("18446744073709551617", Refused),
    ("90071992547409.93", Refused),
    ("1700000004.3891005", Refused),
    ("0.1234567890123456789", Refused),
    ("1.23456e-321", Refused),
    ("1e-400", Refused),
    ("1e400", Refused),
    ("00.5", Refused),
    ("007", Refused),
    ("+5", Refused),
    ("+inf", Refused),
    ("infinit", Refused),
];

const BOOLS: &[(&str, Taken)] = &[
    ("false", As("false")),
    ("True", As("true")),
    ("FALSE", As("false")),
    ("T", BySchema("true")),
    ("f", BySchema("false")),
    ("Y", BySchema("true")),
    ("n", BySchema("false")),
    ("1", BySchema("true")),
    ("0", BySchema("false")),
    ("yes", Refused),
    ("01", Refused),
    ("tRUE", Refused),
];

const DATES: &[(&str, Taken)] = &[
    ("2012-02-29", As("2012-02-29")),
    ("2013-02-29", Refused),
    ("2013-1-31", Refused),
    ("2013-01-31T00:00", Refused),
];

const TIMES: &[(&str, Taken)] = &[
    ("2013-01-31T05:00:00.5", As("2013-01-31T05:00:00.500")),
    ("2013-01-31 05:00", As("2013-01-31T05:00:00")),
    ("2013-01-31", As("2013-01-31T00:00:00")),
    ("2013-01-31T05:00:00Z", Refused),
    ("2013-01-31T05:00+01", Refused),
    ("2013-01-31T05:00.5", Refused),
    ("2013-01-31T05", Refused),
    ("2013-01-31T", Refused),
    ("2013-01-31T24:00", Refused),
];

const UTC_TIMES: &[(&str, Taken)] = &[
    ("2013-01-31T05:00:00Z", As("2013-01-31T05:00:00Z")),
    ("2013-01-31T05:00:00z", As("2013-01-31T05:00:00Z")),
    ("2013-01-31 05:00:00.25+00", As("2013-01-31T05:00:00.250Z")),
    ("2013-01-31 05:00:00+00:00", As("2013-01-31T05:00:00Z")),
    ("2013-01-31 05:00:00+0530", As("2013-01-30T23:30:00Z")),
    ("2013-01-31T05:00-08", As("2013-01-31T13:00:00Z")),
    ("2013-01-31T05:00Z", As("2013-01-31T05:00:00Z")),
    ("2013-01-31", As("2013-01-31T00:00:00Z")),
    ("2013-01-31T05:00:00", Refused),
    ("2013-01-31T05:00:00+5", Refused),
    ("2013-01-31T05:00:00+05:", Refused),
    ("2013-01-31T05:00:00+053", Refused),
    ("2013-01-31T05:00:00+24", Refused),
    ("2013-01-31T05:00:00ZZ", Refused),
    ("2013-01-31Z", Refused),
];

fn cases() -> Vec<Case> {
    let field = |data_type| Field::new("x", data_type);
    let time = DataType::Timestamp(TimeUnit::Millisecond);
    vec![
        (field(DataType::Int64), "7", INTEGERS),
        (field(DataType::Float64), "0.5", FLOATS),
        (field(DataType::Bool), "true", BOOLS),
        (field(DataType::Date32), "2000-01-01", DATES),
        (field(time), "2000-01-01T00:00:00.5", TIMES),
        (field(time).utc(), "2000-01-01T00:00:00.5Z", UTC_TIMES),
    ]
}

/// The text that a field gives back for one that it takes.
fn parsed(field: &Field, text: &str) -> Option<String> {
    let mut record = vec![0; field.size_bytes() as usize];
    field.parse_text(text, &mut record).ok()?;
    Some(shown(field, &record))
}

fn shown(field: &Field, record: &[u8]) -> String {
    let mut shown = String::new();
    field.format_text(record, &mut shown).unwrap();
    shown
}

/// What a load makes of the row after `first`, with `schema` or that of a sample of one row.
fn loaded(field: &Field, first: &str, text: &str, schema: Option<&Schema>) -> Option<String> {
    let csv = format!("x\n{first}\n\"{text}\"\n");
    let mut records: Vec<u8> = Vec::new();
    let mut reasons = Vec::new();
    let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new()).on_reject(|row| {
        assert_eq!((row.line, row.column), (3, Some("x")));
        reasons.push(row.reason.to_owned());
        Ok(())
    });
    let sampled = match schema {
        Some(schema) => schema.clone(),
        None => reader.infer(Some(1)).unwrap().schema,
    };
    assert_eq!(sampled.fields()[0].data_type(), field.data_type());
    let report = reader.load(&sampled, &mut records).unwrap();
    drop(reader);
    assert_eq!((report.loaded + report.rejected, report.rounded), (2, 0));
    let width = field.size_bytes() as usize;
    assert_eq!(reasons.len(), usize::from(report.rejected == 1));
    (report.rejected == 0).then(|| shown(field, &records[width..]))
}

/// Finds a way in that changes a value which another refuses, or the other way round.
#[test]
fn every_way_in_takes_the_same_texts() {
    for (field, first, texts) in cases() {
        let schema = Schema::packed([field.clone()]).unwrap();
        for &(text, taken) in texts {
            let expected = match taken {
                As(shown) | BySchema(shown) => Some(shown.to_owned()),
                Refused => None,
            };
            assert_eq!(parsed(&field, text), expected, "parsed: {text} into {field}");
            let given = loaded(&field, first, text, Some(&schema));
            assert_eq!(given, expected, "with a schema: {text} into {field}");
            let sampled = loaded(&field, first, text, None);
            assert_eq!(sampled, expected, "with a sample: {text} into {field}");

            let csv = format!("x\n{first}\n{text}\n");
            let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new());
            let inferred = reader.infer(None).unwrap().schema;
            let is_chosen = inferred.fields()[0] == field;
            assert_eq!(is_chosen, matches!(taken, As(_)), "inferred: {text} beside {first}");
        }
    }
}

/// Finds a condition that compares with another number than the one that is written.
#[test]
fn conditions_compare_with_the_numbers_that_a_load_keeps() {
    for (field, _, texts) in cases() {
        let schema = Schema::packed([field.clone()]).unwrap();
        let is_number = matches!(field.data_type(), DataType::Int64 | DataType::Float64);
        for &(text, taken) in texts {
            let bare = text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
            let literal = match field.data_type() {
                DataType::Bool => continue,
                _ if is_number && bare => text.to_owned(),
                _ => format!("'{text}'"),
            };
            let filter = Filter::parse(&format!("x = {literal}"), &schema);
            let mut record = vec![0; schema.record_size() as usize];
            let kept = field.parse_text(text, &mut record).is_ok();
            match (taken, text) {
                (As("NaN"), _) => assert!(filter.is_err(), "{text}"),
                (As(_), _) => assert!(kept && filter.unwrap().matches(&record).unwrap(), "{text}"),
                // A number that no integer has is compared as it is, and a sign is an operator.
                (_, "5.0" | "1e3" | "9223372036854775808" | "+5" | "-0") => {
                    assert!(filter.is_ok(), "{text}");
                }
                _ if is_number => {
                    let error = filter.expect_err(text).to_string();
                    let said = ["it would be stored as", "too large", "cannot be compared"];
                    assert!(said.iter().any(|said| error.contains(said)), "{error}");
                }
                // Conditions compare dates with times, and a time without a zone has the field's.
                _ => {}
            }
        }
    }
}

/// Finds a quoted null that is text in a field of numbers, or a quoted text that is lost.
#[test]
fn quoted_nulls_are_null_where_they_cannot_be_text() {
    let csv = "n,name,when\n\"1\",\"\",\"\"\n\"\",\"NA\",\"2013-01-31\"\n\"NA\",x,\n";
    let read = |options: CsvOptions| {
        let mut reader = CsvReader::new(Input::from_bytes(csv), options);
        let schema = reader.infer(None).unwrap().schema;
        let mut records: Vec<u8> = Vec::new();
        let report = reader.load(&schema, &mut records).unwrap();
        let fields: Vec<String> = schema.fields().iter().map(Field::to_string).collect();
        (fields, report.nulls)
    };
    let na = || CsvOptions::new().null_text("NA");
    assert_eq!(
        read(na()),
        (
            vec![
                "n: int64 nullable at 0".into(),
                "name: utf8(2) at 9".into(),
                "when: date32 nullable at 11".into()
            ],
            4
        )
    );
    let (fields, nulls) = read(na().quoted_null(true));
    assert_eq!((&*fields[1], nulls), ("name: utf8(1) nullable at 9", 6));
    // Without the word, the column is text, and its quoted empty value too.
    assert_eq!(read(CsvOptions::new()).0[0], "n: utf8(2) at 0");

    let schema = Schema::packed([Field::new("n", DataType::Int8)]).unwrap();
    let error = CsvReader::new(Input::from_bytes("n\n1\n\"\"\n"), CsvOptions::new())
        .load(&schema, &mut Vec::new())
        .unwrap_err();
    assert!(error.to_string().contains("line 3: field n (int8) is empty but not nullable"));
}

/// Finds a load that rounds unasked, or does not count what it rounds.
#[test]
fn a_load_rounds_on_request_and_counts() {
    let csv = "id,price,at\n007,16777217,2013-01-31\n-0,0.5,2013-02-01\n5.5,1e-60,2013-02-02\n";
    let schema = Schema::packed([
        Field::new("id", DataType::Int16),
        Field::new("price", DataType::Float32),
        Field::new("at", DataType::Date32),
    ])
    .unwrap();
    let read = |csv: &str, options: CsvOptions| {
        let mut records: Vec<u8> = Vec::new();
        let mut rejected = Vec::new();
        let report = CsvReader::new(Input::from_bytes(csv), options)
            .on_reject(|row| {
                rejected.push(format!("{}: {}", row.line, row.reason));
                Ok(())
            })
            .load(&schema, &mut records)
            .unwrap();
        (records, report.rounded, rejected)
    };
    let (records, rounded, rejected) = read(csv, CsvOptions::new());
    assert_eq!((records.len(), rounded, rejected.len()), (0, 0, 3), "{rejected:?}");
    let (records, rounded, rejected) = read(csv, CsvOptions::new().round(true));
    assert_eq!((records.len(), rounded, rejected.len()), (30, 5, 0), "{rejected:?}");
    let prices: Vec<String> =
        records.chunks(10).map(|record| shown(&schema.fields()[1], record)).collect();
    assert_eq!(prices, ["16777216.0", "0.5", "0.0"]);
    // Past the range nothing is near.
    let (_, rounded, rejected) = read(
        "id,price,at\n32768,0.5,2013-01-31\n1,1e39,2013-01-31\n",
        CsvOptions::new().round(true),
    );
    assert_eq!((rounded, rejected.len()), (0, 2));
}

/// Finds a name from a file that an error shows whole, or with its control characters.
#[test]
fn errors_escape_and_cut_the_names_of_files() {
    let long = "a".repeat(900);
    for (name, shown) in
        [("b\u{202e}\u{85}d", "b\\u{202e}\\u{85}d"), (&long, &*format!("{}…", "a".repeat(60)))]
    {
        let schema =
            Schema::packed([Field::new(name.replace('\u{85}', ""), DataType::Int8)]).unwrap();
        let field = &schema.fields()[0];
        let shown = shown.replace("\\u{85}", "");
        let csv = format!("{}\nx\n", field.name());
        let errors = [
            CsvReader::new(Input::from_bytes(csv), CsvOptions::new())
                .load(&schema, &mut Vec::new())
                .unwrap_err(),
            CsvReader::new(Input::from_bytes("x\n1\n"), CsvOptions::new())
                .load(&schema, &mut Vec::new())
                .unwrap_err(),
            field.parse_text("x", &mut [0]).unwrap_err(),
            Filter::parse("x = 5", &schema).unwrap_err(),
            Filter::parse(&format!("\"{}\" = 'y'", field.name()), &schema).unwrap_err(),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.contains(&shown) && !text.contains('\u{202e}'), "{text}");
            assert!(!text.contains(&"a".repeat(61)), "{text}");
        }
        // A header that makes no record: the name is not yet checked.
        let header = format!("{name}\u{1b}[2J\n1\n");
        let error =
            CsvReader::new(Input::from_bytes(header), CsvOptions::new()).infer(None).unwrap_err();
        assert!(!error.to_string().contains(['\u{1b}', '\u{202e}']), "{error}");
    }
}
