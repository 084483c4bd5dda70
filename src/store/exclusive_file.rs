//! What all handles of a `Store` share: opening, appending, committing and closing.
//!
//! Invariants: the records that the header counts are in the file and durable. Records appended
//! since then lie above every count in the header, so a crash loses these and damages no others. A
//! handle that writes holds the writer's lock; a handle that only lends records holds the in-place
//! lock shared.

mod deletes;
mod installs;
mod log_images;
mod mode;
mod open_or_create;
mod publish;
mod resume;
mod sums;

use std::borrow::Borrow;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::mode::{EditedSums, ReadState, WriteState};
use crate::array::{Array, ArrayOptions, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Schema;
use crate::io::{Access, Backing, FileBacking, vacate_unfinished};
use crate::txn::{
    Common, FoundLog, Locks, Row, Slots, Superblock, check_sums_possible, create_sums,
    name_sums_of_replaced,
    opening::{Opening, refuse_network_unless, rows_of, until_current},
    refuse_other_file, take_over,
};
pub(crate) use mode::{Mode, Unpublished};

/// An open store with records shown as `R`: a Rust type, or bytes.
pub(crate) struct ExclusiveFile<R: Row + ?Sized> {
    pub(crate) array: Array<R::Unit>,
    pub(crate) superblock: Superblock,
    pub(crate) slots: Slots,
    pub(crate) mode: Mode,
    pub(crate) locks: Locks,
    common: Common,
}

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Makes a new, empty store at `path`. It first has another name, so that no other process
    /// finds half a store. `by_hand` is the schema for a type without one of its own.
    pub(crate) fn create(path: &Path, by_hand: Option<&Schema>, common: &Common) -> Result<Self> {
        let mut made = Self::create_aside(path, by_hand, common, false)?;
        made.publish()?;
        Ok(made)
    }

    /// Makes a new, empty store that appears at `path` only when it is closed.
    pub(crate) fn create_aside(
        path: &Path,
        by_hand: Option<&Schema>,
        common: &Common,
        replace: bool,
    ) -> Result<Self> {
        let schema = Self::schema_to_create(by_hand)?;
        let vacant = || Self::refuse_taken(path, replace);
        vacant()?;
        if common.checksums {
            refuse_other_file(path)?;
        }
        let sharing = common.sharing(path, replace);
        let locks = Locks::maker(path, common.wait, &sharing)?;
        // A dead maker has left its lock file, too.
        let is_left = |file: &FileBacking| {
            let is_left = !locks.has_new_side() && Superblock::is_leftover(file)?;
            if is_left {
                locks.take_over();
            }
            Ok(is_left)
        };
        let made_at = vacant()
            .and_then(|()| name_sums_of_replaced(path))
            .and_then(|()| vacate_unfinished(path, is_left));
        let made = made_at.and_then(|made_at| {
            let file = Arc::new(FileBacking::create_shared(&made_at, &sharing)?);
            let unpublished =
                Unpublished { file, publish_at: path.to_path_buf(), replace, keep: false };
            locks.check_trust(&unpublished.file).inspect_err(|_| resume::discard(&unpublished))?;
            Self::create_at(unpublished, &made_at, &schema, common)
        });
        match made {
            Ok(mut made) => {
                made.locks.join(locks);
                Ok(made)
            }
            Err(error) => {
                locks.withdraw();
                Err(error)
            }
        }
    }

    /// Makes a new store in the empty file at `made_at`. The caller holds the writer's lock of the
    /// path that the store will get.
    #[allow(unsafe_code, reason = "the locks that make a mapped array sound are held here")]
    fn create_at(
        unpublished: Unpublished,
        made_at: &Path,
        schema: &Schema,
        common: &Common,
    ) -> Result<Self> {
        let file = Arc::clone(&unpublished.file);
        let made = refuse_network_unless(common, &*file, "create")
            .and_then(|()| Locks::handed_over(&file, Some(made_at), true, common.wait))
            .and_then(|locks| {
                let superblock =
                    Superblock::create(file, schema, &common.metadata, common.deletes)?;
                create_sums(&superblock, common)?;
                let by_hand = Some(schema);
                // SAFETY: the writer's locks on path and inode keep every other writer out.
                unsafe { Self::assemble(superblock, locks, by_hand, common, Access::ReadWrite) }
            });
        match made {
            Ok(mut made) => {
                made.superblock.begin_unfinished();
                made.mode.unpublish(unpublished);
                Ok(made)
            }
            Err(error) => {
                resume::discard(&unpublished);
                Err(error)
            }
        }
    }

    fn schema_to_create(by_hand: Option<&Schema>) -> Result<Schema> {
        R::schema_to_create(by_hand)?.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "create")
                .detail("records of bytes need a schema")
                .advice("give one")
        })
    }

    /// Opens the store at `path`. Its schema must be `by_hand`, if given, or that of the type.
    pub(crate) fn open(
        path: &Path,
        access: Access,
        by_hand: Option<&Schema>,
        common: &Common,
    ) -> Result<Self> {
        Self::open_checked(path, access, by_hand, common, Ok)
    }

    /// As [`ExclusiveFile::open`], if the store passes `check` before anything changes it.
    #[allow(unsafe_code, reason = "the locks that make a mapped array sound are held here")]
    fn open_checked(
        path: &Path,
        access: Access,
        by_hand: Option<&Schema>,
        common: &Common,
        check: impl Fn(Opening) -> Result<Opening>,
    ) -> Result<Self> {
        until_current(|| {
            let Opening { superblock, locks } = check(Opening::at(path, access, common)?)?;
            // SAFETY: `Opening::at` took the locks that keep other handles from changing records.
            unsafe { Self::assemble(superblock, locks, by_hand, common, access) }
        })
    }

    /// Makes a store in a file without a name, which ends when it is closed.
    #[allow(unsafe_code, reason = "no other handle can open a file without a name")]
    pub(crate) fn temporary(by_hand: Option<&Schema>, common: &Common) -> Result<Self> {
        let schema = Self::schema_to_create(by_hand)?;
        let file = Arc::new(FileBacking::temporary(0)?);
        check_sums_possible(&*file, common)?;
        let superblock = Superblock::create(file, &schema, &common.metadata, common.deletes)?;
        let (locks, access) = (Locks::none(), Access::ReadWrite);
        // SAFETY: no other handle can open a file without a name.
        unsafe { Self::assemble(superblock, locks, Some(&schema), common, access) }
    }

    /// Opens the store in an open file. Locks the inode if `path` is given.
    ///
    /// # Safety
    /// Without a path nothing else changes the file while the store is open.
    #[allow(unsafe_code, reason = "only the caller knows what else changes the file")]
    pub(crate) unsafe fn from_file(
        file: File,
        path: Option<&Path>,
        access: Access,
        by_hand: Option<&Schema>,
        common: &Common,
    ) -> Result<Self> {
        let file = Arc::new(FileBacking::adopt(file, path)?);
        let writes = access == Access::ReadWrite;
        let locks = Locks::handed_over(&file, path, writes, common.wait)?;
        if writes {
            refuse_network_unless(common, &*file, "open for writing")?;
        }
        let superblock = Superblock::open(file)?;
        // SAFETY: the inode's lock, or the caller's promise, keeps others from changing the file.
        unsafe { Self::assemble(superblock, locks, by_hand, common, access) }
    }

    /// Opens the store in any backing.
    ///
    /// # Safety
    /// Nothing else changes the backing while the store is open.
    #[allow(unsafe_code, reason = "only the caller knows what else changes the backing")]
    pub(crate) unsafe fn over(
        backing: Arc<dyn Backing>,
        access: Access,
        by_hand: Option<&Schema>,
        common: &Common,
    ) -> Result<Self> {
        if access == Access::ReadWrite {
            refuse_network_unless(common, &*backing, "open for writing")?;
        }
        let (superblock, locks) = (Superblock::open(backing)?, Locks::none());
        // SAFETY: the caller has promised it.
        unsafe { Self::assemble(superblock, locks, by_hand, common, access) }
    }

    /// Makes a new, empty store in an empty backing.
    ///
    /// # Safety
    /// Nothing else changes the backing while the store is open.
    #[allow(unsafe_code, reason = "only the caller knows what else changes the backing")]
    pub(crate) unsafe fn create_over(
        backing: Arc<dyn Backing>,
        by_hand: Option<&Schema>,
        common: &Common,
    ) -> Result<Self> {
        let schema = Self::schema_to_create(by_hand)?;
        check_sums_possible(&*backing, common)?;
        refuse_network_unless(common, &*backing, "create")?;
        let superblock = Superblock::create(backing, &schema, &common.metadata, common.deletes)?;
        create_sums(&superblock, common)?;
        let (locks, access) = (Locks::none(), Access::ReadWrite);
        // SAFETY: the caller has promised it.
        unsafe { Self::assemble(superblock, locks, Some(&schema), common, access) }
    }

    /// # Safety
    /// `locks`, or the caller, keep others from changing the records.
    #[allow(unsafe_code, reason = "the caller has the locks that make a mapped array sound")]
    unsafe fn assemble(
        mut superblock: Superblock,
        locks: Locks,
        by_hand: Option<&Schema>,
        common: &Common,
        access: Access,
    ) -> Result<Self> {
        rows_of::<R>(&superblock, by_hand, common).map_err(|error| superblock.name(error))?;
        let mode = match access {
            Access::ReadWrite => {
                let taken = take_over(&mut superblock, &locks, 1, FoundLog::Ended(common.wait))?;
                let sums = taken.sums.map(EditedSums::from);
                Mode::Write(WriteState { sums, sharing: taken.sharing })
            }
            Access::ReadOnly => {
                Mode::Read(ReadState::take_up(&mut superblock, &locks, R::ALIGNMENT)?)
            }
            Access::Private => {
                Mode::Private(ReadState::take_up(&mut superblock, &locks, R::ALIGNMENT)?)
            }
        };
        let header = superblock.header();
        let geometry = header.layout()?.geometry;
        let slots = Slots::of(header)?;
        let options = ArrayOptions {
            access,
            reading: common.reading,
            write_back: common.write_back,
            advice: common.advice,
            status_byte: slots.status_byte(),
            announces_edits: mode.sums().is_some(),
        };
        let count = mode.log().map_or(header.counts, |log| log.counts).records;
        let images = match (mode.log(), common.reading) {
            (Some(log), Reading::Whole) => log.overlay.sorted_after(header.counts.commit),
            _ => Vec::new(),
        };
        let backing = Arc::clone(superblock.backing());
        // SAFETY: `rows_of` has compared the schema with that of `R`. Every bit pattern of `R` is
        // valid, or its units are bytes. The caller has promised the rest.
        let array = unsafe { Array::open(backing, geometry, count, options, &images) }
            .map_err(|error| superblock.name(error))?;
        drop(images);
        Ok(Self { array, superblock, slots, mode, locks, common: common.clone() })
    }

    /// The path of the store; for an unpublished one, the path that it gets when it is closed.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match &self.mode {
            Mode::Unpublished(_, unpublished) => Some(unpublished.publish_at.clone()),
            _ => self.superblock.backing().path(),
        }
    }

    pub(crate) fn access(&self) -> Access {
        self.mode.access()
    }

    /// Appends one record.
    #[inline]
    pub(crate) fn append_record(&mut self, record: &R) -> Result<u64> {
        match record.bytes(self.slots.record_len()) {
            Ok(bytes) => self.append(bytes, 1).map(|ids| ids.start),
            Err(error) => Err(self.superblock.name(error)),
        }
    }

    /// Appends all records of an iterator.
    pub(crate) fn append_all(
        &mut self,
        records: impl IntoIterator<Item = impl Borrow<R>>,
    ) -> Result<Range<u64>> {
        let first = self.array.count();
        let records = records.into_iter();
        self.reserve(records.size_hint().0 as u64)?;
        for record in records {
            self.append_record(record.borrow())?;
        }
        Ok(first..self.array.count())
    }

    /// Appends records whose bytes follow one another.
    pub(crate) fn append_packed(&mut self, records: &[u8]) -> Result<Range<u64>> {
        let (len, record_len) = (records.len(), self.slots.record_len());
        if len % record_len != 0 {
            let detail = format!("{len} bytes are not a whole number of records of {record_len}");
            let error = Error::new(ErrorKind::InvalidArgument, "append").detail(detail);
            return Err(self.superblock.name(error));
        }
        self.append(records, (len / record_len) as u64)
    }

    /// Appends `added` records whose bytes follow one another.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        self.superblock.check_healthy("append")?;
        if self.slots.status_byte().is_some() {
            return self.append_with_status(bytes, added);
        }
        self.append_slots(bytes, added)
    }

    /// Appends `added` records, given as whole strides.
    #[inline]
    pub(crate) fn append_slots(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        match self.array.append_pending(bytes, added) {
            Some(ids) => Ok(ids),
            None => self.append_with_room(bytes, added),
        }
    }

    fn append_with_room(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        let room = self.array.make_room(added).map_err(|error| self.superblock.name(error))?;
        // On a full disk the array has undone the append. Another failure may have left a part of
        // the records, which no header counts; no later append may rely on it.
        match self.array.append(bytes, room) {
            Ok(ids) => Ok(ids),
            Err(error) if error.kind() == ErrorKind::NoSpace => Err(self.superblock.name(error)),
            other => self.superblock.keep(other),
        }
    }

    pub(crate) fn reserve(&mut self, records: u64) -> Result<()> {
        self.superblock.check_healthy("reserve")?;
        self.array.reserve(records).map_err(|error| self.superblock.name(error))
    }

    /// Makes all appended records durable, and counts them.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.access() != Access::ReadWrite {
            return Ok(());
        }
        self.superblock.check_healthy("flush")?;
        let count = self.array.count();
        if count == self.superblock.header().counts.records {
            return Ok(());
        }
        self.flush_as(self.live_count(), self.free_head())
    }

    /// Forgets the records from `count` on, durably.
    pub(crate) fn truncate(&mut self, count: u64) -> Result<()> {
        self.check_writable("truncate")?;
        if count >= self.array.count() {
            return Ok(());
        }
        if count < self.superblock.header().counts.records {
            self.refuse_with_deletes("truncate")?;
            self.exclude_readers()?;
            let cut = self.cut(count);
            let admitted = self.locks.admit_readers();
            return cut.and(admitted);
        }
        let cut = self.array.truncate(count);
        self.superblock.keep(cut)
    }

    /// Makes everything durable, trims the file to its records, and publishes an unpublished store.
    pub(crate) fn close(mut self) -> Result<()> {
        self.close_in_place()
    }

    fn close_in_place(&mut self) -> Result<()> {
        let closed = self.tidy().and_then(|()| self.publish());
        if closed.is_err() {
            self.abandon();
        }
        self.mode = Mode::Closed;
        closed
    }

    /// Makes appended records durable, trims the file and makes both header slots equal.
    fn tidy(&mut self) -> Result<()> {
        if self.access() != Access::ReadWrite {
            return Ok(());
        }
        self.superblock.check_healthy("close")?;
        self.flush()?;
        match self.array.trim() {
            // Windows cannot trim a file that another process has mapped. The file stays longer
            // than its records until the next writer closes it, which is harmless.
            Err(error) if error.kind() == ErrorKind::Locked => {}
            other => self.superblock.keep(other)?,
        }
        if self.superblock.changed() {
            self.superblock.commit(|_| {})?;
        }
        self.trim_sums()
    }

    fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.access() == Access::ReadWrite {
            return self.superblock.check_healthy(operation);
        }
        Err(self
            .superblock
            .name(Error::new(ErrorKind::ReadOnly, operation).advice("open the store for writing")))
    }
}

impl<R: Row + ?Sized> Drop for ExclusiveFile<R> {
    fn drop(&mut self) {
        match &self.mode {
            Mode::Closed => {}
            Mode::Unpublished(..) => self.abandon(),
            Mode::Read(_) | Mode::Private(_) | Mode::Write(_) => {
                if !std::thread::panicking() {
                    // A caller that wants to see errors calls `close`.
                    let _ = self.tidy();
                }
            }
        }
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for ExclusiveFile<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExclusiveFile")
            .field("path", &self.path())
            .field("access", &self.access())
            .field("count", &self.array.count())
            .finish_non_exhaustive()
    }
}

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Record `index`, in place.
    #[inline]
    pub(crate) fn record(&self, index: u64) -> Option<&R> {
        R::in_view_or(self.array.whole(), index, self.slots.record_len(), || {
            self.record_elsewhere(index)
        })
    }

    /// Records `ids` in place, if all are in the file and none can be deleted.
    pub(crate) fn run(&self, ids: Range<u64>) -> Option<R::Run<'_>> {
        if self.slots.status_byte().is_some() {
            return None;
        }
        R::run(self.array.whole().strides(ids)?, self.slots.stride(), self.slots.record_len())
    }
}
