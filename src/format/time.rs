//! Times and lengths of time of other crates, as the integers of fields.

#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "jiff")]
mod jiff;

use std::time::{Duration, SystemTime};

use super::data_type::TimeUnit;
use crate::error::{Error, ErrorKind, Result};

const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;

/// A type of points in time, for timestamp fields: [`SystemTime`], `jiff::Timestamp` (feature
/// `jiff`) and `chrono::DateTime<Utc>` (feature `chrono`).
pub trait PointInTime: sealed::Sealed + Sized {
    /// How many nanoseconds the time is after 1970, or, negative, before.
    #[doc(hidden)]
    fn nanoseconds(self) -> i128;
    /// The time of that number; `None` if the type has no such time.
    #[doc(hidden)]
    fn of_nanoseconds(nanoseconds: i128) -> Option<Self>;
}

/// A type of lengths of time, for duration fields: [`Duration`], `jiff::SignedDuration` (feature
/// `jiff`) and `chrono::TimeDelta` (feature `chrono`).
pub trait TimeSpan: sealed::Sealed + Sized {
    /// How many nanoseconds it has.
    #[doc(hidden)]
    fn nanoseconds(self) -> i128;
    /// The length of that number; `None` if the type has no such length.
    #[doc(hidden)]
    fn of_nanoseconds(nanoseconds: i128) -> Option<Self>;
}

/// A type of dates, for date fields: `jiff::civil::Date` (feature `jiff`) and `chrono::NaiveDate`
/// (feature `chrono`).
#[cfg(any(feature = "chrono", feature = "jiff"))]
pub trait CalendarDate: sealed::Sealed + Sized {
    /// How many days the date is after 1970-01-01, or, negative, before.
    #[doc(hidden)]
    fn day(self) -> i64;
    /// The date of that number; `None` if the type has no such date.
    #[doc(hidden)]
    fn of_day(day: i32) -> Option<Self>;

    /// The value of a date field: how many days the date is after 1970-01-01, or, negative, before.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the number does not fit in 32 bits.
    fn to_days(self) -> Result<i32> {
        let day = self.day();
        i32::try_from(day).map_err(|_| {
            Error::new(ErrorKind::OutOfRange, "make a date")
                .detail(format!("{day} days do not fit in 32 bits"))
        })
    }

    /// The date of the value of a date field.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the type has no such date.
    fn from_days(days: i32) -> Result<Self> {
        Self::of_day(days).ok_or_else(|| {
            let name = std::any::type_name::<Self>();
            Error::new(ErrorKind::OutOfRange, "read a date")
                .detail(format!("{name} cannot be {days} days from 1970-01-01"))
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// The whole seconds at or before so many nanoseconds, and the nanoseconds from there.
fn seconds_and_rest(nanoseconds: i128) -> (i128, u32) {
    let rest = nanoseconds.rem_euclid(NANOSECONDS_PER_SECOND);
    let rest = u32::try_from(rest).expect("a second has fewer than 2^32 nanoseconds");
    (nanoseconds.div_euclid(NANOSECONDS_PER_SECOND), rest)
}

impl TimeUnit {
    /// The value of a timestamp field of this unit: how many units `time` is after 1970, or,
    /// negative, before. A part of a unit is rounded down, to the past.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use flatrec::TimeUnit;
    /// let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
    /// assert_eq!(TimeUnit::Second.timestamp_of(time)?, 1);
    /// assert_eq!(TimeUnit::Microsecond.timestamp_of(time)?, 1_500_000);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the number does not fit in 64 bits: nanoseconds end in the year
    /// 2262.
    pub fn timestamp_of(self, time: impl PointInTime) -> Result<i64> {
        self.in_units(time.nanoseconds(), "make a timestamp")
    }

    /// The time of the value of a timestamp field of this unit. [`SystemTime`] has steps of 100
    /// nanoseconds on Windows, and is rounded down.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use flatrec::TimeUnit;
    /// let time: SystemTime = TimeUnit::Millisecond.time(-1_500)?;
    /// assert_eq!(time, SystemTime::UNIX_EPOCH - Duration::from_millis(1_500));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the type has no such time.
    pub fn time<T: PointInTime>(self, timestamp: i64) -> Result<T> {
        T::of_nanoseconds(self.nanoseconds(timestamp)).ok_or_else(|| {
            let name = std::any::type_name::<T>();
            Error::new(ErrorKind::OutOfRange, "read a timestamp")
                .detail(format!("{name} cannot be {timestamp} {} since 1970", self.name()))
        })
    }

    /// The value of a duration field of this unit. A part of a unit is rounded down.
    ///
    /// ```
    /// use std::time::Duration;
    /// use flatrec::TimeUnit;
    /// assert_eq!(TimeUnit::Millisecond.count_of(Duration::from_micros(2_500))?, 2);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the number does not fit in 64 bits.
    pub fn count_of(self, span: impl TimeSpan) -> Result<i64> {
        self.in_units(span.nanoseconds(), "make a duration")
    }

    /// The length of time of the value of a duration field of this unit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use flatrec::TimeUnit;
    /// assert_eq!(TimeUnit::Microsecond.span::<Duration>(2_500)?, Duration::from_micros(2_500));
    /// assert!(TimeUnit::Second.span::<Duration>(-1).is_err());
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the type has no such length: a [`Duration`] is not negative.
    pub fn span<S: TimeSpan>(self, count: i64) -> Result<S> {
        S::of_nanoseconds(self.nanoseconds(count)).ok_or_else(|| {
            let name = std::any::type_name::<S>();
            Error::new(ErrorKind::OutOfRange, "read a duration")
                .detail(format!("{name} cannot be {count} {}", self.name()))
        })
    }

    /// So many units in nanoseconds, which is less than 2^94.
    fn nanoseconds(self, count: i64) -> i128 {
        i128::from(count) * (NANOSECONDS_PER_SECOND / i128::from(self.per_second()))
    }

    fn in_units(self, nanoseconds: i128, operation: &'static str) -> Result<i64> {
        let count = nanoseconds.div_euclid(self.nanoseconds(1));
        i64::try_from(count).map_err(|_| {
            Error::new(ErrorKind::OutOfRange, operation)
                .detail(format!("{count} {} do not fit in 64 bits", self.name()))
                .advice("use a coarser unit")
        })
    }
}

impl sealed::Sealed for SystemTime {}

impl PointInTime for SystemTime {
    fn nanoseconds(self) -> i128 {
        match self.duration_since(Self::UNIX_EPOCH) {
            Ok(after) => TimeSpan::nanoseconds(after),
            Err(error) => -TimeSpan::nanoseconds(error.duration()),
        }
    }

    fn of_nanoseconds(nanoseconds: i128) -> Option<Self> {
        // The rest comes last, so that coarser steps of the system round down.
        let (seconds, rest) = seconds_and_rest(nanoseconds);
        let distance = Duration::from_secs(u64::try_from(seconds.unsigned_abs()).ok()?);
        let whole = match seconds {
            0.. => Self::UNIX_EPOCH.checked_add(distance),
            _ => Self::UNIX_EPOCH.checked_sub(distance),
        };
        whole?.checked_add(Duration::new(0, rest))
    }
}

impl sealed::Sealed for Duration {}

impl TimeSpan for Duration {
    fn nanoseconds(self) -> i128 {
        i128::from(self.as_secs()) * NANOSECONDS_PER_SECOND + i128::from(self.subsec_nanos())
    }

    fn of_nanoseconds(nanoseconds: i128) -> Option<Self> {
        let (seconds, rest) = seconds_and_rest(nanoseconds);
        Some(Self::new(u64::try_from(seconds).ok()?, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a time that comes back as another one, and a part of a unit that is rounded up.
    #[test]
    fn times_and_lengths_come_back() {
        for unit in TimeUnit::ALL {
            for count in [0, 1, -1, 1_500_000_001, -1_500_000_001, 4_000_000_000] {
                let time = unit.time::<SystemTime>(count).unwrap();
                // Windows has steps of 100 nanoseconds.
                let steps = cfg!(windows) && unit == TimeUnit::Nanosecond;
                let error = unit.timestamp_of(time).unwrap().abs_diff(count);
                assert!(error <= if steps { 99 } else { 0 }, "{count} {unit:?}: {error}");
                if count >= 0 {
                    assert_eq!(
                        unit.count_of(unit.span::<Duration>(count).unwrap()).unwrap(),
                        count
                    );
                }
            }
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(TimeUnit::Second.timestamp_of(before).unwrap(), -1);
        assert_eq!(TimeUnit::Second.count_of(Duration::from_millis(1_999)).unwrap(), 1);
    }

    /// Finds arithmetic that wraps.
    #[test]
    fn numbers_that_do_not_fit_are_errors() {
        let error = TimeUnit::Nanosecond.count_of(Duration::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        assert!(error.to_string().contains("use a coarser unit"), "{error}");
        assert!(TimeUnit::Second.count_of(Duration::MAX).is_err());
        let error = TimeUnit::Second.span::<Duration>(i64::MIN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        let long: Duration = TimeUnit::Second.span(i64::MAX).unwrap();
        assert_eq!(long.as_secs(), i64::MAX.unsigned_abs());
        for count in [i64::MAX, i64::MIN] {
            // Some systems know these times.
            if let Ok(time) = TimeUnit::Second.time::<SystemTime>(count) {
                assert_eq!(TimeUnit::Second.timestamp_of(time).unwrap(), count);
            }
            assert!(TimeUnit::Nanosecond.time::<SystemTime>(count).is_ok() || cfg!(windows));
        }
    }
}
