//! A text in blocks of whole lines.

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::input::Text;

/// The bytes that are read at a time.
const BLOCK_BYTES: usize = 512 << 10;
/// A longer line is refused: it is held in memory.
const LINE_BYTES_MAX: usize = 64 << 20;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The blocks of a text.
pub(super) struct Lines<'i> {
    text: Text<'i>,
    /// The start of a line whose end is not read yet.
    rest: Vec<u8>,
    offset: u64,
    lines: u64,
    has_ended: bool,
}

impl<'i> Lines<'i> {
    /// The lines of a text from its byte `offset` on, before which there are so many `lines`.
    pub(super) fn new(text: Text<'i>, offset: u64, lines: u64) -> Self {
        Self { text, rest: Vec::new(), offset, lines, has_ended: false }
    }

    /// The bytes read so far of the file on disk.
    pub(super) fn read_bytes(&self) -> u64 {
        self.text.read_bytes()
    }

    /// The place after the last block.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Replaces `block` by the next lines, and returns whether there were some.
    pub(super) fn next(&mut self, block: &mut Vec<u8>) -> Result<bool> {
        block.clear();
        block.append(&mut self.rest);
        while !self.has_ended {
            let from = block.len();
            block.resize(from + BLOCK_BYTES, 0);
            let filled = self.text.fill(&mut block[from..])?;
            block.truncate(from + filled);
            self.has_ended = filled < BLOCK_BYTES;
            if self.has_ended {
                break;
            }
            if let Some(end) = memchr::memrchr(b'\n', &block[from..]) {
                self.rest.extend_from_slice(&block[from + end + 1..]);
                block.truncate(from + end + 1);
                break;
            }
            if block.len() > LINE_BYTES_MAX {
                let line = self.lines + 1;
                return Err(Error::new(ErrorKind::InvalidValue, "read")
                    .detail(format!("line {line} is longer than {} MiB", LINE_BYTES_MAX >> 20))
                    .advice("write one JSON object a line, as jq -c does"));
            }
        }
        if self.offset == 0 && block.starts_with(MARK) {
            // Spaces are no part of a value, and keep the places of the others.
            block[..MARK.len()].fill(b' ');
        }
        self.offset += block.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', block).count() as u64;
        Ok(!block.is_empty())
    }
}

/// A line with a value: its number in the block, the first being 0, its place, and its bytes
/// without the line end.
pub(super) struct Line<'b> {
    pub(super) number: u64,
    pub(super) start: usize,
    pub(super) bytes: &'b [u8],
}

/// The lines of a block that are not blank.
pub(super) fn lines_of(block: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    let mut number = 0;
    std::iter::from_fn(move || {
        while start < block.len() {
            let rest = &block[start..];
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let bytes = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
            let line = Line { number, start, bytes };
            start += len + 1;
            number += 1;
            if !bytes.trim_ascii().is_empty() {
                return Some(line);
            }
        }
        None
    })
}
