//! What only macOS does: preallocation by `fcntl`, names of file systems, sections in files.
//!
//! Written from Apple's manual pages and headers, and type-checked; it has not been run.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::mm::Advice as Madvise;

use super::file_system::{FileSystemKind, Survives, kind_of_type_name};
use super::{Advice, Advised};

pub(super) use libc::{F_RDLCK, F_UNLCK, F_WRLCK};

// fcntl.h has them since macOS 10.13; the libc crate does not name them for Apple systems.
pub(super) const F_OFD_SETLK: libc::c_int = 90;
pub(super) const F_OFD_SETLKW: libc::c_int = 91;
pub(super) const F_OFD_GETLK: libc::c_int = 92;

pub(super) use libc::flock as RangeLock;

/// # Safety
/// `fd` is open, and `lock` can be read and written.
pub(super) unsafe fn lock_call(
    fd: libc::c_int,
    command: libc::c_int,
    lock: *mut RangeLock,
) -> libc::c_int {
    // SAFETY: fcntl(2) takes an open descriptor, and for lock commands one `flock` to read and
    // write, as the caller vouches.
    unsafe { libc::fcntl(fd, command, lock) }
}

pub(super) const SEEK_SET: libc::c_short = libc::SEEK_SET as libc::c_short;

/// `F_PREALLOCATE` from the physical end of the file, all or nothing, then the length.
///
/// (rustix's `fallocate` would allocate the new length's worth of blocks *past* the end.)
pub(super) fn allocate(file: &File, old_len_bytes: u64, new_len_bytes: u64) -> Result<(), Errno> {
    let more_bytes = i64::try_from(new_len_bytes - old_len_bytes).map_err(|_| Errno::FBIG)?;
    let mut store = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: more_bytes,
        fst_bytesalloc: 0,
    };
    // SAFETY: fcntl(2) takes an open descriptor, which `file` owns, and a `fstore_t` of ours, in
    // which it leaves the count of bytes that it allocated.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &raw mut store) };
    if result == -1 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    rustix::fs::ftruncate(file, new_len_bytes)
}

/// `posix_madvise`, whose don't-need keeps what the pages hold on macOS. Populating falls back to
/// will-need.
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call.
pub(crate) unsafe fn advise(
    address: *mut u8,
    len_bytes: usize,
    advice: Advice,
) -> io::Result<Advised> {
    let (wanted, advised) = match advice {
        Advice::Normal => (Madvise::Normal, Advised::Done),
        Advice::Sequential => (Madvise::Sequential, Advised::Done),
        Advice::Random => (Madvise::Random, Advised::Done),
        Advice::WillNeed => (Madvise::WillNeed, Advised::Done),
        Advice::DontNeed => (Madvise::DontNeed, Advised::Done),
        Advice::PopulateRead | Advice::PopulateWrite => {
            (Madvise::WillNeed, Advised::FellBack("will-need"))
        }
    };
    let (start, len_bytes) = super::page_range(address, len_bytes)?;
    // SAFETY: the caller vouches for the range, whose pages are whole in the view, and none of
    // these advices changes what it holds.
    unsafe { rustix::mm::madvise(start, len_bytes, wanted) }?;
    Ok(advised)
}

/// macOS counts faults by process only.
pub(super) const THREAD_USAGE: Option<libc::c_int> = None;

/// macOS has no call for a file without a name.
pub(super) fn open_nameless(_dir: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Skips nothing: on macOS SEEK_DATA is not reliable for bytes that are not on the disk yet.
pub(crate) fn next_data(_file: &File, offset: u64) -> io::Result<Option<u64>> {
    Ok(Some(offset))
}

/// The kind comes from the name that `fstatfs` reports, and from its flag for local file systems.
pub(crate) fn file_system(file: &File) -> io::Result<FileSystemKind> {
    let found = rustix::fs::fstatfs(file.as_fd())?;
    let name = found.f_fstypename.iter().take_while(|byte| **byte != 0);
    let name: Vec<u8> = name.map(|byte| byte.to_ne_bytes()[0]).collect();
    let name = String::from_utf8_lossy(&name);
    // Both are bit sets; only their signs differ.
    if found.f_flags & libc::MNT_LOCAL as u32 == 0 {
        return Ok(FileSystemKind::Network(name.into_owned().into()));
    }
    Ok(kind_of_type_name(&name))
}

/// Opens the file that stands for the section `name`; refuses a symbolic link.
pub(super) fn open_section(name: &str, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(false);
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW).open(section_path(name))
}

/// Removes the name of a section.
pub(super) fn unlink_section(name: &str) -> io::Result<()> {
    fs::remove_file(section_path(name))
}

/// In the temporary directory, which on macOS belongs to the user.
fn section_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("flatrec-section-{name}"))
}

/// Waits a little: macOS has no public call to wait for a word to change.
pub(crate) fn wait_while(word: &AtomicU32, value: u32, at_most: Duration) {
    super::sleep_while(word, value, at_most);
}

/// Does nothing: waiters look again by themselves ([`wait_while`]).
pub(crate) fn wake_all(_word: &AtomicU32) {}

/// Does not wait, and returns `false`: see [`wait_while`].
pub(crate) fn wait_for_any(_words: &[(&AtomicU32, u32)], _at_most: Duration) -> bool {
    false
}

/// What synced bytes survive: at most a crash of the system. [`sync_data`](super::sync_data) asks
/// the device to empty its cache, but no run on macOS has shown that the bytes reach the medium.
pub(crate) fn survives_synced(_file: &File, kind: &FileSystemKind) -> Survives {
    kind.survives_synced().min(Survives::System)
}

/// Unsupported: ranges are not locked here beside the inode, nor by a file opened once more.
pub(crate) fn open_again(_file: &File) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
