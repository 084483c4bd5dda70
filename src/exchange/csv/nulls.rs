//! The texts that mean null.

use std::sync::Arc;

/// The texts that mean null, besides the empty one.
#[derive(Clone, Debug, Default)]
pub(super) struct NullTexts {
    texts: Arc<[String]>,
    /// A bit for each byte with which one of the texts begins: nearly all values begin with others.
    firsts: [u64; 4],
}

impl NullTexts {
    pub(super) fn new(texts: Vec<String>) -> Self {
        let mut firsts = [0; 4];
        for first in texts.iter().filter_map(|text| text.as_bytes().first()) {
            firsts[usize::from(first >> 6)] |= 1 << (first & 63);
        }
        Self { texts: texts.into(), firsts }
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Whether one of the texts begins with this byte.
    #[inline]
    pub(super) fn begin_with(&self, first: u8) -> bool {
        self.firsts[usize::from(first >> 6)] >> (first & 63) & 1 == 1
    }

    /// Whether `text` means null.
    #[inline]
    pub(super) fn has(&self, text: &[u8]) -> bool {
        let Some(&first) = text.first() else { return true };
        self.begin_with(first) && self.texts.iter().any(|known| known.as_bytes() == text)
    }
}
