//! Stores: one flat file that a handle changes alone and without a log, or only reads.
//!
//! A flush makes appended records durable and counts them: it syncs the data before it writes the
//! header with the new count. All kinds of handles are thin wrappers of `exclusive_file`.

mod copies;
mod edit;
mod exclusive_file;
mod handle;
mod info;
mod opening;
mod reading;
mod records;
mod search;
mod settings;
#[cfg(feature = "query")]
mod strides;
mod windowed;

pub use copies::Copies;
pub use edit::{DynEdit, Edit};
pub use handle::{DynStore, Store};
pub(crate) use records::Lends;
pub use records::{Records, TryRecords};
pub(crate) use search::{binary_search_by, partition_point};
pub use windowed::{DynWindowedStore, WindowedStore};

pub(crate) use copies::{CHUNK_BYTES, CopySource};
pub(crate) use exclusive_file::ExclusiveFile;
#[cfg(test)]
pub(crate) use exclusive_file::Unpublished;
#[cfg(feature = "query")]
pub(crate) use strides::{LendsStrides, Strides};
