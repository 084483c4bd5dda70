//! Literals: the meaning of a number, a text or a date compared with a field of a given type.

use std::fmt;

use super::READ;
use super::node::{Literal, NANOSECONDS_PER_DAY, NANOSECONDS_PER_SECOND};
use super::parse::{invalid, shortened};
use crate::error::{Cause, Error, ErrorKind, Result, quoted};
use crate::format::{
    DataType, Field, Fit, Float, Loss, Refusal, Shown, TimeUnit, Value, Variant,
    duration_nanoseconds, fit_float, fit_integer,
};

/// A literal as written, before its field gives it a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A decimal number, with its sign.
    Number(String),
    Text(String),
    Bool(bool),
    /// `X'…'`: the digits.
    Hex(String),
    /// `DATE '…'`
    Date(String),
    /// `TIMESTAMP '…'`
    Timestamp(String),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(text) => write!(f, "the number {}", shortened(text)),
            Self::Text(text) => write!(f, "the text '{}'", shortened(text)),
            Self::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Self::Hex(digits) => write!(f, "the bytes X'{}'", shortened(digits)),
            Self::Date(text) => write!(f, "the date '{}'", shortened(text)),
            Self::Timestamp(text) => write!(f, "the timestamp '{}'", shortened(text)),
        }
    }
}

impl Written {
    /// The meaning of the literal compared with `field`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if such a literal can never be compared with such a field,
    /// [`ErrorKind::InvalidValue`] if this one cannot.
    pub(super) fn beside(&self, field: &Field) -> Result<Literal> {
        match (self, field.data_type()) {
            (Self::Text(text), _) if field.has_own_text() && field.epoch().is_none() => {
                displayed(text, field).map_err(|error| self.bad(field, error))
            }
            (Self::Text(text), DataType::Duration(_)) => duration_nanoseconds(text)
                .map(Literal::Int)
                .ok_or_else(|| self.bad(field, "a duration is written like PT1.5S")),
            (Self::Number(text), DataType::Float32) => self.float::<f32>(text, field),
            (Self::Number(text), DataType::Float64) => self.float::<f64>(text, field),
            (Self::Text(text), DataType::Float32 | DataType::Float64) if is_infinity(text) => {
                self.float::<f64>(text, field)
            }
            (Self::Number(text), data_type) if is_integer(data_type) => self.integer(text, field),
            (Self::Text(text), DataType::Utf8(_)) => Ok(Literal::Bytes(text.as_bytes().into())),
            (Self::Bool(value), DataType::Bool) => Ok(Literal::Int(i128::from(*value))),
            (Self::Hex(digits), DataType::Binary(_)) => unhex(digits)
                .map(Literal::Bytes)
                .ok_or_else(|| self.bad(field, "bytes need pairs of the digits 0 to 9, a to f")),
            (
                Self::Text(text) | Self::Date(text) | Self::Timestamp(text),
                DataType::Date32 | DataType::Timestamp(_),
            ) => self.instant(text, field),
            _ => Err(self.clash(field)),
        }
    }

    /// A number compared with a float field must fit it: see [`Field::parse_text`].
    fn float<F: Float + Shown>(&self, text: &str, field: &Field) -> Result<Literal> {
        match fit_float::<F>(text) {
            Ok(Fit::Exact(value)) => Ok(Literal::Float(value.into())),
            Ok(Fit::Near(value, loss)) => Err(self.unfit(text, field, loss, &value)),
            Err(Refusal::Not(_)) => Err(self.bad(field, "it is not a decimal number")),
            Err(Refusal::Because(_)) => {
                Err(self.bad(field, format!("it is too large for {}", field.data_type())))
            }
        }
    }

    /// A number compared with an integer field may be any number. Its sign is an operator of SQL,
    /// so that `-0` is zero.
    fn integer(&self, text: &str, field: &Field) -> Result<Literal> {
        if let Ok(Fit::Near(value, Loss::LeadingZeros)) = fit_integer::<i128>(text) {
            return Err(self.unfit(text, field, Loss::LeadingZeros, &value));
        }
        match field.data_type() {
            DataType::Int128 | DataType::UInt128 => wide(text)
                .ok_or_else(|| self.bad(field, "it is not a decimal number of up to 128 bits")),
            _ => exact(text).ok_or_else(|| self.bad(field, "it is not a decimal number")),
        }
    }

    fn unfit(&self, text: &str, field: &Field, loss: Loss, value: &dyn Shown) -> Error {
        let error = self.bad(field, loss.told(text, value, &field.data_type().to_string()));
        match loss {
            Loss::LeadingZeros => error.advice(format!("write {}", shortened(&plain(text)))),
            _ => error.advice("write the number that it is to be compared with"),
        }
    }

    fn instant(&self, text: &str, field: &Field) -> Result<Literal> {
        let (date, time) = match text.find(['T', ' ']).map(|at| text.split_at(at)) {
            _ if matches!(self, Self::Date(_)) => (text, ""),
            Some(parts) => parts,
            None => (text, ""),
        };
        let days = read_date(date)
            .ok_or_else(|| self.bad(field, "a date must exist, and is written like 2013-01-31"))?;
        let midnight = i128::from(days) * NANOSECONDS_PER_DAY;
        if time.is_empty() {
            return Ok(Literal::Int(midnight));
        }
        let time = TimeOfDay::read(time).ok_or_else(|| {
            self.bad(
                field,
                "a timestamp is written like 2013-01-31 05:00:00, with a zone like Z or +01:00",
            )
        })?;
        if field.data_type() == DataType::Date32 && time.nanoseconds != 0 {
            let error = self.bad(field, "a date has no time of day");
            return Err(error.advice("write only the date, as in '2013-01-31'"));
        }
        if time.has_zone && !field.is_utc() {
            let why = "the field has no zone, so the value cannot have one";
            return Err(self.bad(field, why));
        }
        Ok(Literal::Int(midnight + time.nanoseconds))
    }

    fn bad(&self, field: &Field, why: impl fmt::Display) -> Error {
        Error::new(ErrorKind::InvalidValue, READ)
            .detail(format!("{self} compared with {}: {why}", describe(field)))
    }

    fn clash(&self, field: &Field) -> Error {
        let error = invalid(format!("{} cannot be compared with {self}", describe(field)));
        match (self, field.data_type()) {
            (Self::Number(_), DataType::Utf8(_)) => {
                error.because(Cause::TextWithNumber).field(field.name()).advice(
                    "the field is text: load it as numbers, with its words for null; text in \
                     single quotes compares letter by letter, so that '1000' is less than '400'",
                )
            }
            (Self::Text(text), data_type)
                if exact(text).is_some() && (is_integer(data_type) || is_float(data_type)) =>
            {
                error.advice(format!("to compare numbers, write {}", shortened(&plain(text))))
            }
            (Self::Text(text), data_type)
                if is_float(data_type)
                    && text.trim_start_matches('-').eq_ignore_ascii_case("nan") =>
            {
                error.advice("NaN is the value that is not equal to itself: write x <> x")
            }
            (Self::Text(_), DataType::Binary(_)) => error.advice("write bytes as X'00ff'"),
            (Self::Number(_), DataType::Date32 | DataType::Timestamp(_)) => {
                error.advice("write a date as '2013-01-31', a timestamp as '2013-01-31 05:00:00'")
            }
            (Self::Text(_) | Self::Number(_), DataType::Bool) => {
                error.advice("compare a bool with TRUE or FALSE")
            }
            _ => error,
        }
    }
}

/// The days since 1970 of a date, as `load` reads it.
fn read_date(text: &str) -> Option<i32> {
    let mut days = [0; 4];
    Field::new("date", DataType::Date32).parse_text(text, &mut days).ok()?;
    Some(i32::from_le_bytes(days))
}

/// The part of a timestamp after its date.
struct TimeOfDay {
    /// Since midnight, in UTC if there is a zone.
    nanoseconds: i128,
    has_zone: bool,
}

impl TimeOfDay {
    /// Reads ` 05:00`, `T05:00:00.123456789`, either with a zone after it.
    ///
    /// The fraction is read separately, and a timestamp field of seconds reads the rest: it spans
    /// every date, and one of nanoseconds only the years 1677 to 2262.
    fn read(text: &str) -> Option<Self> {
        let clock = text.strip_prefix(['T', ' '])?;
        let zone_at = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
        let (clock, zone) = clock.split_at(zone_at);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut field = Field::new("time", DataType::Timestamp(TimeUnit::Second));
        field = if zone.is_empty() { field } else { field.utc() };
        let mut time = [0; 8];
        field.parse_text(&format!("1970-01-01T{clock}{zone}"), &mut time).ok()?;
        let mut nanoseconds = i128::from(i64::from_le_bytes(time)) * NANOSECONDS_PER_SECOND;
        nanoseconds += read_fraction(fraction)?;
        Some(Self { nanoseconds, has_zone: !zone.is_empty() })
    }
}

/// The nanoseconds of at most nine digits after the point.
fn read_fraction(digits: &str) -> Option<i128> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").parse().ok()
}

/// A field in the form of error messages: its name in quotes and its type.
pub(super) fn describe(field: &Field) -> String {
    let name = quoted(field.name());
    match field.array_len() {
        Some(len) => format!("the array {name} of {len} {}", field.data_type()),
        None => format!("the {} field {name}", field.data_type()),
    }
}

pub(super) fn is_integer(data_type: DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Int128
            | DataType::UInt128
    )
}

pub(super) fn is_float(data_type: DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// Whether the text is an infinity: the one number that has no digits, and so is text in SQL.
fn is_infinity(text: &str) -> bool {
    let word = text.strip_prefix('-').unwrap_or(text);
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity")
}

/// The number without zeros before other digits.
fn plain(text: &str) -> String {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text),
    };
    let digits = unsigned.trim_start_matches('0');
    let zero = if digits.starts_with(|first: char| first.is_ascii_digit()) { "" } else { "0" };
    format!("{sign}{zero}{digits}")
}

/// The decimal number `text`, exactly: an integer, or the integer below it. Past 38 digits it is
/// the first or last i128, which compares with every 64-bit integer as the number itself does.
fn exact(text: &str) -> Option<Literal> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, saturating_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // The number of digits before the point, after the exponent has moved it.
    let whole_len = i64::try_from(whole.len()).ok()?.saturating_add(exponent);
    let (whole, is_whole) = split_at_point(&digits, whole_len);
    Some(match (negative, is_whole) {
        (false, true) => Literal::Int(whole),
        (false, false) => Literal::Above(whole),
        (true, true) => Literal::Int(-whole),
        (true, false) => Literal::Above(-whole - 1),
    })
}

/// The decimal number `text`, exactly, for comparison with integers of 128 bits; `None` if it is
/// not a number, or past their range.
fn wide(text: &str) -> Option<Literal> {
    if let Ok(int) = text.parse() {
        return Some(Literal::Int(int));
    }
    if let Ok(large) = text.parse() {
        return Some(Literal::Large(large));
    }
    // Numbers of more digits are not exact.
    const EXACT_END: u128 = 10_u128.pow(37);
    exact(text).filter(|literal| match literal {
        Literal::Int(int) | Literal::Above(int) => int.unsigned_abs() < EXACT_END,
        _ => false,
    })
}

/// The value of a text in the form of a field that has its own, or of a variant's name.
fn displayed(text: &str, field: &Field) -> Result<Literal, String> {
    let mut element = Field::new(field.name(), field.data_type());
    element = element.with_variants(field.variants().iter().cloned());
    if let Some(display) = field.display() {
        element = element.with_display(display);
    }
    let named = field.variant_named(text).is_some();
    if !named && field.display().is_none() {
        let names: Vec<&str> = field.variants().iter().map(Variant::name).take(20).collect();
        return Err(format!("its variants are {}", names.join(", ")));
    }
    let mut bytes = vec![0; crate::number::len_of(field.data_type().size_bytes())];
    element.parse_text(text, &mut bytes).map_err(|error| error.to_string())?;
    match element.read(&bytes).map_err(|error| error.to_string())? {
        Value::Int(int) => Ok(Literal::Int(int.into())),
        Value::UInt(int) => Ok(Literal::Int(int.into())),
        Value::UInt128(int) => Ok(i128::try_from(int).map_or(Literal::Large(int), Literal::Int)),
        Value::Binary(_) => Ok(Literal::Bytes(bytes.into())),
        other => Err(format!("{other:?} cannot be compared")),
    }
}

/// The exponent after the `e`; one past 64 bits becomes the largest or smallest.
fn saturating_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let far = if text.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    Some(text.parse().unwrap_or(far).clamp(i64::MIN / 2, i64::MAX / 2))
}

/// The whole part of `digits` with the point after the first `whole_len`, at most `i128::MAX - 1`,
/// and whether only zeros follow it.
fn split_at_point(digits: &str, whole_len: i64) -> (i128, bool) {
    const DIGITS_MAX: usize = 38;
    let digits = digits.as_bytes();
    let leading_zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    if leading_zeros == digits.len() {
        return (0, true);
    }
    if whole_len < 0 {
        return (0, false);
    }
    let whole_len = usize::try_from(whole_len).unwrap_or(usize::MAX);
    if whole_len.saturating_sub(leading_zeros) > DIGITS_MAX {
        return (i128::MAX - 1, true);
    }
    let given = whole_len.min(digits.len());
    let mut whole = 0i128;
    for digit in &digits[..given] {
        whole = whole * 10 + i128::from(digit - b'0');
    }
    for _ in given..whole_len {
        whole *= 10;
    }
    (whole, digits[given..].iter().all(|digit| *digit == b'0'))
}

fn unhex(digits: &str) -> Option<Box<[u8]>> {
    if digits.len() % 2 != 0 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        use Literal::{Above, Int};
        for (text, number) in [
            ("0", Int(0)),
            ("-0", Int(0)),
            ("-0.0", Int(0)),
            ("5", Int(5)),
            ("5.", Int(5)),
            (".5", Above(0)),
            ("-.5", Above(-1)),
            ("-2.5", Above(-3)),
            ("1.50e1", Int(15)),
            ("1.55e1", Above(15)),
            ("1200e-2", Int(12)),
            ("1201e-2", Above(12)),
            ("000001e3", Int(1000)),
            ("1e-400", Above(0)),
            ("0e400", Int(0)),
            ("1e99999999999999999999999", Int(i128::MAX - 1)),
            ("-1e99999999999999999999999", Int(1 - i128::MAX)),
            ("1e-99999999999999999999999", Above(0)),
            ("18446744073709551616", Int(1 << 64)),
            ("99999999999999999999999999999999999999", Int(10i128.pow(38) - 1)),
            ("999999999999999999999999999999999999999", Int(i128::MAX - 1)),
        ] {
            assert_eq!(exact(text), Some(number), "{text}");
        }
        for text in ["", "-", ".", "e5", "1e", "1e+", "1.2.3", "1_000", "x", "--1", "+1"] {
            assert_eq!(exact(text), None, "{text}");
        }
    }

    #[test]
    fn hex_digits_come_in_pairs() {
        assert_eq!(unhex("00fF").as_deref(), Some(&[0, 255][..]));
        assert_eq!(unhex("").as_deref(), Some(&[][..]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
        assert_eq!(unhex("+1"), None, "from_str_radix would accept the sign");
        assert_eq!(unhex("€0"), None);
    }
}
