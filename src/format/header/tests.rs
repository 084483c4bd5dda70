//! Valid slots survive, invalid ones are refused, and one of two is chosen.

use proptest::prelude::*;

use super::*;
use crate::format::layout::DELETES_MIN_RECORD_BYTES;

/// Headers of every kind that a store can have.
pub(in crate::format) fn headers() -> impl Strategy<Value = Header> {
    let sizes = (0..=12_u32, 1..=300_u32, any::<bool>());
    let counts = (0..=1_u64 << 40, any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let rest = (
        (any::<[u8; 16]>(), (0..1_u64 << 63, 0..1_u64 << 63), any::<bool>()),
        prop::option::of(1..=u64::MAX),
        (1..=9_u32, 0..=1_000_000_u32, any::<(u32, bool)>()),
    );
    (sizes, counts, rest).prop_map(|(sizes, counts, rest)| {
        let (alignment_log2, units, deletes) = sizes;
        let (count, live, free) = counts;
        let (
            (file_id, (sequence, commit), editing),
            live_log,
            (field_count, extra, (schema_crc, has_free)),
        ) = rest;
        let alignment = 1 << alignment_log2;
        let record_size = units * alignment;
        let deletes = deletes && record_size >= DELETES_MIN_RECORD_BYTES;
        let pick = |index: prop::sample::Index, end: u64| index.index(end as usize) as u64;
        let schema_len_bytes = field_count * 64 + extra / 2;
        let metadata_len_bytes = extra - extra / 2;
        let end_of_schema =
            DESCRIPTORS_OFFSET + u64::from(schema_len_bytes) + u64::from(metadata_len_bytes);
        Header {
            file_id,
            record_size,
            stride: stride_for(record_size, alignment, deletes).unwrap(),
            alignment,
            data_offset: end_of_schema.next_multiple_of(DATA_ALIGNMENT_BYTES),
            sequence,
            counts: Counts {
                commit,
                records: count,
                live: if deletes { pick(live, count + 1) } else { count },
                free_head: (deletes && has_free && count > 0).then(|| pick(free, count)),
            },
            live_log,
            deletes,
            editing,
            unfinished: deletes != editing,
            writers_flags: 0,
            annotations_len_bytes: 0,
            annotations_crc: 0,
            field_count,
            schema_len_bytes,
            metadata_len_bytes,
            schema_crc,
        }
    })
}

fn example() -> Header {
    Header {
        file_id: *b"0123456789abcdef",
        record_size: 125,
        stride: 125,
        alignment: 1,
        data_offset: 65_536,
        sequence: 7,
        counts: Counts { commit: 5, records: 10, live: 10, free_head: None },
        live_log: None,
        deletes: false,
        editing: false,
        unfinished: false,
        writers_flags: 0,
        annotations_len_bytes: 0,
        annotations_crc: 0,
        field_count: 2,
        schema_len_bytes: 128,
        metadata_len_bytes: 0,
        schema_crc: 0x1234_5678,
    }
}

const EXAMPLE_END: u64 = 65_536 + 1_250;
const NONE: &[u8] = &[];

/// The slot of `header` after `change`, with a matching checksum.
fn forged(header: &Header, change: impl FnOnce(&mut SlotBytes)) -> [u8; SLOT_LEN_BYTES] {
    let mut slot = SlotBytes::read_from_bytes(&header.encode()).unwrap();
    change(&mut slot);
    slot.crc = crc32c(&slot.as_bytes()[..CRC_OFFSET]).into();
    zerocopy::transmute!(slot)
}

fn open(a: &[u8], b: &[u8], file_len_bytes: u64) -> Result<Header> {
    UnverifiedHeader::choose(a, b)?.0.verify(file_len_bytes)
}

#[track_caller]
fn assert_refused(a: &[u8], b: &[u8], kind: ErrorKind, expected: &str) {
    let error = open(a, b, u64::MAX).expect_err("no header");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_changed_byte_is_found(header in headers(), change in 1..=u8::MAX) {
        let bytes = header.encode();
        for at in 0..SLOT_LEN_BYTES {
            let mut bad = bytes;
            bad[at] ^= change;
            let (_, slot, report) = UnverifiedHeader::choose(&bad, &bytes).unwrap();
            prop_assert_eq!(slot, Slot::B);
            prop_assert!(matches!(report.a, SlotState::Bad(_)), "byte {}: {:?}", at, report.a);
        }
    }
}

proptest! {
    #[test]
    fn a_header_comes_back(header in headers()) {
        let bytes = header.encode();
        let found = open(&bytes, &bytes, u64::MAX).unwrap();
        prop_assert_eq!(&found, &header);
        let end = header.end_of_data().unwrap();
        prop_assert_eq!(&open(NONE, &bytes, end).unwrap(), &header);
        prop_assert_eq!(open(&bytes, NONE, end - 1).unwrap_err().kind(), ErrorKind::Truncated);
    }

    #[test]
    fn any_bytes_are_a_header_or_an_error(
        a in prop::collection::vec(any::<u8>(), 0..600),
        b in prop::collection::vec(any::<u8>(), 0..600),
        file_len_bytes: u64,
    ) {
        prop_assert!(open(&a, &b, file_len_bytes).is_err());
    }

    /// The checksum does not protect from forged bytes.
    #[test]
    fn any_bytes_under_a_good_checksum_are_a_header_or_an_error(
        header in headers(),
        forgeries in prop::collection::vec((8..CRC_OFFSET, any::<u8>()), 1..6),
        file_len_bytes: u64,
    ) {
        let mut bytes = header.encode();
        for (at, byte) in forgeries {
            bytes[at] = byte;
        }
        let crc = crc32c(&bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        if let Ok(found) = open(&bytes, &header.encode(), file_len_bytes) {
            prop_assert!(found.end_of_data().is_some_and(|end| end <= file_len_bytes));
            prop_assert!(found.end_of_schema() <= found.data_offset);
            let again = found.encode();
            prop_assert_eq!(open(&again, &again, file_len_bytes).unwrap(), found);
        }
    }
}

#[test]
fn a_slot_has_its_bytes_in_their_places() {
    let header = Header {
        counts: Counts { live: 9, free_head: Some(3), ..example().counts },
        live_log: Some(0x0807_0605_0403_0201),
        deletes: true,
        editing: true,
        unfinished: true,
        stride: 126,
        metadata_len_bytes: 5,
        ..example()
    };
    let bytes = header.encode();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!(&bytes[..8], b"\x89FLATREC");
    assert_eq!((u32_at(8), u32_at(12), u64_at(16), u64_at(24)), (1, 512, 1, 0b111));
    assert_eq!(&bytes[32..48], b"0123456789abcdef");
    assert_eq!((u32_at(48), u32_at(52), u64_at(56)), (125, 126, 65_536));
    assert_eq!((u64_at(64), u64_at(72), u64_at(80), u64_at(88)), (7, 10, 9, 3));
    assert_eq!((u64_at(96), u32_at(104), u32_at(108)), (0x0807_0605_0403_0201, 1, 2));
    assert_eq!((u32_at(112), u32_at(116), u32_at(120)), (128, 5, 0x1234_5678));
    assert_eq!((u32_at(124), u64_at(128)), (0, 5));
    assert!(bytes[136..508].iter().all(|&byte| byte == 0));
    assert_eq!(u32_at(508), crc32c(&bytes[..508]));
    assert_eq!(example().encode()[88..96], [0xFF; 8]);
}

#[test]
fn the_higher_sequence_wins() {
    let older = example();
    let newer = Header {
        sequence: 8,
        counts: Counts { records: 20, live: 20, ..example().counts },
        ..example()
    };
    let (old, new) = (older.encode(), newer.encode());
    for (a, b, winner) in [(old, new, Slot::B), (new, old, Slot::A), (new, new, Slot::A)] {
        let (found, slot, report) = UnverifiedHeader::choose(&a, &b).unwrap();
        assert_eq!(slot, winner);
        assert_eq!(found.verify(u64::MAX).unwrap(), newer);
        let winners = if slot == Slot::A { report.a } else { report.b };
        assert_eq!(winners, SlotState::Valid { sequence: 8, count: 20 });
    }
    assert_eq!((Slot::A.offset(), Slot::A.other()), (0, Slot::B));
    assert_eq!((Slot::B.offset(), Slot::B.other()), (4096, Slot::A));
}

#[test]
fn a_slot_that_is_not_valid_yields_to_the_other() {
    let good = example().encode();
    let mut torn = Header { sequence: 8, ..example() }.encode();
    torn[300..].fill(0xEE);
    for (bad, expected) in [
        (&torn[..], SlotState::Bad("its checksum does not hold".into())),
        (&good[..100], SlotState::Bad("the file ends within it".into())),
        (&[0xAA; 512], SlotState::Bad("no magic".into())),
        (&[0; 512], SlotState::Empty),
        (NONE, SlotState::Empty),
    ] {
        let (found, slot, report) = UnverifiedHeader::choose(bad, &good).unwrap();
        assert_eq!((slot, report.a), (Slot::B, expected));
        assert_eq!(found.verify(EXAMPLE_END).unwrap(), example());
    }
}

#[test]
fn other_files_are_told_from_broken_stores() {
    let good = example().encode();
    let not = ErrorKind::NotAStore;
    assert_refused(NONE, NONE, not, "the file is empty");
    assert_refused(&[0; 4096], &[0; 512], not, "zeros");
    assert_refused(b"id,name\n1,Ada\n", NONE, not, "first bytes");
    assert_refused(&good[..99], NONE, ErrorKind::Corrupt, "A: the file ends within it; B: empty");
    assert_refused(&[0xAA; 512], &good[..511], ErrorKind::Corrupt, "A: no magic; B: the file ends");
}

#[test]
fn unknown_versions_and_flags_are_refused_by_name() {
    let good = example().encode();
    let unsupported = ErrorKind::UnsupportedFormat;
    let version = forged(&example(), |slot| slot.version = 9.into());
    assert_refused(&version, &good, unsupported, "format version 9");
    assert_refused(&good, &version, unsupported, "format version 9");
    let version = forged(&example(), |slot| slot.version = 0.into());
    assert_refused(
        &version,
        &version,
        unsupported,
        "format version 0, from before the format was frozen",
    );
    let flags = forged(&example(), |slot| {
        slot.incompatible = 0x108.into();
        slot.sequence = 8.into();
    });
    assert_refused(&good, &flags, unsupported, "flags 0x108");
    // The newer slot has dropped a feature of the older one.
    let newest = Header { sequence: 9, ..example() };
    assert_eq!(open(&newest.encode(), &flags, EXAMPLE_END).unwrap(), newest);
    let compatible = forged(&example(), |slot| slot.compatible = u64::MAX.into());
    let unfinished = Header { unfinished: true, ..example() };
    assert_eq!(open(&compatible, NONE, EXAMPLE_END).unwrap(), unfinished);
    let unknown = forged(&example(), |slot| slot.compatible = (u64::MAX << 1).into());
    assert_eq!(open(&unknown, NONE, EXAMPLE_END).unwrap(), example());
}

#[test]
fn slots_that_contradict_each_other_are_corrupt() {
    let good = example().encode();
    let stranger = Header { file_id: [0; 16], sequence: 8, ..example() }.encode();
    assert_refused(&good, &stranger, ErrorKind::Corrupt, "two different stores");
    let resized = Header { record_size: 120, stride: 120, sequence: 8, ..example() }.encode();
    assert_refused(&good, &resized, ErrorKind::Corrupt, "two different stores");
    let twin =
        Header { counts: Counts { records: 9, live: 9, ..example().counts }, ..example() }.encode();
    assert_refused(&good, &twin, ErrorKind::Corrupt, "same sequence");
}

#[test]
fn every_invariant_is_checked() {
    type Change = fn(&mut SlotBytes);
    let broken: &[(Change, &str)] = &[
        (|slot| slot.slot_len_bytes = 1024.into(), "not 512"),
        (|slot| slot.record_size = 0.into(), "record size of 0"),
        (|slot| slot.record_size = (MAX_RECORD_BYTES + 1).into(), "record size of 16777217"),
        (|slot| slot.stride = 126.into(), "stride of 126"),
        (|slot| slot.stride = 0.into(), "stride of 0"),
        (|slot| slot.alignment = 0.into(), "alignment of 0"),
        (|slot| slot.alignment = 2.into(), "alignment of 2"),
        (|slot| slot.alignment = 3.into(), "alignment of 3"),
        (|slot| slot.alignment = 8192.into(), "alignment of 8192"),
        (|slot| slot.field_count = 0.into(), "0 fields"),
        (|slot| slot.field_count = 3.into(), "3 fields in 128 bytes"),
        (|slot| slot.field_count = u32::MAX.into(), "4294967295 fields"),
        (|slot| slot.data_offset = 65_537.into(), "data at byte 65537"),
        (|slot| slot.data_offset = 0.into(), "data at byte 0"),
        (|slot| slot.metadata_len_bytes = 65_536.into(), "schema up to byte 73856"),
        (|slot| slot.metadata_len_bytes = u32::MAX.into(), "data at byte 65536"),
        (|slot| slot.annotations_len_bytes = 4.into(), "contradict"),
        (|slot| slot.writers = WRITERS_ANNOTATED.into(), "contradict"),
        (
            |slot| {
                slot.writers = WRITERS_ANNOTATED.into();
                slot.annotations_len_bytes = u32::MAX.into();
            },
            "schema up to byte 4294975615",
        ),
        (|slot| slot.live_count = 11.into(), "11 live records"),
        (|slot| slot.live_count = 9.into(), "9 live records"),
        (|slot| slot.free_head = 3.into(), "without deletes"),
        (|slot| slot.live_log = 3.into(), "contradict"),
        (|slot| slot.incompatible = INCOMPATIBLE_LIVE_LOG.into(), "contradict"),
        (|slot| slot.incompatible = INCOMPATIBLE_DELETES.into(), "stride of 125"),
    ];
    for (change, expected) in broken {
        assert_refused(&forged(&example(), change), NONE, ErrorKind::Corrupt, expected);
    }
    let many = |count: u64| {
        forged(&example(), |slot| {
            slot.count = count.into();
            slot.live_count = count.into();
        })
    };
    for count in [u64::MAX, u64::MAX / 125, i64::MAX as u64 / 125] {
        assert_refused(&many(count), NONE, ErrorKind::Corrupt, "past 2^63");
    }
    let dead = Header { deletes: true, stride: 126, ..example() };
    let beyond = forged(&dead, |slot| slot.free_head = 10.into());
    assert_refused(&beyond, NONE, ErrorKind::Corrupt, "record 10 of 10");
}

#[test]
fn a_truncated_file_says_how_much_is_left() {
    let good = example().encode();
    for (len, whole) in [(EXAMPLE_END - 1, 9), (65_536 + 250, 2), (65_536, 0), (512, 0)] {
        let error = open(&good, NONE, len).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert!(error.to_string().contains(&format!("with {whole} whole records")), "{error}");
    }
    let empty = Header { counts: Counts { records: 0, live: 0, ..example().counts }, ..example() };
    assert!(open(&empty.encode(), NONE, 65_536).is_ok());
    assert_eq!(open(&empty.encode(), NONE, 65_535).unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn deletes_take_a_status_byte_and_keep_the_alignment() {
    assert_eq!(stride_for(125, 1, false), Some(125));
    assert_eq!(stride_for(125, 1, true), Some(126));
    assert_eq!(stride_for(24, 8, true), Some(32));
    assert_eq!(stride_for(7, 1, true), None);
    assert_eq!(stride_for(8, 8, true), Some(16));
    assert_eq!(stride_for(MAX_RECORD_BYTES, 1, false), Some(MAX_RECORD_BYTES));
    assert_eq!(stride_for(MAX_RECORD_BYTES, 1, true), None);
    assert_eq!(stride_for(MAX_RECORD_BYTES - 1, 1, true), Some(MAX_RECORD_BYTES));
}

#[test]
#[should_panic(expected = "refusing to write a broken header: 11 live records")]
fn a_broken_header_is_never_written() {
    Header { counts: Counts { live: 11, ..example().counts }, ..example() }.encode();
}

#[test]
fn flags_for_writers_are_kept_by_readers_and_refused_by_writers() {
    let mut bytes = example().encode();
    bytes[136] = 4;
    let crc = crc32c(&bytes[..508]);
    bytes[508..].copy_from_slice(&crc.to_le_bytes());
    let (found, ..) = UnverifiedHeader::choose(&bytes, &[]).unwrap();
    let header = found.verify_alone().unwrap();
    assert_eq!(header.writers_flags, 4);
    let refused = header.check_writable().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UnsupportedFormat);
    assert!(refused.to_string().contains("0x4"), "{refused}");
    example().check_writable().unwrap();
}
