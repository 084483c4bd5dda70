//! `flatrec checkpoint`: the log of a store brought to its records.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::report;
use crate::waiting::WaitArgs;

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

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let shown = self.store.display();
        let interrupt = Interrupt::watch();
        let database = self.wait.open(&self.store, Some(&interrupt))?;
        // Opening it has brought over what a killed writer left.
        let deciding = interrupt.decide_anyway();
        let checkpoint = database.checkpoint()?;
        database.close()?;
        if let Some(held_back) = checkpoint.held_back() {
            return Err(Failure::Message(format!(
                "{shown} keeps its log: {held_back} (try again when it has finished)"
            )));
        }
        let (records, commit) = (checkpoint.records(), checkpoint.commit());
        let done = format!("brought the log of {shown} to its records");
        deciding.done(&done);
        let text = "records brought to their places, up to commit";
        report(&done, &format!("{shown}: {records} {text} {commit}"))
    }
}
