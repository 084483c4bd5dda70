//! The format of the input of `load` and `append`.

use std::path::Path;

use flatrec::exchange::InputFormat;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::left_out::{self, Optional};

/// The format of the input, and what only one format has.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct FormatArgs {
    /// The format of the input, whatever its name. Without it the ending decides: .ndjson and
    /// .jsonl are JSON, .npy and .npz arrays of numpy, .arrow, .arrows, .feather and .ipc Arrow,
    /// .parquet is Parquet, and all others are CSV
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Of an npz file, load this array as rows, and not each array as a column
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Format {
    Csv,
    /// A JSON object a line
    Ndjson,
    /// An array of numpy
    Npy,
    /// Arrays of numpy in a zip archive
    Npz,
    /// A file or a stream of Arrow
    Arrow,
    Parquet,
}

impl FormatArgs {
    /// Whether the format is given, so that the first bytes of the input do not decide.
    pub(crate) fn is_given(&self) -> bool {
        self.format.is_some()
    }

    /// The format of the input with that name.
    ///
    /// # Errors
    /// If this build does not include it.
    pub(crate) fn of(&self, name: &Path) -> Result<InputFormat, Failure> {
        Ok(match self.format {
            Some(Format::Csv) => InputFormat::Csv,
            Some(Format::Ndjson) => InputFormat::Ndjson,
            Some(Format::Npy) => InputFormat::Npy,
            Some(Format::Npz) => InputFormat::Npz,
            Some(Format::Arrow) => Optional::Arrow.input()?,
            Some(Format::Parquet) => Optional::Parquet.input()?,
            None => {
                left_out::refuse_ending(name)?;
                InputFormat::from_path(name)
            }
        })
    }

    /// Refuses options that the format does not have; `of_text` is the first one given that only
    /// CSV has.
    pub(crate) fn check(
        &self,
        format: InputFormat,
        of_text: Option<&'static str>,
    ) -> Result<(), Failure> {
        let refused = |option: &str, why: &str| {
            Err(Failure::Usage(format!("{option} cannot be used with this format: {why}")))
        };
        match of_text {
            Some(option) if format != InputFormat::Csv => {
                refused(option, "only CSV has it (--format csv reads the input as CSV)")
            }
            _ if self.array.is_some() && format != InputFormat::Npz => {
                refused("--array", "only npz has several arrays (--format npz reads one)")
            }
            _ => Ok(()),
        }
    }

    /// The options by their names, to compare with those of an interrupted load.
    pub(crate) fn choices(&self, name: &Path) -> Map<String, Value> {
        // A format that is left out is refused before its progress is kept.
        let format = self.of(name).map(|format| format!("{format:?}").to_lowercase()).ok();
        Map::from_iter([("--format".into(), json!(format)), ("--array".into(), json!(self.array))])
    }
}
