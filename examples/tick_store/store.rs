//! The tick store of a service: feeds write packets, readers look ticks up by time, and old ticks
//! are deleted.
//!
//! Invariants, which `audit.rs` checks:
//! - a packet is one transaction, so it is in the store whole or not at all;
//! - the ticks are in the order of their times, because ticks are appended and never inserted, and
//!   a packet gets its time inside its transaction;
//! - the newest packet is never deleted: the next one needs its time.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flatrec::{
    BackupReport, CopyOptions, Database, Durability, ErrorKind, OwnedWriteTransaction, Snapshot,
    SnapshotRecords, TimeUnit, Wait, WriteTransaction, WriterOwnership,
};

use super::Result;
use super::tick::Tick;
use super::upgrade;

pub(crate) struct TickStore {
    ticks: Database<Tick>,
    path: PathBuf,
}

impl TickStore {
    /// Opens the store at `path`, makes it if it does not exist, and first brings it up to date if
    /// an older program wrote it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        // A service that was killed a moment ago may not have ended yet.
        let options = Database::<Tick>::options().wait(Wait::AtMost(Duration::from_secs(10)));
        let ticks = match options.clone().open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Database::<Tick>::create_options().deletes(true).checksums(true).create(path)?
            }
            Err(error) if error.kind() == ErrorKind::SchemaMismatch => {
                upgrade::upgrade(path)?;
                options.open(path)?
            }
            opened => opened?,
        };
        Ok(Self { ticks, path: path.to_owned() })
    }

    /// Begins a packet, which arrives now.
    pub(crate) fn begin_packet(&self) -> Result<Packet> {
        let ticks = self.ticks.begin_write_owned()?;
        let now = TimeUnit::Microsecond.timestamp_of(SystemTime::now())?;
        let at = newest(&ticks).map_or(now, |last| now.max(last.at + 1));
        Ok(Packet { ticks, at })
    }

    /// Deletes the ticks before this time, except the newest packet, and returns their number.
    pub(crate) fn expire(&self, before: i64) -> Result<u64> {
        let mut ticks = self.ticks.begin_write()?;
        let before = newest(&ticks).map_or(before, |last| before.min(last.at));
        let is_old = |(_, tick): &(u64, &Tick)| tick.at < before;
        let old: Vec<u64> = ticks.iter().take_while(is_old).map(|(id, _)| id).collect();
        for &id in &old {
            ticks.delete(id)?;
        }
        ticks.commit(Durability::Immediate)?;
        Ok(old.len() as u64)
    }

    /// The ticks of this moment. Later packets do not change them.
    pub(crate) fn snapshot(&self) -> Result<Snapshot<Tick>> {
        Ok(self.ticks.begin_read()?)
    }

    /// Waits until a commit changes the store after this snapshot, for ten seconds at most.
    pub(crate) fn wait_for_change(&self, since: &Snapshot<Tick>) -> Result<bool> {
        Ok(self.ticks.wait(since.commit_id(), Duration::from_secs(10))?)
    }

    /// The number of the next packet of a feed.
    pub(crate) fn next_packet(&self, feed: u8) -> Result<u64> {
        let ticks = self.snapshot()?;
        let last = ticks.iter().rev().find(|(_, tick)| tick.feed == feed);
        Ok(last.map_or(0, |(_, tick)| tick.packet + 1))
    }

    /// Copies the store as of one moment, beside the feeds, and replaces an older copy.
    pub(crate) fn backup(&self, to: &Path) -> Result<BackupReport> {
        Ok(flatrec::backup(&self.path, to, CopyOptions::new().replace(true))?)
    }

    pub(crate) fn close(self) -> Result<()> {
        Ok(self.ticks.close()?)
    }
}

/// A packet that is arriving. A packet that is dropped before it is committed leaves nothing.
pub(crate) struct Packet {
    ticks: OwnedWriteTransaction<Tick>,
    at: i64,
}

impl Packet {
    pub(crate) fn add(&mut self, tick: &Tick) -> Result<()> {
        self.ticks.append(&Tick { at: self.at, ..*tick })?;
        Ok(())
    }

    /// Acknowledges the packet: it survives the end of this process and of the machine. Returns the
    /// time of the packet.
    pub(crate) fn commit(self) -> Result<i64> {
        self.ticks.commit(Durability::Immediate)?;
        Ok(self.at)
    }
}

/// The ticks of these times in microseconds since 1970, found by binary search.
pub(crate) fn between(ticks: &Snapshot<Tick>, times: Range<i64>) -> SnapshotRecords<'_, Tick> {
    let first = ticks.partition_point(|tick| tick.at < times.start);
    let end = ticks.partition_point(|tick| tick.at < times.end);
    ticks.range(first..end)
}

/// The newest tick. Expiry leaves it, so it is the last record.
fn newest<'t, O: WriterOwnership>(ticks: &'t WriteTransaction<'_, Tick, O>) -> Option<&'t Tick> {
    ticks.get(ticks.count().checked_sub(1)?)
}
