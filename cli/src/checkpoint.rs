//! `flatrec checkpoint`: the log of a store brought to its records.

use std::path::{Path, PathBuf};

use flatrec::DamagedBlock;

use crate::failure::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::report;
use crate::waiting::WaitArgs;

/// Bring what the log holds to its place in the file
///
/// A program that was killed, or closed the store beside a reader, leaves a log: flatrec reads
/// through it, other programs do not. Afterwards the file has everything, and the log is gone.
/// Blocks of the file that are found damaged on the way are named on standard error, and stay
/// doubted: verify, and salvage, tell them from the others. That the log was brought to the file is
/// a success all the same.
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

/// How many damaged blocks are named.
const SHOWN: usize = 20;

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let path = self.store.display();
        let interrupt = Interrupt::watch();
        let database = self.wait.open(&self.store, Some(&interrupt))?;
        // Opening it has brought over what a killed writer left.
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
        let (records, commit) = (checkpoint.records(), checkpoint.commit());
        let done = format!("brought the log of {path} to its records");
        deciding.done(&done);
        let text = "records brought to their places, up to commit";
        report(&done, &format!("{path}: {records} {text} {commit}"))
    }
}

/// Says on standard error which blocks were found damaged: the log is in the file, and what else
/// was in those blocks is in doubt.
fn warn(store: &Path, damaged: &[DamagedBlock]) {
    for block in damaged.iter().take(SHOWN) {
        say(&format!("warning: {}: {block}", store.display()));
    }
    if damaged.len() > SHOWN {
        let more = damaged.len() - SHOWN;
        say(&format!("warning: and {more} more blocks: verify lists all"));
    }
}
