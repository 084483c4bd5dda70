//! How a command fails, and what the shell is told.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use flatrec::ErrorKind;

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
    /// Why a load was cut, and how it can go on.
    Cut(Box<Failure>, String),
}

impl Failure {
    /// Reports the failure on standard error; the status to exit with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_broken_pipe() {
            // The reader has seen enough: `flatrec scan … | head`.
            return ExitCode::SUCCESS;
        }
        let (status, text) = self.report();
        // If nobody can be told, there is nobody left to tell that.
        let _ = writeln!(io::stderr(), "flatrec: {text}");
        ExitCode::from(status)
    }

    /// The status to exit with, and what is said.
    fn report(&self) -> (u8, String) {
        match self {
            Self::Library(error) => (1, told(error)),
            Self::Message(text) => (1, text.clone()),
            Self::Output(error) => (1, format!("write to standard output: {error}")),
            Self::OutputAfter(done, error) => {
                (1, format!("{done}, but this could not be written to standard output: {error}"))
            }
            Self::Interrupted => (interrupt::EXIT_STATUS, "interrupted, nothing changed".into()),
            Self::Cut(why, kept) => match &**why {
                Self::Interrupted => (interrupt::EXIT_STATUS, format!("interrupted; {kept}")),
                why => (why.report().0, format!("{}\nflatrec: {kept}", why.report().1)),
            },
        }
    }

    /// Whether the same command may well succeed later: what failed is not in the input.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Library(error) => match error.kind() {
                ErrorKind::Io => !is_about_bytes(error),
                ErrorKind::NoSpace | ErrorKind::PermissionDenied | ErrorKind::Poisoned => true,
                _ => false,
            },
            _ => true,
        }
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

    /// What to do about errors of `kind`, in the words of the command line.
    pub(crate) fn advise(self, kind: ErrorKind, advice: &str) -> Self {
        match self {
            Self::Library(error) if error.kind() == kind => {
                Self::Message(format!("{} ({advice})", without_advice(&error)))
            }
            other => other,
        }
    }

    /// As [`Failure::advise`] for a row that its schema has no room for.
    pub(crate) fn advise_on_row(self, advice: &str) -> Self {
        match &self {
            Self::Library(error) if error.operation() == "load" => {
                self.advise(ErrorKind::InvalidValue, advice)
            }
            _ => self,
        }
    }

    fn is_broken_pipe(&self) -> bool {
        let cause = match self {
            Self::Library(error) => error.source().and_then(|source| source.downcast_ref()),
            Self::Output(error) | Self::OutputAfter(_, error) => Some(error),
            Self::Message(_) | Self::Interrupted | Self::Cut(..) => None,
        };
        // ERROR_PIPE_NOT_CONNECTED: "no process is on the other end".
        let is_left = |error: &io::Error| cfg!(windows) && error.raw_os_error() == Some(233);
        cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe || is_left(error))
    }
}

/// Whether the system's error is about what was read, such as a gzip file that is damaged.
fn is_about_bytes(error: &flatrec::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| {
        matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
    })
}

/// The library's words, but for advice that only a program can follow.
fn told(error: &flatrec::Error) -> String {
    match error.kind() {
        ErrorKind::Locked => format!(
            "{} (close the other program that has it open, or try again when it has finished)",
            without_advice(error)
        ),
        _ => error.to_string(),
    }
}

/// The error without the parenthesis at its end, in which the library says what to do; the system's
/// own, such as `(os error 17)`, stays.
fn without_advice(error: &flatrec::Error) -> String {
    let mut text = error.to_string();
    let mut depth = 0u32;
    let start = text.char_indices().rev().find(|(_, c)| {
        match c {
            ')' => depth += 1,
            '(' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    if let Some((at, '(')) = start {
        if !text[at..].starts_with("(os error ") {
            text.truncate(text[..at].trim_end().len());
        }
    }
    text
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
