//! Numbers, dates and times from text, fast, in the forms of nearly all files.
//!
//! Each function accepts exactly one form and returns `None` for every other text, valid or not:
//! then [`Field::parse_text`](crate::Field::parse_text) decides. Where a function returns a value,
//! the two agree; a property test checks this.
//!
//! Digits are processed eight at a time, as the bytes of a `u64` (the first is the lowest): a loop
//! over digits costs a mispredicted branch whenever the length of the text changes.

/// Integers up to this magnitude are exact as an `f64`.
pub(super) const EXACT_FLOAT_MAX: u64 = 1 << 53;
/// Powers of ten that an `f64` holds exactly.
const POWERS_OF_TEN: [f64; 17] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16];
const SECONDS_PER_DAY: i64 = 86_400;
/// The longest number parsed here, including its point.
const NUMBER_BYTES_MAX: usize = 16;

/// The text of a field, and the bytes after it in the file, so that whole words can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell<'t> {
    tail: &'t [u8],
    len: usize,
}

impl<'t> Cell<'t> {
    /// The text `tail[..len]`.
    #[inline]
    pub(super) fn new(tail: &'t [u8], len: usize) -> Self {
        debug_assert!(len <= tail.len());
        Self { tail, len }
    }

    #[inline]
    pub(super) fn text(self) -> &'t [u8] {
        &self.tail[..self.len]
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The first `len` bytes of the text, 1 to 8, with zeros behind them.
    #[inline]
    pub(super) fn first_bytes(self, len: usize) -> u64 {
        self.word() & u64::MAX >> (64 - 8 * len)
    }

    #[inline]
    fn starts_with(self, byte: u8) -> bool {
        self.len > 0 && self.tail[0] == byte
    }

    /// The text without its first `count` bytes; it has at least as many.
    #[inline]
    fn skip(self, count: usize) -> Self {
        Self { tail: &self.tail[count..], len: self.len - count }
    }

    /// The first eight bytes of the text and the bytes after it, or zeros.
    #[inline]
    fn word(self) -> u64 {
        match self.tail.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => short_word(self.tail),
        }
    }
}

#[cold]
fn short_word(bytes: &[u8]) -> u64 {
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(padded)
}

/// Eight times the same byte.
const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Whether a byte of `word` is over 9: then it is over 15, or adding 6 makes it so. A byte that
/// carries into the next is over 15 itself.
#[inline]
fn has_non_digit(word: u64) -> bool {
    (word.wrapping_add(repeated(6)) | word) & repeated(0xf0) != 0
}

/// The same of four bytes.
#[inline]
fn has_non_digit_in_four(word: u32) -> bool {
    (word.wrapping_add(repeated(6) as u32) | word) & repeated(0xf0) as u32 != 0
}

/// The number of eight digits, each of 0 to 9: pairs first, then pairs of pairs.
#[inline]
fn eight_digits(word: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    let high = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    high.wrapping_add(low) >> 32
}

/// The number of four digits.
#[inline]
fn four_digits(word: u32) -> u32 {
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    (pairs & 0xff) * 100 + (pairs >> 16 & 0xff)
}

/// `-?(0|[1-9][0-9]*)` but `-0`, of 8 bytes at most: nearly all integers.
#[inline]
pub(super) fn short_integer(cell: Cell<'_>) -> Option<i64> {
    short_integer_of(cell.word(), cell.len)
}

/// The same, of the first `len` bytes of `word`. Up to four digits take half the instructions of
/// eight, and the numbers of a column have about as many digits.
#[inline(always)] // in the loop of each width
pub(super) fn short_integer_of(word: u64, len: usize) -> Option<i64> {
    let negative = word as u8 == b'-';
    let sign_bytes = usize::from(negative);
    let count = len.wrapping_sub(sign_bytes);
    let digits = word >> (8 * sign_bytes) ^ repeated(b'0');
    // Zeros before a number, and `-0`.
    let has_other_zeros = digits as u8 == 0 && len > 1;
    let (is_number, magnitude) = match count {
        1..=4 => {
            let digits = (digits as u32) << (32 - 8 * count);
            (!has_non_digit_in_four(digits), i64::from(four_digits(digits)))
        }
        5..=8 if len <= 8 => {
            let digits = digits << (64 - 8 * count);
            (!has_non_digit(digits), eight_digits(digits) as i64) // below 10^8
        }
        _ => return None,
    };
    if !is_number || has_other_zeros {
        return None;
    }
    Some(if negative { -magnitude } else { magnitude })
}

/// A number in plain decimal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// All digits, without the point.
    pub(super) mantissa: u64,
    /// The number of digits after the point, if there is one.
    pub(super) decimals: u8,
    pub(super) has_point: bool,
    pub(super) negative: bool,
}

/// `-?[0-9]*\.?[0-9]*`, of 1 to 16 bytes without the sign, with one digit at least.
#[inline(always)] // Callers use only parts of it, in hot loops.
pub(super) fn decimal(cell: Cell<'_>) -> Option<Decimal> {
    let negative = cell.starts_with(b'-');
    let digits = cell.skip(usize::from(negative));
    let (mantissa, point) = match digits.len {
        len @ 1..=8 => {
            // Shifted so that the last digit is the highest byte, with zeros before the first.
            let word = (digits.word() ^ repeated(b'0')) << (64 - 8 * len);
            // Most numbers have no point.
            if !has_non_digit(word) {
                (eight_digits(word), NO_POINT)
            } else {
                let (word, point) = without_point(word);
                if has_non_digit(word) {
                    return None;
                }
                (eight_digits(word), point)
            }
        }
        len @ 9..=NUMBER_BYTES_MAX => {
            // The last eight, and the ones before them, shifted likewise.
            let first = (digits.word() ^ repeated(b'0')) << (128 - 8 * len);
            let second = digits.skip(len - 8).word() ^ repeated(b'0');
            let ((first, second), point) = without_point_wide(first, second);
            if has_non_digit(first) || has_non_digit(second) {
                return None;
            }
            (eight_digits(first) * 100_000_000 + eight_digits(second), point)
        }
        _ => return None,
    };
    let has_point = point != NO_POINT;
    if digits.len == usize::from(has_point) {
        return None; // a point without a digit
    }
    let decimals = if has_point { point } else { 0 };
    Some(Decimal { mantissa, decimals, has_point, negative })
}

/// A point XORed with a zero, as digits are.
const POINT: u8 = b'.' ^ b'0';
/// Instead of the number of bytes after the point, for a word without one.
const NO_POINT: u8 = u8::MAX;

/// The word without its first point, and the number of bytes after the point.
#[inline]
fn without_point(word: u64) -> (u64, u8) {
    let differs = word ^ repeated(POINT);
    // Sets the high bit of each zero byte, and of no other byte.
    let low = (differs & repeated(0x7f)) + repeated(0x7f);
    let points = !(low | differs | repeated(0x7f));
    if points == 0 {
        return (word, NO_POINT);
    }
    let bit = points.trailing_zeros() - 7;
    let before = word & ((1 << bit) - 1);
    let after = word >> bit >> 8 << bit << 8;
    (before << 8 | after, (7 - bit / 8) as u8) // bit is at most 56
}

/// The same of 16 bytes.
#[inline]
fn without_point_wide(first: u64, second: u64) -> ((u64, u64), u8) {
    let (shorter, point) = without_point(first);
    if point != NO_POINT {
        return ((shorter, second), point + 8);
    }
    let (shorter, point) = without_point(second);
    if point == NO_POINT {
        return ((first, second), NO_POINT);
    }
    // The last digit of the first half moves to the place of the removed point.
    ((first << 8, shorter | first >> 56), point)
}

impl Decimal {
    /// Whether the text, which `cell` has, begins with zeros that no number type gives back.
    #[inline]
    pub(super) fn has_leading_zeros(self, cell: Cell<'_>) -> bool {
        let digits = cell.skip(usize::from(self.negative));
        let whole = digits.len - usize::from(self.has_point) - usize::from(self.decimals);
        digits.starts_with(b'0') && whole > 1
    }

    /// Whether it is the `-0` that no integer type has.
    #[inline]
    pub(super) fn is_minus_zero(self) -> bool {
        self.negative && self.mantissa == 0
    }

    /// As an integer, if it has no point.
    #[inline]
    pub(super) fn integer(self) -> Option<i64> {
        // At most 16 digits: it fits.
        let magnitude = self.mantissa as i64;
        (!self.has_point).then_some(if self.negative { -magnitude } else { magnitude })
    }

    /// The nearest `f64`, if the digits and the power of ten are both exact: then the quotient is
    /// rounded only once (Clinger's fast path).
    #[inline]
    pub(super) fn float(self) -> Option<f64> {
        if self.mantissa > EXACT_FLOAT_MAX {
            return None;
        }
        let value = self.mantissa as f64 / POWERS_OF_TEN[usize::from(self.decimals)];
        Some(if self.negative { -value } else { value })
    }
}

/// The day of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    year: u32,
    month: u32,
    day: u32,
}

/// Checks eight bytes against a form of digits (`0`) and other characters; byte `i` of the result
/// is the number of the digits `i` and `i + 1`.
#[inline]
fn pairs(word: u64, form: &[u8; 8]) -> Option<[u8; 8]> {
    let mut over = [0x76; 8]; // sets the high bit of a byte over 9
    for (over, &letter) in over.iter_mut().zip(form) {
        if letter != b'0' {
            *over = 0x7f; // sets the high bit of a byte over 0
        }
    }
    let word = word ^ u64::from_le_bytes(*form);
    let low = (word & repeated(0x7f)) + u64::from_le_bytes(over);
    if (low | word) & repeated(0x80) != 0 {
        return None;
    }
    Some(word.wrapping_mul(10).wrapping_add(word >> 8).to_le_bytes())
}

/// `YYYY-MM-DD`, an existing day.
#[inline]
pub(super) fn day(cell: Cell<'_>) -> Option<Day> {
    if cell.len != 10 {
        return None;
    }
    let [tens, ones] = [cell.tail[8], cell.tail[9]];
    // The same eight bytes in all forms: `DD` here, `DDTHH:MM` in a timestamp.
    day_of(cell, two_digits(tens, ones)?)
}

/// The day whose year and month are at the start of `cell`.
#[inline]
fn day_of(cell: Cell<'_>, day: u32) -> Option<Day> {
    let numbers = pairs(cell.word(), b"0000-00-")?;
    let year = u32::from(numbers[0]) * 100 + u32::from(numbers[2]);
    let month = u32::from(numbers[5]);
    let month_exists = month.wrapping_sub(1) < 12;
    // Days up to 28 exist in every month.
    let exists = month_exists && day >= 1 && (day <= 28 || day <= days_in_month(year, month));
    exists.then_some(Day { year, month, day })
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl Day {
    /// Whether nanoseconds since 1970 reach its midnight.
    #[inline]
    pub(super) fn fits_nanoseconds(self) -> bool {
        self.is_near() || fits_nanoseconds(i64::from(self.since_1970()) * SECONDS_PER_DAY)
    }

    /// Whether the year says so, which suffices for nearly all days.
    #[inline]
    fn is_near(self) -> bool {
        (1700..2200).contains(&self.year)
    }

    /// Days since 1970-01-01.
    #[inline]
    pub(super) fn since_1970(self) -> i32 {
        // Years begin in March, so that the leap day comes last, and 400 years earlier (one cycle
        // of the calendar), so that no number is negative.
        let early = self.month <= 2;
        let year = self.year + 400 - u32::from(early);
        let month = if early { self.month + 9 } else { self.month - 3 };
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
        // 719,468 days lie between 0000-03-01 and 1970-01-01, and 146,097 in 400 years.
        days as i32 - 719_468 - 146_097 // at most four million
    }
}

/// Whether every nanosecond of a second since 1970 fits in an `i64`.
pub(super) fn fits_nanoseconds(seconds: i64) -> bool {
    const FIRST: i64 = i64::MIN / 1_000_000_000;
    const LAST: i64 = i64::MAX / 1_000_000_000 - 1;
    (FIRST..=LAST).contains(&seconds)
}

/// A point in time, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    day: Day,
    second_of_day: u32,
    nanoseconds: i64,
    /// The digits of the fraction of a second, without zeros at the end.
    pub(super) fraction_digits: usize,
    /// Whether a zone follows.
    pub(super) utc: bool,
}

impl Time {
    /// Whether nanoseconds since 1970 reach this second: from 1677 to 2262.
    #[inline]
    pub(super) fn fits_nanoseconds(&self) -> bool {
        self.day.is_near() || fits_nanoseconds(self.seconds())
    }

    /// Seconds since 1970-01-01T00:00:00, rounded down.
    #[inline]
    pub(super) fn seconds(&self) -> i64 {
        i64::from(self.day.since_1970()) * SECONDS_PER_DAY + i64::from(self.second_of_day)
    }

    /// The time in units of `per_second`; `None` if it does not fit.
    #[inline]
    pub(super) fn in_units(&self, per_second: i64) -> Option<i64> {
        if self.nanoseconds == 0 {
            return self.seconds().checked_mul(per_second);
        }
        let nanoseconds_per_unit = 1_000_000_000 / per_second;
        if self.nanoseconds % nanoseconds_per_unit != 0 {
            return None;
        }
        // The product may overflow although the sum would not, in the very first second: `None` as
        // well.
        let units = self.seconds().checked_mul(per_second)?;
        units.checked_add(self.nanoseconds / nanoseconds_per_unit)
    }
}

/// `YYYY-MM-DDTHH:MM:SS`, with a `T` or a space, then optionally a fraction of 1 to 9 digits and
/// `Z`, `+00` or `+00:00`.
#[inline]
pub(super) fn time(cell: Cell<'_>) -> Option<Time> {
    const WHOLE_SECONDS_BYTES: usize = 19;
    if cell.len < WHOLE_SECONDS_BYTES {
        return None;
    }
    let from_day = cell.skip(8);
    let word = from_day.word();
    let numbers = match from_day.tail[2] {
        b'T' => pairs(word, b"00T00:00")?,
        b' ' => pairs(word, b"00 00:00")?,
        _ => return None,
    };
    let (hour, minute) = (u32::from(numbers[3]), u32::from(numbers[6]));
    let &[b':', tens, ones] = &cell.tail[16..WHOLE_SECONDS_BYTES] else { return None };
    let second = two_digits(tens, ones)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let day = day_of(cell, u32::from(numbers[0]))?;
    let second_of_day = hour * 3600 + minute * 60 + second;
    let (rest, utc) = match cell.skip(WHOLE_SECONDS_BYTES).text() {
        [fraction @ .., b'Z'] => (fraction, true),
        // As PostgreSQL and pandas write it.
        [fraction @ .., b'+', b'0', b'0'] => (fraction, true),
        [fraction @ .., b'+', b'0', b'0', b':', b'0', b'0'] => (fraction, true),
        fraction => (fraction, false),
    };
    let (nanoseconds, fraction_digits) = match rest {
        [] => (0, 0),
        [b'.', digits @ ..] => nanoseconds(digits)?,
        _ => return None,
    };
    Some(Time { day, second_of_day, nanoseconds, fraction_digits, utc })
}

/// A fraction of a second in nanoseconds, and the number of its digits without zeros at its end,
/// which output omits.
#[inline]
fn nanoseconds(digits: &[u8]) -> Option<(i64, usize)> {
    let mut first = [b'0'; 8];
    let ninth = match digits.len() {
        1..=8 => {
            first[..digits.len()].copy_from_slice(digits);
            b'0'
        }
        9 => {
            first.copy_from_slice(&digits[..8]);
            digits[8]
        }
        _ => return None,
    };
    let (word, ninth) = (u64::from_le_bytes(first) ^ repeated(b'0'), ninth.wrapping_sub(b'0'));
    if has_non_digit(word) || ninth > 9 {
        return None;
    }
    let significant = if ninth != 0 { 9 } else { 8 - word.leading_zeros() as usize / 8 };
    Some(((eight_digits(word) * 10) as i64 + i64::from(ninth), significant)) // below 2^30
}
