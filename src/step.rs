//! Steps of the protocol that the simulation's own tests leave out, to show that it notices.
//!
//! Outside those tests [`skip`] is the constant `false`, and nothing of it is left in the program.

use crate::error::Result;

/// A step, an order or a check on which the durability of commits rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The log is synced before a commit is acknowledged.
    LogSync,
    /// The log is synced before a checkpoint writes what it holds to the array.
    CheckpointLogSync,
    /// After a sync that failed, the handle writes no more.
    Poison,
    /// A segment is synced before the first frame of its successor.
    SegmentSync,
    /// The zeros of a new segment are synced before anything counts on its length.
    SegmentZeroSync,
    /// A new segment's name is synced before the header, or its predecessor, leads to it.
    SegmentNameSync,
    /// A longer data file is synced before a commit counts records there.
    GrowthSync,
    /// So is a longer checksum file, which holds room for the sums of those records.
    SumsRoomSync,
    /// Records that are appended in place are synced before a commit counts them.
    BulkSync,
    /// Records that were appended in place are compared with what the log says of them.
    InPlaceCheck,
    /// Records that were appended in place count towards a checkpoint.
    InPlaceDue,
    /// A checkpoint has written records to their places, and is about to sync them.
    CheckpointWritten,
    /// The header is synced before anything relies on it.
    HeaderSync,
    /// The header that was found is made durable before anything is changed.
    Settle,
    /// The header is written to the slot that is not in force.
    OtherSlot,
    /// What was found in the log is synced elsewhere before the header leads there.
    RecoverySync,
    /// Where there is no room for that, what was found is written over itself where it lies ...
    KeptWrite,
    /// ... and synced.
    KeptSync,
    /// A store's name is synced before its checksums take the place of those of the store before.
    StoreNameSync,
    /// That a block is damaged is written down, durably, before the block is changed.
    DoubtSync,
    /// A block that was found damaged stays doubted, whatever is found of it later.
    DoubtKept,
    /// A block that differs while a checkpoint may be under way is judged when there is none.
    MomentOfQuiet,
    /// The stamp of the sums tells what that block is.
    JudgeBlock,
    /// A checkpoint goes no further than the oldest snapshot.
    SnapshotTarget,
    /// A writer says how far it means to go before it looks who is in the way.
    TargetFirst,
    /// Between these two lies a fence.
    TargetFence,
    /// A writer looks at the slots of readers.
    SlotScan,
    /// A writer looks for readers whose slots it does not see.
    NameScan,
    /// A writer looks for slots whose owners are alive and say nothing.
    SilentSlotScan,
    /// A reader says in its slot by which byte of the data file it is known.
    SlotName,
    /// A writer gives up no part of the log that a reader says it needs.
    NeedsScan,
    /// Between what a reader says and what it looks at lies a fence.
    ReaderFence,
    /// A reader looks whether the writer has passed it.
    ReaderRecheck,
    /// A new writer keeps the target of a checkpoint that was cut short.
    TargetKept,
    /// Between a new epoch and a look at what readers have seen lies a fence.
    EpochFence,
    /// Commits that a reader sees and that are no more change the lineage.
    NewLineage,
    /// A writer says what of the log it means to give up before it looks who needs it.
    RetiredFirst,
    /// Between these two lies a fence.
    RetiredFence,
    /// What of the log was given up stays so, whatever is needed.
    RetiredKept,
    /// Between what a reader says it needs and what it looks at lies a fence.
    NeedFence,
    /// A reader looks whether what it needs of the log is still there.
    NeedRecheck,
    /// A frame belongs to the segment that it names by its salt.
    SaltCheck,
    /// The commits in the log are numbered without gaps.
    NumberCheck,
    /// A frame continues the one that it names by its checksum.
    ChainCheck,
    /// A frame is whole if its checksum says so.
    FrameCheck,
}

/// Takes a step, unless a test leaves it out.
#[inline(always)]
pub(crate) fn take(step: Step, action: impl FnOnce() -> Result<()>) -> Result<()> {
    reach(step);
    if skip(step) { Ok(()) } else { action() }
}

/// Lets a test that waits for this thread to come to `step` go on first.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn reach(_: Step) {}

/// Lets a test that waits for this thread to come to `step` go on first.
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

/// Whether to leave `step` out: one of those that this thread's test has named.
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
