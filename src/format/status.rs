//! The status byte behind a record that can be deleted, and the list of those that were.

use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

/// The free list is empty.
pub(super) const NO_FREE_RECORD: u64 = u64::MAX;

/// What is found under a record number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record.
    Live,
    /// The place of a record that was deleted.
    Deleted,
    /// Nothing: there are fewer records.
    PastTheLast,
}

impl Found {
    /// What a status byte says; an error is one that says nothing.
    #[inline]
    pub(crate) fn by_status(status: u8) -> Result<Self, u8> {
        match status {
            STATUS_LIVE => Ok(Self::Live),
            STATUS_DEAD => Ok(Self::Deleted),
            other => Err(other),
        }
    }
}

/// What is wrong with a record of such a status byte.
pub(crate) fn bad_status(status: u8) -> String {
    format!("its status byte is {status}, which says neither that it lives nor that it is deleted")
}

/// The status byte of a record that is there. A byte never written is neither this nor the next.
pub(super) const STATUS_LIVE: u8 = 1;

/// The status byte of a deleted record, whose first 8 bytes name the next of the free list.
const STATUS_DEAD: u8 = 2;

/// Makes `slot` that of a deleted record, after which the free list goes on at `next`.
pub(super) fn put_dead(slot: &mut [u8], record_size: usize, next: Option<u64>) {
    slot.fill(0);
    slot[..8].copy_from_slice(&next.unwrap_or(NO_FREE_RECORD).to_le_bytes());
    slot[record_size] = STATUS_DEAD;
}

/// Makes `slot` that of a record which lives. What lies between its status and the next is zeros.
pub(crate) fn put_live(slot: &mut [u8], record: &[u8]) {
    slot.fill(0);
    slot[..record.len()].copy_from_slice(record);
    slot[record.len()] = STATUS_LIVE;
}

/// The next of the free list, as the slot of a deleted record names it; `None` for the last.
pub(crate) fn next_free(slot: &[u8]) -> Option<u64> {
    let (next, _) = U64::read_from_prefix(slot).ok()?;
    (next.get() != NO_FREE_RECORD).then_some(next.get())
}
