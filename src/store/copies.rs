//! Records read as copies, for which a page that cannot be had is an error and not a signal.

use std::ops::Range;

use super::exclusive_file::ExclusiveFile;
use crate::error::{ErrorKind, Result};
use crate::format::{Found, Record, bytes_of_mut, zeroed};
use crate::txn::slots;

/// How many bytes of records are copied at a time: what a processor's second-level cache holds.
const CHUNK_BYTES: usize = 256 << 10;

impl<T: Copy + Send + Sync> ExclusiveFile<T> {
    /// Copies the records from `first` on into `into`, packed, as many as there are and as it has
    /// room for, and returns how many.
    pub(crate) fn read_packed(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let len = self.slots.record_len();
        if self.slots.mark().is_none() && self.mode.log().is_none() {
            let copied = self.array.copy_records(first, len, into);
            return copied.map_err(|error| self.core.name(error));
        }
        let stride = self.slots.stride();
        let mut slots = vec![0; (into.len() / len).min((CHUNK_BYTES / stride).max(1)) * stride];
        let mut places = into.chunks_exact_mut(len);
        let mut id = first;
        while places.len() > 0 {
            let room = places.len().saturating_mul(stride).min(slots.len());
            let copied = self.copy_slots(id, &mut slots[..room])?;
            for (slot, place) in slots.chunks_exact(stride).take(copied).zip(&mut places) {
                match self.slots.found(slot) {
                    Ok(Found::Live) => place.copy_from_slice(&slot[..len]),
                    Ok(_) => return Err(self.core.name(slots::deleted("read", id))),
                    Err(status) => return Err(self.damaged(id, status)),
                }
                id += 1;
            }
            if copied == 0 {
                break;
            }
        }
        // As many as there were places for, of which each is a record in memory.
        Ok((id - first) as usize)
    }

    /// As [`ExclusiveFile::read_packed`], of one record: whether there is one that is not deleted.
    pub(crate) fn read_one(&self, id: u64, into: &mut [u8]) -> Result<bool> {
        match self.read_packed(id, into) {
            Err(error) if error.kind() == ErrorKind::Deleted => Ok(false),
            copied => copied.map(|records| records == 1),
        }
    }

    /// Copies records with what lies behind each, as this handle sees them, and returns how many.
    fn copy_slots(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let stride = self.slots.stride();
        let copied = self.array.copy_records(first, stride, into);
        let copied = copied.map_err(|error| self.core.name(error))?;
        if self.mode.log().is_some_and(|log| !log.overlay.is_empty()) {
            for (id, slot) in (first..).zip(into.chunks_exact_mut(stride).take(copied)) {
                if let Some(image) = self.image_slot(id) {
                    slot.copy_from_slice(image);
                }
            }
        }
        Ok(copied)
    }

    /// As [`ExclusiveFile::copy_slots`], but only the records before the first that cannot be read;
    /// an error if `first` itself cannot.
    fn copy_readable_slots(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let error = match self.copy_slots(first, into) {
            Err(error) => error,
            copied => return copied,
        };
        let stride = self.slots.stride();
        let before = error.record_number().and_then(|record| record.checked_sub(first));
        match before.and_then(|records| usize::try_from(records).ok()) {
            Some(records) if records > 0 && records < into.len() / stride => {
                self.copy_slots(first, &mut into[..records * stride])
            }
            _ => Err(error),
        }
    }
}

impl<R: Record> ExclusiveFile<R> {
    /// Copies records: see [`ExclusiveFile::read_packed`].
    pub(crate) fn read_into(&self, first: u64, into: &mut [R]) -> Result<usize> {
        self.read_packed(first, bytes_of_mut(into))
    }

    /// A copy of record `id`, if there is one that is not deleted.
    pub(crate) fn try_read(&self, id: u64) -> Result<Option<R>> {
        let mut record = zeroed();
        let found = self.read_one(id, bytes_of_mut(std::slice::from_mut(&mut record)))?;
        Ok(found.then_some(record))
    }
}

/// Copies of records with what lies behind each, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Walk<'a, T: Copy + Send + Sync> {
    file: &'a ExclusiveFile<T>,
    /// The records not yet lent.
    ids: Range<u64>,
    chunk_len: usize,
    /// Copies of the first of them, from `at` to `end`.
    chunk: Vec<u8>,
    at: usize,
    end: usize,
}

impl<'a, T: Copy + Send + Sync> Walk<'a, T> {
    /// Through the records of `ids` that exist, of which about `chunk_bytes` are copied at a time.
    pub(crate) fn new(file: &'a ExclusiveFile<T>, ids: Range<u64>, chunk_bytes: usize) -> Self {
        let end = ids.end.min(file.array.count());
        let ids = ids.start.min(end)..end;
        let chunk_len = (chunk_bytes / file.slots.stride()).max(1);
        Self { file, ids, chunk_len, chunk: Vec::new(), at: 0, end: 0 }
    }

    /// The next record that is not deleted. After an error it goes on with the record behind that
    /// which cannot be read.
    #[inline]
    pub(crate) fn next_record(&mut self) -> Result<Option<(u64, &[u8])>> {
        loop {
            if self.at == self.end {
                if self.ids.is_empty() {
                    return Ok(None);
                }
                self.fill()?;
            }
            let id = self.ids.start;
            let start = self.at;
            self.ids.start += 1;
            self.at += self.file.slots.stride();
            match self.file.slots.found(&self.chunk[start..self.at]) {
                Ok(Found::Live) => {
                    let end = start + self.file.slots.record_len();
                    return Ok(Some((id, &self.chunk[start..end])));
                }
                Ok(_) => {}
                Err(status) => return Err(self.file.damaged(id, status)),
            }
        }
    }

    #[cold]
    fn fill(&mut self) -> Result<()> {
        let stride = self.file.slots.stride();
        let left = usize::try_from(self.ids.end - self.ids.start).unwrap_or(usize::MAX);
        self.chunk.resize(left.min(self.chunk_len) * stride, 0);
        let copied = self.file.copy_readable_slots(self.ids.start, &mut self.chunk);
        let copied = copied.inspect_err(|_| self.ids.start += 1)?;
        self.at = 0;
        self.end = copied * stride;
        Ok(())
    }
}

/// Copies of the records of a range with their numbers, in order; made by
/// [`DynStore::copies`](crate::DynStore::copies).
///
/// The records are copied in chunks of 256 KiB, or of one record if that is larger, and lent from
/// there. With [`install_fault_guard`](crate::install_fault_guard) a page that cannot be had is an
/// error, where an iterator over records in place meets a signal.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 0, 2, 0, 3, 0])?;
/// let mut copies = store.copies(1..u64::MAX);
/// assert_eq!(copies.size_hint(), (2, Some(2)));
/// while let Some((id, record)) = copies.next_record()? {
///     assert_eq!(u64::from(record[0]), id + 1);
/// }
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Debug)]
pub struct Copies<'a>(Walk<'a, u8>);

impl<'a> Copies<'a> {
    /// The records of `ids` that exist.
    pub(crate) fn new(file: &'a ExclusiveFile<u8>, ids: Range<u64>) -> Self {
        Self(Walk::new(file, ids, CHUNK_BYTES))
    }

    /// How many records are left, at least and at most; deleted ones are none.
    pub fn size_hint(&self) -> (u64, Option<u64>) {
        let left = self.0.ids.end - self.0.ids.start;
        let least = if self.0.file.slots.mark().is_some() { 0 } else { left };
        (least, Some(left))
    }

    /// The next record and its number; `None` after the last.
    ///
    /// # Errors
    /// As [`DynStore::try_read`](crate::DynStore::try_read), when it comes to the record that
    /// cannot be read. Asking again goes on with the record after it.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<(u64, &[u8])>> {
        self.0.next_record()
    }
}
