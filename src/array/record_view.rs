//! A view that covers every record of an array: the fast path.
//!
//! `get` is one comparison, one multiply and one add. It compares with the count of records that
//! may be read in place, so that bounds, overlays and mapping together cost one predictable branch.
//! That count is 0 if each record has a [`StatusByte`]: then `get_if_live` reads that byte first.
//!
//! Invariant: records `0..count` lie within the view, and, from `base` on, within its view for
//! single records ([`View::points_ptr`]), which may be the same. Each is valid and aligned for `T`,
//! and their bytes do not change while anything borrows from here. `fast_count` is `count`, or 0
//! with a status byte or after `cover`.

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Geometry, StatusByte};
use crate::io::{Access, View};
use crate::os;

/// Records of type `T`, read in place.
pub(crate) struct RecordView<T> {
    /// Where record 0 lies for reads of single records.
    base: NonNull<u8>,
    fast_count: u64,
    stride: usize,
    count: u64,
    status_byte: Option<StatusByte>,
    /// How many records the view has room for.
    capacity: u64,
    view: Arc<View>,
    marker: PhantomData<fn() -> T>,
}

// SAFETY: `base` points into `view` or what it owns, which is `Send` and `Sync` and is owned along
// with it; records are only ever lent as `&T` of a `T` that is `Sync`.
unsafe impl<T: Sync> Send for RecordView<T> {}
// SAFETY: as above; `&self` lends `&T` and nothing else.
unsafe impl<T: Sync> Sync for RecordView<T> {}

impl<T> RecordView<T> {
    /// No records.
    pub(crate) fn empty() -> Self {
        Self {
            base: NonNull::<T>::dangling().cast(),
            fast_count: 0,
            stride: 0,
            count: 0,
            status_byte: None,
            capacity: 0,
            view: Arc::new(View::empty(0, Access::ReadOnly)),
            marker: PhantomData,
        }
    }
}

impl<T: Copy> RecordView<T> {
    /// The records of `geometry` that `view` holds. None can be read before
    /// [`RecordView::publish`].
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
                let address = view.points_ptr().cast_mut().wrapping_add(lead);
                NonNull::new(address).unwrap_or(NonNull::dangling())
            }
            Some(_) => NonNull::<T>::dangling().cast(),
            None => return invalid("the view starts after the first record"),
        };
        if base.as_ptr().align_offset(align_of::<T>()) != 0 {
            return invalid("the records' place in the file is not aligned for their type");
        }
        let (capacity, _) = geometry.records_below(end);
        let (fast_count, count, status_byte) = (0, 0, None);
        Ok(Self {
            base,
            fast_count,
            stride,
            count,
            status_byte,
            capacity,
            view,
            marker: PhantomData,
        })
    }

    /// The same records, where the status byte of each says whether it is live.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it lies within the record or beyond the stride.
    pub(crate) fn with_status_byte(mut self, status_byte: Option<StatusByte>) -> Result<Self> {
        if status_byte.is_some_and(|byte| byte.at < size_of::<T>() || byte.at >= self.stride) {
            return Err(Error::new(ErrorKind::InvalidArgument, "map records")
                .detail("the stride has no room for a status byte behind the record"));
        }
        self.status_byte = status_byte;
        self.fast_count = if status_byte.is_some() { 0 } else { self.count };
        Ok(self)
    }

    /// Allows records `0..count` to be read.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the view does not cover them.
    ///
    /// # Safety
    /// The file holds these records, and nothing changes their bytes or truncates the file below
    /// them while anything is borrowed from this view.
    pub(crate) unsafe fn publish(&mut self, count: u64) -> Result<()> {
        if count > self.capacity {
            return Err(Error::new(ErrorKind::OutOfRange, "publish records")
                .record(count)
                .detail(format!("the view has room for {} records", self.capacity)));
        }
        self.count = count;
        self.fast_count = if self.status_byte.is_some() { 0 } else { count };
        Ok(())
    }

    /// Makes [`RecordView::get`] return `None` until the next [`RecordView::publish`], so that a
    /// reader looks in the overlay first. [`RecordView::beneath`] and the calls for strides still
    /// lend records.
    pub(crate) fn cover(&mut self) {
        self.fast_count = 0;
    }

    /// How many records may be read, with the deleted ones.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many records the view has room for.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The view that holds the records.
    pub(crate) fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Record `index`, in place; `None` for records with status bytes.
    #[inline]
    pub(crate) fn get(&self, index: u64) -> Option<&T> {
        self.get_or(index, || None)
    }

    /// As [`RecordView::get`], but what `otherwise` gives instead of `None`.
    ///
    /// A caller that matched on the result of `get` would ask twice whether the record is there:
    /// the compiler joins the two ways first, and does not part them again. The instructions that
    /// this takes keep the processor from overlapping as many reads.
    #[inline]
    pub(crate) fn get_or<'v>(
        &'v self,
        index: u64,
        otherwise: impl FnOnce() -> Option<&'v T>,
    ) -> Option<&'v T> {
        if index >= self.fast_count {
            return otherwise();
        }
        let record = self.address(index).cast::<T>();
        // SAFETY: `index < fast_count <= count`, so by the invariant a valid, aligned `T` lies at
        // this address, within the view that `self` keeps mapped, and does not change while it is
        // borrowed.
        Some(unsafe { record.as_ref() })
    }

    /// Record `index`, in place, even if an overlay has an image of it or it is deleted.
    #[inline]
    pub(crate) fn beneath(&self, index: u64) -> Option<&T> {
        if index >= self.count {
            return None;
        }
        let record = self.address(index).cast::<T>();
        // SAFETY: `index < count`, so by the invariant a valid, aligned `T` lies at this address,
        // within the view that `self` keeps mapped, and does not change while it is borrowed.
        Some(unsafe { record.as_ref() })
    }

    /// Record `index`, in place, if its status byte says that it is live; `None` without one.
    #[inline]
    pub(crate) fn get_if_live(&self, index: u64) -> Option<&T> {
        let status_byte = self.status_byte?;
        if *self.slot(index)?.get(status_byte.at)? != status_byte.live {
            return None;
        }
        let record = self.address(index).cast::<T>();
        // SAFETY: there is a slot, so `index < count`, and by the invariant a valid, aligned `T`
        // lies at this address, within the view that `self` keeps mapped, and does not change while
        // it is borrowed.
        Some(unsafe { record.as_ref() })
    }

    /// All bytes from record `index` to the next, in place, even if the record is deleted.
    #[inline]
    pub(crate) fn slot(&self, index: u64) -> Option<&[u8]> {
        if index >= self.count {
            return None;
        }
        let start = self.address(index).as_ptr();
        // SAFETY: `index < count`, so by the invariant `stride` bytes lie at this address within
        // the view that `self` keeps mapped, and do not change while they are borrowed.
        Some(unsafe { std::slice::from_raw_parts(start, self.stride) })
    }

    /// All bytes of records `range`, each to the start of the next, in place, even if an overlay
    /// has images of them or they are deleted.
    pub(crate) fn strides(&self, range: Range<u64>) -> Option<&[u8]> {
        if range.start >= range.end || range.end > self.count {
            return range.is_empty().then_some(&[]);
        }
        // The whole view lies in the address space, so neither cast nor product loses anything.
        let len_bytes = (range.end - range.start) as usize * self.stride;
        let start = self.address_in_run(range.start).as_ptr();
        // SAFETY: `range` is not empty and lies below `count`, so by the invariant the strides of
        // its records lie from this address on, one behind the other, within the view that `self`
        // keeps mapped, and do not change while they are borrowed.
        Some(unsafe { std::slice::from_raw_parts(start, len_bytes) })
    }

    /// The place of record `index`'s stride in the view.
    pub(crate) fn place(&self, index: u64) -> Option<Range<usize>> {
        if index >= self.count {
            return None;
        }
        let start = self.address_in_run(index).as_ptr() as usize - self.view.as_ptr() as usize;
        Some(start..start + self.stride)
    }

    /// The first `len_bytes` bytes of record `index`, in place, or what `otherwise` gives: for
    /// records with status bytes, and if `len_bytes` is more than the stride.
    #[inline]
    pub(crate) fn bytes_or<'v>(
        &'v self,
        index: u64,
        len_bytes: usize,
        otherwise: impl FnOnce() -> Option<&'v [u8]>,
    ) -> Option<&'v [u8]> {
        if index >= self.fast_count || len_bytes > self.stride {
            return otherwise();
        }
        let start = self.address(index).as_ptr();
        // SAFETY: `index < fast_count <= count`, so by the invariant `stride` bytes lie at this
        // address within the view that `self` keeps mapped, and do not change while they are
        // borrowed.
        Some(unsafe { std::slice::from_raw_parts(start, len_bytes) })
    }

    /// Copies the strides of records `range`, even if they are deleted or an overlay has images of
    /// them. `into` must have their length.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the view does not have these records, or they have another
    /// length; an error of [`View::read`].
    pub(crate) fn copy_strides(&self, range: Range<u64>, into: &mut [u8]) -> Result<()> {
        let start = range.start;
        let is_one = range.end.checked_sub(start) == Some(1);
        let strides = if is_one { self.slot(start) } else { self.strides(range) };
        let strides = strides.filter(|strides| strides.len() == into.len()).ok_or_else(|| {
            Error::new(ErrorKind::OutOfRange, "read")
                .record(start)
                .detail(format!("the store holds {} records", self.count))
        })?;
        // The slice of no records has no place in the view.
        if os::fault::is_installed() && !strides.is_empty() {
            let place = self.place(start).map_or(0, |place| place.start);
            let points = self.view.points().filter(|_| is_one);
            return points.unwrap_or(&self.view).read(place, into);
        }
        // Nothing changes these bytes during the copy (the invariant), so a plain copy is correct.
        // It is faster for records of common sizes.
        into.copy_from_slice(strides);
        Ok(())
    }

    /// Has the system read ahead from record `index` on, which a caller that goes through all
    /// records one by one is about to read. Calls that read a single record do not.
    #[inline]
    pub(crate) fn approach(&self, index: u64) {
        if self.view.points().is_none() || index >= self.count {
            return;
        }
        // SAFETY: `index < count`, so by the invariant the record lies at this address within the
        // view that `self` keeps mapped, and its bytes do not change.
        unsafe { self.address_in_run(index).as_ptr().read_volatile() };
    }

    /// Has the processor fetch the first `len_bytes` bytes of the records from `index` on, if there
    /// are any.
    pub(crate) fn prefetch(&self, index: u64, len_bytes: usize) {
        if index < self.count {
            os::prefetch(self.address_in_run(index).as_ptr(), len_bytes);
        }
    }

    /// Records `range` as one slice, if records follow one another without gaps or status bytes.
    pub(crate) fn slice(&self, range: Range<u64>) -> Option<&[T]> {
        if self.stride != size_of::<T>() || range.start > range.end || range.end > self.fast_count {
            return None;
        }
        if range.is_empty() {
            return Some(&[]);
        }
        let len = usize::try_from(range.end - range.start).ok()?;
        let start = self.address_in_run(range.start).cast::<T>();
        // SAFETY: the range lies below `fast_count <= count`, records have no gaps, and by the
        // invariant each is a valid, aligned `T` within the view that `self` keeps mapped and does
        // not change.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })
    }

    /// The address of record `index` < `count`, to read records from there on.
    #[inline]
    fn address_in_run(&self, index: u64) -> NonNull<u8> {
        // As far from the start of the one view as from that of the other.
        let address = self.address(index).as_ptr() as usize - self.view.points_ptr() as usize;
        let address = self.view.as_ptr().cast_mut().wrapping_add(address);
        // SAFETY: by the invariant the record lies within the view, whose addresses are not null.
        unsafe { NonNull::new_unchecked(address) }
    }

    /// The address of record `index` < `count`, to read it alone.
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

/// A record in a sliding window, which stays mapped while the guard lives.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store, WindowedStore, zerocopy::*};
/// #[derive(Clone, Copy, Record, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "flatrec::zerocopy")]
/// #[repr(C)]
/// struct Point { x: u32, y: u32 }
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("points.rec");
/// let mut store = Store::<Point>::create(&path).unwrap();
/// store.append(&Point { x: 1, y: 2 }).unwrap();
/// store.close().unwrap();
/// let options = WindowedStore::<Point>::options();
/// let options = options.max_mapped_bytes(1 << 20).window_bytes(64 << 10);
/// let store = options.open(&path).unwrap();
/// let point = store.get(0).unwrap().unwrap(); // pins its window
/// assert_eq!(point.y, 2);
/// # }
/// ```
#[must_use = "a guard pins its window while it lives"]
pub struct RecordGuard<'a, R: ?Sized> {
    record: NonNull<R>,
    /// Keeps the record mapped, unless the borrow `'a` does.
    _view: Option<Arc<View>>,
    marker: PhantomData<&'a R>,
}

// SAFETY: the guard is a shared reference to an `R`, and an owner of a view that is `Send`.
unsafe impl<R: Sync + ?Sized> Send for RecordGuard<'_, R> {}
// SAFETY: as above.
unsafe impl<R: Sync + ?Sized> Sync for RecordGuard<'_, R> {}

impl<'a, R: ?Sized> RecordGuard<'a, R> {
    /// The record that `see` makes of the `len_bytes` bytes at `lead` in `view`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the view does not hold the bytes;
    /// [`ErrorKind::InvalidArgument`] if `see` returns `None`, because the bytes are not aligned
    /// for the record's type.
    ///
    /// # Safety
    /// The file holds these bytes, and nothing changes them or truncates the file below them during
    /// `'a`.
    pub(crate) unsafe fn new(
        view: Arc<View>,
        lead: usize,
        len_bytes: usize,
        see: impl FnOnce(&[u8]) -> Option<&R>,
    ) -> Result<Self> {
        // SAFETY: the caller's promise; the guard, which has the only way to the record, keeps the
        // view mapped as long as it lives, which is during `'a` at most.
        let bytes = unsafe { view.bytes(lead..lead.saturating_add(len_bytes)) }?;
        let record = see(bytes).map(NonNull::from).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "pin a record")
                .offset(view.offset())
                .detail("the record's place in the file is not aligned for its type")
        })?;
        Ok(Self { record, _view: Some(view), marker: PhantomData })
    }

    /// A record that something else keeps in memory.
    pub(crate) fn borrowed(record: &'a R) -> Self {
        Self { record: NonNull::from(record), _view: None, marker: PhantomData }
    }
}

impl<R: ?Sized> std::ops::Deref for RecordGuard<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        // SAFETY: the record is valid, aligned and unchanging by the contract of `new`, and its
        // memory stays mapped while `self` owns the view (or borrows from the view's owner).
        unsafe { self.record.as_ref() }
    }
}

impl<R: std::fmt::Debug + ?Sized> std::fmt::Debug for RecordGuard<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&**self, f)
    }
}
