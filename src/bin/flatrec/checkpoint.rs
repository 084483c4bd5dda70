//! `flatrec checkpoint`: the log of a store brought to its records.

use std::io::Write as _;
use std::path::PathBuf;

use flatrec::DynDatabase;

use crate::failure::Failure;
use crate::output::stdout;

/// Bring what the log holds to its place in the file
///
/// A program that was killed, or closed the store beside a reader, leaves a log: flatrec reads
/// through it, other programs do not. Afterwards the file has everything, and the log is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  flatrec checkpoint flights.rec")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let shown = self.store.display();
        let database = DynDatabase::open(&self.store)?;
        let checkpoint = database.checkpoint()?;
        database.close()?;
        if let Some(held_back) = checkpoint.held_back() {
            return Err(Failure::Message(format!(
                "{shown} keeps its log: {held_back} (try again when it has finished)"
            )));
        }
        let (records, commit) = (checkpoint.records(), checkpoint.commit());
        let mut out = stdout();
        writeln!(out, "{shown}: {records} records brought to their places, up to commit {commit}")?;
        Ok(out.flush()?)
    }
}
