//! `flatrec append`: adds a CSV file or another table to a store.

use std::path::PathBuf;

use crate::csv_input::CsvArgs;
use crate::failure::Failure;
use crate::load;
use crate::waiting::WaitArgs;

/// Add the rows of CSV, NDJSON, Arrow, Parquet or an array of numpy to a store
///
/// Columns are matched with fields by their names (with --no-header in order), and every value must
/// fit its field's type. Null are the empty value and the texts that the store was loaded with
/// (--null). All rows are added, or none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec append flights.rec february.csv
  flatrec append flights.rec february.csv --null - --rejects bad.csv
  flatrec append readings.rec more.npz")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The file, of a format and plain or compressed as for `flatrec load`; `-` for standard input
    input: PathBuf,

    #[command(flatten)]
    csv: CsvArgs,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        load::append(&self.input, &self.store, &self.csv, self.wait, "flatrec load makes one")
    }
}
