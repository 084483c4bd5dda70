//! NDJSON as input.
#![cfg(feature = "exchange")]

use std::process::Command;

use flatrec::exchange::{
    Inferred, Input, InputFormat, LoadPoint, LoadReport, NdjsonWriter, TableReader,
};
use flatrec::{Cause, DataType, ErrorKind, Field, Schema, TimeUnit};

use crate::numpy::python;
use crate::support::packed::{Packer, utf16};
use crate::support::point_sink::PointSink;

fn reader(text: impl AsRef<[u8]>) -> TableReader<'static> {
    TableReader::new(Input::from_bytes(text), InputFormat::Ndjson).unwrap()
}

fn infer(text: impl AsRef<[u8]>) -> Inferred {
    reader(text).infer(None).unwrap()
}

/// The fields of a schema as text.
fn fields(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(Field::to_string).collect()
}

/// The records as NDJSON.
fn ndjson(schema: &Schema, records: &[u8]) -> String {
    let mut writer = NdjsonWriter::new(Vec::new(), schema.fields());
    for record in records.chunks_exact(schema.record_size() as usize) {
        writer.write(record).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// Finds a type that does not give the values back.
#[test]
fn types_are_those_of_the_values_as_they_are_written() {
    let cases = [
        ("true", "false", "bool"),
        ("1", "-12", "int64"),
        ("9223372036854775807", "1", "int64"),
        ("1", "0.5", "float64"),
        ("1.0", "2", "float64"),
        ("1e3", "0.1", "float64"),
        ("-0.0", "1", "float64"),
        ("18446744073709551616", "0.5", "float64"),
        ("0.5", "\"NaN\"", "float64"),
        ("\"-inf\"", "7", "float64"),
        // No number keeps the first one.
        ("12345678901234567890123", "1", "utf8(23)"),
        ("0.12345678901234567890123", "1", "utf8(25)"),
        ("1e999", "1", "utf8(5)"),
        // A string is no number.
        ("\"12\"", "\"0.5\"", "utf8(3)"),
        ("\"NaN\"", "\"NaN\"", "utf8(3)"),
        ("\"true\"", "true", "utf8(4)"),
        ("1", "true", "utf8(4)"),
        ("\"2013-01-31\"", "\"1950-02-28\"", "date32"),
        ("\"2013-02-30\"", "\"2013-01-31\"", "utf8(10)"),
        ("\"2013-01-31T05:00:00\"", "\"2013-01-31\"", "timestamp(s)"),
        ("\"2013-01-31 05:00:00.25\"", "\"2013-01-31T00:00:00\"", "timestamp(ms)"),
        ("\"2013-01-31T05:00:00.000001Z\"", "\"2013-01-31T05:00:00+01:00\"", "timestamp(us) utc"),
        ("\"2013-01-31T05:00:00Z\"", "\"2013-01-31T05:00:00\"", "utf8(20)"),
        ("\"\\u00fc\\n\"", "\"\"", "utf8(3)"),
        ("[1,2]", "[3,4]", "int64[2]"),
        ("[[1,2.5],[3,4],[5,6]]", "[[0,0],[0,0],[0,0]]", "float64[6]"),
        ("[\"a\",\"bcd\"]", "[\"\",\"\"]", "utf8(3)[2]"),
        ("null", "null", "utf8(1) nullable"),
        ("null", "5", "int64 nullable"),
    ];
    for (first, second, data_type) in cases {
        let text = format!("{{\"a\":{first}}}\n{{\"a\" : {second} }}\n");
        let inferred = infer(&text);
        assert_eq!(inferred.rows, 2);
        assert_eq!(fields(&inferred.schema), [format!("a: {data_type} at 0")], "{text}");
        let mut records: Vec<u8> = Vec::new();
        let report = reader(&text).load(&inferred.schema, &mut records).unwrap();
        assert_eq!((report.loaded, report.rounded), (2, 0), "{text}");
        let back = ndjson(&inferred.schema, &records);
        assert_eq!(fields(&infer(&back).schema), fields(&inferred.schema), "{text} {back}");
    }
    assert_eq!(infer("{\"a\":[[1,2],[3,4]]}").schema.fields()[0].shape(), [2, 2]);
}

/// Finds a name that is lost, and a missing value that is not null.
#[test]
fn nested_objects_have_names_with_dots_and_missing_names_are_null() {
    let text = "\u{feff}\r\n{\"id\":1,\"at\":{\"x\":0.5,\"to\":{\"y\":\"\\\"q\\\"\"}}}\r\n\n\
                {\"at\":null,\"id\":2}\n  \n{\"at\":{\"x\":2.0},\"id\":3,\"note\":\"n\"}";
    let inferred = infer(text);
    assert_eq!(inferred.rows, 3);
    assert_eq!(
        fields(&inferred.schema),
        [
            "id: int64 at 0",
            "at.x: float64 nullable at 8",
            "at.to.y: utf8(3) nullable at 17",
            "note: utf8(1) nullable at 21",
        ]
    );
    let mut records: Vec<u8> = Vec::new();
    let report = reader(text).load(&inferred.schema, &mut records).unwrap();
    assert_eq!((report.loaded, report.nulls), (3, 5));
    assert_eq!(
        ndjson(&inferred.schema, &records),
        "{\"id\":1,\"at.x\":0.5,\"at.to.y\":\"\\\"q\\\"\",\"note\":null}\n\
         {\"id\":2,\"at.x\":null,\"at.to.y\":null,\"note\":null}\n\
         {\"id\":3,\"at.x\":2.0,\"at.to.y\":null,\"note\":\"n\"}\n"
    );
    for packer in Packer::ALL {
        assert_eq!(infer(packer.pack(text.as_bytes())).schema, inferred.schema, "{packer:?}");
    }
    let marked = utf16(text.trim_start_matches('\u{feff}'), true);
    assert_eq!(infer(marked).schema, inferred.schema);
}

/// Finds a row that is dropped, changed to fit, or named wrongly.
#[test]
fn bad_rows_have_their_line_and_column() {
    let schema = Schema::packed([
        Field::new("n", DataType::UInt8),
        Field::new("x", DataType::Float32).nullable(),
        Field::new("s", DataType::Utf8(2)).nullable(),
        Field::new("v", DataType::Int8).array(2).nullable(),
    ])
    .unwrap();
    let cases = [
        ("{\"n\":1", None, "column 6: EOF while parsing an object"),
        ("{\"n\":01}", None, "column 7: invalid number"),
        ("[1]", None, "column 1: the line begins an array and not an object"),
        ("7", None, "column 1: the line is no JSON object"),
        ("{\"n\":1}{\"n\":2}", None, "column 8: trailing characters"),
        ("{\"n\":1,\"m\":2}", None, "no field for the name \"m\""),
        ("{\"n\":1,\"n\":2}", None, "the name \"n\" is there twice"),
        ("{\"\":1}", None, "column 3: an empty name"),
        ("{\"n\":300}", Some("n"), "field n (uint8): \"300\""),
        ("{\"n\":1.5}", Some("n"), "field n (uint8): \"1.5\""),
        ("{\"n\":null}", Some("n"), "field n (uint8) is null but not nullable"),
        ("{\"x\":1}", Some("n"), "field n (uint8) is missing but not nullable"),
        ("{\"n\":1,\"x\":16777217}", Some("x"), "field x (float32): \"16777217\""),
        ("{\"n\":1,\"s\":\"abc\"}", Some("s"), "field s (utf8(2)): "),
        ("{\"n\":1,\"v\":[1,2,3]}", Some("v"), "field v (int8): "),
        ("{\"n\":1,\"v\":[1,null]}", Some("v"), "field v (int8): "),
    ];
    let good = "{\"n\":7,\"v\":[1,-2]}\n";
    let text: String = cases.iter().map(|(line, ..)| format!("{good}\n{line}\n")).collect();
    let mut rejects = Vec::new();
    let mut records: Vec<u8> = Vec::new();
    let report = reader(&text)
        .on_reject(|reject| {
            let row = String::from_utf8(reject.row.to_vec()).unwrap();
            let column = reject.column.map(str::to_owned);
            rejects.push((reject.line, column, reject.reason.to_owned(), row));
            Ok(())
        })
        .load(&schema, &mut records)
        .unwrap();
    assert_eq!((report.loaded, report.rejected), (16, 16));
    assert_eq!(rejects.len(), cases.len());
    for (at, ((line, field, reason), reject)) in (0..).zip(cases.iter().zip(&rejects)) {
        assert_eq!((reject.0, &*reject.3), (3 * at + 3, *line));
        assert_eq!(reject.1.as_deref(), *field, "{line}");
        assert!(reject.2.starts_with(reason), "{line}: {}", reject.2);
    }

    let error = reader("\n{\"n\":300}").load(&schema, &mut Vec::new()).unwrap_err();
    assert_eq!((error.field_name(), error.value_text()), (Some("n"), Some("300")));
    assert!(error.to_string().contains("memory: invalid value: line 2: field n"), "{error}");
    let text = "{\"n\":1,\"x\":16777217}";
    let error = reader(text).load(&schema, &mut Vec::new()).unwrap_err();
    assert_eq!(error.cause(), Some(Cause::UnfitNumber));
    let report = reader(text).round(true).load(&schema, &mut Vec::new()).unwrap();
    assert_eq!((report.loaded, report.rounded), (1, 1));
}

/// Finds values without a place in a store that are loaded as something else.
#[test]
fn values_without_a_place_are_refused_with_advice() {
    for (text, what) in [
        ("{\"t\":[1,2]}\n{\"t\":[1]}", "on line 2 is an array of 1, and the value on line 1 is an"),
        ("{\"t\":[1,2]}\n\n{\"t\":1}", "on line 3 is no array, and the value on line 1"),
        ("{\"t\":[[1],[1,2]]}", "line 1 is arrays of different lengths in an array"),
        ("{\"t\":[]}", "line 1 is an array without elements"),
        ("{\"t\":[{\"a\":1}]}", "line 1 is an array of objects"),
        ("{\"t\":[1,null]}", "line 1 is null in an array"),
    ] {
        let error = reader(text).infer(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(what), "{what}: {error}");
        assert!(error.to_string().contains("memory"), "{error}");
        assert!(error.what_to_do().is_some(), "{error}");
    }
    for text in ["", "\n \n", "{}\n", "{\"a\":1}\n{\"a\":", "[1]\n", "{\"a\":{}}"] {
        let error = reader(text).infer(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{text}: {error}");
    }
    let deep = format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(50), "}".repeat(50));
    let error = reader(deep).infer(None).unwrap_err();
    assert!(error.to_string().contains("line 1: objects in one another"), "{error}");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(reader(deep).infer(None).is_err());
    // Lines that are no objects are skipped if bad rows are set aside.
    let inferred = reader("{\"a\":1}\nx\n").on_reject(|_| Ok(())).infer(None).unwrap();
    assert_eq!(inferred.rows, 1);
}

/// Finds a type or a value that an export writes and a load reads otherwise.
#[test]
fn an_export_comes_back() {
    let schema = Schema::packed([
        Field::new("flag", DataType::Bool).nullable(),
        Field::new("wide", DataType::Int128),
        Field::new("x", DataType::Float64),
        Field::new("day", DataType::Date32),
        Field::new("at", DataType::Timestamp(TimeUnit::Nanosecond)).utc().nullable(),
        Field::new("took", DataType::Duration(TimeUnit::Millisecond)),
        Field::new("text", DataType::Utf8(12)).nullable(),
        Field::new("bytes", DataType::Binary(2)),
        Field::new("grid", DataType::UInt16).with_shape([2, 2]),
        Field::new("days", DataType::Date32).array(2),
    ])
    .unwrap();
    let rows = [
        [
            "true",
            "-170141183460469231731687303715884105728",
            "nan",
            "2013-01-31",
            "2013-01-31T05:00:00.000000001Z",
            "PT1.5S",
            "\"\\\n,ü",
            "00ff",
            "[[1,2],[3,4]]",
            "[\"2013-01-31\",\"1969-12-31\"]",
        ],
        ["", "7", "-inf", "+010000-01-01", "", "-PT2S", "", "abcd", "[[0,0],[0,0]]", ""],
    ];
    let mut records = Vec::new();
    for row in rows {
        let mut record = vec![0; schema.record_size() as usize];
        for (field, text) in schema.fields().iter().zip(row).filter(|(_, text)| !text.is_empty()) {
            field.parse_text(text, &mut record).unwrap();
        }
        records.extend(record);
    }
    let text = ndjson(&schema, &records);
    let mut back: Vec<u8> = Vec::new();
    let report = reader(&text).load(&schema, &mut back).unwrap();
    assert_eq!((report.loaded, report.nulls), (2, 3));
    assert!(back == records, "{text}\n{}", ndjson(&schema, &back));
}

/// Finds a value that Python's own writer of JSON means otherwise.
#[test]
fn python_reads_what_was_loaded_from_its_own_json() {
    const SCRIPT: &str = r#"
import json, random, sys
random.seed(int(sys.argv[1]))
def letter():
    return chr(random.choice([random.randint(0, 127), random.randint(160, 0xd7ff), 0x1f600]))
for n in range(2000):
    text = "".join(letter() for _ in range(random.randint(1, 5))) + "."
    row = {"n": random.randint(-2**63, 2**63 - 1),
           "x": random.uniform(-1, 1) * 10 ** random.randint(-300, 300),
           "small": random.randint(0, 9) / 10,
           "text": None if random.random() < 0.2 else text,
           "v": [random.random() for _ in range(3)]}
    print(json.dumps(row, ensure_ascii=random.random() < 0.5))
"#;
    const COMPARE: &str = "import json, sys\n\
        a, b = ([json.loads(l) for l in open(p, encoding='utf-8', newline='\\n')] \
        for p in sys.argv[1:])\n\
        assert a == b, next((x, y) for x, y in zip(a, b) if x != y)\n\
        print(len(a))\n";
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = |program: &str, args: &[&std::ffi::OsStr]| {
        let mut command = Command::new(&python);
        command.args(["-c", program]).args(args).env("PYTHONIOENCODING", "utf-8");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let text = run(SCRIPT, &["7".as_ref()]);
    let schema = infer(&text).schema;
    let types: Vec<String> =
        schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types[..3], ["int64", "float64", "float64"]);
    let mut records: Vec<u8> = Vec::new();
    let report = reader(&text).load(&schema, &mut records).unwrap();
    assert_eq!(report.loaded, 2000);
    let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
    std::fs::write(&theirs, text).unwrap();
    std::fs::write(&ours, ndjson(&schema, &records)).unwrap();
    assert_eq!(run(COMPARE, &[theirs.as_ref(), ours.as_ref()]), b"2000\n");
}

/// Finds a row that a resumed load loses or loads twice, and a thread that changes the result.
#[test]
fn a_load_resumes_from_every_point_with_the_same_result() {
    let mut text = String::from("\u{feff}");
    for n in 0..120_000 {
        match n % 700 {
            3 => text.push_str("{\"n\":x}\n"),
            4 => text.push_str("\r\n"),
            _ => text.push_str(&format!("{{\"n\":{n},\"text\":\"line {n}\"}}\r\n")),
        }
    }
    let schema =
        Schema::packed([Field::new("n", DataType::Int32), Field::new("text", DataType::Utf8(12))])
            .unwrap();
    type Rejects = Vec<(u64, Vec<u8>)>;
    let load = |threads: usize, from: &LoadPoint| -> (PointSink, Rejects, LoadReport) {
        let (mut sink, mut rejects) = (PointSink::default(), Rejects::new());
        let report = reader(&text)
            .threads(threads)
            .on_reject(|reject| {
                rejects.push((reject.line, reject.row.to_vec()));
                Ok(())
            })
            .load_from(&schema, &mut sink, from)
            .unwrap();
        (sink, rejects, report)
    };
    let (all, rejects, report) = load(1, &LoadPoint::default());
    assert!(all.points.len() > 3 && report.rejected > 100, "{report:?}");
    assert_eq!(rejects[1], (704, b"{\"n\":x}".to_vec()));
    for threads in [1, 3] {
        for (done_bytes, point) in &all.points {
            let (rest, rest_rejects, rest_report) = load(threads, point);
            assert!(rest.bytes == all.bytes[*done_bytes..], "after {point:?}");
            let done = usize::try_from(point.report.rejected).unwrap();
            assert_eq!(rest_rejects, rejects[done..], "after {point:?}");
            assert_eq!(rest_report, report, "after {point:?}");
        }
    }
    let inferred = reader(&text).on_reject(|_| Ok(())).threads(3).infer(None).unwrap();
    assert_eq!((inferred.rows, inferred.schema.record_size()), (report.loaded, 8 + 11));
    let sampled = reader(&text).infer(Some(2)).unwrap();
    assert_eq!((sampled.rows, sampled.schema.record_size()), (2, 8 + 6));
}
