//! The bytes of a foreign file, as the parsers of layouts read them.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::io::{Backing as _, FileBacking};

/// The operation in every error of a parser.
pub(super) const READ: &str = "read the layout of";

/// A file that a parser reads.
pub(super) struct Source {
    backing: FileBacking,
    len_bytes: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let backing = FileBacking::open(path, false)?;
        let len_bytes = backing.len_bytes()?;
        Ok(Self { backing, len_bytes })
    }

    /// The length of the file when it was opened.
    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The bytes from `offset` on, as many as there are, at most `len`. `len` is a constant of a
    /// parser, or a length that the parser has limited.
    pub(super) fn at_most(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let read = self.backing.read_at(offset, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Fills `into` with the bytes from `offset` on; returns how many there are.
    pub(super) fn fill(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.backing.read_at(offset, into)
    }

    /// As [`Source::at_most`], but an error if there are fewer.
    pub(super) fn exactly(&self, offset: u64, len: usize, what: &str) -> Result<Vec<u8>> {
        let bytes = self.at_most(offset, len)?;
        if bytes.len() < len {
            let end = offset.saturating_add(bytes.len() as u64);
            return Err(corrupt(end, format!("the file ends within {what}")));
        }
        Ok(bytes)
    }

    /// Adds the path to an error.
    pub(super) fn name(&self, error: Error) -> Error {
        match self.backing.path() {
            Some(path) => error.path(path),
            None => error,
        }
    }
}

/// Bytes at `offset` that are impossible in a file of the kind.
pub(super) fn corrupt(offset: u64, detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, READ).offset(offset).detail(detail.into())
}

/// A part of the format at `offset` that this crate does not read.
pub(super) fn unsupported(offset: u64, detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::UnsupportedFormat, READ).offset(offset).detail(detail.into())
}
