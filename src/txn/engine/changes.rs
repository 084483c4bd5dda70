//! The uncommitted changes of a transaction, private to it. They are in memory, except for long
//! appends, which go to their places in the file at once, above every count.

use super::super::slots::{damaged, deleted, not_there, past_the_last};
use super::super::versions::{State, view_of};
use super::{Writer, publish, records_in, unknown};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Counts, Found, RecordLayout, next_free, put_live};
use crate::overlay::{Images, Tail};
use crate::step::{self, Step};
use crate::wal::LongAppendSums;

/// Appended records of more bytes than this are a long append: written to their places, not logged.
const LOGGED_TAIL_BYTES_MAX: usize = 1 << 20;

/// The changes of a transaction since the state that it began with.
pub(crate) struct Changes {
    layout: RecordLayout,
    pub(super) images: Images,
    /// The records appended last, which are not in the file.
    pub(super) tail: Tail,
    /// The number of the tail's first record. The records between the base's count and this are in
    /// the file already, above every count.
    pub(super) tail_start: u64,
    /// The checksums of those records.
    pub(super) long_append: Option<LongAppendSums>,
    /// The counts of the next commit, but still with the base's commit number.
    pub(super) counts: Counts,
}

impl Changes {
    pub(crate) fn new(layout: RecordLayout, base: &State) -> Self {
        Self {
            layout,
            images: Images::new(layout.stride, layout.alignment),
            tail: Tail::new(layout.stride, layout.alignment),
            tail_start: base.counts.records,
            long_append: None,
            counts: base.counts,
        }
    }

    /// Whether nothing has changed.
    pub(super) fn is_empty(&self, base: &State) -> bool {
        self.images.is_empty() && self.counts.records == base.counts.records
    }

    /// The number of records, with deleted ones.
    pub(crate) fn count(&self) -> u64 {
        self.counts.records
    }

    pub(crate) fn live_count(&self) -> u64 {
        self.counts.live
    }

    /// Whether records can be deleted.
    pub(crate) fn has_deletes(&self) -> bool {
        self.layout.deletes
    }

    /// The whole stride of record `id`, as the transaction sees it.
    fn stride<'a>(&'a self, writer: &'a Writer, id: u64) -> Option<&'a [u8]> {
        if let Some(at) = id.checked_sub(self.tail_start) {
            return self.tail.get(at);
        }
        self.images.find(id).or_else(|| self.stride_before(writer, id))
    }

    /// The whole stride of record `id` < `tail_start`, as it was before this transaction changed
    /// it.
    #[inline]
    fn stride_before<'a>(&self, writer: &'a Writer, id: u64) -> Option<&'a [u8]> {
        // An overlay has no images of records that its state does not count.
        match writer.newest.overlay.find(id) {
            Some(image) => Some(image),
            None => writer.in_file.bytes_or(id, self.layout.stride, || None),
        }
    }

    /// Record `id`, unless it was deleted.
    pub(crate) fn get<'a>(&'a self, writer: &'a Writer, id: u64) -> Option<&'a [u8]> {
        self.layout.live(self.stride(writer, id)?)
    }

    /// As [`RecordView::approach`].
    #[inline]
    pub(crate) fn approach(&self, writer: &Writer, id: u64) {
        writer.in_file.approach(id);
    }

    /// Record `id`, the next one in order; `None` past the last record and for a deleted one.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if its status byte is damaged.
    pub(crate) fn lend<'a>(&'a self, writer: &'a Writer, id: u64) -> Result<Option<&'a [u8]>> {
        self.approach(writer, id);
        let Some(stride) = self.stride(writer, id) else { return Ok(None) };
        match self.layout.live(stride) {
            None => self.layout.found(stride).map(|_| None).map_err(|status| damaged(id, status)),
            record => Ok(record),
        }
    }

    /// Record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if it was deleted;
    /// [`ErrorKind::Corrupt`] if its status byte is damaged.
    pub(crate) fn try_get<'a>(&'a self, writer: &'a Writer, id: u64) -> Result<&'a [u8]> {
        let stride = self.stride(writer, id);
        let found = stride.map_or(Ok(Found::PastTheLast), |stride| self.layout.found(stride));
        match (stride, found) {
            (Some(stride), Ok(Found::Live)) => Ok(&stride[..self.layout.record_size]),
            (_, found) => Err(not_there("read", id, self.counts.records, found)),
        }
    }

    /// Record `id`, to change it, unless it was deleted.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if its status byte is damaged; an error of reading the record.
    pub(crate) fn get_mut(&mut self, writer: &Writer, id: u64) -> Result<Option<&mut [u8]>> {
        let layout = self.layout;
        let stride = if id >= self.tail_start {
            self.tail.get_mut(id - self.tail_start)
        } else if let Some(number) = self.images.number_of(id) {
            Some(self.images.image_mut(number))
        } else {
            let image = image_of(&mut self.images, writer, id)?;
            if layout.live(image).is_none() {
                let found = layout.found(image);
                self.images.forget_last();
                return found.map(|_| None).map_err(|status| damaged(id, status));
            }
            // Borrowed again, because `image` would be borrowed across the `forget_last` above.
            self.images.last_mut()
        };
        Ok(stride.and_then(|stride| layout.live_mut(stride)))
    }

    /// The whole stride of record `id`, to change it.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the store has no record `id`; an error of reading the record.
    fn stride_mut(&mut self, writer: &Writer, id: u64) -> Result<&mut [u8]> {
        if let Some(at) = id.checked_sub(self.tail_start) {
            return self
                .tail
                .get_mut(at)
                .ok_or_else(|| past_the_last("change", id, self.counts.records));
        }
        if let Some(number) = self.images.number_of(id) {
            return Ok(self.images.image_mut(number));
        }
        image_of(&mut self.images, writer, id)
    }

    /// Replaces record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::Deleted`] if the record was deleted; [`ErrorKind::OutOfRange`] if the store has
    /// no record `id`; [`ErrorKind::Corrupt`] if its status byte is damaged; an error of reading
    /// the record.
    pub(crate) fn set(&mut self, writer: &Writer, id: u64, record: &[u8]) -> Result<()> {
        let count = self.counts.records;
        // A record that is replaced whole need not be read first, unless it may be a deleted one.
        if !self.layout.deletes && id < self.tail_start && self.images.number_of(id).is_none() {
            self.images.add(id)?[..record.len()].copy_from_slice(record);
            return Ok(());
        }
        match self.get_mut(writer, id)? {
            Some(found) => {
                found.copy_from_slice(record);
                Ok(())
            }
            None if id < count => Err(deleted("set", id)),
            None => Err(past_the_last("change", id, count)),
        }
    }

    /// Appends records, whose bytes follow one another without status bytes, and returns the number
    /// of the first.
    pub(crate) fn append(&mut self, writer: &mut Writer, records: &[u8]) -> Result<u64> {
        let RecordLayout { record_size, stride, geometry, .. } = self.layout;
        let first = self.counts.records;
        // One record is the most frequent case, and three divisions are a fifth of its work.
        if records.len() == record_size {
            // A count of records in a file is below 2^63.
            geometry.offset_of(first + 1)?;
            self.append_part(writer, records, 1)?;
            return Ok(first);
        }
        let added = (records.len() / record_size) as u64;
        // Both are numbers of records of one file or of one slice, so the sum cannot overflow.
        geometry.offset_of(first + added)?;
        // In parts, so that the tail in memory stays small.
        let part = (LOGGED_TAIL_BYTES_MAX / stride).max(1);
        for records in records.chunks(part * record_size) {
            self.append_part(writer, records, records.len() / record_size)?;
        }
        Ok(first)
    }

    /// Appends `added` records to the tail. Writes the tail to the file first if it would be too
    /// long.
    #[inline(always)]
    fn append_part(&mut self, writer: &mut Writer, records: &[u8], added: usize) -> Result<()> {
        let RecordLayout { record_size, stride, deletes, .. } = self.layout;
        // Cannot overflow: the tail is in memory, and a part has at most 16 MiB.
        let tail_bytes = self.tail.bytes().len() + added * stride;
        if tail_bytes > LOGGED_TAIL_BYTES_MAX && !writer.logs_all {
            self.spill(writer)?;
        }
        let strides = self.tail.add(added);
        if deletes {
            for (to, from) in strides.chunks_mut(stride).zip(records.chunks(record_size)) {
                put_live(to, from);
            }
        } else {
            strides.copy_from_slice(records);
        }
        self.counts.records += added as u64;
        self.counts.live += added as u64;
        Ok(())
    }

    /// Whether appended records were written to the file, so that the commit must sync them.
    pub(super) fn has_spilled(&self, base: &State) -> bool {
        self.tail_start > base.counts.records
    }

    /// Writes the records of the tail to their places, above every count.
    pub(super) fn spill(&mut self, writer: &mut Writer) -> Result<()> {
        let end = self.tail_start + self.tail.records();
        writer.make_room(end)?;
        let written = writer.array.write(self.tail_start, self.tail.bytes());
        written.inspect_err(|error| writer.doubt(error))?;
        // Computed now, while the bytes are in the processor's cache.
        self.long_append.get_or_insert_with(LongAppendSums::new).add(self.tail.bytes());
        writer.show_in_file(&self.layout, end)?;
        self.tail_start = end;
        self.tail.clear();
        Ok(())
    }

    /// Deletes record `id`; `false` if there is no such record or it was deleted before.
    pub(crate) fn delete(&mut self, writer: &Writer, id: u64) -> Result<bool> {
        self.check_deletes("delete")?;
        if self.get_mut(writer, id)?.is_none() {
            return Ok(false);
        }
        let left = self.counts.live.checked_sub(1).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "delete")
                .record(id)
                .detail("the store is damaged: it counts no live record, but this one is live")
        })?;
        self.kill(writer, id, self.counts.free_head)?;
        self.counts.free_head = Some(id);
        self.counts.live = left;
        Ok(true)
    }

    /// Marks record `id` as deleted, followed in the free list by `next`.
    fn kill(&mut self, writer: &Writer, id: u64, next: Option<u64>) -> Result<()> {
        let layout = self.layout;
        layout.put_dead(self.stride_mut(writer, id)?, next);
        Ok(())
    }

    /// Puts a record into a free slot, or appends it, and returns its number.
    pub(crate) fn insert(&mut self, writer: &mut Writer, record: &[u8]) -> Result<u64> {
        let Some(id) = self.counts.free_head else { return self.append(writer, record) };
        let Some(next) = self.after_free(writer, id) else {
            // The free list names a record that is not deleted, and so must not be overwritten.
            self.rebuild_free_list(writer)?;
            return match self.counts.free_head {
                Some(_) => self.insert(writer, record),
                None => self.append(writer, record),
            };
        };
        // Every reader refuses a state with more live records than records.
        if self.counts.live >= self.counts.records {
            return Err(Error::new(ErrorKind::Corrupt, "insert").record(id).detail(format!(
                "the store is damaged: it counts all {} records as live, but this one is deleted",
                self.counts.records
            )));
        }
        put_live(self.stride_mut(writer, id)?, record);
        self.counts.free_head = next;
        self.counts.live += 1;
        Ok(id)
    }

    /// The record that follows `id` in the free list; the outer `None` if `id` is not a deleted
    /// record or names one beyond the count.
    fn after_free(&self, writer: &Writer, id: u64) -> Option<Option<u64>> {
        let stride = self.stride(writer, id)?;
        if !self.layout.is_dead(stride) {
            return None;
        }
        let next = next_free(stride);
        next.is_none_or(|next| next < self.counts.records).then_some(next)
    }

    /// Links all deleted records anew, in the order of their numbers.
    fn rebuild_free_list(&mut self, writer: &Writer) -> Result<()> {
        self.counts.free_head = None;
        for id in (0..self.counts.records).rev() {
            if self.stride(writer, id).is_some_and(|stride| self.layout.is_dead(stride)) {
                self.kill(writer, id, self.counts.free_head)?;
                self.counts.free_head = Some(id);
            }
        }
        Ok(())
    }

    fn check_deletes(&self, operation: &'static str) -> Result<()> {
        if self.layout.deletes {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, operation)
            .detail("the store was created without deletes")
            .advice("create a store with CreateOptions::deletes, and copy the records to it"))
    }
}

impl Writer {
    /// Makes the file long enough for `count` records, durably.
    pub(super) fn make_room(&mut self, count: u64) -> Result<()> {
        if !self.array.reserve(count).inspect_err(|error| self.doubt(error))? {
            return Ok(());
        }
        // A failed sync may have lost other writes to the file too, so it poisons the handle.
        step::take(Step::GrowthSync, || self.array.sync()).map_err(|error| {
            self.poison(&error);
            unknown(error)
        })
    }

    /// As [`Writer::make_room`], for the checksums of records up to the byte `end` of the file, so
    /// that a full disk does not keep a later checkpoint from copying the commit to the array.
    pub(super) fn make_room_for_sums(&mut self, end: u64) -> Result<()> {
        let Some(sums) = &mut self.sums else { return Ok(()) };
        let is_new = match sums.reserve(end) {
            Ok(is_new) => is_new,
            Err(error) => {
                self.doubt(&error);
                return Err(error);
            }
        };
        if !is_new {
            return Ok(());
        }
        step::take(Step::SumsRoomSync, || sums.sync_room()).map_err(|error| {
            self.poison(&error);
            unknown(error)
        })
    }

    /// Lets a new transaction read all records of the newest state that are in the array.
    pub(crate) fn show_newest(&mut self, layout: &RecordLayout) -> Result<()> {
        match self.newest.counts.records {
            count if count > self.in_file.count() => self.show_in_file(layout, count),
            _ => Ok(()),
        }
    }

    /// Lets the transaction read `count` records of the file, which must be long enough.
    pub(super) fn show_in_file(&mut self, layout: &RecordLayout, count: u64) -> Result<()> {
        if self.in_file.capacity() >= count {
            return publish(&mut self.in_file, count);
        }
        let view = view_of(&**self.superblock.backing(), self.array.file_len_bytes())?;
        self.in_file = records_in(view, layout.geometry, count)?;
        Ok(())
    }
}

/// Makes an image of record `id` as the newest state has it. The record must be below the tail and
/// have no image yet. Copies it through the fault guard, if one is installed, so that a fault is an
/// error.
fn image_of<'a>(images: &'a mut Images, writer: &Writer, id: u64) -> Result<&'a mut [u8]> {
    let image = images.add(id)?;
    // No overflow: the record is below the tail.
    let copied = match writer.newest.overlay.find(id) {
        Some(before) => {
            image.copy_from_slice(before);
            Ok(())
        }
        None => writer.in_file.copy_strides(id..id + 1, image),
    };
    if let Err(error) = copied {
        images.forget_last();
        return Err(error.record(id));
    }
    images.last_mut().ok_or_else(|| past_the_last("change", id, writer.newest.counts.records))
}
