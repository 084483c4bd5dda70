//! The types of chrono (feature `chrono`).

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::{
    CalendarDate, NANOSECONDS_PER_SECOND, PointInTime, TimeSpan, sealed, seconds_and_rest,
};

/// The number of 1970-01-01 in days from the first day of year 1, which is 1.
const EPOCH: i32 = 719_163;

impl sealed::Sealed for DateTime<Utc> {}

impl PointInTime for DateTime<Utc> {
    fn nanoseconds(self) -> i128 {
        i128::from(self.timestamp()) * NANOSECONDS_PER_SECOND
            + i128::from(self.timestamp_subsec_nanos())
    }

    fn of_nanoseconds(nanoseconds: i128) -> Option<Self> {
        let (seconds, rest) = seconds_and_rest(nanoseconds);
        Self::from_timestamp(i64::try_from(seconds).ok()?, rest)
    }
}

impl sealed::Sealed for TimeDelta {}

impl TimeSpan for TimeDelta {
    fn nanoseconds(self) -> i128 {
        i128::from(self.num_seconds()) * NANOSECONDS_PER_SECOND + i128::from(self.subsec_nanos())
    }

    fn of_nanoseconds(nanoseconds: i128) -> Option<Self> {
        let (seconds, rest) = seconds_and_rest(nanoseconds);
        Self::new(i64::try_from(seconds).ok()?, rest)
    }
}

impl sealed::Sealed for NaiveDate {}

impl CalendarDate for NaiveDate {
    fn day(self) -> i64 {
        i64::from(self.num_days_from_ce()) - i64::from(EPOCH)
    }

    fn of_day(day: i32) -> Option<Self> {
        Self::from_num_days_from_ce_opt(day.checked_add(EPOCH)?)
    }
}
