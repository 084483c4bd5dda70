//! A byte of a store that was changed while it was at rest, and what may be found of it.

use super::model::{Stamp, recognise};

/// A byte that was changed behind the store's back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    /// Where in its record it lies, and how it was changed.
    at: usize,
    mask: u8,
    /// The block that must not look sound any more.
    pub(super) block: u64,
    /// Whether a call that would have cut the block off was cut short.
    pub(super) is_perhaps_gone: bool,
}

impl Damage {
    /// The byte at `at` of a record that lies in this block was changed by `mask`.
    pub(super) fn new(at: usize, mask: u8, block: u64) -> Self {
        Self { at, mask, block, is_perhaps_gone: false }
    }

    /// Which record these bytes are, with the damage or without.
    pub(super) fn recognise(&self, bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Stamp> {
        let mut mended = bytes.to_vec();
        *mended.get_mut(self.at)? ^= self.mask;
        recognise(&mended, scratch)
    }

    /// What is wrong with these blocks being those that do not match their checksums, of a store
    /// with this damage.
    pub(super) fn wrong_doubts(damage: Option<Self>, doubted: &[u64]) -> Option<String> {
        match damage {
            None if doubted.is_empty() => None,
            Some(damage) if damage.is_perhaps_gone && doubted.is_empty() => None,
            Some(damage) if doubted == [damage.block] => None,
            Some(damage) => {
                Some(format!("blocks {doubted:?} do not match, and {} was damaged", damage.block))
            }
            None => Some(format!("blocks {doubted:?} do not match, and none was damaged")),
        }
    }
}
