//! Where the array, the header and the locks meet: stores, opened, appended to, edited and closed.
//!
//! A `Store` changes the file alone: appended records become durable, and counted, together at a
//! flush, for which the data is synced before the header that counts it. A `Database` changes it by
//! transactions, through the log.

mod backup;
mod beside_writer;
mod compact;
mod copies;
mod copy;
mod core;
mod damaged;
mod database;
mod dyn_store;
mod edit;
mod engine;
mod follower;
#[cfg(all(test, loom))]
mod in_loom;
mod in_place;
mod info;
mod iter;
mod kept_sums;
mod layout;
mod locks;
mod metadata;
mod newest;
mod opening;
mod options;
mod parts;
mod presence;
mod problem;
mod reader;
mod reader_info;
mod rebuild;
mod recovered;
mod row;
mod salvage;
mod slots;
mod snapshot;
mod source;
mod state;
mod store;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod transaction;
mod verify;
mod windowed;

pub use crate::os::Survives;
pub use crate::sums::{Checksums, DamagedBlock};
pub use backup::{BackupReport, backup};
pub use compact::{CompactReport, compact};
pub use copies::Copies;
pub use copy::CopyOptions;
pub use database::{Database, DynDatabase};
pub use dyn_store::DynStore;
pub use edit::{DynEdit, Edit};
pub use engine::{Checkpoint, Durability, Receipt};
pub use info::{LogInfo, SlotInfo, StoreInfo, WriterInfo};
pub use iter::{DynRecords, DynRecordsWithIds, Records, RecordsWithIds};
pub use options::Options;
pub use problem::Doubt;
pub use reader::{DynReader, Reader};
pub use reader_info::ReaderInfo;
pub use rebuild::{Rebuilt, rebuild_checksums, rebuild_checksums_with_progress};
pub use row::Row;
pub use salvage::{Lost, SalvageOptions, SalvageReport, salvage, salvage_with_progress};
pub use snapshot::{Chunk, Chunks, Snapshot, SnapshotRecords};
pub use store::Store;
pub use transaction::WriteTransaction;
pub use verify::{VerifyReport, verify};
pub use windowed::WindowedStore;
