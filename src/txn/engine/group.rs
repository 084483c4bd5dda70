//! Commits that share a sync: while one thread syncs the log, others write to it; one sync then
//! answers them all.
//!
//! Commits become visible in the order of their numbers: one that asked for durability after its
//! sync, one that did not after its write, and neither before the one in front of it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::super::versions::{Published, State};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Backing;
use crate::step::{self, Step};

/// A commit in the log that readers do not see yet.
struct Waiting {
    state: Arc<State>,
    /// Whether it is to be durable before it is seen.
    durable: bool,
}

struct Inner {
    /// The newest commit in the log, and the segment whose sync makes it durable.
    written: u64,
    segment: Option<Arc<dyn Backing>>,
    /// The newest commit that is known to be durable.
    synced: u64,
    /// The newest commit that readers see.
    seen: u64,
    /// Whether a thread is syncing.
    syncing: bool,
    waiting: VecDeque<Waiting>,
    failed: bool,
}

/// The commits between log and readers.
pub(super) struct Group {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Group {
    /// Everything up to `commit` is durable and seen.
    pub(super) fn new(commit: u64) -> Self {
        let inner = Inner {
            written: commit,
            segment: None,
            synced: commit,
            seen: commit,
            syncing: false,
            waiting: VecDeque::new(),
            failed: false,
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest commit known to be durable.
    pub(super) fn synced(&self) -> u64 {
        self.lock().synced
    }

    /// Whether a sync has failed, or somebody said so.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Nothing more is to become durable: what the disk holds is unknown.
    pub(super) fn fail(&self) {
        self.lock().failed = true;
        self.changed.notify_all();
    }

    /// Takes note of a commit that was written to the log. Called under the writer's lock, so in
    /// the order of the commits.
    pub(super) fn enter(&self, state: Arc<State>, durable: bool, segment: Arc<dyn Backing>) {
        let mut inner = self.lock();
        inner.written = state.counts.commit;
        inner.segment = Some(segment);
        inner.waiting.push_back(Waiting { state, durable });
    }

    /// Lets the segment go that was synced last, all of which is durable: a file that is removed
    /// takes its room as long as a handle has it open.
    pub(super) fn release_segment(&self) {
        let mut inner = self.lock();
        if inner.synced >= inner.written {
            inner.segment = None;
        }
    }

    /// Waits until readers see `commit`, syncing the log if nobody else is at it.
    pub(super) fn settle(&self, commit: u64, published: &Published) -> Result<()> {
        let mut inner = self.lock();
        loop {
            inner.show(published);
            if inner.seen >= commit {
                return Ok(());
            }
            inner = self.advance(inner)?;
        }
    }

    /// Waits until everything in the log is durable, and readers see it.
    pub(super) fn settle_all(&self, published: &Published) -> Result<()> {
        let mut inner = self.lock();
        loop {
            inner.show(published);
            if inner.failed {
                return Err(lost());
            }
            if inner.synced >= inner.written {
                return Ok(());
            }
            inner = self.advance(inner)?;
        }
    }

    /// Syncs what is written by now, or waits for the thread that is just doing that.
    fn advance<'a>(&'a self, mut inner: MutexGuard<'a, Inner>) -> Result<MutexGuard<'a, Inner>> {
        if inner.failed {
            return Err(lost());
        }
        if inner.syncing {
            return Ok(self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner));
        }
        let Some(segment) = inner.segment.clone() else { return Ok(inner) };
        let target = inner.written;
        inner.syncing = true;
        drop(inner);
        // Should the sync panic, in somebody's own backing: nobody is to wait for it for ever.
        let mut ending = SyncEnds { group: self, synced: None };
        let synced = step::take(Step::LogSync, || segment.sync_data());
        if synced.is_ok() || step::skip(Step::Poison) {
            ending.synced = Some(if synced.is_ok() { target } else { 0 });
        }
        drop(ending);
        synced.map(|()| self.lock())
    }
}

/// Tells all who wait how a sync has ended.
struct SyncEnds<'g> {
    group: &'g Group,
    /// What became durable; `None` if it failed, or panicked.
    synced: Option<u64>,
}

impl Drop for SyncEnds<'_> {
    fn drop(&mut self) {
        let mut inner = self.group.lock();
        inner.syncing = false;
        match self.synced {
            Some(synced) => inner.synced = inner.synced.max(synced),
            None => inner.failed = true,
        }
        self.group.changed.notify_all();
    }
}

impl Inner {
    /// Shows readers what they may see by now.
    fn show(&mut self, published: &Published) {
        while let Some(next) = self.waiting.front() {
            if self.failed || next.durable && next.state.counts.commit > self.synced {
                return;
            }
            self.seen = next.state.counts.commit;
            if let Some(next) = self.waiting.pop_front() {
                published.publish(next.state);
            }
        }
    }
}

/// The error of a commit whose sync, or that of one before it, has failed.
fn lost() -> Error {
    Error::new(ErrorKind::Poisoned, "commit")
        .detail("a write or sync of the log failed: whether the commit will be found is unknown")
        .advice("reopen the store: it comes up with every commit that was acknowledged")
}
