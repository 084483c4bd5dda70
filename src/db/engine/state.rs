//! States of the store: what each commit has left, and which of them are still being read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;

use super::super::sharing::{Hold, LockWords, WriterSide};
use crate::map::View;
use crate::store::Overlay;

/// The store as one commit has left it. It never changes; who holds it may read it.
///
/// Records with an image in the overlay are read there, all others in the view. The bytes of the
/// latter do not change while anybody holds this state: see [`Published::oldest`].
#[derive(Debug)]
pub(in crate::db) struct State {
    /// The commit's number.
    pub(in crate::db) commit: u64,
    /// Records, deleted ones included.
    pub(in crate::db) count: u64,
    /// Records that are not deleted.
    pub(in crate::db) live_count: u64,
    /// The deleted record that is used first.
    pub(in crate::db) free_head: Option<u64>,
    /// The images that the array does not hold yet.
    pub(in crate::db) overlay: Overlay,
    /// A view of the array that reaches to the end of the records.
    pub(in crate::db) view: Arc<View>,
    /// What keeps a writer in another process from changing what is read here; in the writer's own
    /// process that is this state itself.
    pub(in crate::db) hold: Option<Hold>,
}

/// The newest state that readers may see, and all older ones that somebody still holds.
pub(super) struct Published {
    /// Where other processes see what is published.
    sharing: WriterSide<LockWords>,
    current: ArcSwap<State>,
    /// Every state that was published and may be held by a reader, oldest first.
    held: Mutex<VecDeque<Weak<State>>>,
}

impl Published {
    pub(super) fn new(state: Arc<State>, sharing: WriterSide<LockWords>) -> Self {
        let held = Mutex::new(VecDeque::from([Arc::downgrade(&state)]));
        Self { sharing, current: ArcSwap::new(state), held }
    }

    /// What readers in other processes say, and are told.
    pub(super) fn sharing(&self) -> &WriterSide<LockWords> {
        &self.sharing
    }

    /// The number of the newest commit that readers may see.
    #[inline]
    pub(super) fn commit(&self) -> u64 {
        self.current.load().commit
    }

    /// The state of this commit, if anybody holds it.
    pub(super) fn find(&self, commit: u64) -> Option<Arc<State>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = held.iter().filter_map(Weak::upgrade);
        found.find(|state| state.commit == commit)
    }

    /// The newest state.
    #[inline]
    pub(super) fn load(&self) -> Arc<State> {
        self.current.load_full()
    }

    /// Shows readers a newer state.
    pub(super) fn publish(&self, state: Arc<State>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Entered before it can be seen, so that whoever takes it up is never overlooked.
        held.push_back(Arc::downgrade(&state));
        let commit = state.commit;
        drop(self.current.swap(state));
        self.sharing.publish(commit);
        while held.front().is_some_and(|state| state.strong_count() == 0) {
            held.pop_front();
        }
        // An old reader at the front keeps those behind it from being dropped there.
        if held.len() >= 64 && held.len().is_power_of_two() {
            held.retain(|state| state.strong_count() > 0);
        }
    }

    /// The oldest state that anybody may be reading, at least the newest published one.
    ///
    /// This is what a checkpoint may write to the array: no holder of an older state is left, who
    /// would read the old bytes there; holders of this state and of newer ones have every image
    /// that is written in their own overlays. Who takes up a state from now on takes the newest,
    /// which is no older.
    pub(super) fn oldest(&self) -> Arc<State> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread between loading the current state and counting itself as its holder is counted
        // by `arc_swap`, which lets no state go before that; so `upgrade` misses nobody.
        held.iter().find_map(Weak::upgrade).unwrap_or_else(|| self.current.load_full())
    }
}
