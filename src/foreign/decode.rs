//! Makes records of flatrec's types of the bytes of a foreign record.

use super::charset::Charset;
use super::column::{Column, Encoding, TextEnd};
use super::layout::{DeletedMark, ForeignLayout, Guard};
use super::values;
use crate::error::{Error, ErrorKind, quoted};
use crate::format::{DataType, Field, Value};
use crate::number::len_of;

/// The status byte after a record, as in stores with deletes.
const STATUS_LIVE: u8 = 1;
pub(super) const STATUS_DEAD: u8 = 2;

/// Decodes the records of one layout.
#[derive(Debug)]
pub(super) struct Decoder {
    steps: Vec<Step>,
    deleted: Option<DeletedMark>,
    record_size: usize,
}

/// Why a record does not have the layout of its file.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: ErrorKind,
    /// The place in the record.
    pub(super) at: u32,
    pub(super) detail: String,
    /// The name of the field, and its bytes as text.
    pub(super) value: Option<(String, String)>,
}

impl Fault {
    /// The error of `operation` for the record `id`, which begins at byte `offset` of its file.
    pub(super) fn error(self, operation: &'static str, id: u64, offset: u64) -> Error {
        let at = offset.saturating_add(self.at.into());
        let error = Error::new(self.kind, operation).record(id).offset(at).detail(self.detail);
        match self.value {
            Some((field, value)) => error.field(&field).value(&value),
            None => error,
        }
    }
}

/// A column, and the field that it fills.
#[derive(Debug)]
struct Step {
    column: Column,
    field: Field,
}

impl Decoder {
    /// The decoder of a layout that has one.
    pub(super) fn new(layout: &ForeignLayout) -> Option<Self> {
        if !layout.decodes {
            return None;
        }
        // A packed schema keeps the order of the columns.
        let fields = layout.schema().fields().iter().cloned();
        let columns = layout.columns().iter().cloned();
        let steps = columns.zip(fields).map(|(column, field)| Step { column, field }).collect();
        let record_size = len_of(layout.schema().record_size());
        Some(Self { steps, deleted: layout.deleted, record_size })
    }

    /// Makes the record in `from` one in `into`, with its status byte if the file marks deleted
    /// records.
    ///
    /// # Errors
    /// The first value that does not decode.
    pub(super) fn decode(&self, from: &[u8], into: &mut [u8]) -> Result<(), Fault> {
        into.fill(0);
        if let Some(mark) = self.deleted {
            let byte = from[len_of(mark.at)];
            if byte == mark.deleted {
                into[self.record_size] = STATUS_DEAD;
                return Ok(());
            }
            if byte != mark.live {
                let why = format!("the mark of a deleted record is {byte:#04x}");
                return Err(Fault {
                    kind: ErrorKind::Corrupt,
                    at: mark.at,
                    detail: why,
                    value: None,
                });
            }
            into[self.record_size] = STATUS_LIVE;
        }
        let record = &mut into[..self.record_size];
        for step in &self.steps {
            let Column { at, width, .. } = step.column;
            let bytes = &from[len_of(at)..len_of(at + width)];
            step.run(bytes, record).map_err(|why| {
                let name = step.field.name();
                let value = String::from_utf8_lossy(bytes).into_owned();
                // An error of the field itself names it.
                let detail = match why.starts_with("field ") {
                    true => why,
                    false => format!("field {}: {why}", quoted(name)),
                };
                Fault {
                    kind: ErrorKind::InvalidValue,
                    at,
                    detail,
                    value: Some((name.to_owned(), value)),
                }
            })?;
        }
        Ok(())
    }
}

/// Compares the bytes that each record has.
///
/// # Errors
/// They differ.
pub(super) fn check_guard(guard: &Guard, record: &[u8]) -> Result<(), Fault> {
    let start = len_of(guard.at);
    let has_bytes = record[start..start + guard.bytes.len()] == guard.bytes;
    if has_bytes && !(guard.ends_line && record[..start].contains(&b'\n')) {
        return Ok(());
    }
    let detail = guard.otherwise.to_owned();
    Err(Fault { kind: ErrorKind::Corrupt, at: guard.at, detail, value: None })
}

impl Step {
    /// Fills the field from its bytes in the file. `record` is zero there.
    fn run(&self, from: &[u8], record: &mut [u8]) -> Result<(), String> {
        let start = len_of(self.field.offset());
        let place = start..start + len_of(self.field.size_bytes());
        match &self.column.encoding {
            Encoding::Plain => {
                self.copy(from, &mut record[place.clone()])?;
                self.check(record)
            }
            Encoding::Text(end, charset) => self.copy_texts(from, *end, *charset, record),
            Encoding::Parsed => self.parse(from, record),
            Encoding::Number { .. } => values::number(from, &self.field, record),
            Encoding::Date => values::date(from, &self.field, record),
            Encoding::Logical => values::logical(from, &self.field, record),
            Encoding::FitsLogical => values::fits_logical(from, &self.field, record),
            Encoding::SecondsAndMicros => values::seconds_and_micros(from, &self.field, record),
            Encoding::Address => values::address(from, &self.field, record),
            Encoding::Npy(decoder) => decoder.decode(from, &mut record[place]),
            Encoding::Scaled(scaled) => {
                scaled.decode(from, &self.field, record);
                Ok(())
            }
            Encoding::Bits { shift, bits } => {
                values::bits(from, *shift, *bits, &mut record[place]);
                Ok(())
            }
        }
    }

    /// Copies the bytes of a type, and turns them around if they are big-endian.
    fn copy(&self, from: &[u8], into: &mut [u8]) -> Result<(), String> {
        into.copy_from_slice(from);
        if self.column.field.is_big_endian() {
            let value = usize::from(self.field.is_nullable());
            let width = len_of(self.field.data_type().size_bytes());
            if is_number(self.field.data_type()) {
                into[value..].chunks_exact_mut(width).for_each(<[u8]>::reverse);
            }
        }
        Ok(())
    }

    /// Refuses bytes that the type does not have.
    fn check(&self, record: &[u8]) -> Result<(), String> {
        let is_free = !self.field.is_nullable() && is_number(self.field.data_type());
        if is_free && self.field.data_type() != DataType::Bool {
            return Ok(());
        }
        let checked = self.field.read(record).and_then(|value| match value {
            Value::Array(array) => array.iter().try_for_each(|it| it.map(drop)),
            _ => Ok(()),
        });
        checked.map_err(Error::into_detail)
    }

    fn copy_texts(
        &self,
        from: &[u8],
        end: TextEnd,
        charset: Charset,
        record: &mut [u8],
    ) -> Result<(), String> {
        let elements = len_of(self.field.array_len().unwrap_or(1));
        let (width, room) = (from.len() / elements, len_of(self.field.data_type().size_bytes()));
        let mut at = len_of(self.field.offset());
        if self.field.is_nullable() {
            record[at] = 1;
            at += 1;
        }
        for bytes in from.chunks_exact(width) {
            let bytes = values::text_of(bytes, end);
            let text = charset.decode(bytes)?;
            if text.len() > room {
                return Err(format!("the text has {} bytes, the field {room}", text.len()));
            }
            record[at..at + text.len()].copy_from_slice(text.as_bytes());
            at += room;
        }
        Ok(())
    }

    fn parse(&self, from: &[u8], record: &mut [u8]) -> Result<(), String> {
        let text = std::str::from_utf8(values::text_of(from, TextEnd::Space));
        let text = text.map_err(|error| format!("text that is not UTF-8: {error}"))?;
        let text = match self.field.data_type() {
            DataType::Utf8(_) => text,
            _ => text.trim_start_matches(' '),
        };
        if text.is_empty() && !matches!(self.field.data_type(), DataType::Utf8(_))
            || self.field.null_words().iter().any(|word| word == text.trim_start_matches(' '))
        {
            return match self.field.is_nullable() {
                true => Ok(()), // the presence byte is 0
                false => Err("it is blank, and the field cannot be null".to_owned()),
            };
        }
        let parsed = match self.field.data_type() {
            DataType::Date32 => self.field.parse_text(&values::dashed(text), record),
            data_type if is_numeral(data_type) => {
                self.field.parse_text(&values::unpadded(text), record)
            }
            _ => self.field.parse_text(text, record),
        };
        parsed.map_err(Error::into_detail)
    }
}

/// Whether the bytes of a value have an order, which may be reversed.
fn is_number(data_type: DataType) -> bool {
    !matches!(data_type, DataType::Utf8(_) | DataType::Binary(_))
}

/// Whether the type's text is a decimal number.
fn is_numeral(data_type: DataType) -> bool {
    data_type.integer_range().is_some()
        || matches!(
            data_type,
            DataType::Int128 | DataType::UInt128 | DataType::Float32 | DataType::Float64
        )
}
