//! The set of pages that were changed and are not written yet.
//!
//! One bit for each page: adding a page costs two shifts and an or, in any order of changes, and
//! adjacent pages come out as one range. The writers write the clean bytes of a dirty page too;
//! because they have the file to themselves, they write the bytes that the file has already.

use std::collections::BTreeMap;
use std::ops::Range;

/// The bytes of one bit: a page of any system's page cache, or a part of a page.
const PAGE_LOG2: u32 = 12;
/// The pages of a chunk: 4 GiB of file in 128 KiB of bits.
const CHUNK_PAGES_LOG2: u32 = 20;
const CHUNK_WORDS: usize = 1 << (CHUNK_PAGES_LOG2 - 6);

/// A set of pages, sparse over the file.
#[derive(Debug, Default)]
pub(crate) struct DirtyPages {
    /// The chunk that was added to last, and its number. The other chunks are in `chunks`.
    current: Option<(u64, Vec<u64>)>,
    chunks: BTreeMap<u64, Vec<u64>>,
    pages: u64,
}

impl DirtyPages {
    /// Adds the pages that `range` touches.
    #[inline]
    pub(crate) fn add(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        for page in (range.start >> PAGE_LOG2)..=((range.end - 1) >> PAGE_LOG2) {
            let (word, bit) = place(page);
            let chunk = self.chunk(page >> CHUNK_PAGES_LOG2);
            let is_new = chunk[word] & bit == 0;
            chunk[word] |= bit;
            self.pages += u64::from(is_new);
        }
    }

    /// Makes chunk `number` the current one, and returns it.
    #[inline]
    fn chunk(&mut self, number: u64) -> &mut [u64] {
        let is_current = self.current.as_ref().is_some_and(|(current, _)| *current == number);
        if !is_current {
            self.keep_current();
            let chunk = self.chunks.remove(&number).unwrap_or_else(|| vec![0; CHUNK_WORDS]);
            self.current = Some((number, chunk));
        }
        self.current.as_mut().map_or(&mut [], |(_, chunk)| chunk)
    }

    /// Puts the current chunk among the others.
    fn keep_current(&mut self) {
        if let Some((number, chunk)) = self.current.take() {
            self.chunks.insert(number, chunk);
        }
    }

    /// The bytes of the pages in the set.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.pages << PAGE_LOG2
    }

    /// Removes the pages that touch `within` from the set, and returns them as ascending ranges of
    /// bytes with gaps between them.
    pub(crate) fn take_within(&mut self, within: &Range<u64>) -> Vec<Range<u64>> {
        let mut taken: Vec<Range<u64>> = Vec::new();
        if within.is_empty() {
            return taken;
        }
        self.keep_current();
        let first = within.start >> PAGE_LOG2;
        let last = (within.end - 1) >> PAGE_LOG2;
        for (&number, chunk) in
            self.chunks.range_mut(first >> CHUNK_PAGES_LOG2..=last >> CHUNK_PAGES_LOG2)
        {
            for (at, word) in chunk.iter_mut().enumerate() {
                let mut left = *word;
                while left != 0 {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    let page = (number << CHUNK_PAGES_LOG2) + ((at as u64) << 6) + u64::from(bit);
                    if page < first || page > last {
                        continue;
                    }
                    *word &= !(1 << bit);
                    self.pages -= 1;
                    let start = page << PAGE_LOG2;
                    let end = start + (1 << PAGE_LOG2);
                    match taken.last_mut() {
                        Some(run) if run.end == start => run.end = end,
                        _ => taken.push(start..end),
                    }
                }
            }
        }
        self.chunks.retain(|_, chunk| chunk.iter().any(|&word| word != 0));
        taken
    }
}

/// The place of a page's bit: the word in its chunk, and the bit in the word.
fn place(page: u64) -> (usize, u64) {
    let in_chunk = page & ((1 << CHUNK_PAGES_LOG2) - 1);
    ((in_chunk >> 6) as usize, 1 << (in_chunk & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: u64 = 1 << PAGE_LOG2;

    #[test]
    fn adjacent_pages_join_in_any_order_and_distant_pages_stay_apart() {
        let mut dirty = DirtyPages::default();
        let far = 1 << 40;
        for range in [2 * PAGE..2 * PAGE + 1, far..far + 1, PAGE - 1..PAGE + 1, 5..5] {
            dirty.add(&range);
        }
        assert_eq!(dirty.len_bytes(), 4 * PAGE);
        assert_eq!(dirty.take_within(&(0..u64::MAX)), [0..3 * PAGE, far..far + PAGE]);
        assert_eq!(dirty.len_bytes(), 0);
        assert_eq!(dirty.take_within(&(0..u64::MAX)), []);
    }

    proptest! {
        #[test]
        fn holds_exactly_the_touched_pages(
            added in prop::collection::vec((0u64..400, 0u64..40), 0..60),
            within in (0u64..400, 0u64..200),
            base in prop_oneof![Just(0u64), Just((1 << 32) - 100 * PAGE)],
            offset in 0u64..PAGE,
        ) {
            // In units of a quarter of a page, so that ranges begin and end anywhere.
            let bytes = |start: u64, len: u64| {
                let start = base + offset + start * PAGE / 4;
                start..start + len * PAGE / 4
            };
            let within = bytes(within.0, within.1);
            let touches = |range: &Range<u64>, page: u64| {
                range.start < (page + 1) * PAGE && page * PAGE < range.end
            };
            let mut dirty = DirtyPages::default();
            let added: Vec<_> = added
                .into_iter()
                .map(|(start, len)| bytes(start, len))
                .filter(|range| !range.is_empty())
                .collect();
            added.iter().for_each(|range| dirty.add(range));
            let taken = dirty.take_within(&within);
            let rest = dirty.take_within(&(0..u64::MAX));
            for ranges in [&taken, &rest] {
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
            for page in base / PAGE..base / PAGE + 120 {
                let was = added.iter().any(|range| touches(range, page));
                let inside = !within.is_empty() && touches(&within, page);
                let holds = |ranges: &[Range<u64>]| ranges.iter().any(|range| touches(range, page));
                prop_assert_eq!(holds(&taken), was && inside);
                prop_assert_eq!(holds(&rest), was && !inside);
            }
        }
    }
}
