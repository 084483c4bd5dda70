//! The copy on processors without the assembly: the guard cannot catch its faults.

use std::io;

pub(super) const CATCHES: bool = false;

/// Does nothing: there is no guard here.
pub(super) fn install() -> io::Result<()> {
    Ok(())
}

/// # Safety
/// As [`super::copy`].
pub(super) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) -> usize {
    for at in 0..len {
        // SAFETY: `at` < `len`, within what the caller promised to be readable.
        let source = unsafe { from.add(at) };
        // SAFETY: as above; a byte has no alignment.
        let byte = unsafe { source.read_volatile() };
        // SAFETY: `at` < `len`, within what the caller promised to be writable.
        let target = unsafe { to.add(at) };
        // SAFETY: as above.
        unsafe { target.write_volatile(byte) };
    }
    0
}
