//! `flatrec checkpoint`: writes the log of a store to its records.

use std::path::{Path, PathBuf};

use flatrec::DamagedBlock;

use crate::failure::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::report;
use crate::waiting::WaitArgs;

/// Write the log of a store to its records
///
/// A killed program, or one that closed the store beside a reader, leaves a log: flatrec reads it,
/// other programs do not. Afterwards the file has everything, and the log is gone. If blocks of the
/// file are damaged, this names them on standard error; verify and salvage still report them later.
/// The exit status is 0 all the same, because the log was written.
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

/// The number of damaged blocks that are named.
const SHOWN: usize = 20;

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let path = self.store.display();
        let interrupt = Interrupt::watch();
        let database = self.wait.open(&self.store, Some(&interrupt))?;
        // Opening the store has written the log of a killed writer.
        let deciding = interrupt.decide_anyway();
        let checkpoint = database.checkpoint()?;
        let damaged = checkpoint.damaged();
        database.close()?;
        warn(&self.store, damaged);
        if let Some(held_back) = checkpoint.held_back() {
            return Err(Failure::Message(format!(
                "{path} keeps its log: {held_back} (try again when it has finished)"
            )));
        }
        let (records, commit) = (checkpoint.records(), checkpoint.commit_id().get());
        let done = format!("wrote the log of {path} to its records");
        deciding.done(&done);
        let text = "records written to their places, up to commit";
        report(&done, &format!("{path}: {records} {text} {commit}"))
    }
}

/// Names the damaged blocks on standard error: the log is in the file, but the other content of
/// those blocks is in doubt.
fn warn(store: &Path, damaged: &[DamagedBlock]) {
    for block in damaged.iter().take(SHOWN) {
        say(&format!("warning: {}: {block}", store.display()));
    }
    if damaged.len() > SHOWN {
        let more = damaged.len() - SHOWN;
        say(&format!("warning: and {more} more blocks: verify lists all"));
    }
}
