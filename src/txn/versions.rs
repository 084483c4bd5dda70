//! States of the store: what each commit has left, and which of them are still being read.

use std::sync::Arc;

use super::reader_session::SnapshotPin;
use super::version_list::VersionList;
use crate::array::view_with_room;
use crate::error::Result;
use crate::format::Counts;
use crate::io::{Access, Backing, View};
use crate::overlay::Overlay;
use crate::shm::{LockWords, WriterSide};

/// The store as one commit has left it. It never changes; who holds it may read it.
///
/// Records with an image in the overlay are read there, all others in the view. The bytes of the
/// latter do not change while anybody holds this state: see [`Published::oldest`].
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) counts: Counts,
    /// The images that the array does not hold yet.
    pub(crate) overlay: Overlay,
    /// A view of the array that reaches to the end of the records.
    pub(crate) view: Arc<View>,
    /// What keeps a writer in another process from changing what is read here; in the writer's own
    /// process that is this state itself.
    pub(crate) pin: Option<SnapshotPin>,
}

impl State {
    /// What is left of a state when nobody reads any more.
    pub(crate) fn without_view(last: &Self) -> Arc<Self> {
        let view = Arc::new(View::empty(0, Access::ReadOnly));
        let counts = Counts { records: 0, ..last.counts };
        Arc::new(Self { counts, overlay: Overlay::default(), view, pin: None })
    }
}

/// The newest state that readers may see, and all older ones that somebody still holds.
pub(crate) struct Published {
    /// Where other processes see what is published.
    sharing: WriterSide<LockWords>,
    states: VersionList<State>,
}

impl Published {
    pub(crate) fn new(state: Arc<State>, sharing: WriterSide<LockWords>) -> Self {
        Self { sharing, states: VersionList::new(state) }
    }

    /// Lets the states go, when nobody reads any more.
    pub(crate) fn end(&mut self, nothing: Arc<State>) {
        self.states = VersionList::new(nothing);
    }

    /// What readers in other processes say, and are told.
    pub(crate) fn sharing(&self) -> &WriterSide<LockWords> {
        &self.sharing
    }

    /// The number of the newest commit that readers may see.
    #[inline]
    pub(crate) fn commit(&self) -> u64 {
        self.states.look(|state| state.counts.commit)
    }

    /// The state of this commit, if anybody holds it.
    pub(crate) fn find(&self, commit: u64) -> Option<Arc<State>> {
        self.states.find(|state| state.counts.commit == commit)
    }

    /// The newest state.
    #[inline]
    pub(crate) fn load(&self) -> Arc<State> {
        self.states.load()
    }

    /// Shows readers a newer state.
    pub(crate) fn publish(&self, state: Arc<State>) {
        let commit = state.counts.commit;
        self.states.publish(state, || self.sharing.publish(commit));
    }

    /// The oldest state that anybody may be reading, at least the newest published one.
    ///
    /// This is what a checkpoint may write to the array: no holder of an older state is left, who
    /// would read the old bytes there; holders of this state and of newer ones have every image
    /// that is written in their own overlays. Who takes up a state from now on takes the newest,
    /// which is no older.
    pub(crate) fn oldest(&self) -> Arc<State> {
        self.states.oldest()
    }
}

/// A view of the first `end` bytes of the file, at least.
pub(crate) fn view_of(backing: &dyn Backing, end: u64) -> Result<Arc<View>> {
    view_with_room(backing, end, Access::ReadOnly).map(Arc::new)
}
