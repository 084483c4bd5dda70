//! How a command fails, and what the shell is told.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::interrupt;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error, which says what to do.
    Library(flatrec::Error),
    /// What only the command line can find wrong.
    Message(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// Standard output could not be written, when the work had been done already: what was.
    OutputAfter(String, io::Error),
    /// Someone pressed Ctrl-C, and the work has been taken back.
    Interrupted,
}

impl Failure {
    /// Reports the failure on standard error; the status to exit with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_broken_pipe() {
            // The reader has seen enough: `flatrec scan … | head`.
            return ExitCode::SUCCESS;
        }
        let (status, text) = match self {
            Self::Library(error) => (1, error.to_string()),
            Self::Message(text) => (1, text.clone()),
            Self::Output(error) => (1, format!("write to standard output: {error}")),
            Self::OutputAfter(done, error) => {
                (1, format!("{done}, but this could not be written to standard output: {error}"))
            }
            Self::Interrupted => (interrupt::EXIT_STATUS, "interrupted, nothing changed".into()),
        };
        // If nobody can be told, there is nobody left to tell that.
        let _ = writeln!(io::stderr(), "flatrec: {text}");
        ExitCode::from(status)
    }

    /// The failure of doing `verb` with record `id` of the store at `path`, if it is about its
    /// bytes; those of writing results are not.
    pub(crate) fn in_record(self, verb: &str, path: &Path, id: u64) -> Self {
        match self {
            Self::Library(error) if error.source().is_none() => {
                let path = path.display();
                Self::Message(format!("{verb} {path}, record {id}: {}", why(&error)))
            }
            other => other,
        }
    }

    fn is_broken_pipe(&self) -> bool {
        let cause = match self {
            Self::Library(error) => error.source().and_then(|source| source.downcast_ref()),
            Self::Output(error) | Self::OutputAfter(_, error) => Some(error),
            Self::Message(_) | Self::Interrupted => None,
        };
        cause.is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What is wrong, without the operation and the place, for a message that says those itself.
fn why(error: &flatrec::Error) -> String {
    let text = error.to_string();
    match text.find(&format!(": {}", error.kind())) {
        Some(at) => text[at + 2..].to_owned(),
        None => text,
    }
}

impl From<flatrec::Error> for Failure {
    fn from(error: flatrec::Error) -> Self {
        Self::Library(error)
    }
}

/// Only standard output is written with plain `io` calls; files are the library's.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
