//! Records as CSV.

use std::io::Write;

use super::Buffer;
use super::first_line;
use super::words::Words;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    Copied, DataType, Field, Marks, PreparedField, ROOM_BYTES, TextBuffer, equal_in, room_at,
};

/// Writes records as CSV that [`CsvReader`](crate::exchange::CsvReader) reads back to the same
/// values.
///
/// Null is the empty field, the empty text is `""`. Fields are quoted only if they hold the
/// delimiter, a quote or a line end, and texts also if they are a [null
/// word](crate::Field::null_words). Lines end in LF. Floats are the shortest text of their value,
/// binary is hexadecimal, fixed arrays are `[1,2,3]`.
///
/// A reader takes a null word for null also in quotes, if its field is not text. So a float with
/// the text of such a word gets another spelling (`-999.00` for `-999.0`), and another value is an
/// error.
///
/// A first line that a reader would take for more than one column, or for the line `sep=;` of
/// Excel, gets quotes.
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
    columns: Vec<Column>,
    style: Style,
    /// The name of the column with the record's number, before the others.
    id: Option<String>,
    /// The room that a row of common values needs.
    row_bytes: usize,
    /// Whether the next line is the first, by which a reader finds the delimiter, or may be one.
    is_first_line: bool,
    /// Whether the line before it seems to name a delimiter.
    follows_delimiter: bool,
}

/// What the columns have in common.
#[derive(Debug)]
struct Style {
    delimiter: u8,
    /// The texts that mean null in fields without null words of their own.
    null_words: Vec<String>,
    /// The text for null.
    null: String,
}

#[derive(Debug)]
struct Column {
    field: PreparedField,
    /// Whether no value can need quotes or another spelling.
    is_bare: bool,
    /// The null words, if the field is not text and a value may have the text of one.
    words: Words,
    /// Whether the text of a value is always what the row has, and nothing for null.
    is_plain: bool,
    /// The length of the longest text that means null.
    word_bytes_max: usize,
    /// The byte after the value: the delimiter, or the line end.
    end: u8,
}

impl<W: Write> CsvWriter<W> {
    /// A writer of these fields, in this order; they may be any selection of a schema's. The
    /// `delimiter` must be valid for [`CsvOptions`](crate::exchange::CsvOptions).
    pub fn new(out: W, fields: &[Field], delimiter: u8) -> Self {
        let column = |(at, field): (usize, &Field)| Column {
            field: PreparedField::new(field),
            is_bare: false,
            words: Words::default(),
            is_plain: false,
            word_bytes_max: 0,
            end: if at + 1 == fields.len() { b'\n' } else { delimiter },
        };
        let columns: Vec<Column> = fields.iter().enumerate().map(column).collect();
        let room_bytes = |column: &Column| column.field.room_bytes() + ROOM_AFTER_BYTES;
        let row_bytes = columns.iter().map(room_bytes).sum::<usize>() + ROW_BYTES_MIN;
        let style = Style { delimiter, null_words: Vec::new(), null: String::new() };
        let (out, id) = (Buffer::new(out), None);
        let (is_first_line, follows_delimiter) = (true, false);
        let mut writer =
            Self { out, columns, style, id, row_bytes, is_first_line, follows_delimiter };
        writer.prepare();
        writer
    }

    /// The texts that mean null in fields without null words of their own: those of the schema. A
    /// text that is one of them is quoted, and so stays itself.
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
        self.style.null_words = words.to_vec();
        self.prepare();
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
        text.clone_into(&mut self.style.null);
        self.prepare();
        self
    }

    /// Notes in the columns what the texts for null ask of them.
    fn prepare(&mut self) {
        for column in &mut self.columns {
            let longest = longest(column.field.field().null_words_or(&self.style.null_words));
            column.word_bytes_max = longest.max(self.style.null.len());
            let field = column.field.field();
            column.words = match column.field.is_text() {
                true => Words::default(),
                false => Words::of_values(field, &self.style.null_words),
            };
            column.is_bare = is_bare(field, self.style.delimiter) && column.words.is_empty();
            column.is_plain = column.is_bare && self.style.null.is_empty();
        }
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
        let fields = self.columns.iter().map(|column| column.field.field().name());
        let names: Vec<&str> = self.id.as_deref().into_iter().chain(fields).collect();
        let delimiter = self.style.delimiter;
        let cell = |(at, name): (usize, &&str)| {
            let is_misread = first_line::is_misread(name, at, names.len(), delimiter);
            let mut cell = String::new();
            match is_misread || is_quoted(name, delimiter) {
                true => push_quoted(name, &mut cell),
                false => cell.push_str(name),
            }
            cell
        };
        let cells: Vec<String> = names.iter().enumerate().map(cell).collect();
        self.push_cells(&cells);
        self.out.flush_if_full()
    }

    /// Puts one of the first lines into the buffer.
    fn push_cells(&mut self, cells: &[String]) {
        let row = cells.join(&char::from(self.style.delimiter).to_string()) + "\n";
        let start = self.out.text.begin_row(row.len());
        let end = self.out.text.append(start, row.as_bytes(), 0);
        self.out.text.end_row(end);
        // Once more: the line after such a cell may seem to be divided. And a reader that looks for
        // the delimiter passes blank lines.
        self.follows_delimiter = matches!(cells, [cell] if first_line::names_delimiter(cell));
        self.is_first_line = self.follows_delimiter || matches!(cells, [cell] if cell.is_empty());
    }

    /// Puts the text of a record into the buffer as one of the first lines.
    #[cold]
    fn push_first(&mut self, id: Option<u64>, record: &[u8]) -> Result<()> {
        let id = id.filter(|_| self.id.is_some());
        let mut cells: Vec<String> = id.iter().map(u64::to_string).collect();
        let count = cells.len() + self.columns.len();
        for column in &self.columns {
            let mut cell = column.cell(record, &self.style)?;
            let is_misread = self.follows_delimiter
                || first_line::is_misread(&cell, cells.len(), count, self.style.delimiter);
            if is_misread && cell != self.style.null && !cell.starts_with('"') {
                let bare = std::mem::take(&mut cell);
                push_quoted(&bare, &mut cell);
            }
            cells.push(cell);
        }
        self.push_cells(&cells);
        Ok(())
    }

    /// Goes on with rows of an output that another writer has begun.
    pub(super) fn continues(mut self) -> Self {
        self.is_first_line = false;
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
        if self.is_first_line {
            return self.push_first(id, record);
        }
        let Self { out: Buffer { text, .. }, columns, style, row_bytes, .. } = self;
        let mut at = text.begin_row(*row_bytes);
        if let Some(id) = id.filter(|_| self.id.is_some()) {
            at = text.append(at, itoa::Buffer::new().format(id).as_bytes(), *row_bytes);
            let end = if columns.is_empty() { b'\n' } else { style.delimiter };
            at = text.append(at, &[end], *row_bytes);
        } else if columns.is_empty() {
            at = text.append(at, b"\n", *row_bytes);
        }
        let mut bytes = text.bytes_mut();
        for column in columns {
            at = match column.put(record, style, bytes, at) {
                Some(end) => end,
                None => {
                    let end = column.put_any(record, style, text, at, *row_bytes)?;
                    bytes = text.bytes_mut();
                    end
                }
            };
        }
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

/// The room behind a value: for the text for null, or the byte after it.
const ROOM_AFTER_BYTES: usize = 1;
/// The room that a row needs beside its values: for the record's number, and for copies of more
/// bytes than the last value has.
const ROW_BYTES_MIN: usize = 128;

impl Column {
    /// Writes the value in `record` and the byte after it at `at`, and returns their end; `None` if
    /// they need more care, or more room.
    #[inline(always)] // In one loop.
    fn put(&mut self, record: &[u8], style: &Style, bytes: &mut [u8], at: usize) -> Option<usize> {
        let end = if self.is_plain {
            at + self.field.put(record, room_at(bytes, at)?)?
        } else if self.field.is_text() {
            let marks = NeedQuotes { delimiter: style.delimiter };
            match self.field.copy_text(record, bytes.get_mut(at..)?, marks)? {
                Copied { len: len @ 1.., is_clean: true } => {
                    let is_short = len <= self.word_bytes_max;
                    if is_short && self.is_word(bytes.get(at..at + len)?, style) {
                        return None;
                    }
                    at + len
                }
                _ => return None,
            }
        } else {
            return None;
        };
        *bytes.get_mut(end)? = self.end;
        Some(end + 1)
    }

    /// The same for every value, with room for `row_bytes` bytes after it.
    #[inline(never)] // The loop of a row stays short.
    fn put_any(
        &mut self,
        record: &[u8],
        style: &Style,
        text: &mut TextBuffer,
        at: usize,
        row_bytes: usize,
    ) -> Result<usize> {
        let end = if self.field.is_text() {
            self.put_text(record, style, text, at, row_bytes)?
        } else {
            let mut room = [0; ROOM_BYTES];
            let null = style.null.as_bytes();
            match self.field.put(record, &mut room).filter(|_| self.is_bare) {
                Some(0) => text.append(at, null, row_bytes),
                Some(len) if room[..len] != *null => text.append(at, &room[..len], row_bytes),
                _ => self.put_other(record, style, text, at, row_bytes)?,
            }
        };
        Ok(text.append(end, &[self.end], row_bytes))
    }

    /// Whether a reader would take a text, which is not empty, for null if it had no quotes.
    #[inline]
    fn is_word(&self, text: &[u8], style: &Style) -> bool {
        let words = self.field.field().null_words_or(&style.null_words);
        style.null.as_bytes() == text || words.iter().any(|word| word.as_bytes() == text)
    }

    /// Whether a text, which is not null, needs quotes.
    fn needs_quotes(&self, value: &str, style: &Style) -> bool {
        is_quoted(value, style.delimiter) || self.is_word(value.as_bytes(), style)
    }

    /// Writes a text of any kind, or the text for null.
    fn put_text(
        &self,
        record: &[u8],
        style: &Style,
        text: &mut TextBuffer,
        at: usize,
        row_bytes: usize,
    ) -> Result<usize> {
        let value = match self.field.text(record)? {
            None => return Ok(text.append(at, style.null.as_bytes(), row_bytes)),
            Some(value) => value,
        };
        if !self.needs_quotes(value, style) {
            return Ok(text.append(at, value.as_bytes(), row_bytes));
        }
        let mut quoted = String::with_capacity(value.len() + 2);
        push_quoted(value, &mut quoted);
        Ok(text.append(at, quoted.as_bytes(), row_bytes))
    }

    /// The text of a value of any kind.
    fn cell(&self, record: &[u8], style: &Style) -> Result<String> {
        if !self.field.is_text() {
            return self.other(record, style);
        }
        let mut cell = String::new();
        match self.field.text(record)? {
            None => cell.push_str(&style.null),
            Some(value) if self.needs_quotes(value, style) => push_quoted(value, &mut cell),
            Some(value) => cell.push_str(value),
        }
        Ok(cell)
    }

    /// Writes a value that is not text.
    fn put_other(
        &self,
        record: &[u8],
        style: &Style,
        text: &mut TextBuffer,
        at: usize,
        row_bytes: usize,
    ) -> Result<usize> {
        Ok(text.append(at, self.other(record, style)?.as_bytes(), row_bytes))
    }

    /// The text of a value that is not text, in a way that the texts for null mean only null.
    fn other(&self, record: &[u8], style: &Style) -> Result<String> {
        let (mut value, mut quoted) = (String::new(), String::new());
        self.field.field().format_text(record, &mut value)?;
        if value.is_empty() {
            value.clone_from(&style.null);
        } else if value == style.null {
            let name = crate::error::quoted(self.field.field().name());
            return Err(Error::new(ErrorKind::InvalidValue, "write")
                .detail(format!("the value of {name} is {value}, which is the text for null"))
                .advice("choose a text for null that no field has"));
        } else if self.words.have(&value) {
            value = self.words.other_spelling(self.field.field(), &value, &style.null)?;
        } else if needs_quotes(value.as_bytes(), style.delimiter) {
            push_quoted(&value, &mut quoted);
            value = quoted;
        }
        Ok(value)
    }
}

/// Whether a text needs quotes.
fn is_quoted(value: &str, delimiter: u8) -> bool {
    // A reader would drop a byte order mark at the start of a file.
    value.is_empty() || value.starts_with('\u{feff}') || needs_quotes(value.as_bytes(), delimiter)
}

fn longest(words: &[String]) -> usize {
    words.iter().map(String::len).max().unwrap_or_default()
}

/// The bytes with which a value needs quotes.
#[derive(Clone, Copy)]
struct NeedQuotes {
    delimiter: u8,
}

impl Marks for NeedQuotes {
    #[inline(always)]
    fn has(self, byte: u8) -> bool {
        (byte == self.delimiter) | (byte == b'"') | (byte == b'\n') | (byte == b'\r')
    }

    #[inline(always)]
    fn in_word(self, word: u64) -> u64 {
        let ends = equal_in(word, b'\n') | equal_in(word, b'\r');
        equal_in(word, self.delimiter) | equal_in(word, b'"') | ends
    }
}

fn needs_quotes(value: &[u8], delimiter: u8) -> bool {
    value.iter().any(|&byte| NeedQuotes { delimiter }.has(byte))
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
