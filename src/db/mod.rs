//! Databases: a store that many threads and processes read in snapshots, and one changes by
//! transactions.

mod database;
mod reader;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;

pub use database::{Database, DynDatabase};
pub use reader::{DynReader, Reader};
pub use snapshot::{Chunk, Chunks, Snapshot, SnapshotRecords};
pub use transaction::WriteTransaction;
