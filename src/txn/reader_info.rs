//! What a reader in another handle or process says of itself.

use std::time::Duration;

use crate::shm::{self as sharing, Seen};

/// A reader that has a store open, in this process or another, as it says of itself.
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
/// assert_eq!(readers[0].oldest, Some(snapshot.commit()));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderInfo {
    /// The number of its process, as it is called there: in another container that may be somebody
    /// else's here.
    pub process: u64,
    /// The oldest commit of which it holds a snapshot; `None` if it holds none. Later commits stay
    /// in the log until it lets go.
    pub oldest: Option<u64>,
    /// For how long it has held snapshots without a pause, to the second.
    pub held_for: Duration,
}

impl ReaderInfo {
    pub(crate) fn of(seen: &Seen) -> Self {
        let since = seen.oldest.map(|_| sharing::seconds_since(seen.since));
        Self {
            process: seen.process,
            oldest: seen.oldest,
            held_for: Duration::from_secs(since.unwrap_or(0)),
        }
    }
}
