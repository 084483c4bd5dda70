//! Hot backup: a store as it is at one moment, copied while others write.

use std::path::Path;

use super::copy::{Copy, CopyOptions};
use crate::error::Result;

/// What a backup did.
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
/// store.append(&2u64.to_le_bytes())?; // not flushed: not in the backup
/// let report = flatrec::backup(&path, &out, CopyOptions::new())?;
/// assert_eq!((report.records, report.deleted, report.written_bytes), (1, 0, 65_536 + 8));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Records copied that are not deleted.
    pub records: u64,
    /// Deleted records, whose numbers are kept.
    pub deleted: u64,
    /// The length of the new store in bytes.
    pub written_bytes: u64,
}

/// Copies the store at `path`, as it is at this moment, into a new one at `out`, while others may
/// read it and write to it.
///
/// The copy has the same schema, metadata, records and record numbers, and checksums of its own if
/// the store has any, with which what is read is compared: deleted records stay deleted and the
/// free list stays as it was ([`compact`](super::compact) leaves them out). It is a store of its
/// own, with its own file id and history. It is written aside and takes its name, durably, when it
/// is whole; what was there before stays until then. On Unix nobody but its maker gets at it who
/// does not get at the store. While it is made, a
/// [`Database`](crate::Database) commits as ever, and brings nothing from its log to the array.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if there is a file at `out` and it
/// may not be replaced; [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is
/// the store itself; as [`DynStore::open_read_only`](crate::DynStore::open_read_only) and
/// [`DynStore::create`](crate::DynStore::create); a full disk among those of writing;
/// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) at the first block that does not match its
/// checksum: [`salvage`](super::salvage) copies what can be trusted then. Nothing is left at `out`
/// then but what was there.
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
