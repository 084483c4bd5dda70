//! The engine: the part behind all handles of a store that transactions change.
//!
//! One writer at a time changes the state: it writes all changes of a transaction to the log as one
//! frame, and syncs the log. Only checkpoints change the array below a count, with what the log
//! made durable before. docs/DURABILITY.md argues the order of the steps.
//!
//! Invariants:
//! - `header.commit` is the newest commit whose changes are all in the array. Later commits are in
//!   the log, each in one frame, in order, without a gap.
//! - The file is, durably, long enough for the records that any commit in the log counts.
//! - Records that a state reads in the array (see [`State`]) do not change while a snapshot holds
//!   the state.
//! - After a failed write or sync the engine writes nothing (`check`).

mod begin;
mod changes;
mod checkpoint;
mod commit;
mod counters;
mod group;
mod info;
mod open;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::locks::Locks;
use super::long_append::UncountedBytes;
use super::metadata::Metadata;
use super::options::Common;
use super::source::Source;
use super::superblock::{HeaderWatch, Superblock};
use super::token_lock::{Holder, Patience, Token, TokenLock};
use super::versions::{Published, State};
use crate::array::{ArrayWriter, RecordView};
use crate::error::{Error, ErrorKind, Result};
use crate::format::RecordLayout;
use crate::format::{Geometry, Schema};
use crate::io::{Backing, View};
use crate::os::Survives;
use crate::shm::{Seen, WatchedWords};
use crate::step::{self, Step};
use crate::sums::Sums;
use crate::trace;
use crate::wal::Log;
pub(crate) use begin::EngineHandle;
pub(crate) use changes::Changes;
pub use checkpoint::Checkpoint;
pub use commit::{Durability, Receipt};
use counters::Counters;
use group::Group;

/// A store that transactions change, shared by its handles, snapshots and transactions.
pub(crate) struct Engine {
    // Dropped before the locks.
    writer: TokenLock<Writer>,
    group: Group,
    published: Published,
    counters: Counters,
    watch: Arc<HeaderWatch>,
    layout: RecordLayout,
    schema: Schema,
    metadata: Arc<Metadata>,
    backing: Arc<dyn Backing>,
    /// What a commit survives that was not synced.
    survives_unsynced: Survives,
    common: Common,
    locks: Locks,
}

/// The part of the engine that only the writer uses.
pub(crate) struct Writer {
    superblock: Superblock,
    log: Option<Log>,
    array: ArrayWriter,
    /// Whether the writer must log long appends too: when the store was opened, a reader may have
    /// been reading a lost commit, which may have counted records at places above every count.
    logs_all: bool,
    /// The checksums of the array, if the store has them.
    sums: Option<Sums>,
    /// The newest state in the log, which readers may not see yet.
    newest: Arc<State>,
    /// All records in the file, for the current transaction, with the long append that it has
    /// written, which no state counts yet.
    in_file: RecordView<u8>,
    /// True during a commit or checkpoint: if the next one finds it true, the one before panicked.
    /// A failure that leaves the disk's bytes unknown sets it for good ([`Writer::doubt`]).
    busy: bool,
    closed: bool,
    /// The number of records to which the file must be cut, when this process has no view of it.
    untrimmed: Option<u64>,
    /// The bytes of long appends that only the log counts.
    uncounted: UncountedBytes,
    /// How many bytes of log and of uncounted long appends make the next checkpoint due.
    checkpoint_at_bytes: u64,
    /// The commit of the snapshot that held the last checkpoint back.
    held_back_by: Option<u64>,
    /// Whether readers that this writer does not see kept the last checkpoint from beginning.
    shut_out: bool,
    /// How many records opening the store copied to the array, until a [`Checkpoint`] reports them.
    brought_at_open: u64,
    /// Whether a transaction has the writer and has not committed.
    in_transaction: bool,
}

impl Drop for Engine {
    /// Cuts the file if a view of this process was in the way when the store was closed. The locks
    /// are dropped after that. If another process has the file mapped, the file stays longer than
    /// its records, which is harmless, until the next writer closes it.
    fn drop(&mut self) {
        // A transaction that was leaked has the writer for ever.
        let Ok(mut writer) = Token::take(&self.writer, Holder::Engine, Patience::None) else {
            return;
        };
        let Some(count) = writer.untrimmed.take() else { return };
        writer.in_file = RecordView::empty();
        let nothing = State::without_view(&writer.newest);
        writer.newest = Arc::clone(&nothing);
        self.published.end(nothing);
        let _ = writer.array.trim(count);
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
            let advice = match self.survives_unsynced {
                Survives::Nothing => "make another temporary store: snapshots still read this one",
                _ => "reopen the store: it then has every acknowledged commit",
            };
            return Err(self.name(error.advice(advice)));
        }
        writer.superblock.check_healthy(operation)
    }

    /// Runs a step. If the step fails or panics, the handle refuses all later writes.
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
            self.counters.checkpoints().failure = Some(error.to_string());
            let had_failed = self.group.fail();
            // A failed header, and a failed sync of the group, have been told where they failed.
            if !had_failed && writer.superblock.check_healthy("").is_ok() {
                trace::poisoned(&*self.backing, error);
            }
        }
        result
    }

    /// The error of the last checkpoint, if it failed, or of the step that poisoned the handle.
    pub(crate) fn failure(&self) -> Option<String> {
        self.counters.checkpoints().failure.clone()
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

    fn watched(&self) -> WatchedWords {
        let sharing = self.published.sharing();
        WatchedWords::of(sharing.shared(), sharing.store())
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

    /// Notes a failure before the commit point. After a full disk or a store that was moved away
    /// the writer can try again; any other failure poisons the handle, because a device that fails
    /// is not trusted with further writes.
    pub(crate) fn doubt(&mut self, error: &Error) {
        let harmless =
            [ErrorKind::NoSpace, ErrorKind::OutOfRange, ErrorKind::Deleted, ErrorKind::NotFound];
        if !harmless.contains(&error.kind()) {
            self.poison(error);
        }
    }

    /// Makes the handle refuse all later writes.
    fn poison(&mut self, error: &Error) {
        // A step that fails is told of by `Engine::step`.
        if !std::mem::replace(&mut self.busy, true) {
            trace::poisoned(&**self.superblock.backing(), error);
        }
    }

    /// The number of the log's files, and the bytes of its frames.
    fn log_size(&self) -> (u64, u64) {
        self.log.as_ref().map_or((0, 0), |log| (log.files(), log.len_bytes()))
    }

    /// How many bytes wait for a checkpoint: of frames in the log, and of long appends, which
    /// header and checksums do not know yet. The sum cannot overflow, because all are on disks.
    fn due_bytes(&self) -> u64 {
        self.due_with(self.log_size().1)
    }

    /// As [`Writer::due_bytes`], for a log of this length.
    #[inline]
    fn due_with(&self, log_len_bytes: u64) -> u64 {
        let uncounted = if step::skip(Step::LongAppendDue) { 0 } else { self.uncounted.bytes() };
        log_len_bytes + uncounted
    }
}

/// Turns an error whose kind says that nothing was changed into one that says that the disk's bytes
/// are unknown, because the step may have happened in part.
fn unknown(error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::LogFull) {
        return error;
    }
    Error::new(ErrorKind::Poisoned, error.operation().to_owned())
        .detail("the disk became full during a write or sync, so what it holds is unknown")
        .advice("free some space, and reopen the store: it then has every acknowledged commit")
        .source_error(error)
}

/// The first `count` records of the file, seen through `view`.
#[allow(unsafe_code, reason = "the locks that make a mapped array sound are the engine's")]
fn records_in(view: Arc<View>, geometry: Geometry, count: u64) -> Result<RecordView<u8>> {
    // SAFETY: any byte is a valid `u8`.
    let mut records = unsafe { RecordView::new(view, geometry) }?;
    publish(&mut records, count)?;
    Ok(records)
}

/// Makes `count` records readable through `records`.
#[allow(unsafe_code, reason = "the locks that make a mapped array sound are the engine's")]
fn publish(records: &mut RecordView<u8>, count: u64) -> Result<()> {
    // SAFETY: the caller has made the file long enough for `count` records. The writer's lock keeps
    // other writers out, and this one changes records in the array at checkpoints, which need
    // `&mut Writer`, as does `publish`: nothing is borrowed from here then.
    unsafe { records.publish(count) }
}
