//! File mapping objects and sliding views over a backing that grows.
//!
//! A [`Mapping`] is a growable array of bytes (a new, existing, temporary or inherited file, named
//! shared memory, anonymous memory) opened with one [`Access`]; a [`View`] is one mapped range of
//! it. Views overlap freely and are coherent. The store's own windows, its write-back and the
//! bounded set of sliding views live here too.
//!
//! The model is that of Win32's file mapping. `docs/WIN32.md` has its vocabulary beside that of
//! POSIX and this module's, call by call, and the classic program in both; the example
//! `win32_model` runs it.

// The home of views: each block has its own proof.
#![allow(unsafe_code)]

mod backing;
mod copy;
mod data_locks;
mod dirty;
mod fault;
mod file;
mod geometry;
mod in_private;
mod initialising;
mod lent;
mod mapped_writes;
mod mapping;
mod named;
mod place;
mod raw;
mod record_view;
mod shared_words;
mod side;
mod side_lock;
mod sliding;
#[cfg(test)]
mod tests;
mod typed;
mod unfinished;
mod view;
mod window_guard;
mod write_back;

pub use crate::os::{Advice, Advised, FaultCounts, FileSystemKind, Residency, Survives};
pub use crate::os::{process_faults, thread_faults};
pub use backing::{Backing, Grown, OpenSide, Properties};
pub use fault::install_fault_guard;
pub use file::FileBacking;
pub use mapping::Mapping;
pub use record_view::RecordGuard;
pub use side_lock::Wait;
pub use sliding::ViewCounters;
pub use typed::TypedView;
pub use view::{Access, View};
pub use window_guard::WindowGuard;
pub use write_back::WriteBack;

pub(crate) use file::refuse_network;
pub(crate) use geometry::{Geometry, Mark, Windows, round_up};
pub(crate) use in_private::InPrivate;
pub(crate) use lent::Lent;
pub(crate) use mapped_writes::MappedWrites;
pub(crate) use raw::{SECOND_SLOT, STORE_MAGIC, refuse_lock_file};
pub(crate) use record_view::RecordView;
pub(crate) use shared_words::SharedWords;
pub(crate) use side::{is_disbelieved, path_of as side_path};
pub(crate) use side_lock::{
    CHECKPOINT, EARLIER_READERS, FOR_EARLIER_WRITERS, IN_PLACE, READERS, SLOTS_MAX, SideLock,
    WRITER, held_by,
};
pub(crate) use sliding::Slider;
pub(crate) use unfinished::{open_unfinished, vacate_unfinished};
pub(crate) use write_back::{Mapped, Mixed, Positioned, Writer};
