//! Cuts a text into blocks of whole rows.

use std::ops::ControlFlow;

use super::options::{CsvOptions, is_mark};
use super::split::{Form, Splitter, last_row_end, line_end};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::input::Text;

/// The text that a thread works on at a time: small enough to stay in the cache with its results.
const BLOCK_BYTES: usize = 256 << 10;
/// The longest row. A text field of 16 MiB is shorter in every quoting.
const ROW_BYTES_MAX: usize = 64 << 20;
/// The delimiters that are looked for.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The blocks of a text, each of whole rows.
pub(super) struct Blocks<'t> {
    text: Text<'t>,
    given: Form,
    /// The form in the file, once the first block is read.
    form: Form,
    detects_delimiter: bool,
    skipped_lines: u64,
    /// The bytes of the first block before its rows.
    ignored: usize,
    /// The start of a row that the last block did not hold whole.
    carried: Vec<u8>,
    /// The place of the next block in the text.
    offset: u64,
    ended: bool,
    block_bytes: usize,
}

impl<'t> Blocks<'t> {
    /// The blocks of a text whose first byte is byte `offset` of the input and starts a row.
    pub(super) fn new(text: Text<'t>, offset: u64, options: &CsvOptions) -> Self {
        Self {
            text,
            given: options.form(),
            form: options.form(),
            detects_delimiter: options.detects_delimiter,
            skipped_lines: options.skipped_lines,
            ignored: 0,
            carried: Vec::new(),
            offset,
            ended: false,
            block_bytes: BLOCK_BYTES,
        }
    }

    /// Puts the next rows at the start of `block` and returns how many bytes they are; 0 at the
    /// end. The bytes after them have no meaning: this way the block is cleared once and not for
    /// each read.
    ///
    /// # Errors
    /// An error of reading; [`ErrorKind::InvalidValue`] for a row over 64 MiB.
    pub(super) fn next(&mut self, block: &mut Vec<u8>) -> Result<usize> {
        let at_start = self.offset == 0 && self.carried.is_empty();
        let mut filled = self.carried.len();
        let mut wanted_bytes = self.block_bytes.max(filled);
        block.resize(block.len().max(wanted_bytes), 0);
        block[..filled].copy_from_slice(&self.carried);
        self.carried.clear();
        while !self.ended {
            let read = self.text.fill(&mut block[filled..wanted_bytes])?;
            self.ended = filled + read < wanted_bytes;
            if at_start && filled == 0 {
                let mark_len = if self.text.had_mark() { 0 } else { mark_len(&block[..read]) };
                block.copy_within(mark_len..read, 0);
                self.offset += mark_len as u64;
                filled = read - mark_len;
            } else {
                filled += read;
            }
            let rows_start = if at_start { self.begin(&block[..filled]) } else { Some(0) };
            if self.ended {
                break;
            }
            let end = rows_start.map_or(0, |start| {
                let len = last_row_end(&block[start..filled], self.form);
                if len > 0 { start + len } else { 0 }
            });
            if end > 0 {
                self.carried.extend_from_slice(&block[end..filled]);
                filled = end;
                break;
            }
            if filled >= ROW_BYTES_MAX {
                return Err(Error::new(ErrorKind::InvalidValue, "read")
                    .path(self.text.name())
                    .offset(self.offset)
                    .detail(format!("a row has {} MiB or more", ROW_BYTES_MAX >> 20))
                    .advice("look for a quote that is never closed"));
            }
            wanted_bytes *= 2;
            block.resize(block.len().max(wanted_bytes), 0);
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    /// Passes what comes before the first row of the file, which `text` begins; `None` if more text
    /// is needed.
    fn begin(&mut self, text: &[u8]) -> Option<usize> {
        self.form = self.given;
        let mut start = 0;
        for _ in 0..self.skipped_lines {
            start += line_end(&text[start..]);
            if start == text.len() {
                break;
            }
        }
        // Of a CR at the end it is not known whether an LF follows.
        if start == text.len() && !self.ended {
            return None;
        }
        let rest = &text[start..];
        if let Some((delimiter, len)) = self.delimiter_line(rest) {
            start += len;
            if self.detects_delimiter {
                self.form.delimiter = delimiter;
            }
        } else if self.detects_delimiter {
            self.form.delimiter = self.detected(rest).unwrap_or(self.given.delimiter);
        }
        self.ignored = start;
        Some(start)
    }

    /// The delimiter and the length of a first line such as `sep=;`, by which Excel is told of it.
    /// A line in quotes is the name of a column, unless the delimiter divides the next row.
    fn delimiter_line(&self, text: &[u8]) -> Option<(u8, usize)> {
        let len = line_end(text);
        let line = text[..len].strip_suffix(b"\n").unwrap_or(&text[..len]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let unquoted = line.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\""));
        let delimiter = match unquoted.unwrap_or(line).strip_prefix(b"sep=")? {
            &[delimiter, ref rest @ ..] if is_mark(delimiter) && rest.trim_ascii().is_empty() => {
                delimiter
            }
            _ => return None,
        };
        let divides = || {
            let form = Form { delimiter, ..self.given };
            self.columns(&text[len..], form, 1).is_some_and(|columns| columns > 1)
        };
        (unquoted.is_none() || divides()).then_some((delimiter, len))
    }

    /// The delimiter that divides every row of `text` into as many columns, unless that given
    /// divides the first row. Otherwise the one by which the first row alone has a column less,
    /// for the error about that.
    fn detected(&self, text: &[u8]) -> Option<u8> {
        // Malformed is a first row of which another delimiter ends a quoted name.
        if self.columns(text, self.given, 1).is_some_and(|columns| columns > 1) {
            return None;
        }
        let forms = || DELIMITERS.into_iter().map(|delimiter| Form { delimiter, ..self.given });
        let rows_of = |form| match self.ended {
            true => text,
            false => &text[..last_row_end(text, form)],
        };
        let divides = |form: &Form| {
            self.columns(rows_of(*form), *form, u64::MAX).is_some_and(|columns| columns > 1)
        };
        let found = forms().find(divides);
        let found = found.or_else(|| forms().find(|form| lacks_a_name(rows_of(*form), *form)));
        found.map(|form| form.delimiter)
    }

    /// The number of columns of the first rows, if all have as many and none is malformed.
    fn columns(&self, text: &[u8], form: Form, rows_max: u64) -> Option<usize> {
        let (mut columns, mut rows) = (None, 0);
        let differ = Splitter::new(form, false).rows(text, |row| {
            let count = row.spans.len();
            rows += 1;
            if row.malformed.is_some() || *columns.get_or_insert(count) != count {
                return ControlFlow::Break(true);
            }
            if rows == rows_max { ControlFlow::Break(false) } else { ControlFlow::Continue(()) }
        });
        if differ == ControlFlow::Break(true) { None } else { columns }
    }

    /// Whether the text is that of the file on disk, byte by byte.
    pub(super) fn is_plain(&self) -> bool {
        self.text.is_plain()
    }

    /// The form of the rows, once the first block is read.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Goes on with the form of another reader of the same file.
    pub(super) fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    /// The bytes of the first block before its first row.
    pub(super) fn ignored(&self) -> usize {
        self.ignored
    }

    /// The place of the next block in the text.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes read so far of the file on disk.
    pub(super) fn read_bytes(&self) -> u64 {
        self.text.read_bytes()
    }
}

/// Whether the first row has two columns at least, and two or more others have one more.
fn lacks_a_name(text: &[u8], form: Form) -> bool {
    let (mut first, mut rows) = (0, 0_u64);
    let differs = Splitter::new(form, false).rows(text, |row| {
        rows += 1;
        let count = row.spans.len();
        let is_so = match rows {
            1 => {
                first = count;
                count > 1
            }
            _ => count == first + 1,
        };
        let is_so = is_so && row.malformed.is_none();
        if is_so { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    rows > 2 && differs.is_continue()
}

/// The length of the byte order mark at the start of a text; 0 without one.
fn mark_len(text: &[u8]) -> usize {
    if text.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Input, csv::split::Splitter};
    use proptest::prelude::*;
    use std::ops::ControlFlow;

    fn blocks_of(text: &[u8], block_bytes: usize) -> Vec<Vec<u8>> {
        let mut input = Input::from_bytes(text);
        let mut blocks = Blocks::new(input.read(true).unwrap(), 0, &CsvOptions::new());
        blocks.block_bytes = block_bytes;
        let (mut all, mut block) = (Vec::new(), Vec::new());
        loop {
            let end = blocks.next(&mut block).unwrap();
            if end == 0 {
                break;
            }
            all.push(block[..end].to_vec());
        }
        assert_eq!(blocks.read_bytes(), text.len() as u64);
        all
    }

    fn row_ends(text: &[u8], start: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        let _ = Splitter::new(CsvOptions::new().form(), true).rows(text, |row| {
            ends.push(start + row.next);
            ControlFlow::<()>::Continue(())
        });
        ends
    }

    proptest! {
        #[test]
        fn blocks_hold_the_rows_of_the_text(
            text in "([a,\"]{0,3}(\n|\",\"|\r\n|\r)?){0,40}",
            block_bytes in 1usize..40,
        ) {
            let text = text.as_bytes();
            let blocks = blocks_of(text, block_bytes);
            prop_assert_eq!(blocks.concat(), text);
            let mut ends = Vec::new();
            let mut start = 0;
            for block in &blocks {
                ends.extend(row_ends(block, start));
                start += block.len();
            }
            prop_assert_eq!(ends, row_ends(text, 0));
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(blocks_of(b"\xef\xbb\xbfa,b\n", 100), [b"a,b\n"]);
        assert!(blocks_of(b"\xef\xbb\xbf", 100).is_empty());
    }
}
