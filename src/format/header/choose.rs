//! The choice between the two slots of untrusted bytes, and the header in the chosen one.

use zerocopy::{FromBytes, IntoBytes};

use super::{
    COMPATIBLE_UNFINISHED, CRC_OFFSET, Header, INCOMPATIBLE_DELETES, INCOMPATIBLE_EDITING,
    INCOMPATIBLE_KNOWN, INCOMPATIBLE_LIVE_LOG, MAGIC, SLOT_LEN, SLOT_LEN_BYTES, Slot, SlotBytes,
    SlotReport, SlotState, VERSION, WRITERS_ANNOTATED, other_version,
};
use crate::error::{Error, ErrorKind, Result};
use crate::format::checksum::crc32c;
use crate::format::counts::Counts;

/// A header with a matching checksum, whose other content is not checked yet.
#[derive(Debug)]
pub(crate) struct UnverifiedHeader {
    header: Header,
    slot: Slot,
}

impl UnverifiedHeader {
    /// Chooses between the bytes at the offsets of both slots, [`SLOT_LEN_BYTES`] each or fewer if
    /// the file ends before.
    ///
    /// If only one slot is valid, it is chosen: a crash during a header write leaves the other one
    /// invalid. The report tells both.
    ///
    /// # Errors
    /// [`ErrorKind::NotAStore`] if neither has the magic; [`ErrorKind::UnsupportedFormat`] if one
    /// has an unknown version, or the chosen one has an unknown incompatible flag;
    /// [`ErrorKind::Corrupt`] if neither is valid, or they contradict each other.
    pub(crate) fn choose(a: &[u8], b: &[u8]) -> Result<(Self, Slot, SlotReport)> {
        let (found_a, found_b) = (read_slot(a), read_slot(b));
        for (found, slot) in [(&found_a, Slot::A), (&found_b, Slot::B)] {
            if let Found::Version(version) = found {
                let (detail, advice) = other_version(*version);
                return Err(unsupported(slot, detail).advice(advice));
            }
        }
        let report = SlotReport { a: found_a.state(), b: found_b.state() };
        let (slot, bytes) = match (found_a, found_b) {
            (Found::Valid(a), Found::Valid(b)) => {
                check_agreement(&a, &b)?;
                if b.sequence.get() > a.sequence.get() { (Slot::B, b) } else { (Slot::A, a) }
            }
            (Found::Valid(a), _) => (Slot::A, a),
            (_, Found::Valid(b)) => (Slot::B, b),
            _ => return Err(neither(a, b, &report)),
        };
        let unknown = bytes.incompatible.get() & !INCOMPATIBLE_KNOWN;
        if unknown != 0 {
            return Err(unsupported(slot, format!("unknown feature flags {unknown:#x}"))
                .advice("a newer version of flatrec wrote the file; use that one"));
        }
        Ok((Self { header: bytes.header()?, slot }, slot, report))
    }

    /// The header, after a check of every invariant in a file of `file_len_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if an invariant is broken; [`ErrorKind::Truncated`] if the file ends
    /// before the last record; the error then says how many whole records there are.
    pub(crate) fn verify(self, file_len_bytes: u64) -> Result<Header> {
        let header = self.verify_alone()?;
        header.check_length(file_len_bytes)?;
        Ok(header)
    }

    /// The header, after a check of every invariant except the file's length, for a caller that
    /// saves the remaining records of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if an invariant is broken.
    pub(crate) fn verify_alone(self) -> Result<Header> {
        let Self { header, slot } = self;
        header.check().map_err(|detail| {
            Error::new(ErrorKind::Corrupt, "read header")
                .offset(slot.offset())
                .detail(format!("the header claims {detail}"))
        })?;
        Ok(header)
    }
}

/// The kind of bytes in one slot.
enum Found {
    Valid(Box<SlotBytes>),
    Version(u32),
    Empty,
    Bad(&'static str),
}

impl Found {
    fn state(&self) -> SlotState {
        match self {
            Self::Valid(slot) => {
                SlotState::Valid { sequence: slot.sequence.get(), count: slot.count.get() }
            }
            Self::Version(version) => SlotState::Bad(format!("format version {version}")),
            Self::Empty => SlotState::Empty,
            Self::Bad(why) => SlotState::Bad((*why).into()),
        }
    }
}

fn read_slot(bytes: &[u8]) -> Found {
    let bytes = bytes.get(..SLOT_LEN_BYTES).unwrap_or(bytes);
    if bytes.iter().all(|&byte| byte == 0) {
        return Found::Empty;
    }
    if !bytes.starts_with(&MAGIC) {
        return Found::Bad("no magic");
    }
    let Ok((slot, _)) = SlotBytes::read_from_prefix(bytes) else {
        return Found::Bad("the file ends within it");
    };
    if crc32c(&bytes[..CRC_OFFSET]) != slot.crc.get() {
        return Found::Bad("its checksum does not hold");
    }
    if slot.version.get() != VERSION {
        return Found::Version(slot.version.get());
    }
    Found::Valid(Box::new(slot))
}

impl SlotBytes {
    /// The fields in the types of this crate. Flags and fields that contradict each other are an
    /// error, because [`Header`] cannot express them.
    fn header(&self) -> Result<Header> {
        let corrupt = |detail| Error::new(ErrorKind::Corrupt, "read header").detail(detail);
        let flags = self.incompatible.get();
        let live_log = (self.live_log.get() != 0).then_some(self.live_log.get());
        if live_log.is_some() != (flags & INCOMPATIBLE_LIVE_LOG != 0) {
            return Err(corrupt("the live log's flag and its salt contradict each other"));
        }
        let writers_flags = self.writers.get();
        if (self.annotations_len_bytes.get() != 0) != (writers_flags & WRITERS_ANNOTATED != 0) {
            return Err(corrupt("the annotations' flag and their length contradict each other"));
        }
        if self.slot_len_bytes.get() != SLOT_LEN {
            return Err(corrupt("the slot's length is not 512"));
        }
        Ok(Header {
            file_id: self.file_id,
            record_size: self.record_size.get(),
            stride: self.stride.get(),
            alignment: self.alignment.get(),
            data_offset: self.data_offset.get(),
            sequence: self.sequence.get(),
            counts: Counts {
                commit: self.commit.get(),
                records: self.count.get(),
                live: self.live_count.get(),
                free_head: Counts::free_head_of(self.free_head.get()),
            },
            live_log,
            deletes: flags & INCOMPATIBLE_DELETES != 0,
            editing: flags & INCOMPATIBLE_EDITING != 0,
            unfinished: self.compatible.get() & COMPATIBLE_UNFINISHED != 0,
            field_count: self.field_count.get(),
            schema_len_bytes: self.schema_len_bytes.get(),
            metadata_len_bytes: self.metadata_len_bytes.get(),
            schema_crc: self.schema_crc.get(),
            writers_flags: writers_flags & !WRITERS_ANNOTATED,
            annotations_len_bytes: self.annotations_len_bytes.get(),
            annotations_crc: self.annotations_crc.get(),
        })
    }
}

/// Checks that two valid slots describe the same store, and that equal sequences mean equal slots.
/// Otherwise a person or a broken disk has mixed them, and neither slot can be trusted.
fn check_agreement(a: &SlotBytes, b: &SlotBytes) -> Result<()> {
    let corrupt = |detail| {
        Error::new(ErrorKind::Corrupt, "read header")
            .detail(detail)
            .advice("restore the file from a copy")
    };
    let layout =
        |slot: &SlotBytes| (slot.record_size, slot.stride, slot.alignment, slot.data_offset);
    if a.file_id != b.file_id || layout(a) != layout(b) {
        return Err(corrupt("the header slots describe two different stores"));
    }
    if a.sequence == b.sequence && a.as_bytes() != b.as_bytes() {
        return Err(corrupt("the header slots differ under the same sequence"));
    }
    Ok(())
}

fn neither(a: &[u8], b: &[u8], report: &SlotReport) -> Error {
    if !a.starts_with(&MAGIC) && !b.starts_with(&MAGIC) {
        let detail = match (&report.a, &report.b) {
            (SlotState::Empty, SlotState::Empty) if a.is_empty() => "the file is empty",
            (SlotState::Empty, SlotState::Empty) => "both header slots are zeros",
            _ => "its first bytes are not those of a store",
        };
        return Error::new(ErrorKind::NotAStore, "read header").detail(detail);
    }
    let say = |state: &SlotState| match state {
        SlotState::Valid { .. } => "valid".to_owned(),
        SlotState::Empty => "empty".to_owned(),
        SlotState::Bad(why) => why.clone(),
    };
    Error::new(ErrorKind::Corrupt, "read header")
        .detail(format!("no header slot is valid (A: {}; B: {})", say(&report.a), say(&report.b)))
        .advice("restore the file from a copy")
}

fn unsupported(slot: Slot, detail: String) -> Error {
    Error::new(ErrorKind::UnsupportedFormat, "read header").offset(slot.offset()).detail(detail)
}
