//! The end of a command by a signal: Ctrl-C, a request to end, a closed terminal.
//!
//! A separate thread receives the signal. During the work it notes the signal, and the command
//! undoes its work and ends. While the outcome is being decided, by a commit or by renaming a file,
//! a signal has no effect: the command continues to its end, because no exit status could tell what
//! happened. Once the work is done and only its report is left, the signal ends the command at once
//! with the matching status. The system ends commands that only read.

#[cfg(windows)]
mod console;
#[cfg(unix)]
mod signals;

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flatrec::WriteTransaction;
use flatrec::exchange::RecordSink;

#[cfg(windows)]
use console::listen;
#[cfg(unix)]
pub(crate) use signals::{Stream, report_large_files};
#[cfg(unix)]
use signals::{listen, wake};

use crate::failure::{DONE_STATUS, Failure, say};

/// The number of SIGINT; on Windows that of Ctrl-C.
#[cfg(windows)]
const INTERRUPT: u8 = 2;
/// Shells add this to the number of the signal that ended a command.
const SIGNAL_STATUS: u8 = 128;
/// A signal that is repeated this soon counts once: `timeout` sends one to a process and to its
/// group.
const AGAIN: Duration = Duration::from_secs(1);

/// The signal that asked for the end; 0 before that.
static ASKED: AtomicU8 = AtomicU8::new(0);
static STAGE: Mutex<Stage> = Mutex::new(Stage::Working { asked: None });

/// The stage of the command.
enum Stage {
    /// The work can be undone. `asked` is the time of the signal, if one came.
    Working { asked: Option<Instant> },
    /// The outcome is being decided. `told` says whether a signal was answered.
    Deciding { told: bool },
    /// The work is done, as the text says; only the report is left. The status is for a command
    /// that ends before its report.
    Done(String, u8),
    /// The report is written.
    Reported,
}

fn stage() -> MutexGuard<'static, Stage> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a signal has asked for the end.
pub(crate) struct Interrupt(());

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP, on Windows Ctrl-C, Ctrl-Break or closing the window,
    /// end the work cleanly. A signal that was ignored when the command began stays ignored, as
    /// `nohup` requires.
    pub(crate) fn watch() -> Self {
        listen();
        Self(())
    }

    pub(crate) fn is_asked(&self) -> bool {
        ASKED.load(Ordering::Relaxed) != 0
    }

    /// An error once a signal has asked for the end.
    pub(crate) fn check(&self) -> flatrec::Result<()> {
        match self.is_asked() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
            false => Ok(()),
        }
    }

    /// As [`Interrupt::check`], after `done` of `all` parts of the work. When all is done, the next
    /// step decides the outcome, until [`done`] or [`undone`].
    pub(crate) fn check_progress(&self, done: u64, all: u64) -> flatrec::Result<()> {
        if done < all {
            return self.check();
        }
        let mut stage = stage();
        self.check()?;
        *stage = Stage::Deciding { told: false };
        Ok(())
    }

    /// The result of work that called [`Interrupt::check_progress`].
    pub(crate) fn outcome<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| {
            undone();
            if self.is_asked() { Failure::Interrupted } else { failure }
        })
    }

    /// Begins to decide the outcome: later signals come too late.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] if a signal came before.
    pub(crate) fn decide(&self) -> Result<Deciding, Failure> {
        self.check_progress(0, 0).map_err(|_| Failure::Interrupted)?;
        Ok(Deciding(()))
    }

    /// As [`Interrupt::decide`], for work that cannot be undone any more.
    pub(crate) fn decide_anyway(&self) -> Deciding {
        *stage() = Stage::Deciding { told: false };
        Deciding(())
    }
}

/// The outcome is being decided.
pub(crate) struct Deciding(());

impl Deciding {
    /// The work is done, as `text` says.
    pub(crate) fn done(self, text: &str) {
        done(text);
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        undone();
    }
}

/// Notes that the work is done; `text` describes it in the past tense.
pub(crate) fn done(text: &str) {
    done_but(text, DONE_STATUS);
}

/// As [`done`], for work whose status is already known.
pub(crate) fn done_but(text: &str, status: u8) {
    *stage() = Stage::Done(text.to_owned(), status);
}

/// Notes that the outcome is decided, and the work was not done.
pub(crate) fn undone() {
    let mut stage = stage();
    if let Stage::Deciding { .. } = &*stage {
        *stage = Stage::Working { asked: None };
    }
}

/// Notes that the report is written: there is nothing left to end.
pub(crate) fn reported() {
    *stage() = Stage::Reported;
}

/// The exit status of a command that a signal has ended, as in shells.
pub(crate) fn exit_status() -> u8 {
    SIGNAL_STATUS | ASKED.load(Ordering::Relaxed)
}

/// Handles a signal; called on the thread that receives it.
fn ask(signal: u8) {
    let mut stage = stage();
    match &mut *stage {
        Stage::Working { asked: asked @ None } => {
            *asked = Some(Instant::now());
            ASKED.store(signal, Ordering::Relaxed);
            wake();
        }
        Stage::Working { asked: Some(since) } if since.elapsed() >= AGAIN => {
            say("ended at once by a second signal: the unfinished file stays under its temporary \
                 name until the next such command");
            std::process::exit(exit_status().into());
        }
        Stage::Working { .. } | Stage::Reported => {}
        Stage::Deciding { told } => {
            if !std::mem::replace(told, true) {
                say("the work is being made durable and cannot be undone: waiting for it");
            }
        }
        Stage::Done(text, status) => {
            say(&format!("{text}; a signal ended the command before it could report that"));
            std::process::exit((*status).into());
        }
    }
}

/// Waiting reads of streams continue here: a second Ctrl-C ends them.
#[cfg(not(unix))]
fn wake() {}

/// A transaction that refuses records after a signal has asked for the end.
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
