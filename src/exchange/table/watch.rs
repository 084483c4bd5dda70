//! What a pass over an input tells its caller.

use std::path::PathBuf;

use crate::error::{Cause, Error, ErrorKind, Result};
use crate::exchange::{Input, Progress, Reject};

pub(super) type OnProgress<'a> = Box<dyn FnMut(Progress) -> Result<()> + 'a>;
pub(super) type OnReject<'a> = Box<dyn FnMut(&Reject<'_>) -> Result<()> + 'a>;

/// Counts what has been read, for progress and for errors.
pub(super) struct Watch {
    pub(super) name: PathBuf,
    total_bytes: Option<u64>,
    pub(super) rows: u64,
}

impl Watch {
    pub(super) fn new(input: &Input) -> Self {
        let (name, total_bytes) = (input.name().to_path_buf(), input.total_bytes());
        Self { name, total_bytes, rows: 0 }
    }

    /// Notes that so many rows are done.
    pub(super) fn pass(
        &mut self,
        rows: u64,
        done_bytes: u64,
        on_progress: &mut Option<OnProgress<'_>>,
    ) -> Result<()> {
        self.rows = rows;
        let total_bytes = self.total_bytes;
        match on_progress {
            Some(on_progress) => on_progress(Progress { done_bytes, total_bytes, rows }),
            None => Ok(()),
        }
    }

    /// The error of a bad row, which is on that line or has that number.
    pub(super) fn bad_row(&self, what: &str, number: u64, bad: &Bad<'_>) -> Error {
        let error = Error::new(ErrorKind::InvalidValue, "load")
            .path(&self.name)
            .detail(format!("{what} {number}: {}", bad.reason))
            .advice("correct it, set bad rows aside, or give the field another type");
        let error = match bad.text {
            Some(text) => error.value(text),
            None => error,
        };
        let error = match bad.field {
            Some(name) => error.field(name),
            None => error,
        };
        match bad.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

/// What is wrong with a row.
pub(super) struct Bad<'b> {
    pub(super) field: Option<&'b str>,
    pub(super) reason: &'b str,
    pub(super) cause: Option<Cause>,
    pub(super) text: Option<&'b str>,
}
