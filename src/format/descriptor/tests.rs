//! Schemas survive encoding and decoding; other bytes are refused.

use proptest::prelude::*;

use super::*;
use crate::format::schema::tests::schemas;

fn header_of(schema: &Schema, metadata: &[u8]) -> (Header, Vec<u8>) {
    let (header, mut bytes) = new_header(schema, metadata, false, [7; 16]).unwrap();
    bytes.extend_from_slice(metadata);
    (header, bytes)
}

/// The schema and the metadata in these bytes.
fn parse(bytes: &[u8], header: &Header) -> Result<(Schema, Vec<u8>)> {
    let schema = parse_schema(bytes, header)?;
    Ok((schema, bytes[header.schema_len_bytes as usize..].to_vec()))
}

fn encode(schema: &Schema, metadata: &[u8]) -> Vec<u8> {
    [&encode_schema(schema).unwrap(), metadata].concat()
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
        for at in 0..bytes.len() {
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
        prop_assert_eq!(bytes.len() as u64 + DESCRIPTORS_OFFSET, header.end_of_schema());
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
        for (at, byte) in forgeries {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        header.schema_crc = crc32c(&bytes);
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
    assert_eq!(types.len(), 18);
    for data_type in types {
        let code = type_code(data_type);
        assert_eq!(type_of_code(code, data_type.size_bytes()), Some(data_type));
    }
    let codes = (0..=u8::MAX).filter(|&code| type_of_code(code, 1).is_some()).count();
    assert_eq!(codes, 18);
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
