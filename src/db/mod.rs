//! Where the array, the header and the locks meet: stores, opened, appended to, edited and closed.
//!
//! In this layer appended records become durable, and counted, together at a flush: the data is
//! synced before the header that counts it, so a crash leaves the state of the last flush.

mod backup;
mod compact;
mod copy;
mod core;
mod dyn_store;
mod edit;
mod info;
mod iter;
mod locks;
mod options;
mod slots;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod verify;
mod windowed;

pub use backup::{BackupReport, backup};
pub use compact::{CompactReport, compact};
pub use copy::CopyOptions;
pub use dyn_store::DynStore;
pub use edit::{DynEdit, Edit};
pub use info::{SlotInfo, StoreInfo};
pub use iter::{DynRecords, DynRecordsWithIds, Records, RecordsWithIds};
pub use options::Options;
pub use store::Store;
pub use verify::{Doubt, VerifyReport, verify};
pub use windowed::WindowedStore;
