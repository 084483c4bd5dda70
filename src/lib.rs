//! flatrec: a database for records that all have the same size, in one flat, memory-mapped file.

mod error;
mod format;

pub use error::{Error, ErrorKind, Result};
pub use format::{DataType, Field, MAX_RECORD_BYTES, Schema, TimeUnit};
