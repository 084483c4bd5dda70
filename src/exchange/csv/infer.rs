//! The type of a column, by the texts in it.
//!
//! A type is chosen only if it gives every value back: see the table at [`CsvReader::infer`]. The
//! facts about a column are a few flags and extremes, so that threads can look at parts of a file
//! in any order and merge the results.
//!
//! [`CsvReader::infer`]: super::reader::CsvReader::infer

use super::parse::{self, Cell, Decimal, EXACT_FLOAT_MAX, Time};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, TimeUnit};

/// Kinds of text, as flags: a column may have seen several.
mod kind {
    pub(super) const BOOL: u16 = 1;
    pub(super) const INTEGER: u16 = 1 << 1;
    /// An integer that an `f64` may not represent.
    pub(super) const LARGE_INTEGER: u16 = 1 << 2;
    pub(super) const FLOAT: u16 = 1 << 3;
    pub(super) const DATE: u16 = 1 << 4;
    pub(super) const LOCAL_TIME: u16 = 1 << 5;
    pub(super) const UTC_TIME: u16 = 1 << 6;
    /// Anything else, including the quoted empty text.
    pub(super) const TEXT: u16 = 1 << 7;
}

/// An `f64` distinguishes all numbers of so many digits.
const FLOAT_DIGITS_MAX: usize = 17;
/// A plain number up to this length is finite and not rounded to zero, whatever its digits.
const PLAIN_FLOAT_MAX_BYTES: usize = 300;

/// The facts about one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    kinds: u16,
    nulls: bool,
    longest_bytes: usize,
    fraction_digits: usize,
    /// Whether there was a time outside the range of nanoseconds since 1970.
    far_times: bool,
}

impl Seen {
    #[inline]
    pub(super) fn null(&mut self) {
        self.nulls = true;
    }

    /// Notes a text that is not null.
    #[inline]
    pub(super) fn text(&mut self, cell: Cell<'_>) {
        self.longest_bytes = self.longest_bytes.max(cell.text().len());
        if self.kinds & kind::TEXT == 0 {
            self.kinds |= self.kind_of(cell);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.kinds |= other.kinds;
        self.nulls |= other.nulls;
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.fraction_digits = self.fraction_digits.max(other.fraction_digits);
        self.far_times |= other.far_times;
    }

    /// The narrowest field that gives every text back.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if the length of a text does not fit in 32 bits.
    pub(super) fn field(&self, name: &str) -> Result<Field> {
        let field = match self.kinds {
            kind::BOOL => Field::new(name, DataType::Bool),
            kind::DATE => Field::new(name, DataType::Date32),
            kind::LOCAL_TIME | kind::UTC_TIME => match self.time_unit() {
                Some(unit) if self.kinds == kind::UTC_TIME => {
                    Field::new(name, DataType::Timestamp(unit)).utc()
                }
                Some(unit) => Field::new(name, DataType::Timestamp(unit)),
                None => self.text_field(name)?,
            },
            numbers if only(numbers, kind::INTEGER | kind::LARGE_INTEGER) => {
                Field::new(name, DataType::Int64)
            }
            numbers if only(numbers, kind::INTEGER | kind::FLOAT) => {
                Field::new(name, DataType::Float64)
            }
            _ => self.text_field(name)?,
        };
        Ok(if self.nulls || self.kinds == 0 { field.nullable() } else { field })
    }

    fn text_field(&self, name: &str) -> Result<Field> {
        let width = u32::try_from(self.longest_bytes.max(1)).map_err(|_| {
            let detail = format!("field {name}: a text has {} bytes", self.longest_bytes);
            Error::new(ErrorKind::InvalidSchema, "infer").detail(detail)
        })?;
        Ok(Field::new(name, DataType::Utf8(width)))
    }

    /// The unit for every fraction, if all times are within its range.
    fn time_unit(&self) -> Option<TimeUnit> {
        Some(match self.fraction_digits {
            0 => TimeUnit::Second,
            1..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ if self.far_times => return None,
            _ => TimeUnit::Nanosecond,
        })
    }

    #[inline]
    fn kind_of(&mut self, cell: Cell<'_>) -> u16 {
        if let Some(decimal) = parse::decimal(cell) {
            return decimal_kind(&decimal, cell.text());
        }
        match cell.text() {
            b"true" | b"false" => kind::BOOL,
            [b'0'..=b'9', ..] if parse::day(cell).is_some() => kind::DATE,
            [b'0'..=b'9', ..] => match parse::time(cell) {
                Some(time) => self.time_kind(&time),
                None => number_kind(cell.text()),
            },
            [b'-' | b'.', ..] => number_kind(cell.text()),
            b"NaN" | b"inf" => kind::FLOAT,
            _ => kind::TEXT,
        }
    }

    #[inline]
    fn time_kind(&mut self, time: &Time) -> u16 {
        self.fraction_digits = self.fraction_digits.max(time.fraction_digits);
        self.far_times |= !time.fits_nanoseconds();
        if time.utc { kind::UTC_TIME } else { kind::LOCAL_TIME }
    }
}

/// Whether `kinds` has at least one of the flags `allowed`, and no other.
fn only(kinds: u16, allowed: u16) -> bool {
    kinds != 0 && kinds & !allowed == 0
}

/// The kind of a number in plain decimal form, whose text is `text`.
#[inline]
fn decimal_kind(decimal: &Decimal, text: &[u8]) -> u16 {
    let digits = &text[usize::from(decimal.negative)..];
    let whole = digits.len() - usize::from(decimal.has_point) - usize::from(decimal.decimals);
    if whole > 1 && digits[0] == b'0' {
        return kind::TEXT; // no numeric type gives the zeros back
    }
    // Integers have no negative zero.
    if decimal.has_point || decimal.negative && decimal.mantissa == 0 {
        kind::FLOAT
    } else if decimal.mantissa <= EXACT_FLOAT_MAX {
        kind::INTEGER
    } else {
        kind::LARGE_INTEGER
    }
}

/// The kind of another text that begins like a number.
#[cold]
fn number_kind(text: &[u8]) -> u16 {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let whole = leading_digits(digits);
    if whole > 1 && digits[0] == b'0' {
        return kind::TEXT;
    }
    if whole == digits.len() && whole > 0 {
        return long_integer_kind(text);
    }
    if text == b"-inf" || is_float(text, digits, whole) { kind::FLOAT } else { kind::TEXT }
}

/// The kind of a row of digits, with or without a sign, that is too long for the fast path.
fn long_integer_kind(text: &[u8]) -> u16 {
    // Digits are ASCII, so parsing fails only for too large a number.
    let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    match value {
        Some(value) if value.unsigned_abs() <= EXACT_FLOAT_MAX => kind::INTEGER,
        Some(_) => kind::LARGE_INTEGER,
        None => kind::TEXT,
    }
}

/// Whether a float keeps the number; `digits` is `text` without its sign and begins with `whole`
/// digits.
fn is_float(text: &[u8], digits: &[u8], whole: usize) -> bool {
    let mut rest = &digits[whole..];
    let mut decimals = 0;
    if let [b'.', fraction @ ..] = rest {
        decimals = leading_digits(fraction);
        rest = &fraction[decimals..];
    }
    if whole + decimals == 0 {
        return false;
    }
    let mantissa = &digits[..digits.len() - rest.len()];
    let few_digits = significant_digits(mantissa) <= FLOAT_DIGITS_MAX;
    match rest {
        [] if few_digits && text.len() <= PLAIN_FLOAT_MAX_BYTES => return true,
        [] => {}
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            if exponent.is_empty() || leading_digits(exponent) != exponent.len() {
                return false;
            }
        }
        _ => return false,
    }
    // The value must not become infinite, nor zero if it was not zero.
    let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    let zero = !mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    value.is_some_and(|value| {
        value.is_finite() && (value != 0.0 || zero) && (few_digits || is_shortest(digits, value))
    })
}

/// The number of significant digits: without zeros before the first other digit and zeros at the
/// end of the decimals.
fn significant_digits(mantissa: &[u8]) -> usize {
    let ends_in_decimals = mantissa.contains(&b'.');
    let zeros = mantissa.iter().rev().take_while(|&&byte| ends_in_decimals && byte == b'0');
    let end = mantissa.len() - zeros.count();
    let significant = mantissa[..end].iter().filter(|&&byte| byte != b'.');
    significant.skip_while(|&&byte| byte == b'0').count()
}

/// Whether the shortest text of `value` is exactly the number of the unsigned text `digits`.
#[cold]
fn is_shortest(digits: &[u8], value: f64) -> bool {
    let exact = Exact::of(digits);
    exact.is_some() && exact == Exact::of(format!("{:e}", value.abs()).as_bytes())
}

/// A decimal number without a sign, in the one form that equal numbers share.
#[derive(Debug, PartialEq, Eq)]
struct Exact {
    /// The digits, without zeros at either end.
    digits: Vec<u8>,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Exact {
    /// The number in `text`: digits with or without a point, and an exponent if any. `None` if the
    /// exponent does not fit in 64 bits.
    fn of(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        let (mantissa, exponent) = text.split_at(end);
        let mut exponent = match exponent {
            [] => 0,
            [_, exponent @ ..] => std::str::from_utf8(exponent).ok()?.parse::<i64>().ok()?,
        };
        let mut digits: Vec<u8> = mantissa.iter().copied().filter(|&byte| byte != b'.').collect();
        if let Some(point) = mantissa.iter().position(|&byte| byte == b'.') {
            let decimals = i64::try_from(mantissa.len() - point - 1).ok()?;
            exponent = exponent.checked_sub(decimals)?;
        }
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.checked_add(1)?;
        }
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        digits.drain(..zeros);
        Some(Self { digits, exponent })
    }
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
