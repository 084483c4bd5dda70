//! Records as CSV.

use std::io::Write;

use super::Buffer;
use crate::error::{Error, ErrorKind, Result, quoted};
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
    /// The text for null.
    null: String,
    /// The name of the column with the record's number, before the others.
    id: Option<String>,
}

impl<W: Write> CsvWriter<W> {
    /// A writer of these fields, in this order; they may be any selection of a schema's. The
    /// `delimiter` must be valid for [`CsvOptions`](crate::exchange::CsvOptions).
    pub fn new(out: W, fields: &[Field], delimiter: u8) -> Self {
        let prepare = |field| (PreparedField::new(field), is_bare(field, delimiter));
        let columns = fields.iter().map(prepare).collect();
        let out = Buffer::new(out);
        Self { out, columns, delimiter, null_words: Vec::new(), null: String::new(), id: None }
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

    /// Writes `text` for null instead of nothing. The same text of a field of text gets quotes, and
    /// such a value of another field is an error. `text` must have no delimiter, quote or line end.
    ///
    /// ```
    /// use flatrec::exchange::CsvWriter;
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8).nullable()])?;
    /// let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',').null_text("NA");
    /// csv.write(&[0, 0])?;
    /// csv.write(&[1, 7])?;
    /// assert_eq!(csv.finish()?, b"NA\n7\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn null_text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.null);
        self
    }

    /// Begins each row with the record's number, in a column with this name:
    /// [`CsvWriter::write_numbered`] writes such rows.
    pub fn id_column(mut self, name: &str) -> Self {
        self.id = Some(name.to_owned());
        self
    }

    /// Writes the names of the fields.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn header(&mut self) -> Result<()> {
        let fields = self.columns.iter().map(|(column, _)| column.field().name());
        for (at, name) in self.id.as_deref().into_iter().chain(fields).enumerate() {
            if at > 0 {
                self.out.text.push(char::from(self.delimiter));
            }
            push_text(name, self.delimiter, &mut self.out.text);
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
        self.push(None, record)?;
        self.flush_if_full()
    }

    /// Writes record `id` after its number, if [`CsvWriter::id_column`] was called.
    ///
    /// ```
    /// use flatrec::exchange::CsvWriter;
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',').id_column("id");
    /// csv.header()?;
    /// csv.write_numbered(12, &[7])?;
    /// assert_eq!(csv.finish()?, b"id,n\n12,7\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`CsvWriter::write`].
    pub fn write_numbered(&mut self, id: u64, record: &[u8]) -> Result<()> {
        self.push(Some(id), record)?;
        self.flush_if_full()
    }

    /// Puts a record's text into the buffer: only reading the record can fail.
    pub(super) fn push(&mut self, id: Option<u64>, record: &[u8]) -> Result<()> {
        let text = &mut self.out.text;
        let id = id.filter(|_| self.id.is_some());
        if let Some(id) = id {
            text.push_str(&id.to_string());
        }
        for (at, (column, is_bare)) in self.columns.iter().enumerate() {
            if at > 0 || id.is_some() {
                text.push(char::from(self.delimiter));
            }
            if column.is_text() {
                match column.text(record)? {
                    None => text.push_str(&self.null),
                    Some(value) if is_null(value, column.field(), &self.null, &self.null_words) => {
                        push_quoted(value, text);
                    }
                    Some(value) => push_text(value, self.delimiter, text),
                }
            } else if *is_bare && self.null.is_empty() {
                column.push(record, text)?;
            } else {
                push_other(column, record, self.delimiter, &self.null, text)?;
            }
        }
        text.push('\n');
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

/// Whether a reader would take the text for null, if it had no quotes.
fn is_null(value: &str, field: &Field, null: &str, words: &[String]) -> bool {
    let words = match field.null_words() {
        [] => words,
        own => own,
    };
    !value.is_empty() && value == null || words.iter().any(|word| word == value)
}

/// Puts a value that is not text into the row, in a way that the text for null means only null.
fn push_other(
    column: &PreparedField,
    record: &[u8],
    delimiter: u8,
    null: &str,
    text: &mut String,
) -> Result<()> {
    let start = text.len();
    column.push(record, text)?;
    let value = &text[start..];
    if value.is_empty() {
        text.push_str(null);
    } else if value == null {
        let name = quoted(column.field().name());
        return Err(Error::new(ErrorKind::InvalidValue, "write")
            .detail(format!("the value of {name} is {null}, which is the text for null"))
            .advice("choose a text for null that no field has"));
    } else if needs_quotes(value.as_bytes(), delimiter) {
        let value = text.split_off(start);
        push_quoted(&value, text);
    }
    Ok(())
}

fn push_text(value: &str, delimiter: u8, into: &mut String) {
    // A reader would drop a byte order mark at the start of a file.
    if value.is_empty()
        || value.starts_with('\u{feff}')
        || needs_quotes(value.as_bytes(), delimiter)
    {
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
