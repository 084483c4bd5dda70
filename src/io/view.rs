//! One mapped range of a backing.
//!
//! Invariants: `base` is valid for `len` bytes of mapped memory as long as the view lives (or
//! dangling if `len` is 0); `access` says which accesses the mapping permits; the memory is never
//! moved or remapped, so a pointer into it stays valid until the view is dropped.
//!
//! Out-of-range and misdirected calls give errors. A page that the system cannot provide (a
//! truncated file, a failing disk) raises a signal or an exception, as for every mapped file. With
//! the guard installed, the copying calls turn it into an error ([`super::fault`]).

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::MmapRaw;

use super::copy::{copy_in, copy_out};
use super::fault;
use super::fault::{Origin, Place};
use super::open_file::OpenFile;
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, Advice, Advised, Residency};

/// What a mapping or a view may do with the bytes.
///
/// ```
/// use flatrec::map::{Access, Mapping};
/// let scratch = Mapping::anonymous(4096)?;
/// let private = scratch.with_access(Access::Private)?;
/// private.view(0..4)?.write(0, b"mine")?;
/// assert_eq!(scratch.read_vec(0..4)?, [0; 4]); // only the private view has the copy
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading only; a stray store through such a view faults.
    ReadOnly,
    /// Reading and writing; writes reach the file and every other view of it.
    ReadWrite,
    /// Copy-on-write: writes are visible through this view only and never reach the file.
    Private,
}

impl Access {
    /// Whether this access permits changing bytes.
    pub fn is_writable(self) -> bool {
        self != Self::ReadOnly
    }
}

/// What keeps the memory mapped.
pub(crate) enum Memory {
    /// Nothing is mapped: the view is empty.
    Empty,
    /// A mapping of its own.
    Map(MmapRaw),
    /// A section of named shared memory.
    #[allow(dead_code, reason = "held to stay mapped")]
    Section(os::SectionView),
}

/// A mapped range of a [`Mapping`](crate::map::Mapping): its bytes are the file's.
///
/// Views of one file overlap freely and are coherent: a write through one read-write view is
/// visible in all others. Other threads and processes may change the bytes at any time, so the safe
/// calls copy; [`View::bytes`] lends them in place, so it is `unsafe`.
///
/// ```
/// use flatrec::map::Mapping;
/// let mapping = Mapping::anonymous(1 << 20)?;
/// let (one, other) = (mapping.view(0..4096)?, mapping.view(100..200)?);
/// one.write(150, b"here")?;
/// let mut seen = [0; 4];
/// other.read(50, &mut seen)?;
/// assert_eq!(&seen, b"here");
/// # Ok::<(), flatrec::Error>(())
/// ```
pub struct View {
    base: NonNull<u8>,
    len: usize,
    offset: u64,
    access: Access,
    memory: Memory,
    origin: Origin,
    /// The same bytes once more, for reads here and there.
    points: Option<Box<View>>,
    /// The first byte of `points`, or `base`.
    points_base: NonNull<u8>,
}

// SAFETY: a view owns its mapping; the memory stays valid on whichever thread uses or drops it, and
// nothing in it belongs to a thread.
unsafe impl Send for View {}
// SAFETY: through `&View` the safe calls touch the memory only by `copy_out` and `copy_in`, which
// make no references and are opaque to the compiler; in-place access is `unsafe`, and its caller
// excludes races.
unsafe impl Sync for View {}

impl View {
    /// The view of an empty range.
    pub(crate) fn empty(offset: u64, access: Access) -> Self {
        let memory = Memory::Empty;
        let (base, origin) = (NonNull::dangling(), Origin::Unknown);
        Self { base, len: 0, offset, access, memory, origin, points: None, points_base: base }
    }

    /// A view of a range that is known to be possible for `file`.
    pub(crate) fn of_file(
        file: &Arc<OpenFile>,
        offset: u64,
        len_bytes: usize,
        access: Access,
    ) -> Result<Self> {
        let mut options = memmap2::MmapOptions::new();
        options.offset(offset).len(len_bytes);
        let map = match access {
            Access::ReadOnly => options.map_raw_read_only(file.file()),
            Access::ReadWrite => options.map_raw(file.file()),
            Access::Private => {
                // Only changed pages take memory, so the system must not reserve memory for all of
                // a private view: the file may be larger than memory.
                options.no_reserve_swap();
                // SAFETY: the mapping becomes a raw one before any read through it; `View` gives
                // out references only by `unsafe` calls.
                unsafe { options.map_copy(file.file()) }.map(memmap2::MmapRaw::from)
            }
        };
        let map = map.map_err(|source| {
            file.error("map a view of", source).offset(offset).advice(
                "the address space, the number of mappings or the file's permissions do not allow \
                 this view; a windowed store maps less at a time",
            )
        })?;
        let base = NonNull::new(map.as_mut_ptr()).unwrap_or(NonNull::dangling());
        let (len, memory) = (map.len(), Memory::Map(map));
        let origin = Origin::File(Arc::clone(file));
        let points_base = base;
        Ok(Self { base, len, offset, access, memory, origin, points: None, points_base })
    }

    /// A view of a part of the shared memory called `name`.
    pub(crate) fn of_section(
        mut section: os::SectionView,
        offset: u64,
        access: Access,
        name: &str,
    ) -> Self {
        let base = NonNull::new(section.as_mut_ptr()).unwrap_or(NonNull::dangling());
        let (len, memory) = (section.len_bytes(), Memory::Section(section));
        let origin = Origin::Section(name.into());
        Self { base, len, offset, access, memory, origin, points: None, points_base: base }
    }

    /// The view with another one of the same bytes, for reads here and there.
    pub(crate) fn with_points(mut self, points: View) -> Self {
        if (points.offset, points.len) == (self.offset, self.len) {
            self.points_base = points.base;
            self.points = Some(Box::new(points));
        }
        self
    }

    /// The address of the first byte for reads here and there: of [`View::points`], or the same as
    /// [`View::as_ptr`]. Both are as far from the start of a page.
    #[inline]
    pub(crate) fn points_ptr(&self) -> *const u8 {
        self.points_base.as_ptr()
    }

    /// The view of the same bytes that is for reads here and there, if there is one.
    pub(crate) fn points(&self) -> Option<&View> {
        self.points.as_deref()
    }

    /// The start of the view in its backing, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The length in bytes.
    pub fn len_bytes(&self) -> usize {
        self.len
    }

    /// The access that the view permits.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The address of its first byte.
    ///
    /// The pointer is valid for [`View::len_bytes`] bytes until the view is dropped. A touch of
    /// bytes past the end of the file faults.
    pub fn as_ptr(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// The address of its first byte, for writing; `None` for a read-only view.
    pub fn as_mut_ptr(&self) -> Option<NonNull<u8>> {
        self.access.is_writable().then_some(self.base)
    }

    /// Copies bytes out of the view, from `at` bytes past its start.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view. With the guard installed
    /// ([`install_fault_guard`](crate::install_fault_guard)): [`ErrorKind::Truncated`] if the file
    /// ends before the range does, [`ErrorKind::Io`] if the operating system cannot read a page.
    pub fn read(&self, at: usize, into: &mut [u8]) -> Result<()> {
        let from = self.pointer("read", at, into.len())?;
        let place = self.place(at);
        if let Some(result) = fault::read_by_calls(&place, into) {
            return result;
        }
        // SAFETY: `pointer` checked that `into.len()` bytes of this live view are mapped at `from`;
        // `into` is an exclusive borrow, so the two cannot overlap.
        match unsafe { copy_out(from.as_ptr(), into) } {
            Ok(()) => Ok(()),
            Err(fault) => fault::finish_read(&place, into, fault),
        }
    }

    /// Copies bytes into the view, to `at` bytes past its start.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] for a read-only view, [`ErrorKind::OutOfRange`] if the range does
    /// not lie in the view. With the guard installed: as [`View::read`], and [`ErrorKind::NoSpace`]
    /// if a page needs room on a full file system. After an error some of the bytes may have been
    /// written.
    pub fn write(&self, at: usize, from: &[u8]) -> Result<()> {
        if !self.access.is_writable() {
            return Err(Error::new(ErrorKind::ReadOnly, "write")
                .offset(self.offset)
                .advice("map the view with Access::ReadWrite or Access::Private"));
        }
        let to = self.pointer("write", at, from.len())?;
        let place = self.place(at);
        if let Some(result) = fault::write_by_calls(&place, from) {
            return result;
        }
        // SAFETY: `pointer` checked that `from.len()` bytes of this live view are mapped at `to`,
        // and the access was checked to permit writing. `from` cannot overlap it: references into a
        // view exist only by `unsafe` calls, whose callers promise that no other code writes there.
        match unsafe { copy_in(from, to.as_ptr()) } {
            Ok(()) => Ok(()),
            Err(fault) => fault::finish_write(&place, from, fault),
        }
    }

    /// Lends bytes in place, from `range.start` to `range.end` past the view's start.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view.
    ///
    /// # Safety
    /// No code, in this process or another, changes these bytes or truncates the file below them
    /// while the borrow lives.
    pub unsafe fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        let len = range.end.saturating_sub(range.start);
        let from = self.pointer("lend", range.start, len)?;
        // SAFETY: `pointer` checked the range against this live view, bytes have no alignment and
        // no invalid values, and the caller promised that they do not change.
        Ok(unsafe { std::slice::from_raw_parts(from.as_ptr(), len) })
    }

    /// Lends bytes in place for changing.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] for a read-only view, [`ErrorKind::OutOfRange`] if the range does
    /// not lie in the view.
    ///
    /// # Safety
    /// No other code, in this process or another and through this view or another, reads or changes
    /// these bytes or truncates the file below them while the borrow lives.
    #[allow(clippy::mut_from_ref, reason = "exclusiveness is the caller's duty, as said above")]
    pub unsafe fn bytes_mut(&self, range: Range<usize>) -> Result<&mut [u8]> {
        if !self.access.is_writable() {
            return Err(Error::new(ErrorKind::ReadOnly, "lend for changing").offset(self.offset));
        }
        let len = range.end.saturating_sub(range.start);
        let to = self.pointer("lend for changing", range.start, len)?;
        // SAFETY: `pointer` checked the range, the access permits writing, and the caller promised
        // that no other code touches the bytes.
        Ok(unsafe { std::slice::from_raw_parts_mut(to.as_ptr(), len) })
    }

    /// Tells the system how a part of the view will be used, and returns what the system did.
    /// [`Advice`] lists each advice on each system.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view; [`ErrorKind::Io`] if the
    /// operating system cannot provide the pages of a populating advice.
    pub fn advise(&self, range: Range<usize>, advice: Advice) -> Result<Advised> {
        let len = range.end.saturating_sub(range.start);
        let from = self.pointer("advise", range.start, len)?;
        if len == 0 {
            return Ok(Advised::Done);
        }
        // SAFETY: the range lies in this live mapping, and no advice changes what it holds.
        unsafe { os::advise(from.as_ptr(), len, advice) }
            .map_err(|source| Error::io("advise", source).offset(self.offset))
    }

    /// Keeps a part of the view, rounded to whole pages, in physical memory until the view is
    /// dropped or unlocked: `mlock`, `VirtualLock`. Locks do not count: one unlock undoes any
    /// number.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view; [`ErrorKind::Io`] if the
    /// operating system reports an error. Most systems let a process lock only a few mebibytes, and
    /// Windows a little less than its minimum working set, 200 KiB unless
    /// `SetProcessWorkingSetSize` has raised it.
    pub fn lock(&self, range: Range<usize>) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        let from = self.pointer("lock in memory", range.start, len)?;
        // SAFETY: the range lies in this live mapping.
        unsafe { os::lock_memory(from.as_ptr(), len) }.map_err(|source| {
            Error::io("lock in memory", source).offset(self.offset).advice(
                "raise the limit of locked memory (ulimit -l; on Windows the minimum working \
                     set) or lock less",
            )
        })
    }

    /// Unlocks a part of the view. An unlocked part is no error; on Windows its pages then leave
    /// the working set.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub fn unlock(&self, range: Range<usize>) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        let from = self.pointer("unlock from memory", range.start, len)?;
        // SAFETY: the range lies in this live mapping.
        unsafe { os::unlock_memory(from.as_ptr(), len) }
            .map_err(|source| Error::io("unlock from memory", source).offset(self.offset))
    }

    /// How many of the pages under a part of the view are in memory now.
    ///
    /// On Unix these are the pages in the page cache (`mincore`), whichever process brought them
    /// there. On Windows they are the pages in the working set of this process
    /// (`QueryWorkingSetEx`): a page that only the cache holds does not count, and touching it is a
    /// soft fault. So a new view of a file that is wholly in the cache is fully resident on Unix,
    /// and not at all on Windows.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub fn residency(&self, range: Range<usize>) -> Result<Residency> {
        let len = range.end.saturating_sub(range.start);
        let from = self.pointer("ask residency", range.start, len)?;
        // SAFETY: the range lies in this live mapping.
        unsafe { os::residency(from.as_ptr(), len) }
            .map_err(|source| Error::io("ask residency", source).offset(self.offset))
    }

    /// Writes the changed pages of a part of the view to the file and waits until the system has
    /// written them: `msync`, or `FlushViewOfFile` and then `FlushFileBuffers`. The file's length
    /// is not included: use [`Mapping::sync`](crate::map::Mapping::sync). Does nothing for a view
    /// that is read-only, private or of named memory.
    ///
    /// On Windows only this call makes writes through a view reach the file for sure: a flush there
    /// writes what was changed through the flushed view.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the range does not lie in the view; [`ErrorKind::Io`] if the
    /// operating system reports an error. What the device holds is unknown then, and a second flush
    /// proves nothing.
    pub fn flush(&self, range: Range<usize>) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        self.pointer("flush", range.start, len)?;
        if len == 0 || self.access != Access::ReadWrite {
            return Ok(());
        }
        match &self.memory {
            Memory::Map(map) => {
                os::flush_of_view(|| map.flush_range(range.start, len)).map_err(|source| {
                    let place = self.place(range.start);
                    place.name(Error::io("flush view", source).offset(place.offset))
                })
            }
            Memory::Section(_) | Memory::Empty => Ok(()),
        }
    }

    /// The place `at` bytes past the view's start.
    fn place(&self, at: usize) -> Place<'_> {
        Place {
            origin: &self.origin,
            offset: self.offset.saturating_add(at as u64),
            private: self.access == Access::Private,
        }
    }

    /// The address of `at`, after a check that `at..at + len` lies in the view.
    fn pointer(&self, operation: &'static str, at: usize, len: usize) -> Result<NonNull<u8>> {
        match at.checked_add(len) {
            Some(end) if end <= self.len => {
                // SAFETY: `at` ≤ `len` of the allocation behind `base`, which therefore also
                // bounds it by `isize::MAX`.
                Ok(unsafe { self.base.add(at) })
            }
            _ => Err(Error::new(ErrorKind::OutOfRange, operation)
                .offset(self.offset)
                .detail(format!("{len} bytes at {at} of a view of {} bytes", self.len))),
        }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("offset", &self.offset)
            .field("len", &self.len)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
