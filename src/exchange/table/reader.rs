//! Reads an input whose columns have types.

use super::facts::Facts;
use super::fit::{Pairs, row_text};
use super::format::InputFormat;
use super::json::{self, JsonOptions};
use super::npy;
use super::source::{Block, Column, Decimals, Source};
use super::watch::{Bad, OnProgress, OnReject, Watch};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::csv::in_order;
use crate::exchange::{
    Inferred, Input, LoadPoint, LoadReport, Progress, RecordSink, Reject, threads,
};
use crate::format::Schema;

/// Shorter inputs are read on one thread: starting others takes longer.
const ONE_THREAD_BYTES: u64 = 4 << 20;

/// An input whose columns have types, to be read as records: an array of numpy, NDJSON, Arrow or
/// Parquet ([`InputFormat`] lists the formats). [`CsvReader`](super::super::CsvReader) reads CSV.
///
/// The [guide to formats](crate::documents::formats) says which types become which, and which are
/// refused.
///
/// ```
/// use flatrec::exchange::{Input, InputFormat, NpyWriter, TableReader};
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([Field::new("id", DataType::UInt16)])?;
/// let mut npy = NpyWriter::new(Vec::new(), &schema, 2)?;
/// npy.write(&[1, 0, 2, 0])?;
/// let input = Input::from_bytes(npy.finish()?);
///
/// let mut reader = TableReader::new(input, InputFormat::Npy)?;
/// assert_eq!(reader.infer(None)?.schema, schema);
/// let mut records: Vec<u8> = Vec::new(); // or a DynStore
/// let report = reader.load(&schema, &mut records)?;
/// assert_eq!((report.loaded, records), (2, vec![1, 0, 2, 0]));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "a reader reads nothing until it is called"]
pub struct TableReader<'a> {
    input: Input,
    format: InputFormat,
    array: Option<String>,
    decimals: Decimals,
    text: JsonOptions,
    round: bool,
    threads: Option<usize>,
    on_progress: Option<OnProgress<'a>>,
    on_reject: Option<OnReject<'a>>,
}

impl<'a> TableReader<'a> {
    /// A reader of `input`, which must not have been read before.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for [`InputFormat::Csv`].
    pub fn new(input: Input, format: InputFormat) -> Result<Self> {
        if format == InputFormat::Csv {
            return Err(Error::new(ErrorKind::InvalidArgument, "read")
                .path(input.name())
                .detail("CSV is text without types")
                .advice("use a CsvReader"));
        }
        let (array, decimals, text) = Default::default();
        let (round, threads, on_progress, on_reject) = Default::default();
        Ok(Self { input, format, array, decimals, text, round, threads, on_progress, on_reject })
    }

    /// The array of an npz file to read, instead of all as columns.
    pub fn array(mut self, name: impl Into<String>) -> Self {
        self.array = Some(name.into());
        self
    }

    /// Whether decimals with digits after the point become the nearest `float64`, instead of
    /// integers of their last digit with a scale. [`LoadReport::rounded`] counts those that the
    /// float does not keep. Arrow and Parquet have decimals.
    ///
    /// ```
    /// use flatrec::exchange::{Input, InputFormat, TableReader};
    /// let input = Input::from_bytes("{\"n\":1}\n");
    /// // JSON has no decimals, so it changes nothing here.
    /// let mut reader = TableReader::new(input, InputFormat::Ndjson)?.decimals_as_floats(true);
    /// assert_eq!(reader.infer(None)?.schema.fields()[0].to_string(), "n: int64 at 0");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn decimals_as_floats(mut self, are_floats: bool) -> Self {
        self.decimals = if are_floats { Decimals::Floats } else { Decimals::Integers };
        self
    }

    /// A string of NDJSON that means null in fields that are not text; may be called several times.
    /// The [null words](crate::Schema::null_words) of the schema mean the same.
    ///
    /// ```
    /// use flatrec::exchange::{Input, InputFormat, TableReader};
    /// let input = Input::from_bytes("{\"n\":1,\"s\":\"a\"}\n{\"n\":\"NA\",\"s\":\"NA\"}\n");
    /// let mut reader = TableReader::new(input, InputFormat::Ndjson)?.null_text("NA");
    /// let schema = reader.infer(None)?.schema;
    /// assert_eq!(schema.fields()[0].to_string(), "n: int64 nullable at 0");
    /// assert_eq!(schema.fields()[1].to_string(), "s: utf8(2) at 9");
    /// let report = reader.load(&schema, &mut Vec::new())?;
    /// assert_eq!((report.loaded, report.nulls), (2, 1));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn null_text(mut self, text: impl Into<String>) -> Self {
        self.text.null_texts.push((None, text.into()));
        self
    }

    /// As [`TableReader::null_text`], for one field.
    pub fn null_text_of(mut self, field: impl Into<String>, text: impl Into<String>) -> Self {
        self.text.null_texts.push((Some(field.into()), text.into()));
        self
    }

    /// Whether the texts for null, and the empty string, mean null in fields of text, too.
    pub fn null_in_texts(mut self, null_in_texts: bool) -> Self {
        self.text.null_in_texts = null_in_texts;
        self
    }

    /// Whether inference takes the narrowest types for the numbers of NDJSON, as
    /// [`CsvOptions::narrow`](crate::exchange::CsvOptions::narrow). Other formats have types.
    ///
    /// ```
    /// use flatrec::exchange::{Input, InputFormat, TableReader};
    /// let input = Input::from_bytes("{\"n\":1,\"x\":0.5}\n{\"n\":-300,\"x\":2}\n");
    /// let mut reader = TableReader::new(input, InputFormat::Ndjson)?.narrow(true);
    /// let schema = reader.infer(None)?.schema;
    /// assert_eq!(schema.fields()[0].to_string(), "n: int16 at 0");
    /// assert_eq!(schema.fields()[1].to_string(), "x: float32 at 2");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn narrow(mut self, narrow: bool) -> Self {
        self.text.narrow = narrow;
        self
    }

    /// Whether a load stores the nearest value for a number that its field does not keep, and
    /// counts it in [`LoadReport::rounded`]. Otherwise such a row is bad.
    pub fn round(mut self, round: bool) -> Self {
        self.round = round;
        self
    }

    /// The number of threads that make records, at least one. It does not change the result.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Calls `progress` now and then, with what the present pass has read. An error of `progress`
    /// ends the pass.
    pub fn on_progress(mut self, progress: impl FnMut(Progress) -> Result<()> + 'a) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    /// Gives bad rows to `reject` during a load, in order, instead of failing at the first;
    /// inference skips lines that are no JSON object. A row of a format without lines has its
    /// number, the first being 1, and the text of a line of CSV. An error of `reject` ends the
    /// load.
    pub fn on_reject(mut self, reject: impl FnMut(&Reject<'_>) -> Result<()> + 'a) -> Self {
        self.on_reject = Some(Box::new(reject));
        self
    }

    /// Finds a schema with a field for each column, packed in their order. Where the format does
    /// not say how long texts are, or whether there are nulls, it reads all rows, or the first
    /// `sample_rows` of them; later rows may then not fit.
    ///
    /// # Errors
    /// An error of reading; [`ErrorKind::InvalidValue`] for a damaged file;
    /// [`ErrorKind::Unsupported`] for a type that has no place in a store;
    /// [`ErrorKind::InvalidSchema`] if the columns do not make a record; and
    /// [`ErrorKind::InvalidArgument`] for a stream without `sample_rows`.
    pub fn infer(&mut self, sample_rows: Option<u64>) -> Result<Inferred> {
        if sample_rows.is_none() && self.input.is_stream() {
            return Err(Error::new(ErrorKind::InvalidArgument, "infer a schema of")
                .path(self.input.name())
                .detail("a stream cannot be read twice")
                .advice("spool it, infer from its first rows only, or give a schema"));
        }
        if self.format == InputFormat::Ndjson {
            let (threads, lenient) = (self.thread_count(), self.on_reject.is_some());
            let Self { input, on_progress, text, .. } = self;
            return json::infer(input, sample_rows, (threads, lenient), text, on_progress);
        }
        #[cfg(feature = "parquet")]
        if self.format == InputFormat::Parquet && sample_rows.is_none() {
            return self.infer_parquet();
        }
        let mut watch = Watch::new(&self.input);
        let name = watch.name.clone();
        let wishes = (None, self.decimals);
        let mut source =
            open(&mut self.input, self.format, self.array.as_deref(), true, wishes, &watch)?;
        let named = |error: Error| error.path(&name);
        let columns = source.columns().to_vec();
        let mut facts = vec![Facts::default(); columns.len()];
        let mut rows = source.rows_left().filter(|_| columns.iter().all(|it| !it.is_open()));
        if rows.is_none() {
            let mut block = Block::default();
            let most = sample_rows.unwrap_or(u64::MAX);
            let mut done = 0u64;
            while done < most && source.next(&mut block).map_err(named)? {
                let taken = (block.rows() as u64).min(most - done);
                block.records.truncate(taken as usize * block.record_bytes);
                let fields = columns.iter().zip(block.fields.iter()).zip(&mut facts);
                fields.for_each(|((column, field), facts)| facts.note(column, field, &block));
                done += taken;
                watch.pass(done, block.read_bytes, &mut self.on_progress)?;
            }
            rows = Some(done);
        }
        drop(source);
        inferred(&columns, &facts, rows.unwrap_or_default()).map_err(named)
    }

    /// The schema of a whole Parquet file.
    #[cfg(feature = "parquet")]
    fn infer_parquet(&mut self) -> Result<Inferred> {
        let mut watch = Watch::new(&self.input);
        let name = watch.name.clone();
        let named = |error: Error| error.path(&name);
        let threads = self.thread_count();
        let file =
            super::arrow::ParquetFile::open(&self.input, (None, self.decimals)).map_err(named)?;
        let on_progress = &mut self.on_progress;
        let facts = super::units::facts(&file, threads, |rows, read_bytes| {
            watch.pass(rows, read_bytes, on_progress)
        });
        let facts = facts.map_err(|error| match error.file_path() {
            Some(_) => error,
            None => error.path(&name),
        })?;
        inferred(file.columns(), &facts, file.rows()).map_err(named)
    }

    /// Makes records of the rows and gives them to `sink`, in order. Each column fills the field
    /// with its name.
    ///
    /// # Errors
    /// An error of reading or of the sink; [`ErrorKind::SchemaMismatch`] if columns and fields do
    /// not match; [`ErrorKind::InvalidValue`] for the first bad row, unless bad rows are set aside,
    /// with its number, field and value. The sink may have received the rows before it.
    pub fn load(&mut self, schema: &Schema, sink: &mut dyn RecordSink) -> Result<LoadReport> {
        self.load_from(schema, sink, &LoadPoint::default())
    }

    /// As [`TableReader::load`], for the rows after a point that an earlier load of the same input,
    /// with the same settings and schema, has reached. [`LoadPoint::lines`] counts the rows before
    /// it.
    ///
    /// # Errors
    /// As [`TableReader::load`]; [`ErrorKind::Truncated`] if the input ends before that point.
    pub fn load_from(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
        from: &LoadPoint,
    ) -> Result<LoadReport> {
        let threads = self.thread_count();
        let Self { input, format, array, round, on_progress, on_reject, .. } = self;
        let wishes = (Some(schema), self.decimals);
        if *format == InputFormat::Ndjson {
            let plan = (schema, *round, threads, &self.text);
            return json::load(input, plan, sink, from, (on_progress, on_reject));
        }
        let mut watch = Watch::new(input);
        let name = watch.name.clone();
        let named = |error: Error| match error.file_path() {
            Some(_) => error,
            None => error.path(&name),
        };
        let (rows, report) = (from.lines, from.report);
        watch.rows = rows;
        let mut giving = Giving { sink, watch, report, on_progress, on_reject };
        #[cfg(feature = "parquet")]
        if *format == InputFormat::Parquet {
            let file = super::arrow::ParquetFile::open(input, wishes).map_err(named)?;
            let pairs = Pairs::of_columns(file.columns(), schema, *round).map_err(named)?;
            let units = file.units(rows).map_err(named)?;
            let sizes = (threads, schema.record_size() as usize);
            let fit = |block: &mut Block| pairs.fit(block);
            let give = |block: &mut Block| giving.give(block, &pairs);
            super::units::in_order(&file, &units, sizes, None, fit, give).map_err(named)?;
            return Ok(giving.report);
        }
        let mut source = open(input, *format, array.as_deref(), false, wishes, &giving.watch)?;
        let pairs = Pairs::of_columns(source.columns(), schema, *round).map_err(named)?;
        source.skip(rows).map_err(named)?;
        in_order(
            threads,
            |spare: Option<Block>| {
                let mut block = spare.unwrap_or_default();
                Ok(source.next(&mut block).map_err(named)?.then_some(block))
            },
            |block| pairs.fit(block),
            |block| giving.give(block, &pairs),
        )?;
        Ok(giving.report)
    }

    fn thread_count(&self) -> usize {
        match (self.threads, self.input.total_bytes()) {
            (Some(threads), _) => threads,
            (None, Some(bytes)) if bytes < ONE_THREAD_BYTES => 1,
            _ => threads::by_default(),
        }
    }
}

/// Gives the records of blocks to the caller, in order, and counts them.
struct Giving<'g, 'a> {
    sink: &'g mut dyn RecordSink,
    watch: Watch,
    report: LoadReport,
    on_progress: &'g mut Option<OnProgress<'a>>,
    on_reject: &'g mut Option<OnReject<'a>>,
}

impl Giving<'_, '_> {
    fn give(&mut self, block: &Block, pairs: &Pairs<'_>) -> Result<()> {
        let Self { sink, watch, report, .. } = self;
        let result = &block.result;
        let rows = result.loaded + result.bad.len() as u64;
        sink.append_records(&block.result.records)?;
        for bad in &block.result.bad {
            let line = watch.rows.saturating_add(bad.row as u64).saturating_add(1);
            let Some(on_reject) = &mut self.on_reject else {
                let (reason, cause) = (&*bad.reason, bad.cause);
                let (field, text) = (Some(pairs.name(bad.field)), bad.text.as_deref());
                return Err(watch.bad_row("row", line, &Bad { field, reason, cause, text }));
            };
            let row = &block.records[bad.row * block.record_bytes..][..block.record_bytes];
            on_reject(&Reject {
                line,
                column: Some(pairs.name(bad.field)),
                reason: &bad.reason,
                row: row_text(&block.fields, row).as_bytes(),
            })?;
        }
        report.loaded = report.loaded.saturating_add(result.loaded);
        report.rejected = report.rejected.saturating_add(result.bad.len() as u64);
        report.nulls = report.nulls.saturating_add(result.nulls);
        report.rounded = report.rounded.saturating_add(result.rounded);
        // Threads that run ahead have read more than the blocks before say.
        report.read_bytes = report.read_bytes.max(block.read_bytes);
        let (done, offset_bytes) = (watch.rows.saturating_add(rows), report.read_bytes);
        watch.pass(done, offset_bytes, self.on_progress)?;
        self.sink.reached(&LoadPoint { offset_bytes, lines: done, report: self.report })
    }
}

/// The schema of columns with these facts.
fn inferred(columns: &[Column], facts: &[Facts], rows: u64) -> Result<Inferred> {
    let fields = columns.iter().zip(facts).map(|(column, facts)| facts.field(column));
    let schema = Schema::packed(fields).map_err(|error| match error.what_to_do() {
        Some(_) => error,
        None => error.advice("change the columns, or give a schema"),
    })?;
    Ok(Inferred { schema, rows, strays: Vec::new(), header_may_be_data: false })
}

fn open<'i>(
    input: &'i mut Input,
    format: InputFormat,
    array: Option<&str>,
    keep: bool,
    wishes: (Option<&Schema>, Decimals),
    watch: &Watch,
) -> Result<Box<dyn Source + 'i>> {
    let (target, _) = wishes;
    let opened = match format {
        InputFormat::Npz => npy::open_npz(input, array, target),
        #[cfg(feature = "arrow")]
        InputFormat::Arrow => super::arrow::open_arrow(input, keep, wishes),
        #[cfg(feature = "parquet")]
        InputFormat::Parquet => {
            super::arrow::ParquetFile::open(input, wishes).and_then(|file| file.all())
        }
        _ => npy::open_npy(input, keep, target),
    };
    opened.map_err(|error| match error.file_path() {
        Some(_) => error,
        None => error.path(&watch.name),
    })
}
