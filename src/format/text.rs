//! Field values from and to text, for CSV, NDJSON and the command line.
//!
//! The two directions agree: the text of [`Field::format_text`] is parsed to the same bytes. A text
//! that would have to change is refused, so nothing is lost silently. Dates and times cover every
//! value of a field, including years beyond 9999.

#[cfg(feature = "exchange")]
mod buffer;
mod civil;
mod display;
mod duration;
mod epoch;
mod number;
#[cfg(feature = "exchange")]
mod padded;
#[cfg(feature = "exchange")]
mod pieces;
#[cfg(feature = "exchange")]
mod prepared;
#[cfg(feature = "exchange")]
mod room;
mod write;

use std::borrow::Cow;
use std::fmt::Write as _;

use self::display::{parse_displayed, push_displayed, variant_name};
use self::write::{push_hex, push_integer};
use super::annotations::Variant;
use super::data_type::{DataType, TimeUnit};
use super::field::Field;
use super::value::{ArrayValue, Value, put, width_bytes, write_element};
use crate::error::{Cause, Result, cut};

/// The length that an error quotes of a text.
const QUOTED_CHARS: usize = 40;

#[cfg(feature = "exchange")]
pub(crate) use self::buffer::{FixedText, TextBuffer, room_at};
#[cfg(feature = "exchange")]
pub(crate) use self::civil::time_text;
#[cfg(feature = "query")]
pub(crate) use self::duration::nanoseconds as duration_nanoseconds;
#[cfg(feature = "exchange")]
pub(crate) use self::number::has_same_text_as_float32;
pub(crate) use self::number::{Fit, float as fit_float, integer as fit_integer};
#[cfg(feature = "query")]
pub(crate) use self::number::{Float, Loss, Shown};
#[cfg(feature = "exchange")]
pub(crate) use self::padded::{Copied, Marks, below_in, equal_in};
#[cfg(feature = "exchange")]
pub(crate) use self::pieces::{
    CellForm, Cells, Piece, ROWS_MAX, is_left, join, piece_of, put_number,
};
#[cfg(feature = "exchange")]
pub(crate) use self::prepared::PreparedField;
pub(crate) use self::write::push_float;

impl Field {
    /// Parses `text` into the field's place in `record` and marks it present. The caller decides
    /// which text means null, and writes null itself.
    ///
    /// | type | text |
    /// | --- | --- |
    /// | `bool` | `true`, `True`, `TRUE`, `T`, `t`, `Y`, `y`, `1`, and the same for false |
    /// | integers | `-12`; neither `+7` nor `007` nor `-0` |
    /// | floats | `0.1`, `1e300`; `nan`, `inf`, `infinity` in any case, `-inf` |
    /// | `date32` | `2013-01-31` |
    /// | `timestamp` | `2013-01-31T05:00[:00[.123]]`, or a space for the `T`; `2013-01-31` |
    /// | the same, UTC | a time and `Z`, `z`, `-05:00`, `-0500` or `-05`; `2013-01-31` |
    /// | `duration` | `PT1.5S`, `-PT90S`, `P1DT2H` |
    /// | `utf8` | as it is |
    /// | `binary` | two hexadecimal digits for each byte |
    /// | with an epoch | `1357016400.5`, a number of that unit since 1970, or a timestamp |
    /// | with variants | a variant's name, or the number of another value |
    /// | with a [`DisplayHint`](crate::DisplayHint) | that form |
    /// | fixed array | `[1,2,3]`; dates, times, text and bytes in it as JSON strings |
    /// | with a shape | `[[1,2],[3,4]]` |
    ///
    /// Years outside 0000 to 9999 have a sign and six digits or more: `+010000-01-01`. A date alone
    /// is its midnight.
    ///
    /// A number *fits* if the stored value, rounded to as many significant digits as the text has,
    /// is the same number, or if [`Field::format_text`] writes that number. Zeros at the end of
    /// a fraction are no such digits. Zeros before other digits and a leading `+` never fit. The
    /// [guide](crate::documents::guide#numbers-from-text) has examples.
    ///
    /// ```
    /// use flatrec::{DataType, Field, TimeUnit, Value};
    /// let field = Field::new("at", DataType::Timestamp(TimeUnit::Millisecond));
    /// let mut record = [0; 8];
    /// field.parse_text("1970-01-02 00:00:01.5", &mut record)?;
    /// assert_eq!(field.read(&record)?, Value::Timestamp(86_401_500, TimeUnit::Millisecond));
    ///
    /// let mut text = String::new();
    /// field.format_text(&record, &mut text)?;
    /// assert_eq!(text, "1970-01-02T00:00:01.500");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidValue`](crate::ErrorKind::InvalidValue) if the text is not such a value, or the
    /// field cannot hold it; the record is then unchanged, except an array, of which some elements
    /// may be written. [`OutOfRange`](crate::ErrorKind::OutOfRange) if the record is too short for
    /// this field.
    pub fn parse_text(&self, text: &str, record: &mut [u8]) -> Result<()> {
        self.parse(text, record, Unfit::Refused).map(drop).map_err(|error| {
            // Only an error pays for the second attempt.
            match self.parse(text, &mut record.to_vec(), Unfit::Rounded) {
                Ok(_) => error.because(Cause::UnfitNumber),
                Err(_) => error,
            }
        })
    }

    /// As [`Field::parse_text`], but stores the nearest value for a number that does not fit, and
    /// returns whether it did. A number past the range of the type is an error here, too.
    ///
    /// ```
    /// use flatrec::{DataType, ErrorKind, Field, Value};
    /// let field = Field::new("price", DataType::Float32);
    /// let mut record = [0; 4];
    /// let error = field.parse_text("16777217", &mut record).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidValue);
    ///
    /// assert!(field.parse_text_rounded("16777217", &mut record)?);
    /// assert_eq!(field.read(&record)?, Value::Float32(16_777_216.0));
    /// assert!(!field.parse_text_rounded("0.1", &mut record)?);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Field::parse_text`], except for numbers that do not fit.
    pub fn parse_text_rounded(&self, text: &str, record: &mut [u8]) -> Result<bool> {
        self.parse(text, record, Unfit::Rounded)
    }

    fn parse(&self, text: &str, record: &mut [u8], unfit: Unfit) -> Result<bool> {
        let mut rounded = false;
        self.write_with("parse", record, |bytes| {
            rounded = match self.array_len {
                None => parse_element(self, text, bytes, unfit).map_err(|why| describe(text, why)),
                Some(_) => parse_array(self, text, bytes, unfit),
            }?;
            Ok(())
        })?;
        Ok(rounded)
    }

    /// Appends the field's value in `record` to `out`, as [`Field::parse_text`] accepts it; nothing
    /// for null. A float becomes the shortest text of the same value.
    ///
    /// # Errors
    /// As [`Field::read`]; `out` is then unchanged.
    pub fn format_text(&self, record: &[u8], out: &mut String) -> Result<()> {
        match self.read(record)? {
            Value::Null => Ok(()),
            Value::Array(array) => {
                let before = out.len();
                self.format_array(array, out).inspect_err(|_| out.truncate(before))
            }
            value => {
                self.format_single(value, out);
                Ok(())
            }
        }
    }

    /// Whether the value's text is a variant's name or a form of the field's own, and not that of
    /// its type.
    ///
    /// # Errors
    /// As [`Field::read`].
    #[cfg(feature = "exchange")]
    pub(crate) fn is_shown_as_text(&self, record: &[u8]) -> Result<bool> {
        if self.annotations.is_none() {
            return Ok(false);
        }
        Ok(self.display().is_some() || variant_name(self, &self.read(record)?).is_some())
    }

    /// Appends an element: the name of its variant, its form, or the text of its type.
    fn format_single(&self, value: Value<'_>, out: &mut String) {
        if self.annotations.is_none() {
            return format_element(value, self.utc, out);
        }
        match variant_name(self, &value) {
            Some(name) => out.push_str(name),
            None if push_displayed(self, &value, out) => {}
            None => format_element(value, self.utc, out),
        }
    }

    fn format_array(&self, array: ArrayValue<'_>, out: &mut String) -> Result<()> {
        let mut text = String::new();
        self.format_elements(array, out, |value, out| {
            if self.is_bare_in_arrays(&value) {
                format_element(value, self.utc, out);
            } else {
                text.clear();
                self.format_single(value, &mut text);
                push_json_string(&text, out);
            }
        })
    }

    /// Appends an array, whose elements `format` appends: nested arrays if it has a shape.
    pub(crate) fn format_elements(
        &self,
        array: ArrayValue<'_>,
        out: &mut String,
        mut format: impl FnMut(Value<'_>, &mut String),
    ) -> Result<()> {
        let sizes = self.block_sizes(array.len());
        for (index, value) in array.iter().enumerate() {
            let value = value?;
            if index > 0 {
                out.push(',');
            }
            sizes.iter().filter(|&size| index % size == 0).for_each(|_| out.push('['));
            format(value, out);
            sizes.iter().filter(|&size| (index + 1) % size == 0).for_each(|_| out.push(']'));
        }
        Ok(())
    }

    /// How many elements each dimension's blocks have, from the whole array of `len` elements on.
    fn block_sizes(&self, len: usize) -> Vec<usize> {
        let mut size = len;
        let mut sizes = vec![len];
        let inner = self.shape().split_last().map_or(&[][..], |(_, outer)| outer);
        for &count in inner {
            size /= crate::number::len_of(count).max(1);
            sizes.push(size);
        }
        sizes
    }

    /// Whether an element appears in an array as it is, and not as a JSON string.
    fn is_bare_in_arrays(&self, value: &Value<'_>) -> bool {
        bare_in_arrays(self.data_type)
            && self.display().is_none()
            && variant_name(self, value).is_none()
    }
}

/// What becomes of a number that its field does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    Refused,
    /// The nearest value is stored.
    Rounded,
}

/// Why a text is not a value of its field. The text is built only if the error is shown.
#[derive(Debug)]
pub(crate) enum Refusal {
    Not(&'static str),
    Because(String),
}

impl From<&'static str> for Refusal {
    fn from(what: &'static str) -> Self {
        Self::Not(what)
    }
}

fn describe(text: &str, why: Refusal) -> String {
    let quoted = cut(text, QUOTED_CHARS);
    match why {
        Refusal::Not(what) => format!("{quoted:?} is not a {what}"),
        Refusal::Because(why) => format!("{quoted:?}: {why}"),
    }
}

/// Parses one element into `into`, which is as long as the type; unchanged on failure. Returns
/// whether the value is not the text's own.
fn parse_element(
    field: &Field,
    text: &str,
    into: &mut [u8],
    unfit: Unfit,
) -> Result<bool, Refusal> {
    macro_rules! number {
        ($fit:expr) => {{
            let (value, rounded) = match $fit? {
                Fit::Exact(value) => (value, false),
                Fit::Near(value, _) if unfit == Unfit::Rounded => (value, true),
                Fit::Near(value, loss) => {
                    let data_type = field.data_type.to_string();
                    return Err(Refusal::Because(loss.told(text, &value, &data_type)));
                }
            };
            put(into, field.big_endian, value.to_le_bytes());
            return Ok(rounded);
        }};
    }
    macro_rules! integer {
        ($type:ty) => {
            number!(fit_integer::<$type>(text).map_err(|error| not_a_number(field, error)))
        };
    }
    if field.annotations.is_some() {
        if let Some(parsed) = parse_displayed(field, text, into) {
            if field.big_endian && parsed.is_ok() && is_number(field.data_type) {
                into.reverse();
            }
            return parsed.map(|()| false);
        }
    }
    match field.data_type {
        DataType::Bool => into.copy_from_slice(&[parse_bool(text)?]),
        DataType::Int8 => integer!(i8),
        DataType::Int16 => integer!(i16),
        DataType::Int32 => integer!(i32),
        DataType::Int64 => integer!(i64),
        DataType::UInt8 => integer!(u8),
        DataType::UInt16 => integer!(u16),
        DataType::UInt32 => integer!(u32),
        DataType::UInt64 => integer!(u64),
        DataType::Int128 => integer!(i128),
        DataType::UInt128 => integer!(u128),
        DataType::Float32 => number!(fit_float::<f32>(text)),
        DataType::Float64 => number!(fit_float::<f64>(text)),
        DataType::Date32 => {
            let days = civil::parse_date(text.as_bytes())?;
            put(into, field.big_endian, days.to_le_bytes());
        }
        DataType::Timestamp(unit) => {
            let (time, rounded) = parse_time(field, text, unit, unfit)?;
            put(into, field.big_endian, time.to_le_bytes());
            return Ok(rounded);
        }
        DataType::Duration(unit) => {
            let time = duration::parse_duration(text, unit)?;
            put(into, field.big_endian, time.to_le_bytes());
        }
        DataType::Utf8(_) => {
            let value = Value::Text(text);
            write_element(field.data_type, false, into, &value).map_err(Refusal::Because)?;
        }
        DataType::Binary(_) => parse_hex(text, into)?,
    }
    Ok(false)
}

/// The time of a text in `unit`, and whether it is not the text's own.
fn parse_time(
    field: &Field,
    text: &str,
    unit: TimeUnit,
    unfit: Unfit,
) -> Result<(i64, bool), Refusal> {
    let Some(epoch) = field.epoch().filter(|_| number::is_decimal(text)) else {
        return Ok((civil::parse_timestamp(text.as_bytes(), unit, field.utc)?, false));
    };
    match epoch::parse(text, epoch, unit)? {
        Fit::Exact(time) => Ok((time, false)),
        Fit::Near(time, _) if unfit == Unfit::Rounded => Ok((time, true)),
        Fit::Near(time, loss) => {
            let shown = epoch::SinceEpoch { time, unit, epoch };
            let data_type = field.data_type.to_string();
            Err(Refusal::Because(loss.told(text, &shown, &data_type)))
        }
    }
}

/// Why a text is no integer of the field: its names are part of the answer, if it has variants.
fn not_a_number(field: &Field, error: std::num::ParseIntError) -> Refusal {
    const NAMES_SHOWN: usize = 10;
    let variants = field.variants();
    if variants.is_empty() {
        return Refusal::Because(error.to_string());
    }
    let mut names: Vec<&str> = variants.iter().take(NAMES_SHOWN).map(Variant::name).collect();
    if variants.len() > NAMES_SHOWN {
        names.push("…");
    }
    Refusal::Because(format!("neither a variant ({}) nor a number", names.join(", ")))
}

fn parse_bool(text: &str) -> Result<u8, Refusal> {
    match text {
        "true" | "True" | "TRUE" | "T" | "t" | "Y" | "y" | "1" => Ok(1),
        "false" | "False" | "FALSE" | "F" | "f" | "N" | "n" | "0" => Ok(0),
        _ => Err("bool (true or false)".into()),
    }
}

fn parse_hex(text: &str, into: &mut [u8]) -> Result<(), Refusal> {
    if text.len() != into.len().saturating_mul(2) {
        let digits = into.len().saturating_mul(2);
        return Err(Refusal::Because(format!("expected {digits} hexadecimal digits")));
    }
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("row of hexadecimal digits".into());
    }
    for (byte, pair) in into.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | hex_value(*digit));
    }
    Ok(())
}

/// The value of a hexadecimal digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | b' ') - b'a' + 10,
    }
}

/// Parses `[…, …]`, or an array of such for each dimension, into the elements of `into`. Returns
/// whether one of them is not the text's own.
fn parse_array(field: &Field, text: &str, into: &mut [u8], unfit: Unfit) -> Result<bool, String> {
    let refuse = |what: &str| describe(text, Refusal::Because(format!("expected {what}")));
    let width = width_bytes(field.data_type).max(1);
    let expected = into.len() / width;
    let sizes = field.block_sizes(expected);
    let example =
        if sizes.len() == 1 { "an array like [1,2,3]" } else { "an array like [[1,2],[3,4]]" };
    let mut rest = text.trim();
    let mut rounded = false;
    for (index, bytes) in into.chunks_exact_mut(width).enumerate() {
        for _ in sizes.iter().filter(|&size| index % size == 0) {
            rest = rest.trim_start().strip_prefix('[').ok_or_else(|| refuse(example))?;
        }
        let (element, after) = next_element(rest, bare_in_arrays(field.data_type))
            .ok_or_else(|| refuse("elements of the field's type, as many as it has"))?;
        rounded |= parse_element(field, &element, bytes, unfit)
            .map_err(|why| format!("element {index}: {}", describe(&element, why)))?;
        rest = after;
        for _ in sizes.iter().filter(|&size| (index + 1) % size == 0) {
            let after = rest.trim_start().strip_prefix(']');
            rest = after.ok_or_else(|| match rest.is_empty() {
                true => refuse(example),
                false => refuse(&elements_of(&sizes, expected)),
            })?;
        }
        let last = index + 1 == expected;
        rest = match rest.trim_start().strip_prefix(',') {
            Some(after) if !last => after,
            None if last && rest.is_empty() => rest,
            _ => return Err(refuse(&elements_of(&sizes, expected))),
        };
    }
    // Text is left over only for a field without elements, which no schema has.
    if rest.is_empty() { Ok(rounded) } else { Err(refuse("no elements")) }
}

fn elements_of(sizes: &[usize], elements: usize) -> String {
    match sizes.last() {
        Some(&inner) if sizes.len() > 1 => {
            format!("{elements} elements, {inner} in each innermost array")
        }
        _ => format!("{elements} elements"),
    }
}

/// The first element's text and the rest: a JSON string, or, if `bare` is allowed, the text before
/// the next comma.
fn next_element(text: &str, bare: bool) -> Option<(Cow<'_, str>, &str)> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (element, after) = json_string(quoted)?;
        return Some((element, after.trim_start()));
    }
    let end = text.find([',', ']']).unwrap_or(text.len());
    let (element, after) = text.split_at(end);
    bare.then(|| (Cow::Borrowed(element.trim_end()), after))
}

/// The value of a JSON string whose opening quote comes before `text`, and the rest after the
/// closing quote.
fn json_string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let stop = text.find(['"', '\\'])?;
    if let Some(after) = text[stop..].strip_prefix('"') {
        return Some((Cow::Borrowed(&text[..stop]), after));
    }
    let mut value = text[..stop].to_owned();
    let mut rest = text[stop..].chars();
    loop {
        match rest.next()? {
            '"' => return Some((Cow::Owned(value), rest.as_str())),
            '\\' => value.push(json_escape(&mut rest)?),
            other => value.push(other),
        }
    }
}

/// The character of an escape; `rest` follows the backslash.
fn json_escape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = four_hex_digits(rest)?;
            if !(0xD800..0xDC00).contains(&first) {
                return char::from_u32(first);
            }
            // A character past U+FFFF is a pair of surrogates.
            let second = rest.as_str().strip_prefix("\\u")?;
            *rest = second.chars();
            let second = four_hex_digits(rest)?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + second)?
        }
        same @ ('"' | '\\' | '/') => same,
        _ => return None,
    })
}

fn four_hex_digits(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut value = 0;
    for _ in 0..4 {
        value = value << 4 | rest.next()?.to_digit(16)?;
    }
    Some(value)
}

fn push_json_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other < ' ' => push(out, format_args!("\\u{:04x}", u32::from(other))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Whether elements of this type appear in an array as they are, and not as JSON strings.
fn bare_in_arrays(data_type: DataType) -> bool {
    !matches!(
        data_type,
        DataType::Date32
            | DataType::Timestamp(_)
            | DataType::Duration(_)
            | DataType::Utf8(_)
            | DataType::Binary(_)
    )
}

/// Whether elements of this type are numbers, whose bytes have an order.
fn is_number(data_type: DataType) -> bool {
    !matches!(data_type, DataType::Utf8(_) | DataType::Binary(_))
}

/// Appends a single value.
fn format_element(value: Value<'_>, utc: bool, out: &mut String) {
    match value {
        Value::Null | Value::Array(_) => {}
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Int(value) => push_integer(value, out),
        Value::UInt(value) => push_integer(value, out),
        Value::Int128(value) => push_integer(value, out),
        Value::UInt128(value) => push_integer(value, out),
        Value::Float32(value) => push_float(value, out),
        Value::Float(value) => push_float(value, out),
        Value::Date(days) => civil::push_date(days.into(), out),
        Value::Timestamp(time, unit) => civil::push_timestamp(time, unit, utc, out),
        Value::Duration(time, unit) => duration::push_duration(time, unit, out),
        Value::Text(text) => out.push_str(text),
        Value::Binary(bytes) => push_hex(bytes, out),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests;
