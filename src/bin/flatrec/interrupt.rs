//! Ctrl-C while a store is being written: the work is taken back before the command ends.

#[cfg(windows)]
mod console;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(windows)]
use console::listen;
use flatrec::WriteTransaction;
use flatrec::exchange::RecordSink;

/// The exit status of a command that a signal has ended, as shells have it for SIGINT.
pub(crate) const EXIT_STATUS: u8 = 130;

/// Whether someone has asked for the end of the work.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the first SIGINT or SIGTERM is noted, on Windows Ctrl-C or Ctrl-Break, or that
    /// the window is closed; the second ends the process, in case it waits for input that never
    /// comes.
    pub(crate) fn watch() -> Self {
        Self(listen())
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once the end is asked for.
    pub(crate) fn check(&self) -> flatrec::Result<()> {
        match self.is_asked() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
            false => Ok(()),
        }
    }
}

#[cfg(unix)]
fn listen() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without a handler the signal has its usual effect, which loses a clean end only.
        let status = EXIT_STATUS.into();
        let _ = flag::register_conditional_shutdown(signal, status, Arc::clone(&asked))
            .and_then(|_| flag::register(signal, Arc::clone(&asked)));
    }
    asked
}

/// A transaction that takes no more records once the end is asked for.
pub(crate) struct Interruptible<'t, 'd> {
    pub(crate) transaction: &'t mut WriteTransaction<'d, [u8]>,
    pub(crate) interrupt: &'t Interrupt,
}

impl RecordSink for Interruptible<'_, '_> {
    fn append_records(&mut self, records: &[u8]) -> flatrec::Result<()> {
        self.interrupt.check()?;
        self.transaction.append_packed(records).map(drop)
    }
}
