//! What befalls a store besides the calls that are struck: a disk without room when it is opened,
//! and a byte that changes while it is at rest.

use super::model::{DEAD, Stamp, recognise};
use super::world::{Stop, World};
use crate::error::{Error, ErrorKind};
use crate::sums::BLOCK_LEN_BYTES;

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
    /// Which record these bytes are, with the damage or without.
    pub(super) fn recognise(&self, bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Stamp> {
        let mut mended = bytes.to_vec();
        *mended.get_mut(self.at)? ^= self.mask;
        recognise(&mended, scratch)
    }
}

impl World {
    /// Takes the disk's room away now and then, before a life; something is likely to strike then,
    /// while the store is opened.
    pub(super) fn draw_room(&mut self) {
        if !self.trouble.one_in(5) {
            return;
        }
        self.disk.set_full(true);
        if self.trouble.coin() {
            let calls = self.trouble.within(2..30);
            self.endanger(calls);
        }
    }

    /// Gives the room back, once a store was opened or its life has ended.
    pub(super) fn give_room(&mut self, is_certain: bool) {
        let was_refused = self.disk.refusals() > self.refusals_told;
        self.report.opened_without_room += u64::from(!is_certain && was_refused);
        if self.disk.is_full() && (is_certain || self.trouble.coin()) {
            self.disk.set_full(false);
        }
    }

    /// Whether an error says no more than that there is no room, or was none before.
    pub(super) fn is_for_want_of_room(&mut self, error: &Error) -> bool {
        let refusals = self.disk.refusals();
        let is_new = refusals > self.refusals_told;
        self.refusals_told = refusals;
        self.was_refused |= is_new;
        match error.kind() {
            ErrorKind::NoSpace => is_new,
            ErrorKind::Poisoned => self.was_refused,
            _ => false,
        }
    }

    /// Changes a byte of a record, now and then, of a store with checksums that was closed.
    pub(super) fn draw_damage(&mut self) -> Result<(), Stop> {
        let at_rest = std::mem::take(&mut self.is_at_rest);
        // Any eight bytes are some record's.
        if !at_rest || !self.checksums || self.record_len < 12 || self.damage.is_some() {
            return Ok(());
        }
        let state = self.current();
        if state.is_empty() || !self.trouble.one_in(2) {
            return Ok(());
        }
        let id = self.trouble.index(state.len());
        if state[id] == DEAD { Ok(()) } else { self.damage_record(id) }
    }

    /// Changes a byte of record `id`.
    pub(super) fn damage_record(&mut self, id: usize) -> Result<(), Stop> {
        let at = self.trouble.index(self.record_len);
        let mask = 1 << self.trouble.index(8);
        let stride = self.record_len + usize::from(self.deletes);
        let byte = (id * stride + at) as u64;
        let block = byte / BLOCK_LEN_BYTES;
        self.report.damaged_bytes += 1;
        self.damage = Some(Damage { at, mask, block, is_perhaps_gone: false });
        let damaged = self.damage_byte(byte, mask);
        damaged.map_err(|error| Stop::Broken(format!("the simulation itself: {error}")))
    }

    /// Whether record `id` is not to be edited: the block that was damaged has some of it.
    pub(super) fn is_damaged(&self, id: usize) -> bool {
        let stride = (self.record_len + usize::from(self.deletes)) as u64;
        let bytes = id as u64 * stride..(id as u64 + 1) * stride;
        self.damage.is_some_and(|damage| {
            let block = damage.block * BLOCK_LEN_BYTES..(damage.block + 1) * BLOCK_LEN_BYTES;
            bytes.start < block.end && block.start < bytes.end
        })
    }

    /// The store is being cut to `count` records: a block that is cut off whole takes its damage
    /// along, if it comes to that.
    pub(super) fn cut_damage(&mut self, count: usize, is_done: bool) {
        let stride = self.record_len + usize::from(self.deletes);
        let left = (count * stride) as u64;
        let Some(damage) = self.damage.as_mut() else { return };
        if damage.block * BLOCK_LEN_BYTES < left {
            return;
        }
        if is_done {
            self.damage = None;
        } else {
            damage.is_perhaps_gone = true;
        }
    }

    /// What is wrong with these blocks being those that do not match their checksums.
    pub(super) fn wrong_doubts(&self, doubted: &[u64]) -> Option<String> {
        match self.damage {
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
