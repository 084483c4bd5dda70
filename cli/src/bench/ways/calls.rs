//! System calls: one a record, or with a buffer between.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::{Reads, Timed, Writes};
use crate::bench::shape::{Shape, TWO_FIELDS_BYTES};

/// Fills `into` from `offset` on.
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, into, offset);
    #[cfg(windows)]
    {
        let read = std::os::windows::fs::FileExt::seek_read(file, into, offset)?;
        if read == into.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Writes all of `from` at `offset`.
fn write_at(file: &File, offset: u64, from: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, from, offset);
    #[cfg(windows)]
    {
        let written = std::os::windows::fs::FileExt::seek_write(file, from, offset)?;
        if written == from.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

/// A new file for records alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// A call for each record.
pub(super) struct Calls {
    pub(super) file: File,
    pub(super) first_at: u64,
    pub(super) shape: Shape,
    pub(super) record: Vec<u8>,
}

impl Calls {
    pub(super) fn new(file: File, first_at: u64, shape: Shape) -> Self {
        Self { file, first_at, shape, record: vec![0; shape.record_len()] }
    }

    fn at(&self, id: u64) -> u64 {
        self.first_at + id * u64::from(self.shape.bytes)
    }
}

impl Reads for Calls {
    fn get(&mut self, ids: &[u64], of: fn(&[u8]) -> u64, whole: bool) -> io::Result<u64> {
        let len = if whole { self.record.len() } else { TWO_FIELDS_BYTES };
        let mut sum = 0_u64;
        for &id in ids {
            let at = self.at(id);
            read_at(&self.file, at, &mut self.record[..len])?;
            sum = sum.wrapping_add(of(&self.record[..len]));
        }
        Ok(sum)
    }

    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64> {
        let mut sum = 0_u64;
        for id in 0..self.shape.records {
            let at = self.at(id);
            read_at(&self.file, at, &mut self.record)?;
            sum = sum.wrapping_add(of(&self.record));
        }
        Ok(sum)
    }
}

impl Writes for Calls {
    fn append(&mut self, timed: &mut Timed) -> io::Result<()> {
        for id in 0..self.shape.records {
            self.shape.fill(&mut self.record, id, 0);
            write_at(&self.file, self.at(id), &self.record)?;
        }
        self.file.sync_data()?;
        timed.durable();
        Ok(())
    }

    fn update(&mut self, ids: &[u64], turn: u32, timed: &mut Timed) -> io::Result<()> {
        for &id in ids {
            self.shape.fill(&mut self.record, id, turn);
            write_at(&self.file, self.at(id), &self.record)?;
        }
        self.file.sync_data()?;
        timed.durable();
        Ok(())
    }
}

/// Calls with a buffer of 8 KiB between, or of 1 MiB.
pub(super) struct Buffered {
    file: File,
    first_at: u64,
    shape: Shape,
    buffer_bytes: usize,
}

impl Buffered {
    /// The standard library's usual buffer.
    pub(super) const SMALL_BYTES: usize = 8 << 10;

    pub(super) fn new(file: File, first_at: u64, shape: Shape, buffer_bytes: usize) -> Self {
        Self { file, first_at, shape, buffer_bytes }
    }
}

impl Reads for Buffered {
    fn get(&mut self, _: &[u64], _: fn(&[u8]) -> u64, _: bool) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64> {
        self.file.seek(SeekFrom::Start(self.first_at))?;
        let mut reader = BufReader::with_capacity(self.buffer_bytes, &self.file);
        let (mut record, mut sum) = (vec![0; self.shape.record_len()], 0_u64);
        for _ in 0..self.shape.records {
            reader.read_exact(&mut record)?;
            sum = sum.wrapping_add(of(&record));
        }
        Ok(sum)
    }
}

impl Writes for Buffered {
    fn append(&mut self, timed: &mut Timed) -> io::Result<()> {
        let mut writer = BufWriter::with_capacity(self.buffer_bytes, &self.file);
        let mut record = vec![0; self.shape.record_len()];
        for id in 0..self.shape.records {
            self.shape.fill(&mut record, id, 0);
            writer.write_all(&record)?;
        }
        writer.flush()?;
        drop(writer);
        self.file.sync_data()?;
        timed.durable();
        Ok(())
    }

    fn update(&mut self, _: &[u64], _: u32, _: &mut Timed) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Calls for 1 MiB of records at a time, which are used where they lie.
pub(super) struct Chunks {
    file: File,
    first_at: u64,
    shape: Shape,
    chunk: Vec<u8>,
}

impl Chunks {
    pub(super) fn new(file: File, first_at: u64, shape: Shape) -> Self {
        let chunk = vec![0; shape.chunk_records() * shape.record_len()];
        Self { file, first_at, shape, chunk }
    }

    /// Calls `each` with the first record's number and the bytes of every chunk.
    fn for_each(
        &mut self,
        mut each: impl FnMut(&File, u64, u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let step = self.shape.chunk_records();
        for first in (0..self.shape.records).step_by(step) {
            let records = (self.shape.records - first).min(step as u64) as usize;
            let at = self.first_at + first * u64::from(self.shape.bytes);
            let bytes = &mut self.chunk[..records * self.shape.record_len()];
            each(&self.file, first, at, bytes)?;
        }
        Ok(())
    }
}

impl Reads for Chunks {
    fn get(&mut self, _: &[u64], _: fn(&[u8]) -> u64, _: bool) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64> {
        let (len, mut sum) = (self.shape.record_len(), 0_u64);
        self.for_each(|file, _, at, bytes| {
            read_at(file, at, bytes)?;
            sum = bytes.chunks_exact(len).fold(sum, |sum, record| sum.wrapping_add(of(record)));
            Ok(())
        })?;
        Ok(sum)
    }
}

impl Writes for Chunks {
    fn append(&mut self, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        self.for_each(|file, first, at, bytes| {
            for (id, record) in (first..).zip(bytes.chunks_exact_mut(shape.record_len())) {
                shape.fill(record, id, 0);
            }
            write_at(file, at, bytes)
        })?;
        self.file.sync_data()?;
        timed.durable();
        Ok(())
    }

    fn update(&mut self, _: &[u64], _: u32, _: &mut Timed) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
