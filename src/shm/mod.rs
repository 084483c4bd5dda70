//! The lock file: how the programs that have a store open avoid conflicts. There is one writer, and
//! many readers (at most 65,536 with entries) that read in place at the same time.
//!
//! [`protocol`] is what they tell one another through shared words; [`lock_words`] places the words
//! in the file; [`lock_file`] has the locks that say which processes are alive. [`bell_thread`]
//! sets the signals of programs that wait for a descriptor ([`watch`]).

mod bell_thread;
#[cfg(all(test, loom))]
mod in_loom;
mod lock_file;
mod lock_words;
// Its actors are coroutines, where the machines that run the check have them.
#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod model;
mod protocol;
mod watch;
mod words;

pub use lock_file::Wait;

pub(crate) use bell_thread::ServedWatch;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use lock_file::EARLIER_READERS;
pub(crate) use lock_file::{
    CHECKPOINT, FOR_EARLIER_WRITERS, IN_PLACE, INITIALISER, READERS, SideLock, WRITER,
};
pub(crate) use lock_words::LockWords;
pub(crate) use protocol::{
    CheckpointLimit, EPOCH, Mark, ReadPoint, ReaderSide, Seen, Shared, Span, TableEntry,
    WriterSide, writer_of,
};
pub(crate) use watch::WatchedWords;

/// The part of a store's id that identifies it in the words; never 0.
pub(crate) fn store_word(file_id: [u8; 16]) -> u64 {
    let (half, _) = file_id.split_at(size_of::<u64>());
    let word = half.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    word.max(1)
}

/// This process, as other processes see it.
pub(crate) fn process() -> u64 {
    std::process::id().into()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// The seconds since that time; 0 for a time in the future of this clock.
pub(crate) fn seconds_since(since: u64) -> u64 {
    now().saturating_sub(since)
}
