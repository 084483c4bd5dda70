//! The limit: a map of the whole file and pointer arithmetic, with no bounds, schema or locks.

#![allow(unsafe_code, reason = "this is what the safe ways are measured against")]

use std::fs::File;

use memmap2::MmapMut;

use super::{Item, RECORD_BYTES, RECORDS};

/// A plain file of [`RECORDS`] records, mapped to read and write.
pub(crate) struct RawMap(MmapMut);

impl RawMap {
    pub(crate) fn new(file: &File) -> Self {
        // SAFETY: the file lies in this run's scratch folder, where nobody else changes it.
        let map = unsafe { MmapMut::map_mut(file) }.expect("map");
        assert_eq!(map.len() as u64, RECORDS * RECORD_BYTES as u64);
        Self(map)
    }

    /// Record `id`, which must be below [`RECORDS`]: nothing checks it.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> &Item {
        // SAFETY: callers pass ids below `RECORDS`, as many as the map holds (checked in `new`).
        let record = unsafe { self.0.as_ptr().add(id as usize * RECORD_BYTES) };
        // SAFETY: `RECORD_BYTES` bytes of the map lie there, an `Item` has alignment 1 and no
        // invalid values, and changing it takes `&mut self`.
        unsafe { &*record.cast::<Item>() }
    }

    /// Record `id`, which must be below [`RECORDS`], for changing.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> &mut Item {
        // SAFETY: as in `get`.
        let record = unsafe { self.0.as_mut_ptr().add(id as usize * RECORD_BYTES) };
        // SAFETY: as in `get`, and the borrow of `self` is exclusive.
        unsafe { &mut *record.cast::<Item>() }
    }

    /// Makes what was stored durable.
    pub(crate) fn sync(&self) {
        self.0.flush().expect("msync");
    }
}
