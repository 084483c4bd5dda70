//! The images of records that are committed and not in the array yet, as one state sees them.
//!
//! An overlay is a stack of layers, newest last, which never change: a state of the store owns its
//! overlay, and a newer state shares what it can of it. A commit adds a layer. Layers of similar
//! size are merged, so that their number stays logarithmic and each image moves a logarithmic
//! number of times. A merged layer keeps the newest image of each record; a reader of an older one
//! holds the older overlay.

mod within;

pub(crate) use within::ImagesWithin;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::id_table::{IdTable, spread};
use super::images::Images;
use crate::number::smaller;

/// The images of one commit, or the newest images of several commits read from a log at once.
#[derive(Debug)]
pub(crate) struct Committed {
    /// The number of the commit, or of the last of them.
    pub(crate) commit: u64,
    pub(crate) images: Images,
    /// Of several commits: those before the last that were the first to change a record, each with
    /// how many records they had changed up to and including it. The images of these records come
    /// first; those that the last commit was the first to change follow.
    pub(crate) firsts: Vec<(u64, u32)>,
}

impl Committed {
    /// The images of one commit.
    pub(crate) fn of_one(commit: u64, images: Images) -> Self {
        Self { commit, images, firsts: Vec::new() }
    }

    /// Whether one of the commits up to `through` changes record `id`.
    fn has_changed(&self, id: u64, through: u64) -> bool {
        let Some(number) = self.images.number_of(id) else { return false };
        let until = self.firsts.partition_point(|&(commit, _)| commit <= through);
        let is_before = until.checked_sub(1).is_some_and(|last| number < self.firsts[last].1);
        is_before || self.commit <= through
    }
}

/// The changes of one or several commits.
struct Layer {
    commits: Vec<Arc<Committed>>,
    /// The place of a record's image: a number in `places`. A layer of one commit leaves it empty,
    /// because the images' own table serves as well.
    table: IdTable,
    places: Vec<(u32, u32)>,
    filter: Filter,
    len: usize,
    /// The table's groups in the order of their numbers, once a walk has needed many.
    order: OnceLock<Box<[(u64, u32)]>>,
}

/// Says "surely not" for nearly all records without an image: a Bloom filter with three bits for a
/// record in one word, so a query costs one load.
///
/// Records are added and never removed, so the filter also serves an overlay with fewer records:
/// "surely not" stays true.
struct Filter {
    words: Box<[AtomicU64]>,
}

impl Filter {
    /// Room for `len` records.
    fn new(len: usize) -> Self {
        let words = len.div_ceil(Self::RECORDS_PER_WORD).next_power_of_two();
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// At least sixteen bits each: about one in a hundred records is looked up in vain.
    const RECORDS_PER_WORD: usize = 4;

    /// The word of a record, and its bits in the word.
    #[inline]
    fn place(&self, spread: u64) -> (usize, u64) {
        let bits = 1 << (spread & 63) | 1 << (spread >> 6 & 63) | 1 << (spread >> 12 & 63);
        ((spread >> 18) as usize & (self.words.len() - 1), bits)
    }

    /// A reader that gets an overlay after this sees the bits, by the order that gives it the
    /// overlay.
    fn add(&self, id: u64) {
        let (word, bits) = self.place(spread(id));
        let word = &self.words[word];
        // One writer at a time adds, which makes this two plain instructions.
        word.store(word.load(Relaxed) | bits, Relaxed);
    }

    #[inline]
    fn may_hold(&self, spread: u64) -> bool {
        let (word, bits) = self.place(spread);
        self.words[word].load(Relaxed) & bits == bits
    }
}

/// Says "surely not" for nearly all records without an image, in as few instructions as possible:
/// one bit for a record, by the lower bits of its number. With little to do between two reads a
/// processor overlaps their cache misses; each instruction here reduces that.
///
/// As in a [`Filter`], bits are set and never cleared.
struct Bits {
    words: Box<[AtomicU64]>,
}

impl Bits {
    /// A word of 64 bits for each image, or a bit for each record, whichever is less.
    fn new(images: usize, count: u64) -> Self {
        let words = smaller(count.div_ceil(64), images).max(1).next_power_of_two();
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether it is as good as a new one for so many images of `count` records.
    fn suits(&self, images: usize, count: u64) -> bool {
        images <= self.words.len() || count <= self.words.len() as u64 * 64
    }

    #[inline]
    fn word(&self, id: u64) -> &AtomicU64 {
        // The mask drops a number's upper bits, so the cast loses nothing.
        &self.words[(id >> 6) as usize & (self.words.len() - 1)]
    }

    /// A reader that gets an overlay after this sees the bit, by the order that gives it the
    /// overlay. One writer at a time adds, so this takes two plain instructions.
    fn add(&self, id: u64) {
        let word = self.word(id);
        word.store(word.load(Relaxed) | 1 << (id & 63), Relaxed);
    }

    #[inline]
    fn may_hold(&self, id: u64) -> bool {
        self.word(id).load(Relaxed) >> (id & 63) & 1 != 0
    }
}

impl Layer {
    fn of(committed: Arc<Committed>) -> Self {
        let len = committed.images.len();
        let filter = Filter::new(len);
        committed.images.ids().iter().for_each(|&id| filter.add(id));
        Self {
            commits: vec![committed],
            table: IdTable::new(),
            places: Vec::new(),
            filter,
            len,
            order: OnceLock::new(),
        }
    }

    /// One layer of the images of `layers`, oldest first, for which `keep` is true.
    fn merge(layers: &[Arc<Self>], keep: impl Fn(u64) -> bool) -> Self {
        let most = layers.iter().map(|layer| layer.len).sum();
        let mut merged = Self {
            commits: Vec::new(),
            table: IdTable::new(),
            places: Vec::with_capacity(most),
            filter: Filter::new(most),
            len: 0,
            order: OnceLock::new(),
        };
        for layer in layers {
            let first = merged.commits.len() as u32;
            merged.commits.extend(layer.commits.iter().cloned());
            layer.each(|id, (commit, number)| {
                if !keep(layer.commits[commit as usize].commit) {
                    return;
                }
                let place = (first + commit, number);
                match merged.table.find(id) {
                    Some(at) => merged.places[at as usize] = place,
                    None => {
                        merged.table.insert(id, merged.places.len() as u32);
                        merged.places.push(place);
                        merged.filter.add(id);
                    }
                }
            });
        }
        merged.len = merged.table.len();
        merged
    }

    fn each(&self, mut visit: impl FnMut(u64, (u32, u32))) {
        if let ([committed], true) = (&*self.commits, self.places.is_empty()) {
            (0..).zip(committed.images.ids()).for_each(|(number, &id)| visit(id, (0, number)));
        } else {
            self.table.sorted().for_each(|(id, at)| visit(id, self.places[at as usize]));
        }
    }

    /// As [`Layer::each`], in the order of the records' numbers.
    fn each_sorted(&self, mut visit: impl FnMut(u64, (u32, u32))) {
        if let ([committed], true) = (&*self.commits, self.places.is_empty()) {
            committed.images.sorted().for_each(|(id, number)| visit(id, (0, number)));
        } else {
            self.each(visit);
        }
    }

    #[inline]
    fn find(&self, id: u64, spread: u64) -> Option<&[u8]> {
        if !self.filter.may_hold(spread) {
            return None;
        }
        self.find_here(id)
    }

    /// As [`Layer::find`], without the filter.
    #[inline]
    fn find_here(&self, id: u64) -> Option<&[u8]> {
        if self.places.is_empty() {
            return self.commits.first()?.images.find(id);
        }
        let (commit, number) = self.places[self.table.find(id)? as usize];
        Some(self.commits[commit as usize].images.image(number))
    }
}

/// The images over the array in one state of the store.
#[derive(Clone)]
pub(crate) struct Overlay {
    layers: Vec<Arc<Layer>>,
    /// For all layers together, shared with older overlays, so a record without an image costs one
    /// look, whatever the number of layers.
    bits: Arc<Bits>,
    /// The number of records whose bit was set; some count more than once.
    marked: usize,
    /// The number of records in the newest state.
    count: u64,
}

impl Default for Overlay {
    fn default() -> Self {
        Self::of(Vec::new(), 0)
    }
}

impl Overlay {
    /// The overlay of these layers over `count` records, with bits of its own that suit as many
    /// images more.
    fn of(layers: Vec<Arc<Layer>>, count: u64) -> Self {
        let marked = layers.iter().map(|layer| layer.len).sum();
        let bits = Bits::new(2 * marked, count);
        for layer in &layers {
            layer.each(|id, _| bits.add(id));
        }
        Self { layers, bits: Arc::new(bits), marked, count }
    }

    /// Whether it has no images.
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether there may be an image of record `id`: "no" is sure.
    #[inline]
    pub(crate) fn may_hold(&self, id: u64) -> bool {
        self.bits.may_hold(id)
    }

    /// The newest image of record `id`.
    #[inline]
    pub(crate) fn find(&self, id: u64) -> Option<&[u8]> {
        if !self.bits.may_hold(id) {
            return None;
        }
        let spread = spread(id);
        // With its bit set, the record almost surely has an image. So if no newer layer has it, the
        // oldest and largest is looked up without its filter.
        let (oldest, newer) = self.layers.split_first()?;
        let newest = newer.iter().rev().find_map(|layer| layer.find(id, spread));
        newest.or_else(|| oldest.find_here(id))
    }

    /// This overlay under the images of a newer commit, which leaves `count` records. One writer at
    /// a time makes overlays from one another.
    pub(crate) fn with(&self, committed: Arc<Committed>, count: u64) -> Self {
        let marked = self.marked + committed.images.len();
        let bits = self.bits.suits(marked, count).then(|| Arc::clone(&self.bits));
        if let Some(bits) = &bits {
            committed.images.ids().iter().for_each(|&id| bits.add(id));
        }
        let layers = self.layers_with(committed);
        match bits {
            Some(bits) => Self { layers, bits, marked, count },
            None => Self::of(layers, count),
        }
    }

    fn layers_with(&self, committed: Arc<Committed>) -> Vec<Arc<Layer>> {
        let mut layers = self.layers.clone();
        if !committed.images.is_empty() {
            layers.push(Arc::new(Layer::of(committed)));
        }
        // How many of the newest layers to merge: as long as the next is less than twice as large.
        let (mut start, mut len) = (layers.len().saturating_sub(1), 0);
        while let Some(layer) = layers.get(start) {
            len += layer.len;
            match start.checked_sub(1) {
                Some(below) if layers[below].len < 2 * len => start = below,
                _ => break,
            }
        }
        if start + 1 < layers.len() {
            let mut merged = Layer::merge(&layers[start..], |_| true);
            merged.forget_unused();
            layers.truncate(start);
            layers.push(Arc::new(merged));
        }
        layers
    }

    /// This overlay without the images that the array holds after a checkpoint of commit
    /// `checkpointed`.
    pub(crate) fn without(&self, checkpointed: u64) -> Self {
        let newer = |committed: &Arc<Committed>| committed.commit > checkpointed;
        let mut layers = Vec::new();
        for layer in &self.layers {
            if layer.commits.iter().all(newer) {
                layers.push(Arc::clone(layer));
            } else if layer.commits.iter().any(newer) {
                let mut rest =
                    Layer::merge(std::slice::from_ref(layer), |commit| commit > checkpointed);
                rest.forget_unused();
                if rest.len > 0 {
                    layers.push(Arc::new(rest));
                }
            }
        }
        Self::of(layers, self.count)
    }

    /// The records with images of commits after `commit`, in the order of their numbers, each with
    /// its newest image.
    pub(crate) fn sorted_after(&self, commit: u64) -> Vec<(u64, &[u8])> {
        let mut found = Vec::new();
        for (age, layer) in (0_u32..).zip(self.layers.iter().rev()) {
            layer.each_sorted(|id, (at, number)| {
                let committed = &layer.commits[at as usize];
                if committed.commit > commit {
                    found.push((id, age, &committed.images, number));
                }
            });
        }
        if self.layers.len() > 1 {
            // Sorted runs, one for each layer.
            found.sort_by_key(|&(id, age, ..)| (id, age));
            found.dedup_by_key(|&mut (id, ..)| id);
        }
        found.into_iter().map(|(id, _, images, number)| (id, images.image(number))).collect()
    }

    /// Whether a commit up to `through` changes record `id`. Only for an overlay as read from a
    /// log: later commits let older ones be dropped.
    pub(crate) fn has_changed(&self, id: u64, through: u64) -> bool {
        debug_assert!(self.layers.len() <= 1, "the overlay has been added to");
        let mut commits = self.layers.iter().flat_map(|layer| &layer.commits);
        commits.any(|committed| committed.has_changed(id, through))
    }
}

impl Layer {
    /// Drops commits without an image in this layer.
    fn forget_unused(&mut self) {
        let mut new_places = vec![None; self.commits.len()];
        let mut kept = Vec::new();
        for (commit, _) in &mut self.places {
            let old = *commit as usize;
            *commit = *new_places[old].get_or_insert_with(|| {
                kept.push(Arc::clone(&self.commits[old]));
                kept.len() as u32 - 1
            });
        }
        self.commits = kept;
    }
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lens: Vec<usize> = self.layers.iter().map(|layer| layer.len).collect();
        f.debug_struct("Overlay").field("layers", &lens).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A linear congruential generator, which is enough to pick records.
    pub(super) struct Draw(pub(super) u64);

    impl Draw {
        pub(super) fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % end
        }
    }

    pub(super) fn committed(commit: u64, ids: &[u64]) -> Arc<Committed> {
        let mut images = Images::new(16, 8);
        for &id in ids {
            let image = images.add(id).unwrap();
            image[..8].copy_from_slice(&id.to_le_bytes());
            image[8..].copy_from_slice(&commit.to_le_bytes());
        }
        Arc::new(Committed::of_one(commit, images))
    }

    fn check(overlay: &Overlay, model: &BTreeMap<u64, u64>) {
        for id in 0..300 {
            let found = overlay.find(id).map(|image| {
                assert_eq!(image[..8], id.to_le_bytes());
                u64::from_le_bytes(image[8..].try_into().unwrap())
            });
            assert_eq!(found, model.get(&id).copied(), "record {id}");
        }
        let ids = overlay.sorted_after(0).into_iter().map(|(id, _)| id);
        assert!(ids.eq(model.keys().copied()));
    }

    #[test]
    fn every_state_keeps_its_own_images() {
        let mut random = Draw(7);
        let mut draw = |end| random.below(end);
        let mut states = vec![(0, Overlay::default(), BTreeMap::new())];
        for commit in 1..400 {
            let (_, overlay, model) = states.last().unwrap();
            let mut model = model.clone();
            let mut ids: Vec<u64> = (0..draw(9) * draw(9)).map(|_| draw(300)).collect();
            ids.sort_unstable();
            ids.dedup();
            model.extend(ids.iter().map(|&id| (id, commit)));
            let mut overlay = overlay.with(committed(commit, &ids), 300);
            if commit % 37 == 0 {
                let checkpointed = commit - draw(20);
                overlay = overlay.without(checkpointed);
                model.retain(|_, &mut at| at > checkpointed);
            }
            states.push((commit, overlay, model));
        }
        for (commit, overlay, model) in &states {
            check(overlay, model);
            let after = commit.saturating_sub(3);
            let sorted = overlay.sorted_after(after);
            let newer = model.iter().filter(|&(_, &at)| at > after).map(|(&id, _)| id);
            assert!(sorted.iter().map(|&(id, _)| id).eq(newer));
        }
        let layers = states.iter().map(|(_, overlay, _)| overlay.layers.len()).max();
        assert!(layers.unwrap() <= 12, "{layers:?} layers");
    }
}
