//! An array of records in a backing, for one writer or for a reader.
//!
//! Invariants: `count` records exist. Those from `pending` on lie in the writer's buffer, the
//! others in the file. The whole view, if there is one, publishes exactly the records in the file.
//! The file is at least as long as the records in it.

mod copies;

use std::ops::Range;
use std::sync::Arc;

use super::edit_window::EditWindow;
use super::growth::{Growth, mappable, view_with_room};
use super::points::with_points;
use super::private_writer::PrivateWriter;
use super::record_view::{RecordGuard, RecordView};
use super::sliding::{Slider, ViewCounters};
use super::window_guard::WindowGuard;
use super::write_back::{Mapped, Mixed, Positioned, WriteBack, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Geometry, StatusByte, Windows};
use crate::io::{Access, Backing, View};
use crate::number::smaller;
use crate::os::Advice;
use crate::trace;

/// How records are mapped to read them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading {
    /// Through one view of the whole file, which reaches past its end if the system allows that.
    Whole,
    /// Through windows of about `window_bytes`, with at most `budget_bytes` mapped at a time.
    Windowed { budget_bytes: u64, window_bytes: u64 },
}

/// How an array is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArrayOptions {
    pub(crate) access: Access,
    pub(crate) reading: Reading,
    pub(crate) write_back: WriteBack,
    pub(crate) advice: Option<Advice>,
    /// Whether each change of a record needs its own call of [`Array::edit`]; if not, a caller may
    /// change many records in a window that was lent once.
    pub(crate) announces_edits: bool,
    /// The status byte of each record, in stores with deletes.
    pub(crate) status_byte: Option<StatusByte>,
}

/// The place for records that will be appended.
pub(crate) struct Room {
    records: Range<u64>,
    bytes: Range<u64>,
}

/// Records of type `T` (or of bytes, for `u8`) in a backing.
pub(crate) struct Array<T> {
    backing: Arc<dyn Backing>,
    geometry: Geometry,
    options: ArrayOptions,
    count: u64,
    file_len_bytes: u64,
    /// Whether the whole view has images over the file's records, in its own pages.
    has_images: bool,
    /// Where the pending records started at the last `publish`.
    pending_from: u64,
    growth: Growth,
    /// The view that `get` reads: empty for a windowed array, and after the file was trimmed.
    whole: RecordView<T>,
    slider: Option<Slider>,
    /// The records of the writer's window, while an edit changes them without calls of the writer.
    edit_window: EditWindow,
    writer: Option<Box<dyn Writer>>,
}

impl<T: Copy + Send + Sync> Array<T> {
    /// The `count` records of `geometry` in `backing`, which must be long enough for them. In a
    /// whole view that does not write, `images` replace records of the file, only for this array.
    ///
    /// # Safety
    /// Every bit pattern is a valid `T`, which has no padding and no interior mutability. While the
    /// array lives, nothing else changes or cuts off these records; if `options.access` permits
    /// writing to the file, nothing else writes to it at all.
    #[allow(unsafe_code, reason = "the locks that make a mapped array sound are the caller's")]
    pub(crate) unsafe fn open(
        backing: Arc<dyn Backing>,
        geometry: Geometry,
        count: u64,
        options: ArrayOptions,
        images: &[(u64, &[u8])],
    ) -> Result<Self> {
        let mut file_len_bytes = backing.len_bytes()?;
        let end = geometry.offset_of(count)?;
        // The bytes that a crashed writer left behind the records may be holes, in which a store
        // through a view faults if the disk is full. On systems where views keep a file from being
        // cut, files have no holes.
        let cuttable = backing.properties().views_pass_end;
        if options.access == Access::ReadWrite && cuttable && file_len_bytes > end {
            backing.trim(end)?;
            file_len_bytes = end;
        }
        let mut array = Self {
            backing,
            geometry,
            options,
            count,
            file_len_bytes,
            has_images: !images.is_empty(),
            pending_from: 0,
            growth: Growth::new(),
            whole: RecordView::empty(),
            slider: None,
            edit_window: EditWindow::none(geometry),
            writer: None,
        };
        array.map_readers()?;
        array.put_images(images)?;
        array.make_writer()?;
        Ok(array)
    }

    /// Writes images over records, in this view's own pages, before anything borrows from it.
    fn put_images(&self, images: &[(u64, &[u8])]) -> Result<()> {
        let view = self.whole.view();
        for &(id, image) in images {
            let lead = self.geometry.offset_of(id)? - view.offset();
            let lead = usize::try_from(lead).map_err(|_| Self::not_in_window(id))?;
            view.write(lead, image)?;
        }
        Ok(())
    }

    /// The number of records.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The places of the records.
    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The records that lie in the file, in one view.
    #[inline]
    pub(crate) fn whole(&self) -> &RecordView<T> {
        &self.whole
    }

    /// The counters of the sliding windows; `None` without windows.
    pub(crate) fn counters(&self) -> Option<ViewCounters> {
        self.slider.as_ref().map(Slider::counters)
    }

    /// Unmaps every sliding window that no guard pins.
    pub(crate) fn release_views(&self) {
        if let Some(slider) = &self.slider {
            slider.release();
        }
    }

    /// The bytes of record `index`, if they are still in the writer's buffer.
    #[cold]
    pub(crate) fn pending(&self, index: u64) -> Option<&[u8]> {
        let (from, bytes) = self.writer.as_ref()?.pending();
        if index >= self.count || bytes.is_empty() {
            return None;
        }
        let lead = self.geometry.offset_of(index).ok()?.checked_sub(from)?;
        let lead = usize::try_from(lead).ok()?;
        let stride = usize::try_from(self.geometry.stride).ok()?;
        bytes.get(lead..lead.checked_add(stride)?)
    }

    /// All bytes from record `index` to the next, in the whole view or in the writer's buffer.
    #[inline]
    pub(crate) fn slot(&self, index: u64) -> Option<&[u8]> {
        match self.whole.slot(index) {
            Some(slot) => Some(slot),
            None => self.pending(index),
        }
    }

    /// The status byte of record `index`; `None` if there is no such record, or no status byte.
    pub(crate) fn status_of(&self, index: u64) -> Result<Option<u8>> {
        let Some(status_byte) = self.options.status_byte else { return Ok(None) };
        if let Some(slot) = self.slot(index) {
            return Ok(slot.get(status_byte.at).copied());
        }
        let in_file = self.in_file();
        let Some(slider) = self.slider.as_ref().filter(|_| index < in_file) else {
            return Ok(None);
        };
        let (view, lead) = slider.pin(index, in_file)?;
        let mut byte = [0];
        view.read(lead.saturating_add(status_byte.at), &mut byte)?;
        Ok(Some(byte[0]))
    }

    /// Pins the window that holds record `index`, even a deleted one, and lends what `see` makes of
    /// its first `len_bytes` bytes; `None` if the file does not hold the record (yet).
    #[allow(unsafe_code, reason = "the array's contract is the guard's")]
    pub(crate) fn pin<R: ?Sized>(
        &self,
        index: u64,
        len_bytes: usize,
        see: impl FnOnce(&[u8]) -> Option<&R>,
    ) -> Result<Option<RecordGuard<'_, R>>> {
        let in_file = self.in_file();
        let Some(slider) = self.slider.as_ref().filter(|_| index < in_file) else {
            return Ok(None);
        };
        let (view, lead) = slider.pin(index, in_file)?;
        // SAFETY: the record lies in the file, so by `open`'s contract nothing changes or cuts off
        // its bytes while the array is borrowed.
        unsafe { RecordGuard::new(view, lead, len_bytes, see) }.map(Some)
    }

    /// Pins the window that holds record `index` and lends all its records; `None` if the file does
    /// not hold the record (yet).
    #[allow(unsafe_code, reason = "the array's contract is the view's")]
    pub(crate) fn pin_window(&self, index: u64) -> Result<Option<WindowGuard<'_, T>>> {
        let in_file = self.in_file();
        let Some(slider) = self.slider.as_ref().filter(|_| index < in_file) else {
            return Ok(None);
        };
        let (view, _) = slider.pin(index, in_file)?;
        let ids = slider.window_of(index);
        let ids = ids.start..ids.end.min(in_file);
        // SAFETY: the records lie in the file, so by `open`'s contract they are valid `T`s, and
        // nothing changes or cuts them off while the array is borrowed.
        unsafe { WindowGuard::new(view, self.geometry, self.options.status_byte, ids) }.map(Some)
    }

    /// Appends records, whose bytes follow one another, to the pending ones, and returns their
    /// numbers; `None` if no record is pending, or the buffer or the file has no room.
    #[inline]
    pub(crate) fn append_pending(&mut self, bytes: &[u8], added: u64) -> Option<Range<u64>> {
        // Cannot overflow: the file has room for `count` records and ends below 2^63.
        let start = self.geometry.data_offset + self.count * self.geometry.stride;
        let has_room = start + bytes.len() as u64 <= self.file_len_bytes;
        if !has_room || !self.writer.as_mut()?.append_pending(bytes) {
            return None;
        }
        // Nothing to publish: the buffer was not written, so the file has no new record.
        let first = self.count;
        self.count += added;
        Some(first..self.count)
    }

    /// Makes room in the file for `added` more records. A failure changes nothing else.
    #[inline]
    pub(crate) fn make_room(&mut self, added: u64) -> Result<Room> {
        let first = self.count;
        let end = first.checked_add(added).ok_or_else(|| {
            Error::new(ErrorKind::OutOfRange, "append")
                .detail("the store would hold more than 2^64 records")
        })?;
        let start_offset = self.geometry.offset_of(first)?;
        let end_offset = self.geometry.offset_of(end)?;
        self.reserve_bytes(end_offset)?;
        Ok(Room { records: first..end, bytes: start_offset..end_offset })
    }

    /// Appends records, whose bytes follow one another, to `room`, which was made just before, and
    /// returns their numbers. A failure with [`ErrorKind::NoSpace`] leaves all earlier records
    /// unchanged.
    pub(crate) fn append(&mut self, bytes: &[u8], room: Room) -> Result<Range<u64>> {
        debug_assert_eq!(room.bytes.end - room.bytes.start, bytes.len() as u64);
        let appended = self.writer()?.append(room.bytes.start, bytes);
        if appended.is_ok() {
            self.count = room.records.end;
        }
        // Even if the append failed, earlier records may have left the buffer.
        self.publish()?;
        appended.map(|()| room.records)
    }

    /// Makes room in the file for `records` more records, so that a full disk is an error now.
    pub(crate) fn reserve(&mut self, records: u64) -> Result<()> {
        // A sum that saturates is refused by `offset_of`.
        let end = self.count.saturating_add(records);
        let need_bytes = Growth::least_len(self.geometry.offset_of(end)?);
        self.reserve_bytes(need_bytes)
    }

    /// Writes every change to the file and makes the file's bytes durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.writer()?.flush(0..u64::MAX)?;
        self.publish()?;
        self.backing.sync_data()
    }

    /// Writes the changes in `records` to the file and makes the file's bytes durable.
    pub(crate) fn sync_range(&mut self, records: Range<u64>) -> Result<()> {
        let bytes =
            self.geometry.offset_of(records.start)?..self.geometry.offset_of(records.end)?;
        self.writer()?.flush(bytes)?;
        self.publish()?;
        self.backing.sync_data()
    }

    /// Drops the records from `count` on. Their bytes stay in the file until it is trimmed.
    pub(crate) fn truncate(&mut self, count: u64) -> Result<()> {
        self.writer()?.flush(0..u64::MAX)?;
        self.count = count.min(self.count);
        self.publish()
    }

    /// Lends the bytes of record `index` to change them, and counts them as dirty.
    #[inline]
    pub(crate) fn edit(&mut self, index: u64) -> Result<&mut [u8]> {
        if !self.edit_window.holds(index) && !self.lend(index)? {
            let bytes = self.record_bytes(index)?;
            return self.writer()?.edit(bytes);
        }
        self.edit_window.get_mut(index).ok_or_else(|| Self::not_in_window(index))
    }

    /// Lends the bytes of record `index`, with all earlier changes, to read them.
    #[inline]
    pub(crate) fn read_edited(&mut self, index: u64) -> Result<&[u8]> {
        if !self.edit_window.holds(index) && !self.lend(index)? {
            let bytes = self.record_bytes(index)?;
            return self.writer()?.read(bytes);
        }
        self.edit_window.get(index).ok_or_else(|| Self::not_in_window(index))
    }

    /// Asks the writer for its window over record `index`; `false` if each record needs its own
    /// call of the writer.
    #[cold]
    #[allow(unsafe_code, reason = "the array's contract is the view's")]
    fn lend(&mut self, index: u64) -> Result<bool> {
        if self.options.announces_edits {
            return Ok(false);
        }
        let bytes = self.record_bytes(index)?;
        let Some(view) = self.writer()?.lend(&bytes)? else { return Ok(false) };
        // SAFETY: the file holds `count` records, which nothing else changes or cuts off (`open`'s
        // contract). The array lends them to change only through `&mut self` and to read only
        // through `&self`, and gives the window back before it calls the writer again (`writer`).
        self.edit_window = unsafe { EditWindow::new(view, self.geometry, self.count) };
        Ok(true)
    }

    #[cold]
    fn not_in_window(index: u64) -> Error {
        Error::new(ErrorKind::OutOfRange, "edit")
            .record(index)
            .detail("the record is not in the window")
    }

    /// Writes all changes to the file, and drops the writer's views.
    pub(crate) fn release_writer(&mut self) -> Result<()> {
        self.writer()?.release()?;
        self.publish()
    }

    /// Drops every view, and cuts the file to its records.
    pub(crate) fn trim(&mut self) -> Result<()> {
        self.release_writer()?;
        self.whole = RecordView::empty();
        self.slider = None;
        let end = self.geometry.offset_of(self.count)?;
        if self.file_len_bytes != end {
            self.backing.trim(end)?;
            self.file_len_bytes = end;
        }
        Ok(())
    }

    /// How many records lie in the file.
    fn in_file(&self) -> u64 {
        match self.writer.as_ref().map(|writer| writer.pending()) {
            Some((from, bytes)) if !bytes.is_empty() => self.geometry.records_below(from).0,
            _ => self.count,
        }
    }

    fn record_bytes(&self, index: u64) -> Result<Range<u64>> {
        if index >= self.count {
            return Err(Error::new(ErrorKind::OutOfRange, "edit")
                .record(index)
                .detail(format!("the store holds {} records", self.count)));
        }
        let start = self.geometry.offset_of(index)?;
        Ok(start..start + self.geometry.stride)
    }

    /// The writer, after it got its window back and was told what was changed in it.
    fn writer(&mut self) -> Result<&mut dyn Writer> {
        match &mut self.writer {
            Some(writer) => {
                if let Some(changed) = self.edit_window.give_back() {
                    writer.mark(&changed);
                }
                Ok(writer.as_mut())
            }
            None => {
                Err(Error::new(ErrorKind::ReadOnly, "write").advice("open the store for writing"))
            }
        }
    }

    /// Grows the file to hold `need_bytes`, as [`Growth::grow`].
    #[inline]
    fn reserve_bytes(&mut self, need_bytes: u64) -> Result<()> {
        if need_bytes <= self.file_len_bytes {
            return Ok(());
        }
        self.grow(need_bytes)
    }

    #[cold]
    fn grow(&mut self, need_bytes: u64) -> Result<()> {
        let mut growth = self.growth;
        let len_bytes = self.file_len_bytes;
        let grown = self
            .writer()
            .and_then(|writer| growth.grow(len_bytes, need_bytes, |len| writer.reserve(len)));
        self.growth = growth;
        let grown = grown?;
        trace::file_grew(&*self.backing, len_bytes, grown);
        let old_len_bytes = std::mem::replace(&mut self.file_len_bytes, grown);
        let (records, _) = self.geometry.records_below(grown);
        if self.slider.is_none() && self.whole.capacity() < records {
            // Maps now rather than when the records are published, because a failure is harmless
            // now: the file stays longer, and the next call asks for the same length again.
            self.map_readers().inspect_err(|_| self.file_len_bytes = old_len_bytes)?;
        }
        Ok(())
    }

    /// Lets readers of this handle see all records that the file holds.
    fn publish(&mut self) -> Result<()> {
        if let Some((from, bytes)) = self.writer.as_ref().map(|writer| writer.pending()) {
            // The common case of an append: one more record in the buffer, no new one in the file.
            if !bytes.is_empty() && from == self.pending_from {
                return Ok(());
            }
            self.pending_from = if bytes.is_empty() { 0 } else { from };
        }
        let in_file = self.in_file();
        let windowed = self.slider.is_some();
        if windowed || self.whole.count() == in_file {
            return Ok(());
        }
        if self.whole.capacity() < in_file {
            return self.map_readers();
        }
        Self::publish_in(&mut self.whole, in_file)
    }

    #[allow(unsafe_code, reason = "the array's contract is the view's")]
    fn publish_in(whole: &mut RecordView<T>, count: u64) -> Result<()> {
        // SAFETY: the file holds `count` records (`in_file`). By `open`'s contract nothing else
        // changes or cuts them off while they are borrowed; this handle changes records only
        // through `&mut self`, when nothing is borrowed.
        unsafe { whole.publish(count) }
    }

    /// Maps the views through which records are read; replaces a view that is too small.
    fn map_readers(&mut self) -> Result<()> {
        let windows = |window_bytes| Windows::new(self.geometry, window_bytes);
        match self.options.reading {
            Reading::Windowed { budget_bytes, window_bytes } => {
                let backing = Arc::clone(&self.backing);
                self.slider = Some(Slider::new(backing, windows(window_bytes), budget_bytes)?);
            }
            Reading::Whole => {
                let mut view = self.whole_view()?;
                if let Some(advice) = self.options.advice {
                    view.advise(0..smaller(self.file_len_bytes, view.len_bytes()), advice)?;
                } else {
                    view = with_points(&*self.backing, view, self.file_len_bytes);
                }
                let mut whole = self.view_records(view.into())?;
                Self::publish_in(&mut whole, self.in_file())?;
                self.whole = whole;
            }
        }
        Ok(())
    }

    #[allow(unsafe_code, reason = "the array's contract is the view's")]
    fn view_records(&self, view: Arc<View>) -> Result<RecordView<T>> {
        // SAFETY: by `open`'s contract every bit pattern is a `T` without padding.
        unsafe { RecordView::new(view, self.geometry) }?.with_status_byte(self.options.status_byte)
    }

    /// A view of all records, with room for growth if this handle may grow the file.
    fn whole_view(&self) -> Result<View> {
        let access = match self.options.access {
            Access::Private => Access::Private,
            _ if self.has_images => Access::Private,
            _ => Access::ReadOnly,
        };
        let grows = self.options.access == Access::ReadWrite;
        let end = if grows { self.file_len_bytes } else { self.geometry.offset_of(self.count)? };
        if grows {
            return view_with_room(&*self.backing, end, access);
        }
        self.backing.view(0, mappable(end)?, access)
    }

    fn make_writer(&mut self) -> Result<()> {
        let window_bytes = match self.options.reading {
            Reading::Whole => None,
            Reading::Windowed { window_bytes, .. } => Some(window_bytes),
        };
        self.writer = match self.options.access {
            Access::ReadOnly => None,
            Access::Private => self.private_writer()?,
            Access::ReadWrite => Some(self.file_writer(window_bytes)?),
        };
        Ok(())
    }

    #[allow(unsafe_code, reason = "the array's contract is the writer's")]
    fn private_writer(&self) -> Result<Option<Box<dyn Writer>>> {
        if self.slider.is_some() {
            return Err(Error::new(ErrorKind::InvalidArgument, "open private")
                .detail("a private store cannot be mapped in windows"));
        }
        // SAFETY: by `open`'s contract nothing changes the file; the array lends records of the
        // view through `&self`, and changes them only through `&mut self`.
        Ok(Some(Box::new(unsafe { PrivateWriter::new(Arc::clone(self.whole.view())) })))
    }

    #[allow(unsafe_code, reason = "the array's contract is the writer's")]
    fn file_writer(&self, window_bytes: Option<u64>) -> Result<Box<dyn Writer>> {
        let backing = Arc::clone(&self.backing);
        let coherent = backing.properties().calls_see_views;
        match self.options.write_back {
            WriteBack::Positioned if coherent => {
                // SAFETY: by `open`'s contract nothing else writes to the file while the array
                // lives.
                let writer = unsafe { Positioned::new(backing, window_bytes) }?;
                Ok(Box::new(writer))
            }
            WriteBack::Positioned => {
                Err(Error::new(ErrorKind::Unsupported, "open for positioned writing")
                    .detail("this system does not promise that views see what write calls wrote")
                    .advice("use WriteBack::Mapped or WriteBack::Auto"))
            }
            WriteBack::Auto if coherent => {
                // SAFETY: as above; and the bytes lent to change are records, which this handle
                // lends to read only through `&self`.
                let writer = unsafe { Mixed::new(backing, window_bytes) }?;
                Ok(Box::new(writer))
            }
            WriteBack::Auto | WriteBack::Mapped => {
                // SAFETY: as above.
                let writer = unsafe { Mapped::new(backing, window_bytes) };
                Ok(Box::new(writer))
            }
        }
    }
}

impl<T> std::fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Array")
            .field("backing", &self.backing)
            .field("geometry", &self.geometry)
            .field("options", &self.options)
            .field("count", &self.count)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}
