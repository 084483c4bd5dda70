//! Copies of texts that NUL pads, and a look for bytes that need care, in one pass.

/// The bytes that are looked at together.
const STEP: usize = 16;

/// A copy of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    /// The length without the padding.
    pub(crate) len: usize,
    /// Whether none of its bytes is one that the caller looks for, and all are ASCII. A text with a
    /// control character may count as one that has such a byte.
    pub(crate) is_clean: bool,
}

/// The bytes that a caller looks for.
pub(crate) trait Marks: Copy {
    fn has(self, byte: u8) -> bool;

    /// The first byte from which on no ASCII byte is one.
    fn end(self) -> u8;

    /// Has the high bit in the first such byte of a word, and in other bytes only after that; or in
    /// those of control characters, too, which are rare.
    fn in_word(self, word: u64) -> u64;
}

/// Eight times the same byte.
pub(super) const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// As [`Marks::in_word`], for one byte.
#[inline(always)]
pub(crate) fn equal_in(word: u64, byte: u8) -> u64 {
    below_in(word ^ repeated(byte), 1)
}

/// As [`Marks::in_word`], for bytes below `end`, which is ASCII.
#[inline(always)]
pub(crate) fn below_in(word: u64, end: u8) -> u64 {
    word.wrapping_sub(repeated(end)) & !word & HIGH_BITS
}

pub(super) const HIGH_BITS: u64 = repeated(0x80);

/// The room that [`copy`] needs for a text of a field.
pub(crate) fn room_bytes(width_bytes: usize) -> usize {
    width_bytes.next_multiple_of(STEP)
}

/// Copies the text that ends where `record` does, `width_bytes` bytes with their padding, to the
/// start of `into`; `None` if that has no room for [`room_bytes`].
#[inline(always)] // The marks are constants in each of a few callers.
pub(crate) fn copy(
    record: &[u8],
    width_bytes: usize,
    into: &mut [u8],
    marks: impl Marks,
) -> Option<Copied> {
    match width_bytes {
        0..=8 => copy_word(record, width_bytes, into, marks),
        9..=STEP => copy_two_words(record, width_bytes, into, marks),
        _ => copy_long(record.get(record.len() - width_bytes..)?, into, marks),
    }
}

/// Of at most eight bytes.
#[inline(always)]
fn copy_word(
    record: &[u8],
    width_bytes: usize,
    into: &mut [u8],
    marks: impl Marks,
) -> Option<Copied> {
    let bytes = match record.last_chunk::<8>() {
        Some(bytes) => *bytes,
        None => {
            let mut bytes = [0; 8];
            bytes[8 - record.len()..].copy_from_slice(record);
            bytes
        }
    };
    // The bytes before the text leave at the low end.
    let before = 64 - 8 * width_bytes.max(1) as u32;
    let word = u64::from_le_bytes(bytes) >> before;
    *into.first_chunk_mut()? = word.to_le_bytes();
    let len = len_of(word);
    Some(Copied { len, is_clean: care(word, len, marks) == 0 })
}

/// Of nine to sixteen bytes: two words, which overlap.
#[inline(always)]
fn copy_two_words(
    record: &[u8],
    width_bytes: usize,
    into: &mut [u8],
    marks: impl Marks,
) -> Option<Copied> {
    let second = width_bytes - 8;
    let low = record.get(record.len() - width_bytes..)?.first_chunk::<8>()?;
    let high = record.last_chunk::<8>()?;
    *into.first_chunk_mut()? = *low;
    *into.get_mut(second..)?.first_chunk_mut()? = *high;
    let [low_word, high_word] = [low, high].map(|bytes| u64::from_le_bytes(*bytes));
    let len = if high_word == 0 { len_of(low_word) } else { second + len_of(high_word) };
    let low_care = care(low_word, len.min(8), marks);
    let high_care = care(high_word, len.saturating_sub(second), marks);
    Some(Copied { len, is_clean: low_care | high_care == 0 })
}

/// Not zero if one of the first `len` bytes is a mark or not ASCII.
#[inline(always)]
pub(super) fn care(word: u64, len: usize, marks: impl Marks) -> u64 {
    (marks.in_word(word) | word & HIGH_BITS) & first_bytes(len)
}

/// The bytes of the word without zeros after the last other one.
#[inline]
pub(super) fn len_of(word: u64) -> usize {
    8 - word.leading_zeros() as usize / 8
}

/// The bits of the first `count` bytes, at most eight.
#[inline]
pub(super) fn first_bytes(count: usize) -> u64 {
    u64::MAX.checked_shr(64 - 8 * count as u32).unwrap_or(0)
}

/// Of more bytes than a step: a word at a time.
fn copy_long(value: &[u8], into: &mut [u8], marks: impl Marks) -> Option<Copied> {
    let len = unpadded_len(value);
    let (text, into) = (value.get(..len)?, into.get_mut(..len)?);
    if len < 8 {
        // No NUL is a mark only in the padding.
        into.copy_from_slice(text);
        return Some(Copied { len, is_clean: text.iter().all(|&it| it < 0x80 && !marks.has(it)) });
    }
    let mut found = 0;
    let mut step = |from: &[u8; 8], to: &mut [u8; 8]| {
        *to = *from;
        let word = u64::from_le_bytes(*from);
        found |= marks.in_word(word) | word & HIGH_BITS;
    };
    for (from, to) in text.chunks_exact(8).zip(into.chunks_exact_mut(8)) {
        step(from.first_chunk()?, to.first_chunk_mut()?);
    }
    // Overlaps the one before it.
    step(text.last_chunk()?, into.last_chunk_mut()?);
    Some(Copied { len, is_clean: found == 0 })
}

/// The length without the padding.
#[inline]
fn unpadded_len(value: &[u8]) -> usize {
    let mut end = value.len();
    while let Some(last) = value[..end].last_chunk::<8>() {
        let word = u64::from_le_bytes(*last);
        if word != 0 {
            return end - 8 + len_of(word);
        }
        end -= 8;
    }
    value[..end].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
}
