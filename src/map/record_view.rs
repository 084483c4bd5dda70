//! A view that covers every record of an array: the fast path.
//!
//! `get` is one comparison, one multiply and one add. The comparison is against the count of
//! records that may be read in place, so that bounds, overlays and mapping cost one predictable
//! branch together.
//!
//! Invariant: records `0..count` lie within the view, each valid and aligned for `T`, and their
//! bytes do not change while anything borrows from here.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use super::geometry::Geometry;
use super::view::View;
use crate::error::{Error, ErrorKind, Result};

/// Records of type `T`, read in place.
pub(crate) struct RecordView<T> {
    base: NonNull<u8>,
    count: u64,
    stride: usize,
    /// How many records the view has room for.
    capacity: u64,
    view: Arc<View>,
    marker: PhantomData<fn() -> T>,
}

// SAFETY: `base` points into `view`, which is `Send` and `Sync` and is owned along with it; records
// are only ever lent as `&T` of a `T` that is `Sync`.
unsafe impl<T: Sync> Send for RecordView<T> {}
// SAFETY: as above; `&self` lends `&T` and nothing else.
unsafe impl<T: Sync> Sync for RecordView<T> {}

impl<T: Copy> RecordView<T> {
    /// The records of `geometry` that `view` holds, of which none may be read yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a record would be too short or misaligned for `T`.
    ///
    /// # Safety
    /// Every bit pattern is a valid `T`, and `T` has no padding and no interior mutability.
    pub(crate) unsafe fn new(view: Arc<View>, geometry: Geometry) -> Result<Self> {
        let invalid = |detail: &'static str| {
            Err(Error::new(ErrorKind::InvalidArgument, "map records").detail(detail))
        };
        let end = view.offset().saturating_add(view.len_bytes() as u64);
        let Ok(stride) = usize::try_from(geometry.stride) else {
            return invalid("the stride is larger than the address space");
        };
        if stride < size_of::<T>() || stride % align_of::<T>() != 0 {
            return invalid("the stride does not fit the record's size and alignment");
        }
        let lead = geometry.data_offset.checked_sub(view.offset());
        let base = match lead.map(usize::try_from) {
            Some(Ok(lead)) if lead <= view.len_bytes() && view.len_bytes() > 0 => {
                let address = view.as_ptr().cast_mut().wrapping_add(lead);
                NonNull::new(address).unwrap_or(NonNull::dangling())
            }
            Some(_) => NonNull::<T>::dangling().cast(),
            None => return invalid("the view starts after the first record"),
        };
        if base.as_ptr().align_offset(align_of::<T>()) != 0 {
            return invalid("the records' place in the file is not aligned for their type");
        }
        let (capacity, _) = geometry.records_below(end);
        Ok(Self { base, count: 0, stride, capacity, view, marker: PhantomData })
    }

    /// Allows records `0..count` to be read.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the view does not cover them.
    ///
    /// # Safety
    /// The file holds these records, and nobody changes their bytes or truncates the file below
    /// them while anything is borrowed from this view.
    pub(crate) unsafe fn publish(&mut self, count: u64) -> Result<()> {
        if count > self.capacity {
            return Err(Error::new(ErrorKind::OutOfRange, "publish records")
                .record(count)
                .detail(format!("the view has room for {}", self.capacity)));
        }
        self.count = count;
        Ok(())
    }

    /// How many records may be read.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many records the view could show.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The view behind it.
    pub(crate) fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Record `index`, in place.
    #[inline]
    pub(crate) fn get(&self, index: u64) -> Option<&T> {
        if index < self.count {
            let record = self.address(index).cast::<T>();
            // SAFETY: `index < count`, so by the invariant a valid, aligned `T` lies at this
            // address, within the view that `self` keeps mapped, and does not change meanwhile.
            Some(unsafe { record.as_ref() })
        } else {
            None
        }
    }

    /// The first `len_bytes` bytes of record `index`, in place; `len_bytes` is at most the stride.
    #[inline]
    pub(crate) fn bytes(&self, index: u64, len_bytes: usize) -> Option<&[u8]> {
        if index < self.count && len_bytes <= self.stride {
            let start = self.address(index).as_ptr();
            // SAFETY: `index < count`, so by the invariant `stride` bytes lie at this address
            // within the view that `self` keeps mapped, and do not change meanwhile.
            Some(unsafe { std::slice::from_raw_parts(start, len_bytes) })
        } else {
            None
        }
    }

    /// Records `range` as one slice, if records follow one another without gaps.
    pub(crate) fn slice(&self, range: Range<u64>) -> Option<&[T]> {
        if self.stride != size_of::<T>() || range.start > range.end || range.end > self.count {
            return None;
        }
        if range.is_empty() {
            return Some(&[]);
        }
        let len = usize::try_from(range.end - range.start).ok()?;
        let start = self.address(range.start).cast::<T>();
        // SAFETY: the range lies below `count`, records have no gaps, and by the invariant each is
        // a valid, aligned `T` within the view that `self` keeps mapped and does not change.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })
    }

    /// The address of record `index` < `count`.
    #[inline]
    fn address(&self, index: u64) -> NonNull<u8> {
        // The whole view lies in the address space, so neither cast nor product loses anything.
        let lead = index as usize * self.stride;
        // SAFETY: by the invariant the record lies within the view's one allocation.
        unsafe { self.base.add(lead) }
    }
}

impl<T> std::fmt::Debug for RecordView<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordView")
            .field("count", &self.count)
            .field("stride", &self.stride)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}
