//! The newest of a series of values, and the older ones that a thread still holds.
//!
//! `in_loom` runs this same file over loom's threads: everything that threads share comes from
//! `parts`.

use std::collections::VecDeque;

use super::parts::{Arc, Mutex, PoisonError, Swap, Weak, acquire_fence};

/// The newest published value, and all older ones that a thread still holds.
pub(crate) struct VersionList<T> {
    current: Swap<T>,
    /// Every published value that a thread may hold, oldest first.
    held: Mutex<VecDeque<Weak<T>>>,
}

impl<T> VersionList<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        let held = Mutex::new(VecDeque::from([Arc::downgrade(&value)]));
        Self { current: Swap::new(value), held }
    }

    /// The newest value.
    #[inline]
    pub(crate) fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// What `look` returns for the newest value.
    #[inline]
    pub(crate) fn look<V>(&self, look: impl FnOnce(&T) -> V) -> V {
        look(&self.current.load())
    }

    /// Publishes a newer value, and calls `tell` before the next one can be published.
    pub(crate) fn publish(&self, value: Arc<T>, tell: impl FnOnce()) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Entered before readers can load it, so that `oldest` never overlooks a holder.
        held.push_back(Arc::downgrade(&value));
        drop(self.current.swap(value));
        tell();
        while held.front().is_some_and(|value| value.strong_count() == 0) {
            held.pop_front();
        }
        // An old holder at the front keeps the loop above from dropping the entries behind it.
        if held.len() >= 64 && held.len().is_power_of_two() {
            held.retain(|value| value.strong_count() > 0);
        }
        // As in `oldest`, which can no longer find the entries dropped here.
        acquire_fence();
    }

    /// The oldest value that a thread may hold; the newest value if no thread holds an older one.
    pub(crate) fn oldest(&self) -> Arc<T> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread between loading the current value and counting itself as its holder is counted
        // by `arc_swap`, which lets no value go before that; so `upgrade` misses no holder.
        let oldest = held.iter().find_map(Weak::upgrade);
        // The reads of the last holders of the older values must happen before this: dropping an
        // `Arc` releases, but an `upgrade` that finds the value gone acquires nothing by itself.
        acquire_fence();
        oldest.unwrap_or_else(|| self.current.load_full())
    }

    /// A held value for which `is_it` is true, if there is one.
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = held.iter().filter_map(Weak::upgrade);
        found.find(|value| is_it(value))
    }
}
