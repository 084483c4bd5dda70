//! The initialisations of this process: an initialiser that opens what it is making would wait for
//! itself.
//!
//! The lock of an initialisation belongs to an open file, and on Windows to a thread, and does not
//! detect such waits. So each thread takes a turn first, which this process gives out. A thread
//! that has the turn and asks again gets an error. Another thread waits. But a running initialiser
//! may be waiting for that very thread, and cannot be told from a slow one, so that wait has a
//! limit.
//!
//! Invariant: an entry is in the list from the moment its turn is taken until it is dropped.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::os::FileIdentity;

/// How long another thread waits for an initialiser of this process that is running.
const RUNNING_MAX: Duration =
    if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(60) };

static TURNS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
/// Notified when a turn ends, or an initialiser begins to run.
static CHANGED: Condvar = Condvar::new();

/// The object of an initialisation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// Memory with this name.
    Name(String),
    /// The file with this lock file.
    File(FileIdentity),
}

impl Key {
    /// Memory with this name; on macOS it is a file, whose name ignores case.
    pub(super) fn name(name: &str) -> Self {
        let lower = cfg!(target_os = "macos");
        Self::Name(if lower { name.to_ascii_lowercase() } else { name.to_owned() })
    }
}

struct Entry {
    key: Key,
    thread: ThreadId,
    /// When its initialiser began to run; until then it may wait for another process.
    running: Option<Instant>,
}

/// A thread's turn to open or initialise something.
#[derive(Debug)]
pub(super) struct Turn(Key);

impl Turn {
    /// Waits for the threads of this process that asked before.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if this thread is initialising it, or another thread has been doing so
    /// for a minute.
    pub(super) fn take(key: Key) -> Result<Self> {
        let own = thread::current().id();
        let mut turns = turns();
        loop {
            let Some(entry) = turns.iter().find(|entry| entry.key == key) else {
                turns.push(Entry { key: key.clone(), thread: own, running: None });
                return Ok(Self(key));
            };
            if entry.thread == own {
                return Err(locked("its own initialiser opened it again", OWN_ADVICE));
            }
            let left = entry.running.map(|since| RUNNING_MAX.saturating_sub(since.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                let why = format!(
                    "its initialiser has been running in another thread for {} s",
                    RUNNING_MAX.as_secs()
                );
                return Err(locked(why, WAIT_ADVICE));
            }
            let waited = CHANGED.wait_timeout(turns, left.unwrap_or(RUNNING_MAX));
            turns = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes that the initialiser begins to run.
    pub(super) fn run(&self) {
        let now = Instant::now();
        for entry in turns().iter_mut().filter(|entry| entry.key == self.0) {
            entry.running = Some(now);
        }
        CHANGED.notify_all();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        turns().retain(|entry| entry.key != self.0);
        CHANGED.notify_all();
    }
}

const OWN_ADVICE: &str = "use the mapping that the initialiser was given";
const WAIT_ADVICE: &str =
    "try again; an initialiser must not wait for a thread that opens what it initialises";

fn locked(why: impl Into<std::borrow::Cow<'static, str>>, advice: &'static str) -> Error {
    Error::new(ErrorKind::Locked, "wait for the initialiser").detail(why).advice(advice)
}

fn turns() -> MutexGuard<'static, Vec<Entry>> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}
