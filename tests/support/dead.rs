//! Deletes records of a closed store by patching its bytes, by docs/FORMAT.md only.

use std::path::Path;

/// Deletes records `ids` of the store at `path`, which no handle has open.
pub(crate) fn delete(path: &Path, ids: &[u64]) {
    let mut bytes = std::fs::read(path).unwrap();
    let slot = newest_slot(&bytes);
    let (record_size, stride) = (u32_at(&bytes, slot + 48), u32_at(&bytes, slot + 52));
    let data_offset = u64_at(&bytes, slot + 56);
    assert_eq!(bytes[slot + 24] & 1, 1, "the store was made without deletes");
    let mut live_count = u64_at(&bytes, slot + 80);
    let mut free_head = u64_at(&bytes, slot + 88);
    for &id in ids {
        let start = usize::try_from(data_offset + id * u64::from(stride)).unwrap();
        let status = start + record_size as usize;
        assert_eq!(bytes[status], 1, "record {id} is not live");
        bytes[start..status].fill(0);
        bytes[start..start + 8].copy_from_slice(&free_head.to_le_bytes());
        bytes[status] = 2;
        (free_head, live_count) = (id, live_count - 1);
    }
    std::fs::write(path, bytes).unwrap();
    set_header(path, live_count, free_head);
}

/// Writes a live count and a free head into both header slots of the store at `path`.
pub(crate) fn set_header(path: &Path, live_count: u64, free_head: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    for slot in [0, 4096] {
        bytes[slot + 80..slot + 88].copy_from_slice(&live_count.to_le_bytes());
        bytes[slot + 88..slot + 96].copy_from_slice(&free_head.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[slot..slot + 508]);
        bytes[slot + 508..slot + 512].copy_from_slice(&crc.to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

fn newest_slot(bytes: &[u8]) -> usize {
    if u64_at(bytes, 4096 + 64) > u64_at(bytes, 64) { 4096 } else { 0 }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
