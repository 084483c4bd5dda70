//! The guard where faults are exceptions: a vectored handler of in-page errors, which is asked
//! before the handlers of frames.
//!
//! Access violations are left alone, even in the copy: the addresses of a view may all be touched,
//! so one there is a mistake in this crate. Wine makes an access violation of a lost page, too, so
//! it has no guard; the tests translate it back (`tests/fault_guard/exceptions.rs`).

use std::io;

use windows_sys::Win32::Foundation::EXCEPTION_IN_PAGE_ERROR;
use windows_sys::Win32::System::Diagnostics::Debug as debug;

use super::recovery;

/// Puts the handler in front. Called once.
pub(in crate::os::fault) fn install() -> io::Result<()> {
    // SAFETY: the handler is one (see there), and lives as long as the program.
    let handle = unsafe { debug::AddVectoredExceptionHandler(1, Some(on_exception)) };
    if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The handler. It calls nothing; exceptions of others are looked for further on.
unsafe extern "system" fn on_exception(info: *mut debug::EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system gives its handlers valid pointers to both records.
    let debug::EXCEPTION_POINTERS { ExceptionRecord: record, ContextRecord: context } =
        unsafe { *info };
    // SAFETY: as above.
    if unsafe { (*record).ExceptionCode } != EXCEPTION_IN_PAGE_ERROR {
        return debug::EXCEPTION_CONTINUE_SEARCH;
    }
    // SAFETY: as above; nobody else has the context meanwhile.
    let counter = unsafe { &mut (*context).Rip };
    match usize::try_from(*counter).ok().and_then(recovery) {
        Some(recovery) => {
            // The thread goes on at an instruction of the same function, which is made to be
            // entered from there (`assembly`).
            *counter = recovery as u64;
            debug::EXCEPTION_CONTINUE_EXECUTION
        }
        None => debug::EXCEPTION_CONTINUE_SEARCH,
    }
}
