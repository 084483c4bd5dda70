//! The header: two slots; the valid one with the higher sequence is in force.
//!
//! ```text
//! 0        slot A, 512 bytes, then zeros to the end of the page
//! 4096     slot B, 512 bytes, then zeros to the end of the page
//! 8192     field descriptors, string area, metadata     (descriptor.rs)
//!          annotations, in some stores                  (annotation_block.rs)
//! data     record 0, record 1, ...                      (data offset: 65536, or a later multiple)
//! ```
//!
//! Invariants of every [`Header`] (checked by [`UnverifiedHeader::verify`], so no other code checks
//! them): the record size is 1 byte to 16 MiB and a multiple of the alignment; the stride follows
//! from both by [`stride_for`]; the data begins at a multiple of 64 KiB after the schema; the
//! records end below 2^63 and within the file; the count of live records is at most the count; the
//! free list begins within the count.
//!
//! Errors: bytes without the magic give [`ErrorKind::NotAStore`]; another version (also 0, which
//! was never frozen) or an unknown incompatible flag gives [`ErrorKind::UnsupportedFormat`]; broken
//! sums and invariants give [`ErrorKind::Corrupt`]; a file that ends before its records gives
//! [`ErrorKind::Truncated`].

mod choose;
mod numbers;

use std::mem::{offset_of, size_of};
use std::ops::Range;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) use self::choose::UnverifiedHeader;
pub(crate) use self::numbers::NUMBERS_END;
use super::checksum::crc32c;
use super::counts::Counts;
use super::layout::{RecordLayout, stride_for};
use super::schema::{MAX_ALIGNMENT_BYTES, MAX_RECORD_BYTES};
use crate::error::{Error, ErrorKind, Result};

/// The first bytes of every store. The first is not ASCII, so text files do not begin like this.
pub(crate) const MAGIC: [u8; 8] = *b"\x89FLATREC";

/// The version of the data file, of the log and of the checksum file that this code reads and
/// writes. It is frozen: every later program reads version 1.
pub(crate) const VERSION: u32 = 1;

/// The error text for a file of another version, and its advice.
pub(crate) fn other_version(version: u32) -> (String, &'static str) {
    match version {
        0 => (
            "format version 0, from before the format was frozen".to_owned(),
            "export it with the program that wrote it, and load the export into a new store",
        ),
        _ => (
            format!("format version {version}; this program knows version {VERSION}"),
            "a newer version of flatrec wrote it; use that one",
        ),
    }
}

/// The distance between the slots: one page, so that a torn write of one cannot damage the other.
pub(crate) const SLOT_BYTES: u64 = 4096;

/// The used bytes of a slot: one sector, so that a disk writes all or none of them.
pub(crate) const SLOT_LEN_BYTES: usize = SLOT_LEN as usize;
const SLOT_LEN: u32 = 512;

/// The offset of the field descriptors.
pub(crate) const DESCRIPTORS_OFFSET: u64 = 2 * SLOT_BYTES;

/// The bytes of one field descriptor.
pub(super) const DESCRIPTOR_BYTES: u64 = 64;

/// The data offset is a multiple of this, the largest mapping granularity of any system we know.
pub(crate) const DATA_ALIGNMENT_BYTES: u64 = 64 << 10;

/// The store has another name until it is complete, or its maker died before that.
const COMPATIBLE_UNFINISHED: u64 = 1 << 0;

/// Each record has a status byte, and records can be deleted.
const INCOMPATIBLE_DELETES: u64 = 1 << 0;
/// An exclusive edit has begun and not ended: records may be half changed.
const INCOMPATIBLE_EDITING: u64 = 1 << 1;
/// Committed records lie in the write-ahead log with the given salt, and not yet in the array.
const INCOMPATIBLE_LIVE_LOG: u64 = 1 << 2;
const INCOMPATIBLE_KNOWN: u64 = INCOMPATIBLE_DELETES | INCOMPATIBLE_EDITING | INCOMPATIBLE_LIVE_LOG;

/// There is an annotation block. A writer that does not know it would write zeros over its length.
const WRITERS_ANNOTATED: u64 = 1 << 0;

/// Annotations begin at a multiple of this.
const ANNOTATIONS_ALIGNMENT_BYTES: u64 = 8;

/// The bytes of a slot.
///
/// ```text
///        0        4        8       12       16                24                32
///   0    | magic 89 'FLATREC'      | version| 512    | compat. flags | incompat. flags |
///  32    | file id                                   | rec.sz | stride | data offset   |
///  64    | sequence                | count           | live count      | free head     |
///  96    | live log salt           | align. | fields | schema | metad. | schema |zeros |
///        |                         |        |        | length | length | crc    |      |
/// 128    | commit                  | writers' flags  | annot. | annot. | zeros …
///        |                         |                 | length | crc    |
/// 508    | crc of bytes 0 to 507
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SlotBytes {
    magic: [u8; 8],
    version: U32,
    slot_len_bytes: U32,
    compatible: U64,
    incompatible: U64,
    file_id: [u8; 16],
    record_size: U32,
    stride: U32,
    data_offset: U64,
    sequence: U64,
    count: U64,
    live_count: U64,
    free_head: U64,
    live_log: U64,
    alignment: U32,
    field_count: U32,
    schema_len_bytes: U32,
    metadata_len_bytes: U32,
    schema_crc: U32,
    zero: U32,
    commit: U64,
    writers: U64,
    annotations_len_bytes: U32,
    annotations_crc: U32,
    zeros: [u8; 356],
    crc: U32,
}

const _: () = {
    assert!(size_of::<SlotBytes>() == SLOT_LEN_BYTES);
    assert!(offset_of!(SlotBytes, version) == 8);
    assert!(offset_of!(SlotBytes, slot_len_bytes) == 12);
    assert!(offset_of!(SlotBytes, compatible) == 16);
    assert!(offset_of!(SlotBytes, incompatible) == 24);
    assert!(offset_of!(SlotBytes, file_id) == 32);
    assert!(offset_of!(SlotBytes, record_size) == 48);
    assert!(offset_of!(SlotBytes, stride) == 52);
    assert!(offset_of!(SlotBytes, data_offset) == 56);
    assert!(offset_of!(SlotBytes, sequence) == 64);
    assert!(offset_of!(SlotBytes, count) == 72);
    assert!(offset_of!(SlotBytes, live_count) == 80);
    assert!(offset_of!(SlotBytes, free_head) == 88);
    assert!(offset_of!(SlotBytes, live_log) == 96);
    assert!(offset_of!(SlotBytes, alignment) == 104);
    assert!(offset_of!(SlotBytes, field_count) == 108);
    assert!(offset_of!(SlotBytes, schema_len_bytes) == 112);
    assert!(offset_of!(SlotBytes, metadata_len_bytes) == 116);
    assert!(offset_of!(SlotBytes, schema_crc) == 120);
    assert!(offset_of!(SlotBytes, zero) == 124);
    assert!(offset_of!(SlotBytes, commit) == 128);
    assert!(offset_of!(SlotBytes, writers) == 136);
    assert!(offset_of!(SlotBytes, annotations_len_bytes) == 144);
    assert!(offset_of!(SlotBytes, annotations_crc) == 148);
    assert!(offset_of!(SlotBytes, zeros) == 152);
    assert!(offset_of!(SlotBytes, crc) == CRC_OFFSET);
};

/// The offset of a slot's checksum, and how many bytes it covers; the same in every version.
const CRC_OFFSET: usize = 508;

/// The content of a header slot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Header {
    /// Drawn at random when the store is created; log and side files carry it too.
    pub(crate) file_id: [u8; 16],
    /// Bytes of one record, without its status byte.
    pub(crate) record_size: u32,
    /// Bytes from one record to the next.
    pub(crate) stride: u32,
    /// Every record's address is a multiple of this if the file is mapped at a page boundary.
    pub(crate) alignment: u32,
    /// Bytes from the start of the file to record 0.
    pub(crate) data_offset: u64,
    /// Grows with every change of the header.
    pub(crate) sequence: u64,
    /// Those of the last commit that the array holds; later commits are in the live log.
    pub(crate) counts: Counts,
    /// The salt, never 0, of the log with committed records that are not yet in the array.
    pub(crate) live_log: Option<u64>,
    /// Whether each record carries a status byte.
    pub(crate) deletes: bool,
    /// Whether an exclusive edit is running, or was interrupted.
    pub(crate) editing: bool,
    /// Whether the store is still being made, or its maker died. This tells a leftover from a
    /// complete store with such a name.
    pub(crate) unfinished: bool,
    /// Features that a reader may ignore and a writer may not, and that this version does not know:
    /// writers refuse a store with any.
    pub(crate) writers_flags: u64,
    /// Bytes of the annotation block, behind the metadata; 0 without one.
    pub(crate) annotations_len_bytes: u32,
    /// The CRC-32C of the annotation block; 0 without one.
    pub(crate) annotations_crc: u32,
    /// Number of field descriptors.
    pub(crate) field_count: u32,
    /// Bytes of the descriptors and of the string area after them.
    pub(crate) schema_len_bytes: u32,
    /// Bytes of the user's metadata, after the string area.
    pub(crate) metadata_len_bytes: u32,
    /// The CRC-32C of descriptors, string area and metadata.
    pub(crate) schema_crc: u32,
}

impl Header {
    /// The bytes of a slot with this header.
    ///
    /// # Panics
    /// If an invariant does not hold: a header that [`UnverifiedHeader::verify`] would refuse must
    /// not reach the disk.
    pub(crate) fn encode(&self) -> [u8; SLOT_LEN_BYTES] {
        if let Err(broken) = self.check() {
            panic!("refusing to write a broken header: {broken}: {self:?}");
        }
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let mut slot = SlotBytes::new_zeroed();
        slot.magic = MAGIC;
        slot.version = VERSION.into();
        slot.slot_len_bytes = SLOT_LEN.into();
        slot.compatible = U64::new(flag(self.unfinished, COMPATIBLE_UNFINISHED));
        slot.incompatible = U64::new(
            flag(self.deletes, INCOMPATIBLE_DELETES)
                | flag(self.editing, INCOMPATIBLE_EDITING)
                | flag(self.live_log.is_some(), INCOMPATIBLE_LIVE_LOG),
        );
        slot.file_id = self.file_id;
        slot.record_size = self.record_size.into();
        slot.stride = self.stride.into();
        slot.data_offset = self.data_offset.into();
        slot.sequence = self.sequence.into();
        slot.count = self.counts.records.into();
        slot.live_count = self.counts.live.into();
        slot.free_head = self.counts.free_head_number().into();
        slot.live_log = self.live_log.unwrap_or(0).into();
        slot.alignment = self.alignment.into();
        slot.field_count = self.field_count.into();
        slot.schema_len_bytes = self.schema_len_bytes.into();
        slot.metadata_len_bytes = self.metadata_len_bytes.into();
        slot.schema_crc = self.schema_crc.into();
        slot.commit = self.counts.commit.into();
        let annotated = flag(self.annotations_len_bytes != 0, WRITERS_ANNOTATED);
        slot.writers = (self.writers_flags | annotated).into();
        slot.annotations_len_bytes = self.annotations_len_bytes.into();
        slot.annotations_crc = self.annotations_crc.into();
        slot.crc = crc32c(&slot.as_bytes()[..CRC_OFFSET]).into();
        zerocopy::transmute!(slot)
    }

    /// The layout of the records.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if they begin past the largest offset.
    pub(crate) fn layout(&self) -> Result<RecordLayout> {
        RecordLayout::new(self.data_offset, self.record_size, self.alignment, self.deletes)
    }

    /// The first byte after the last record; `None` if it would not be below 2^63.
    pub(crate) fn end_of_data(&self) -> Option<u64> {
        self.counts
            .records
            .checked_mul(u64::from(self.stride))?
            .checked_add(self.data_offset)
            .filter(|&end| i64::try_from(end).is_ok())
    }

    /// The first byte after the metadata.
    pub(crate) fn end_of_schema(&self) -> u64 {
        DESCRIPTORS_OFFSET + u64::from(self.schema_len_bytes) + u64::from(self.metadata_len_bytes)
    }

    /// The place of the annotations in the file, if there are any.
    pub(crate) fn annotations(&self) -> Option<Range<u64>> {
        let start = self.end_of_schema().next_multiple_of(ANNOTATIONS_ALIGNMENT_BYTES);
        let len = u64::from(self.annotations_len_bytes);
        (len != 0).then(|| start..start + len)
    }

    /// The first byte after schema, metadata and annotations.
    pub(crate) fn end_of_description(&self) -> u64 {
        self.annotations().map_or(self.end_of_schema(), |annotations| annotations.end)
    }

    /// Whether both headers describe the same schema, metadata and annotations.
    pub(crate) fn has_schema_of(&self, other: &Self) -> bool {
        let schema = |header: &Self| {
            let &Self { field_count, schema_len_bytes, metadata_len_bytes, schema_crc, .. } =
                header;
            let annotations = (header.annotations_len_bytes, header.annotations_crc);
            let layout = (header.record_size, header.stride, header.alignment, header.data_offset);
            let lengths = (field_count, schema_len_bytes, metadata_len_bytes);
            (header.file_id, layout, lengths, schema_crc, annotations)
        };
        schema(self) == schema(other)
    }

    /// Checks every invariant of the header alone; the error says what is wrong.
    fn check(&self) -> Result<(), String> {
        let Self { record_size, alignment, stride, data_offset, counts, .. } = *self;
        if record_size == 0 || record_size > MAX_RECORD_BYTES {
            return Err(format!("a record size of {record_size} bytes"));
        }
        if !alignment.is_power_of_two()
            || alignment > MAX_ALIGNMENT_BYTES
            || record_size % alignment != 0
        {
            return Err(format!("an alignment of {alignment} for {record_size} byte records"));
        }
        if stride_for(record_size, alignment, self.deletes) != Some(stride) {
            return Err(format!("a stride of {stride} for {record_size} byte records"));
        }
        if self.field_count == 0
            || u64::from(self.field_count) * DESCRIPTOR_BYTES > u64::from(self.schema_len_bytes)
        {
            return Err(format!(
                "{} fields in {} bytes of schema",
                self.field_count, self.schema_len_bytes
            ));
        }
        if data_offset % DATA_ALIGNMENT_BYTES != 0 || data_offset < self.end_of_description() {
            return Err(format!(
                "data at byte {data_offset}, with a schema up to byte {}",
                self.end_of_description()
            ));
        }
        if self.end_of_data().is_none() {
            return Err(format!("{} records of {stride} bytes end past 2^63", counts.records));
        }
        counts.check()?;
        if !self.deletes && counts.free_head.is_some() {
            return Err("a free list without deletes".into());
        }
        if !self.deletes && !counts.are_all_live() {
            return Err(format!("{} live records of {}", counts.live, counts.records));
        }
        if self.live_log == Some(0) {
            return Err("a live log of salt 0".into());
        }
        // So near to its end no number can have come by counting.
        for (what, number) in self.numbers() {
            if number >= NUMBERS_END {
                return Err(format!("an impossible {what}, {number}"));
            }
        }
        Ok(())
    }
}

/// The place of one of the two headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The slot at the start of the file.
    A,
    /// The slot on the second page.
    B,
}

impl Slot {
    /// The offset of the slot in the file.
    pub(crate) const fn offset(self) -> u64 {
        match self {
            Self::A => 0,
            Self::B => SLOT_BYTES,
        }
    }

    /// The slot that the next change of the header is written to.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The result of reading one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// The slot with a matching checksum.
    Valid {
        /// The slot with the higher sequence is in force.
        sequence: u64,
        /// The number of records in the header.
        count: u64,
    },
    /// Only zeros, or no bytes.
    Empty,
    /// Anything else, such as a torn write, and why it is invalid.
    Bad(String),
}

/// The result of reading both slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotReport {
    pub(crate) a: SlotState,
    pub(crate) b: SlotState,
}

impl Header {
    /// Checks that the records fit in a file of that length.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if they do not; the error says how many whole records there are.
    pub(crate) fn check_length(&self, file_len_bytes: u64) -> Result<()> {
        let header = self;
        let end = header.end_of_data().expect("checked with the other invariants");
        if file_len_bytes < end {
            let records_len_bytes = file_len_bytes.saturating_sub(header.data_offset);
            let whole = records_len_bytes / u64::from(header.stride);
            return Err(Error::new(ErrorKind::Truncated, "read header")
                .detail(format!(
                    "the header counts {} records, up to byte {end}; the file ends at byte \
                     {file_len_bytes}, with {whole} whole records",
                    header.counts.records
                ))
                .advice("restore the file from a copy, or save the whole records with salvage"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
