//! Records as CSV.

mod column;
mod rows;

use std::io::Write;

use self::column::{Column, Style, is_quoted};
use self::rows::Rows;
use super::Buffer;
use super::first_line;
use crate::error::{Error, Result};
use crate::format::Field;

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
    rows: Rows,
    /// Whether the next line is the first, by which a reader finds the delimiter, or may be one.
    is_first_line: bool,
    /// Whether the line before it seems to name a delimiter.
    follows_delimiter: bool,
}

impl<W: Write> CsvWriter<W> {
    /// A writer of these fields, in this order; they may be any selection of a schema's. The
    /// `delimiter` must be valid for [`CsvOptions`](crate::exchange::CsvOptions).
    pub fn new(out: W, fields: &[Field], delimiter: u8) -> Self {
        let columns = fields.iter().map(Column::new).collect();
        let style = Style { delimiter, null_words: Vec::new(), null: String::new() };
        let (out, id, rows) = (Buffer::new(out), None, Rows::default());
        let (is_first_line, follows_delimiter) = (true, false);
        let mut writer = Self { out, columns, style, id, rows, is_first_line, follows_delimiter };
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

    /// Finds the ways of the columns.
    fn prepare(&mut self) {
        self.columns.iter_mut().for_each(|column| column.prepare(&self.style));
        self.rows = Rows::new(&mut self.columns, &self.style, self.id.is_some());
    }

    /// Begins each row with the record's number, in a column with this name:
    /// [`CsvWriter::write_numbered`] writes such rows.
    pub fn id_column(mut self, name: &str) -> Self {
        self.id = Some(name.to_owned());
        self.prepare();
        self
    }

    /// Writes the names of the fields.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn header(&mut self) -> Result<()> {
        let fields = self.columns.iter().map(|column| column.field().name());
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

    /// Puts a line into the buffer.
    fn push_cells(&mut self, cells: &[String]) {
        let row = cells.join(&char::from(self.style.delimiter).to_string()) + "\n";
        let start = self.out.text.begin_row(row.len());
        let end = self.out.text.append(start, row.as_bytes(), 0);
        self.out.text.end_row(end);
        if self.is_first_line {
            // Once more: the line after such a cell may seem to be divided. And a reader that looks
            // for the delimiter passes blank lines.
            self.follows_delimiter = matches!(cells, [cell] if first_line::names_delimiter(cell));
            self.is_first_line =
                self.follows_delimiter || matches!(cells, [cell] if cell.is_empty());
        }
    }

    /// Puts a row into the buffer that may be one of the first lines.
    #[cold]
    fn push_line(&mut self, id: Option<u64>, record: &[u8]) -> Result<()> {
        let id = id.filter(|_| self.id.is_some());
        let mut cells: Vec<String> = id.iter().map(u64::to_string).collect();
        let count = cells.len() + self.columns.len();
        for column in &self.columns {
            let mut cell = String::new();
            column.push(record, &self.style, &mut cell)?;
            let is_misread = self.follows_delimiter
                || first_line::is_misread(&cell, cells.len(), count, self.style.delimiter);
            let may_be_quoted = cell != self.style.null && !cell.starts_with('"');
            if self.is_first_line && is_misread && may_be_quoted {
                let bare = std::mem::take(&mut cell);
                push_quoted(&bare, &mut cell);
            }
            cells.push(cell);
        }
        self.push_cells(&cells);
        Ok(())
    }

    /// Whether the next row may be one of the first lines.
    pub(super) fn is_at_first_line(&self) -> bool {
        self.is_first_line
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
        match self.id {
            None => self.push(&[0], record, record.len()).map_err(|(_, error)| error)?,
            Some(_) => self.push_line(None, record)?, // without the column
        }
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
        self.push(&[id], record, record.len()).map_err(|(_, error)| error)?;
        self.flush_if_full()
    }

    /// Puts the texts of records of `record_bytes` bytes, with these numbers, into the buffer.
    ///
    /// # Errors
    /// The index of a record that cannot be read, and its error. Those before it are in the buffer.
    pub(super) fn push(
        &mut self,
        ids: &[u64],
        records: &[u8],
        record_bytes: usize,
    ) -> Result<(), (usize, Error)> {
        let mut at = 0;
        while self.is_first_line && at < ids.len() {
            let record = &records[at * record_bytes..(at + 1) * record_bytes];
            self.push_line(Some(ids[at]), record).map_err(|error| (at, error))?;
            at += 1;
        }
        let Self { out: Buffer { text, .. }, columns, style, rows, .. } = self;
        let (ids, records) = (&ids[at..], &records[at * record_bytes..]);
        let pushed = rows.push(columns, style, ids, records, record_bytes, text);
        pushed.map_err(|(index, error)| (at + index, error))
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
