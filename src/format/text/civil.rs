//! Days and times since 1970 from and to ISO 8601 text, for every value of a field.
//!
//! The calendar is the proleptic Gregorian one. Years 0000 to 9999 have four digits; others have a
//! sign and six digits or more (ISO 8601's expanded form). There are no leap seconds.

use super::number::{leading_digits, without_end_zeros};
use super::write::{self, day_text, push_ascii, push_time_of_day};
use super::{Refusal, TimeUnit};

const SECONDS_PER_DAY: i64 = 86_400;

/// The days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01. Years that begin in March end with their leap day.
const DAYS_TO_EPOCH: i64 = 719_468;

const DATE: &str = "date like 2013-01-31";
const TIME: &str = "time like 2013-01-31T05:00:00";

/// The days from 1970-01-01 to an existing date.
///
/// Counts from March, as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": then
/// the days before a month are `(153 * month + 2) / 5` in every year.
fn days_of(year: i64, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

/// Year, month and day of a number of days since 1970-01-01, for every time of 64-bit seconds.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The number of the two digits at the start of `bytes`, and the rest.
fn two_digits(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Some(((tens - b'0') * 10 + (ones - b'0'), rest))
        }
        _ => None,
    }
}

fn after(bytes: &[u8], expected: u8) -> Option<&[u8]> {
    match bytes {
        [first, rest @ ..] if *first == expected => Some(rest),
        _ => None,
    }
}

/// The year at the start of `bytes`, and the rest.
fn take_year(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => {
            let (century, rest) = two_digits(bytes)?;
            let (year, rest) = two_digits(rest)?;
            return Some((i64::from(century) * 100 + i64::from(year), rest));
        }
    };
    let len = leading_digits(digits);
    // Twelve digits suffice for the years of 64-bit seconds.
    let year = match len {
        6..=12 => digits[..len].iter().fold(0, |year, digit| year * 10 + i64::from(digit - b'0')),
        _ => return None,
    };
    let signed = if negative { -year } else { year };
    // A year that fits in four digits has no other form.
    (!(0..=9999).contains(&signed) && (len == 6 || year > 999_999))
        .then_some((signed, &digits[len..]))
}

/// The date at the start of `bytes`, in days since 1970-01-01, and the rest.
fn take_date(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (year, rest) = take_year(bytes)?;
    let (month, rest) = two_digits(after(rest, b'-')?)?;
    let (day, rest) = two_digits(after(rest, b'-')?)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some((days_of(year, month, day), rest))
}

/// The days since 1970-01-01 of a text that is a date.
pub(super) fn parse_date(text: &[u8]) -> Result<i32, Refusal> {
    match take_date(text) {
        Some((days, [])) => {
            i32::try_from(days).map_err(|_| "date within 32 bits of days from 1970".into())
        }
        _ => Err(DATE.into()),
    }
}

/// The time since 1970 in `unit` of a date and time of day, or of a date, which is its midnight. A
/// time in UTC must say so, by `Z` or an offset, and another must not: the code neither invents nor
/// drops a zone.
pub(super) fn parse_timestamp(text: &[u8], unit: TimeUnit, utc: bool) -> Result<i64, Refusal> {
    let time = TimeText::parse(text).ok_or(TIME)?;
    match (time.is_date, time.offset_seconds, utc) {
        (false, None, true) => {
            return Err("time in UTC: it ends in neither Z nor an offset".into());
        }
        (_, Some(_), false) => return Err("time without a zone, as the field's values are".into()),
        _ => {}
    }
    let whole = time.seconds * i128::from(unit.per_second());
    i64::try_from(whole + i128::from(time.fraction_in(unit)?))
        .map_err(|_| "time within 64 bits of the field's unit from 1970".into())
}

/// The point in time of a text; `None` if it is not one.
#[cfg(feature = "exchange")]
pub(crate) fn time_text(text: &[u8]) -> Option<TimeText<'_>> {
    TimeText::parse(text)
}

/// A point in time, as written.
pub(crate) struct TimeText<'t> {
    /// The whole seconds since 1970, in UTC if the text has a zone. 128 bits, because they may be
    /// out of the range of a unit although the time with its fraction is not.
    seconds: i128,
    /// The digits after the point, without zeros at the end.
    fraction: &'t [u8],
    /// The seconds by which the zone is ahead of UTC, if there is one.
    offset_seconds: Option<i64>,
    is_date: bool,
}

impl<'t> TimeText<'t> {
    fn parse(text: &'t [u8]) -> Option<Self> {
        let (days, rest) = take_date(text)?;
        let midnight = i128::from(days) * i128::from(SECONDS_PER_DAY);
        let [b'T' | b' ', rest @ ..] = rest else {
            let date =
                Self { seconds: midnight, fraction: &[], offset_seconds: None, is_date: true };
            return rest.is_empty().then_some(date);
        };
        let (hour, rest) = two_digits(rest)?;
        let (minute, rest) = two_digits(after(rest, b':')?)?;
        let (second, has_seconds, rest) = match after(rest, b':') {
            Some(seconds) => two_digits(seconds).map(|(second, rest)| (second, true, rest))?,
            None => (0, false, rest),
        };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', digits @ ..] if has_seconds => take_digits(digits)?,
            rest => (&[][..], rest),
        };
        let offset_seconds = if rest.is_empty() { None } else { Some(take_zone(rest)?) };
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let seconds = midnight + i128::from(of_day - offset_seconds.unwrap_or(0));
        Some(Self { seconds, fraction, offset_seconds, is_date: false })
    }

    /// The number of digits of the fraction, without zeros at the end.
    #[cfg(feature = "exchange")]
    pub(crate) fn fraction_digits(&self) -> usize {
        self.fraction.len()
    }

    #[cfg(feature = "exchange")]
    pub(crate) fn has_zone(&self) -> bool {
        self.offset_seconds.is_some()
    }

    /// Seconds since 1970-01-01T00:00:00, rounded down.
    #[cfg(feature = "exchange")]
    pub(crate) fn seconds(&self) -> i128 {
        self.seconds
    }

    fn fraction_in(&self, unit: TimeUnit) -> Result<i64, Refusal> {
        let mut scale = unit.per_second();
        let mut fraction = 0;
        for digit in self.fraction {
            scale /= 10;
            if scale == 0 {
                return Err("time in the field's unit: it has more digits".into());
            }
            fraction += i64::from(digit - b'0') * scale;
        }
        Ok(fraction)
    }
}

/// The digits at the start of `bytes`, of which there must be one, without zeros at their end; and
/// the rest.
fn take_digits(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digits, rest) = bytes.split_at(leading_digits(bytes));
    (!digits.is_empty()).then_some((without_end_zeros(digits), rest))
}

/// The seconds by which a zone is ahead of UTC: `Z` or `z`, or an offset such as `+05:30`, `+0530`
/// or `+05`.
fn take_zone(bytes: &[u8]) -> Option<i64> {
    let (sign, rest) = match bytes {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        [b':', rest @ ..] | rest => two_digits(rest)?,
    };
    (rest.is_empty() && hours <= 23 && minutes <= 59)
        .then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// Appends the date of `days` since 1970-01-01.
pub(super) fn push_date(days: i64, out: &mut String) {
    match short_date(days) {
        Some(text) => push_ascii(&text, out),
        None => {
            let (year, month, day) = date_of(days);
            super::push(out, format_args!("{year:+07}-{month:02}-{day:02}"));
        }
    }
}

/// The date of `days` since 1970-01-01, if its year has four digits.
pub(super) fn short_date(days: i64) -> Option<[u8; 10]> {
    let (year, month, day) = date_of(days);
    let is_short = (0..=9999).contains(&year);
    is_short.then(|| day_text((year.unsigned_abs(), month.unsigned_abs(), day.unsigned_abs())))
}

/// Appends the date and time of day of `time` since 1970, and its fraction if not zero.
pub(super) fn push_timestamp(time: i64, unit: TimeUnit, utc: bool, out: &mut String) {
    let per_second = unit.per_second();
    let seconds = time.div_euclid(per_second);
    let fraction = time.rem_euclid(per_second);
    push_date(seconds.div_euclid(SECONDS_PER_DAY), out);
    push_time_of_day(seconds.rem_euclid(SECONDS_PER_DAY).unsigned_abs(), out);
    push_fraction(fraction.unsigned_abs(), unit, out);
    if utc {
        out.push('Z');
    }
}

/// Appends the part of a second that is not a whole one, a number of `unit`; nothing for 0.
pub(super) fn push_fraction(fraction: u64, unit: TimeUnit, out: &mut String) {
    if fraction == 0 {
        return;
    }
    let digits = match unit {
        TimeUnit::Second => return,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    write::push_fraction(fraction, digits, out);
}

#[cfg(test)]
mod tests;
