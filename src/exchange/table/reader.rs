//! Reads an input whose columns have types.

use super::facts::Facts;
use super::fit::{Pairs, row_text};
use super::format::InputFormat;
use super::source::{Block, Source};
use super::watch::{Bad, OnProgress, OnReject, Watch};
use super::{json, npy};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::csv::in_order;
use crate::exchange::{
    Inferred, Input, LoadPoint, LoadReport, Progress, RecordSink, Reject, threads,
};
use crate::format::{Field, Schema};

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
        let (array, threads, on_progress, on_reject) = Default::default();
        Ok(Self { input, format, array, round: false, threads, on_progress, on_reject })
    }

    /// The array of an npz file to read, instead of all as columns.
    pub fn array(mut self, name: impl Into<String>) -> Self {
        self.array = Some(name.into());
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
            let Self { input, on_progress, .. } = self;
            return json::infer(input, sample_rows, (threads, lenient), on_progress);
        }
        let mut watch = Watch::new(&self.input);
        let name = watch.name.clone();
        let mut source =
            open(&mut self.input, self.format, self.array.as_deref(), true, None, &watch)?;
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
        let fields = columns.iter().zip(&facts).map(|(column, facts)| facts.field(column));
        let schema = Schema::packed(fields).map_err(|error| match error.what_to_do() {
            Some(_) => named(error),
            None => named(error).advice("change the columns, or give a schema"),
        })?;
        let rows = rows.unwrap_or_default();
        Ok(Inferred { schema, rows, strays: Vec::new(), header_may_be_data: false })
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
        if *format == InputFormat::Ndjson {
            let plan = (schema, *round, threads);
            return json::load(input, plan, sink, from, (on_progress, on_reject));
        }
        let mut watch = Watch::new(input);
        let mut source = open(input, *format, array.as_deref(), false, Some(schema), &watch)?;
        let name = watch.name.clone();
        let named = |error: Error| match error.file_path() {
            Some(_) => error,
            None => error.path(&name),
        };
        let fields: Vec<Field> = source.columns().iter().map(|it| it.field.clone()).collect();
        let pairs = Pairs::new(&fields, schema, *round).map_err(named)?;
        source.skip(from.lines).map_err(named)?;
        watch.rows = from.lines;
        let mut report = from.report;
        in_order(
            threads,
            |spare: Option<Block>| {
                let mut block = spare.unwrap_or_default();
                Ok(source.next(&mut block).map_err(named)?.then_some(block))
            },
            |block| pairs.fit(block),
            |block| {
                let result = &block.result;
                let rows = result.loaded + result.bad.len() as u64;
                sink.append_records(&block.result.records)?;
                for bad in &block.result.bad {
                    let line = watch.rows.saturating_add(bad.row as u64).saturating_add(1);
                    let Some(on_reject) = on_reject else {
                        let (reason, cause) = (&*bad.reason, bad.cause);
                        let (field, text) = (Some(pairs.name(bad.field)), bad.text.as_deref());
                        let bad = Bad { field, reason, cause, text };
                        return Err(watch.bad_row("row", line, &bad));
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
                report.read_bytes = block.read_bytes;
                let done = watch.rows.saturating_add(rows);
                watch.pass(done, block.read_bytes, on_progress)?;
                sink.reached(&LoadPoint { offset_bytes: block.read_bytes, lines: done, report })
            },
        )?;
        Ok(report)
    }

    fn thread_count(&self) -> usize {
        match (self.threads, self.input.total_bytes()) {
            (Some(threads), _) => threads,
            (None, Some(bytes)) if bytes < ONE_THREAD_BYTES => 1,
            _ => threads::by_default(),
        }
    }
}

fn open<'i>(
    input: &'i mut Input,
    format: InputFormat,
    array: Option<&str>,
    keep: bool,
    target: Option<&Schema>,
    watch: &Watch,
) -> Result<Box<dyn Source + 'i>> {
    let opened = match format {
        InputFormat::Npz => npy::open_npz(input, array, target),
        #[cfg(feature = "arrow")]
        InputFormat::Arrow => super::arrow::open_arrow(input, keep, target),
        #[cfg(feature = "parquet")]
        InputFormat::Parquet => super::arrow::open_parquet(input, target),
        _ => npy::open_npy(input, keep, target),
    };
    opened.map_err(|error| match error.file_path() {
        Some(_) => error,
        None => error.path(&watch.name),
    })
}
