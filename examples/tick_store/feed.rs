//! The market's feeds. The content of a packet follows from its feed and its number, so that a
//! reader can check every tick.

use flatrec::{Nullable, Utf8};

use super::tick::{Deal, Side, Tick};

pub(crate) const FEEDS: u8 = 3;

const SYMBOLS: [Utf8<8>; 4] =
    [Utf8::literal("ACME"), Utf8::literal("BOLT"), Utf8::literal("CRANE"), Utf8::literal("DYNAMO")];

/// The ticks of a packet, which have no time before they arrive.
pub(crate) fn ticks(feed: u8, packet: u64) -> impl Iterator<Item = Tick> {
    let parts = 1 + (mix(packet ^ u64::from(feed) << 56) % 40) as u8;
    (0..parts).map(move |part| tick(feed, packet, part, parts))
}

fn tick(feed: u8, packet: u64, part: u8, parts: u8) -> Tick {
    let random = mix(packet << 16 | u64::from(feed) << 8 | u64::from(part));
    let side = if random & 1 == 0 { Side::Buy } else { Side::Sell };
    Tick {
        at: 0,
        packet,
        symbol: SYMBOLS[(random >> 1) as usize % SYMBOLS.len()],
        deal: Deal { price: 100.0 + (random >> 8 & 0xFF) as f64 / 64.0, shares: random >> 60 },
        feed,
        part,
        parts,
        side: side.into(),
        order: (random & 2 == 0).then_some((random >> 32) as u32).into(),
        venue: Nullable::some((random >> 48) as u16),
        padding: [0; 4],
    }
}

/// Scatters the bits of a number.
fn mix(number: u64) -> u64 {
    let bits = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
