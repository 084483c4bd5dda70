//! What each type accepts and refuses, and damaged bytes. Round trips of random values are in
//! tests/longer/format_properties.rs, which uses only the public API.

use super::*;

fn write(field: &Field, value: Value<'_>) -> Result<Vec<u8>> {
    let mut record = vec![0xEE; usize::try_from(field.offset() + field.size_bytes()).unwrap()];
    let before = record.clone();
    let written = field.write(&mut record, &value);
    if written.is_err() {
        assert_eq!(record, before, "a failed write changed the record");
    }
    written.map(|()| record)
}

#[track_caller]
fn assert_refused(field: &Field, value: Value<'_>, expected: &str) {
    let error = write(field, value).expect_err("the field takes it");
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn integers_are_in_range_or_refused() {
    for (data_type, least, most) in [
        (DataType::Int8, i64::from(i8::MIN), i8::MAX as u64),
        (DataType::Int16, i64::from(i16::MIN), i16::MAX as u64),
        (DataType::Int32, i64::from(i32::MIN), i32::MAX as u64),
        (DataType::Int64, i64::MIN, i64::MAX as u64),
        (DataType::UInt8, 0, u8::MAX.into()),
        (DataType::UInt16, 0, u16::MAX.into()),
        (DataType::UInt32, 0, u32::MAX.into()),
        (DataType::UInt64, 0, u64::MAX),
    ] {
        let field = Field::new("n", data_type);
        let width = width_bytes(data_type);
        assert_eq!(write(&field, Value::Int(least)).unwrap(), least.to_le_bytes()[..width]);
        assert_eq!(write(&field, Value::UInt(most)).unwrap(), most.to_le_bytes()[..width]);
        if let Some(below) = least.checked_sub(1) {
            assert_refused(&field, Value::Int(below), "out of range");
        }
        if let Some(above) = most.checked_add(1) {
            assert_refused(&field, Value::UInt(above), "out of range");
        }
        assert_refused(&field, Value::Float(1.0), "another type");
    }
}

#[test]
fn floats_take_what_they_can_hold() {
    let (narrow, wide) = (Field::new("f", DataType::Float32), Field::new("f", DataType::Float64));
    let read = |field: &Field, value| {
        let record = write(field, value).unwrap();
        match field.read(&record).unwrap() {
            Value::Float32(value) => f64::from(value),
            Value::Float(value) => value,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(&narrow, Value::Float(0.1)), f64::from(0.1_f32));
    assert_eq!(read(&wide, Value::Float32(0.1)), f64::from(0.1_f32));
    assert_eq!(read(&narrow, Value::Float(f64::NEG_INFINITY)), f64::NEG_INFINITY);
    assert!(read(&narrow, Value::Float(f64::NAN)).is_nan());
    assert_eq!(read(&narrow, Value::Int(-(1 << 24))), -16_777_216.0);
    assert_eq!(read(&wide, Value::UInt(1 << 63)), 9_223_372_036_854_775_808.0);
    assert_refused(&narrow, Value::Float(1e39), "out of range");
    assert_refused(&narrow, Value::Int((1 << 24) + 1), "more digits");
    assert_refused(&wide, Value::Int((1 << 53) + 1), "more digits");
    assert_refused(&wide, Value::UInt(u64::MAX), "more digits");
}

#[test]
fn timestamps_change_their_unit_if_nothing_is_lost() {
    use TimeUnit::{Millisecond, Nanosecond, Second};
    let field = Field::new("t", DataType::Timestamp(Millisecond));
    let read = |value| field.read(&write(&field, value).unwrap()).map(|value| format!("{value:?}"));
    assert_eq!(read(Value::Timestamp(-5, Second)).unwrap(), "Timestamp(-5000, Millisecond)");
    assert_eq!(
        read(Value::Timestamp(-5_000_000, Nanosecond)).unwrap(),
        "Timestamp(-5, Millisecond)"
    );
    assert_refused(&field, Value::Timestamp(5_000_001, Nanosecond), "not a whole number of ms");
    assert_refused(&field, Value::Timestamp(i64::MAX, Second), "out of range in ms");
    assert_refused(&field, Value::Int(5), "the integer 5");
    assert_refused(&field, Value::Date(5), "another type");
}

#[test]
fn text_and_bytes_fit_or_are_refused() {
    let text = Field::new("s", DataType::Utf8(4));
    assert_eq!(write(&text, "Ærø".into()).unwrap_err().kind(), ErrorKind::InvalidValue);
    assert_eq!(write(&text, "Ær".into()).unwrap(), "Ær\0".as_bytes());
    assert_eq!(write(&text, "".into()).unwrap(), [0; 4]);
    assert_eq!(write(&text, "a\0b".into()).unwrap(), *b"a\0b\0");
    assert_refused(&text, "abcde".into(), "5 bytes, the field only 4");
    assert_refused(&text, "a\0".into(), "ends in NUL");
    let bytes = Field::new("b", DataType::Binary(2));
    assert_eq!(write(&bytes, Value::Binary(&[1, 0])).unwrap(), [1, 0]);
    assert_refused(&bytes, Value::Binary(&[1]), "1 bytes, the field 2");
    assert_refused(&bytes, "ab".into(), "another type");
}

#[test]
fn nulls_are_zeros_behind_a_zero() {
    let field = Field::new("n", DataType::Int16).nullable().at(1);
    assert_eq!(write(&field, Value::Int(-1)).unwrap(), [0xEE, 1, 0xFF, 0xFF]);
    let null = write(&field, Value::Null).unwrap();
    assert_eq!(null, [0xEE, 0, 0, 0]);
    assert_eq!(field.read(&null).unwrap(), Value::Null);
    assert!(field.is_null(&null).unwrap());
    // The bytes after a presence byte of 0 mean nothing.
    assert_eq!(field.read(&[9, 0, 9, 9]).unwrap(), Value::Null);
    let plain = Field::new("n", DataType::Int16);
    assert_refused(&plain, Value::Null, "not nullable");
    assert!(!plain.is_null(&[0, 0]).unwrap());
}

#[test]
fn damaged_bytes_are_errors() {
    let corrupt = |field: &Field, record: &[u8], expected: &str| {
        let error = field.read(record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let present = Field::new("n", DataType::Int8).nullable();
    corrupt(&present, &[2, 0], "presence byte is 2");
    assert_eq!(present.is_null(&[2, 0]).unwrap_err().kind(), ErrorKind::Corrupt);
    corrupt(
        &Field::new("b", DataType::Bool),
        &[7],
        "field b (bool): its bool byte is [7], not 0 or 1",
    );
    corrupt(&Field::new("s", DataType::Utf8(2)), &[0xFF, 0], "utf-8");
}

#[test]
fn short_records_are_errors() {
    let fields = [
        Field::new("a", DataType::Int64),
        Field::new("a", DataType::Int8).at(7),
        Field::new("a", DataType::Int8).nullable().at(6),
        Field::new("a", DataType::Int16).array(4),
        Field::new("a", DataType::Int64).at(u32::MAX),
        Field::new("a", DataType::Int64).at(u32::MAX).nullable(),
        Field::new("a", DataType::Binary(u32::MAX)).array(u32::MAX),
    ];
    for field in fields {
        let mut record = [0; 7];
        let errors = [
            field.read(&record).map(|_| ()),
            field.write(&mut record, &Value::Int(0)),
            field.write_elements(&mut record, &[Value::Int(0); 4]),
            field.clone().nullable().write(&mut record, &Value::Null),
        ];
        for error in errors.into_iter().filter_map(Result::err) {
            let kinds = [ErrorKind::OutOfRange, ErrorKind::InvalidValue];
            assert!(kinds.contains(&error.kind()), "{field}: {error}");
        }
        assert_eq!(field.read(&record).unwrap_err().kind(), ErrorKind::OutOfRange, "{field}");
    }
    let nullable = Field::new("a", DataType::Int8).nullable().at(u32::MAX);
    assert_eq!(nullable.is_null(&[0]).unwrap_err().kind(), ErrorKind::OutOfRange);
}

#[test]
fn arrays_take_as_many_as_they_have() {
    let field = Field::new("a", DataType::UInt16).array(2).nullable().big_endian();
    let mut record = [0; 5];
    field.write_elements(&mut record, &[Value::UInt(1), Value::UInt(0x0203)]).unwrap();
    assert_eq!(record, [1, 0, 1, 2, 3]);
    let Value::Array(array) = field.read(&record).unwrap() else { panic!("an array field") };
    assert_eq!((array.len(), array.is_empty(), array.data_type()), (2, false, DataType::UInt16));
    let values: Vec<_> = array.iter().map(Result::unwrap).collect();
    assert_eq!(values, [Value::UInt(1), Value::UInt(0x0203)]);
    assert_eq!(array.get(2).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(array.get(usize::MAX).unwrap_err().kind(), ErrorKind::OutOfRange);

    let little = Field::new("a", DataType::UInt16).array(2);
    let mut copy = [0; 4];
    little.write(&mut copy, &Value::Array(array)).unwrap();
    assert_eq!(copy, [1, 0, 3, 2]);
    assert_eq!(little.read(&copy).unwrap(), field.read(&record).unwrap());

    for (elements, expected) in [
        (&[Value::UInt(1)][..], "1 elements do not fit an array of 2"),
        (&[Value::UInt(1); 3], "3 elements do not fit an array of 2"),
        (&[Value::UInt(1), Value::Null], "another type"),
    ] {
        let error = field.write_elements(&mut record.clone(), elements).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let single = Field::new("a", DataType::UInt16);
    assert_refused(&field, Value::UInt(1), "does not take a single value");
    assert_refused(&single, Value::Array(array), "another type");
    assert!(single.write_elements(&mut [0; 2], &[Value::UInt(1)]).is_err());
}

#[test]
fn an_element_that_cannot_be_read_equals_nothing() {
    let field = Field::new("a", DataType::Bool).array(2);
    let (good, bad) = (field.read(&[0, 1]).unwrap(), field.read(&[0, 2]).unwrap());
    assert_eq!(good, good);
    assert_ne!(bad, good);
    assert_ne!(bad, bad);
}
