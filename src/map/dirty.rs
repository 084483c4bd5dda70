//! Which bytes have changed and are not written yet.

use std::ops::Range;

/// How many ranges are kept before they are put in order: a bound on memory, not on correctness.
const RANGES_MAX: usize = 1 << 16;

/// A set of byte ranges, cheap to add to and coalesced when it is taken.
#[derive(Debug, Default)]
pub(crate) struct DirtyRanges {
    ranges: Vec<Range<u64>>,
    bytes: u64,
}

impl DirtyRanges {
    /// Adds a range. Following right after the last one extends it, so that a run of records that
    /// are changed in order is one range.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(range.end - range.start);
        match self.ranges.last_mut() {
            Some(last) if range.start <= last.end && range.start >= last.start => {
                last.end = last.end.max(range.end);
            }
            _ => {
                self.ranges.push(range);
                if self.ranges.len() >= RANGES_MAX {
                    self.coalesce();
                }
            }
        }
    }

    /// Whether so many separate ranges are kept that it is time to write them.
    pub(crate) fn is_full(&self) -> bool {
        self.ranges.len() >= RANGES_MAX / 2
    }

    /// The bytes added since the last time all were taken: at least the dirty ones.
    pub(crate) fn bytes_added(&self) -> u64 {
        self.bytes
    }

    /// Takes all ranges, in order and without overlap.
    pub(crate) fn take(&mut self) -> Vec<Range<u64>> {
        self.coalesce();
        self.bytes = 0;
        std::mem::take(&mut self.ranges)
    }

    /// Takes the parts of the ranges that lie in `within`, in order and without overlap.
    pub(crate) fn take_within(&mut self, within: Range<u64>) -> Vec<Range<u64>> {
        self.coalesce();
        let mut taken = Vec::new();
        let mut kept = Vec::new();
        for range in self.ranges.drain(..) {
            let inside = range.start.max(within.start)..range.end.min(within.end);
            if inside.is_empty() {
                kept.push(range);
                continue;
            }
            kept.extend([range.start..inside.start, inside.end..range.end]);
            taken.push(inside);
        }
        kept.retain(|range| !range.is_empty());
        self.bytes = kept.iter().map(|range| range.end - range.start).sum();
        self.ranges = kept;
        taken
    }

    fn coalesce(&mut self) {
        self.ranges.sort_unstable_by_key(|range| range.start);
        self.ranges.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            if joins {
                last.end = last.end.max(next.end);
            }
            joins
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_join_and_order_is_restored() {
        let mut dirty = DirtyRanges::default();
        for range in [10..20, 20..30, 5..7, 25..40, 7..10, 50..50, 60..61] {
            dirty.add(range);
        }
        assert_eq!(dirty.take(), [5..40, 60..61]);
        assert_eq!(dirty.take(), []);
    }

    proptest! {
        #[test]
        fn covers_exactly_what_was_added(
            added in prop::collection::vec((0u64..400, 0u64..40), 0..60),
            within in (0u64..400, 0u64..200),
        ) {
            let within = within.0..within.0 + within.1;
            let mut dirty = DirtyRanges::default();
            let mut model = vec![false; 500];
            for (start, len) in added {
                dirty.add(start..start + len);
                model[start as usize..(start + len) as usize].fill(true);
            }
            let taken = dirty.take_within(within.clone());
            let rest = dirty.take();
            for ranges in [&taken, &rest] {
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
            for (at, &is_dirty) in model.iter().enumerate() {
                let at = at as u64;
                let holds = |ranges: &[Range<u64>]| ranges.iter().any(|range| range.contains(&at));
                prop_assert_eq!(holds(&taken), is_dirty && within.contains(&at));
                prop_assert_eq!(holds(&rest), is_dirty && !within.contains(&at));
            }
        }
    }
}
