//! What is wrong with a store, in words.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Something in a store that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The byte offset in the file, where one is to blame.
    pub offset: Option<u64>,
    /// The record, where one is to blame.
    pub record: Option<u64>,
    /// The field, where one is to blame.
    pub field: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Problem {
    pub(crate) fn of_record(id: u64, what: String) -> Self {
        Self { offset: None, record: Some(id), field: None, what }
    }

    pub(crate) fn of_file(what: String) -> Self {
        Self { offset: None, record: None, field: None, what }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = self.record {
            write!(f, "record {record}")?;
            if let Some(field) = &self.field {
                write!(f, ", field {field}")?;
            }
            write!(f, ": ")?;
        } else if let Some(offset) = self.offset {
            write!(f, "byte {offset}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Whether a failure to open is a finding about the file rather than about the attempt.
pub(crate) fn is_problem(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotAStore
            | ErrorKind::Corrupt
            | ErrorKind::Truncated
            | ErrorKind::InvalidSchema
            | ErrorKind::UnsupportedFormat
    )
}
