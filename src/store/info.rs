//! What can be told about an open store.

use std::path::PathBuf;

use super::exclusive_file::{ExclusiveFile, Mode};
use crate::array::ViewCounters;
use crate::error::{Error, Result};
use crate::format::SlotState;
use crate::io::{Access, Backing, View};
use crate::os::{FaultCounts, FileSystemKind, Residency, process_faults};
use crate::shm::process;
use crate::sums::{Checksums, DamagedBlock, Known};
use crate::txn::{ReaderInfo, RecoveredState, Row};

/// Sizes, header slots, views, residency and faults of an open store, as they were when asked.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[0; 4 * 1000])?;
/// store.flush()?;
/// let info = store.info()?;
/// assert_eq!((info.count, info.stride, info.data_offset), (1000, 4, 65_536));
/// assert!(info.file_len_bytes >= 65_536 + 4000);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Where the store is; `None` for a temporary one.
    pub path: Option<PathBuf>,
    /// What this handle may do.
    pub access: Access,
    /// Records, those appended and not yet flushed, and those deleted, among them.
    pub count: u64,
    /// Records that are not deleted.
    pub live_count: u64,
    /// Whether records can be deleted: each has a status byte then.
    pub deletes: bool,
    /// The deleted record whose place is used again first, the head of the free list.
    pub free_head: Option<u64>,
    /// Records that the header counts.
    pub committed_count: u64,
    /// Bytes of one record, without a status byte.
    pub record_size: u32,
    /// Bytes from one record to the next.
    pub stride: u32,
    /// Bytes of the metadata that the store was created with.
    pub metadata_len_bytes: u32,
    /// Bytes from the start of the file to record 0.
    pub data_offset: u64,
    /// Bytes of the file, preallocated ones among them while a writer has it open.
    pub file_len_bytes: u64,
    /// Bytes that the file takes on its device.
    pub allocated_bytes: u64,
    /// How often the header has been written.
    pub sequence: u64,
    /// The number of the newest commit, in the file or in the log.
    pub commit: u64,
    /// The log, if there is one: of a [`Database`](crate::Database) that is open, or was killed.
    pub log: Option<LogInfo>,
    /// The handle that has the store open to write, this one if it does.
    pub writer: Option<WriterInfo>,
    /// The readers that have the store open in other handles and processes, and what they hold; a
    /// writer whose own snapshots have held a checkpoint back is one of them. Those that may not
    /// write the lock file are not among them, nor those under another name.
    pub readers: Vec<ReaderInfo>,
    /// The random number that the store was made with.
    pub file_id: [u8; 16],
    /// What was found in the two header slots when the store was opened.
    pub slots: [SlotInfo; 2],
    /// Whether an exclusive edit was under way, or interrupted.
    pub editing: bool,
    /// Whether the store has checksums of its records.
    pub checksums: Checksums,
    /// How many records, deleted ones included, no checksum covers: neither one of the store's nor
    /// one of the log's.
    pub unsummed: u64,
    /// The blocks that did not match their checksums when a handle was about to change records of
    /// them, the first 1000; [`verify`](crate::verify) looks at all blocks.
    pub damaged: Vec<DamagedBlock>,
    /// How many such blocks there are.
    pub damaged_blocks: u64,
    /// What the file lies on.
    pub file_system: FileSystemKind,
    /// Bytes that this handle maps to read.
    pub mapped_bytes: u64,
    /// What the sliding windows have done, for a windowed store.
    pub windows: Option<ViewCounters>,
    /// How many pages of the records are in memory; `None` where there is no whole view to ask. Of
    /// a large file an estimate: see [`StoreInfo::residency_asked_pages`].
    pub residency: Option<Residency>,
    /// How many pages were asked about for that: all, or a sample of 262,144 where there are more
    /// (1 GiB at 4096 bytes), spread evenly. A hole may have billions of pages.
    pub residency_asked_pages: u64,
    /// Page faults of this process so far.
    pub faults: FaultCounts,
}

/// What was found in the log when the store was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogInfo {
    /// Commits that the array does not hold yet.
    pub commits: u64,
    /// Records with changes in them.
    pub records: u64,
    /// Bytes of the frames of the log.
    pub len_bytes: u64,
    /// Files that the log lies in.
    pub segments: u64,
}

/// A handle that has a store open to write.
///
/// ```
/// use flatrec::{DataType, DynDatabase, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let writer = DynDatabase::create(&path, &schema)?;
/// let info = DynStore::open_read_only(&path)?.info()?;
/// assert_eq!(info.writer.unwrap().process, Some(u64::from(std::process::id())));
/// writer.close()?;
/// assert_eq!(DynStore::open_read_only(&path)?.info()?.writer, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterInfo {
    /// The number of its process, as it is called there; `None` if it does not say, as where it has
    /// not finished opening the store.
    pub process: Option<u64>,
}

/// What was found in a header slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotInfo {
    /// A header whose checksum holds.
    Valid {
        /// The slot with the higher one is in force.
        sequence: u64,
        /// The records it counts.
        count: u64,
    },
    /// Nothing.
    Empty,
    /// Something else, such as a torn write, and why it is not believed.
    Bad(String),
}

impl StoreInfo {
    pub(crate) fn of<R: Row + ?Sized>(file: &ExclusiveFile<R>) -> Result<Self> {
        let header = file.superblock.header();
        let backing = file.superblock.backing();
        let view = file.array.whole().view();
        let windows = file.array.counters();
        let file_len_bytes = backing.len_bytes()?;
        // A view may reach past the end of the file, where there are no pages to ask for.
        let shown = file_len_bytes.min(view.len_bytes() as u64);
        let shown = usize::try_from(shown).unwrap_or(view.len_bytes());
        let (residency, residency_asked_pages) = match shown {
            0 => (None, 0),
            _ => residency_of(view, shown)?,
        };
        let report = file.superblock.report();
        let log = file.mode.log().map(|log| LogInfo::of(log, &**backing)).transpose()?;
        let (writer, readers) = sharers(file)?;
        let known = Known::of(file.mode.sums(), &**backing, header)?;
        let unsummed = match &known.checksums {
            Checksums::Present { .. } => 0,
            _ => header.counts.records,
        };
        Ok(Self {
            path: file.path(),
            access: file.access(),
            count: file.array.count(),
            live_count: file.live_count(),
            deletes: header.deletes,
            free_head: file.free_head(),
            committed_count: file.committed_count(),
            record_size: header.record_size,
            stride: header.stride,
            metadata_len_bytes: header.metadata_len_bytes,
            data_offset: header.data_offset,
            file_len_bytes,
            allocated_bytes: backing.allocated_bytes()?,
            sequence: header.sequence,
            commit: file.committed().commit,
            log,
            writer,
            readers,
            file_id: header.file_id,
            slots: [slot_info(&report.a), slot_info(&report.b)],
            editing: file.superblock.found_editing(),
            checksums: known.checksums,
            unsummed: unsummed.saturating_add(file.mode.log().map_or(0, |log| log.unsummed)),
            damaged: known.damaged,
            damaged_blocks: known.damaged_blocks,
            file_system: backing.properties().file_system.clone(),
            mapped_bytes: windows.map_or(view.len_bytes() as u64, |windows| windows.mapped_bytes),
            windows,
            residency,
            residency_asked_pages,
            faults: process_faults().map_err(|source| Error::io("count page faults", source))?,
        })
    }
}

/// The runs of pages that a sample has, and the pages of each.
const SAMPLE_RUNS: u64 = 1024;
const SAMPLE_RUN_PAGES: u64 = 256;

/// How much of the first `len_bytes` bytes of a view is in memory, and how many pages were asked
/// about to know.
fn residency_of(view: &View, len_bytes: usize) -> Result<(Option<Residency>, u64)> {
    let first = view.residency(0..1)?;
    let page_size_bytes = first.page_size_bytes.max(1);
    let pages = (len_bytes as u64).div_ceil(page_size_bytes);
    if pages <= SAMPLE_RUNS * SAMPLE_RUN_PAGES {
        let all = view.residency(0..len_bytes)?;
        return Ok((Some(all), all.pages));
    }
    let mut asked = Residency { pages: 0, resident_pages: 0, page_size_bytes };
    for run in 0..SAMPLE_RUNS {
        let start = run * (pages / SAMPLE_RUNS) * page_size_bytes;
        let end = start + SAMPLE_RUN_PAGES * page_size_bytes;
        // Both lie in the view, whose length is an index.
        let range = usize::try_from(start).unwrap_or(len_bytes)
            ..usize::try_from(end).unwrap_or(len_bytes).min(len_bytes);
        let found = view.residency(range)?;
        asked.pages += found.pages;
        asked.resident_pages += found.resident_pages;
    }
    let share = u128::from(asked.resident_pages) * u128::from(pages);
    let resident = u64::try_from(share / u128::from(asked.pages.max(1))).unwrap_or(pages);
    let all = Residency { pages, resident_pages: resident, page_size_bytes };
    Ok((Some(all), asked.pages))
}

/// Who has the store of `file` open beside it, and who writes to it.
fn sharers<R: Row + ?Sized>(
    file: &ExclusiveFile<R>,
) -> Result<(Option<WriterInfo>, Vec<ReaderInfo>)> {
    let (writer, seen) = match &file.mode {
        Mode::Write(state) | Mode::Unpublished(state, _) => {
            (Some(WriterInfo { process: Some(process()) }), state.sharing.readers()?)
        }
        Mode::Read(state) | Mode::Private(state) => {
            let presence = state.pin.presence();
            let has_writer = presence.has_writer()?;
            let writer = WriterInfo { process: presence.writer_process() };
            (has_writer.then_some(writer), presence.others(has_writer)?)
        }
        Mode::Closed => (None, Vec::new()),
    };
    Ok((writer, seen.iter().map(ReaderInfo::of).collect()))
}

impl LogInfo {
    fn of(found: &RecoveredState, backing: &dyn Backing) -> Result<Self> {
        let sides = backing.list_sides()?;
        let segments = sides.iter().filter(|suffix| suffix.starts_with("-wal-")).count();
        Ok(Self {
            commits: found.blocks,
            records: found.overlay.sorted_after(0).len() as u64,
            len_bytes: found.log_len_bytes,
            segments: segments as u64,
        })
    }
}

pub(crate) fn slot_info(state: &SlotState) -> SlotInfo {
    match state {
        SlotState::Valid { sequence, count } => {
            SlotInfo::Valid { sequence: *sequence, count: *count }
        }
        SlotState::Empty => SlotInfo::Empty,
        SlotState::Bad(why) => SlotInfo::Bad(why.clone()),
    }
}
