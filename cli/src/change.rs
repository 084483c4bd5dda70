//! Common code of the commands that change a store: one transaction, all or nothing.

use std::io::Write;

use flatrec::{Durability, DynDatabase, ErrorKind, WriteTransaction, printable};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::verify::counted;

/// Makes the changes of a transaction durable; `what` names them in the past tense. Returns that
/// text with the number of the commit.
pub(crate) fn commit(
    transaction: WriteTransaction<'_, [u8]>,
    what: &str,
) -> Result<String, Failure> {
    match transaction.commit(Durability::Immediate) {
        Ok(receipt) => Ok(format!("{what} as commit {}", receipt.commit_id())),
        Err(error) if matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::LogFull) => {
            Err(error.into())
        }
        Err(error) => Err(Failure::Message(format!(
            "{error}; whether this command {what} shows when the store is opened again"
        ))),
    }
}

/// Writes the committed changes to their places, as far as no reader needs the old records.
pub(crate) fn close(database: DynDatabase, done: &str) -> Result<(), Failure> {
    database.close().map_err(|error| {
        Failure::Done(format!("{done}, but its log could not be written to its records: {error}"))
    })
}

/// `1 record`, `2 records`.
pub(crate) fn records(count: usize) -> String {
    counted(count as u64, "record")
}

/// Ends the work at every so many records if a signal has asked for that.
pub(crate) fn check(interrupt: &Interrupt, index: usize) -> Result<(), Failure> {
    const EVERY: usize = 1024;
    match index % EVERY == 0 && interrupt.is_asked() {
        true => Err(Failure::Interrupted),
        false => Ok(()),
    }
}

/// Writes what a command would do, which is all of its output.
pub(crate) fn tell(mut out: impl Write, line: &str) -> Result<(), Failure> {
    writeln!(out, "{}", printable(line))?;
    Ok(out.flush()?)
}
