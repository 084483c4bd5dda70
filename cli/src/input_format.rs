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

    /// What a decimal of Arrow or Parquet becomes: the integer of its last digit, with a scale, or
    /// the nearest float64. Those that the float does not keep are counted
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) decimal: Option<Decimal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Decimal {
    Integer,
    Float,
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

    /// Whether decimals become floats.
    pub(crate) fn decimals_as_floats(&self) -> bool {
        self.decimal == Some(Decimal::Float)
    }

    /// Refuses options that the format does not have; `of_csv` is the first one given that only CSV
    /// has, and `of_text` the first one that only CSV and NDJSON have.
    pub(crate) fn check(
        &self,
        format: InputFormat,
        of_csv: Option<&'static str>,
        of_text: Option<&'static str>,
    ) -> Result<(), Failure> {
        use InputFormat::{Csv, Ndjson, Npy, Npz};
        let refused = |option: &str, why: &str| {
            Err(Failure::Usage(format!("{option} cannot be used with this format: {why}")))
        };
        match (of_csv, of_text) {
            (Some(option), _) if format != Csv => {
                refused(option, "only CSV has it (--format csv reads the input as CSV)")
            }
            (_, Some(option)) if !matches!(format, Csv | Ndjson) => {
                refused(option, "only CSV and NDJSON have it, because the others have types")
            }
            _ if self.decimal.is_some() && matches!(format, Csv | Ndjson | Npy | Npz) => {
                refused("--decimal", "only Arrow and Parquet have decimals")
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
        Map::from_iter([
            ("--format".into(), json!(format)),
            ("--array".into(), json!(self.array)),
            ("--decimal".into(), json!(self.decimals_as_floats())),
        ])
    }
}
