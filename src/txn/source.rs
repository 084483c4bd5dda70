//! The sources of snapshots: a database that is open to write, or a reader that follows one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::versions::State;
use crate::error::{Error, Result};
use crate::format::RecordLayout;
use crate::format::Schema;
use crate::shm::WatchedWords;

/// A source of states of a store.
pub(crate) trait Source: Send + Sync {
    /// The newest state that readers may see.
    fn newest(&self) -> Result<Arc<State>>;

    /// Whether there is no newer state than `state`, which came from this source. Cheap.
    fn is_newest(&self, state: &State) -> bool;

    /// The number of the newest commit that readers may see. Cheap.
    fn newest_commit(&self) -> u64;

    /// Waits until there is a commit after `commit`, or the time is over. Returns whether there is
    /// one.
    fn wait(&self, commit: u64, at_most: Duration) -> Result<bool>;

    /// The shared words that say when there is a newer commit.
    fn watched(&self) -> WatchedWords;

    fn layout(&self) -> &RecordLayout;

    fn schema(&self) -> &Schema;

    fn path(&self) -> Option<PathBuf>;

    /// Adds the path to an error that has none.
    fn name(&self, error: Error) -> Error {
        match self.path() {
            Some(path) => error.path(path),
            None => error,
        }
    }
}
