//! Reads records as copies, so that an unreadable page is an error instead of a signal.

use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::Range;

use super::exclusive_file::ExclusiveFile;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Found, RecordLayout};
use crate::number::{size_hint, smaller};
use crate::overlay::ImagesWithin;
use crate::txn::{Row, slots};

/// How many bytes of records are copied at a time: they fit into a second-level cache.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// The bytes of a cache line on most processors.
const LINE_BYTES: usize = 64;

/// How many bytes after a chunk the processor fetches while the caller works on its copies: enough
/// for the time until the next copy has its own requests on the way.
const AHEAD_BYTES: usize = 4096;

/// A handle whose records can be copied.
pub(crate) trait CopySource: Send + Sync {
    fn layout(&self) -> &RecordLayout;

    /// The number of records, deleted ones included.
    fn records(&self) -> u64;

    /// Copies whole strides of the records from `first` on, as the handle sees them, until the
    /// records or the room end. Returns how many.
    ///
    /// # Errors
    /// The error names the store, and the first unreadable record.
    fn copy_strides(&self, first: u64, into: &mut [u8]) -> Result<usize>;

    /// Adds the path to an error.
    fn name(&self, error: Error) -> Error;

    /// The images over the records `ids`, for [`CopySource::copy_under`]; `None` if there are none.
    fn images_within(&self, _ids: Range<u64>) -> Option<ImagesWithin<'_>> {
        None
    }

    /// As [`CopySource::copy_strides`], for a walk through many records: takes the images of these
    /// records out of `images`, which has none of records before them.
    fn copy_under(
        &self,
        first: u64,
        into: &mut [u8],
        _images: &mut ImagesWithin<'_>,
    ) -> Result<usize> {
        self.copy_strides(first, into)
    }

    /// Says that the records from `first` on are read next, so that the processor fetches the
    /// first `len_bytes` bytes of them while it works on others.
    fn prefetch(&self, _first: u64, _len_bytes: usize) {}

    /// Copies the records from `first` on into `into`, packed, until the records or the room end.
    /// Returns how many.
    fn copy_packed(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let layout = self.layout();
        if !layout.deletes {
            return self.copy_strides(first, into); // a stride is its record
        }
        let (len, stride) = (layout.record_size, layout.stride);
        let mut strides = vec![0; (into.len() / len).min((CHUNK_BYTES / stride).max(1)) * stride];
        let mut places = into.chunks_exact_mut(len);
        let mut id = first;
        while places.len() > 0 {
            let room = places.len().saturating_mul(stride).min(strides.len());
            let copied = self.copy_strides(id, &mut strides[..room])?;
            for (stride, place) in strides.chunks_exact(stride).take(copied).zip(&mut places) {
                match layout.found(stride) {
                    Ok(Found::Live) => place.copy_from_slice(&stride[..len]),
                    found => {
                        let error = slots::not_there("read", id, self.records(), found);
                        return Err(self.name(error));
                    }
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

    /// As [`CopySource::copy_packed`]; refuses less room than one record needs.
    fn copy_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let record_len = self.layout().record_size;
        if into.len() < record_len {
            let room = into.len();
            let detail = format!("a record has {record_len} bytes, and the buffer {room}");
            let error = Error::new(ErrorKind::InvalidArgument, "read").detail(detail);
            return Err(self.name(error));
        }
        self.copy_packed(first, into)
    }

    /// A copy of record `id`; `None` past the last and for a deleted record.
    fn copy_one<R: Row + ?Sized>(&self, id: u64) -> Result<Option<R::Owned>>
    where
        Self: Sized,
    {
        R::filled_by(self.layout().record_size, |into| match self.copy_packed(id, into) {
            Err(error) if error.kind() == ErrorKind::Deleted => Ok(false),
            copied => copied.map(|records| records == 1),
        })
    }

    /// As [`CopySource::copy_strides`], but ends before the first unreadable record. Fails if
    /// `first` itself is unreadable.
    fn copy_readable_strides(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let error = match self.copy_strides(first, into) {
            Err(error) => error,
            copied => return copied,
        };
        let stride = self.layout().stride;
        let before = error.record_number().and_then(|record| record.checked_sub(first));
        match before.and_then(|records| usize::try_from(records).ok()) {
            Some(records) if records > 0 && records < into.len() / stride => {
                self.copy_strides(first, &mut into[..records * stride])
            }
            _ => Err(error),
        }
    }
}

impl<R: Row + ?Sized> CopySource for ExclusiveFile<R> {
    fn layout(&self) -> &RecordLayout {
        self.slots.layout()
    }

    fn records(&self) -> u64 {
        self.array.count()
    }

    fn copy_strides(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let stride = self.slots.stride();
        let copied = self.array.copy_strides(first, into);
        let copied = copied.map_err(|error| self.superblock.name(error))?;
        if self.mode.log().is_some_and(|log| !log.overlay.is_empty()) {
            // In this order, no number is counted up that has no record.
            for (slot, id) in into.chunks_exact_mut(stride).take(copied).zip(first..) {
                if let Some(image) = self.image_slot(id) {
                    slot.copy_from_slice(image);
                }
            }
        }
        Ok(copied)
    }

    fn name(&self, error: Error) -> Error {
        self.superblock.name(error)
    }

    fn prefetch(&self, first: u64, len_bytes: usize) {
        self.array.whole().prefetch(first, len_bytes);
    }
}

/// Copies of the records of a range with their numbers, in order. `copies` of each handle makes it,
/// for example [`Store::copies`](crate::Store::copies).
///
/// [`Copies::next_record`] lends each record from a chunk of 256 KiB (64 KiB for a windowed store),
/// or of one record if that is larger, and [`Copies::next_record_back`] does so from the end. As an
/// iterator, `Copies` gives owned records. It skips deleted records, and gives an error for a
/// record that is damaged or unreadable; the next call continues after that record. With
/// [`install_fault_guard`](crate::install_fault_guard) an unreadable page is an error here; an
/// iterator over records in place raises a signal.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 0, 2, 0, 3, 0])?;
/// let mut copies = store.copies(1..);
/// assert_eq!(copies.size_hint(), (2, Some(2)));
/// while let Some((id, record)) = copies.next_record()? {
///     assert_eq!(u64::from(record[0]), id + 1);
/// }
/// let all: Vec<(u64, Vec<u8>)> = store.copies(..).collect::<Result<_, _>>()?;
/// assert_eq!(all[2], (2, vec![3, 0]));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Copies<'a, R: Row + ?Sized = [u8]> {
    source: &'a dyn CopySource,
    layout: RecordLayout,
    /// The records that are still to come.
    ids: Range<u64>,
    chunk_len: usize,
    /// Copies of the first of them.
    front: Chunk,
    /// Copies of the last of them.
    back: Chunk,
    /// The images over the records after `front`, if the handle has images.
    images: Option<Box<ImagesWithin<'a>>>,
    marker: PhantomData<&'a R>,
}

/// Copies of strides from `at` to `end`, at an address that is aligned for their records.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
}

impl Chunk {
    /// Fills the chunk with `len_bytes` bytes, aligned to `alignment`, or with as many as `copy`
    /// says.
    fn fill(
        &mut self,
        len_bytes: usize,
        alignment: usize,
        copy: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<()> {
        // Strides are multiples of the alignment: if the first record is aligned, all are. A copy
        // to the start of a cache line is faster.
        let alignment = alignment.max(LINE_BYTES);
        self.bytes.resize(len_bytes + alignment - 1, 0);
        let lead = self.bytes.as_ptr().align_offset(alignment);
        let copied = copy(&mut self.bytes[lead..lead + len_bytes])?;
        (self.at, self.end) = (lead, lead + copied);
        Ok(())
    }
}

impl<'a, R: Row + ?Sized> Copies<'a, R> {
    /// The records `ids`, which exist, copied about `chunk_bytes` at a time.
    pub(crate) fn new(source: &'a dyn CopySource, ids: Range<u64>, chunk_bytes: usize) -> Self {
        let layout = *source.layout();
        let chunk_len = (chunk_bytes / layout.stride).max(1);
        let (front, back) = (Chunk::default(), Chunk::default());
        Self { source, layout, ids, chunk_len, front, back, images: None, marker: PhantomData }
    }

    /// The next record and its number; `None` after the last.
    ///
    /// # Errors
    /// As [`Store::copy`](crate::Store::copy), at the unreadable record. The next call continues
    /// with the record after it.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<(u64, &R)>> {
        while !self.ids.is_empty() {
            if self.front.at == self.front.end {
                self.fill_front()?;
            }
            let id = self.ids.start;
            let start = self.front.at;
            self.ids.start += 1;
            self.front.at += self.layout.stride;
            match self.layout.found(&self.front.bytes[start..self.front.at]) {
                Ok(Found::Live) => return self.lent(id, &self.front.bytes[start..]),
                Ok(_) => {}
                Err(status) => return Err(self.damaged(id, status)),
            }
        }
        Ok(None)
    }

    /// The last of the records that are still to come, and its number; `None` after all of them.
    /// Calls of [`Copies::next_record`] end before it.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 2, 3])?;
    /// let mut copies = store.copies(..);
    /// assert_eq!(copies.next_record_back()?, Some((2, &[3][..])));
    /// assert_eq!(copies.next_record()?, Some((0, &[1][..])));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Copies::next_record`]. The next call continues with the record before the unreadable
    /// one.
    pub fn next_record_back(&mut self) -> Result<Option<(u64, &R)>> {
        while !self.ids.is_empty() {
            if self.back.at == self.back.end {
                self.fill_back()?;
            }
            let id = self.ids.end - 1;
            let end = self.back.end;
            self.ids.end = id;
            self.back.end -= self.layout.stride;
            let start = self.back.end;
            match self.layout.found(&self.back.bytes[start..end]) {
                Ok(Found::Live) => return self.lent(id, &self.back.bytes[start..]),
                Ok(_) => {}
                Err(status) => return Err(self.damaged(id, status)),
            }
        }
        Ok(None)
    }

    /// Record `id`, with which `bytes` begins.
    #[inline]
    fn lent<'c>(&self, id: u64, bytes: &'c [u8]) -> Result<Option<(u64, &'c R)>> {
        match R::of_bytes(&bytes[..self.layout.record_size]) {
            Some(record) => Ok(Some((id, record))),
            None => Err(self.source.name(slots::misfit(id))),
        }
    }

    /// The copied strides of the records that come next, deleted ones included; `None` after the
    /// last.
    ///
    /// # Errors
    /// As [`Copies::next_record`]. The next call continues with the record after it.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn ahead(&mut self) -> Result<Option<&[u8]>> {
        if self.ids.is_empty() {
            return Ok(None);
        }
        if self.front.at == self.front.end {
            self.fill_front()?;
        }
        // Calls of `next_record_back` may have taken some of them.
        let left = smaller(self.ids.end - self.ids.start, self.chunk_len);
        let end = self.front.end.min(self.front.at + left * self.layout.stride);
        Ok(Some(&self.front.bytes[self.front.at..end]))
    }

    /// Passes so many of the copied records that come next.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn skip_records(&mut self, records: usize) {
        self.ids.start += records as u64;
        self.front.at += records * self.layout.stride;
    }

    /// The number of the next record.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.start
    }

    /// The same, with no more than so many bytes copied at a time.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn in_chunks(mut self, chunk_bytes: usize) -> Self {
        self.chunk_len = self.chunk_len.min((chunk_bytes / self.layout.stride).max(1));
        self
    }

    /// The numbers of the records that are still to come.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn ids(&self) -> Range<u64> {
        self.ids.clone()
    }

    /// Copies of these records, which are among those that are still to come.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn part(&self, ids: Range<u64>) -> Self {
        let (front, back) = (Chunk::default(), Chunk::default());
        let Self { source, layout, chunk_len, .. } = *self;
        Self { source, layout, ids, chunk_len, front, back, images: None, marker: PhantomData }
    }

    /// Goes on with these records of the same handle, in the same buffers.
    #[cfg(feature = "exchange")]
    pub(crate) fn move_to(&mut self, ids: Range<u64>) {
        (self.front.at, self.front.end) = (0, 0);
        (self.back.at, self.back.end) = (0, 0);
        (self.ids, self.images) = (ids, None);
    }

    /// The layout of the records.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    /// Adds the path to an error.
    #[cfg(feature = "query")]
    pub(crate) fn name(&self, error: Error) -> Error {
        self.source.name(error)
    }

    #[cold]
    fn damaged(&self, id: u64, status: u8) -> Error {
        self.source.name(slots::damaged(id, status))
    }

    /// How many records a chunk may have.
    fn room(&self) -> usize {
        smaller(self.ids.end - self.ids.start, self.chunk_len)
    }

    #[cold]
    fn fill_front(&mut self) -> Result<()> {
        let (source, stride, first) = (self.source, self.layout.stride, self.ids.start);
        let room = self.room() * stride;
        // A walk that ended with an error is not continued.
        let mut images = self.images.take().or_else(|| {
            let images = source.images_within(self.ids.clone());
            images.map(Box::new)
        });
        let filled = self.front.fill(room, R::ALIGNMENT, |chunk| {
            if let Some(images) = &mut images {
                if let Ok(copied) = source.copy_under(first, chunk, images) {
                    return Ok(copied * stride);
                }
            }
            images = None;
            Ok(source.copy_readable_strides(first, chunk)? * stride)
        });
        self.images = images;
        filled.inspect_err(|_| self.ids.start += 1)?;
        let next = first + ((self.front.end - self.front.at) / stride) as u64;
        source.prefetch(next, AHEAD_BYTES);
        Ok(())
    }

    #[cold]
    fn fill_back(&mut self) -> Result<()> {
        let (source, stride, end) = (self.source, self.layout.stride, self.ids.end);
        let mut records = self.room();
        loop {
            let first = end - records as u64;
            let filled = self.back.fill(records * stride, R::ALIGNMENT, |chunk| {
                Ok(source.copy_strides(first, chunk)? * stride)
            });
            match filled {
                // The unreadable record may lie before the last one.
                Err(_) if records > 1 => records /= 2,
                other => return other.inspect_err(|_| self.ids.end -= 1),
            }
        }
    }
}

impl<R: Row + ?Sized> Iterator for Copies<'_, R> {
    type Item = Result<(u64, R::Owned)>;

    fn next(&mut self) -> Option<Self::Item> {
        owned(self.next_record())
    }

    /// In a store with deletes the least number is 0, because each record may be deleted.
    fn size_hint(&self) -> (usize, Option<usize>) {
        size_hint(self.ids.end - self.ids.start, self.layout.deletes)
    }
}

impl<R: Row + ?Sized> DoubleEndedIterator for Copies<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        owned(self.next_record_back())
    }
}

impl<R: Row + ?Sized> FusedIterator for Copies<'_, R> {}

fn owned<R: Row + ?Sized>(found: Result<Option<(u64, &R)>>) -> Option<Result<(u64, R::Owned)>> {
    found.map(|found| found.map(|(id, record)| (id, record.to_owned()))).transpose()
}

impl<R: Row + ?Sized> std::fmt::Debug for Copies<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copies").field("ids", &self.ids).finish_non_exhaustive()
    }
}
