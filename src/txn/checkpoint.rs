//! The checkpoint that a running writer and recovery share: it asks readers how far it may go
//! ([`beside_readers`]), and copies records to their places in the array ([`CheckpointPlan`]).
//!
//! Invariants:
//! - A checkpoint installs only what the log made durable, up to the commit that readers allow.
//! - A checkpoint releases or removes the log of a commit only after the header that counts the
//!   commit is durable.

use std::fmt;
use std::ops::Range;

use super::install::{Change, Plan, Work, install};
use super::locks::Locks;
use super::superblock::Superblock;
use crate::array::ArrayWriter;
use crate::error::Result;
use crate::format::{Counts, RecordLayout};
use crate::io::Backing;
use crate::overlay::Overlay;
use crate::shm::{CheckpointLimit, LockWords, Seen, Wait, WriterSide, process, seconds_since};
use crate::step::{self, Step};
use crate::sums::Sums;
use crate::trace;
use crate::wal::Log;

/// How much of the log a checkpoint keeps for readers that are reading it, though the array holds
/// the same commits.
const KEPT_FOR_READERS_BYTES_MAX: u64 = 8 << 20;

/// Why a checkpoint was held back, if the reader table names no reader.
pub(super) const UNSEEN_READER: &str = "a reader that the writer cannot see has the store open: \
     it is opening the store or reading the log, it opened the store under another name, or it may \
     not write the lock file";

/// The reader that keeps a checkpoint from going further.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeldBack {
    /// A snapshot of the writer's own process reads this commit, for so many seconds or longer.
    Own { commit: u64, seconds: u64 },
    /// A reader in another handle or process.
    Reader(Seen),
    /// One that the writer does not see.
    Unseen,
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { commit, seconds } => {
                write!(f, "a snapshot of commit {commit} is being read, for {seconds} s or longer")
            }
            Self::Reader(reader) => reader.fmt(f),
            Self::Unseen => f.write_str(UNSEEN_READER),
        }
    }
}

impl HeldBack {
    /// Tells of a checkpoint that this reader has held back at commit `commit`, while `newest` is
    /// in the log.
    pub(super) fn trace(
        &self,
        data: &dyn Backing,
        (commit, newest): (u64, u64),
        log_len_bytes: u64,
    ) {
        let (reader, held_commit, held_for_s) = match *self {
            Self::Own { commit, seconds } => (Some(process()), Some(commit), Some(seconds)),
            Self::Reader(reader) => {
                let held_for_s = reader.oldest.map(|_| seconds_since(reader.since));
                (Some(reader.process), reader.oldest, held_for_s)
            }
            Self::Unseen => (None, None, None),
        };
        let by = trace::Obstacle {
            held_by: self,
            process: reader,
            held_commit,
            held_for_s,
            commit,
            newest,
        };
        trace::held_back(data, &by, log_len_bytes);
    }
}

/// How a checkpoint ended.
pub(super) enum Outcome<V> {
    /// It is complete.
    Done(V),
    /// It has not begun: this reader is in the way, or, if `None`, one that this writer does not
    /// see.
    HeldBack(Option<Seen>),
}

/// Shuts out unregistered readers, asks the reader table how far, up to commit `target`, a
/// checkpoint may go, and calls `make` if that `is_enough`. Tries again for as long as `wait` says.
///
/// Recovery and a running writer differ only in `is_enough`. The running writer accepts any limit,
/// because its log keeps the rest. A handle without a log needs everything in the array: it waits
/// for readers as for a lock.
pub(super) fn beside_readers<V>(
    (locks, sharing): (&Locks, &WriterSide<LockWords>),
    target: u64,
    wait: Wait,
    is_enough: impl Fn(&CheckpointLimit) -> bool,
    make: impl FnOnce(&CheckpointLimit) -> Result<V>,
) -> Result<Outcome<V>> {
    let (mut begun, mut in_the_way) = (None, None);
    wait.until(|| {
        in_the_way = None;
        let Some(limit) = locks.begin_checkpoint(sharing, target)? else { return Ok(false) };
        if is_enough(&limit) {
            begun = Some(limit);
            return Ok(true);
        }
        in_the_way = limit.blocker;
        locks.end_checkpoint()?;
        Ok(false)
    })?;
    let Some(limit) = begun else { return Ok(Outcome::HeldBack(in_the_way)) };
    let made = make(&limit);
    let admitted = locks.end_checkpoint();
    let made = made?;
    admitted?;
    Ok(Outcome::Done(made))
}

/// The records that a checkpoint copies to the array, and what the header says afterwards.
pub(super) struct CheckpointPlan<'t> {
    plan: Plan,
    counts: Counts,
    images: Vec<(u64, &'t [u8])>,
    /// The bytes of the file that these images replace.
    changed: Vec<Range<u64>>,
    /// The byte of the file at which the records end.
    end: u64,
    /// Whether the array holds everything afterwards, and the log can be removed.
    ends_log: bool,
}

/// The parts of a store that a checkpoint changes.
pub(super) struct Files<'f> {
    pub(super) superblock: &'f mut Superblock,
    pub(super) sums: Option<&'f mut Sums>,
    pub(super) array: &'f mut ArrayWriter,
    pub(super) log: &'f mut Option<Log>,
    pub(super) sharing: &'f WriterSide<LockWords>,
}

impl<'t> CheckpointPlan<'t> {
    /// The plan that takes the array from the commit of its header to the state of `counts` and
    /// `overlay`.
    pub(super) fn new(
        plan: Plan,
        superblock: &Superblock,
        (counts, overlay): (Counts, &'t Overlay),
        ends_log: bool,
    ) -> Result<Self> {
        let layout = superblock.header().layout()?;
        let images = overlay.sorted_after(superblock.header().counts.commit);
        let changed = ranges_of(&layout, &images);
        let end = layout.geometry.offset_of(counts.records)?;
        Ok(Self { plan, counts, images, changed, end, ends_log })
    }

    /// The newest commit whose changes the array holds afterwards.
    pub(super) fn commit(&self) -> u64 {
        self.counts.commit
    }

    /// How many bytes of the file the checkpoint replaces.
    pub(super) fn len_bytes(&self) -> u64 {
        self.changed.iter().map(|range| range.end - range.start).sum()
    }

    /// How many records the checkpoint copies to the array.
    pub(super) fn records(&self) -> u64 {
        self.images.len() as u64
    }

    /// Makes room for the new checksums before anything is written, so that a full disk does not
    /// poison the handle: the log still keeps every image.
    pub(super) fn reserve(&self, sums: Option<&Sums>) -> Result<()> {
        sums.map_or(Ok(()), |sums| sums.reserve(self.end).map(drop))
    }

    /// Runs the plan. A damaged block does not stop it: the log would grow without bound for the
    /// sake of one block, and the checksum file remembers the damage after records of the block are
    /// written.
    ///
    /// # Errors
    /// The error of the stage that failed. The superblock is poisoned then.
    pub(super) fn install(&self, files: Files<'_>) -> Result<()> {
        let live_log = match &*files.log {
            Some(log) if !self.ends_log => Some(log.oldest_after(self.counts.commit)),
            _ => None,
        };
        let change = Change {
            commit: self.counts.commit,
            changed: &self.changed,
            end: self.end,
            header: &|header| {
                header.counts = self.counts;
                header.live_log = live_log;
            },
        };
        install(self.plan, &change, &mut ToArray { plan: self, files })
    }
}

/// A checkpoint's own part of an installation.
struct ToArray<'p, 'f> {
    plan: &'p CheckpointPlan<'p>,
    files: Files<'f>,
}

impl Work for ToArray<'_, '_> {
    fn parts(&mut self) -> (&mut Superblock, Option<&mut Sums>) {
        (self.files.superblock, self.files.sums.as_deref_mut())
    }

    fn write(&mut self) -> Result<()> {
        self.files.array.write_sorted(&self.plan.images)
    }

    fn sync(&mut self) -> Result<()> {
        // The writer synced the records of a long append before the log counted them. Recovery
        // syncs them again, because it has not seen the sync return.
        if self.plan.images.is_empty() && self.plan.plan == Plan::Checkpoint {
            return Ok(());
        }
        step::reach(Step::CheckpointWritten);
        self.files.array.sync()
    }

    fn tell(&mut self) -> Result<()> {
        self.files.sharing.hold(self.plan.counts.commit);
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        let commit = self.plan.counts.commit;
        let Files { log, sharing, .. } = &mut self.files;
        let needed = sharing.retire(commit)?;
        if self.plan.ends_log {
            return log.take().map_or(Ok(()), Log::remove);
        }
        if let Some(log) = log {
            log.release(commit, Some(needed).filter(|&needed| needed < commit));
            // A reader that stalls must not hold the log for ever. If it goes on, it reads anew: a
            // frame's salt and checksum tell whether it is the frame that the reader looked for.
            if log.kept_bytes(commit) > KEPT_FOR_READERS_BYTES_MAX {
                sharing.give_up(commit);
                log.release(commit, None);
            }
        }
        Ok(())
    }
}

/// The bytes of the file that these images replace; adjacent records share a range.
pub(super) fn ranges_of(layout: &RecordLayout, images: &[(u64, &[u8])]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &(id, image) in images {
        let Ok(start) = layout.geometry.offset_of(id) else { continue };
        let end = start + image.len() as u64;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}
