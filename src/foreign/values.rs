//! Values of old programs: numbers in ASCII, parts of a byte, times in two numbers.

use super::column::TextEnd;
use crate::error::Error;
use crate::format::{Field, TimeUnit, Value};

const MICROS: i64 = TimeUnit::Microsecond.per_second();

/// A number of dBASE: blank, or all stars where it did not fit, is null.
pub(super) fn number(from: &[u8], field: &Field, record: &mut [u8]) -> Result<(), String> {
    let text = ascii(from)?;
    if text.bytes().all(|byte| byte == b'*') {
        return Ok(()); // the presence byte is 0
    }
    field.parse_text(&unpadded(text), record).map_err(Error::into_detail)
}

/// A date of dBASE, `20240229`: blank, or all zeros, is null.
pub(super) fn date(from: &[u8], field: &Field, record: &mut [u8]) -> Result<(), String> {
    let text = ascii(from)?;
    if text.bytes().all(|byte| byte == b'0') {
        return Ok(());
    }
    field.parse_text(&dashed(text), record).map_err(Error::into_detail)
}

/// A logical value of dBASE: blank, or a question mark, is null.
pub(super) fn logical(from: &[u8], field: &Field, record: &mut [u8]) -> Result<(), String> {
    let value = match from {
        b"T" | b"t" | b"Y" | b"y" => true,
        b"F" | b"f" | b"N" | b"n" => false,
        b" " | b"?" | b"\0" => return Ok(()),
        _ => return Err(format!("{:?} is no logical value", String::from_utf8_lossy(from))),
    };
    field.write(record, &Value::Bool(value)).map_err(Error::into_detail)
}

/// Logical values of FITS: `T`, `F`, or a zero for null.
pub(super) fn fits_logical(from: &[u8], field: &Field, record: &mut [u8]) -> Result<(), String> {
    let value = |byte: &u8| match byte {
        b'T' => Ok(Value::Bool(true)),
        b'F' => Ok(Value::Bool(false)),
        other => Err(format!("{other:#04x} is no logical value")),
    };
    if field.is_nullable() && from == [0] {
        return Ok(());
    }
    let values: Vec<Value<'_>> = from.iter().map(value).collect::<Result<_, _>>()?;
    match field.array_len() {
        None => field.write(record, &values[0]),
        Some(_) => field.write_elements(record, &values),
    }
    .map_err(Error::into_detail)
}

/// So many bits of a byte, from bit `shift` on.
pub(super) fn bits(from: &[u8], shift: u8, bits: u8, into: &mut [u8]) {
    let mask = 0xFF_u8.checked_shr(8 - u32::from(bits)).unwrap_or(0xFF);
    into[0] = from[0] >> shift & mask;
}

/// Seconds since 1970 and microseconds, two little-endian `int32`.
pub(super) fn seconds_and_micros(
    from: &[u8],
    field: &Field,
    record: &mut [u8],
) -> Result<(), String> {
    let at = |at: usize| i32::from_le_bytes([from[at], from[at + 1], from[at + 2], from[at + 3]]);
    let (seconds, micros) = (i64::from(at(0)), i64::from(at(4)));
    if !(0..MICROS).contains(&micros) {
        return Err(format!("{micros} microseconds are no part of a second"));
    }
    // 32 bits of seconds are far from the limits.
    let time = Value::Timestamp(seconds * MICROS + micros, TimeUnit::Microsecond);
    field.write(record, &time).map_err(Error::into_detail)
}

/// An address of IPv6, or of IPv4 with 12 zeros behind it, which becomes one of IPv6 (`::ffff:…`).
/// All zeros are null.
pub(super) fn address(from: &[u8], field: &Field, record: &mut [u8]) -> Result<(), String> {
    let mut address = [0; 16];
    match from {
        _ if from.iter().all(|&byte| byte == 0) => return Ok(()),
        [ipv4 @ .., 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => {
            address[10..12].fill(0xFF);
            address[12..].copy_from_slice(ipv4);
        }
        _ => address.copy_from_slice(from),
    }
    field.write(record, &Value::Binary(&address)).map_err(Error::into_detail)
}

/// The text between the spaces and zeros around it.
fn ascii(from: &[u8]) -> Result<&str, String> {
    let text = text_of(from, TextEnd::Space);
    let text = std::str::from_utf8(text).map_err(|error| format!("text is not ASCII: {error}"))?;
    Ok(text.trim_start_matches([' ', '\0']))
}

/// The text at the start of its bytes.
pub(super) fn text_of(bytes: &[u8], end: TextEnd) -> &[u8] {
    let len = match end {
        TextEnd::Nul => bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()),
        TextEnd::Space => {
            bytes.iter().rposition(|&byte| byte != b' ' && byte != 0).map_or(0, |last| last + 1)
        }
    };
    &bytes[..len]
}

/// A number without the zeros and the plus sign before its digits, which fill columns of a fixed
/// width.
pub(super) fn unpadded(text: &str) -> String {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    let zeros = digits.bytes().take_while(|&byte| byte == b'0').count();
    // One zero stays before a fraction, an exponent or the end.
    let is_needed = !digits.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit);
    let digits = &digits[zeros - usize::from(zeros > 0 && is_needed)..];
    match digits.starts_with('.') {
        true => format!("{sign}0{digits}"),
        false if digits == "0" => "0".to_owned(),
        false => format!("{sign}{digits}"),
    }
}

/// A date of 8 digits as flatrec writes it.
pub(super) fn dashed(text: &str) -> String {
    match text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_numbers_lose_what_fills_their_columns() {
        for (padded, bare) in [
            ("007", "7"),
            ("+5", "5"),
            ("-004.50", "-4.50"),
            ("000", "0"),
            ("-0", "0"),
            ("0.5", "0.5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("00.5", "0.5"),
            ("0e1", "0e1"),
            ("1x", "1x"),
            ("", ""),
            ("-", "-"),
            ("nan", "nan"),
        ] {
            assert_eq!(unpadded(padded), bare, "{padded}");
        }
    }

    #[test]
    fn texts_end_as_their_files_say() {
        assert_eq!(text_of(b"ab\0cd ", TextEnd::Nul), b"ab");
        assert_eq!(text_of(b"ab  ", TextEnd::Nul), b"ab  ");
        assert_eq!(text_of(b" ab \0 ", TextEnd::Space), b" ab");
        assert_eq!(text_of(b"   ", TextEnd::Space), b"");
    }
}
