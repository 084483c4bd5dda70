//! Timestamps as numbers since 1970, in fields that have an epoch.

use super::number::{Fit, Shown, scaled_integer};
use super::{Refusal, push};
use crate::format::data_type::TimeUnit;

/// The time of a number of `epoch` since 1970, in `unit`.
///
/// # Errors
/// Why no time is near: the text is not a number, or past the field's range.
pub(super) fn parse(text: &str, epoch: TimeUnit, unit: TimeUnit) -> Result<Fit<i64>, Refusal> {
    scaled_integer(text, digits(unit) - digits(epoch))
}

/// A time in `unit`, which an error shows as a number of `epoch` since 1970.
pub(super) struct SinceEpoch {
    pub(super) time: i64,
    pub(super) unit: TimeUnit,
    pub(super) epoch: TimeUnit,
}

impl Shown for SinceEpoch {
    fn shown(&self, _: Option<&str>) -> String {
        let mut text = String::new();
        push_number(self.time, self.unit, self.epoch, &mut text);
        text
    }
}

/// Appends a time in `unit` as a number of `epoch` since 1970, with a fraction if it needs one.
pub(super) fn push_number(time: i64, unit: TimeUnit, epoch: TimeUnit, out: &mut String) {
    let shift = digits(unit) - digits(epoch);
    let scale = 10_i128.pow(shift.unsigned_abs());
    let time = i128::from(time);
    if shift <= 0 {
        return push(out, format_args!("{}", time * scale));
    }
    let magnitude = time.unsigned_abs();
    let (whole, rest) = (magnitude / scale.unsigned_abs(), magnitude % scale.unsigned_abs());
    let sign = if time < 0 { "-" } else { "" };
    push(out, format_args!("{sign}{whole}"));
    if rest != 0 {
        let fraction = format!("{rest:0width$}", width = shift as usize); // at most nine
        push(out, format_args!(".{}", fraction.trim_end_matches('0')));
    }
}

/// The digits of a second's fraction in that unit.
fn digits(unit: TimeUnit) -> i32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
