//! The images over a range of records, in the order of the records' numbers and from both ends.
//!
//! A walk uses the groups of neighbours in which the layers' tables keep record numbers: it looks
//! up the newest images of a whole group at once, instead of asking for each record, and skips from
//! one group with images to the next. The first walk through many groups of a layer sorts them.
//! They stay sorted, because layers never change.

use std::borrow::Cow;
use std::ops::Range;

use super::super::id_table::{GROUP_LOG2, IdTable};
use super::{Layer, Overlay};

/// The number of neighbours in a group.
const GROUP_LEN: usize = 1 << GROUP_LOG2;
/// A walk sorts the groups if it would otherwise look up this part of them or more: per group,
/// sorting costs about as much as a lookup.
const LOOKED_UP_PART: u64 = 8;

impl Overlay {
    /// The images of the records `ids`, to walk through.
    pub(crate) fn within(&self, ids: Range<u64>) -> ImagesWithin<'_> {
        let ahead = self.layers.iter().map(|layer| Ahead::new(layer, &ids)).collect();
        ImagesWithin { ahead, ids, front: Group::default(), back: Group::default() }
    }

    /// Whether any of the records `ids` has an image: two binary searches a layer.
    pub(crate) fn any_within(&self, ids: &Range<u64>) -> bool {
        self.layers.iter().any(|layer| {
            let groups = layer.groups_within(ids);
            let mut found = groups.iter().flat_map(|&group| layer.table().in_group(group));
            found.any(|(id, _)| ids.contains(&id))
        })
    }

    /// Prepares for many queries about parts of `ids`.
    pub(crate) fn prepare(&self, ids: &Range<u64>) {
        self.layers.iter().for_each(|layer| drop(layer.groups_within(ids)));
    }
}

impl Layer {
    /// Maps records' numbers to the numbers that [`Layer::image`] takes.
    fn table(&self) -> &IdTable {
        match (&*self.commits, self.places.is_empty()) {
            ([committed], true) => committed.images.table(),
            _ => &self.table,
        }
    }

    /// The image with this number in the table.
    #[inline]
    fn image(&self, number: u32) -> &[u8] {
        let (commit, number) = match self.places.get(number as usize) {
            Some(&place) => place,
            None => (0, number),
        };
        self.commits[commit as usize].images.image(number)
    }

    /// The table's groups with numbers of `ids`, and perhaps others, in order.
    fn groups_within(&self, ids: &Range<u64>) -> Cow<'_, [(u64, u32)]> {
        let Some(last) = ids.end.checked_sub(1).filter(|&last| last >= ids.start) else {
            return Cow::Borrowed(&[]);
        };
        let (first, last) = (ids.start >> GROUP_LOG2, last >> GROUP_LOG2);
        let table = self.table();
        let few = last - first < table.groups() as u64 / LOOKED_UP_PART;
        if few && self.order.get().is_none() {
            return Cow::Owned(table.groups_within(first..=last));
        }
        let order = self.order.get_or_init(|| table.sorted_groups().into_boxed_slice());
        let from_first = &order[order.partition_point(|&(number, _)| number < first)..];
        Cow::Borrowed(&from_first[..from_first.partition_point(|&(number, _)| number <= last)])
    }
}

/// The groups of a layer that the walk has not reached.
#[derive(Clone)]
struct Ahead<'a> {
    layer: &'a Layer,
    groups: Cow<'a, [(u64, u32)]>,
    left: Range<usize>,
}

impl<'a> Ahead<'a> {
    fn new(layer: &'a Layer, ids: &Range<u64>) -> Self {
        let groups = layer.groups_within(ids);
        let left = 0..groups.len();
        Self { layer, groups, left }
    }

    fn first(&self) -> Option<u64> {
        self.groups[self.left.clone()].first().map(|&(number, _)| number)
    }

    fn last(&self) -> Option<u64> {
        self.groups[self.left.clone()].last().map(|&(number, _)| number)
    }
}

/// The newest images of neighbours.
#[derive(Clone, Default)]
struct Group<'a> {
    /// The number of the first neighbour.
    start: u64,
    /// Bit `n` is set while neighbour `n` has an image that was not taken.
    left: u16,
    images: [&'a [u8]; GROUP_LEN],
}

impl<'a> Group<'a> {
    /// Adds the images of an older layer, for records in `ids` without an image so far.
    fn add(&mut self, layer: &'a Layer, group: (u64, u32), ids: &Range<u64>) {
        for (id, number) in layer.table().in_group(group) {
            let bit = 1 << (id - self.start);
            if self.left & bit == 0 && ids.contains(&id) {
                self.left |= bit;
                self.images[(id - self.start) as usize] = layer.image(number);
            }
        }
    }

    #[inline]
    fn first(&self) -> Option<u64> {
        (self.left != 0).then(|| self.start + u64::from(self.left.trailing_zeros()))
    }

    #[inline]
    fn last(&self) -> Option<u64> {
        self.left.checked_ilog2().map(|place| self.start + u64::from(place))
    }

    #[inline]
    fn take(&mut self, id: u64) -> &'a [u8] {
        let place = (id - self.start) as usize;
        self.left &= !(1 << place);
        self.images[place]
    }

    /// Drops records outside `ids`.
    fn narrow(&mut self, ids: &Range<u64>) {
        for place in 0..GROUP_LEN {
            if !ids.contains(&(self.start + place as u64)) {
                self.left &= !(1 << place);
            }
        }
    }
}

/// The images of a range of records, each record's newest, in the order of their numbers; made by
/// [`Overlay::within`].
#[derive(Clone)]
pub(crate) struct ImagesWithin<'a> {
    /// Oldest layer first. The groups left here lie between `front` and `back`.
    ahead: Vec<Ahead<'a>>,
    ids: Range<u64>,
    front: Group<'a>,
    back: Group<'a>,
}

impl<'a> ImagesWithin<'a> {
    /// The first record with an image.
    #[inline]
    pub(crate) fn first(&mut self) -> Option<u64> {
        match self.front.first() {
            Some(id) => Some(id),
            None => self.next_group(),
        }
    }

    /// The last record with an image.
    #[inline]
    pub(crate) fn last(&mut self) -> Option<u64> {
        match self.back.last() {
            Some(id) => Some(id),
            None => self.next_group_back(),
        }
    }

    /// Takes the first image.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<&'a [u8]> {
        let id = self.first()?;
        Some(self.front.take(id))
    }

    /// Takes the last image.
    #[inline]
    pub(crate) fn take_last(&mut self) -> Option<&'a [u8]> {
        let id = self.last()?;
        Some(self.back.take(id))
    }

    /// Skips the images of records outside `ids`.
    pub(crate) fn narrow(&mut self, ids: Range<u64>) {
        let groups = ids.start >> GROUP_LOG2..ids.end.div_ceil(GROUP_LEN as u64);
        for ahead in &mut self.ahead {
            let left = &ahead.groups[ahead.left.clone()];
            let below = left.partition_point(|&(number, _)| number < groups.start);
            let within = left[below..].partition_point(|&(number, _)| number < groups.end);
            ahead.left.start += below;
            ahead.left.end = ahead.left.start + within;
        }
        self.front.narrow(&ids);
        self.back.narrow(&ids);
        self.ids = ids;
    }

    /// Moves to the next group at the front, and returns its first record.
    fn next_group(&mut self) -> Option<u64> {
        while let Some(number) = self.ahead.iter().filter_map(Ahead::first).min() {
            self.front.start = number << GROUP_LOG2;
            for ahead in self.ahead.iter_mut().rev().filter(|it| it.first() == Some(number)) {
                self.front.add(ahead.layer, ahead.groups[ahead.left.start], &self.ids);
                ahead.left.start += 1;
            }
            if let Some(id) = self.front.first() {
                return Some(id);
            }
        }
        // The rest is what the other end has begun.
        std::mem::swap(&mut self.front, &mut self.back);
        self.front.first()
    }

    /// As [`ImagesWithin::next_group`], at the back.
    fn next_group_back(&mut self) -> Option<u64> {
        while let Some(number) = self.ahead.iter().filter_map(Ahead::last).max() {
            self.back.start = number << GROUP_LOG2;
            for ahead in self.ahead.iter_mut().rev().filter(|it| it.last() == Some(number)) {
                ahead.left.end -= 1;
                self.back.add(ahead.layer, ahead.groups[ahead.left.end], &self.ids);
            }
            if let Some(id) = self.back.last() {
                return Some(id);
            }
        }
        std::mem::swap(&mut self.front, &mut self.back);
        self.back.last()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::{Draw, committed};
    use super::*;

    /// Layers of many shapes, and the newest commit of each record.
    fn layered(draw: &mut Draw) -> (Overlay, BTreeMap<u64, u64>) {
        let (mut overlay, mut model) = (Overlay::default(), BTreeMap::new());
        for commit in 1..=draw.below(6) {
            let spread = 1 + draw.below(40);
            let mut ids: Vec<u64> =
                (0..draw.below(200)).map(|_| draw.below(100) * spread).collect();
            ids.sort_unstable();
            ids.dedup();
            model.extend(ids.iter().map(|&id| (id, commit)));
            overlay = overlay.with(committed(commit, &ids), 3000);
        }
        (overlay, model)
    }

    #[test]
    fn a_walk_from_both_ends_meets_every_newest_image_once() {
        for seed in 1..400 {
            let draw = &mut Draw(seed);
            let (overlay, model) = layered(draw);
            for _ in 0..8 {
                let start = draw.below(4000);
                let mut ids = start..start + [1, 9, 4000][draw.below(3) as usize];
                assert_eq!(overlay.any_within(&ids), model.range(ids.clone()).next().is_some());
                let mut left: Vec<(u64, u64)> =
                    model.range(ids.clone()).map(|(&id, &commit)| (id, commit)).collect();
                let mut walk = overlay.within(ids.clone());
                while !left.is_empty() {
                    let (id, image, expected) = match draw.below(9) {
                        0..4 => (walk.first(), walk.take_first(), left.remove(0)),
                        4..8 => (walk.last(), walk.take_last(), left.pop().unwrap()),
                        _ => {
                            ids.start += draw.below(ids.end - ids.start) / 4;
                            ids.end -= draw.below(ids.end - ids.start) / 4;
                            walk.narrow(ids.clone());
                            left.retain(|(id, _)| ids.contains(id));
                            continue;
                        }
                    };
                    let of_image = image.map(|image| image[8..].try_into().unwrap());
                    let found = (id, of_image.map(u64::from_le_bytes));
                    assert_eq!(found, (Some(expected.0), Some(expected.1)), "seed {seed}");
                }
                assert_eq!((walk.first(), walk.last(), walk.take_first()), (None, None, None));
            }
        }
    }

    #[test]
    fn a_short_query_about_many_images_sorts_nothing() {
        let ids: Vec<u64> = (0..10_000).map(|n| n * 3).collect();
        let overlay = Overlay::default().with(committed(1, &ids), 1 << 20);
        assert!(overlay.any_within(&(300..301)) && !overlay.any_within(&(301..303)));
        assert!(!overlay.any_within(&(5..5)) && !overlay.any_within(&(30_000..90_000)));
        let _nothing = overlay.within(600..700).first();
        let fresh = Overlay::default().with(committed(1, &ids), 1 << 20);
        assert!(fresh.any_within(&(300..301)) && fresh.layers[0].order.get().is_none());
        fresh.prepare(&(0..30_000));
        assert!(fresh.layers[0].order.get().is_some());
    }
}
