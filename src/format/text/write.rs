//! Values to text, fast: what an export spends its time on.

use super::push;

/// Pairs of digits: a division by 100 gives two.
const PAIRS: &[u8; 200] = b"\
    0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// The digits of a number below 100.
#[inline]
pub(super) fn pair(number: u64) -> [u8; 2] {
    let at = 2 * (number % 100) as usize; // below 200
    [PAIRS[at], PAIRS[at + 1]]
}

/// Appends an integer.
#[inline]
pub(super) fn push_integer(value: impl itoa::Integer, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// A float that is written as its shortest text, everywhere in the one way of [`push_float`].
pub(crate) trait Shortest: zmij::Float + std::fmt::Debug + Copy {
    /// Whether it is not infinite, and a number.
    fn is_finite(self) -> bool;
    /// Whether it is written without an exponent, and zmij writes it so.
    fn is_plain(self) -> bool;
    /// Whether it is written without an exponent.
    fn has_no_exponent(self) -> bool;
}

macro_rules! shortest {
    ($float:ty, $limit:literal) => {
        impl Shortest for $float {
            fn is_finite(self) -> bool {
                <$float>::is_finite(self)
            }

            #[inline]
            fn is_plain(self) -> bool {
                (1e-4..$limit).contains(&self.abs()) || self == 0.0
            }

            fn has_no_exponent(self) -> bool {
                (1e-4..1e16).contains(&self.abs())
            }
        }
    };
}

shortest!(f32, 1e9);
shortest!(f64, 1e16);

/// Appends a float: its shortest text, with an exponent where that is shorter. `Debug` has the same
/// form, but of two texts that are equally near it takes the greater; this takes the even one, as
/// rounding does, and Python.
#[inline]
pub(crate) fn push_float(value: impl Shortest, out: &mut String) {
    match value.is_plain() {
        true => out.push_str(zmij::Buffer::new().format(value)),
        false => push_other_float(value, out),
    }
}

/// Appends a float whose text by zmij has another form.
fn push_other_float<F: Shortest>(value: F, out: &mut String) {
    if !value.is_finite() {
        return push(out, format_args!("{value:?}"));
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let unsigned = text.trim_start_matches('-');
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = whole.bytes().chain(fraction.bytes());
    let zeros = all.clone().take_while(|&digit| digit == b'0').count();
    // Seventeen digits at most, and zeros around them.
    let mut digits: String = all.skip(zeros).map(char::from).collect();
    digits.truncate(digits.trim_end_matches('0').len());
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = whole.len() as i32 + exponent - zeros as i32;
    if unsigned.len() < text.len() {
        out.push('-');
    }
    if value.has_no_exponent() {
        // An integer: a float32 of ten digits or more has no fraction.
        out.push_str(&digits);
        out.extend((digits.len()..point as usize).map(|_| '0'));
        return out.push_str(".0");
    }
    let (first, rest) = digits.split_at(1);
    let point_text = if rest.is_empty() { "" } else { "." };
    push(out, format_args!("{first}{point_text}{rest}e{}", point - 1));
}

/// Appends two hexadecimal digits for each byte.
pub(super) fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 * bytes.len());
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Appends the text of ASCII characters.
#[inline]
pub(super) fn push_ascii(text: &[u8], out: &mut String) {
    out.push_str(std::str::from_utf8(text).expect("digits and marks are ASCII"));
}

/// `YYYY-MM-DD`, of a year of four digits.
#[inline]
pub(super) fn day_text((year, month, day): (u64, u64, u64)) -> [u8; 10] {
    let [[m, i], [l, e]] = [pair(year / 100), pair(year)];
    let [[a, b], [c, d]] = [pair(month), pair(day)];
    [m, i, l, e, b'-', a, b, b'-', c, d]
}

/// `THH:MM:SS`.
#[inline]
pub(super) fn time_of_day_text(seconds: u64) -> [u8; 9] {
    let [[a, b], [c, d]] = [pair(seconds / 3600), pair(seconds / 60 % 60)];
    let [e, f] = pair(seconds % 60);
    [b'T', a, b, b':', c, d, b':', e, f]
}

/// Appends `THH:MM:SS`.
#[inline]
pub(super) fn push_time_of_day(seconds: u64, out: &mut String) {
    push_ascii(&time_of_day_text(seconds), out);
}

/// Appends a point and the last `digits` digits of `number`, nine at most.
#[inline]
pub(super) fn push_fraction(number: u64, digits: usize, out: &mut String) {
    let ninth = b'0' + (number / 100_000_000 % 10) as u8; // a digit
    let mut text = [b'.', ninth, 0, 0, 0, 0, 0, 0, 0, 0];
    for (at, scale) in [(2, 1_000_000), (4, 10_000), (6, 100), (8, 1)] {
        text[at..at + 2].copy_from_slice(&pair(number / scale));
    }
    let first = text.len() - digits;
    text[first - 1] = b'.';
    push_ascii(&text[first - 1..], out);
}

#[cfg(test)]
mod tests {
    use super::super::number::{Fit, Float, float as float_of};
    use super::*;

    fn float(value: impl Shortest) -> String {
        let mut text = String::new();
        push_float(value, &mut text);
        text
    }

    /// Compares the text with that of `Debug`: the same, or as long with another last digit, and of
    /// the same value.
    fn check<F: Shortest + Float + PartialEq>(value: F) {
        let (found, expected) = (float(value), format!("{value:?}"));
        let is_nan = expected == "NaN";
        let is_value = is_nan || found.parse().is_ok_and(|parsed: F| parsed == value);
        assert!(is_value && found.len() == expected.len(), "{found} for {expected}");
        let last = found.len() - 1;
        assert_eq!(found[..last], expected[..last], "of {found} and {expected}");
        let is_even = matches!(found.as_bytes()[last], b'0' | b'2' | b'4' | b'6' | b'8');
        assert!(found == expected || is_even, "{found} for {expected}");
        // A load takes what an export wrote.
        let fits = matches!(float_of::<F>(&found), Ok(Fit::Exact(_)));
        assert!(fits, "{found} does not fit");
    }

    fn check_bits(bits: u64) {
        check(f64::from_bits(bits));
        check(f32::from_bits((bits >> 32) as u32));
    }

    #[test]
    fn a_float_is_written_as_its_shortest_text() {
        // Of two texts that are equally near, the even one, in every form.
        assert_eq!(float(1.0 + 1.0 / 131_072.0), "1.0000076293945312");
        assert_eq!(float(3_600_000_000_000_005.0 / 4.0), "900000000000001.2");
        assert_eq!(float(3_600_000_000_000_015.0 / 4.0), "900000000000003.8");
        assert_eq!(float(-1e9_f32), "-1000000000.0");
        assert_eq!(float(1_000_000_064_f32), "1000000060.0");
        for edge in [0.0, -0.0, 1e-4, 1e-5, 1e16, 0.1, 123.0, 9_007_199_254_740_993.0, 5e-324, 1e22]
        {
            let bits = f64::to_bits(edge);
            for near in [bits.wrapping_sub(1), bits, bits + 1, bits | 1 << 63] {
                check_bits(near);
            }
        }
        for bits in [f64::NAN.to_bits(), f64::INFINITY.to_bits(), f64::NEG_INFINITY.to_bits()] {
            check_bits(bits);
        }
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        for step in 0..200_000_u64 {
            // Xorshift (Marsaglia 2003): all exponents; and those of everyday numbers.
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            check_bits(bits);
            // Few bits: exact decimals of about 18 digits, which lie between two texts.
            check(1.0 + (bits >> 40) as f64 / f64::from(1_u32 << (step % 24)));
            check_bits((bits & !(0x7ff << 52)) | (0x3ff - 20 + step % 80) << 52);
            check((bits % 100_000_000) as f64 / 100.0);
        }
    }

    #[test]
    fn fractions_have_their_digits() {
        for (number, digits, expected) in [
            (7, 3, ".007"),
            (123_456, 6, ".123456"),
            (123_456_789, 9, ".123456789"),
            (1, 9, ".000000001"),
        ] {
            let mut text = String::new();
            push_fraction(number, digits, &mut text);
            assert_eq!(text, expected);
        }
    }
}
