//! A test of one field, prepared for the field's type.

use super::lanes::{self, TRUE, UNKNOWN};
use super::range::{self, Range, limits};
use super::rows::Rows;
use super::sets::{Texts, Words, is_near};
use super::text::{Pattern, WordPattern, trimmed};
use crate::format::DataType;
use crate::query::like;
use crate::query::node::{Comparison, Literal, Slot};

#[derive(Clone, Debug)]
pub(in crate::query) enum Test {
    /// An integer, a bool or a time in a range.
    Range(Range),
    Float(Comparison, f64),
    /// A text or bytes compared with others.
    Bytes(Comparison, Box<[u8]>),
    /// A field with exactly these bytes, or with any others.
    Same(Box<[u8]>, bool),
    /// An integer of at most 64 bits, or a float, among others.
    Words(Words),
    /// An integer of 128 bits among others, by its bytes in the field.
    Texts(Texts),
    Like(Pattern),
    /// A pattern that the first eight bytes of a text decide.
    Word(WordPattern),
}

impl Test {
    /// The test `slot comparison literal`.
    pub(super) fn compare(slot: &Slot, comparison: Comparison, literal: Literal) -> Self {
        if let Some(range) = range::of(slot, comparison, &literal) {
            return Self::Range(range);
        }
        match literal {
            Literal::Float(float) => Self::Float(comparison, float),
            Literal::Bytes(bytes) => Self::compare_bytes(slot, comparison, bytes),
            // The check of the condition gives every integer field an integer.
            Literal::Int(_) | Literal::Large(_) | Literal::Above(_) => never(),
        }
    }

    fn compare_bytes(slot: &Slot, comparison: Comparison, bytes: Box<[u8]>) -> Self {
        let wanted = match comparison {
            Comparison::Equal => true,
            Comparison::NotEqual => false,
            _ => return Self::Bytes(comparison, bytes),
        };
        let is_text = matches!(slot.data_type, DataType::Utf8(_));
        let possible = match is_text {
            // Zeros at the end are padding, and no part of a text.
            true => bytes.len() <= slot.len_bytes && bytes.last() != Some(&0),
            false => bytes.len() == slot.len_bytes,
        };
        if !possible {
            return Self::Range(Range::Always(!wanted));
        }
        let mut padded = bytes.into_vec();
        padded.resize(slot.len_bytes, 0);
        Self::Same(padded.into(), wanted)
    }

    /// The test `slot IN (literals)`.
    pub(super) fn within(slot: &Slot, literals: Vec<Literal>) -> Self {
        match slot.data_type {
            DataType::Float32 | DataType::Float64 => {
                let floats = literals.into_iter().filter_map(|literal| match literal {
                    Literal::Float(float) => Some(float_word(float)),
                    _ => None,
                });
                Words::of(floats.collect()).map_or(never(), Self::Words)
            }
            DataType::Utf8(_) | DataType::Binary(_) => {
                let texts = literals.into_iter().filter_map(|literal| match literal {
                    Literal::Bytes(bytes) => Some(bytes),
                    _ => None,
                });
                Self::Texts(Texts::of(texts.collect()))
            }
            _ => Self::within_integers(slot, &literals),
        }
    }

    /// The test `slot LIKE pattern`.
    pub(super) fn like(slot: &Slot, pattern: like::Pattern) -> Self {
        let pattern = Pattern::of(pattern);
        match WordPattern::of(&pattern, slot.len_bytes) {
            Some(word) => Self::Word(word),
            None => Self::Like(pattern),
        }
    }

    fn within_integers(slot: &Slot, literals: &[Literal]) -> Self {
        // A literal is in the field's range, and in its units, if the range of `=` is one value.
        let ranges = literals.iter().map(|it| range::of(slot, Comparison::Equal, it));
        let (mut words, mut wide) = (Vec::new(), Vec::new());
        for range in ranges.flatten() {
            match range {
                Range::Within { low, .. } if slot.len_bytes == 16 => wide.push(low as u128),
                // Within the limits of a type of 64 bits, so the cast loses only the sign's copies.
                Range::Within { low, .. } => words.push(low as u64),
                Range::Large { low, .. } => wide.push(low),
                Range::Always(_) => {}
            }
        }
        if slot.len_bytes == 16 {
            let bytes = |int: u128| match slot.big_endian {
                true => int.to_be_bytes(),
                false => int.to_le_bytes(),
            };
            let texts = wide.into_iter().map(|int| bytes(int).into()).collect();
            return Self::Texts(Texts::of(texts));
        }
        Words::of(words).map_or(never(), Self::Words)
    }

    /// Writes the test's value for each record.
    pub(super) fn lanes<'t>(
        &self,
        slot: &'t Slot,
        rows: Rows<'_, '_>,
        out: &mut [u8],
    ) -> Result<(), &'t Slot> {
        match self {
            Self::Range(Range::Always(holds)) => always(slot, rows, out, *holds),
            Self::Range(range) => in_range(slot, rows, out, *range),
            Self::Float(comparison, float) => compare_float(slot, rows, out, *comparison, *float),
            Self::Words(words) => in_words(slot, rows, out, words),
            Self::Same(bytes, wanted) => same(slot, rows, out, bytes, *wanted),
            Self::Bytes(comparison, bytes) => {
                let holds = |order: std::cmp::Ordering| holds(*comparison, order);
                on_bytes(slot, rows, out, |value| holds(value.cmp(bytes)))
            }
            Self::Texts(texts) => on_bytes(slot, rows, out, |value| texts.contains(value)),
            Self::Like(pattern) => on_bytes(slot, rows, out, |value| pattern.matches(value)),
            Self::Word(pattern) => on_word(slot, rows, out, *pattern),
        }
    }
}

/// A test that is false for every value.
fn never() -> Test {
    Test::Range(Range::Always(false))
}

/// The bits of a float in which equal numbers are equal. Only NaN differs from itself, and no
/// literal is NaN.
#[inline]
fn float_word(float: f64) -> u64 {
    (float + 0.0).to_bits() // -0.0 + 0.0 is 0.0
}

/// Whether a comparison holds for sides in that order.
pub(super) fn holds(comparison: Comparison, order: std::cmp::Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// A test with one result for all values: only nulls and damage are looked for.
fn always<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    holds: bool,
) -> Result<(), &'t Slot> {
    if slot.data_type == DataType::Bool {
        return lanes::checked::<1>(rows, slot, out, |_| holds, |[byte]| byte > 1);
    }
    lanes::fixed::<0>(rows, slot, out, |_| holds)
}

/// Calls a loop for values of a type, in the byte order of the field.
macro_rules! typed {
    ($slot:ident, $rows:ident, $out:ident, $type:ty, |$value:ident| $holds:expr) => {{
        const LEN: usize = size_of::<$type>();
        if $slot.big_endian {
            lanes::fixed::<LEN>($rows, $slot, $out, |bytes| {
                let $value = <$type>::from_be_bytes(bytes);
                $holds
            })
        } else {
            lanes::fixed::<LEN>($rows, $slot, $out, |bytes| {
                let $value = <$type>::from_le_bytes(bytes);
                $holds
            })
        }
    }};
}

fn in_range<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    range: Range,
) -> Result<(), &'t Slot> {
    // Bounds lie within the limits of the field's type, so no cast loses anything.
    macro_rules! within {
        ($type:ty, $unsigned:ty, $low:ident, $high:ident, $inside:ident) => {{
            let (low, high) = ($low as $type, $high as $type);
            if !$inside && (low, high) == (<$type>::MIN, <$type>::MAX) {
                return always(slot, rows, out, false);
            }
            // The numbers of the type form a circle, on which the values outside of a range are a
            // range, too. Then one comparison does.
            let (first, last) = match $inside {
                true => (low, high),
                false => (high.wrapping_add(1), low.wrapping_sub(1)),
            };
            let others = last.wrapping_sub(first) as $unsigned;
            typed!(slot, rows, out, $type, |value| {
                value.wrapping_sub(first) as $unsigned <= others
            })
        }};
    }
    match range {
        Range::Always(holds) => always(slot, rows, out, holds),
        Range::Large { low, high, inside } => within!(u128, u128, low, high, inside),
        Range::Within { low, high, inside } => {
            debug_assert!(limits(slot.data_type).is_some_and(|(a, b)| a <= low && high <= b));
            match slot.data_type {
                DataType::Bool => {
                    let test = |byte: u8| low <= byte.into() && i128::from(byte) <= high;
                    let of = [test(0) == inside, test(1) == inside];
                    let holds = |[byte]: [u8; 1]| of[usize::from(byte & 1)];
                    lanes::checked::<1>(rows, slot, out, holds, |[byte]| byte > 1)
                }
                DataType::Int8 => within!(i8, u8, low, high, inside),
                DataType::Int16 => within!(i16, u16, low, high, inside),
                DataType::Int32 | DataType::Date32 => within!(i32, u32, low, high, inside),
                DataType::Int64 | DataType::Timestamp(_) | DataType::Duration(_) => {
                    within!(i64, u64, low, high, inside)
                }
                DataType::UInt8 => within!(u8, u8, low, high, inside),
                DataType::UInt16 => within!(u16, u16, low, high, inside),
                DataType::UInt32 => within!(u32, u32, low, high, inside),
                DataType::UInt64 => within!(u64, u64, low, high, inside),
                DataType::Int128 => within!(i128, u128, low, high, inside),
                _ => always(slot, rows, out, false),
            }
        }
    }
}

fn compare_float<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    comparison: Comparison,
    float: f64,
) -> Result<(), &'t Slot> {
    macro_rules! compare {
        ($operator:tt) => {
            if slot.data_type == DataType::Float32 {
                typed!(slot, rows, out, f32, |value| f64::from(value) $operator float)
            } else {
                typed!(slot, rows, out, f64, |value| value $operator float)
            }
        };
    }
    match comparison {
        Comparison::Equal => compare!(==),
        Comparison::NotEqual => compare!(!=),
        Comparison::Less => compare!(<),
        Comparison::LessOrEqual => compare!(<=),
        Comparison::Greater => compare!(>),
        Comparison::GreaterOrEqual => compare!(>=),
    }
}

fn in_words<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    words: &Words,
) -> Result<(), &'t Slot> {
    macro_rules! among {
        ($type:ty) => {{
            // Once for the loop, so that it has no branch.
            if let &Words::Near { first, bits } = words {
                return typed!(slot, rows, out, $type, |value| is_near(value as u64, first, bits));
            }
            typed!(slot, rows, out, $type, |value| words.contains(value as u64))
        }};
    }
    match slot.data_type {
        DataType::Bool => {
            let holds = |[byte]: [u8; 1]| words.contains(byte.into());
            lanes::checked::<1>(rows, slot, out, holds, |[byte]| byte > 1)
        }
        DataType::Int8 => among!(i8),
        DataType::Int16 => among!(i16),
        DataType::Int32 | DataType::Date32 => among!(i32),
        DataType::Int64 | DataType::Timestamp(_) | DataType::Duration(_) => among!(i64),
        DataType::UInt8 => among!(u8),
        DataType::UInt16 => among!(u16),
        DataType::UInt32 => among!(u32),
        DataType::UInt64 => among!(u64),
        DataType::Float32 => {
            typed!(slot, rows, out, f32, |value| words.contains(float_word(value.into())))
        }
        DataType::Float64 => {
            typed!(slot, rows, out, f64, |value| words.contains(float_word(value)))
        }
        DataType::Int128 | DataType::UInt128 | DataType::Utf8(_) | DataType::Binary(_) => {
            always(slot, rows, out, false)
        }
    }
}

/// Whether a field has exactly these bytes.
fn same<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    wanted_bytes: &[u8],
    wanted: bool,
) -> Result<(), &'t Slot> {
    macro_rules! of_length {
        ($($len:literal)*) => {
            match wanted_bytes.len() {
                $($len => {
                    let mut bytes = [0; $len];
                    bytes.copy_from_slice(wanted_bytes);
                    lanes::fixed::<$len>(rows, slot, out, |value| (value == bytes) == wanted)
                })*
                _ => lanes::bytes(rows, slot, out, |value| (value == wanted_bytes) == wanted),
            }
        };
    }
    of_length!(1 2 3 4 5 6 7 8 16)
}

/// A test of the first eight bytes of a text, or of all if it has fewer.
fn on_word<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    pattern: WordPattern,
) -> Result<(), &'t Slot> {
    macro_rules! of_length {
        ($($len:literal)*) => {
            match slot.len_bytes {
                $($len => lanes::fixed::<$len>(rows, slot, out, |value| {
                    let mut bytes = [0; 8];
                    bytes[..$len].copy_from_slice(&value);
                    pattern.matches(u64::from_le_bytes(bytes))
                }),)*
                _ => lanes::fixed::<8>(rows, slot, out, |value| {
                    pattern.matches(u64::from_le_bytes(value))
                }),
            }
        };
    }
    of_length!(1 2 3 4 5 6 7)
}

/// A test of a text without its padding, or of all bytes of another field.
fn on_bytes<'t>(
    slot: &'t Slot,
    rows: Rows<'_, '_>,
    out: &mut [u8],
    holds: impl Fn(&[u8]) -> bool,
) -> Result<(), &'t Slot> {
    match slot.data_type {
        DataType::Utf8(_) => lanes::bytes(rows, slot, out, |value| holds(trimmed(value))),
        _ => lanes::bytes(rows, slot, out, holds),
    }
}

/// A bool field as a condition.
pub(super) fn flag<'t>(slot: &'t Slot, rows: Rows<'_, '_>, out: &mut [u8]) -> Result<(), &'t Slot> {
    const { assert!(TRUE == 2 && UNKNOWN == 1) };
    lanes::checked::<1>(rows, slot, out, |[byte]| byte & 1 != 0, |[byte]| byte > 1)
}
