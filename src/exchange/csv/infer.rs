//! Which type a column has, from the texts in it.
//!
//! A type is taken only if it gives the values back: see the table at [`CsvReader::infer`]. What has
//! been seen of a column is a few flags and extremes, so that parts of a file can be looked at in
//! any order and on several threads, and merged.
//!
//! [`CsvReader::infer`]: super::reader::CsvReader::infer

use super::parse::{self, EXACT_FLOAT_MAX};
use crate::format::{DataType, Field, TimeUnit};

/// Kinds of text, as flags: a column may have seen several.
mod kind {
    pub(super) const BOOL: u16 = 1;
    pub(super) const INTEGER: u16 = 1 << 1;
    /// An integer that an `f64` may not hold.
    pub(super) const LARGE_INTEGER: u16 = 1 << 2;
    pub(super) const FLOAT: u16 = 1 << 3;
    pub(super) const DATE: u16 = 1 << 4;
    pub(super) const LOCAL_TIME: u16 = 1 << 5;
    pub(super) const UTC_TIME: u16 = 1 << 6;
    /// Anything else, the quoted empty text too.
    pub(super) const TEXT: u16 = 1 << 7;
}

/// Longest plain number that is finite and not rounded to zero whatever its digits are.
const PLAIN_FLOAT_MAX_BYTES: usize = 300;

/// What has been seen of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    kinds: u16,
    nulls: bool,
    longest_bytes: usize,
    fraction_digits: usize,
    /// The first and last second of all times, for the narrow range of nanoseconds.
    seconds: (i64, i64),
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            kinds: 0,
            nulls: false,
            longest_bytes: 0,
            fraction_digits: 0,
            seconds: (i64::MAX, i64::MIN),
        }
    }
}

impl Seen {
    #[inline]
    pub(super) fn null(&mut self) {
        self.nulls = true;
    }

    /// Takes note of a text that is not null.
    #[inline]
    pub(super) fn text(&mut self, text: &[u8]) {
        self.longest_bytes = self.longest_bytes.max(text.len());
        if self.kinds & kind::TEXT == 0 {
            self.kinds |= self.kind_of(text);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.kinds |= other.kinds;
        self.nulls |= other.nulls;
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.fraction_digits = self.fraction_digits.max(other.fraction_digits);
        self.seconds.0 = self.seconds.0.min(other.seconds.0);
        self.seconds.1 = self.seconds.1.max(other.seconds.1);
    }

    /// The narrowest field that gives back all that was seen.
    pub(super) fn field(&self, name: &str) -> Field {
        let field = match self.kinds {
            kind::BOOL => Field::new(name, DataType::Bool),
            kind::DATE => Field::new(name, DataType::Date32),
            kind::LOCAL_TIME | kind::UTC_TIME => match self.time_unit() {
                Some(unit) if self.kinds == kind::UTC_TIME => {
                    Field::new(name, DataType::Timestamp(unit)).utc()
                }
                Some(unit) => Field::new(name, DataType::Timestamp(unit)),
                None => self.text_field(name),
            },
            numbers if only(numbers, kind::INTEGER | kind::LARGE_INTEGER) => {
                Field::new(name, DataType::Int64)
            }
            numbers if only(numbers, kind::INTEGER | kind::FLOAT) => {
                Field::new(name, DataType::Float64)
            }
            _ => self.text_field(name),
        };
        if self.nulls || self.kinds == 0 { field.nullable() } else { field }
    }

    fn text_field(&self, name: &str) -> Field {
        let width = u32::try_from(self.longest_bytes.max(1)).unwrap_or(u32::MAX);
        Field::new(name, DataType::Utf8(width))
    }

    /// The unit that holds every fraction, if all times are within its range.
    fn time_unit(&self) -> Option<TimeUnit> {
        Some(match self.fraction_digits {
            0 => TimeUnit::Second,
            1..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ => {
                // The last whole seconds whose every nanosecond an i64 counts.
                let range = i64::MIN / 1_000_000_000..=i64::MAX / 1_000_000_000 - 1;
                let (first, last) = self.seconds;
                (range.contains(&first) && range.contains(&last)).then_some(TimeUnit::Nanosecond)?
            }
        })
    }

    #[inline]
    fn kind_of(&mut self, text: &[u8]) -> u16 {
        match text {
            [b'0'..=b'9' | b'-' | b'.', ..] => match number_kind(text) {
                Some(kind) => kind,
                None => self.time_kind(text),
            },
            b"true" | b"false" => kind::BOOL,
            b"NaN" | b"inf" => kind::FLOAT,
            _ => kind::TEXT,
        }
    }

    fn time_kind(&mut self, text: &[u8]) -> u16 {
        if parse::date(text).is_some() {
            return kind::DATE;
        }
        let Some(time) = parse::time(text) else { return kind::TEXT };
        self.fraction_digits = self.fraction_digits.max(time.fraction_digits);
        self.seconds.0 = self.seconds.0.min(time.seconds);
        self.seconds.1 = self.seconds.1.max(time.seconds);
        if time.utc { kind::UTC_TIME } else { kind::LOCAL_TIME }
    }
}

/// Whether at least one of the flags `allowed` is set in `kinds`, and none besides.
fn only(kinds: u16, allowed: u16) -> bool {
    kinds != 0 && kinds & !allowed == 0
}

/// The kind of a text that looks like a number; `None` if it is none, or one of those whose type
/// would not give it back (`007`).
#[inline]
fn number_kind(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let whole = leading_digits(digits);
    if whole > 1 && digits[0] == b'0' {
        return None;
    }
    if whole == digits.len() && whole > 0 {
        return Some(integer_kind(text, digits));
    }
    if text == b"-inf" {
        return Some(kind::FLOAT);
    }
    float_kind(text, digits, whole)
}

#[inline]
fn integer_kind(text: &[u8], digits: &[u8]) -> u16 {
    if digits.len() <= 15 {
        // An integer has no negative zero.
        return if text == b"-0" { kind::FLOAT } else { kind::INTEGER };
    }
    // A row of digits is ASCII, and too large a number is all that can be wrong with it.
    let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    match value {
        Some(value) if value.unsigned_abs() <= EXACT_FLOAT_MAX => kind::INTEGER,
        Some(_) => kind::LARGE_INTEGER,
        None => kind::TEXT,
    }
}

/// `digits` is `text` without its sign and begins with `whole` digits.
fn float_kind(text: &[u8], digits: &[u8], whole: usize) -> Option<u16> {
    let mut rest = &digits[whole..];
    let mut decimals = 0;
    if let [b'.', fraction @ ..] = rest {
        decimals = leading_digits(fraction);
        rest = &fraction[decimals..];
    }
    if whole + decimals == 0 {
        return None;
    }
    if rest.is_empty() && text.len() <= PLAIN_FLOAT_MAX_BYTES {
        return Some(kind::FLOAT);
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        if exponent.is_empty() || leading_digits(exponent) != exponent.len() {
            return None;
        }
    } else if !rest.is_empty() {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mantissa = digits.iter().take_while(|&&byte| !matches!(byte, b'e' | b'E'));
    let zero = mantissa.filter(|byte| matches!(byte, b'1'..=b'9')).count() == 0;
    // Neither may the value become infinite, nor zero if it was none.
    (value.is_finite() && (value != 0.0 || zero)).then_some(kind::FLOAT)
}

#[inline]
fn leading_digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
