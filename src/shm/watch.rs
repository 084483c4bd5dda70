//! A watch: a signal that is set while a store may have a commit newer than the one that its owner
//! knows.
//!
//! Invariants:
//! - An armed watch has a signal that is not set, and is counted as a waiter where the words may be
//!   written. A watch that is not armed has a signal that is set, and is not counted, so that it
//!   costs the writer nothing.
//! - While a watch is armed, its owner knows the newest commit of the time at which the words said
//!   what `last` has. So no commit is missed as long as [`Watch::look`] is called after each ring,
//!   or from time to time where no bell rings.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::lock_file::SideLock;
use super::lock_words::LockWords;
use super::protocol::{BELL, EPOCH, FIRST_ENTRY, Mark, WAITERS, mark_of};
use super::words::SharedWords;
use crate::error::{Error, Result};
use crate::io::{Access, OpenFile, View};
use crate::os::Signal;

/// The shared words of a store that a watch looks at.
#[derive(Debug)]
pub(crate) struct WatchedWords {
    words: OnceLock<SharedWords>,
    /// The lock file, if a writer may make words there later, or in a copy that the file system
    /// makes of it.
    file: Option<Arc<OpenFile>>,
    /// Whether the file system may copy the file. A view of it would show the original, and fault
    /// past its end; calls read the copy.
    is_original: bool,
    store: u64,
}

impl WatchedWords {
    /// No words, of a store that no writer can open.
    pub(crate) fn without_writers() -> Self {
        Self { words: OnceLock::new(), file: None, is_original: false, store: 0 }
    }

    /// The words that a lock file will have.
    pub(crate) fn later(lock: &SideLock, store: u64) -> Self {
        let (file, is_original) = (Some(Arc::clone(lock.open_file())), lock.is_original());
        Self { words: OnceLock::new(), file, is_original, store }
    }

    /// The words of `store`.
    pub(crate) fn of(words: &LockWords, store: u64) -> Self {
        let original = words.lock().filter(|lock| lock.is_original());
        let watched = original.map_or_else(Self::without_writers, |lock| Self::later(lock, store));
        Self { words: OnceLock::from(words.words().clone()), store, ..watched }
    }

    #[cfg(test)]
    pub(super) fn of_words(words: SharedWords, store: u64) -> Self {
        Self { words: OnceLock::from(words), store, ..Self::without_writers() }
    }

    /// The words, if they exist.
    fn words(&self) -> Option<&SharedWords> {
        if let Some(words) = self.words.get() {
            return Some(words);
        }
        let file = self.file.as_ref().filter(|_| !self.is_original)?;
        let len_bytes = FIRST_ENTRY * size_of::<u64>();
        // The watch can do without the words if opening them fails.
        if file.len_bytes().ok()? < len_bytes as u64 {
            return None;
        }
        let view = View::of_file(file, 0, len_bytes, Access::ReadOnly).ok()?;
        let _ = self.words.set(SharedWords::of_view(view).ok()?);
        self.words.get()
    }

    /// The words whose bell rings for this watch, if the watch may count itself as a waiter.
    fn with_bell(&self) -> Option<&SharedWords> {
        self.words.get().filter(|words| words.is_writable())
    }

    /// Whether a watch must look from time to time, because no bell rings for it.
    fn is_silent(&self) -> bool {
        self.with_bell().is_none() && (self.words.get().is_some() || self.file.is_some())
    }

    fn announce(&self, more: bool) {
        if let Some(words) = self.with_bell() {
            words.announce(WAITERS, more);
        }
    }

    /// What the words say now.
    fn said(&self) -> Said {
        let words = self.words().map(|words| mark_of(|word| words.load(word), self.store));
        let copied = self.file.as_ref().filter(|_| self.is_original);
        let epoch_in_file = copied.and_then(|file| {
            let mut word = [0; size_of::<u64>()];
            file.read_at((EPOCH * size_of::<u64>()) as u64, &mut word).ok()?;
            Some(u64::from_le_bytes(word))
        });
        Said { words, epoch_in_file }
    }
}

/// What the words say of the newest commit. If it has changed, there may be a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    words: Option<(Mark, u64)>,
    epoch_in_file: Option<u64>,
}

#[derive(Debug)]
struct State {
    armed: bool,
    last: Said,
}

/// A signal, and the words of which it tells.
#[derive(Debug)]
pub(crate) struct Watch {
    watched: WatchedWords,
    signal: Signal,
    state: Mutex<State>,
}

impl Watch {
    /// A watch that is not armed: its signal is set.
    pub(super) fn new(watched: WatchedWords) -> Result<Self> {
        let failed = |source| Error::io("make a signal for commits", source);
        let signal = Signal::new().map_err(failed)?;
        signal.set().map_err(failed)?;
        let state = Mutex::new(State { armed: false, last: watched.said() });
        Ok(Self { watched, signal, state })
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears the signal until there is a newer commit than the one that the owner knows.
    /// `is_newest` says whether that is the newest one.
    pub(crate) fn arm(&self, is_newest: impl FnOnce() -> bool) -> Result<()> {
        let failed = |source| Error::io("clear the signal for commits", source);
        let mut state = self.lock();
        if !state.armed {
            self.watched.announce(true);
            state.armed = true;
        }
        // Also if it is set again below: a program that waits for changes of the signal gets one.
        if let Err(source) = self.signal.clear() {
            self.fire(&mut state);
            return Err(failed(source));
        }
        // The words are read after the announcement and before the question. A commit before the
        // reading is one that the question sees; after it, one that `look` sees, and for which the
        // writer rings, because it finds the announcement.
        if let Some(words) = self.watched.words() {
            words.fence();
        }
        state.last = self.watched.said();
        if !is_newest() {
            self.fire(&mut state);
        }
        Ok(())
    }

    /// Sets the signal if the words have changed since the watch was armed. Returns whether it did.
    pub(super) fn look(&self) -> bool {
        let mut state = self.lock();
        let news = state.armed && self.watched.said() != state.last;
        if news {
            self.fire(&mut state);
        }
        news
    }

    /// Sets the signal, and lets the writer's bell rest.
    fn fire(&self, state: &mut State) {
        if std::mem::take(&mut state.armed) {
            self.watched.announce(false);
        }
        // It cannot fail: the descriptor is open, and a signal that is full is set.
        let _ = self.signal.set();
    }

    /// Ends the watch: it is not counted any more.
    pub(super) fn end(&self) {
        self.fire(&mut self.lock());
    }

    /// The words whose bell rings for this watch.
    pub(super) fn with_bell(&self) -> Option<&SharedWords> {
        self.watched.with_bell()
    }

    /// Whether no bell rings for this watch, although there may be commits.
    pub(super) fn is_silent(&self) -> bool {
        self.watched.is_silent()
    }
}

/// The bell of words that [`Watch::with_bell`] gave.
pub(super) fn bell_of(words: &SharedWords) -> &std::sync::atomic::AtomicU32 {
    words.bell(BELL)
}
