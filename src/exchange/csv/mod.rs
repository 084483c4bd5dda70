//! CSV in and out.
//!
//! ```text
//! Input -> block (whole rows) -> split (fields) -> infer (types) or column (bytes) -> RecordSink
//! ```
//!
//! Several threads work on the blocks; the results keep the order of the blocks.

mod block;
mod column;
mod header;
mod infer;
mod narrow;
mod nulls;
mod options;
mod parse;
mod part;
pub(super) mod pipeline;
mod reader;
mod spaces;
mod split;
mod strays;
mod wanted;
mod width;

pub(super) use infer::{Facts, kind};
pub(super) use narrow::Extent;
pub use options::CsvOptions;
pub(super) use pipeline::in_order;
pub use reader::{CsvReader, Inferred, Reject, Strays};
