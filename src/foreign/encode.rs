//! Makes the bytes of a foreign record of a record of flatrec's types: what `decode` does, back.
//!
//! Only the bytes of fields that change are made. The caller decodes the result and compares it, so
//! a value that its bytes do not keep is an error and never another value.

use super::charset::Charset;
use super::column::{Column, Encoding, TextEnd};
use super::decode::{Fault, check_guard};
use super::layout::ForeignLayout;
use super::values_back as back;
use crate::error::{Error, ErrorKind, quoted};
use crate::format::{Field, Value};
use crate::number::len_of;

/// Changes `raw`, the bytes of a record in the file, from those of the record `before` to those of
/// `after`, which both are records of the layout's schema.
///
/// # Errors
/// A value that the file cannot have.
pub(super) fn encode(
    layout: &ForeignLayout,
    before: &[u8],
    after: &[u8],
    raw: &mut [u8],
) -> Result<(), Fault> {
    for (column, field) in pairs(layout) {
        let start = len_of(field.offset());
        let place = start..start + len_of(field.size_bytes());
        if before[place.clone()] == after[place.clone()] {
            continue;
        }
        let into = &mut raw[len_of(column.at)..len_of(column.end())];
        let made = check_value(field, after).and_then(|()| match layout.decodes {
            true => make(column, field, after, into),
            false => {
                into.copy_from_slice(&after[place]);
                Ok(())
            }
        });
        made.and_then(|()| refuse_summarised(layout, field))
            .map_err(|why| fault(column, field, after, why))?;
    }
    layout.guard.as_ref().map_or(Ok(()), |guard| check_guard(guard, raw))
}

/// Refuses the first value of `read`, the record that the file would have, that is not that of
/// `wanted`.
pub(super) fn compare(layout: &ForeignLayout, read: &[u8], wanted: &[u8]) -> Result<(), Fault> {
    for (column, field) in pairs(layout) {
        let start = len_of(field.offset());
        let place = start..start + len_of(field.size_bytes());
        if read[place.clone()] != wanted[place] {
            let why = format!("the file would keep {} instead", shown(field, read));
            return Err(fault(column, field, wanted, why));
        }
    }
    Ok(())
}

/// The columns, each with its field in the layout's schema.
fn pairs(layout: &ForeignLayout) -> impl Iterator<Item = (&Column, &Field)> {
    let mut columns: Vec<&Column> = layout.columns().iter().collect();
    // A packed schema keeps the order of the columns; one in place has that of their places.
    if !layout.decodes {
        columns.sort_by_key(|column| column.at);
    }
    columns.into_iter().zip(layout.schema().fields())
}

fn fault(column: &Column, field: &Field, record: &[u8], why: String) -> Fault {
    let detail = match why.starts_with("field ") {
        true => why,
        false => format!("field {}: {why}", quoted(field.name())),
    };
    let value = (field.name().to_owned(), shown(field, record));
    Fault { kind: ErrorKind::InvalidValue, at: column.at, detail, value: Some(value) }
}

/// The value as text.
fn shown(field: &Field, record: &[u8]) -> String {
    let mut text = String::new();
    match field.read(record) {
        Ok(Value::Null) => "null".to_owned(),
        Ok(_) if field.format_text(record, &mut text).is_ok() => text,
        _ => "a damaged value".to_owned(),
    }
}

/// Refuses bytes that are no value of the field.
fn check_value(field: &Field, record: &[u8]) -> Result<(), String> {
    let checked = field.read(record).and_then(|value| match value {
        Value::Array(array) => array.iter().try_for_each(|it| it.map(drop)),
        _ => Ok(()),
    });
    checked.map_err(Error::into_detail)
}

fn refuse_summarised(layout: &ForeignLayout, field: &Field) -> Result<(), String> {
    match layout.edits.summarised.iter().find(|(name, _)| name == field.name()) {
        None => Ok(()),
        Some((_, what)) => Err(format!("the header has {what}, which would be wrong then")),
    }
}

/// Makes the bytes of one column.
fn make(column: &Column, field: &Field, record: &[u8], into: &mut [u8]) -> Result<(), String> {
    let start = len_of(field.offset());
    let bytes = &record[start..start + len_of(field.size_bytes())];
    match &column.encoding {
        Encoding::Plain => {
            into.copy_from_slice(bytes);
            if column.field.is_big_endian() {
                let width = len_of(field.data_type().size_bytes());
                into[usize::from(field.is_nullable())..]
                    .chunks_exact_mut(width)
                    .for_each(<[u8]>::reverse);
            }
            Ok(())
        }
        Encoding::Text(end, charset) => texts(field, bytes, (*end, *charset), into),
        Encoding::Parsed => back::line_text(field, record, into),
        Encoding::Number { decimals } => back::number(field, record, *decimals, into),
        Encoding::Date => back::date(field, record, into),
        Encoding::Logical => back::logical(field, record, into),
        Encoding::FitsLogical => back::fits_logical(field, bytes, into),
        Encoding::Scaled(scaled) => scaled.encode(field, bytes, into),
        Encoding::Bits { shift, bits } => back::bits(bytes[0], *shift, *bits, into),
        Encoding::SecondsAndMicros => back::seconds_and_micros(field, record, into),
        Encoding::Address => back::address(field, record, into),
        Encoding::Npy(coder) => coder.encode(bytes, into),
    }
}

/// Fills the texts of a column, each with what pads it.
fn texts(
    field: &Field,
    bytes: &[u8],
    (end, charset): (TextEnd, Charset),
    into: &mut [u8],
) -> Result<(), String> {
    let bytes = match (field.is_nullable(), bytes.first()) {
        (true, Some(0)) => return Err("it has no null there".to_owned()),
        (true, _) => &bytes[1..],
        (false, _) => bytes,
    };
    let elements = len_of(field.array_len().unwrap_or(1));
    let (width, room) = (into.len() / elements, len_of(field.data_type().size_bytes()));
    let filler = if end == TextEnd::Nul { 0 } else { b' ' };
    for (text, into) in bytes.chunks_exact(room).zip(into.chunks_exact_mut(width)) {
        let len = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let text = std::str::from_utf8(&text[..len]).map_err(|error| error.to_string())?;
        let text = charset.encode(text)?;
        if text.len() > width {
            return Err(format!("the text has {} bytes, the field {width}", text.len()));
        }
        into.fill(filler);
        into[..text.len()].copy_from_slice(&text);
    }
    Ok(())
}
