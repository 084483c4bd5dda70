//! When a running writer makes a checkpoint, and up to which commit. A checkpoint copies what the
//! log made durable to its places in the array, so that the log's room can be used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::checkpoint::{CheckpointPlan, Files, HeldBack, Outcome, beside_readers};
use super::super::commit_id::CommitId;
use super::super::install::Plan;
use super::super::recovered::read_log_through;
use super::super::source::Source;
use super::super::versions::State;
use super::{Engine, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::os::Survives;
use crate::shm::{CheckpointLimit, Wait};
use crate::step::{self, Step};
use crate::sums::DamagedBlock;
use crate::trace::{self, Stopwatch};
use crate::wal::Log;

/// How long a checkpoint of a full or closing log waits for readers that keep checkpoints away.
const QUIET_WAIT: Wait = Wait::AtMost(Duration::from_secs(1));

/// The reason for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// A caller asked for it, or the log is long enough.
    Due,
    /// The log cannot grow further.
    Full,
    /// The log must end.
    Closing,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Full => "full",
            Self::Closing => "closing",
        }
    }
}

/// What a checkpoint has copied to the array.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    pub(super) records: u64,
    len_bytes: u64,
    pub(super) held_back: Option<HeldBack>,
}

/// What a checkpoint has done.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Database, Durability, Record};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Counter { n: u64 }
/// let directory = tempfile::tempdir().unwrap();
/// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
/// let mut transaction = database.begin_write().unwrap();
/// transaction.append(&Counter { n: 1 }).unwrap();
/// let receipt = transaction.commit(Durability::Immediate).unwrap();
/// let checkpoint = database.checkpoint().unwrap();
/// assert_eq!(checkpoint.commit_id(), receipt.commit_id());
/// assert_eq!(checkpoint.held_back(), None);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    commit: u64,
    records: u64,
    held_back: Option<String>,
    damaged: Vec<DamagedBlock>,
}

impl Checkpoint {
    /// The newest commit whose changes are all in the array.
    pub fn commit_id(&self) -> CommitId {
        self.commit.into()
    }

    /// How many records the checkpoint wrote to the array. The first checkpoint of a handle also
    /// counts the records that opening the store wrote because its log had no room left.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// What keeps newer commits out of the array, if anything does: a snapshot of this process that
    /// reads the bytes which they would replace, or a reader in another process. The log keeps
    /// these commits until then.
    pub fn held_back(&self) -> Option<&str> {
        self.held_back.as_deref()
    }

    /// The blocks that did not match their checksums when this checkpoint, or an earlier one of
    /// this handle, was about to write records into them. The checkpoint wrote the records all the
    /// same. The blocks stay marked as damaged until
    /// [`rebuild_checksums`](crate::rebuild_checksums) accepts what they hold.
    pub fn damaged(&self) -> &[DamagedBlock] {
        &self.damaged
    }
}

/// What decides whether a checkpoint is due, as the writer knows it.
pub(super) struct Due {
    bytes: u64,
    at_bytes: u64,
    held_back_by: Option<u64>,
}

impl Due {
    /// With a log of this length, which takes a sum to know.
    #[inline]
    pub(super) fn of(writer: &Writer, log_len_bytes: u64) -> Self {
        Self {
            bytes: writer.due_with(log_len_bytes),
            at_bytes: writer.checkpoint_at_bytes,
            held_back_by: writer.held_back_by,
        }
    }
}

impl Engine {
    /// Writes to the array all commits that no reader keeps out.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint> {
        let mut writer = self.lock("checkpoint")?;
        let mut checkpoint = self.checkpoint_locked(&mut writer, Reason::Due)?;
        checkpoint.records += std::mem::take(&mut writer.brought_at_open);
        checkpoint.damaged = writer.sums.as_ref().map(DamagedBlock::found_by).unwrap_or_default();
        Ok(checkpoint)
    }

    /// After a commit: makes a checkpoint if the log, with the long appends that it counts, has
    /// reached its size, and the reader that held the last checkpoint back does not hold this one.
    pub(super) fn checkpoint_if_due(&self, after_commit: &Due) {
        if !self.is_due(after_commit) {
            return;
        }
        // A thread that has the writer makes the checkpoint after its own commit.
        let Some(mut writer) = self.try_lock() else { return };
        // Another thread may have made it since the commit.
        let due = Due::of(&writer, writer.log_size().1);
        if !self.is_due(&due) || self.check(&writer, "checkpoint").is_err() {
            return;
        }
        // A failed checkpoint does not fail the commit before it. `Engine::failure` keeps the
        // error; one after which nothing may be written has also poisoned the handle.
        let has_failed = self.checkpoint_locked(&mut writer, Reason::Due).is_err();
        let left = writer.due_bytes();
        let reached = writer.superblock.header().counts.commit;
        writer.held_back_by = Some(reached)
            .filter(|&commit| commit < writer.newest.counts.commit && self.is_held(commit));
        // Unregistered readers come and go unseen, and the cause of a failure may pass: after
        // either the next try comes soon. The sums saturate, because a caller may set the size to
        // `u64::MAX`, which means never.
        if left > 0 && left >= self.common.checkpoint_bytes.saturating_mul(2) {
            trace::log_is_long(&*self.backing, left, self.common.checkpoint_bytes);
        }
        let next = if writer.shut_out || has_failed {
            left.saturating_add(self.common.checkpoint_bytes)
        } else {
            left.saturating_mul(2)
        };
        writer.checkpoint_at_bytes = next.max(self.common.checkpoint_bytes);
    }

    /// Whether the next checkpoint is due.
    fn is_due(&self, due: &Due) -> bool {
        due.bytes >= due.at_bytes
            || due.bytes >= self.common.checkpoint_bytes
                && due.held_back_by.is_some_and(|commit| !self.is_held(commit))
    }

    /// Whether a snapshot of this commit, or of an older one, is being read: in this process, or by
    /// a registered reader.
    fn is_held(&self, commit: u64) -> bool {
        self.published.oldest().counts.commit <= commit
            || self.published.sharing().is_read(commit).is_ok_and(|is| is)
    }

    /// Makes a checkpoint. Notes how it ended: a failure until a checkpoint succeeds.
    pub(super) fn checkpoint_locked(
        &self,
        writer: &mut Writer,
        reason: Reason,
    ) -> Result<Checkpoint> {
        let (watch, _span) = (Stopwatch::start(), trace::checkpoint(&*self.backing, reason.name()));
        let (started, before) = (Instant::now(), writer.superblock.header().counts.commit);
        let made = self.try_checkpoint(writer, reason);
        let commit = writer.superblock.header().counts.commit;
        self.counters.note(&made, commit > before, started.elapsed());
        self.counters.show_log(writer.log_size());
        let made = made.inspect_err(|error| trace::checkpoint_failed(&*self.backing, error))?;
        self.tell(writer, &made, before, watch);
        Ok(Checkpoint {
            commit,
            records: made.records,
            held_back: made.held_back.map(|by| by.to_string()),
            damaged: Vec::new(),
        })
    }

    /// Tells what a checkpoint has made, from the commit `before` on.
    fn tell(&self, writer: &Writer, made: &Made, before: u64, watch: Stopwatch) {
        let (commit, log_len_bytes) =
            (writer.superblock.header().counts.commit, writer.log_size().1);
        if commit > before {
            let (records, len_bytes) = (made.records, made.len_bytes);
            let commits = commit - before;
            let copied = trace::Copied { commits, records, len_bytes, commit, log_len_bytes };
            trace::checkpointed(&*self.backing, &copied, watch);
        }
        if let Some(by) = made.held_back {
            by.trace(&*self.backing, (commit, writer.newest.counts.commit), log_len_bytes);
        }
    }

    fn try_checkpoint(&self, writer: &mut Writer, reason: Reason) -> Result<Made> {
        let closing = reason == Reason::Closing;
        self.step(writer, |_| {
            step::take(Step::CheckpointLogSync, || self.group.settle_all(&self.published))
        })?;
        if writer.log.is_none() {
            return Ok(Made::default());
        }
        let target = match step::skip(Step::SnapshotTarget) {
            true => Arc::clone(&writer.newest),
            false => self.published.oldest(),
        };
        let held_back = self.own_reader(writer, &target);
        if target.counts.commit <= writer.superblock.header().counts.commit
            && !(closing && held_back.is_none())
        {
            return Ok(Made { held_back, ..Made::default() });
        }
        let wait = if reason == Reason::Due { Wait::No } else { QUIET_WAIT };
        let (sharing, through) = ((&self.locks, self.published.sharing()), target.counts.commit);
        let any = |_: &CheckpointLimit| true;
        let made = beside_readers(sharing, through, wait, any, |limit| {
            writer.shut_out = false;
            self.recheck_strangers(writer)?;
            self.write_allowed(writer, target, limit, closing)
        });
        let Outcome::Done(made) = made.map_err(|error| self.name(error))? else {
            writer.shut_out = true;
            return Ok(Made { held_back: Some(HeldBack::Unseen), ..Made::default() });
        };
        Ok(Made { held_back: made.held_back.or(held_back), ..made })
    }

    /// While a checkpoint holds its lock, this writer sees every reader, and no further reader of
    /// lost commits can appear: looks whether any is left.
    fn recheck_strangers(&self, writer: &mut Writer) -> Result<()> {
        if writer.logs_all {
            let strangers = self.published.sharing().has_strangers();
            writer.logs_all = strangers.map_err(|error| self.name(error))?;
        }
        Ok(())
    }

    /// The snapshot of this process that keeps a checkpoint from going past `target`.
    fn own_reader(&self, writer: &Writer, target: &State) -> Option<HeldBack> {
        let held =
            (target.counts.commit < writer.newest.counts.commit).then_some(target.counts.commit);
        let sharing = self.published.sharing();
        sharing.note_own(held);
        let seconds = sharing.own_held_for();
        held.map(|commit| HeldBack::Own { commit, seconds })
    }

    /// Copies to the array what readers in other processes allow, up to `target`. Also returns the
    /// reader that was in the way of more.
    fn write_allowed(
        &self,
        writer: &mut Writer,
        target: Arc<State>,
        limit: &CheckpointLimit,
        closing: bool,
    ) -> Result<Made> {
        let held_back = limit.blocker.map(HeldBack::Reader);
        let done = writer.superblock.header().counts.commit;
        let target = if held_back.is_none() {
            target
        } else if limit.through <= done {
            return Ok(Made { held_back, ..Made::default() });
        } else {
            self.older_state(writer, limit.through)?
        };
        let ends_log = closing && target.counts.commit == writer.newest.counts.commit;
        let state = (target.counts, &target.overlay);
        let plan = CheckpointPlan::new(Plan::Checkpoint, &writer.superblock, state, ends_log)?;
        plan.reserve(writer.sums.as_ref()).map_err(|error| self.name(error))?;
        self.step(writer, |writer| self.write_back(writer, &plan))?;
        Ok(Made { records: plan.records(), len_bytes: plan.len_bytes(), held_back })
    }

    /// The state of a commit between the array's and the newest. If no snapshot holds it any more,
    /// this reads it from the log, which has every image of every commit.
    fn older_state(&self, writer: &Writer, commit: u64) -> Result<Arc<State>> {
        if let Some(state) = self.published.find(commit) {
            return Ok(state);
        }
        let (found, _) = read_log_through(&writer.superblock, self.layout.alignment, commit)?;
        let found = found.filter(|found| found.counts.commit == commit).ok_or_else(|| {
            self.name(
                Error::new(ErrorKind::Corrupt, "checkpoint")
                    .detail(format!("the log lacks commit {commit}, which a reader still holds")),
            )
        })?;
        Ok(Arc::new(State {
            counts: found.counts,
            overlay: found.overlay,
            view: Arc::clone(&writer.newest.view),
            pin: None,
        }))
    }

    /// Installs commits that the log made durable (`settle_all`), and drops their images from the
    /// newest state.
    fn write_back(&self, writer: &mut Writer, plan: &CheckpointPlan<'_>) -> Result<()> {
        let Writer { superblock, array, log, .. } = writer;
        let (sums, sharing) = (writer.sums.as_mut(), self.published.sharing());
        plan.install(Files { superblock, sums, array, log, sharing })?;
        let commit = plan.commit();
        writer.uncounted.count(commit);
        let newest = &writer.newest;
        let thinner = Arc::new(State {
            counts: newest.counts,
            overlay: newest.overlay.without(commit),
            view: Arc::clone(&newest.view),
            pin: None,
        });
        writer.newest = Arc::clone(&thinner);
        self.published.publish(thinner);
        Ok(())
    }

    /// Copies to the array all commits that no reader keeps out. If that is all of them, leaves the
    /// store cleanly closed: without a log, trimmed, with equal header slots.
    ///
    /// # Errors
    /// [`ErrorKind::TransactionInProgress`] if a transaction has not ended, or was leaked.
    pub(crate) fn close(&self) -> Result<()> {
        let mut writer = self.lock_to_close()?;
        let closed = self.close_locked(&mut writer);
        writer.closed = true;
        closed
    }

    fn close_locked(&self, writer: &mut Writer) -> Result<()> {
        if self.survives_unsynced == Survives::Nothing {
            // No handle can open a temporary store again: its array needs no records of the log.
            return self.check(writer, "close");
        }
        let checkpoint = self.checkpoint_locked(writer, Reason::Closing)?;
        if writer.superblock.header().live_log.is_some() {
            // A reader is left: the log stays for the next writer.
            debug_assert!(checkpoint.held_back.is_some());
            return Ok(());
        }
        self.step(writer, |writer| {
            let count = writer.newest.counts.records;
            // A reader of lost commits may count more records than the store has.
            let is_cuttable = !self.published.sharing().has_strangers()?;
            match if is_cuttable { writer.array.trim(count) } else { Ok(()) } {
                // Windows trims no mapped file: the trim waits until the engine is dropped.
                Err(error) if error.kind() == ErrorKind::Locked => writer.untrimmed = Some(count),
                other => other?,
            }
            if let Some(sums) = &writer.sums {
                sums.trim()?;
            }
            if writer.superblock.changed() {
                writer.superblock.commit(|_| {})?;
            }
            // A log whose header was never written.
            writer.log.take().map_or(Ok(()), Log::remove)
        })
    }
}
