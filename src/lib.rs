//! flatrec: a database for records that all have the same size, in one flat, memory-mapped file.

//mod db;
mod error;
mod format;
pub mod map;
mod store;
#[allow(dead_code, unused_imports)] // Until the layers above use all of it.
mod os;

pub use error::{Error, ErrorKind, Result};
pub use format::{DataType, Field, MAX_RECORD_BYTES, Schema, TimeUnit};
pub use os::{Advice, FaultCounts, FileSystemKind, Residency, process_faults, thread_faults};
