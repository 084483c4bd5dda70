//! What holds for every field and every value: values come back from bytes, bytes come back from
//! text, and no bytes and no text cause a panic.
#![cfg(feature = "text")]

use flatrec::{ArrayValue, DataType, DynStore, ErrorKind, Field, Result, Schema, TimeUnit, Value};
use proptest::prelude::*;

use crate::support::fields::{PLAIN_TYPES, UNITS};

/// A value that owns its content, because proptest keeps it.
#[derive(Clone, Debug)]
enum Owned {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float32(f32),
    Float(f64),
    Date(i32),
    Timestamp(i64, TimeUnit),
    Text(String),
    Binary(Vec<u8>),
    Array(Vec<Owned>),
}

impl Owned {
    fn single(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::UInt(value) => Value::UInt(*value),
            Self::Float32(value) => Value::Float32(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Date(days) => Value::Date(*days),
            Self::Timestamp(time, unit) => Value::Timestamp(*time, *unit),
            Self::Text(text) => Value::Text(text),
            Self::Binary(bytes) => Value::Binary(bytes),
            Self::Array(_) => panic!("an array is not a single value"),
        }
    }

    fn write(&self, field: &Field, record: &mut [u8]) -> Result<()> {
        match self {
            Self::Array(elements) => {
                let elements: Vec<Value<'_>> = elements.iter().map(Owned::single).collect();
                field.write_elements(record, &elements)
            }
            single => field.write(record, &single.single()),
        }
    }

    fn is(&self, found: Value<'_>) -> bool {
        match (self, found) {
            (Self::Array(expected), Value::Array(found)) => same_elements(expected, found),
            // Compares bits, because NaN and -0 must come back as they were.
            (Self::Float32(expected), Value::Float32(found)) => {
                expected.to_bits() == found.to_bits()
            }
            (Self::Float(expected), Value::Float(found)) => expected.to_bits() == found.to_bits(),
            (single, found) => single.single() == found,
        }
    }
}

fn same_elements(expected: &[Owned], found: ArrayValue<'_>) -> bool {
    expected.len() == found.len()
        && expected.iter().zip(found.iter()).all(|(expected, found)| expected.is(found.unwrap()))
}

fn time_unit() -> impl Strategy<Value = TimeUnit> {
    prop::sample::select(UNITS.to_vec())
}

fn data_type() -> impl Strategy<Value = DataType> {
    let plain = prop::sample::select(PLAIN_TYPES.to_vec());
    prop_oneof![
        4 => plain,
        1 => time_unit().prop_map(DataType::Timestamp),
        1 => (1..20_u32).prop_map(DataType::Utf8),
        1 => (1..20_u32).prop_map(DataType::Binary),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    let array_len = prop::option::weighted(0.3, 1..4_u32);
    (data_type(), array_len, 0..9_u32, any::<[bool; 3]>()).prop_map(
        |(data_type, array_len, offset, [nullable, big_endian, utc])| {
            let mut field = Field::new("field", data_type).at(offset);
            if let Some(len) = array_len {
                field = field.array(len);
            }
            if nullable {
                field = field.nullable();
            }
            if big_endian {
                field = field.big_endian();
            }
            if utc && matches!(data_type, DataType::Timestamp(_)) {
                field = field.utc();
            }
            field
        },
    )
}

fn text_of(len: u32) -> impl Strategy<Value = String> {
    let len = len as usize;
    "[a-z\",\\[\\]\\\\\\n😀é\0 ]{0,20}".prop_map(move |mut text| {
        while text.len() > len || text.ends_with('\0') {
            text.pop();
        }
        text
    })
}

fn element(data_type: DataType) -> BoxedStrategy<Owned> {
    match data_type {
        DataType::Bool => any::<bool>().prop_map(Owned::Bool).boxed(),
        DataType::Int8 => any::<i8>().prop_map(|value| Owned::Int(value.into())).boxed(),
        DataType::Int16 => any::<i16>().prop_map(|value| Owned::Int(value.into())).boxed(),
        DataType::Int32 => any::<i32>().prop_map(|value| Owned::Int(value.into())).boxed(),
        DataType::Int64 => any::<i64>().prop_map(Owned::Int).boxed(),
        DataType::UInt8 => any::<u8>().prop_map(|value| Owned::UInt(value.into())).boxed(),
        DataType::UInt16 => any::<u16>().prop_map(|value| Owned::UInt(value.into())).boxed(),
        DataType::UInt32 => any::<u32>().prop_map(|value| Owned::UInt(value.into())).boxed(),
        DataType::UInt64 => any::<u64>().prop_map(Owned::UInt).boxed(),
        DataType::Float32 => any::<u32>().prop_map(|v| Owned::Float32(f32::from_bits(v))).boxed(),
        DataType::Float64 => any::<u64>().prop_map(|v| Owned::Float(f64::from_bits(v))).boxed(),
        DataType::Date32 => any::<i32>().prop_map(Owned::Date).boxed(),
        DataType::Timestamp(unit) => {
            any::<i64>().prop_map(move |time| Owned::Timestamp(time, unit)).boxed()
        }
        DataType::Utf8(len) => text_of(len).prop_map(Owned::Text).boxed(),
        DataType::Binary(len) => {
            prop::collection::vec(any::<u8>(), len as usize).prop_map(Owned::Binary).boxed()
        }
        other => panic!("the tests have no strategy for {other}"),
    }
}

fn field_and_value() -> impl Strategy<Value = (Field, Owned)> {
    field().prop_flat_map(|field| {
        let single = element(field.data_type());
        let value = match field.array_len() {
            Some(len) => prop::collection::vec(single, len as usize).prop_map(Owned::Array).boxed(),
            None => single,
        };
        let null = if field.is_nullable() { 1 } else { 0 };
        (Just(field), prop_oneof![6 => value, null => Just(Owned::Null)])
    })
}

/// A record with bytes before and after the field.
fn room(field: &Field) -> Vec<u8> {
    vec![0xEE; (field.offset() + field.size_bytes() + 3) as usize]
}

fn span(field: &Field) -> std::ops::Range<usize> {
    field.offset() as usize..(field.offset() + field.size_bytes()) as usize
}

/// Whether the value has a NaN, whose bits text does not keep.
fn has_nan(value: Value<'_>) -> bool {
    match value {
        Value::Float(value) => value.is_nan(),
        Value::Float32(value) => value.is_nan(),
        Value::Array(array) => array.iter().any(|element| has_nan(element.unwrap())),
        _ => false,
    }
}

proptest! {
    /// Finds a write of a field that changes another byte.
    #[test]
    fn a_value_comes_back_and_nothing_else_changes((field, value) in field_and_value()) {
        let mut record = room(&field);
        value.write(&field, &mut record).unwrap();
        let found = field.read(&record).unwrap();
        prop_assert!(value.is(found), "{:?} became {:?}", value, found);
        prop_assert_eq!(field.is_null(&record).unwrap(), matches!(value, Owned::Null));
        let span = span(&field);
        let outside = record[..span.start].iter().chain(&record[span.end..]);
        prop_assert!(outside.copied().all(|byte| byte == 0xEE));
    }

    /// Finds a value whose text parses to other bytes.
    #[test]
    fn text_gives_the_same_bytes_back((field, value) in field_and_value()) {
        let mut record = room(&field);
        value.write(&field, &mut record).unwrap();
        let mut text = String::new();
        field.format_text(&record, &mut text).unwrap();
        if matches!(value, Owned::Null) {
            prop_assert_eq!(text, "");
            return Ok(());
        }
        let mut again = room(&field);
        field.parse_text(&text, &mut again).unwrap();
        if has_nan(field.read(&record).unwrap()) {
            let mut text_again = String::new();
            field.format_text(&again, &mut text_again).unwrap();
            prop_assert_eq!(text_again, text);
        } else {
            prop_assert_eq!(again, record, "{}", text);
        }
    }

    /// Finds bytes on which a read of a value panics.
    #[test]
    fn any_bytes_are_a_value_or_an_error(
        field in field(),
        record in prop::collection::vec(prop_oneof![0..3_u8, any::<u8>()], 0..60),
    ) {
        let read = field.read(&record);
        let mut text = String::new();
        let formatted = field.format_text(&record, &mut text);
        let elements = match read {
            Ok(Value::Array(array)) => array.iter().all(|element| element.is_ok()),
            ref single => single.is_ok(),
        };
        prop_assert_eq!(elements, formatted.is_ok());
        if let Err(error) = read {
            let short = record.len() < span(&field).end;
            let kind = if short { ErrorKind::OutOfRange } else { ErrorKind::Corrupt };
            prop_assert_eq!(error.kind(), kind, "{}", error);
        }
    }

    /// Finds text on which a parse of a value panics.
    #[test]
    fn any_text_is_a_value_or_an_error(
        field in field(),
        text in prop_oneof![
            any::<String>(),
            "[-+]?[0-9]{1,5}([-.][0-9]{1,3}){0,2}([T ][0-9:.]{0,15}Z?)?",
            "\\[(\"?[a-z0-9\\\\]{0,4}\"?,? ?){0,4}\\]?",
        ],
    ) {
        let mut record = room(&field);
        match field.parse_text(&text, &mut record) {
            Ok(()) => prop_assert!(!matches!(field.read(&record), Ok(Value::Null) | Err(_))),
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::InvalidValue);
                if field.array_len().is_none() {
                    prop_assert_eq!(record, room(&field));
                }
            }
        }
    }

    /// Finds a write that shortens a value to fit its field.
    #[test]
    fn a_field_refuses_values_of_other_types_or_keeps_them(
        field in field(),
        (_, value) in field_and_value(),
    ) {
        let mut record = room(&field);
        if value.write(&field, &mut record).is_err() && field.array_len().is_none() {
            prop_assert_eq!(record, room(&field));
        }
    }
}

/// The bytes of a store of `count` records.
fn stored(schema: &Schema, count: usize) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("good.rec");
    let mut store = DynStore::create(&path, schema).unwrap();
    store.append_packed(&vec![0; schema.record_size() as usize * count]).unwrap();
    store.close().unwrap();
    std::fs::read(path).unwrap()
}

/// Opens a file of those bytes. Returns its schema and its count.
fn open(bytes: &[u8]) -> Result<(Schema, u64)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("any.rec");
    std::fs::write(&path, bytes).unwrap();
    let store = DynStore::open_read_only(&path)?;
    assert_eq!(store.iter().map(|(_, record)| record.len()).sum::<usize>() as u64, {
        store.count() * u64::from(store.schema().record_size())
    });
    Ok((store.schema().clone(), store.count()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Finds a file on which a handle panics or reads out of bounds.
    #[test]
    fn any_file_is_a_store_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert_eq!(open(&bytes).unwrap_err().kind(), ErrorKind::NotAStore);
    }

    /// Finds damage before the records, or a missing end, that a handle does not notice. It may
    /// show the older slot, which has the same schema and counts no records.
    #[test]
    fn a_damaged_file_is_an_older_store_or_an_error(
        fields in prop::collection::vec(data_type(), 1..6),
        count in 0..5_usize,
        damage in prop::collection::vec(
            (prop_oneof![0..140_usize, 4096..4236_usize, 8192..8700_usize], any::<u8>()),
            0..4,
        ),
        kept in prop_oneof![2 => Just(1.0), 1 => 0.0..1.0],
    ) {
        let fields = fields.iter().enumerate();
        let fields = fields.map(|(n, &data_type)| Field::new(format!("field {n}"), data_type));
        let schema = Schema::packed(fields).unwrap();
        let whole = stored(&schema, count);
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let len = bytes.len();
        bytes.truncate((len as f64 * kept) as usize);
        match open(&bytes) {
            Ok((found, found_count)) => {
                prop_assert_eq!(found, schema);
                prop_assert!(found_count == 0 || found_count == count as u64);
                prop_assert!(found_count == 0 || bytes.len() == len);
            }
            Err(error) => prop_assert!(bytes != whole, "a handle refused a sound file: {error}"),
        }
    }
}
