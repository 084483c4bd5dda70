//! Signals on Unix, and the reads that they end.

#![allow(unsafe_code, reason = "a call that asks what becomes of a signal")]

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, mpsc};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::ask;

/// Two ends of a socket: a signal closes the second, which ends waits on the first.
static LINE: OnceLock<(UnixStream, Mutex<Option<UnixStream>>)> = OnceLock::new();

/// Starts the thread that receives signals.
pub(super) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        if let Ok((here, there)) = UnixStream::pair() {
            let _ = LINE.set((here, Mutex::new(Some(there))));
        }
        let heeded: Vec<i32> =
            [SIGINT, SIGHUP, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let (ready, is_ready) = mpsc::channel();
        let heard = heeded.clone();
        let hear = move || {
            let Ok(mut signals) = Signals::new(heard) else { return };
            let _ = ready.send(());
            for signal in signals.forever() {
                ask(signal.try_into().unwrap_or_default());
            }
        };
        // Without the thread signals have their usual effect; only the clean end is lost.
        let spawned = thread::Builder::new().name("signals".into()).spawn(hear);
        if spawned.is_ok() && is_ready.recv().is_ok() {
            leave_to_others(&heeded);
        }
    });
}

/// Blocks these signals for this thread and the threads that it starts: while such a thread waits
/// for a disk, it could not handle one.
fn leave_to_others(signals: &[i32]) {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset(3) writes a set into `set`, which has room for one.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for &signal in signals {
        // SAFETY: the set was made above, and the signal exists on this system.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: the set was made above, and lives through the call; no old one is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}

/// Ends the reads of [`Stream`]s.
pub(super) fn wake() {
    if let Some((_, there)) = LINE.get() {
        *there.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether the process was started so that it ignores `signal`.
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction(2) without a new action writes the present one into `action`, which has
    // room for one.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return false;
    }
    // SAFETY: all its fields are integers or a pointer that may be null, zeroed above and then
    // filled by a call that succeeded.
    let action = unsafe { action.assume_init() };
    action.sa_sigaction == libc::SIG_IGN
}

/// Makes a file that grows beyond the process's limit an error of the call, instead of a signal.
pub(crate) fn report_large_files() {
    // The handler only sets an unused flag; the call continues and fails. Without the handler
    // the signal has its usual effect.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// A pipe or the like whose reads end when a signal asks for the end.
pub(crate) struct Stream(pub(crate) File);

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some((here, _)) = LINE.get() else { return self.0.read(into) };
        loop {
            let mut asked = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(here, PollFlags::IN)];
            match poll(&mut asked, None) {
                Err(rustix::io::Errno::INTR) => continue,
                // If waiting is impossible, read.
                Err(_) => return self.0.read(into),
                Ok(_) => {}
            }
            if !asked[1].revents().is_empty() {
                return Err(io::Error::other("a signal asked for the end"));
            }
            if !asked[0].revents().is_empty() {
                return self.0.read(into);
            }
        }
    }
}
