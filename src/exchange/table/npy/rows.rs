//! The elements of one array, in their order, from wherever its bytes are.

use super::header::Header;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::input::{Places, Text};

/// Bytes that are read from start to end.
pub(super) trait Stream {
    /// Fills `into` as far as there are bytes.
    fn fill(&mut self, into: &mut [u8]) -> Result<usize>;

    /// The bytes of the input that were read for it.
    fn read_bytes(&self) -> u64;

    /// Checks what can be checked only at the end.
    fn check_end(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Stream for Text<'_> {
    fn fill(&mut self, into: &mut [u8]) -> Result<usize> {
        Text::fill(self, into)
    }

    fn read_bytes(&self) -> u64 {
        Text::read_bytes(self)
    }
}

/// The elements of an array.
pub(super) enum Rows<'i> {
    /// One after another.
    Stream(Box<dyn Stream + 'i>),
    /// In Fortran's order: the first value of every row, then the second, and so on.
    Columns(Columns),
}

/// An array whose columns lie one after another.
pub(super) struct Columns {
    places: Places,
    /// Where the columns of a row begin, in the order of C.
    starts: Vec<u64>,
    value_bytes: usize,
    done_rows: u64,
    buffer: Vec<u8>,
}

impl Columns {
    /// The columns of the array that begins at byte `start` of `places`.
    pub(super) fn new(places: Places, header: &Header, start: u64) -> Self {
        let value_bytes = header.dtype.size_bytes;
        let (rows, inner) = header.shape.split_first().map_or((0, &[][..]), |(n, rest)| (*n, rest));
        let count: u64 = inner.iter().product();
        // The last index varies fastest in C, and the first in Fortran.
        let column = |mut index: u64| {
            let mut digits = Vec::with_capacity(inner.len());
            for &len in inner.iter().rev() {
                digits.push(index % len);
                index /= len;
            }
            let digits = digits.iter().rev().zip(inner);
            let (column, _) = digits
                .fold((0, 1), |(column, step), (digit, len)| (column + digit * step, step * len));
            start + column * rows * value_bytes as u64
        };
        let starts = (0..count).map(column).collect();
        Self { places, starts, value_bytes, done_rows: 0, buffer: Vec::new() }
    }

    /// Fills `into` with the next rows.
    fn fill(&mut self, into: &mut [u8]) -> Result<usize> {
        let width = self.value_bytes;
        let row_bytes = width * self.starts.len();
        let rows = into.len() / row_bytes.max(1);
        self.buffer.resize(rows * width, 0);
        for (column, start) in self.starts.iter().enumerate() {
            let offset = start + self.done_rows * width as u64;
            let filled = self.places.fill_at(offset, &mut self.buffer);
            if filled.map_err(|error| Error::io("read", error))? < self.buffer.len() {
                return Ok(0);
            }
            let values = self.buffer.chunks_exact(width);
            for (row, value) in into.chunks_exact_mut(row_bytes).zip(values) {
                row[column * width..][..width].copy_from_slice(value);
            }
        }
        self.done_rows += rows as u64;
        Ok(rows * row_bytes)
    }
}

/// Bytes that are skipped at a time.
const SKIP_STEP_BYTES: u64 = 1 << 20;

impl Rows<'_> {
    /// Fills `into` with whole rows.
    ///
    /// # Errors
    /// An error of reading; [`ErrorKind::Truncated`] if there are fewer bytes.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<()> {
        let filled = match self {
            Self::Stream(stream) => stream.fill(into)?,
            Self::Columns(columns) => columns.fill(into)?,
        };
        match filled == into.len() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Truncated, "read")
                .detail("the array ends before the last row that its header counts")
                .advice("copy it again, or save it again")),
        }
    }

    /// Skips `rows` rows of `row_bytes` bytes.
    pub(super) fn skip(&mut self, rows: u64, row_bytes: usize) -> Result<()> {
        match self {
            Self::Columns(columns) => {
                columns.done_rows += rows;
                Ok(())
            }
            Self::Stream(_) => {
                let mut left = rows.saturating_mul(row_bytes as u64);
                let mut buffer = vec![0; SKIP_STEP_BYTES.min(left) as usize];
                while left > 0 {
                    let step = left.min(SKIP_STEP_BYTES);
                    self.fill(&mut buffer[..step as usize])?;
                    left -= step;
                }
                Ok(())
            }
        }
    }

    pub(super) fn read_bytes(&self) -> u64 {
        match self {
            Self::Stream(stream) => stream.read_bytes(),
            Self::Columns(columns) => {
                columns.done_rows * (columns.value_bytes * columns.starts.len()) as u64
            }
        }
    }

    /// Refuses bytes after the last row.
    pub(super) fn check_end(&mut self) -> Result<()> {
        let Self::Stream(stream) = self else { return Ok(()) };
        if stream.fill(&mut [0])? > 0 {
            return Err(Error::new(ErrorKind::InvalidValue, "read")
                .detail("there are bytes after the last row that its header counts")
                .advice("save each array to a file of its own, or all to one .npz"));
        }
        stream.check_end()
    }
}
