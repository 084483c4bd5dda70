//! The checksum file's header and entries, as bytes.
//!
//! ```text
//! 0      header, 512 bytes
//! 512    entry 0, entry 1, …      8 bytes each: u32 bytes covered, u32 CRC-32C of them
//! ```
//!
//! No entry crosses a sector boundary, so a disk writes all or none of an entry.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::{BLOCK_BYTES, BlockChecksum, crc32c};
use super::header::VERSION;

/// The first bytes of every checksum file.
pub(crate) const SUM_MAGIC: [u8; 8] = *b"\x89FLATSUM";
/// The header's length, and the offset of the entries.
pub(crate) const SUM_HEADER_BYTES: usize = 512;
const HEADER_LEN: u32 = 512;

/// The length of a block, as in the header.
const BLOCK_LEN: u32 = BLOCK_BYTES as u32;
const _: () = assert!(BLOCK_LEN as usize == BLOCK_BYTES);
/// The bytes of one entry.
pub(crate) const ENTRY_BYTES: usize = 8;
const CRC_OFFSET: usize = 508;

/// The bytes of the header.
///
/// ```text
///        0        4        8       12       16               24                32
///   0    | magic 89 'FLATSUM'      | version| 512    | file id                           |
///  32    | block  | zero   | commit          | zeros …
/// 508    | crc of bytes 0 to 507
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct HeaderBytes {
    magic: [u8; 8],
    version: U32,
    header_len_bytes: U32,
    file_id: [u8; 16],
    block_len_bytes: U32,
    zero: U32,
    commit: U64,
    zeros: [u8; 460],
    crc: U32,
}

const _: () = {
    assert!(size_of::<HeaderBytes>() == SUM_HEADER_BYTES);
    assert!(offset_of!(HeaderBytes, version) == 8);
    assert!(offset_of!(HeaderBytes, header_len_bytes) == 12);
    assert!(offset_of!(HeaderBytes, file_id) == 16);
    assert!(offset_of!(HeaderBytes, block_len_bytes) == 32);
    assert!(offset_of!(HeaderBytes, commit) == 40);
    assert!(offset_of!(HeaderBytes, zeros) == 48);
    assert!(offset_of!(HeaderBytes, crc) == CRC_OFFSET);
};

/// The content of a checksum file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SumHeader {
    /// The file id of the store whose blocks have these sums.
    pub(crate) file_id: [u8; 16],
    /// The sums are up to date with the store at this commit. If the array holds a newer commit, a
    /// program that does not update the sums has changed the store.
    pub(crate) commit: u64,
}

/// Why bytes are not the header of a checksum file for this code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoSumHeader {
    /// A program of another version wrote it and may use it again.
    Version(u32),
    /// Anything else.
    Bad(&'static str),
}

impl SumHeader {
    pub(crate) fn encode(self) -> [u8; SUM_HEADER_BYTES] {
        let mut bytes = HeaderBytes::new_zeroed();
        bytes.magic = SUM_MAGIC;
        bytes.version = VERSION.into();
        bytes.header_len_bytes = HEADER_LEN.into();
        bytes.file_id = self.file_id;
        bytes.block_len_bytes = BLOCK_LEN.into();
        bytes.commit = self.commit.into();
        bytes.crc = crc32c(&bytes.as_bytes()[..CRC_OFFSET]).into();
        zerocopy::transmute!(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NoSumHeader> {
        if !bytes.starts_with(&SUM_MAGIC) {
            return Err(NoSumHeader::Bad("its first bytes are not those of a checksum file"));
        }
        let Ok((header, _)) = HeaderBytes::read_from_prefix(bytes) else {
            return Err(NoSumHeader::Bad("the file ends within its header"));
        };
        if crc32c(&bytes[..CRC_OFFSET]) != header.crc.get() {
            return Err(NoSumHeader::Bad("the checksum of its header does not match"));
        }
        if header.version.get() != VERSION {
            return Err(NoSumHeader::Version(header.version.get()));
        }
        if header.header_len_bytes.get() != HEADER_LEN || header.block_len_bytes.get() != BLOCK_LEN
        {
            return Err(NoSumHeader::Bad("its header or its blocks have an unknown length"));
        }
        Ok(Self { file_id: header.file_id, commit: header.commit.get() })
    }
}

impl BlockChecksum {
    /// The entry of a block without a sum.
    pub(crate) const NONE: Self = Self { covered_len_bytes: 0, crc: 0 };

    /// The entry of a block that was found damaged before it was changed. It covers more than a
    /// block, so no bytes match it, whatever is written or cut off later: a damaged block never
    /// appears sound.
    pub(crate) const DOUBTED: Self = Self { covered_len_bytes: u32::MAX, crc: 0 };

    /// Whether the block was found damaged: see [`BlockChecksum::DOUBTED`]. If such an entry is
    /// damaged itself, it still matches nothing.
    pub(crate) fn is_doubted(self) -> bool {
        self.covered_len_bytes == u32::MAX
    }

    pub(crate) fn encode(self) -> [u8; ENTRY_BYTES] {
        let entry = u64::from(self.covered_len_bytes) | u64::from(self.crc) << 32;
        entry.to_le_bytes()
    }

    pub(crate) fn decode(entry: [u8; ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = entry;
        Self {
            covered_len_bytes: u32::from_le_bytes([a, b, c, d]),
            crc: u32::from_le_bytes([e, f, g, h]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_headers_are_decoded_and_every_flip_is_found() {
        let header = SumHeader { file_id: *b"0123456789abcdef", commit: 7 };
        let bytes = header.encode();
        assert_eq!(SumHeader::decode(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut flipped = bytes;
            flipped[at] ^= 0x10;
            assert!(SumHeader::decode(&flipped).is_err(), "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(SumHeader::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(BlockChecksum::decode(BlockChecksum::DOUBTED.encode()).is_doubted());
        for len in [0, 1, BLOCK_BYTES] {
            assert!(!BlockChecksum::DOUBTED.matches(&vec![0; len]), "{len} bytes");
        }
        let entry = BlockChecksum { covered_len_bytes: 0x0102_0304, crc: 0xA0B0_C0D0 };
        assert_eq!(entry.encode(), [4, 3, 2, 1, 0xD0, 0xC0, 0xB0, 0xA0]);
        assert_eq!(BlockChecksum::decode(entry.encode()), entry);
    }

    #[test]
    fn a_later_version_is_not_reported_as_damage() {
        let mut bytes = SumHeader { file_id: [1; 16], commit: 0 }.encode();
        bytes[8] = 3;
        let crc = crc32c(&bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SumHeader::decode(&bytes), Err(NoSumHeader::Version(3)));
    }
}
