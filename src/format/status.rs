//! The status byte after a record with deletes, and the list of deleted records.

use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

/// The free list is empty.
pub(super) const NO_FREE_RECORD: u64 = u64::MAX;

/// What a record number leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record.
    Live,
    /// The place of a deleted record.
    Deleted,
    /// No record: the number is past the last.
    PastTheLast,
}

impl Found {
    /// The meaning of a status byte; an error if the byte is invalid.
    #[inline]
    pub(crate) fn by_status(status: u8) -> Result<Self, u8> {
        match status {
            STATUS_LIVE => Ok(Self::Live),
            STATUS_DEAD => Ok(Self::Deleted),
            other => Err(other),
        }
    }
}

/// The error text for an invalid status byte.
pub(crate) fn bad_status(status: u8) -> String {
    format!("its status byte is {status}, which is neither live nor deleted")
}

/// The status byte of a live record. A byte never written is neither this nor the next.
pub(super) const STATUS_LIVE: u8 = 1;

/// The status byte of a deleted record, whose first 8 bytes name the next one in the free list.
const STATUS_DEAD: u8 = 2;

/// Makes `slot` that of a deleted record, followed in the free list by `next`.
pub(crate) fn put_dead(slot: &mut [u8], record_size: usize, next: Option<u64>) {
    slot.fill(0);
    slot[..8].copy_from_slice(&next.unwrap_or(NO_FREE_RECORD).to_le_bytes());
    slot[record_size] = STATUS_DEAD;
}

/// Makes `slot` that of a live record. The bytes between its status and the next record are zeros.
pub(crate) fn put_live(slot: &mut [u8], record: &[u8]) {
    slot.fill(0);
    slot[..record.len()].copy_from_slice(record);
    slot[record.len()] = STATUS_LIVE;
}

/// The next record in the free list after a deleted record; `None` for the last.
pub(crate) fn next_free(slot: &[u8]) -> Option<u64> {
    let (next, _) = U64::read_from_prefix(slot).ok()?;
    (next.get() != NO_FREE_RECORD).then_some(next.get())
}
