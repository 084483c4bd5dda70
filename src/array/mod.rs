//! The array of records in the file: windows that slide over it, and the ways to write to it.
//!
//! Handles read records in place, through one view of the whole file or through windows. Appended
//! and edited records reach the file by positioned writes or through views, as [`WriteBack`] says.

// The home of record views: each block has its own proof.
#![allow(unsafe_code)]

mod array_writer;
mod dirty;
mod edit_window;
mod growth;
mod mapped_writes;
mod points;
mod private_writer;
mod record_view;
mod records;
mod sliding;
#[cfg(test)]
mod tests;
mod window_guard;
mod write_back;

pub use record_view::RecordGuard;
pub use sliding::ViewCounters;
pub use window_guard::WindowGuard;
pub use write_back::WriteBack;

pub(crate) use array_writer::ArrayWriter;
pub(crate) use growth::view_with_room;
pub(crate) use points::with_points;
pub(crate) use record_view::RecordView;
pub(crate) use records::{Array, ArrayOptions, Reading};
