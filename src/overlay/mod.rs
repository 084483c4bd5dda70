//! Images of records over the array: committed, but not in the array yet.

mod id_table;
mod images;
mod stack;

pub(crate) use images::{Images, Tail};
pub(crate) use stack::{Committed, ImagesWithin, Overlay};
