//! Layout files: JSON that describes a foreign file.

use serde_json::{Map, Value};

use super::charset::Charset;
use super::column::{Column, Encoding, TextEnd};
use super::kind::ForeignKind;
use super::layout::{ForeignLayout, Guard, Parts, count_to_end};
use super::source::{Source, corrupt};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::field_from_json;
use crate::format::{DataType, Field, MAX_RECORD_BYTES};

/// The keys of a layout.
const KEYS: [&str; 8] =
    ["kind", "offset", "count", "stride", "endian", "c_struct", "header_lines", "fields"];
/// The keys of a field that its schema does not have.
const OWN_KEYS: [&str; 4] = ["offset", "width", "endian", "pad"];
/// The longest line of a file of text, with its end.
const LINE_BYTES_MAX: usize = MAX_RECORD_BYTES as usize;
/// How many bytes of a file are read at a time to find the ends of lines.
const PIECE_BYTES: usize = 64 << 10;

/// A layout file that was read, before it is compared with its file.
#[derive(Debug)]
pub(super) struct Described {
    kind: ForeignKind,
    offset: u64,
    count: Option<u64>,
    stride: Option<u64>,
    header_lines: u64,
    /// The end of the last field, with padding if it is a struct of C.
    end: u64,
    columns: Vec<Column>,
}

/// Reads a layout file.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if it is not JSON, or not a layout.
pub(super) fn parse(json: &str) -> Result<Described> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| invalid(format!("not JSON: {error}")))?;
    let map = object(&value, "the layout", &KEYS)?;
    let kind = match text(map, "kind")? {
        None | Some("binary") => ForeignKind::Binary,
        Some("text") => ForeignKind::Text,
        Some(other) => {
            return Err(invalid(format!("\"kind\" is {other:?}, not \"binary\" or \"text\"")));
        }
    };
    let is_text = kind == ForeignKind::Text;
    let of_other_kind: &[&str] = if is_text { &["endian", "c_struct"] } else { &["header_lines"] };
    if let Some(key) = of_other_kind.iter().find(|key| map.contains_key(**key)) {
        return Err(invalid(format!("{key:?} has no meaning in a layout of kind {kind}")));
    }
    let is_struct = flag(map, "c_struct")?;
    let is_big = byte_order(map, "the layout")?.unwrap_or(false);
    let Some(Value::Array(values)) = map.get("fields") else {
        return Err(invalid("\"fields\" is missing, or not an array"));
    };
    let mut places = Places { is_struct, next: Some(0), alignment: 1 };
    let mut columns = Vec::new();
    for value in values {
        columns.push(match is_text {
            true => text_column(value, &mut places)?,
            false => binary_column(value, is_big, &mut places)?,
        });
    }
    let end = columns.iter().map(Column::end).max().unwrap_or(0);
    let end = if is_struct { end.next_multiple_of(places.alignment) } else { end };
    Ok(Described {
        kind,
        offset: number(map, "offset")?.unwrap_or(0),
        count: number(map, "count")?,
        stride: number(map, "stride")?,
        header_lines: number(map, "header_lines")?.unwrap_or(0),
        end: end.into(),
        columns,
    })
}

/// The places of fields that follow one another.
struct Places {
    is_struct: bool,
    /// `None` after a field that ends past the largest record.
    next: Option<u32>,
    /// The largest alignment of a field.
    alignment: u32,
}

impl Places {
    /// The place of the next field, which has `width` bytes: the given one, or the next.
    fn take(&mut self, given: Option<u64>, width: u32, alignment: u32) -> Result<u32> {
        let too_large = || invalid(format!("a record of more than {MAX_RECORD_BYTES} bytes"));
        let alignment = if self.is_struct { alignment.max(1) } else { 1 };
        self.alignment = self.alignment.max(alignment);
        let at = match given {
            Some(at) => u32::try_from(at).ok(),
            None => self.next.and_then(|next| next.checked_next_multiple_of(alignment)),
        };
        let at = at.filter(|&at| at <= MAX_RECORD_BYTES).ok_or_else(too_large)?;
        self.next = at.checked_add(width);
        Ok(at)
    }
}

/// A field as its schema describes it, and the members that only a layout has.
fn field(value: &Value) -> Result<(Field, &Map<String, Value>)> {
    let Value::Object(map) = value else {
        return Err(invalid(format!("a field is not an object: {value}")));
    };
    let mut of_schema = map.clone();
    OWN_KEYS.iter().for_each(|key| drop(of_schema.remove(*key)));
    if of_schema.contains_key("padding") {
        return Err(invalid("a field of a layout has an \"offset\" and no \"padding\""));
    }
    Ok((field_from_json(&Value::Object(of_schema))?, map))
}

fn binary_column(value: &Value, is_big: bool, places: &mut Places) -> Result<Column> {
    let (mut field, map) = field(value)?;
    if map.contains_key("width") {
        return Err(invalid(format!("field {:?}: its type says how wide it is", field.name())));
    }
    let is_big = byte_order(map, field.name())?.unwrap_or(is_big);
    let is_text = matches!(field.data_type(), DataType::Utf8(_));
    let encoding = match (text(map, "pad")?, is_text) {
        (None | Some("nul"), true) => Encoding::Text(TextEnd::Nul, Charset::Utf8),
        (Some("space"), true) => Encoding::Text(TextEnd::Space, Charset::Utf8),
        (Some("zeros"), true) | (None, false) => Encoding::Plain,
        (Some(pad), true) => {
            return Err(invalid(format!(
                "field {:?}: \"pad\" is {pad:?}, not \"nul\", \"space\" or \"zeros\"",
                field.name()
            )));
        }
        (Some(_), false) => {
            return Err(invalid(format!("field {:?}: only text has a \"pad\"", field.name())));
        }
    };
    if encoding != Encoding::Plain && field.is_nullable() {
        return Err(invalid(format!(
            "field {:?}: text has a presence byte only with \"pad\": \"zeros\"",
            field.name()
        )));
    }
    let has_order = field.data_type().size_bytes() > 1 && !is_text;
    if is_big && has_order && !matches!(field.data_type(), DataType::Binary(_)) {
        field = field.big_endian();
    }
    let width = field.size_bytes();
    let at = places.take(number(map, "offset")?, width, field.natural_alignment())?;
    Ok(Column { field, at, width, encoding })
}

fn text_column(value: &Value, places: &mut Places) -> Result<Column> {
    let (field, map) = field(value)?;
    for key in ["endian", "pad", "big_endian"] {
        if map.contains_key(key) {
            return Err(invalid(format!("field {:?}: text has no {key:?}", field.name())));
        }
    }
    let width = match (number(map, "width")?, field.data_type()) {
        (Some(width), _) => u32::try_from(width).unwrap_or(u32::MAX),
        (None, DataType::Utf8(len)) => len,
        (None, _) => {
            return Err(invalid(format!("field {:?} needs a \"width\"", field.name())));
        }
    };
    let at = places.take(number(map, "offset")?, width, 1)?;
    Ok(Column { field, at, width, encoding: Encoding::Parsed })
}

impl Described {
    /// The layout of this file.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file does not have such records.
    pub(super) fn layout_of(self, source: &Source) -> Result<ForeignLayout> {
        if self.kind == ForeignKind::Text {
            return self.lines_of(source);
        }
        let stride = self.stride.unwrap_or(self.end);
        let count = match self.count {
            Some(count) => count,
            None => count_to_end(source.len_bytes(), self.offset, stride)?,
        };
        let mut parts = Parts::new(self.kind, self.offset, count, stride);
        parts.columns = self.columns;
        parts.checked()
    }

    fn lines_of(self, source: &Source) -> Result<ForeignLayout> {
        let mut offset = self.offset;
        for _ in 0..self.header_lines {
            match end_of_line(source, offset)? {
                Some((_, next)) => offset = next,
                None => return Err(corrupt(offset, "the file ends within its header lines")),
            }
        }
        let (line, next) = match end_of_line(source, offset)? {
            Some(found) => found,
            // One line without an end, or no line.
            None => (source.len_bytes().max(offset), source.len_bytes().max(offset)),
        };
        let ending: &[u8] = match next - line {
            2 => b"\r\n",
            _ => b"\n",
        };
        let len_bytes = match line - offset {
            0 => self.end, // an empty file: the fields say how long its lines would be
            len_bytes => len_bytes,
        };
        let stride = self.stride.unwrap_or(len_bytes + ending.len() as u64);
        // The last line may have no end.
        let rest = source.len_bytes().saturating_sub(offset) % stride.max(1);
        let missing = stride.saturating_sub(rest);
        let tail_bytes = if rest > 0 && missing <= ending.len() as u64 { missing } else { 0 };
        let count = match self.count {
            Some(count) => count,
            None => count_to_end(source.len_bytes() + tail_bytes, offset, stride)?,
        };
        let mut parts = Parts::new(self.kind, offset, count, stride);
        let end_at = stride.checked_sub(ending.len() as u64).filter(|&at| at >= self.end);
        let end_at = end_at.and_then(|at| u32::try_from(at).ok()).ok_or_else(|| {
            let (needed, had) = (self.end, stride.saturating_sub(ending.len() as u64));
            corrupt(offset, format!("the fields need lines of {needed} bytes, not {had}"))
        })?;
        parts.guard = Some(Guard {
            at: end_at,
            bytes: ending.to_vec(),
            ends_line: true,
            otherwise: "the line does not end where the first one does",
        });
        // `missing` is at most the length of an ending.
        parts.tail_bytes = tail_bytes as u32;
        parts.columns = self.columns;
        parts.checked()
    }
}

/// The end of the line that begins at `offset`, and the start of the next; `None` without an end.
fn end_of_line(source: &Source, offset: u64) -> Result<Option<(u64, u64)>> {
    let mut at = offset;
    let mut ends_in_return = false;
    while at - offset <= LINE_BYTES_MAX as u64 {
        let bytes = source.at_most(at, PIECE_BYTES)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let before = match end {
                0 => ends_in_return,
                end => bytes[end - 1] == b'\r',
            };
            let end = at + end as u64;
            return Ok(Some((end - u64::from(before), end + 1)));
        }
        ends_in_return = bytes.last() == Some(&b'\r');
        at += bytes.len() as u64;
    }
    Err(corrupt(offset, format!("a line of more than {LINE_BYTES_MAX} bytes")))
}

fn object<'v>(value: &'v Value, what: &str, known: &[&str]) -> Result<&'v Map<String, Value>> {
    let Value::Object(map) = value else {
        return Err(invalid(format!("{what} is not an object: {value}")));
    };
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(map),
        Some(key) => Err(invalid(format!("{what} has the unknown key {key:?}"))
            .advice(format!("the keys are {}", known.join(", ")))),
    }
}

fn text<'m>(map: &'m Map<String, Value>, key: &str) -> Result<Option<&'m str>> {
    match map.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => Err(invalid(format!("{key:?} is not a text: {value}"))),
    }
}

fn number(map: &Map<String, Value>, key: &str) -> Result<Option<u64>> {
    let Some(value) = map.get(key) else { return Ok(None) };
    let found = value.as_u64().map(Some);
    found.ok_or_else(|| invalid(format!("{key:?} is not a number of bytes or records: {value}")))
}

fn flag(map: &Map<String, Value>, key: &str) -> Result<bool> {
    match map.get(key) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(value) => Err(invalid(format!("{key:?} is neither true nor false: {value}"))),
    }
}

/// Whether the order of bytes is given, and big-endian.
fn byte_order(map: &Map<String, Value>, of: &str) -> Result<Option<bool>> {
    match text(map, "endian")? {
        None => Ok(None),
        Some("little") => Ok(Some(false)),
        Some("big") => Ok(Some(true)),
        Some(other) => {
            Err(invalid(format!("\"endian\" of {of} is {other:?}, not \"little\" or \"big\"")))
        }
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSchema, "read the layout file").detail(detail.into())
}
