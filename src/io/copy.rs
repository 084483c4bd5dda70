//! Copies between ordinary memory and mapped memory that other threads or processes may change.
//!
//! Another process, or another view of the same pages, may store during the copy. Rust calls such a
//! race undefined when plain loads and stores do it, so the copy uses instructions that the
//! compiler does not look into ([`os::fault`]). It may see a part of a concurrent store; a caller
//! that needs whole stores excludes them with a lock.
//!
//! A page that the system cannot provide is a [`Fault`] once the guard is installed; otherwise the
//! system raises a signal or an exception.

use crate::os::fault;

/// A page that a copy met and the system could not provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// How many bytes were copied before it. The byte that failed is the next, or one of the few
    /// that the same instruction would have copied.
    pub(super) done: usize,
}

/// Copies `into.len()` bytes from mapped memory.
///
/// # Safety
/// `from` is mapped for reading that many bytes, which do not overlap `into`.
pub(super) unsafe fn copy_out(from: *const u8, into: &mut [u8]) -> Result<(), Fault> {
    // SAFETY: the caller's promise for `from`; `into` is valid for writing its own length.
    outcome(unsafe { fault::copy(from, into.as_mut_ptr(), into.len()) }, into.len())
}

/// Copies `from` into mapped memory.
///
/// # Safety
/// `to` is mapped for writing `from.len()` bytes, which do not overlap `from`.
pub(super) unsafe fn copy_in(from: &[u8], to: *mut u8) -> Result<(), Fault> {
    // SAFETY: the caller's promise for `to`; `from` is valid for reading its own length.
    outcome(unsafe { fault::copy(from.as_ptr(), to, from.len()) }, from.len())
}

fn outcome(left: usize, len: usize) -> Result<(), Fault> {
    if left == 0 { Ok(()) } else { Err(Fault { done: len - left }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_every_length_and_touches_nothing_else() {
        let source: Vec<u8> = (0..=255).cycle().take(300).collect();
        for len in 0..300 {
            let mut target = vec![0xAA; 302];
            // SAFETY: `source` holds 300 bytes, and the vectors do not overlap.
            unsafe { copy_out(source.as_ptr(), &mut target[1..=len]) }.unwrap();
            assert_eq!(target[1..=len], source[..len]);
            assert!(target[0] == 0xAA && target[len + 1..].iter().all(|&byte| byte == 0xAA));
            let mut back = vec![0xBB; 302];
            // SAFETY: `back` holds 302 bytes, and `len` < 300.
            unsafe { copy_in(&source[..len], back.as_mut_ptr()) }.unwrap();
            assert_eq!(back[..len], source[..len]);
            assert!(back[len..].iter().all(|&byte| byte == 0xBB));
        }
    }
}
