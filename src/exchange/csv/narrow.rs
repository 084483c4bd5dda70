//! The narrowest types of numbers: what a column's values allow.

use super::parse::{self, Cell};
use crate::format::{DataType, Fit, fit_integer, has_same_text_as_float32};

/// Integers up to this magnitude are exact as an `f32`, and both floats write them alike.
const EXACT_FLOAT32_MAX: u64 = 1 << 24;
/// Of fewer digits than this number has, both floats write the shortest text: these digits.
const SHORT_MANTISSA_END: u64 = 1_000_000;

/// The range of a column's integers, and whether a `float32` suffices for all its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::exchange) struct Extent {
    least: i64,
    greatest: i64,
    past_float32: bool,
}

impl Extent {
    /// Notes a text; one that is not a number changes nothing.
    pub(super) fn note(&mut self, cell: Cell<'_>) {
        let Some(decimal) = parse::decimal(cell) else { return self.note_other(cell.text()) };
        let is_short = match decimal.integer() {
            Some(integer) => {
                self.note_integer(integer);
                decimal.mantissa <= EXACT_FLOAT32_MAX
            }
            None => decimal.mantissa < SHORT_MANTISSA_END,
        };
        if !is_short {
            self.note_float(cell.text());
        }
    }

    /// As [`Extent::note`], for the text of a number of JSON.
    pub(in crate::exchange) fn note_text(&mut self, text: &str) {
        self.note_other(text.as_bytes());
    }

    pub(in crate::exchange) fn merge(&mut self, other: &Self) {
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.past_float32 |= other.past_float32;
    }

    /// The narrowest integer type of the values. Unsigned types are no choice: the next file may
    /// have a negative value.
    pub(in crate::exchange) fn integer(&self) -> DataType {
        let types = [DataType::Int8, DataType::Int16, DataType::Int32];
        let holds = |data_type: &DataType| {
            data_type.integer_range().is_some_and(|(least, greatest)| {
                least <= self.least.into() && greatest >= self.greatest.into()
            })
        };
        types.into_iter().find(holds).unwrap_or(DataType::Int64)
    }

    pub(in crate::exchange) fn float(&self) -> DataType {
        if self.past_float32 { DataType::Float64 } else { DataType::Float32 }
    }

    fn note_integer(&mut self, integer: i64) {
        self.least = self.least.min(integer);
        self.greatest = self.greatest.max(integer);
    }

    fn note_other(&mut self, text: &[u8]) {
        if let Ok(Ok(Fit::Exact(integer))) = std::str::from_utf8(text).map(fit_integer::<i64>) {
            self.note_integer(integer);
        }
        self.note_float(text);
    }

    fn note_float(&mut self, text: &[u8]) {
        if !self.past_float32 {
            let same = std::str::from_utf8(text).map(has_same_text_as_float32);
            self.past_float32 = same == Ok(Some(false));
        }
    }
}
