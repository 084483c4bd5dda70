//! Facts about an open store, for a caller to show. A handle gives its [`Parts`], and
//! [`StoreInfo::of`] adds what the system says of file and process.

use std::path::PathBuf;
use std::time::Duration;

use super::commit_id::CommitId;
use super::reader_info::ReaderInfo;
use super::recovered::RecoveredState;
use super::superblock::SeenHeader;
use crate::array::ViewCounters;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Counts, Header, SlotState};
use crate::io::{Access, Backing, View};
use crate::os::{FaultCounts, FileSystemKind, Residency, process_faults};
use crate::shm::Seen;
use crate::sums::{Checksums, DamagedBlock, Known};
use crate::wal::{self, LeftoverFile};

/// Facts about an open store at the time of the call: sizes, header slots, log, handles in other
/// processes, checksums, views, residency, page faults. Every handle has `info`:
/// [`Database::info`](crate::Database::info),
/// [`ReadOnlyDatabase::info`](crate::ReadOnlyDatabase::info),
/// [`Store::info`](crate::Store::info) and [`WindowedStore::info`](crate::WindowedStore::info).
///
/// Counts and commit are those of one commit. If the store changes during the call, other facts may
/// be of another moment.
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
    /// The path of the store; `None` for a temporary one.
    pub path: Option<PathBuf>,
    /// How this handle has opened the store.
    pub access: Access,
    /// The number of records, including those not yet flushed and those deleted.
    pub count: u64,
    /// The number of records that are not deleted.
    pub live_count: u64,
    /// Whether records can be deleted; then each has a status byte.
    pub deletes: bool,
    /// The head of the free list: the deleted record whose place the next insert uses.
    pub free_head: Option<u64>,
    /// The number of records that the newest commit counts, in the header or in the log.
    pub committed_count: u64,
    /// Bytes of one record, without a status byte.
    pub record_size: u32,
    /// Bytes from one record to the next.
    pub stride: u32,
    /// Bytes of the metadata that the store was created with.
    pub metadata_len_bytes: u32,
    /// Bytes from the start of the file to record 0.
    pub data_offset: u64,
    /// Bytes of the file, including those that a writer has preallocated.
    pub file_len_bytes: u64,
    /// Bytes that the file occupies on its device.
    pub allocated_bytes: u64,
    /// The sequence of the header in force; it grows with each header written.
    pub sequence: u64,
    /// The number of the newest commit, in the file or in the log.
    pub commit_id: CommitId,
    /// The newest commit whose changes are all in the array: that of the last checkpoint, flush,
    /// edit or truncation. The log has the later ones.
    pub array_commit_id: CommitId,
    /// The log, if there is one: a [`Database`](crate::Database) is open, or ended without closing.
    pub log: Option<LogInfo>,
    /// The files with names of segments that are not part of the log. Empty while a writer has the
    /// store open, because they may be the writer's.
    pub leftovers: Vec<LeftoverFile>,
    /// The handle that has the store open for writing; it may be this one.
    pub writer: Option<WriterInfo>,
    /// The readers in other handles and processes, and the commits that they hold. A writer whose
    /// own snapshots have held a checkpoint back is one of them. Readers that may not write the
    /// lock file, and readers that opened the store under another name, are missing.
    pub readers: Vec<ReaderInfo>,
    /// 16 random bytes, drawn when the store was made.
    pub file_id: [u8; 16],
    /// The content of the two header slots, as this handle last read or wrote them.
    pub slots: [SlotInfo; 2],
    /// Whether an exclusive edit had begun and not finished when the store was opened.
    pub editing: bool,
    /// Whether the store has checksums of its records.
    pub checksums: Checksums,
    /// The number of records, deleted ones included, that no checksum covers, in the checksum file
    /// or in the log.
    pub unsummed: u64,
    /// The first 1000 blocks that did not match their checksums when a handle was about to change
    /// their records. Only [`verify`](crate::verify) checks all blocks.
    pub damaged: Vec<DamagedBlock>,
    /// The number of such blocks.
    pub damaged_blocks: u64,
    /// The kind of file system that holds the file.
    pub file_system: FileSystemKind,
    /// Bytes that this handle maps for reading.
    pub mapped_bytes: u64,
    /// Whether the handle maps the file twice, because the file was larger than the memory for it
    /// when it was mapped. Then the system reads one page for a record that is read by its number,
    /// and reads ahead for records in order, as it does by default for both.
    pub point_view: bool,
    /// Counters of the sliding windows, for a windowed store.
    pub windows: Option<ViewCounters>,
    /// The checkpoints that this handle has made, if it is a [`Database`](crate::Database).
    pub checkpoints: Option<CheckpointInfo>,
    /// What this handle has done besides, if it is a [`Database`](crate::Database).
    pub activity: Option<Activity>,
    /// How many pages of the file are in memory; `None` if nothing is mapped whole. For a large
    /// file this is an estimate: see [`StoreInfo::residency_asked_pages`].
    pub residency: Option<Residency>,
    /// The number of pages behind [`StoreInfo::residency`]: all, or for more than 262,144 pages
    /// (1 GiB at 4096 bytes) a sample of that many, spread evenly.
    pub residency_asked_pages: u64,
    /// Page faults of this process so far.
    pub faults: FaultCounts,
}

/// The content of the log: now for a database, and when the store was opened for a store.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let writer = DynDatabase::create(&path, &schema)?;
/// let mut transaction = writer.begin_write()?;
/// transaction.append(&[7])?;
/// transaction.commit(Durability::Immediate)?;
/// let log = DynStore::open_read_only(&path)?.info()?.log.unwrap();
/// assert_eq!((log.commits, log.records, log.segments), (1, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogInfo {
    /// Commits that the array does not hold yet.
    pub commits: u64,
    /// Records that these commits changed.
    pub records: u64,
    /// Bytes of the frames of the log. A [`Database`](crate::Database) leaves out those that its
    /// last checkpoint of all commits covered: the others count towards the next one
    /// ([`OpenOptions::checkpoint_at`](crate::OpenOptions::checkpoint_at)). Other handles count all
    /// frames that they have passed.
    pub len_bytes: u64,
    /// Files of the log, also those that wait to be used again.
    pub segments: u64,
}

/// The checkpoints of a [`Database`](crate::Database) since it was opened.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
/// let old = database.begin_read()?;
/// let mut transaction = database.begin_write()?;
/// transaction.append(&[7])?;
/// transaction.commit(Durability::Immediate)?;
/// database.checkpoint()?;
/// let checkpoints = database.info()?.checkpoints.unwrap();
/// assert_eq!(checkpoints.made, 0);
/// assert!(checkpoints.held_back.unwrap().starts_with("a snapshot of commit 0"));
///
/// drop(old);
/// database.checkpoint()?;
/// let checkpoints = database.info()?.checkpoints.unwrap();
/// assert_eq!((checkpoints.made, checkpoints.records, checkpoints.held_back), (1, 1, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// How many checkpoints have copied commits to the array.
    pub made: u64,
    /// How many records they copied.
    pub records: u64,
    /// The time that they took, from the sync of the log on.
    pub total_time: Duration,
    /// The time of the longest one.
    pub longest: Duration,
    /// What kept newer commits out of the array when a checkpoint last tried, if anything did: a
    /// snapshot of this process, or a reader in another one.
    pub held_back: Option<String>,
    /// Why the last checkpoint failed, or why the handle is poisoned:
    /// [`Database::checkpoint_failure`](crate::Database::checkpoint_failure).
    pub failure: Option<String>,
}

/// What a [`Database`](crate::Database) has done since it was opened, without its
/// [checkpoints](CheckpointInfo).
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
/// for durability in [Durability::Eventual, Durability::Immediate] {
///     let mut transaction = database.begin_write()?;
///     transaction.append(&[7])?;
///     transaction.commit(durability)?;
/// }
/// drop(database.begin_write()?);
/// let activity = database.info()?.activity.unwrap();
/// assert_eq!((activity.commits, activity.aborted), (2, 1));
/// assert_eq!((activity.log_syncs, activity.largest_group), (1, 2)); // one sync for both
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// Commits that readers can see. A transaction without changes makes no commit.
    pub commits: u64,
    /// Transactions that ended without a commit: dropped, or with an error of `commit`.
    pub aborted: u64,
    /// Syncs of the log that made commits durable. Threads that commit at the same time share one.
    pub log_syncs: u64,
    /// The most commits that one of these syncs made durable.
    pub largest_group: u64,
    /// Bytes that commits have written to the log: frames in whole sectors, and the headers of
    /// segments.
    pub log_written_bytes: u64,
}

/// A handle that has a store open for writing.
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
    /// The number of its process, in the writer's own process namespace; `None` while the writer
    /// has not finished opening the store.
    pub process: Option<u64>,
}

/// The content of a header slot.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema, SlotInfo};
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let store = DynStore::temporary(&schema)?;
/// assert!(matches!(store.info()?.slots[0], SlotInfo::Valid { count: 0, .. }));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotInfo {
    /// A header whose checksum holds.
    Valid {
        /// The valid slot with the higher sequence is in force.
        sequence: u64,
        /// The number of records that the header counts.
        count: u64,
    },
    /// Zero bytes: no header was written to this slot.
    Empty,
    /// Other bytes, such as a torn write, and why they are not a valid header.
    Bad(String),
}

/// What a handle knows of its store.
pub(crate) struct Parts<'h> {
    pub(crate) path: Option<PathBuf>,
    pub(crate) access: Access,
    /// The number of records that the handle shows, and of the live ones among them.
    pub(crate) shown: (u64, u64),
    /// The counts of the newest commit, in the header or in the log.
    pub(crate) newest: Counts,
    pub(crate) seen: SeenHeader,
    pub(crate) log: Option<LogInfo>,
    pub(crate) leftovers: Vec<LeftoverFile>,
    /// The number of records that the log counts and no checksum in it covers.
    pub(crate) unsummed_in_log: u64,
    pub(crate) writer: Option<WriterInfo>,
    pub(crate) readers: Vec<Seen>,
    pub(crate) known: Known,
    pub(crate) backing: &'h dyn Backing,
    /// The view of the whole file; an empty one for a handle with windows.
    pub(crate) view: &'h View,
    pub(crate) windows: Option<ViewCounters>,
    pub(crate) checkpoints: Option<CheckpointInfo>,
    pub(crate) activity: Option<Activity>,
}

impl StoreInfo {
    /// The facts of a handle with these parts.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    pub(crate) fn of(parts: Parts<'_>) -> Result<Self> {
        let Parts { seen, backing, view, windows, known, newest, .. } = parts;
        let header = &seen.header;
        let file_len_bytes = backing.len_bytes()?;
        // A view may reach past the end of the file, where there are no pages.
        let shown = file_len_bytes.min(view.len_bytes() as u64);
        let shown = usize::try_from(shown).unwrap_or(view.len_bytes());
        let (residency, residency_asked_pages) = match shown {
            0 => (None, 0),
            _ => residency_of(view, shown)?,
        };
        let unsummed = match &known.checksums {
            Checksums::Present { .. } => 0,
            _ => header.counts.records,
        };
        Ok(Self {
            path: parts.path,
            access: parts.access,
            count: parts.shown.0,
            live_count: parts.shown.1,
            deletes: header.deletes,
            free_head: newest.free_head,
            committed_count: newest.records,
            record_size: header.record_size,
            stride: header.stride,
            metadata_len_bytes: header.metadata_len_bytes,
            data_offset: header.data_offset,
            file_len_bytes,
            allocated_bytes: backing.allocated_bytes()?,
            sequence: header.sequence,
            commit_id: newest.commit.into(),
            array_commit_id: header.counts.commit.into(),
            log: parts.log,
            leftovers: parts.leftovers,
            writer: parts.writer,
            readers: parts.readers.iter().map(ReaderInfo::of).collect(),
            file_id: header.file_id,
            slots: [slot_info(&seen.slots.a), slot_info(&seen.slots.b)],
            editing: seen.found_editing,
            checksums: known.checksums,
            unsummed: unsummed.saturating_add(parts.unsummed_in_log),
            damaged: known.damaged,
            damaged_blocks: known.damaged_blocks,
            file_system: backing.properties().file_system.clone(),
            mapped_bytes: match (windows, view.points()) {
                (Some(windows), _) => windows.mapped_bytes,
                (None, Some(points)) => (view.len_bytes() + points.len_bytes()) as u64,
                (None, None) => view.len_bytes() as u64,
            },
            point_view: view.points().is_some(),
            windows,
            checkpoints: parts.checkpoints,
            activity: parts.activity,
            residency,
            residency_asked_pages,
            faults: process_faults().map_err(|source| Error::io("count page faults", source))?,
        })
    }
}

/// The runs of pages in a sample, and the pages in each.
const SAMPLE_RUNS: u64 = 1024;
const SAMPLE_RUN_PAGES: u64 = 256;

/// How many pages of the first `len_bytes` bytes of a view are in memory, and from how many pages
/// this was estimated.
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
        // Both lie in the view, so they fit into a `usize`.
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

impl LogInfo {
    /// The log that a handle has read once.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    pub(crate) fn of(found: &RecoveredState, backing: &dyn Backing) -> Result<Self> {
        Ok(Self {
            commits: found.frames,
            records: found.overlay.sorted_after(0).len() as u64,
            len_bytes: found.log_len_bytes,
            segments: segments_beside(backing)?,
        })
    }
}

/// The files with names of segments that are not part of the log, unless there is a writer.
///
/// # Errors
/// [`ErrorKind::Io`] if the operating system reports an error. A directory or file that this
/// process may not read has no leftovers that it could name.
pub(crate) fn leftovers_beside(
    backing: &dyn Backing,
    header: &Header,
    has_writer: impl Fn() -> Result<bool>,
) -> Result<Vec<LeftoverFile>> {
    if has_writer()? {
        return Ok(Vec::new());
    }
    let found = match wal::leftovers(backing, header.file_id, header.live_log) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Vec::new(),
        found => found?,
    };
    // Asked again, for a writer that came in between.
    Ok(if !found.is_empty() && has_writer()? { Vec::new() } else { found })
}

/// The number of files of the log beside the data file.
pub(super) fn segments_beside(backing: &dyn Backing) -> Result<u64> {
    let sides = backing.list_sides()?;
    Ok(sides.iter().filter(|suffix| suffix.starts_with("-wal-")).count() as u64)
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
