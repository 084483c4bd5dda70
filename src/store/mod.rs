//! The record array: where records lie, how they are read in place, appended and changed; what lies
//! over it in memory, and the checksums beside it.
//!
//! It knows nothing of headers, locks and the log: it is told how many records there are, and the
//! layer above makes that number durable.

mod array;
mod growth;
mod id_table;
mod images;
mod overlay;
mod placed;
mod sums;

pub(crate) use array::{Array, ArrayOptions, Reading};
pub(crate) use growth::view_with_room;
pub(crate) use images::{Images, Tail};
pub(crate) use overlay::{Committed, ImagesWithin, Overlay};
pub(crate) use placed::Placed;
pub(crate) use sums::{
    BLOCK_LEN_BYTES, BlockSet, BlockState, FoundSums, SUM_SUFFIX, Sums, describe, is_ours,
    is_sum_file,
};
