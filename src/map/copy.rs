//! Copies between ordinary memory and mapped memory that others may be changing.
//!
//! Another process, or another view of the same pages, may store while we copy. Rust calls such a
//! race undefined when plain loads and stores do it, so the copy is an instruction that the
//! compiler does not look into (`rep movsb`; the C library's own choice for such sizes on current
//! processors), and volatile byte accesses where there is no such instruction. A concurrent store
//! may be seen in part: whoever cannot live with that excludes it with a lock.

/// Copies `into.len()` bytes from mapped memory.
///
/// # Safety
/// `from` is good for reading that many mapped bytes, which do not overlap `into`.
pub(super) unsafe fn copy_out(from: *const u8, into: &mut [u8]) {
    // SAFETY: the caller's promise for `from`; `into` is valid for writing its own length.
    unsafe { opaque_copy(from, into.as_mut_ptr(), into.len()) }
}

/// Copies `from` into mapped memory.
///
/// # Safety
/// `to` is good for writing `from.len()` mapped bytes, which do not overlap `from`.
pub(super) unsafe fn copy_in(from: &[u8], to: *mut u8) {
    // SAFETY: the caller's promise for `to`; `from` is valid for reading its own length.
    unsafe { opaque_copy(from.as_ptr(), to, from.len()) }
}

/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and the two do not overlap.
#[cfg(target_arch = "x86_64")]
unsafe fn opaque_copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise covers every byte touched; the direction flag is clear on entry
    // to an asm block (Rust reference, inline assembly, "rules"), and flags are left alone.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") len => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and the two do not overlap.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn opaque_copy(from: *const u8, to: *mut u8, len: usize) {
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
            unsafe { copy_out(source.as_ptr(), &mut target[1..=len]) };
            assert_eq!(target[1..=len], source[..len]);
            assert!(target[0] == 0xAA && target[len + 1..].iter().all(|&byte| byte == 0xAA));
            let mut back = vec![0xBB; 302];
            // SAFETY: `back` holds 302 bytes, and `len` < 300.
            unsafe { copy_in(&source[..len], back.as_mut_ptr()) };
            assert_eq!(back[..len], source[..len]);
            assert!(back[len..].iter().all(|&byte| byte == 0xBB));
        }
    }
}
