//! flatrec: a database for records that all have the same size, in one flat, memory-mapped file.

mod db;
mod error;
#[cfg(feature = "exchange")]
pub mod exchange;
mod format;
pub mod map;
mod os;
#[cfg(feature = "query")]
pub mod query;
mod store;

pub use db::{
    Doubt, DynEdit, DynRecords, DynStore, Edit, Options, Records, SlotInfo, Store, StoreInfo,
    VerifyReport, WindowedStore, verify,
};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "derive")]
pub use flatrec_derive::Record;
#[doc(hidden)]
pub use format::derived;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use format::fuzzing;
pub use format::{
    ArrayValue, Bool, DataType, Field, FieldType, MAX_RECORD_BYTES, Nullable, PodRecord, Record,
    Schema, TimeUnit, Utf8, Value, be, le,
};
pub use map::{RecordGuard, ViewCounters, Wait, WriteBack};
pub use os::{Advice, FaultCounts, FileSystemKind, Residency, process_faults, thread_faults};
/// The crate whose traits stand behind [`FieldType`], for `#[zerocopy(crate =
/// "flatrec::zerocopy")]`.
pub use zerocopy;
