//! A hash table from record numbers to small numbers.
//!
//! Open addressing with linear probing, at most half full: a probe is one cache line most of the
//! time. Made for record numbers alone, which are spread by one multiplication; whoever chooses
//! them on purpose slows nobody but their own transaction.

/// Where record numbers go to; no record has this number, since none is counted past it.
const NONE: u64 = u64::MAX;

/// Spreads the number over all bits; the constant is 2^64 divided by the golden ratio (Knuth, The
/// Art of Computer Programming, 6.4).
#[inline]
pub(super) fn spread(id: u64) -> u64 {
    let product = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

/// From record numbers below 2^64 - 1 to `u32`.
#[derive(Default)]
pub(super) struct IdTable {
    slots: Box<[(u64, u32)]>,
    len: usize,
}

impl IdTable {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A table with room for `len` numbers.
    pub(super) fn with_room(len: usize) -> Self {
        let mut table = Self::new();
        if len > 0 {
            table.slots = vec![(NONE, 0); (len * 2).next_power_of_two()].into_boxed_slice();
        }
        table
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = spread(id) as usize & mask;
        loop {
            let &(found, value) = self.slots.get(at)?;
            if found == id {
                return (id != NONE).then_some(value);
            }
            if found == NONE {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts `id` in, or gives it another value.
    pub(super) fn insert(&mut self, id: u64, value: u32) {
        debug_assert!(id != NONE);
        if (self.len + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = spread(id) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.0 == id {
                slot.1 = value;
                return;
            }
            if slot.0 == NONE {
                *slot = (id, value);
                self.len += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// All numbers and their values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.slots.iter().copied().filter(|&(id, _)| id != NONE)
    }

    #[cold]
    fn grow(&mut self) {
        let mut grown = Self::with_room((self.len + 1).max(4) * 2);
        for (id, value) in self.iter() {
            grown.insert(id, value);
        }
        *self = grown;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn agrees_with_a_map() {
        let (mut table, mut map) = (IdTable::new(), BTreeMap::new());
        assert_eq!(table.find(3), None);
        let mut random = 1_u64;
        for value in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let id = [random, random >> 50, u64::from(value)][value as usize % 3];
            table.insert(id, value);
            map.insert(id, value);
        }
        assert_eq!(table.len(), map.len());
        assert!(map.iter().all(|(&id, &value)| table.find(id) == Some(value)));
        assert!((0..50_000).all(|id| table.find(id) == map.get(&id).copied()));
        let mut all: Vec<_> = table.iter().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(map));
        assert_eq!(table.find(u64::MAX), None);
    }
}
