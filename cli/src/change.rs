//! Common code of the commands that change a store: one transaction, all or nothing.

use std::collections::HashSet;

use flatrec::{Durability, DynDatabase, ErrorKind, WriteTransaction};

use crate::failure::Failure;

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

/// Refuses a record that is named twice, which may be a typing error.
pub(crate) fn refuse_repeated(ids: &[u64]) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    match ids.iter().find(|id| !seen.insert(**id)) {
        Some(id) => Err(Failure::Message(format!("record {id} is named twice"))),
        None => Ok(()),
    }
}
