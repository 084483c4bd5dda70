//! A byte of a store that was changed while the store was closed, and what checks may find of it.

use super::model::{Stamp, recognise};

/// A byte that was changed without the store's knowledge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    /// The place of the byte in its record, and how it was changed.
    at: usize,
    mask: u8,
    /// The block that must never look sound again.
    pub(super) block: u64,
    /// Whether an interrupted call may have cut the block off.
    pub(super) is_perhaps_gone: bool,
}

impl Damage {
    /// The byte at `at` of a record in this block was changed by `mask`.
    pub(super) fn new(at: usize, mask: u8, block: u64) -> Self {
        Self { at, mask, block, is_perhaps_gone: false }
    }

    /// The record that these bytes are, with or without the damage.
    pub(super) fn recognise(&self, bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Stamp> {
        let mut mended = bytes.to_vec();
        *mended.get_mut(self.at)? ^= self.mask;
        recognise(&mended, scratch)
    }

    /// Why it is wrong that exactly these blocks of a store with this damage do not match their
    /// checksums; `None` if it is right.
    pub(super) fn wrong_doubts(damage: Option<Self>, doubted: &[u64]) -> Option<String> {
        match damage {
            None if doubted.is_empty() => None,
            Some(damage) if damage.is_perhaps_gone && doubted.is_empty() => None,
            Some(damage) if doubted == [damage.block] => None,
            Some(damage) => Some(format!(
                "blocks {doubted:?} do not match, but block {} was damaged",
                damage.block
            )),
            None => Some(format!("blocks {doubted:?} do not match, but no block was damaged")),
        }
    }
}
