//! Copies whose faults are results: the fault guard.
//!
//! A page of a mapped file that the system cannot provide (the file was cut short, the disk fails,
//! the file system is full) is no error of a call but a signal, `SIGBUS`; on Windows an exception.
//! The guard turns it into a result for one piece of code only: [`copy`], a few instructions of
//! assembly at known addresses. The handler looks where the fault was. If one of those
//! instructions met it, the program counter is moved to the copy's end, and the copy returns how
//! many bytes are left; any other fault goes to whoever handled such faults before. Nothing is
//! remapped, so what other threads see stays as it was.
//!
//! What a handler does here is safe in a signal: it reads atomics and addresses, and calls nothing
//! but `sigaction`, `raise` and the handler that was there before (POSIX.1-2024, 2.4.3).
//!
//! The assembly is for x86-64 and 64-bit ARM. Elsewhere [`CATCHES`] is false: the copy is a loop
//! whose faults are nobody's but the system's, and who has asked for the guard reads and writes by
//! calls instead.

#[cfg(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    all(target_arch = "aarch64", unix)
))]
mod assembly;
#[cfg(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    all(target_arch = "aarch64", unix)
))]
use assembly as way;

#[cfg(not(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    all(target_arch = "aarch64", unix)
)))]
mod plain;
#[cfg(not(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    all(target_arch = "aarch64", unix)
)))]
use plain as way;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether the guard can catch the faults of [`copy`] on this processor.
pub(crate) const CATCHES: bool = way::CATCHES;

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Installs the guard, for the process and for good; at most once, however often it is called.
///
/// Never a second time, even if somebody has put another handler in its place: that one may pass
/// faults on to ours, and ours would pass them back.
///
/// # Errors
///
/// None are known: it is the system's call, and the system's to refuse.
pub(crate) fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_installed() {
        way::install()?;
        INSTALLED.store(true, Ordering::Release);
    }
    Ok(())
}

/// Whether somebody has installed the guard.
pub(crate) fn is_installed() -> bool {
    INSTALLED.load(Ordering::Acquire)
}

/// Copies `len` bytes by instructions that the compiler does not look into, so that others may be
/// changing them meanwhile. Returns how many bytes at the end were not copied: none, unless the
/// guard caught a fault. What was copied lies before them, and of them a few may have been.
///
/// # Safety
///
/// `from` is mapped for reading and `to` for writing `len` bytes, and the two do not overlap. Pages
/// that the system cannot provide are a fault, which is a signal unless the guard is installed.
#[inline]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) -> usize {
    // SAFETY: the caller's promise, passed on.
    unsafe { way::copy(from, to, len) }
}
