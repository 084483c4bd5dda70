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
    }
}
