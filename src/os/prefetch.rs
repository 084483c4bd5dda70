//! A hint to the processor that memory is read soon.

/// The bytes of a cache line on most processors.
const LINE_BYTES: usize = 64;

/// Has the processor fetch `len_bytes` bytes from `address` on into its cache while the thread goes
/// on. It reads nothing and cannot fail, so any address will do, also where nothing is mapped.
#[inline]
pub(crate) fn prefetch(address: *const u8, len_bytes: usize) {
    (0..len_bytes).step_by(LINE_BYTES).for_each(|at| fetch_line(address.wrapping_add(at)));
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch_line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 processor has the instruction (SSE). It is a hint, which does not affect
    // the program's behaviour and raises no fault at any address (Intel SDM, volume 2, PREFETCHh).
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn fetch_line(address: *const u8) {
    // SAFETY: a hint, which raises no fault at any address (Arm ARM, C6.2, PRFM); it changes no
    // register, no flag and no memory.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{address}]",
            address = in(reg) address,
            options(nostack, preserves_flags, readonly),
        );
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
fn fetch_line(_address: *const u8) {}
