//! The lock file: how the programs that have a store open stay out of each other's way, one writer
//! and readers that read in place whatever it does.
//!
//! [`protocol`] is what they say to each other, over words that they share; [`lock_words`] is where
//! those lie in the file; [`lock_file`] has the locks that say who is alive.

#[cfg(all(test, loom))]
mod in_loom;
mod lock_file;
mod lock_words;
#[cfg(test)]
mod model;
mod protocol;
mod words;

pub use lock_file::Wait;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use lock_file::EARLIER_READERS;
pub(crate) use lock_file::{
    CHECKPOINT, FOR_EARLIER_WRITERS, IN_PLACE, INITIALISER, READERS, SideLock, WRITER,
};
pub(crate) use lock_words::LockWords;
pub(crate) use protocol::{
    EPOCH, Mark, Offer, ReaderSide, Seen, Shared, Slot, Span, Taken, WriterSide, writer_of,
};

/// The part of a store's id by which the words tell it from others; never 0.
pub(crate) fn store_word(file_id: [u8; 16]) -> u64 {
    let (half, _) = file_id.split_at(size_of::<u64>());
    let word = half.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    word.max(1)
}

/// This process, as others are told of it.
pub(crate) fn process() -> u64 {
    std::process::id().into()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// How long ago that was, in seconds; 0 for what is yet to come by this clock.
pub(crate) fn seconds_since(since: u64) -> u64 {
    now().saturating_sub(since)
}
