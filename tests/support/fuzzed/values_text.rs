//! Reads the bytes as a field of any kind, a record and a text. An accepted value must come back.

use flatrec::{DataType, Field, MAX_RECORD_BYTES, Schema, TimeUnit, Value};

/// Runs the target on these bytes.
///
/// # Panics
/// If an accepted value does not come back.
pub(crate) fn run(data: &[u8]) {
    let [code, flags, width, array_len, offset, rest @ ..] = data else { return };
    let field = field(*code, *flags, *width, *array_len, *offset);
    if Schema::new(vec![field.clone()], MAX_RECORD_BYTES, 1).is_err() {
        // A store never has such a field, but reading one must not panic.
        let _ = field.read(rest);
        return;
    }
    from_bytes(&field, rest);
    if let Ok(text) = std::str::from_utf8(rest) {
        from_text(&field, text);
    }
}

fn data_type(code: u8, width: u32) -> DataType {
    match code % 18 {
        0 => DataType::Bool,
        1 => DataType::Int8,
        2 => DataType::Int16,
        3 => DataType::Int32,
        4 => DataType::Int64,
        5 => DataType::UInt8,
        6 => DataType::UInt16,
        7 => DataType::UInt32,
        8 => DataType::UInt64,
        9 => DataType::Float32,
        10 => DataType::Float64,
        11 => DataType::Date32,
        12 => DataType::Timestamp(TimeUnit::Second),
        13 => DataType::Timestamp(TimeUnit::Millisecond),
        14 => DataType::Timestamp(TimeUnit::Microsecond),
        15 => DataType::Timestamp(TimeUnit::Nanosecond),
        16 => DataType::Utf8(width),
        _ => DataType::Binary(width),
    }
}

fn field(code: u8, flags: u8, width: u8, array_len: u8, offset: u8) -> Field {
    let mut field = Field::new("field", data_type(code, width.into())).at(offset.into());
    if flags & 1 != 0 {
        field = field.nullable();
    }
    if flags & 2 != 0 {
        field = field.big_endian();
    }
    if flags & 4 != 0 && matches!(field.data_type(), DataType::Timestamp(_)) {
        field = field.utc();
    }
    if flags & 8 != 0 {
        field = field.array(array_len.into());
    }
    field
}

/// Reads `record`. If it has a value, its text must parse to the same value.
fn from_bytes(field: &Field, record: &[u8]) {
    let mut text = String::new();
    if field.format_text(record, &mut text).is_err() || field.is_null(record).unwrap() {
        return;
    }
    let mut again = vec![0; record.len()];
    field.parse_text(&text, &mut again).expect("a formatted value must parse");
    let mut text_again = String::new();
    field.format_text(&again, &mut text_again).expect("a parsed value must format");
    assert_eq!(text, text_again);
}

/// Parses `text`. If it is a value, a read must give it, and a write must give the same bytes.
fn from_text(field: &Field, text: &str) {
    let len = field.offset() as usize + field.size_bytes() as usize;
    let mut record = vec![0; len];
    if field.parse_text(text, &mut record).is_err() {
        return;
    }
    let value = field.read(&record).expect("a parsed value must be readable");
    assert_ne!(value, Value::Null);
    let mut again = vec![0; len];
    field.write(&mut again, &value).expect("a value that was read must be writable");
    assert_eq!(again, record);
}
