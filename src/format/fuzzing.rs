//! The code of the fuzz targets, and the tests of their saved inputs.
//!
//! A fuzzer cannot guess checksums, nor a whole schema. So the code takes its bytes as differences
//! from a good file and corrects the checksums afterwards: without bytes the file is good, and each
//! byte damages one thing.

use super::checksum::crc32c;
use super::header::{DESCRIPTORS_OFFSET, MAGIC, SLOT_LEN_BYTES, Slot};
use super::*;
use crate::error::Result;
use crate::number::{in_memory, smaller};

/// The good file: every kind of field in few bytes.
fn good_file() -> Vec<u8> {
    let fields = [
        Field::new("id", DataType::UInt32),
        Field::new("flag", DataType::Bool).nullable(),
        Field::new("day", DataType::Date32).big_endian(),
        Field::new("at", DataType::Timestamp(TimeUnit::Nanosecond)).utc().nullable(),
        Field::new("a name that is longer than forty bytes, as some are", DataType::Utf8(3)),
        Field::new("axes", DataType::Float32).array(2).nullable(),
        Field::new("raw", DataType::Binary(2)).array(2),
    ];
    let schema = Schema::packed(fields).expect("a schema");
    let (header, region) = new_header(&schema, &b"meta"[..], false, [7; 16]).expect("a header");
    let region = [&region[..], b"meta"].concat();
    let header =
        Header { sequence: 2, counts: Counts { records: 3, live: 3, ..header.counts }, ..header };
    let end = usize::try_from(header.end_of_data().expect("an end")).expect("a small file");
    let mut file = vec![0; end];
    file[..SLOT_LEN_BYTES].copy_from_slice(&header.encode());
    let start = in_memory(DESCRIPTORS_OFFSET);
    file[start..start + region.len()].copy_from_slice(&region);
    file
}

/// A file that differs from the good one by `differences`, with correct checksums.
///
/// The first 124 bytes change slot A, the next ones descriptors, strings and metadata, the rest the
/// records.
pub fn variant(differences: &[u8]) -> Vec<u8> {
    let mut file = good_file();
    let schema_start = in_memory(DESCRIPTORS_OFFSET);
    let data_start = 65_536;
    let header =
        UnverifiedHeader::choose(&file, &[]).and_then(|(found, ..)| found.verify(u64::MAX));
    let schema_end = header.map_or(schema_start, |header| header.end_of_schema() as usize);
    let places = (0..124).chain(schema_start..schema_end).chain(data_start..file.len());
    for (place, difference) in places.zip(differences) {
        file[place] ^= difference;
    }
    file[..8].copy_from_slice(&MAGIC);
    let length_at = |at: usize| {
        u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]) as usize
    };
    let region_end = length_at(112)
        .checked_add(length_at(116))
        .and_then(|len| len.checked_add(schema_start))
        .filter(|&end| end <= file.len());
    if let Some(end) = region_end {
        let crc = crc32c(&file[schema_start..end]);
        file[120..124].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32c(&file[..508]);
    file[508..512].copy_from_slice(&crc.to_le_bytes());
    file
}

/// Reads everything in `file`: header, schema, and every field of its first record as value and as
/// text.
///
/// # Errors
/// Every error for which the file is refused.
///
/// # Panics
/// If an accepted header or schema is encoded differently.
pub fn read_file(file: &[u8]) -> Result<()> {
    let from = |offset: u64| {
        usize::try_from(offset).ok().and_then(|offset| file.get(offset..)).unwrap_or(&[])
    };
    let (found, _, _) = UnverifiedHeader::choose(file, from(Slot::B.offset()))?;
    let header = found.verify(file.len() as u64)?;
    let again = header.encode();
    let (found, _, _) = UnverifiedHeader::choose(&again, &again)?;
    assert_eq!(found.verify(file.len() as u64)?, header, "a header came back different");

    let region_len = header.end_of_schema() - DESCRIPTORS_OFFSET;
    let region = from(DESCRIPTORS_OFFSET);
    let region = &region[..smaller(region_len, region.len())];
    let schema = parse_schema(region, &header)?;
    let again = descriptor::encode_schema(&schema)?;
    let schema_len = again.len();
    assert_eq!(again, region[..schema_len], "a schema came back different");
    assert_eq!(schema_len as u64, u64::from(header.schema_len_bytes));

    let record = from(header.data_offset);
    let mut text = String::new();
    for field in schema.fields() {
        let read = field.read(record);
        text.clear();
        if field.format_text(record, &mut text).is_ok() {
            assert!(read.is_ok(), "{field}: text without a value");
        }
    }
    Ok(())
}
