//! The state that header and log make together, as it is read.

use std::sync::Arc;

use super::in_place::{InPlace, InPlaces, Torn};
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Counts, RecordLayout, SlotState};
use crate::io::Backing;
use crate::overlay::{Committed, Images, Overlay};
use crate::wal::{self, Commit, Position};

/// The state that header and log make together.
#[derive(Clone, Debug)]
pub(crate) struct RecoveredState {
    /// Of the newest commit.
    pub(crate) counts: Counts,
    /// The images of the records that the array does not hold yet.
    pub(crate) overlay: Overlay,
    /// How many commits were found in the log.
    pub(crate) blocks: u64,
    /// The bytes of their blocks.
    pub(crate) log_len_bytes: u64,
    /// How many records they count that the array had been given before, header or not.
    pub(crate) in_place: u64,
    /// How many of these nothing sums.
    pub(crate) unsummed: u64,
}

impl RecoveredState {
    /// How many records the log counts in their places, and sums.
    pub(crate) fn summed(&self) -> u64 {
        self.in_place.saturating_sub(self.unsummed)
    }
}

/// What `also` is told of: each commit, the records it changed, and their images.
pub(crate) type Block<'a> = (&'a Commit, &'a [u64], &'a [u8]);

/// The state that comes of the commits in a log, one after the other.
#[derive(Debug)]
pub(crate) struct Gathering {
    layout: RecordLayout,
    found: RecoveredState,
    /// The newest image of each record that they changed: many commits are read at a time, and
    /// nobody asks for what was between them.
    images: Images,
    /// [`Committed::firsts`].
    firsts: Vec<(u64, u32)>,
    /// The most records that any of them counts.
    most: u64,
    /// The records that they count and have no images of.
    in_place: Vec<InPlace>,
}

impl Gathering {
    /// From `found` on.
    pub(crate) fn new(layout: RecordLayout, found: RecoveredState) -> Self {
        let most = found.counts.records;
        let (images, in_place) = (Images::new(layout.stride, layout.alignment), Vec::new());
        Self { layout, found, images, firsts: Vec::new(), most, in_place }
    }

    pub(crate) fn take(&mut self, (commit, ids, images): Block<'_>) -> Result<()> {
        let found = &mut self.found;
        if commit.counts.records < found.counts.records {
            return Err(Error::new(ErrorKind::Corrupt, "read the log of").detail(format!(
                "commit {} counts {} records, where there were {}",
                commit.counts.commit, commit.counts.records, found.counts.records
            )));
        }
        if !self.layout.deletes && !commit.counts.are_all_live() {
            return Err(Error::new(ErrorKind::Corrupt, "read the log of").detail(format!(
                "commit {} deletes records of a store without deletes",
                commit.counts.commit
            )));
        }
        // What the commits before have changed: of the last one nothing needs to be noted.
        let (changed, noted) = (self.images.len(), self.firsts.last().map_or(0, |last| last.1));
        if changed > noted as usize {
            self.firsts.push((found.counts.commit, u32::try_from(changed).unwrap_or(u32::MAX)));
        }
        self.in_place.extend(InPlace::of(commit, ids, found.counts.records));
        for (&id, image) in ids.iter().zip(images.chunks_exact(self.layout.stride)) {
            self.images.put(id, image)?;
        }
        found.counts = commit.counts;
        self.most = self.most.max(commit.counts.records);
        Ok(())
    }

    /// The state after the last of them.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the file does not have all records.
    pub(crate) fn end(self, backing: &dyn Backing) -> Result<RecoveredState> {
        let (layout, most) = (self.layout, self.most);
        check_length(backing, &layout, most)?;
        Ok(self.finish().0)
    }

    /// The state after the last of them, whether or not the file has it, and what is in its place
    /// of the records that they count.
    fn finish(self) -> (RecoveredState, Vec<InPlace>) {
        let Self { mut found, images, firsts, in_place, .. } = self;
        if !images.is_empty() {
            let committed = Committed { commit: found.counts.commit, images, firsts };
            found.overlay = found.overlay.with(Arc::new(committed), found.counts.records);
        }
        (found, in_place)
    }
}

/// The state of a store without a log.
pub(crate) fn nothing(superblock: &Superblock) -> RecoveredState {
    let header = superblock.header();
    RecoveredState {
        counts: header.counts,
        overlay: Overlay::default(),
        blocks: 0,
        log_len_bytes: 0,
        in_place: 0,
        unsummed: 0,
    }
}

/// Reads the log that the header names; `None` if it names none.
/// The images are aligned to `alignment`.
///
/// What it counts in the array is compared with what it says of that: beside a writer at work the
/// array has it, and [`read_log_through`] need not look.
pub(crate) fn read_log(
    superblock: &Superblock,
    alignment: usize,
) -> Result<Option<RecoveredState>> {
    let Some((found, torn)) = read_log_even_torn(superblock, alignment)? else { return Ok(None) };
    check_length(
        &**superblock.backing(),
        &superblock.header().layout()?.aligned_to(alignment),
        found.counts.records,
    )
    .map_err(|error| superblock.name(error))?;
    match torn.first() {
        Some(torn) => Err(superblock.name(torn.error())),
        None => Ok(Some(found)),
    }
}

/// As [`read_log`], where the file may be shorter than what the log counts, and what is in it may
/// be something else: which records those are.
pub(crate) fn read_log_even_torn(
    superblock: &Superblock,
    alignment: usize,
) -> Result<Option<(RecoveredState, Vec<Torn>)>> {
    let read = read_log_and(superblock, alignment, &mut |_| Ok(()))?;
    let Some((found, in_place)) = read else { return Ok(None) };
    let layout = superblock.header().layout()?.aligned_to(alignment);
    let in_place = InPlaces::new(&layout, &in_place, &found.overlay);
    let torn = in_place.torn(&**superblock.backing()).map_err(|error| superblock.name(error))?;
    let found =
        RecoveredState { in_place: in_place.records(), unsummed: in_place.unsummed(), ..found };
    Ok(Some((found, torn)))
}

/// As [`read_log`], up to a commit that the writer, who is at work, has published; with the place
/// from where to go on.
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
    let (found, in_place) = gathering.finish();
    let layout = superblock.header().layout()?.aligned_to(alignment);
    check_length(&**superblock.backing(), &layout, found.counts.records)
        .map_err(|error| superblock.name(error))?;
    let of_log = InPlaces::new(&layout, &in_place, &found.overlay);
    let (in_place, unsummed) = (of_log.records(), of_log.unsummed());
    let (blocks, log_len_bytes) = position.passed();
    let found = RecoveredState { blocks, log_len_bytes, in_place, unsummed, ..found };
    Ok((Some(found), Some(position)))
}

/// As [`read_log`], telling `also` of each block.
pub(crate) fn read_log_and(
    superblock: &Superblock,
    alignment: usize,
    also: &mut dyn FnMut(Block<'_>) -> Result<()>,
) -> Result<Option<(RecoveredState, Vec<InPlace>)>> {
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
    let (found, in_place) = gathering.finish();
    let (blocks, log_len_bytes) = (replayed.frames, replayed.log_len_bytes);
    Ok(Some((RecoveredState { blocks, log_len_bytes, ..found }, in_place)))
}

/// A header that names no log is taken at its word, unless the other slot is damaged, of zeros
/// perhaps: that one may have named the log that lies there with commits after this header's. A
/// slot that was only torn when it was written leaves no such log: a log is begun after its header
/// is durable. A writer asks before it writes a header: the next to open the store would find both
/// slots whole.
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
                "a header slot is damaged, the other one knows of commits up to {} and of no log, \
                 and there is a log with later ones",
                header.counts.commit
            ))
            .advice(
                "restore a backup; or remove the log's files (-wal-) to go on from the state of \
                 the header slot that is left",
            ),
    ))
}

/// The file is made long enough, durably, before a commit counts on it.
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
