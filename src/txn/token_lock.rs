//! A lock that gives its value away: a [`Token`] owns the value until the token is dropped, and can
//! move to another thread and live in a struct, as a `MutexGuard` cannot.
//!
//! `in_loom` runs this same file over loom's threads: everything that threads share comes from
//! `parts`.
//!
//! Invariants:
//! - The value is either in the lock or in one token.
//! - While the value is in the lock and threads wait for it, a thread that may take it is awake.
//! - Other threads take the value at most [`PASSES_MAX`] times before the thread that has waited
//!   longest. They may pass it, because a release that handed the value over would leave it unused
//!   until that thread runs.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::parts::{Condvar, Mutex, MutexGuard, PASSES_MAX, PoisonError, ThreadId, this_thread};
use crate::trace::{self, Stopwatch};

/// What has the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A transaction that stays in this thread.
    InThread(ThreadId),
    /// A transaction that may move from thread to thread.
    InAnyThread,
    /// The engine, in a call that ends by itself.
    Engine,
}

impl Holder {
    #[inline]
    pub(crate) fn in_this_thread() -> Self {
        Self::InThread(this_thread())
    }

    fn describe(self) -> &'static str {
        match self {
            Self::InThread(_) => "a transaction",
            Self::InAnyThread => "an owned transaction",
            Self::Engine => "a checkpoint or a close",
        }
    }
}

/// How long to wait for the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Only for the engine, not for a transaction.
    ForEngine,
    /// Until then; without a time, as long as it takes.
    Until(Option<Instant>),
}

impl Patience {
    pub(crate) const FOREVER: Self = Self::Until(None);

    /// Waits at most so long.
    pub(crate) fn at_most(time: Duration) -> Self {
        // A time that the clock cannot show does not come.
        Self::Until(Instant::now().checked_add(time))
    }
}

/// Why a thread did not get the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another holder has it, and the patience is over.
    Taken,
    /// A transaction of this very thread has it, so waiting would not end.
    TakenHere,
}

/// What leads to a lock. A token keeps it, to put the value back.
pub(crate) trait HasLock<T> {
    fn token_lock(&self) -> &TokenLock<T>;

    /// Runs before a token puts the value back.
    #[inline]
    fn before_return(&self, _value: &mut T) {}
}

impl<T> HasLock<T> for &TokenLock<T> {
    fn token_lock(&self) -> &TokenLock<T> {
        self
    }
}

pub(crate) struct TokenLock<T> {
    inner: Mutex<Inner<T>>,
    /// The value was put back.
    returned: Condvar,
}

struct Inner<T> {
    /// `None` while a token has it.
    value: Option<Box<T>>,
    /// What has the value, or had it last.
    holder: Holder,
    /// The waiting threads' tickets, in the order in which the threads came.
    waiting: VecDeque<u64>,
    next_ticket: u64,
    /// How often others took the value while the first of `waiting` was waiting as the first.
    passes: u32,
}

impl<T> TokenLock<T> {
    pub(crate) fn new(value: T) -> Self {
        let inner = Inner {
            value: Some(Box::new(value)),
            holder: Holder::Engine,
            waiting: VecDeque::new(),
            next_ticket: 0,
            passes: 0,
        };
        Self { inner: Mutex::new(inner), returned: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // No code panics while it has this lock. A token's drop in a panic puts the value back as
        // it is; the value itself must show what the panic interrupted.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn take(&self, holder: Holder, patience: Patience) -> Result<Box<T>, Refusal> {
        let mut inner = self.lock();
        match inner.take(holder, None) {
            Some(value) => Ok(value),
            None => self.wait(inner, holder, patience),
        }
    }

    #[cold]
    fn wait(
        &self,
        mut inner: MutexGuard<'_, Inner<T>>,
        holder: Holder,
        patience: Patience,
    ) -> Result<Box<T>, Refusal> {
        if patience == Patience::None {
            return Err(Refusal::Taken);
        }
        if inner.is_taken_here(holder) {
            return Err(Refusal::TakenHere);
        }
        let (watch, ticket) = (Stopwatch::start(), inner.enter());
        let held_by = inner.holder.describe();
        let taken = loop {
            if let Some(value) = inner.take(holder, Some(ticket)) {
                break Ok(value);
            }
            let left = match patience {
                Patience::ForEngine if inner.is_in_transaction() => break Err(Refusal::Taken),
                Patience::None | Patience::ForEngine | Patience::Until(None) => None,
                Patience::Until(Some(end)) => Some(end.saturating_duration_since(Instant::now())),
            };
            inner = match left {
                None => self.returned.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break Err(Refusal::Taken),
                Some(left) => {
                    let woken = self.returned.wait_timeout(inner, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        };
        inner.leave(ticket);
        drop(inner);
        trace::transaction_wait(held_by, watch, taken.is_ok());
        taken
    }

    #[inline]
    fn put_back(&self, value: Box<T>) {
        let mut inner = self.lock();
        inner.value = Some(value);
        if !inner.waiting.is_empty() {
            self.wake(inner);
        }
    }

    #[cold]
    fn wake(&self, inner: MutexGuard<'_, Inner<T>>) {
        let only_first = inner.passes >= PASSES_MAX;
        drop(inner);
        if only_first {
            self.returned.notify_all();
        } else {
            self.returned.notify_one();
        }
    }
}

impl<T> Inner<T> {
    /// Takes the value, if it is there and may be taken: by the thread with this ticket, or by one
    /// that does not wait.
    #[inline]
    fn take(&mut self, holder: Holder, ticket: Option<u64>) -> Option<Box<T>> {
        let first = self.waiting.front().copied();
        let passes_first = first.is_some() && first != ticket;
        if passes_first && self.passes >= PASSES_MAX {
            return None;
        }
        let value = self.value.take()?;
        self.holder = holder;
        self.passes += u32::from(passes_first);
        Some(value)
    }

    fn enter(&mut self) -> u64 {
        let ticket = self.next_ticket;
        // One a wait, so it does not overflow.
        self.next_ticket += 1;
        self.waiting.push_back(ticket);
        ticket
    }

    fn leave(&mut self, ticket: u64) {
        if self.waiting.front() == Some(&ticket) {
            self.passes = 0;
        }
        self.waiting.retain(|&other| other != ticket);
    }

    fn is_taken_here(&self, asking: Holder) -> bool {
        let Holder::InThread(owner) = self.holder else { return false };
        let asks = match asking {
            Holder::InThread(thread) => thread,
            Holder::InAnyThread | Holder::Engine => this_thread(),
        };
        self.value.is_none() && owner == asks
    }

    fn is_in_transaction(&self) -> bool {
        self.value.is_none() && self.holder != Holder::Engine
    }
}

/// The value of a lock, until this is dropped.
pub(crate) struct Token<L: HasLock<T>, T> {
    /// `None` only within `drop`.
    value: Option<Box<T>>,
    from: L,
}

impl<L: HasLock<T>, T> Token<L, T> {
    /// Takes the value of the lock to which `from` leads. Gives `from` back if it does not get it.
    #[inline]
    pub(crate) fn take(from: L, holder: Holder, patience: Patience) -> Result<Self, (L, Refusal)> {
        match from.token_lock().take(holder, patience) {
            Ok(value) => Ok(Self { value: Some(value), from }),
            Err(refusal) => Err((from, refusal)),
        }
    }

    /// The value, and what leads to the lock.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (&mut T, &L) {
        (self.value.as_deref_mut().expect("only drop takes the value"), &self.from)
    }

    /// What leads to the lock.
    #[inline]
    pub(crate) fn origin(&self) -> &L {
        &self.from
    }
}

impl<L: HasLock<T>, T> Deref for Token<L, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value.as_deref().expect("only drop takes the value")
    }
}

impl<L: HasLock<T>, T> DerefMut for Token<L, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_deref_mut().expect("only drop takes the value")
    }
}

impl<L: HasLock<T>, T> Drop for Token<L, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut value) = self.value.take() {
            self.from.before_return(&mut value);
            self.from.token_lock().put_back(value);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Finds a thread that waits for ever beside others that take the value again and again.
    #[test]
    fn a_waiting_thread_is_passed_a_limited_number_of_times() {
        let lock = TokenLock::new(7);
        let mut inner = lock.lock();
        let (first, second) = (inner.enter(), inner.enter());
        for _ in 0..PASSES_MAX / 2 {
            for passing in [None, Some(second)] {
                inner.value = Some(inner.take(Holder::InAnyThread, passing).unwrap());
            }
        }
        assert!(inner.take(Holder::InAnyThread, None).is_none());
        assert!(inner.take(Holder::InAnyThread, Some(second)).is_none());
        inner.value = Some(inner.take(Holder::InAnyThread, Some(first)).unwrap());
        inner.leave(first);
        // The next one has not been passed yet.
        inner.value = Some(inner.take(Holder::InAnyThread, None).unwrap());
        assert_eq!((inner.passes, inner.waiting.len()), (1, 1));
    }
}
