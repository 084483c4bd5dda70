//! How changes reach the file: two strategies behind one trait.
//!
//! **Positioned**: appended bytes gather in a buffer and go out in large writes; bytes that are
//! changed in place are changed in a private (copy-on-write) view, and the dirty pages, coalesced,
//! are written with positioned writes. The kernel never sees a store of ours through a shared map,
//! so it writes back the pages that we wrote, once, and not the large folios around them.
//!
//! **Mapped**: bytes are stored through a read-write window that slides over appends and edits, and
//! the window's dirty range is flushed. For systems that do not promise views and write calls to be
//! coherent, and for those who measure that it suits them.
//!
//! Invariants: dirty ranges lie within the current window, since sliding flushes first; the buffer
//! holds whole appends, so that what is pending is a run of whole records; there is never a private
//! window and a buffer with bytes in it at once, since private pages do not see what is written to
//! the file after they were copied. Whoever makes one of
//! these promises that nobody else changes the file meanwhile, and that nobody at all reads the
//! bytes lent by `edit` while they are lent; that is why the constructors are `unsafe`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memmap2::MmapMut;

use super::dirty::DirtyPages;
use super::mapped_writes::{MappedWrites, Window};
use crate::error::{Error, Result};
use crate::io::{Access, Backing, View};
use crate::os;

/// How a store writes its records back to the file.
///
/// ```
/// use flatrec::{DynStore, DataType, Field, Schema, WriteBack};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::options()
///     .write_back(WriteBack::Mapped)
///     .create(directory.path().join("numbers.rec"), &schema)?;
/// store.append(&7u32.to_le_bytes())?;
/// store.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum WriteBack {
    /// What measures best: appends positioned, exclusive edits mapped unless the disk could run
    /// full under them; all mapped where the system does not keep views and write calls coherent.
    #[default]
    Auto,
    /// Appends gathered and dirty pages coalesced, written with write calls at their offsets. For
    /// edits of few records, scattered over a large file, it writes least.
    Positioned,
    /// Stores through a sliding read-write view, then a flush of its dirty range.
    Mapped,
}

/// The buffer in which appends gather: past a processor's first-level caches, within its second.
const BUFFER_BYTES: usize = 256 << 10;
/// Private pages are written and let go once this many bytes were changed in them.
const PRIVATE_BYTES_MAX: u64 = 256 << 20;

/// One way of writing records back.
pub(crate) trait Writer: fmt::Debug + Send + Sync {
    /// Makes the file at least `len_bytes` long, in the way this writer needs.
    fn reserve(&mut self, len_bytes: u64) -> Result<()>;

    /// Adds bytes at `offset`, where nobody reads yet; the file is long enough.
    fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Adds bytes to those that are pending, if there are any and the buffer has room; otherwise
    /// does nothing, and says so. The short way for records one by one.
    fn append_pending(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    /// Bytes appended that the file, and so its views, do not show yet, and where they will lie.
    fn pending(&self) -> (u64, &[u8]);

    /// Lends bytes for changing in place, and counts them as dirty.
    fn edit(&mut self, range: Range<u64>) -> Result<&mut [u8]>;

    /// Lends bytes as they are with all changes made so far.
    fn read(&mut self, range: Range<u64>) -> Result<&[u8]>;

    /// The view through which `edit` would lend `range`, if bytes that are changed through it need
    /// only be told afterwards, by `mark`: before anything else is asked of the writer.
    fn lend(&mut self, _range: &Range<u64>) -> Result<Option<Arc<View>>> {
        Ok(None)
    }

    /// Counts bytes as dirty that were changed through the view lent last.
    fn mark(&mut self, _range: &Range<u64>) {}

    /// Hands the changes in `range` to the file.
    fn flush(&mut self, range: Range<u64>) -> Result<()>;

    /// Lets every view go, after handing all changes to the file.
    fn release(&mut self) -> Result<()>;
}

/// Buffered appends, private edits, positioned writes.
pub(crate) struct Positioned {
    backing: Arc<dyn Backing>,
    buffer: MmapMut,
    buffered_from: u64,
    buffered: usize,
    window: Window,
    dirty: DirtyPages,
}

impl Positioned {
    /// A writer to `backing` whose edits map `window_bytes` at a time, or the whole file.
    ///
    /// # Safety
    /// While it lives nobody else changes the file, and nobody truncates it below what is edited.
    pub(crate) unsafe fn new(backing: Arc<dyn Backing>, window_bytes: Option<u64>) -> Result<Self> {
        // A mapping rather than a vector: its start is aligned for every record type, so that
        // pending records can be read in place, and it costs no memory before the first append.
        let buffer = MmapMut::map_anon(BUFFER_BYTES)
            .map_err(|source| Error::io("allocate the append buffer", source))?;
        let window = Window {
            backing: Arc::clone(&backing),
            access: Access::Private,
            target_bytes: window_bytes,
            view: None,
        };
        Ok(Self {
            backing,
            buffer,
            buffered_from: 0,
            buffered: 0,
            window,
            dirty: DirtyPages::default(),
        })
    }

    fn write_buffer(&mut self) -> Result<()> {
        if self.buffered > 0 {
            self.backing.write_at(self.buffered_from, &self.buffer[..self.buffered])?;
            self.buffered_from += self.buffered as u64;
            self.buffered = 0;
        }
        Ok(())
    }

    fn write_ranges(&mut self, ranges: Vec<Range<u64>>) -> Result<()> {
        for range in ranges {
            let range = self.window.clip(range);
            let (view, place) = self.window.place(&range)?;
            // SAFETY: the view is private to this writer, and `&mut self` keeps `edit` from
            // lending these bytes meanwhile; that the file is not truncated is the constructor's
            // contract.
            let bytes = unsafe { view.bytes(place) }?;
            self.backing.write_at(range.start, bytes)?;
        }
        Ok(())
    }

    /// Puts `range` into the window. What is dirty in the window that it replaces is written
    /// first; so are private copies once they have grown past their bound.
    fn reach(&mut self, range: &Range<u64>) -> Result<()> {
        if self.dirty.len_bytes() > PRIVATE_BYTES_MAX || !self.window.covers(range) {
            self.write_buffer()?;
            self.write_dirty()?;
            self.window.slide(range)?;
        }
        Ok(())
    }

    fn write_dirty(&mut self) -> Result<()> {
        let ranges = self.dirty.take_within(&(0..u64::MAX));
        self.write_ranges(ranges)
    }
}

impl Writer for Positioned {
    fn reserve(&mut self, len_bytes: u64) -> Result<()> {
        self.backing.grow(len_bytes).map(|_| ())
    }

    fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if self.window.view.is_some() {
            // The invariant: no private window beside buffered bytes.
            self.write_dirty()?;
            self.window.view = None;
        }
        let follows = self.buffered > 0 && self.buffered_from + self.buffered as u64 == offset;
        if !follows || self.buffered + bytes.len() > self.buffer.len() {
            self.write_buffer()?;
            self.buffered_from = offset;
        }
        if bytes.len() >= self.buffer.len() {
            return self.backing.write_at(offset, bytes);
        }
        self.buffer[self.buffered..self.buffered + bytes.len()].copy_from_slice(bytes);
        self.buffered += bytes.len();
        Ok(())
    }

    #[inline]
    fn append_pending(&mut self, bytes: &[u8]) -> bool {
        // Pending bytes imply that there is no private window (the invariant).
        if self.buffered == 0 {
            return false;
        }
        match self.buffer.get_mut(self.buffered..self.buffered + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.buffered += bytes.len();
                true
            }
            None => false,
        }
    }

    fn pending(&self) -> (u64, &[u8]) {
        (self.buffered_from, &self.buffer[..self.buffered])
    }

    fn edit(&mut self, range: Range<u64>) -> Result<&mut [u8]> {
        self.reach(&range)?;
        let (view, place) = self.window.place(&range)?;
        self.dirty.add(&range);
        // SAFETY: the view is private to this writer, `&mut self` makes the borrow exclusive, and
        // that the file is not truncated is the constructor's contract.
        unsafe { view.bytes_mut(place) }
    }

    fn read(&mut self, range: Range<u64>) -> Result<&[u8]> {
        self.reach(&range)?;
        let (view, place) = self.window.place(&range)?;
        // SAFETY: as in `edit`; the borrow of `self` keeps the bytes from being edited meanwhile.
        unsafe { view.bytes(place) }
    }

    fn flush(&mut self, range: Range<u64>) -> Result<()> {
        let buffered_end = self.buffered_from + self.buffered as u64;
        if self.buffered > 0 && range.start < buffered_end && self.buffered_from < range.end {
            self.write_buffer()?;
        }
        let ranges = self.dirty.take_within(&range);
        self.write_ranges(ranges)
    }

    fn release(&mut self) -> Result<()> {
        self.write_buffer()?;
        self.write_dirty()?;
        self.window.view = None;
        Ok(())
    }
}

impl fmt::Debug for Positioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Positioned")
            .field("buffered_from", &self.buffered_from)
            .field("buffered", &self.buffered)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Stores through a read-write window, then a flush of its dirty range.
#[derive(Debug)]
pub(crate) struct Mapped {
    appends: MappedWrites,
    edits: Window,
    dirty: DirtyPages,
}

impl Mapped {
    /// A writer to `backing` whose edits map `window_bytes` at a time, or the whole file.
    ///
    /// # Safety
    /// While it lives nobody else changes the file, nobody truncates it below what is edited or
    /// appended, and nobody reads bytes, through whatever view, while `edit` lends them.
    pub(crate) unsafe fn new(backing: Arc<dyn Backing>, window_bytes: Option<u64>) -> Self {
        let appends = MappedWrites::new(Arc::clone(&backing), window_bytes);
        let (access, view) = (Access::ReadWrite, None);
        let edits = Window { backing, access, target_bytes: window_bytes, view };
        Self { appends, edits, dirty: DirtyPages::default() }
    }

    fn reach(&mut self, range: &Range<u64>) -> Result<()> {
        if !self.edits.covers(range) {
            self.flush_edits(&(0..u64::MAX))?;
            self.edits.slide(range)?;
        }
        Ok(())
    }

    fn flush_edits(&mut self, within: &Range<u64>) -> Result<()> {
        let ranges = self.dirty.take_within(within);
        match (ranges.first(), ranges.last()) {
            (Some(first), Some(last)) => {
                let span = self.edits.clip(first.start..last.end);
                self.edits.flush(span)
            }
            _ => Ok(()),
        }
    }
}

impl Writer for Mapped {
    fn reserve(&mut self, len_bytes: u64) -> Result<()> {
        self.appends.reserve(len_bytes)
    }

    fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.appends.write(offset, bytes)
    }

    fn pending(&self) -> (u64, &[u8]) {
        (0, &[])
    }

    fn edit(&mut self, range: Range<u64>) -> Result<&mut [u8]> {
        self.reach(&range)?;
        let (view, place) = self.edits.place(&range)?;
        self.dirty.add(&range);
        // SAFETY: that nobody else reads or changes the bytes meanwhile is the constructor's
        // contract, and `&mut self` keeps this writer from lending them twice.
        unsafe { view.bytes_mut(place) }
    }

    fn read(&mut self, range: Range<u64>) -> Result<&[u8]> {
        self.reach(&range)?;
        let (view, place) = self.edits.place(&range)?;
        // SAFETY: nobody else changes the file (constructor's contract); the borrow of `self`
        // keeps the bytes from being edited meanwhile.
        unsafe { view.bytes(place) }
    }

    fn lend(&mut self, range: &Range<u64>) -> Result<Option<Arc<View>>> {
        self.reach(range)?;
        Ok(self.edits.view.clone())
    }

    fn mark(&mut self, range: &Range<u64>) {
        self.dirty.add(range);
    }

    fn flush(&mut self, range: Range<u64>) -> Result<()> {
        self.appends.flush_within(&range)?;
        self.flush_edits(&range)
    }

    fn release(&mut self) -> Result<()> {
        self.flush(0..u64::MAX)?;
        self.appends.release()?;
        self.edits.view = None;
        Ok(())
    }
}

/// Appends positioned; edits mapped, unless a store into the map could meet a full disk.
#[derive(Debug)]
pub(crate) struct Mixed {
    positioned: Positioned,
    mapped: Mapped,
    /// Which of the two edits, once the first edit has asked; until the writer is released.
    edits_mapped: Option<bool>,
}

impl Mixed {
    /// A writer to `backing`, whose views and calls are coherent.
    ///
    /// # Safety
    /// As [`Positioned::new`] and [`Mapped::new`].
    pub(crate) unsafe fn new(backing: Arc<dyn Backing>, window_bytes: Option<u64>) -> Result<Self> {
        // SAFETY: the caller's promise. The two never hold changes to the same bytes: what is
        // edited has been appended and written before (`editor`).
        let positioned = unsafe { Positioned::new(Arc::clone(&backing), window_bytes) }?;
        // SAFETY: as above.
        let mapped = unsafe { Mapped::new(backing, window_bytes) };
        Ok(Self { positioned, mapped, edits_mapped: None })
    }

    /// The writer that edits. A file with holes, or on a file system that writes elsewhere than in
    /// place, may need new blocks for a store; without them the store would be a fault.
    fn editor(&mut self) -> Result<&mut dyn Writer> {
        self.positioned.write_buffer()?;
        let mapped = match self.edits_mapped {
            Some(mapped) => mapped,
            None => {
                let backing = &self.positioned.backing;
                let in_place = os::preallocation_binds(&backing.properties().file_system);
                let mapped = in_place && backing.allocated_bytes()? >= backing.len_bytes()?;
                *self.edits_mapped.insert(mapped)
            }
        };
        Ok(if mapped { &mut self.mapped } else { &mut self.positioned })
    }
}

impl Writer for Mixed {
    fn reserve(&mut self, len_bytes: u64) -> Result<()> {
        self.positioned.reserve(len_bytes)
    }

    fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.positioned.append(offset, bytes)
    }

    fn append_pending(&mut self, bytes: &[u8]) -> bool {
        self.positioned.append_pending(bytes)
    }

    fn pending(&self) -> (u64, &[u8]) {
        self.positioned.pending()
    }

    fn edit(&mut self, range: Range<u64>) -> Result<&mut [u8]> {
        self.editor()?.edit(range)
    }

    fn read(&mut self, range: Range<u64>) -> Result<&[u8]> {
        self.editor()?.read(range)
    }

    fn lend(&mut self, range: &Range<u64>) -> Result<Option<Arc<View>>> {
        self.editor()?.lend(range)
    }

    fn mark(&mut self, range: &Range<u64>) {
        self.mapped.mark(range); // the other one lends nothing
    }

    fn flush(&mut self, range: Range<u64>) -> Result<()> {
        self.positioned.flush(range.clone())?;
        self.mapped.flush(range)
    }

    fn release(&mut self) -> Result<()> {
        self.edits_mapped = None;
        self.positioned.release()?;
        self.mapped.release()
    }
}
