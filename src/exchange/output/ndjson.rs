//! Records as NDJSON: one JSON object a line.

use std::io::Write;

use super::{Buffer, push_json_string};
use crate::error::Result;
use crate::format::{
    self, Copied, DataType, Field, FixedText, Marks, PreparedField, TextBuffer, Value, below_in,
    equal_in, room_at,
};

/// Writes records as NDJSON: an object a line, with the fields' names as keys, in order.
///
/// Integers are numbers with all their digits (JavaScript rounds those past 2^53), floats the
/// shortest text of their value. JSON has only finite numbers: `"NaN"`, `"inf"` and `"-inf"` are
/// strings. Dates, timestamps and text are strings, binary is a string of hexadecimal digits, null
/// is null, and a fixed array is an array.
///
/// ```
/// use flatrec::exchange::NdjsonWriter;
/// use flatrec::{DataType, Field, Schema, Value};
/// let schema = Schema::packed([
///     Field::new("name", DataType::Utf8(8)),
///     Field::new("score", DataType::Float64).nullable(),
/// ])?;
/// let mut record = [0; 17];
/// schema.fields()[0].write(&mut record, &Value::Text("\"Ada\""))?;
/// let mut ndjson = NdjsonWriter::new(Vec::new(), schema.fields());
/// ndjson.write(&record)?;
/// assert_eq!(ndjson.finish()?, b"{\"name\":\"\\\"Ada\\\"\",\"score\":null}\n");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Debug)]
pub struct NdjsonWriter<W: Write> {
    out: Buffer<W>,
    members: Vec<Member>,
    /// The start of an object without a number.
    start: Vec<u8>,
    /// The start of an object with the record's number.
    id: Option<Vec<u8>>,
    /// The room that an object of common values needs.
    row_bytes: usize,
}

#[derive(Debug)]
struct Member {
    /// The comma, the name and the colon.
    key: FixedText,
    field: PreparedField,
    /// Whether common values are strings, without characters that need escaping.
    is_string: bool,
}

/// The room that a value needs beside its text: for quotes, and for the text for null.
const ROOM_BESIDE_BYTES: usize = 8;
/// The room that an object needs behind its members, for copies of more bytes than a value has.
const ROW_BYTES_MIN: usize = 64;

impl<W: Write> NdjsonWriter<W> {
    /// A writer of these fields, in this order. They may be any selection of a schema's.
    pub fn new(out: W, fields: &[Field]) -> Self {
        let start = fields.first().map_or("{".into(), |field| key('{', field.name())).into_bytes();
        let members: Vec<Member> = fields.iter().map(Member::new).collect();
        let row_bytes = members.iter().map(Member::room_bytes).sum::<usize>() + ROW_BYTES_MIN;
        Self { out: Buffer::new(out), members, start, id: None, row_bytes }
    }

    /// Begins each object with the record's number under this key:
    /// [`NdjsonWriter::write_numbered`] writes such objects.
    pub fn id_column(mut self, name: &str) -> Self {
        self.id = Some(key('{', name).into_bytes());
        self
    }

    /// Writes a record.
    ///
    /// # Errors
    /// An error of the writer underneath; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) and
    /// [`ErrorKind::OutOfRange`](crate::ErrorKind::OutOfRange) as [`Field::read`].
    pub fn write(&mut self, record: &[u8]) -> Result<()> {
        self.push(None, record)?;
        self.flush_if_full()
    }

    /// Writes record `id` after its number, if [`NdjsonWriter::id_column`] was called.
    ///
    /// ```
    /// use flatrec::exchange::NdjsonWriter;
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut ndjson = NdjsonWriter::new(Vec::new(), schema.fields()).id_column("id");
    /// ndjson.write_numbered(12, &[7])?;
    /// assert_eq!(ndjson.finish()?, b"{\"id\":12,\"n\":7}\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`NdjsonWriter::write`].
    pub fn write_numbered(&mut self, id: u64, record: &[u8]) -> Result<()> {
        self.push(Some(id), record)?;
        self.flush_if_full()
    }

    /// Puts a record's text into the buffer: only reading the record can fail.
    pub(super) fn push(&mut self, id: Option<u64>, record: &[u8]) -> Result<()> {
        let Self { out: Buffer { text, .. }, members, start, row_bytes, .. } = self;
        let mut at = text.begin_row(*row_bytes);
        let numbered = id.and_then(|id| self.id.as_ref().map(|start| (id, start)));
        if let Some((id, start)) = numbered {
            at = text.append(at, start, *row_bytes);
            at = text.append(at, itoa::Buffer::new().format(id).as_bytes(), *row_bytes);
        } else {
            at = text.append(at, start, *row_bytes);
        }
        let mut bytes = text.bytes_mut();
        for (index, member) in members.iter_mut().enumerate() {
            let has_key = index > 0 || numbered.is_some();
            at = match member.put(record, has_key, bytes, at) {
                Some(end) => end,
                None => {
                    let end = member.put_any(record, has_key, text, at, *row_bytes)?;
                    bytes = text.bytes_mut();
                    end
                }
            };
        }
        at = text.append(at, b"}\n", 0);
        text.end_row(at);
        Ok(())
    }

    pub(super) fn flush_if_full(&mut self) -> Result<()> {
        self.out.flush_if_full()
    }

    /// The buffer: [`Lanes`](super::lanes::Lanes) take the text from there.
    pub(super) fn buffer(&mut self) -> &mut Buffer<W> {
        &mut self.out
    }

    /// Writes the buffer, and flushes the writer underneath.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    /// Writes the buffer, flushes, and returns the writer underneath.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn finish(self) -> Result<W> {
        self.out.finish()
    }
}

/// The start of a member: a comma or a brace, the name, and a colon.
fn key(first: char, name: &str) -> String {
    let mut key = String::from(first);
    push_json_string(name, &mut key);
    key.push(':');
    key
}

impl Member {
    fn new(field: &Field) -> Self {
        let is_string = matches!(field.data_type(), DataType::Date32 | DataType::Timestamp(_));
        let key = FixedText::new(key(',', field.name()).as_bytes());
        Self { key, field: PreparedField::new(field), is_string }
    }

    fn room_bytes(&self) -> usize {
        self.key.room_bytes() + self.field.room_bytes() + ROOM_BESIDE_BYTES
    }

    /// Writes the key, if `has_key`, and the value in `record` at `at`, and returns their end;
    /// `None` if they need more care, or more room.
    #[inline(always)] // In one loop.
    fn put(&mut self, record: &[u8], has_key: bool, bytes: &mut [u8], at: usize) -> Option<usize> {
        let at = if has_key { self.key.put(bytes, at)? } else { at };
        if self.field.is_text() {
            return match self.field.copy_text(record, bytes.get_mut(at + 1..)?, NeedEscape)? {
                Copied { len, is_clean: true } => put_quotes(bytes, at, len),
                _ => None,
            };
        }
        let start = at + usize::from(self.is_string);
        match self.field.put(record, room_at(bytes, start)?)? {
            0 => {
                *room_at(bytes, at)? = *b"null";
                Some(at + 4)
            }
            len if self.is_string => put_quotes(bytes, at, len),
            len => Some(at + len),
        }
    }

    /// The same for every value, with room for `row_bytes` bytes after it.
    #[inline(never)] // The loop of an object stays short.
    fn put_any(
        &self,
        record: &[u8],
        has_key: bool,
        text: &mut TextBuffer,
        at: usize,
        row_bytes: usize,
    ) -> Result<usize> {
        let mut value = String::new();
        push_value(self.field.field(), record, &mut value)?;
        let key = if has_key { key(',', self.field.field().name()) } else { String::new() };
        let at = text.append(at, key.as_bytes(), row_bytes);
        Ok(text.append(at, value.as_bytes(), row_bytes))
    }
}

/// The bytes that a JSON string has as an escape.
#[derive(Clone, Copy)]
struct NeedEscape;

impl Marks for NeedEscape {
    #[inline(always)]
    fn has(self, byte: u8) -> bool {
        (byte < b' ') | (byte == b'"') | (byte == b'\\')
    }

    fn end(self) -> u8 {
        b'\\' + 1
    }

    #[inline(always)]
    fn in_word(self, word: u64) -> u64 {
        below_in(word, b' ') | equal_in(word, b'"') | equal_in(word, b'\\')
    }
}

/// Puts quotes around the `len` bytes after the one at `at`, and returns the end.
#[inline(always)]
fn put_quotes(bytes: &mut [u8], at: usize, len: usize) -> Option<usize> {
    *bytes.get_mut(at)? = b'"';
    *bytes.get_mut(at + 1 + len)? = b'"';
    Some(at + len + 2)
}

fn push_value(field: &Field, record: &[u8], into: &mut String) -> Result<()> {
    match field.read(record)? {
        // A name or a form of its own: both may need escaping.
        Value::Int(_) | Value::UInt(_) | Value::UInt128(_) | Value::Binary(_)
            if field.is_shown_as_text(record)? =>
        {
            let mut text = String::new();
            field.format_text(record, &mut text)?;
            push_json_string(&text, into);
        }
        Value::Null => into.push_str("null"),
        Value::Text(text) => push_json_string(text, into),
        value @ (Value::Float(_) | Value::Float32(_)) => push_float(&value, into),
        Value::Array(array) if is_float(array.data_type()) => {
            field.format_elements(array, into, |element, into| push_float(&element, into))?;
        }
        // A number since 1970.
        Value::Timestamp(..) if field.epoch().is_some() => field.format_text(record, into)?,
        // The text of other arrays is already JSON, as are numbers, true and false.
        Value::Array(_)
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Int128(_)
        | Value::UInt128(_) => {
            field.format_text(record, into)?;
        }
        // Dates, timestamps and hexadecimal digits need no escaping.
        _ => {
            into.push('"');
            field.format_text(record, into)?;
            into.push('"');
        }
    }
    Ok(())
}

fn is_float(data_type: DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

fn push_float(value: &Value<'_>, into: &mut String) {
    let start = into.len();
    let finite = match *value {
        Value::Float(value) => {
            format::push_float(value, into);
            value.is_finite()
        }
        Value::Float32(value) => {
            format::push_float(value, into);
            value.is_finite()
        }
        _ => return, // Called for floats only.
    };
    if !finite {
        into.insert(start, '"');
        into.push('"');
    }
}
