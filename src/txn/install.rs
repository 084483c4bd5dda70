//! The one way in which a header comes to count other records or to mark an edit: one installer
//! runs stages in a fixed order, for checkpoint, recovery, flush, edit and truncation alike.
//!
//! `Superblock::commit` writes the headers that only name a log or make both slots agree.
//!
//! Durability rests on the order of the stages, so the order is data ([`Plan::stages`]) and is
//! written down only here. docs/DURABILITY.md argues why each order is right. The simulation's
//! tests leave out each sync of each plan, reorder the plans, and see histories break.
//!
//! A stage that fails poisons the superblock, because what the disk holds is unknown then.

use std::ops::Range;
use std::sync::Arc;

use super::superblock::Superblock;
use crate::error::Result;
use crate::format::Header;
use crate::sums::Sums;

/// The kind of change to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Copies records from the log to their places in the array.
    Checkpoint,
    /// The same for the log of an earlier process, before a handle goes on without a log.
    Recovery,
    /// Counts appended records.
    Flush,
    /// Makes the header say that an edit is changing records in place.
    BeginEdit,
    /// Makes an edit's changes durable, and the header say that the edit is over.
    FinishEdit,
    /// Makes the header count fewer records.
    Truncate,
}

/// A stage of a plan. A stage that is called durable ends with a sync of the file that it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Notes in the checksum file which of the blocks to change are damaged already, and that their
    /// change has begun, so that an interrupted change does not count as damage. Durable.
    Announce,
    /// Writes records to their places in the data file.
    Write,
    /// Syncs the data file.
    SyncData,
    /// Writes the checksums of the changed blocks.
    WriteSums,
    /// Syncs the checksum file.
    SyncSums,
    /// Writes the header to the slot that is not in force. Durable.
    Header,
    /// Cuts the checksums to the records that the header counts. Durable.
    CutSums,
    /// Makes the handle forget the records that the header no longer counts.
    Cut,
    /// Shows readers the commit.
    Tell,
    /// Releases the log up to the commit: reuses or removes its segments, as far as no reader needs
    /// them.
    Release,
}

impl Plan {
    /// The stages in their order.
    pub(crate) const fn stages(self) -> &'static [Stage] {
        use Stage::*;
        match self {
            // A header written first would count records that are not there. A log released before
            // the header may be the one that the header in force names.
            Self::Checkpoint | Self::Recovery => {
                &[Announce, Write, SyncData, WriteSums, SyncSums, Header, Tell, Release]
            }
            // No announcement: appended records overwrite nothing that a header counts.
            Self::Flush => &[SyncData, WriteSums, SyncSums, Header, Tell],
            Self::BeginEdit => &[Header],
            Self::FinishEdit => &[SyncData, WriteSums, SyncSums, Header, Tell],
            // Two headers: neither slot may count records whose places will be overwritten.
            Self::Truncate => &[Announce, Header, Header, CutSums, Cut, Tell],
        }
    }
}

/// What the header and the checksums say after the plan.
pub(crate) struct Change<'c> {
    /// The number of the commit that the last header of the plan names.
    pub(crate) commit: u64,
    /// The changed bytes of the file, among those that the header in force counts.
    pub(crate) changed: &'c [Range<u64>],
    /// The byte of the file at which the records end.
    pub(crate) end: u64,
    /// Turns the header in force into the next one.
    pub(crate) header: &'c dyn Fn(&mut Header),
}

/// The caller's part of a plan: its records, its readers and its log.
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

/// Runs the stages of a plan.
///
/// # Errors
/// The error of the stage that failed. The superblock is poisoned then.
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
        // A plan that changes no counted record has nothing to announce.
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

/// What tests can alter in the plans: nothing in this build.
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

/// What a test alters in the plans, on its own thread.
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
