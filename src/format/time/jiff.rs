//! The types of jiff (feature `jiff`).

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{CalendarDate, NANOSECONDS_PER_SECOND, PointInTime, TimeSpan, sealed};

impl sealed::Sealed for Timestamp {}

impl PointInTime for Timestamp {
    fn nanoseconds(self) -> i128 {
        self.as_nanosecond()
    }

    fn of_nanoseconds(nanoseconds: i128) -> Option<Self> {
        Self::from_nanosecond(nanoseconds).ok()
    }
}

impl sealed::Sealed for SignedDuration {}

impl TimeSpan for SignedDuration {
    fn nanoseconds(self) -> i128 {
        self.as_nanos()
    }

    fn of_nanoseconds(nanoseconds: i128) -> Option<Self> {
        let seconds = i64::try_from(nanoseconds / NANOSECONDS_PER_SECOND).ok()?;
        let rest = i32::try_from(nanoseconds % NANOSECONDS_PER_SECOND).ok()?;
        Some(Self::new(seconds, rest))
    }
}

impl sealed::Sealed for Date {}

impl CalendarDate for Date {
    fn day(self) -> i64 {
        let since = self.duration_since(Self::constant(1970, 1, 1));
        since.as_hours() / 24
    }

    fn of_day(day: i32) -> Option<Self> {
        let since = SignedDuration::from_hours(i64::from(day) * 24);
        Self::constant(1970, 1, 1).checked_add(since).ok()
    }
}
