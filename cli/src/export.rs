//! `flatrec export`: writes a store in a format of other programs.

use std::ops::Range;
use std::path::PathBuf;

use flatrec::exchange::{Export, ExportFormat, ExportReport, Exporter};
use flatrec::{ErrorKind, Field};

use crate::choice;
use crate::condition;
use crate::failure::{Failure, without_advice};
use crate::field_names;
use crate::get;
use crate::id_file::IdFile;
use crate::info::bytes;
use crate::interrupt::Interrupt;
use crate::left_out::{self, Optional};
use crate::names;
use crate::output::{report, stdout};
use crate::paths::refuse_same;
use crate::progress::Bar;
use crate::scan::parse_range;
use crate::source::{LayoutArgs, Source};

/// Write a store as CSV, TSV, NDJSON, NumPy array, Arrow or Parquet
///
/// The ending of OUT selects the format: .csv, .tsv, .ndjson, .npy, .arrow, .arrows (a stream) or
/// .parquet, and compression if .gz or .zst follows. OUT is written under another name and gets its
/// name when it is complete. `-` is standard output: CSV without --as, never compressed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Conditions and the Names of fields are those of scan: see flatrec scan --help.

Examples:
  flatrec export flights.rec flights.csv
  flatrec export flights.rec flights.npy --force
  flatrec export flights.rec flights.parquet
  flatrec export flights.rec late.csv.gz --where 'dep_delay > 120' --select carrier,flight,dest
  flatrec export flights.rec flights.tsv.zst --null NA --with-id
  flatrec export flights.rec - --as ndjson --ids wrong.txt | jq .")]
pub(crate) struct Args {
    /// The store, or a flat file of another program
    store: PathBuf,

    /// The file to write, ending in .csv, .tsv or .ndjson, which .gz or .zst may follow, or in
    /// .npy, .arrow, .arrows or .parquet; `-` for standard output
    out: PathBuf,

    /// The format, whatever the ending of OUT
    #[arg(long = "as", alias = "format", value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Fields to write, in this order; the default is all
    #[arg(long, value_name = "FIELD,…", allow_hyphen_values = true)]
    select: Vec<String>,

    /// Only records for which this condition is true
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    condition: Option<String>,

    /// Only records A to B - 1; A or B can be left out
    #[arg(long, value_name = "A..B", value_parser = parse_range)]
    range: Option<Range<u64>>,

    /// Only the records whose numbers are in this file, one a line, in its order; `-` for standard
    /// input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["condition", "range"])]
    ids: Option<PathBuf>,

    /// Begin each row with the record's number, in a column `id`
    #[arg(long)]
    with_id: bool,

    /// Leave out the row with the names of the fields
    #[arg(long)]
    no_header: bool,

    /// Text for null, instead of the empty value; an error if another value has the same text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    null: Option<String>,

    /// Replace an existing file, but never a store or a part of one
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    layout: LayoutArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Tsv,
    Ndjson,
    Npy,
    /// A file of Arrow
    Arrow,
    /// A stream of Arrow
    ArrowStream,
    Parquet,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let format = self.format()?;
        self.check(format)?;
        if self.is_stdout() {
            return self.to_stdout(format);
        }
        refuse_same(&self.store, &self.out)?;
        names::refuse("", &self.out, [&*self.store], [])?;
        if self.force {
            names::refuse_replacing("", &self.out)?;
        }
        let store = self.layout.open(&self.store)?;
        let record_bytes = u64::from(store.schema().record_size());
        let total_bytes = store.live_count().map(|count| count.saturating_mul(record_bytes));
        let bar = Bar::new("export", total_bytes);
        let interrupt = Interrupt::watch();
        let exporter = self.exporter(&store, format)?.replace(self.force).on_progress(|progress| {
            bar.show(progress);
            let all = progress.total_bytes.unwrap_or(u64::MAX);
            interrupt.check_progress(progress.done_bytes, all)
        });
        let exported = exporter
            .begin(&self.out)
            .map_err(|error| self.failure(error))
            .and_then(|export| self.export(&store, export));
        bar.clear();
        let exported = interrupt.outcome(exported)?;
        let done = format!("exported {} records to {}", exported.records, self.out.display());
        report(&done, &format!("{done}: {}", bytes(exported.written_bytes)))
    }

    fn to_stdout(&self, format: ExportFormat) -> Result<(), Failure> {
        let store = self.layout.open(&self.store)?;
        let exporter = self.exporter(&store, format)?;
        let export = exporter.begin_to(stdout()).map_err(|error| match error.kind() {
            ErrorKind::InvalidArgument => Failure::Message(error.to_string().replacen(
                "export to:",
                "export to standard output:",
                1,
            )),
            _ => self.failure(error),
        })?;
        self.export(&store, export).map(drop)
    }

    fn is_stdout(&self) -> bool {
        self.out.as_os_str() == "-"
    }

    /// Whether the beginning of the output can be written once more at the end.
    fn can_rewrite(&self) -> bool {
        let ending = self.out.extension().unwrap_or_default().to_ascii_lowercase();
        !self.is_stdout() && ending != "gz" && ending != "zst"
    }

    fn format(&self) -> Result<ExportFormat, Failure> {
        Ok(match self.format {
            Some(Format::Csv) => ExportFormat::Csv,
            Some(Format::Tsv) => ExportFormat::Tsv,
            Some(Format::Ndjson) => ExportFormat::Ndjson,
            Some(Format::Npy) => ExportFormat::Npy,
            Some(Format::Arrow) => Optional::Arrow.output()?,
            Some(Format::ArrowStream) => Optional::ArrowStream.output()?,
            Some(Format::Parquet) => Optional::Parquet.output()?,
            None if self.is_stdout() => ExportFormat::Csv,
            None => {
                left_out::refuse_ending(&self.out)?;
                ExportFormat::from_path(&self.out).map_err(|error| {
                    let text = without_advice(&error);
                    Failure::Message(format!(
                        "{text} (end it in .csv, .tsv, .ndjson, .npy, .arrow or .parquet, and .gz \
                         or .zst to compress, or give the format with --as)"
                    ))
                })?
            }
        })
    }

    /// Refuses options that the format does not have.
    fn check(&self, format: ExportFormat) -> Result<(), Failure> {
        let is_csv = matches!(format, ExportFormat::Csv | ExportFormat::Tsv);
        let is_npy = format == ExportFormat::Npy;
        let refused = [
            ("--no-header", self.no_header && !is_csv, "only CSV and TSV have a header"),
            ("--null", self.null.is_some() && !is_csv, "only CSV and TSV have a text for null"),
            ("--select", !self.select.is_empty() && is_npy, "an npy array has all fields"),
            ("--with-id", self.with_id && is_npy, "an npy array has the records as they are"),
        ];
        if let Some((option, _, why)) = refused.iter().find(|(_, is_refused, _)| *is_refused) {
            return Err(Failure::Usage(format!("{option} cannot be used with this format: {why}")));
        }
        let chosen = match (&self.condition, &self.ids) {
            (Some(_), _) => "--where",
            (None, Some(_)) => "--ids",
            (None, None) => "",
        };
        if is_npy && !chosen.is_empty() && !self.can_rewrite() {
            let out = self.out.display();
            return Err(Failure::Usage(format!(
                "{chosen} cannot be used with an npy array to {}: the array begins with the \
                 number of its records, which is known only at the end (write it to a file, \
                 uncompressed, and compress or copy that)",
                if self.is_stdout() { "standard output".to_owned() } else { out.to_string() },
            )));
        }
        let delimiter = if format == ExportFormat::Tsv { '\t' } else { ',' };
        if self.null.as_ref().is_some_and(|null| null.contains([delimiter, '"', '\n', '\r'])) {
            let why = "--null: the text must have no delimiter, double quote or line end";
            return Err(Failure::Usage(why.into()));
        }
        Ok(())
    }

    fn exporter<'s>(
        &self,
        store: &'s Source,
        format: ExportFormat,
    ) -> Result<Exporter<'s>, Failure> {
        let mut exporter = Exporter::new(store.schema(), format).header(!self.no_header);
        let fields: Vec<Field> = match self.select.is_empty() {
            true => store.schema().fields().to_vec(),
            false => field_names::all(store.schema(), &self.select)?,
        };
        if let Some(id) = choice::id_column(self.with_id, &fields)? {
            exporter = exporter.id_column(id);
        }
        if !self.select.is_empty() {
            exporter = exporter.fields(fields);
        }
        if let Some(null) = &self.null {
            exporter = exporter.null_text(null);
        }
        if self.condition.is_none() && self.ids.is_none() {
            let records = store.copies(self.range.clone().unwrap_or(0..u64::MAX));
            match (records.size_hint(), &self.range) {
                ((least, Some(most)), _) if least == most => exporter = exporter.count(most as u64),
                (_, None) => {
                    if let Some(count) = store.live_count() {
                        exporter = exporter.count(count);
                    }
                }
                _ => {}
            }
        }
        Ok(exporter)
    }

    /// Gives the chosen records to `export`.
    fn export(&self, store: &Source, mut export: Export<'_>) -> Result<ExportReport, Failure> {
        if let Some(path) = &self.ids {
            let mut file = IdFile::open(path)?;
            while let Some((id, line)) = file.next_id()? {
                let record = store.copy(id)?.ok_or_else(|| {
                    get::no_record(&self.store, id, store.count()).on_line(file.name(), line)
                })?;
                export.push(id, &record).map_err(|error| self.failure(error))?;
            }
            return export.finish().map_err(|error| self.failure(error));
        }
        let records = store.copies(self.range.clone().unwrap_or(0..u64::MAX));
        if let Some(text) = &self.condition {
            let filter = condition::parse(text, store.schema(), store.copies(..))?;
            let matching = records.matching(&filter);
            export.push_matching(matching).map_err(|error| self.failure(error))?;
        } else {
            export.push_copies(records).map_err(|error| self.failure(error))?;
        }
        export.finish().map_err(|error| self.failure(error))
    }

    /// The library names the file that it writes; a record that cannot be read belongs to the
    /// store.
    fn failure(&self, error: flatrec::Error) -> Failure {
        match error.record_number() {
            // An error with a file name occurred before the value was read.
            Some(id) if error.file_path().is_none() => {
                Failure::from(error).in_record("read", &self.store, id)
            }
            Some(_) => Failure::from(error),
            None => Failure::from(error).advise(
                ErrorKind::AlreadyExists,
                "choose another path, or replace it with --force",
            ),
        }
    }
}
