//! A field's value in the form in which values of different types compare, and the exact orders.

use std::cmp::Ordering;

/// A value, converted for comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'r> {
    Int(i128),
    /// An integer that no i128 holds.
    Large(u128),
    Float(f64),
    Bytes(&'r [u8]),
}

impl Scalar<'_> {
    /// The order of `self` relative to `other`; `None` for NaN (or for kinds that the check never
    /// compares).
    pub(super) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Large(a), Self::Large(b)) => Some(a.cmp(&b)),
            (Self::Large(_), Self::Int(_)) => Some(Ordering::Greater),
            (Self::Int(_), Self::Large(_)) => Some(Ordering::Less),
            (Self::Large(a), Self::Float(b)) => order_large_float(a, b),
            (Self::Float(a), Self::Large(b)) => order_large_float(b, a).map(Ordering::reverse),
            (Self::Int(a), Self::Float(b)) => order_int_float(a, b),
            (Self::Float(a), Self::Int(b)) => order_int_float(b, a).map(Ordering::reverse),
            _ => None,
        }
    }
}

/// The exact order of an integer and a float; rounds neither.
fn order_int_float(int: i128, float: f64) -> Option<Ordering> {
    const TWO_POW_127: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    if float.is_nan() {
        return None;
    }
    if float >= TWO_POW_127 {
        return Some(Ordering::Less);
    }
    if float < -TWO_POW_127 {
        return Some(Ordering::Greater);
    }
    // In this range the whole part of a float is exactly an i128.
    let whole = float.trunc();
    let fraction = float - whole;
    Some(int.cmp(&(whole as i128)).then(0.0f64.total_cmp(&(fraction + 0.0))))
}

/// The exact order of an integer of at least 2^127 and a float.
fn order_large_float(large: u128, float: f64) -> Option<Ordering> {
    const TWO_POW_128: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0;
    if float.is_nan() {
        return None;
    }
    if float >= TWO_POW_128 {
        return Some(Ordering::Less);
    }
    // A float of at least 2^127 is whole; a smaller one, which the cast may cut, is less.
    Some(large.cmp(&(float as u128)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let big = (1i128 << 53) + 1; // the first integer that no f64 is
        let near = 9_007_199_254_740_992.0;
        assert_eq!(order_int_float(big, near), Some(Ordering::Greater));
        assert_eq!(order_int_float(big - 1, near), Some(Ordering::Equal));
        assert_eq!(order_int_float(-3, -2.5), Some(Ordering::Less));
        assert_eq!(order_int_float(-2, -2.5), Some(Ordering::Greater));
        assert_eq!(order_int_float(2, 2.5), Some(Ordering::Less));
        assert_eq!(order_int_float(0, -0.0), Some(Ordering::Equal));
        assert_eq!(order_int_float(0, f64::NAN), None);
        assert_eq!(order_int_float(i128::MAX, f64::INFINITY), Some(Ordering::Less));
        assert_eq!(order_int_float(i128::MIN, f64::NEG_INFINITY), Some(Ordering::Greater));
        let u64_max = i128::from(u64::MAX);
        assert_eq!(order_int_float(u64_max, 18_446_744_073_709_551_615.0), Some(Ordering::Less));
    }
}
