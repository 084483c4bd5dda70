//! A table from record numbers to small numbers.
//!
//! Programs often change records with nearby numbers together, so the table groups sixteen
//! neighbours, whose values fill one cache line. A hash table with open addressing finds the group.
//! A million neighbours take 6 MB, where a slot for each would take 32 MB; single records far apart
//! take 64 bytes each in addition. A caller that chooses record numbers with colliding hashes slows
//! down only its own transaction.

use std::ops::RangeInclusive;

/// Marks a hash slot without a group; no group has this number.
const NO_GROUP: u64 = u64::MAX;
/// Marks a record without a value.
const NONE: u32 = u32::MAX;
/// The number of neighbours in a group, as a power of two.
pub(super) const GROUP_LOG2: u32 = 4;

/// Spreads the number over all bits; the constant is 2^64 divided by the golden ratio (Knuth, The
/// Art of Computer Programming, 6.4).
#[inline]
pub(super) fn spread(id: u64) -> u64 {
    let product = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

/// The values of neighbours.
#[derive(Clone)]
#[repr(align(64))]
struct Group([u32; 1 << GROUP_LOG2]);

/// Maps record numbers to values below 2^32 - 1.
#[derive(Default)]
pub(super) struct IdTable {
    /// Groups' numbers (the upper bits of their records'), and their places in `groups`. At most
    /// half of the slots are taken.
    slots: Box<[(u64, u32)]>,
    groups: Vec<Group>,
    len: usize,
}

impl IdTable {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// How many record numbers have a value.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        let group = self.group(id >> GROUP_LOG2)?;
        let value = self.groups[group as usize].0[place(id)];
        (value != NONE).then_some(value)
    }

    /// Gives `id` a value; replaces an old one.
    pub(super) fn insert(&mut self, id: u64, value: u32) {
        debug_assert!(value != NONE);
        let group = match self.group(id >> GROUP_LOG2) {
            Some(group) => group,
            None => self.add_group(id >> GROUP_LOG2),
        };
        let found = &mut self.groups[group as usize].0[place(id)];
        self.len += usize::from(*found == NONE);
        *found = value;
    }

    /// Removes the value of `id`, if it has one.
    pub(super) fn remove(&mut self, id: u64) {
        if let Some(group) = self.group(id >> GROUP_LOG2) {
            let found = &mut self.groups[group as usize].0[place(id)];
            self.len -= usize::from(*found != NONE);
            *found = NONE;
        }
    }

    /// All record numbers with their values, in the order of the numbers.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.sorted_groups().into_iter().flat_map(|group| self.in_group(group))
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The groups' numbers, in order, each with the group's place.
    pub(super) fn sorted_groups(&self) -> Vec<(u64, u32)> {
        let mut groups: Vec<(u64, u32)> =
            self.slots.iter().copied().filter(|&(group, _)| group != NO_GROUP).collect();
        groups.sort_unstable();
        groups
    }

    /// The groups of [`IdTable::sorted_groups`] with these numbers, looked up one by one.
    pub(super) fn groups_within(&self, numbers: RangeInclusive<u64>) -> Vec<(u64, u32)> {
        numbers.filter_map(|number| Some((number, self.group(number)?))).collect()
    }

    /// The record numbers of a group with their values, in order.
    #[inline]
    pub(super) fn in_group(&self, (number, at): (u64, u32)) -> impl Iterator<Item = (u64, u32)> {
        let values = (0..).zip(self.groups[at as usize].0.iter().copied());
        let taken = values.filter(|&(_, value)| value != NONE);
        taken.map(move |(place, value)| (number << GROUP_LOG2 | place, value))
    }

    /// The place of the group with this number.
    #[inline]
    fn group(&self, number: u64) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = spread(number) as usize & mask;
        loop {
            let &(found, group) = self.slots.get(at)?;
            if found == number {
                return Some(group);
            }
            if found == NO_GROUP {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn add_group(&mut self, number: u64) -> u32 {
        if (self.groups.len() + 1) * 2 > self.slots.len() {
            let len = (self.slots.len() * 2).max(8);
            let old =
                std::mem::replace(&mut self.slots, vec![(NO_GROUP, 0); len].into_boxed_slice());
            old.iter().filter(|slot| slot.0 != NO_GROUP).for_each(|&slot| self.put(slot));
        }
        // Fewer groups than records with values, which are fewer than 2^32.
        let group = self.groups.len() as u32;
        self.groups.push(Group([NONE; 1 << GROUP_LOG2]));
        self.put((number, group));
        group
    }

    /// Puts a new group into a free slot.
    fn put(&mut self, slot: (u64, u32)) {
        let mask = self.slots.len() - 1;
        let mut at = spread(slot.0) as usize & mask;
        while self.slots[at].0 != NO_GROUP {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

/// The place of a record in its group.
#[inline]
fn place(id: u64) -> usize {
    (id & ((1 << GROUP_LOG2) - 1)) as usize
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
            let id = [random, random >> 50, u64::from(value), u64::MAX][value as usize % 4];
            table.insert(id, value);
            map.insert(id, value);
        }
        assert_eq!(table.len(), map.len());
        assert!(map.iter().all(|(&id, &value)| table.find(id) == Some(value)));
        assert!((0..50_000).all(|id| table.find(id) == map.get(&id).copied()));
        assert!(table.sorted().eq(map.iter().map(|(&id, &value)| (id, value))));
        for id in (0..2000).step_by(3) {
            table.remove(id);
            map.remove(&id);
            assert_eq!((table.find(id), table.len()), (None, map.len()));
        }
        assert!(table.sorted().eq(map));
    }
}
