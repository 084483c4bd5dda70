//! Memory on Windows: page size, advice, locking, residency, fault counters.

use std::ffi::c_void;
use std::io;

use windows_sys::Win32::Foundation::ERROR_NOT_LOCKED;
use windows_sys::Win32::System::Memory as memory;
use windows_sys::Win32::System::ProcessStatus as status;
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{check, code, size_of_u32};
use crate::os::{Advice, Advised, FaultCounts, Residency, page_range};

fn system_info() -> SYSTEM_INFO {
    let mut info = SYSTEM_INFO::default();
    // SAFETY: the call fills one such struct, and cannot fail.
    unsafe { GetSystemInfo(&raw mut info) };
    info
}

pub(in crate::os) fn page_size_bytes() -> usize {
    system_info().dwPageSize as usize
}

pub(in crate::os) fn allocation_granularity_bytes() -> usize {
    system_info().dwAllocationGranularity as usize
}

/// A pseudo handle of this process. It need not be closed.
fn this_process() -> *mut c_void {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { GetCurrentProcess() }
}

/// Will-need and the populating advices are `PrefetchVirtualMemory`. The prefetch brings pages into
/// memory but does not prevent the faults; touching the pages could raise an in-page error.
/// Don't-need removes the pages from the working set by unlocking pages that are not locked, as
/// VirtualUnlock documents. The rest is unsupported: on Windows read-ahead is chosen when a file is
/// opened.
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call. `DontNeed` also
/// undoes [`lock_memory`] for the range.
pub(crate) unsafe fn advise(
    address: *mut u8,
    len_bytes: usize,
    advice: Advice,
) -> io::Result<Advised> {
    let (start, len_bytes) = page_range(address, len_bytes)?;
    if len_bytes == 0 {
        return Ok(Advised::Done);
    }
    match advice {
        Advice::Normal | Advice::Sequential | Advice::Random => Ok(Advised::Unsupported),
        Advice::WillNeed => prefetch(start, len_bytes).map(|()| Advised::Done),
        Advice::PopulateRead | Advice::PopulateWrite => {
            prefetch(start, len_bytes).map(|()| Advised::FellBack("PrefetchVirtualMemory"))
        }
        Advice::DontNeed => {
            // SAFETY: the caller vouches for the range, whose pages are whole in the view.
            unsafe { unlock_memory(start.cast(), len_bytes) }.map(|()| Advised::Done)
        }
    }
}

fn prefetch(start: *mut c_void, len_bytes: usize) -> io::Result<()> {
    let range =
        memory::WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: start, NumberOfBytes: len_bytes };
    // SAFETY: one entry, which outlives the call; the call changes no memory, and addresses that
    // are not mapped are an error and no fault.
    check(unsafe { memory::PrefetchVirtualMemory(this_process(), 1, &raw const range, 0) })
}

/// `VirtualLock`. A process can lock a little less than its minimum working set (some 30 pages,
/// unless `SetProcessWorkingSetSize` has raised it).
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call.
pub(crate) unsafe fn lock_memory(address: *const u8, len_bytes: usize) -> io::Result<()> {
    let (start, len_bytes) = page_range(address, len_bytes)?;
    if len_bytes == 0 {
        return Ok(());
    }
    // SAFETY: the caller vouches that the range is mapped; its pages are whole in the view.
    check(unsafe { memory::VirtualLock(start, len_bytes) })
}

/// `VirtualUnlock`.
///
/// # Safety
///
/// As for [`lock_memory`].
pub(crate) unsafe fn unlock_memory(address: *const u8, len_bytes: usize) -> io::Result<()> {
    let (start, len_bytes) = page_range(address, len_bytes)?;
    if len_bytes == 0 {
        return Ok(());
    }
    // SAFETY: as in `lock_memory`.
    match check(unsafe { memory::VirtualUnlock(start, len_bytes) }) {
        Err(error) if code(&error) == ERROR_NOT_LOCKED => Ok(()),
        result => result,
    }
}

/// `QueryWorkingSetEx`: the pages in the working set of this process. The cache may hold more.
///
/// # Safety
///
/// The range lies in one view (or allocation) that stays mapped during the call.
pub(crate) unsafe fn residency(address: *const u8, len_bytes: usize) -> io::Result<Residency> {
    const PAGES_PER_CALL: usize = 4096;
    let page = crate::os::page_size_bytes();
    let (start, len_bytes) = page_range(address, len_bytes)?;
    let mut resident_pages = 0;
    let mut pages = Vec::with_capacity((len_bytes / page).min(PAGES_PER_CALL));
    for first in (0..len_bytes).step_by(page * PAGES_PER_CALL) {
        pages.clear();
        let end = len_bytes.min(first + page * PAGES_PER_CALL);
        pages.extend((first..end).step_by(page).map(|at| {
            status::PSAPI_WORKING_SET_EX_INFORMATION {
                VirtualAddress: start.cast::<u8>().wrapping_add(at).cast(),
                ..Default::default()
            }
        }));
        let entry = size_of_u32::<status::PSAPI_WORKING_SET_EX_INFORMATION>();
        let room = u32::try_from(pages.len()).map_or(0, |count| count * entry);
        // SAFETY: `pages` has as many entries as the call is told, each with its address filled in;
        // the call fills in the rest, and touches no page.
        let done = unsafe {
            status::K32QueryWorkingSetEx(this_process(), pages.as_mut_ptr().cast(), room)
        };
        check(done)?;
        // The lowest bit says that the page is valid: in the working set.
        resident_pages += pages.iter().map(|page| (flags(page) & 1) as u64).sum::<u64>();
    }
    Ok(Residency { pages: (len_bytes / page) as u64, resident_pages, page_size_bytes: page as u64 })
}

fn flags(page: &status::PSAPI_WORKING_SET_EX_INFORMATION) -> usize {
    // SAFETY: every variant of the union is one word of bits, for which any value is valid.
    unsafe { page.VirtualAttributes.Flags }
}

/// `GetProcessMemoryInfo`, which counts all faults as one, in 32 bits.
pub(in crate::os) fn process_faults() -> io::Result<FaultCounts> {
    let size = size_of_u32::<status::PROCESS_MEMORY_COUNTERS>();
    let mut counters = status::PROCESS_MEMORY_COUNTERS { cb: size, ..Default::default() };
    // SAFETY: the call fills one such struct, whose size it is told.
    check(unsafe { status::K32GetProcessMemoryInfo(this_process(), &raw mut counters, size) })?;
    Ok(FaultCounts { minor: u64::from(counters.PageFaultCount), major: 0 })
}

pub(in crate::os) fn thread_faults() -> Option<FaultCounts> {
    None
}
