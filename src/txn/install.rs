//! The one way in which a change becomes the file's: stages in a fixed order, which one installer
//! goes through for checkpoint, recovery, flush, edit and truncation alike.
//!
//! The order of the stages is the protocol on which durability rests, so it is data
//! ([`Plan::stages`]) and stands here alone. docs/DURABILITY.md argues why each order is right. The
//! simulation's tests leave out each sync of each plan, and reorder the plans, and see histories
//! break.
//!
//! After a stage that fails the superblock is poisoned: what the disk holds is unknown then.

use std::ops::Range;
use std::sync::Arc;

use super::superblock::Superblock;
use crate::error::Result;
use crate::format::Header;
use crate::sums::Sums;

/// What is to be installed, and for which caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Records that the log holds go to their places in the array.
    Checkpoint,
    /// So do those of a log that a process left, before a handle goes on without a log.
    Recovery,
    /// Appended records are counted.
    Flush,
    /// The header says that records are being changed in place.
    BeginEdit,
    /// Records that were changed in place, and are not said to be changing any more.
    FinishEdit,
    /// Records at the end are no longer counted.
    Truncate,
}

/// A stage of a plan. Those that change a file end with its sync, unless a stage of its own does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The checksums say which of the blocks to be changed are damaged, and that their change has
    /// begun: a change that is cut short is no damage then. Durable.
    Announce,
    /// Records go to their places in the data file.
    Write,
    /// The data file is synced.
    SyncData,
    /// The checksums of what has changed are written.
    WriteSums,
    /// The checksums are synced.
    SyncSums,
    /// The header is written to the slot that is not in force. Durable.
    Header,
    /// The checksums cover no more than the header counts. Durable.
    CutSums,
    /// The handle forgets the records that are no longer counted.
    Cut,
    /// Readers are shown the commit.
    Tell,
    /// What the log has of the commit can be used anew.
    Release,
}

impl Plan {
    /// The stages in their order.
    pub(crate) const fn stages(self) -> &'static [Stage] {
        use Stage::*;
        match self {
            // A header that comes first would speak for records that are not there; a log that is
            // given up first may be what the header in force leads to.
            Self::Checkpoint | Self::Recovery => {
                &[Announce, Write, SyncData, WriteSums, SyncSums, Header, Tell, Release]
            }
            // Places above every count: nothing that a header in force counts is written over.
            Self::Flush => &[SyncData, WriteSums, SyncSums, Header, Tell],
            Self::BeginEdit => &[Header],
            Self::FinishEdit => &[SyncData, WriteSums, SyncSums, Header, Tell],
            // Neither slot may count records whose places are to be written anew.
            Self::Truncate => &[Announce, Header, Header, CutSums, Cut, Tell],
        }
    }
}

/// What the header and the checksums are to say.
pub(crate) struct Change<'c> {
    /// The number of the commit that the last header of the plan names.
    pub(crate) commit: u64,
    /// The bytes of the file that change among those that the header in force counts.
    pub(crate) changed: &'c [Range<u64>],
    /// The byte of the file at which the records end.
    pub(crate) end: u64,
    /// Makes the next header of the one in force.
    pub(crate) header: &'c dyn Fn(&mut Header),
}

/// A caller's own part: its records, and who is told of them.
pub(crate) trait Work {
    /// The superblock, and the checksums if the store has them.
    fn parts(&mut self) -> (&mut Superblock, Option<&mut Sums>);

    /// See [`Stage::Write`].
    fn write(&mut self) -> Result<()> {
        Ok(())
    }

    /// See [`Stage::SyncData`].
    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    /// See [`Stage::Cut`].
    fn cut(&mut self) -> Result<()> {
        Ok(())
    }

    /// See [`Stage::Tell`].
    fn tell(&mut self) -> Result<()> {
        Ok(())
    }

    /// See [`Stage::Release`].
    fn release(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Goes through the stages of a plan.
///
/// # Errors
/// Those of the stage that failed. The superblock is poisoned then.
pub(crate) fn install(plan: Plan, change: &Change<'_>, work: &mut dyn Work) -> Result<()> {
    for &stage in altered::stages(plan).iter() {
        let done = go_through(plan, stage, change, work);
        work.parts().0.keep(done)?;
    }
    Ok(())
}

fn go_through(plan: Plan, stage: Stage, change: &Change<'_>, work: &mut dyn Work) -> Result<()> {
    let is_synced = !altered::skips_sync(plan, stage);
    match stage {
        Stage::Write => return work.write(),
        Stage::SyncData => return if is_synced { work.sync() } else { Ok(()) },
        Stage::Cut => return work.cut(),
        Stage::Tell => return work.tell(),
        Stage::Release => return work.release(),
        _ => {}
    }
    let (superblock, sums) = work.parts();
    let data = Arc::clone(superblock.backing());
    match (stage, sums) {
        (Stage::Header, _) => superblock.commit_with(is_synced, change.header),
        // A plan that changes nothing of what is counted has nothing to announce.
        (Stage::Announce, Some(sums)) if plan == Plan::Truncate || !change.changed.is_empty() => {
            sums.doubt_damaged(&*data, change.changed)?;
            sums.sync_with(is_synced, change.commit)
        }
        (Stage::WriteSums, Some(sums)) => sums.update(&*data, change.changed, change.end),
        (Stage::SyncSums, Some(sums)) => sums.sync_with(is_synced, change.commit),
        (Stage::CutSums, Some(sums)) => sums.truncate(&*data, change.end),
        _ => Ok(()),
    }
}

/// What a test changes of the plans.
#[cfg(not(test))]
mod altered {
    use super::{Plan, Stage};

    #[inline(always)]
    pub(super) const fn stages(plan: Plan) -> &'static [Stage] {
        plan.stages()
    }

    #[inline(always)]
    pub(super) const fn skips_sync(_: Plan, _: Stage) -> bool {
        false
    }
}

#[cfg(test)]
pub(crate) use altered::{in_order, unsynced};

/// What a test changes of the plans, on its own thread.
#[cfg(test)]
mod altered {
    use std::cell::{Cell, RefCell};

    use super::{Plan, Stage};

    thread_local! {
        static ORDER: RefCell<Option<(Plan, Vec<Stage>)>> = const { RefCell::new(None) };
        static UNSYNCED: Cell<Option<(Plan, Stage)>> = const { Cell::new(None) };
    }

    pub(super) fn stages(plan: Plan) -> Vec<Stage> {
        let other = ORDER.with_borrow(|order| order.clone()).filter(|(of, _)| *of == plan);
        other.map_or_else(|| plan.stages().to_vec(), |(_, stages)| stages)
    }

    pub(super) fn skips_sync(plan: Plan, stage: Stage) -> bool {
        UNSYNCED.get() == Some((plan, stage))
    }

    /// Runs `work` with another order of a plan's stages.
    pub(crate) fn in_order<V>(plan: Plan, stages: &[Stage], work: impl FnOnce() -> V) -> V {
        ORDER.set(Some((plan, stages.to_vec())));
        let result = work();
        ORDER.take();
        result
    }

    /// Runs `work` without the sync of one stage of one plan.
    pub(crate) fn unsynced<V>(plan: Plan, stage: Stage, work: impl FnOnce() -> V) -> V {
        UNSYNCED.set(Some((plan, stage)));
        let result = work();
        UNSYNCED.set(None);
        result
    }
}
