//! What ends a command before its time: Ctrl-C, a request to end, a terminal that is closed.
//!
//! A thread of its own hears of it. While the command works, it is noted, and the command takes
//! back what it did and ends. While the outcome is being decided, by a commit or by the new name of
//! a file, it changes nothing: the command goes on to its end, because no status could tell what
//! came of the work. Once the work is done and only its report is left, it ends the command at once
//! with the status for that. Commands that only read are ended by the system.

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
/// Shells add it to the number of a signal that has ended a command.
const SIGNAL_STATUS: u8 = 128;
/// A signal that comes again so soon is the same one: `timeout` sends one to a process and to its
/// group.
const AGAIN: Duration = Duration::from_secs(1);

/// The signal that asked for the end of the work; 0 before one did.
static ASKED: AtomicU8 = AtomicU8::new(0);
static STAGE: Mutex<Stage> = Mutex::new(Stage::Working { asked: None });

/// How far the command has come.
enum Stage {
    /// What was done can be taken back. `asked` is when a signal asked for that.
    Working { asked: Option<Instant> },
    /// The outcome is being decided. `told` is whether a signal was answered so.
    Deciding { told: bool },
    /// The work is done, as the text says; only the report is left. With the status of a command
    /// that does not get to that.
    Done(String, u8),
    /// The report is written, too.
    Reported,
}

fn stage() -> MutexGuard<'static, Stage> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a signal has asked for the end of the work.
pub(crate) struct Interrupt(());

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP, on Windows Ctrl-C, Ctrl-Break or the closing of the
    /// window, end the work cleanly. One that was ignored when the command began stays so, as
    /// `nohup` asks for.
    pub(crate) fn watch() -> Self {
        listen();
        Self(())
    }

    pub(crate) fn is_asked(&self) -> bool {
        ASKED.load(Ordering::Relaxed) != 0
    }

    /// An error once the end is asked for.
    pub(crate) fn check(&self) -> flatrec::Result<()> {
        match self.is_asked() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
            false => Ok(()),
        }
    }

    /// As [`Interrupt::check`], for work on `done` of `all`. When all is done, what follows decides
    /// the outcome, until [`done`] or [`undone`].
    pub(crate) fn check_progress(&self, done: u64, all: u64) -> flatrec::Result<()> {
        if done < all {
            return self.check();
        }
        let mut stage = stage();
        self.check()?;
        *stage = Stage::Deciding { told: false };
        Ok(())
    }

    /// What came of work that went by [`Interrupt::check_progress`].
    pub(crate) fn outcome<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| {
            undone();
            if self.is_asked() { Failure::Interrupted } else { failure }
        })
    }

    /// Begins to decide the outcome: a signal that comes from now on comes too late.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] if one came before.
    pub(crate) fn decide(&self) -> Result<Deciding, Failure> {
        self.check_progress(0, 0).map_err(|_| Failure::Interrupted)?;
        Ok(Deciding(()))
    }

    /// As [`Interrupt::decide`], of work that cannot be taken back any more.
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

/// Says that the work is done, as `text` tells in the past tense.
pub(crate) fn done(text: &str) {
    done_but(text, DONE_STATUS);
}

/// As [`done`], of work whose status is known already.
pub(crate) fn done_but(text: &str, status: u8) {
    *stage() = Stage::Done(text.to_owned(), status);
}

/// Says that the outcome has been decided, and the work was not done.
pub(crate) fn undone() {
    let mut stage = stage();
    if let Stage::Deciding { .. } = &*stage {
        *stage = Stage::Working { asked: None };
    }
}

/// Says that the report is written: from now on nothing is left to be ended.
pub(crate) fn reported() {
    *stage() = Stage::Reported;
}

/// The exit status of a command that a signal has ended, as shells have it.
pub(crate) fn exit_status() -> u8 {
    SIGNAL_STATUS | ASKED.load(Ordering::Relaxed)
}

/// What comes of a signal; called on the thread that hears of it.
fn ask(signal: u8) {
    let mut stage = stage();
    match &mut *stage {
        Stage::Working { asked: asked @ None } => {
            *asked = Some(Instant::now());
            ASKED.store(signal, Ordering::Relaxed);
            wake();
        }
        Stage::Working { asked: Some(since) } if since.elapsed() >= AGAIN => {
            say("ended at once by a second signal: what was being made stays under its temporary \
                 name, until it is made again");
            std::process::exit(exit_status().into());
        }
        Stage::Working { .. } | Stage::Reported => {}
        Stage::Deciding { told } => {
            if !std::mem::replace(told, true) {
                say("the work is being made durable, which cannot be taken back: waiting for it");
            }
        }
        Stage::Done(text, status) => {
            say(&format!("{text}; a signal ended the command before it had reported that"));
            std::process::exit((*status).into());
        }
    }
}

/// Reads of streams that wait are not woken here: a second Ctrl-C ends them.
#[cfg(not(unix))]
fn wake() {}

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
