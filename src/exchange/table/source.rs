//! The rows of an input as records, in fields of their own.

use std::sync::Arc;

use crate::error::{Cause, Result};
use crate::format::Field;

/// What the decimals of an input become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Decimals {
    /// Integers of their last digit.
    #[default]
    Integers,
    Floats,
}

/// A column of an input, and what only its rows tell.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The field that holds every value of the column; `measured` says what is still open.
    pub(super) field: Field,
    /// Whether the text is as wide as its longest value.
    pub(super) is_width_measured: bool,
    /// Whether the field is nullable only if a row has a null.
    pub(super) are_nulls_measured: bool,
    /// Whether values may be other bytes than UTF-8, which makes the field binary.
    pub(super) may_be_binary: bool,
}

impl Column {
    /// Whether the rows must be read to choose the field.
    pub(super) fn is_open(&self) -> bool {
        self.is_width_measured || self.are_nulls_measured || self.may_be_binary
    }
}

/// Some rows, and the records that they become.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The fields of the rows, at their places in records of `record_bytes` bytes.
    pub(super) fields: Arc<[Field]>,
    pub(super) record_bytes: usize,
    pub(super) records: Vec<u8>,
    /// The rows that have no record because the source could not make one: in order, with the
    /// number of the column and the reason. Their bytes are in `records`, and mean nothing.
    pub(super) faults: Vec<(usize, usize, String)>,
    /// The rows with a value that the source has rounded, once for each.
    pub(super) rounded: Vec<usize>,
    /// The bytes read of the input so far.
    pub(super) read_bytes: u64,
    pub(super) result: Fitted,
}

impl Block {
    pub(super) fn rows(&self) -> usize {
        self.records.len() / self.record_bytes.max(1)
    }
}

/// The rows that became records, and those that did not.
#[derive(Debug, Default)]
pub(super) struct Fitted {
    pub(super) records: Vec<u8>,
    pub(super) loaded: u64,
    pub(super) nulls: u64,
    pub(super) rounded: u64,
    pub(super) bad: Vec<BadRow>,
}

/// A row that does not fit.
#[derive(Debug)]
pub(super) struct BadRow {
    /// The number of the row in its block.
    pub(super) row: usize,
    /// The number of the field in the schema.
    pub(super) field: usize,
    pub(super) reason: String,
    pub(super) cause: Option<Cause>,
    /// The text of the value, if it is not null.
    pub(super) text: Option<String>,
}

/// The rows of an input, read from its start.
pub(super) trait Source {
    fn columns(&self) -> &[Column];

    /// The number of rows left, if it is known.
    fn rows_left(&self) -> Option<u64>;

    /// Replaces the rows of `block` by the next ones, and returns whether there were some.
    fn next(&mut self, block: &mut Block) -> Result<bool>;

    /// Skips so many rows.
    fn skip(&mut self, rows: u64) -> Result<()>;
}
