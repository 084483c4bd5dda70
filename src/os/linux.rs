//! What only Linux does: `madvise`, O_TMPFILE, `statfs` numbers, faults of a thread.

mod medium;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::fs::{FallocateFlags, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use rustix::mm::Advice as Madvise;
use rustix::shm;
use rustix::thread::{ClockId, futex};
use std::os::fd::{AsFd, AsRawFd};

use super::file_system::{FileSystemKind, kind_of_magic, kind_of_type_name, mounted_type};
use super::{Advice, Advised};

pub(super) use libc::{F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};
pub(super) use range_lock::{RangeLock, lock_call};

pub(super) const F_RDLCK: libc::c_short = libc::F_RDLCK as libc::c_short;
pub(super) const F_WRLCK: libc::c_short = libc::F_WRLCK as libc::c_short;
pub(super) const F_UNLCK: libc::c_short = libc::F_UNLCK as libc::c_short;
pub(super) const SEEK_SET: libc::c_short = libc::SEEK_SET as libc::c_short;

pub(crate) use medium::survives_synced;

/// Lengthens the file from `old_len_bytes` to `new_len_bytes`, with blocks behind the new bytes.
pub(super) fn allocate(file: &File, old_len_bytes: u64, new_len_bytes: u64) -> Result<(), Errno> {
    let more_bytes = new_len_bytes - old_len_bytes;
    rustix::fs::fallocate(file, FallocateFlags::empty(), old_len_bytes, more_bytes)
}

/// Lets the system begin to write the changed pages of the range to the device.
pub(super) fn begin_write_back(file: &File, offset: u64, len_bytes: u64) {
    let number = |number| libc::off64_t::try_from(number).unwrap_or(libc::off64_t::MAX);
    let (offset, len_bytes, flags) =
        (number(offset), number(len_bytes), libc::SYNC_FILE_RANGE_WRITE);
    // SAFETY: the call takes a descriptor, which `file` keeps open, and numbers.
    let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len_bytes, flags) };
}

/// The first byte from `offset` on that is not in a hole; `None` if a hole reaches to the end.
///
/// File systems that do not know return `offset`: "a filesystem may simply return a file offset
/// equal to the requested" (lseek(2)).
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    // The cursor is put back, because a clone of the caller's descriptor shares it.
    let cursor = rustix::fs::tell(file)?;
    let found = rustix::fs::seek(file, SeekFrom::Data(offset));
    rustix::fs::seek(file, SeekFrom::Start(cursor))?;
    match found {
        Ok(data) => Ok(Some(data.max(offset))),
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(offset)),
        Err(error) => Err(error.into()),
    }
}

/// Tells the system how the program will use the range, rounded to whole pages.
///
/// - `DontNeed` is `MADV_PAGEOUT`: unlike `MADV_DONTNEED` it keeps what a private page holds.
/// - The populating advices fall back to `MADV_WILLNEED` on kernels before 5.14. They do not touch
///   the pages: a touch may raise SIGBUS.
///
/// # Errors
///
/// Populating advices: `EFAULT` for pages past the end of a truncated file, and for pages that a
/// full disk cannot back (only populating for writing finds out); `EINVAL` to populate a read-only
/// view for writing. All advices: `ENOMEM` where nothing is mapped.
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call.
pub(crate) unsafe fn advise(
    address: *mut u8,
    len_bytes: usize,
    advice: Advice,
) -> io::Result<Advised> {
    let wanted = match advice {
        Advice::Normal => Madvise::Normal,
        Advice::Sequential => Madvise::Sequential,
        Advice::Random => Madvise::Random,
        Advice::WillNeed => Madvise::WillNeed,
        Advice::DontNeed => Madvise::LinuxPageOut,
        Advice::PopulateRead => Madvise::LinuxPopulateRead,
        Advice::PopulateWrite => Madvise::LinuxPopulateWrite,
    };
    // SAFETY: the caller vouches for the range, and none of these advices changes what it holds.
    match unsafe { madvise(address, len_bytes, wanted) } {
        Ok(()) => Ok(Advised::Done),
        Err(Errno::INVAL) if !kernel_knows(wanted) => {
            if !matches!(advice, Advice::PopulateRead | Advice::PopulateWrite) {
                return Ok(Advised::Unsupported);
            }
            // SAFETY: as above.
            unsafe { madvise(address, len_bytes, Madvise::WillNeed) }?;
            Ok(Advised::FellBack("will-need"))
        }
        // madvise(2) on will-need: "the map exists, but the area maps something that isn't a file".
        Err(Errno::BADF) => Ok(Advised::Unsupported),
        Err(error) => Err(error.into()),
    }
}

/// `madvise` over the pages of a range.
///
/// # Safety
///
/// The range is mapped, and the advice does not change what it holds.
unsafe fn madvise(address: *mut u8, len_bytes: usize, advice: Madvise) -> Result<(), Errno> {
    let (start, len_bytes) = super::page_range(address, len_bytes).map_err(|_| Errno::INVAL)?;
    rustix::io::retry_on_intr(|| {
        // SAFETY: madvise(2) needs a page boundary, which `page_range` gives. It leaves the memory
        // as it is except for advices that the caller has ruled out.
        unsafe { rustix::mm::madvise(start, len_bytes, advice) }
    })
}

/// Whether this kernel has the advice. madvise(2) offers the probe: for no bytes at address 0 it
/// succeeds "if advice is supported by the kernel".
fn kernel_knows(advice: Madvise) -> bool {
    // SAFETY: a range of no bytes holds nothing that could be changed.
    unsafe { rustix::mm::madvise(std::ptr::null_mut(), 0, advice) }.is_ok()
}

/// The name of the calling thread in `getrusage`.
pub(super) const THREAD_USAGE: Option<libc::c_int> = Some(libc::RUSAGE_THREAD);

/// Opens a new file in `dir` for reading and writing. It has no name and is gone when closed.
/// `None` if the file system cannot make one.
///
/// `O_TMPFILE`, so that not even a crash leaves the file behind. `O_EXCL` with it prevents that the
/// file ever gets a name.
pub(super) fn open_nameless(dir: &Path) -> io::Result<Option<File>> {
    let flags = libc::O_TMPFILE | libc::O_EXCL;
    match OpenOptions::new().read(true).write(true).custom_flags(flags).mode(0o600).open(dir) {
        // A kernel without the flag reads it as "open a directory for writing": EISDIR.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {
            Ok(None)
        }
        result => result.map(Some),
    }
}

/// The kind of file system that the file lies on.
///
/// The number that `fstatfs` reports tells it. All FUSE file systems share one number, and the
/// mount table tells which one it is.
pub(crate) fn file_system(file: &File) -> io::Result<FileSystemKind> {
    // The width and the sign of f_type differ by target; the number itself has 32 bits.
    let magic = rustix::fs::fstatfs(file.as_fd())?.f_type as u32;
    if let Some(kind) = kind_of_magic(magic) {
        return Ok(kind);
    }
    let device = file.metadata()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    // Without a mount table (a jail without /proc) it is an unknown FUSE file system.
    Ok(kind_of_type_name(mounted_type(&table, major, minor).unwrap_or("fuse")))
}

/// Opens the shared-memory object `name`: a file in memory under /dev/shm. Refuses a symbolic link
/// there.
pub(super) fn open_section(name: &str, create: bool) -> io::Result<File> {
    let create = if create { shm::OFlags::CREATE } else { shm::OFlags::empty() };
    // rustix, unlike the shm_open of the C libraries, follows links by default.
    let no_follow = shm::OFlags::from_bits_retain(OFlags::NOFOLLOW.bits());
    let flags = shm::OFlags::RDWR | no_follow | create;
    Ok(shm::open(name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Removes the name of a shared-memory object.
pub(super) fn unlink_section(name: &str) -> io::Result<()> {
    Ok(shm::unlink(name)?)
}

/// Waits while the word has that value, at most so long, or until a wake-up; may return early for
/// no reason. The word may lie in memory that processes share: a futex.
pub(crate) fn wait_while(word: &AtomicU32, value: u32, at_most: Duration) {
    // A time that the system cannot count has no limit.
    let timeout = i64::try_from(at_most.as_secs())
        .ok()
        .map(|tv_sec| rustix::fs::Timespec { tv_sec, tv_nsec: at_most.subsec_nanos().into() });
    // Not the private futex, which serves the threads of one process. Whatever the call returns
    // (changed, timed out, interrupted), the caller reads the word itself.
    let waited = futex::wait(word, futex::Flags::empty(), value, timeout.as_ref());
    if matches!(waited, Err(Errno::NOSYS | Errno::FAULT | Errno::INVAL | Errno::PERM)) {
        super::sleep_while(word, value, at_most);
    }
}

/// Wakes all threads and processes that wait for the word to change.
pub(crate) fn wake_all(word: &AtomicU32) {
    // It fails only for invalid addresses.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX.unsigned_abs());
}

const NANOSECONDS_A_SECOND: i64 = 1_000_000_000;

/// Waits while each word has the value beside it, at most so long, or until a wake-up; may return
/// early for no reason. Takes up to [`WORDS_MAX`](super::WORDS_MAX) words. Returns `false` at once
/// if the system cannot wait for several words: Linux before 5.16, or a sandbox that does not know
/// the call, or no memory for it.
pub(crate) fn wait_for_any(words: &[(&AtomicU32, u32)], at_most: Duration) -> bool {
    let waits: Vec<futex::Wait> = words
        .iter()
        .map(|(word, value)| {
            let mut wait = futex::Wait::new();
            wait.val = (*value).into();
            wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
            // Not private, as in `wait_while`.
            wait.flags = futex::WaitFlags::SIZE_U32;
            wait
        })
        .collect();
    // The call takes the time of its end, not a length. A time that cannot be counted has no limit.
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    let nanoseconds = now.tv_nsec + i64::from(at_most.subsec_nanos());
    let seconds = i64::try_from(at_most.as_secs()).ok().and_then(|more| {
        now.tv_sec.checked_add(more)?.checked_add(nanoseconds / NANOSECONDS_A_SECOND)
    });
    let timeout = seconds
        .map(|tv_sec| rustix::fs::Timespec { tv_sec, tv_nsec: nanoseconds % NANOSECONDS_A_SECOND });
    let flags = futex::WaitvFlags::empty();
    let waited = futex::waitv(&waits, flags, timeout.as_ref(), ClockId::Monotonic);
    matches!(waited, Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT))
}

/// The lock of a range, and the call that takes one. Its offsets have 64 bits on every target, so
/// that programs of 32 and of 64 bits mean the same bytes of a file.
#[cfg(not(all(
    target_env = "gnu",
    any(target_arch = "x86", target_arch = "arm", target_arch = "mips", target_arch = "powerpc")
)))]
mod range_lock {
    pub(in crate::os) use libc::flock as RangeLock;

    /// # Safety
    /// `fd` is open, and `lock` can be read and written.
    pub(in crate::os) unsafe fn lock_call(
        fd: libc::c_int,
        command: libc::c_int,
        lock: *mut RangeLock,
    ) -> libc::c_int {
        // SAFETY: fcntl(2) takes an open descriptor, and for lock commands one `flock` to read and
        // write, as the caller vouches.
        unsafe { libc::fcntl(fd, command, lock) }
    }
}

/// As above, where the C library's `off_t` has 32 bits.
#[cfg(all(
    target_env = "gnu",
    any(target_arch = "x86", target_arch = "arm", target_arch = "mips", target_arch = "powerpc")
))]
mod range_lock {
    pub(in crate::os) use libc::flock64 as RangeLock;

    /// # Safety
    /// `fd` is open, and `lock` can be read and written.
    pub(in crate::os) unsafe fn lock_call(
        fd: libc::c_int,
        command: libc::c_int,
        lock: *mut RangeLock,
    ) -> libc::c_int {
        // SAFETY: fcntl64 takes an open descriptor, and for the locks of open files one `flock64`
        // to read and write, as the caller vouches (fcntl(2), "struct flock64").
        let result = unsafe { libc::syscall(libc::SYS_fcntl64, fd, command, lock) };
        if result == 0 { 0 } else { -1 }
    }
}

/// Opens the same file once more for reading, with locks of its own.
pub(crate) fn open_again(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
