//! A load that resumes from any point of an earlier one ends as that one would have ended.
#![cfg(feature = "exchange")]

use flatrec::exchange::{CsvOptions, CsvReader, Input, LoadPoint, LoadReport};
use flatrec::{DataType, ErrorKind, Field, Schema};

use super::support::packed::{Packer, utf16};
use super::support::point_sink::PointSink;

type Rejects = Vec<(u64, String, Vec<u8>)>;

fn load(
    text: &[u8],
    options: &CsvOptions,
    schema: &Schema,
    from: &LoadPoint,
) -> (PointSink, Rejects, LoadReport) {
    let (mut sink, mut rejects) = (PointSink::default(), Rejects::new());
    let report = CsvReader::new(Input::from_bytes(text), options.clone())
        .on_reject(|reject| {
            rejects.push((reject.line, reject.reason.to_owned(), reject.row.to_vec()));
            Ok(())
        })
        .load_from(schema, &mut sink, from)
        .unwrap();
    (sink, rejects, report)
}

/// Loads all of `text`, and then again from each point.
fn from_every_point(name: &str, text: &[u8], options: &CsvOptions, schema: &Schema) {
    let (all, rejects, report) = load(text, options, schema, &LoadPoint::default());
    assert!(all.points.len() > 3, "{name}: too few points");
    assert!(report.loaded > 0 && report.nulls > 0 && report.rejected > 0, "{name}: {report:?}");
    for (done_bytes, point) in &all.points {
        let (rest, rest_rejects, rest_report) = load(text, options, schema, point);
        assert!(
            rest.bytes == all.bytes[*done_bytes..],
            "{name}: the records after {point:?} differ"
        );
        let done = usize::try_from(point.report.rejected).unwrap();
        assert_eq!(rest_rejects, rejects[done..], "{name}: the rejects after {point:?} differ");
        assert_eq!(rest_report, report, "{name}: the report after {point:?} differs");
    }
    let last = all.points.last().unwrap().1;
    assert_eq!((last.report.loaded, last.report.rejected), (report.loaded, report.rejected));
}

/// Finds a row that a resumed load loses or loads twice.
#[test]
fn a_load_resumes_from_every_point_with_the_same_result() {
    let schema = Schema::packed([
        Field::new("n", DataType::Int32),
        Field::new("text", DataType::Utf8(30)).nullable(),
    ])
    .unwrap();
    let mut text = String::from("\u{feff}text,n\r\n");
    for n in 0..60_000 {
        let cell = ["plain text", "\"in, quotes\"", "", "\"on\r\ntwo \"\"lines\"\"\""][n % 4];
        match n % 700 {
            3 => text.push_str(&format!("{cell},none\r\n")),
            4 => text.push_str("\r\n"),
            5 => text.push_str("a,b,c\n"),
            _ => text.push_str(&format!("{cell},{n}\r\n")),
        }
    }
    for threads in [1, 3] {
        let options = CsvOptions::new().threads(threads);
        from_every_point("plain", text.as_bytes(), &options, &schema);
    }
    for packer in Packer::ALL {
        let bytes = packer.pack(text.as_bytes());
        from_every_point(&format!("{packer:?}"), &bytes, &CsvOptions::new(), &schema);
    }
    // That has a mark of its own.
    let text = text.trim_start_matches('\u{feff}');
    from_every_point("UTF-16", &utf16(text, false), &CsvOptions::new(), &schema);
}

/// Finds a resumed load that counts blank lines in another way than the first load.
#[test]
fn blank_lines_of_one_column_stay_rows() {
    let schema = Schema::packed([Field::new("column_1", DataType::Int32).nullable()]).unwrap();
    let mut text = String::from("\n\n1\n");
    for n in 0..200_000 {
        text.push_str(["\n", "12345\n", "7\n", "x\n", "\n"][n % 5]);
    }
    let options = CsvOptions::new().header(false);
    from_every_point("one column", text.repeat(2).as_bytes(), &options, &schema);
}

/// Finds a resumed load that looks for a gzip header at its first byte.
#[test]
fn a_gzip_header_in_the_middle_is_text() {
    let schema = Schema::packed([Field::new("a", DataType::Int32).nullable()]).unwrap();
    let text = [&b"a\n1\n\n"[..], &b"\x1f\x8b is no number\n".repeat(100_000)].concat();
    from_every_point("like gzip", &text, &CsvOptions::new(), &schema);
}

/// Finds a resumed load that succeeds although the file ends before its point.
#[test]
fn a_point_past_the_end_of_the_file_is_an_error() {
    let schema = Schema::packed([Field::new("a", DataType::Int32)]).unwrap();
    let text = b"a\n1\n2\n";
    let point = LoadPoint { offset_bytes: 7, ..LoadPoint::default() };
    let streamed = Input::from_reader("a stream", &text[..]);
    for (input, kind) in [
        (Input::from_bytes(text), ErrorKind::Truncated),
        (Input::from_bytes(Packer::Gzip.pack(text)), ErrorKind::Truncated),
        (streamed, ErrorKind::InvalidArgument),
    ] {
        let mut sink = PointSink::default();
        let mut reader = CsvReader::new(input, CsvOptions::new());
        let error = reader.load_from(&schema, &mut sink, &point).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(sink.bytes.is_empty());
    }
}

/// A point comes from a file and may say anything. A load that counted on from the highest number
/// panicked, or began at 0 again.
#[test]
fn a_load_resumes_from_a_point_with_the_highest_numbers() {
    let schema = Schema::packed([Field::new("n", DataType::Int32)]).unwrap();
    let text = b"n\n1\nnone\n3\n";
    let far = LoadReport { loaded: u64::MAX, rejected: u64::MAX, ..LoadReport::default() };
    let mut from = LoadPoint { offset_bytes: 2, lines: u64::MAX, report: far };
    from.report.nulls = u64::MAX;
    let (sink, rejects, report) = load(text, &CsvOptions::new(), &schema, &from);
    assert_eq!(sink.bytes, [1, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(rejects[0].0, u64::MAX);
    assert_eq!((report.loaded, report.rejected, report.nulls), (u64::MAX, u64::MAX, u64::MAX));
}
