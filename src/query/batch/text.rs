//! Texts of a batch: without their padding, and against a prepared pattern.

use memchr::memmem::Finder;

use crate::query::like;

/// A text without the zeros that pad it to its field's length.
#[inline]
pub(super) fn trimmed(mut padded: &[u8]) -> &[u8] {
    while let Some((rest, last)) = padded.split_last_chunk() {
        let zeros = u64::from_le_bytes(*last).leading_zeros() / 8;
        if zeros < 8 {
            return &padded[..padded.len() - zeros as usize];
        }
        padded = rest;
    }
    let end = padded.iter().rposition(|byte| *byte != 0);
    &padded[..end.map_or(0, |at| at + 1)]
}

/// Texts up to this length are searched by a plain loop: a finder costs more to start.
const SHORT: usize = 16;

/// The first place of a piece of a pattern.
#[inline]
fn find(piece: &Finder<'_>, text: &[u8]) -> Option<usize> {
    match piece.needle() {
        [byte] if text.len() <= SHORT => text.iter().position(|it| it == byte),
        needle if text.len() <= SHORT => {
            text.windows(needle.len()).position(|window| window == needle)
        }
        _ => piece.find(text),
    }
}

/// A pattern of `LIKE`, prepared for many texts.
#[derive(Clone, Debug)]
pub(in crate::query) enum Pattern {
    /// A text with `%` in it: how it begins, what follows in this order, and how it ends.
    Pieces { first: Box<[u8]>, middle: Box<[Finder<'static>]>, last: Box<[u8]> },
    /// One text.
    Text(Box<[u8]>),
    /// A pattern with `_`.
    Any(like::Pattern),
}

impl Pattern {
    pub(super) fn of(pattern: like::Pattern) -> Self {
        let Some(mut pieces) = pattern.pieces() else { return Self::Any(pattern) };
        let last = pieces.pop().unwrap_or_default();
        if pieces.is_empty() {
            return Self::Text(last.into());
        }
        let first = pieces.remove(0);
        let middle = pieces.iter().map(|piece| Finder::new(piece).into_owned()).collect();
        Self::Pieces { first: first.into(), middle, last: last.into() }
    }

    /// Whether all of `text` matches.
    ///
    /// A piece begins with the first byte of a character, so it is found only where a character
    /// begins, also in bytes that are not UTF-8. The first place of a piece leaves the most text
    /// for those after it.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Text(all) => *text == **all,
            Self::Any(pattern) => pattern.matches(text),
            Self::Pieces { first, middle, last } => {
                let inner = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last));
                let Some(mut rest) = inner else { return false };
                for piece in middle {
                    let Some(at) = find(piece, rest) else { return false };
                    rest = &rest[at + piece.needle().len()..];
                }
                true
            }
        }
    }
}

/// A pattern of the first eight bytes of a text, as a word: how they begin, and a byte that follows
/// somewhere.
#[derive(Clone, Copy, Debug)]
pub(in crate::query) struct WordPattern {
    first: u64,
    of_first: u64,
    /// The bits of `first`.
    first_bits: u32,
    /// Eight times the byte that follows, if there is one: it is not zero.
    byte: Option<u64>,
}

impl WordPattern {
    /// `None` if a word does not decide for a field of `len_bytes` bytes.
    pub(super) fn of(pattern: &Pattern, len_bytes: usize) -> Option<Self> {
        let Pattern::Pieces { first, middle, last } = pattern else { return None };
        let byte = match &**middle {
            [] => None,
            // In a longer text it may come later.
            [piece] if len_bytes <= 8 => match piece.needle() {
                [byte] => Some(*byte),
                _ => return None,
            },
            _ => return None,
        };
        let is_short = last.is_empty() && first.len() < 8 && first.len() <= len_bytes;
        // NUL in a field may be padding, and no part of the text.
        if !is_short || first.contains(&0) || byte == Some(0) {
            return None;
        }
        let mut bytes = [0; 8];
        bytes[..first.len()].copy_from_slice(first);
        let first_bits = 8 * first.len() as u32; // less than 64
        Some(Self {
            first: u64::from_le_bytes(bytes),
            of_first: (1 << first_bits) - 1,
            first_bits,
            byte: byte.map(|byte| u64::from_le_bytes([byte; 8])),
        })
    }

    /// Whether a text matches that begins with the bytes of `word`, or is shorter and padded.
    #[inline]
    pub(super) fn matches(self, word: u64) -> bool {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);
        let begins = word & self.of_first == self.first;
        let Some(byte) = self.byte else { return begins };
        // A byte is zero where it is the one.
        let others = (word >> self.first_bits) ^ byte;
        begins & ((others.wrapping_sub(ONES) & !others & HIGH_BITS) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_ends_with_the_last_byte_that_is_not_zero() {
        for len in 0..40 {
            for zeros in 0..20 {
                let text = [vec![0; len.min(1)], vec![7; len]].concat();
                let padded = [&text[..], &vec![0; zeros]].concat();
                let expected = if len == 0 { &[][..] } else { &text };
                assert_eq!(trimmed(&padded), expected, "{len} and {zeros}");
            }
        }
    }

    proptest! {
        #[test]
        fn prepared_patterns_match_as_the_plain_one_does(
            text in prop::collection::vec(prop::sample::select(&b"ab\xC3\xA9\x80"[..]), 0..12),
            pattern in "[abé%_]{0,8}",
        ) {
            let plain = like::Pattern::parse(&pattern, None).unwrap();
            let expected = plain.matches(&text);
            prop_assert_eq!(Pattern::of(plain).matches(&text), expected, "{}", pattern);
        }

        #[test]
        fn words_match_as_the_plain_pattern_does(
            text in prop::collection::vec(prop::sample::select(&b"ab\xC3\xA9"[..]), 0..12),
            room in 0_usize..4,
            pattern in "[abé]{0,4}%([abé]?%)?",
        ) {
            let plain = like::Pattern::parse(&pattern, None).unwrap();
            let expected = plain.matches(&text);
            let len_bytes = (text.len() + room).max(1);
            let Some(found) = WordPattern::of(&Pattern::of(plain), len_bytes) else {
                let pieces: Vec<&str> = pattern.split('%').collect();
                let is_long = pieces[0].len() > len_bytes.min(7) || pieces[1].len() > 1;
                let is_far = pieces[1].len() == 1 && len_bytes > 8;
                prop_assert!(is_long || is_far || pattern.contains("%%"), "{}", pattern);
                return Ok(());
            };
            let mut word = [0; 8];
            let len = text.len().min(8);
            word[..len].copy_from_slice(&text[..len]);
            prop_assert_eq!(found.matches(u64::from_le_bytes(word)), expected, "{}", pattern);
        }
    }
}
