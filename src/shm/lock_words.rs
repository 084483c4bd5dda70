//! The words of the protocol in a store's lock file, or in memory without a lock file.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::lock_file::{EARLIER_READERS, FOR_EARLIER_WRITERS, READERS, SLOTS_MAX, SideLock};
use super::protocol::{BELL, FIRST_SLOT, SLOT_PROCESS, SLOT_WORDS, Shared, WAITERS, slot_word};
use super::words::SharedWords;
use crate::error::{Error, ErrorKind, Result};
use crate::io::FileBacking;
use crate::os::{LOCKS_CAN_BE_ASKED_FOR, LockKind};

/// Slots are added in this number: a page of them.
const SLOTS_AT_A_TIME: usize = 64;

/// The number of words up to the end of so many slots.
fn words_of(slots: usize) -> usize {
    slot_word(slots, 0)
}

/// The words that all programs with the store open share.
#[derive(Debug)]
pub(crate) struct LockWords {
    /// `None`: only this process sees these words.
    lock: Option<Arc<SideLock>>,
    /// The data file, in which a writer looks for readers that it cannot see in these words.
    data: Option<Arc<FileBacking>>,
    words: SharedWords,
    /// The words mapped again, after slots were added.
    more: Mutex<Option<Arc<SharedWords>>>,
}

impl LockWords {
    /// Words that only this process sees.
    pub(crate) fn in_memory() -> Self {
        let words = SharedWords::in_memory(FIRST_SLOT);
        Self { lock: None, data: None, words, more: Mutex::new(None) }
    }

    /// Gives a writer's words the data file.
    pub(crate) fn beside(self, data: Option<Arc<FileBacking>>) -> Self {
        Self { data, ..self }
    }

    /// The words in the lock file, created if needed; `None` if they do not exist and cannot be
    /// created.
    pub(crate) fn open(lock: &Arc<SideLock>) -> Result<Option<Self>> {
        Self::with_slots(lock, SLOTS_AT_A_TIME)
    }

    /// As [`LockWords::open`], but `None` if the words do not exist.
    pub(crate) fn open_if_there(lock: &Arc<SideLock>) -> Result<Option<Self>> {
        if lock.len_words()? < FIRST_SLOT { Ok(None) } else { Self::with_slots(lock, 0) }
    }

    fn with_slots(lock: &Arc<SideLock>, slots: usize) -> Result<Option<Self>> {
        if !lock.is_writable() && lock.len_words()? < FIRST_SLOT {
            return Ok(None);
        }
        let words = lock.words(words_of(slots))?;
        if words.len() < FIRST_SLOT {
            return Ok(None);
        }
        let (lock, more) = (Some(Arc::clone(lock)), Mutex::new(None));
        Ok(Some(Self { lock, data: None, words, more }))
    }

    /// The lock file, if there is one.
    pub(crate) fn lock(&self) -> Option<&Arc<SideLock>> {
        self.lock.as_ref()
    }

    /// Takes a slot and locks it. The returned words reach to its end.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if all are taken; [`ErrorKind::Io`] if the operating system reports an
    /// error.
    pub(crate) fn take_slot(self) -> Result<(Self, usize)> {
        let Some(lock) = self.lock.clone() else {
            return Err(Error::new(ErrorKind::Unsupported, "take a reader's slot"));
        };
        let slots = self.slots()?;
        let process = |slot| self.load(slot_word(slot, SLOT_PROCESS));
        let (free, left): (Vec<usize>, Vec<usize>) =
            (0..slots).partition(|&slot| process(slot) == 0);
        // First slots that were released, then those of dead readers, then new ones.
        let limit = usize::try_from(SLOTS_MAX).unwrap_or(usize::MAX);
        for slot in free.into_iter().chain(left).chain(slots..limit) {
            if lock.try_lock_slot(slot as u64)? {
                if slot < (self.words.len() - FIRST_SLOT) / SLOT_WORDS {
                    return Ok((self, slot));
                }
                let pages = slot / SLOTS_AT_A_TIME + 1;
                let reaching = Self::with_slots(&lock, pages * SLOTS_AT_A_TIME);
                return match reaching {
                    Ok(Some(words)) => Ok((words, slot)),
                    other => {
                        lock.unlock_slot(slot as u64)?;
                        Err(other.err().unwrap_or_else(too_short))
                    }
                };
            }
        }
        Err(Error::new(ErrorKind::Locked, "take a reader's slot")
            .detail(format!("{SLOTS_MAX} readers have the store open"))
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

    fn slots(&self) -> Result<usize> {
        let Some(lock) = &self.lock else { return Ok(0) };
        let limit = words_of(usize::try_from(SLOTS_MAX).unwrap_or(usize::MAX));
        let len = lock.len_words()?.min(limit);
        if len > self.words.len() {
            let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
            if more.as_ref().is_none_or(|words| words.len() < len) {
                *more = Some(Arc::new(lock.words(len)?));
            }
        }
        Ok(len.saturating_sub(FIRST_SLOT) / SLOT_WORDS)
    }

    fn is_alive(&self, slot: usize) -> Result<bool> {
        match &self.lock {
            Some(lock) => lock.is_slot_locked(slot as u64..slot as u64 + 1),
            None => Ok(false),
        }
    }

    fn has_other_slots(&self, slots: &[usize]) -> Result<bool> {
        let Some(lock) = &self.lock else { return Ok(false) };
        let spoken_for = slots.iter().map(|&slot| slot as u64);
        if LOCKS_CAN_BE_ASKED_FOR {
            // Includes slots past the end: a reader locks its slot before it lengthens the file for
            // it.
            return any(gaps(0..SLOTS_MAX, spoken_for), |gap| lock.is_slot_locked(gap));
        }
        // The question takes the lock for a moment: one slot at a time, so that a reader can use
        // others.
        let gaps = gaps(0..self.slots()? as u64, spoken_for);
        any(gaps.flatten(), |slot| lock.is_slot_locked(slot..slot + 1))
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
    Error::new(ErrorKind::Corrupt, "take a reader's slot")
        .detail("another program truncated the lock file while it was in use")
}
