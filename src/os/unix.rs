//! What Linux and macOS do alike: POSIX calls, through std where std makes the right one.
//!
//! `kernel` is the file of the one system at hand, where the two differ: it makes the calls that
//! the other lacks, and uses nothing of this file.

use std::ffi::{OsStr, c_void};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

#[cfg(target_os = "linux")]
use super::linux as kernel;
#[cfg(target_os = "macos")]
use super::macos as kernel;
use super::{FaultCounts, FileIdentity, LockKind, Preallocated, Residency, page_range};

pub(crate) use kernel::{
    advise, file_system, next_data, open_again, survives_synced, wait_for_any, wait_while, wake_all,
};

/// Whether read and write calls see the contents of a shared view at once, and the reverse. One
/// page cache serves both: POSIX leaves it open, Linux and macOS promise it.
pub(crate) const FILE_CALLS_SEE_VIEWS: bool = true;

/// Where the bytes of a lock file begin that stand for locks. Locks are advisory here: reads and
/// writes of these bytes still work.
pub(crate) const LOCKS_START: u64 = 0;

/// Whether a view may reach past the end of its file, for use once the file has grown. Until then a
/// touch past the end raises SIGBUS.
pub(crate) const VIEWS_MAY_PASS_END: bool = true;

/// Whether [`is_range_locked`] leaves the locks as they are.
pub(crate) const LOCKS_CAN_BE_ASKED_FOR: bool = true;

pub(super) fn page_size_bytes() -> usize {
    rustix::param::page_size()
}

pub(super) fn allocation_granularity_bytes() -> usize {
    page_size_bytes()
}

/// Reads what one call gives at `offset`: less than asked for near the end of the file, 0 at the
/// end.
///
/// # Errors
///
/// `InvalidInput` for an offset past `i64::MAX`, or an error of `pread`.
pub(crate) fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read_at(into, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Writes all of `from` at `offset`, and lengthens the file if needed.
///
/// # Errors
///
/// An error of `pwrite`. Part of the bytes may have been written.
pub(crate) fn write_all_at(file: &File, offset: u64, from: &[u8]) -> io::Result<()> {
    file.write_all_at(from, offset)
}

/// `fallocate`, or only the length if the file system has no such call. (`posix_fallocate` would be
/// worse there: glibc writes a byte into every block, in a race with every other writer.)
pub(super) fn allocate(
    file: &File,
    old_len_bytes: u64,
    new_len_bytes: u64,
) -> io::Result<Preallocated> {
    loop {
        match kernel::allocate(file, old_len_bytes, new_len_bytes) {
            Ok(()) => return Ok(Preallocated::Blocks),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                file.set_len(new_len_bytes)?;
                return Ok(Preallocated::LengthOnly);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Does nothing: syncing a file that views have changed sets the time of its last change
/// (`msync`, POSIX).
pub(crate) fn show_change(_file: &File) {}

/// Allocates blocks for the holes in the first `len_bytes` bytes of a file at least that long; does
/// nothing if the file system cannot.
pub(crate) fn fill_holes(file: &File, len_bytes: u64) -> io::Result<()> {
    if allocated_bytes(file)? < len_bytes {
        allocate(file, 0, len_bytes)?;
    }
    Ok(())
}

/// Makes the names in `dir` survive a power cut: after a creation, a rename, a removal.
pub(crate) fn sync_directory(dir: &Path) -> io::Result<()> {
    // "" is what Path::parent gives for a bare file name.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Renames `from` to `to` and replaces an existing `to` atomically. Survives a power cut after
/// [`sync_directory`].
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Renames `from` to `to` atomically, unless `to` exists.
///
/// # Errors
///
/// `AlreadyExists` if `to` exists; then nothing has changed.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system lacks the flag (EINVAL, ENOTSUP) or the kernel lacks the call (ENOSYS).
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, to),
        result => Ok(result?),
    }
}

/// [`rename_new`] in two calls: a hard link refuses an existing name as atomically. After a crash
/// between the two, the file has both names.
pub(super) fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Opens a new file in `dir` for reading and writing that is gone when closed: one that never had a
/// name, or one whose name was removed at once.
pub(crate) fn open_temporary(dir: &Path) -> io::Result<File> {
    match kernel::open_nameless(dir)? {
        Some(file) => Ok(file),
        None => create_and_unlink(dir),
    }
}

/// Creates a file and removes its name at once.
///
/// For systems that cannot open a file without a name. A crash between the two calls leaves an
/// empty file.
pub(super) fn create_and_unlink(dir: &Path) -> io::Result<File> {
    loop {
        let path = dir.join(super::unlikely_name());
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Pins the pages of a range in memory.
///
/// # Errors
///
/// `OutOfMemory` or `PermissionDenied` above the limit of this process (`ulimit -l`), and for a
/// range with pages that have no backing.
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call.
pub(crate) unsafe fn lock_memory(address: *const u8, len_bytes: usize) -> io::Result<()> {
    let (start, len_bytes) = page_range(address, len_bytes)?;
    // SAFETY: mlock(2) needs mapped pages and changes none of them; the caller vouches that the
    // range is mapped, and its pages are whole in the view (`pages_of`).
    Ok(unsafe { rustix::mm::mlock(start, len_bytes) }?)
}

/// Undoes [`lock_memory`] for every page of the range, whatever the number of locks.
///
/// # Safety
///
/// As for [`lock_memory`].
pub(crate) unsafe fn unlock_memory(address: *const u8, len_bytes: usize) -> io::Result<()> {
    let (start, len_bytes) = page_range(address, len_bytes)?;
    // SAFETY: as in `lock_memory`.
    Ok(unsafe { rustix::mm::munlock(start, len_bytes) }?)
}

/// How many pages of a range are in the page cache.
///
/// The answer may be outdated at once. Since Linux 5.2 it is true only for a process that owns the
/// file or may write it; for others every page counts as resident (`mincore(2)`). It does not
/// notice a truncated file.
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call.
pub(crate) unsafe fn residency(address: *const u8, len_bytes: usize) -> io::Result<Residency> {
    const PAGES_PER_CALL: usize = 64 << 10;
    let page = super::page_size_bytes();
    let (start, len_bytes) = page_range(address, len_bytes)?;
    let mut states = vec![0; (len_bytes / page).min(PAGES_PER_CALL)];
    let mut resident_pages = 0_u64;
    let mut done = 0;
    while done < len_bytes {
        let pages = ((len_bytes - done) / page).min(PAGES_PER_CALL);
        let part = start.cast::<u8>().wrapping_add(done).cast::<c_void>();
        // SAFETY: mincore(2) needs a page boundary (`page_range` and whole pages since) and a
        // vector with a byte for each page (`pages <= states.len()`); pages that are not mapped are
        // an error and no fault.
        let result = unsafe { libc::mincore(part, pages * page, states.as_mut_ptr().cast()) };
        if result == 0 {
            // The lowest bit says "resident"; the others are reserved.
            resident_pages +=
                states[..pages].iter().map(|state: &u8| u64::from(state & 1)).sum::<u64>();
            done += pages * page;
            continue;
        }
        let error = io::Error::last_os_error();
        if !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) {
            return Err(error);
        }
    }
    Ok(Residency { pages: (len_bytes / page) as u64, resident_pages, page_size_bytes: page as u64 })
}

pub(super) fn process_faults() -> io::Result<FaultCounts> {
    faults_of(libc::RUSAGE_SELF)
}

pub(super) fn thread_faults() -> Option<FaultCounts> {
    kernel::THREAD_USAGE.and_then(|thread| faults_of(thread).ok())
}

/// The page faults that `getrusage` counts for `scope`.
fn faults_of(scope: libc::c_int) -> io::Result<FaultCounts> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage(2) writes one `rusage` into `usage`, which has room for one.
    let result = unsafe { libc::getrusage(scope, usage.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all its fields are integers, zeroed above and then filled by a call that succeeded.
    let usage = unsafe { usage.assume_init() };
    // The kernels count without a sign, although the field has one.
    #[allow(clippy::useless_conversion, reason = "elsewhere they have 32 bits")]
    let count = |faults: libc::c_long| -> u64 { (faults as libc::c_ulong).into() };
    Ok(FaultCounts { minor: count(usage.ru_minflt), major: count(usage.ru_majflt) })
}

/// Tries to lock `len` bytes of the file from `start`, without waiting. The bytes need not exist.
/// `false`: another holder has a conflicting lock. A second lock by the same holder replaces its
/// first.
///
/// The holder is the open file description (`F_OFD_SETLK`): two `File`s opened separately exclude
/// each other even in one process, a clone shares the lock, and the lock ends when the last of them
/// is closed or the process ends. The classic `F_SETLK` belongs to the process, which loses it as
/// soon as it closes *any* descriptor of the file, and `flock` knows only whole files.
///
/// To release a lock *now*, call [`unlock_range`]: after a mere close it survives between fork and
/// exec in a process that another thread is starting.
///
/// # Errors
///
/// `InvalidInput` for an empty range or one past offset 2^63 - 1; on file systems without locks
/// their error (`ENOLCK` and the like).
pub(crate) fn try_lock_range(
    file: &File,
    start: u64,
    len: u64,
    kind: LockKind,
) -> io::Result<bool> {
    match set_lock(file, kernel::F_OFD_SETLK, start, len, lock_type(kind)) {
        Ok(()) => Ok(true),
        Err(error) if is_held_by_another(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits for an exclusive lock of the range. A signal does not end the wait.
pub(super) fn lock_range(file: &File, start: u64, len: u64) -> io::Result<()> {
    loop {
        match set_lock(file, kernel::F_OFD_SETLKW, start, len, kernel::F_WRLCK) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Releases the locks of this open file in the range. Without locks it does nothing.
pub(crate) fn unlock_range(file: &File, start: u64, len: u64) -> io::Result<()> {
    set_lock(file, kernel::F_OFD_SETLK, start, len, kernel::F_UNLCK)
}

/// Whether another handle holds a lock in the range that conflicts with one of this kind. Takes no
/// lock.
pub(crate) fn is_range_locked(
    file: &File,
    start: u64,
    len: u64,
    kind: LockKind,
) -> io::Result<bool> {
    let mut lock = range_lock(start, len, lock_type(kind))?;
    call_lock(file, kernel::F_OFD_GETLK, &mut lock)?;
    Ok(lock.l_type != kernel::F_UNLCK)
}

/// Whether an error of a lock says that the file system has none.
pub(crate) fn has_no_locks(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    matches!(code, Some(libc::ENOLCK | libc::ENOSYS | libc::EOPNOTSUPP))
}

/// Whether the file was opened for writing.
pub(crate) fn is_writable(file: &File) -> bool {
    let mode = rustix::fs::fcntl_getfl(file).map(|flags| flags & rustix::fs::OFlags::ACCMODE);
    mode.is_ok_and(|mode| mode != rustix::fs::OFlags::RDONLY)
}

fn lock_type(kind: LockKind) -> libc::c_short {
    match kind {
        LockKind::Shared => kernel::F_RDLCK,
        LockKind::Exclusive => kernel::F_WRLCK,
    }
}

fn is_held_by_another(error: &io::Error) -> bool {
    // fcntl(2): "EACCES or EAGAIN".
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

fn set_lock(
    file: &File,
    command: libc::c_int,
    start: u64,
    len: u64,
    lock_type: libc::c_short,
) -> io::Result<()> {
    call_lock(file, command, &mut range_lock(start, len, lock_type)?)
}

fn call_lock(file: &File, command: libc::c_int, lock: &mut kernel::RangeLock) -> io::Result<()> {
    // SAFETY: `file` owns an open descriptor, and `lock` is a lock that outlives the call.
    let result = unsafe { kernel::lock_call(file.as_raw_fd(), command, lock) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn range_lock(start: u64, len: u64, lock_type: libc::c_short) -> io::Result<kernel::RangeLock> {
    let offset = |value: u64| i64::try_from(value).map_err(|_| io::ErrorKind::InvalidInput);
    if len == 0 {
        // To fcntl a length of 0 means "to the end of the file and beyond".
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(kernel::RangeLock {
        l_type: lock_type,
        l_whence: kernel::SEEK_SET,
        l_start: offset(start)?,
        l_len: offset(len)?,
        // fcntl(2): an open file description lock needs 0 here.
        l_pid: 0,
    })
}

/// Tries to lock the data file itself, under any of its names: hard links and aliases are one
/// inode. `false`: another holder has a conflicting lock. The lock ends as that of
/// [`try_lock_range`] does.
///
/// On Linux this `flock` is independent of the byte ranges above.
pub(crate) fn try_lock_inode(file: &File, kind: LockKind) -> io::Result<bool> {
    let result = match kind {
        LockKind::Shared => fs2::FileExt::try_lock_shared(file),
        LockKind::Exclusive => fs2::FileExt::try_lock_exclusive(file),
    };
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Releases the lock of [`try_lock_inode`].
pub(crate) fn unlock_inode(file: &File) -> io::Result<()> {
    fs2::FileExt::unlock(file)
}

/// Flushes a view by the given call.
pub(crate) fn flush_of_view(flush: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    flush()
}

/// Removes a file's name. Open handles keep the file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Whether this process may write the file. It does not open the file for writing, because an
/// overlay file system would then copy it.
pub(crate) fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    match accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
        // This kernel only tells what the real user may do.
        Err(rustix::io::Errno::NOSYS) => fs::OpenOptions::new().write(true).open(path).is_ok(),
        told => told.is_ok(),
    }
}

/// Device and inode.
pub(crate) fn file_identity(file: &File) -> io::Result<FileIdentity> {
    file.metadata().map(|metadata| identity_in(&metadata))
}

fn identity_in(metadata: &std::fs::Metadata) -> FileIdentity {
    FileIdentity { volume: metadata.dev(), number: u128::from(metadata.ino()) }
}

/// Whether the file has that name; a symbolic link there is another file. Opens nothing.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(identity_in(&found) == file_identity(file)?),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Why no regular file can have this path, as far as the path alone tells; `None` if one can.
pub(crate) fn why_no_file(_path: &Path) -> Option<&'static str> {
    None
}

/// Whether the name of the file at `path` can get this suffix. Always true here: the file system
/// reports a long name when the file is made.
pub(crate) fn has_room_for(_path: &Path, _suffix: &str) -> bool {
    true
}

/// The path beside which the lock file of the store at `path` lies. All processes that open the
/// file should agree on it. Here it is the given path, because the file itself is locked too. A
/// path such as `/dev/fd/3` names a descriptor and has nothing beside it; it stands for the name of
/// the open file.
pub(crate) fn agreed_path(path: &Path) -> PathBuf {
    match named_by_descriptor(path) {
        Some(Descriptor::Of(real)) => real,
        _ => path.to_path_buf(),
    }
}

/// Whether `path` names a descriptor whose file has no name, or no name visible to this process: no
/// file can lie beside it.
pub(crate) fn is_nameless(path: &Path) -> bool {
    matches!(named_by_descriptor(path), Some(Descriptor::Nameless))
}

/// What the path of a descriptor leads to.
enum Descriptor {
    Of(PathBuf),
    Nameless,
}

/// Follows the links at the end of `path`; `None` unless one of them is a link in `/proc` that
/// stands for a descriptor. The text of such a link may not lead to the file.
fn named_by_descriptor(path: &Path) -> Option<Descriptor> {
    const LINKS_MAX: u32 = 40;
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let target = fs::read_link(&path).ok()?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let real = fs::canonicalize(directory).ok()?;
        if real.starts_with("/proc") && real.ends_with("fd") {
            let is_there = match (fs::metadata(&path), fs::symlink_metadata(&target)) {
                (Ok(open), Ok(named)) => identity_in(&open) == identity_in(&named),
                _ => false,
            };
            return Some(if is_there { Descriptor::Of(target) } else { Descriptor::Nameless });
        }
        path = directory.join(target);
    }
    None
}

/// Whether the name of a file begins with `own`, as the system compares names.
pub(crate) fn begins_with_name(name: &OsStr, own: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(own.as_encoded_bytes())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The bytes of disk that the file occupies; fewer than its length if it has holes.
pub(crate) fn allocated_bytes(file: &File) -> io::Result<u64> {
    // st_blocks counts 512 bytes each, whatever the block size (stat(2)).
    let bytes = file.metadata()?.blocks().checked_mul(512);
    bytes.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Keeps signals from the calling thread, so that the program's own threads handle them. Not those
/// that a fault of the thread itself raises.
pub(crate) fn block_signals() {
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the call fills the set (sigfillset, POSIX), and fails for no valid pointer.
    unsafe { libc::sigfillset(signals.as_mut_ptr()) };
    // SAFETY: the call above has filled it.
    let mut signals = unsafe { signals.assume_init() };
    for fault in [libc::SIGBUS, libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
        // SAFETY: the set is filled, and these are numbers of signals.
        unsafe { libc::sigdelset(&raw mut signals, fault) };
    }
    // SAFETY: the set is valid, and the null pointer asks for no old set (pthread_sigmask, POSIX).
    // The call fails only for an unknown first argument.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, ptr::null_mut()) };
}
