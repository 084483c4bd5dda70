//! The limit: a map of the whole file and pointer arithmetic, with no bounds, schema or locks.

#![allow(unsafe_code, reason = "this is what the safe ways are measured against")]

use std::fs::File;

use memmap2::MmapMut;

use super::{Item, RECORD_BYTES, RECORDS};

/// A file that holds [`RECORDS`] records from some offset on, mapped to read and write.
pub(crate) struct RawMap {
    map: MmapMut,
    first: *mut u8,
}

// SAFETY: `first` points into `map`, which any thread may use; through `&self` records are only
// read, and changing them takes `&mut self`.
unsafe impl Sync for RawMap {}

impl RawMap {
    pub(crate) fn new(file: &File, data_offset: u64) -> Self {
        // SAFETY: the file lies in this run's scratch folder, and no other code changes it while it
        // is mapped here.
        let mut map = unsafe { MmapMut::map_mut(file) }.expect("map");
        let records = &mut map[data_offset as usize..];
        assert_eq!(records.len() as u64, RECORDS * RECORD_BYTES as u64);
        let first = records.as_mut_ptr();
        Self { map, first }
    }

    /// Record `id`, which must be below [`RECORDS`]: nothing checks it.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> &Item {
        // SAFETY: callers pass ids below `RECORDS`, as many as the map holds (checked in `new`).
        let record = unsafe { self.first.add(id as usize * RECORD_BYTES) };
        // SAFETY: `RECORD_BYTES` bytes of the map lie there, an `Item` has alignment 1 and no
        // invalid values, and changing it takes `&mut self`.
        unsafe { &*record.cast::<Item>() }
    }

    /// Record `id`, which must be below [`RECORDS`], for changing.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> &mut Item {
        // SAFETY: as in `get`.
        let record = unsafe { self.first.add(id as usize * RECORD_BYTES) };
        // SAFETY: as in `get`, and the borrow of `self` is exclusive.
        unsafe { &mut *record.cast::<Item>() }
    }

    /// Makes the changes durable.
    pub(crate) fn sync(&self) {
        self.map.flush().expect("msync");
    }
}
