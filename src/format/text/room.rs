//! Values as text, in an array of fixed size: copies of known sizes, and no check of a string that
//! grows. What does not fit this way is the work of [`Field::format_text`].
//!
//! [`Field::format_text`]: crate::format::Field::format_text

use super::TimeUnit;
use super::civil;
use super::write::{Shortest, pair};

/// A longer text than any here has, and some bytes without meaning after it.
pub(crate) const ROOM_BYTES: usize = 64;
/// The place of a text.
pub(crate) type Room = [u8; ROOM_BYTES];

/// The digits of the numbers below 1000, three of each, and a byte without meaning.
static THREE_DIGITS: [[u8; 4]; 1000] = {
    let mut all = [[0; 4]; 1000];
    let mut number = 0;
    while number < all.len() {
        all[number] = [digit(number / 100), digit(number / 10), digit(number), 0];
        number += 1;
    }
    all
};

/// The same without zeros before the first digit; the last byte is the number of digits.
static FEWEST_DIGITS: [[u8; 4]; 1000] = {
    let mut all = [[0; 4]; 1000];
    let mut number = 0;
    while number < all.len() {
        let [hundreds, tens, ones, _] = THREE_DIGITS[number];
        all[number] = match number {
            0..10 => [ones, 0, 0, 1],
            10..100 => [tens, ones, 0, 2],
            _ => [hundreds, tens, ones, 3],
        };
        number += 1;
    }
    all
};

/// The digits of the numbers below 10,000 from the first byte on; the last byte is their number.
pub(super) static FOUR_DIGITS: [[u8; 8]; 10_000] = {
    let mut all = [[0; 8]; 10_000];
    let mut number = 0;
    while number < all.len() {
        let [a, b, c, d] =
            [digit(number / 1000), digit(number / 100), digit(number / 10), digit(number)];
        all[number] = match number {
            0..10 => [d, 0, 0, 0, 0, 0, 0, 1],
            10..100 => [c, d, 0, 0, 0, 0, 0, 2],
            100..1000 => [b, c, d, 0, 0, 0, 0, 3],
            _ => [a, b, c, d, 0, 0, 0, 4],
        };
        number += 1;
    }
    all
};

const fn digit(number: usize) -> u8 {
    b'0' + (number % 10) as u8 // a digit
}

/// Puts the digits of `number`, below 1000, at `at`, and returns their end.
#[inline(always)] // A few instructions.
fn put_first<const N: usize>(number: u64, room: &mut [u8; N], at: usize) -> usize {
    let digits = FEWEST_DIGITS[number as usize];
    room[at..at + 4].copy_from_slice(&digits);
    at + usize::from(digits[3] & 3)
}

/// Puts three digits.
#[inline(always)] // A few instructions.
fn put_three<const N: usize>(number: u64, room: &mut [u8; N], at: usize) -> usize {
    room[at..at + 4].copy_from_slice(&THREE_DIGITS[number as usize]);
    at + 3
}

/// Puts an integer at `at`, and returns its end; there must be room for one byte more.
#[inline(always)] // A few instructions.
pub(super) fn put_digits<const N: usize>(value: u64, room: &mut [u8; N], at: usize) -> usize {
    if value < 1_000 {
        put_first(value, room, at)
    } else if value < 1_000_000 {
        let at = put_first(value / 1_000, room, at);
        put_three(value % 1_000, room, at)
    } else {
        put_many_digits(value, room, at)
    }
}

fn put_many_digits<const N: usize>(value: u64, room: &mut [u8; N], at: usize) -> usize {
    let (billions, rest) = (value / 1_000_000_000, value % 1_000_000_000);
    let at = match billions {
        0 => put_first(rest / 1_000_000, room, at),
        billions => {
            let at = put_digits(billions, room, at);
            put_three(rest / 1_000_000, room, at)
        }
    };
    let at = put_three(rest / 1_000 % 1_000, room, at);
    put_three(rest % 1_000, room, at)
}

/// Puts an integer at the start, and returns its length.
#[inline(always)] // A few instructions.
pub(super) fn put_unsigned(value: u64, room: &mut Room) -> usize {
    put_digits(value, room, 0)
}

/// The same with a sign.
#[inline(always)] // A few instructions.
pub(super) fn put_signed(value: i64, room: &mut Room) -> usize {
    room[0] = b'-';
    put_digits(value.unsigned_abs(), room, usize::from(value < 0))
}

#[inline]
pub(super) fn put_bool(value: bool, room: &mut Room) -> usize {
    let (text, len) = if value { (b"true\0", 4) } else { (b"false", 5) };
    room[..5].copy_from_slice(text);
    len
}

macro_rules! put_float {
    ($name:ident, $hundredths:ident, $float:ty, $end:literal) => {
        /// The hundredths of a float's magnitude, if their digits are its shortest text: not zero.
        #[inline]
        pub(super) fn $hundredths(value: $float) -> Option<u64> {
            // Of few digits, no two numbers are near the same float, so that these digits of a
            // number of hundredths are the shortest text.
            let magnitude = f64::from(value.abs());
            if magnitude < $end {
                let hundredths = (magnitude * 100.0 + 0.5) as i64;
                let is_same = (hundredths as f64 / 100.0) as $float == value.abs();
                if is_same && hundredths > 0 {
                    return Some(hundredths as u64);
                }
            }
            None
        }

        /// Puts the shortest text of a float at the start, and returns its length; `None` if it has
        /// an exponent.
        #[inline]
        pub(super) fn $name(value: $float, room: &mut Room) -> Option<usize> {
            match $hundredths(value) {
                Some(hundredths) => Some(put_hundredths(hundredths, value < 0.0, room, 0)),
                None => put_shortest(value, room),
            }
        }
    };
}

// A float32 keeps every number of 6 digits, a float64 of 15.
put_float!(put_float32, hundredths32, f32, 1e4);
put_float!(put_float64, hundredths64, f64, 1e13);

/// Puts a number of hundredths, with one decimal at least, at `at`, and returns its end.
#[inline]
pub(super) fn put_hundredths<const N: usize>(
    hundredths: u64,
    is_negative: bool,
    room: &mut [u8; N],
    at: usize,
) -> usize {
    room[at] = b'-';
    let end = put_digits(hundredths / 100, room, at + usize::from(is_negative));
    let decimals = pair(hundredths % 100);
    room[end] = b'.';
    room[end + 1..end + 3].copy_from_slice(&decimals);
    end + if decimals[1] == b'0' { 2 } else { 3 }
}

fn put_shortest(value: impl Shortest, room: &mut Room) -> Option<usize> {
    if !value.is_plain() {
        return None;
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(value).as_bytes();
    room.get_mut(..text.len())?.copy_from_slice(text);
    Some(text.len())
}

/// The hours and minutes of a day, each as `THH:MM:`, and a byte without meaning.
static MINUTES: [[u8; 8]; 1440] = {
    let mut all = [[0; 8]; 1440];
    let mut minute = 0;
    while minute < all.len() {
        let (hour, of_hour) = (minute / 60, minute % 60);
        let [a, b, c, d] = [digit(hour / 10), digit(hour), digit(of_hour / 10), digit(of_hour)];
        all[minute] = [b'T', a, b, b':', c, d, b':', 0];
        minute += 1;
    }
    all
};

/// Puts a time of day as `THH:MM:SS` at `at`, and returns its end.
#[inline(always)] // A few instructions.
pub(super) fn put_time_of_day<const N: usize>(
    seconds: u64,
    room: &mut [u8; N],
    at: usize,
) -> usize {
    // Less than a day.
    room[at..at + 8].copy_from_slice(&MINUTES[(seconds / 60) as usize]);
    room[at + 7..at + 9].copy_from_slice(&pair(seconds % 60));
    at + 9
}

/// The whole seconds of a time, and the rest in its unit.
#[inline(always)] // The unit is a constant in some callers.
pub(super) fn seconds_of(time: i64, unit: TimeUnit) -> (i64, u64) {
    // Each a division by a constant.
    let (seconds, rest) = match unit {
        TimeUnit::Second => (time, 0),
        TimeUnit::Millisecond => (time.div_euclid(1_000), time.rem_euclid(1_000)),
        TimeUnit::Microsecond => (time.div_euclid(1_000_000), time.rem_euclid(1_000_000)),
        TimeUnit::Nanosecond => (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000)),
    };
    (seconds, rest.unsigned_abs())
}

/// Puts a point and nine, six or three digits at `at`, and returns their end; there must be room
/// for one byte more.
#[inline]
pub(super) fn put_fraction<const N: usize>(
    fraction: u64,
    unit: TimeUnit,
    room: &mut [u8; N],
    at: usize,
) -> usize {
    room[at] = b'.';
    let at = at + 1;
    match unit {
        TimeUnit::Second => at - 1,
        TimeUnit::Millisecond => put_three(fraction, room, at),
        TimeUnit::Microsecond => {
            let at = put_three(fraction / 1_000, room, at);
            put_three(fraction % 1_000, room, at)
        }
        TimeUnit::Nanosecond => {
            let at = put_three(fraction / 1_000_000, room, at);
            let at = put_three(fraction / 1_000 % 1_000, room, at);
            put_three(fraction % 1_000, room, at)
        }
    }
}

/// The texts of the days that were asked for last.
#[derive(Clone, Debug)]
pub(super) struct Days {
    numbers: [i64; DAYS],
    texts: [[u8; DAY_BYTES]; DAYS],
}

/// More days than a month has.
const DAYS: usize = 64;
/// A date has ten characters.
const DAY_BYTES: usize = 16;
pub(super) const SECONDS_PER_DAY: i64 = 86_400;

impl Days {
    pub(super) fn new() -> Self {
        // Farther than 64 bits of seconds reach.
        Self { numbers: [i64::MIN; DAYS], texts: [[0; DAY_BYTES]; DAYS] }
    }

    /// Puts a day of a year of four digits.
    #[inline]
    pub(super) fn put(&mut self, day: i64, room: &mut Room) -> Option<usize> {
        room[..DAY_BYTES].copy_from_slice(self.text(day)?);
        Some(10)
    }

    /// The text of a day of a year of four digits, and some bytes without meaning after it.
    #[inline]
    pub(super) fn text(&mut self, day: i64) -> Option<&[u8; DAY_BYTES]> {
        let at = day as usize % DAYS;
        if self.numbers[at] != day {
            self.note(day, at)?;
        }
        Some(&self.texts[at])
    }

    fn note(&mut self, day: i64, at: usize) -> Option<()> {
        self.texts[at][..10].copy_from_slice(&civil::short_date(day)?);
        self.numbers[at] = day;
        Some(())
    }

    /// Puts a time, of a year of four digits.
    #[inline]
    pub(super) fn put_time(
        &mut self,
        time: i64,
        unit: TimeUnit,
        utc: bool,
        room: &mut Room,
    ) -> Option<usize> {
        let (seconds, fraction) = seconds_of(time, unit);
        self.put(seconds.div_euclid(SECONDS_PER_DAY), room)?;
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY).unsigned_abs();
        let end = match (put_time_of_day(of_day, room, 10), fraction) {
            (end, 0) => end,
            (end, fraction) => put_fraction(fraction, unit, room, end),
        };
        room[end] = b'Z';
        Some(end + usize::from(utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(put: impl FnOnce(&mut Room) -> Option<usize>) -> Option<String> {
        let mut room = [b'?'; ROOM_BYTES];
        put(&mut room).map(|len| String::from_utf8(room[..len].to_vec()).unwrap())
    }

    #[test]
    fn integers_have_their_digits() {
        let mut numbers = vec![0_u64, u64::MAX, i64::MAX.unsigned_abs(), 1 << 63];
        for power in (0..20).map(|digits| 10_u64.pow(digits)) {
            numbers.extend([power - 1, power, power + 1, power.wrapping_mul(7)]);
        }
        numbers.extend(0..2_000);
        for number in numbers {
            let found = shown(|room| Some(put_unsigned(number, room)));
            assert_eq!(found, Some(number.to_string()));
            for signed in [number as i64, (number as i64).wrapping_neg()] {
                let found = shown(|room| Some(put_signed(signed, room)));
                assert_eq!(found, Some(signed.to_string()));
            }
        }
    }

    /// The numbers of few decimals, and those beside them.
    #[test]
    fn floats_have_the_shortest_text() {
        for step in 0..300_000_u64 {
            let hundredths = step.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (step % 56 + 8);
            let exact = hundredths as f64 / [1.0, 10.0, 100.0, 1000.0][step as usize % 4];
            let bits = exact.to_bits();
            for value in [bits, bits + 1, bits.wrapping_sub(1)].map(f64::from_bits) {
                for value in [value, -value] {
                    check64(value);
                    check32(value as f32);
                }
            }
        }
        for value in [0.0, 0.01, 0.004999, 0.005, 1e13, 9_999_999_999_999.99, 1e16, f64::NAN] {
            for value in [value, -value, value / 1e9, 1.0 / value] {
                check64(value);
                check32(value as f32);
            }
        }
    }

    fn check64(value: f64) {
        let expected = value.is_plain().then(|| zmij::Buffer::new().format(value).to_owned());
        assert_eq!(shown(|room| put_float64(value, room)), expected);
    }

    fn check32(value: f32) {
        let expected = value.is_plain().then(|| zmij::Buffer::new().format(value).to_owned());
        assert_eq!(shown(|room| put_float32(value, room)), expected);
    }

    /// Days that take each other's place, and times of all units around midnight.
    #[test]
    fn times_are_written_as_everywhere() {
        let mut days = Days::new();
        for step in 0..50_000_i64 {
            let day = (step * 7919 % 1000) * [1, 64, 4096][step as usize % 3] - 800_000;
            let mut expected = String::new();
            civil::push_date(day, &mut expected);
            let is_short = expected.len() == 10;
            let found = shown(|room| days.put(day, room));
            assert_eq!(found, is_short.then_some(expected));
            for unit in [
                TimeUnit::Second,
                TimeUnit::Millisecond,
                TimeUnit::Microsecond,
                TimeUnit::Nanosecond,
            ] {
                let second = day * 86_400 + [0, 86_399, 43_200][step as usize / 3 % 3];
                let fraction = [0, 1, unit.per_second() - 1, unit.per_second() / 2];
                let Some(time) = second.checked_mul(unit.per_second()) else { continue };
                let time = time + fraction[step as usize % 4] % unit.per_second();
                let utc = step % 2 == 0;
                let mut expected = String::new();
                civil::push_timestamp(time, unit, utc, &mut expected);
                let found = shown(|room| days.put_time(time, unit, utc, room));
                let is_short = !expected.starts_with(['+', '-']);
                assert_eq!(found, is_short.then_some(expected), "{time} {unit:?}");
            }
        }
    }
}
