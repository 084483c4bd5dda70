//! `flatrec schema`: a store's schema, as text for another program.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flatrec::exchange::{
    schema_to_arrow, schema_to_c, schema_to_json, schema_to_json_without_layout, schema_to_numpy,
    schema_to_rust, schema_to_sql, slots_to_c, slots_to_numpy,
};
use flatrec::foreign::{ForeignFile, ForeignKind};
use flatrec::{Schema, SlotInfo, StoreInfo};

use crate::failure::{Failure, say};
use crate::info::fields;
use crate::output::{Format, stdout};
use crate::shell;
use crate::source::LayoutArgs;
use crate::verify::counted;

/// Show a store's schema
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec schema flights.rec
  flatrec schema flights.rec --as json --no-layout > flights.json   # to edit, for load --schema
  flatrec schema flights.rec --as rust > src/flight.rs

In Python, --as numpy gives dtype, offset and shape, with which numpy reads the records in place:
  numpy.memmap('flights.rec', mode='r', **ast.literal_eval(text))
The shape counts deleted records, too: those that are there have status 1. If the store has a log
with commits that the file lacks, standard error says so, and what to do.")]
pub(crate) struct Args {
    /// The store, or a flat file of another program
    store: PathBuf,

    /// The language of a program
    #[arg(long = "as", value_enum, value_name = "LANGUAGE", conflicts_with = "format")]
    language: Option<Language>,

    /// With --as json: without sizes and offsets, which an edit of the types would make wrong
    #[arg(long, requires = "language", conflicts_with = "format")]
    no_layout: bool,

    /// Output format, without --as
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    #[command(flatten)]
    layout: LayoutArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    /// The input of `load --schema`
    Json,
    /// A struct that derives flatrec::Record
    Rust,
    /// A struct for C
    C,
    /// A dict literal of dtype, offset and shape for numpy.memmap(…)
    Numpy,
    /// CREATE TABLE, for the CSV of an export
    Sql,
    /// Python code of a pyarrow.Schema
    Arrow,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.no_layout && !matches!(self.language, Some(Language::Json)) {
            return Err(Failure::Usage("--no-layout is for --as json only".into()));
        }
        if let Some(file) = self.layout.foreign(&self.store)? {
            let numpy = || memmap_arguments_of(&file);
            return self.write(file.schema(), || Ok(false), numpy);
        }
        let store = self.layout.store(&self.store, true)?;
        let schema = store.schema();
        let numpy = || {
            let info = store.info()?;
            self.warn_of_log(&info);
            Ok(memmap_arguments(schema, &info)?)
        };
        self.write(schema, || Ok(store.info()?.deletes), numpy)
    }

    fn write(
        &self,
        schema: &Schema,
        deletes: impl FnOnce() -> Result<bool, Failure>,
        numpy: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        let mut out = stdout();
        let Some(language) = self.language else {
            fields(schema).write(self.format, &mut out)?;
            return Ok(());
        };
        let text = match language {
            Language::Json if self.no_layout => schema_to_json_without_layout(schema),
            Language::Json => schema_to_json(schema),
            Language::Rust => schema_to_rust(schema, &rust_name(&self.store))?,
            Language::C if deletes()? => slots_to_c(schema, &c_name(&self.store))?,
            Language::C => schema_to_c(schema, &c_name(&self.store))?,
            Language::Sql => schema_to_sql(schema, &table_name(&self.store))?,
            Language::Arrow => schema_to_arrow(schema),
            Language::Numpy => numpy()?,
        };
        writeln!(out, "{}", text.trim_end())?;
        Ok(out.flush()?)
    }

    /// Says on standard error that the log has commits which a program that maps the file misses.
    fn warn_of_log(&self, info: &StoreInfo) {
        let Some(log) = info.log.as_ref().filter(|log| log.commits > 0) else { return };
        let store = self.store.display();
        let quoted = shell::store(&self.store);
        // While a writer has the store open, a checkpoint by another process cannot begin.
        let remedy = match info.writer.as_ref().map(|writer| writer.process) {
            Some(Some(process)) => format!("let process {process} close the store"),
            Some(None) => "let the writer close the store".to_owned(),
            None => format!("run `flatrec checkpoint {quoted}`"),
        };
        let changes = match log.records {
            0 => String::new(), // records of a long append lie in their places already
            records => format!(" with changes of {}", counted(records, "record")),
        };
        say(&format!(
            "{store}: {}{changes} {} in the log and not in the file yet; numpy reads the file \
             alone, which counts {} of {} ({remedy}, or run `flatrec backup {quoted} COPY` and \
             read the copy)",
            counted(log.commits, "commit"),
            if log.commits == 1 { "is" } else { "are" },
            count_in_file(info),
            counted(info.count, "record"),
        ));
    }
}

/// The arguments of `numpy.memmap` that describe the records of the file, as a Python dict.
fn memmap_arguments(schema: &Schema, info: &StoreInfo) -> flatrec::Result<String> {
    let dtype = match info.deletes {
        true => slots_to_numpy(schema)?,
        false => schema_to_numpy(schema),
    };
    let (dtype, offset, count) = (dtype.trim_end(), info.data_offset, count_in_file(info));
    Ok(format!("{{'dtype': {dtype}, 'offset': {offset}, 'shape': ({count},)}}"))
}

/// As [`memmap_arguments`], of the records of a foreign file as they lie there.
fn memmap_arguments_of(file: &ForeignFile) -> Result<String, Failure> {
    let layout = file.layout();
    let Some(schema) = layout.schema_in_place() else {
        let path = file.path().display();
        return Err(Failure::Message(match layout.kind() {
            ForeignKind::Npy => format!(
                "{path}: flatrec has no type for some of its values as they lie in the file (map \
                 it with numpy.load(path, mmap_mode='r'))"
            ),
            _ => format!(
                "{path}: numpy has no type for some of its values as they lie in the file (load \
                 the file into a store, or export it to an npy array)"
            ),
        }));
    };
    let dtype = schema_to_numpy(&schema);
    let (dtype, offset, count) = (dtype.trim_end(), layout.data_offset(), layout.count());
    Ok(format!("{{'dtype': {dtype}, 'offset': {offset}, 'shape': ({count},)}}"))
}

/// The records that the header counts. The log may count more, whose places in the file may still
/// be zeros.
fn count_in_file(info: &StoreInfo) -> u64 {
    let in_force = info.slots.iter().find_map(|slot| match slot {
        SlotInfo::Valid { sequence, count } if *sequence == info.sequence => Some(*count),
        _ => None,
    });
    in_force.unwrap_or(info.count)
}

/// The words of the file's name, without its ending: they name the struct.
fn words(path: &Path) -> Vec<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect()
}

/// `Flights2013` for `flights-2013.rec`.
fn rust_name(path: &Path) -> String {
    let mut name = String::new();
    for word in words(path) {
        let (first, rest) = word.split_at(1);
        name.extend([&first.to_ascii_uppercase(), rest]);
    }
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) && name != "Self" {
        true => name,
        false => format!("Record{name}"),
    }
}

/// `flights_2013` for `flights-2013.rec`.
fn table_name(path: &Path) -> String {
    let name = words(path).join("_");
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => format!("t{name}"),
    }
}

/// `flights_2013_record` for `flights-2013.rec`.
fn c_name(path: &Path) -> String {
    let name = [words(path), vec!["record".into()]].concat().join("_");
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => format!("r{name}"),
    }
}
