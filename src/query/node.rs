//! A checked condition.
//!
//! Invariant: every [`Slot`] lies inside the record of the schema that the condition was checked
//! against. The parser limits the depth.

use crate::error::{Error, ErrorKind};
use crate::format::{DataType, Field};

use super::like::Pattern;

/// The three values of SQL's logic, ordered so that `AND` is the least and `OR` the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Truth {
    False,
    Unknown,
    True,
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
    In(Slot, Vec<Literal>),
    Like(Slot, Pattern),
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

/// The place of a field's value in the record, and how to read it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The place of the presence byte, if the field is nullable.
    pub(super) presence: Option<usize>,
    pub(super) at: usize,
    pub(super) len_bytes: usize,
    pub(super) data_type: DataType,
    pub(super) big_endian: bool,
    /// The field, to name it in an error.
    field: Box<Field>,
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

    /// The error of reading the field in `record`, in which its presence byte or its bool is
    /// neither 0 nor 1.
    #[cold]
    pub(super) fn damaged(&self, record: &[u8]) -> Error {
        self.field.read(record).err().unwrap_or_else(|| {
            Error::new(ErrorKind::Corrupt, "read").detail(format!("field {}", self.field.name()))
        })
    }

    /// The nanoseconds of one unit of a date, a timestamp or a duration; 1 for other integers.
    pub(super) fn tick(&self) -> i128 {
        match self.data_type {
            DataType::Date32 => NANOSECONDS_PER_DAY,
            DataType::Timestamp(unit) | DataType::Duration(unit) => {
                NANOSECONDS_PER_SECOND / i128::from(unit.per_second())
            }
            _ => 1,
        }
    }
}

pub(super) const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;
pub(super) const NANOSECONDS_PER_DAY: i128 = 86_400 * NANOSECONDS_PER_SECOND;
