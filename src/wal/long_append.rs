//! Checksums of records that a commit adds without images: it has written them to the array.
//!
//! The log relies on the array for these records. In a copy made beside an active writer, the two
//! may be of different times. The bytes are summed in pieces, so that a replay can leave out the
//! pieces of which a later commit has images: an interrupted checkpoint may have written some of
//! those.
//!
//! ```text
//! | piece 0 | piece 1 | … | the last, shorter |      one sum per piece
//! |<- 64 KiB × 2^k -->|   |                   |
//! ```
//!
//! A frame stores as many sums as fit: two in its head, the others in the filling of its last
//! sector.

use std::ops::Range;

use crate::format::checksum::{crc32c_append, crc32c_combine};
use crate::number::smaller;

/// The shortest pieces are 64 KiB long.
const PIECE_LOG2_MIN: u32 = 16;

/// The most sums that a frame without images has room for: the rest of a sector.
pub(super) const SUMS_MAX: usize = SUMS_IN_HEAD + 96;

/// The most sums that fit in the head of a frame.
pub(super) const SUMS_IN_HEAD: usize = 2;

/// The checksums of the bytes that a commit has written to the array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LongAppendSums {
    /// The number of summed bytes.
    len_bytes: u64,
    piece_log2: u32,
    /// The sums of the pieces in order. Sums at the end are missing if they were not read.
    sums: Vec<u32>,
}

impl LongAppendSums {
    /// The sums of no bytes.
    pub(crate) fn new() -> Self {
        Self { len_bytes: 0, piece_log2: PIECE_LOG2_MIN, sums: Vec::new() }
    }

    /// The sums that a frame states; `None` if its numbers contradict each other.
    pub(super) fn of(
        len_bytes: u64,
        piece_log2: u32,
        pieces: usize,
        sums: Vec<u32>,
    ) -> Option<Self> {
        let known = (PIECE_LOG2_MIN..63).contains(&piece_log2) && pieces <= SUMS_MAX;
        let this = Self { len_bytes, piece_log2, sums };
        let expected = known.then(|| len_bytes.div_ceil(this.piece_len_bytes()))?;
        (pieces > 0 && expected == pieces as u64).then_some(this)
    }

    /// Adds the bytes that follow those summed so far.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let within = self.len_bytes % self.piece_len_bytes();
            if within == 0 && self.sums.len() == SUMS_MAX {
                self.halve();
                continue;
            }
            if within == 0 {
                self.sums.push(0);
            }
            let left = self.piece_len_bytes() - within;
            let len = smaller(left, bytes.len());
            let (now, later) = bytes.split_at(len);
            if let Some(sum) = self.sums.last_mut() {
                *sum = crc32c_append(*sum, now);
            }
            self.len_bytes += len as u64;
            bytes = later;
        }
    }

    /// Joins pieces until at most `sums_max` sums, but no fewer than [`SUMS_IN_HEAD`], are left.
    pub(super) fn fit(&mut self, sums_max: usize) {
        while self.sums.len() > sums_max.max(SUMS_IN_HEAD) {
            self.halve();
        }
    }

    /// Joins each pair of neighbours.
    fn halve(&mut self) {
        let lens: Vec<u64> = self.pieces().map(|(bytes, _)| bytes.end - bytes.start).collect();
        let pairs = self.sums.chunks(2).zip(lens.chunks(2));
        let joined = pairs.map(|(sums, lens)| match (sums, lens) {
            (&[first, second], &[_, len]) => crc32c_combine(first, second, len),
            _ => sums.first().copied().unwrap_or_default(),
        });
        self.sums = joined.collect();
        self.piece_log2 += 1;
    }

    /// The number of summed bytes.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    pub(super) fn piece_log2(&self) -> u32 {
        self.piece_log2
    }

    pub(super) fn sums(&self) -> &[u32] {
        &self.sums
    }

    /// The pieces with known sums: the byte range, counted from the first summed byte, and the sum.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Range<u64>, u32)> + '_ {
        (0..).zip(&self.sums).map(|(piece, &sum)| {
            let start = piece * self.piece_len_bytes();
            (start..self.len_bytes.min(start.saturating_add(self.piece_len_bytes())), sum)
        })
    }

    fn piece_len_bytes(&self) -> u64 {
        1 << self.piece_log2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checksum::crc32c;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn pieces_do_not_depend_on_how_the_bytes_are_added() {
        for len in [1, 1000, 65_536, 65_537, 200_000, SUMS_MAX << 16, (SUMS_MAX << 16) + 1] {
            let bytes = bytes(len);
            for step in [len, 999, 65_536, 1 << 20] {
                let mut sums = LongAppendSums::new();
                bytes.chunks(step).for_each(|part| sums.add(part));
                for max in [SUMS_MAX, 50, 3, 2] {
                    sums.fit(max);
                    assert!(sums.sums.len() <= max, "{len} in {step}s: {max}");
                    let mut end = 0;
                    for (piece, sum) in sums.pieces() {
                        assert_eq!(piece.start, end);
                        end = piece.end;
                        let range = piece.start as usize..piece.end as usize;
                        assert_eq!(sum, crc32c(&bytes[range]), "{piece:?} of {len}");
                    }
                    assert_eq!((end, sums.len_bytes()), (len as u64, len as u64));
                    let (pieces, known) = (sums.sums.len(), sums.sums.clone());
                    let again = LongAppendSums::of(len as u64, sums.piece_log2, pieces, known);
                    assert_eq!(again.as_ref(), Some(&sums));
                }
            }
        }
    }

    #[test]
    fn contradictory_numbers_give_no_sums() {
        let of = |len, log2, pieces| LongAppendSums::of(len, log2, pieces, vec![0; pieces.min(2)]);
        assert!(of(65_537, 16, 2).is_some());
        for (len, log2, pieces) in
            [(0, 16, 0), (65_537, 16, 1), (65_537, 17, 2), (1, 15, 1), (1, 63, 1), (1, 200, 1)]
        {
            assert_eq!(of(len, log2, pieces), None, "{len} {log2} {pieces}");
        }
        assert_eq!(of(u64::MAX, 16, SUMS_MAX), None);
        assert!(of(u64::MAX, 62, 4).is_some());
        assert_eq!(of(u64::MAX, 62, 4).unwrap().pieces().count(), 2);
    }
}
