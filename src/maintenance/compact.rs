//! Copies a store without its deleted records; the other records close up and get new numbers.

use std::path::Path;

use super::copy::{Copy, CopyOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Found;
use crate::store::ExclusiveFile;

/// The result of [`compact`].
///
/// ```
/// use flatrec::{CopyOptions, DataType, DynStore, Field, Schema};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// # let out = directory.path().join("compact.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create_options().deletes(true).create(&path, &schema)?;
/// store.append_packed(&[0; 24])?;
/// store.close()?;
/// let mut numbers = Vec::new();
/// let report = flatrec::compact(&path, &out, CopyOptions::new(), &mut |old, new| {
///     numbers.push((old, new));
///     Ok(())
/// })?;
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

/// Copies the records of the store at `path` that are not deleted, in order, into a new store at
/// `out`. Record numbers change: `compact` calls `renumber` with the old and the new number of each
/// record.
///
/// Otherwise it is as [`backup`](super::backup). The new store has deletes if the old one has. If
/// `renumber` returns an error, `compact` ends with it and leaves nothing of the copy.
///
/// # Errors
/// As [`backup`](super::backup); [`ErrorKind::Corrupt`] if a record's status byte is damaged, or if
/// the newest commit counts another number of live records than the store has; then
/// [`verify`](super::verify) lists the problems.
pub fn compact(
    path: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: CopyOptions<'_>,
    renumber: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<CompactReport> {
    let mut copy = Copy::start(path.as_ref(), out.as_ref(), options)?;
    let mut report = CompactReport::default();
    let mut living = Vec::new();
    copy.slots(|from, to, first, slots| {
        let new = gather(from, first, slots, &mut living, &mut report)?;
        let mut next = report.records - new.len() as u64;
        for old in new {
            renumber(old, next)?;
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
