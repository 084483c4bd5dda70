//! Ctrl-C on Windows: an event of the console, told to a function on a thread of its own. C's
//! `signal` would tell of fewer of them.

#![allow(unsafe_code, reason = "a call about the console")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

use super::EXIT_STATUS;

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Notes the first event from now on; a second Ctrl-C or Ctrl-Break ends the process.
pub(super) fn listen() -> Arc<AtomicBool> {
    static LISTENING: Once = Once::new();
    let asked = Arc::clone(ASKED.get_or_init(Arc::default));
    LISTENING.call_once(|| {
        // Without a handler an event has its usual effect, which loses a clean end only.
        // SAFETY: the handler is one, which may be called on any thread.
        let _ = unsafe { SetConsoleCtrlHandler(Some(on_event), 1) };
    });
    asked
}

unsafe extern "system" fn on_event(event: u32) -> BOOL {
    let was_asked = ASKED.get().is_some_and(|asked| asked.swap(true, Ordering::Relaxed));
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        // The window is closed, or the user logs off: the process ends when this returns, and has
        // some seconds to do so by itself.
        loop {
            std::thread::park();
        }
    }
    if was_asked {
        std::process::exit(EXIT_STATUS.into());
    }
    1
}
