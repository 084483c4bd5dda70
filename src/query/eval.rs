//! A checked condition, and its value for the bytes of a record.
//!
//! Invariants: every [`Slot`] lies inside the record of the schema that the condition was checked
//! against, and [`Filter::matches`](super::Filter::matches) has compared the record's length with
//! that schema's, so no access here is out of bounds. The parser limits the depth.

use std::cmp::Ordering;

use super::like::Pattern;
use crate::error::{Error, ErrorKind};
use crate::format::{DataType, Field};

/// The three values of SQL's logic, ordered so that `AND` is the least and `OR` the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    False,
    Unknown,
    True,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl From<Option<bool>> for Truth {
    fn from(value: Option<bool>) -> Self {
        value.map_or(Self::Unknown, Self::from)
    }
}

impl Truth {
    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

/// A condition, or a part of one.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Constant(bool),
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    /// Whether the condition has the value `truth`; never unknown itself.
    Is(Box<Node>, Truth),
    IsNull(Slot),
    /// A bool field by itself.
    Flag(Slot),
    Compare(Slot, Comparison, Operand),
    In(Slot, Set),
    Like(Slot, Pattern),
}

impl Node {
    /// The condition's value for `record`, or the first damaged field that it read.
    pub(super) fn of<'n>(&'n self, record: &[u8]) -> Result<Truth, Damaged<'n>> {
        Ok(match self {
            Self::Constant(value) => Truth::from(*value),
            Self::All(nodes) => all(nodes, record)?,
            Self::Any(nodes) => any(nodes, record)?,
            Self::Not(node) => node.of(record)?.not(),
            Self::Is(node, truth) => Truth::from(node.of(record)? == *truth),
            Self::IsNull(slot) => Truth::from(slot.is_null(record)?),
            Self::Flag(slot) => {
                Truth::from(slot.read(record)?.map(|value| value.matches_int(|int| int != 0)))
            }
            Self::Compare(slot, comparison, Operand::Literal(right)) => {
                let left = slot.read(record)?;
                Truth::from(left.map(|left| comparison.holds(right.order_of(left))))
            }
            Self::Compare(left, comparison, Operand::Slot(right)) => {
                let sides = left.read(record)?.zip(right.read(record)?);
                Truth::from(sides.map(|(left, right)| comparison.holds(left.order(right))))
            }
            Self::In(slot, set) => Truth::from(slot.read(record)?.map(|value| set.contains(value))),
            Self::Like(slot, pattern) => Truth::from(slot.read(record)?.map(|value| match value {
                Scalar::Bytes(text) => pattern.matches(text),
                Scalar::Int(_) | Scalar::Large(_) | Scalar::Float(_) => false,
            })),
        })
    }
}

fn all<'n>(nodes: &'n [Node], record: &[u8]) -> Result<Truth, Damaged<'n>> {
    let mut least = Truth::True;
    for node in nodes {
        least = least.min(node.of(record)?);
        if least == Truth::False {
            break;
        }
    }
    Ok(least)
}

fn any<'n>(nodes: &'n [Node], record: &[u8]) -> Result<Truth, Damaged<'n>> {
    let mut greatest = Truth::False;
    for node in nodes {
        greatest = greatest.max(node.of(record)?);
        if greatest == Truth::True {
            break;
        }
    }
    Ok(greatest)
}

/// One of SQL's six comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison with the same meaning when its sides are exchanged.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// Whether it holds for sides in that order; NaN gives `None`, which is only unequal.
    fn holds(self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return self == Self::NotEqual };
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The right side of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Literal),
    Slot(Slot),
}

/// A literal, converted for comparison with its field's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// An integer, a bool (0 or 1), an instant in nanoseconds since 1970, or a duration in
    /// nanoseconds.
    Int(i128),
    /// An integer that no i128 holds.
    Large(u128),
    /// A number between this integer and the next, equal to neither.
    Above(i128),
    Float(f64),
    Bytes(Box<[u8]>),
}

impl Literal {
    /// The order of `value` relative to the literal.
    fn order_of(&self, value: Scalar<'_>) -> Option<Ordering> {
        match self {
            Self::Int(int) => value.order(Scalar::Int(*int)),
            Self::Large(large) => value.order(Scalar::Large(*large)),
            Self::Above(below) => {
                value.order(Scalar::Int(*below)).map(|order| order.then(Ordering::Less))
            }
            Self::Float(float) => value.order(Scalar::Float(*float)),
            Self::Bytes(bytes) => value.order(Scalar::Bytes(bytes)),
        }
    }
}

/// The literals of an `IN`, of one kind, sorted.
#[derive(Clone, Debug)]
pub(super) enum Set {
    Ints(Box<[i128]>, Box<[u128]>),
    Floats(Box<[f64]>),
    Bytes(Box<[Box<[u8]>]>),
}

impl Set {
    /// The set of `literals`, all of one kind.
    pub(super) fn new(literals: Vec<Literal>) -> Self {
        let (mut ints, mut floats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let mut large = Vec::new();
        for literal in literals {
            match literal {
                Literal::Int(int) => ints.push(int),
                Literal::Large(value) => large.push(value),
                Literal::Above(_) => {} // equal to no integer
                Literal::Float(float) => floats.push(float),
                Literal::Bytes(bytes) => texts.push(bytes),
            }
        }
        if !floats.is_empty() {
            floats.sort_by(f64::total_cmp);
            return Self::Floats(floats.into());
        }
        if !texts.is_empty() {
            texts.sort();
            return Self::Bytes(texts.into());
        }
        ints.sort_unstable();
        large.sort_unstable();
        Self::Ints(ints.into(), large.into())
    }

    fn contains(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Ints(ints, _), Scalar::Int(int)) => ints.binary_search(&int).is_ok(),
            (Self::Ints(_, large), Scalar::Large(value)) => large.binary_search(&value).is_ok(),
            // + 0.0 turns -0.0, which equals 0.0 but sorts before it, into 0.0.
            (Self::Floats(floats), Scalar::Float(float)) => {
                floats.binary_search_by(|probe| (probe + 0.0).total_cmp(&(float + 0.0))).is_ok()
            }
            (Self::Bytes(texts), Scalar::Bytes(bytes)) => {
                texts.binary_search_by(|probe| (**probe).cmp(bytes)).is_ok()
            }
            _ => false,
        }
    }
}

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
    fn matches_int(self, test: impl FnOnce(i128) -> bool) -> bool {
        matches!(self, Self::Int(int) if test(int))
    }

    /// The order of `self` relative to `other`; `None` for NaN (or for kinds that the check never
    /// compares).
    fn order(self, other: Self) -> Option<Ordering> {
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
pub(super) fn order_int_float(int: i128, float: f64) -> Option<Ordering> {
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

/// The place of a field's value in the record, and how to read it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    presence: Option<usize>,
    at: usize,
    len_bytes: usize,
    data_type: DataType,
    big_endian: bool,
    /// The field, to name it in an error.
    field: Box<Field>,
}

/// A field whose presence byte or bool in a record is neither 0 nor 1.
#[derive(Debug)]
pub(super) struct Damaged<'n>(&'n Slot);

impl Damaged<'_> {
    /// The error of reading the field in `record`, in which it is damaged.
    #[cold]
    pub(super) fn error(&self, record: &[u8]) -> Error {
        let field = &self.0.field;
        field.read(record).err().unwrap_or_else(|| {
            Error::new(ErrorKind::Corrupt, "read").detail(format!("field {}", field.name()))
        })
    }
}

impl Slot {
    /// The place of `field`'s value (of its first element, if it is an array).
    pub(super) fn of(field: &Field) -> Option<Self> {
        let offset = usize::try_from(field.offset()).ok()?;
        Some(Self {
            presence: field.is_nullable().then_some(offset),
            at: offset + usize::from(field.is_nullable()),
            len_bytes: usize::try_from(field.data_type().size_bytes()).ok()?,
            data_type: field.data_type(),
            big_endian: field.is_big_endian(),
            field: Box::new(field.clone()),
        })
    }

    #[inline]
    fn is_null(&self, record: &[u8]) -> Result<bool, Damaged<'_>> {
        match self.presence.map(|at| record[at]) {
            None | Some(1) => Ok(false),
            Some(0) => Ok(true),
            Some(_) => Err(Damaged(self)),
        }
    }

    /// The value, or `None` if it is null.
    #[inline]
    fn read<'r>(&self, record: &'r [u8]) -> Result<Option<Scalar<'r>>, Damaged<'_>> {
        if self.is_null(record)? {
            return Ok(None);
        }
        Ok(Some(match self.data_type {
            DataType::Bool => match record[self.at] {
                bool @ (0 | 1) => Scalar::Int(i128::from(bool)),
                _ => return Err(Damaged(self)),
            },
            DataType::Int8 => Scalar::Int(i8::from_le_bytes(self.bytes(record)).into()),
            DataType::Int16 => Scalar::Int(i16::from_le_bytes(self.bytes(record)).into()),
            DataType::Int32 => Scalar::Int(i32::from_le_bytes(self.bytes(record)).into()),
            DataType::Int64 => Scalar::Int(i64::from_le_bytes(self.bytes(record)).into()),
            DataType::UInt8 => Scalar::Int(u8::from_le_bytes(self.bytes(record)).into()),
            DataType::UInt16 => Scalar::Int(u16::from_le_bytes(self.bytes(record)).into()),
            DataType::UInt32 => Scalar::Int(u32::from_le_bytes(self.bytes(record)).into()),
            DataType::UInt64 => Scalar::Int(u64::from_le_bytes(self.bytes(record)).into()),
            DataType::Int128 => Scalar::Int(i128::from_le_bytes(self.bytes(record))),
            DataType::UInt128 => {
                let value = u128::from_le_bytes(self.bytes(record));
                i128::try_from(value).map_or(Scalar::Large(value), Scalar::Int)
            }
            DataType::Float32 => Scalar::Float(f32::from_le_bytes(self.bytes(record)).into()),
            DataType::Float64 => Scalar::Float(f64::from_le_bytes(self.bytes(record))),
            DataType::Date32 => {
                let days = i32::from_le_bytes(self.bytes(record));
                Scalar::Int(i128::from(days) * NANOSECONDS_PER_DAY)
            }
            DataType::Timestamp(unit) | DataType::Duration(unit) => {
                let ticks = i64::from_le_bytes(self.bytes(record));
                let tick = NANOSECONDS_PER_SECOND / i128::from(unit.per_second());
                Scalar::Int(i128::from(ticks) * tick)
            }
            DataType::Binary(_) => Scalar::Bytes(&record[self.at..self.at + self.len_bytes]),
            DataType::Utf8(_) => {
                let padded = &record[self.at..self.at + self.len_bytes];
                let len_bytes = padded.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
                Scalar::Bytes(&padded[..len_bytes])
            }
        }))
    }

    /// The value's `N` bytes, little-endian.
    fn bytes<const N: usize>(&self, record: &[u8]) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&record[self.at..self.at + N]);
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }
}

pub(super) const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;
pub(super) const NANOSECONDS_PER_DAY: i128 = 86_400 * NANOSECONDS_PER_SECOND;

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

    #[test]
    fn the_logic_is_kleenes() {
        use Truth::{False, True, Unknown};
        assert_eq!([False.not(), Unknown.not(), True.not()], [True, Unknown, False]);
        assert_eq!((Unknown.min(False), Unknown.min(True)), (False, Unknown));
        assert_eq!((Unknown.max(False), Unknown.max(True)), (Unknown, True));
    }
}
