//! Comparisons of integers with a literal, as ranges in the units of the field.

use crate::format::DataType;
use crate::query::node::{Comparison, Literal, Slot};

/// The values of a field for which a comparison holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::query) enum Range {
    /// All or none.
    Always(bool),
    /// Those from `low` to `high`; all others if not `inside`.
    Within { low: i128, high: i128, inside: bool },
    /// As `Within`, for a type that an i128 does not hold.
    Large { low: u128, high: u128, inside: bool },
}

/// Where a literal lies among a field's units: at `floor` if `exact`, else between it and the next.
#[derive(Clone, Copy)]
struct Place<T> {
    floor: T,
    exact: bool,
}

/// What lies around a literal.
enum Position<T> {
    /// Below every value of the type, or above every one.
    Below,
    Above,
    At(Place<T>),
}

/// The least and the greatest value of an integer type, in its own units; `None` for types that are
/// no integers, and for one that an i128 does not hold.
pub(super) fn limits(data_type: DataType) -> Option<(i128, i128)> {
    Some(match data_type {
        DataType::Bool => (0, 1),
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 | DataType::Date32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 | DataType::Timestamp(_) | DataType::Duration(_) => {
            (i64::MIN.into(), i64::MAX.into())
        }
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, u64::MAX.into()),
        DataType::Int128 => (i128::MIN, i128::MAX),
        DataType::UInt128
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8(_)
        | DataType::Binary(_) => return None,
    })
}

/// The values of the integer field at `slot` that compare so with `literal`; `None` if one of them
/// is not an integer.
pub(super) fn of(slot: &Slot, comparison: Comparison, literal: &Literal) -> Option<Range> {
    if slot.data_type == DataType::UInt128 {
        let at = |floor| Position::At(Place { floor, exact: true });
        let position = match *literal {
            Literal::Int(int) => u128::try_from(int).map_or(Position::Below, at),
            Literal::Large(large) => at(large),
            Literal::Above(below) => u128::try_from(below)
                .map_or(Position::Below, |floor| Position::At(Place { floor, exact: false })),
            Literal::Float(_) | Literal::Bytes(_) => return None,
        };
        let one = |floor: u128, up: bool| {
            if up { floor.checked_add(1) } else { floor.checked_sub(1) }
        };
        let found = around(comparison, position, (0, u128::MAX), one);
        return Some(match found {
            (None, inside) => Range::Always(!inside),
            (Some((low, high)), inside) => Range::Large { low, high, inside },
        });
    }
    let limits = limits(slot.data_type)?;
    let tick = slot.tick();
    let position = match *literal {
        Literal::Int(int) => {
            Position::At(Place { floor: int.div_euclid(tick), exact: int.rem_euclid(tick) == 0 })
        }
        Literal::Above(below) => {
            Position::At(Place { floor: below.div_euclid(tick), exact: false })
        }
        Literal::Large(_) => Position::Above,
        Literal::Float(_) | Literal::Bytes(_) => return None,
    };
    let one = |floor: i128, up: bool| if up { floor.checked_add(1) } else { floor.checked_sub(1) };
    Some(match around(comparison, position, limits, one) {
        (None, inside) => Range::Always(!inside),
        (Some((low, high)), inside) => Range::Within { low, high, inside },
    })
}

/// The range of the values that compare so, and whether they lie in it or outside. No range is
/// empty.
fn around<T: Copy + Ord>(
    comparison: Comparison,
    position: Position<T>,
    (least, greatest): (T, T),
    one: impl Fn(T, bool) -> Option<T>,
) -> (Option<(T, T)>, bool) {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let inside = comparison != NotEqual;
    let all = Some((least, greatest));
    let range = match position {
        Position::Below => all.filter(|_| matches!(comparison, Greater | GreaterOrEqual)),
        Position::Above => all.filter(|_| matches!(comparison, Less | LessOrEqual)),
        Position::At(Place { floor, exact }) => {
            let (at, above) = (Some(floor), one(floor, true));
            let below = if exact { one(floor, false) } else { at };
            let from = if exact { at } else { above };
            match comparison {
                Equal | NotEqual => at.filter(|_| exact).zip(at),
                Less => Some(least).zip(below),
                LessOrEqual => Some(least).zip(at),
                Greater => above.zip(Some(greatest)),
                GreaterOrEqual => from.zip(Some(greatest)),
            }
        }
    };
    let range = range.map(|(low, high)| (low.max(least), high.min(greatest)));
    (range.filter(|(low, high)| low <= high), inside)
}

impl Range {
    /// The values that lie in both, if that is one range.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (
                Self::Within { low, high, inside: true },
                Self::Within { low: other_low, high: other_high, inside: true },
            ) => {
                let (low, high) = (low.max(other_low), high.min(other_high));
                Some(match low <= high {
                    true => Self::Within { low, high, inside: true },
                    false => Self::Always(false),
                })
            }
            _ => None,
        }
    }
}
