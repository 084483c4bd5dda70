//! States of the store: what each commit left, and which states snapshots still read.

use std::sync::Arc;

use super::reader_session::SnapshotPin;
use super::version_list::VersionList;
use crate::array::{view_with_room, with_points};
use crate::error::Result;
use crate::format::Counts;
use crate::io::{Access, Backing, View};
use crate::overlay::Overlay;
use crate::shm::{LockWords, WriterSide};

/// The store as one commit left it. A state never changes; a holder can read it.
///
/// A record with an image in the overlay is read there, every other record in the view. The bytes
/// of the latter do not change while a thread holds this state: see [`Published::oldest`].
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) counts: Counts,
    /// The images that the array does not hold yet.
    pub(crate) overlay: Overlay,
    /// A view of the array that reaches to the end of the records.
    pub(crate) view: Arc<View>,
    /// Keeps a writer in another process from changing what this state reads. `None` in the
    /// writer's own process, where holding the state suffices.
    pub(crate) pin: Option<SnapshotPin>,
}

impl State {
    /// The counts of `last`, without records and without a view of the file.
    pub(crate) fn without_view(last: &Self) -> Arc<Self> {
        let view = Arc::new(View::empty(0, Access::ReadOnly));
        let counts = Counts { records: 0, ..last.counts };
        Arc::new(Self { counts, overlay: Overlay::default(), view, pin: None })
    }
}

/// The newest published state, and all older ones that a snapshot still holds.
pub(crate) struct Published {
    /// Tells other processes what is published.
    sharing: WriterSide<LockWords>,
    states: VersionList<State>,
}

impl Published {
    pub(crate) fn new(state: Arc<State>, sharing: WriterSide<LockWords>) -> Self {
        Self { sharing, states: VersionList::new(state) }
    }

    /// Drops all states, when no snapshot reads them.
    pub(crate) fn end(&mut self, nothing: Arc<State>) {
        self.states = VersionList::new(nothing);
    }

    /// The shared words, as the writer uses them.
    pub(crate) fn sharing(&self) -> &WriterSide<LockWords> {
        &self.sharing
    }

    /// The number of the newest commit that readers may see.
    #[inline]
    pub(crate) fn commit(&self) -> u64 {
        self.states.look(|state| state.counts.commit)
    }

    /// The state of this commit, if a snapshot holds it.
    pub(crate) fn find(&self, commit: u64) -> Option<Arc<State>> {
        self.states.find(|state| state.counts.commit == commit)
    }

    /// The newest state.
    #[inline]
    pub(crate) fn load(&self) -> Arc<State> {
        self.states.load()
    }

    /// Publishes a newer state.
    pub(crate) fn publish(&self, state: Arc<State>) {
        let commit = state.counts.commit;
        self.states.publish(state, || self.sharing.publish(commit));
    }

    /// The oldest state that a snapshot may be reading, or the newest if there is no snapshot.
    ///
    /// A checkpoint may write this state to the array: no snapshot holds an older state and would
    /// read the old bytes there, and snapshots of this state and of newer ones have every image
    /// that is written in their own overlays. A snapshot that begins later takes the newest state,
    /// which is not older.
    pub(crate) fn oldest(&self) -> Arc<State> {
        self.states.oldest()
    }
}

/// A view of at least the first `end` bytes of the file, which is that long.
pub(crate) fn view_of(backing: &dyn Backing, end: u64) -> Result<Arc<View>> {
    let view = view_with_room(backing, end, Access::ReadOnly)?;
    Ok(Arc::new(with_points(backing, view, end)))
}
