//! The values of an `IN`, prepared for many lookups.

use std::collections::HashSet;

/// So many values are compared one by one, which has no branch.
const FEW: usize = 8;

/// A set of words of 64 bits: integers, or floats by their bits.
#[derive(Clone, Debug)]
pub(in crate::query) enum Words {
    /// Words less than 64 above the first: bit `n` says whether `first + n` is one of them.
    Near { first: u64, bits: u64 },
    /// As many as fit, the last one repeated.
    Few([u64; FEW]),
    /// A table with linear probing, at most half full; `None` is a free place.
    Many(Box<[Option<u64>]>),
}

impl Words {
    /// `None` for an empty set.
    pub(super) fn of(mut words: Vec<u64>) -> Option<Self> {
        words.sort_unstable();
        words.dedup();
        let (first, last) = (*words.first()?, *words.last()?);
        if last - first < 64 {
            let bits = words.iter().fold(0, |bits, word| bits | 1 << (word - first));
            return Some(Self::Near { first, bits });
        }
        if words.len() <= FEW {
            let mut few = [last; FEW];
            few[..words.len()].copy_from_slice(&words);
            return Some(Self::Few(few));
        }
        let mut table = vec![None; (2 * words.len()).next_power_of_two()];
        for word in words {
            let free = Self::places(word, table.len()).find(|&at| table[at].is_none());
            if let Some(place) = free {
                table[place] = Some(word);
            }
        }
        Some(Self::Many(table.into()))
    }

    /// The places at which a word may lie in a table of `len` places, a power of two.
    fn places(word: u64, len: usize) -> impl Iterator<Item = usize> {
        let mixed = word.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ word >> 29;
        // The mask drops the upper bits, so the cast loses nothing.
        let first = (mixed ^ mixed >> 32) as usize;
        (0..len).map(move |step| first.wrapping_add(step) & (len - 1))
    }

    #[inline]
    pub(super) fn contains(&self, word: u64) -> bool {
        match self {
            Self::Near { first, bits } => is_near(word, *first, *bits),
            Self::Few(few) => few.iter().fold(false, |found, it| found | (*it == word)),
            Self::Many(table) => {
                let mut probed = Self::places(word, table.len()).map(|at| table[at]);
                probed.find(|it| it.is_none_or(|it| it == word)).flatten().is_some()
            }
        }
    }
}

/// Whether `word` is in the set [`Words::Near`].
#[inline]
pub(super) fn is_near(word: u64, first: u64, bits: u64) -> bool {
    let above = word.wrapping_sub(first);
    (above < 64) & (bits >> (above & 63) & 1 != 0)
}

/// A set of texts, or of bytes.
#[derive(Clone, Debug)]
pub(in crate::query) enum Texts {
    Few(Box<[Box<[u8]>]>),
    Many(HashSet<Box<[u8]>>),
}

impl Texts {
    pub(super) fn of(texts: Vec<Box<[u8]>>) -> Self {
        match texts.len() <= FEW {
            true => Self::Few(texts.into()),
            false => Self::Many(texts.into_iter().collect()),
        }
    }

    #[inline]
    pub(super) fn contains(&self, text: &[u8]) -> bool {
        match self {
            Self::Few(few) => few.iter().any(|it| **it == *text),
            Self::Many(many) => many.contains(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_its_values_and_no_others() {
        assert!(Words::of(Vec::new()).is_none());
        for len in [1, 7, 8, 9, 1000] {
            let words: Vec<u64> = (0..len).map(|n| n * n * 0x1_0000_0001).collect();
            for near in [0, 5, u64::MAX - 63] {
                let words: Vec<u64> = (0..64).step_by(len as usize).map(|n| near + n).collect();
                let set = Words::of(words.clone()).unwrap();
                assert!(matches!(set, Words::Near { .. }));
                for word in (0..200).chain(u64::MAX - 200..=u64::MAX) {
                    assert_eq!(set.contains(word), words.contains(&word), "{word} near {near}");
                }
            }
            let set = Words::of(words.clone()).unwrap();
            for word in 0..100_000 {
                assert_eq!(set.contains(word), words.contains(&word), "{word} among {len}");
            }
            assert!(words.iter().all(|&word| set.contains(word)));
            let texts: Vec<Box<[u8]>> = words.iter().map(|it| it.to_le_bytes().into()).collect();
            let set = Texts::of(texts);
            assert!(words.iter().all(|it| set.contains(&it.to_le_bytes())));
            assert!(!set.contains(b"") && !set.contains(&5_u64.to_le_bytes()));
        }
    }
}
