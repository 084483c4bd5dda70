//! Ctrl-C on Windows: the console calls a function on a separate thread. C's `signal` would report
//! fewer of its events.

#![allow(unsafe_code, reason = "a call about the console")]

use std::sync::Once;

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

use super::{INTERRUPT, ask};

/// Receives the console's events from now on.
pub(super) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        // Without a handler an event has its usual effect, which loses a clean end only.
        // SAFETY: the handler is one, which may be called on any thread.
        let _ = unsafe { SetConsoleCtrlHandler(Some(on_event), 1) };
    });
}

unsafe extern "system" fn on_event(event: u32) -> BOOL {
    ask(INTERRUPT);
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        // The window was closed, or the user logs off: the process ends when this returns, and has
        // some seconds to end by itself.
        loop {
            std::thread::park();
        }
    }
    1
}
