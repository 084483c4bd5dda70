//! What a reader in another handle or process says about itself.

use std::time::Duration;

use super::commit_id::CommitId;
use crate::shm::{self as sharing, Seen};

/// A reader that has a store open, in this process or another, as its entry in the reader table
/// describes it.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Database, Record};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Tick { price: u64 }
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("ticks.rec");
/// let writer = Database::<Tick>::create(&path).unwrap();
/// let reader = Database::<Tick>::open_read_only(&path).unwrap();
/// let snapshot = reader.begin_read().unwrap();
/// let readers = writer.readers().unwrap();
/// assert_eq!(readers[0].process, u64::from(std::process::id()));
/// assert_eq!(readers[0].oldest, Some(snapshot.commit_id()));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderInfo {
    /// The number of the reader's process, as the reader itself sees it: for a reader in another
    /// container, that number may belong to a different process here.
    pub process: u64,
    /// The oldest commit that the reader holds a snapshot of; `None` if it holds no snapshot. Later
    /// commits stay in the log until the reader drops it.
    pub oldest: Option<CommitId>,
    /// How long the reader has held snapshots without a pause, in whole seconds.
    pub held_for: Duration,
}

impl ReaderInfo {
    pub(crate) fn of(seen: &Seen) -> Self {
        let since = seen.oldest.map(|_| sharing::seconds_since(seen.since));
        Self {
            process: seen.process,
            oldest: seen.oldest.map(CommitId::from),
            held_for: Duration::from_secs(since.unwrap_or(0)),
        }
    }
}
