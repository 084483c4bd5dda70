//! How changes reach the file: two strategies behind one trait.
//!
//! **Positioned**: appended bytes gather in a buffer and go out in large writes. Edits change bytes
//! in a private (copy-on-write) view, and positioned writes then write the dirty pages, adjacent
//! ones together. The kernel sees no store through a shared mapping, so it writes back each written
//! page once, and not the large folios around it.
//!
//! **Mapped**: appends and edits store bytes through a sliding read-write window, and a flush
//! writes the window's dirty range. For systems that do not promise that views and write calls are
//! coherent, and for users whose measurements favour it.
//!
//! Invariants:
//! - Dirty ranges lie within the current window, because a flush comes before the window slides.
//! - The buffer holds whole appends, so the pending bytes are whole records.
//! - A private window and a buffer with bytes never exist at the same time, because private pages
//!   do not see what is written to the file after they were copied.
//!
//! The caller that constructs one promises that nothing else changes the file while it lives, and
//! that nothing at all reads the bytes that `edit` lends while they are lent. Therefore the
//! constructors are `unsafe`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memmap2::MmapMut;

use super::dirty::DirtyPages;
use super::mapped_writes::{MappedWrites, Window};
use crate::error::{Error, Result};
use crate::io::{Access, Backing, View};
use crate::os;

/// How a store writes its records back to the file: tests and benchmarks choose, and all other
/// callers have [`WriteBack::Auto`].
///
/// ```
/// use flatrec::{DynStore, DataType, Field, Schema, WriteBack};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::create_options()
///     .write_back(WriteBack::Mapped)
///     .create(directory.path().join("numbers.rec"), &schema)?;
/// store.append(&7u32.to_le_bytes())?;
/// store.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum WriteBack {
    /// The fastest by measurement: appends positioned, and exclusive edits mapped, unless the disk
    /// could run full during them. Everything mapped if the system does not keep views and write
    /// calls coherent.
    #[default]
    Auto,
    /// Gathers appends and dirty pages, and writes them with write calls at their offsets. Writes
    /// least for edits of few records that are scattered over a large file.
    Positioned,
    /// Stores through a sliding read-write view, then flushes its dirty range.
    Mapped,
}

/// The buffer in which appends gather: larger than a processor's first-level caches, smaller than
/// its second-level cache.
const BUFFER_BYTES: usize = 256 << 10;
/// How many appended bytes are written before the system begins to bring them to the device.
const WRITE_BACK_BYTES: u64 = 8 << 20;
/// Private pages are written and dropped when their changed bytes exceed this.
const PRIVATE_BYTES_MAX: u64 = 256 << 20;

/// One way of writing records back.
pub(crate) trait Writer: fmt::Debug + Send + Sync {
    /// Makes the file at least `len_bytes` long, in the way this writer needs.
    fn reserve(&mut self, len_bytes: u64) -> Result<()>;

    /// Adds bytes at `offset`, behind the records that readers see. The file must be long enough.
    fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Adds bytes to the pending ones, if there are any and the buffer has room; otherwise does
    /// nothing and returns `false`. The fast path for single records.
    fn append_pending(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    /// Appended bytes that are not in the file yet, and so not in its views, with the offset at
    /// which they will lie.
    fn pending(&self) -> (u64, &[u8]);

    /// Lends bytes to change in place, and counts them as dirty.
    fn edit(&mut self, range: Range<u64>) -> Result<&mut [u8]>;

    /// Lends bytes, with all earlier changes, to read them.
    fn read(&mut self, range: Range<u64>) -> Result<&[u8]>;

    /// The view through which `edit` would lend `range`. The caller may change bytes through it,
    /// and must report them by `mark` before any other call of the writer. `None` if this writer
    /// needs a call of `edit` for each range.
    fn lend(&mut self, _range: &Range<u64>) -> Result<Option<Arc<View>>> {
        Ok(None)
    }

    /// Counts bytes as dirty that the caller changed through the view lent last.
    fn mark(&mut self, _range: &Range<u64>) {}

    /// Writes the changes in `range` to the file.
    fn flush(&mut self, range: Range<u64>) -> Result<()>;

    /// Writes all changes to the file, and drops every view.
    fn release(&mut self) -> Result<()>;
}

/// Buffered appends, private edits, positioned writes.
pub(crate) struct Positioned {
    backing: Arc<dyn Backing>,
    buffer: MmapMut,
    buffered_from: u64,
    buffered: usize,
    /// The appended bytes that the system has not begun to bring to the device.
    fresh: Range<u64>,
    window: Window,
    dirty: DirtyPages,
}

impl Positioned {
    /// A writer to `backing` whose edits map `window_bytes` at a time, or the whole file.
    ///
    /// # Safety
    /// While it lives, nothing else changes the file, and nothing truncates it below the edited
    /// bytes.
    pub(crate) unsafe fn new(backing: Arc<dyn Backing>, window_bytes: Option<u64>) -> Result<Self> {
        // A mapping rather than a vector: its start is aligned for every record type, so pending
        // records can be read in place, and it takes no memory before the first append.
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
            fresh: 0..0,
            window,
            dirty: DirtyPages::default(),
        })
    }

    fn write_buffer(&mut self) -> Result<()> {
        if self.buffered > 0 {
            self.backing.write_at(self.buffered_from, &self.buffer[..self.buffered])?;
            self.note_appended(self.buffered_from, self.buffered as u64);
            self.buffered_from += self.buffered as u64;
            self.buffered = 0;
        }
        Ok(())
    }

    /// A long run of appends goes to the device while the caller makes the next ones.
    fn note_appended(&mut self, offset: u64, len_bytes: u64) {
        if self.fresh.end != offset {
            self.fresh = offset..offset;
        }
        self.fresh.end += len_bytes;
        let fresh_bytes = self.fresh.end - self.fresh.start;
        if fresh_bytes >= WRITE_BACK_BYTES {
            self.backing.begin_write_back(self.fresh.start, fresh_bytes);
            self.fresh.start = self.fresh.end;
        }
    }

    fn write_ranges(&mut self, ranges: Vec<Range<u64>>) -> Result<()> {
        for range in ranges {
            let range = self.window.clip(range);
            let (view, place) = self.window.place(&range)?;
            // SAFETY: the view is private to this writer, `&mut self` keeps `edit` from lending
            // these bytes during the write, and by the constructor's contract nothing truncates the
            // file.
            let bytes = unsafe { view.bytes(place) }?;
            self.backing.write_at(range.start, bytes)?;
        }
        Ok(())
    }

    /// Makes the window cover `range`. Writes the dirty pages of the old window first, also if
    /// they have only grown past their bound.
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
            // By the invariant no private window may exist beside buffered bytes.
            self.write_dirty()?;
            self.window.view = None;
        }
        let follows = self.buffered > 0 && self.buffered_from + self.buffered as u64 == offset;
        if !follows || self.buffered + bytes.len() > self.buffer.len() {
            self.write_buffer()?;
            self.buffered_from = offset;
        }
        if bytes.len() >= self.buffer.len() {
            self.backing.write_at(offset, bytes)?;
            self.note_appended(offset, bytes.len() as u64);
            return Ok(());
        }
        self.buffer[self.buffered..self.buffered + bytes.len()].copy_from_slice(bytes);
        self.buffered += bytes.len();
        Ok(())
    }

    #[inline]
    fn append_pending(&mut self, bytes: &[u8]) -> bool {
        // If bytes are pending, there is no private window (the invariant).
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
        // by the constructor's contract nothing truncates the file.
        unsafe { view.bytes_mut(place) }
    }

    fn read(&mut self, range: Range<u64>) -> Result<&[u8]> {
        self.reach(&range)?;
        let (view, place) = self.window.place(&range)?;
        // SAFETY: as in `edit`; the borrow of `self` keeps `edit` from lending the bytes again.
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

/// Stores through a read-write window, then flushes its dirty range.
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
    /// While it lives, nothing else changes the file, nothing truncates it below the edited or
    /// appended bytes, and nothing reads bytes, through any view, while `edit` lends them.
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
        // SAFETY: by the constructor's contract nothing else reads or changes the bytes while they
        // are lent, and `&mut self` keeps this writer from lending them twice.
        unsafe { view.bytes_mut(place) }
    }

    fn read(&mut self, range: Range<u64>) -> Result<&[u8]> {
        self.reach(&range)?;
        let (view, place) = self.edits.place(&range)?;
        // SAFETY: by the constructor's contract nothing else changes the file; the borrow of `self`
        // keeps `edit` from lending the bytes at the same time.
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

/// Appends are positioned; edits are mapped, unless a store into the view could meet a full disk.
#[derive(Debug)]
pub(crate) struct Mixed {
    positioned: Positioned,
    mapped: Mapped,
    /// Whether edits are mapped: decided by the first edit, until the writer is released.
    edits_mapped: Option<bool>,
}

impl Mixed {
    /// A writer to `backing`, whose views and write calls must be coherent.
    ///
    /// # Safety
    /// As [`Positioned::new`] and [`Mapped::new`].
    pub(crate) unsafe fn new(backing: Arc<dyn Backing>, window_bytes: Option<u64>) -> Result<Self> {
        // SAFETY: the caller's promise. The two never hold changes to the same bytes: `editor`
        // writes the buffer before any edit, so edited bytes are in the file.
        let positioned = unsafe { Positioned::new(Arc::clone(&backing), window_bytes) }?;
        // SAFETY: as above.
        let mapped = unsafe { Mapped::new(backing, window_bytes) };
        Ok(Self { positioned, mapped, edits_mapped: None })
    }

    /// The writer for edits. A store into a view of a file with holes, or on a file system that
    /// does not write in place, may need new disk blocks, and faults if the disk is full; such a
    /// file is edited by positioned writes.
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
        self.mapped.mark(range); // `positioned` lends no view
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
