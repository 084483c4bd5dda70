//! The record array: where records lie, how they are read in place, appended and changed.
//!
//! It knows nothing of headers, locks and commits: it is told how many records there are, and the
//! layer above makes that number durable.

mod array;
mod growth;

pub(crate) use array::{Array, ArrayOptions, Reading};
