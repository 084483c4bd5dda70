//! The form of a CSV file: its delimiter, its header, its text for null.

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
    pub(super) header: bool,
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
            header: true,
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
        if matches!(delimiter, b'"' | b'\n' | b'\r' | 0) || !delimiter.is_ascii() {
            return Err(Error::new(ErrorKind::InvalidArgument, "choose a delimiter")
                .detail(format!("{:?} cannot be a delimiter", char::from(delimiter)))
                .advice("use a comma, a semicolon, a tab or another plain ASCII character"));
        }
        self.delimiter = delimiter;
        Ok(self)
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

    /// Whether these bytes mean null, in quotes or not.
    #[inline]
    pub(super) fn is_null(&self, bytes: &[u8]) -> bool {
        bytes.is_empty() || self.null_texts.iter().any(|text| text.as_bytes() == bytes)
    }
}
