//! The failures of a command, and its exit statuses.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use flatrec::{Cause, ErrorKind, printable};

use crate::interrupt;
use crate::output;

/// The status of a command that has done its work but could not report it, or could not do the next
/// step.
pub(crate) const DONE_STATUS: u8 = 3;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error, which says what to do.
    Library(flatrec::Error),
    /// A fault that only the command line finds.
    Message(String),
    /// Options that do not go together.
    Usage(String),
    /// Standard output, the result of the command, could not be written.
    Output(io::Error),
    /// The work was done, but a step after it failed: the text says both.
    Done(String),
    /// A signal ended the command, and the work was undone.
    Interrupted,
    /// A failure, and what to do, as a line of its own.
    Advised(Box<Failure>, String),
    /// Why a load was interrupted, and how to resume it.
    Cut(Box<Failure>, String),
}

/// Writes `text`, escaped for a terminal, as a line on standard error.
pub(crate) fn say(text: &str) {
    tell("flatrec: ", text);
}

/// As [`say`], with another beginning.
pub(crate) fn tell(beginning: &str, text: &str) {
    let line = format!("{beginning}{}\n", printable(text));
    // A failure to write standard error cannot be reported.
    let _ = io::stderr().write_all(line.as_bytes());
}

impl Failure {
    /// Reports the failure on standard error; returns the exit status.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_end_of_reading() {
            // The reader has closed the pipe: `flatrec scan … | head`.
            return ExitCode::SUCCESS;
        }
        let (status, lines) = self.report();
        lines.iter().for_each(|line| say(line));
        ExitCode::from(status)
    }

    /// The exit status, and the lines to report.
    fn report(&self) -> (u8, Vec<String>) {
        match self {
            Self::Library(error) => (1, vec![told(error)]),
            Self::Message(text) => (1, vec![text.clone()]),
            Self::Usage(text) => (2, vec![text.clone()]),
            Self::Output(error) => (1, vec![format!("write to standard output: {error}")]),
            Self::Done(text) => (DONE_STATUS, vec![text.clone()]),
            Self::Interrupted => {
                (interrupt::exit_status(), vec!["interrupted, nothing changed".into()])
            }
            Self::Advised(why, advice) => {
                let (status, mut lines) = why.report();
                lines.push(advice.clone());
                (status, lines)
            }
            Self::Cut(why, kept) => match &**why {
                Self::Interrupted => {
                    (interrupt::exit_status(), vec![format!("interrupted; {kept}")])
                }
                why => {
                    let (status, mut lines) = why.report();
                    lines.push(kept.clone());
                    (status, lines)
                }
            },
        }
    }

    /// Whether the same command may succeed later, because the input is not at fault.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Library(error) => matches!(
                error.kind(),
                ErrorKind::Io
                    | ErrorKind::NoSpace
                    | ErrorKind::PermissionDenied
                    | ErrorKind::Poisoned
            ),
            _ => true,
        }
    }

    /// The failure of doing `verb` with record `id` of the store at `path`, if the record's bytes
    /// are at fault; an error of writing the result is not changed.
    pub(crate) fn in_record(self, verb: &str, path: &Path, id: u64) -> Self {
        match self {
            Self::Library(error) if error.io_error().is_none() => {
                let path = path.display();
                Self::Message(format!("{verb} {path}, record {id}: {}", why(&error)))
            }
            other => other,
        }
    }

    /// The failure of doing `verb` with the store at `path`, if the command line is at fault and no
    /// record.
    pub(crate) fn in_store(self, verb: &str, path: &Path) -> Self {
        match self {
            Self::Library(error) if error.io_error().is_none() => {
                Self::Message(format!("{verb} {}: {}", path.display(), why(&error)))
            }
            other => other,
        }
    }

    /// The failure of what a line of a file asks for.
    pub(crate) fn on_line(self, file: &Path, line: u64) -> Self {
        let place = format!("{}, line {line}", file.display());
        match self {
            Self::Message(text) => Self::Message(format!("{place}: {text}")),
            Self::Library(error) => Self::Message(format!("{place}: {error}")),
            other => other,
        }
    }

    /// Replaces the advice of errors of `kind` by one for the command line.
    pub(crate) fn advise(self, kind: ErrorKind, advice: &str) -> Self {
        match self {
            Self::Library(error) if error.kind() == kind => {
                Self::Message(format!("{} ({advice})", without_advice(&error)))
            }
            other => other,
        }
    }

    /// As [`Failure::advise`], only for an error about the file at `path`.
    pub(crate) fn advise_on(self, path: &Path, kind: ErrorKind, advice: &str) -> Self {
        match &self {
            Self::Library(error) if error.file_path() == Some(path) => self.advise(kind, advice),
            _ => self,
        }
    }

    /// As [`Failure::advise`] for a row that does not fit the schema.
    pub(crate) fn advise_on_row(self, advice: &str) -> Self {
        match &self {
            Self::Library(error) if error.operation() == "load" => {
                let round = match self.is_about_unfit_number() {
                    true => ", or store the nearest values with --round",
                    false => "",
                };
                self.advise(ErrorKind::InvalidValue, &format!("{advice}{round}"))
            }
            _ => self,
        }
    }

    /// Whether the error is about a number that its field does not keep.
    pub(crate) fn is_about_unfit_number(&self) -> bool {
        match self {
            Self::Library(error) => error.cause() == Some(Cause::UnfitNumber),
            _ => false,
        }
    }

    /// The failure of a step after finished work, which `done` describes.
    pub(crate) fn after(self, done: &str) -> Self {
        let (_, lines) = self.report();
        Self::Done(format!("{done}, but: {}", lines.join("; ")))
    }

    /// The same text, for work that itself failed.
    pub(crate) fn undone(self) -> Self {
        match self {
            Self::Done(text) => Self::Message(text),
            other => other,
        }
    }

    /// Whether standard output lost its reader, in a command whose only result is its output.
    fn is_end_of_reading(&self) -> bool {
        // ERROR_PIPE_NOT_CONNECTED: "no process is on the other end".
        let is_left = |error: &io::Error| cfg!(windows) && error.raw_os_error() == Some(233);
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe || is_left(error),
            _ => false,
        }
    }
}

/// The library's text, without advice that only a program can follow.
fn told(error: &flatrec::Error) -> String {
    match error.kind() {
        // Our own text, which is complete.
        _ if error.operation() == "call back" && error.io_error().is_some() => {
            error.io_error().map(ToString::to_string).unwrap_or_default()
        }
        ErrorKind::Locked => format!(
            "{} (close the other program that has it open, or try again when it has finished)",
            without_advice(error)
        ),
        _ => with_options(error),
    }
}

/// The settings of the library that its advice names, and the options that set them.
const OPTIONS: [(&str, &str); 14] = [
    ("a TableReader and InputFormat::Arrow", "--format arrow"),
    ("a TableReader and InputFormat::Parquet", "--format parquet"),
    ("a TableReader and InputFormat::Npy", "--format npy"),
    ("a TableReader and InputFormat::Npz", "--format npz"),
    ("read it with a TableReader", "load it into a store with flatrec load"),
    ("TableReader::array", "--array NAME"),
    ("CsvOptions::text_width_of", "--text-width COLUMN=N"),
    ("CsvReader::on_reject", "--rejects FILE"),
    ("CsvOptions::rename_duplicates", "--rename-duplicates"),
    ("CsvOptions::header(false)", "--no-header"),
    ("CsvOptions::header(true)", "--header"),
    ("CsvOptions::skip_lines", "--skip"),
    ("CsvOptions::delimiter with a space; with a comma", "--delimiter ' '; with --delimiter ,"),
    ("CsvOptions::delimiter", "--delimiter ' '"),
];

/// The library's text, with the options of the command in its advice.
fn with_options(error: &flatrec::Error) -> String {
    let text = error.to_string();
    let (fault, advice) = text.split_at(without_advice(error).len());
    let mut advice = advice.to_owned();
    for (setting, option) in OPTIONS {
        advice = advice.replace(setting, option);
    }
    format!("{fault}{advice}")
}

/// The error without the advice in parentheses at its end.
pub(crate) fn without_advice(error: &flatrec::Error) -> String {
    let mut text = error.to_string();
    if let Some(advice) = error.what_to_do() {
        text.truncate(text.len() - format!(" ({advice})").len());
    }
    text
}

/// The fault without the operation and the place, for a message that states those itself.
pub(crate) fn why(error: &flatrec::Error) -> String {
    let text = error.to_string();
    match text.find(&format!(": {}", error.kind())) {
        Some(at) => text[at + 2..].to_owned(),
        None => text,
    }
}

/// Distinguishes errors of standard output from those of files, also after they went through the
/// library.
impl From<flatrec::Error> for Failure {
    fn from(error: flatrec::Error) -> Self {
        match error.io_error().and_then(output::failure_in) {
            Some(of_output) => Self::Output(of_output),
            None => Self::Library(error),
        }
    }
}

/// Only standard output is written with plain `io` calls; the library writes the files.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(output::failure_in(&error).unwrap_or(error))
    }
}
