//! Records from a plain block, column by column.
//!
//! Most blocks have no quotes and no carriage returns: each delimiter and each line feed ends a
//! field. The rows of such a block are taken in tiles, whose text and records stay in the nearest
//! cache. In a tile one column after the other is stored, each in a loop for its type, which costs
//! less than a choice for each field. The columns come in the order of their fields, because a
//! short text is stored as a whole word: later fields replace its zeros.
//!
//! A tile of which one row is bad is done again row by row, for the order of the faults.

use std::ops::Range;

use super::records::{Counts, LoadPlan, Records, put_other};
use super::{Fault, Fields, LineCounter, Part, wrong_count};
use crate::exchange::csv::column::Column;
use crate::exchange::csv::column::tile::{Tile, TileRecords};
use crate::exchange::csv::infer::Seen;
use crate::exchange::csv::options::CsvOptions;
use crate::exchange::csv::split::{Grid, Span};

/// The rows of a tile.
const ROWS: usize = 128;

impl Part<Records> {
    /// Makes records from the rows of a plain text in UTF-8; returns whether the text is that.
    pub(super) fn load_plain(&mut self, plan: &LoadPlan<'_>) -> bool {
        let text = &self.block[self.rows_start..self.rows_end];
        // A blank line of one column is a null.
        let is_plain = plan.columns.len() > 1
            && self.splitter.grid(text, &mut self.grid)
            && std::str::from_utf8(text).is_ok();
        if !is_plain {
            return false;
        }
        self.lines = self.grid.line_ends as u64;
        let mut lines = 0..0;
        while lines.start < self.grid.fields().len() {
            let first = first_field(&self.grid, lines.start);
            let whole = rows_of(plan.columns.len(), first, &self.grid.fields()[lines.start..]);
            lines.end = lines.start + whole;
            let tile = Tile {
                text: &self.block[self.rows_start..self.rows_end],
                starts: self.grid.starts_from(first),
                width: plan.columns.len(),
            };
            if whole > 0 && self.result.put_tile(plan, tile, lines.start, whole) {
                self.rows += whole as u64;
            } else {
                lines.end = lines.end.max(lines.start + 1);
                if !self.put_lines(plan, lines.clone()) {
                    break;
                }
            }
            lines.start = lines.end;
        }
        true
    }

    /// Makes records from lines one by one, and collects the faults; returns whether to go on.
    fn put_lines(&mut self, plan: &LoadPlan<'_>, lines: Range<usize>) -> bool {
        let text = &self.block[self.rows_start..self.rows_end];
        let width = plan.columns.len();
        let (mut spans, mut scratch) = (Vec::new(), Vec::new());
        for line in lines {
            let first = first_field(&self.grid, line);
            let count = self.grid.fields()[line] as usize - first;
            let starts = &self.grid.starts_from(first)[..=count];
            spans.clear();
            spans.extend(starts.windows(2).map(|pair| Span::plain(pair[0], pair[1] - 1)));
            let (start, end) = (starts[0] as usize, starts[count] as usize - 1);
            if start == end {
                continue; // a blank line
            }
            let counter = LineCounter::default();
            let taken = match count == width {
                true => {
                    let counter = &counter;
                    let fields = Fields { text, spans: &spans, known_utf8: true, start, counter };
                    self.result.put(plan, &fields, &mut scratch)
                }
                false => Err(wrong_count(count, width)),
            };
            let Err((column, why)) = taken else {
                self.rows += 1;
                continue;
            };
            let place = self.rows_start + start..self.rows_start + end;
            self.faults.push(Fault { lines: line as u64, place, column, why });
            if !plan.lenient {
                return false;
            }
        }
        true
    }
}

/// The number of the first field of a line.
fn first_field(grid: &Grid, line: usize) -> usize {
    line.checked_sub(1).map_or(0, |before| grid.fields()[before] as usize)
}

/// How many of the next lines, which begin with field `first`, are rows of so many columns, as far
/// as a tile takes them. `fields` counts the fields up to the end of each.
fn rows_of(columns: usize, first: usize, fields: &[u32]) -> usize {
    let mut end = first;
    let is_whole = |fields: &&u32| {
        end += columns;
        **fields as usize == end
    };
    fields.iter().take(ROWS).take_while(is_whole).count()
}

impl Records {
    /// Makes records from the first `rows` rows of a tile, the first of which comes after so many
    /// `lines`. Returns false, and adds no record, if a row is bad.
    fn put_tile(&mut self, plan: &LoadPlan<'_>, tile: Tile<'_>, lines: usize, rows: usize) -> bool {
        let Self { bytes, seen, .. } = self;
        let start = bytes.len();
        bytes.resize(start + rows * plan.record_bytes, 0);
        let mut counts = Counts::default();
        for &at in &plan.order {
            let record_bytes = plan.record_bytes;
            let mut records = TileRecords { bytes: &mut bytes[start..], record_bytes };
            let mut notes = plan.notes_for().zip(seen.get_mut(at));
            let column = &plan.columns[at];
            // Which of few texts they have is noted in a loop of its own.
            let is_later = column.is_plain_text()
                && notes
                    .as_ref()
                    .is_some_and(|(options, seen)| !seen.is_text() || options.wanted.narrow);
            let put = column.put_tile(tile, at, &mut records, |row, cell, record| {
                let notes = notes.as_mut().filter(|_| !is_later);
                let notes = notes.map(|(options, seen)| (*options, &mut **seen));
                let lines_before = || (lines + row) as u64;
                let put =
                    put_other(column, cell, false, true, record, notes, lines_before, &mut counts);
                put.ok()
            });
            let Some(facts) = put else {
                bytes.truncate(start);
                return false;
            };
            let Some((options, seen)) = notes else { continue };
            if is_later {
                note_texts(column, tile, at, lines..lines + rows, seen, options);
            } else {
                seen.facts(facts.facts);
                seen.length(facts.longest_bytes);
                if options.wanted.narrow {
                    note_numbers(column, tile, at, rows, seen);
                }
            }
        }
        self.count(counts);
        true
    }
}

/// Notes the texts of a column of which few are known: nearly all repeat one of them.
fn note_texts(
    column: &Column,
    tile: Tile<'_>,
    at: usize,
    lines: Range<usize>,
    seen: &mut Seen,
    options: &CsvOptions,
) {
    const KNOWN_MAX: usize = 4;
    let mut known = [(0, 0); KNOWN_MAX];
    let (mut count, mut again) = (0, 0);
    for (row, line) in lines.enumerate() {
        let cell = tile.cell(row, at);
        let len = cell.len();
        let key = if (1..=8).contains(&len) { (len, cell.first_bytes(len)) } else { (0, 0) };
        if key != (0, 0) && known[..count].contains(&key) {
            again += 1;
        } else if column.is_null(cell.text()) {
            seen.null_text(cell, false, options);
        } else if seen.notes_stray(cell, options, || line as u64)
            && key != (0, 0)
            && count < KNOWN_MAX
        {
            known[count] = key;
            count += 1;
        }
    }
    seen.same_strays(again);
}

/// Notes the numbers of a column, for the narrowest types.
fn note_numbers(column: &Column, tile: Tile<'_>, at: usize, rows: usize, seen: &mut Seen) {
    for row in 0..rows {
        let cell = tile.cell(row, at);
        if !column.is_null(cell.text()) {
            seen.number(cell);
        }
    }
}
