//! The values of a column in a few rows of a plain text, in a loop for their type.

use super::{Column, Way, date, float, integer, time, truth};
use crate::exchange::csv::infer::Facts;
use crate::exchange::csv::parse::{Cell, short_integer_of};

/// Consecutive rows of a text without quotes and carriage returns, each of `width` fields.
#[derive(Clone, Copy)]
pub(in crate::exchange::csv) struct Tile<'t> {
    pub(in crate::exchange::csv) text: &'t [u8],
    /// The starts of the fields, each a byte behind the end of the one before.
    pub(in crate::exchange::csv) starts: &'t [u32],
    pub(in crate::exchange::csv) width: usize,
}

impl<'t> Tile<'t> {
    /// The texts of a column.
    #[inline(always)]
    pub(in crate::exchange::csv) fn cells(self, column: usize) -> impl Iterator<Item = Cell<'t>> {
        let mut field = column;
        std::iter::from_fn(move || {
            let &[start, next] = self.starts.get(field..field + 2)? else { return None };
            field += self.width;
            let (start, next) = (start as usize, next as usize);
            Some(Cell::new(&self.text[start..], next - 1 - start))
        })
    }

    #[inline]
    pub(in crate::exchange::csv) fn cell(&self, row: usize, column: usize) -> Cell<'t> {
        let field = row * self.width + column;
        let (start, next) = (self.starts[field] as usize, self.starts[field + 1] as usize);
        Cell::new(&self.text[start..], next - 1 - start)
    }
}

/// The records of a tile, whose bytes are zero but for those of fields at lower places.
pub(in crate::exchange::csv) struct TileRecords<'r> {
    pub(in crate::exchange::csv) bytes: &'r mut [u8],
    pub(in crate::exchange::csv) record_bytes: usize,
}

/// What a loop has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::exchange::csv) struct TileFacts {
    pub(in crate::exchange::csv) facts: Facts,
    /// The length of the longest text of those in a common form.
    pub(in crate::exchange::csv) longest_bytes: usize,
}

impl Column {
    /// Stores the values of column `at` of the tile, and zeros behind them, as far as they have
    /// common forms; calls `other` with the row and the text of each other one. `None` if that
    /// returns `None`.
    pub(in crate::exchange::csv) fn put_tile<'t>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<TileFacts> {
        let mut seen = TileFacts::default();
        let TileFacts { facts, longest_bytes: longest } = &mut seen;
        let value_bytes = self.end - self.value;
        match self.way {
            // Each value is compared with the texts that mean null.
            Way::General => self.others(tile, at, records, other),
            _ if self.nulls_may_be_values && !self.is_plain_text() => {
                self.others(tile, at, records, other)
            }
            Way::Integer { min, max } => {
                let common = match (value_bytes, self.field.is_nullable()) {
                    (8, false) => short_integers::<8, 8>,
                    (8, true) => short_integers::<8, 9>,
                    (4, false) => short_integers::<4, 4>,
                    (4, true) => short_integers::<4, 5>,
                    (2, false) => short_integers::<2, 2>,
                    (2, true) => short_integers::<2, 3>,
                    (_, false) => short_integers::<1, 1>,
                    (_, true) => short_integers::<1, 2>,
                };
                return self.integers(tile, at, records, (min, max), common, other);
            }
            Way::Float => {
                let read = |cell| float(cell, facts).map(f64::to_le_bytes);
                self.each(tile, at, records, longest, read, other)
            }
            Way::Date => {
                let read = |cell| date(cell, facts).map(i32::to_le_bytes);
                self.each(tile, at, records, longest, read, other)
            }
            Way::Time { per_second, utc } => {
                let read = |cell| time(cell, per_second, utc, facts).map(i64::to_le_bytes);
                self.each(tile, at, records, longest, read, other)
            }
            Way::Bool => {
                let read = |cell| truth(cell, facts).map(|truth| [truth]);
                self.each(tile, at, records, longest, read, other)
            }
            Way::Text if value_bytes <= 8 => self.short_texts(tile, at, records, longest, other),
            Way::Text => self.texts(tile, at, records, longest, other),
        }?;
        Some(seen)
    }

    fn others<'t>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        mut other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<()> {
        let mut rows = records.bytes.chunks_exact_mut(records.record_bytes).enumerate();
        rows.try_for_each(|(row, record)| other(row, tile.cell(row, at), record))
    }

    /// Stores integers; `common` stores those up to the first other text.
    fn integers<'t>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        (min, max): (i64, i64),
        common: fn(Tile<'_>, TileRecords<'_>, (i64, i64), &mut usize) -> usize,
        mut other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<TileFacts> {
        let record_bytes = records.record_bytes;
        let rows = records.bytes.len() / record_bytes;
        let mut seen = TileFacts::default();
        let mut row = 0;
        while row < rows {
            let rest = Tile { starts: &tile.starts[row * tile.width + at..], ..tile };
            let bytes = &mut records.bytes[row * record_bytes + self.start..];
            let fields = TileRecords { bytes, record_bytes };
            let count = common(rest, fields, (min, max), &mut seen.longest_bytes);
            if count > 0 {
                seen.facts.short_integer();
            }
            row += count;
            let Some(record) = records.bytes.chunks_exact_mut(record_bytes).nth(row) else { break };
            let cell = tile.cell(row, at);
            match integer(cell, min, max, &mut seen.facts) {
                Some(integer) => {
                    seen.longest_bytes = cell.len().max(seen.longest_bytes);
                    // Without a presence byte this is a byte of the value.
                    record[self.start] = 1;
                    let value = &mut record[self.value..self.end];
                    value.copy_from_slice(&integer.to_le_bytes()[..value.len()]);
                }
                None => other(row, cell, record)?,
            }
            row += 1;
        }
        Some(seen)
    }

    /// Stores the bytes that `read` makes of each text.
    #[inline(always)]
    fn each<'t, const N: usize>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        longest_bytes: &mut usize,
        mut read: impl FnMut(Cell<'t>) -> Option<[u8; N]>,
        mut other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<()> {
        let (start, value) = (self.start, self.value);
        let rows = records.bytes.chunks_exact_mut(records.record_bytes);
        for (row, (record, cell)) in rows.zip(tile.cells(at)).enumerate() {
            let Some(bytes) = read(cell) else {
                other(row, cell, record)?;
                continue;
            };
            *longest_bytes = cell.len().max(*longest_bytes);
            // Without a presence byte this is a byte of the value.
            record[start] = 1;
            record[value..value + N].copy_from_slice(&bytes);
        }
        Some(())
    }

    /// Stores texts of eight bytes or fewer as whole words, where the record has room for one.
    #[inline(always)]
    fn short_texts<'t>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        longest_bytes: &mut usize,
        mut other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<()> {
        let (start, value, nullable) = (self.start, self.value, self.field.is_nullable());
        let value_bytes = self.end - value;
        let rows = records.bytes.chunks_exact_mut(records.record_bytes);
        for (row, (record, cell)) in rows.zip(tile.cells(at)).enumerate() {
            let len = cell.len();
            let is_common = (1..=value_bytes).contains(&len) && {
                let word = cell.first_bytes(len);
                let last = word >> (8 * len - 8);
                last != 0 && !self.is_null(cell.text()) && {
                    match record[value..].first_chunk_mut() {
                        Some(room) => *room = word.to_le_bytes(),
                        None => record[value..self.end]
                            .copy_from_slice(&word.to_le_bytes()[..value_bytes]),
                    }
                    true
                }
            };
            if !is_common {
                other(row, cell, record)?;
                continue;
            }
            *longest_bytes = len.max(*longest_bytes);
            if nullable {
                record[start] = 1;
            }
        }
        Some(())
    }

    #[inline(always)]
    fn texts<'t>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        longest_bytes: &mut usize,
        mut other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<()> {
        let (start, value, nullable) = (self.start, self.value, self.field.is_nullable());
        let value_bytes = self.end - value;
        let rows = records.bytes.chunks_exact_mut(records.record_bytes);
        for (row, (record, cell)) in rows.zip(tile.cells(at)).enumerate() {
            let is_common = match cell.text() {
                [] | [.., 0] => false,
                _ => cell.len() <= value_bytes && !self.is_null(cell.text()),
            };
            if !is_common {
                other(row, cell, record)?;
                continue;
            }
            record[value..value + cell.len()].copy_from_slice(cell.text());
            *longest_bytes = cell.len().max(*longest_bytes);
            if nullable {
                record[start] = 1;
            }
        }
        Some(())
    }
}

/// Stores the integers of a column, of `M` bytes, up to the first text that has more than a few
/// digits or is no integer within the limits, and returns their number. The tile and the records
/// begin with the column's first text and field, which has `W` bytes: with a presence byte, one
/// more than `M`.
///
/// It does nothing else, and is inlined nowhere, so that all of its state stays in registers.
#[inline(never)]
fn short_integers<const M: usize, const W: usize>(
    tile: Tile<'_>,
    fields: TileRecords<'_>,
    (min, max): (i64, i64),
    longest_bytes: &mut usize,
) -> usize {
    let range = max.wrapping_sub(min) as u64;
    let mut longest = *longest_bytes;
    let mut count = 0;
    let fields = fields.bytes.chunks_mut(fields.record_bytes);
    for (field, starts) in fields.zip(tile.starts.chunks(tile.width)) {
        let (Some(field), &[start, next, ..]) = (field.first_chunk_mut::<W>(), starts) else {
            break;
        };
        let (start, len) = (start as usize, (next - 1 - start) as usize);
        let Some(&word) = tile.text.get(start..start + 8).and_then(<[u8]>::first_chunk) else {
            break;
        };
        let Some(integer) = short_integer_of(u64::from_le_bytes(word), len) else { break };
        if integer.wrapping_sub(min) as u64 > range {
            break;
        }
        longest = len.max(longest);
        // Without a presence byte this is a byte of the value.
        field[0] = 1;
        field[W - M..].copy_from_slice(&integer.to_le_bytes()[..M]);
        count += 1;
    }
    *longest_bytes = longest;
    count
}
