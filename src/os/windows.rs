//! Windows: positioned reads and writes, byte-range locks, preallocation, renames, and facts about
//! files. Memory (advice, residency, faults) is in `windows/memory.rs`, the meaning of names in
//! `windows/names.rs`.
//!
//! Each function keeps the promise that its namesake in `unix.rs` documents; the comments here say
//! how, and what differs. They name the system's calls, such as `LockFileEx`.

mod memory;
mod names;
mod removal;

use std::ffi::c_void;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::iter;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Component, Path, Prefix};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation as errors;
use windows_sys::Win32::Storage::FileSystem as files;
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};

use super::file_system::{FileSystemKind, Survives, kind_of_volume};
use super::{FileIdentity, LockKind, Preallocated};
use crate::number::{len_of, smaller};

pub(crate) use memory::{advise, lock_memory, residency, unlock_memory};
pub(super) use memory::{
    allocation_granularity_bytes, page_size_bytes, process_faults, thread_faults,
};
pub(crate) use names::{agreed_path, begins_with_name, has_room_for, is_nameless, why_no_file};
pub(crate) use removal::remove;

/// "A mapped view of a file is not guaranteed to be coherent with a file that is being accessed by
/// the ReadFile or WriteFile function" (CreateFileMapping).
pub(crate) const FILE_CALLS_SEE_VIEWS: bool = false;

/// Whether [`is_range_locked`] leaves the locks as they are.
pub(crate) const LOCKS_CAN_BE_ASKED_FOR: bool = false;

/// Where the bytes of a lock file begin that stand for locks: far past its end. A lock also refuses
/// reads and writes of the range by other handles, and a program may copy the lock file.
pub(crate) const LOCKS_START: u64 = 1 << 40;

/// A section cannot be larger than its file, nor a view larger than its section.
pub(crate) const VIEWS_MAY_PASS_END: bool = false;

/// `ReadFile` with an offset. It also moves the file's cursor, which no code here uses.
pub(crate) fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    check_range(offset, into.len() as u64)?;
    file.seek_read(into, offset)
}

/// `WriteFile` with an offset, until all is written. The two largest offsets mean "at the end" and
/// "at the cursor", so they are refused like every impossible offset.
pub(crate) fn write_all_at(file: &File, offset: u64, from: &[u8]) -> io::Result<()> {
    check_range(offset, from.len() as u64)?;
    let mut done = 0;
    while done < from.len() {
        let position = offset.checked_add(done as u64).ok_or(io::ErrorKind::InvalidInput)?;
        match file.seek_write(&from[done..], position)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => done += written,
        }
    }
    Ok(())
}

/// Refuses the same ranges as on Unix, where offsets are signed.
fn check_range(start: u64, len_bytes: u64) -> io::Result<()> {
    let end = start.checked_add(len_bytes);
    if end.is_some_and(|end| i64::try_from(end).is_ok()) {
        return Ok(());
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// Reserves clusters (`FileAllocationInfo`), then moves the end (`FileEndOfFileInfo`, by std).
///
/// A sparse or compressed file gets clusters only when it is written, despite the reservation, so
/// the answer is `LengthOnly`. Where the call is missing, as in Wine, this writes zeros instead.
/// After a failure, setting the end again also frees the clusters reserved past it.
pub(super) fn allocate(
    file: &File,
    old_len_bytes: u64,
    new_len_bytes: u64,
) -> io::Result<Preallocated> {
    const DISSOLVED: u32 = files::FILE_ATTRIBUTE_SPARSE_FILE | files::FILE_ATTRIBUTE_COMPRESSED;
    if information(file)?.dwFileAttributes & DISSOLVED != 0 {
        file.set_len(new_len_bytes)?;
        return Ok(Preallocated::LengthOnly);
    }
    if reserve(file, new_len_bytes)? {
        file.set_len(new_len_bytes)?;
    } else {
        write_zeros(file, old_len_bytes, new_len_bytes)?;
    }
    Ok(Preallocated::Blocks)
}

/// Reserves clusters for a file of `len_bytes` bytes; `false` if the system cannot.
fn reserve(file: &File, len_bytes: u64) -> io::Result<bool> {
    let size = i64::try_from(len_bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let info = files::FILE_ALLOCATION_INFO { AllocationSize: size };
    // SAFETY: the handle is open as long as `file` lives; the class and the size that are passed
    // are those of `info`, which outlives the call.
    let done = unsafe {
        files::SetFileInformationByHandle(
            file.as_raw_handle(),
            files::FileAllocationInfo,
            (&raw const info).cast(),
            size_of_u32::<files::FILE_ALLOCATION_INFO>(),
        )
    };
    if done != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match code(&error) {
        errors::ERROR_CALL_NOT_IMPLEMENTED
        | errors::ERROR_INVALID_FUNCTION
        | errors::ERROR_NOT_SUPPORTED => Ok(false),
        _ => Err(error),
    }
}

/// Sets the time of the last change: a store through a view may leave it unchanged, and NTFS may
/// write it when the last handle is closed. Errors are ignored, because only tools use the time.
pub(crate) fn show_change(file: &File) {
    let _ = file.set_modified(SystemTime::now());
}

/// Does nothing: a file without the sparse attribute has no holes, and one with it keeps them.
pub(crate) fn fill_holes(_file: &File, _len_bytes: u64) -> io::Result<()> {
    Ok(())
}

/// Lengthens a file by zeros. If the disk lacks room for all of them and the file is mapped, some
/// stay, because Wine does not shorten a mapped file; they have their clusters.
fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    const STEP_BYTES: usize = 1 << 20;
    let available = final_path(file).and_then(fs2::available_space);
    if available.is_ok_and(|available_bytes| available_bytes < to - from) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let zeros = vec![0; smaller(to - from, STEP_BYTES)];
    let mut at = from;
    while at < to {
        let step = smaller(to - at, zeros.len());
        write_all_at(file, at, &zeros[..step])?;
        at += step as u64;
    }
    Ok(())
}

/// Does nothing: Windows has no call to flush a directory. NTFS logs its names, and the log is
/// written before a later `FlushFileBuffers` on the volume returns, so a rename followed by a sync
/// of the renamed file is durable; on other file systems there is no promise.
pub(crate) fn sync_directory(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// std's rename: `MoveFileExW` with replacement. `PermissionDenied` if another handle holds `to`
/// open and forbids its deletion, or if a view of `to` exists; then nothing has changed.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// `MoveFileExW` without the flag that replaces.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide_path(from)?, wide_path(to)?);
    // SAFETY: both are NUL-terminated (`wide_path`) and outlive the call.
    let done = unsafe { files::MoveFileExW(from.as_ptr(), to.as_ptr(), 0) };
    check(done)
}

/// The path for a call of the system, NUL-terminated: absolute and in the `\\?\` form, which has no
/// limit of 260 characters.
fn wide_path(path: &Path) -> io::Result<Vec<u16>> {
    let path = std::path::absolute(path)?;
    let start = match path.components().next() {
        Some(Component::Prefix(prefix)) => prefix.kind(),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let (prefix, skip) = match start {
        Prefix::Disk(_) => (r"\\?\", 0),
        // \\server\share becomes \\?\UNC\server\share.
        Prefix::UNC(..) => (r"\\?\UNC\", 2),
        _ => ("", 0),
    };
    let rest = path.as_os_str().encode_wide().skip(skip);
    let wide: Vec<u16> = prefix.encode_utf16().chain(rest).collect();
    if wide.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(wide.into_iter().chain(iter::once(0)).collect())
}

/// As on macOS.
pub(crate) fn open_again(_file: &File) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Every file system has locks.
pub(crate) fn has_no_locks(_error: &io::Error) -> bool {
    false
}

/// Whether the file was opened for writing: a write of zero bytes changes nothing and fails if not.
pub(crate) fn is_writable(file: &File) -> bool {
    file.seek_write(&[], 0).is_ok()
}

/// What synced bytes survive, by the volume's file system.
pub(crate) fn survives_synced(_file: &File, kind: &FileSystemKind) -> Survives {
    kind.survives_synced()
}

/// `FILE_FLAG_DELETE_ON_CLOSE`: the system removes the file when its last handle is closed or the
/// process ends. The program must unmap views first.
pub(crate) fn open_temporary(dir: &Path) -> io::Result<File> {
    loop {
        let path = dir.join(super::unlikely_name());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        // Temporary: the cache delays writing it to the disk.
        options.attributes(files::FILE_ATTRIBUTE_TEMPORARY);
        options.custom_flags(files::FILE_FLAG_DELETE_ON_CLOSE);
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
}

/// `LockFileEx`. The holder is the open file, as on Unix. Unlike on Unix,
///
/// - a second lock by the same holder does not replace the first: a second exclusive lock conflicts
///   with it, so a lock cannot be upgraded in place, and a shared lock is stacked upon an exclusive
///   one, which is then released first;
/// - an exclusive lock also refuses reads and writes of the range by other handles, so locks are
///   never taken on bytes that any code reads.
pub(crate) fn try_lock_range(
    file: &File,
    start: u64,
    len: u64,
    kind: LockKind,
) -> io::Result<bool> {
    check_lock_range(start, len)?;
    let exclusive = match kind {
        LockKind::Shared => 0,
        LockKind::Exclusive => files::LOCKFILE_EXCLUSIVE_LOCK,
    };
    let flags = files::LOCKFILE_FAIL_IMMEDIATELY | exclusive;
    let mut place = overlapped_at(start);
    // SAFETY: the handle is open as long as `file` lives; `place` outlives the call, which
    // completes before it returns, because std opens files for synchronous use.
    let done = unsafe {
        files::LockFileEx(file.as_raw_handle(), flags, 0, low(len), high(len), &raw mut place)
    };
    match check(done) {
        Ok(()) => Ok(true),
        Err(error) => match code(&error) {
            // IO_PENDING: the answer for a file opened for overlapped use.
            errors::ERROR_LOCK_VIOLATION | errors::ERROR_IO_PENDING => Ok(false),
            _ => Err(error),
        },
    }
}

/// `UnlockFileEx`, for exactly a range that was locked: it cannot unlock a part of one.
pub(crate) fn unlock_range(file: &File, start: u64, len: u64) -> io::Result<()> {
    check_lock_range(start, len)?;
    let mut place = overlapped_at(start);
    // SAFETY: as in `try_lock_range`.
    let done = unsafe {
        files::UnlockFileEx(file.as_raw_handle(), 0, low(len), high(len), &raw mut place)
    };
    match check(done) {
        // A range without a lock is no error. Windows reports NOT_LOCKED for it, Wine
        // LOCK_VIOLATION.
        Err(error)
            if matches!(code(&error), errors::ERROR_NOT_LOCKED | errors::ERROR_LOCK_VIOLATION) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Flushes a view by the given call, which is `FlushViewOfFile`.
///
/// The system refuses it (`ERROR_LOCK_VIOLATION`) while it is writing pages of the range by itself.
/// Unlike after other failures, the pages are still dirty then.
pub(crate) fn flush_of_view(flush: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let is_busy = |error: &io::Error| code(error) == errors::ERROR_LOCK_VIOLATION;
    super::retry(PATIENCE, is_busy, flush)
}

/// Whether another handle holds an exclusive lock in the range, whatever the `kind` of the asked
/// lock. Windows has no such query, so this takes a shared lock for a moment. A handle that tries
/// for an exclusive lock at that moment fails; one that only asks does not.
pub(crate) fn is_range_locked(
    file: &File,
    start: u64,
    len: u64,
    _kind: LockKind,
) -> io::Result<bool> {
    if !try_lock_range(file, start, len, LockKind::Shared)? {
        return Ok(true);
    }
    unlock_range(file, start, len).map(|()| false)
}

/// Waits a little: Windows can wait for a word only within one process.
pub(crate) fn wait_while(word: &AtomicU32, value: u32, at_most: Duration) {
    super::sleep_while(word, value, at_most);
}

/// Does nothing: waiters look again by themselves ([`wait_while`]).
pub(crate) fn wake_all(_word: &AtomicU32) {}

/// Does not wait, and returns `false`: see [`wait_while`].
pub(crate) fn wait_for_any(_words: &[(&AtomicU32, u32)], _at_most: Duration) -> bool {
    false
}

/// Does nothing: Windows has no signals that a thread could receive.
pub(crate) fn block_signals() {}

fn check_lock_range(start: u64, len: u64) -> io::Result<()> {
    if len == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    check_range(start, len)
}

fn overlapped_at(offset: u64) -> OVERLAPPED {
    let place = OVERLAPPED_0_0 { Offset: low(offset), OffsetHigh: high(offset) };
    OVERLAPPED { Anonymous: OVERLAPPED_0 { Anonymous: place }, ..OVERLAPPED::default() }
}

/// Always granted, without a lock: locks on Windows are mandatory and would refuse the reads and
/// writes of others. Only the lock file excludes a second writer, under every name of the file
/// ([`agreed_path`]) except hard links.
pub(crate) fn try_lock_inode(_file: &File, _kind: LockKind) -> io::Result<bool> {
    Ok(true)
}

/// Does nothing: see [`try_lock_inode`].
pub(crate) fn unlock_inode(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Whether this process may write the file. Only opening it tells.
pub(crate) fn may_write(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok()
}

/// `FileIdInfo`: the volume's serial number and the file's 128-bit number, which ReFS needs. If a
/// file system (FAT) or an emulation lacks it, `GetFileInformationByHandle`.
pub(crate) fn file_identity(file: &File) -> io::Result<FileIdentity> {
    let mut found = files::FILE_ID_INFO::default();
    // SAFETY: the handle is open as long as `file` lives; the class and the size that are passed
    // are those of `found`, which the call fills.
    let done = unsafe {
        files::GetFileInformationByHandleEx(
            file.as_raw_handle(),
            files::FileIdInfo,
            (&raw mut found).cast::<c_void>(),
            size_of_u32::<files::FILE_ID_INFO>(),
        )
    };
    if done != 0 {
        let number = u128::from_le_bytes(found.FileId.Identifier);
        return Ok(FileIdentity { volume: found.VolumeSerialNumber, number });
    }
    let found = information(file)?;
    let index = (u64::from(found.nFileIndexHigh) << 32) | u64::from(found.nFileIndexLow);
    Ok(FileIdentity { volume: u64::from(found.dwVolumeSerialNumber), number: u128::from(index) })
}

/// Opens the named file for its attributes alone, which neither waits nor conflicts with other
/// handles.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let flags = files::FILE_FLAG_OPEN_REPARSE_POINT | files::FILE_FLAG_BACKUP_SEMANTICS;
    match OpenOptions::new().access_mode(0).custom_flags(flags).open(path) {
        Ok(named) => Ok(file_identity(&named)? == file_identity(file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn information(file: &File) -> io::Result<files::BY_HANDLE_FILE_INFORMATION> {
    let mut found = files::BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open as long as `file` lives, and the call fills one such struct.
    let done = unsafe { files::GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) };
    check(done).map(|()| found)
}

/// The allocation size, in whole clusters. NTFS keeps the smallest files in its own tables and
/// reports 0.
pub(crate) fn allocated_bytes(file: &File) -> io::Result<u64> {
    let mut found = files::FILE_STANDARD_INFO::default();
    // SAFETY: the handle is open as long as `file` lives; the class and the size that are passed
    // are those of `found`, which the call fills.
    let done = unsafe {
        files::GetFileInformationByHandleEx(
            file.as_raw_handle(),
            files::FileStandardInfo,
            (&raw mut found).cast::<c_void>(),
            size_of_u32::<files::FILE_STANDARD_INFO>(),
        )
    };
    check(done)?;
    u64::try_from(found.AllocationSize).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Skips nothing: files are sparse only if a program asks for it.
pub(crate) fn next_data(_file: &File, offset: u64) -> io::Result<Option<u64>> {
    Ok(Some(offset))
}

/// The volume's file system, and whether the file's final path leads to another machine: mapped
/// drives, and links to them, resolve to `\\?\UNC\server\share`.
pub(crate) fn file_system(file: &File) -> io::Result<FileSystemKind> {
    const NAME_CHARS: u32 = 64;
    let mut name = [0_u16; NAME_CHARS as usize];
    // SAFETY: the handle is open as long as `file` lives; `name` has room for as many characters as
    // the call is told; it writes nothing through the null pointers.
    let done = unsafe {
        files::GetVolumeInformationByHandleW(
            file.as_raw_handle(),
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            name.as_mut_ptr(),
            NAME_CHARS,
        )
    };
    check(done)?;
    let len = name.iter().position(|character| *character == 0).unwrap_or(name.len());
    let name = String::from_utf16_lossy(&name[..len]);
    // A volume that the mount manager does not know has no final paths (in Wine paths of more than
    // 260 characters). Nothing says that another machine has it.
    Ok(match final_path(file) {
        Ok(path) => kind_of_volume(&name, &path),
        Err(_) => FileSystemKind::Unknown(name.to_ascii_lowercase().into()),
    })
}

/// The path that the file really has.
fn final_path(file: &File) -> io::Result<String> {
    let mut path = vec![0_u16; 512];
    loop {
        let room = u32::try_from(path.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the handle is open as long as `file` lives, and `path` has `room` characters.
        let len = unsafe {
            files::GetFinalPathNameByHandleW(file.as_raw_handle(), path.as_mut_ptr(), room, 0)
        };
        match len_of(len) {
            0 => return Err(io::Error::last_os_error()),
            len if len < path.len() => {
                let path = std::ffi::OsString::from_wide(&path[..len]);
                return Ok(path.to_string_lossy().into_owned());
            }
            // Too small: `len` is the needed size, including the NUL.
            len => path.resize(len + 1, 0),
        }
    }
}

/// `BOOL` to result.
pub(super) fn check(done: windows_sys::core::BOOL) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The system's number of an error, which std keeps with a sign; 0 (success) if it has none.
pub(super) fn code(error: &io::Error) -> u32 {
    error.raw_os_error().map_or(0, |code| code as u32)
}

pub(super) fn low(value: u64) -> u32 {
    (value & u64::from(u32::MAX)) as u32
}

pub(super) fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// The size of a struct as the system's calls take it.
pub(super) const fn size_of_u32<T>() -> u32 {
    assert!(size_of::<T>() <= u32::MAX as usize);
    size_of::<T>() as u32
}
