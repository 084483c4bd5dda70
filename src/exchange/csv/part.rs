//! The parts of a file that threads work on: blocks of rows, and the results for each.

mod plain;
mod records;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};

use super::block::Blocks;
use super::column::{Refused, advice_on_names, looks_like_data};
use super::infer::Seen;
use super::nulls::NullTexts;
use super::options::CsvOptions;
use super::spaces;
use super::split::{
    Form, Grid, Malformed, Row, Span, Splitter, count_lines, last_row_end, line_end,
};
use crate::error::{Error, ErrorKind, Result, quoted};
pub(super) use records::{LoadPlan, NotePlan, Records};

/// The facts about a file that its first row gives.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) names: Vec<String>,
    /// The place of the first data row in the first block, after any header.
    rows_start: usize,
    /// The line ends before that.
    pub(super) lines: u64,
}

impl Layout {
    /// Reads the first block and the column names in it.
    ///
    /// # Errors
    /// An error of reading; [`ErrorKind::InvalidValue`] for an empty file, for a header that is
    /// malformed, not UTF-8, repeats a name or lacks one, and for rows that all have one field more
    /// than the header or seem to be divided by spaces.
    pub(super) fn read(blocks: &mut Blocks<'_>, options: &CsvOptions) -> Result<(Self, Vec<u8>)> {
        let mut block = Vec::new();
        let end = blocks.next(&mut block)?;
        block.truncate(end);
        let ignored = blocks.ignored();
        let text = &block[ignored..];
        let mut is_quoted = false;
        let first = Splitter::new(blocks.form(), false).rows(text, |row| {
            is_quoted = row.spans.first().is_some_and(Span::is_quoted);
            ControlFlow::Break(first_row(&row, text, options))
        });
        let (names, rows_start) = match first {
            ControlFlow::Break(Ok((names, start))) => (names, ignored + start),
            ControlFlow::Break(Err(error)) => return Err(error),
            // Blank lines are the nulls of one column.
            ControlFlow::Continue(()) if !options.header && !text.is_empty() => {
                (vec![column_at(0)], ignored)
            }
            ControlFlow::Continue(()) => {
                return Err(bad("the file has no rows".into(), "give a file with a header"));
            }
        };
        // So are those before the first value.
        let is_one_column = !options.header && names.len() == 1;
        let rows_start = if is_one_column { ignored } else { rows_start };
        let rows = &block[rows_start..];
        if options.header && !rows.is_empty() {
            check_width(rows, blocks.form(), names.len())?;
        }
        if names.len() == 1 && options.detects_delimiter && !is_quoted {
            spaces::check(text, rows)?;
        }
        let names = if options.rename_duplicates { renamed(names) } else { names };
        let mut places = HashMap::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            if let Some(earlier) = places.insert(name, at) {
                let why =
                    format!("columns {} and {} are both {}", earlier + 1, at + 1, quoted(name));
                let otherwise = "rename one of them, or use CsvOptions::rename_duplicates";
                return Err(bad(why, advice_on_names(&names, otherwise)));
            }
        }
        let lines = count_lines(&block[..rows_start]);
        Ok((Self { names, rows_start, lines }, block))
    }
}

/// The names, of which each that an earlier column has gets a number.
fn renamed(names: Vec<String>) -> Vec<String> {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut seen = HashSet::with_capacity(names.len());
    let rename = |name: String| {
        if seen.insert(name.clone()) {
            return name;
        }
        let mut free = (2..).map(|number| format!("{name}_{number}"));
        let free = free.find(|free| !taken.contains(free)).unwrap_or(name);
        taken.insert(free.clone());
        free
    };
    names.into_iter().map(rename).collect()
}

/// The name of the column at a place, of which the header has none.
fn column_at(at: usize) -> String {
    format!("column_{}", at + 1)
}

/// An error of the header.
pub(super) fn bad(detail: String, advice: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidValue, "read the header of").detail(detail).advice(advice)
}

/// The names of the columns and the start of the data.
fn first_row(row: &Row<'_>, block: &[u8], options: &CsvOptions) -> Result<(Vec<String>, usize)> {
    if let Some(malformed) = row.malformed {
        let is_spaced = malformed == Malformed::TextAfterQuote
            && block[row.start..row.next].windows(2).any(|pair| pair == b"\" ");
        return Err(bad(
            describe(malformed).into(),
            match is_spaced {
                true => "correct the first row; if spaces divide it, use CsvOptions::delimiter",
                false => "correct the first row",
            },
        ));
    }
    if !options.header {
        return Ok(((0..row.spans.len()).map(column_at).collect(), row.start));
    }
    let mut scratch = Vec::new();
    let name = |(at, span): (usize, &Span)| {
        let bytes = span.cell(block, &mut scratch).text();
        match std::str::from_utf8(bytes) {
            Ok(name) => Ok(name.to_owned()),
            Err(error) => Err(bad(
                format!("the name of column {} is not UTF-8: {error}", at + 1),
                "correct the first row, or convert the file to UTF-8",
            )),
        }
    };
    let mut names = row.spans.iter().enumerate().map(name).collect::<Result<Vec<_>>>()?;
    let mut nameless = names.iter().enumerate().filter(|(_, name)| name.is_empty());
    if let Some((first, _)) = nameless.next().filter(|_| !options.rename_duplicates) {
        let more = match nameless.count() {
            0 => "has".to_owned(),
            more => format!("and {more} more have"),
        };
        let named = format!(
            "name it, or use CsvOptions::rename_duplicates, which calls it {}",
            column_at(first)
        );
        let advice = match looks_like_data(&names) {
            true => format!("{named}; if the first row is data, use CsvOptions::header(false)"),
            false => named,
        };
        return Err(bad(format!("column {} {more} no name", first + 1), advice));
    }
    for (at, name) in names.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
        *name = column_at(at);
    }
    Ok((names, row.next))
}

/// Fewer rows do not show that the header is at fault.
const ROWS_MIN: u64 = 2;

/// Refuses a header of `columns` names if every row after it, in `rows`, has one field more.
fn check_width(rows: &[u8], form: Form, columns: usize) -> Result<()> {
    let mut count = 0;
    let all_differ = Splitter::new(form, false).rows(rows, |row| {
        count += 1;
        match row.malformed.is_none() && row.spans.len() == columns + 1 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    if count < ROWS_MIN || all_differ.is_break() {
        return Ok(());
    }
    let names = if columns == 1 { "1 name".into() } else { format!("{columns} names") };
    Err(bad(
        format!("it has {names}, and the rows have {} fields, one more", columns + 1),
        "R writes names of rows without a name for their column: add it; or leave the header out \
         (CsvOptions::skip_lines) and use CsvOptions::header(false)",
    ))
}

fn describe(malformed: Malformed) -> &'static str {
    match malformed {
        Malformed::TextAfterQuote => "there is text between a closing quote and the next delimiter",
        Malformed::UnclosedQuote => "a quote is never closed",
    }
}

/// A bad row of a part.
#[derive(Debug)]
pub(super) struct Fault {
    /// The line ends before the row in its block.
    pub(super) lines: u64,
    /// The place of the row in the block, without its line end.
    pub(super) place: Range<usize>,
    /// The faulty column, if one column is at fault.
    pub(super) column: Option<usize>,
    pub(super) why: Refused,
}

/// Why a row is bad: the faulty column, if one column is at fault, and the reason.
type Refusal = (Option<usize>, Refused);

/// A block of rows and its results.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) block: Vec<u8>,
    splitter: Splitter,
    grid: Grid,
    rows_start: usize,
    rows_end: usize,
    /// The bytes of the file on disk that had been read with this block.
    pub(super) read_bytes: u64,
    /// The end of the block in the text.
    pub(super) end_offset: u64,
    /// How many rows to process; results for the rest of the block have no meaning.
    pub(super) rows_max: u64,

    /// The number of good rows.
    pub(super) rows: u64,
    /// The line ends after `rows_start`.
    pub(super) lines: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) result: T,
}

impl<T: Default> Part<T> {
    pub(super) fn new(form: Form, one_column: bool) -> Self {
        Self {
            block: Vec::new(),
            splitter: Splitter::new(form, one_column),
            grid: Grid::default(),
            rows_start: 0,
            rows_end: 0,
            read_bytes: 0,
            end_offset: 0,
            rows_max: u64::MAX,
            rows: 0,
            lines: 0,
            faults: Vec::new(),
            result: T::default(),
        }
    }

    /// A part with the whole rows of `text` after its first line end, of a file without other
    /// parts.
    pub(super) fn within(text: Vec<u8>, form: Form, one_column: bool) -> Self {
        let rows_start = line_end(&text);
        let rows_end = rows_start + last_row_end(&text[rows_start..], form);
        Self { rows_start, rows_end, block: text, ..Self::new(form, one_column) }
    }

    /// Leaves out the rows after the first `len_bytes` bytes, but not the first row.
    pub(super) fn shorten(&mut self, len_bytes: usize, form: Form) {
        let rows = &self.block[self.rows_start..self.rows_end];
        let mut len = len_bytes.max(1);
        while len < rows.len() {
            if let end @ 1.. = last_row_end(&rows[..len], form) {
                self.rows_end = self.rows_start + end;
                return;
            }
            len *= 2;
        }
    }

    /// The bytes of its rows.
    pub(super) fn text_bytes(&self) -> u64 {
        (self.rows_end - self.rows_start) as u64
    }

    /// The first part, with the block of [`Layout::read`].
    pub(super) fn first(layout: &Layout, block: Vec<u8>, form: Form) -> Self {
        let part = Self::new(form, layout.names.len() == 1);
        Self { rows_start: layout.rows_start, rows_end: block.len(), block, ..part }
    }

    /// Reads the next block, if there is one, and replaces the old content.
    pub(super) fn refill(&mut self, blocks: &mut Blocks<'_>) -> Result<bool> {
        self.rows_start = 0;
        self.rows = 0;
        self.faults.clear();
        self.rows_end = blocks.next(&mut self.block)?;
        Ok(self.rows_end > 0)
    }

    /// Calls `take` for each row with as many fields as there are columns, and collects the faults:
    /// all of them or, without `lenient`, only the first, at which it stops.
    fn scan(
        &mut self,
        columns: usize,
        lenient: bool,
        mut take: impl FnMut(&mut T, Fields<'_>) -> Result<(), Refusal>,
    ) {
        let text = &self.block[self.rows_start..self.rows_end];
        let known_utf8 = std::str::from_utf8(text).is_ok();
        let counter = LineCounter::default();
        let _ = self.splitter.rows(text, |row| {
            if self.rows == self.rows_max {
                return ControlFlow::Break(());
            }
            let taken = match row.malformed {
                Some(malformed) => Err((None, describe(malformed).to_owned().into())),
                None if row.spans.len() != columns => Err(wrong_count(row.spans.len(), columns)),
                None => {
                    let (spans, start) = (row.spans, row.start);
                    let fields = Fields { text, spans, known_utf8, start, counter: &counter };
                    take(&mut self.result, fields)
                }
            };
            let Err((column, why)) = taken else {
                self.rows += 1;
                return ControlFlow::Continue(());
            };
            let lines = counter.lines_before(row.start, text);
            let end = without_line_end(&text[..row.next], row.start);
            let place = self.rows_start + row.start..self.rows_start + end;
            self.faults.push(Fault { lines, place, column, why });
            if lenient { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.lines = count_lines(text);
    }
}

/// The refusal of a row with too few or too many fields.
fn wrong_count(fields: usize, columns: usize) -> Refusal {
    (None, format!("the row has {fields} fields instead of {columns}").into())
}

/// The end of the row that begins at `start` and ends with `text`, without its line end.
fn without_line_end(text: &[u8], start: usize) -> usize {
    let row = &text[start..];
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    start + row.strip_suffix(b"\r").unwrap_or(row).len()
}

/// Counts the line ends of a text, each once, for places that are asked for in order.
#[derive(Default)]
struct LineCounter {
    /// The place up to which line ends are counted, and their number.
    counted: Cell<(usize, u64)>,
}

impl LineCounter {
    fn lines_before(&self, place: usize, text: &[u8]) -> u64 {
        let (counted_to, lines) = self.counted.get();
        let lines = lines + count_lines(&text[counted_to..place]);
        self.counted.set((place, lines));
        lines
    }
}

/// The fields of one row.
struct Fields<'b> {
    text: &'b [u8],
    spans: &'b [Span],
    known_utf8: bool,
    start: usize,
    counter: &'b LineCounter,
}

impl Fields<'_> {
    /// The line ends before the row in its block.
    #[cold]
    fn lines_before(&self) -> u64 {
        self.counter.lines_before(self.start, self.text)
    }
}

/// The plan of an inference.
pub(super) struct InferPlan<'p> {
    pub(super) options: &'p CsvOptions,
    /// For each column the texts that mean null.
    pub(super) nulls: Vec<NullTexts>,
    pub(super) lenient: bool,
}

impl<'p> InferPlan<'p> {
    pub(super) fn new(options: &'p CsvOptions, names: &[String], lenient: bool) -> Self {
        let nulls = names.iter().map(|name| NullTexts::new(options.null_texts_of(name)));
        Self { options, nulls: nulls.collect(), lenient }
    }
}

impl Part<Vec<Seen>> {
    /// Notes the facts about the rows.
    pub(super) fn infer(&mut self, plan: &InferPlan<'_>) {
        self.note_facts(plan, |seen| seen);
    }
}

impl<T: Default> Part<T> {
    /// Notes the facts about the rows in the part of the result that `place` names.
    fn note_facts(&mut self, plan: &InferPlan<'_>, place: fn(&mut T) -> &mut Vec<Seen>) {
        let columns = plan.nulls.len();
        let seen = place(&mut self.result);
        seen.clear();
        seen.resize(columns, Seen::default());
        let mut scratch = Vec::new();
        self.scan(columns, plan.lenient, |result, fields| {
            if !fields.known_utf8 {
                check_utf8(&fields, &mut scratch)?;
            }
            let columns = place(result).iter_mut().zip(&plan.nulls);
            for ((seen, nulls), span) in columns.zip(fields.spans) {
                let cell = span.cell(fields.text, &mut scratch);
                if nulls.has(cell.text()) {
                    seen.null_text(cell, span.is_quoted(), plan.options);
                } else {
                    seen.value(cell, plan.options, || fields.lines_before());
                }
            }
            Ok(())
        });
    }
}

/// Refuses a row with a field that is not UTF-8.
#[cold]
fn check_utf8(fields: &Fields<'_>, scratch: &mut Vec<u8>) -> Result<(), Refusal> {
    for (at, span) in fields.spans.iter().enumerate() {
        if let Err(error) = std::str::from_utf8(span.cell(fields.text, scratch).text()) {
            return Err((Some(at), format!("column {}: text: {error}", at + 1).into()));
        }
    }
    Ok(())
}

impl Part<Option<usize>> {
    /// Finds the first text of `column` with `len_bytes` bytes: the place in the rows where it
    /// begins.
    pub(super) fn find_text(&mut self, columns: usize, column: usize, len_bytes: usize) {
        let mut scratch = Vec::new();
        self.scan(columns, true, |found, fields| {
            let text = fields.spans[column].cell(fields.text, &mut scratch).text();
            if found.is_none() && text.len() == len_bytes {
                *found = Some(fields.spans[column].start());
            }
            Ok(())
        });
    }

    /// The line ends before the text that was found.
    pub(super) fn lines_before_text(&self) -> Option<u64> {
        let rows = &self.block[self.rows_start..self.rows_end];
        self.result.map(|start| count_lines(&rows[..start]))
    }
}
