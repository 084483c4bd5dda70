//! Numbers, dates and times from text, fast, for the forms that nearly all files use.
//!
//! Each function knows one form exactly and answers `None` for every other text, right or wrong:
//! then [`Field::parse_text`](crate::Field::parse_text) has the last word. Where they answer, the
//! two agree, which a property test checks.

/// Digits that an `i64` holds whatever they are.
const SAFE_DIGITS: usize = 18;
/// Integers up to this magnitude are exact as an `f64`.
pub(super) const EXACT_FLOAT_MAX: u64 = 1 << 53;
/// Powers of ten that an `f64` holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
const SECONDS_PER_DAY: i64 = 86_400;

/// `-?[0-9]{1,18}`.
#[inline]
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || digits.len() > SAFE_DIGITS {
        return None;
    }
    let mut value = 0i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit); // at most 18 digits: no overflow
    }
    Some(if negative { -value } else { value })
}

/// `-?[0-9]*.?[0-9]*` with 1 to 15 digits after leading zeros, 22 at most behind the point.
///
/// The digits without the point are an integer that an `f64` holds exactly, and so is the power of
/// ten: their quotient, rounded once, is the nearest `f64` (Clinger's fast path).
#[inline]
pub(super) fn decimal(text: &[u8]) -> Option<f64> {
    let (negative, digits) = sign(text);
    let mut mantissa = 0u64;
    let mut point = None;
    if digits.len() > SAFE_DIGITS {
        return None;
    }
    for (at, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            mantissa = mantissa * 10 + u64::from(digit); // at most 18 digits: no overflow
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let digit_count = digits.len() - usize::from(point.is_some());
    if digit_count == 0 || mantissa > EXACT_FLOAT_MAX {
        return None;
    }
    let decimals = point.map_or(0, |at| digits.len() - at - 1);
    let value = mantissa as f64 / POWERS_OF_TEN[decimals];
    Some(if negative { -value } else { value })
}

#[inline]
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    }
}

/// `YYYY-MM-DD`, as days since 1970-01-01.
#[inline]
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let &[y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0] = text else { return None };
    let year = 100 * two_digits(y3, y2)? + two_digits(y1, y0)?;
    let (month, day) = (two_digits(m1, m0)?, two_digits(d1, d0)?);
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_of(year, month, day))
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i32::from(tens) * 10 + i32::from(ones))
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01, for years of four digits. Years begin in March here, so that the leap day
/// comes last.
fn days_of(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + leap_days + day_of_year - 719_468
}

/// A point in time, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// Since 1970-01-01T00:00:00, rounded down.
    pub(super) seconds: i64,
    pub(super) nanoseconds: i64,
    pub(super) fraction_digits: usize,
    /// Whether a `Z` follows.
    pub(super) utc: bool,
}

impl Time {
    /// The same in units of which there are `per_second`; `None` if it does not fit.
    #[inline]
    pub(super) fn in_units(&self, per_second: i64) -> Option<i64> {
        let nanoseconds_per_unit = 1_000_000_000 / per_second;
        if self.nanoseconds % nanoseconds_per_unit != 0 {
            return None;
        }
        let fraction = self.nanoseconds / nanoseconds_per_unit;
        match self.seconds.checked_mul(per_second) {
            Some(units) => units.checked_add(fraction),
            // Only the first second of the range overflows here and not as a whole.
            None => i64::try_from(
                i128::from(self.seconds) * i128::from(per_second) + i128::from(fraction),
            )
            .ok(),
        }
    }
}

/// `YYYY-MM-DDTHH:MM:SS`, or a space for the `T`, 1 to 9 digits of a fraction if any, `Z` or not.
#[inline]
pub(super) fn time(text: &[u8]) -> Option<Time> {
    let (date_text, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.split_at_checked(9)?;
    let &[b'T' | b' ', h1, h0, b':', m1, m0, b':', s1, s0] = clock else { return None };
    let (hour, minute, second) = (two_digits(h1, h0)?, two_digits(m1, m0)?, two_digits(s1, s0)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = i64::from(date(date_text)?);
    let seconds = days * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second);
    let (rest, utc) = match rest {
        [fraction @ .., b'Z'] => (fraction, true),
        fraction => (fraction, false),
    };
    let (nanoseconds, fraction_digits) = match rest {
        [] => (0, 0),
        [b'.', digits @ ..] => (nanoseconds(digits)?, digits.len()),
        _ => return None,
    };
    Some(Time { seconds, nanoseconds, fraction_digits, utc })
}

fn nanoseconds(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padding = std::iter::repeat_n(&b'0', 9 - digits.len());
    Some(digits.iter().chain(padding).fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}
