//! The bytes of an input as they are on disk, through a buffer.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// The bytes that are read at a time for a decoder.
const BUFFER_BYTES: usize = 64 << 10;

/// What has been read so far, for every layer above.
#[derive(Debug, Default)]
pub(super) struct Counts {
    read_bytes: Cell<u64>,
    /// The bytes that have been read and not been consumed.
    ahead_bytes: Cell<usize>,
    has_failed: Cell<bool>,
}

impl Counts {
    /// Begins at byte `offset` of the input.
    pub(super) fn from_offset(offset: u64) -> Rc<Self> {
        Rc::new(Self { read_bytes: Cell::new(offset), ..Self::default() })
    }

    /// The bytes read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.get()
    }

    /// The place of the next byte to be consumed.
    pub(super) fn position(&self) -> u64 {
        self.read_bytes.get() - self.ahead_bytes.get() as u64
    }

    /// Whether a read of the input itself failed: an error is then not about its bytes.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }
}

/// The bytes of an input. Unlike the standard library's reader with a buffer, it can look ahead
/// further than one read of a pipe gives, and it retries an interrupted read itself, because not
/// every decoder can be called again after an error.
pub(super) struct Raw<'a> {
    inner: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    counts: Rc<Counts>,
}

impl<'a> Raw<'a> {
    pub(super) fn new(inner: Box<dyn Read + 'a>, counts: Rc<Counts>) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { inner, buffer, start: 0, end: 0, counts }
    }

    /// The next `len` bytes, at most 64 KiB, without consuming them; fewer at the end.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.end - self.start < len {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            while self.end < len {
                let read = receive(&mut self.inner, &mut self.buffer[self.end..], &self.counts)?;
                if read == 0 {
                    break;
                }
                self.end += read;
                self.note_ahead();
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + len)])
    }

    fn note_ahead(&self) {
        self.counts.ahead_bytes.set(self.end - self.start);
    }
}

impl BufRead for Raw<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = receive(&mut self.inner, &mut self.buffer, &self.counts)?;
            self.note_ahead();
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, len: usize) {
        self.start = self.end.min(self.start + len);
        self.note_ahead();
    }
}

impl Read for Raw<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && into.len() >= BUFFER_BYTES {
            return receive(&mut self.inner, into, &self.counts);
        }
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// One read of the input, counted.
fn receive(inner: &mut impl Read, into: &mut [u8], counts: &Counts) -> io::Result<usize> {
    loop {
        match inner.read(into) {
            Ok(read) => {
                counts.read_bytes.set(counts.read_bytes.get() + read as u64);
                return Ok(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                counts.has_failed.set(true);
                return Err(error);
            }
        }
    }
}

/// Reads until `into` is full or the reader ends.
pub(super) fn read_full(reader: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match reader.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read, and is interrupted before each.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = into.len().min(1);
            self.0.read(&mut into[..len])
        }
    }

    #[test]
    fn a_look_ahead_takes_as_many_reads_as_it_needs() {
        let counts = Counts::from_offset(0);
        let mut raw = Raw::new(Box::new(Slow(b"abcdef", false)), Rc::clone(&counts));
        assert_eq!(raw.peek(4).unwrap(), b"abcd");
        assert_eq!((counts.read_bytes(), counts.position()), (4, 0));
        let mut two = [0; 2];
        raw.read_exact(&mut two).unwrap();
        assert_eq!((&two, counts.position()), (b"ab", 2));
        assert_eq!(raw.peek(9).unwrap(), b"cdef");
        assert_eq!((counts.read_bytes(), counts.position()), (6, 2));
        let mut rest = Vec::new();
        raw.read_to_end(&mut rest).unwrap();
        assert_eq!((&*rest, counts.position()), (&b"cdef"[..], 6));
        assert!(!counts.has_failed());
    }
}
