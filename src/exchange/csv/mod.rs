//! CSV in and out.
//!
//! ```text
//! Input -> block (whole rows) -> split (fields) -> infer (types) or column (bytes) -> RecordSink
//! ```
//!
//! Blocks are worked on by several threads and come out in their order.

mod block;
mod column;
mod infer;
mod options;
mod parse;
mod part;
mod pipeline;
mod reader;
mod split;

pub use options::CsvOptions;
pub use reader::{CsvReader, Inferred, Reject};
