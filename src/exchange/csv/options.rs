//! The form of a CSV file: its delimiter, its header, its text for null.

use super::split::Form;
use super::wanted::Wanted;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Schema};

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
#[must_use = "options do nothing until a reader has them"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    pub(super) delimiter: u8,
    pub(super) detects_delimiter: bool,
    pub(super) comment: Option<u8>,
    pub(super) skipped_lines: u64,
    pub(super) header: bool,
    /// Whether the caller said so.
    pub(super) header_is_sure: bool,
    pub(super) rename_duplicates: bool,
    pub(super) null_texts: Vec<String>,
    pub(super) quoted_null: bool,
    pub(super) round: bool,
    pub(super) threads: Option<usize>,
    pub(super) wanted: Wanted,
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
            header_is_sure: false,
            rename_duplicates: false,
            null_texts: Vec::new(),
            quoted_null: false,
            round: false,
            threads: None,
            wanted: Wanted::default(),
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
    /// columns, two at least. A first line such as `sep=;` names the delimiter, too. Rows that seem
    /// to be divided by spaces are an error then.
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

    /// Whether a column whose name an earlier one has gets another, the second `a` becoming `a_2`,
    /// and a column without a name gets `column_` and its number. Otherwise such a header is an
    /// error.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let csv = ",a,a\n0,1,2\n"; // pandas writes its index without a name
    /// let read = |options| CsvReader::new(Input::from_bytes(csv), options).columns();
    /// assert!(read(CsvOptions::new()).is_err());
    /// let names = read(CsvOptions::new().rename_duplicates(true))?;
    /// assert_eq!(names, ["column_1", "a", "a_2"]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn rename_duplicates(mut self, rename: bool) -> Self {
        self.rename_duplicates = rename;
        self
    }

    /// Whether the first row has the names of the columns. Without a header they are called
    /// `column_1`, `column_2` and so on.
    ///
    /// Without a call the first row has the names, and inference refuses one that looks like data.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let infer = |csv, options| CsvReader::new(Input::from_bytes(csv), options).infer(None);
    /// let numbers = "1,2\n3,4\n";
    /// assert!(infer(numbers, CsvOptions::new()).is_err());
    /// assert_eq!(infer(numbers, CsvOptions::new().header(false))?.rows, 2);
    /// assert_eq!(infer(numbers, CsvOptions::new().header(true))?.rows, 1);
    ///
    /// // Years are also names: only the result says so.
    /// let years = "country,2001,2002\nAruba,5,7\n";
    /// assert!(infer(years, CsvOptions::new())?.header_may_be_data);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self.header_is_sure = true;
        self
    }

    /// A text that means null, in addition to the empty field. In a field of text both mean null
    /// only if not quoted, unless [`quoted_null`](Self::quoted_null) is set.
    ///
    /// The schema that inference makes notes it among its null words, and a load with that schema
    /// takes it for null, too:
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let options = CsvOptions::new().null_text("NA");
    /// let input = Input::from_bytes("delay\n-5\nNA\n");
    /// let schema = CsvReader::new(input, options).infer(None)?.schema;
    /// assert_eq!(schema.null_words(), ["NA"]);
    ///
    /// let next = Input::from_bytes("delay\nNA\n");
    /// let report = CsvReader::new(next, CsvOptions::new()).load(&schema, &mut Vec::new())?;
    /// assert_eq!(report.nulls, 1);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn null_text(mut self, text: impl Into<String>) -> Self {
        self.null_texts.push(text.into());
        self
    }

    /// A text that means null in one column, in addition to those for all columns. The schema that
    /// inference makes notes it among the null words of that field.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let csv = "country,delay\nNA,5\nDE,NA\n"; // NA is also Namibia
    /// let options = CsvOptions::new().null_text_of("delay", "NA");
    /// let mut reader = CsvReader::new(Input::from_bytes(csv), options);
    /// let schema = reader.infer(None)?.schema;
    /// assert_eq!(schema.fields()[0].to_string(), "country: utf8(2) at 0");
    /// assert_eq!(schema.fields()[1].null_words(), ["NA"]);
    /// assert_eq!(reader.load(&schema, &mut Vec::new())?.nulls, 1);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn null_text_of(mut self, column: impl Into<String>, text: impl Into<String>) -> Self {
        self.wanted.null_texts.push((column.into(), text.into()));
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

    /// Whether inference makes every field nullable: a later file may have a null anywhere.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let options = CsvOptions::new().nullable(true).text_width(16);
    /// let input = Input::from_bytes("station,temp\nA,1.5\nB,2.5\n");
    /// let schema = CsvReader::new(input, options.clone()).infer(None)?.schema;
    /// assert_eq!(schema.fields()[0].to_string(), "station: utf8(16) nullable at 0");
    /// assert_eq!(schema.fields()[1].to_string(), "temp: float64 nullable at 17");
    ///
    /// // The next file has a null and a longer text, which the same schema takes.
    /// let next = Input::from_bytes("station,temp\nA,\nLONGER,3.5\n");
    /// let report = CsvReader::new(next, options).load(&schema, &mut Vec::new())?;
    /// assert_eq!((report.loaded, report.nulls), (2, 1));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn nullable(mut self, nullable: bool) -> Self {
        self.wanted.nullable = nullable;
        self
    }

    /// The width in bytes of the text fields that inference makes, instead of that of the longest
    /// value. A row with a longer text is bad.
    pub fn text_width(mut self, width_bytes: u32) -> Self {
        self.wanted.text_width = Some(width_bytes);
        self
    }

    /// The width in bytes of one column, which is text then, whatever its values are.
    pub fn text_width_of(self, column: impl Into<String>, width_bytes: u32) -> Self {
        self.data_type_of(column, DataType::Utf8(width_bytes))
    }

    /// The type of one column, instead of the one that inference would choose. A row with a value
    /// that does not fit it is bad.
    ///
    /// ```
    /// use flatrec::DataType;
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let options = CsvOptions::new()
    ///     .data_type_of("temp", DataType::Float64)
    ///     .text_width_of("zip", 5);
    /// let mut reader = CsvReader::new(Input::from_bytes("temp,zip\n7,10115\n"), options);
    /// let schema = reader.infer(None)?.schema;
    /// assert_eq!(schema.fields()[0].to_string(), "temp: float64 at 0");
    /// assert_eq!(schema.fields()[1].to_string(), "zip: utf8(5) at 8");
    ///
    /// let options = CsvOptions::new().data_type_of("tmp", DataType::Float64);
    /// let mut reader = CsvReader::new(Input::from_bytes("temp\n7\n"), options);
    /// let error = reader.infer(None).unwrap_err();
    /// assert!(error.to_string().contains("no column \"tmp\" (did you mean \"temp\"?)"));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn data_type_of(mut self, column: impl Into<String>, data_type: DataType) -> Self {
        self.wanted.types.push((column.into(), data_type));
        self
    }

    /// Whether inference takes the narrowest type that keeps every value: `int8`, `int16`, `int32`
    /// or `int64`, never an unsigned one, and `float32` if an export writes the same texts as of a
    /// `float64`.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let csv = "a,b,c\n127,0.5,0.1\n-9,3,0.123456789\n";
    /// let options = CsvOptions::new().narrow(true);
    /// let schema = CsvReader::new(Input::from_bytes(csv), options).infer(None)?.schema;
    /// assert_eq!(schema.fields()[0].to_string(), "a: int8 at 0");
    /// assert_eq!(schema.fields()[1].to_string(), "b: float32 at 1");
    /// // A float32 would be written as 0.12345679.
    /// assert_eq!(schema.fields()[2].to_string(), "c: float64 at 5");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn narrow(mut self, narrow: bool) -> Self {
        self.wanted.narrow = narrow;
        self
    }

    /// The schema with what these options say of fields: [`nullable`](Self::nullable), the width of
    /// texts, the types of columns, and the texts for null among its null words. For a schema that
    /// was not inferred, such as that of another store. If a field gets another size, the fields
    /// follow one another without gaps.
    ///
    /// ```
    /// use flatrec::exchange::CsvOptions;
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("station", DataType::Utf8(1))])?;
    /// let wider = CsvOptions::new().nullable(true).text_width(6).adapt(&schema)?;
    /// assert_eq!(wider.fields()[0].to_string(), "station: utf8(6) nullable at 0");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the options name a field that the schema does not have;
    /// [`ErrorKind::InvalidSchema`] if the fields then do not make a record, or a type does not fit
    /// the field's annotations.
    pub fn adapt(&self, schema: &Schema) -> Result<Schema> {
        self.wanted.check_names(schema.fields().iter().map(Field::name))?;
        let schema = schema.map_fields(|field| {
            let field = self.wanted.adapted(field);
            let has_own = self.wanted.null_texts_of(field.name()).next().is_some();
            if field.null_words().is_empty() && !has_own {
                return field; // Those of the record are for it.
            }
            let words = self.null_words_of(&field, schema.null_words());
            field.with_null_words(words)
        })?;
        let words = self.with_null_texts(schema.null_words());
        schema.with_null_words(words)
    }

    /// The words for null of a field: its own, or those of the record; the null texts of these
    /// options for all columns; and those for this one.
    pub(super) fn null_words_of(&self, field: &Field, of_record: &[String]) -> Vec<String> {
        let mut words = self.with_null_texts(field.null_words_or(of_record));
        for text in self.wanted.null_texts_of(field.name()) {
            if !text.is_empty() && !words.contains(text) {
                words.push(text.clone());
            }
        }
        words
    }

    /// The texts that mean null in a column.
    pub(super) fn null_texts_of(&self, column: &str) -> Vec<String> {
        let own = self.wanted.null_texts_of(column);
        self.null_texts.iter().chain(own).cloned().collect()
    }

    /// The words for null and the null texts of these options, each once.
    pub(super) fn with_null_texts(&self, words: &[String]) -> Vec<String> {
        let mut words = words.to_vec();
        for text in &self.null_texts {
            if !text.is_empty() && !words.contains(text) {
                words.push(text.clone());
            }
        }
        words
    }

    /// The number of threads that parse, at least one. It does not change the result.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    pub(super) fn form(&self) -> Form {
        Form { delimiter: self.delimiter, comment: self.comment }
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
