//! The bytes of old programs for values: what `values` reads, written.

use crate::error::Error;
use crate::format::{DataType, Field, TimeUnit, Value};

const MICROS: i64 = TimeUnit::Microsecond.per_second();

/// A number of dBASE, at the right of its bytes; blank for null.
pub(super) fn number(
    field: &Field,
    record: &[u8],
    decimals: u8,
    into: &mut [u8],
) -> Result<(), String> {
    let text = match field.read(record).map_err(Error::into_detail)? {
        Value::Null => String::new(),
        Value::Float(value) if value.is_finite() => format!("{value:.*}", usize::from(decimals)),
        Value::Float(_) => return Err("the file has finite numbers only".to_owned()),
        _ => text_of(field, record)?,
    };
    place(&text, into, false)
}

/// A date of 8 digits; blank for null.
pub(super) fn date(field: &Field, record: &[u8], into: &mut [u8]) -> Result<(), String> {
    let text = match field.read(record).map_err(Error::into_detail)? {
        Value::Null => String::new(),
        _ => text_of(field, record)?.replace('-', ""),
    };
    if text.len() != 8 && !text.is_empty() {
        return Err("the file has years from 0000 to 9999 only".to_owned());
    }
    place(&text, into, true)
}

/// A logical value of dBASE; a question mark for null.
pub(super) fn logical(field: &Field, record: &[u8], into: &mut [u8]) -> Result<(), String> {
    let letter = match field.read(record).map_err(Error::into_detail)? {
        Value::Bool(true) => "T",
        Value::Bool(false) => "F",
        _ => "?",
    };
    place(letter, into, true)
}

/// Logical values of FITS; a zero for null.
pub(super) fn fits_logical(field: &Field, bytes: &[u8], into: &mut [u8]) -> Result<(), String> {
    let bytes = match (field.is_nullable(), bytes.first()) {
        (true, Some(0)) => {
            into.fill(0);
            return Ok(());
        }
        (true, _) => &bytes[1..],
        (false, _) => bytes,
    };
    for (byte, into) in bytes.iter().zip(into) {
        *into = if *byte == 0 { b'F' } else { b'T' };
    }
    Ok(())
}

/// Puts so many bits into a byte, from bit `shift` on.
pub(super) fn bits(value: u8, shift: u8, bits: u8, into: &mut [u8]) -> Result<(), String> {
    let mask = 0xFF_u8.checked_shr(8 - u32::from(bits)).unwrap_or(0xFF);
    if value & !mask != 0 {
        return Err(format!("the file has {bits} bits for it, so {mask} is the most"));
    }
    into[0] = into[0] & !(mask << shift) | value << shift;
    Ok(())
}

/// Seconds since 1970 and microseconds.
pub(super) fn seconds_and_micros(
    field: &Field,
    record: &[u8],
    into: &mut [u8],
) -> Result<(), String> {
    let Value::Timestamp(time, TimeUnit::Microsecond) =
        field.read(record).map_err(Error::into_detail)?
    else {
        return Err("it has no null there".to_owned());
    };
    let seconds = i32::try_from(time.div_euclid(MICROS))
        .map_err(|_| "the file has 32 bits for the seconds since 1970".to_owned())?;
    // Less than a million.
    let micros = time.rem_euclid(MICROS) as i32;
    into[..4].copy_from_slice(&seconds.to_le_bytes());
    into[4..8].copy_from_slice(&micros.to_le_bytes());
    Ok(())
}

/// An address of IPv6, or one of IPv4 with zeros behind it; zeros for null.
pub(super) fn address(field: &Field, record: &[u8], into: &mut [u8]) -> Result<(), String> {
    into.fill(0);
    match field.read(record).map_err(Error::into_detail)? {
        Value::Binary([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, ipv4 @ ..]) => {
            into[..ipv4.len()].copy_from_slice(ipv4);
        }
        Value::Binary(address) => into.copy_from_slice(address),
        _ => {}
    }
    Ok(())
}

/// A value in a line of text: texts at the left of its bytes, others at the right. Null is blank,
/// or the first word for it if a blank is a text.
pub(super) fn line_text(field: &Field, record: &[u8], into: &mut [u8]) -> Result<(), String> {
    let at_left = begins_at_left(field.data_type());
    let text = match field.read(record).map_err(Error::into_detail)? {
        Value::Null => match field.null_words().first() {
            Some(word) if at_left => word.clone(),
            _ => String::new(),
        },
        Value::Date(_) if into.len() < "2024-02-29".len() => {
            text_of(field, record)?.replace('-', "")
        }
        _ => text_of(field, record)?,
    };
    if text.contains(['\n', '\r']) {
        return Err("it would end the line".to_owned());
    }
    place(&text, into, at_left)
}

/// Whether the field's text is written from the left, as texts are, or from the right.
fn begins_at_left(data_type: DataType) -> bool {
    matches!(data_type, DataType::Utf8(_) | DataType::Binary(_))
}

fn text_of(field: &Field, record: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    field.format_text(record, &mut text).map_err(Error::into_detail)?;
    Ok(text)
}

/// Fills the bytes with the text, and with spaces at its other side.
fn place(text: &str, into: &mut [u8], at_left: bool) -> Result<(), String> {
    let Some(spaces) = into.len().checked_sub(text.len()) else {
        let (width, needed) = (into.len(), text.len());
        return Err(format!("{text:?} has {needed} bytes, the field {width}"));
    };
    into.fill(b' ');
    let at = if at_left { 0 } else { spaces };
    into[at..at + text.len()].copy_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_leave_those_beside_them() {
        let mut byte = [0b1010_1010];
        bits(0b11, 2, 3, &mut byte).unwrap();
        assert_eq!(byte, [0b1010_1110]);
        assert!(bits(8, 2, 3, &mut byte).unwrap_err().contains("7 is the most"));
        bits(255, 0, 8, &mut byte).unwrap();
        assert_eq!(byte, [255]);
    }

    #[test]
    fn texts_lie_at_their_side() {
        let mut bytes = *b"xxxxx";
        place("-7", &mut bytes, false).unwrap();
        assert_eq!(&bytes, b"   -7");
        place("ab", &mut bytes, true).unwrap();
        assert_eq!(&bytes, b"ab   ");
        assert!(place("123456", &mut bytes, true).is_err());
        let field = Field::new("n", DataType::Float64);
        let mut record = [0; 8];
        field.write(&mut record, &Value::Float(-0.125)).unwrap();
        number(&field, &record, 1, &mut bytes).unwrap();
        assert_eq!(&bytes, b" -0.1", "which the caller decodes and refuses");
    }
}
