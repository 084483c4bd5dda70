//! Sections on Windows: `CreateFileMappingW` over the page file, and a named mutex for the lock.
//!
//! Names live in the session's namespace (`Local\`): a service and a desktop, or two users logged
//! in at once, each have their own. A null security descriptor grants access to the user alone.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, HANDLE, INVALID_HANDLE_VALUE, WAIT_ABANDONED, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Memory as memory;
use windows_sys::Win32::System::Threading::{
    CreateMutexW, INFINITE, ReleaseMutex, WaitForSingleObject,
};

use super::Access;
use crate::os::windows::{check, code, high, low};

#[derive(Debug)]
pub(super) struct Section {
    mapping: OwnedHandle,
    mutex: OwnedHandle,
    len_bytes: u64,
}

impl Section {
    /// Creation is atomic in the system, which also commits the memory at once.
    pub(super) fn open_or_create(name: &str, len_bytes: u64) -> io::Result<(Self, bool)> {
        let mutex = open_mutex(name)?;
        let wide = object_name(name, "");
        // SAFETY: the name is NUL-terminated and outlives the call; null attributes are the
        // default; INVALID_HANDLE_VALUE asks for memory of the page file.
        let handle = unsafe {
            memory::CreateFileMappingW(
                INVALID_HANDLE_VALUE,
                ptr::null(),
                memory::PAGE_READWRITE,
                high(len_bytes),
                low(len_bytes),
                wide.as_ptr(),
            )
        };
        // Read before any other call: it also says whether the section already existed.
        let last = io::Error::last_os_error();
        let (mapping, existed) = owned(handle, last)?;
        let len_bytes = if existed { mapped_len_bytes(&mapping)? } else { len_bytes };
        Ok((Self { mapping, mutex, len_bytes }, !existed))
    }

    pub(super) fn open(name: &str) -> io::Result<Self> {
        let wide = object_name(name, "");
        let access = memory::FILE_MAP_READ | memory::FILE_MAP_WRITE;
        // SAFETY: the name is NUL-terminated and outlives the call.
        let handle = unsafe { memory::OpenFileMappingW(access, 0, wide.as_ptr()) };
        let (mapping, _) = owned(handle, io::Error::last_os_error())?;
        let len_bytes = mapped_len_bytes(&mapping)?;
        Ok(Self { mapping, mutex: open_mutex(name)?, len_bytes })
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// An abandoned mutex means that its holder died. This thread then owns it, and the caller
    /// always checks for a half-done initialisation.
    pub(super) fn lock(&self) -> io::Result<Lock<'_>> {
        // SAFETY: the handle is open as long as `self` lives.
        let waited = unsafe { WaitForSingleObject(self.mutex.as_raw_handle(), INFINITE) };
        match waited {
            WAIT_OBJECT_0 | WAIT_ABANDONED => Ok(Lock(&self.mutex)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Views begin at multiples of the granularity, so a view at another offset begins a little
    /// before it.
    pub(super) fn view(&self, offset: u64, len_bytes: usize, access: Access) -> io::Result<View> {
        let granularity = crate::os::allocation_granularity_bytes() as u64;
        let base_offset = offset - offset % granularity;
        let skipped =
            usize::try_from(offset - base_offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mapped_len = skipped.checked_add(len_bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let access = match access {
            Access::ReadOnly => memory::FILE_MAP_READ,
            Access::ReadWrite => memory::FILE_MAP_READ | memory::FILE_MAP_WRITE,
            Access::Private => memory::FILE_MAP_COPY,
        };
        let mapping = self.mapping.as_raw_handle();
        let base = map(mapping, access, base_offset, mapped_len)?;
        Ok(View { base, skipped, len_bytes })
    }

    /// Does nothing: the name goes with the last handle.
    pub(super) fn remove(_name: &str) -> io::Result<()> {
        Ok(())
    }
}

/// The handle and whether its object existed, from the creating call's result and the last error
/// after it.
fn owned(handle: HANDLE, last: io::Error) -> io::Result<(OwnedHandle, bool)> {
    if handle.is_null() {
        return Err(last);
    }
    // SAFETY: a handle that the system has just made for this call, that no other code knows, and
    // that CloseHandle closes.
    let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
    Ok((handle, code(&last) == ERROR_ALREADY_EXISTS))
}

fn open_mutex(name: &str) -> io::Result<OwnedHandle> {
    let wide = object_name(name, ":lock");
    // SAFETY: the name is NUL-terminated and outlives the call; null attributes are the default.
    let handle = unsafe { CreateMutexW(ptr::null(), 0, wide.as_ptr()) };
    owned(handle, io::Error::last_os_error()).map(|(handle, _)| handle)
}

/// The object's name, NUL-terminated. Section names contain no colon, so a suffix with one cannot
/// name another section.
fn object_name(name: &str, suffix: &str) -> Vec<u16> {
    format!("Local\\{name}{suffix}\0").encode_utf16().collect()
}

/// Maps a range; a length of 0 means all from the offset on.
fn map(mapping: HANDLE, access: u32, offset: u64, len_bytes: usize) -> io::Result<*mut u8> {
    // SAFETY: `mapping` is an open section (the callers own it); the system checks offset and
    // length and places the view where nothing else is.
    let view =
        unsafe { memory::MapViewOfFile(mapping, access, high(offset), low(offset), len_bytes) };
    if view.Value.is_null() { Err(io::Error::last_os_error()) } else { Ok(view.Value.cast()) }
}

/// The size of a section, in whole pages. The only documented way is to map it all and to ask for
/// the size of the mapping.
fn mapped_len_bytes(mapping: &OwnedHandle) -> io::Result<u64> {
    let base = map(mapping.as_raw_handle(), memory::FILE_MAP_READ, 0, 0)?;
    let whole = View { base, skipped: 0, len_bytes: 0 };
    let mut info = memory::MEMORY_BASIC_INFORMATION::default();
    let size = size_of::<memory::MEMORY_BASIC_INFORMATION>();
    // SAFETY: the call fills one such struct, whose size it is told.
    let filled = unsafe { memory::VirtualQuery(whole.base.cast::<c_void>(), &raw mut info, size) };
    if filled == 0 { Err(io::Error::last_os_error()) } else { Ok(info.RegionSize as u64) }
}

/// The mutex, held by the thread that asked for it.
#[derive(Debug)]
pub(super) struct Lock<'a>(&'a OwnedHandle);

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is open as long as the section lives. The call fails only for a thread
        // that does not hold the mutex, and the guard stays on the thread that does.
        unsafe { ReleaseMutex(self.0.as_raw_handle()) };
    }
}

#[derive(Debug)]
pub(super) struct View {
    base: *mut u8,
    skipped: usize,
    len_bytes: usize,
}

// SAFETY: a view is an address that any thread may use and unmap; it gives out no references.
unsafe impl Send for View {}
// SAFETY: as above: a shared reference gives only the address and the length.
unsafe impl Sync for View {}

impl View {
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.base.wrapping_add(self.skipped)
    }

    pub(super) fn len_bytes(&self) -> usize {
        self.len_bytes
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let address = memory::MEMORY_MAPPED_VIEW_ADDRESS { Value: self.base.cast() };
        // SAFETY: `base` is what MapViewOfFile gave, and only this call unmaps it.
        let unmapped = check(unsafe { memory::UnmapViewOfFile(address) });
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
