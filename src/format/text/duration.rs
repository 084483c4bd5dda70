//! Lengths of time as text, in the form of ISO 8601: `PT1.5S`, `-PT90S`, `P1DT2H`.
//!
//! A value is written in seconds alone, so that no unit hides how long it is. Days are 24 hours.
//! Years and months have no fixed length and are refused.

use super::{Refusal, civil};
use crate::format::data_type::TimeUnit;

const FORM: &str = "duration like PT1.5S";

/// Appends `time` units.
pub(super) fn push_duration(time: i64, unit: TimeUnit, out: &mut String) {
    use std::fmt::Write as _;
    let per_second = unit.per_second().unsigned_abs();
    let magnitude = time.unsigned_abs();
    let sign = if time < 0 { "-" } else { "" };
    // Writing to a string cannot fail.
    let _ = write!(out, "{sign}PT{}", magnitude / per_second);
    civil::push_fraction(magnitude % per_second, unit, out);
    out.push('S');
}

/// The number of units of a text.
pub(super) fn parse_duration(text: &str, unit: TimeUnit) -> Result<i64, Refusal> {
    let nanoseconds = nanoseconds(text).ok_or(FORM)?;
    let per_unit = 1_000_000_000 / i128::from(unit.per_second());
    if nanoseconds % per_unit != 0 {
        return Err(Refusal::Because(format!("it is not a whole number of {}", unit.name())));
    }
    i64::try_from(nanoseconds / per_unit)
        .map_err(|_| Refusal::Because("it does not fit in 64 bits".into()))
}

/// The nanoseconds of a text; `None` if it is not a duration.
pub(crate) fn nanoseconds(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, clock) = match rest.split_once('T') {
        Some((days, clock)) if !clock.is_empty() => (days, clock),
        Some(_) => return None,
        None => (rest, ""),
    };
    let mut total = 0_i128;
    let parts = [(days, &[('W', 604_800), ('D', 86_400)][..])];
    let parts = parts.into_iter().chain([(clock, &[('H', 3600), ('M', 60), ('S', 1)][..])]);
    for (mut text, units) in parts {
        for &(letter, seconds) in units {
            let Some(at) = text.find(letter) else { continue };
            total = total.checked_add(part(&text[..at], seconds, letter == 'S')?)?;
            text = &text[at + 1..];
        }
        if !text.is_empty() {
            return None;
        }
    }
    let empty = days.is_empty() && clock.is_empty();
    (!empty).then_some(if negative { -total } else { total })
}

/// The nanoseconds of a number of units of so many `seconds`.
fn part(text: &str, seconds: i128, fraction_allowed: bool) -> Option<i128> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if fraction_allowed && !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 {
        return None;
    }
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(whole.parse::<i128>().ok()? * seconds * 1_000_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_seconds_and_read_in_every_part() {
        let text = |time, unit| {
            let mut text = String::new();
            push_duration(time, unit, &mut text);
            text
        };
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        for (time, unit, expected) in [
            (0, Second, "PT0S"),
            (90, Second, "PT90S"),
            (-1500, Millisecond, "-PT1.500S"),
            (1, Nanosecond, "PT0.000000001S"),
            (i64::MIN, Microsecond, "-PT9223372036854.775808S"),
            (i64::MAX, Nanosecond, "PT9223372036.854775807S"),
        ] {
            assert_eq!(text(time, unit), expected);
            assert_eq!(parse_duration(expected, unit).ok(), Some(time), "{expected}");
        }
        for (text, seconds) in [
            ("P1D", 86_400),
            ("P1W2DT3H4M5S", 604_800 + 2 * 86_400 + 3 * 3600 + 4 * 60 + 5),
            ("-PT1M", -60),
            ("+PT1M", 60),
            ("PT1.000S", 1),
        ] {
            assert_eq!(parse_duration(text, Second).ok(), Some(seconds), "{text}");
        }
        for text in ["", "P", "PT", "P1DT", "P1Y", "P1M", "PT1", "PTS", "PT1.S", "PT.5S", "PT1.5M"]
        {
            assert!(parse_duration(text, Nanosecond).is_err(), "{text}");
        }
        for text in ["PT1S2M", "PT-1S", "1.5", "PT1.5S ", "PT0.0000000001S", "pt1s"] {
            assert!(parse_duration(text, Nanosecond).is_err(), "{text}");
        }
        assert!(parse_duration("PT1.5S", Second).is_err(), "it would lose half a second");
        assert!(parse_duration("PT9223372037S", Nanosecond).is_err(), "it is too long");
    }
}
