//! Records as NDJSON: one JSON object a line.

use std::io::Write;

use super::{Buffer, push_json_string};
use crate::error::Result;
use crate::format::{self, DataType, Field, Value};

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
    fields: Vec<(String, Field)>,
    /// The start of an object with the record's number.
    id: Option<String>,
}

impl<W: Write> NdjsonWriter<W> {
    /// A writer of these fields, in this order. They may be any selection of a schema's.
    pub fn new(out: W, fields: &[Field]) -> Self {
        let with_key = |(at, field): (usize, &Field)| {
            let mut key = String::from(if at == 0 { "{" } else { "," });
            push_json_string(field.name(), &mut key);
            key.push(':');
            (key, field.clone())
        };
        let fields = fields.iter().enumerate().map(with_key).collect();
        Self { out: Buffer::new(out), fields, id: None }
    }

    /// Begins each object with the record's number under this key:
    /// [`NdjsonWriter::write_numbered`] writes such objects.
    pub fn id_column(mut self, name: &str) -> Self {
        let mut start = String::from("{");
        push_json_string(name, &mut start);
        start.push(':');
        self.id = Some(start);
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
        let text = &mut self.out.text;
        let numbered = id.and_then(|id| self.id.as_ref().map(|start| (id, start)));
        if let Some((id, start)) = numbered {
            text.extend([&**start, &id.to_string()]);
        } else if self.fields.is_empty() {
            text.push('{');
        }
        for (at, (key, field)) in self.fields.iter().enumerate() {
            match at == 0 && numbered.is_some() {
                true => text.extend([",", &key[1..]]),
                false => text.push_str(key),
            }
            push_value(field, record, text)?;
        }
        text.push_str("}\n");
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
