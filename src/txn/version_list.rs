//! The newest of a row of values, and which older ones somebody still holds.
//!
//! `in_loom` runs this very file over loom's threads: all that it shares comes from `parts`.

use std::collections::VecDeque;

use super::parts::{Arc, Mutex, PoisonError, Swap, Weak, acquire_fence};

/// The newest value that others may see, and all older ones that somebody still holds.
pub(crate) struct VersionList<T> {
    current: Swap<T>,
    /// Every value that was published and may be held, oldest first.
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

    /// Something of the newest value.
    #[inline]
    pub(crate) fn look<V>(&self, look: impl FnOnce(&T) -> V) -> V {
        look(&self.current.load())
    }

    /// Shows a newer value, and says so by `tell` before the next one can be shown.
    pub(crate) fn publish(&self, value: Arc<T>, tell: impl FnOnce()) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Entered before it can be seen, so that whoever takes it up is never overlooked.
        held.push_back(Arc::downgrade(&value));
        drop(self.current.swap(value));
        tell();
        while held.front().is_some_and(|value| value.strong_count() == 0) {
            held.pop_front();
        }
        // An old reader at the front keeps those behind it from being dropped there.
        if held.len() >= 64 && held.len().is_power_of_two() {
            held.retain(|value| value.strong_count() > 0);
        }
        // As in `oldest`, which does not find those any more that are gone from here.
        acquire_fence();
    }

    /// The oldest value that anybody may hold, at least the newest one.
    pub(crate) fn oldest(&self) -> Arc<T> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread between loading the current value and counting itself as its holder is counted
        // by `arc_swap`, which lets no value go before that; so `upgrade` misses nobody.
        let oldest = held.iter().find_map(Weak::upgrade);
        // What the last holders of the others have read, they have read before this: giving up an
        // `Arc` releases, but that `upgrade` finds it gone acquires nothing by itself.
        acquire_fence();
        oldest.unwrap_or_else(|| self.current.load_full())
    }

    /// A held value, if there is one like this.
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = held.iter().filter_map(Weak::upgrade);
        found.find(|value| is_it(value))
    }
}
