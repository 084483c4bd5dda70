//! Conditions on batches: one loop over the records for each comparison, each with one type and one
//! operation, and then loops over the results.
//!
//! A batch has a byte for each record, its *lane*: false, unknown or true. `AND` is the least of
//! two lanes, `OR` the greatest. Where few records are left undecided, the next comparison looks at
//! these alone.
//!
//! A damaged field is an error only if its value is asked for, as in `a OR b` where `a` is not
//! true. A loop over a batch also reads fields that are not asked for, so damage ends it without a
//! result, and the caller evaluates the batch record by record: a batch of one record stops where
//! the condition is decided.

mod fields;
mod lanes;
mod range;
mod rows;
mod sets;
mod test;
mod text;

pub(super) use lanes::count;
pub(super) use rows::{Rows, Run};

use self::lanes::{FALSE, TRUE};
use self::test::Test;
use super::node::{Comparison, Node, Operand, Slot, Truth};
use crate::format::StatusByte;

/// The lane of a record for which the condition is true.
pub(super) const MATCH: u8 = TRUE;

/// Where no more than this part of the records is undecided, a loop looks at these alone.
const FEW: (usize, usize) = (1, 16);
/// As [`FEW`], for a loop with a call for each record.
const FEW_FOR_CALLS: (usize, usize) = (3, 4);

/// A condition, or a part of one, prepared for batches.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Constant(bool),
    All(Box<[Term]>),
    Any(Box<[Term]>),
    Not(Box<Term>),
    Is(Box<Term>, Truth),
    IsNull(Slot),
    Flag(Slot),
    Test(Slot, Test),
    Fields(Slot, Comparison, Slot),
}

impl Term {
    pub(super) fn of(node: Node) -> Self {
        match node {
            Node::Constant(value) => Self::Constant(value),
            Node::All(nodes) => match Self::joined(nodes) {
                mut terms if terms.len() == 1 => terms.remove(0),
                terms => Self::All(terms.into()),
            },
            Node::Any(nodes) => Self::Any(nodes.into_iter().map(Self::of).collect()),
            Node::Not(node) => Self::Not(Box::new(Self::of(*node))),
            Node::Is(node, truth) => Self::Is(Box::new(Self::of(*node)), truth),
            Node::IsNull(slot) => Self::IsNull(slot),
            Node::Flag(slot) => Self::Flag(slot),
            Node::Compare(slot, comparison, Operand::Literal(literal)) => {
                let test = Test::compare(&slot, comparison, literal);
                Self::Test(slot, test)
            }
            Node::Compare(left, comparison, Operand::Slot(right)) => {
                Self::Fields(left, comparison, right)
            }
            Node::In(slot, literals) => {
                let test = Test::within(&slot, literals);
                Self::Test(slot, test)
            }
            Node::Like(slot, pattern) => {
                let test = Test::like(&slot, pattern);
                Self::Test(slot, test)
            }
        }
    }

    /// The parts of an `AND`. Two ranges of one field that follow each other become one, as those
    /// of a `BETWEEN`.
    fn joined(nodes: Box<[Node]>) -> Vec<Self> {
        let mut terms: Vec<Self> = Vec::with_capacity(nodes.len());
        for term in nodes.into_iter().map(Self::of) {
            if let (Some(Self::Test(before, Test::Range(a))), Self::Test(slot, Test::Range(b))) =
                (terms.last_mut(), &term)
            {
                if let Some(both) = a.and(*b).filter(|_| before.at == slot.at) {
                    *a = both;
                    continue;
                }
            }
            terms.push(term);
        }
        terms
    }

    /// Whether its loop calls a function for each record.
    fn has_calls(&self) -> bool {
        match self {
            Self::Not(term) | Self::Is(term, _) => term.has_calls(),
            Self::Test(_, Test::Bytes(..) | Test::Texts(_) | Test::Like(_)) => true,
            Self::All(_) | Self::Any(_) | Self::Fields(..) => true,
            _ => false,
        }
    }

    /// How many lanes beside its result the term needs for each record.
    pub(super) fn scratch_lanes(&self) -> usize {
        match self {
            Self::All(terms) | Self::Any(terms) => {
                let inner = terms.iter().map(|term| 1 + term.scratch_lanes());
                inner.max().unwrap_or(0)
            }
            Self::Not(term) | Self::Is(term, _) => term.scratch_lanes(),
            _ => 0,
        }
    }

    /// Writes the term's value for each record to `lanes`. `scratch` has
    /// [`Term::scratch_lanes`] times as many.
    ///
    /// # Errors
    /// A field that is damaged in one of the records; in a batch of one record, the first that the
    /// condition asks for.
    pub(super) fn eval<'t>(
        &'t self,
        rows: Rows<'_, '_>,
        lanes: &mut [u8],
        scratch: &mut [u8],
    ) -> Result<(), &'t Slot> {
        match self {
            Self::Constant(value) => {
                lanes.fill(if *value { TRUE } else { FALSE });
                Ok(())
            }
            Self::All(terms) => chain(terms, true, rows, lanes, scratch),
            Self::Any(terms) => chain(terms, false, rows, lanes, scratch),
            Self::Not(term) => {
                term.eval(rows, lanes, scratch)?;
                lanes::not(lanes);
                Ok(())
            }
            Self::Is(term, truth) => {
                term.eval(rows, lanes, scratch)?;
                lanes::is(lanes, *truth);
                Ok(())
            }
            Self::IsNull(slot) => lanes::is_null(rows, slot, lanes),
            Self::Flag(slot) => test::flag(slot, rows, lanes),
            Self::Test(slot, test) => test.lanes(slot, rows, lanes),
            Self::Fields(left, comparison, right) => {
                fields::lanes(left, *comparison, right, rows, lanes)
            }
        }
    }
}

/// The value of an `AND` or an `OR`.
fn chain<'t>(
    terms: &'t [Term],
    is_all: bool,
    rows: Rows<'_, '_>,
    lanes: &mut [u8],
    scratch: &mut [u8],
) -> Result<(), &'t Slot> {
    let decided = if is_all { FALSE } else { TRUE };
    let Some((first, others)) = terms.split_first() else {
        lanes.fill(TRUE - decided);
        return Ok(());
    };
    first.eval(rows, lanes, scratch)?;
    let (next, scratch) = scratch.split_at_mut(if others.is_empty() { 0 } else { lanes.len() });
    for term in others {
        let left = lanes.len() - count(lanes, decided);
        if left == 0 {
            break;
        }
        let (part, of) = if term.has_calls() { FEW_FOR_CALLS } else { FEW };
        if left * of > lanes.len() * part {
            term.eval(rows, next, scratch)?;
            lanes::merge(lanes, next, is_all);
            continue;
        }
        undecided(term, is_all, rows, lanes, next, scratch)?;
    }
    Ok(())
}

/// As [`chain`] for one more term, which looks only at the records that are not decided.
fn undecided<'t>(
    term: &'t Term,
    is_all: bool,
    rows: Rows<'_, '_>,
    lanes: &mut [u8],
    next: &mut [u8],
    scratch: &mut [u8],
) -> Result<(), &'t Slot> {
    let decided = if is_all { FALSE } else { TRUE };
    let runs = rows.undecided(lanes, decided);
    let next = &mut next[..lanes.len() - count(lanes, decided)];
    term.eval(Rows::new(&runs, rows.stride()), next, scratch)?;
    let undecided = lanes.iter_mut().filter(|lane| **lane != decided);
    for (lane, next) in undecided.zip(&*next) {
        *lane = if is_all { (*lane).min(*next) } else { (*lane).max(*next) };
    }
    Ok(())
}

/// The value of `term` for the records that are live; false for deleted ones. `scratch` has
/// [`Term::scratch_lanes`] and one more for each record. `None` if a status byte is neither live
/// nor deleted, or if a field is damaged.
pub(super) fn of_live(
    term: &Term,
    status: StatusByte,
    rows: Rows<'_, '_>,
    lanes: &mut [u8],
    scratch: &mut [u8],
) -> Option<()> {
    if !lanes::is_live(rows, status.at, status.live, lanes) {
        return None;
    }
    if count(lanes, FALSE) == 0 {
        return term.eval(rows, lanes, scratch).ok();
    }
    // The bytes of deleted records are no fields.
    let (next, scratch) = scratch.split_at_mut(lanes.len());
    undecided(term, true, rows, lanes, next, scratch).ok()
}
