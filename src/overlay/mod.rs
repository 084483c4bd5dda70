//! Images of records that lie over the array: what is committed and not in its place yet.

mod id_table;
mod images;
mod stack;

pub(crate) use images::{Images, Tail};
pub(crate) use stack::{Committed, ImagesWithin, Overlay};
