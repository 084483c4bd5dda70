//! flatrec: a database for records that all have the same size, in one flat, memory-mapped file.

mod error;
mod format;

pub use error::{Error, ErrorKind, Result};
pub use format::{
    ArrayValue, Bool, DataType, Field, FieldType, MAX_RECORD_BYTES, Nullable, PodRecord, Record,
    Schema, TimeUnit, Utf8, Value, be, le,
};
/// The crate whose traits stand behind [`FieldType`], for `#[zerocopy(crate = "flatrec::zerocopy")]`.
pub use zerocopy;
