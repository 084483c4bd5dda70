//! Reads the newest state of a store from its header and log.

use std::sync::Arc;

use super::long_append::{LongAppend, LongAppends, MismatchedRecords};
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Counts, RecordLayout, SlotState};
use crate::io::Backing;
use crate::overlay::{Committed, Images, Overlay};
use crate::wal::{self, Commit, Position};

/// The state that header and log give together.
#[derive(Clone, Debug)]
pub(crate) struct RecoveredState {
    /// The counts of the newest commit.
    pub(crate) counts: Counts,
    /// The images of the records that the array does not hold yet.
    pub(crate) overlay: Overlay,
    /// How many commits, and so frames, the log holds.
    pub(crate) frames: u64,
    /// The bytes of their frames.
    pub(crate) log_len_bytes: u64,
    /// How many records the long appends of these commits count.
    pub(crate) long_append_records: u64,
    /// How many of these records no checksum in the log covers.
    pub(crate) unsummed: u64,
}

impl RecoveredState {
    /// How many records of long appends a checksum in the log covers.
    pub(crate) fn summed(&self) -> u64 {
        self.long_append_records - self.unsummed
    }
}

/// The content of a frame: its commit, the records that it changed, and their images.
pub(crate) type Frame<'a> = (&'a Commit, &'a [u64], &'a [u8]);

/// Applies the commits of a log one after the other to a state.
#[derive(Debug)]
pub(crate) struct Gathering {
    layout: RecordLayout,
    found: RecoveredState,
    /// The newest image of each changed record. The states between the commits are not kept,
    /// because no snapshot reads them.
    images: Images,
    /// [`Committed::firsts`].
    firsts: Vec<(u64, u32)>,
    /// The largest number of records of any commit.
    most: u64,
    /// The records that the commits count and have no images of.
    long_appends: Vec<LongAppend>,
}

impl Gathering {
    /// Starts from the state `found`.
    pub(crate) fn new(layout: RecordLayout, found: RecoveredState) -> Self {
        let most = found.counts.records;
        let (images, long_appends) = (Images::new(layout.stride, layout.alignment), Vec::new());
        Self { layout, found, images, firsts: Vec::new(), most, long_appends }
    }

    /// Applies the next commit.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the commit counts fewer records than the one before, or deletes
    /// records of a store without deletes; [`ErrorKind::Unsupported`] if its images do not fit in
    /// memory.
    pub(crate) fn take(&mut self, (commit, ids, images): Frame<'_>) -> Result<()> {
        let found = &mut self.found;
        if commit.counts.records < found.counts.records {
            return Err(Error::new(ErrorKind::Corrupt, "read the log of").detail(format!(
                "commit {} counts {} records, fewer than the {} of the commit before it",
                commit.counts.commit, commit.counts.records, found.counts.records
            )));
        }
        if !self.layout.deletes && !commit.counts.are_all_live() {
            return Err(Error::new(ErrorKind::Corrupt, "read the log of").detail(format!(
                "commit {} deletes records of a store without deletes",
                commit.counts.commit
            )));
        }
        // Notes how many images the commits before this one have, except for the last commit, which
        // needs no note.
        let (changed, noted) = (self.images.len(), self.firsts.last().map_or(0, |last| last.1));
        if changed > noted as usize {
            self.firsts.push((found.counts.commit, u32::try_from(changed).unwrap_or(u32::MAX)));
        }
        self.long_appends.extend(LongAppend::of(commit, ids, found.counts.records));
        for (&id, image) in ids.iter().zip(images.chunks_exact(self.layout.stride)) {
            self.images.put(id, image)?;
        }
        found.counts = commit.counts;
        self.most = self.most.max(commit.counts.records);
        Ok(())
    }

    /// The state after the last commit.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the data file is shorter than the records that a commit counts;
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub(crate) fn end(self, backing: &dyn Backing) -> Result<RecoveredState> {
        let (layout, most) = (self.layout, self.most);
        check_length(backing, &layout, most)?;
        Ok(self.finish().0)
    }

    /// The state after the last commit, and the long appends, without a check that the data
    /// file is long enough.
    fn finish(self) -> (RecoveredState, Vec<LongAppend>) {
        let Self { mut found, images, firsts, long_appends, .. } = self;
        if !images.is_empty() {
            let committed = Committed { commit: found.counts.commit, images, firsts };
            found.overlay = found.overlay.with(Arc::new(committed), found.counts.records);
        }
        (found, long_appends)
    }
}

/// The state of a store without a log.
pub(crate) fn nothing(superblock: &Superblock) -> RecoveredState {
    let header = superblock.header();
    RecoveredState {
        counts: header.counts,
        overlay: Overlay::default(),
        frames: 0,
        log_len_bytes: 0,
        long_append_records: 0,
        unsummed: 0,
    }
}

/// Reads the log that the header names; `None` if the header names no log. The images are aligned
/// to `alignment`.
///
/// Compares long appends with their checksums in the log. [`read_log_through`] need not do this,
/// because beside a running writer the array holds them.
pub(crate) fn read_log(
    superblock: &Superblock,
    alignment: usize,
) -> Result<Option<RecoveredState>> {
    let Some((found, mismatched)) = read_log_even_mismatched(superblock, alignment)? else {
        return Ok(None);
    };
    check_length(
        &**superblock.backing(),
        &superblock.header().layout()?.aligned_to(alignment),
        found.counts.records,
    )
    .map_err(|error| superblock.name(error))?;
    match mismatched.first() {
        Some(mismatched) => Err(superblock.name(mismatched.error())),
        None => Ok(Some(found)),
    }
}

/// As [`read_log`], but accepts a data file that is too short or whose long appends do not match
/// the log. Returns the records that do not match.
pub(crate) fn read_log_even_mismatched(
    superblock: &Superblock,
    alignment: usize,
) -> Result<Option<(RecoveredState, Vec<MismatchedRecords>)>> {
    let read = read_log_and(superblock, alignment, &mut |_| Ok(()))?;
    let Some((found, long_appends)) = read else { return Ok(None) };
    let layout = superblock.header().layout()?.aligned_to(alignment);
    let long_appends = LongAppends::new(&layout, &long_appends, &found.overlay);
    let mismatched =
        long_appends.mismatched(&**superblock.backing()).map_err(|error| superblock.name(error))?;
    let found = RecoveredState {
        long_append_records: long_appends.records(),
        unsummed: long_appends.unsummed(),
        ..found
    };
    Ok(Some((found, mismatched)))
}

/// As [`read_log`], up to commit `through`, which a running writer has published. Also returns the
/// place in the log to read on from.
pub(crate) fn read_log_through(
    superblock: &Superblock,
    alignment: usize,
    through: u64,
) -> Result<(Option<RecoveredState>, Option<Position>)> {
    let header = superblock.header();
    let Some(salt) = header.live_log else { return Ok((None, None)) };
    let mut gathering =
        Gathering::new(superblock.header().layout()?.aligned_to(alignment), nothing(superblock));
    let position = Position::find(
        &**superblock.backing(),
        header.file_id,
        salt,
        (header.counts.commit, through),
        header.stride,
        &mut |commit, ids, images| gathering.take((commit, ids, images)),
    );
    let position = position.map_err(|error| superblock.name(error))?;
    let (found, long_appends) = gathering.finish();
    let layout = superblock.header().layout()?.aligned_to(alignment);
    check_length(&**superblock.backing(), &layout, found.counts.records)
        .map_err(|error| superblock.name(error))?;
    let of_log = LongAppends::new(&layout, &long_appends, &found.overlay);
    let (long_append_records, unsummed) = (of_log.records(), of_log.unsummed());
    let (frames, log_len_bytes) = position.passed();
    let found = RecoveredState { frames, log_len_bytes, long_append_records, unsummed, ..found };
    Ok((Some(found), Some(position)))
}

/// As [`read_log`], but calls `also` for each frame. Returns the long appends instead of checking
/// them.
pub(crate) fn read_log_and(
    superblock: &Superblock,
    alignment: usize,
    also: &mut dyn FnMut(Frame<'_>) -> Result<()>,
) -> Result<Option<(RecoveredState, Vec<LongAppend>)>> {
    let header = superblock.header();
    check_no_log_is_lost(superblock)?;
    let Some(salt) = header.live_log else { return Ok(None) };
    let mut gathering =
        Gathering::new(superblock.header().layout()?.aligned_to(alignment), nothing(superblock));
    let replayed = wal::replay(
        &**superblock.backing(),
        header.file_id,
        salt,
        header.counts.commit,
        header.stride,
        &mut |commit, ids, images| {
            gathering.take((commit, ids, images))?;
            also((commit, ids, images))
        },
    );
    let replayed = replayed.map_err(|error| superblock.name(error))?;
    replayed.check_uncut()?;
    let (found, long_appends) = gathering.finish();
    let (frames, log_len_bytes) = (replayed.frames, replayed.log_len_bytes);
    Ok(Some((RecoveredState { frames, log_len_bytes, ..found }, long_appends)))
}

/// Refuses a header that names no log if the other slot is damaged, perhaps zeroed, and a log with
/// later commits exists: the damaged slot may have named that log.
///
/// A slot that was torn when it was written leaves no such log, because a log receives commits only
/// after the header that names it is durable. A writer checks this before it writes a header,
/// because the next handle would find both slots whole.
pub(crate) fn check_no_log_is_lost(superblock: &Superblock) -> Result<()> {
    if superblock.header().live_log.is_some() {
        return Ok(());
    }
    let report = superblock.report();
    let is_valid = |slot: &SlotState| matches!(slot, SlotState::Valid { .. });
    if is_valid(&report.a) && is_valid(&report.b) {
        return Ok(());
    }
    let header = superblock.header();
    let newest = wal::newest_begun(&**superblock.backing(), header.file_id)?;
    if newest.is_none_or(|newest| newest <= header.counts.commit) {
        return Ok(());
    }
    Err(superblock.name(
        Error::new(ErrorKind::Corrupt, "read the log of")
            .detail(format!(
                "a header slot is damaged; the other slot ends with commit {} and names no log, \
                 but a log with later commits exists",
                header.counts.commit
            ))
            .advice(
                "restore a backup, or remove the log's files (-wal-) to continue from the state of \
                 the undamaged header slot",
            ),
    ))
}

/// Refuses a data file that is shorter than `count` records: a writer makes the file long enough,
/// durably, before a commit counts its records.
fn check_length(backing: &dyn Backing, layout: &RecordLayout, count: u64) -> Result<()> {
    let file_len_bytes = backing.len_bytes()?;
    let end = layout.geometry.offset_of(count)?;
    if end <= file_len_bytes {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Truncated, "read the log of")
        .detail(format!(
            "the log counts {count} records, up to byte {end}; the file ends at byte \
             {file_len_bytes}"
        ))
        .advice("restore the file from a copy"))
}
