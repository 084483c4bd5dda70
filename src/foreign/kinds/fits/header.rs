//! The headers of FITS: blocks of 2880 bytes, in which each 80 bytes are a keyword and its value.

use crate::error::Result;
use crate::foreign::source::{Source, corrupt};

pub(super) const BLOCK_BYTES: u64 = 2880;
const CARD_BYTES: usize = 80;
/// The most blocks of a header: a table of 999 columns needs fewer than 300.
const BLOCKS_MAX: u64 = 2000;

/// A header: its keywords with the texts of their values, in order.
pub(super) struct Header {
    /// The byte at which it begins.
    pub(super) start: u64,
    /// The byte after it.
    pub(super) end: u64,
    cards: Vec<(String, Value)>,
}

/// The value of a keyword.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    /// A number or a logical value, as it is written.
    Bare(String),
}

impl Header {
    /// The header that begins at `start`.
    pub(super) fn read(source: &Source, start: u64) -> Result<Self> {
        let mut cards = Vec::new();
        for block in 0..BLOCKS_MAX {
            let at = start.saturating_add(block * BLOCK_BYTES);
            let bytes = source.exactly(at, BLOCK_BYTES as usize, "a header")?;
            for (index, card) in bytes.chunks_exact(CARD_BYTES).enumerate() {
                let keyword = card[..8].trim_ascii_end();
                if keyword == b"END" {
                    return Ok(Self { start, end: at + BLOCK_BYTES, cards });
                }
                let place = at + (index * CARD_BYTES) as u64;
                if !card.iter().all(|byte| (b' '..=b'~').contains(byte)) {
                    return Err(corrupt(place, "a keyword that is not printable ASCII"));
                }
                if let Some(value) = card[8..].strip_prefix(b"= ").and_then(value_of) {
                    cards.push((String::from_utf8_lossy(keyword).into_owned(), value));
                }
            }
        }
        Err(corrupt(start, format!("a header without END in {BLOCKS_MAX} blocks")))
    }

    pub(super) fn has(&self, keyword: &str) -> bool {
        self.value(keyword).is_some()
    }

    fn value(&self, keyword: &str) -> Option<&Value> {
        self.cards.iter().find(|(name, _)| name == keyword).map(|(_, value)| value)
    }

    /// The text of a keyword.
    pub(super) fn text(&self, keyword: &str) -> Option<&str> {
        match self.value(keyword)? {
            Value::Text(text) => Some(text),
            Value::Bare(_) => None,
        }
    }

    /// The integer of a keyword; an error if it is something else.
    pub(super) fn integer(&self, keyword: &str) -> Result<Option<i64>> {
        match self.value(keyword) {
            None => Ok(None),
            Some(Value::Bare(text)) if text.parse::<i64>().is_ok() => Ok(text.parse().ok()),
            Some(_) => Err(corrupt(self.start, format!("{keyword} is not an integer"))),
        }
    }

    /// The length of a keyword, which the header must have.
    pub(super) fn length(&self, keyword: &str) -> Result<u64> {
        let found = self.integer(keyword)?.and_then(|number| u64::try_from(number).ok());
        found.ok_or_else(|| {
            corrupt(self.start, format!("the header has no {keyword}, or a negative one"))
        })
    }

    /// The number of a keyword; an error if it is something else.
    pub(super) fn float(&self, keyword: &str) -> Result<Option<f64>> {
        let parse = |text: &str| text.replace(['D', 'd'], "E").parse::<f64>().ok();
        match self.value(keyword) {
            None => Ok(None),
            Some(Value::Bare(text)) if parse(text).is_some_and(f64::is_finite) => Ok(parse(text)),
            Some(_) => Err(corrupt(self.start, format!("{keyword} is not a number"))),
        }
    }

    /// The byte after the data of this header, at the end of a block.
    pub(super) fn end_of_data(&self) -> Result<u64> {
        let too_large = || corrupt(self.start, "its data end past byte 2^63");
        let axes = self.length("NAXIS")?;
        if axes > 999 {
            return Err(corrupt(self.start, format!("an array of {axes} dimensions")));
        }
        let mut elements = u64::from(axes > 0);
        for axis in 1..=axes {
            let len = self.length(&format!("NAXIS{axis}"))?;
            elements = elements.checked_mul(len).ok_or_else(too_large)?;
        }
        let bits = self.integer("BITPIX")?.unwrap_or(8).unsigned_abs();
        let groups = self.integer("GCOUNT")?.and_then(|it| u64::try_from(it).ok()).unwrap_or(1);
        let more = self.integer("PCOUNT")?.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        elements
            .checked_add(if elements > 0 { more } else { 0 })
            .and_then(|elements| elements.checked_mul(groups))
            .and_then(|elements| elements.checked_mul(bits / 8))
            .and_then(|bytes| bytes.checked_next_multiple_of(BLOCK_BYTES))
            .and_then(|bytes| bytes.checked_add(self.end))
            .filter(|&end| end < 1 << 63)
            .ok_or_else(too_large)
    }
}

/// The value after `= `, without its comment.
fn value_of(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?.trim_start();
    let Some(mut rest) = text.strip_prefix('\'') else {
        let bare = text.split('/').next().unwrap_or_default().trim();
        return (!bare.is_empty()).then(|| Value::Bare(bare.to_owned()));
    };
    let mut value = String::new();
    // A quote within a text is written twice.
    while let Some((before, after)) = rest.split_once('\'') {
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some(Value::Text(value.trim_end().to_owned())),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_without_their_comments() {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let bare = |text: &str| Some(Value::Bare(text.to_owned()));
        for (card, value) in [
            ("'1J      '           / a count", text("1J")),
            ("'it''s / not'", text("it's / not")),
            ("''", text("")),
            ("                  16 / bits", bare("16")),
            ("1.5D3", bare("1.5D3")),
            ("T", bare("T")),
            ("'open", None),
            ("   / nothing", None),
        ] {
            assert_eq!(value_of(card.as_bytes()), value, "{card}");
        }
    }
}
