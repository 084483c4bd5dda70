//! One thread for all watches of the process: it waits for the bells of all stores at once, and
//! sets the signals of the watches over a store whose words have changed.
//!
//! Invariants:
//! - The thread lives while there is a watch, and has ended when the last one's drop returns.
//! - When the drop of a watch returns, the thread does not use its words.
//! - The thread holds no lock while it waits.
//!
//! A forked child has its parent's memory without this thread. So each process has a [`BellThread`]
//! of its own: the child begins anew, and leaves alone what it has of its parent's.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::watch::{Watch, WatchedWords, bell_of};
use super::words::SharedWords;
use crate::error::{Error, Result};
use crate::os;

#[cfg(test)]
mod tests;

/// How long the thread sleeps at most before it looks by itself.
const BELL_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 3600 } else { 1 });
/// The same if no bell rings for some watch.
const SILENT_PATIENCE: Duration = Duration::from_millis(20);
/// The longest and the shortest sleep where the system cannot wait for bells.
const POLL_EVERY: Duration = Duration::from_millis(5);
const POLL_SOON: Duration = Duration::from_micros(50);
/// A small stack: the thread calls little.
const STACK_BYTES: usize = 128 << 10;

/// The thread of this process, and the watches that it serves.
struct BellThread {
    process: u32,
    /// Changes when the thread has to look at `inner`. The thread waits for it beside the bells.
    calls: AtomicU32,
    inner: Mutex<Inner>,
    /// Notified when the thread has taken a new list of watches.
    taken: Condvar,
    /// Whether the system is believed to wait for several words.
    can_wait: AtomicBool,
}

#[derive(Default)]
struct Inner {
    watches: Vec<Arc<Watch>>,
    /// Changes with `watches`.
    list: u64,
    /// The list that the thread goes by.
    taken: u64,
    thread: Option<JoinHandle<()>>,
    /// Changes when the thread has to end.
    generation: u64,
    /// Whether a thread has panicked, which serves no watch any more.
    broken: bool,
}

static THIS: ArcSwapOption<BellThread> = ArcSwapOption::const_empty();

/// A watch, served by the thread of this process until it is dropped.
pub(crate) struct ServedWatch {
    watch: Arc<Watch>,
    by: Arc<BellThread>,
}

impl ServedWatch {
    /// A watch over these words. Its signal is set until the watch is armed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system gives no signal or no
    /// thread.
    pub(crate) fn new(watched: WatchedWords) -> Result<Self> {
        let watch = Arc::new(Watch::new(watched)?);
        let by = BellThread::of_this_process();
        by.enter(Arc::clone(&watch))?;
        Ok(Self { watch, by })
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for ServedWatch {
    fn drop(&mut self) {
        // A forked child has no thread to end, and its parent counts as the waiter.
        if self.by.process == std::process::id() {
            self.by.leave(&self.watch);
            self.watch.end();
        }
    }
}

impl BellThread {
    fn of_this_process() -> Arc<Self> {
        let process = std::process::id();
        loop {
            let found = THIS.load_full();
            if let Some(found) = found.as_ref().filter(|found| found.process == process) {
                return Arc::clone(found);
            }
            let before = THIS.compare_and_swap(&found, Some(Arc::new(Self::new(process))));
            // The lock in a parent's may be held for ever, so its drop must not run either.
            if let Some(parents) = before.as_ref().filter(|before| before.process != process) {
                std::mem::forget(Arc::clone(parents));
            }
        }
    }

    fn new(process: u32) -> Self {
        Self {
            process,
            calls: AtomicU32::new(0),
            inner: Mutex::default(),
            taken: Condvar::new(),
            can_wait: AtomicBool::new(true),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to serve a watch. The first watch starts the thread.
    fn enter(self: &Arc<Self>, watch: Arc<Watch>) -> Result<()> {
        let mut inner = self.lock();
        if inner.thread.is_none() {
            let (this, generation) = (Arc::clone(self), inner.generation);
            let builder = thread::Builder::new().name("flatrec-bell".into());
            let spawned = builder.stack_size(STACK_BYTES).spawn(move || this.serve(generation));
            let failed = |source| Error::io("start the thread that waits for commits", source);
            inner.thread = Some(spawned.map_err(failed)?);
        }
        inner.watches.push(watch);
        inner.list += 1;
        self.call(inner.thread.as_ref());
        Ok(())
    }

    /// Stops serving a watch, and ends the thread after the last one.
    fn leave(&self, watch: &Arc<Watch>) {
        let mut inner = self.lock();
        inner.watches.retain(|other| !Arc::ptr_eq(other, watch));
        inner.list += 1;
        let list = inner.list;
        if inner.watches.is_empty() {
            let ended = inner.thread.take();
            inner.generation += 1;
            self.call(ended.as_ref());
            drop(inner);
            if let Some(thread) = ended {
                // It panics only by a bug, whose message the panic has printed.
                let _ = thread.join();
            }
            return;
        }
        self.call(inner.thread.as_ref());
        while inner.taken < list && !inner.broken {
            inner = self.taken.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes the thread look at the list.
    fn call(&self, thread: Option<&JoinHandle<()>>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        os::wake_all(&self.calls);
        // Where the system cannot wait for several words, the thread is parked.
        if let Some(thread) = thread {
            thread.thread().unpark();
        }
    }

    /// The work of the thread.
    fn serve(&self, generation: u64) {
        let _broken = BreaksInPanic(self);
        os::block_signals();
        let (mut list, mut bells) = (0, Vec::new());
        let (mut patience, mut pause) = (BELL_PATIENCE, POLL_SOON);
        loop {
            // What the thread waits to change is loaded before it looks.
            let calls = self.calls.load(Ordering::SeqCst);
            let mut inner = self.lock();
            let is_over = inner.generation != generation;
            if inner.list != list || is_over {
                list = inner.list;
                let watches: &[_] = if is_over { &[] } else { &inner.watches };
                (bells, patience) = bells_of(watches);
                inner.taken = list;
                self.taken.notify_all();
            }
            if is_over {
                return;
            }
            let bells = bells.iter().map(bell_of);
            let heard = bells.map(|bell| (bell, bell.load(Ordering::SeqCst)));
            let mut words = vec![(&self.calls, calls)];
            words.extend(heard);
            fence(Ordering::SeqCst);
            let fired = inner.watches.iter().filter(|watch| watch.look()).count();
            drop(inner);
            let can_wait = self.can_wait.load(Ordering::Relaxed);
            if !can_wait || !os::wait_for_any(&words, patience) {
                self.can_wait.store(false, Ordering::Relaxed);
                pause = if fired > 0 { POLL_SOON } else { (pause * 2).min(POLL_EVERY) };
                thread::park_timeout(pause);
            }
        }
    }
}

/// Tells those that wait for the thread if it panics.
struct BreaksInPanic<'t>(&'t BellThread);

impl Drop for BreaksInPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().broken = true;
            self.0.taken.notify_all();
        }
    }
}

/// The words whose bells ring for these watches, as far as the system can wait for them, and how
/// long the thread may wait for a bell.
fn bells_of(watches: &[Arc<Watch>]) -> (Vec<SharedWords>, Duration) {
    let mut words: Vec<&SharedWords> = watches.iter().filter_map(|it| it.with_bell()).collect();
    // Watches of one handle share their words.
    words.sort_by_key(|words| bell_of(words).as_ptr());
    words.dedup_by_key(|words| bell_of(words).as_ptr());
    let limit = os::WORDS_MAX - 1;
    let patience = if words.len() > limit {
        POLL_EVERY
    } else if watches.iter().any(|watch| watch.is_silent()) {
        SILENT_PATIENCE
    } else {
        BELL_PATIENCE
    };
    (words.into_iter().take(limit).cloned().collect(), patience)
}
