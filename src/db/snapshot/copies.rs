//! Copies records out of snapshots, so that an unreadable page is an error instead of a signal.

use std::ops::{Range, RangeBounds};

use super::Snapshot;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::format::{Record, RecordLayout, bytes_of_mut};
use crate::number::{ids_within, in_memory};
use crate::overlay::ImagesWithin;
use crate::store::{CHUNK_BYTES, Copies, CopySource};
use crate::txn::Row;

impl<R: Row + ?Sized> Snapshot<R> {
    /// A copy of record `id`; `None` past the last record and for a deleted one. Once
    /// [`install_fault_guard`](crate::install_fault_guard) was called, an unreadable page is an
    /// error here, while [`Snapshot::get`] raises a signal.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the record's status byte is damaged: neither live nor deleted;
    /// [`ErrorKind::Truncated`] if another program has truncated the file; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let database = DynDatabase::create(&path, &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append(&7u16.to_le_bytes())?;
    /// transaction.commit(Durability::Eventual)?;
    /// assert_eq!(database.begin_read()?.copy(0)?, Some(vec![7, 0]));
    /// assert_eq!(database.begin_read()?.copy(1)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn copy(&self, id: u64) -> Result<Option<R::Owned>> {
        self.copy_one::<R>(id)
    }

    /// Copies of the existing records of a range with their numbers, in order, made chunk by chunk.
    /// Skips deleted records. It reads as [`Snapshot::copy`] does.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// transaction.commit(Durability::Eventual)?;
    /// let snapshot = database.begin_read()?;
    /// let mut copies = snapshot.copies(1..);
    /// assert_eq!(copies.next_record()?, Some((1, &[6][..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn copies(&self, ids: impl RangeBounds<u64>) -> Copies<'_, R> {
        Copies::new(self, ids_within(ids, self.count()), CHUNK_BYTES)
    }
}

impl<R: Record> Snapshot<R> {
    /// Copies the records from `first` on into `into`, until the records or the places end, and
    /// returns how many: as [`Store::copy_into`](crate::Store::copy_into).
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// #[derive(Clone, Copy, Default, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// let directory = tempfile::tempdir().unwrap();
    /// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// let mut transaction = database.begin_write().unwrap();
    /// transaction.append_slice(&[Counter { n: 3 }; 100]).unwrap();
    /// transaction.commit(Durability::Eventual).unwrap();
    /// let mut counters = [Counter::default(); 64];
    /// let snapshot = database.begin_read().unwrap();
    /// assert_eq!(snapshot.copy_into(50, &mut counters).unwrap(), 50);
    /// assert_eq!(counters[49].n, 3);
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Deleted`] if one of the records is deleted; as [`Snapshot::copy`].
    pub fn copy_into(&self, first: u64, into: &mut [R]) -> Result<usize> {
        self.copy_packed(first, bytes_of_mut(into))
    }
}

impl Snapshot<[u8]> {
    /// Copies the bytes of the records from `first` on into `into`, packed, until the records or
    /// the room end, and returns how many records.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[1, 0, 2, 0, 3, 0])?;
    /// transaction.commit(Durability::Eventual)?;
    /// let mut bytes = [0; 100];
    /// assert_eq!(database.begin_read()?.copy_into(1, &mut bytes)?, 2);
    /// assert_eq!(bytes[..4], [2, 0, 3, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `into` is shorter than one record;
    /// [`ErrorKind::Deleted`] if one of the records is deleted; as [`Snapshot::copy`].
    pub fn copy_into(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        CopySource::copy_into(self, first, into)
    }
}

impl<R: Row + ?Sized> CopySource for Snapshot<R> {
    fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    fn records(&self) -> u64 {
        self.count()
    }

    fn copy_strides(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let len = (into.len() / self.layout.stride) as u64;
        match self.images_within(first..first.saturating_add(len).min(self.count())) {
            Some(mut images) => self.copy_under(first, into, &mut images),
            None => self.copy_beneath(first, into),
        }
    }

    fn images_within(&self, ids: Range<u64>) -> Option<ImagesWithin<'_>> {
        let overlay = &self.state.overlay;
        (!overlay.is_empty() && !ids.is_empty()).then(|| overlay.within(ids))
    }

    /// Copies a record with an image from there, and the records between two images together.
    fn copy_under(
        &self,
        first: u64,
        into: &mut [u8],
        images: &mut ImagesWithin<'_>,
    ) -> Result<usize> {
        let stride = self.layout.stride;
        let end = first.saturating_add((into.len() / stride) as u64).min(self.count());
        let (mut next, mut rest) = (first, into);
        while next < end {
            let with_image = images.first().unwrap_or(end).min(end);
            let (run, others) = rest.split_at_mut(in_memory(with_image - next) * stride);
            self.copy_beneath(next, run)?;
            (next, rest) = (with_image, others);
            if next < end {
                let (place, others) = rest.split_at_mut(stride);
                place.copy_from_slice(images.take_first().unwrap_or_default());
                (next, rest) = (next + 1, others);
            }
        }
        Ok(in_memory(end.saturating_sub(first)))
    }

    fn name(&self, error: Error) -> Error {
        self.source.name(error)
    }

    fn prefetch(&self, first: u64, len_bytes: usize) {
        self.array.prefetch(first, len_bytes);
    }
}

impl<R: Row + ?Sized> Snapshot<R> {
    /// As [`CopySource::copy_strides`], for records without images.
    fn copy_beneath(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        let stride = self.layout.stride;
        let end = first.saturating_add((into.len() / stride) as u64).min(self.count());
        let records = in_memory(end.saturating_sub(first));
        if records > 0 {
            let copied = self.array.copy_strides(first..end, &mut into[..records * stride]);
            copied.map_err(|error| self.source.name(self.at_record(error, first)))?;
        }
        Ok(records)
    }

    /// Adds to an error of reading records from `first` on which record it was.
    fn at_record(&self, error: Error, first: u64) -> Error {
        let offset = error.file_offset().unwrap_or(0);
        let (record, _) = self.layout.geometry.records_below(offset);
        error.record(record.max(first))
    }
}
