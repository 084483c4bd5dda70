//! Storage: open files and memory as growable arrays of bytes, the files beside them, and views.
//!
//! - Everything that the layers above read, write, map, grow and sync goes through one trait,
//!   [`Backing`].
//! - This folder does not know what the bytes mean, except the first bytes of a store and of a lock
//!   file: only holders of their locks write these files ([`file`]).

// Views need `unsafe`; each block has its own proof.
#![allow(unsafe_code)]

mod backing;
mod copy;
mod fault;
mod file;
#[cfg(test)]
#[path = "../../tests/support/hooked.rs"]
#[allow(dead_code, reason = "the integration tests use the rest")]
pub(crate) mod hooked;
mod kind;
mod open_file;
mod place;
mod side;
mod temporary;
mod unfinished;
mod view;

pub use backing::{Backing, Grown, OpenSide, Properties, sealed};
pub use fault::install_fault_guard;
pub use file::FileBacking;
pub use view::{Access, View};

pub(crate) use backing::named;
pub(crate) use file::raw::refuse_lock_file;
pub(crate) use file::{refuse_network, refuse_no_file};
pub(crate) use kind::{LOCK_SUFFIX, SECOND_SLOT, STORE_MAGIC, begins_like_a_lock_file, lock_path};
pub(crate) use open_file::{OpenFile, RAW, STORE};
pub(crate) use place::{Place, side_path};
pub(crate) use side::{
    disbelieved, irregular, is_disbelieved, nameless, refuse_irregular, why_not_believed,
};
pub(crate) use temporary::TemporaryBacking;
pub(crate) use unfinished::{UNFINISHED, new_unfinished, open_unfinished, vacate_unfinished};
