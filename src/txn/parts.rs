//! What [`super::version_list`] is made of; `in_loom` has another set of these.

pub(crate) use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(crate) use arc_swap::ArcSwap as Swap;

/// What is loaded before it happened before all that comes behind it.
#[inline]
pub(crate) fn acquire_fence() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
}
