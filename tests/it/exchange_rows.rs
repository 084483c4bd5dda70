//! Rows of CSV and NDJSON: texts of every width and place in a record, beside a plain writer.
#![cfg(feature = "exchange")]

use flatrec::exchange::{CsvWriter, NdjsonWriter};
use flatrec::{DataType, ErrorKind, Field, Schema};

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
