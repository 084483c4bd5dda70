//! The only place that knows the operating system.
//!
//! Other modules call these functions and contain no `cfg` of the system: positioned reads and
//! writes, preallocation, durable syncs, renames, locks, memory advice, residency, fault counters,
//! the kind of file system, temporary files and named shared memory. The functions return
//! [`io::Result`]; the callers know the path and the operation and make the crate's own error from
//! it.
//!
//! Invariants:
//!
//! - Interrupted calls (`EINTR`) are repeated here.
//! - All input and output names its offset. The file's cursor does not matter.
//! - A call that this system cannot do says so in its result ([`Preallocated::LengthOnly`],
//!   [`Advised::Unsupported`]) or in its documentation.
//!
//! Linux is tested, and Windows under Wine. The macOS file offers the same functions; it is written
//! from the manual pages and type-checked, but has not been run.

// Calls of the system need `unsafe`; each block has its own proof.
#![allow(unsafe_code)]

pub(crate) mod fault;
mod file_memory;
mod file_system;
mod prefetch;
mod section;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
mod sharing;
mod signal;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("flatrec knows Linux, macOS and Windows; src/os is where another system would go");

#[cfg(test)]
#[path = "../../tests/support/skip.rs"]
pub(crate) mod skip;
#[cfg(test)]
mod tests;

pub(crate) use file_memory::memory_for_files;
pub use file_system::{FileSystemKind, Survives};
pub(crate) use file_system::{copies_up, preallocation_binds};
pub(crate) use prefetch::prefetch;
pub(crate) use section::{InitGuard, NamedSection, SectionView};
pub(crate) use sharing::{
    Distrust, Permissions, Sharing, create_new, distrust, has_other_names, is_own, narrow,
    no_follow,
};
pub(crate) use signal::Signal;
pub(crate) use system::{
    FILE_CALLS_SEE_VIEWS, LOCKS_CAN_BE_ASKED_FOR, LOCKS_START, VIEWS_MAY_PASS_END, advise,
    agreed_path, allocated_bytes, begins_with_name, block_signals, file_identity, file_system,
    fill_holes, flush_of_view, has_no_locks, has_room_for, is_at, is_nameless, is_range_locked,
    is_writable, lock_memory, may_write, next_data, open_again, open_temporary, read_at, remove,
    rename_new, replace, residency, show_change, survives_synced, sync_directory, try_lock_inode,
    try_lock_range, unlock_inode, unlock_memory, unlock_range, wait_for_any, wait_while, wake_all,
    why_no_file, write_all_at,
};

use std::alloc::{self, Layout};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The size of a page in bytes: the unit of residency, advice and faults.
pub(crate) fn page_size_bytes() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let size = system::page_size_bytes();
        assert!(size.is_power_of_two(), "a page of {size} bytes");
        size
    })
}

/// The offset of a view must be a multiple of this many bytes: 64 KiB on Windows, a page elsewhere.
pub(crate) fn allocation_granularity_bytes() -> usize {
    static GRANULARITY: OnceLock<usize> = OnceLock::new();
    *GRANULARITY.get_or_init(|| {
        let granularity = system::allocation_granularity_bytes();
        assert!(granularity.is_power_of_two(), "a granularity of {granularity} bytes");
        assert_eq!(granularity % page_size_bytes(), 0, "pages divide the granularity");
        granularity
    })
}

const _: () = assert!(size_of::<usize>() <= size_of::<u64>());

/// Makes the file's bytes survive a power cut, with the metadata that reading them needs.
///
/// This is `fdatasync` on Linux, `F_FULLFSYNC` on macOS (where `fsync` leaves the bytes in the
/// device's volatile cache), and `FlushFileBuffers` on Windows, as std chooses. On Windows the
/// caller must flush the bytes of a view to the file first.
///
/// After a failure a later success proves nothing: the kernel may have dropped the dirty pages and
/// marked them clean. The caller poisons its handle.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Lets the system begin to write the range to the device, so that less is left for a later
/// [`sync_data`], which alone makes it durable and tells of failures. Only Linux has such a call.
pub(crate) fn begin_write_back(file: &File, offset: u64, len_bytes: u64) {
    #[cfg(target_os = "linux")]
    linux::begin_write_back(file, offset, len_bytes);
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, len_bytes);
}

/// Zeroed bytes of the heap. For long allocations every supported system provides zeroed pages on
/// the first store, so unwritten pages take no memory.
///
/// # Errors
/// [`io::ErrorKind::OutOfMemory`] if `vec![0; len]` would abort the process.
pub(crate) fn zeroed(len: usize) -> io::Result<Box<[u8]>> {
    if len == 0 {
        return Ok(Box::default());
    }
    let layout = Layout::array::<u8>(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // SAFETY: the layout's size is `len`, which is not 0.
    let start = unsafe { alloc::alloc_zeroed(layout) };
    let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
    let bytes = NonNull::slice_from_raw_parts(start, len);
    // SAFETY: the global allocator gave out `len` bytes for the layout of `[u8]` of that length,
    // which a box gives back with; they are initialised, and nothing else owns them.
    Ok(unsafe { Box::from_raw(bytes.as_ptr()) })
}

/// As [`sync_data`], with all metadata: sizes, times, and the allocation of new blocks.
pub(crate) fn sync_full(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Opens a growable file of zeros without a name: `memfd_create` on Linux, elsewhere a temporary
/// file, which stays in the cache while there is room.
pub(crate) fn open_anonymous() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        Ok(File::from(rustix::fs::memfd_create("flatrec", flags)?))
    }
    #[cfg(not(target_os = "linux"))]
    {
        open_temporary(&std::env::temp_dir())
    }
}

/// An unpredictable number from the system's source of randomness.
pub(crate) fn random_number() -> io::Result<u64> {
    Ok(getrandom::u64()?)
}

/// 16 bytes from the system's source of randomness.
pub(crate) fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(id)
}

/// Repeats a call while it fails with a temporary error and time is left.
#[cfg(windows)]
fn retry<V>(
    at_most: Duration,
    passes: impl Fn(&io::Error) -> bool,
    mut call: impl FnMut() -> io::Result<V>,
) -> io::Result<V> {
    let started = Instant::now();
    loop {
        match call() {
            Err(error) if passes(&error) && started.elapsed() < at_most => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

/// Waits for a word to change on systems that cannot wake the waiter: looks again, soon at first,
/// then every 5 ms.
fn sleep_while(word: &AtomicU32, value: u32, at_most: Duration) {
    let started = Instant::now();
    let mut pause = Duration::from_micros(50);
    while word.load(Ordering::Acquire) == value {
        let left = at_most.saturating_sub(started.elapsed());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// The greatest number of words that [`wait_for_any`] can wait for.
pub(crate) const WORDS_MAX: usize = 128; // FUTEX_WAITV_MAX

/// Identifies a file on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileIdentity {
    /// The volume (device) of the file; 0 where that is unknown, as in Wine after an open file was
    /// renamed.
    volume: u64,
    /// The file's number on that volume.
    number: u128,
}

impl PartialEq for FileIdentity {
    fn eq(&self, other: &Self) -> bool {
        let volumes = [self.volume, other.volume];
        let unknown = cfg!(windows) && volumes.contains(&0);
        self.number == other.number && (volumes[0] == volumes[1] || unknown)
    }
}

/// How [`preallocate`] made a file longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preallocated {
    /// The new bytes have blocks of their own; [`preallocation_binds`] says on which file systems
    /// these stay usable.
    Blocks,
    /// The file system cannot allocate blocks, so only the length grew. The caller must write the
    /// new bytes with write calls, which report a full disk as an error; a store through a view
    /// would raise a signal.
    LengthOnly,
}

/// Makes the file `new_len_bytes` long and allocates blocks for the bytes past `old_len_bytes`, so
/// that a full disk is an error here and not a signal at a later store through a view.
///
/// `old_len_bytes` is the file's length now; no other thread or process may change it.
///
/// # Errors
///
/// `StorageFull`, `QuotaExceeded`, `FileTooLarge` or another error of the file system. The file
/// then gets its old length again: ext4 leaves a file longer, with its blocks, after a failed
/// `fallocate`. `InvalidInput` if `new_len_bytes` is smaller than `old_len_bytes`.
pub(crate) fn preallocate(
    file: &File,
    old_len_bytes: u64,
    new_len_bytes: u64,
) -> io::Result<Preallocated> {
    if new_len_bytes < old_len_bytes {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if new_len_bytes == old_len_bytes {
        return Ok(Preallocated::Blocks);
    }
    system::allocate(file, old_len_bytes, new_len_bytes).map_err(|error| {
        match file.set_len(old_len_bytes) {
            Ok(()) => error,
            Err(second) => io::Error::new(
                error.kind(),
                format!("{error}; and cannot shorten the file again: {second}"),
            ),
        }
    })
}

/// How the program will use a range of a view.
///
/// Advice never changes what a view holds: `DontNeed` may cost time to read pages back, not data.
/// Advice that the system does not support is no error: [`Advised`](crate::os::Advised) reports it.
///
/// | advice | Linux | Windows |
/// | --- | --- | --- |
/// | `Normal`, `Sequential`, `Random` | `madvise` | unsupported: chosen when a file is opened |
/// | `WillNeed` | `MADV_WILLNEED` | `PrefetchVirtualMemory` |
/// | `DontNeed` | `MADV_PAGEOUT` | out of the working set, by `VirtualUnlock`, also where locked |
/// | `PopulateRead`, `PopulateWrite` | `MADV_POPULATE_*` (5.14) | fall back to `WillNeed` |
///
/// ```
/// use flatrec::Advice;
/// // Point reads over more data than there is memory: without it the system reads ahead in vain.
/// let advice = Advice::Random;
/// assert_ne!(advice, Advice::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// The system's default read-ahead.
    #[default]
    Normal,
    /// The program reads front to back: the system reads far ahead and drops pages early.
    Sequential,
    /// The program reads single records: the system does not read ahead.
    Random,
    /// The program needs the range soon: the system starts to read it and does not wait.
    WillNeed,
    /// The program does not need the range soon: its pages may leave memory, and keep what they
    /// hold.
    DontNeed,
    /// The program needs the range now: the call returns once every page can be read without a
    /// fault.
    PopulateRead,
    /// The program will write the range now: the call returns once every page can be written
    /// without a fault. On a file system that allocates late, a full disk is reported here as an
    /// error.
    PopulateWrite,
}

/// What the system did with an advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advised {
    /// The system did what was asked.
    Done,
    /// The system does not support the advice and did the weaker one named here.
    FellBack(&'static str),
    /// The system does not support the advice and did nothing.
    Unsupported,
}

/// How much of a range is in memory.
///
/// ```
/// let half = flatrec::Residency { pages: 8, resident_pages: 4, page_size_bytes: 4096 };
/// assert_eq!(half.resident_bytes(), 16384);
/// assert_eq!(half.fraction(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residency {
    /// The pages that the range touches.
    pub pages: u64,
    /// The pages of the range that are in memory: in the page cache on Unix, in the working set of
    /// this process on Windows.
    pub resident_pages: u64,
    /// The size of a page in bytes.
    pub page_size_bytes: u64,
}

impl Residency {
    /// The bytes in memory, in whole pages.
    pub fn resident_bytes(&self) -> u64 {
        self.resident_pages.saturating_mul(self.page_size_bytes)
    }

    /// The part of the range that is in memory, 0 to 1; of an empty range, 1.
    pub fn fraction(&self) -> f64 {
        if self.pages == 0 {
            return 1.0;
        }
        self.resident_pages as f64 / self.pages as f64
    }
}

/// Page faults counted by the system since the process (or thread) started.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let before = flatrec::process_faults()?;
/// let touched = vec![1_u8; 1 << 20];
/// let faults = flatrec::process_faults()?.since(before);
/// assert!(faults.minor + faults.major < 1_000_000, "{faults:?} for {} bytes", touched.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Faults served from memory. On Windows all faults, because it keeps one counter.
    pub minor: u64,
    /// Faults that waited for a disk. On Windows always 0.
    pub major: u64,
}

impl FaultCounts {
    /// The faults since `earlier`; 0 for a counter that ran backwards or wrapped round.
    #[must_use]
    pub fn since(self, earlier: FaultCounts) -> FaultCounts {
        FaultCounts {
            minor: self.minor.saturating_sub(earlier.minor),
            major: self.major.saturating_sub(earlier.major),
        }
    }
}

/// The page faults of this process since it started.
///
/// See [`FaultCounts`] for an example.
///
/// # Errors
///
/// Any error of the system call. On Linux, macOS and Windows none is known.
pub fn process_faults() -> io::Result<FaultCounts> {
    system::process_faults()
}

/// The page faults of the calling thread since it started; `None` where the system does not count
/// them by thread (macOS, Windows).
///
/// ```
/// if let Some(before) = flatrec::thread_faults() {
///     let touched = vec![1_u8; 1 << 20];
///     let faults = flatrec::thread_faults().unwrap().since(before);
///     println!("{} bytes: {faults:?}", touched.len());
/// }
/// ```
pub fn thread_faults() -> Option<FaultCounts> {
    system::thread_faults()
}

/// Whether several holders can hold a lock together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// Any number of holders, none of them exclusive.
    Shared,
    /// One holder.
    Exclusive,
}

/// The whole pages that a range touches: the address of the first page, and their length in bytes.
///
/// The start is rounded down and the end up to page boundaries. A view begins and ends on a page
/// boundary, so the pages of a range inside a view lie inside it too. `None` if the end is not an
/// address.
fn pages_of(address: usize, len_bytes: usize, page: usize) -> Option<(usize, usize)> {
    let start = address & !(page - 1);
    let end = address.checked_add(len_bytes)?.checked_next_multiple_of(page)?;
    Some((start, if len_bytes == 0 { 0 } else { end - start }))
}

/// [`pages_of`] a range, in the types of the memory calls.
fn page_range(address: *const u8, len_bytes: usize) -> io::Result<(*mut c_void, usize)> {
    let (start, len_bytes) = pages_of(address.addr(), len_bytes, page_size_bytes())
        .ok_or(io::ErrorKind::InvalidInput)?;
    Ok((address.with_addr(start).cast_mut().cast(), len_bytes))
}

/// A random name for a new file. The caller checks that it is free.
///
/// std has no random numbers, but it draws its hash keys from the system.
fn unlikely_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one((std::process::id(), call));
    format!(".flatrec-{random:016x}-{call:x}")
}
