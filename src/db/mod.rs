//! Where the array, the header and the locks meet: stores, opened, appended to, edited and closed.
//!
//! In this layer appended records become durable, and counted, together at a flush: the data is
//! synced before the header that counts it, so a crash leaves the state of the last flush.

mod checksums;
mod core;
mod damaged;
mod dyn_store;
mod edit;
mod info;
mod iter;
mod locks;
mod options;
mod salvage;
mod store;
mod sweep;
mod table;
mod table_sums;
#[cfg(test)]
mod tests;
mod verify;
mod windowed;

pub use checksums::{Checksums, Rebuilt, rebuild_checksums};
pub use dyn_store::DynStore;
pub use edit::{DynEdit, Edit};
pub use info::{SlotInfo, StoreInfo};
pub use iter::{DynRecords, Records};
pub use options::Options;
pub use salvage::{Lost, SalvageOptions, SalvageReport, salvage};
pub use store::Store;
pub use verify::{Doubt, VerifyReport, verify};
pub use windowed::WindowedStore;
