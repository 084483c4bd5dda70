//! The limit: a map of the whole file and pointers into it, with no schema, locks or commits.

#![allow(unsafe_code, reason = "this is what the safe ways are measured against")]

use std::fs::File;
use std::io;

use memmap2::MmapMut;

use super::{Reads, Timed, Writes};
use crate::bench::shape::Shape;

/// A file of records from some offset on, mapped to read and write.
pub(super) struct RawMap {
    map: MmapMut,
    first_at: usize,
    shape: Shape,
}

impl RawMap {
    /// Maps `file`, which must have all records.
    pub(super) fn new(file: &File, first_at: u64, shape: Shape) -> io::Result<Self> {
        // SAFETY: the file lies in the folder that this run has made for itself, and nothing else
        // changes it while it is mapped here.
        let map = unsafe { MmapMut::map_mut(file) }?;
        let first_at = first_at as usize;
        let end = first_at as u64 + shape.total_bytes();
        assert!(map.len() as u64 >= end, "the file has not all records");
        Ok(Self { map, first_at, shape })
    }

    /// Record `id`, which must be below the number of records: nothing checks it.
    #[inline]
    fn get(&self, id: u64) -> &[u8] {
        let len = self.shape.record_len();
        // SAFETY: callers pass ids below the number of records, all of which the map holds
        // (checked in `new`).
        let first = unsafe { self.map.as_ptr().add(self.first_at + id as usize * len) };
        // SAFETY: the bytes of a record lie there, as above, and changing them takes `&mut self`.
        unsafe { std::slice::from_raw_parts(first, len) }
    }

    /// Record `id`, which must be below the number of records, for changing.
    #[inline]
    fn get_mut(&mut self, id: u64) -> &mut [u8] {
        let len = self.shape.record_len();
        // SAFETY: as in `get`.
        let first = unsafe { self.map.as_mut_ptr().add(self.first_at + id as usize * len) };
        // SAFETY: as in `get`, and the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(first, len) }
    }

    /// Makes the pages of one record durable.
    fn sync_one(&self, id: u64) -> io::Result<()> {
        let len = self.shape.record_len();
        self.map.flush_range(self.first_at + id as usize * len, len)
    }
}

impl Reads for RawMap {
    fn get(&mut self, ids: &[u64], of: fn(&[u8]) -> u64, _: bool) -> io::Result<u64> {
        Ok(ids.iter().fold(0, |sum: u64, &id| sum.wrapping_add(of(RawMap::get(self, id)))))
    }

    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64> {
        let ids = 0..self.shape.records;
        Ok(ids.fold(0, |sum: u64, id| sum.wrapping_add(of(RawMap::get(self, id)))))
    }
}

impl Writes for RawMap {
    fn append(&mut self, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        for id in 0..shape.records {
            shape.fill(self.get_mut(id), id, 0);
        }
        self.map.flush()?;
        timed.durable();
        Ok(())
    }

    fn update(&mut self, ids: &[u64], turn: u32, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        for &id in ids {
            shape.fill(self.get_mut(id), id, turn);
        }
        match *ids {
            [id] => self.sync_one(id)?,
            _ => self.map.flush()?,
        }
        timed.durable();
        Ok(())
    }
}
