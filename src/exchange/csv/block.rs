//! Cutting a text into blocks of whole rows.

use super::split::last_row_end;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::input::Text;

/// How much text a thread works on at a time: it and what is made of it stay in the cache.
const BLOCK_BYTES: usize = 256 << 10;
/// The longest row. Text of 16 MiB in any quoting is shorter.
const ROW_BYTES_MAX: usize = 64 << 20;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The blocks of a text, each of whole rows.
pub(super) struct Blocks<'t> {
    text: Text<'t>,
    delimiter: u8,
    /// The begin of a row that the last block did not hold whole.
    carried: Vec<u8>,
    /// Where in the text the next block begins.
    offset: u64,
    ended: bool,
    block_bytes: usize,
}

impl<'t> Blocks<'t> {
    pub(super) fn new(text: Text<'t>, delimiter: u8) -> Self {
        Self {
            text,
            delimiter,
            carried: Vec::new(),
            offset: 0,
            ended: false,
            block_bytes: BLOCK_BYTES,
        }
    }

    /// Replaces what is in `block` by the next rows; `false` if there are none.
    ///
    /// # Errors
    /// Those of reading; [`ErrorKind::InvalidValue`] for a row over 64 MiB or a text in UTF-16.
    pub(super) fn next(&mut self, block: &mut Vec<u8>) -> Result<bool> {
        let at_start = self.offset == 0 && self.carried.is_empty();
        block.clear();
        block.append(&mut self.carried);
        let mut wanted_bytes = self.block_bytes;
        while !self.ended {
            let filled = block.len();
            block.resize(filled.max(wanted_bytes), 0);
            let read = self.text.fill(&mut block[filled..])?;
            self.ended = filled + read < block.len();
            block.truncate(filled + read);
            if at_start && filled == 0 {
                self.offset += strip_mark(block)?;
            }
            if self.ended {
                break;
            }
            let end = last_row_end(block, self.delimiter);
            if end > 0 {
                self.carried.extend_from_slice(&block[end..]);
                block.truncate(end);
                break;
            }
            if block.len() > ROW_BYTES_MAX {
                return Err(Error::new(ErrorKind::InvalidValue, "read")
                    .path(self.text.name())
                    .offset(self.offset)
                    .detail(format!("a row of more than {} MiB", ROW_BYTES_MAX >> 20))
                    .advice("look for a quote that is opened and never closed"));
            }
            wanted_bytes = block.len() * 2;
        }
        self.offset += block.len() as u64;
        Ok(!block.is_empty())
    }

    /// Bytes read so far of what lies on disk.
    pub(super) fn read_bytes(&self) -> u64 {
        self.text.read_bytes()
    }
}

/// Takes the byte order mark away from the start of a text; says how long it was.
fn strip_mark(text: &mut Vec<u8>) -> Result<u64> {
    if UTF16_MARKS.iter().any(|mark| text.starts_with(mark)) {
        return Err(Error::new(ErrorKind::InvalidValue, "read")
            .detail("the text is in UTF-16")
            .advice("convert it first, as in: iconv -f UTF-16 -t UTF-8"));
    }
    if !text.starts_with(UTF8_MARK) {
        return Ok(0);
    }
    text.drain(..UTF8_MARK.len());
    Ok(UTF8_MARK.len() as u64)
}
