//! The write-ahead log: the commits that the array does not hold yet.
//!
//! A log is a chain of segments, files `X-wal-N` beside the data file `X`. A segment holds frames.
//! A frame is one commit: its number, the counts it leaves, and the images of the records it
//! changed. Nothing here interprets records. docs/FORMAT.md describes every byte.
//!
//! Invariants:
//! - The commits of a chain are numbered without gaps.
//! - A frame names its segment (by the salt drawn when the segment was begun) and the frame before
//!   it (by checksum), so that bytes of a file's earlier use are never taken for the log's.
//! - The writer syncs a segment before it writes the first byte of the next. So any byte of the
//!   next segment proves that this one is whole.
//!
//! Replaying fails with [`ErrorKind::Corrupt`] and the place if the log that the header names is
//! missing, belongs to another store or does not continue the array's state, or if a synced commit
//! is damaged. A damaged end that nothing shows to have been synced is what a power cut leaves: the
//! log ends there.
//!
//! [`ErrorKind::Corrupt`]: crate::error::ErrorKind::Corrupt

mod evidence;
mod files;
mod follow;
mod format;
#[cfg(any(fuzzing, all(test, feature = "derive", feature = "text")))]
#[doc(hidden)]
pub mod fuzzing;
mod leftover;
mod log;
mod long_append;
mod reader;
mod replay;
mod verdict;

pub(crate) use files::newest_begun;
pub(crate) use follow::Position;
pub use leftover::LeftoverFile;
pub(crate) use leftover::{leftovers, may_be_left, remove_stale};
pub(crate) use log::Log;
pub(crate) use long_append::LongAppendSums;
pub(crate) use replay::replay;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::format::Counts;

/// What a commit leaves, besides the records it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) counts: Counts,
    /// The checksums of the records that it counts for the first time, if it has written all of
    /// them to the array and records that.
    pub(crate) long_append: Option<Arc<LongAppendSums>>,
}

impl Commit {
    /// Says what is impossible about it, given the records it changed.
    fn check(&self, ids: &[u64]) -> Result<(), String> {
        self.counts.check()?;
        if ids.iter().any(|&id| id >= self.counts.records) {
            return Err("it changes a record past its count".to_owned());
        }
        Ok(())
    }
}

/// The images that a commit leaves of the records it changed.
#[derive(Clone, Copy)]
pub(crate) struct Images<'a> {
    /// The records' numbers, each once.
    pub(crate) ids: &'a [u64],
    /// The bytes of one image: the stride.
    pub(crate) image_len: u32,
    /// Together, `ids.len() * image_len` bytes.
    pub(crate) pieces: &'a [&'a [u8]],
}
