//! The records of the store.

use flatrec::{Enum, Nullable, Record, RecordEnum, Utf8};

/// What the buyer or seller did that began the deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RecordEnum)]
#[repr(u8)]
pub(crate) enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
pub(crate) struct Deal {
    pub(crate) price: f64,
    pub(crate) shares: u64,
}

/// A deal that a market's feed reports. Feeds send packets of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
pub(crate) struct Tick {
    /// When the packet arrived, in microseconds since 1970. All ticks of a packet have the same
    /// time, and later packets of all feeds have later times.
    #[record(timestamp = "us", utc)]
    pub(crate) at: i64,
    /// The feed's own number of the packet. A feed counts without gaps.
    pub(crate) packet: u64,
    pub(crate) symbol: Utf8<8>,
    #[record(nested)]
    pub(crate) deal: Deal,
    pub(crate) feed: u8,
    /// The place of the tick in its packet, from 0.
    pub(crate) part: u8,
    /// The number of ticks in the packet.
    pub(crate) parts: u8,
    pub(crate) side: Enum<Side>,
    pub(crate) order: Nullable<u32>,
    /// Null in ticks that a program wrote before it knew venues (see `upgrade.rs`).
    pub(crate) venue: Nullable<u16>,
    #[record(skip)]
    pub(crate) padding: [u8; 4],
}
