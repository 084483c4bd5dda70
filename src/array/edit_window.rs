//! Records of one view, lent to change one after the other: the fast path of an edit.
//!
//! A bulk edit of random records is fast if the processor handles many cache misses at once. So the
//! path to a record must be short: a comparison, a multiply and an add, as for reading, and an
//! update of the changed span.
//!
//! Invariant: records `first..first + count` lie within the view, which is writable.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::format::Geometry;
use crate::io::View;
use crate::number::in_memory;

/// The records of a writer's window. The array takes it back before it calls the writer again.
pub(crate) struct EditWindow {
    base: NonNull<u8>,
    stride: usize,
    first: u64,
    count: u64,
    /// The first changed record, and the one after the last; the former is larger if no record was
    /// changed.
    changed_from: u64,
    changed_to: u64,
    geometry: Geometry,
    /// Keeps the records mapped.
    view: Option<Arc<View>>,
}

// SAFETY: `base` points into `view`, which is `Send` and `Sync` and is owned along with it.
unsafe impl Send for EditWindow {}
// SAFETY: as above; through `&self` the window lends only shared bytes.
unsafe impl Sync for EditWindow {}

impl EditWindow {
    /// No records.
    pub(crate) fn none(geometry: Geometry) -> Self {
        Self {
            base: NonNull::dangling(),
            stride: 0,
            first: 0,
            count: 0,
            changed_from: u64::MAX,
            changed_to: 0,
            geometry,
            view: None,
        }
    }

    /// The records below `count` that lie whole within `view`; no records if the view is read-only.
    ///
    /// # Safety
    /// The file holds these records. While this lives, no process truncates the file below them,
    /// and nothing else reads or changes the bytes that [`EditWindow::get_mut`] lends while it
    /// lends them.
    pub(crate) unsafe fn new(view: Arc<View>, geometry: Geometry, count: u64) -> Self {
        let none = Self::none(geometry);
        let Geometry { data_offset, stride } = geometry;
        let first = view.offset().saturating_sub(data_offset).div_ceil(stride);
        let view_end = view.offset().saturating_add(view.len_bytes() as u64);
        let end = geometry.records_below(view_end).0.min(count);
        let (Ok(start), Some(address), Ok(stride)) =
            (geometry.offset_of(first), view.as_mut_ptr(), usize::try_from(stride))
        else {
            return none;
        };
        if first >= end {
            return none;
        }
        // The first record begins at the view's start or later, and ends within the view.
        let lead = in_memory(start - view.offset());
        assert!(lead <= view.len_bytes(), "a record within the view");
        // SAFETY: `lead` lies within the view's one mapping, just asserted.
        let base = unsafe { address.add(lead) };
        Self { base, stride, first, count: end - first, view: Some(view), ..none }
    }

    /// Whether the window holds record `index`.
    #[inline]
    pub(crate) fn holds(&self, index: u64) -> bool {
        index.wrapping_sub(self.first) < self.count
    }

    /// The bytes of record `index`.
    #[inline]
    pub(crate) fn get(&self, index: u64) -> Option<&[u8]> {
        let start = self.address(index)?;
        // SAFETY: `stride` bytes of a record of the view lie there (`address`), mapped while `self`
        // owns the view; they change only through `&mut self` (the contract of `new`).
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), self.stride) })
    }

    /// The bytes of record `index`, to change them. They count as changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, index: u64) -> Option<&mut [u8]> {
        let start = self.address(index)?;
        self.changed_from = self.changed_from.min(index);
        self.changed_to = self.changed_to.max(index + 1);
        // SAFETY: as in `get`; the view is writable (the invariant), and `&mut self` makes the
        // borrow exclusive here, as the contract of `new` does for all other code.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.stride) })
    }

    /// Drops the view, and returns the span of the bytes changed through it.
    pub(crate) fn give_back(&mut self) -> Option<Range<u64>> {
        self.view.as_ref()?;
        let records = self.changed_from..self.changed_to;
        *self = Self::none(self.geometry);
        if records.is_empty() {
            return None;
        }
        // Records of a view: their offsets were checked when it was mapped.
        let offset = |index| self.geometry.offset_of(index).ok();
        Some(offset(records.start)?..offset(records.end)?)
    }

    #[inline]
    fn address(&self, index: u64) -> Option<NonNull<u8>> {
        if !self.holds(index) {
            return None;
        }
        // The view lies in the address space, so neither cast nor product loses anything.
        let lead = (index - self.first) as usize * self.stride;
        // SAFETY: by the invariant the record lies within the view's one mapping.
        Some(unsafe { self.base.add(lead) })
    }
}

impl fmt::Debug for EditWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditWindow")
            .field("first", &self.first)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Access, Backing as _, FileBacking};

    fn window(stride: u64, data_offset: u64, view: Range<u64>, count: u64) -> EditWindow {
        let memory = FileBacking::temporary(1 << 16).unwrap();
        let len = usize::try_from(view.end - view.start).unwrap();
        let view = Arc::new(memory.view(view.start, len, Access::ReadWrite).unwrap());
        // SAFETY: no other code has this memory.
        unsafe { EditWindow::new(view, Geometry::new(data_offset, stride).unwrap(), count) }
    }

    #[test]
    fn lends_the_whole_records_of_the_view_and_no_others() {
        // Records of 100 bytes from 50 on; the view cuts record 2 and record 9.
        let mut window = window(100, 50, 300..1000, 1000);
        assert!((0..1000).all(|index| window.holds(index) == (3..9).contains(&index)));
        assert_eq!(window.get(2), None);
        assert_eq!(window.get_mut(9), None);
        assert_eq!(window.get_mut(u64::MAX), None);
        window.get_mut(3).unwrap().fill(7);
        assert_eq!(window.get(3), Some(&[7; 100][..]));
        assert_eq!(window.get(4), Some(&[0; 100][..]));
    }

    #[test]
    fn ends_at_the_count_of_records() {
        let window = window(100, 0, 0..1000, 5);
        assert!(window.holds(4) && !window.holds(5));
    }

    #[test]
    fn give_back_returns_the_changed_span() {
        let mut window = window(100, 50, 0..1000, 1000);
        window.get_mut(7).unwrap();
        window.get_mut(3).unwrap();
        window.get(1).unwrap();
        assert_eq!(window.give_back(), Some(350..850));
        assert!(!window.holds(3), "a window that was given back lends records");
        assert_eq!(window.give_back(), None);
    }

    #[test]
    fn a_read_only_view_lends_no_records_to_change() {
        let memory = FileBacking::temporary(1 << 16).unwrap();
        let view = memory.view(0, 1 << 16, Access::ReadOnly).unwrap();
        // SAFETY: no other code has this memory.
        let window = unsafe { EditWindow::new(Arc::new(view), Geometry::new(0, 8).unwrap(), 100) };
        assert!(!window.holds(0));
    }
}
