//! Copies a store without its deleted records; the other records close up and get new numbers.

use std::path::Path;

use super::copy::{Copy, CopyOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Found;
use crate::shm::Wait;
use crate::store::ExclusiveFile;

/// The result of [`compact`].
///
/// ```
/// use flatrec::{CompactOptions, DataType, DynStore, Field, Schema};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// # let out = directory.path().join("compact.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create_options().deletes(true).create(&path, &schema)?;
/// store.append_packed(&[0; 24])?;
/// store.close()?;
/// let mut numbers = Vec::new();
/// let options = CompactOptions::new().on_renumber(|old, new| {
///     numbers.push((old, new));
///     Ok(())
/// });
/// let report = flatrec::compact(&path, &out, options)?;
/// assert_eq!((report.records, report.dropped), (3, 0));
/// assert_eq!(numbers, [(0, 0), (1, 1), (2, 2)]);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// The number of copied records.
    pub records: u64,
    /// The number of deleted records, which the copy does not have.
    pub dropped: u64,
    /// The number of records with another number in the copy.
    pub renumbered: u64,
    /// The length of the new store in bytes.
    pub written_bytes: u64,
}

/// Called with the old and the new number of a record.
type OnRenumber<'a> = Box<dyn FnMut(u64, u64) -> Result<()> + 'a>;

/// Options for [`compact`]: those of a copy, and what to do with the new record numbers.
///
/// ```
/// use flatrec::{CompactOptions, DataType, DynStore, Field, Schema};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// # let out = directory.path().join("compact.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// DynStore::create(&path, &schema)?.close()?;
/// let mut numbers = Vec::new();
/// let options = CompactOptions::new().replace(true).on_renumber(|old, new| {
///     numbers.push((old, new));
///     Ok(())
/// });
/// flatrec::compact(&path, &out, options)?;
/// assert!(numbers.is_empty());
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Default)]
#[must_use = "options do nothing until they are given to a function"]
pub struct CompactOptions<'a> {
    copy: CopyOptions<'a>,
    on_renumber: Option<OnRenumber<'a>>,
}

impl<'a> CompactOptions<'a> {
    /// Options for a copy that must not replace a file.
    ///
    /// ```
    /// let options = flatrec::CompactOptions::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the copy may replace an existing file: as [`CopyOptions::replace`].
    ///
    /// ```
    /// let options = flatrec::CompactOptions::new().replace(true);
    /// ```
    pub fn replace(mut self, replace: bool) -> Self {
        self.copy = self.copy.replace(replace);
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] by default.
    ///
    /// ```
    /// let options = flatrec::CompactOptions::new().wait(flatrec::Wait::Forever);
    /// ```
    pub fn wait(mut self, wait: Wait) -> Self {
        self.copy = self.copy.wait(wait);
        self
    }

    /// Whether the copy may lie on a network file system; `false` by default. Safe only if a single
    /// machine has the file open.
    ///
    /// ```
    /// let options = flatrec::CompactOptions::new().allow_network_file_system(true);
    /// ```
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.copy = self.copy.allow_network_file_system(allow);
        self
    }

    /// Calls `progress` from time to time: as [`CopyOptions::on_progress`].
    ///
    /// ```
    /// let options = flatrec::CompactOptions::new().on_progress(|done, all| {
    ///     eprintln!("{done} of {all} bytes");
    ///     Ok(())
    /// });
    /// ```
    pub fn on_progress(mut self, progress: impl FnMut(u64, u64) -> Result<()> + 'a) -> Self {
        self.copy = self.copy.on_progress(progress);
        self
    }

    /// Calls `renumber` with the old and the new number of each record. If it returns an error, the
    /// copy ends with that error, and nothing of it is left.
    ///
    /// ```
    /// let mut new_numbers = std::collections::BTreeMap::new();
    /// let options = flatrec::CompactOptions::new().on_renumber(|old, new| {
    ///     new_numbers.insert(old, new);
    ///     Ok(())
    /// });
    /// ```
    pub fn on_renumber(mut self, renumber: impl FnMut(u64, u64) -> Result<()> + 'a) -> Self {
        self.on_renumber = Some(Box::new(renumber));
        self
    }
}

/// The options of a copy, with nothing to do with the new record numbers.
impl<'a> From<CopyOptions<'a>> for CompactOptions<'a> {
    fn from(copy: CopyOptions<'a>) -> Self {
        Self { copy, on_renumber: None }
    }
}

impl std::fmt::Debug for CompactOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactOptions").field("copy", &self.copy).finish_non_exhaustive()
    }
}

/// Copies the records of the store at `path` that are not deleted, in order, into a new store at
/// `out`. Record numbers change, and [`CompactOptions::on_renumber`] tells how.
///
/// Otherwise it is as [`backup`](super::backup). The new store has deletes if the old one has.
///
/// # Errors
/// As [`backup`](super::backup); [`ErrorKind::Corrupt`] if a record's status byte is damaged, or if
/// the newest commit counts another number of live records than the store has; then
/// [`verify`](super::verify) lists the problems.
pub fn compact(
    path: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: CompactOptions<'_>,
) -> Result<CompactReport> {
    let CompactOptions { copy, mut on_renumber } = options;
    let mut copy = Copy::start(path.as_ref(), out.as_ref(), copy)?;
    let mut report = CompactReport::default();
    let mut living = Vec::new();
    copy.slots(|from, to, first, slots| {
        let new = gather(from, first, slots, &mut living, &mut report)?;
        let mut next = report.records - new.len() as u64;
        for old in new {
            if let Some(renumber) = &mut on_renumber {
                renumber(old, next)?;
            }
            report.renumbered += u64::from(old != next);
            next += 1;
        }
        match next - to.array.count() {
            0 => Ok(()),
            added => to.append_slots(&living, added).map(drop),
        }
    })?;
    let Copy { from, to, .. } = copy;
    if report.records != from.live_count() {
        return Err(from.file.superblock.name(Error::new(ErrorKind::Corrupt, "compact").detail(
            format!(
                "the newest commit counts {} live records, but the store has {}",
                from.live_count(),
                report.records
            ),
        )));
    }
    let info = to.info()?;
    report.written_bytes = info.data_offset + info.count * u64::from(info.stride);
    to.close()?;
    Ok(report)
}

/// Gathers the live records of `slots` in `living`, and returns their numbers.
fn gather(
    from: &ExclusiveFile<[u8]>,
    first: u64,
    slots: &[u8],
    living: &mut Vec<u8>,
    report: &mut CompactReport,
) -> Result<Vec<u64>> {
    living.clear();
    let mut numbers = Vec::new();
    for (id, slot) in (first..).zip(slots.chunks_exact(from.slots.stride())) {
        match from.slots.found(slot) {
            Ok(Found::Live) => {
                living.extend_from_slice(slot);
                numbers.push(id);
            }
            Ok(_) => report.dropped += 1,
            Err(status) => return Err(from.damaged(id, status)),
        }
    }
    report.records += numbers.len() as u64;
    Ok(numbers)
}
