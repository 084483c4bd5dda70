//! The form of a CSV file: its delimiter, its header, its text for null.

use super::split::Form;
use crate::error::{Error, ErrorKind, Result};

/// The form of a CSV file, and the number of threads that read it.
///
/// The default: commas, a header row, and only the unquoted empty field is null.
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input};
/// let options = CsvOptions::new().delimiter(b';')?.null_text("NA");
/// let input = Input::from_bytes("id;delay\n1;-5\n2;NA\n");
/// let inferred = CsvReader::new(input, options).infer(None)?;
/// assert_eq!(inferred.schema.field("delay").unwrap().to_string(), "delay: int64 nullable at 8");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    pub(super) delimiter: u8,
    pub(super) detects_delimiter: bool,
    pub(super) comment: Option<u8>,
    pub(super) skipped_lines: u64,
    pub(super) header: bool,
    pub(super) rename_duplicates: bool,
    pub(super) null_texts: Vec<String>,
    pub(super) quoted_null: bool,
    pub(super) round: bool,
    pub(super) threads: Option<usize>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl CsvOptions {
    /// Commas, a header row, the empty field as null, and as many threads as the machine has.
    pub fn new() -> Self {
        Self {
            delimiter: b',',
            detects_delimiter: false,
            comment: None,
            skipped_lines: 0,
            header: true,
            rename_duplicates: false,
            null_texts: Vec::new(),
            quoted_null: false,
            round: false,
            threads: None,
        }
    }

    /// The delimiter between two fields.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for the quote, a line end, or a byte that is not ASCII.
    pub fn delimiter(mut self, delimiter: u8) -> Result<Self> {
        check_mark("choose a delimiter", delimiter)?;
        self.delimiter = delimiter;
        Ok(self)
    }

    /// Whether another delimiter (comma, semicolon, tab, bar) is taken if the first row has one
    /// column with the given one, and the other divides every row of the first 256 KiB into as many
    /// columns, two at least. A first line such as `sep=;` names the delimiter, too.
    /// [`CsvReader::delimiter`](super::CsvReader::delimiter) tells which it is.
    pub fn detect_delimiter(mut self, detect: bool) -> Self {
        self.detects_delimiter = detect;
        self
    }

    /// Leaves out lines that begin with `comment`, except within a quoted field.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let csv = "made by hand\n# units: m, \"s\na\n1\n# no more\n";
    /// let options = CsvOptions::new().skip_lines(1).comment(b'#')?;
    /// let mut reader = CsvReader::new(Input::from_bytes(csv), options);
    /// assert_eq!(reader.columns()?, ["a"]);
    /// assert_eq!(reader.infer(None)?.rows, 1);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for the quote, a line end, or a byte that is not ASCII.
    pub fn comment(mut self, comment: u8) -> Result<Self> {
        check_mark("choose the mark of comments", comment)?;
        self.comment = Some(comment);
        Ok(self)
    }

    /// Leaves out so many lines at the start of the file, before the header.
    pub fn skip_lines(mut self, lines: u64) -> Self {
        self.skipped_lines = lines;
        self
    }

    /// Whether a column whose name an earlier one has gets another: the second `a` becomes `a_2`.
    /// Otherwise a repeated name is an error.
    pub fn rename_duplicates(mut self, rename: bool) -> Self {
        self.rename_duplicates = rename;
        self
    }

    /// Whether the first row has the names of the columns. Without a header they are called
    /// `column_1`, `column_2` and so on.
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// A text that means null, in addition to the empty field. In a field of text both mean null
    /// only if not quoted, unless [`quoted_null`](Self::quoted_null) is set.
    pub fn null_text(mut self, text: impl Into<String>) -> Self {
        self.null_texts.push(text.into());
        self
    }

    /// Whether a quoted text that means null does so in fields of text, too. In other fields it
    /// always does.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let load = |options| {
    ///     let mut reader = CsvReader::new(Input::from_bytes("n,name\n\"\",\"\"\n7,x\n"), options);
    ///     let schema = reader.infer(None)?.schema;
    ///     reader.load(&schema, &mut Vec::new()).map(|report| report.nulls)
    /// };
    /// assert_eq!(load(CsvOptions::new())?, 1);
    /// assert_eq!(load(CsvOptions::new().quoted_null(true))?, 2);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn quoted_null(mut self, quoted_null: bool) -> Self {
        self.quoted_null = quoted_null;
        self
    }

    /// Whether a load stores the nearest value for a number that its field does not keep, as
    /// [`Field::parse_text_rounded`](crate::Field::parse_text_rounded) does, and counts it in
    /// [`LoadReport::rounded`](super::super::LoadReport::rounded). Otherwise such a row is bad.
    /// Inference does not round.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut records: Vec<u8> = Vec::new();
    /// let options = CsvOptions::new().round(true);
    /// let report = CsvReader::new(Input::from_bytes("n\n007\n8\n"), options)
    ///     .load(&schema, &mut records)?;
    /// assert_eq!((records, report.rounded), (vec![7, 8], 1));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn round(mut self, round: bool) -> Self {
        self.round = round;
        self
    }

    /// The number of threads that parse, at least one. It does not change the result.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    pub(super) fn form(&self) -> Form {
        Form { delimiter: self.delimiter, comment: self.comment }
    }

    /// Whether these bytes mean null, in quotes or not.
    #[inline]
    pub(super) fn is_null(&self, bytes: &[u8]) -> bool {
        bytes.is_empty() || self.null_texts.iter().any(|text| text.as_bytes() == bytes)
    }
}

/// Refuses a byte that the grammar has another use for.
fn check_mark(operation: &'static str, mark: u8) -> Result<()> {
    if !is_mark(mark) {
        return Err(Error::new(ErrorKind::InvalidArgument, operation)
            .detail(format!("{:?} cannot be a delimiter or a mark of comments", char::from(mark)))
            .advice("use a comma, a semicolon, a tab or another plain ASCII character"));
    }
    Ok(())
}

/// Whether a byte can be a delimiter.
pub(super) fn is_mark(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\n' | b'\r' | 0) && byte.is_ascii()
}
