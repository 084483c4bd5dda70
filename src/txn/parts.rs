//! The atomics and locks of [`super::version_list`] and [`super::token_lock`]; `in_loom` replaces
//! them with loom's.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use arc_swap::ArcSwap as Swap;

/// How often threads may pass one that waits, see [`super::token_lock`].
pub(crate) const PASSES_MAX: u32 = 16;

/// Loads before the fence happen before everything after it.
#[inline]
pub(crate) fn acquire_fence() {
    std::sync::atomic::fence(Ordering::Acquire);
}

/// The number of a thread, which no other thread of the process has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId(u64);

/// The number of this thread. A load of memory after the first call: `std::thread::current` counts
/// references, in two atomic operations.
#[inline]
pub(crate) fn this_thread() -> ThreadId {
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    #[cold]
    fn number() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
        NUMBER.get()
    }
    match NUMBER.get() {
        0 => ThreadId(number()),
        number => ThreadId(number),
    }
}
