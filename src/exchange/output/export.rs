//! Exports all records of a store into a file.

use std::io::{Seek as _, Write};
use std::path::Path;

use super::{BUFFER_BYTES, CsvWriter, NdjsonWriter, NpyWriter, npy};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Progress, UnpublishedFile};
use crate::format::Schema;
use crate::store::Copies;

/// The bytes of records between two progress reports.
const PROGRESS_STEP_BYTES: u64 = 1 << 20;

/// Called with the progress of an export.
type OnProgress<'a> = Box<dyn FnMut(Progress) -> Result<()> + 'a>;

/// The format of an export.
///
/// ```
/// use flatrec::exchange::ExportFormat;
/// assert_eq!(ExportFormat::from_path("out/flights.NPY")?, ExportFormat::Npy);
/// assert!(ExportFormat::from_path("flights.xlsx").is_err());
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// CSV with a header: see [`CsvWriter`].
    Csv,
    /// A JSON object a line, numbers that are not finite as strings: see [`NdjsonWriter`].
    Ndjson,
    /// A structured numpy array, dates as days since 1970: see [`NpyWriter`].
    Npy,
}

impl ExportFormat {
    /// The format by the path's ending: `.csv`, `.ndjson`, `.jsonl` or `.npy`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for any other ending.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            "npy" => Ok(Self::Npy),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "export to")
                .path(path)
                .detail("the ending of the path is unknown")
                .advice("end the path in .csv, .ndjson or .npy")),
        }
    }
}

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
pub struct Exporter<'a> {
    schema: &'a Schema,
    format: ExportFormat,
    delimiter: u8,
    replace: bool,
    on_progress: Option<OnProgress<'a>>,
}

impl<'a> Exporter<'a> {
    /// An exporter of records of `schema` that refuses to replace a file.
    pub fn new(schema: &'a Schema, format: ExportFormat) -> Self {
        Self { schema, format, delimiter: b',', replace: false, on_progress: None }
    }

    /// The delimiter between the fields of CSV, instead of a comma; it must be valid for
    /// [`CsvOptions`](crate::exchange::CsvOptions).
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether to replace an existing file. A symbolic link in its place is replaced itself, as
    /// [`std::fs::rename`] does: the file that it leads to stays.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
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
        let mut export = Export::begin(self, path.as_ref(), records.size_hint())?;
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
        mut records: Copies<'_>,
        path: impl AsRef<Path>,
    ) -> Result<ExportReport> {
        let mut export = Export::begin(self, path.as_ref(), records.size_hint())?;
        while let Some((id, record)) = records.next_record()? {
            export.push(id, record)?;
        }
        export.finish()
    }
}

/// A running export.
struct Export<'a, 'p> {
    options: Exporter<'a>,
    path: &'p Path,
    sink: Sink<Counted<UnpublishedFile>>,
    /// The greatest possible number of records, and the number of bytes if known.
    most: u64,
    total_bytes: Option<u64>,
    done_bytes: u64,
    reported_bytes: u64,
    rows: u64,
}

impl<'a, 'p> Export<'a, 'p> {
    /// Begins the file; `hint` is the least and the greatest number of records.
    fn begin(options: Exporter<'a>, path: &'p Path, hint: (usize, Option<usize>)) -> Result<Self> {
        if !options.replace && path.exists() {
            return Err(Error::new(ErrorKind::AlreadyExists, "export to")
                .path(path)
                .advice("choose another path, or allow replacing the file"));
        }
        let out =
            Counted { out: UnpublishedFile::create(path, options.replace)?, written_bytes: 0 };
        let is_exact = hint.1 == Some(hint.0);
        let most = hint.1.map_or(u64::MAX, |most| most as u64);
        let total_bytes = is_exact.then(|| most * u64::from(options.schema.record_size()));
        let sink = Sink::new(out, options.schema, options.format, options.delimiter, most)
            .map_err(|error| error.path(path))?;
        let (done_bytes, reported_bytes, rows) = (0, 0, 0);
        Ok(Self { options, path, sink, most, total_bytes, done_bytes, reported_bytes, rows })
    }

    fn push(&mut self, id: u64, record: &[u8]) -> Result<()> {
        self.sink.read(record).map_err(|error| error.record(id))?;
        self.sink.write(record).map_err(|error| error.path(self.path))?;
        self.rows += 1;
        self.done_bytes += record.len() as u64;
        if self.done_bytes - self.reported_bytes >= PROGRESS_STEP_BYTES {
            self.reported_bytes = self.done_bytes;
            self.report()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<ExportReport> {
        self.total_bytes = Some(self.done_bytes);
        self.report()?;
        let Self { options, path, sink, most, rows, .. } = self;
        let mut out = sink.finish().map_err(|error| error.path(path))?;
        if options.format == ExportFormat::Npy && rows != most {
            // The number of records is known only now.
            let header = npy::header(options.schema, rows, most.max(rows))?;
            let rewritten = out.out.rewind().and_then(|()| out.out.write_all(&header));
            rewritten.map_err(|error| Error::io("write", error).path(path))?;
        }
        let written_bytes = out.written_bytes;
        out.out.publish()?; // names the path itself
        Ok(ExportReport { records: rows, written_bytes })
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

/// The three writers.
enum Sink<W: Write> {
    Csv(CsvWriter<W>),
    Ndjson(NdjsonWriter<W>),
    Npy(NpyWriter<std::io::BufWriter<W>>),
}

impl<W: Write> Sink<W> {
    fn new(
        out: W,
        schema: &Schema,
        format: ExportFormat,
        delimiter: u8,
        count: u64,
    ) -> Result<Self> {
        Ok(match format {
            ExportFormat::Csv => {
                let mut writer =
                    CsvWriter::new(out, schema.fields(), delimiter).null_words(schema.null_words());
                writer.header()?;
                Self::Csv(writer)
            }
            ExportFormat::Ndjson => Self::Ndjson(NdjsonWriter::new(out, schema.fields())),
            ExportFormat::Npy => {
                let out = std::io::BufWriter::with_capacity(BUFFER_BYTES, out);
                Self::Npy(NpyWriter::new(out, schema, count)?)
            }
        })
    }

    /// Reads the values of a record, if the format needs them; errors belong to the record.
    fn read(&mut self, record: &[u8]) -> Result<()> {
        match self {
            Self::Csv(writer) => writer.push(record),
            Self::Ndjson(writer) => writer.push(record),
            Self::Npy(_) => Ok(()),
        }
    }

    /// Writes the record that was read last; errors belong to the file.
    fn write(&mut self, record: &[u8]) -> Result<()> {
        match self {
            Self::Csv(writer) => writer.flush_if_full(),
            Self::Ndjson(writer) => writer.flush_if_full(),
            Self::Npy(writer) => writer.write(record),
        }
    }

    fn finish(self) -> Result<W> {
        match self {
            Self::Csv(writer) => writer.finish(),
            Self::Ndjson(writer) => writer.finish(),
            Self::Npy(writer) => {
                let buffered = writer.finish()?;
                buffered.into_inner().map_err(|error| Error::io("write", error.into_error()))
            }
        }
    }
}

struct Counted<W> {
    out: W,
    written_bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, from: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(from)?;
        self.written_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
