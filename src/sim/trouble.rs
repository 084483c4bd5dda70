//! Events besides struck calls: a disk that is full when the store is opened, and a byte that
//! changes while the store is closed.

use super::damage::Damage;
use super::model::DEAD;
use super::world::{Stop, World};
use crate::sums::BLOCK_LEN_BYTES;

impl World {
    /// Sometimes fills the disk before a life; then a strike is likely while the store is opened.
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

    /// Sometimes frees space after a store was opened.
    pub(super) fn draw_room_back(&mut self) {
        self.report.opened_without_room += u64::from(self.room.was_refused_since(&self.disk));
        if self.disk.is_full() && self.trouble.coin() {
            self.disk.set_full(false);
        }
    }

    /// Sometimes changes a byte of a record of a closed store with checksums.
    pub(super) fn draw_damage(&mut self) -> Result<(), Stop> {
        let at_rest = std::mem::take(&mut self.is_at_rest);
        // Any eight bytes are a valid record.
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
        self.damage = Some(Damage::new(at, mask, block));
        let damaged = self.damage_byte(byte, mask);
        damaged.map_err(|error| Stop::Broken(format!("the simulation itself: {error}")))
    }

    /// Whether record `id` must not be edited because it touches the damaged block.
    pub(super) fn is_damaged(&self, id: usize) -> bool {
        let stride = (self.record_len + usize::from(self.deletes)) as u64;
        let bytes = id as u64 * stride..(id as u64 + 1) * stride;
        self.damage.is_some_and(|damage| {
            let block = damage.block * BLOCK_LEN_BYTES..(damage.block + 1) * BLOCK_LEN_BYTES;
            bytes.start < block.end && block.start < bytes.end
        })
    }

    /// The store is being truncated to `count` records: if the whole damaged block is cut off, its
    /// damage is gone.
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
}
