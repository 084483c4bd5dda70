//! Inputs whose columns have types: arrays of numpy, and NDJSON.
//!
//! ```text
//! Input -> Source (rows as records of their own fields) -> fit (records of a schema) -> RecordSink
//! ```
//!
//! Several threads fit the blocks of rows; the results keep the order of the blocks.

mod facts;
mod fit;
mod format;
mod json;
mod npy;
mod reader;
mod source;
mod watch;

pub use format::InputFormat;
pub use reader::TableReader;
