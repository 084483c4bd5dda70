//! What a store must hold: the states of a history, and which of them a handle may find after the
//! events since.

use std::fmt::Write as _;
use std::sync::Arc;

use super::random::mix;

/// A record's number in the history: all records ever written have different ones.
pub(super) type Stamp = u64;

/// Instead of a stamp, for a deleted record.
pub(super) const DEAD: Stamp = 0;

/// The stamps of all records, in order.
pub(super) type State = Arc<Vec<Stamp>>;

/// Fills `record` with the bytes of `stamp`: first the stamp, then bytes that distinguish every
/// piece of this record from the same piece of any other.
///
/// Most of the work of a history is here. So no piece depends on the one before, which lets a
/// processor make several at a time, and all but the last have a fixed length.
pub(super) fn fill(record: &mut [u8], stamp: Stamp) {
    let mut number = stamp.rotate_left(32);
    let mut next = stamp;
    let mut pieces = record.chunks_exact_mut(size_of::<Stamp>());
    for piece in &mut pieces {
        piece.copy_from_slice(&next.to_le_bytes());
        number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        next = mix(number);
    }
    let rest = pieces.into_remainder();
    rest.copy_from_slice(&next.to_le_bytes()[..rest.len()]);
}

/// The record of `stamp`, with `len` bytes.
pub(super) fn record(stamp: Stamp, len: usize) -> Vec<u8> {
    let mut record = vec![0; len];
    fill(&mut record, stamp);
    record
}

/// The record that these bytes are; `None` if they are not a record written as a whole.
pub(super) fn recognise(bytes: &[u8], scratch: &mut Vec<u8>) -> Option<Stamp> {
    let stamp = Stamp::from_le_bytes(*bytes.first_chunk()?);
    scratch.resize(bytes.len(), 0);
    fill(scratch, stamp);
    (stamp != DEAD && bytes == &scratch[..]).then_some(stamp)
}

/// The states of a store, and the facts about them.
#[derive(Debug)]
pub(super) struct Oracle {
    /// One state for each acknowledged commit, oldest first.
    states: Vec<State>,
    /// The last state that must survive a power cut.
    durable: usize,
    /// States of failed or interrupted commits, which may or may not have happened, each with the
    /// number of the state before it.
    attempts: Vec<(usize, State)>,
    /// Whether the content of the system's cache may be lost.
    cache_lost: bool,
}

impl Oracle {
    /// An empty, durable store.
    pub(super) fn new() -> Self {
        let states = vec![State::default()];
        Self { states, durable: 0, attempts: Vec::new(), cache_lost: false }
    }

    /// The state after the last acknowledged commit.
    pub(super) fn current(&self) -> &State {
        &self.states[self.states.len() - 1]
    }

    /// A commit begins that will produce `next`.
    pub(super) fn attempt(&mut self, next: State) {
        self.attempts.push((self.states.len() - 1, next));
    }

    /// The last attempted commit was acknowledged.
    pub(super) fn acknowledge(&mut self, survives_power: bool) {
        if let Some((_, state)) = self.attempts.pop() {
            self.states.push(state);
        }
        if survives_power {
            self.make_durable();
        }
    }

    /// All acknowledged commits must survive a power cut from now on.
    pub(super) fn make_durable(&mut self) {
        self.durable = self.states.len() - 1;
        self.cache_lost = false;
        let durable = self.durable;
        self.attempts.retain(|(after, _)| *after >= durable);
    }

    /// The power was cut, or the cache lost its contents in another way.
    pub(super) fn lose_cache(&mut self) {
        self.cache_lost = true;
    }

    /// Compares a found state with the allowed ones, and continues from it. `durably` says that the
    /// state is on the disk, so that no later event can undo it.
    pub(super) fn find(&mut self, found: &[Stamp], durably: bool) -> Result<(), String> {
        let floor = if self.cache_lost { self.durable } else { self.states.len() - 1 };
        let acknowledged = (floor..self.states.len()).rev();
        let kept = acknowledged.into_iter().find(|&index| *self.states[index] == found);
        if let Some(index) = kept {
            self.states.truncate(index + 1);
        } else {
            let attempt =
                self.attempts.iter().find(|(after, state)| *after >= floor && **state == found);
            let Some((after, state)) = attempt.cloned() else {
                return Err(self.explain(found, floor));
            };
            self.states.truncate(after + 1);
            self.states.push(state);
        }
        self.attempts.clear();
        if durably {
            self.make_durable();
        }
        Ok(())
    }

    /// Continues, after a failed commit, from the state that the handle shows: before or after it.
    pub(super) fn find_live(&mut self, found: &[Stamp]) -> Result<(), String> {
        if **self.current() == found {
            return Ok(());
        }
        match self.attempts.last().cloned() {
            Some((after, state)) if after + 1 == self.states.len() && *state == found => {
                self.attempts.pop();
                self.states.push(state);
                Ok(())
            }
            _ => Err(self.explain(found, self.states.len() - 1)),
        }
    }

    fn explain(&self, found: &[Stamp], floor: usize) -> String {
        let mut text = format!("found {} records", found.len());
        if let Some(index) = self.states.iter().rposition(|state| **state == found) {
            let lost = floor.saturating_sub(index);
            let _ = write!(text, ": {lost} acknowledged commits are lost");
            return text;
        }
        let nearest = (floor..self.states.len())
            .map(|index| (distance(&self.states[index], found), index))
            .min()
            .unwrap_or((0, floor));
        let state = &self.states[nearest.1];
        let _ = write!(
            text,
            ", as after no commit: {} differ from the nearest state, of {} records, {} commits \
             after the last that must be there",
            nearest.0,
            state.len(),
            nearest.1 - floor
        );
        let differing =
            (0..state.len().max(found.len())).filter(|&id| state.get(id) != found.get(id)).take(8);
        for id in differing {
            let _ = write!(text, "; record {id} is {:?}", found.get(id));
            let _ = write!(text, " and not {:?}", state.get(id));
        }
        text
    }
}

/// The number of places in which two states differ.
fn distance(one: &[Stamp], other: &[Stamp]) -> usize {
    let common = one.iter().zip(other).filter(|(one, other)| one != other).count();
    common + one.len().abs_diff(other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(stamps: &[Stamp]) -> State {
        Arc::new(stamps.to_vec())
    }

    /// Commits one record after the other; the first `durable` of them are durable.
    fn after(commits: u64, durable: u64) -> Oracle {
        let mut oracle = Oracle::new();
        for last in 1..=commits {
            oracle.attempt(state(&(1..=last).collect::<Vec<_>>()));
            oracle.acknowledge(last <= durable);
        }
        oracle
    }

    #[test]
    fn records_are_recognised_whole() {
        let mut scratch = Vec::new();
        for len in [8, 11, 600] {
            let one = record(7, len);
            assert_eq!(recognise(&one, &mut scratch), Some(7));
            for torn in 0..len {
                let mut other = one.clone();
                other[torn] ^= 1;
                // 8 bytes are always a stamp; larger records show a tear.
                assert!(len == 8 || recognise(&other, &mut scratch).is_none(), "{torn}");
            }
        }
        assert_eq!(recognise(&[0; 16], &mut scratch), None);
    }

    #[test]
    fn a_kill_loses_nothing_and_a_power_cut_loses_what_is_not_durable() {
        assert!(after(3, 1).find(&[1, 2, 3], false).is_ok());
        assert!(after(3, 1).find(&[1, 2], false).is_err(), "lost");
        for (found, allowed) in [
            (&[][..], false),
            (&[1], true),
            (&[1, 2], true),
            (&[1, 2, 3], true),
            (&[1, 3], false),
            (&[1, 2, 3, 4], false),
        ] {
            let mut oracle = after(3, 1);
            oracle.lose_cache();
            assert_eq!(oracle.find(found, true).is_ok(), allowed, "{found:?}");
        }
    }

    #[test]
    fn an_attempt_may_be_found_until_a_later_commit_is_durable() {
        let failed = |later_durable| {
            let mut oracle = after(2, 2);
            oracle.attempt(state(&[1, 2, 9]));
            oracle.find_live(&[1, 2]).unwrap();
            oracle.attempt(state(&[1, 2, 3]));
            oracle.acknowledge(later_durable);
            oracle.lose_cache();
            oracle.find(&[1, 2, 9], true)
        };
        assert!(failed(false).is_ok());
        assert!(failed(true).is_err());
    }

    #[test]
    fn a_state_found_after_a_power_cut_is_found_again() {
        let mut oracle = after(3, 1);
        oracle.lose_cache();
        oracle.find(&[1, 2], true).unwrap();
        oracle.lose_cache();
        assert!(oracle.find(&[1], false).is_err());
    }
}
