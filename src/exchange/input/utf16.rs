//! UTF-16 as UTF-8.

use super::kind::ByteOrder;
use crate::error::{Error, ErrorKind, Result};

/// The bytes that are converted at a time.
const STEP_BYTES: usize = 32 << 10;

/// Converts a text, which it gets in pieces of any length.
pub(super) struct Utf16 {
    order: ByteOrder,
    /// Bytes of which the rest has not come: half a unit, or half a pair.
    carried: Vec<u8>,
    /// The converted text, from `given` on.
    converted: String,
    given: usize,
    /// The place of the carried bytes in the text, after its mark.
    offset: u64,
    /// The line feeds before `converted`.
    lines: u64,
    ended: bool,
}

impl Utf16 {
    pub(super) fn new(order: ByteOrder) -> Self {
        Self {
            order,
            carried: Vec::new(),
            converted: String::new(),
            given: 0,
            offset: 0,
            lines: 0,
            ended: false,
        }
    }

    /// Reads at least one byte of UTF-8, or none at the end. `fill` fills its argument with bytes
    /// of UTF-16 as far as they reach.
    ///
    /// # Errors
    /// An error of `fill`; [`ErrorKind::InvalidValue`] for half of a surrogate pair;
    /// [`ErrorKind::Truncated`] if the text ends within a character.
    pub(super) fn read(
        &mut self,
        into: &mut [u8],
        mut fill: impl FnMut(&mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        while self.given == self.converted.len() {
            if self.ended {
                return Ok(0);
            }
            self.convert_more(&mut fill)?;
        }
        let rest = &self.converted.as_bytes()[self.given..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        Ok(len)
    }

    /// Replaces the converted text, all of which was given, by the next.
    fn convert_more(&mut self, fill: &mut impl FnMut(&mut [u8]) -> Result<usize>) -> Result<()> {
        self.lines += self.line_feeds();
        self.converted.clear();
        self.given = 0;
        let mut bytes = std::mem::take(&mut self.carried);
        let start = bytes.len();
        bytes.resize(start + STEP_BYTES, 0);
        let read = fill(&mut bytes[start..])?;
        bytes.truncate(start + read);
        self.ended = read < STEP_BYTES;

        let mut units = bytes.chunks_exact(2).map(|pair| self.order.unit([pair[0], pair[1]]));
        let mut done = 0;
        while let Some(unit) = units.next() {
            let whole = match unit {
                0xd800..=0xdbff => match units.next() {
                    // Its other half is in the next piece.
                    None if !self.ended => break,
                    low => pair(unit, low),
                },
                _ => char::from_u32(unit.into()),
            };
            let Some(whole) = whole else { return Err(self.half_of_a_pair(unit, done)) };
            self.converted.push(whole);
            done += 2 * whole.len_utf16();
        }
        if self.ended && done < bytes.len() {
            return Err(Error::new(ErrorKind::Truncated, "read")
                .detail(format!(
                    "the text in UTF-16 has {} bytes after its mark, and ends within a character",
                    self.offset + bytes.len() as u64
                ))
                .advice("the file is not whole: get it again"));
        }
        self.carried = bytes.split_off(done);
        self.offset += done as u64;
        Ok(())
    }

    fn line_feeds(&self) -> u64 {
        self.converted.bytes().filter(|&byte| byte == b'\n').count() as u64
    }

    /// The error for a unit that stands alone, `done` bytes after the carried ones.
    fn half_of_a_pair(&self, unit: u16, done: usize) -> Error {
        let line = self.lines + self.line_feeds() + 1;
        let place = self.offset + done as u64;
        Error::new(ErrorKind::InvalidValue, "read")
            .detail(format!(
                "line {line}: byte {place} after the mark of the text in UTF-16 begins half of a \
                 surrogate pair (0x{unit:x})"
            ))
            .advice("correct that character, or ask the maker of the file for UTF-8")
    }
}

impl ByteOrder {
    fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

/// The character of a surrogate pair.
fn pair(high: u16, low: Option<u16>) -> Option<char> {
    let low = low.filter(|low| (0xdc00..=0xdfff).contains(low))?;
    char::from_u32(0x1_0000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(low) - 0xdc00))
}
