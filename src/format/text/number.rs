//! Whether a number type keeps the number of a text: the one rule of inference, of CSV, of
//! [`Field::parse_text`](crate::Field::parse_text) and of conditions.
//!
//! A text *fits* a type if the stored value, rounded to as many significant digits as the text has,
//! is the text's number. Zeros at the end of a fraction are no such digits: `1.50` has two.
//!
//! - A `float64` keeps `0.1`, `40300.619960000004`, `1.000000000000000056e-01` and 2^70 written
//!   out. It does not keep `9007199254740993`, `0.1234567890123456789` or `1e-400`.
//! - Of two texts that are equally near to the stored value, the one with the even last digit is
//!   that of the rounded value: 900000000000001.25 is `900000000000001.2`, and not `….3`.
//! - The text of [`push_float`] fits too, because stores are written as such texts. At a power of
//!   two its last digit can be another than that of the rounded value: 2^-44 is
//!   `5.684341886080802e-14`, and rounded to 16 digits it ends in 1. A `float32` is written as
//!   `1000000060.0` although its last digits are 64.
//! - Zeros before other digits and a leading `+` never fit, because no number type gives them back.
//! - The text of an integer is digits, after a `-` if it is negative. It is not `-0`.
//! - `nan`, `inf` and `infinity`, in any case and after a `-` or not, are floats.
//!
//! A float has every number of few digits ([`Float::DIGITS_KEPT`]) in its normal range, so only
//! longer texts are compared digit by digit.

use std::fmt::LowerExp;
use std::num::ParseIntError;
use std::str::FromStr;

use super::Refusal;
use super::write::{Shortest, push_float};

/// A value for a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fit<T> {
    /// The text's own.
    Exact(T),
    /// The nearest value of the type; the text does not fit.
    Near(T, Loss),
}

/// What a number type does not keep of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Zeros before other digits.
    LeadingZeros,
    /// A `+`, or the `-` of an integer that is zero.
    Sign,
    /// The number itself.
    Number,
}

/// The type `f32` or `f64`.
pub(crate) trait Float: FromStr + Into<f64> + LowerExp + Shortest {
    /// Within the normal range, every number of so many digits fits.
    const DIGITS_KEPT: usize;
    /// The least positive normal number.
    const NORMAL_MIN: f64;
}

impl Float for f32 {
    const DIGITS_KEPT: usize = f32::DIGITS as usize;
    const NORMAL_MIN: f64 = f32::MIN_POSITIVE as f64;
}

impl Float for f64 {
    const DIGITS_KEPT: usize = f64::DIGITS as usize;
    const NORMAL_MIN: f64 = f64::MIN_POSITIVE;
}

/// The significant digits of the longest text of a float in a store that was written as text.
const WRITTEN_DIGITS_MAX: usize = 17;
/// The significant digits of the longest exact text of an `f64`.
const EXACT_DIGITS_MAX: usize = 767;

/// The float for `text`.
///
/// # Errors
/// Why no value is near: the text is not a number, or past the type's range.
pub(crate) fn float<F: Float>(text: &str) -> Result<Fit<F>, Refusal> {
    let value: F = text.parse().map_err(|_| Refusal::Not("number"))?;
    // Otherwise `nan`, `inf` or `infinity`.
    let Some(decimal) = Decimal::parse(text) else {
        let plus = text.starts_with('+');
        return Ok(if plus { Fit::Near(value, Loss::Sign) } else { Fit::Exact(value) });
    };
    let magnitude: f64 = value.into().abs();
    if magnitude.is_infinite() {
        return Err(Refusal::Because("the number is too large for the field".into()));
    }
    Ok(match decimal.spelling_lost() {
        Some(loss) => Fit::Near(value, loss),
        None if decimal.is_kept_by(value, magnitude) => Fit::Exact(value),
        None => Fit::Near(value, Loss::Number),
    })
}

/// The integer for `text`. For a number that is not an integer it is the nearest one, and of two
/// the even one.
///
/// # Errors
/// Why no value is near: the text is not a number, or past the type's range.
pub(crate) fn integer<T>(text: &str) -> Result<Fit<T>, ParseIntError>
where
    T: FromStr<Err = ParseIntError>,
{
    match text.parse::<T>() {
        Ok(value) => Ok(match Decimal::parse(text).and_then(|it| it.integer_spelling_lost()) {
            Some(loss) => Fit::Near(value, loss),
            None => Fit::Exact(value),
        }),
        Err(error) => match Decimal::parse(text) {
            Some(decimal) if !decimal.is_digits => {
                let loss = decimal.spelling_lost().unwrap_or(Loss::Number);
                Ok(Fit::Near(decimal.nearest_integer().parse()?, loss))
            }
            // An unsigned type has no sign for it.
            Some(decimal) if decimal.is_zero() => Ok(Fit::Near("0".parse()?, Loss::Sign)),
            _ => Err(error),
        },
    }
}

/// The integer for the number of `text` times 10^`shift`.
///
/// # Errors
/// Why no value is near: the text is not a number, or past the type's range.
pub(super) fn scaled_integer(text: &str, shift: i32) -> Result<Fit<i64>, Refusal> {
    let Some(mut decimal) = Decimal::parse(text) else { return Err(Refusal::Not("number")) };
    decimal.exponent = decimal.exponent.saturating_add(shift.into());
    let value = decimal.nearest_integer().parse();
    let value = value.map_err(|_| Refusal::Because("the time is out of range".into()))?;
    Ok(match decimal.integer_spelling_lost() {
        Some(loss) => Fit::Near(value, loss),
        None if decimal.is_integer() => Fit::Exact(value),
        None => Fit::Near(value, Loss::Number),
    })
}

/// Whether `text` is a number in decimal form.
pub(super) fn is_decimal(text: &str) -> bool {
    Decimal::parse(text).is_some()
}

/// Whether a `float32` keeps `text` too, and is written as the `float64` for it is; `None` for a
/// text that no `float64` keeps.
#[cfg(feature = "exchange")]
pub(crate) fn has_same_text_as_float32(text: &str) -> Option<bool> {
    let Ok(Fit::Exact(wide)) = float::<f64>(text) else { return None };
    let Ok(Fit::Exact(narrow)) = float::<f32>(text) else { return Some(false) };
    Some(shortest(wide) == shortest(narrow))
}

/// The text of a float.
fn shortest(value: impl Shortest) -> String {
    let mut text = String::new();
    push_float(value, &mut text);
    text
}

impl Loss {
    /// Why `text` does not fit: the value that would be stored, in the words of `data_type`.
    pub(crate) fn told(self, text: &str, value: &dyn Shown, data_type: &str) -> String {
        let (beside, lost) = match self {
            Self::LeadingZeros => (None, "without its leading zeros"),
            Self::Sign => (None, "without its sign"),
            Self::Number => (Some(text), "the nearest "),
        };
        let data_type = beside.map_or("", |_| data_type);
        format!("it would be stored as {}, {lost}{data_type}", value.shown(beside))
    }
}

/// A number as an error shows it.
pub(crate) trait Shown {
    /// Its text, in which it differs from the number `beside` it.
    fn shown(&self, beside: Option<&str>) -> String;
}

macro_rules! shown {
    (integers: $($integer:ty)*) => { $(
        impl Shown for $integer {
            fn shown(&self, _: Option<&str>) -> String {
                self.to_string()
            }
        }
    )* };
    (floats: $($float:ty)*) => { $(
        impl Shown for $float {
            /// The shortest text, or if that is the same number, more digits.
            fn shown(&self, beside: Option<&str>) -> String {
                let decimal = beside.and_then(Decimal::parse).filter(|it| !it.is_zero());
                let text = shortest(*self);
                match decimal {
                    Some(decimal) if decimal.is(&text) => {
                        let digits = decimal.significant().min(EXACT_DIGITS_MAX) - 1;
                        format!("{self:.digits$e}")
                    }
                    _ => text,
                }
            }
        }
    )* };
}
shown!(integers: i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);
shown!(floats: f32 f64);

/// A number in decimal form: `[+-]?[0-9]*(\.[0-9]*)?([eE][+-]?[0-9]+)?`, with one digit at least
/// before the exponent.
struct Decimal<'t> {
    sign: Option<u8>,
    whole: &'t [u8],
    fraction: &'t [u8],
    /// Saturated to what a text of any length can balance.
    exponent: i64,
    /// Whether there is neither a point nor an exponent.
    is_digits: bool,
    /// The zeros before the first other digit of `whole` and `fraction`.
    zeros: usize,
}

impl<'t> Decimal<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let text = text.as_bytes();
        let (sign, unsigned) = match text {
            [sign @ (b'+' | b'-'), rest @ ..] => (Some(*sign), rest),
            _ => (None, text),
        };
        let (whole, rest) = unsigned.split_at(leading_digits(unsigned));
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => rest.split_at(leading_digits(rest)),
            _ => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', exponent @ ..] => saturating(exponent)?,
            _ => return None,
        };
        let is_digits = whole.len() == unsigned.len();
        let is_zero = |digit: &&u8| **digit == b'0';
        let zeros = whole.iter().chain(fraction).take_while(is_zero).count();
        Some(Self { sign, whole, fraction, exponent, is_digits, zeros })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.whole.iter().chain(self.fraction).copied()
    }

    /// Whether no digit but zeros follows the point.
    fn is_integer(&self) -> bool {
        let zeros = self.fraction.iter().rev().chain(self.whole.iter().rev());
        let end_zeros = zeros.take_while(|digit| **digit == b'0').count();
        let digits = self.whole.len() + self.fraction.len();
        // A text is shorter than 2^63 bytes.
        self.is_zero() || (digits - self.zeros - end_zeros) as i64 <= self.point()
    }

    fn is_zero(&self) -> bool {
        self.zeros == self.whole.len() + self.fraction.len()
    }

    /// What no number type gives back, whatever its values are.
    fn spelling_lost(&self) -> Option<Loss> {
        if matches!(self.whole, [b'0', _, ..]) {
            return Some(Loss::LeadingZeros);
        }
        (self.sign == Some(b'+')).then_some(Loss::Sign)
    }

    fn integer_spelling_lost(&self) -> Option<Loss> {
        let minus_zero = self.sign.is_some() && self.is_zero();
        self.spelling_lost().or(minus_zero.then_some(Loss::Sign))
    }

    /// The number of significant digits, from the first that is not zero: all, except the zeros at
    /// the end of the fraction. The number is not zero.
    fn significant(&self) -> usize {
        self.whole.len() + without_end_zeros(self.fraction).len() - self.zeros
    }

    /// Whether `value`, which is the float nearest to this number, keeps it; `magnitude` is its
    /// absolute value, and finite.
    fn is_kept_by<F: Float>(&self, value: F, magnitude: f64) -> bool {
        if self.is_zero() {
            return true;
        }
        let significant = self.significant();
        if significant <= F::DIGITS_KEPT && magnitude >= F::NORMAL_MIN {
            return true;
        }
        // More digits than the value has are zeros.
        let digits = significant.min(EXACT_DIGITS_MAX) - 1;
        magnitude != 0.0
            && (self.is(&format!("{magnitude:.digits$e}"))
                || significant <= WRITTEN_DIGITS_MAX && self.is(&shortest(value)))
    }

    /// Whether this number, which is not zero, has the magnitude of the number `text`.
    fn is(&self, text: &str) -> bool {
        let Some(other) = Decimal::parse(text).filter(|other| other.point() == self.point()) else {
            return false;
        };
        // The shorter of both goes on with zeros.
        let mut digits = self.digits().skip(self.zeros);
        let mut others = other.digits().skip(other.zeros);
        loop {
            match (digits.next(), others.next()) {
                (None, None) => return true,
                (digit, other) if digit.unwrap_or(b'0') != other.unwrap_or(b'0') => return false,
                _ => {}
            }
        }
    }

    /// The place of the point after the first significant digits, negative before them.
    fn point(&self) -> i64 {
        // A text is shorter than 2^63 bytes.
        self.exponent + self.whole.len() as i64 - self.zeros as i64
    }

    /// The nearest integer, as digits after a `-` if it is negative; many nines if it is past 128
    /// bits.
    fn nearest_integer(&self) -> String {
        const PAST_128_BITS: &str = "9999999999999999999999999999999999999999";
        let sign = if self.sign == Some(b'-') { "-" } else { "" };
        let point = self.point();
        // Below 0.1 if the point comes before the digits.
        if point < 0 || self.is_zero() {
            return "0".into();
        }
        if point >= PAST_128_BITS.len() as i64 {
            return format!("{sign}{PAST_128_BITS}");
        }
        let whole_len = point as usize;
        let mut digits = self.digits().skip(self.zeros).chain(std::iter::repeat(b'0'));
        let mut whole = digits.by_ref().take(whole_len);
        // Fewer digits than 40, which may exceed 128 bits.
        let whole = whole.try_fold(0_u128, |number, digit| {
            number.checked_mul(10)?.checked_add(u128::from(digit - b'0'))
        });
        let rest_len =
            (self.whole.len() + self.fraction.len() - self.zeros).saturating_sub(whole_len);
        let rest: Vec<u8> = digits.take(rest_len).collect();
        let rounded = whole.and_then(|whole| {
            let up = match without_end_zeros(&rest) {
                [b'5'] => whole % 2 == 1,
                [first, ..] => *first >= b'5',
                [] => false,
            };
            whole.checked_add(u128::from(up))
        });
        match rounded {
            Some(0) => "0".into(),
            Some(number) => format!("{sign}{number}"),
            None => format!("{sign}{PAST_128_BITS}"),
        }
    }
}

/// The number of digits at the start of `text`.
pub(super) fn leading_digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

pub(super) fn without_end_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    &digits[..digits.len() - zeros]
}

/// The number after the `e`, at most 2^62 on either side.
fn saturating(text: &[u8]) -> Option<i64> {
    const LIMIT: i64 = 1 << 62;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || leading_digits(digits) != digits.len() {
        return None;
    }
    let magnitude = digits.iter().fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(LIMIT)
    });
    Some(if negative { -magnitude } else { magnitude })
}
