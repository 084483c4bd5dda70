//! `flatrec export`: writes a store in a format of other programs.

use std::path::PathBuf;

use flatrec::exchange::{ExportFormat, Exporter};
use flatrec::{DynStore, ErrorKind};

use crate::failure::Failure;
use crate::info::bytes;
use crate::interrupt::Interrupt;
use crate::names;
use crate::output::report;
use crate::paths::refuse_same;
use crate::progress::Bar;

/// Write a store as CSV, NDJSON or NumPy array
///
/// The ending of OUT selects the format: .csv, .ndjson or .npy. OUT is written under another name
/// and gets its name when it is complete.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec export flights.rec flights.csv
  flatrec export flights.rec flights.npy --force")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The file to write, ending in .csv, .ndjson or .npy
    out: PathBuf,

    /// Replace an existing file, but never a store or a part of one
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let format = ExportFormat::from_path(&self.out)?;
        refuse_same(&self.store, &self.out)?;
        names::refuse("", &self.out, [&*self.store], [])?;
        if self.force {
            names::refuse_replacing("", &self.out)?;
        }
        let store = DynStore::open_read_only(&self.store)?;
        let total_bytes = store.live_count().saturating_mul(store.schema().record_size().into());
        let bar = Bar::new("export", Some(total_bytes));
        let interrupt = Interrupt::watch();
        let exported = Exporter::new(store.schema(), format)
            .replace(self.force)
            .on_progress(|progress| {
                bar.show(progress);
                let all = progress.total_bytes.unwrap_or(u64::MAX);
                interrupt.check_progress(progress.done_bytes, all)
            })
            .export_copies(store.copies(..), &self.out)
            .map_err(|error| self.failure(error));
        bar.clear();
        let exported = interrupt.outcome(exported)?;
        let done = format!("exported {} records to {}", exported.records, self.out.display());
        report(&done, &format!("{done}: {}", bytes(exported.written_bytes)))
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
