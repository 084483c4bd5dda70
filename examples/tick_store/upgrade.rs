//! The schema change: ticks get the field `venue`.
//!
//! A file has one schema, so a new field needs a new file. [`rewrite`] copies the ticks into it and
//! swaps the two: a program that opens the path finds the old store or the new one, whole. So it is
//! after a crash at any moment, too.

use std::path::Path;
use std::time::Duration;

use flatrec::{Enum, Nullable, Record, Store, Utf8, Wait};

use super::Result;
use super::feed;
use super::tick::{Deal, Side, Tick};

/// A tick of version 1. The type stays in the program for as long as such stores may exist.
#[derive(Clone, Copy, Record)]
#[repr(C)]
pub(crate) struct OldTick {
    #[record(timestamp = "us", utc)]
    at: i64,
    packet: u64,
    symbol: Utf8<8>,
    #[record(nested)]
    deal: Deal,
    feed: u8,
    part: u8,
    parts: u8,
    side: Enum<Side>,
    order: Nullable<u32>,
    #[record(skip)]
    padding: [u8; 7],
}

impl From<&OldTick> for Tick {
    fn from(old: &OldTick) -> Self {
        let OldTick { at, packet, symbol, deal, feed, part, parts, side, order, .. } = *old;
        let (venue, padding) = (Nullable::null(), [0; 4]);
        Self { at, packet, symbol, deal, feed, part, parts, side, order, venue, padding }
    }
}

/// Brings a store of version 1 up to date.
pub(crate) fn upgrade(path: &Path) -> Result<u64> {
    rewrite(path, |old: &OldTick| Tick::from(old))
}

/// Copies the ticks without the deleted ones, whose places the new file does not have.
pub(crate) fn compact(path: &Path) -> Result<u64> {
    rewrite(path, |tick: &Tick| *tick)
}

/// Replaces the store by one that has each record as `convert` gives it, and returns the number of
/// records. No handle may have the store open.
fn rewrite<Old: Record>(path: &Path, convert: impl Fn(&Old) -> Tick) -> Result<u64> {
    // 1. The new store exists beside the old one, under another name. While it does, no other
    //    handle can write to the old one: both need the lock of this path.
    let mut new = Store::<Tick>::create_options()
        .deletes(true)
        .checksums(true)
        .wait(Wait::AtMost(Duration::from_secs(10)))
        .create_aside(path, true)?;
    // 2. A type that does not fit is an error here, and nothing has changed. Commits that a crash
    //    has left in the log count.
    let old = Store::<Old>::open_read_only(path)?;
    // 3. Damage ends the copy: a dropped store leaves nothing behind.
    for record in old.try_iter() {
        new.append(&convert(record?.1))?;
    }
    let records = new.count();
    // 4. Windows does not replace a file that is open.
    drop(old);
    // 5. The new store is durable first, and then gets the name.
    new.close()?;
    Ok(records)
}

/// Makes the store that a program of version 1 has left: this many packets of each feed.
pub(crate) fn leave_old_store(path: &Path, packets: u64, last_at: i64) -> Result<u64> {
    let mut store = Store::<OldTick>::create_options().deletes(true).create(path)?;
    let all = u64::from(feed::FEEDS) * packets;
    for number in 0..all {
        let at = last_at - (all - 1 - number) as i64;
        let feed = (number % u64::from(feed::FEEDS)) as u8;
        for tick in feed::ticks(feed, number / u64::from(feed::FEEDS)) {
            let Tick { packet, symbol, deal, part, parts, side, order, .. } = tick;
            let padding = [0; 7];
            let old = OldTick { at, packet, symbol, deal, feed, part, parts, side, order, padding };
            store.append(&old)?;
        }
    }
    let ticks = store.count();
    store.close()?;
    Ok(ticks)
}
