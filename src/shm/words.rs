//! Words of 64 bits in memory that several processes share.
//!
//! Every access is atomic, so no two of them race: neither those of threads through this view, nor
//! those of processes through another view of the same file. The callers define what the words
//! mean.
//!
//! Invariant: `base` points to `len` words, aligned, that stay mapped as long as `_memory` lives;
//! for a read-only mapping `writable` is false.

// The words are atomics in a mapped file; each block has its own proof.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::io::View;
use crate::os;

#[cfg(test)]
mod tests;

/// How long a waiter that may not count itself sleeps before it looks again.
const UNANNOUNCED_WAIT: Duration = Duration::from_millis(20);

/// What keeps the words in memory.
#[derive(Clone)]
enum Memory {
    View(#[allow(dead_code, reason = "held to stay mapped")] Arc<View>),
    Own(#[allow(dead_code, reason = "held to stay allocated")] Arc<[AtomicU64]>),
}

/// Words that other threads and processes may read and write at the same time. A clone has the same
/// words.
#[derive(Clone)]
pub(crate) struct SharedWords {
    base: NonNull<AtomicU64>,
    len: usize,
    writable: bool,
    _memory: Memory,
}

// SAFETY: the words are atomics, which any thread may use, and `_memory` keeps their memory,
// whichever thread owns it.
unsafe impl Send for SharedWords {}
// SAFETY: as above; `&self` gives atomic accesses and nothing else.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Words of this process alone, all 0.
    pub(crate) fn in_memory(len: usize) -> Self {
        let words: Arc<[AtomicU64]> = (0..len).map(|_| AtomicU64::new(0)).collect();
        let base = NonNull::from(&*words).cast::<AtomicU64>();
        Self { base, len, writable: true, _memory: Memory::Own(words) }
    }

    /// The words from the start of a view on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a view that is not aligned for words.
    pub(crate) fn of_view(view: View) -> Result<Self> {
        let address = view.as_ptr().cast_mut().cast::<AtomicU64>();
        let base = NonNull::new(address).filter(|base| base.is_aligned());
        let Some(base) = base else {
            return Err(Error::new(ErrorKind::InvalidArgument, "map words")
                .detail("the view does not begin on a multiple of eight bytes"));
        };
        let (len, writable) = (view.len_bytes() / size_of::<u64>(), view.access().is_writable());
        Ok(Self { base, len, writable, _memory: Memory::View(Arc::new(view)) })
    }

    /// Whether the words may be written.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The number of words.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Word `at`. A load that sees a value of [`SharedWords::store`] also sees all writes before
    /// that store.
    #[inline]
    pub(crate) fn load(&self, at: usize) -> u64 {
        u64::from_le(self.word(at).load(Ordering::SeqCst))
    }

    /// Gives word `at` a value.
    ///
    /// # Panics
    /// If the words are read-only.
    #[inline]
    pub(crate) fn store(&self, at: usize, value: u64) {
        assert!(self.writable, "words of a read-only mapping are not written");
        self.word(at).store(value.to_le(), Ordering::SeqCst);
    }

    /// Orders all accesses before it before all accesses after it, for all threads and processes.
    #[inline]
    pub(crate) fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    /// Rings the bell at word `bell` if word `waiters` counts a waiter. Called after the change
    /// that the waiters wait for.
    pub(crate) fn ring(&self, bell: usize, waiters: usize) {
        self.fence();
        if self.load(waiters) != 0 {
            self.bell(bell).fetch_add(1, Ordering::SeqCst);
            os::wake_all(self.bell(bell));
        }
    }

    /// Waits for the bell until `changed` is true or the time is over; returns whether it is true.
    /// `waiters` is the word that counts the waiters; one that died stays counted, which only costs
    /// each ring a system call. A waiter that may not write the words looks every 20 ms instead.
    pub(crate) fn wait_until(
        &self,
        bell: usize,
        waiters: usize,
        at_most: Duration,
        mut changed: impl FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let started = Instant::now();
        let _announced = self.writable.then(|| Announced::new(self, waiters));
        loop {
            // Loaded before `changed` looks: a later change ends the wait at once.
            let seen = self.bell(bell).load(Ordering::SeqCst);
            self.fence();
            if changed()? {
                return Ok(true);
            }
            let left = at_most.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            let patience = if self.writable { Duration::from_secs(1) } else { UNANNOUNCED_WAIT };
            os::wait_while(self.bell(bell), seen, left.min(patience));
        }
    }

    /// Counts one more waiter in word `waiters`, or one less. Until the latter call, each change
    /// rings the bell.
    ///
    /// # Panics
    /// If the words are read-only.
    pub(crate) fn announce(&self, waiters: usize, more: bool) {
        assert!(self.writable, "words of a read-only mapping are not written");
        let step = if more { 1 } else { u64::MAX };
        let _ = self.word(waiters).fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
            Some(u64::from_le(count).wrapping_add(step).to_le())
        });
    }

    #[inline]
    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at < self.len, "word {at} of {}", self.len);
        // SAFETY: `at < len`, so by the invariant the address lies within the words.
        let word = unsafe { self.base.add(at) };
        // SAFETY: by the invariant an aligned word lies there as long as `self` lives; all
        // processes that map this file access it atomically.
        unsafe { word.as_ref() }
    }

    /// The first half of word `at`, which is a bell: the word is never accessed as a whole.
    pub(crate) fn bell(&self, at: usize) -> &AtomicU32 {
        assert!(at < self.len, "word {at} of {}", self.len);
        // SAFETY: `at < len`, so by the invariant the address lies within the words.
        let bell = unsafe { self.base.add(at) }.cast::<AtomicU32>();
        // SAFETY: by the invariant an aligned word lies there as long as `self` lives, and this is
        // its first half; all processes access a bell by halves, and atomically.
        unsafe { bell.as_ref() }
    }
}

/// Counts a waiter as long as it lives.
struct Announced<'w>(&'w SharedWords, usize);

impl<'w> Announced<'w> {
    fn new(words: &'w SharedWords, waiters: usize) -> Self {
        words.announce(waiters, true);
        Self(words, waiters)
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.0.announce(self.1, false);
    }
}

impl fmt::Debug for SharedWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWords").field("len", &self.len).finish_non_exhaustive()
    }
}
