//! Exports all records of a store into a file.

#[cfg(feature = "parquet")]
mod groups;

use std::io::{Seek as _, Write};
use std::mem;
use std::path::{Path, PathBuf};

use super::lanes::{BATCH_BYTES, Batch, Lanes};
use super::packed::{Packed, Packing};
use super::sink::{Counted, Form, Out, Sink};
use super::{ExportFormat, npy};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Progress, UnpublishedFile, threads};
use crate::format::{Field, Schema};
use crate::number::len_of;
use crate::store::Copies;

/// The bytes of records between two progress reports.
const PROGRESS_STEP_BYTES: u64 = 1 << 20;

/// Called with the progress of an export.
type OnProgress<'a> = Box<dyn FnMut(Progress) -> Result<()> + 'a>;

/// The result of an export.
///
/// ```
/// use flatrec::exchange::ExportReport;
/// let report = ExportReport { records: 2, written_bytes: 132 };
/// assert_eq!(report.written_bytes, 132);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Records written.
    pub records: u64,
    /// The length of the file in bytes.
    pub written_bytes: u64,
}

/// Writes records into a new file.
///
/// The file is written beside its place and moved there when it is complete and synced: readers of
/// the path see all of it or nothing of it, and an old file stays until then.
///
/// ```
/// use flatrec::exchange::{Exporter, ExportFormat};
/// use flatrec::{DataType, DynStore, Field, Schema};
/// # let dir = tempfile::tempdir().unwrap();
/// # let out = dir.path().join("ids.csv");
/// let schema = Schema::packed([Field::new("id", DataType::UInt16)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 0, 2, 0])?;
/// let report = Exporter::new(&schema, ExportFormat::Csv).export(store.iter(), &out)?;
/// assert_eq!((report.records, report.written_bytes), (2, 7));
/// assert_eq!(std::fs::read(&out).unwrap(), b"id\n1\n2\n");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[must_use = "an exporter writes nothing until it is told where to"]
pub struct Exporter<'a> {
    schema: &'a Schema,
    format: ExportFormat,
    delimiter: Option<u8>,
    fields: Option<Vec<Field>>,
    header: bool,
    null: String,
    id: Option<String>,
    count: Option<u64>,
    replace: bool,
    threads: Option<usize>,
    on_progress: Option<OnProgress<'a>>,
}

impl<'a> Exporter<'a> {
    /// An exporter of records of `schema` that refuses to replace a file.
    pub fn new(schema: &'a Schema, format: ExportFormat) -> Self {
        Self {
            schema,
            format,
            delimiter: None,
            fields: None,
            header: true,
            null: String::new(),
            id: None,
            count: None,
            replace: false,
            threads: None,
            on_progress: None,
        }
    }

    /// The delimiter between the fields of CSV, instead of a comma; it must be valid for
    /// [`CsvOptions`](crate::exchange::CsvOptions).
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Writes these fields in this order, instead of all; not for npy.
    pub fn fields(mut self, fields: impl Into<Vec<Field>>) -> Self {
        self.fields = Some(fields.into());
        self
    }

    /// Whether CSV has the names of the fields in its first row, which is the default.
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// The text for null in CSV, instead of the empty one: as [`CsvWriter::null_text`].
    ///
    /// [`CsvWriter::null_text`]: super::CsvWriter::null_text
    pub fn null_text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.null);
        self
    }

    /// Begins each row with the record's number, in a column with this name; not for npy.
    pub fn id_column(mut self, name: &str) -> Self {
        self.id = Some(name.to_owned());
        self
    }

    /// The exact number of records, for [`Exporter::begin`]: an npy array that is compressed or
    /// written to a stream needs it, because it begins with its length.
    pub fn count(mut self, records: u64) -> Self {
        self.count = Some(records);
        self
    }

    /// Whether to replace an existing file. A symbolic link in its place is replaced itself, as
    /// [`std::fs::rename`] does: the file that it leads to stays.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// The number of threads that make text, at least one. It does not change the result. The
    /// default is as many as the machine has, up to 8; an export of few records needs no other
    /// thread.
    ///
    /// ```
    /// use flatrec::exchange::{ExportFormat, Exporter};
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut out = Vec::new();
    /// let exporter = Exporter::new(&schema, ExportFormat::Csv).threads(2);
    /// let mut export = exporter.begin_to(&mut out)?;
    /// export.push(0, &[7])?;
    /// export.finish()?;
    /// assert_eq!(out, b"n\n7\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Calls `progress` now and then, and before the file gets its name. An error of `progress`
    /// ends the export and removes its file.
    pub fn on_progress(mut self, progress: impl FnMut(Progress) -> Result<()> + 'a) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    /// Writes `records`, each of the schema's size, to `path`. Stores and snapshots give them with
    /// their numbers, which errors name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if the file exists and must not be replaced; an error of
    /// writing, such as [`ErrorKind::NoSpace`] on a full disk; [`ErrorKind::Corrupt`] for a value
    /// that cannot be read. The last names the record, and no path, because the caller knows where
    /// the records come from. The file at `path` is then unchanged.
    ///
    /// An `.npy` file takes the records byte for byte; [`verify`](crate::verify) checks values.
    pub fn export<'r>(
        self,
        records: impl IntoIterator<Item = (u64, &'r [u8])>,
        path: impl AsRef<Path>,
    ) -> Result<ExportReport> {
        self.try_export(records.into_iter().map(Ok), path)
    }

    /// As [`Exporter::export`], for records of which some may be damaged:
    /// [`DynStore::try_iter`](crate::DynStore::try_iter) gives them.
    ///
    /// ```
    /// use flatrec::exchange::{ExportFormat, Exporter};
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[7, 8])?;
    /// let out = directory.path().join("numbers.csv");
    /// Exporter::new(&schema, ExportFormat::Csv).try_export(store.try_iter(), &out)?;
    /// assert_eq!(std::fs::read_to_string(&out)?, "n\n7\n8\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Exporter::export`], and every error that `records` gives instead of a record.
    pub fn try_export<'r>(
        self,
        records: impl IntoIterator<Item = Result<(u64, &'r [u8])>>,
        path: impl AsRef<Path>,
    ) -> Result<ExportReport> {
        let records = records.into_iter();
        let mut export = self.sized(records.size_hint()).begin(path)?;
        for record in records {
            let (id, record) = record?;
            export.push(id, record)?;
        }
        export.finish()
    }

    /// As [`Exporter::try_export`], for copies: with
    /// [`install_fault_guard`](crate::install_fault_guard) a page of the store that the system
    /// cannot provide is an error.
    ///
    /// # Errors
    /// As [`Exporter::export`], and the errors of [`Copies::next_record`], which name the store.
    pub fn export_copies(
        self,
        records: Copies<'_>,
        path: impl AsRef<Path>,
    ) -> Result<ExportReport> {
        let mut export = self.sized(records.size_hint()).begin(path)?;
        export.push_copies(records)?;
        export.finish()
    }

    /// Begins an export to `path`, for a caller that gives the records one by one.
    ///
    /// ```
    /// use flatrec::exchange::{ExportFormat, Exporter};
    /// use flatrec::{DataType, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let out = directory.path().join("numbers.tsv");
    /// let exporter = Exporter::new(&schema, ExportFormat::from_path(&out)?).id_column("id");
    /// let mut export = exporter.begin(&out)?;
    /// export.push(12, &[7])?;
    /// assert!(!out.exists());
    /// export.finish()?;
    /// assert_eq!(std::fs::read_to_string(&out)?, "id\tn\n12\t7\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Exporter::export`]; [`ErrorKind::InvalidArgument`] for options that the format does not
    /// have, for a text for null with a delimiter, a quote or a line end, and for a compressed npy
    /// array whose number of records is not known.
    pub fn begin(self, path: impl AsRef<Path>) -> Result<Export<'a>> {
        let path = path.as_ref();
        if !self.replace && path.exists() {
            return Err(Error::new(ErrorKind::AlreadyExists, "export to")
                .path(path)
                .advice("choose another path, or allow replacing the file"));
        }
        self.check(Packing::of(path).0 == Packing::None).map_err(|error| error.path(path))?;
        let out = Out::File(UnpublishedFile::create(path, self.replace)?);
        self.begin_into(out, Some(path), Packing::of(path).0)
    }

    /// Begins an export to a writer, uncompressed. The caller sees a part of it if it fails.
    ///
    /// # Errors
    /// As [`Exporter::begin`], without those of files.
    pub fn begin_to(self, writer: impl Write + 'a) -> Result<Export<'a>> {
        self.check(false)?;
        self.begin_into(Out::Writer(Box::new(writer)), None, Packing::None)
    }

    /// Notes the least and the greatest number of records.
    fn sized(mut self, hint: (usize, Option<usize>)) -> Self {
        if hint.1 == Some(hint.0) {
            self.count = Some(hint.0 as u64);
        }
        self
    }

    /// Refuses options that the format does not have. `can_seek` says whether the start of the
    /// output can be written at the end.
    fn check(&self, can_seek: bool) -> Result<()> {
        let refuse = |what: &str| {
            Err(Error::new(ErrorKind::InvalidArgument, "export to").detail(what.to_owned()))
        };
        let is_csv = matches!(self.format, ExportFormat::Csv | ExportFormat::Tsv);
        if self.format == ExportFormat::Npy && (self.fields.is_some() || self.id.is_some()) {
            return refuse("an npy array has the records as they are: all fields, and no number");
        }
        if self.format == ExportFormat::Npy && !can_seek && self.count.is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, "export to")
                .detail(
                    "an npy array begins with the number of its records, which is known only at \
                     the end, and the beginning of this output cannot be written again",
                )
                .advice("write it to a file, uncompressed, and compress or copy that"));
        }
        if !is_csv && (!self.null.is_empty() || !self.header) {
            return refuse("only CSV has a header and a text for null");
        }
        let delimiter = char::from(self.separator());
        if self.null.contains([delimiter, '"', '\n', '\r']) {
            return refuse("the text for null has a delimiter, a quote or a line end");
        }
        Ok(())
    }

    fn separator(&self) -> u8 {
        let of_format = if self.format == ExportFormat::Tsv { b'\t' } else { b',' };
        self.delimiter.unwrap_or(of_format)
    }

    fn begin_into(self, out: Out<'a>, path: Option<&Path>, packing: Packing) -> Result<Export<'a>> {
        let named = |error: Error| match path {
            Some(path) => error.path(path),
            None => error,
        };
        let most = self.count.unwrap_or(u64::MAX);
        let total_bytes = self.count.map(|count| count * u64::from(self.schema.record_size()));
        let out = Packed::new(Counted { out, written_bytes: 0 }, packing)
            .map_err(|error| named(Error::io("write", error)))?;
        let sink = Sink::new(out, &self.form(), most).map_err(named)?;
        let path = path.map(Path::to_owned);
        let (alone_bytes, done_bytes, reported_bytes, rows) = (0, 0, 0, 0);
        let (options, lanes) = (self, None);
        Ok(Export {
            options,
            path,
            sink,
            lanes,
            alone_bytes,
            most,
            total_bytes,
            done_bytes,
            reported_bytes,
            rows,
        })
    }

    pub(super) fn form(&self) -> Form<'_> {
        Form {
            schema: self.schema,
            format: self.format,
            fields: self.fields.as_deref().unwrap_or(self.schema.fields()),
            delimiter: self.separator(),
            header: self.header,
            null: &self.null,
            id: self.id.as_deref(),
        }
    }

    /// The other threads, if there are to be any.
    fn lanes(&self) -> Option<Lanes> {
        match self.threads_or_default() {
            1 => None,
            count => Lanes::start(count, &self.form()),
        }
    }

    /// The length of a record.
    pub(super) fn record_bytes(&self) -> usize {
        len_of(self.schema.record_size())
    }

    pub(super) fn threads_or_default(&self) -> usize {
        self.threads.unwrap_or_else(threads::by_default)
    }
}

/// A running export: [`Exporter::begin`] makes it. Dropping it before [`Export::finish`] removes
/// its file.
#[must_use = "an export that is not finished leaves no file"]
pub struct Export<'a> {
    pub(super) options: Exporter<'a>,
    path: Option<PathBuf>,
    pub(super) sink: Sink<Packed<Counted<Out<'a>>>>,
    /// The threads that make text, once there is enough for them.
    lanes: Option<Lanes>,
    /// The bytes of records whose text this thread has made.
    alone_bytes: usize,
    /// The number of records in the header of an npy array.
    most: u64,
    total_bytes: Option<u64>,
    done_bytes: u64,
    reported_bytes: u64,
    pub(super) rows: u64,
}

impl Export<'_> {
    /// Writes record `id`, of the schema's size. Other threads may make its text, so that an error
    /// comes with a later record, or at the end; it names its own.
    ///
    /// # Errors
    /// As [`Exporter::export`]; an error of the progress callback; [`ErrorKind::InvalidArgument`]
    /// for a record of another size.
    pub fn push(&mut self, id: u64, record: &[u8]) -> Result<()> {
        let record_bytes = self.options.record_bytes();
        if record.len() != record_bytes {
            let detail = format!("it has {} bytes instead of {record_bytes}", record.len());
            return Err(Error::new(ErrorKind::InvalidArgument, "export").record(id).detail(detail));
        }
        match &mut self.lanes {
            Some(lanes) => {
                if let Some(batch) = lanes.push(id, record) {
                    self.write(batch)?;
                }
            }
            None => {
                let read = self.sink.read_all(&[id], record, record_bytes);
                read.map_err(|(_, error)| error.record(id))?;
                if let Err(error) = self.sink.write(record) {
                    return Err(self.named(error));
                }
                // Once: a system that starts no thread now is not asked again and again.
                let before_bytes = self.alone_bytes;
                self.alone_bytes += record.len();
                if before_bytes < BATCH_BYTES && self.alone_bytes >= BATCH_BYTES {
                    self.lanes = self.options.lanes();
                }
            }
        }
        self.count(1)
    }

    /// Counts so many more records.
    pub(super) fn count(&mut self, rows: u64) -> Result<()> {
        self.rows += rows;
        self.done_bytes += rows * u64::from(self.options.schema.record_size());
        if self.done_bytes - self.reported_bytes >= PROGRESS_STEP_BYTES {
            self.reported_bytes = self.done_bytes;
            self.report()?;
        }
        Ok(())
    }

    /// Writes the text that another thread has made.
    fn write(&mut self, mut batch: Batch) -> Result<()> {
        if let Err(error) = self.sink.write_text(batch.text.as_bytes()) {
            return Err(self.named(error));
        }
        if let Some(error) = batch.error.take() {
            return Err(error);
        }
        self.lanes.iter_mut().for_each(|lanes| lanes.reuse(mem::take(&mut batch)));
        Ok(())
    }

    /// Writes the text of all records so far.
    pub(super) fn write_rest(&mut self) -> Result<()> {
        self.lanes.iter_mut().for_each(Lanes::end);
        while let Some(batch) = self.lanes.as_mut().and_then(Lanes::receive) {
            self.write(batch)?;
        }
        Ok(())
    }

    /// Ends the output, and gives its file, durably, its name.
    ///
    /// # Errors
    /// An error of writing, of the progress callback, or of the rename;
    /// [`ErrorKind::InvalidArgument`] if an npy array got another number of records than
    /// [`Exporter::count`] said, and its start cannot be written again.
    pub fn finish(mut self) -> Result<ExportReport> {
        self.write_rest()?;
        self.total_bytes = Some(self.done_bytes);
        self.report()?;
        let (most, rows, path) = (self.most, self.rows, self.path);
        let named = |error: Error| match &path {
            Some(path) => error.path(path),
            None => error,
        };
        let packed = self.sink.finish().map_err(named)?;
        let is_packed = !matches!(packed, Packed::Plain(_));
        let wrote = |error| named(Error::io("write", error));
        let mut out = packed.finish().map_err(wrote)?;
        out.flush().map_err(wrote)?;
        if self.options.format == ExportFormat::Npy && rows != most {
            // The number of records is known only now.
            let header = npy::header(self.options.schema, rows, most.max(rows))?;
            match &mut out.out {
                Out::File(file) if !is_packed && rows < most => {
                    file.rewind().and_then(|()| file.write_all(&header)).map_err(wrote)?;
                }
                _ => {
                    return Err(named(Error::new(ErrorKind::InvalidArgument, "export").detail(
                        format!("the array began with {most} records, and there were {rows}"),
                    )));
                }
            }
        }
        let written_bytes = out.written_bytes;
        if let Out::File(file) = out.out {
            file.publish()?; // names the path itself
        }
        Ok(ExportReport { records: rows, written_bytes })
    }

    pub(super) fn named(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.path(path),
            None => error,
        }
    }

    fn report(&mut self) -> Result<()> {
        match &mut self.options.on_progress {
            Some(on_progress) => on_progress(Progress {
                done_bytes: self.done_bytes,
                total_bytes: self.total_bytes,
                rows: self.rows,
            }),
            None => Ok(()),
        }
    }
}
