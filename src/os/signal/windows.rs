//! Signals on Windows: events that `SetEvent` sets until `ResetEvent` clears them.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    CreateEventW, ResetEvent, SetEvent, WaitForSingleObject,
};

use crate::os::windows::check;

#[derive(Debug)]
pub(super) struct Signal(OwnedHandle);

impl Signal {
    pub(super) fn new() -> io::Result<Self> {
        let (by_hand, set) = (1, 0);
        // SAFETY: null attributes are the default, and a null name makes an event without one.
        let handle = unsafe { CreateEventW(ptr::null(), by_hand, set, ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a handle that the system has just made for this call, that no other code knows,
        // and that CloseHandle closes.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    pub(super) fn set(&self) -> io::Result<()> {
        // SAFETY: the handle is open as long as `self` lives.
        check(unsafe { SetEvent(self.0.as_raw_handle()) })
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        // SAFETY: as above.
        check(unsafe { ResetEvent(self.0.as_raw_handle()) })
    }

    pub(super) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        // A longer wait takes several calls: the largest number means "for ever".
        const LONGEST_MS: u128 = 1 << 30;
        let started = Instant::now();
        loop {
            let left = at_most.saturating_sub(started.elapsed());
            let left_ms = left.as_nanos().div_ceil(1_000_000).min(LONGEST_MS);
            let left_ms = u32::try_from(left_ms).unwrap_or(u32::MAX - 1);
            // SAFETY: the handle is open as long as `self` lives.
            match unsafe { WaitForSingleObject(self.0.as_raw_handle(), left_ms) } {
                WAIT_OBJECT_0 => return Ok(true),
                WAIT_TIMEOUT if left.is_zero() => return Ok(false),
                WAIT_TIMEOUT => {}
                _ => return Err(io::Error::last_os_error()),
            }
        }
    }
}

impl AsHandle for Signal {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}
