//! `flatrec load`: makes a store from a CSV file or another table.

mod fields;
mod foreign;
mod guess;
mod keeper;
mod resume;
pub(crate) mod unfinished;

use std::cell::RefCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flatrec::exchange::{
    CsvOptions, Input, InputFormat, LoadPoint, UnpublishedFile, schema_from_json,
};
use flatrec::{DynStore, ErrorKind, Schema};
use serde_json::{Map, Value};

use crate::aside::publish_rejects;
use crate::change;
use crate::csv_input::{self, CsvArgs, Job, Loaded};
use crate::failure::{Failure, say};
use crate::info::fields;
use crate::interrupt::{Interrupt, Interruptible};
use crate::metadata;
use crate::names;
use crate::output::{Format, report_text};
use crate::paths;
use crate::progress::Bar;
use crate::rejects::Rejects;
use crate::source::{LayoutArgs, refuse_foreign};
use crate::waiting::WaitArgs;
use crate::widen;
pub(crate) use fields::FieldArgs;
use guess::Reached;
use keeper::{Keeper, Loading};
use unfinished::{InputIdentity, Unfinished};

/// Load CSV, NDJSON, Arrow, Parquet or an array of numpy into a new store
///
/// Without --schema each column of a CSV file gets the narrowest type of all its values (bool,
/// int64, float64, date, timestamp, text). The load begins with the types of a sample. If a later
/// value has another one, it reads the rest for the types, and then loads from the start.
/// Empty values are null. The store is written under another name and gets its name when it is
/// complete. A file beside it holds checksums of its records.
///
/// The input is UTF-8, or UTF-16 with a byte order mark, plain or compressed by gzip, zstd, xz or
/// bzip2. Its first bytes tell which, whatever its name.
///
/// NDJSON (.ndjson, .jsonl) has a JSON object a line; objects within it become columns such as
/// `point.x`. The first index of an array of numpy (.npy, .npz) counts the rows. These, Arrow
/// (.arrow, .arrows, .feather) and Parquet (.parquet) have types of their own: docs/FORMATS.md says
/// which become which.
///
/// A load of more than a few seconds keeps its progress in a small file beside the unfinished
/// store. If it is interrupted, by Ctrl-C, a kill, a power cut or a full disk, --resume continues
/// it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec load flights.csv flights.rec
  flatrec load flights.csv.gz flights.rec --null NA --force
  flatrec load flights.csv flights.rec --resume
  flatrec load sensors.txt sensors.rec --delimiter tab --no-header --rejects bad.csv
  flatrec load readings.parquet readings.rec
  flatrec load events.jsonl.gz events.rec --rejects bad.csv
  flatrec load january.csv year.rec --nullable --text-width 16   # room for the next months
  flatrec schema flights.rec --as json --no-layout > flights.json
  zcat more.csv.gz | flatrec load - more.rec --schema flights.json")]
pub(crate) struct Args {
    /// The file to load, plain or compressed, or a flat file of another program; `-` for standard
    /// input
    input: PathBuf,

    /// The store to create
    store: PathBuf,

    /// Take the schema from this file: JSON as `flatrec schema --as json` writes it, or a store
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    schema: Option<PathBuf>,

    /// Find the types from the first N rows only; later rows may then not fit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,

    /// Add to an existing store, all of the rows or none
    #[arg(long, conflicts_with_all = ["force", "schema", "sample"])]
    append: bool,

    /// Create a store whose records can be deleted: each takes another byte
    #[arg(long, conflicts_with = "append")]
    deletes: bool,

    /// Replace an existing store; other files are not replaced. With --rejects, replace that file
    /// too
    #[arg(long)]
    force: bool,

    /// Continue an interrupted load: the same input, a plain file (compressed or not), and the same
    /// options give the result of an uninterrupted load. Without an interrupted load, start
    #[arg(long, conflicts_with = "append")]
    resume: bool,

    /// Keep the progress after so many bytes of input, without a minimum time
    #[arg(long, value_name = "BYTES", hide = true)]
    progress_every: Option<u64>,

    /// Begin with the types of a sample of so many bytes; 0 reads the input twice
    #[arg(long, value_name = "BYTES", hide = true)]
    guess_from: Option<u64>,

    /// Keep no checksums of the records (`flatrec verify --rebuild` creates them later)
    #[arg(long, conflicts_with = "append")]
    no_checksums: bool,

    /// Keep the bytes of this file in the store as its metadata: `flatrec info --metadata` writes
    /// them again
    #[arg(long, value_name = "FILE", conflicts_with = "append")]
    metadata: Option<PathBuf>,

    #[command(flatten)]
    fields: FieldArgs,

    #[command(flatten)]
    csv: CsvArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    layout: LayoutArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.input.as_os_str() == "-" && self.layout.is_given() {
            let why = "--layout is for a file: records are read from their places in it";
            return Err(Failure::Usage(why.into()));
        }
        // An array of numpy goes through its loader, which also takes what has no rows in place.
        let is_npy = InputFormat::from_path(&self.input) == InputFormat::Npy;
        if self.layout.is_given() || !self.csv.format.is_given() && !is_npy {
            if let Some(file) = self.layout.foreign(&self.input)? {
                return self.load_foreign(&file);
            }
        }
        if self.append {
            let advice = "load without --append makes one";
            return append(&self.input, &self.store, &self.csv, self.wait, advice);
        }
        let read = || self.schema.as_deref().into_iter().chain([&*self.input]);
        read().try_for_each(|input| names::refuse_reading_of(input, &self.store))?;
        names::refuse_beside_store("", &self.store)?;
        if let Some(path) = &self.csv.rejects {
            Rejects::check(path, &self.store, read())?;
        }
        match self.left()? {
            Some(left) => self.go_on(left),
            None => self.start(),
        }
    }

    /// Loads from the start of the input.
    fn start(&self) -> Result<(), Failure> {
        let started = Instant::now();
        self.refuse_taken()?;
        Unfinished::refuse_foreign(&self.store)?;
        // Opening a pipe waits for its writer, so this comes before making a file that a signal
        // would leave.
        let given = self.schema.as_deref().map(read_schema).transpose()?;
        let metadata = self.metadata.as_deref().map(metadata::read).transpose()?;
        let mut input = csv_input::open(&self.input)?;
        let stream = self.csv.stream_of_rejects()?;
        let interrupt = Interrupt::watch();
        let rejects = |path: &PathBuf| Rejects::create(path, self.force, stream);
        let rejects = self.csv.rejects.as_ref().map(rejects).transpose()?.map(RefCell::new);
        let needs_file = self.csv.format.of(input.name())?.needs_file();
        let setting = Setting {
            started,
            identity: self.identity(),
            choices: self.choices(given.as_ref()),
            metadata: metadata.unwrap_or_default(),
            rejects: rejects.as_ref(),
            interrupt: &interrupt,
        };
        let infers = given.is_none() && self.sample.is_none();
        if needs_file || infers {
            input = interrupt.outcome(spooled(input, &self.store))?;
        }
        let mut job =
            Job::new(input, &self.csv, &self.fields, "infer", rejects.as_ref(), &interrupt)?;
        let reached = match infers {
            true => self.load_guessed(&mut job, &setting)?,
            false => Reached::Nothing,
        };
        let (schema, rows) = match (given, reached) {
            (_, Reached::End) => return Ok(()),
            (_, Reached::Types(schema, rows)) => (schema, Some(rows)),
            (Some(schema), _) => (self.adapted(&schema)?, None),
            (None, _) => job
                .infer(self.sample)
                .map_err(|failure| failure.advise_on_row(self.advice_on_row()))?,
        };
        let (store, keeper) = self.create(&schema, rows, false, &setting)?;
        self.finish(job, store, rejects.as_ref(), keeper, &LoadPoint::default(), &interrupt)
    }

    /// Creates the store aside, with the keeper of its progress if a later load can continue it.
    fn create<'k>(
        &'k self,
        schema: &Schema,
        rows: Option<u64>,
        is_guess: bool,
        setting: &Setting<'k>,
    ) -> Result<(DynStore, Option<Keeper<'k>>), Failure> {
        let options = DynStore::create_options()
            .deletes(self.deletes)
            .checksums(!self.no_checksums)
            .metadata(setting.metadata.clone());
        let mut store = self.wait.patiently(Some(setting.interrupt), |wait| {
            options.clone().wait(wait).create_aside(&self.store, schema, self.force)
        })?;
        // Under the lock of the store, so this is the only load.
        if Unfinished::discard(&self.store, self.csv.rejects.as_deref()) {
            say(&format!("the unfinished load of {} is discarded", self.store.display()));
        }
        if let Some(rows) = rows {
            store.reserve(rows)?;
        }
        let keeper = match (setting.identity.clone(), setting.choices.clone()) {
            (Some(input), Some(choices)) if can_resume(setting.rejects) => {
                let file_id = store.info()?.file_id;
                let point = LoadPoint::default();
                let rejects = None;
                let progress =
                    Unfinished { file_id, input, choices, rows, is_guess, point, rejects };
                Some(self.keeper(setting.rejects, progress, false).since(setting.started))
            }
            _ => None,
        };
        Ok((store, keeper))
    }

    /// Loads the rows after `from`, and moves the new store to its place.
    fn finish(
        &self,
        job: Job<'_>,
        mut store: DynStore,
        rejects: Option<&RefCell<Rejects>>,
        mut keeper: Option<Keeper<'_>>,
        from: &LoadPoint,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let schema = store.schema().clone();
        let mut sink = Loading { store: &mut store, interrupt, keeper: keeper.as_mut() };
        let loaded = job.load(&schema, &mut sink, from);
        self.publish_loaded(loaded, store, rejects, keeper, interrupt)
    }

    /// Moves the new store of a finished load to its place.
    fn publish_loaded(
        &self,
        loaded: Result<Loaded, Failure>,
        mut store: DynStore,
        rejects: Option<&RefCell<Rejects>>,
        keeper: Option<Keeper<'_>>,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let loaded =
            loaded.and_then(|loaded| Ok((loaded, finish_rejects(rejects)?, interrupt.decide()?)));
        let (loaded, rejects, deciding) = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                let failure = match keeper {
                    Some(keeper) => keeper.give_up(&mut store, failure),
                    None => failure,
                };
                return Err(failure.advise_on_row(self.advice_on_row()));
            }
        };
        let schema = store.schema().clone();
        let count = store.count();
        if let Err(error) = store.close() {
            return Err(match keeper {
                Some(keeper) => keeper.cut(error.into()),
                None => error.into(),
            });
        }
        // The kept progress goes last: until then an interrupted load can be resumed, if only to
        // rename a file.
        let done = loaded.what(["loaded", "into"], &self.store);
        rejects.map_or(Ok(()), publish_rejects).map_err(|failure| failure.after(&done))?;
        if let Some(keeper) = keeper {
            keeper.finish();
        }
        deciding.done(&done);
        let mut text = loaded.summary(&self.store, &schema, count)?;
        text.push(b'\n');
        fields(&schema).write(Format::Table, &mut text)?;
        report_text(&done, &text)
    }

    /// The form of the input, and what the command line says of the fields.
    fn options(&self) -> Result<CsvOptions, Failure> {
        Ok(self.fields.apply(self.csv.options()?))
    }

    /// The schema of --schema with what the command line says of its fields.
    fn adapted(&self, schema: &Schema) -> Result<Schema, Failure> {
        self.options()?.adapt(schema).map_err(|error| match &self.schema {
            Some(path) => Failure::Message(format!("{}: {error}", path.display())),
            None => error.into(),
        })
    }

    /// Refuses to create a store at a taken path that must not be replaced.
    fn refuse_taken(&self) -> Result<(), Failure> {
        let shown = self.store.display();
        if self.store.is_dir() {
            let name = self.input.file_name().unwrap_or("table".as_ref());
            let within = self.store.join(name).with_extension("rec");
            return Err(Failure::Message(format!(
                "{shown} is a directory: name a store in it, such as {}",
                within.display()
            )));
        }
        if !self.force && self.store.symlink_metadata().is_ok() {
            let advice = match paths::is_store(&self.store) {
                true => "--append adds to it, --force replaces it",
                false => "it is not a flatrec store: name another file",
            };
            return Err(Failure::Message(format!("{shown} exists already ({advice})")));
        }
        paths::refuse_other_than_store(&self.store)
    }

    fn keeper<'k>(
        &'k self,
        rejects: Option<&'k RefCell<Rejects>>,
        progress: Unfinished,
        kept: bool,
    ) -> Keeper<'k> {
        Keeper::new(&self.store, rejects, progress, kept, self.progress_every)
    }
}

fn can_resume(rejects: Option<&RefCell<Rejects>>) -> bool {
    rejects.is_none_or(|rejects| rejects.borrow().can_resume())
}

fn finish_rejects(rejects: Option<&RefCell<Rejects>>) -> Result<Option<UnpublishedFile>, Failure> {
    rejects.map_or(Ok(None), |rejects| rejects.borrow_mut().finish())
}

impl Args {
    fn advice_on_row(&self) -> &'static str {
        match (self.sample, &self.schema) {
            (Some(_), _) => {
                "raise --sample N or leave it out, set bad rows aside with \
                 --rejects FILE, or give the types with --schema FILE"
            }
            (None, Some(_)) => {
                "correct it, set bad rows aside with --rejects FILE, or give the field another \
                 type in the file of --schema"
            }
            (None, None) => "correct it, or set bad rows aside with --rejects FILE",
        }
    }
}

/// What a load has besides its options.
struct Setting<'s> {
    started: Instant,
    identity: Option<InputIdentity>,
    choices: Option<Map<String, Value>>,
    metadata: Vec<u8>,
    rejects: Option<&'s RefCell<Rejects>>,
    interrupt: &'s Interrupt,
}

/// Adds the rows of `input` to the store at `path`: all of them, or none on failure.
pub(crate) fn append(
    input: &Path,
    path: &Path,
    csv: &CsvArgs,
    wait: WaitArgs,
    if_missing: &str,
) -> Result<(), Failure> {
    paths::refuse_same(input, path)?;
    if let Some(file) = &csv.rejects {
        Rejects::check(file, path, [input])?;
    }
    let database = wait.open(path, None).map_err(|failure| {
        swapped(input, path).unwrap_or_else(|| failure.advise(ErrorKind::NotFound, if_missing))
    })?;
    // An array of numpy has a loader, and an option of the format says what the input is.
    if !csv.format.is_given() && InputFormat::from_path(input) == InputFormat::Csv {
        refuse_foreign(input)?;
    }
    let mut opened = csv_input::open(input)?;
    let stream = csv.stream_of_rejects()?;
    let interrupt = Interrupt::watch();
    if csv.format.of(opened.name())?.needs_file() {
        opened = interrupt.outcome(spooled(opened, path))?;
    }
    let rejects = |file: &PathBuf| Rejects::create(file, false, stream);
    let rejects = csv.rejects.as_ref().map(rejects).transpose()?.map(RefCell::new);
    let fields = FieldArgs::default();
    let job = Job::new(opened, csv, &fields, "append", rejects.as_ref(), &interrupt)?;
    let schema = database.schema().clone();
    let mut transaction = database.begin_write()?;
    let mut sink = Interruptible { transaction: &mut transaction, interrupt: &interrupt };
    let added = job
        .load(&schema, &mut sink, &LoadPoint::default())
        .and_then(|loaded| Ok((loaded, finish_rejects(rejects.as_ref())?, interrupt.decide()?)));
    let (loaded, rejects, deciding) = match added {
        Ok(added) => added,
        Err(failure) => {
            transaction.rollback();
            database.close()?;
            let wider = match &failure {
                Failure::Library(error) => widen::advice(error, &schema, path),
                _ => None,
            };
            let advice = "correct it, or set bad rows aside with --rejects FILE";
            let failure = failure.advise_on_row(advice);
            return Err(match wider {
                Some(wider) => Failure::Advised(Box::new(failure), wider),
                None => failure,
            });
        }
    };
    let count = transaction.live_count();
    let done = change::commit(transaction, &loaded.what(["appended", "to"], path))?;
    let closed = change::close(database, &done);
    rejects.map_or(Ok(()), publish_rejects).map_err(|failure| failure.after(&done))?;
    closed?;
    deciding.done(&done);
    report_text(&done, &loaded.summary(path, &schema, count)?)
}

/// The failure of an append whose input is the store, and whose store is a file of another kind.
fn swapped(input: &Path, path: &Path) -> Option<Failure> {
    let is_swapped = paths::is_store(input) && path.is_file() && !paths::is_store(path);
    is_swapped.then(|| {
        Failure::Message(format!(
            "{} is not a flatrec store, but {} is: exchange the two",
            path.display(),
            input.display()
        ))
    })
}

/// The longest text of a schema.
const SCHEMA_BYTES_MAX: u64 = 64 << 20;

pub(crate) fn read_schema(path: &Path) -> Result<Schema, Failure> {
    let named =
        |why: &dyn std::fmt::Display| Failure::Message(format!("{}: {why}", path.display()));
    if path.is_file() && paths::starts_as_store(path).map_err(|error| named(&error))? {
        let store = DynStore::read_options().accept_interrupted_edit(true).open_read_only(path)?;
        return Ok(store.schema().clone());
    }
    refuse_foreign(path)?;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| named(&error))?;
    // A device with that name may have no end.
    let taken = file.take(SCHEMA_BYTES_MAX + 1).read_to_string(&mut text);
    if taken.map_err(|error| named(&error))? as u64 > SCHEMA_BYTES_MAX {
        return Err(named(&format!("it is longer than {} MiB", SCHEMA_BYTES_MAX >> 20)));
    }
    schema_from_json(&text).map_err(|error| match error.to_string().contains("\"offset\"") {
        true => named(&format!("{error}; flatrec schema --as json --no-layout writes none")),
        false if !text.trim_start().starts_with('{') => {
            named(&format!("{error} (give a store, or JSON as flatrec schema --as json writes it)"))
        }
        false => named(&error),
    })
}

/// Keeps a stream in a file without a name beside the store, to read it twice.
fn spooled(input: Input, store: &Path) -> Result<Input, Failure> {
    if !input.is_stream() {
        return Ok(input);
    }
    let bar = Bar::new("read", None);
    Ok(input.spool(paths::directory_of(store), |done_bytes| {
        bar.show(flatrec::exchange::Progress { done_bytes, total_bytes: None, rows: 0 });
    })?)
}
