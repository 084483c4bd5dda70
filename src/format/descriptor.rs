//! The schema's bytes: field descriptors of 64 bytes each, a string area for long names, and the
//! user's metadata.
//!
//! ```text
//! 8192                         one descriptor for each field, in the order of their offsets
//! 8192 + 64 * fields           string area: the long names one after the other, in that order
//! 8192 + schema length         metadata: the user's bytes
//! (the next multiple of 8)     annotations, if there are any: annotation_block.rs
//! ```
//!
//! A schema has only one encoding, and [`parse_schema`] refuses all others: a name that fits in its
//! descriptor lies there, the string area has no gaps and no other content, and unused bytes are
//! zero. So no bytes are hidden.
//!
//! The lengths are claims, and a sparse file makes large claims cheap. So everything is read in
//! pieces ([`Source`]), and only fields and names that were read take memory.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::annotation_block;
use super::annotations::RecordAnnotations;
use super::checksum::crc32c;
use super::counts::Counts;
use super::data_type::{DataType, TimeUnit};
use super::field::Field;
use super::header::{DATA_ALIGNMENT_BYTES, DESCRIPTOR_BYTES, DESCRIPTORS_OFFSET, Header};
use super::layout::stride_for;
use super::schema::{MAX_NAME_BYTES, Schema};
use super::source::{Cursor, Source, crc32c_of};
use crate::error::{Error, ErrorKind, Result};

/// The longest name that lies in the descriptor itself.
const INLINE_NAME_BYTES: usize = 40;

const FLAG_NULLABLE: u8 = 1 << 0;
const FLAG_BIG_ENDIAN: u8 = 1 << 1;
const FLAG_UTC: u8 = 1 << 2;

/// The bytes of a field descriptor.
///
/// ```text
///       0        2     3     4        8        12       16        20      24
///  0    | name   |type |flags| offset | array  | width  | name    | zeros | name, padded …
///       | length |     |     |        | length |        | offset  |       | with zeros
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct DescriptorBytes {
    name_len_bytes: U16,
    data_type: u8,
    flags: u8,
    offset: U32,
    array_len: U32,
    width_bytes: U32,
    name_offset: U32,
    zeros: [u8; 4],
    name: [u8; INLINE_NAME_BYTES],
}

const _: () = {
    assert!(size_of::<DescriptorBytes>() as u64 == DESCRIPTOR_BYTES);
    // `parse_schema` takes no more memory than it reads.
    assert!(size_of::<Field>() <= size_of::<DescriptorBytes>());
    assert!(offset_of!(DescriptorBytes, data_type) == 2);
    assert!(offset_of!(DescriptorBytes, flags) == 3);
    assert!(offset_of!(DescriptorBytes, offset) == 4);
    assert!(offset_of!(DescriptorBytes, array_len) == 8);
    assert!(offset_of!(DescriptorBytes, width_bytes) == 12);
    assert!(offset_of!(DescriptorBytes, name_offset) == 16);
    assert!(offset_of!(DescriptorBytes, zeros) == 20);
    assert!(offset_of!(DescriptorBytes, name) == 24);
};

/// The code of a type. Codes are never reused; the gaps leave room for related types.
fn type_code(data_type: DataType) -> u8 {
    match data_type {
        DataType::Bool => 1,
        DataType::Int8 => 2,
        DataType::Int16 => 3,
        DataType::Int32 => 4,
        DataType::Int64 => 5,
        DataType::UInt8 => 6,
        DataType::UInt16 => 7,
        DataType::UInt32 => 8,
        DataType::UInt64 => 9,
        DataType::Float32 => 10,
        DataType::Float64 => 11,
        DataType::Int128 => 12,
        DataType::UInt128 => 13,
        DataType::Date32 => 16,
        DataType::Timestamp(TimeUnit::Second) => 20,
        DataType::Timestamp(TimeUnit::Millisecond) => 21,
        DataType::Timestamp(TimeUnit::Microsecond) => 22,
        DataType::Timestamp(TimeUnit::Nanosecond) => 23,
        DataType::Duration(TimeUnit::Second) => 24,
        DataType::Duration(TimeUnit::Millisecond) => 25,
        DataType::Duration(TimeUnit::Microsecond) => 26,
        DataType::Duration(TimeUnit::Nanosecond) => 27,
        DataType::Utf8(_) => 32,
        DataType::Binary(_) => 33,
    }
}

/// The type with that code, for elements of `width_bytes`.
fn type_of_code(code: u8, width_bytes: u32) -> Option<DataType> {
    Some(match code {
        1 => DataType::Bool,
        2 => DataType::Int8,
        3 => DataType::Int16,
        4 => DataType::Int32,
        5 => DataType::Int64,
        6 => DataType::UInt8,
        7 => DataType::UInt16,
        8 => DataType::UInt32,
        9 => DataType::UInt64,
        10 => DataType::Float32,
        11 => DataType::Float64,
        12 => DataType::Int128,
        13 => DataType::UInt128,
        16 => DataType::Date32,
        20 => DataType::Timestamp(TimeUnit::Second),
        21 => DataType::Timestamp(TimeUnit::Millisecond),
        22 => DataType::Timestamp(TimeUnit::Microsecond),
        23 => DataType::Timestamp(TimeUnit::Nanosecond),
        24 => DataType::Duration(TimeUnit::Second),
        25 => DataType::Duration(TimeUnit::Millisecond),
        26 => DataType::Duration(TimeUnit::Microsecond),
        27 => DataType::Duration(TimeUnit::Nanosecond),
        32 => DataType::Utf8(width_bytes),
        33 => DataType::Binary(width_bytes),
        _ => return None,
    })
}

/// The bytes of `schema`, as they lie in the file at [`DESCRIPTORS_OFFSET`], before the metadata.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if the length does not fit in 32 bits.
pub(crate) fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let mut strings = Vec::new();
    let mut bytes = Vec::new();
    for field in schema.fields() {
        bytes.extend_from_slice(describe(field, &mut strings)?.as_bytes());
    }
    bytes.append(&mut strings);
    u32::try_from(bytes.len()).map_err(|_| too_large())?;
    Ok(bytes)
}

/// The descriptor of `field`; a long name goes to the end of `strings`.
fn describe(field: &Field, strings: &mut Vec<u8>) -> Result<DescriptorBytes> {
    let mut descriptor = DescriptorBytes::new_zeroed();
    let name = field.name.as_bytes();
    descriptor.name_len_bytes = u16::try_from(name.len()).map_err(|_| too_large())?.into();
    if let Some(inline) = descriptor.name.get_mut(..name.len()) {
        inline.copy_from_slice(name);
    } else {
        descriptor.name_offset = u32::try_from(strings.len()).map_err(|_| too_large())?.into();
        strings.extend_from_slice(name);
    }
    descriptor.data_type = type_code(field.data_type);
    descriptor.flags = flags(field);
    descriptor.offset = field.offset.into();
    descriptor.array_len = field.array_len.unwrap_or(0).into();
    descriptor.width_bytes = field.data_type.size_bytes().into();
    Ok(descriptor)
}

fn flags(field: &Field) -> u8 {
    [(field.nullable, FLAG_NULLABLE), (field.big_endian, FLAG_BIG_ENDIAN), (field.utc, FLAG_UTC)]
        .into_iter()
        .filter_map(|(set, flag)| set.then_some(flag))
        .fold(0, |flags, flag| flags | flag)
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidSchema, "encode schema")
        .detail("the schema and its metadata take more than 4 GiB")
}

/// The schema at the start of `source`, which begins at [`DESCRIPTORS_OFFSET`]. The metadata and
/// the annotations follow it with the lengths from `header`. All are compared with their checksums.
/// The metadata may be long and is not kept.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the checksum does not match, a descriptor is invalid, or the fields do
/// not make a schema of the header's record size; [`ErrorKind::UnsupportedFormat`] for an unknown
/// type or flag; [`ErrorKind::Io`] if the operating system reports an error.
pub(crate) fn parse_schema(source: &(impl Source + ?Sized), header: &Header) -> Result<Schema> {
    let schema_len = u64::from(header.schema_len_bytes);
    let whole = 0..schema_len + u64::from(header.metadata_len_bytes);
    let Some(crc) = crc32c_of(0, source, whole)? else {
        return Err(corrupt("the file ends within it"));
    };
    if crc != header.schema_crc {
        return Err(corrupt("its checksum does not hold").advice("restore the file from a copy"));
    }
    let strings_start = u64::from(header.field_count) * DESCRIPTOR_BYTES;
    if strings_start > schema_len {
        return Err(corrupt("more fields than descriptors"));
    }
    let mut descriptors = Cursor::new(source, 0..strings_start);
    let mut strings = Cursor::new(source, strings_start..schema_len);
    let mut fields: Vec<Field> = Vec::new();
    while descriptors.left() > 0 {
        let at = DESCRIPTORS_OFFSET + descriptors.at();
        let found = descriptors.take(size_of::<DescriptorBytes>())?;
        let found = found.and_then(|bytes| DescriptorBytes::read_from_bytes(bytes).ok());
        let Some(descriptor) = found else { return Err(corrupt("the file ends within it")) };
        let field = parse_field(&descriptor, &mut strings, strings_start)?
            .map_err(|(kind, detail)| read_error(kind).offset(at).detail(detail))?;
        if fields.last().is_some_and(|last: &Field| last.offset > field.offset) {
            return Err(corrupt("the fields are not in the order of their offsets").offset(at));
        }
        fields.push(field);
    }
    if strings.left() > 0 {
        return Err(corrupt("bytes follow the last name"));
    }
    let annotations = parse_annotations(source, header, &mut fields)?;
    Schema::new(fields, header.record_size, header.alignment)
        .and_then(|schema| schema.annotated(annotations))
        .map_err(|error| read_error(ErrorKind::Corrupt).source_error(error))
}

/// Gives the fields their annotations, and returns those of the record.
fn parse_annotations(
    source: &(impl Source + ?Sized),
    header: &Header,
    fields: &mut [Field],
) -> Result<RecordAnnotations> {
    let Some(place) = header.annotations() else { return Ok(RecordAnnotations::default()) };
    let range = place.start - DESCRIPTORS_OFFSET..place.end - DESCRIPTORS_OFFSET;
    let crc = crc32c_of(0, source, range.clone())?;
    if crc != Some(header.annotations_crc) {
        return Err(Error::new(ErrorKind::Corrupt, "read the annotations of")
            .offset(place.start)
            .detail("their checksum does not hold")
            .advice("restore the file from a copy"));
    }
    annotation_block::parse(source, range, fields).map_err(|error| error.offset(place.start))
}

/// Why a descriptor is invalid.
type Broken = (ErrorKind, String);

/// The field of `descriptor`. A long name is the next one in `strings`, the string area, which
/// begins at `strings_start`. The outer error is an I/O error.
fn parse_field(
    descriptor: &DescriptorBytes,
    strings: &mut Cursor<'_, impl Source + ?Sized>,
    strings_start: u64,
) -> Result<Result<Field, Broken>> {
    let (data_type, flags) = match parse_type(descriptor) {
        Ok(found) => found,
        Err(broken) => return Ok(Err(broken)),
    };
    let corrupt = |detail: &str| Ok(Err((ErrorKind::Corrupt, detail.to_owned())));
    let name_len = usize::from(descriptor.name_len_bytes.get());
    let name_offset = u64::from(descriptor.name_offset.get());
    let name = if name_len <= INLINE_NAME_BYTES {
        let (name, padding) = descriptor.name.split_at(name_len);
        if name_offset != 0 || padding.iter().any(|&byte| byte != 0) {
            return corrupt("a name in the descriptor with more bytes than its length");
        }
        name
    } else {
        if name_len > MAX_NAME_BYTES || descriptor.name != [0; INLINE_NAME_BYTES] {
            return corrupt("a long name that lies in two places or is too long");
        }
        let next = name_offset == strings.at() - strings_start;
        match strings.take(name_len)? {
            Some(name) if next => name,
            _ => return corrupt("a name that is not next in the string area"),
        }
    };
    let Ok(name) = std::str::from_utf8(name) else {
        return corrupt("a name that is not UTF-8");
    };
    Ok(Ok(Field {
        name: name.to_owned(),
        data_type,
        offset: descriptor.offset.get(),
        array_len: Some(descriptor.array_len.get()).filter(|&len| len != 0),
        nullable: flags & FLAG_NULLABLE != 0,
        big_endian: flags & FLAG_BIG_ENDIAN != 0,
        utc: flags & FLAG_UTC != 0,
        annotations: None,
    }))
}

/// The type in `descriptor`, and its flags.
fn parse_type(descriptor: &DescriptorBytes) -> Result<(DataType, u8), Broken> {
    let code = descriptor.data_type;
    let width_bytes = descriptor.width_bytes.get();
    let Some(data_type) = type_of_code(code, width_bytes) else {
        return Err((ErrorKind::UnsupportedFormat, format!("unknown type code {code}")));
    };
    if data_type.size_bytes() != width_bytes {
        return Err((ErrorKind::Corrupt, format!("{data_type} of {width_bytes} bytes")));
    }
    let flags = descriptor.flags;
    if flags & !(FLAG_NULLABLE | FLAG_BIG_ENDIAN | FLAG_UTC) != 0 {
        return Err((ErrorKind::UnsupportedFormat, format!("unknown field flags {flags:#x}")));
    }
    if descriptor.zeros != [0; 4] {
        let detail = "reserved bytes of a descriptor are not zero";
        return Err((ErrorKind::Corrupt, detail.to_owned()));
    }
    Ok((data_type, flags))
}

fn read_error(kind: ErrorKind) -> Error {
    Error::new(kind, "read schema")
}

fn corrupt(detail: &'static str) -> Error {
    read_error(ErrorKind::Corrupt).offset(DESCRIPTORS_OFFSET).detail(detail)
}

/// The header of a new store without records, and the bytes of its schema. The metadata follows the
/// schema.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if the schema and metadata take more than 4 GiB, if `deletes` is
/// true for records under 8 bytes, or if the status byte would make the stride exceed 16 MiB; an
/// error of reading the metadata.
pub(crate) fn new_header(
    schema: &Schema,
    metadata: &(impl Source + ?Sized),
    deletes: bool,
    file_id: [u8; 16],
) -> Result<(Header, Vec<u8>)> {
    let bytes = encode_schema(schema)?;
    let (record_size, alignment) = (schema.record_size(), schema.alignment());
    let Some(stride) = stride_for(record_size, alignment, deletes) else {
        return Err(Error::new(ErrorKind::InvalidSchema, "create").detail(format!(
            "records with deletes must have 8 bytes to just under 16 MiB, not {record_size}"
        )));
    };
    let schema_len_bytes = u32::try_from(bytes.len()).map_err(|_| too_large())?;
    let metadata_len_bytes = u32::try_from(metadata.len_bytes()).map_err(|_| too_large())?;
    schema_len_bytes.checked_add(metadata_len_bytes).ok_or_else(too_large)?;
    let schema_crc = crc32c_of(crc32c(&bytes), metadata, 0..metadata.len_bytes())?;
    let annotations = annotation_block::encode(schema)?;
    let annotations_len_bytes = u32::try_from(annotations.len()).map_err(|_| too_large())?;
    let mut header = Header {
        file_id,
        record_size,
        stride,
        alignment,
        data_offset: DATA_ALIGNMENT_BYTES,
        sequence: 1,
        counts: Counts::default(),
        live_log: None,
        deletes,
        editing: false,
        unfinished: false,
        writers_flags: 0,
        annotations_len_bytes,
        annotations_crc: crc32c(&annotations),
        field_count: u32::try_from(schema.fields().len()).map_err(|_| too_large())?,
        schema_len_bytes,
        metadata_len_bytes,
        schema_crc: schema_crc.ok_or_else(|| corrupt("the metadata to copy ends early"))?,
    };
    header.data_offset = header.end_of_description().next_multiple_of(DATA_ALIGNMENT_BYTES);
    Ok((header, bytes))
}

#[cfg(test)]
mod tests;
