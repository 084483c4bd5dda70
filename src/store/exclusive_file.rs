//! A store without its record type: opening, appending, committing and closing.
//!
//! Invariants: what the header counts is in the file and durable; what was appended since lies
//! above every count in the header, so that a crash forgets it and harms nothing else. A handle
//! that writes holds the writer's lock; a handle that only lends records holds the in-place lock
//! shared.

mod deletes;
mod installs;
mod log_images;
mod publish;
mod resume;
mod sums;

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::array::{Array, ArrayOptions, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Record, Schema};
use crate::io::{Access, Backing, FileBacking, vacate_unfinished};
use crate::shm::{LockWords, WriterSide};
use crate::sums::{BlockSet, Sums};
use crate::txn::{
    Common, FoundLog, Locks, RecoveredState, Slots, SnapshotPin, Superblock, create_sums,
    name_sums_of_replaced,
    opening::{Opening, check_features, refuse_network_unless, until_current},
    read_beside, refuse_other_file, take_over,
};
pub(crate) use publish::Aside;

/// An open store of records of type `T`, or of bytes for `u8`.
pub(crate) struct Table<T: Copy + Send + Sync> {
    pub(crate) array: Array<T>,
    pub(crate) core: Superblock,
    pub(crate) slots: Slots,
    /// What the log held beyond the array, for a handle that does not write. A whole view has it in
    /// pages of its own; the windows of a windowed store do not.
    pub(crate) log: Option<RecoveredState>,
    /// What a handle that does not write reads, and the writer therefore leaves alone.
    pub(crate) hold: Option<SnapshotPin>,
    /// Where readers see what a handle that writes has committed.
    pub(crate) sharing: Option<WriterSide<LockWords>>,
    pub(crate) locks: Locks,
    common: Common,
    /// The checksums that this handle keeps, if it writes and the store has them.
    pub(crate) sums: Option<Sums>,
    /// The blocks that an exclusive edit has changed, for the checksums.
    pub(crate) edited: BlockSet,
    pub(crate) aside: Option<Aside>,
    /// Whether dropping has nothing left to do.
    closed: bool,
}

impl<T: Copy + Send + Sync> Table<T> {
    /// Makes a new, empty store at `path`: under another name first, so that nobody ever finds half
    /// of one. `replace` is for [`Table::create_aside`].
    ///
    /// # Safety
    /// `T` is `u8`, or a record type whose schema is `schema`.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn create(path: &Path, schema: &Schema, common: &Common) -> Result<Self> {
        // SAFETY: the caller's promise, passed on.
        let mut table = unsafe { Self::create_aside(path, schema, common, false) }?;
        table.publish()?;
        Ok(table)
    }

    /// Makes a new, empty store that appears at `path` when it is closed, and not before.
    ///
    /// # Safety
    /// `T` is `u8`, or a record type whose schema is `schema`.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn create_aside(
        path: &Path,
        schema: &Schema,
        common: &Common,
        replace: bool,
    ) -> Result<Self> {
        let vacant = || Self::refuse_taken(path, replace);
        vacant()?;
        if common.checksums {
            refuse_other_file(path)?;
        }
        let sharing = common.sharing(path, replace);
        let locks = Locks::maker(path, common.wait, &sharing)?;
        // A maker that died has left its lock file, too.
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
            let aside = Aside { file, publish_at: path.to_path_buf(), replace, keep: false };
            locks.check_trust(&aside.file).inspect_err(|_| resume::discard(&aside))?;
            // SAFETY: the caller vouches for `T`.
            unsafe { Self::create_at(aside, &made_at, schema, common) }
        });
        match made {
            Ok(mut table) => {
                table.locks.join(locks);
                Ok(table)
            }
            Err(error) => {
                locks.withdraw();
                Err(error)
            }
        }
    }

    /// Makes a new store in a file without bytes, which lies at `made_at`, under the writer's lock
    /// of the path that it is to have.
    ///
    /// # Safety
    /// `T` is `u8`, or a record type whose schema is `schema`.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    unsafe fn create_at(
        aside: Aside,
        made_at: &Path,
        schema: &Schema,
        common: &Common,
    ) -> Result<Self> {
        let file = Arc::clone(&aside.file);
        let made = refuse_network_unless(common, &file, "create")
            .and_then(|()| Locks::handed_over(&file, Some(made_at), true, common.wait))
            .and_then(|locks| {
                let core = Superblock::create(file, schema, &common.metadata, common.deletes)?;
                create_sums(&core, common)?;
                // SAFETY: the writer's locks on path and inode keep every other writer out, and the
                // caller vouches for `T`.
                unsafe { Self::assemble(core, locks, common, Access::ReadWrite, WHOLE) }
            });
        match made {
            Ok(mut table) => {
                table.core.begin_unfinished();
                table.aside = Some(aside);
                Ok(table)
            }
            Err(error) => {
                resume::discard(&aside);
                Err(error)
            }
        }
    }

    /// Opens the store at `path`.
    ///
    /// # Safety
    /// `T` is `u8`, or `check` accepts only schemas of `T`.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn open(
        path: &Path,
        access: Access,
        reading: Reading,
        common: &Common,
        check: impl Fn(&Schema) -> Result<()>,
    ) -> Result<Self> {
        until_current(|| {
            let Opening { superblock: core, locks } = Opening::at(path, access, common)?;
            check(core.schema()).map_err(|error| core.name(error))?;
            // SAFETY: `Opening::at` took the locks that keep the records as they are, and the
            // caller vouches for `T`.
            unsafe { Self::assemble(core, locks, common, access, reading) }
        })
    }

    /// Makes a store in a file without a name, gone when it is closed.
    ///
    /// # Safety
    /// `T` is `u8`, or a record type whose schema is `schema`.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn temporary(schema: &Schema, common: &Common) -> Result<Self> {
        let core = Superblock::create(
            Arc::new(FileBacking::temporary(0)?),
            schema,
            &common.metadata,
            common.deletes,
        )?;
        // SAFETY: nobody else can open a file without a name, and the caller vouches for `T`.
        unsafe { Self::assemble(core, Locks::none(), common, Access::ReadWrite, WHOLE) }
    }

    /// Opens the store in a file that is open already. With a path, the inode is locked.
    ///
    /// # Safety
    /// `T` is `u8`, or `check` accepts only schemas of `T`. Without a path nobody else changes the
    /// file while the store is open.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn from_file(
        file: File,
        path: Option<&Path>,
        access: Access,
        common: &Common,
        check: impl FnOnce(&Schema) -> Result<()>,
    ) -> Result<Self> {
        let file = Arc::new(FileBacking::adopt(file, path)?);
        let writes = access == Access::ReadWrite;
        let locks = Locks::handed_over(&file, path, writes, common.wait)?;
        if writes {
            refuse_network_unless(common, &file, "open for writing")?;
        }
        let core = Superblock::open(file)?;
        check(core.schema()).map_err(|error| core.name(error))?;
        // SAFETY: the lock, or the caller, keeps the file as it is; the caller vouches for `T`.
        unsafe { Self::assemble(core, locks, common, access, WHOLE) }
    }

    /// Opens the store in any backing.
    ///
    /// # Safety
    /// `T` is `u8`, or `check` accepts only schemas of `T`. Nobody else changes the backing while
    /// the store is open.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn over(
        backing: Arc<dyn Backing>,
        access: Access,
        reading: Reading,
        common: &Common,
        check: impl FnOnce(&Schema) -> Result<()>,
    ) -> Result<Self> {
        let core = Superblock::open(backing)?;
        check(core.schema()).map_err(|error| core.name(error))?;
        // SAFETY: the caller's promises, passed on.
        unsafe { Self::assemble(core, Locks::none(), common, access, reading) }
    }

    /// Makes a new, empty store in a backing that has no bytes yet.
    ///
    /// # Safety
    /// `T` is `u8`, or a record type whose schema is `schema`. Nobody else changes the backing
    /// while the store is open.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    pub(crate) unsafe fn create_over(
        backing: Arc<dyn Backing>,
        schema: &Schema,
        common: &Common,
    ) -> Result<Self> {
        let core = Superblock::create(backing, schema, &common.metadata, common.deletes)?;
        create_sums(&core, common)?;
        // SAFETY: the caller's promises, passed on.
        unsafe { Self::assemble(core, Locks::none(), common, Access::ReadWrite, WHOLE) }
    }

    /// # Safety
    /// The locks, or the caller, keep the records as they are; `T` is `u8` or of the schema.
    #[allow(unsafe_code, reason = "the record type is the caller's to know")]
    unsafe fn assemble(
        mut core: Superblock,
        locks: Locks,
        common: &Common,
        access: Access,
        reading: Reading,
    ) -> Result<Self> {
        check_features(core.header(), common).map_err(|error| core.name(error))?;
        let (mut sums, mut sharing, mut log, mut hold) = (None, None, None, None);
        if access == Access::ReadWrite {
            let taken = take_over(&mut core, &locks, 1, FoundLog::Ended(common.wait))?;
            (sums, sharing) = (taken.sums, Some(taken.sharing));
        } else {
            (log, hold) = read_beside::take_up(&mut core, &locks, align_of::<T>())?;
        }
        let header = core.header();
        let geometry = header.layout()?.geometry;
        let slots = Slots::of(header)?;
        let options = ArrayOptions {
            access,
            reading,
            write_back: common.write_back,
            advice: common.advice,
            mark: slots.mark(),
            announces_edits: sums.is_some(),
        };
        let count = log.as_ref().map_or(header.counts, |log| log.counts).records;
        let images = match (&log, reading) {
            (Some(log), Reading::Whole) => log.overlay.sorted_after(header.counts.commit),
            _ => Vec::new(),
        };
        let backing = Arc::clone(core.backing());
        // SAFETY: the caller's promises are the array's.
        let array = unsafe { Array::open(backing, geometry, count, options, &images) }
            .map_err(|error| core.name(error))?;
        drop(images);
        let (common, edited) = (common.clone(), BlockSet::default());
        let (aside, closed) = (None, false);
        Ok(Self {
            array,
            core,
            slots,
            log,
            hold,
            sharing,
            locks,
            common,
            sums,
            edited,
            aside,
            closed,
        })
    }

    /// Where the store is, or will be when it is closed.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match &self.aside {
            Some(aside) => Some(aside.publish_at.clone()),
            None => self.core.backing().path(),
        }
    }

    pub(crate) fn access(&self) -> Access {
        self.array.options().access
    }

    /// Appends `added` records whose bytes follow one another.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        self.core.check_healthy("append")?;
        if self.slots.mark().is_some() {
            return self.append_marked(bytes, added);
        }
        self.append_slots(bytes, added)
    }

    /// Appends `added` records with all that lies between them and their next ones.
    #[inline]
    pub(crate) fn append_slots(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        match self.array.append_pending(bytes, added) {
            Some(ids) => Ok(ids),
            None => self.append_with_room(bytes, added),
        }
    }

    fn append_with_room(&mut self, bytes: &[u8], added: u64) -> Result<Range<u64>> {
        let room = self.array.make_room(added).map_err(|error| self.core.name(error))?;
        // A full disk takes back what it has not got; any other failure may have left a part of the
        // records written, which counts as nothing, but is not to be built upon.
        match self.array.append(bytes, room) {
            Ok(ids) => Ok(ids),
            Err(error) if error.kind() == ErrorKind::NoSpace => Err(self.core.name(error)),
            other => self.core.keep(other),
        }
    }

    pub(crate) fn reserve(&mut self, records: u64) -> Result<()> {
        self.core.check_healthy("reserve")?;
        self.array.reserve(records).map_err(|error| self.core.name(error))
    }

    /// Makes all appended records durable, and counts them.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.access() != Access::ReadWrite {
            return Ok(());
        }
        self.core.check_healthy("flush")?;
        let count = self.array.count();
        if count == self.core.header().counts.records {
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
        if count < self.core.header().counts.records {
            self.refuse_with_deletes("truncate")?;
            self.locks.exclude_readers(self.common.wait)?;
            let cut = self.cut(count);
            let admitted = self.locks.admit_readers();
            return cut.and(admitted);
        }
        let cut = self.array.truncate(count);
        self.core.keep(cut)
    }

    /// Makes everything durable, trims the file to its records, and gives a store that was made
    /// aside its name.
    pub(crate) fn close(mut self) -> Result<()> {
        self.close_in_place()
    }

    fn close_in_place(&mut self) -> Result<()> {
        self.closed = true;
        let closed = self.tidy().and_then(|()| self.publish());
        if closed.is_err() {
            self.abandon();
        }
        closed
    }

    /// Leaves the file as it is at rest: trimmed, and with both header slots alike.
    fn tidy(&mut self) -> Result<()> {
        if self.access() != Access::ReadWrite {
            return Ok(());
        }
        self.core.check_healthy("close")?;
        self.flush()?;
        match self.array.trim() {
            // Windows trims no file that anybody has mapped. The file stays longer than its
            // records, which harms nobody, until the next writer closes it.
            Err(error) if error.kind() == ErrorKind::Locked => {}
            other => self.core.keep(other)?,
        }
        if self.core.changed() {
            self.core.commit(|_| {})?;
        }
        self.trim_sums()
    }

    fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.access() == Access::ReadWrite {
            return self.core.check_healthy(operation);
        }
        Err(self
            .core
            .name(Error::new(ErrorKind::ReadOnly, operation).advice("open the store for writing")))
    }
}

impl<T: Copy + Send + Sync> Drop for Table<T> {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if self.aside.is_some() {
            self.abandon();
        } else if !std::thread::panicking() {
            // Errors cannot be told from here; `close` is for those who want to know.
            let _ = self.tidy();
        }
    }
}

/// The one way of reading of stores that do not slide.
const WHOLE: Reading = Reading::Whole;

impl<T: Copy + Send + Sync> std::fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("path", &self.path())
            .field("access", &self.access())
            .field("count", &self.array.count())
            .finish_non_exhaustive()
    }
}

impl<R: Record> Table<R> {
    /// Record `index`, in place.
    #[inline]
    pub(crate) fn record(&self, index: u64) -> Option<&R> {
        match self.array.whole().get(index) {
            Some(record) => Some(record),
            None => self.record_elsewhere(index),
        }
    }
}

impl Table<u8> {
    /// Opens the store at `path`, whatever its schema.
    #[allow(unsafe_code, reason = "records of bytes suit every schema")]
    pub(crate) fn open_bytes(
        path: &Path,
        access: Access,
        reading: Reading,
        common: &Common,
    ) -> Result<Self> {
        // SAFETY: the record type is `u8`.
        unsafe { Self::open(path, access, reading, common, |_| Ok(())) }
    }

    /// The first `len` bytes of record `index`, in place.
    #[inline]
    pub(crate) fn record_bytes(&self, index: u64, len: usize) -> Option<&[u8]> {
        match self.array.whole().bytes(index, len) {
            Some(bytes) => Some(bytes),
            None => self.bytes_elsewhere(index, len),
        }
    }
}
