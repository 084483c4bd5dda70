//! Copies one store into another: the common part of backup and compact.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::scan::{BadBlock, Inspect, Scan, ScannedRecord};
use crate::error::{Error, ErrorKind, Result};
use crate::io::FileBacking;
use crate::shm::Wait;
use crate::store::{DynStore, ExclusiveFile};
use crate::sums::{FoundSums, Sums};
use crate::txn::NewMetadata;

/// What to do about a file that is in the way.
const TO_REPLACE: &str = "choose another path, or replace the file with CopyOptions::replace";

/// How many bytes are read and written at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// Called with the bytes copied so far, and all bytes to copy.
type OnProgress<'a> = Box<dyn FnMut(u64, u64) -> Result<()> + 'a>;

/// Options for [`backup`](super::backup) and [`compact`](super::compact).
///
/// ```
/// use flatrec::{CopyOptions, DataType, DynStore, Field, Schema};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// # let out = directory.path().join("copy.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[0; 8000])?;
/// store.flush()?; // the writer stays open
/// let mut shown = 0;
/// let options = CopyOptions::new().replace(true).on_progress(|done_bytes, total_bytes| {
///     shown = done_bytes * 100 / total_bytes;
///     Ok(())
/// });
/// flatrec::backup(&path, &out, options)?;
/// assert_eq!(shown, 100);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Default)]
#[must_use = "options do nothing until they are given to a function"]
pub struct CopyOptions<'a> {
    pub(super) replace: bool,
    pub(super) wait: Wait,
    pub(super) allow_network: bool,
    on_progress: Option<OnProgress<'a>>,
}

impl<'a> CopyOptions<'a> {
    /// Options for a copy that must not replace a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the copy may replace an existing file. A symbolic link is itself replaced, as by
    /// [`std::fs::rename`]: the file that it leads to stays.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] by default.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Whether the copy may lie on a network file system; `false` by default. Safe only if a single
    /// machine has the file open.
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.allow_network = allow;
        self
    }

    /// Calls `progress` from time to time with the bytes copied so far, and all bytes to copy. If
    /// it returns an error, the copy ends with that error, and nothing of it is left.
    pub fn on_progress(mut self, progress: impl FnMut(u64, u64) -> Result<()> + 'a) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    pub(super) fn report(&mut self, done_bytes: u64, total_bytes: u64) -> Result<()> {
        match &mut self.on_progress {
            Some(progress) => progress(done_bytes, total_bytes),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyOptions")
            .field("replace", &self.replace)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// A store to read, and its copy to write.
pub(crate) struct Copy<'a> {
    pub(crate) from: DynStore,
    pub(crate) to: DynStore,
    options: CopyOptions<'a>,
}

impl<'a> Copy<'a> {
    /// Opens the store at `path` for reading and starts its copy, which appears at `out` when it is
    /// closed. The copy has the same schema and metadata, and has deletes and checksums if the
    /// store has.
    pub(crate) fn start(path: &Path, out: &Path, options: CopyOptions<'a>) -> Result<Self> {
        refuse_same(path, out)?;
        let from = DynStore::read_options().wait(options.wait).open_read_only(path)?;
        let mut new = DynStore::create_options()
            .wait(options.wait)
            .deletes(from.file.slots.status_byte().is_some())
            .checksums(from.has_checksums()?)
            .allow_network_file_system(options.allow_network);
        new.common.metadata = NewMetadata::Of(Arc::clone(from.file.superblock.metadata()));
        new.common.set_copy_of(path)?;
        let to = new
            .create_aside(out, from.schema(), options.replace)
            .map_err(|error| error.advise_to_replace(out, TO_REPLACE))?;
        Ok(Self { from, to, options })
    }

    /// Calls `each` for all records, some at a time, with the files to read and to write, the
    /// number of the first record and the bytes of their strides.
    pub(crate) fn slots<F>(&mut self, mut each: F) -> Result<()>
    where
        F: FnMut(&ExclusiveFile<[u8]>, &mut ExclusiveFile<[u8]>, u64, &[u8]) -> Result<()>,
    {
        let Self { from, to, options } = self;
        let each = |first, slots: &[u8]| each(&from.file, &mut to.file, first, slots);
        read_slots(&from.file, &mut |done, total| options.report(done, total), each)
    }
}

/// Calls `each` for all records of `file`, some at a time, with the number of the first record and
/// the bytes of their strides, and `progress` with the bytes read and all bytes to read. Reads by
/// calls, and compares with the store's checksums: those of a copy would hide damage.
pub(super) fn read_slots(
    file: &ExclusiveFile<[u8]>,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
    each: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let header = file.superblock.header();
    let geometry = header.layout()?.geometry;
    let stride = geometry.stride;
    let sums = match Sums::find(&**file.superblock.backing(), header, false)? {
        FoundSums::Kept(sums) => Some(sums),
        _ => None,
    };
    let scan = Scan {
        data: &**file.superblock.backing(),
        geometry,
        count: file.array.count(),
        sums: sums.as_ref(),
        images: file.mode.log().map(|log| &log.overlay),
        mismatched: &[],
        beside: file.mode.reader().map(|state| state.pin.presence()),
    };
    let mut copier = Copier {
        from: file,
        progress,
        each,
        at_once: (CHUNK_BYTES / stride).max(1) * stride,
        total_bytes: file.array.count() * stride, // the file has them
        first: 0,
        chunk: Vec::new(),
    };
    scan.run(&mut copier)?;
    copier.hand_on()
}

/// Gathers the records of a scan, and ends the scan at the first damage.
struct Copier<'c, F> {
    from: &'c ExclusiveFile<[u8]>,
    progress: &'c mut dyn FnMut(u64, u64) -> Result<()>,
    each: F,
    at_once: u64,
    total_bytes: u64,
    /// The number of the first record in `chunk`.
    first: u64,
    chunk: Vec<u8>,
}

impl<F: FnMut(u64, &[u8]) -> Result<()>> Copier<'_, F> {
    fn hand_on(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let stride = self.from.slots.stride() as u64;
        (self.each)(self.first, &self.chunk)?;
        self.first += self.chunk.len() as u64 / stride;
        self.chunk.clear();
        (self.progress)(self.first * stride, self.total_bytes)
    }

    fn damaged(&self) -> Error {
        self.from.superblock.name(
            Error::new(ErrorKind::Corrupt, "copy")
                .advice("verify lists all damage; salvage copies the records that can be trusted"),
        )
    }
}

impl<F: FnMut(u64, &[u8]) -> Result<()>> Inspect for Copier<'_, F> {
    fn bad_block(&mut self, bad: &BadBlock) -> Result<()> {
        let detail = format!("block {}: {}", bad.block, bad.why);
        Err(self.damaged().offset(bad.bytes.start).detail(detail))
    }

    fn record(&mut self, id: u64, record: ScannedRecord<'_>) -> Result<()> {
        let ScannedRecord::Sound(slot) = record else {
            return Err(self.damaged().record(id));
        };
        self.chunk.extend_from_slice(slot);
        if self.chunk.len() as u64 >= self.at_once { self.hand_on() } else { Ok(()) }
    }

    fn missing(&mut self, records: Range<u64>) -> Result<()> {
        Err(self.damaged().record(records.start).detail("the file ends before it"))
    }
}

/// Refuses to copy a file to itself, also under another name.
pub(super) fn refuse_same(path: &Path, out: &Path) -> Result<()> {
    // Opening something else than a file, such as a pipe, might block.
    let is_file = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file(path) || !is_file(out) {
        return Ok(());
    }
    if !FileBacking::open(path, false)?.is_same_file(&FileBacking::open(out, false)?)? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "copy to")
        .path(out)
        .detail("it is the store to copy")
        .advice("choose another path"))
}
