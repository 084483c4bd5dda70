//! What this process is initialising: an initialiser that asks for what it makes waits for itself.
//!
//! The lock under which something is initialised belongs to an open file, and to a thread on
//! Windows, and knows nothing of who waits for whom. So each thread takes a turn first, which this
//! process hands out. A thread that has the turn and asks again gets an error. Another one waits;
//! but while an initialiser is running it may be waiting for that very thread, which nothing tells
//! from one that takes its time, so the wait is limited then.
//!
//! Invariant: an entry is in the list from the time that its turn is taken until it is dropped.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::os::FileIdentity;

/// How long another thread waits for an initialiser of this process that is running.
const RUNNING_MAX: Duration =
    if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(60) };

static TURNS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
/// Rung when a turn ends, or an initialiser begins to run.
static CHANGED: Condvar = Condvar::new();

/// What is initialised.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// Memory of this name.
    Name(String),
    /// The file that has this lock file.
    File(FileIdentity),
}

impl Key {
    /// Memory of this name; on macOS it is a file's, whose capitals are no others.
    pub(super) fn name(name: &str) -> Self {
        let lower = cfg!(target_os = "macos");
        Self::Name(if lower { name.to_ascii_lowercase() } else { name.to_owned() })
    }
}

struct Entry {
    key: Key,
    thread: ThreadId,
    /// Since when its initialiser has been running; until then it may wait for another process.
    running: Option<Instant>,
}

/// A thread's turn to open or initialise something.
#[derive(Debug)]
pub(super) struct Turn(Key);

impl Turn {
    /// Waits for the threads of this process that came before.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if this thread is initialising it, or another one has been for long.
    pub(super) fn take(key: Key) -> Result<Self> {
        let own = thread::current().id();
        let mut turns = turns();
        loop {
            let Some(entry) = turns.iter().find(|entry| entry.key == key) else {
                turns.push(Entry { key: key.clone(), thread: own, running: None });
                return Ok(Self(key));
            };
            if entry.thread == own {
                return Err(locked("its own initialiser asks for it", OWN_ADVICE));
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

    /// Says that the initialiser begins to run.
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
    "try again; if the initialiser waits for this thread, neither goes on: let it not do that";

fn locked(why: impl Into<std::borrow::Cow<'static, str>>, advice: &'static str) -> Error {
    Error::new(ErrorKind::Locked, "wait for the initialiser").detail(why).advice(advice)
}

fn turns() -> MutexGuard<'static, Vec<Entry>> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}
