//! Checksums: CRC-32C (Castagnoli) of header slots, of the schema, and of blocks of records.
//!
//! The polynomial is 0x1EDC6F41, reflected in and out, with all ones as initial value and final
//! exclusive-or: what iSCSI, ext4 and SSE 4.2 compute. Its check value is `crc32c(b"123456789") ==
//! 0xE3069283`. It finds every burst of up to 32 flipped bits, and so every change of one byte.

use crate::number::len_of;

/// The unit of a sum: 64 KiB of the array, counted from the data offset.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;

/// The CRC-32C of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    ::crc32c::crc32c(bytes)
}

/// The CRC-32C of the bytes with the sum `crc`, followed by `bytes`.
pub(crate) fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, bytes)
}

/// The part of a CRC-32C that the earlier bytes contribute `len_bytes` further on. Takes few steps
/// for any number of bytes.
fn moved_on(mut crc: u32, len_bytes: u64) -> u32 {
    let mut left = len_bytes;
    while left > 0 {
        // The step is limited because lengths on 32-bit systems are.
        let step = usize::try_from(left).unwrap_or(1 << 30);
        crc = ::crc32c::crc32c_combine(crc, 0, step);
        left -= step as u64;
    }
    crc
}

/// The CRC-32C of the bytes with the sum `crc`, followed by `len_bytes` bytes with the sum
/// `crc_behind`.
pub(crate) fn crc32c_combine(crc: u32, crc_behind: u32, len_bytes: u64) -> u32 {
    moved_on(crc, len_bytes) ^ crc_behind
}

/// The CRC-32C of the bytes with the sum `crc`, followed by so many zeros.
pub(crate) fn crc32c_append_zeros(crc: u32, zeros: u64) -> u32 {
    // The register holds the complement of the sum, and zeros add nothing to it.
    !moved_on(!crc, zeros)
}

/// The CRC-32C of `len_bytes` bytes, from the sum `before` of the bytes before them and the sum
/// `through` of all together.
pub(crate) fn crc32c_between(before: u32, through: u32, len_bytes: u64) -> u32 {
    moved_on(before, len_bytes) ^ through
}

/// The checksum of the written part of one block.
///
/// It states how many bytes it covers, so that records appended to the last block later are no
/// false alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockChecksum {
    /// How many bytes from the block's start are covered.
    pub(crate) covered_len_bytes: u32,
    /// The CRC-32C of those bytes.
    pub(crate) crc: u32,
}

impl BlockChecksum {
    /// Whether the sum matches `block`, which may have more bytes than the sum covers. A block
    /// shorter than the covered length does not match.
    pub(crate) fn matches(&self, block: &[u8]) -> bool {
        usize::try_from(self.covered_len_bytes)
            .ok()
            .and_then(|len| block.get(..len))
            .is_some_and(|covered| crc32c(covered) == self.crc)
    }

    /// The checksum of the block after `more` bytes are appended. The old bytes are not read: if
    /// they do not match now, they will not match then.
    ///
    /// # Panics
    /// If the block would be longer than [`BLOCK_BYTES`], which is a bug of the caller.
    pub(crate) fn extended(self, more: &[u8]) -> Self {
        let len = len_of(self.covered_len_bytes) + more.len();
        assert!(len <= BLOCK_BYTES, "a block has at most {BLOCK_BYTES} bytes");
        let covered_len_bytes = u32::try_from(len).expect("asserted above");
        Self { covered_len_bytes, crc: ::crc32c::crc32c_append(self.crc, more) }
    }
}

/// The checksum of `block`, the written part of one block.
///
/// # Panics
/// If `block` is longer than [`BLOCK_BYTES`], which is a bug of the caller.
pub(crate) fn block_checksum(block: &[u8]) -> BlockChecksum {
    assert!(block.len() <= BLOCK_BYTES, "a block has at most {BLOCK_BYTES} bytes");
    let covered_len_bytes = u32::try_from(block.len()).expect("asserted above");
    BlockChecksum { covered_len_bytes, crc: crc32c(block) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_crc_32c() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c_append(crc32c(b"1234"), b"56789"), 0xE306_9283);
        assert_eq!(crc32c_combine(crc32c(b"1234"), crc32c(b"56789"), 5), 0xE306_9283);
    }

    #[test]
    fn long_pieces_combine_like_short_ones() {
        let (front, half, whole) = (crc32c(b"front"), 5 << 29, 5 << 30);
        // The sum of zeros: what remains of an empty sum after so many of them.
        let zeros = |len| crc32c_combine(0, 0, len);
        let in_two = crc32c_combine(crc32c_combine(front, zeros(half), half), zeros(half), half);
        assert_eq!(crc32c_combine(front, zeros(whole), whole), in_two);
    }

    #[test]
    fn zeros_are_appended_without_being_read() {
        for (front, zeros) in [(&b""[..], 0), (b"", 1), (b"front", 32), (b"front", 100_000)] {
            let whole = [front, &vec![0; zeros]].concat();
            assert_eq!(crc32c_append_zeros(crc32c(front), zeros as u64), crc32c(&whole));
        }
        let halves = crc32c_append_zeros(crc32c_append_zeros(7, 1 << 40), 1 << 40);
        assert_eq!(crc32c_append_zeros(7, 1 << 41), halves);
    }

    #[test]
    fn the_sum_of_a_part_follows_from_the_sums_up_to_its_ends() {
        let bytes: Vec<u8> = (0..5000_u32).map(|at| ((at * at) >> 3) as u8).collect();
        for (start, end) in [(0, 0), (0, 5000), (8, 4000), (4096, 4097), (5000, 5000)] {
            let between = crc32c_between(
                crc32c(&bytes[..start]),
                crc32c(&bytes[..end]),
                (end - start) as u64,
            );
            assert_eq!(between, crc32c(&bytes[start..end]), "{start}..{end}");
        }
    }

    #[test]
    fn a_block_may_grow_but_not_shrink_or_change() {
        let sum = block_checksum(b"two records");
        assert!(sum.matches(b"two records"));
        assert!(sum.matches(b"two records and a third"));
        assert!(!sum.matches(b"two record"));
        assert!(!sum.matches(b"two recordz"));
        assert!(block_checksum(b"").matches(b""));
    }

    #[test]
    fn a_sum_is_extended() {
        let sum = block_checksum(b"two records").extended(b" and a third");
        assert_eq!(sum, block_checksum(b"two records and a third"));
    }

    #[test]
    #[should_panic(expected = "at most 65536")]
    fn a_block_has_a_size() {
        block_checksum(&[0; BLOCK_BYTES + 1]);
    }
}
