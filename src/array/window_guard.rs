//! A guard that lends all records of one sliding window, and keeps the window mapped.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::record_view::RecordView;
use crate::error::Result;
use crate::format::{Geometry, StatusByte};
use crate::io::View;

/// The records of a sliding window, pinned together: the fast way to iterate over a windowed store,
/// with one call for each window instead of each record.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store, WindowedStore};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Point { x: u32, y: u32 }
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("points.rec");
/// let mut store = Store::<Point>::create(&path).unwrap();
/// for x in 0..50_000 { store.append(&Point { x, y: 1 }).unwrap(); }
/// store.close().unwrap();
///
/// let options = WindowedStore::<Point>::options();
/// let options = options.max_mapped_bytes(512 << 10).window_bytes(64 << 10);
/// let store = options.open(&path).unwrap();
/// let window = store.window(10_000).unwrap().unwrap();
/// assert_eq!(window.ids(), 8192..16_384);
/// assert_eq!(window.get(16_383).unwrap().x, 16_383);
/// assert!(window.get(16_384).is_none()); // in the next window
/// # }
/// ```
#[must_use = "a guard pins its window while it lives"]
pub struct WindowGuard<'a, T> {
    records: RecordView<T>,
    first: u64,
    marker: PhantomData<&'a T>,
}

impl<T: Copy> WindowGuard<'_, T> {
    /// Records `ids` of `geometry`, as far as `view` holds them, without those whose status byte
    /// says that they are deleted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if a record would be
    /// misaligned for `T`.
    ///
    /// # Safety
    /// Every bit pattern is a valid `T` without padding or interior mutability. The file holds the
    /// records, and nothing changes their bytes or truncates the file below them while the guard
    /// lives.
    pub(crate) unsafe fn new(
        view: Arc<View>,
        geometry: Geometry,
        status_byte: Option<StatusByte>,
        ids: Range<u64>,
    ) -> Result<Self> {
        let start = geometry.offset_of(ids.start)?;
        // The window as an array of its own, which starts at its first record.
        let window = Geometry::new(start, geometry.stride)?;
        // SAFETY: the caller's promise for `T`.
        let mut records =
            unsafe { RecordView::new(view, window) }?.with_status_byte(status_byte)?;
        let count = (ids.end - ids.start).min(records.capacity());
        // SAFETY: the caller's promise for the records.
        unsafe { records.publish(count) }?;
        Ok(Self { records, first: ids.start, marker: PhantomData })
    }

    /// The numbers of the records in this window, with the deleted ones.
    pub fn ids(&self) -> Range<u64> {
        self.first..self.first + self.records.count()
    }

    /// Record `id`, in place; `None` if it is not in this window, or was deleted.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&T> {
        let index = id.checked_sub(self.first)?;
        match self.records.get(index) {
            Some(record) => Some(record),
            None => self.records.get_if_live(index),
        }
    }
}

impl<T> std::fmt::Debug for WindowGuard<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WindowGuard")
            .field("first", &self.first)
            .field("records", &self.records)
            .finish()
    }
}
