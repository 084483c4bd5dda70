//! Hot backup: copies one state of a store while a writer continues.

use std::path::Path;

use super::copy::{Copy, CopyOptions};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

/// The result of [`backup`].
///
/// ```
/// use flatrec::{CopyOptions, DataType, DynStore, Field, Schema};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// # let out = directory.path().join("numbers-monday.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append(&1u64.to_le_bytes())?;
/// store.flush()?;
/// store.append(&2u64.to_le_bytes())?; // not flushed, so not in the backup
/// let report = flatrec::backup(&path, &out, CopyOptions::new())?;
/// assert_eq!((report.records, report.deleted, report.written_bytes), (1, 0, 65_536 + 8));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The number of copied records that are not deleted.
    pub records: u64,
    /// The number of deleted records. They stay deleted in the copy, under the same numbers.
    pub deleted: u64,
    /// The length of the new store in bytes.
    pub written_bytes: u64,
}

/// Copies the present state of the store at `path` into a new store at `out`, while other handles
/// may read and write the store.
///
/// The copy has the same schema, metadata, records and record numbers. Deleted records stay deleted
/// and the free list stays the same ([`compact`](super::compact) leaves deleted records out). If
/// the store has checksums, `backup` compares what it reads with them, and the copy gets checksums
/// of its own. The copy is a separate store, with its own file id and commits.
///
/// `backup` writes the copy under a temporary name; when it is whole, it durably gets its name and
/// replaces the previous file. On Unix only the user that makes the copy, and users that have
/// access to the store, have access to the copy. While `backup` runs, a
/// [`Database`](crate::Database) can commit, but its checkpoints are held back.
///
/// # Errors
/// - [`ErrorKind::AlreadyExists`] if there is a file at `out` and
///   [`CopyOptions::replace`] is not set;
/// - [`ErrorKind::InvalidArgument`] if `out` is the store itself;
/// - [`ErrorKind::Corrupt`] at the first block that does not match its checksum; then
///   [`salvage`](super::salvage) copies the records that can be trusted;
/// - [`ErrorKind::NoSpace`] if the disk is full;
/// - as [`DynStore::open_read_only`](crate::DynStore::open_read_only) and
///   [`DynStore::create`](crate::DynStore::create).
///
/// After an error `out` is unchanged.
pub fn backup(
    path: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: CopyOptions<'_>,
) -> Result<BackupReport> {
    let mut copy = Copy::start(path.as_ref(), out.as_ref(), options)?;
    let stride = copy.from.file.slots.stride();
    copy.slots(|_, to, _, slots| {
        to.append_slots(slots, (slots.len() / stride) as u64)?;
        Ok(())
    })?;
    let Copy { from, mut to, .. } = copy;
    let (count, live_count) = (from.count(), from.live_count());
    if count > 0 {
        to.file.flush_as(live_count, from.file.free_head())?;
    }
    let info = to.info()?;
    let written_bytes = info.data_offset + count * u64::from(info.stride);
    to.close()?;
    Ok(BackupReport { records: live_count, deleted: count - live_count, written_bytes })
}
