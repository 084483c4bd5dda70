//! Bytes read in pieces, whatever length a header claims.
//!
//! A claimed length costs nothing: a sparse file of 68 KiB can have 4 GiB of metadata. So this code
//! takes no more memory than a piece, and sums holes without reading them.

use std::ops::Range;

use super::checksum::{crc32c_append, crc32c_append_zeros};
use crate::error::Result;

/// The largest length of one read.
const PIECE_BYTES: usize = 64 << 10;

static ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

/// Bytes that can be read from any place.
pub(crate) trait Source {
    /// The number of bytes.
    fn len_bytes(&self) -> u64;

    /// Reads the bytes from `at` on, up to all of `into` or the end. Returns how many it read.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize>;

    /// Skips a hole: returns a place at or after `at` with only zeros between the two. Always
    /// returning `at` itself is correct, but slow.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn next_data(&self, at: u64) -> Result<u64> {
        Ok(at)
    }
}

impl Source for [u8] {
    fn len_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// Calls `each` for the bytes of `range`, a piece at a time, with the number of skipped zeros
/// before the piece. `false` if the source ends before the range.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error; an error of
/// `each`.
pub(crate) fn in_pieces(
    source: &(impl Source + ?Sized),
    range: Range<u64>,
    mut each: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<bool> {
    let mut buffer = Vec::new();
    let (mut at, mut skipped) = (range.start, 0);
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        buffer.resize(len, 0);
        if source.read_at(at, &mut buffer)? < len {
            return Ok(false);
        }
        each(skipped, &buffer)?;
        at += len as u64;
        skipped = 0;
        if at < range.end && buffer == ZEROS[..len] {
            // A piece of zeros suggests a hole.
            let data = source.next_data(at)?.clamp(at, range.end.max(at));
            (at, skipped) = (data, data - at);
        }
    }
    each(skipped, &[])?;
    Ok(range.end <= source.len_bytes())
}

/// The CRC-32C of the bytes with the sum `crc`, followed by those of `range`; `None` if the source
/// ends before.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
pub(crate) fn crc32c_of(
    crc: u32,
    source: &(impl Source + ?Sized),
    range: Range<u64>,
) -> Result<Option<u32>> {
    let mut crc = crc;
    let whole = in_pieces(source, range, |zeros, piece| {
        crc = crc32c_append(crc32c_append_zeros(crc, zeros), piece);
        Ok(())
    })?;
    Ok(whole.then_some(crc))
}

/// A place in a source from which it is read in pieces.
pub(super) struct Cursor<'s, S: ?Sized> {
    source: &'s S,
    /// The place of the next byte.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    /// The number of buffered bytes already taken.
    taken: usize,
}

impl<'s, S: Source + ?Sized> Cursor<'s, S> {
    pub(super) fn new(source: &'s S, range: Range<u64>) -> Self {
        Self { source, at: range.start, end: range.end, buffer: Vec::new(), taken: 0 }
    }

    /// The place of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The number of bytes left.
    pub(super) fn left(&self) -> u64 {
        self.end - self.at
    }

    /// The next `len` bytes, at most a piece; `None` if fewer are left.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    pub(super) fn take(&mut self, len: usize) -> Result<Option<&[u8]>> {
        if self.left() < len as u64 || len > PIECE_BYTES {
            return Ok(None);
        }
        if self.buffer.len() - self.taken < len {
            let wanted = usize::try_from(self.left()).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            self.buffer.resize(wanted, 0);
            let got = self.source.read_at(self.at, &mut self.buffer)?;
            self.buffer.truncate(got);
            self.taken = 0;
            if got < len {
                return Ok(None);
            }
        }
        let from = self.taken;
        self.taken += len;
        self.at += len as u64;
        Ok(Some(&self.buffer[from..from + len]))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::format::checksum::crc32c;

    /// Zeros except for a few bytes, whose places it knows.
    struct Sparse<'b> {
        bytes: &'b [u8],
        data: &'b [Range<u64>],
        read_bytes: Cell<usize>,
    }

    impl Source for Sparse<'_> {
        fn len_bytes(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
            self.read_bytes.set(self.read_bytes.get() + into.len());
            self.bytes.read_at(at, into)
        }

        fn next_data(&self, at: u64) -> Result<u64> {
            let next = self.data.iter().find(|data| data.end > at);
            Ok(next.map_or(self.len_bytes(), |data| data.start.max(at)))
        }
    }

    #[test]
    fn holes_are_summed_and_not_read() {
        let mut bytes = vec![0; 40 * PIECE_BYTES + 17];
        let data = [1000..2000, 12 * 65_536 + 5..12 * 65_536 + 6];
        bytes[1000..2000].fill(7);
        bytes[12 * 65_536 + 5] = 9;
        let source = Sparse { bytes: &bytes, data: &data, read_bytes: Cell::new(0) };
        let len = bytes.len() as u64;
        for range in [0..len, 0..0, 999..len, 3000..len - 1, 5..1500, len - 3..len] {
            let (start, end) = (range.start as usize, range.end as usize);
            let expected = crc32c(&[b"before", &bytes[start..end]].concat());
            let found = crc32c_of(crc32c(b"before"), &source, range.clone()).unwrap();
            assert_eq!(found, Some(expected), "{range:?}");
        }
        source.read_bytes.set(0);
        crc32c_of(0, &source, 0..len).unwrap();
        assert!(source.read_bytes.get() <= 4 * PIECE_BYTES, "{}", source.read_bytes.get());
        assert_eq!(crc32c_of(0, &source, 0..len + 1).unwrap(), None);
        assert_eq!(crc32c_of(0, &bytes[..], len..len + 1).unwrap(), None);
    }

    #[test]
    fn a_cursor_gives_every_byte_once() {
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 100).map(|at| (at % 251) as u8).collect();
        let mut cursor = Cursor::new(&bytes[..], 10..bytes.len() as u64);
        let mut seen = Vec::new();
        while let Some(piece) = cursor.take(77).unwrap() {
            seen.extend_from_slice(piece);
        }
        let left = usize::try_from(cursor.left()).unwrap();
        assert!(left < 77);
        seen.extend_from_slice(cursor.take(left).unwrap().unwrap());
        assert_eq!(seen, bytes[10..]);
        assert_eq!(cursor.take(1).unwrap(), None);
        assert_eq!(Cursor::new(&bytes[..10], 0..20).take(11).unwrap(), None, "the source ends");
    }
}
