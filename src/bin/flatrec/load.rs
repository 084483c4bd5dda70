//! `flatrec load`: a CSV file made into a store.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flatrec::exchange::{Input, schema_from_json};
use flatrec::{DynStore, ErrorKind, Schema};

use crate::csv_input::{self, CsvArgs, Job};
use crate::failure::Failure;
use crate::info::fields;
use crate::interrupt::Interrupt;
use crate::output::{Format, stdout};
use crate::paths;
use crate::progress::Bar;
use crate::rejects::{Aside, Rejects};

/// Load a CSV file into a new store
///
/// Without --schema the input is read twice: first to find the narrowest type of each column
/// (bool, int64, float64, date, timestamp, text), then to load it. Empty values are null. The
/// store is written aside and takes its name when it is complete. Checksums of its records are kept
/// in a file beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec load flights.csv flights.rec
  flatrec load flights.csv.gz flights.rec --null NA --force
  flatrec load sensors.txt sensors.rec --delimiter tab --no-header --rejects bad.csv
  flatrec schema flights.rec --as json > flights.json
  zcat more.csv.gz | flatrec load - more.rec --schema flights.json")]
pub(crate) struct Args {
    /// The CSV file, gzipped or not; `-` for standard input
    input: PathBuf,

    /// The store to make
    store: PathBuf,

    /// Take the schema from this file (as `flatrec schema --as json` writes it)
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    schema: Option<PathBuf>,

    /// Find the types from the first N rows only; a later row may then not fit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,

    /// Add to an existing store, all of the rows or none
    #[arg(long, conflicts_with_all = ["force", "schema", "sample"])]
    append: bool,

    /// Make a store whose records can be deleted: each takes a byte more
    #[arg(long, conflicts_with = "append")]
    deletes: bool,

    /// Replace an existing store; what is no store is not replaced. With --rejects, replace
    /// that file too
    #[arg(long)]
    force: bool,

    /// Keep no checksums of the records (`flatrec verify --rebuild` makes them later)
    #[arg(long, conflicts_with = "append")]
    no_checksums: bool,

    #[command(flatten)]
    csv: CsvArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.append {
            return append(&self.input, &self.store, &self.csv, "load without --append makes one");
        }
        paths::refuse_same(&self.input, &self.store)?;
        if !self.force && self.store.symlink_metadata().is_ok() {
            return Err(Failure::Message(format!(
                "{} exists already (--append adds to it, --force replaces it)",
                self.store.display()
            )));
        }
        paths::refuse_other_than_store(&self.store)?;
        let read = self.schema.as_deref().into_iter().chain([&*self.input]);
        let rejects = |path: &PathBuf| Rejects::create(path, read, &self.store, self.force);
        let mut rejects = self.csv.rejects.as_ref().map(rejects).transpose()?;
        let given = self.schema.as_deref().map(read_schema).transpose()?;
        let mut input = csv_input::open(&self.input)?;
        if given.is_none() && self.sample.is_none() {
            input = spooled(input, &self.store)?;
        }
        let mut job = Job::new(input, &self.csv, "infer", rejects.as_mut())?;
        let (schema, rows) = match given {
            Some(schema) => (schema, None),
            None => job
                .infer(self.sample)
                .map_err(|failure| failure.advise_on_row(self.advice_on_row()))?,
        };
        let interrupt = Interrupt::watch();
        let mut options = DynStore::options();
        if self.deletes {
            options = options.deletes();
        }
        if !self.no_checksums {
            options = options.checksums();
        };
        let mut store = options.create_aside(&self.store, &schema, self.force)?;
        if let Some(rows) = rows {
            store.reserve(rows)?;
        }
        let loaded = job
            .load(&mut store, &interrupt)
            .map_err(|failure| failure.advise_on_row(self.advice_on_row()))?;
        let rejects = rejects.map(Rejects::finish).transpose()?.flatten();
        let count = store.count();
        store.close()?;
        rejects.map_or(Ok(()), Aside::publish)?;
        loaded.summarise(&self.store, &schema, count)?;
        let mut out = stdout();
        writeln!(out)?;
        Ok(fields(&schema).write(Format::Table, out)?)
    }
}

impl Args {
    fn advice_on_row(&self) -> &'static str {
        match (self.sample, &self.schema) {
            (Some(_), _) => {
                "look at more rows with --sample N or at all without it, set bad rows aside with \
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

/// Adds the rows of `input` to the store at `path`: all of them, or none if that fails.
pub(crate) fn append(
    input: &Path,
    path: &Path,
    csv: &CsvArgs,
    if_missing: &str,
) -> Result<(), Failure> {
    paths::refuse_same(input, path)?;
    let mut store = DynStore::open(path)
        .map_err(|error| Failure::from(error).advise(ErrorKind::NotFound, if_missing))?;
    let before = store.count();
    let rejects = |file: &PathBuf| Rejects::create(file, [input], path, false);
    let mut rejects = csv.rejects.as_ref().map(rejects).transpose()?;
    let job = Job::new(csv_input::open(input)?, csv, "append", rejects.as_mut())?;
    let added = job
        .load(&mut store, &Interrupt::watch())
        .and_then(|loaded| Ok((loaded, rejects.map(Rejects::finish).transpose()?.flatten())));
    let (loaded, rejects) = match added {
        Ok(added) => added,
        Err(failure) => {
            store.truncate(before)?;
            store.close()?;
            let advice = "correct it, or set bad rows aside with --rejects FILE";
            return Err(failure.advise_on_row(advice));
        }
    };
    let (schema, count) = (store.schema().clone(), store.live_count());
    store.close()?;
    rejects.map_or(Ok(()), Aside::publish)?;
    loaded.summarise(path, &schema, count)
}

fn read_schema(path: &Path) -> Result<Schema, Failure> {
    let named =
        |why: &dyn std::fmt::Display| Failure::Message(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    schema_from_json(&text).map_err(|error| named(&error))
}

/// A stream is kept in a nameless file beside the store, to be read twice.
fn spooled(input: Input, store: &Path) -> Result<Input, Failure> {
    if !input.is_stream() {
        return Ok(input);
    }
    let bar = Bar::new("read", None);
    let beside = match store.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Ok(input.spool(beside, |done_bytes| {
        bar.show(flatrec::exchange::Progress { done_bytes, total_bytes: None, rows: 0 });
    })?)
}
