//! The layout of a segment's header and of a frame.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Commit;
use super::long_append::{LongAppendSums, SUMS_IN_HEAD, SUMS_MAX};
use crate::format::{Counts, VERSION, checksum::crc32c};
use crate::number::in_memory;

/// Frames begin on multiples of this; the segment's header takes the first sector.
pub(super) const SECTOR_BYTES: u64 = SECTOR as u64;
const SECTOR: u32 = 512;

/// The first bytes of every segment.
const SEGMENT_MAGIC: [u8; 8] = *b"\x89FLATWAL";

/// The first bytes of every frame.
const FRAME_MAGIC: [u8; 4] = *b"FWB1";

/// The length of a frame's head, which precedes the payload.
pub(super) const FRAME_HEAD_BYTES: usize = size_of::<FrameBytes>();

/// The checksum of a frame covers the bytes from here on: those behind the checksum itself.
pub(super) const FRAME_CRC_END: usize = 8;

/// A segment's first sector.
///
/// ```text
///        0        4        8       12       16                24                32
///   0    | magic 89 'FLATWAL'      | version| 512    | file id                           |
///  32    | salt                    | previous salt   | first           | prev.  | zeros  |
///        |                         |                 |                 | crc    |        |
///  64    | zeros …
/// 508    | crc of bytes 0 to 507
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SegmentBytes {
    magic: [u8; 8],
    version: U32,
    sector: U32,
    file_id: [u8; 16],
    salt: U64,
    previous_salt: U64,
    first: U64,
    previous_crc: U32,
    zero: U32,
    chain: U64,
    len_bytes: U64,
    zeros: [u8; 428],
    crc: U32,
}

const _: () = {
    assert!(size_of::<SegmentBytes>() == SECTOR as usize);
    assert!(offset_of!(SegmentBytes, version) == 8);
    assert!(offset_of!(SegmentBytes, sector) == 12);
    assert!(offset_of!(SegmentBytes, file_id) == 16);
    assert!(offset_of!(SegmentBytes, salt) == 32);
    assert!(offset_of!(SegmentBytes, previous_salt) == 40);
    assert!(offset_of!(SegmentBytes, first) == 48);
    assert!(offset_of!(SegmentBytes, previous_crc) == 56);
    assert!(offset_of!(SegmentBytes, zero) == 60);
    assert!(offset_of!(SegmentBytes, chain) == 64);
    assert!(offset_of!(SegmentBytes, len_bytes) == 72);
    assert!(offset_of!(SegmentBytes, zeros) == 80);
    assert!(offset_of!(SegmentBytes, crc) == 508);
};

/// The offset of a segment's checksum.
const SEGMENT_CRC: usize = 508;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) file_id: [u8; 16],
    /// Drawn at random when the segment is begun, never 0.
    pub(super) salt: u64,
    /// The salt of the segment that its chain began with, which may have been released long ago.
    /// Segments of other chains say nothing about this one.
    pub(super) chain: u64,
    /// The length of its file. A file of at most the usual length has it before the first frame is
    /// written; a larger one, once it is whole.
    pub(super) len_bytes: u64,
    /// The salt of the segment before it in the chain; 0 for the first.
    pub(super) previous_salt: u64,
    /// The number of its first frame.
    pub(super) first: u64,
    /// The checksum of the last frame before it in the chain; 0 for the first.
    pub(super) previous_crc: u32,
}

/// What the first sector of a file with a segment's name contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// A whole segment header of this store.
    Ours(SegmentHeader),
    /// A whole segment header of this store, with an unknown version or sector size.
    Other { version: u32, sector: u32 },
    /// A whole segment header of another store.
    Strange,
    /// A damaged segment header of this store.
    Damaged,
    /// Unwritten: zeros, or the beginning of a header.
    Blank,
    /// Anything else.
    Unknown,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SECTOR as usize] {
        assert_ne!(self.salt, 0, "0 means that there is no segment");
        let mut sector = SegmentBytes::new_zeroed();
        sector.magic = SEGMENT_MAGIC;
        sector.version = VERSION.into();
        sector.sector = SECTOR.into();
        sector.file_id = self.file_id;
        sector.salt = self.salt.into();
        sector.previous_salt = self.previous_salt.into();
        sector.first = self.first.into();
        sector.previous_crc = self.previous_crc.into();
        sector.chain = self.chain.into();
        sector.len_bytes = self.len_bytes.into();
        sector.crc = crc32c(&sector.as_bytes()[..SEGMENT_CRC]).into();
        zerocopy::transmute!(sector)
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

impl Label {
    /// Reads a file's first sector, or the part of it that exists.
    pub(super) fn read(bytes: &[u8], file_id: [u8; 16]) -> Self {
        let Ok((sector, _)) = SegmentBytes::read_from_prefix(bytes) else {
            // A writer may have crashed while it made the file.
            let (magic, rest) = bytes.split_at(bytes.len().min(SEGMENT_MAGIC.len()));
            let begun = SEGMENT_MAGIC.starts_with(magic) || is_zero(magic) && is_zero(rest);
            return if begun { Self::Blank } else { Self::Unknown };
        };
        if is_zero(sector.as_bytes()) {
            return Self::Blank;
        }
        let ours = sector.file_id == file_id;
        let whole = sector.magic == SEGMENT_MAGIC
            && sector.crc.get() == crc32c(&sector.as_bytes()[..SEGMENT_CRC]);
        if !whole {
            return if ours { Self::Damaged } else { Self::Unknown };
        }
        if !ours {
            return Self::Strange;
        }
        if sector.version != VERSION || sector.sector != SECTOR {
            return Self::Other { version: sector.version.get(), sector: sector.sector.get() };
        }
        if sector.salt == 0 {
            return Self::Damaged;
        }
        Self::Ours(SegmentHeader {
            file_id,
            salt: sector.salt.get(),
            chain: sector.chain.get(),
            len_bytes: sector.len_bytes.get(),
            previous_salt: sector.previous_salt.get(),
            first: sector.first.get(),
            previous_crc: sector.previous_crc.get(),
        })
    }
}

/// The head of a frame, in front of its payload.
///
/// ```text
///        0        4        8                16                24                32
///   0    | 'FWB1' | crc    | payload length  | file id                           |
///  32    | salt            | number          | synced          | count           |
///  64    | live count      | free head       | images          | prev.  | image  |
///        |                 |                 |                 | crc    | length |
///  96    | chain           |pieces|log2| crc of  | summed length   | sum 0  | sum 1  |
///        |                 |          | the rest|                 |        |        |
/// 128    | payload: a record number for each image, each once; then the images
///        | sums 2 and on, in what fills the last sector
/// ```
///
/// The checksum covers bytes 8 up to the end of the payload.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FrameBytes {
    magic: [u8; 4],
    crc: U32,
    payload_len_bytes: U64,
    file_id: [u8; 16],
    salt: U64,
    number: U64,
    synced: U64,
    count: U64,
    live_count: U64,
    free_head: U64,
    images: U64,
    previous_crc: U32,
    image_len_bytes: U32,
    chain: U64,
    pieces: U16,
    piece_log2: U16,
    further_crc: U32,
    summed_len_bytes: U64,
    first_sums: [U32; SUMS_IN_HEAD],
}

const _: () = {
    assert!(size_of::<FrameBytes>() == 128);
    assert!(offset_of!(FrameBytes, crc) == 4);
    assert!(offset_of!(FrameBytes, payload_len_bytes) == FRAME_CRC_END);
    assert!(offset_of!(FrameBytes, file_id) == 16);
    assert!(offset_of!(FrameBytes, salt) == 32);
    assert!(offset_of!(FrameBytes, number) == 40);
    assert!(offset_of!(FrameBytes, synced) == 48);
    assert!(offset_of!(FrameBytes, count) == 56);
    assert!(offset_of!(FrameBytes, live_count) == 64);
    assert!(offset_of!(FrameBytes, free_head) == 72);
    assert!(offset_of!(FrameBytes, images) == 80);
    assert!(offset_of!(FrameBytes, previous_crc) == 88);
    assert!(offset_of!(FrameBytes, image_len_bytes) == 92);
    assert!(offset_of!(FrameBytes, chain) == 96);
    assert!(offset_of!(FrameBytes, pieces) == 104);
    assert!(offset_of!(FrameBytes, piece_log2) == 106);
    assert!(offset_of!(FrameBytes, further_crc) == 108);
    assert!(offset_of!(FrameBytes, summed_len_bytes) == 112);
    assert!(offset_of!(FrameBytes, first_sums) == 120);
    // Without images, the rest of the sector holds sums.
    assert!(FRAME_HEAD_BYTES + 4 * (SUMS_MAX - SUMS_IN_HEAD) == SECTOR as usize);
};

/// The head of a frame. One that was read is untrusted until its checksum has been compared, except
/// that it ends within its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Of bytes 8 up to the end of the payload.
    pub(super) crc: u32,
    pub(super) file_id: [u8; 16],
    /// The salt of its segment.
    pub(super) salt: u64,
    /// The chain of that segment.
    pub(super) chain: u64,
    pub(super) commit: Commit,
    /// The highest commit known to be durable when this one was written.
    pub(super) synced: u64,
    /// The number of images.
    pub(super) images: u64,
    pub(super) image_len_bytes: u32,
    /// The checksum of the frame before it in the chain; 0 for the first.
    pub(super) previous_crc: u32,
    /// The checksums of records in the array. `commit` does not have them until they are complete.
    pub(super) sums: SumsHead,
}

/// The part of a frame's head about the checksums of records in the array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SumsHead {
    /// The number of sums; 0 if the frame has no sums.
    pieces: u16,
    piece_log2: u16,
    /// The checksum of the sums outside the head.
    further_crc: u32,
    summed_len_bytes: u64,
    first: [u32; SUMS_IN_HEAD],
}

impl SumsHead {
    /// The part in the head of a frame of `frame_len_bytes` bytes, and the bytes behind its
    /// payload.
    pub(super) fn of(sums: &LongAppendSums, frame_len_bytes: u64) -> (Self, Vec<u8>) {
        let room = (in_sectors(frame_len_bytes) - frame_len_bytes) / size_of::<u32>() as u64;
        let mut sums = sums.clone();
        sums.fit(SUMS_IN_HEAD + in_memory(room));
        let mut first = [0; SUMS_IN_HEAD];
        let (in_head, further) = sums.sums().split_at(sums.sums().len().min(SUMS_IN_HEAD));
        first[..in_head.len()].copy_from_slice(in_head);
        let further: Vec<u8> = further.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let head = Self {
            pieces: u16::try_from(sums.sums().len()).expect("SUMS_MAX at most"),
            piece_log2: u16::try_from(sums.piece_log2()).expect("below 63"),
            further_crc: crc32c(&further),
            summed_len_bytes: sums.len_bytes(),
            first,
        };
        (head, further)
    }

    /// The length of the sums behind the payload of a frame of `frame_len_bytes` bytes; `None` if
    /// it has no sums, or no room for them.
    pub(super) fn further_len_bytes(&self, frame_len_bytes: u64) -> Option<usize> {
        let pieces = Some(usize::from(self.pieces)).filter(|&pieces| pieces > 0)?;
        let len = pieces.saturating_sub(SUMS_IN_HEAD) * size_of::<u32>();
        let room = in_sectors(frame_len_bytes) - frame_len_bytes;
        (len as u64 <= room).then_some(len)
    }

    /// The sums, with those in the bytes behind the payload if their checksum matches. `None` if
    /// they contradict each other.
    pub(super) fn with(&self, further: Option<&[u8]>) -> Option<LongAppendSums> {
        let pieces = usize::from(self.pieces);
        let mut sums = self.first[..pieces.min(SUMS_IN_HEAD)].to_vec();
        if let Some(further) = further.filter(|bytes| crc32c(bytes) == self.further_crc) {
            let sum = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &b| sum << 8 | u32::from(b));
            sums.extend(further.chunks(size_of::<u32>()).map(sum));
        }
        LongAppendSums::of(self.summed_len_bytes, self.piece_log2.into(), pieces, sums)
    }
}

/// The length of a payload with `images` images; `None` beyond the greatest file length.
fn payload_len_bytes(images: u64, image_len_bytes: u32) -> Option<u64> {
    let each = u64::from(image_len_bytes) + size_of::<u64>() as u64;
    images.checked_mul(each).filter(|&len| len < i64::MAX as u64)
}

/// The length of a frame with `images` images, without the filling of its last sector.
pub(super) fn frame_len_bytes(images: u64, image_len_bytes: u32) -> Option<u64> {
    payload_len_bytes(images, image_len_bytes)?.checked_add(FRAME_HEAD_BYTES as u64)
}

/// Rounds the length of a frame up to whole sectors.
pub(super) fn in_sectors(len_bytes: u64) -> u64 {
    // Cannot overflow: payload_len_bytes keeps every frame below 2^63.
    len_bytes.next_multiple_of(SECTOR_BYTES)
}

impl FrameHead {
    /// The length of a frame with this head, without the filling of its last sector.
    pub(super) fn len_bytes(&self) -> u64 {
        frame_len_bytes(self.images, self.image_len_bytes)
            .expect("checked when it was read, or before it was reserved")
    }

    pub(super) fn encode(&self) -> [u8; FRAME_HEAD_BYTES] {
        let mut frame = FrameBytes::new_zeroed();
        frame.magic = FRAME_MAGIC;
        frame.crc = self.crc.into();
        frame.payload_len_bytes = (self.len_bytes() - FRAME_HEAD_BYTES as u64).into();
        frame.file_id = self.file_id;
        frame.salt = self.salt.into();
        frame.number = self.commit.counts.commit.into();
        frame.synced = self.synced.into();
        frame.count = self.commit.counts.records.into();
        frame.live_count = self.commit.counts.live.into();
        frame.free_head = self.commit.counts.free_head_number().into();
        frame.images = self.images.into();
        frame.previous_crc = self.previous_crc.into();
        frame.image_len_bytes = self.image_len_bytes.into();
        frame.chain = self.chain.into();
        frame.pieces = self.sums.pieces.into();
        frame.piece_log2 = self.sums.piece_log2.into();
        frame.further_crc = self.sums.further_crc.into();
        frame.summed_len_bytes = self.sums.summed_len_bytes.into();
        frame.first_sums = self.sums.first.map(U32::new);
        zerocopy::transmute!(frame)
    }

    /// Reads a frame's head, if the bytes begin with one and the frame is at most `room_bytes`
    /// long.
    pub(super) fn read(bytes: &[u8], room_bytes: u64) -> Option<Self> {
        let (frame, _) = FrameBytes::read_from_prefix(bytes).ok()?;
        if frame.magic != FRAME_MAGIC {
            return None;
        }
        let (images, image_len_bytes) = (frame.images.get(), frame.image_len_bytes.get());
        let payload_len_bytes = payload_len_bytes(images, image_len_bytes)?;
        let len_bytes = frame_len_bytes(images, image_len_bytes)?;
        if frame.payload_len_bytes != payload_len_bytes || len_bytes > room_bytes {
            return None;
        }
        Some(Self {
            crc: frame.crc.get(),
            file_id: frame.file_id,
            salt: frame.salt.get(),
            chain: frame.chain.get(),
            commit: Commit {
                counts: Counts {
                    commit: frame.number.get(),
                    records: frame.count.get(),
                    live: frame.live_count.get(),
                    free_head: Counts::free_head_of(frame.free_head.get()),
                },
                long_append: None,
            },
            synced: frame.synced.get(),
            images,
            image_len_bytes,
            previous_crc: frame.previous_crc.get(),
            sums: SumsHead {
                pieces: frame.pieces.get(),
                piece_log2: frame.piece_log2.get(),
                further_crc: frame.further_crc.get(),
                summed_len_bytes: frame.summed_len_bytes.get(),
                first: frame.first_sums.map(U32::get),
            },
        })
    }
}
