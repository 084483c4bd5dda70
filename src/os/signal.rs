//! A signal that a thread sets and that programs wait for as for a file: by `poll`, `epoll`,
//! `kqueue`, or `WaitForMultipleObjects`.
//!
//! It stays set until it is cleared, for all that wait (level-triggered). Each [`Signal::set`]
//! after a [`Signal::clear`] is also an event for those that count changes only (edge-triggered).
//!
//! | system | a signal |
//! | --- | --- |
//! | Linux | an eventfd |
//! | macOS | a pair of sockets |
//! | Windows | an event that is reset by hand |

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

use std::io;
use std::time::Duration;

/// A signal, not set at first.
#[derive(Debug)]
pub(crate) struct Signal(system::Signal);

impl Signal {
    /// A new signal.
    ///
    /// # Errors
    /// An error of the system: too many open files, for example.
    pub(crate) fn new() -> io::Result<Self> {
        system::Signal::new().map(Self)
    }

    /// Sets the signal; one that is set stays so.
    pub(crate) fn set(&self) -> io::Result<()> {
        self.0.set()
    }

    /// Clears the signal.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.0.clear()
    }

    /// Waits until the signal is set, at most for the given time. Returns whether it is set.
    pub(crate) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        self.0.wait(at_most)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Signal {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsHandle for Signal {
    fn as_handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
        self.0.as_handle()
    }
}
