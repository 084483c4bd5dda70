//! The words of the protocol in a store's lock file, or in memory without a lock file.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::lock_file::{EARLIER_READERS, ENTRIES_MAX, FOR_EARLIER_WRITERS, READERS, SideLock};
use super::protocol::{BELL, ENTRY_PROCESS, ENTRY_WORDS, FIRST_ENTRY, Shared, WAITERS, entry_word};
use super::words::SharedWords;
use crate::error::{Error, ErrorKind, Result};
use crate::io::FileBacking;
use crate::number::in_memory;
use crate::os::{LOCKS_CAN_BE_ASKED_FOR, LockKind};

#[cfg(test)]
mod tests;

/// Entries are added in this number: a page of them.
const ENTRIES_AT_A_TIME: usize = 64;

/// The number of words up to the end of so many entries.
fn words_of(entries: usize) -> usize {
    entry_word(entries, 0)
}

/// The words that all programs with the store open share.
#[derive(Debug)]
pub(crate) struct LockWords {
    /// `None`: only this process sees these words.
    lock: Option<Arc<SideLock>>,
    /// The data file, in which a writer looks for readers that it cannot see in these words.
    data: Option<Arc<FileBacking>>,
    words: SharedWords,
    /// The words mapped again, after entries were added.
    more: Mutex<Option<Arc<SharedWords>>>,
}

impl LockWords {
    /// Words that only this process sees.
    pub(crate) fn in_memory() -> Self {
        let words = SharedWords::in_memory(FIRST_ENTRY);
        Self { lock: None, data: None, words, more: Mutex::new(None) }
    }

    /// Gives a writer's words the data file.
    pub(crate) fn beside(self, data: Option<Arc<FileBacking>>) -> Self {
        Self { data, ..self }
    }

    /// The words in the lock file, created if needed; `None` if they do not exist and cannot be
    /// created.
    pub(crate) fn open(lock: &Arc<SideLock>) -> Result<Option<Self>> {
        Self::with_entries(lock, ENTRIES_AT_A_TIME)
    }

    /// As [`LockWords::open`], but `None` if the words do not exist.
    pub(crate) fn open_if_there(lock: &Arc<SideLock>) -> Result<Option<Self>> {
        if lock.len_words()? < FIRST_ENTRY { Ok(None) } else { Self::with_entries(lock, 0) }
    }

    fn with_entries(lock: &Arc<SideLock>, entries: usize) -> Result<Option<Self>> {
        if !lock.is_writable() && lock.len_words()? < FIRST_ENTRY {
            return Ok(None);
        }
        let words = lock.words(words_of(entries))?;
        if words.len() < FIRST_ENTRY {
            return Ok(None);
        }
        let (lock, more) = (Some(Arc::clone(lock)), Mutex::new(None));
        Ok(Some(Self { lock, data: None, words, more }))
    }

    /// The lock file, if there is one.
    pub(crate) fn lock(&self) -> Option<&Arc<SideLock>> {
        self.lock.as_ref()
    }

    /// The words that were mapped first, with the bell.
    pub(super) fn words(&self) -> &SharedWords {
        &self.words
    }

    /// Takes an entry and locks it. The returned words reach to its end.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if all are taken; [`ErrorKind::Io`] if the operating system reports an
    /// error.
    pub(crate) fn take_entry(self) -> Result<(Self, usize)> {
        let Some(lock) = self.lock.clone() else {
            return Err(Error::new(ErrorKind::Unsupported, "take a reader table entry"));
        };
        let entries = self.entries()?;
        let process = |entry| self.load(entry_word(entry, ENTRY_PROCESS));
        let (free, left): (Vec<usize>, Vec<usize>) =
            (0..entries).partition(|&entry| process(entry) == 0);
        // First entries that were released, then those of dead readers, then new ones.
        let limit = in_memory(ENTRIES_MAX);
        for entry in free.into_iter().chain(left).chain(entries..limit) {
            if lock.try_lock_entry(entry as u64)? {
                if entry < (self.words.len() - FIRST_ENTRY) / ENTRY_WORDS {
                    return Ok((self, entry));
                }
                let pages = entry / ENTRIES_AT_A_TIME + 1;
                let reaching = Self::with_entries(&lock, pages * ENTRIES_AT_A_TIME);
                return match reaching {
                    Ok(Some(words)) => Ok((words, entry)),
                    other => {
                        lock.unlock_entry(entry as u64)?;
                        Err(other.err().unwrap_or_else(too_short))
                    }
                };
            }
        }
        Err(Error::new(ErrorKind::Locked, "take a reader table entry")
            .detail(format!("{ENTRIES_MAX} readers have the store open"))
            .advice("close some of them"))
    }

    /// Waits until `changed` is true or the time is over; returns whether it is true.
    pub(crate) fn wait_until(
        &self,
        at_most: std::time::Duration,
        changed: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        self.words.wait_until(BELL, WAITERS, at_most, changed)
    }

    /// A word past the words that were mapped first.
    #[cold]
    fn load_more(&self, word: usize) -> u64 {
        let more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        more.as_ref().filter(|words| word < words.len()).map_or(0, |words| words.load(word))
    }
}

impl Shared for LockWords {
    #[inline]
    fn load(&self, word: usize) -> u64 {
        if word < self.words.len() { self.words.load(word) } else { self.load_more(word) }
    }

    #[inline]
    fn store(&self, word: usize, value: u64) {
        self.words.store(word, value);
    }

    fn fence(&self) {
        self.words.fence();
    }

    fn entries(&self) -> Result<usize> {
        let Some(lock) = &self.lock else { return Ok(0) };
        let limit = words_of(in_memory(ENTRIES_MAX));
        let len = lock.len_words()?.min(limit);
        if len > self.words.len() {
            let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
            if more.as_ref().is_none_or(|words| words.len() < len) {
                *more = Some(Arc::new(lock.words(len)?));
            }
        }
        Ok(len.saturating_sub(FIRST_ENTRY) / ENTRY_WORDS)
    }

    fn is_alive(&self, entry: usize) -> Result<bool> {
        match &self.lock {
            Some(lock) => lock.is_entry_locked(entry as u64..entry as u64 + 1),
            None => Ok(false),
        }
    }

    fn has_other_entries(&self, entries: &[usize]) -> Result<bool> {
        let Some(lock) = &self.lock else { return Ok(false) };
        let spoken_for = entries.iter().map(|&entry| entry as u64);
        if LOCKS_CAN_BE_ASKED_FOR {
            // Includes entries past the end: a reader locks its entry before it lengthens the file
            // for it.
            return any(gaps(0..ENTRIES_MAX, spoken_for), |gap| lock.is_entry_locked(gap));
        }
        // The question takes the lock for a moment: one entry at a time, so that a reader can use
        // others.
        let gaps = gaps(0..self.entries()? as u64, spoken_for);
        any(gaps.flatten(), |entry| lock.is_entry_locked(entry..entry + 1))
    }

    fn has_other_names(&self, names: &[u64]) -> Result<bool> {
        let Some(data) = &self.data else { return Ok(false) };
        let is_locked = |range| data.is_data_locked(range, LockKind::Exclusive);
        let earlier = FOR_EARLIER_WRITERS.end..EARLIER_READERS.end;
        Ok(is_locked(earlier)? || any(gaps(READERS, names.iter().copied()), is_locked)?)
    }

    fn ring(&self) {
        self.words.ring(BELL, WAITERS);
    }
}

/// The gaps in a range between these numbers, which are in order.
fn gaps(range: Range<u64>, between: impl Iterator<Item = u64>) -> impl Iterator<Item = Range<u64>> {
    let within = range.clone();
    let borders = between.filter(move |number| within.contains(number));
    let mut start = range.start;
    let ends = borders.chain(std::iter::once(range.end));
    ends.map(move |end| std::mem::replace(&mut start, end + 1)..end)
        .filter(|gap| gap.start < gap.end)
}

/// Whether `is` holds for one of them.
fn any<T>(mut among: impl Iterator<Item = T>, is: impl Fn(T) -> Result<bool>) -> Result<bool> {
    among.find_map(|one| is(one).map(|is| is.then_some(true)).transpose()).unwrap_or(Ok(false))
}

fn too_short() -> Error {
    Error::new(ErrorKind::Corrupt, "take a reader table entry")
        .detail("another program truncated the lock file while it was in use")
}
