//! A column of CSV: the texts of a field's values, and when they need quotes or another spelling.

use super::push_quoted;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::output::words::{Words, is_value};
use crate::format::{
    CellForm, Cells, Copied, DataType, Field, Marks, Piece, PreparedField, below_in, equal_in,
    piece_of, room_at,
};

/// What the columns have in common.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) delimiter: u8,
    /// The texts that mean null in fields without null words of their own.
    pub(super) null_words: Vec<String>,
    /// The text for null.
    pub(super) null: String,
}

#[derive(Debug)]
pub(super) struct Column {
    field: PreparedField,
    /// Whether no value can need quotes.
    is_bare: bool,
    /// The null words, if the field is not text and a value may have the text of one.
    words: Words,
    /// Whether a value that is not text may have the text for null.
    may_be_null_text: bool,
    /// The length of the longest text that means null.
    word_bytes_max: usize,
    /// What stands around the texts in pieces.
    form: CellForm<NeedQuotes>,
    /// For how many records the loop has left the text to the careful way.
    left: u64,
}

/// A loop that leaves fewer texts is worth its time.
const LEFT_MAX: u64 = 256;

impl Column {
    pub(super) fn new(field: &Field) -> Self {
        let marks = NeedQuotes { delimiter: b',' };
        Self {
            field: PreparedField::new(field),
            is_bare: false,
            words: Words::default(),
            may_be_null_text: false,
            word_bytes_max: 0,
            form: CellForm { lead: None, null: Piece::default(), marks, words: Vec::new() },
            left: 0,
        }
    }

    /// Notes what the style asks of the field.
    pub(super) fn prepare(&mut self, style: &Style) {
        let field = self.field.field();
        let words = field.null_words_or(&style.null_words);
        let longest = words.iter().map(String::len).max().unwrap_or_default();
        self.word_bytes_max = longest.max(style.null.len());
        self.is_bare = is_bare(field, style.delimiter);
        self.words = match self.field.is_text() {
            true => Words::default(),
            false => Words::of_values(field, &style.null_words),
        };
        self.may_be_null_text = !self.field.is_text() && is_value(field, &style.null);
        let words = words.iter().chain([&style.null]).filter(|word| !word.is_empty());
        self.form.words = words.filter_map(|word| self.field.word(word)).collect();
        self.form.marks = NeedQuotes { delimiter: style.delimiter };
    }

    pub(super) fn field(&self) -> &Field {
        self.field.field()
    }

    /// The least length of a record that has the field.
    pub(super) fn end(&self) -> usize {
        self.field.end()
    }

    /// Prepares a loop that puts each text, after `lead`, into pieces, and returns how many it
    /// takes; `None` if the texts go into the row one by one. All records are longer than
    /// `least_bytes`.
    pub(super) fn begin_pieces(
        &mut self,
        lead: Option<u8>,
        style: &Style,
        least_bytes: usize,
        rows: u64,
    ) -> Option<usize> {
        let is_plain = self.is_bare && self.words.is_empty() && !self.may_be_null_text;
        if !is_plain && !self.field.is_text() || self.leaves_too_many(rows) {
            return None;
        }
        self.form.lead = lead;
        self.form.null = piece_of(lead, style.null.as_bytes())?;
        self.field.pieces(least_bytes)
    }

    /// Whether the loop has left most texts of so many rows.
    pub(super) fn leaves_too_many(&self, rows: u64) -> bool {
        self.left > LEFT_MAX && self.left > rows / 2
    }

    /// Puts the texts of all records into their pieces. Returns a bit for each that needs care.
    pub(super) fn fill(&mut self, cells: Cells<'_>) -> u64 {
        let left = self.field.fill(cells, &self.form);
        self.left += u64::from(left.count_ones());
        left
    }

    /// The room that [`Column::put`] needs.
    pub(super) fn room_bytes(&self, style: &Style) -> usize {
        self.field.room_bytes() + style.null.len()
    }

    /// Writes the value in `record` at `at`, and returns its end; `None` if it needs more care, or
    /// more room.
    pub(super) fn put(
        &mut self,
        record: &[u8],
        style: &Style,
        bytes: &mut [u8],
        at: usize,
    ) -> Option<usize> {
        if self.field.is_text() {
            let copied = self.field.copy_text(record, bytes.get_mut(at..)?, self.form.marks)?;
            let Copied { len: len @ 1.., is_clean: true } = copied else { return None };
            let is_word = len <= self.word_bytes_max && self.is_word(&bytes[at..at + len], style);
            return (!is_word).then_some(at + len);
        }
        if !self.is_bare {
            return None;
        }
        let len = self.field.put(record, room_at(bytes, at)?)?;
        if len == 0 {
            bytes.get_mut(at..at + style.null.len())?.copy_from_slice(style.null.as_bytes());
            return Some(at + style.null.len());
        }
        let value = &bytes[at..at + len];
        let is_word = self.words.have(value) || *value == *style.null.as_bytes();
        (!is_word).then_some(at + len)
    }

    /// Whether a reader would take a text, which is not empty, for null if it had no quotes.
    #[inline]
    fn is_word(&self, text: &[u8], style: &Style) -> bool {
        let words = self.field.field().null_words_or(&style.null_words);
        style.null.as_bytes() == text || words.iter().any(|word| word.as_bytes() == text)
    }

    /// Appends a value of any kind, in a way that the texts for null mean only null.
    pub(super) fn push(&self, record: &[u8], style: &Style, cell: &mut String) -> Result<()> {
        if !self.field.is_text() {
            return self.push_other(record, style, cell);
        }
        match self.field.text(record)? {
            None => cell.push_str(&style.null),
            Some(text)
                if is_quoted(text, style.delimiter) || self.is_word(text.as_bytes(), style) =>
            {
                push_quoted(text, cell);
            }
            Some(text) => cell.push_str(text),
        }
        Ok(())
    }

    /// Appends a value that is not text.
    fn push_other(&self, record: &[u8], style: &Style, cell: &mut String) -> Result<()> {
        let field = self.field.field();
        let start = cell.len();
        field.format_text(record, cell)?;
        let value = &cell[start..];
        if value.is_empty() {
            cell.push_str(&style.null);
        } else if value == style.null {
            let name = crate::error::quoted(field.name());
            return Err(Error::new(ErrorKind::InvalidValue, "write")
                .detail(format!("the value of {name} is {value}, which is the text for null"))
                .advice("choose a text for null that no field has"));
        } else if self.words.have(value.as_bytes()) {
            let other = self.words.other_spelling(field, value, &style.null)?;
            cell.replace_range(start.., &other);
        } else if needs_quotes(value.as_bytes(), style.delimiter) {
            let value = cell.split_off(start);
            push_quoted(&value, cell);
        }
        Ok(())
    }
}

/// Whether a text needs quotes.
pub(super) fn is_quoted(value: &str, delimiter: u8) -> bool {
    // A reader would drop a byte order mark at the start of a file.
    value.is_empty() || value.starts_with('\u{feff}') || needs_quotes(value.as_bytes(), delimiter)
}

/// The bytes with which a value needs quotes.
#[derive(Clone, Copy, Debug)]
struct NeedQuotes {
    delimiter: u8,
}

impl Marks for NeedQuotes {
    #[inline(always)]
    fn has(self, byte: u8) -> bool {
        (byte == self.delimiter) | (byte == b'"') | (byte == b'\n') | (byte == b'\r')
    }

    fn end(self) -> u8 {
        self.delimiter.max(b'"') + 1
    }

    #[inline(always)]
    fn in_word(self, word: u64) -> u64 {
        // Line ends are control characters.
        equal_in(word, self.delimiter) | equal_in(word, b'"') | below_in(word, b' ')
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
