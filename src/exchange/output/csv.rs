//! Records as CSV.

use std::io::Write;

use super::Buffer;
use crate::error::Result;
use crate::format::{DataType, Field, PreparedField};

/// Writes records as CSV that [`CsvReader`](crate::exchange::CsvReader) reads back to the same
/// values.
///
/// Null is the empty field, the empty text is `""`. Fields are quoted only if they hold the
/// delimiter, a quote or a line end, and texts also if they are a [null
/// word](crate::Field::null_words). Lines end in LF. Floats are the shortest text of their value,
/// binary is hexadecimal, fixed arrays are `[1,2,3]`.
///
/// ```
/// use flatrec::exchange::CsvWriter;
/// use flatrec::{DataType, Field, Schema, Value};
/// let schema = Schema::packed([
///     Field::new("id", DataType::UInt8),
///     Field::new("name", DataType::Utf8(12)).nullable(),
/// ])?;
/// let mut record = [0; 14];
/// record[0] = 7;
/// let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
/// csv.header()?;
/// csv.write(&record)?;
/// schema.fields()[1].write(&mut record, &Value::Text("Lovelace, A."))?;
/// csv.write(&record)?;
/// assert_eq!(csv.finish()?, b"id,name\n7,\n7,\"Lovelace, A.\"\n");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Debug)]
pub struct CsvWriter<W: Write> {
    out: Buffer<W>,
    /// Each field, and whether no value of it can need quotes.
    columns: Vec<(PreparedField, bool)>,
    delimiter: u8,
    /// The texts that mean null in fields without null words of their own.
    null_words: Vec<String>,
}

impl<W: Write> CsvWriter<W> {
    /// A writer of these fields, in this order; they may be any selection of a schema's. The
    /// `delimiter` must be valid for [`CsvOptions`](crate::exchange::CsvOptions).
    pub fn new(out: W, fields: &[Field], delimiter: u8) -> Self {
        let prepare = |field| (PreparedField::new(field), is_bare(field, delimiter));
        let columns = fields.iter().map(prepare).collect();
        Self { out: Buffer::new(out), columns, delimiter, null_words: Vec::new() }
    }

    /// The texts that mean null in fields without null words of their own: those of the schema. A
    /// value that is one of them is quoted, and so stays itself.
    ///
    /// ```
    /// use flatrec::exchange::CsvWriter;
    /// use flatrec::{DataType, Field, Schema};
    /// let country = Field::new("country", DataType::Utf8(2)).nullable();
    /// let schema = Schema::packed([country])?.with_null_words(["NA"])?;
    /// let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',')
    ///     .null_words(schema.null_words());
    /// csv.write(b"\x01NA")?;
    /// csv.write(b"\x00\x00\x00")?;
    /// assert_eq!(csv.finish()?, b"\"NA\"\n\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn null_words(mut self, words: &[String]) -> Self {
        self.null_words = words.to_vec();
        self
    }

    /// Writes the names of the fields.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn header(&mut self) -> Result<()> {
        for (at, (column, _)) in self.columns.iter().enumerate() {
            if at > 0 {
                self.out.text.push(char::from(self.delimiter));
            }
            push_text(column.field().name(), self.delimiter, &mut self.out.text);
        }
        self.out.text.push('\n');
        self.out.flush_if_full()
    }

    /// Writes a record.
    ///
    /// # Errors
    /// An error of the writer underneath; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) and
    /// [`ErrorKind::OutOfRange`](crate::ErrorKind::OutOfRange) as [`Field::read`].
    pub fn write(&mut self, record: &[u8]) -> Result<()> {
        self.push(record)?;
        self.flush_if_full()
    }

    /// Puts a record's text into the buffer: only reading the record can fail.
    pub(super) fn push(&mut self, record: &[u8]) -> Result<()> {
        let text = &mut self.out.text;
        for (at, (column, is_bare)) in self.columns.iter().enumerate() {
            if at > 0 {
                text.push(char::from(self.delimiter));
            }
            if *is_bare {
                column.push(record, text)?;
            } else if column.is_text() {
                if let Some(value) = column.text(record)? {
                    let words = match column.field().null_words() {
                        [] => &self.null_words[..],
                        own => own,
                    };
                    match words.iter().any(|word| word == value) {
                        true => push_quoted(value, text),
                        false => push_text(value, self.delimiter, text),
                    }
                }
            } else {
                let start = text.len();
                column.push(record, text)?;
                if needs_quotes(&text.as_bytes()[start..], self.delimiter) {
                    let value = text.split_off(start);
                    push_quoted(&value, text);
                }
            }
        }
        text.push('\n');
        Ok(())
    }

    pub(super) fn flush_if_full(&mut self) -> Result<()> {
        self.out.flush_if_full()
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

fn push_text(value: &str, delimiter: u8, into: &mut String) {
    if value.is_empty() || needs_quotes(value.as_bytes(), delimiter) {
        push_quoted(value, into);
    } else {
        into.push_str(value);
    }
}

fn needs_quotes(value: &[u8], delimiter: u8) -> bool {
    let is_mark =
        |&byte: &u8| (byte == delimiter) | (byte == b'"') | (byte == b'\n') | (byte == b'\r');
    // Sixteen at a time: a loop that a compiler turns into vector instructions.
    let mut chunks = value.chunks_exact(16);
    let any = |bytes: &[u8]| bytes.iter().fold(false, |found, byte| found | is_mark(byte));
    chunks.any(any) || any(chunks.remainder())
}

/// Whether no text of the field can need quotes: numbers, times and the like have letters, digits
/// and a few marks.
fn is_bare(field: &Field, delimiter: u8) -> bool {
    let is_text = matches!(field.data_type(), DataType::Utf8(_));
    let is_used = delimiter.is_ascii_alphanumeric() || b"+-.:".contains(&delimiter);
    !is_text && !field.has_own_text() && field.array_len().is_none() && !is_used
}

pub(super) fn push_quoted(value: &str, into: &mut String) {
    into.push('"');
    for (at, piece) in value.split('"').enumerate() {
        if at > 0 {
            into.push_str("\"\"");
        }
        into.push_str(piece);
    }
    into.push('"');
}
