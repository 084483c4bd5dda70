//! The bytes of an input at any place, for formats that are not read from start to end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::number::smaller;
use crate::os;

/// The bytes of a file, or those in memory.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct Places {
    source: Source,
    len_bytes: u64,
}

#[derive(Clone, Debug)]
enum Source {
    File(Arc<File>),
    Bytes(Arc<[u8]>),
}

impl Places {
    pub(super) fn of_file(file: File) -> io::Result<Self> {
        let len_bytes = file.metadata()?.len();
        Ok(Self { source: Source::File(Arc::new(file)), len_bytes })
    }

    pub(super) fn of_bytes(bytes: Arc<[u8]>) -> Self {
        let len_bytes = bytes.len() as u64;
        Self { source: Source::Bytes(bytes), len_bytes }
    }

    /// The length of the input.
    pub(in crate::exchange) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Fills `into` with the bytes from `offset` on, as far as there are some.
    pub(in crate::exchange) fn fill_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = match &self.source {
            Source::File(file) => file,
            Source::Bytes(bytes) => {
                let start = smaller(offset, bytes.len());
                let len = into.len().min(bytes.len() - start);
                into[..len].copy_from_slice(&bytes[start..start + len]);
                return Ok(len);
            }
        };
        let mut filled = 0;
        while filled < into.len() {
            match os::read_at(file, offset + filled as u64, &mut into[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// A reader of the bytes from `start` to `end`.
    pub(in crate::exchange) fn reader(&self, start: u64, end: u64) -> PlacesReader {
        PlacesReader { places: self.clone(), start, end: end.min(self.len_bytes), position: start }
    }
}

/// Reads a part of an input, at a place of its own.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct PlacesReader {
    places: Places,
    start: u64,
    end: u64,
    position: u64,
}

impl PlacesReader {
    /// The bytes read so far, counted from the start of the part.
    pub(in crate::exchange) fn done_bytes(&self) -> u64 {
        self.position.saturating_sub(self.start)
    }
}

impl Read for PlacesReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = smaller(self.end.saturating_sub(self.position), into.len());
        let read = self.places.fill_at(self.position, &mut into[..len])?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for PlacesReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from = |base: u64, by: i64| base.checked_add_signed(by);
        let place = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::Current(by) => from(self.position, by),
            SeekFrom::End(by) => from(self.end, by),
        };
        match place.filter(|&place| place >= self.start) {
            Some(place) => {
                self.position = place;
                Ok(place - self.start)
            }
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "a place before the start")),
        }
    }
}
