//! The engine of a store that is changed by transactions.
//!
//! One writer at a time changes the state: it writes a block with all that a transaction has
//! changed to the log, and syncs it. The array itself is changed by checkpoints only, with what the
//! log made durable before. docs/DURABILITY.md argues the order of the steps.
//!
//! Invariants:
//! - `header.commit` is the newest commit whose changes are all in the array; those after it are in
//!   the log, each in one block, in order, without a gap.
//! - The file is at least as long as the records that any commit in the log counts, durably.
//! - Records of the array that a state reads there (see [`State`]) do not change while it is held.
//! - After a failed write or sync nothing is written any more (`check`).

mod changes;
mod checkpoint;
mod commit;
mod group;
mod open;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::in_place::Uncounted;
use super::locks::Locks;
use super::metadata::Metadata;
use super::options::Common;
use super::source::Source;
use super::superblock::Superblock;
use super::versions::{Published, State};
use crate::array::{ArrayWriter, RecordView};
use crate::error::{Error, ErrorKind, Result};
use crate::format::RecordLayout;
use crate::format::{Geometry, Schema};
use crate::io::{Backing, View};
use crate::shm::Seen;
use crate::step::{self, Step};
use crate::sums::Sums;
use crate::wal::Log;
pub(crate) use changes::Changes;
pub use checkpoint::Checkpoint;
pub use commit::{Durability, Receipt};
use group::Group;

/// A store that is changed by transactions, for all its handles, snapshots and transactions.
pub(crate) struct Engine {
    // Dropped before the locks.
    writer: Mutex<Writer>,
    group: Group,
    published: Published,
    /// Why the last checkpoint failed, or the step that poisoned the handle, in words; nothing
    /// since the last checkpoint that did not fail.
    failure: Mutex<Option<String>>,
    layout: RecordLayout,
    schema: Schema,
    metadata: Arc<Metadata>,
    backing: Arc<dyn Backing>,
    common: Common,
    locks: Locks,
}

/// What only the one writer touches.
pub(crate) struct Writer {
    superblock: Superblock,
    log: Option<Log>,
    placed: ArrayWriter,
    /// Whether nothing may be written to places above every count: when the store was opened,
    /// somebody was reading a commit that is no more, or may have been: it may have counted more
    /// records.
    logs_all: bool,
    /// The checksums of the array, if the store has them.
    sums: Option<Sums>,
    /// The newest state in the log, which readers may not see yet.
    newest: Arc<State>,
    /// All records in the file, for the transaction under way: also those that it has appended in
    /// place, which no state counts yet.
    in_file: RecordView<u8>,
    /// Set while a commit or checkpoint is under way: found set, one has panicked or failed. Set
    /// for good by a failure before that ([`Writer::doubt`]).
    busy: bool,
    closed: bool,
    /// The records to which the file is to be cut once this process has no view of it any more.
    untrimmed: Option<u64>,
    /// The records in their places that only the log counts.
    uncounted: Uncounted,
    /// How much there is to be for a checkpoint, in the log and of records in their places, before
    /// the next one.
    checkpoint_at_bytes: u64,
    /// The commit of the snapshot that held the last checkpoint back.
    held_back_by: Option<u64>,
    /// Whether readers without slots kept the last checkpoint from beginning.
    shut_out: bool,
    /// How many records were brought to the array when the store was opened, until that is told.
    brought_at_open: u64,
}

impl Drop for Engine {
    /// Cuts the file if a view of this process was in the way when the store was closed; under the
    /// locks, which go last. Where another process has the file mapped it stays longer than its
    /// records, which harms nobody, until the next writer closes it.
    fn drop(&mut self) {
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = writer.untrimmed.take() else { return };
        writer.in_file = RecordView::empty();
        let nothing = State::without_view(&writer.newest);
        writer.newest = Arc::clone(&nothing);
        self.published.end(nothing);
        let _ = writer.placed.trim(count);
    }
}

impl Engine {
    /// The newest state that readers may see.
    #[inline]
    pub(crate) fn load(&self) -> Arc<State> {
        self.published.load()
    }

    pub(crate) fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The readers of the store in other handles and processes.
    pub(crate) fn readers(&self) -> Result<Vec<Seen>> {
        self.published.sharing().readers().map_err(|error| self.name(error))
    }

    /// Waits for the writer's place.
    pub(crate) fn lock(&self, operation: &'static str) -> Result<MutexGuard<'_, Writer>> {
        // A transaction that panicked has changed nothing that is shared; `busy` tells of the rest.
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(&writer, operation)?;
        Ok(writer)
    }

    /// The writer's place, if nobody has it.
    fn try_lock(&self) -> Option<MutexGuard<'_, Writer>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(writer)) => Some(writer.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// An error if an earlier write or sync has failed.
    fn check(&self, writer: &Writer, operation: &'static str) -> Result<()> {
        if writer.closed {
            return Err(self.name(
                Error::new(ErrorKind::InvalidArgument, operation).detail("the store was closed"),
            ));
        }
        if writer.busy || self.group.has_failed() {
            let unknown = "an earlier write or sync failed, so what the disk holds is unknown";
            let error = match self.failure() {
                Some(why) => {
                    Error::new(ErrorKind::Poisoned, operation).detail(format!("{unknown}: {why}"))
                }
                None => Error::new(ErrorKind::Poisoned, operation).detail(unknown),
            };
            return Err(self.name(
                error.advice("reopen the store: it comes up with every acknowledged commit"),
            ));
        }
        writer.superblock.check_healthy(operation)
    }

    /// Runs a step after which nothing may be written any more if it fails, or panics.
    fn step<V>(
        &self,
        writer: &mut Writer,
        step: impl FnOnce(&mut Writer) -> Result<V>,
    ) -> Result<V> {
        writer.busy = true;
        let result = step(writer);
        writer.busy = false;
        let result = result.map_err(|error| self.name(unknown(error)));
        if let Err(error) = &result {
            self.note_failure(Some(error.to_string()));
            self.group.fail();
        }
        result
    }

    /// Why the last checkpoint failed, if none has succeeded since, or what poisoned the handle.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

impl Source for Engine {
    fn newest(&self) -> Result<Arc<State>> {
        Ok(self.load())
    }

    fn is_newest(&self, state: &State) -> bool {
        self.published.commit() <= state.counts.commit
    }

    fn newest_commit(&self) -> u64 {
        self.published.commit()
    }

    fn wait(&self, commit: u64, at_most: Duration) -> Result<bool> {
        let words = self.published.sharing().shared();
        words.wait_until(at_most, || Ok(self.published.commit() > commit))
    }

    fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn path(&self) -> Option<PathBuf> {
        self.backing.path()
    }
}

impl Writer {
    pub(crate) fn newest(&self) -> &Arc<State> {
        &self.newest
    }

    /// After a failure before anything was written that counts: a full disk is gone on with once it
    /// has room, and a store that was moved away once it is back; a device that fails is not
    /// trusted with anything more.
    pub(crate) fn doubt(&mut self, error: &Error) {
        let harmless =
            [ErrorKind::NoSpace, ErrorKind::OutOfRange, ErrorKind::Deleted, ErrorKind::NotFound];
        self.busy |= !harmless.contains(&error.kind());
    }

    /// What the log holds: segments, and bytes of blocks.
    pub(crate) fn log_size(&self) -> (u64, u64) {
        self.log.as_ref().map_or((0, 0), |log| (log.segments(), log.len_bytes()))
    }

    /// What a checkpoint takes off the log: blocks, and the counting of records in their places,
    /// which until then neither header nor checksums know.
    fn due_bytes(&self) -> u64 {
        let uncounted = if step::skip(Step::InPlaceDue) { 0 } else { self.uncounted.bytes() };
        self.log_size().1.saturating_add(uncounted)
    }
}

/// The error of a step that may have happened in part: not one of the kinds that say that nothing
/// was changed.
fn unknown(error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::LogFull) {
        return error;
    }
    Error::new(ErrorKind::Poisoned, error.operation().to_owned())
        .detail(
            "there was no space in the middle of a write or sync, so what the disk holds is \
                 unknown",
        )
        .advice("free some space, and reopen the store: it comes up with every acknowledged commit")
        .source_error(error)
}

/// Records that the file holds, through `view`.
#[allow(unsafe_code, reason = "the locks that make a mapped array sound are the engine's")]
fn records_in(view: Arc<View>, geometry: Geometry, count: u64) -> Result<RecordView<u8>> {
    // SAFETY: any byte is a valid `u8`.
    let mut records = unsafe { RecordView::new(view, geometry) }?;
    publish(&mut records, count)?;
    Ok(records)
}

/// Lets `count` records be read.
#[allow(unsafe_code, reason = "the locks that make a mapped array sound are the engine's")]
fn publish(records: &mut RecordView<u8>, count: u64) -> Result<()> {
    // SAFETY: the caller has made the file long enough for `count` records. The writer's lock keeps
    // other writers out, and this one changes records in the array at checkpoints, which need
    // `&mut Writer`, as does `publish`: nothing is borrowed from here then.
    unsafe { records.publish(count) }
}
