//! The definition of a condition's value: a walk through the tree for one record. The batches are
//! compared with it.

use std::cmp::Ordering;

use crate::format::DataType;
use crate::query::node::{
    Comparison, Literal, NANOSECONDS_PER_DAY, NANOSECONDS_PER_SECOND, Node, Operand, Slot, Truth,
};
use crate::query::scalar::Scalar;

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
                Truth::from(slot.read(record)?.map(|value| value == Scalar::Int(1)))
            }
            Self::Compare(slot, comparison, Operand::Literal(right)) => {
                let left = slot.read(record)?;
                Truth::from(left.map(|left| comparison.holds(right.order_of(left))))
            }
            Self::Compare(left, comparison, Operand::Slot(right)) => {
                let sides = left.read(record)?.zip(right.read(record)?);
                Truth::from(sides.map(|(left, right)| comparison.holds(left.order(right))))
            }
            Self::In(slot, list) => {
                Truth::from(slot.read(record)?.map(|value| contains(list, value)))
            }
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

impl Comparison {
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

fn contains(list: &[Literal], value: Scalar<'_>) -> bool {
    list.iter().any(|literal| literal.order_of(value) == Some(Ordering::Equal))
}

/// A field whose presence byte or bool in a record is neither 0 nor 1.
#[derive(Debug)]
pub(super) struct Damaged<'n>(pub(super) &'n Slot);

impl Slot {
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
