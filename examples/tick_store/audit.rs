//! Checks the invariants of the store on ticks that a reader reads in order.

use super::Result;
use super::feed::{self, FEEDS};
use super::tick::Tick;

/// The packets found so far.
#[derive(Default)]
pub(crate) struct Audit {
    ticks: u64,
    last_at: i64,
    /// The packet being read, as it should be, and what of it is still to come.
    packet: Option<(u8, u64)>,
    rest: Vec<Tick>,
    /// The number of the next packet of each feed, once the feed has one.
    next: [Option<u64>; FEEDS as usize],
}

impl Audit {
    /// Takes the next tick.
    pub(crate) fn add(&mut self, tick: &Tick) -> Result<()> {
        if self.rest.is_empty() {
            self.begin_packet(tick)?;
        }
        let mut expected = self.rest.pop().expect("a packet has ticks");
        expected.at = self.last_at;
        if tick.venue.is_none() {
            expected.venue = tick.venue; // an older program wrote it
        }
        if *tick != expected {
            return Err(format!("the store has {tick:?} in the place of {expected:?}").into());
        }
        self.ticks += 1;
        Ok(())
    }

    fn begin_packet(&mut self, tick: &Tick) -> Result<()> {
        if tick.at <= self.last_at {
            return Err(format!("{tick:?} follows a tick of the time {}", self.last_at).into());
        }
        let Some(next) = self.next.get_mut(usize::from(tick.feed)) else {
            return Err(format!("no feed has sent {tick:?}").into());
        };
        if next.is_some_and(|next| next != tick.packet) {
            return Err(format!("{tick:?} is not of the packet {next:?}").into());
        }
        *next = Some(tick.packet + 1);
        self.last_at = tick.at;
        self.packet = Some((tick.feed, tick.packet));
        self.rest = feed::ticks(tick.feed, tick.packet).collect();
        self.rest.reverse();
        Ok(())
    }

    /// Ends the check, and returns the number of ticks.
    pub(crate) fn finish(&self) -> Result<u64> {
        match self.packet {
            Some((feed, packet)) if !self.rest.is_empty() => {
                let missing = self.rest.len();
                Err(format!("packet {packet} of feed {feed} lacks {missing} ticks").into())
            }
            _ => Ok(self.ticks),
        }
    }

    /// Checks all ticks of a store, and returns their number.
    pub(crate) fn of<'t>(ticks: impl IntoIterator<Item = (u64, &'t Tick)>) -> Result<u64> {
        let mut audit = Self::default();
        ticks.into_iter().try_for_each(|(_, tick)| audit.add(tick))?;
        audit.finish()
    }
}
