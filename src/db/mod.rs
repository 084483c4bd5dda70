//! Databases: stores that many threads and processes read in snapshots, and one writer changes by
//! transactions.

// First, so that the documentation of a database begins with opening it.
mod database;

mod closing;
mod commit_events;
mod read_only;
mod readable;
mod settings;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;

pub use commit_events::CommitEvents;
pub use database::{Database, DynDatabase};
pub use read_only::{DynReadOnlyDatabase, ReadOnlyDatabase};
pub use readable::ReadableDatabase;
pub use snapshot::{Chunk, Chunks, Snapshot, SnapshotRecords};
pub use transaction::{
    BorrowedWriter, OwnedWriteTransaction, OwnedWriter, TransactionRecords, WriteTransaction,
    WriterOwnership,
};
