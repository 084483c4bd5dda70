//! The atomics and locks of [`super::version_list`]; `in_loom` replaces them with loom's.

pub(crate) use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(crate) use arc_swap::ArcSwap as Swap;

/// Loads before the fence happen before everything after it.
#[inline]
pub(crate) fn acquire_fence() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
}
