//! Records of one type, read and written in place in a mapping.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::{Error, ErrorKind, Result};
use crate::io::View;

/// Consecutive records of type `T` in a view: for shared memory, scratch memory and files whose
/// layout the program defines.
///
/// Other threads and processes may change the bytes at any time, so records are copied in and out;
/// a copy may contain a part of a concurrent write. [`TypedView::slice`] lends them in place, so it
/// is `unsafe`.
///
/// ```
/// use flatrec::map::Mapping;
/// let mapping = Mapping::anonymous(1 << 16)?;
/// let numbers = mapping.typed::<u64>(0)?;
/// numbers.set(3, &42)?;
/// assert_eq!(numbers.get(3)?, 42);
/// assert_eq!(numbers.len(), (1 << 16) / 8);
/// # Ok::<(), flatrec::Error>(())
/// ```
pub struct TypedView<T> {
    view: View,
    marker: PhantomData<fn() -> T>,
}

impl<T: FromBytes + IntoBytes + Immutable + Copy> TypedView<T> {
    /// The whole records that `view` holds.
    pub(crate) fn new(view: View) -> Result<Self> {
        if size_of::<T>() == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "view records")
                .detail("the record type has 0 bytes"));
        }
        Ok(Self { view, marker: PhantomData })
    }

    /// How many records there are.
    pub fn len(&self) -> u64 {
        (self.view.len_bytes() / size_of::<T>()) as u64
    }

    /// Whether the view holds no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The view underneath, for advice, residency and locking in memory.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// A copy of record `index`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record.
    pub fn get(&self, index: u64) -> Result<T> {
        let mut record = T::new_zeroed();
        self.view.read(self.place(index)?, record.as_mut_bytes())?;
        Ok(record)
    }

    /// Copies `record` to the place of record `index`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record, [`ErrorKind::ReadOnly`] for a read-only
    /// view.
    pub fn set(&self, index: u64, record: &T) -> Result<()> {
        self.view.write(self.place(index)?, record.as_bytes())
    }

    /// Lends records in place.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record, [`ErrorKind::InvalidArgument`] if the
    /// records are not aligned for their type.
    ///
    /// # Safety
    /// No code, in this process or another, changes these records or truncates the file below them
    /// while the borrow lives.
    pub unsafe fn slice(&self, range: Range<u64>) -> Result<&[T]> {
        if range.is_empty() {
            return Ok(&[]);
        }
        let bytes = self.byte_range(&range)?;
        // SAFETY: the caller's promise is the one that `View::bytes` requires.
        let bytes = unsafe { self.view.bytes(bytes) }?;
        <[T]>::ref_from_bytes(bytes).map_err(|_| Self::misaligned(range.start))
    }

    /// Lends records in place for changing.
    ///
    /// # Errors
    /// As [`TypedView::slice`], and [`ErrorKind::ReadOnly`] for a read-only view.
    ///
    /// # Safety
    /// No other code, in this process or another, reads or changes these records, through this view
    /// or another, or truncates the file below them while the borrow lives.
    #[allow(clippy::mut_from_ref, reason = "exclusiveness is the caller's duty, as said above")]
    pub unsafe fn slice_mut(&self, range: Range<u64>) -> Result<&mut [T]> {
        if range.is_empty() {
            return Ok(&mut []);
        }
        let bytes = self.byte_range(&range)?;
        // SAFETY: the caller's promise is the one that `View::bytes_mut` requires.
        let bytes = unsafe { self.view.bytes_mut(bytes) }?;
        <[T]>::mut_from_bytes(bytes).map_err(|_| Self::misaligned(range.start))
    }

    fn place(&self, index: u64) -> Result<usize> {
        if index >= self.len() {
            return Err(Error::new(ErrorKind::OutOfRange, "reach record")
                .record(index)
                .detail(format!("the view holds {} records", self.len())));
        }
        // Below `len`, which came from a `usize`: neither cast nor product loses anything.
        Ok(index as usize * size_of::<T>())
    }

    /// The bytes of a range that is not empty.
    fn byte_range(&self, range: &Range<u64>) -> Result<Range<usize>> {
        Ok(self.place(range.start)?..self.place(range.end - 1)? + size_of::<T>())
    }

    fn misaligned(record: u64) -> Error {
        Error::new(ErrorKind::InvalidArgument, "lend records")
            .record(record)
            .detail("the view is not aligned for the record type")
            .advice("start the view at a multiple of the type's alignment, or copy records out")
    }
}

impl<T> fmt::Debug for TypedView<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedView").field(&self.view).finish()
    }
}
