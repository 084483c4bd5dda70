//! Schemas survive encoding and decoding; other bytes are refused.

use proptest::prelude::*;

use super::*;
use crate::format::schema::tests::schemas;
use crate::format::{DisplayHint, Group, Variant};

fn header_of(schema: &Schema, metadata: &[u8]) -> (Header, Vec<u8>) {
    let (header, _) = new_header(schema, metadata, false, [7; 16]).unwrap();
    (header, encode(schema, metadata))
}

/// The schema and the metadata in these bytes.
fn parse(bytes: &[u8], header: &Header) -> Result<(Schema, Vec<u8>)> {
    let schema = parse_schema(bytes, header)?;
    let metadata = &bytes[header.schema_len_bytes as usize..];
    Ok((schema, metadata[..header.metadata_len_bytes as usize].to_vec()))
}

/// The bytes from the descriptors to the end of the annotations.
fn encode(schema: &Schema, metadata: &[u8]) -> Vec<u8> {
    let mut bytes = [&encode_schema(schema).unwrap(), metadata].concat();
    let annotations = annotation_block::encode(schema).unwrap();
    if !annotations.is_empty() {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(&annotations);
    }
    bytes
}

/// The places in `bytes` of the parts with a checksum.
fn summed(header: &Header) -> [std::ops::Range<usize>; 2] {
    let place = |at: u64| (at - DESCRIPTORS_OFFSET) as usize;
    let annotations = header.annotations().map_or(0..0, |it| place(it.start)..place(it.end));
    [0..place(header.end_of_schema()), annotations]
}

/// Makes the checksums those of the bytes.
fn sum(header: &mut Header, bytes: &[u8]) {
    let [schema, annotations] = summed(header);
    header.schema_crc = crc32c(&bytes[schema]);
    header.annotations_crc = crc32c(&bytes[annotations]);
}

/// Two fields: one that uses every part of a descriptor except a long name, one with a long name.
fn example() -> Schema {
    let long = "long ".repeat(10);
    let fields = vec![
        Field::new("id", DataType::Int32).array(3).nullable().big_endian(),
        Field::new(long, DataType::Timestamp(TimeUnit::Microsecond)).utc().at(16),
    ];
    Schema::new(fields, 24, 8).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_changed_byte_is_found(schema in schemas(), change in 1..=u8::MAX) {
        let (header, bytes) = header_of(&schema, b"note");
        for at in summed(&header).into_iter().flatten() {
            let mut bad = bytes.clone();
            bad[at] ^= change;
            let error = parse_schema(&bad[..], &header).unwrap_err();
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}

proptest! {
    #[test]
    fn a_schema_comes_back(
        schema in schemas(),
        metadata in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (header, bytes) = header_of(&schema, &metadata);
        prop_assert_eq!(bytes.len() as u64 + DESCRIPTORS_OFFSET, header.end_of_description());
        prop_assert_eq!(&encode(&schema, &metadata), &bytes);
        prop_assert_eq!(parse(&bytes, &header).unwrap(), (schema, metadata));
        let slot = header.encode();
        let (found, _, _) = crate::format::UnverifiedHeader::choose(&slot, &slot).unwrap();
        prop_assert_eq!(found.verify(header.data_offset).unwrap(), header);
    }

    /// Every accepted schema, even under a forged checksum, is encoded the same way again.
    #[test]
    fn any_bytes_under_a_good_checksum_are_a_schema_or_an_error(
        schema in schemas(),
        forgeries in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (mut header, mut bytes) = header_of(&schema, b"");
        let places: Vec<usize> = summed(&header).into_iter().flatten().collect();
        for (at, byte) in forgeries {
            bytes[places[at.index(places.len())]] = byte;
        }
        sum(&mut header, &bytes);
        if let Ok((found, metadata)) = parse(&bytes, &header) {
            prop_assert_eq!(encode(&found, &metadata), bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_schema_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        field_count: u32,
        metadata_len in any::<prop::sample::Index>(),
    ) {
        let (mut header, _) = header_of(&example(), b"");
        header.field_count = field_count % 8;
        header.metadata_len_bytes = metadata_len.index(bytes.len() + 1) as u32;
        header.schema_len_bytes = bytes.len() as u32 - header.metadata_len_bytes;
        header.schema_crc = crc32c(&bytes);
        if let Ok((found, metadata)) = parse(&bytes, &header) {
            prop_assert_eq!(encode(&found, &metadata), bytes);
        }
    }
}

#[test]
fn descriptors_have_their_bytes_in_their_places() {
    let (header, bytes) = header_of(&example(), b"meta");
    assert_eq!((header.schema_len_bytes, header.metadata_len_bytes), (128 + 50, 4));
    assert_eq!((header.field_count, header.data_offset), (2, 65_536));
    let first = &bytes[..64];
    assert_eq!(first[..4], [2, 0, 4, 0b011]);
    assert_eq!(first[4..24], [0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&first[24..27], b"id\0");
    let second = &bytes[64..128];
    assert_eq!(second[..4], [50, 0, 22, 0b100]);
    assert_eq!(second[4..24], [16, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(second[24..], [0; 40]);
    assert_eq!(&bytes[128..138], b"long long ");
    assert_eq!(&bytes[178..], b"meta");
}

#[test]
fn names_lie_in_the_descriptor_up_to_forty_bytes() {
    for (len, strings) in [(40, 0), (41, 41), (1024, 1024)] {
        let name = "n".repeat(len);
        let schema = Schema::packed([Field::new(name.as_str(), DataType::Bool)]).unwrap();
        let (header, bytes) = header_of(&schema, b"");
        assert_eq!(bytes.len(), 64 + strings);
        assert_eq!(parse_schema(&bytes[..], &header).unwrap().fields()[0].name(), name);
    }
}

#[test]
fn every_type_has_a_code_of_its_own() {
    let mut types = vec![DataType::Utf8(3), DataType::Binary(3)];
    types.extend((0..=31).filter_map(|code| type_of_code(code, 0)));
    assert_eq!(types.len(), 24);
    for data_type in types {
        let code = type_code(data_type);
        assert_eq!(type_of_code(code, data_type.size_bytes()), Some(data_type));
    }
    let codes = (0..=u8::MAX).filter(|&code| type_of_code(code, 1).is_some()).count();
    assert_eq!(codes, 24);
}

#[test]
fn only_one_encoding_is_accepted() {
    type Change = fn(&mut [u8]);
    use ErrorKind::{Corrupt, UnsupportedFormat};
    let broken: &[(Change, ErrorKind, &str)] = &[
        (|b| b[2] = 99, UnsupportedFormat, "type code 99"),
        (|b| b[3] = 8, UnsupportedFormat, "field flags 0x8"),
        (|b| b[3] = 4, Corrupt, "only a timestamp"),
        (|b| b[12] = 8, Corrupt, "int32 of 8 bytes"),
        (|b| b[20] = 1, Corrupt, "reserved"),
        (|b| b[0] = 1, Corrupt, "more bytes than its length"),
        (|b| b[0] = 0, Corrupt, "more bytes than its length"),
        (|b| b[25] = 0xFF, Corrupt, "not UTF-8"),
        (|b| b[25] = 0x07, Corrupt, "control character"),
        (|b| b[16] = 1, Corrupt, "more bytes than its length"),
        (|b| b[4] = 30, Corrupt, "order of their offsets"),
        (|b| b[4] = 10, Corrupt, "overlaps"),
        (|b| b[8] = 4, Corrupt, "overlaps"),
        (|b| b[8..12].fill(0xFF), Corrupt, "past the record's"),
        (|b| b[64 + 4] = 20, Corrupt, "past the record's"),
        (|b| b[64 + 16] = 1, Corrupt, "not next in the string area"),
        (|b| b[64 + 24] = 1, Corrupt, "two places"),
        (|b| b[64] = 51, Corrupt, "not next in the string area"),
        (|b| b[64] = 49, Corrupt, "bytes follow the last name"),
        (|b| b[65] = 5, Corrupt, "too long"),
        (|b| b[64 + 16..64 + 20].fill(0xFF), Corrupt, "not next in the string area"),
    ];
    for (change, kind, expected) in broken {
        let (mut header, mut bytes) = header_of(&example(), b"");
        change(&mut bytes);
        header.schema_crc = crc32c(&bytes);
        let error = parse_schema(&bytes[..], &header).expect_err(expected);
        assert_eq!(error.kind(), *kind, "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

/// A schema with an annotation of each kind.
fn annotated() -> Schema {
    let fields = [
        Field::new("side", DataType::Int8)
            .with_variants([Variant::new(-1, "Sell"), Variant::new(1, "Buy")]),
        Field::new("p.m", DataType::Float32).with_shape([3, 2]),
        Field::new("p.id", DataType::Binary(16)).with_display(DisplayHint::Uuid),
        Field::new("price", DataType::Int64).with_scale(-2).with_null_words(["NA", ""]),
        Field::new("at", DataType::Timestamp(TimeUnit::Second)).with_epoch(TimeUnit::Nanosecond),
    ];
    let schema = Schema::packed(fields).unwrap().with_null_words(["-"]).unwrap();
    schema.with_groups([Group::new("p", 1..3)]).unwrap()
}

/// The block of [`annotated`], an entry a line.
const BLOCK: &[&[u8]] = &[
    b"\x01\0\0\0\0\0\0\0\x1b\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x04\0Sell\
      \x01\0\0\0\0\0\0\0\x03\0Buy\0",
    b"\x02\0\0\0\x01\0\0\0\x08\0\0\0\x03\0\0\0\x02\0\0\0",
    b"\x07\0\0\0\x01\0\0\0\x09\0\0\0\x02\0\0\0\0\0\0\0p\0\0\0",
    b"\x03\0\0\0\x02\0\0\0\x04\0\0\0uuid",
    b"\x04\0\0\0\x03\0\0\0\x04\0\0\0\xfe\xff\xff\xff",
    b"\x06\0\0\0\x03\0\0\0\x06\0\0\0\x02\0NA\0\0\0\0",
    b"\x05\0\0\0\x04\0\0\0\x01\0\0\0\x03\0\0\0",
    b"\x06\0\0\0\xff\xff\xff\xff\x03\0\0\0\x01\0-\0",
];

#[test]
fn annotations_have_their_bytes_in_their_places() {
    let (header, bytes) = header_of(&annotated(), b"meta");
    let place = header.annotations().unwrap();
    assert_eq!(place.start, 8192 + 5 * 64 + 8, "behind the metadata, at a multiple of 8");
    assert_eq!(bytes[(place.start - DESCRIPTORS_OFFSET) as usize..], BLOCK.concat());
    assert_eq!(u64::from(header.annotations_len_bytes), place.end - place.start);
    let slot = header.encode();
    assert_eq!((slot[136], &slot[144..148]), (1, &header.annotations_len_bytes.to_le_bytes()[..]));
    let plain = header_of(&example(), b"meta").0.encode();
    assert_eq!((plain[136], &plain[144..508]), (0, &[0; 364][..]), "nothing without annotations");
}

#[test]
fn only_one_encoding_of_annotations_is_accepted() {
    let block = |order: &[usize]| order.iter().map(|&at| BLOCK[at]).collect::<Vec<_>>().concat();
    let all = block(&[0, 1, 2, 3, 4, 5, 6, 7]);
    let changed = |at: usize, to: &[u8]| {
        let mut block = all.clone();
        block[at..at + to.len()].copy_from_slice(to);
        block
    };
    let second = BLOCK[0].len();
    let broken: [(Vec<u8>, &str); 19] = [
        (block(&[1, 0]), "in disorder"),
        (block(&[0, 0]), "in disorder"),
        (block(&[5, 4]), "in disorder"),
        (block(&[0])[..20].to_vec(), "ends within its content"),
        (block(&[0])[..7].to_vec(), "ends within an entry"),
        ([&block(&[0])[..], &[0; 12]].concat(), "bytes that no entry has"),
        (changed(2, &[1]), "bytes that no entry has"),
        (changed(4, &[3]), "in disorder"),
        (changed(second + 4, &[9]), "past the last"),
        (changed(second - 1, &[1]), "no zeros follow"),
        (changed(second + 8, &[9]), "ends within its content"),
        (changed(second + 8, &[0]), "an entry is empty"),
        (changed(second + 12, &[4]), "do not make 6 elements"),
        (changed(22, &[0xFF]), "not UTF-8"),
        (changed(13, &[2]), "does not fit in int8"),
        (changed(12, &[1, 0, 0, 0, 0, 0, 0, 0]), "the value 1"),
        (changed(all.len() - 16, &[1]), "an entry of a field is of the record"),
        (changed(all.len() - 16, &[7]), "in disorder"),
        (changed(all.len() - BLOCK[7].len() - 4, &[4]), "an unknown unit"),
    ];
    for (block, expected) in broken {
        let (mut header, mut bytes) = header_of(&annotated(), b"");
        let start = summed(&header)[1].start;
        bytes.truncate(start);
        bytes.extend_from_slice(&block);
        header.annotations_len_bytes = block.len() as u32;
        sum(&mut header, &bytes);
        let error = parse_schema(&bytes[..], &header).expect_err(expected);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_header_says_how_many_bytes_there_are() {
    let (header, bytes) = header_of(&example(), b"meta");
    for wrong in [&bytes[..bytes.len() - 1], &[]] {
        let error = parse_schema(wrong, &header).unwrap_err();
        assert_eq!((error.kind(), error.file_offset()), (ErrorKind::Corrupt, Some(8192)));
    }
    let error = parse_schema(&bytes[..], &Header { field_count: 3, ..header }).unwrap_err();
    assert!(error.to_string().contains("more fields than descriptors"), "{error}");
}

#[test]
fn a_large_schema_moves_the_data() {
    let fields = (0..1000).map(|number| Field::new(format!("field {number}"), DataType::UInt8));
    let schema = Schema::packed(fields).unwrap();
    let (header, _) = header_of(&schema, &[1; 59_000]);
    assert_eq!(header.end_of_schema(), 8192 + 64_000 + 59_000);
    assert_eq!(header.data_offset, 131_072 + 65_536);
    assert_eq!(header_of(&schema, &[1; 58_880]).0.data_offset, 131_072);
}

#[test]
fn deletes_need_records_of_eight_bytes() {
    let schema = |len| Schema::packed([Field::new("data", DataType::Binary(len))]).unwrap();
    let create =
        |len| new_header(&schema(len), &b""[..], true, [0; 16]).map(|(header, _)| header.stride);
    assert_eq!(create(8).unwrap(), 9);
    for len in [7, crate::format::MAX_RECORD_BYTES] {
        assert_eq!(create(len).unwrap_err().kind(), ErrorKind::InvalidSchema);
    }
}
