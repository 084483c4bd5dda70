//! The write-ahead log: commits on their way into the array.
//!
//! A log is a chain of segments, files `X-wal-N` beside the data file `X`; each holds frames, and
//! each frame is one commit: its number, the counts it leaves, and the images of the records it
//! changed. What a record means is nobody's business here. docs/FORMAT.md has every byte.
//!
//! Invariants:
//! - The commits of a chain are numbered without gaps.
//! - A frame names the segment it lies in (by the salt drawn when the segment was begun) and the
//!   frame before it (by its checksum), so that bytes of an earlier life of a file are never taken
//!   for the log's.
//! - A segment is synced before its successor's first byte is written. So whatever lies in a
//!   successor says that its predecessor was whole.
//!
//! What fails: the log that the header names is not there, or another store's, or does not continue
//! the array's state, or a commit that was synced is damaged: [`ErrorKind::Corrupt`], with the
//! place. A damaged end that nothing shows to have been synced is what a power cut leaves, and
//! simply the end.
//!
//! [`ErrorKind::Corrupt`]: crate::error::ErrorKind::Corrupt

mod evidence;
mod files;
mod follow;
mod format;
#[cfg(any(fuzzing, all(test, feature = "derive", feature = "text")))]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod placed;
mod reader;
mod replay;
mod verdict;

pub(crate) use files::{newest_begun, remove_stale};
pub(crate) use follow::Position;
pub(crate) use log::Log;
pub(crate) use placed::PlacedSums;
pub(crate) use replay::replay;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::format::Counts;

/// What a commit leaves behind, besides the records it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) counts: Counts,
    /// The checksums of the records that it counts for the first time and has put to their places,
    /// if it has done so with all of them and says so.
    pub(crate) placed: Option<Arc<PlacedSums>>,
}

impl Commit {
    /// What is impossible about it, given the records it changed.
    fn check(&self, ids: &[u64]) -> Result<(), String> {
        self.counts.check()?;
        if ids.iter().any(|&id| id >= self.counts.records) {
            return Err("a record lies past the count".to_owned());
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
    /// Put together these are `ids.len() * image_len` bytes.
    pub(crate) pieces: &'a [&'a [u8]],
}
