//! Inputs whose columns have types: arrays of numpy, NDJSON, Arrow and Parquet.
//!
//! ```text
//! Input -> Source (rows as records of their own fields) -> fit (records of a schema) -> RecordSink
//! ```
//!
//! Several threads fit the blocks of rows; the results keep the order of the blocks.

#[cfg(feature = "arrow")]
mod arrow;
mod facts;
mod fit;
mod format;
mod json;
mod npy;
mod reader;
mod source;
#[cfg(feature = "parquet")]
mod units;
mod watch;

#[cfg(feature = "arrow")]
pub(super) use arrow::{OWN, check_byte_order};
pub use format::InputFormat;
pub(crate) use npy::{ArrayPlace, PlacedField, ValueDecoder};
pub use reader::TableReader;
