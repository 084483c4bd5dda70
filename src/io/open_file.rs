//! An open file and its place, which a backing and its views share.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{OnceLock, PoisonError, RwLock};

use super::place::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::format::OFFSET_MAX;
use crate::os;

/// Held shared by handles that write a file's bytes.
pub(crate) const RAW: Range<u64> = 4..5;
/// Held shared by the handles of a store, on its data file and on its lock file.
pub(crate) const STORE: Range<u64> = 5..6;

/// An open file and its name. Its views share it: when the system cannot provide one of their
/// pages, they ask the file for the reason.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    pub(super) place: RwLock<Option<Place>>,
    /// Held if the bytes of the file may be written through this handle.
    raw: OnceLock<RawLock>,
}

/// The lock of a handle that writes a file's bytes.
#[derive(Debug)]
pub(super) struct RawLock {
    /// The file, opened once more: the caller's descriptor may share its locks with others.
    pub(super) own: Option<File>,
}

impl RawLock {
    pub(super) fn unlock(&self, file: &File) {
        // Unlocked explicitly, as in `FileBacking`'s drop.
        let _ = os::unlock_range(self.own.as_ref().unwrap_or(file), RAW.start, 1);
    }
}

impl OpenFile {
    /// An open file with this name.
    pub(crate) fn new(file: File, place: Option<Place>) -> Self {
        Self { file, place: RwLock::new(place), raw: OnceLock::new() }
    }

    /// Holds a lock for as long as the file is open here.
    pub(super) fn keep(&self, lock: RawLock) {
        // Each backing is guarded once, before any other handle shares the file.
        let _ = self.raw.set(lock);
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.place().map(|place| place.given().to_path_buf())
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.place.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The place of the file, for operations by its name: an error if the name now belongs to
    /// another file or to none. Then the files beside it do not belong to this file.
    pub(super) fn checked_place(&self, operation: &'static str) -> Result<Option<Place>> {
        let Some(place) = self.place() else { return Ok(None) };
        match self.check_place(&place, operation) {
            // The path names a descriptor and never was a place in a directory.
            Err(_) if os::is_nameless(place.given()) => Ok(None),
            checked => checked.map(|()| Some(place)),
        }
    }

    pub(super) fn check_place(&self, place: &Place, operation: &'static str) -> Result<()> {
        let found = os::is_at(&self.file, place.real())
            .map_err(|source| Error::io(operation, source).path(place.given()))?;
        if found {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, operation)
            .path(place.given())
            .detail("the file was moved or replaced while it was open; nothing was touched")
            .advice(
                "move it back with the files beside it, or close it and open it at its new path",
            ))
    }

    pub(crate) fn len_bytes(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|source| self.error("ask the length of", source))?.len())
    }

    pub(crate) fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.check_length("read", offset)?;
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            match os::read_at(&self.file, at, &mut into[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(source) => return Err(self.error("read", source).offset(at)),
            }
        }
        Ok(done)
    }

    pub(crate) fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        self.check_length("write", offset.saturating_add(from.len() as u64))?;
        os::write_all_at(&self.file, offset, from)
            .map_err(|source| self.error("write", source).offset(offset))
    }

    /// A system error of `operation` on this file.
    pub(super) fn error(&self, operation: &'static str, source: io::Error) -> Error {
        self.name(Error::io(operation, source))
    }

    pub(super) fn name(&self, error: Error) -> Error {
        match self.path() {
            Some(path) => error.path(path),
            None => error,
        }
    }

    pub(super) fn check_length(&self, operation: &'static str, len_bytes: u64) -> Result<()> {
        if len_bytes <= OFFSET_MAX {
            return Ok(());
        }
        Err(self.name(
            Error::new(ErrorKind::OutOfRange, operation)
                .offset(len_bytes)
                .detail("past byte 2^63 - 1, the end of the largest possible file"),
        ))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if let Some(lock) = self.raw.get() {
            lock.unlock(&self.file);
        }
    }
}
