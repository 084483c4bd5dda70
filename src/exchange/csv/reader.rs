//! Reads a CSV file: its columns, their types, and its rows as records.

mod guess;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::block::Blocks;
use super::column::Column;
use super::header;
use super::infer::Seen;
use super::options::CsvOptions;
use super::part::{Fault, InferPlan, Layout, LoadPlan, NotePlan, Part, Records};
use super::pipeline;
use super::strays::Stray;
use super::width::{self, Widest};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Input, LoadPoint, LoadReport, Progress, RecordSink, threads};
use crate::format::{Field, Schema};
use guess::Noted;

/// Shorter inputs are parsed on one thread: starting others takes longer.
const ONE_THREAD_BYTES: u64 = 1 << 20;

type OnProgress<'a> = Box<dyn FnMut(Progress) -> Result<()> + 'a>;
type OnReject<'a> = Box<dyn FnMut(&Reject<'_>) -> Result<()> + 'a>;

/// A bad row that was set aside.
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input};
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([Field::new("id", DataType::UInt8)])?;
/// let mut rejects = Vec::new();
/// let mut records: Vec<u8> = Vec::new();
/// let report = CsvReader::new(Input::from_bytes("id\n7\n300\n8\n"), CsvOptions::new())
///     .on_reject(|reject| {
///         rejects.push(format!("{}: {}", reject.line, reject.reason));
///         Ok(())
///     })
///     .load(&schema, &mut records)?;
/// assert_eq!((records, report.rejected), (vec![7, 8], 1));
/// assert!(rejects[0].starts_with("3: field id (uint8): \"300\""), "{rejects:?}");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reject<'r> {
    /// The line on which the row begins; the first line of the file is 1.
    pub line: u64,
    /// The faulty column, if one column is at fault.
    pub column: Option<&'r str>,
    /// The reason.
    pub reason: &'r str,
    /// The row as it is in the file, without its line end.
    pub row: &'r [u8],
}

/// The result of [`CsvReader::infer`].
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input};
/// let inferred = CsvReader::new(Input::from_bytes("a\n1\n"), CsvOptions::new()).infer(None)?;
/// assert_eq!((inferred.schema.record_size(), inferred.rows), (8, 1));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// A field for each column, packed in their order.
    pub schema: Schema,
    /// The rows that inference looked at.
    pub rows: u64,
    /// The columns that are text only because of a few values.
    pub strays: Vec<Strays>,
    /// Whether the names of the columns that are not text are also values of them: the first row
    /// may be data ([`CsvOptions::header`]).
    pub header_may_be_data: bool,
}

/// A column that is text only because of a few values, which may be words for null.
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input};
/// let csv = "id,delay\n1,-5\n2,NA\n3,7\n";
/// let inferred = CsvReader::new(Input::from_bytes(csv), CsvOptions::new()).infer(None)?;
/// assert_eq!(inferred.schema.fields()[1].to_string(), "delay: utf8(2) at 8");
/// let strays = &inferred.strays[0];
/// assert_eq!((&*strays.texts, strays.values), (&["NA".to_owned()][..], 1));
/// assert_eq!(strays.lines, [3]);
/// assert_eq!(strays.field.to_string(), "delay: int64 at 0");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strays {
    /// The field that the column would be without these values, at offset 0.
    pub field: Field,
    /// Their texts, three at most.
    pub texts: Vec<String>,
    /// The line on which the first row with each text begins; the first line of the file is 1.
    pub lines: Vec<u64>,
    /// How many values have one of these texts, at most half of the rows.
    pub values: u64,
}

/// A CSV file, to be read as records.
///
/// The text follows RFC 4180, with some extensions: quoted fields may hold delimiters, line ends
/// and doubled quotes; lines end in LF, CR LF or CR, also mixed; a byte order mark is skipped.
///
/// A blank line, with no byte before its line end, is skipped in a file of two or more columns. In
/// a file of one column it is a row with a null value, because such a row is written that way;
/// blank lines before the first other line are skipped there too, and the line end of the last row
/// begins no other row. A line with a quoted empty field (`""`) is not blank.
///
/// A row is bad if it has too few or too many fields, text after a closing quote, or a value that
/// its field cannot hold. The first bad row is the error, unless [`CsvReader::on_reject`] sets them
/// aside.
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input};
/// let csv = "id,name,score\n1,Ada,9.5\n2,\"Lovelace, A.\",\n";
/// let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new());
/// let schema = reader.infer(None)?.schema;
/// assert_eq!(schema.fields()[1].to_string(), "name: utf8(12) at 8");
/// assert_eq!(schema.fields()[2].to_string(), "score: float64 nullable at 20");
///
/// let mut records: Vec<u8> = Vec::new(); // or a DynStore
/// let report = reader.load(&schema, &mut records)?;
/// assert_eq!((report.loaded, report.nulls), (2, 1));
/// assert_eq!(records.len(), 2 * 29);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "a reader reads nothing until it is called"]
pub struct CsvReader<'a> {
    input: Input,
    options: CsvOptions,
    on_progress: Option<OnProgress<'a>>,
    on_reject: Option<OnReject<'a>>,
}

impl<'a> CsvReader<'a> {
    /// A reader of `input`, which must not have been read before.
    pub fn new(input: Input, options: CsvOptions) -> Self {
        Self { input, options, on_progress: None, on_reject: None }
    }

    /// Calls `progress` now and then, with what the present pass has read. An error of `progress`
    /// ends the pass.
    pub fn on_progress(mut self, progress: impl FnMut(Progress) -> Result<()> + 'a) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    /// Gives bad rows to `reject` during a load, in order, instead of failing at the first;
    /// inference skips malformed rows. An error of `reject` ends the load.
    pub fn on_reject(mut self, reject: impl FnMut(&Reject<'_>) -> Result<()> + 'a) -> Self {
        self.on_reject = Some(Box::new(reject));
        self
    }

    /// The names of the columns, from the header or by their places.
    ///
    /// # Errors
    /// An error of reading; [`ErrorKind::InvalidValue`] for an empty file, an invalid header
    /// ([`CsvOptions::rename_duplicates`]), or one that lacks one name.
    pub fn columns(&mut self) -> Result<Vec<String>> {
        Ok(Source::open(&mut self.input, &self.options, true)?.layout.names)
    }

    /// The delimiter: that of the options, or the one that was found instead
    /// ([`CsvOptions::detect_delimiter`]).
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let options = CsvOptions::new().detect_delimiter(true);
    /// let mut reader = CsvReader::new(Input::from_bytes("a;b\n1;2,5\n"), options);
    /// assert_eq!(reader.delimiter()?, b';');
    /// assert_eq!(reader.columns()?, ["a", "b"]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`CsvReader::columns`].
    pub fn delimiter(&mut self) -> Result<u8> {
        Ok(Source::open(&mut self.input, &self.options, true)?.blocks.form().delimiter)
    }

    /// Infers a schema: for each column the first type of this table that gives every value back.
    ///
    /// | type | if every value is like |
    /// | --- | --- |
    /// | `bool` | `true`, `True`, `TRUE`, and the same for `false` |
    /// | `int64` | `0`, `-12`; not `007`, `+7` or `-0`, and within 64 bits |
    /// | `float64` | `0.1`, `-1e9`, `.5`, `nan`, `inf`, `-Infinity`, or an integer; not `1e999` |
    /// | `date32` | `2013-01-31`, an existing day |
    /// | `timestamp` | `2013-01-31T05:00:00.25`, `T` or a space, and dates among such times |
    /// | the same, UTC | the same and `Z`, `+01:00` or `+01`, each of the times |
    /// | `utf8(n)` | anything else; `n` is the longest length in bytes |
    ///
    /// A timestamp's unit is the coarsest of s, ms, us and ns that holds every fraction. A column
    /// of numbers is one that keeps each of them: [`Field::parse_text`](crate::Field::parse_text)
    /// has the rule, and the load applies it again. Values are kept, not their spellings (`1.50`
    /// becomes `1.5`). A column of integers of which one is past 64 bits is text, also where floats
    /// would keep them all.
    ///
    /// An empty or null text makes the field nullable. In quotes it does so in a column that is not
    /// text, and is itself in a column of text. A column with only nulls is a nullable `utf8(1)`.
    ///
    /// The options choose otherwise: [`CsvOptions::narrow`] takes narrower numbers,
    /// [`CsvOptions::nullable`] and [`CsvOptions::text_width`] leave room for later files, and
    /// [`CsvOptions::data_type_of`] gives the type of a column.
    ///
    /// With `sample_rows` inference looks only at so many rows, and reads only as much of a stream,
    /// which it keeps in memory for the load. Rows that do not fit the types of the sample are bad
    /// rows.
    ///
    /// # Errors
    /// An error of reading; [`ErrorKind::InvalidValue`] for the first bad row, unless bad rows are
    /// set aside, and for a header that looks like data ([`CsvOptions::header`]);
    /// [`ErrorKind::InvalidSchema`] if the columns do not make a record (over 16 MiB,
    /// control characters in a name), or if, without `sample_rows`, a store of the rows would take
    /// more than 16 MiB and more than 16 bytes for each byte of text, because of the longest texts
    /// ([`CsvOptions::text_width_of`]); [`ErrorKind::InvalidArgument`] for a stream without
    /// `sample_rows`, and for the name of a column that is not in the file.
    pub fn infer(&mut self, sample_rows: Option<u64>) -> Result<Inferred> {
        if sample_rows.is_none() && self.input.is_stream() {
            return Err(Error::new(ErrorKind::InvalidArgument, "infer a schema of")
                .path(self.input.name())
                .detail("a stream cannot be read twice")
                .advice("spool it, infer from its first rows only, or give a schema"));
        }
        let Self { input, options, on_progress, on_reject } = self;
        let lenient = on_reject.is_some();
        let mut watch = Watch::new(input, on_progress.as_mut());
        let threads = if sample_rows.is_some() { 1 } else { threads(input, options) };
        let mut source = Source::open(input, options, true)?;
        watch.lines = source.layout.lines;
        let names = source.layout.names.iter().map(String::as_str);
        options.wanted.check_names(names).map_err(|error| error.path(&watch.name))?;
        let mut seen = vec![Seen::default(); source.layout.names.len()];
        let plan = InferPlan::new(options, &source.layout.names, lenient);
        let rows_left = Cell::new(sample_rows.unwrap_or(u64::MAX));
        pipeline::in_order(
            threads,
            |spare| source.next(spare, rows_left.get()),
            |part: &mut Part<Vec<Seen>>| part.infer(&plan),
            |part| {
                if let (Some(fault), false) = (part.faults.first(), lenient) {
                    return Err(watch.bad_row(fault));
                }
                for (column, seen) in seen.iter_mut().zip(&part.result) {
                    column.merge(seen, watch.lines);
                }
                if sample_rows.is_some() {
                    rows_left.set(rows_left.get() - part.rows);
                }
                watch.pass(part)
            },
        )?;
        let text_bytes = source.blocks.offset();
        let names = std::mem::take(&mut source.layout.names);
        drop(source);
        let rows = watch.rows;
        let size = sample_rows.is_none().then_some((rows, text_bytes));
        conclude(input, options, &names, &seen, rows, size)
    }

    /// Makes records from the rows and gives them to `sink`, in order.
    ///
    /// With a header, each column fills the field with its name, in any order; without one, the
    /// field at its place. Texts are read as by [`Field::parse_text`](crate::Field::parse_text).
    /// Null are the texts of the options and the null words of the field, or of the schema if the
    /// field has none of its own.
    ///
    /// # Errors
    /// An error of reading or of the sink; [`ErrorKind::SchemaMismatch`] if columns and fields do
    /// not match; [`ErrorKind::InvalidValue`] for the first bad row, unless bad rows are set aside,
    /// with its line, field and value. The sink may have received the rows before it.
    pub fn load(&mut self, schema: &Schema, sink: &mut dyn RecordSink) -> Result<LoadReport> {
        self.load_from(schema, sink, &LoadPoint::default())
    }

    /// As [`CsvReader::load`], for the rows after a point that an earlier load of the same input,
    /// with the same options and schema, has reached. Records, bad rows, their lines and the report
    /// are as if that load had continued.
    ///
    /// A plain file is read from that point on. One that is compressed or in UTF-16 is read from
    /// its start, to find that point.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input, LoadPoint, LoadReport};
    /// let mut reader = CsvReader::new(Input::from_bytes("a\n1\n2\n3\n"), CsvOptions::new());
    /// let schema = reader.infer(None)?.schema;
    /// let report = LoadReport { loaded: 1, ..LoadReport::default() };
    /// let behind_1 = LoadPoint { offset_bytes: 4, lines: 2, report };
    /// let mut records: Vec<u8> = Vec::new();
    /// let report = reader.load_from(&schema, &mut records, &behind_1)?;
    /// assert_eq!((report.loaded, report.read_bytes), (3, 8));
    /// assert_eq!(records, [2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`CsvReader::load`]; [`ErrorKind::InvalidArgument`] for a stream;
    /// [`ErrorKind::Truncated`] if the input ends before that point.
    pub fn load_from(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
        from: &LoadPoint,
    ) -> Result<LoadReport> {
        self.load_noting(schema, sink, from, None)
    }

    /// As [`CsvReader::load_from`]. With `noted` it notes what inference would. From the first row
    /// on that does not fit it only does that; the report has no meaning then.
    fn load_noting(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
        from: &LoadPoint,
        mut noted: Option<&mut Noted>,
    ) -> Result<LoadReport> {
        let Self { input, options, on_progress, on_reject } = self;
        let options = &*options;
        let mut watch = Watch::new(input, on_progress.as_mut());
        let threads = threads(input, options);
        let mut source = match from.offset_bytes {
            0 => Source::open(input, options, false)?,
            offset => Source::open_at(input, options, offset)?,
        };
        watch.lines = source.layout.lines.max(from.lines);
        watch.rows = from.report.loaded;
        let columns = Column::for_schema(schema, &source.layout.names, options)
            .map_err(|error| error.path(&watch.name))?;
        let record_bytes = schema.record_size() as usize;
        let is_lenient = on_reject.is_some();
        let notes = noted.as_ref().map(|_| NotePlan {
            infer: InferPlan::new(options, &source.layout.names, is_lenient),
            differs: AtomicBool::new(false),
        });
        let lenient = is_lenient && notes.is_none();
        let order = Column::order(&columns);
        let plan = LoadPlan { lenient, columns: &columns, order, record_bytes, notes };
        let mut report = from.report;
        pipeline::in_order(
            threads,
            |spare| source.next(spare, u64::MAX),
            |part: &mut Part<Records>| part.load(&plan),
            |part| {
                if let Some(noted) = &mut noted {
                    if let (Some(fault), false) = (part.faults.first(), is_lenient) {
                        return Err(watch.bad_row(fault));
                    }
                    noted.merge(part, watch.lines);
                    if noted.differs {
                        return watch.pass(part);
                    }
                }
                sink.append_records(&part.result.bytes)?;
                set_aside(part, &columns, &watch, on_reject.as_mut())?;
                // Saturating: the point to continue from may come from a file with any content.
                report.loaded = report.loaded.saturating_add(part.rows);
                report.rejected = report.rejected.saturating_add(part.faults.len() as u64);
                report.nulls = report.nulls.saturating_add(part.result.nulls);
                report.rounded = report.rounded.saturating_add(part.result.rounded);
                report.read_bytes = part.read_bytes;
                watch.pass(part)?;
                let (offset_bytes, lines) = (part.end_offset, watch.lines);
                sink.reached(&LoadPoint { offset_bytes, lines, report })
            },
        )?;
        report.read_bytes = source.blocks.read_bytes();
        if let Some(noted) = noted {
            noted.text_bytes = source.blocks.offset();
            noted.rows = watch.rows;
            noted.names = source.layout.names;
        }
        Ok(report)
    }
}

/// Gives the bad rows of a part to `on_reject`.
///
/// # Errors
/// The first of them without `on_reject`, or an error of that.
fn set_aside(
    part: &Part<Records>,
    columns: &[Column],
    watch: &Watch<'_, '_>,
    mut on_reject: Option<&mut OnReject<'_>>,
) -> Result<()> {
    for fault in &part.faults {
        let Some(on_reject) = &mut on_reject else {
            let error = watch.bad_row(fault);
            return Err(match fault.column {
                Some(at) => error.field(columns[at].name()),
                None => error,
            });
        };
        on_reject(&Reject {
            line: watch.line_of(fault),
            column: fault.column.map(|at| columns[at].name()),
            reason: &fault.why.reason,
            row: &part.block[fault.place.clone()],
        })?;
    }
    Ok(())
}

/// The result of an inference that has seen these facts in `rows` rows. `size` has the rows and the
/// bytes of their text, if all were read.
fn conclude(
    input: &mut Input,
    options: &CsvOptions,
    names: &[String],
    seen: &[Seen],
    rows: u64,
    size: Option<(u64, u64)>,
) -> Result<Inferred> {
    let path = input.name().to_path_buf();
    let named = |error: Error| error.path(&path);
    let fields = fields_of(names, seen, options);
    let schema = fields.and_then(|fields| schema_of(fields, input, options, size));
    let schema = schema.map_err(|error| match error.what_to_do() {
        Some(_) => named(error),
        None => named(error).advice("change the column, or give a schema"),
    })?;
    let header_may_be_data = header::may_be_data(schema.fields(), rows, options).map_err(named)?;
    let columns = names.iter().zip(seen);
    let strays =
        columns.filter_map(|(name, seen)| seen.without_strays(name, rows, &options.wanted));
    let strays = strays.map(|(field, strays, values)| Strays {
        field,
        texts: strays.iter().map(Stray::text).collect(),
        lines: strays.iter().map(|stray| stray.lines_before.saturating_add(1)).collect(),
        values,
    });
    Ok(Inferred { schema, rows, strays: strays.collect(), header_may_be_data })
}

/// The fields that inference chose.
fn fields_of(names: &[String], seen: &[Seen], options: &CsvOptions) -> Result<Vec<Field>> {
    names.iter().zip(seen).map(|(name, seen)| seen.field(name, &options.wanted)).collect()
}

/// The schema of the fields. `size` has the rows and the bytes of their text, if all were read.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if the record, or a store of the rows, would be too large.
fn schema_of(
    fields: Vec<Field>,
    input: &mut Input,
    options: &CsvOptions,
    size: Option<(u64, u64)>,
) -> Result<Schema> {
    if let Some(widest) = width::too_large(&fields) {
        let line = line_of_text(input, options, &widest);
        return Err(widest.record_error(&fields, line));
    }
    let schema = Schema::packed(fields).and_then(|schema| options.adapt(&schema))?;
    let Some((rows, text_bytes)) = size else { return Ok(schema) };
    match width::too_wide(&schema, options, rows, text_bytes) {
        None => Ok(schema),
        Some(widest) => {
            let line = line_of_text(input, options, &widest);
            Err(widest.error(&schema, rows, text_bytes, line))
        }
    }
}

/// The line on which the first text as long as the widest begins. Reads the text once more.
fn line_of_text(input: &mut Input, options: &CsvOptions, widest: &Widest) -> Option<u64> {
    let mut source = Source::open(input, options, true).ok()?;
    let mut lines = source.layout.lines;
    let columns = source.layout.names.len();
    loop {
        let mut part: Part<Option<usize>> = source.next(None, u64::MAX).ok()??;
        part.find_text(columns, widest.column, widest.len_bytes);
        if let Some(before) = part.lines_before_text() {
            return Some(lines + before + 1);
        }
        lines += part.lines;
    }
}

/// The number of threads that parse.
fn threads(input: &Input, options: &CsvOptions) -> usize {
    match (options.threads, input.total_bytes()) {
        (Some(threads), _) => threads,
        (None, Some(bytes)) if bytes < ONE_THREAD_BYTES => 1,
        _ => threads::by_default(),
    }
}

/// The parts of an input.
struct Source<'i> {
    blocks: Blocks<'i>,
    layout: Layout,
    /// The block with the header, until it is taken.
    first: Option<Vec<u8>>,
}

impl<'i> Source<'i> {
    fn open(input: &'i mut Input, options: &CsvOptions, keep: bool) -> Result<Self> {
        let name = input.name().to_path_buf();
        let mut blocks = Blocks::new(input.read(keep)?, 0, options);
        let (layout, first) =
            Layout::read(&mut blocks, options).map_err(|error| error.path(name))?;
        Ok(Self { blocks, layout, first: Some(first) })
    }

    /// The parts from byte `offset` of the text on, where a row other than the first begins.
    fn open_at(input: &'i mut Input, options: &CsvOptions, offset: u64) -> Result<Self> {
        let (form, layout) = {
            let start = Source::open(input, options, true)?;
            (start.blocks.form(), start.layout)
        };
        let mut blocks = Blocks::new(input.read_from(offset)?, offset, options);
        blocks.set_form(form);
        Ok(Self { blocks, layout, first: None })
    }

    /// The next part, of which at most `rows_max` rows are needed.
    fn next<T: Default>(
        &mut self,
        spare: Option<Part<T>>,
        rows_max: u64,
    ) -> Result<Option<Part<T>>> {
        if rows_max == 0 {
            return Ok(None);
        }
        let mut part = match self.first.take() {
            Some(block) => Part::first(&self.layout, block, self.blocks.form()),
            None => {
                let one_column = self.layout.names.len() == 1;
                let mut part = spare.unwrap_or_else(|| Part::new(self.blocks.form(), one_column));
                if !part.refill(&mut self.blocks)? {
                    return Ok(None);
                }
                part
            }
        };
        part.read_bytes = self.blocks.read_bytes();
        part.end_offset = self.blocks.offset();
        part.rows_max = rows_max;
        Ok(Some(part))
    }
}

/// Counts what has been read, for progress and for errors.
struct Watch<'w, 'a> {
    name: PathBuf,
    total_bytes: Option<u64>,
    on_progress: Option<&'w mut OnProgress<'a>>,
    /// The line ends passed.
    lines: u64,
    /// The rows passed, without bad ones.
    rows: u64,
}

impl<'w, 'a> Watch<'w, 'a> {
    fn new(input: &Input, on_progress: Option<&'w mut OnProgress<'a>>) -> Self {
        let (name, total_bytes) = (input.name().to_path_buf(), input.total_bytes());
        Self { name, total_bytes, on_progress, lines: 0, rows: 0 }
    }

    /// The line on which the bad row of the present part begins.
    fn line_of(&self, fault: &Fault) -> u64 {
        self.lines.saturating_add(fault.lines).saturating_add(1)
    }

    fn bad_row(&self, fault: &Fault) -> Error {
        let error = Error::new(ErrorKind::InvalidValue, "load")
            .path(&self.name)
            .detail(format!("line {}: {}", self.line_of(fault), fault.why.reason))
            .advice("correct it, set bad rows aside, or give the field another type");
        let error = match &fault.why.text {
            Some(text) => error.value(text),
            None => error,
        };
        match fault.why.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }

    fn pass<T>(&mut self, part: &Part<T>) -> Result<()> {
        self.lines = self.lines.saturating_add(part.lines);
        self.rows = self.rows.saturating_add(part.rows);
        match &mut self.on_progress {
            Some(on_progress) => on_progress(Progress {
                done_bytes: part.read_bytes,
                total_bytes: self.total_bytes,
                rows: self.rows,
            }),
            None => Ok(()),
        }
    }
}
