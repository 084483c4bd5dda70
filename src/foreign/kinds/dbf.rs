//! dBASE III tables: `.dbf`.
//!
//! ```text
//! 0  version  1 date (3)  4 records (u32)  8 header bytes (u16)  10 record bytes (u16)
//! 28 flags: 1 has an index  29 code page
//! 32  fields, 32 bytes each: name (11), type, 4 bytes, width, decimals, …  0x0D
//! ```
//!
//! Each record begins with a mark: a space, or `*` for a deleted record. Its values are text.

use super::super::charset::{Charset, TABLES};
use super::super::column::{Column, Encoding, TextEnd};
use super::super::kind::ForeignKind;
use super::super::layout::{DeletedMark, ForeignLayout, Parts};
use super::super::source::{READ, Source, corrupt, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field};

/// dBASE III without and with a file of memos.
const VERSIONS: [u8; 2] = [0x03, 0x83];
const HEAD_BYTES: usize = 32;
const FIELD_BYTES: usize = 32;
const END_OF_FIELDS: u8 = 0x0D;

/// The layout of a file that begins as a table does, with fields that fill its records.
pub(super) fn detect(source: &Source) -> Result<Option<ForeignLayout>> {
    let head = source.at_most(0, HEAD_BYTES)?;
    let [version, _, 0..=12, 0..=31, ..] = head[..] else { return Ok(None) };
    if head.len() < HEAD_BYTES || !VERSIONS.contains(&version) {
        return Ok(None);
    }
    match Table::read(source) {
        Ok(table) => table.layout(None).map(Some),
        Err(error) if error.io_error().is_some() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The layout of a table; the parameter is the code page of its texts.
pub(super) fn layout(source: &Source, parameter: Option<&str>) -> Result<ForeignLayout> {
    let charset = match parameter {
        None => None,
        Some(name) => Some(Charset::named(name).ok_or_else(|| {
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            Error::new(ErrorKind::InvalidArgument, READ)
                .detail(format!("{name:?} is no code page"))
                .advice(format!("the code pages are utf8, {}", names.join(", ")))
        })?),
    };
    Table::read(source)?.layout(charset)
}

/// The header of a table.
struct Table {
    count: u32,
    header_bytes: u16,
    record_bytes: u16,
    code_page: u8,
    /// Whether a file beside it has an index of it.
    is_indexed: bool,
    fields: Vec<Described>,
}

/// A field as the header describes it.
struct Described {
    name: Vec<u8>,
    kind: u8,
    width: u16,
    decimals: u8,
    /// The place of its description.
    offset: u64,
}

impl Table {
    fn read(source: &Source) -> Result<Self> {
        let head = source.exactly(0, HEAD_BYTES, "the header")?;
        let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        if !VERSIONS.contains(&head[0]) {
            let detail = format!("version {:#04x} is not that of dBASE III (0x03, 0x83)", head[0]);
            return Err(unsupported(0, detail));
        }
        let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let (header_bytes, record_bytes) = (u16_at(8), u16_at(10));
        // The header has at most 64 KiB.
        let header = source.exactly(0, header_bytes.into(), "the header")?;
        let described = header.get(HEAD_BYTES..).unwrap_or_default();
        let mut fields = Vec::new();
        let mut is_ended = false;
        for (index, bytes) in described.chunks(FIELD_BYTES).enumerate() {
            let offset = (HEAD_BYTES + index * FIELD_BYTES) as u64;
            if bytes.first() == Some(&END_OF_FIELDS) {
                is_ended = true;
                break;
            }
            if bytes.len() < FIELD_BYTES {
                break;
            }
            let name_len = bytes[..11].iter().position(|&byte| byte == 0).unwrap_or(11);
            fields.push(Described {
                name: bytes[..name_len].to_vec(),
                kind: bytes[11],
                width: bytes[16].into(),
                decimals: bytes[17],
                offset,
            });
        }
        if !is_ended {
            return Err(corrupt(
                header_bytes.into(),
                "no end of the fields before that of the header",
            ));
        }
        let (is_indexed, code_page) = (head[28] & 1 != 0, head[29]);
        let mut table = Self { count, header_bytes, record_bytes, code_page, is_indexed, fields };
        table.check_widths()?;
        Ok(table)
    }

    /// Compares the widths with that of the record. Some programs keep the high byte of the width
    /// of a long text where numbers have their decimals.
    fn check_widths(&mut self) -> Result<()> {
        let sum =
            |fields: &[Described]| 1 + fields.iter().map(|it| u32::from(it.width)).sum::<u32>();
        let record_bytes = u32::from(self.record_bytes);
        if sum(&self.fields) != record_bytes {
            for field in self.fields.iter_mut().filter(|field| field.kind == b'C') {
                field.width |= u16::from(field.decimals) << 8;
            }
        }
        match sum(&self.fields) {
            sum if sum == record_bytes => Ok(()),
            sum => Err(corrupt(
                10,
                format!("records of {record_bytes} bytes, and fields of {sum} with the mark"),
            )),
        }
    }

    fn layout(self, charset: Option<Charset>) -> Result<ForeignLayout> {
        let charset = match charset {
            Some(charset) => charset,
            None => self.charset()?,
        };
        let (offset, stride) = (self.header_bytes.into(), self.record_bytes.into());
        let mut parts = Parts::new(ForeignKind::Dbf, offset, self.count.into(), stride);
        let mut at = 1;
        for described in &self.fields {
            let column = described.column(at, charset)?;
            at = column.end();
            parts.columns.push(column);
        }
        if self.is_indexed {
            parts.edits.sealed_by = Some("an index beside it (.mdx)");
        }
        parts.deleted = Some(DeletedMark { at: 0, live: b' ', deleted: b'*' });
        parts.facts.push(("code page", charset.name().to_owned()));
        parts.checked()
    }

    /// The code page that the header names; without one, UTF-8, which has ASCII.
    fn charset(&self) -> Result<Charset> {
        let name = match self.code_page {
            0x00 => "utf8",
            0x01 => "cp437",
            0x02 => "cp850",
            0x03 | 0x57 => "cp1252",
            0x64 => "cp852",
            0x26 | 0x65 => "cp866",
            0xC8 => "cp1250",
            0xC9 => "cp1251",
            other => {
                return Err(unsupported(29, format!("code page {other:#04x} of its texts"))
                    .advice("name the code page after the kind, such as dbf:cp1252"));
            }
        };
        Ok(Charset::named(name).unwrap_or(Charset::Utf8))
    }
}

impl Described {
    fn column(&self, at: u32, charset: Charset) -> Result<Column> {
        let name = charset.decode(&self.name).map_err(|why| corrupt(self.offset, why))?;
        let name = name.trim_end();
        let width = u32::from(self.width);
        let decimals = self.decimals;
        let text = DataType::Utf8(width.saturating_mul(charset.widest()));
        let (data_type, encoding) = match (self.kind, self.decimals) {
            (b'C', _) => (text, Encoding::Text(TextEnd::Space, charset)),
            (b'N', 0) if width <= 4 => (DataType::Int16, Encoding::Number { decimals }),
            (b'N', 0) if width <= 9 => (DataType::Int32, Encoding::Number { decimals }),
            (b'N', 0) => (DataType::Int64, Encoding::Number { decimals }),
            (b'N' | b'F', _) => (DataType::Float64, Encoding::Number { decimals }),
            (b'D', _) => (DataType::Date32, Encoding::Date),
            (b'L', _) => (DataType::Bool, Encoding::Logical),
            // The number of a block in the file of memos.
            (b'M', _) => (DataType::Int64, Encoding::Number { decimals }),
            (kind, _) => {
                let kind = char::from(kind).escape_default();
                return Err(unsupported(self.offset, format!("field {name:?} of type {kind}")));
            }
        };
        let field = Field::new(name, data_type);
        let field = if self.kind == b'C' { field } else { field.nullable() };
        Ok(Column { field, at, width, encoding })
    }
}
