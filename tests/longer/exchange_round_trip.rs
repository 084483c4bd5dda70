//! Random tables through CSV and back, without a changed value.
#![cfg(feature = "exchange")]

use flatrec::exchange::{CsvOptions, CsvReader, CsvWriter, Input};
use flatrec::{DataType, Field, Schema, Value};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

use crate::support::fields::{PLAIN_TYPES, UNITS};

/// A field of a CSV file: its text or null, and whether to quote it without need.
type Cell = (Option<String>, bool);

/// Texts that inference takes for one type, or almost.
fn column_texts() -> impl Strategy<Value = BoxedStrategy<String>> {
    let text = |regex: &str| proptest::string::string_regex(regex).unwrap().boxed();
    prop_oneof![
        Just(any::<bool>().prop_map(|value| value.to_string()).boxed()),
        Just(any::<i64>().prop_map(|value| value.to_string()).boxed()),
        Just((-1000i64..1000).prop_map(|value| value.to_string()).boxed()),
        Just(any::<f64>().prop_map(|value| format!("{value:?}")).boxed()),
        Just(any::<f64>().prop_map(|value| format!("{value}")).boxed()),
        Just(text("-?(0|[1-9][0-9]{0,5})(\\.[0-9]{0,4})?([eE][-+]?[0-9]{1,3})?")),
        Just(text("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")),
        Just(text(
            "(1[7-9]|20)[0-9]{2}-(0[1-9]|1[0-2])-[0-2][1-8][T ]([01][0-9]|2[0-3])\
             :[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?"
        )),
        Just(text("[0-9]{4}-(0[1-9]|1[0-2])-[0-2][1-8]T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")),
        Just(text("[-+]?[0-9]{0,3}")),
        Just(text("[ -~äöü€\r\n\",]{0,9}")),
        Just(text("\\PC{0,6}")),
    ]
}

fn tables() -> impl Strategy<Value = Vec<Vec<Cell>>> {
    prop::collection::vec((column_texts(), 0..3u32), 1..6).prop_flat_map(|columns| {
        let row: Vec<_> = columns
            .into_iter()
            .map(|(texts, nulls)| {
                let text = prop_oneof![
                    nulls => Just(None),
                    9 => texts.prop_map(Some),
                ];
                (text, prop::bool::weighted(0.2))
            })
            .collect();
        prop::collection::vec(row, 0..20)
    })
}

/// Writes CSV by RFC 4180, without flatrec's writer.
fn csv_of(table: &[Vec<Cell>], columns: usize) -> String {
    let header: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
    let mut csv = header.join(",") + "\n";
    for row in table {
        let fields: Vec<String> = row
            .iter()
            .map(|(text, quote)| match text {
                None => String::new(),
                Some(text)
                    if *quote || text.is_empty() || text.contains([',', '"', '\r', '\n']) =>
                {
                    format!("\"{}\"", text.replace('"', "\"\""))
                }
                Some(text) => text.clone(),
            })
            .collect();
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    csv
}

fn load(csv: &str, schema: Option<&Schema>) -> (Schema, Vec<u8>) {
    let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new());
    let schema = schema.cloned().unwrap_or_else(|| reader.infer(None).unwrap().schema);
    let mut records: Vec<u8> = Vec::new();
    reader.load(&schema, &mut records).unwrap();
    (schema, records)
}

fn write(schema: &Schema, records: &[u8]) -> String {
    let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
    csv.header().unwrap();
    for record in records.chunks_exact(schema.record_size() as usize) {
        csv.write(record).unwrap();
    }
    String::from_utf8(csv.finish().unwrap()).unwrap()
}

/// Whether the field's value equals the text, by the field's type.
fn same_value(field: &Field, record: &[u8], text: &str) -> bool {
    let value = field.read(record).unwrap();
    let mut written = String::new();
    field.format_text(record, &mut written).unwrap();
    match value {
        Value::Text(value) => value == text,
        Value::Float(value) => {
            // Numbers compare by value, but zeros and NaNs by their text.
            let expected: f64 = text.parse().unwrap();
            value.to_bits() == expected.to_bits() || value.is_nan() && expected.is_nan()
        }
        Value::Timestamp(..) => {
            let (z, text) = match text.strip_suffix('Z') {
                Some(text) => ("Z", text),
                None => ("", text),
            };
            let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
            let text = text.replace(' ', "T");
            let padded = written
                .strip_suffix(z)
                .and_then(|written| written.strip_prefix(&text))
                .map(|rest| rest.trim_start_matches('.'));
            let same =
                |padded: &str| padded.trim_end_matches('0') == fraction.trim_end_matches('0');
            padded.is_some_and(same)
        }
        _ => written == text,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Finds an inferred type that cannot hold a value.
    #[test]
    fn an_inferred_schema_keeps_every_value(table in tables()) {
        let columns = table.first().map_or(1, Vec::len);
        let csv = csv_of(&table, columns);
        let (schema, records) = load(&csv, None);
        let size = schema.record_size() as usize;
        prop_assert_eq!(records.len(), table.len() * size);
        for (row, record) in table.iter().zip(records.chunks_exact(size)) {
            for ((text, _), field) in row.iter().zip(schema.fields()) {
                match text {
                    None => prop_assert_eq!(field.read(record).unwrap(), Value::Null),
                    Some(text) => {
                        prop_assert!(same_value(field, record, text), "{:?} in {}", text, field);
                    }
                }
            }
        }
        // The written text loads as the same table, and is the same when written again.
        let written = write(&schema, &records);
        let (schema_again, records_again) = load(&written, Some(&schema));
        prop_assert_eq!(&records_again, &records);
        prop_assert_eq!(write(&schema_again, &records_again), written);
    }

    /// Finds a text form that inference reads as another type.
    #[test]
    fn inference_from_written_text_gives_the_same_schema(table in tables()) {
        let columns = table.first().map_or(1, Vec::len);
        let (schema, records) = load(&csv_of(&table, columns), None);
        let (again, _) = load(&write(&schema, &records), None);
        for (field, again) in schema.fields().iter().zip(again.fields()) {
            prop_assert_eq!(field.is_nullable(), again.is_nullable());
            prop_assert_eq!(field.data_type(), again.data_type(), "{}", field);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Finds bytes of which a load neither loads nor sets aside a row, or on which it panics.
    #[test]
    fn any_bytes_are_loaded_or_refused(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(prop::sample::select(b"a1.-:,\"\n\r\xff\0T".to_vec()), 0..200),
        ],
        header in any::<bool>(),
    ) {
        let options = CsvOptions::new().header(header);
        let mut rejected = 0;
        let mut reader = CsvReader::new(Input::from_bytes(&bytes), options).on_reject(|_| {
            rejected += 1;
            Ok(())
        });
        let Ok(inferred) = reader.infer(None) else { return Ok(()) };
        let mut records: Vec<u8> = Vec::new();
        let report = reader.load(&inferred.schema, &mut records).unwrap();
        drop(reader);
        prop_assert_eq!(report.rejected, rejected);
        // Inference skips invalid rows. It counts text that ends in NUL as a row, but no field can
        // hold it.
        if bytes.contains(&0) {
            prop_assert!(report.loaded <= inferred.rows);
        } else {
            prop_assert_eq!(report.loaded, inferred.rows);
        }
        let size = u64::from(inferred.schema.record_size());
        prop_assert_eq!(records.len() as u64, report.loaded * size);
    }
}

/// Schemas of fields of every kind, with arrays, byte orders and gaps.
fn schemas() -> impl Strategy<Value = Schema> {
    let data_type = prop_oneof![
        prop::sample::select(PLAIN_TYPES.to_vec()),
        prop::sample::select(UNITS.to_vec()).prop_map(DataType::Timestamp),
        (1u32..9).prop_map(DataType::Utf8),
        (1u32..5).prop_map(DataType::Binary),
    ];
    let field = (data_type, prop::option::of(1u32..4), any::<[bool; 3]>());
    prop::collection::vec(field, 1..7).prop_map(|fields| {
        let fields = fields.into_iter().enumerate().map(|(at, (data_type, array, flags))| {
            let mut field = Field::new(format!("f{at}"), data_type);
            if let Some(len) = array {
                field = field.array(len);
            }
            if flags[0] {
                field = field.nullable();
            }
            if flags[1] {
                field = field.big_endian();
            }
            if flags[2] && matches!(data_type, DataType::Timestamp(_)) {
                field = field.utc();
            }
            field
        });
        Schema::packed(fields).unwrap()
    })
}

/// Puts a random value into each field, and null for a zero seed where the field allows it.
fn fill(schema: &Schema, seeds: &[u64]) -> Vec<u8> {
    let mut record = vec![0; schema.record_size() as usize];
    for (at, field) in schema.fields().iter().enumerate() {
        let seed = seeds[at % seeds.len()].rotate_left(at as u32 * 7);
        if field.is_nullable() && seed % 3 == 0 {
            field.write(&mut record, &Value::Null).unwrap();
            continue;
        }
        let texts: Vec<String> = (0..4).map(|n| text_of(seed.wrapping_mul(n + 1))).collect();
        let bytes: Vec<Vec<u8>> = (0..4)
            .map(|n| seed.wrapping_add(n).to_le_bytes()[..width(field).min(8)].to_vec())
            .collect();
        let elements: Vec<Value<'_>> = (0..field.array_len().unwrap_or(1) as usize)
            .map(|n| value_of(field.data_type(), seed.wrapping_add(n as u64), &texts[n], &bytes[n]))
            .collect();
        match field.array_len() {
            None => field.write(&mut record, &elements[0]).unwrap(),
            Some(_) => field.write_elements(&mut record, &elements).unwrap(),
        }
    }
    record
}

fn width(field: &Field) -> usize {
    field.data_type().size_bytes() as usize
}

/// Up to eight characters that are special in CSV and JSON. The caller cuts them to the field.
fn text_of(seed: u64) -> String {
    let letters = ['a', '"', ',', '\n', '\r', '\\', '[', ' '];
    (0..seed % 9).map(|at| letters[(seed >> (8 + 3 * at)) as usize % 8]).collect()
}

fn value_of<'v>(data_type: DataType, seed: u64, text: &'v str, bytes: &'v [u8]) -> Value<'v> {
    match data_type {
        DataType::Bool => Value::Bool(seed % 2 == 0),
        DataType::Int8 => Value::from(seed as i8),
        DataType::Int16 => Value::from(seed as i16),
        DataType::Int32 => Value::from(seed as i32),
        DataType::Int64 => Value::from(seed as i64),
        DataType::UInt8 => Value::from(seed as u8),
        DataType::UInt16 => Value::from(seed as u16),
        DataType::UInt32 => Value::from(seed as u32),
        DataType::UInt64 => Value::from(seed),
        // Text has only one NaN, so only this one comes back bit by bit.
        DataType::Float32 => match f32::from_bits(seed as u32) {
            nan if nan.is_nan() => Value::from(f32::NAN),
            value => Value::from(value),
        },
        DataType::Float64 => match f64::from_bits(seed) {
            nan if nan.is_nan() => Value::from(f64::NAN),
            value => Value::from(value),
        },
        DataType::Date32 => Value::Date(seed as i32),
        DataType::Timestamp(unit) => Value::Timestamp(seed as i64, unit),
        DataType::Utf8(len) => Value::Text(&text[..text.len().min(len as usize)]),
        _ => Value::Binary(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Finds a value of any type that its text form changes.
    #[test]
    fn records_of_any_schema_survive_byte_for_byte(
        schema in schemas(),
        seeds in prop::collection::vec(any::<[u64; 3]>(), 0..12),
    ) {
        let records: Vec<u8> = seeds.iter().flat_map(|seeds| fill(&schema, seeds)).collect();
        let csv = write(&schema, &records);
        let (_, again) = load(&csv, Some(&schema));
        prop_assert_eq!(again, records, "{}", csv);
    }
}
