//! Conversions of lengths in files to lengths in memory that never lose a part of the number.
//!
//! Each function says why its number fits. A number that may not fit is converted, and refused, at
//! its place of use.

use std::ops::{Bound, Range, RangeBounds};

/// A number of 32 bits as a length in memory.
///
/// It fits: every supported system has addresses of 32 bits or more, as the assertion checks.
#[inline]
pub(crate) const fn len_of(number: u32) -> usize {
    const { assert!(usize::BITS >= u32::BITS, "addresses of 32 bits or more") };
    number as usize
}

/// The smaller of a length in a file and one in memory.
///
/// It fits: it is at most `len`.
#[inline]
pub(crate) const fn smaller(file_len: u64, len: usize) -> usize {
    if file_len < len as u64 { file_len as usize } else { len }
}

/// The length of bytes in memory or in a mapped view, or an offset into them.
///
/// # Panics
/// If so many bytes cannot be addressed. They cannot be in memory then, so this is a bug of this
/// crate.
#[inline]
pub(crate) fn in_memory(len: u64) -> usize {
    usize::try_from(len).expect("bytes in memory have addresses")
}

/// The numbers within `bounds` that are below `count`.
pub(crate) fn ids_within(bounds: impl RangeBounds<u64>, count: u64) -> Range<u64> {
    // A bound that saturates lies past every record.
    let start = match bounds.start_bound() {
        Bound::Included(&first) => first,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match bounds.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => count,
    };
    let start = start.min(count);
    start..end.clamp(start, count)
}

/// The `size_hint` of an iterator with `left` records to visit, which may skip deleted ones. On 32
/// bits there may be more than the hint can say.
pub(crate) fn size_hint(left: u64, may_skip: bool) -> (usize, Option<usize>) {
    let most = usize::try_from(left).ok();
    (if may_skip { 0 } else { most.unwrap_or(usize::MAX) }, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_hint_is_exact_where_nothing_is_skipped() {
        assert_eq!(size_hint(7, false), (7, Some(7)));
        assert_eq!(size_hint(7, true), (0, Some(7)));
        assert_eq!(size_hint(u64::MAX, true).0, 0);
        #[cfg(target_pointer_width = "32")]
        assert_eq!(size_hint(1 << 32, false), (usize::MAX, None));
    }

    #[test]
    fn ids_within_bounds_are_below_the_count() {
        let (u64_max, after) = (u64::MAX, Bound::Excluded(3));
        assert_eq!(ids_within(.., 10), 0..10);
        assert_eq!(ids_within(3.., 10), 3..10);
        assert_eq!(ids_within(..3, 10), 0..3);
        assert_eq!(ids_within(..=3, 10), 0..4);
        assert_eq!(ids_within((after, Bound::Included(7)), 10), 4..8);
        assert_eq!(ids_within(12..15, 10), 10..10);
        assert_eq!(ids_within(..=u64_max, u64_max), 0..u64_max);
        assert_eq!(ids_within((Bound::Excluded(u64_max), Bound::Unbounded), 10), 10..10);
        #[allow(clippy::reversed_empty_ranges, reason = "a caller may give one")]
        let reversed = 7..3;
        assert_eq!(ids_within(reversed, 10), 7..7);
    }

    #[test]
    fn numbers_that_fit_are_converted_unchanged() {
        assert_eq!(len_of(u32::MAX) as u64, u64::from(u32::MAX));
        for (file_len, len, expected) in
            [(0, 0, 0), (3, 5, 3), (5, 5, 5), (9, 5, 5), (u64::MAX, 7, 7), (1 << 32, 1, 1)]
        {
            assert_eq!(smaller(file_len, len), expected, "{file_len} and {len}");
        }
        assert_eq!(smaller(u64::MAX, usize::MAX), usize::MAX);
        assert_eq!(in_memory(u64::from(u32::MAX)), len_of(u32::MAX));
    }
}
