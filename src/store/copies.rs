//! Reads records as copies, so that an unreadable page is an error instead of a signal.

use std::ops::Range;

use super::edit::misfit;
use super::exclusive_file::ExclusiveFile;
use super::records::clamp;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Found;
use crate::txn::{Row, slots};

/// How many bytes of records are copied at a time: they fit into a second-level cache.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Copies the records from `first` on into `into`, packed, until the records or the room end.
    /// Returns how many.
    pub(crate) fn read_packed(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let len = self.slots.record_len();
        if self.slots.status_byte().is_none() && self.mode.log().is_none() {
            let copied = self.array.copy_records(first, len, into);
            return copied.map_err(|error| self.superblock.name(error));
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
                    Ok(_) => return Err(self.superblock.name(slots::deleted("read", id))),
                    Err(status) => return Err(self.damaged(id, status)),
                }
                id += 1;
            }
            if copied == 0 {
                break;
            }
        }
        // No more than the places in `into`, so their number fits into a `usize`.
        Ok((id - first) as usize)
    }

    /// Copies whole strides of records, with the images of the log that this handle sees. Returns
    /// how many.
    fn copy_slots(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let stride = self.slots.stride();
        let copied = self.array.copy_records(first, stride, into);
        let copied = copied.map_err(|error| self.superblock.name(error))?;
        if self.mode.log().is_some_and(|log| !log.overlay.is_empty()) {
            for (id, slot) in (first..).zip(into.chunks_exact_mut(stride).take(copied)) {
                if let Some(image) = self.image_slot(id) {
                    slot.copy_from_slice(image);
                }
            }
        }
        Ok(copied)
    }

    /// As [`ExclusiveFile::copy_slots`], but ends before the first unreadable record. Fails if
    /// `first` itself is unreadable.
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

    /// As [`ExclusiveFile::read_packed`]; refuses less room than one record needs.
    pub(crate) fn read_bytes_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let record_len = self.slots.record_len();
        if into.len() < record_len {
            let room = into.len();
            let detail = format!("a record has {record_len} bytes, and the buffer {room}");
            let error = Error::new(ErrorKind::InvalidArgument, "read").detail(detail);
            return Err(self.superblock.name(error));
        }
        self.read_packed(first, into)
    }

    /// A copy of record `id`; `None` past the last and for a deleted record.
    pub(crate) fn try_read(&self, id: u64) -> Result<Option<R::Owned>> {
        R::filled_by(self.slots.record_len(), |into| self.read_one(id, into))
    }

    /// As [`ExclusiveFile::read_packed`] for one record; `false` past the last, or if deleted.
    fn read_one(&self, id: u64, into: &mut [u8]) -> Result<bool> {
        match self.read_packed(id, into) {
            Err(error) if error.kind() == ErrorKind::Deleted => Ok(false),
            copied => copied.map(|records| records == 1),
        }
    }
}

/// Copies of the records of a range with their numbers, in order; made by
/// [`Store::copies`](crate::Store::copies).
///
/// [`Copies::next_record`] lends each record from a chunk of 256 KiB (64 KiB for a windowed store),
/// or of one record if that is larger. With [`install_fault_guard`](crate::install_fault_guard) an
/// unreadable page is an error here; an iterator over records in place raises a signal.
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
pub struct Copies<'a, R: Row + ?Sized = [u8]> {
    file: &'a ExclusiveFile<R>,
    /// The records that are still to come.
    ids: Range<u64>,
    chunk_len: usize,
    /// Copies of the first of them, from `at` to `end`, at an address that is aligned for `R`.
    chunk: Vec<u8>,
    at: usize,
    end: usize,
}

impl<'a, R: Row + ?Sized> Copies<'a, R> {
    /// The existing records of `ids`, copied about `chunk_bytes` at a time.
    pub(crate) fn new(file: &'a ExclusiveFile<R>, ids: Range<u64>, chunk_bytes: usize) -> Self {
        let ids = clamp(ids, file.array.count());
        let chunk_len = (chunk_bytes / file.slots.stride()).max(1);
        Self { file, ids, chunk_len, chunk: Vec::new(), at: 0, end: 0 }
    }

    /// How many records are still to come, at least and at most. In a store with deletes the least
    /// number is 0, because each record may be deleted.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let mut store = DynStore::create_options().deletes(true).temporary(&schema)?;
    /// store.append_packed(&[0; 3 * 8])?;
    /// assert_eq!(store.copies(0..2).size_hint(), (0, Some(2)));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn size_hint(&self) -> (u64, Option<u64>) {
        let left = self.ids.end - self.ids.start;
        let least = if self.file.slots.status_byte().is_some() { 0 } else { left };
        (least, Some(left))
    }

    /// The next record and its number; `None` after the last.
    ///
    /// # Errors
    /// As [`Store::try_read`](crate::Store::try_read), at the unreadable record. The next call
    /// continues with the record after it.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<(u64, &R)>> {
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
                    let record = R::of_bytes(&self.chunk[start..end]).ok_or_else(|| misfit(id))?;
                    return Ok(Some((id, record)));
                }
                Ok(_) => {}
                Err(status) => return Err(self.file.damaged(id, status)),
            }
        }
    }

    /// As [`Copies::next_record`], with an owned record.
    pub(super) fn next_owned(&mut self) -> Option<Result<(u64, R::Owned)>> {
        match self.next_record() {
            Ok(None) => None,
            Ok(Some((id, record))) => Some(Ok((id, record.to_owned()))),
            Err(error) => Some(Err(error)),
        }
    }

    #[cold]
    fn fill(&mut self) -> Result<()> {
        let stride = self.file.slots.stride();
        let left = usize::try_from(self.ids.end - self.ids.start).unwrap_or(usize::MAX);
        let chunk_bytes = left.min(self.chunk_len) * stride;
        // Strides are multiples of the alignment: if the first record is aligned, all are.
        self.chunk.resize(chunk_bytes + R::ALIGNMENT - 1, 0);
        let lead = self.chunk.as_ptr().align_offset(R::ALIGNMENT);
        let chunk = &mut self.chunk[lead..lead + chunk_bytes];
        let copied = self.file.copy_readable_slots(self.ids.start, chunk);
        let copied = copied.inspect_err(|_| self.ids.start += 1)?;
        self.at = lead;
        self.end = lead + copied * stride;
        Ok(())
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Copies<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copies").field("ids", &self.ids).finish_non_exhaustive()
    }
}
