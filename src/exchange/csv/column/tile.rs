//! The values of a column in a few rows of a plain text, in a loop for their type.

use super::{Column, Way, date, float, integer, time, truth};
use crate::exchange::csv::infer::Facts;
use crate::exchange::csv::parse::Cell;

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
    /// The length of the longest text, of a field of text.
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
        let facts = &mut seen.facts;
        let value_bytes = self.end - self.value;
        match self.way {
            // Each value is compared with the texts that mean null.
            Way::General => self.others(tile, at, records, other),
            _ if self.nulls_may_be_values && !self.is_plain_text() => {
                self.others(tile, at, records, other)
            }
            Way::Integer { min, max } => {
                let limits = (min, max);
                match value_bytes {
                    8 => self.integers::<8>(tile, at, records, limits, facts, other),
                    4 => self.integers::<4>(tile, at, records, limits, facts, other),
                    2 => self.integers::<2>(tile, at, records, limits, facts, other),
                    _ => self.integers::<1>(tile, at, records, limits, facts, other),
                }
            }
            Way::Float => {
                let read = |cell| float(cell, facts).map(f64::to_le_bytes);
                self.each::<8, 8>(tile, at, records, read, other)
            }
            Way::Date => {
                let read = |cell| date(cell, facts).map(i32::to_le_bytes);
                self.each::<4, 4>(tile, at, records, read, other)
            }
            Way::Time { per_second, utc } => {
                let read = |cell| time(cell, per_second, utc, facts).map(i64::to_le_bytes);
                self.each::<8, 8>(tile, at, records, read, other)
            }
            Way::Bool => {
                let read = |cell| truth(cell, facts).map(|truth| [truth]);
                self.each::<1, 1>(tile, at, records, read, other)
            }
            Way::Text => {
                let longest = &mut seen.longest_bytes;
                match value_bytes {
                    ..=8 => self.short_texts(tile, at, records, longest, other),
                    _ => self.texts(tile, at, records, longest, other),
                }
            }
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

    /// Stores integers of `M` bytes.
    fn integers<'t, const M: usize>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
        (min, max): (i64, i64),
        facts: &mut Facts,
        other: impl FnMut(usize, Cell<'t>, &mut [u8]) -> Option<()>,
    ) -> Option<()> {
        let mut seen = Facts::default();
        let read = |cell| integer(cell, min, max, &mut seen).map(i64::to_le_bytes);
        let put = self.each::<8, M>(tile, at, records, read, other);
        *facts = seen;
        put
    }

    /// Stores the first `M` of the `N` bytes that `read` makes of each text.
    #[inline(always)]
    fn each<'t, const N: usize, const M: usize>(
        &self,
        tile: Tile<'t>,
        at: usize,
        records: &mut TileRecords<'_>,
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
            // Without a presence byte this is a byte of the value.
            record[start] = 1;
            record[value..value + M].copy_from_slice(&bytes[..M]);
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
