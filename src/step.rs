//! Steps of the protocol that tests leave out, to show that the simulation and the model notice.
//!
//! Outside tests [`skip`] is the constant `false` and costs nothing.

use crate::error::Result;

/// A step, an order or a check that the durability of commits depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The log is synced before a commit is acknowledged.
    LogSync,
    /// The log is synced before a checkpoint writes what it holds to the array.
    CheckpointLogSync,
    /// After a failed sync the handle stops writing.
    Poison,
    /// A segment is synced before the first frame of its successor.
    SegmentSync,
    /// The zeros of a new segment are synced before any step relies on its length.
    SegmentZeroSync,
    /// A new segment's name is synced before the header, or its predecessor, leads to it.
    SegmentNameSync,
    /// A longer data file is synced before a commit counts records there.
    GrowthSync,
    /// A longer checksum file is synced before a commit counts records whose sums it holds.
    SumsRoomSync,
    /// The records of a long append are synced before a commit counts them.
    LongAppendSync,
    /// Recovery compares long appends with their checksums in the log.
    LongAppendCheck,
    /// Long appends count towards a checkpoint.
    LongAppendDue,
    /// A checkpoint has written records to their places, and is about to sync them.
    CheckpointWritten,
    /// The header is synced before any step relies on it.
    HeaderSync,
    /// Recovery makes the header that it found durable before it changes anything.
    Settle,
    /// A new header is written to the slot that is not in force.
    OtherSlot,
    /// Recovery writes and syncs the log's content elsewhere before the header names the new place.
    RecoverySync,
    /// Without room for that, recovery writes the log's content over itself in place ...
    KeptWrite,
    /// ... and synced.
    KeptSync,
    /// A store's name is synced before its checksums replace those of the previous store.
    StoreNameSync,
    /// The note that a block is damaged is durable before the block is changed.
    DoubtSync,
    /// A block found damaged stays doubted, whatever a later check finds.
    DoubtKept,
    /// A block that differs during a possible checkpoint is judged when no checkpoint runs.
    MomentOfQuiet,
    /// The stamp of the sums identifies that block.
    JudgeBlock,
    /// A checkpoint goes no further than the oldest snapshot.
    SnapshotTarget,
    /// A writer stores its target before it looks for readers in the way.
    TargetFirst,
    /// A fence separates these two.
    TargetFence,
    /// A writer looks at the entries of readers.
    EntryScan,
    /// A writer looks for readers whose entries it cannot see.
    NameScan,
    /// A writer looks for entries of living owners without a word in them.
    SilentEntryScan,
    /// A reader names, in its entry, the byte of the data file that it has locked.
    EntryName,
    /// A writer keeps every part of the log that a reader says it needs.
    NeedsScan,
    /// A fence separates a reader's word about its snapshot from its look at the target.
    ReaderFence,
    /// A reader checks whether the writer has passed it.
    ReaderRecheck,
    /// A new writer keeps the target of an interrupted checkpoint.
    TargetKept,
    /// A fence separates a new epoch from the look at what readers have seen.
    EpochFence,
    /// The lineage changes when commits are lost that a reader may have seen.
    NewLineage,
    /// A writer stores which part of the log it will reuse before it looks for readers that need
    /// it.
    RetiredFirst,
    /// A fence separates these two.
    RetiredFence,
    /// A retired part of the log stays retired, whatever readers need.
    RetiredKept,
    /// A fence separates a reader's word about the log from its look at the retired part.
    NeedFence,
    /// A reader checks whether the part of the log that it needs still exists.
    NeedRecheck,
    /// A frame belongs to the segment named by its salt.
    SaltCheck,
    /// The commits in the log are numbered without gaps.
    NumberCheck,
    /// A frame continues the frame named by its checksum.
    ChainCheck,
    /// A frame with a matching checksum is whole.
    FrameCheck,
}

/// Takes a step unless a test leaves it out.
#[inline(always)]
pub(crate) fn take(step: Step, action: impl FnOnce() -> Result<()>) -> Result<()> {
    reach(step);
    if skip(step) { Ok(()) } else { action() }
}

/// Runs the hook of a test that waits until this thread comes to `step`.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn reach(_: Step) {}

/// Runs the hook of a test that waits until this thread comes to `step`.
#[cfg(test)]
pub(crate) fn reach(step: Step) {
    tests::reach(step);
}

/// Whether to leave `step` out.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn skip(_: Step) -> bool {
    false
}

/// Whether to leave `step` out because this thread's test has named it.
#[cfg(test)]
pub(crate) fn skip(step: Step) -> bool {
    tests::SKIPPED.with_borrow(|skipped| skipped.contains(&step))
}

#[cfg(test)]
pub(crate) use tests::{at, without};

#[cfg(test)]
mod tests {
    use super::Step;
    use std::cell::RefCell;

    thread_local! {
        pub(super) static SKIPPED: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
    }

    type Hook = (Step, Box<dyn FnOnce()>);

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// Runs `hook` when this thread comes to `step` for the first time, before it takes it.
    pub(crate) fn at(step: Step, hook: impl FnOnce() + 'static) {
        HOOK.set(Some((step, Box::new(hook))));
    }

    pub(super) fn reach(step: Step) {
        let hook = HOOK.with_borrow_mut(|hook| hook.take_if(|(at, _)| *at == step));
        if let Some((_, hook)) = hook {
            hook();
        }
    }

    /// Runs `work`, on this thread, without these steps.
    pub(crate) fn without<T>(steps: &[Step], work: impl FnOnce() -> T) -> T {
        SKIPPED.set(steps.to_vec());
        let result = work();
        SKIPPED.take();
        result
    }
}
