//! Rows of CSV, some at a time: each column's loop puts its texts into pieces, and then the rows
//! are put together. A column without a loop writes its value when its row comes to it, and so does
//! a value that a loop leaves.

use super::column::{Column, Style};
use crate::error::{Error, Result};
use crate::format::{Cells, Piece, ROWS_MAX, TextBuffer, is_left, join, put_number};

/// The room that the rows of a block may need together.
const BLOCK_BYTES: usize = 128 << 10;
/// The room that a row needs beside its values, for copies of more bytes than these have.
const ROOM_BESIDE_BYTES: usize = 64;
/// The number of a record may have 20 digits.
const ID_PIECES: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those of each row follow one another, and those of a row are in the order of the columns.
    pieces: Vec<Piece>,
    pieces_per_row: usize,
    parts: Vec<Part>,
    /// The number of pieces of each column; 0 without a loop.
    pieces_of: Vec<usize>,
    has_id: bool,
    /// The length of a record that has all fields.
    least_bytes: usize,
    /// The room that a row of common values needs.
    row_bytes: usize,
    rows_max: usize,
    /// How many rows there were.
    count: u64,
    /// The text of a value that needs care.
    cell: String,
}

/// A part of a row.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// So many pieces.
    Pieces(usize),
    /// A column without a loop.
    Column(usize),
}

/// Records, and what the rows of a block need beside them.
struct Block<'b> {
    columns: &'b mut [Column],
    style: &'b Style,
    ids: &'b [u64],
    records: &'b [u8],
    record_bytes: usize,
}

impl Rows {
    /// Rows of these columns, after the record's number if `has_id`.
    pub(super) fn new(columns: &mut [Column], style: &Style, has_id: bool) -> Self {
        Self::after(0, columns, style, has_id)
    }

    /// Rows that follow so many others.
    fn after(count: u64, columns: &mut [Column], style: &Style, has_id: bool) -> Self {
        let least_bytes = columns.iter().map(Column::end).max().unwrap_or_default();
        let mut pieces_per_row = if has_id { ID_PIECES } else { 0 };
        let mut parts = Vec::new();
        let mut pieces_of = Vec::with_capacity(columns.len());
        let (mut run, mut row_bytes) = (pieces_per_row, ROOM_BESIDE_BYTES);
        for (at, column) in columns.iter_mut().enumerate() {
            let lead = (at > 0 || has_id).then_some(style.delimiter);
            let pieces = column.begin_pieces(lead, style, least_bytes, count);
            pieces_of.push(pieces.unwrap_or(0));
            match pieces {
                Some(pieces) => (run, pieces_per_row) = (run + pieces, pieces_per_row + pieces),
                None => {
                    parts.extend([Part::Pieces(run), Part::Column(at)]);
                    (run, row_bytes) = (0, row_bytes + column.room_bytes(style) + 1);
                }
            }
        }
        if run > 0 {
            parts.push(Part::Pieces(run));
        }
        row_bytes += pieces_per_row * size_of::<Piece>();
        let rows_max = (BLOCK_BYTES / row_bytes).clamp(1, ROWS_MAX);
        let pieces = vec![Piece::default(); pieces_per_row * rows_max];
        let cell = String::new();
        Self {
            pieces,
            pieces_per_row,
            parts,
            pieces_of,
            has_id,
            least_bytes,
            row_bytes,
            rows_max,
            count,
            cell,
        }
    }

    /// Appends the rows of records of `record_bytes` bytes with these numbers to `text`.
    ///
    /// # Errors
    /// The index of a record that cannot be read, and its error. The rows before it are there.
    pub(super) fn push(
        &mut self,
        columns: &mut [Column],
        style: &Style,
        ids: &[u64],
        records: &[u8],
        record_bytes: usize,
        text: &mut TextBuffer,
    ) -> Result<(), (usize, Error)> {
        let mut at = 0;
        while at < ids.len() {
            let end = ids.len().min(at + self.rows_max);
            let records = &records[at * record_bytes..end * record_bytes];
            let mut block = Block { columns, style, ids: &ids[at..end], records, record_bytes };
            let left = self.fill(&mut block);
            self.put(&mut block, left, text).map_err(|(index, error)| (at + index, error))?;
            self.count += (end - at) as u64;
            at = end;
            if left != 0 {
                self.look_at_loops(columns, style);
            }
        }
        Ok(())
    }

    /// Leaves out loops that leave most of their texts.
    fn look_at_loops(&mut self, columns: &mut [Column], style: &Style) {
        let mut with_loops = columns.iter().zip(&self.pieces_of).filter(|(_, pieces)| **pieces > 0);
        if with_loops.any(|(column, _)| column.leaves_too_many(self.count)) {
            *self = Self::after(self.count, columns, style, self.has_id);
        }
    }

    /// Fills the pieces. Returns a bit for each row that needs more care.
    fn fill(&mut self, block: &mut Block<'_>) -> u64 {
        let pieces_per_row = self.pieces_per_row;
        let pieces = &mut self.pieces[..block.ids.len() * pieces_per_row];
        if block.record_bytes < self.least_bytes {
            // Some field lies outside the records.
            pieces.fill(Piece::default());
            return u64::MAX;
        }
        let mut first = 0;
        if self.has_id {
            for (row, id) in pieces.chunks_exact_mut(pieces_per_row).zip(block.ids) {
                row.first_chunk_mut().into_iter().for_each(|pieces| put_number(*id, None, pieces));
            }
            first = ID_PIECES;
        }
        let mut left = 0;
        for (column, &count) in block.columns.iter_mut().zip(&self.pieces_of) {
            if count > 0 {
                let Block { records, record_bytes, .. } = *block;
                left |= column.fill(Cells { records, record_bytes, pieces, pieces_per_row, first });
                first += count;
            }
        }
        left
    }

    /// Puts the rows together.
    fn put(
        &mut self,
        block: &mut Block<'_>,
        left: u64,
        text: &mut TextBuffer,
    ) -> Result<(), (usize, Error)> {
        let rows = block.ids.len();
        let mut at = text.begin_row(rows * self.row_bytes);
        let is_one_run = matches!(self.parts[..], [Part::Pieces(_)]);
        for row in 0..rows {
            let needs_care = left >> (row % ROWS_MAX) & 1 == 1;
            at = if is_one_run && !needs_care {
                let pieces = &self.pieces[row * self.pieces_per_row..][..self.pieces_per_row];
                join(pieces, text.bytes_mut(), at)
            } else {
                let put = match needs_care {
                    true => self.put_by_columns(block, row, text, at),
                    false => self.put_by_parts(block, row, text, at),
                };
                put.map_err(|error| (row, error))?
            };
            text.bytes_mut()[at] = b'\n';
            at += 1;
            text.end_row(at);
        }
        Ok(())
    }

    /// Puts a row whose pieces all have texts.
    fn put_by_parts(
        &mut self,
        block: &mut Block<'_>,
        row: usize,
        text: &mut TextBuffer,
        mut at: usize,
    ) -> Result<usize> {
        let mut first = row * self.pieces_per_row;
        for index in 0..self.parts.len() {
            at = match self.parts[index] {
                Part::Pieces(count) => {
                    let pieces = &self.pieces[first..first + count];
                    first += count;
                    join(pieces, text.bytes_mut(), at)
                }
                Part::Column(column) => self.put_column(block, row, column, text, at)?,
            };
        }
        Ok(at)
    }

    /// Puts a row of which some pieces may be empty.
    fn put_by_columns(
        &mut self,
        block: &mut Block<'_>,
        row: usize,
        text: &mut TextBuffer,
        mut at: usize,
    ) -> Result<usize> {
        let mut first = row * self.pieces_per_row;
        if self.has_id {
            let mut pieces = Default::default();
            put_number(block.ids[row], None, &mut pieces);
            at = join(&pieces, text.bytes_mut(), at);
            first += ID_PIECES;
        }
        for column in 0..block.columns.len() {
            let pieces = &self.pieces[first..first + self.pieces_of[column]];
            first += pieces.len();
            at = match pieces {
                [own, ..] if !is_left(own) => join(pieces, text.bytes_mut(), at),
                _ => self.put_column(block, row, column, text, at)?,
            };
        }
        Ok(at)
    }

    /// Puts the value of a column, and the delimiter before it.
    fn put_column(
        &mut self,
        block: &mut Block<'_>,
        row: usize,
        index: usize,
        text: &mut TextBuffer,
        mut at: usize,
    ) -> Result<usize> {
        let Block { style, records, record_bytes, .. } = *block;
        let record = &records[row * record_bytes..(row + 1) * record_bytes];
        if index > 0 || self.has_id {
            text.bytes_mut()[at] = style.delimiter;
            at += 1;
        }
        let column = &mut block.columns[index];
        if let Some(end) = column.put(record, style, text.bytes_mut(), at) {
            return Ok(end);
        }
        self.cell.clear();
        column.push(record, style, &mut self.cell)?;
        // Room for the rows that are left, too.
        Ok(text.append(at, self.cell.as_bytes(), self.rows_max * self.row_bytes))
    }
}
