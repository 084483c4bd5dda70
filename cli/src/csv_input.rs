//! Common code of `load` and `append`: reads a CSV file, or another table, into a store.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use flatrec::exchange::{
    CsvOptions, CsvReader, Inferred, Input, InputFormat, LoadPoint, LoadReport, RecordSink,
    TableReader,
};
use flatrec::{DataType, Field, Schema};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, say};
use crate::field_names;
use crate::info::bytes;
use crate::input_format::FormatArgs;
use crate::interrupt::Interrupt;
#[cfg(unix)]
use crate::interrupt::Stream;
use crate::load::FieldArgs;
use crate::output::{Column, Format, Sheet};
use crate::progress::Bar;
use crate::rejects::Rejects;
use crate::strays;
use crate::verify::counted;

/// The form of the input, and the place for its bad rows.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct CsvArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// The input has no header row: its columns fill the fields in order, and `load` calls them
    /// column_1, column_2, …
    #[arg(long)]
    no_header: bool,

    /// The first row has the names of the columns, also where these look like data
    #[arg(long, conflicts_with = "no_header")]
    header: bool,

    /// The character between values: one of ASCII, or `tab`. Without it that is a comma, unless
    /// the header has no comma, and a semicolon, a tab or a bar divides every row into columns
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    delimiter: Option<u8>,

    /// Leave out so many lines at the start of the file
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// Leave out lines that begin with this character
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter, allow_hyphen_values = true)]
    comment: Option<u8>,

    /// Give a column whose name an earlier one has another name, the second `a` becoming `a_2`,
    /// and a column without a name that of its place, column_N
    #[arg(long)]
    rename_duplicates: bool,

    /// Text that means null, besides the empty value; may be given several times. In quotes, and as
    /// a string of JSON, it means null in columns that are not text. A new store keeps these texts
    /// in its schema, and each append takes them for null again; those that an append is given
    /// count besides, for its file only
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    null: Vec<String>,

    /// Text that means null in one column only; may be given several times
    #[arg(long, value_name = "COLUMN=TEXT", value_parser = field_names::assignment)]
    null_in: Vec<(String, String)>,

    /// The empty value, and that of --null, mean null in quotes, and as a string of JSON, in
    /// columns of text, too. This is not kept in the store: give it to each append as well
    #[arg(long)]
    quoted_null: bool,

    /// Store the nearest value for a number that its field does not keep, and count it; without
    /// this option its row does not fit
    #[arg(long)]
    round: bool,

    /// Write rows that do not fit to this CSV file, with line, column and reason; without it the
    /// first such row is an error, and nothing is loaded
    #[arg(long, value_name = "FILE")]
    #[arg(value_parser = PathBufValueParser::new().try_map(parse_rejects))]
    pub(crate) rejects: Option<PathBuf>,
}

impl CsvArgs {
    /// The same options, without the place for bad rows.
    pub(crate) fn without_rejects(&self) -> Self {
        Self { rejects: None, ..self.clone() }
    }

    pub(crate) fn options(&self) -> flatrec::Result<CsvOptions> {
        let mut options = CsvOptions::new()
            .quoted_null(self.quoted_null)
            .round(self.round)
            .skip_lines(self.skip)
            .rename_duplicates(self.rename_duplicates)
            .detect_delimiter(self.delimiter.is_none());
        if self.header || self.no_header {
            options = options.header(self.header);
        }
        if let Some(delimiter) = self.delimiter {
            options = options.delimiter(delimiter)?;
        }
        if let Some(comment) = self.comment {
            options = options.comment(comment)?;
        }
        for text in &self.null {
            options = options.null_text(text);
        }
        for (column, text) in &self.null_in {
            options = options.null_text_of(column, text);
        }
        Ok(options)
    }

    /// The first option given that only CSV has.
    fn option_of_csv(&self) -> Option<&'static str> {
        let given = [
            ("--no-header", self.no_header),
            ("--header", self.header),
            ("--delimiter", self.delimiter.is_some()),
            ("--skip", self.skip > 0),
            ("--comment", self.comment.is_some()),
            ("--rename-duplicates", self.rename_duplicates),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// The first option given that only CSV and NDJSON have.
    fn option_of_text(&self) -> Option<&'static str> {
        let given = [
            ("--null", !self.null.is_empty()),
            ("--null-in", !self.null_in.is_empty()),
            ("--quoted-null", self.quoted_null),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// The reader of a format with types.
    fn table<'j>(
        &self,
        input: Input,
        format: InputFormat,
        is_narrow: bool,
    ) -> flatrec::Result<TableReader<'j>> {
        let mut reader = TableReader::new(input, format)?
            .round(self.round)
            .decimals_as_floats(self.format.decimals_as_floats())
            .null_in_texts(self.quoted_null)
            .narrow(is_narrow);
        for text in &self.null {
            reader = reader.null_text(text);
        }
        for (field, text) in &self.null_in {
            reader = reader.null_text_of(field, text);
        }
        Ok(match &self.format.array {
            Some(array) => reader.array(array),
            None => reader,
        })
    }

    /// The device or pipe for bad rows, opened; `None` if they go to a file, or nowhere.
    pub(crate) fn stream_of_rejects(&self) -> Result<Option<File>, Failure> {
        Ok(self.rejects.as_deref().map(Rejects::stream).transpose()?.flatten())
    }

    /// The options that decide the result, by their names; `None` if a path is not Unicode and so
    /// cannot be stored.
    pub(crate) fn choices(&self, input: &Path) -> Option<Map<String, Value>> {
        let rejects = match &self.rejects {
            Some(path) => Some(std::path::absolute(path).ok()?.to_str()?.to_owned()),
            None => None,
        };
        let mut null_texts = self.null.clone();
        null_texts.sort();
        null_texts.dedup();
        let mut choices = self.format.choices(input);
        choices.extend(Map::from_iter([
            ("--delimiter".into(), json!(self.delimiter.map(char::from))),
            ("--skip".into(), self.skip.into()),
            ("--comment".into(), json!(self.comment.map(char::from))),
            ("--rename-duplicates".into(), self.rename_duplicates.into()),
            ("--no-header".into(), self.no_header.into()),
            ("--null".into(), json!(null_texts)),
            ("--null-in".into(), json!(self.null_in)),
            ("--quoted-null".into(), self.quoted_null.into()),
            ("--round".into(), self.round.into()),
            ("--rejects".into(), json!(rejects)),
        ]));
        Some(choices)
    }
}

/// Says that another delimiter than the comma was found.
fn tell_delimiter(delimiter: u8) {
    let name = match delimiter {
        b',' => return,
        b'\t' => "tabs".to_owned(),
        b';' => "semicolons".to_owned(),
        b'|' => "bars (|)".to_owned(),
        other => format!("{:?}", char::from(other)),
    };
    let option =
        if delimiter == b'\t' { "tab".into() } else { format!("{:?}", char::from(delimiter)) };
    say(&format!("the columns are divided by {name}, as with --delimiter {option}"));
}

/// Says that names of the header may be data.
fn tell_header(schema: &Schema) {
    let is_typed = |field: &&Field| !matches!(field.data_type(), DataType::Utf8(_));
    let names = schema.fields().iter().filter(is_typed).map(|field| format!("{:?}", field.name()));
    let names: Vec<String> = names.take(3).collect();
    say(&format!(
        "names in the header such as {} could be values: if the first row is data, load with \
         --no-header (--header says that it has the names)",
        names.join(", ")
    ));
}

/// Any path except standard output, which gets the summary.
fn parse_rejects(path: PathBuf) -> Result<PathBuf, String> {
    match path.as_os_str() == "-" {
        true => Err("name a file: standard output gets the summary".into()),
        false => Ok(path),
    }
}

/// `,`, `;`, `|`, `tab`, …
fn parse_delimiter(text: &str) -> Result<u8, String> {
    let byte = match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => b'\t',
        (_, [byte]) => *byte,
        _ => return Err("it must be one character of ASCII, or `tab`".into()),
    };
    CsvOptions::new().delimiter(byte).map(|_| byte).map_err(|error| error.to_string())
}

/// The file at `path`, or standard input for `-`. A signal ends reads of a pipe.
#[cfg(unix)]
pub(crate) fn open(path: &Path) -> flatrec::Result<Input> {
    use std::os::fd::AsFd as _;
    if path.as_os_str() == "-" {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
        return Ok(Input::from_reader("standard input", Stream(stdin.into())));
    }
    let is_stream = |file: &File| file.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir());
    match File::open(path) {
        Ok(file) if is_stream(&file) => Ok(Input::from_reader(path, Stream(file))),
        // Opened once more, which is possible for a file.
        _ => Input::open(path),
    }
}

/// The file at `path`, or standard input for `-`.
#[cfg(not(unix))]
pub(crate) fn open(path: &Path) -> flatrec::Result<Input> {
    match path.as_os_str() == "-" {
        true => Ok(Input::from_reader("standard input", std::io::stdin())),
        false => Input::open(path),
    }
}

/// The reader of a format.
enum Reader<'j> {
    Csv(CsvReader<'j>),
    /// With what the command line says of the fields.
    Table(TableReader<'j>, CsvOptions),
}

impl Reader<'_> {
    fn infer(&mut self, sample_rows: Option<u64>) -> flatrec::Result<Inferred> {
        match self {
            Self::Csv(reader) => reader.infer(sample_rows),
            Self::Table(reader, options) => {
                let inferred = reader.infer(sample_rows)?;
                let schema = options.adapt(&inferred.schema)?;
                Ok(Inferred { schema, ..inferred })
            }
        }
    }

    /// Only a text has types to guess.
    fn guess(&mut self, sample_bytes: Option<u64>) -> Option<Schema> {
        match self {
            Self::Csv(reader) => reader.guess(sample_bytes),
            Self::Table(..) => None,
        }
    }

    fn load_guessed(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
    ) -> flatrec::Result<(Inferred, Option<LoadReport>)> {
        match self {
            Self::Csv(reader) => reader.load_guessed(schema, sink),
            Self::Table(..) => unreachable!("the types of a table are no guess"),
        }
    }

    fn load_from(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
        from: &LoadPoint,
    ) -> flatrec::Result<LoadReport> {
        match self {
            Self::Csv(reader) => reader.load_from(schema, sink, from),
            Self::Table(reader, _) => reader.load_from(schema, sink, from),
        }
    }
}

/// An input to be loaded into a store.
pub(crate) struct Job<'j> {
    reader: Reader<'j>,
    /// Whether the delimiter was not given, and not yet told.
    tells_delimiter: bool,
    tells_rounded: bool,
    bar: Bar,
    started: Instant,
    interrupt: &'j Interrupt,
}

impl<'j> Job<'j> {
    /// Calls `rejects` for each row that does not fit; without it the first is an error.
    pub(crate) fn new(
        input: Input,
        args: &CsvArgs,
        fields: &FieldArgs,
        what: &'static str,
        rejects: Option<&'j RefCell<Rejects>>,
        interrupt: &'j Interrupt,
    ) -> Result<Self, Failure> {
        let bar = Bar::new(what, input.total_bytes());
        let shown = bar.clone();
        let on_progress = move |done| {
            shown.show(done);
            interrupt.check()
        };
        let options = fields.apply(args.options()?);
        let format = args.format.of(input.name())?;
        let of_text = args.option_of_text().or(fields.option_of_text());
        args.format.check(format, args.option_of_csv(), of_text)?;
        let reader = if format == InputFormat::Csv {
            let mut reader = CsvReader::new(input, options).on_progress(on_progress);
            if let Some(rejects) = rejects {
                reader = reader.on_reject(|reject| rejects.borrow_mut().write(reject));
            }
            Reader::Csv(reader)
        } else {
            let reader = args.table(input, format, fields.is_narrow())?;
            let mut reader = reader.on_progress(on_progress);
            if let Some(rejects) = rejects {
                reader = reader.on_reject(|reject| rejects.borrow_mut().write(reject));
            }
            Reader::Table(reader, options)
        };
        Ok(Self {
            reader,
            tells_delimiter: args.delimiter.is_none(),
            tells_rounded: args.round || args.format.decimals_as_floats(),
            bar,
            started: Instant::now(),
            interrupt,
        })
    }

    /// The narrowest schema of the first rows, or of all rows.
    pub(crate) fn infer(
        &mut self,
        sample_rows: Option<u64>,
    ) -> Result<(Schema, Option<u64>), Failure> {
        self.tell_delimiter()?;
        let inferred = self.reader.infer(sample_rows).map_err(Failure::from);
        let inferred = self.interrupt.outcome(inferred)?;
        self.tell_inferred(&inferred);
        self.bar.next("load");
        Ok((inferred.schema, sample_rows.is_none().then_some(inferred.rows)))
    }

    fn tell_inferred(&self, inferred: &Inferred) {
        self.bar.aside(|| {
            strays::tell(&inferred.strays, &inferred.schema);
            if inferred.header_may_be_data {
                tell_header(&inferred.schema);
            }
        });
    }

    /// The schema of a sample, if one is worth it.
    pub(crate) fn guess(&mut self, sample_bytes: Option<u64>) -> Result<Option<Schema>, Failure> {
        self.tell_delimiter()?;
        Ok(self.reader.guess(sample_bytes))
    }

    /// Gives all rows to `sink`, if their schema is the one that was guessed. Otherwise, and if
    /// this fails, the caller discards the store, and in the first case loads with the schema that
    /// this returns.
    pub(crate) fn load_guessed(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
    ) -> Result<Guessed, Failure> {
        self.bar.next("load");
        let loaded = self.reader.load_guessed(schema, sink).map_err(Failure::from);
        let loaded = self.interrupt.outcome(loaded);
        if loaded.is_err() {
            self.bar.next("infer");
        }
        let (inferred, report) = loaded?;
        self.tell_inferred(&inferred);
        if let Some(report) = report {
            return Ok(Guessed::Right(self.loaded(report, LoadPoint::default())));
        }
        self.bar.next("load");
        Ok(Guessed::Wrong(inferred.schema, inferred.rows))
    }

    fn loaded(&self, report: LoadReport, from: LoadPoint) -> Loaded {
        Loaded { report, tells_rounded: self.tells_rounded, from, time: self.started.elapsed() }
    }

    /// Says which delimiter was found. This reads the start of the input, for which a stream makes
    /// it wait.
    fn tell_delimiter(&mut self) -> Result<(), Failure> {
        let Reader::Csv(reader) = &mut self.reader else { return Ok(()) };
        if std::mem::take(&mut self.tells_delimiter) {
            let found = reader.delimiter().map_err(Failure::from);
            let found = self.interrupt.outcome(found)?;
            self.bar.aside(|| tell_delimiter(found));
        }
        Ok(())
    }

    /// Gives the rows after `from` to `sink`. If this fails, the caller discards the store or
    /// truncates it.
    pub(crate) fn load(
        mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
        from: &LoadPoint,
    ) -> Result<Loaded, Failure> {
        self.tell_delimiter()?;
        let report = self.reader.load_from(schema, sink, from).map_err(Failure::from);
        let report = self.interrupt.outcome(report)?;
        Ok(self.loaded(report, *from))
    }
}

/// The result of a load with guessed types.
pub(crate) enum Guessed {
    Right(Loaded),
    /// The schema of all rows, and their number.
    Wrong(Schema, u64),
}

/// The result of a load.
pub(crate) struct Loaded {
    report: LoadReport,
    /// Whether values may be rounded.
    tells_rounded: bool,
    /// The point at which this run began.
    from: LoadPoint,
    time: Duration,
}

impl Loaded {
    /// The number of records loaded and rows set aside, as text in the past tense.
    pub(crate) fn what(&self, loaded_into: [&str; 2], path: &Path) -> String {
        let LoadReport { loaded, rejected, .. } = self.report;
        let aside = match rejected {
            0 => String::new(),
            rejected => format!(", {} set aside,", counted(rejected, "row")),
        };
        let [verb, preposition] = loaded_into;
        let count = counted(loaded, "record");
        format!("{verb} {count}{aside} {preposition} {}", path.display())
    }

    /// The summary of what was done, and of the store now.
    pub(crate) fn summary(
        &self,
        path: &Path,
        schema: &Schema,
        count: u64,
    ) -> Result<Vec<u8>, Failure> {
        let Self { report, tells_rounded, from, time } = self;
        let seconds = time.as_secs_f64().max(1e-6);
        let rows_before = from.report.loaded + from.report.rejected;
        let rows = report.loaded + report.rejected - rows_before;
        let read_bytes = report.read_bytes.saturating_sub(from.report.read_bytes);
        let mut sheet = Sheet::new(vec![
            Column::text("loaded"),
            Column::text(format!("{} records into {}", report.loaded, path.display())),
        ]);
        sheet.row(["rejected".into(), format!("{} rows", report.rejected).into()]);
        if *tells_rounded {
            sheet.row(["rounded".into(), counted(report.rounded, "value").into()]);
        }
        for (name, value) in [
            ("nulls", report.nulls.to_string()),
            ("read", bytes(report.read_bytes)),
            ("records", format!("{count} of {} bytes", schema.record_size())),
            (
                "time",
                format!(
                    "{seconds:.2} s, {:.0} rows/s, {}/s",
                    rows as f64 / seconds,
                    indicatif::BinaryBytes((read_bytes as f64 / seconds) as u64)
                ),
            ),
        ] {
            sheet.row([name.into(), value.into()]);
        }
        if rows_before > 0 {
            sheet.row(["resumed".into(), format!("behind row {rows_before}").into()]);
        }
        let mut out = Vec::new();
        sheet.write(Format::Table, &mut out)?;
        Ok(out)
    }
}
