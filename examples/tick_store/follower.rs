//! A reader that gets each tick soon after its commit, in any process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flatrec::{Database, ErrorKind, ReadOnlyDatabase, Snapshot};

use super::Result;
use super::tick::Tick;

pub(crate) struct Follower {
    path: PathBuf,
    ticks: ReadOnlyDatabase<Tick>,
    snapshot: Snapshot<Tick>,
    /// The time of the newest tick that was read. Record numbers would not do as a bookmark: they
    /// change when the store is rewritten.
    after: i64,
    /// The number of the record to read next, in this file.
    next: u64,
}

impl Follower {
    /// Opens the store at `path`, to read the ticks after a time.
    pub(crate) fn open(path: &Path, after: i64) -> Result<Self> {
        let ticks = Database::<Tick>::open_read_only(path)?;
        let snapshot = ticks.begin_read()?;
        let next = snapshot.partition_point(|tick| tick.at <= after);
        Ok(Self { path: path.to_owned(), ticks, snapshot, after, next })
    }

    /// Whether a service has the store open.
    pub(crate) fn has_writer(&self) -> Result<bool> {
        Ok(self.ticks.has_writer()?)
    }

    /// Calls `each` for the ticks of all packets committed since the last call. If another file has
    /// taken the place of the store, goes on in that one.
    pub(crate) fn read_new(&mut self, mut each: impl FnMut(&Tick) -> Result<()>) -> Result<()> {
        match self.snapshot.refresh() {
            Err(error) if error.kind() == ErrorKind::NotFound => self.open_again()?,
            refreshed => drop(refreshed?),
        }
        for (_, tick) in self.snapshot.range(self.next..) {
            each(tick)?;
            self.after = tick.at;
        }
        self.next = self.snapshot.count();
        Ok(())
    }

    /// Sleeps until a commit, for at most the given time.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<()> {
        let is_new = self.ticks.wait(self.snapshot.commit_id(), at_most)?;
        // No commit reaches a file that another one has replaced.
        if !is_new && !self.ticks.is_at(&self.path)? {
            self.open_again()?;
        }
        Ok(())
    }

    fn open_again(&mut self) -> Result<()> {
        *self = Self::open(&self.path, self.after)?;
        Ok(())
    }
}
