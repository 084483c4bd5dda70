//! Rows of CSV and NDJSON: texts of every width and place in a record, beside a plain writer.
#![cfg(feature = "exchange")]

use flatrec::exchange::{CsvWriter, ExportFormat, Exporter, NdjsonWriter};
use flatrec::{DataType, DynStore, ErrorKind, Field, Schema, TimeUnit};

use crate::support::random::Random;

/// Characters that some writer has to look at, among many that none has.
const LETTERS: [&str; 16] =
    ["a", "b", "c", "Z", "7", " ", ".", "-", ",", ";", "\"", "\n", "\\", "\u{1}", "é", "\0"];

fn text(random: &mut Random, bytes_max: u64) -> String {
    // Most texts have one kind of special character at most.
    let special = 8 + random.below(8) as usize;
    let mut text = String::new();
    let wanted = random.below(bytes_max + 1) as usize;
    while text.len() < wanted {
        let letter = match random.one_in(bytes_max) {
            true => LETTERS[special],
            false => LETTERS[random.below(8) as usize],
        };
        if text.len() + letter.len() > wanted {
            break;
        }
        text.push_str(letter);
    }
    // NUL at the end is padding.
    text.truncate(text.trim_end_matches('\0').len());
    text
}

/// As the grammar of CSV asks for.
fn csv_field(text: &str, delimiter: char, words: &[String]) -> String {
    let is_marked = text.contains([delimiter, '"', '\n', '\r']);
    match text.is_empty() || is_marked || words.iter().any(|word| word == text) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// Finds a place in a text at which a quote, a delimiter or an escape is overlooked, a copy that
/// takes bytes of the neighbours or leaves some, and a row that a longer one before it changes.
#[test]
fn texts_of_every_width_are_written_as_they_are() {
    let mut random = Random::new(1);
    for width in (1..90).chain([200, 1000]) {
        let fields = [
            Field::new("before", DataType::Utf8(3)),
            Field::new("text", DataType::Utf8(width)).nullable(),
            Field::new("n", DataType::UInt8),
        ];
        // In this order the text begins, or ends, the record.
        let order = [[0, 1, 2], [1, 0, 2], [0, 2, 1]][width as usize % 3];
        let schema = Schema::packed(order.map(|at| fields[at].clone())).unwrap();
        let delimiter = [b',', b';'][width as usize / 3 % 2];
        let words: Vec<String> =
            [vec![], vec!["a".into(), "bc".into()]][width as usize / 5 % 2].clone();
        let mut csv = CsvWriter::new(Vec::new(), schema.fields(), delimiter)
            .null_words(&words)
            .id_column("id");
        let mut ndjson = NdjsonWriter::new(Vec::new(), schema.fields()).id_column("id");
        let (mut csv_expected, mut json_expected) = (String::new(), String::new());
        for id in 0..60_u64 {
            let mut record = vec![0; schema.record_size() as usize];
            let (mut row, mut object) = (vec![id.to_string()], vec![format!("\"id\":{id}")]);
            for field in schema.fields() {
                let name = field.name();
                let (value, in_csv, in_json) = match field.data_type() {
                    DataType::Utf8(_) if field.is_nullable() && random.one_in(10) => {
                        field.write(&mut record, &flatrec::Value::Null).unwrap();
                        row.push(String::new());
                        object.push(format!("\"{name}\":null"));
                        continue;
                    }
                    DataType::Utf8(width) => {
                        // What could divide the first line is quoted there (exchange_ways_back).
                        let value = match id {
                            0 => "-".to_owned(),
                            _ => text(&mut random, width.into()),
                        };
                        let in_json = serde_json::to_string(&value).unwrap();
                        let in_csv = csv_field(&value, delimiter.into(), &words);
                        (value, in_csv, in_json)
                    }
                    _ => (id.to_string(), id.to_string(), id.to_string()),
                };
                field.parse_text(&value, &mut record).unwrap();
                row.push(in_csv);
                object.push(format!("\"{name}\":{in_json}"));
            }
            csv.write_numbered(id, &record).unwrap();
            ndjson.write_numbered(id, &record).unwrap();
            csv_expected += &(row.join(&char::from(delimiter).to_string()) + "\n");
            json_expected += &format!("{{{}}}\n", object.join(","));
        }
        let found = String::from_utf8(csv.finish().unwrap()).unwrap();
        assert_eq!(found, csv_expected, "width {width}");
        let found = String::from_utf8(ndjson.finish().unwrap()).unwrap();
        assert_eq!(found, json_expected, "width {width}");
    }
}

/// A record that cannot be read left the fields before the damaged one in the output.
#[test]
fn a_damaged_record_leaves_no_part_of_its_row() {
    let fields = [Field::new("n", DataType::UInt8), Field::new("flag", DataType::Bool)];
    let schema = Schema::packed(fields).unwrap();
    let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
    let mut ndjson = NdjsonWriter::new(Vec::new(), schema.fields());
    for record in [[1, 1], [2, 7], [3, 0]] {
        for written in [csv.write(&record), ndjson.write(&record)] {
            assert_eq!(
                written.err().map(|error| error.kind()),
                (record[1] == 7).then_some(ErrorKind::Corrupt)
            );
        }
    }
    assert_eq!(csv.finish().unwrap(), b"1,true\n3,false\n");
    assert_eq!(ndjson.finish().unwrap(), b"{\"n\":1,\"flag\":true}\n{\"n\":3,\"flag\":false}\n");
}

/// Fields of each kind that an export writes in its own way, and one that needs quotes in each row.
fn fields_of_all_kinds(random: &mut Random) -> Vec<Field> {
    use DataType::*;
    let types = [
        Bool,
        Int8,
        Int16,
        Int32,
        Int64,
        Int128,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Date32,
        Timestamp(TimeUnit::Second),
        Timestamp(TimeUnit::Millisecond),
        Timestamp(TimeUnit::Nanosecond),
        Duration(TimeUnit::Microsecond),
        Utf8(1),
        Utf8(7),
        Utf8(8),
        Utf8(9),
        Utf8(14),
        Utf8(15),
        Utf8(40),
        Binary(3),
    ];
    let mut fields = Vec::new();
    for at in 0..12 {
        let field = Field::new(format!("f{at}"), types[random.below(25) as usize]);
        let field = if random.one_in(2) { field.nullable() } else { field };
        let field = if random.one_in(8) { field.array(2) } else { field };
        fields.push(if random.one_in(8) { field.big_endian() } else { field });
    }
    fields.push(Field::new("quoted", Utf8(9)));
    fields
}

/// The bytes of a value of the field: random ones, a small number, or a text.
fn fill(field: &Field, random: &mut Random, record: &mut [u8]) {
    let start = field.offset() as usize;
    let value = start + usize::from(field.is_nullable());
    if field.is_nullable() && random.one_in(6) {
        return;
    }
    record[start] = 1;
    let elements = field.array_len().unwrap_or(1) as usize;
    let place = &mut record[value..];
    match field.data_type() {
        DataType::Utf8(width) => {
            for at in 0..elements {
                let mut text = text(random, width.into());
                if field.name() == "quoted" {
                    text.insert(0, ',');
                    while text.len() > width as usize {
                        text.pop();
                    }
                }
                let into = &mut place[at * width as usize..];
                into[..text.len()].copy_from_slice(text.as_bytes());
            }
        }
        DataType::Bool => place[..elements].fill(u8::from(random.one_in(2))),
        _ => {
            let len = field.size_bytes() as usize - usize::from(field.is_nullable());
            let width = len / elements;
            let wide = random.below(u64::MAX).to_le_bytes();
            let small = (random.below(30_000) as i64 - 10_000).to_le_bytes();
            let bytes = if random.one_in(3) { wide } else { small };
            for (at, byte) in place[..width * elements].iter_mut().enumerate() {
                *byte = *bytes.get(at % width).unwrap_or(&bytes[7]);
            }
        }
    }
}

/// Finds a kind of value that is written differently in many rows at a time, in a row alone, or by
/// the field itself; and a row that its neighbours change.
#[test]
fn rows_are_the_same_alone_and_among_many() {
    let mut random = Random::new(2);
    for case in 0..12 {
        let fields = fields_of_all_kinds(&mut random);
        let schema = Schema::packed(fields).unwrap();
        let size = schema.record_size() as usize;
        let delimiter = [b',', b';', b'\t'][case % 3];
        let (null, has_id) = (["", "NA", "-7"][case % 3], case % 2 == 0);
        let rows = (700 << 10) / size / 2;
        let mut records = vec![0; rows * size];
        for record in records.chunks_exact_mut(size) {
            schema.fields().iter().for_each(|field| fill(field, &mut random, record));
        }
        let mut expected = String::new();
        let mut alone = CsvWriter::new(Vec::new(), schema.fields(), delimiter).null_text(null);
        if has_id {
            alone = alone.id_column("id");
        }
        alone.header().unwrap();
        let mut kept = Vec::new();
        for (id, record) in records.chunks_exact(size).enumerate() {
            let mut cells = if has_id { vec![(kept.len() / size).to_string()] } else { Vec::new() };
            for field in schema.fields() {
                let mut text = String::new();
                field.format_text(record, &mut text).unwrap();
                let is_null = field.read(record).unwrap() == flatrec::Value::Null;
                let is_text = matches!(field.data_type(), DataType::Utf8(_));
                cells.push(match (is_null, is_text && field.array_len().is_none()) {
                    (true, _) => null.to_owned(),
                    (_, true) => csv_field(&text, delimiter.into(), &[null.to_owned()]),
                    (_, false) if text.contains([char::from(delimiter), '"']) => {
                        format!("\"{}\"", text.replace('"', "\"\""))
                    }
                    _ => text,
                });
            }
            // A number with the text for null is an error: left out here.
            if alone.write_numbered((kept.len() / size) as u64, record).is_ok() {
                expected += &(cells.join(&char::from(delimiter).to_string()) + "\n");
                kept.extend_from_slice(record);
            } else {
                assert!(cells.iter().any(|cell| cell == "-7"), "case {case}, record {id}");
            }
        }
        let alone = String::from_utf8(alone.finish().unwrap()).unwrap();
        let (_, rest) = alone.split_once('\n').unwrap();
        assert!(rest == expected, "case {case}");
        for threads in [1, 2] {
            let mut store = DynStore::temporary(&schema).unwrap();
            store.append_packed(&kept).unwrap();
            let mut exporter = Exporter::new(&schema, ExportFormat::Csv)
                .delimiter(delimiter)
                .null_text(null)
                .threads(threads);
            if has_id {
                exporter = exporter.id_column("id");
            }
            let mut out = Vec::new();
            let mut export = exporter.begin_to(&mut out).unwrap();
            export.push_copies(store.copies(..)).unwrap();
            export.finish().unwrap();
            assert!(out == alone.as_bytes(), "case {case}, {threads} threads");
        }
    }
}
