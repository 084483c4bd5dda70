//! The copy in assembly, and where its instructions are.
//!
//! ```text
//!   COPY      set up                  touches no memory of the copy; faults are not ours
//!   FIRST     loads and stores        the guard catches faults here
//!   RECOVERY  return what is left     execution continues here after a fault
//! ```
//!
//! Between `FIRST` and `RECOVERY` one register holds how many bytes are left: all bytes not stored
//! yet. `RECOVERY` returns it. The copy uses no stack and changes no register that its caller
//! keeps, so every instruction can jump to `RECOVERY`.
//!
//! The names contain the version of this crate, because a program may link two versions.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as handler;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as handler;

use std::arch::global_asm;

pub(super) use handler::install;

pub(super) const CATCHES: bool = true;

// A new version puts its own number into the names below.
const _: () = {
    assert!(matches!(env!("CARGO_PKG_VERSION_MAJOR").as_bytes(), b"0"));
    assert!(matches!(env!("CARGO_PKG_VERSION_MINOR").as_bytes(), b"1"));
};

/// The name in assembly: macOS puts an underscore before C names.
#[cfg(not(target_os = "macos"))]
macro_rules! symbol {
    ($name:literal) => {
        concat!("flatrec_0_1_", $name)
    };
}
#[cfg(target_os = "macos")]
macro_rules! symbol {
    ($name:literal) => {
        concat!("_flatrec_0_1_", $name)
    };
}

/// A label for this crate, hidden outside the program or library that links it where the system
/// supports that.
#[cfg(target_os = "linux")]
macro_rules! named {
    ($name:literal) => {
        concat!(".globl ", symbol!($name), "\n.hidden ", symbol!($name), "\n", symbol!($name), ":")
    };
}
#[cfg(target_os = "macos")]
macro_rules! named {
    ($name:literal) => {
        concat!(
            ".globl ",
            symbol!($name),
            "\n.private_extern ",
            symbol!($name),
            "\n",
            symbol!($name),
            ":"
        )
    };
}
#[cfg(windows)]
macro_rules! named {
    ($name:literal) => {
        concat!(".globl ", symbol!($name), "\n", symbol!($name), ":")
    };
}

// to: rdi, from: rsi, len: rdx; the bytes left: rax. After a fault `rep movsb` keeps the rest in
// rcx and starts again there (Intel SDM, volume 2, REP). valgrind has already counted the failed
// byte, so the code adds one. The direction flag is clear at every call (System V ABI, 3.2.1).
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".text",
    ".p2align 4",
    named!("copy"),
    "mov rcx, rdx",
    named!("copy_first"),
    "rep movsb",
    "xor eax, eax",
    "ret",
    named!("copy_recovery"),
    "lea rax, [rcx + 1]",
    "cmp rax, rdx",
    "cmova rax, rdx",
    "ret",
);

// to: x0, from: x1, len: x2; the bytes left: x0. x2 falls only after the stores it counts.
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".text",
    ".p2align 4",
    named!("copy"),
    "cmp x2, #32",
    "b.lo 3f",
    named!("copy_first"),
    "2:",
    "ldp q0, q1, [x1]",
    "stp q0, q1, [x0]",
    "add x1, x1, #32",
    "add x0, x0, #32",
    "sub x2, x2, #32",
    "cmp x2, #32",
    "b.hs 2b",
    "3:",
    "cbz x2, 5f",
    "4:",
    "ldrb w3, [x1], #1",
    "strb w3, [x0], #1",
    "subs x2, x2, #1",
    "b.ne 4b",
    "5:",
    named!("copy_recovery"),
    "mov x0, x2",
    "ret",
);

#[cfg(target_arch = "x86_64")]
unsafe extern "sysv64" {
    #[link_name = "flatrec_0_1_copy"]
    fn copy_to(to: *mut u8, from: *const u8, len: usize) -> usize;
}
#[cfg(target_arch = "aarch64")]
unsafe extern "C" {
    #[link_name = "flatrec_0_1_copy"]
    fn copy_to(to: *mut u8, from: *const u8, len: usize) -> usize;
}

unsafe extern "C" {
    #[link_name = "flatrec_0_1_copy_first"]
    static FIRST: u8;
    #[link_name = "flatrec_0_1_copy_recovery"]
    static RECOVERY: u8;
}

/// # Safety
/// As [`super::copy`].
#[inline]
pub(super) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) -> usize {
    // SAFETY: the assembly above is a function of this signature and convention, and touches only
    // the bytes that the caller vouches for.
    unsafe { copy_to(to, from, len) }
}

/// The address to continue at if `counter` points to an instruction of the copy that touches
/// memory. The handlers call this.
fn recovery(counter: usize) -> Option<usize> {
    let first = (&raw const FIRST).addr();
    let recovery = (&raw const RECOVERY).addr();
    (first..recovery).contains(&counter).then_some(recovery)
}
