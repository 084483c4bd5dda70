//! Standard output in three forms: aligned columns for people, CSV and NDJSON for programs.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::Path;

use flatrec::exchange::ExportFormat;
use flatrec::printable;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::failure::Failure;
use crate::interrupt;

/// The text as a message shows it: cut after so many characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The output format of a reading command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for people
    #[default]
    Table,
    /// Comma-separated values with a header row
    Csv,
    /// One JSON object a line
    Ndjson,
}

impl Format {
    /// The format of an export that writes the same; `None` for tables.
    pub(crate) fn of_export(self) -> Option<ExportFormat> {
        match self {
            Self::Table => None,
            Self::Csv => Some(ExportFormat::Csv),
            Self::Ndjson => Some(ExportFormat::Ndjson),
        }
    }
}

/// Standard output, buffered. The caller must flush it at the end to see errors.
pub(crate) fn stdout() -> BufWriter<Stdout> {
    BufWriter::with_capacity(1 << 16, Stdout(io::stdout().lock()))
}

/// Standard output, whose errors stay recognisable after they pass through other code.
#[derive(Debug)]
pub(crate) struct Stdout(StdoutLock<'static>);

impl Write for Stdout {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(marked)
    }
}

/// An error of standard output.
#[derive(Debug)]
struct OutputError(io::Error);

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for OutputError {}

fn marked(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), OutputError(error))
}

/// The error of standard output inside `error`, if there is one.
pub(crate) fn failure_in(error: &io::Error) -> Option<io::Error> {
    let OutputError(of_output) = error.get_ref()?.downcast_ref()?;
    Some(match of_output.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => of_output.kind().into(),
    })
}

/// Writes the line that reports finished work; `done` describes the work in the past tense.
///
/// # Errors
/// [`Failure::Done`]: a second run would do the work twice.
pub(crate) fn report(done: &str, line: &str) -> Result<(), Failure> {
    report_text(done, format!("{}\n", printable(line)).as_bytes())
}

/// As [`report`], for text in which content of files is already escaped. Written at once, so that a
/// reader that takes the first line takes all of it.
///
/// # Errors
/// As [`report`].
pub(crate) fn report_text(done: &str, text: &[u8]) -> Result<(), Failure> {
    interrupt::done(done);
    let mut out = io::stdout().lock();
    let written = out.write_all(text).and_then(|()| out.flush());
    interrupt::reported();
    written.map_err(|error| {
        Failure::Done(format!(
            "{done}; only its report could not be written to standard output: {error}"
        ))
    })
}

/// A path in the form for people.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// Whether standard output may still have a reader: a pipe reports its end only to a write or a
/// poll.
#[cfg(unix)]
pub(crate) fn has_reader() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut asked, Some(&at_once)) {
        Ok(_) => !asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP),
        Err(_) => true,
    }
}

/// Always true here: a write finds out.
#[cfg(not(unix))]
pub(crate) fn has_reader() -> bool {
    true
}

/// A column of a [`Table`].
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    numeric: bool,
    width: usize,
}

impl Column {
    pub(crate) fn text(name: impl Into<String>) -> Self {
        Self::new(name.into(), false)
    }

    /// A column of numbers, aligned to the right.
    pub(crate) fn number(name: impl Into<String>) -> Self {
        Self::new(name.into(), true)
    }

    fn new(name: String, numeric: bool) -> Self {
        let name = printable(&name).into_owned();
        Self { width: name.width(), name, numeric }
    }
}

/// Rows in aligned columns.
///
/// The widths are those of the header and of the first [`Table::BATCH_ROWS`] rows, so that a long
/// scan streams; a wider cell later shifts its row to the right.
#[derive(Debug)]
pub(crate) struct Table<W: Write> {
    out: W,
    columns: Vec<Column>,
    /// The first rows' cells, until the widths are known.
    batch: Vec<String>,
    settled: bool,
}

impl<W: Write> Table<W> {
    const BATCH_ROWS: usize = 1_000;

    pub(crate) fn new(out: W, columns: Vec<Column>) -> Self {
        Self { out, columns, batch: Vec::new(), settled: false }
    }

    /// Writes a row of as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: &[String]) -> io::Result<()> {
        let printable = cells.iter().map(|cell| printable(cell).into_owned());
        if self.settled {
            let cells: Vec<String> = printable.collect();
            return write_row(&mut self.out, &self.columns, &cells);
        }
        self.batch.extend(printable);
        if self.batch.len() >= Self::BATCH_ROWS * self.columns.len() {
            self.settle()?;
        }
        Ok(())
    }

    /// Writes the rows that are still held back.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    /// Writes the rows held back so far, which fixes the widths.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.settled {
            self.settle()?;
        }
        self.out.flush()
    }

    fn settle(&mut self) -> io::Result<()> {
        self.settled = true;
        let batch = std::mem::take(&mut self.batch);
        for row in batch.chunks_exact(self.columns.len()) {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.width = column.width.max(cell.width());
            }
        }
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        write_row(&mut self.out, &self.columns, &names)?;
        batch
            .chunks_exact(self.columns.len())
            .try_for_each(|row| write_row(&mut self.out, &self.columns, row))
    }
}

/// Writes a line of cells, separated by two spaces, without spaces at its end.
fn write_row(out: &mut impl Write, columns: &[Column], cells: &[String]) -> io::Result<()> {
    let mut line = String::new();
    for (i, (column, cell)) in columns.iter().zip(cells).enumerate() {
        if i > 0 {
            line.push_str("  ");
        }
        let padding = " ".repeat(column.width.saturating_sub(cell.width()));
        let (left, right) = if column.numeric { (&*padding, "") } else { ("", &*padding) };
        line.extend([left, cell, right]);
    }
    writeln!(out, "{}", line.trim_end())
}

/// A small table with known columns, written completely in any [`Format`].
#[derive(Debug)]
pub(crate) struct Sheet {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

impl Sheet {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row of as many values as there are columns: strings, numbers, bools or null.
    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        self.rows.push(values.into_iter().collect());
    }

    pub(crate) fn write(self, format: Format, mut out: impl Write) -> io::Result<()> {
        match format {
            Format::Table => {
                let mut table = Table::new(out, self.columns);
                for row in &self.rows {
                    let cells: Vec<String> = row.iter().map(plain).collect();
                    table.row(&cells)?;
                }
                table.finish()
            }
            Format::Csv => {
                let names: Vec<&str> = self.columns.iter().map(|column| &*column.name).collect();
                write_csv_row(&mut out, names.into_iter())?;
                for row in &self.rows {
                    let cells: Vec<String> = row.iter().map(plain).collect();
                    write_csv_row(&mut out, cells.iter().map(String::as_str))?;
                }
                out.flush()
            }
            Format::Ndjson => {
                for row in self.rows {
                    let names = self.columns.iter().map(|column| column.name.clone());
                    let object: Map<String, Value> = names.zip(row).collect();
                    writeln!(out, "{}", Value::Object(object))?;
                }
                out.flush()
            }
        }
    }
}

/// A value as a cell: text without quotes, nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes a row of CSV: quotes cells that could be misread, and doubles quotes in them.
pub(crate) fn write_csv_row<'c>(
    out: &mut impl Write,
    cells: impl Iterator<Item = &'c str>,
) -> io::Result<()> {
    let mut line = String::new();
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            line.push(',');
        }
        match cell.contains(['"', ',', '\n', '\r']) {
            true => line.extend(["\"", &cell.replace('"', "\"\""), "\""]),
            false => line.push_str(cell),
        }
    }
    writeln!(out, "{line}")
}
