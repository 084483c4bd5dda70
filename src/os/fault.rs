//! Copies whose faults are results: the fault guard.
//!
//! If the system cannot provide a page of a mapped file (the file was truncated, the disk fails,
//! the file system is full), the program gets a signal, `SIGBUS`, and on Windows an exception. The
//! guard turns it into a result for one piece of code only: [`copy`], a few instructions of
//! assembly at known addresses. The handler compares the address of the fault with them. For a
//! fault of the copy it moves the program counter to the copy's end, and the copy returns how many
//! bytes are left. Any other fault goes to the previous handler. The guard remaps nothing, so other
//! threads see the same pages as before.
//!
//! The handler is safe in a signal: it reads atomics and addresses, and calls only `sigaction`,
//! `raise` and the previous handler (POSIX.1-2024, 2.4.3).
//!
//! The assembly exists for x86-64 and 64-bit ARM. Elsewhere [`CATCHES`] is false and the copy is a
//! plain loop, whose faults end the process; a caller that wants the guard uses read and write
//! calls there.

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

/// Installs the guard for the whole process, at most once.
///
/// A second call does nothing, even if other code has replaced our handler: its handler may pass
/// faults on to ours, and ours would pass them back.
///
/// # Errors
///
/// Any error of the system call. None is known.
pub(crate) fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_installed() {
        way::install()?;
        INSTALLED.store(true, Ordering::Release);
    }
    Ok(())
}

/// Whether the guard is installed.
pub(crate) fn is_installed() -> bool {
    INSTALLED.load(Ordering::Acquire)
}

/// Copies `len` bytes by instructions that the compiler does not look into, so that others may
/// change the bytes during the copy. Returns how many bytes at the end were not copied: 0 unless
/// the guard caught a fault. The bytes before them were copied; a few of them may have been.
///
/// # Safety
///
/// `from` is mapped for reading and `to` for writing `len` bytes, and the two do not overlap. A
/// page that the system cannot provide raises a signal unless the guard is installed.
#[inline]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) -> usize {
    // SAFETY: the caller's promise, passed on.
    unsafe { way::copy(from, to, len) }
}
