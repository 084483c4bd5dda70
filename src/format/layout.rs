//! The layout of a store's records, and the byte that says whether a record exists.
//!
//! ```text
//!   data offset             stride                    stride
//!   |          |<------------------------>|<------------------------>|
//!   v
//!   ...........[ record 0     | status | 0 ][ record 1    | status | 0 ]
//!              |<record size->|
//! ```
//!
//! Only stores with deletes have the status byte, and the zeros after it up to the alignment.
//! Without them a stride is its record. This is the only description of that layout: array,
//! transactions, stores and maintenance ask a [`RecordLayout`].

use super::geometry::{Geometry, StatusByte};
use super::schema::MAX_RECORD_BYTES;
use super::status::{Found, STATUS_LIVE, put_dead};
use crate::error::{Error, ErrorKind, Result};
use crate::number::len_of;

/// The smallest payload that can hold the next record number of the free list.
pub(crate) const DELETES_MIN_RECORD_BYTES: u32 = 8;

/// What all records of a store have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordLayout {
    /// The positions of the strides, each a record and the bytes after it.
    pub(crate) geometry: Geometry,
    /// Bytes of a record, without its status byte.
    pub(crate) record_size: usize,
    /// Bytes from one record to the next, as in `geometry`.
    pub(crate) stride: usize,
    /// The address of every record is a multiple of this.
    pub(crate) alignment: usize,
    /// Whether each record has a status byte.
    pub(crate) deletes: bool,
}

impl RecordLayout {
    /// The layout of records of `record_size` bytes from `data_offset` on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a store cannot have such records,
    /// [`ErrorKind::OutOfRange`] if they begin past the largest offset.
    pub(crate) fn new(
        data_offset: u64,
        record_size: u32,
        alignment: u32,
        deletes: bool,
    ) -> Result<Self> {
        let stride = stride_for(record_size, alignment, deletes).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "lay out records")
                .detail(format!("deletes are not possible for records of {record_size} bytes"))
        })?;
        Ok(Self {
            geometry: Geometry::new(data_offset, u64::from(stride))?,
            record_size: len_of(record_size),
            stride: len_of(stride),
            alignment: len_of(alignment),
            deletes,
        })
    }

    /// The same layout, for records seen as a type aligned to `alignment`, which may be more than
    /// the file requires.
    #[must_use]
    pub(crate) fn aligned_to(self, alignment: usize) -> Self {
        Self { alignment: self.alignment.max(alignment), ..self }
    }

    /// The place of the status byte and its value for a live record; `None` without deletes.
    #[inline]
    pub(crate) fn status_byte(&self) -> Option<StatusByte> {
        self.deletes.then_some(StatusByte { at: self.record_size, live: STATUS_LIVE })
    }

    /// The content of a stride.
    ///
    /// # Errors
    /// The status byte, if its value is invalid.
    #[inline]
    pub(crate) fn found(&self, stride: &[u8]) -> Result<Found, u8> {
        match self.deletes {
            false => Ok(Found::Live),
            true => Found::by_status(stride.get(self.record_size).copied().unwrap_or(0)),
        }
    }

    /// The record in a stride, if it is live.
    #[inline]
    pub(crate) fn live<'a>(&self, stride: &'a [u8]) -> Option<&'a [u8]> {
        if self.deletes && stride.get(self.record_size) != Some(&STATUS_LIVE) {
            return None;
        }
        stride.get(..self.record_size)
    }

    /// As [`RecordLayout::live`], for changing.
    pub(crate) fn live_mut<'a>(&self, stride: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.live(stride)?;
        stride.get_mut(..self.record_size)
    }

    /// Whether a stride holds a deleted record.
    pub(crate) fn is_dead(&self, stride: &[u8]) -> bool {
        self.deletes && self.found(stride) == Ok(Found::Deleted)
    }

    /// Makes a stride that of a deleted record, followed in the free list by `next`.
    pub(crate) fn put_dead(&self, stride: &mut [u8], next: Option<u64>) {
        put_dead(stride, self.record_size, next);
    }
}

/// The bytes from one record to the next: the record, and with deletes a status byte after it and
/// padding up to the alignment. `None` if a store cannot have such records.
pub(crate) fn stride_for(record_size: u32, alignment: u32, deletes: bool) -> Option<u32> {
    if !deletes {
        return Some(record_size);
    }
    let stride = record_size.checked_add(1)?.checked_next_multiple_of(alignment)?;
    (record_size >= DELETES_MIN_RECORD_BYTES && stride <= MAX_RECORD_BYTES).then_some(stride)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::put_live;

    #[test]
    fn a_status_byte_follows_records_that_can_be_deleted() {
        let layout = RecordLayout::new(65_536, 24, 8, true).unwrap().aligned_to(16);
        assert_eq!((layout.stride, layout.geometry.stride, layout.alignment), (32, 32, 16));
        assert_eq!(layout.status_byte(), Some(StatusByte { at: 24, live: STATUS_LIVE }));
        let mut stride = [0; 32];
        assert_eq!((layout.found(&stride), layout.live(&stride)), (Err(0), None));
        put_live(&mut stride, &[7; 24]);
        assert_eq!(layout.found(&stride), Ok(Found::Live));
        assert_eq!(layout.live(&stride), Some(&[7; 24][..]));
        layout.put_dead(&mut stride, Some(3));
        assert!(layout.is_dead(&stride) && layout.live_mut(&mut stride).is_none());
    }

    #[test]
    fn without_deletes_every_stride_is_a_record() {
        let layout = RecordLayout::new(65_536, 7, 1, false).unwrap();
        assert_eq!((layout.stride, layout.status_byte()), (7, None));
        let stride = [2; 7];
        assert_eq!((layout.found(&stride), layout.is_dead(&stride)), (Ok(Found::Live), false));
        assert_eq!(layout.live(&stride), Some(&stride[..]));
        assert!(RecordLayout::new(65_536, 7, 1, true).is_err(), "no room for the free list");
        assert!(RecordLayout::new(1 << 63, 8, 8, false).is_err());
    }
}
