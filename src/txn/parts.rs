//! The atomics and locks of [`super::version_list`] and [`super::token_lock`]; `in_loom` replaces
//! them with loom's.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
pub(crate) use std::thread::ThreadId;

pub(crate) use arc_swap::ArcSwap as Swap;

/// How often threads may pass one that waits, see [`super::token_lock`].
pub(crate) const PASSES_MAX: u32 = 16;

/// Loads before the fence happen before everything after it.
#[inline]
pub(crate) fn acquire_fence() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
}

pub(crate) fn this_thread() -> ThreadId {
    std::thread::current().id()
}
