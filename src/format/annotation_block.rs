//! The annotation block: what descriptors have no room for, behind the user's metadata.
//!
//! ```text
//!       0       2       4        8        12
//!  0    | kind  | zeros | field  | length | content, and zeros up to a multiple of 4
//! ```
//!
//! The entries are in the order of their fields, and of their kinds in each field. A schema has
//! only one encoding, and [`parse`] refuses others. Entries of unknown kinds are kept as they are,
//! so that copies have them. Only what was read takes memory: see `source`.

use std::mem::size_of;
use std::ops::Range;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::annotations::{Annotations, DisplayHint, Group, RecordAnnotations, Unknown, Variant};
use super::data_type::{DataType, TimeUnit};
use super::field::Field;
use super::schema::Schema;
use super::source::{Cursor, Source};
use crate::error::{Error, ErrorKind, Result};

const VARIANTS: u16 = 1;
const SHAPE: u16 = 2;
const DISPLAY: u16 = 3;
const SCALE: u16 = 4;
const EPOCH: u16 = 5;
const NULL_WORDS: u16 = 6;
const GROUP: u16 = 7;

/// The number that stands for the record as a whole, instead of a field's.
const RECORD: u32 = u32::MAX;

/// Entries begin at multiples of this.
const ENTRY_ALIGNMENT_BYTES: usize = 4;

/// The bytes before an entry's content.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EntryBytes {
    kind: U16,
    zeros: [u8; 2],
    field: U32,
    len_bytes: U32,
}

/// The block of `schema`; empty if it has no annotations.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if a length does not fit in 32 bits.
pub(crate) fn encode(schema: &Schema) -> Result<Vec<u8>> {
    let mut block = Vec::new();
    // In the order of their first fields.
    let mut groups = &schema.annotations.groups[..];
    for (number, field) in (0..).zip(schema.fields()) {
        let mut entries = field.annotations.as_deref().map(entries_of).unwrap_or_default();
        while let Some((group, rest)) = groups.split_first().filter(|(it, _)| it.first == number) {
            entries.push((GROUP, group_content(group)));
            groups = rest;
        }
        // The sort keeps the order of groups.
        entries.sort_by_key(|&(kind, _)| kind);
        put_entries(number, entries, &mut block)?;
    }
    let RecordAnnotations { null_words, groups: _, unknown } = &schema.annotations;
    let mut entries = texts_entry(null_words);
    entries.extend(unknown.iter().map(|it| (it.kind, it.content.clone())));
    entries.sort_by_key(|&(kind, _)| kind);
    put_entries(RECORD, entries, &mut block)?;
    Ok(block)
}

fn put_entries(field: u32, entries: Vec<(u16, Vec<u8>)>, block: &mut Vec<u8>) -> Result<()> {
    for (kind, content) in entries {
        let len = u32::try_from(content.len()).map_err(|_| {
            Error::new(ErrorKind::InvalidSchema, "encode schema")
                .detail("an annotation takes more than 4 GiB")
        })?;
        let entry = EntryBytes {
            kind: kind.into(),
            zeros: [0; 2],
            field: field.into(),
            len_bytes: len.into(),
        };
        block.extend_from_slice(entry.as_bytes());
        block.extend_from_slice(&content);
        block.resize(block.len().next_multiple_of(ENTRY_ALIGNMENT_BYTES), 0);
    }
    Ok(())
}

/// The kinds and contents of a field's annotations, except groups.
fn entries_of(annotations: &Annotations) -> Vec<(u16, Vec<u8>)> {
    let Annotations { variants, shape, display, scale, epoch, null_words, unknown } = annotations;
    let mut entries = texts_entry(null_words);
    if !variants.is_empty() {
        let mut content = Vec::new();
        for variant in variants {
            content.extend_from_slice(&(variant.value() as u64).to_le_bytes());
            put_text(variant.name(), &mut content);
        }
        entries.push((VARIANTS, content));
    }
    if !shape.is_empty() {
        entries.push((SHAPE, shape.iter().flat_map(|len| len.to_le_bytes()).collect()));
    }
    entries.extend(display.map(|display| (DISPLAY, display.name().into())));
    entries.extend(scale.map(|scale| (SCALE, scale.to_le_bytes().into())));
    entries.extend(epoch.map(|unit| (EPOCH, vec![unit_code(unit)])));
    entries.extend(unknown.iter().map(|it| (it.kind, it.content.clone())));
    entries
}

fn texts_entry(texts: &[String]) -> Vec<(u16, Vec<u8>)> {
    let mut content = Vec::new();
    texts.iter().for_each(|text| put_text(text, &mut content));
    if texts.is_empty() { Vec::new() } else { vec![(NULL_WORDS, content)] }
}

/// Puts a text of at most 65535 bytes, as every text of a checked schema.
fn put_text(text: &str, content: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).expect("checked with the schema");
    content.extend_from_slice(&len.to_le_bytes());
    content.extend_from_slice(text.as_bytes());
}

fn group_content(group: &Group) -> Vec<u8> {
    let numbers = [group.fields, group.array_len.unwrap_or(0)];
    let mut content: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    content.extend_from_slice(group.name.as_bytes());
    content
}

fn unit_code(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// Reads the block at `range` of `source`, gives the fields their annotations, and returns those of
/// the record. The caller has compared the block with its checksum, and checks that the annotations
/// fit the fields.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the block breaks a rule; [`ErrorKind::Io`] if the operating system
/// reports an error.
pub(super) fn parse(
    source: &(impl Source + ?Sized),
    range: Range<u64>,
    fields: &mut [Field],
) -> Result<RecordAnnotations> {
    let mut cursor = Cursor::new(source, range);
    let mut of_record = RecordAnnotations::default();
    let mut last = None;
    while cursor.left() > 0 {
        let Some(entry) = cursor.take(size_of::<EntryBytes>())?.and_then(entry) else {
            return Err(corrupt("it ends within an entry"));
        };
        let (kind, number) = (entry.kind.get(), entry.field.get());
        if kind == 0 || entry.zeros != [0; 2] {
            return Err(corrupt("an entry begins with bytes that no entry has"));
        }
        let follows = last
            .is_none_or(|last| last < (number, kind) || last == (number, kind) && kind == GROUP);
        if !follows || number == RECORD && kind == GROUP {
            return Err(corrupt("its entries are in disorder"));
        }
        last = Some((number, kind));
        let mut content = Content { cursor: &mut cursor, left: u64::from(entry.len_bytes.get()) };
        if number == RECORD {
            record_entry(kind, &mut content, &mut of_record)?;
        } else {
            let field = usize::try_from(number).ok().and_then(|number| fields.get_mut(number));
            let field = field.ok_or_else(|| corrupt("an entry is of a field past the last"))?;
            if kind == GROUP {
                of_record.groups.push(group(number, &mut content)?);
            } else {
                field_entry(kind, &mut content, field)?;
            }
        }
        if content.left > 0 {
            return Err(corrupt("bytes follow the content of an entry"));
        }
        let padding = u64::from(entry.len_bytes.get()).wrapping_neg() % 4;
        let zeros = cursor.take(crate::number::in_memory(padding))?;
        if zeros.is_none_or(|zeros| zeros.iter().any(|&byte| byte != 0)) {
            return Err(corrupt("no zeros follow an entry"));
        }
    }
    Ok(of_record)
}

fn entry(bytes: &[u8]) -> Option<EntryBytes> {
    EntryBytes::read_from_bytes(bytes).ok()
}

fn corrupt(detail: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "read the annotations of").detail(detail)
}

/// The content of an entry.
struct Content<'c, 's, S: Source + ?Sized> {
    cursor: &'c mut Cursor<'s, S>,
    left: u64,
}

impl<S: Source + ?Sized> Content<'_, '_, S> {
    fn take(&mut self, len: usize) -> Result<&[u8]> {
        let short = || corrupt("an entry ends within its content");
        self.left = self.left.checked_sub(len as u64).ok_or_else(short)?;
        self.cursor.take(len)?.ok_or_else(short)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    fn u32(&mut self) -> Result<u32> {
        self.number().map(u32::from_le_bytes)
    }

    /// A text with its length before it.
    fn text(&mut self) -> Result<String> {
        let len = u16::from_le_bytes(self.number()?);
        utf8(self.take(usize::from(len))?.to_vec())
    }

    /// The bytes that are left.
    fn rest(&mut self) -> Result<Vec<u8>> {
        const PIECE_BYTES: u64 = 4096;
        let mut rest = Vec::new();
        while self.left > 0 {
            let len = crate::number::in_memory(self.left.min(PIECE_BYTES));
            rest.extend_from_slice(self.take(len)?);
        }
        Ok(rest)
    }

    /// What `each` reads, again and again up to the end.
    fn all<T>(&mut self, mut each: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while self.left > 0 {
            all.push(each(self)?);
        }
        if all.is_empty() {
            return Err(corrupt("an entry is empty"));
        }
        Ok(all)
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| corrupt("a text is not UTF-8"))
}

fn record_entry<S: Source + ?Sized>(
    kind: u16,
    content: &mut Content<'_, '_, S>,
    of_record: &mut RecordAnnotations,
) -> Result<()> {
    match kind {
        NULL_WORDS => of_record.null_words = content.all(Content::text)?,
        VARIANTS..=EPOCH => return Err(corrupt("an entry of a field is of the record")),
        _ => of_record.unknown.push(Unknown { kind, content: content.rest()? }),
    }
    Ok(())
}

fn field_entry<S: Source + ?Sized>(
    kind: u16,
    content: &mut Content<'_, '_, S>,
    field: &mut Field,
) -> Result<()> {
    let data_type = field.data_type;
    let mut annotations = field.annotations.take().unwrap_or_default();
    match kind {
        VARIANTS => {
            annotations.variants = content.all(|content| {
                let value = value_of(data_type, u64::from_le_bytes(content.number()?));
                Ok(Variant::new(value, content.text()?))
            })?;
        }
        SHAPE => annotations.shape = content.all(Content::u32)?,
        SCALE => annotations.scale = Some(i32::from_le_bytes(content.number()?)),
        EPOCH => {
            let [code] = content.number()?;
            let unit = TimeUnit::ALL.into_iter().find(|&unit| unit_code(unit) == code);
            annotations.epoch = Some(unit.ok_or_else(|| corrupt("an epoch of an unknown unit"))?);
        }
        NULL_WORDS => annotations.null_words = content.all(Content::text)?,
        _ => {
            let rest = content.rest()?;
            let known = match std::str::from_utf8(&rest) {
                Ok(name) if kind == DISPLAY => DisplayHint::named(name),
                _ => None,
            };
            match known {
                Some(display) => annotations.display = Some(display),
                None => annotations.unknown.push(Unknown { kind, content: rest }),
            }
        }
    }
    field.annotations = Some(annotations);
    Ok(())
}

/// A variant's value from its 64 bits: signed in a signed field.
fn value_of(data_type: DataType, bits: u64) -> i128 {
    match data_type.integer_range() {
        Some((least, _)) if least < 0 => i128::from(bits as i64),
        _ => i128::from(bits),
    }
}

fn group<S: Source + ?Sized>(first: u32, content: &mut Content<'_, '_, S>) -> Result<Group> {
    let (fields, array_len) = (content.u32()?, content.u32()?);
    let name = utf8(content.rest()?)?;
    Ok(Group { name, first, fields, array_len: Some(array_len).filter(|&len| len != 0) })
}
