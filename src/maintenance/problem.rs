//! Problems of a store: what a check found, in words.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// A record, block, frame or file that a check does not trust, with its reason.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("flags.rec");
/// let schema = Schema::packed([Field::new("flag", DataType::Bool)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[0, 7])?; // 7 is not a bool
/// store.close()?;
/// let problem = &flatrec::verify(&path, flatrec::VerifyOptions::new())?.problems[0];
/// assert!(problem.to_string().starts_with("record 1, field flag: "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The offset in the file, if the problem has one.
    pub offset: Option<u64>,
    /// The number of the record, if the problem concerns one.
    pub record: Option<u64>,
    /// The name of the field, if the problem concerns one.
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

/// Whether a failure to open says that the file is bad, and not that the attempt failed.
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
