//! Stores: one flat file that a handle changes alone, without a log, or reads as it is.
//!
//! What is appended becomes durable, and is counted, together at a flush: the data is synced before
//! the header that counts it. Each kind of handle is a thin face of one `exclusive_file`.

mod copies;
mod edit;
mod exclusive_file;
mod handle;
mod info;
mod opening;
mod records;
mod windowed;

pub use copies::Copies;
pub use edit::{DynEdit, Edit};
pub use handle::{DynStore, Store};
pub use info::{LogInfo, SlotInfo, StoreInfo, WriterInfo};
pub use records::{DynRecords, DynRecordsWithIds, Records, RecordsWithIds};
pub use windowed::{DynWindowedStore, WindowedStore};

pub(crate) use exclusive_file::ExclusiveFile;
#[cfg(test)]
pub(crate) use exclusive_file::Unpublished;
pub(crate) use info::slot_info;
