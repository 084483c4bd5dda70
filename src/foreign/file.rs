//! A foreign file whose records are copied.
//!
//! The file may change, shrink or vanish at any time: it has no lock. So records are read by calls,
//! which give an error where a mapped page would raise a signal.

use std::ops::RangeBounds;
use std::path::{Path, PathBuf};

use super::decode::{Decoder, Fault, STATUS_DEAD, check_guard};
use super::layout::ForeignLayout;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Geometry, RecordLayout, Schema};
use crate::io::{Backing as _, FileBacking};
use crate::number::{ids_within, len_of, smaller};
use crate::store::{CHUNK_BYTES, Copies, CopySource};

/// How many bytes of the file are read at a time to be decoded. After a record that does not
/// decode, the next read begins again, so this is not much.
const PIECE_BYTES: usize = 16 << 10;

/// A foreign file that is open to read.
///
/// Its calls copy, and give the same records as those of a store: [`Copies`] with conditions,
/// exports and so on. Other programs may change the file beside it. A record then shows the old
/// bytes, the new ones or some of both; a file that has become shorter is an error.
///
/// ```
/// use flatrec::foreign::{ForeignFile, ForeignLayout};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("samples.bin");
/// std::fs::write(&path, [1, 2, 3])?;
/// let json = r#"{ "fields": [{ "name": "n", "type": "uint8" }] }"#;
/// let file = ForeignFile::open(&path, &ForeignLayout::from_json(json, &path)?)?;
/// let mut copies = file.copies(1..);
/// assert_eq!(copies.next_record()?, Some((1, &[2][..])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ForeignFile {
    pub(super) backing: FileBacking,
    path: PathBuf,
    layout: ForeignLayout,
    records: RecordLayout,
    decoder: Option<Decoder>,
}

impl ForeignFile {
    /// Opens the file at `path`, whose records lie as `layout` says.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the file is too short for the records;
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`], or [`ErrorKind::InvalidArgument`]
    /// for anything but a regular file; [`ErrorKind::Io`] if the operating system reports another
    /// error.
    pub fn open(path: impl AsRef<Path>, layout: &ForeignLayout) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        Self::over(FileBacking::open(&path, false)?, path, layout)
    }

    /// The file at `path`, which is open.
    pub(super) fn over(
        backing: FileBacking,
        path: PathBuf,
        layout: &ForeignLayout,
    ) -> Result<Self> {
        let decoder = Decoder::new(layout);
        let record_size = len_of(layout.schema().record_size());
        let stride = record_size + usize::from(layout.has_deletes());
        let records = RecordLayout {
            geometry: Geometry::new(0, stride as u64)?,
            record_size,
            stride,
            alignment: 1,
            deletes: layout.has_deletes(),
        };
        let file = Self { backing, path, layout: layout.clone(), records, decoder };
        let (end, len_bytes) = (file.end()?, file.backing.len_bytes()?);
        if len_bytes < end {
            let error = Error::new(ErrorKind::Truncated, "open").offset(len_bytes);
            let detail = format!("its {} records would end at byte {end}", layout.count());
            return Err(file.name(error.detail(detail)));
        }
        Ok(file)
    }

    /// The byte after the last record, as far as the file must have it.
    fn end(&self) -> Result<u64> {
        let end = self.offset_of(self.layout.count)?;
        let tail = if self.layout.count > 0 { self.layout.tail_bytes } else { 0 };
        Ok(end - u64::from(tail))
    }

    pub(super) fn offset_of(&self, id: u64) -> Result<u64> {
        let stride = u64::from(self.layout.stride);
        Geometry { data_offset: self.layout.data_offset, stride }.offset_of(id)
    }

    /// The number of records, including those that the file marks as deleted. Record numbers are
    /// below it.
    pub fn count(&self) -> u64 {
        self.layout.count
    }

    /// The schema of the records that the calls give.
    pub fn schema(&self) -> &Schema {
        self.layout.schema()
    }

    /// Where the records lie.
    pub fn layout(&self) -> &ForeignLayout {
        &self.layout
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length of the file now.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn len_bytes(&self) -> Result<u64> {
        self.backing.len_bytes()
    }

    /// A copy of record `id`; `None` past the last and for a record that the file marks as deleted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] or [`ErrorKind::Corrupt`] if the record does not decode;
    /// [`ErrorKind::Truncated`] if the file has become shorter; [`ErrorKind::Io`] if the operating
    /// system reports an error.
    pub fn copy(&self, id: u64) -> Result<Option<Vec<u8>>> {
        self.copy_one::<[u8]>(id)
    }

    /// Copies of the records `ids`, in order, each with its number.
    pub fn copies(&self, ids: impl RangeBounds<u64>) -> Copies<'_> {
        Copies::new(self, ids_within(ids, self.count()), CHUNK_BYTES)
    }

    /// How many records there are for which `filter` is true.
    ///
    /// ```
    /// use flatrec::foreign::{ForeignFile, ForeignLayout};
    /// use flatrec::query::Filter;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("samples.bin");
    /// std::fs::write(&path, [1, 2, 3])?;
    /// let json = r#"{ "fields": [{ "name": "n", "type": "uint8" }] }"#;
    /// let file = ForeignFile::open(&path, &ForeignLayout::from_json(json, &path)?)?;
    /// assert_eq!(file.count_where(&Filter::parse("n > 1", file.schema())?)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`Copies::matching`].
    #[cfg(feature = "query")]
    pub fn count_where(&self, filter: &crate::query::Filter) -> Result<u64> {
        self.copies(..).matching(filter).count_records()
    }

    /// Reads the records from `first` on as they lie in the file: as many as `into` has room for,
    /// which exist.
    pub(super) fn read_raw(&self, first: u64, into: &mut [u8]) -> Result<()> {
        let offset = self.offset_of(first)?;
        let mut read = self.backing.read_at(offset, into)?;
        let missing = into.len() - read;
        let records = into.len() / len_of(self.layout.stride);
        let is_last = first + records as u64 == self.layout.count;
        if let Some(guard) = self.layout.guard.as_ref().filter(|_| missing > 0 && is_last) {
            // Only the last line end may be missing, which the guard of each record has.
            if missing <= len_of(self.layout.tail_bytes) {
                into[read..].copy_from_slice(&guard.bytes[guard.bytes.len() - missing..]);
                read = into.len();
            }
        }
        if read < into.len() {
            let end = offset + read as u64;
            let id = first + (read / len_of(self.layout.stride)) as u64;
            let error = Error::truncated("read", self.backing.len_bytes()?, end);
            return Err(self.name(error.record(id)));
        }
        Ok(())
    }

    /// Checks and decodes the records from `first` on, of which `from` has the bytes in the file.
    fn decode(&self, first: u64, from: &[u8], into: &mut [u8]) -> Result<()> {
        let (stride, native) = (len_of(self.layout.stride), self.records.stride);
        let mut places = into.chunks_exact_mut(native);
        // In this order, no number is counted up that has no record.
        for (record, id) in from.chunks_exact(stride).zip(first..) {
            let Some(place) = places.next() else { break };
            let guarded = self.layout.guard.as_ref().map_or(Ok(()), |it| check_guard(it, record));
            let decoded = guarded.and_then(|()| match &self.decoder {
                Some(decoder) => decoder.decode(record, place),
                None => {
                    place.copy_from_slice(record);
                    Ok(())
                }
            });
            decoded.map_err(|fault| self.in_record(fault, "read", id))?;
        }
        Ok(())
    }

    /// The record with these bytes in the file; `None` for one that the file marks as deleted.
    pub(super) fn decode_one(&self, id: u64, raw: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut record = vec![0; self.records.stride];
        self.decode(id, raw, &mut record)?;
        let is_dead = self.records.deletes && record.last() == Some(&STATUS_DEAD);
        record.truncate(self.records.record_size);
        Ok((!is_dead).then_some(record))
    }

    #[cold]
    pub(super) fn in_record(&self, fault: Fault, operation: &'static str, id: u64) -> Error {
        self.name(fault.error(operation, id, self.offset_of(id).unwrap_or(0)))
    }
}

impl CopySource for ForeignFile {
    fn layout(&self) -> &RecordLayout {
        &self.records
    }

    fn records(&self) -> u64 {
        self.layout.count
    }

    fn copy_strides(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let (stride, native) = (len_of(self.layout.stride), self.records.stride);
        let left = self.layout.count.saturating_sub(first);
        let records = smaller(left, into.len() / native);
        let into = &mut into[..records * native];
        if self.decoder.is_none() && self.layout.guard.is_none() {
            self.read_raw(first, into)?; // a record is its bytes in the file
            return Ok(records);
        }
        let piece = (PIECE_BYTES / stride).clamp(1, records.max(1));
        let mut raw = vec![0; piece * stride];
        let mut id = first;
        for into in into.chunks_mut(piece * native) {
            let records = into.len() / native;
            let raw = &mut raw[..records * stride];
            self.read_raw(id, raw)?;
            self.decode(id, raw, into)?;
            id += records as u64;
        }
        Ok(records)
    }

    fn name(&self, error: Error) -> Error {
        error.path(&self.path)
    }
}
