//! The positions of records and windows: arithmetic only.
//!
//! ```text
//!   data_offset        stride
//!   |                  |<-->|
//!   v
//! ..[r0][r1][r2][r3]|[r4][r5][r6][r7]|[r8].      2^k records a window, here k = 2
//!   '-- window 0 ---' '-- window 1 ---'
//! '-----view 0--------'                           a view is its window, widened outward to the
//!                  '-----view 1--------'          granularity: neighbours overlap, no record
//!                                                 straddles a view
//! ```
//!
//! `window = i >> k`, `slot = i & (2^k - 1)`: no division, for every stride and data offset. Every
//! sum and product is checked: offsets past 2^63 are an error, because no system can map or seek to
//! them.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// The largest offset that the systems' calls accept.
pub(crate) const OFFSET_MAX: u64 = i64::MAX as u64;

/// An array of records of `stride` bytes each that starts at `data_offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) data_offset: u64,
    pub(crate) stride: u64,
}

/// The byte of each stride that says whether its record is live: the byte `at` has the value `live`
/// then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusByte {
    pub(crate) at: usize,
    pub(crate) live: u8,
}

impl Geometry {
    /// The geometry, after a check that the stride is 1 byte to 16 MiB.
    pub(crate) fn new(data_offset: u64, stride: u64) -> Result<Self> {
        if stride == 0 || stride > 16 << 20 {
            return Err(Error::new(ErrorKind::InvalidArgument, "lay out records")
                .detail(format!("the stride is {stride} bytes; it must be 1 to 16,777,216")));
        }
        if data_offset > OFFSET_MAX {
            return Err(past_the_end(data_offset));
        }
        Ok(Self { data_offset, stride })
    }

    /// The byte offset of record `index`, and the end of the records before it.
    #[inline]
    pub(crate) fn offset_of(&self, index: u64) -> Result<u64> {
        index
            .checked_mul(self.stride)
            .and_then(|bytes| bytes.checked_add(self.data_offset))
            .filter(|&offset| offset <= OFFSET_MAX)
            .ok_or_else(|| past_the_end(self.data_offset).record(index))
    }

    /// How many whole records lie below byte `end`, and whether a part of another follows them.
    pub(crate) fn records_below(&self, end: u64) -> (u64, bool) {
        let bytes = end.saturating_sub(self.data_offset);
        (bytes / self.stride, bytes % self.stride != 0)
    }
}

fn past_the_end(offset: u64) -> Error {
    Error::new(ErrorKind::OutOfRange, "lay out records")
        .offset(offset)
        .detail("the records would lie past byte 2^63 - 1, the largest offset of any system")
}

/// An array of records cut into windows of `2^k` records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) geometry: Geometry,
    pub(crate) records_log2: u32,
}

/// The window of a record, and its place in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) window: u64,
    pub(crate) slot: u64,
}

impl Windows {
    /// Windows of as many records as fit in `target_bytes`, at least one each.
    pub(crate) fn new(geometry: Geometry, target_bytes: u64) -> Self {
        let fitting = (target_bytes / geometry.stride).max(1);
        Self { geometry, records_log2: fitting.ilog2() }
    }

    /// The place of record `index`.
    pub(crate) fn place(&self, index: u64) -> Place {
        let window = index >> self.records_log2;
        Place { window, slot: index - (window << self.records_log2) }
    }

    /// The bytes of the records in `window`, limited to records below `count`.
    pub(crate) fn bytes(&self, window: u64, count: u64) -> Result<Range<u64>> {
        let first = window
            .checked_mul(1 << self.records_log2)
            .filter(|&first| first < count)
            .ok_or_else(|| past_the_end(self.geometry.data_offset))?;
        let end = first.saturating_add(1 << self.records_log2).min(count);
        Ok(self.geometry.offset_of(first)?..self.geometry.offset_of(end)?)
    }
}

/// `range` widened to whole granules.
pub(crate) fn widen(range: Range<u64>, granularity: u64) -> Range<u64> {
    let start = range.start - range.start % granularity;
    start..round_up(range.end, granularity)
}

/// The next multiple of `granularity`, or `bytes` itself if that would be 2^64 or more.
pub(crate) fn round_up(bytes: u64, granularity: u64) -> u64 {
    bytes.checked_next_multiple_of(granularity).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_65536_records_of_125_bytes_needs_no_widening() {
        let geometry = Geometry::new(65_536, 125).unwrap();
        let windows = Windows::new(geometry, 8_192_000);
        assert_eq!(windows.records_log2, 16);
        assert_eq!(windows.place(65_537), Place { window: 1, slot: 1 });
        let bytes = windows.bytes(1, u64::MAX).unwrap();
        assert_eq!(bytes, 65_536 + 8_192_000..65_536 + 16_384_000);
        assert_eq!(widen(bytes.clone(), 65_536), bytes);
    }

    #[test]
    fn no_record_crosses_a_view_for_any_stride_and_offset() {
        for stride in [1, 3, 8, 125, 4095, 4096, 4097, 65_537, 1 << 20, (16 << 20) - 1, 16 << 20] {
            for data_offset in [0, 1, 7, 32, 4096, 65_536, 65_537] {
                let geometry = Geometry::new(data_offset, stride).unwrap();
                let windows = Windows::new(geometry, 1 << 20);
                for index in [0, 1, 2, 99, 1023, 1024, 1_000_000] {
                    let place = windows.place(index);
                    let view = widen(windows.bytes(place.window, u64::MAX).unwrap(), 65_536);
                    let start = geometry.offset_of(index).unwrap();
                    assert!(view.start <= start && start + stride <= view.end);
                }
            }
        }
    }

    #[test]
    fn the_last_window_ends_with_the_count() {
        let windows = Windows::new(Geometry::new(0, 10).unwrap(), 80);
        assert_eq!(windows.bytes(1, 11).unwrap(), 80..110);
        assert!(windows.bytes(2, 11).is_err());
    }

    #[test]
    fn offsets_that_cannot_be_addressed_are_errors() {
        assert!(Geometry::new(0, 0).is_err());
        assert!(Geometry::new(0, (16 << 20) + 1).is_err());
        assert!(Geometry::new(1 << 63, 1).is_err());
        let geometry = Geometry::new(65_536, 125).unwrap();
        let error = geometry.offset_of(u64::MAX / 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        assert!(error.to_string().contains("2^63"), "{error}");
        assert_eq!(geometry.records_below(65_536 + 250), (2, false));
        assert_eq!(geometry.records_below(65_536 + 251), (2, true));
        assert_eq!(geometry.records_below(3), (0, false));
    }
}
