//! `flatrec schema`: a store's schema, as text for another program.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flatrec::DynStore;
use flatrec::exchange::{
    schema_to_c, schema_to_json, schema_to_json_without_layout, schema_to_numpy, schema_to_rust,
    slots_to_c, slots_to_numpy,
};

use crate::failure::Failure;
use crate::info::fields;
use crate::output::{Format, stdout};

/// Show a store's schema
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec schema flights.rec
  flatrec schema flights.rec --as json --no-layout > flights.json   # to edit, for load --schema
  flatrec schema flights.rec --as rust > src/flight.rs

In Python, the dtype that --as numpy writes reads the records in place:
  numpy.memmap('flights.rec', dtype, mode='r', offset=65536, shape=(count,))
Of a store with deletes, only those whose status is 1 are there; count is info's record_numbers.")]
pub(crate) struct Args {
    /// The store
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
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    /// The input of `load --schema`
    Json,
    /// A struct that derives flatrec::Record
    Rust,
    /// A struct for C
    C,
    /// A literal for numpy.dtype(…)
    Numpy,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.no_layout && !matches!(self.language, Some(Language::Json)) {
            return Err(Failure::Usage("--no-layout is for --as json only".into()));
        }
        let store =
            DynStore::read_options().accept_interrupted_edit(true).open_read_only(&self.store)?;
        let schema = store.schema();
        let mut out = stdout();
        let Some(language) = self.language else {
            fields(schema).write(self.format, &mut out)?;
            return Ok(());
        };
        let deletes = store.info()?.deletes;
        let text = match language {
            Language::Json if self.no_layout => schema_to_json_without_layout(schema),
            Language::Json => schema_to_json(schema),
            Language::Rust => schema_to_rust(schema, &rust_name(&self.store))?,
            Language::C if deletes => slots_to_c(schema, &c_name(&self.store))?,
            Language::C => schema_to_c(schema, &c_name(&self.store))?,
            Language::Numpy if deletes => slots_to_numpy(schema)?,
            Language::Numpy => schema_to_numpy(schema),
        };
        writeln!(out, "{}", text.trim_end())?;
        Ok(out.flush()?)
    }
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

/// `flights_2013_record` for `flights-2013.rec`.
fn c_name(path: &Path) -> String {
    let name = [words(path), vec!["record".into()]].concat().join("_");
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => format!("r{name}"),
    }
}
