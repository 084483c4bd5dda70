//! The guard on Windows, where faults are exceptions: a vectored handler of in-page errors, which
//! runs before the handlers of frames.
//!
//! It ignores access violations, even in the copy: the program may touch every address of a view,
//! so one there is a bug of this crate. Wine reports a lost page as an access violation, so the
//! guard does not work there; the tests translate it back (`tests/fault_guard/exceptions.rs`).

use std::io;

use windows_sys::Win32::Foundation::EXCEPTION_IN_PAGE_ERROR;
use windows_sys::Win32::System::Diagnostics::Debug as debug;

use super::recovery;

/// Installs the handler. Called once.
pub(in crate::os::fault) fn install() -> io::Result<()> {
    // SAFETY: the handler has the type that the call expects (see there) and lives as long as the
    // program.
    let handle = unsafe { debug::AddVectoredExceptionHandler(1, Some(on_exception)) };
    if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The handler. It calls nothing and leaves other exceptions to the next handler.
unsafe extern "system" fn on_exception(info: *mut debug::EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system gives its handlers valid pointers to both records.
    let debug::EXCEPTION_POINTERS { ExceptionRecord: record, ContextRecord: context } =
        unsafe { *info };
    // SAFETY: as above.
    if unsafe { (*record).ExceptionCode } != EXCEPTION_IN_PAGE_ERROR {
        return debug::EXCEPTION_CONTINUE_SEARCH;
    }
    // SAFETY: as above; no other code uses the context during the handler.
    let counter = unsafe { &mut (*context).Rip };
    match usize::try_from(*counter).ok().and_then(recovery) {
        Some(recovery) => {
            // The thread continues at an instruction of the same function, which expects to be
            // entered from there (`assembly`).
            *counter = recovery as u64;
            debug::EXCEPTION_CONTINUE_EXECUTION
        }
        None => debug::EXCEPTION_CONTINUE_SEARCH,
    }
}
