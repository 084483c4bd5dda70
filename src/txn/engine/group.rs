//! Group commit: while one thread syncs the log, others write to it; the next sync then makes all
//! their commits durable.
//!
//! Commits become visible in the order of their numbers: a durable commit after its sync, any other
//! after its write, and neither before the commit in front of it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::super::versions::{Published, State};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Backing;
use crate::step::{self, Step};
use crate::trace;

/// A commit in the log that readers do not see yet.
struct Waiting {
    state: Arc<State>,
    /// Whether the commit must be durable before readers see it.
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
    /// Whether a thread is in the sync.
    syncing: bool,
    waiting: VecDeque<Waiting>,
    failed: bool,
    /// How many syncs made commits durable, and how many commits the most of them.
    syncs: u64,
    largest: u64,
}

/// The commits that are in the log and that readers do not see yet.
pub(super) struct Group {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Group {
    /// A group in which all commits up to `commit` are durable and seen.
    pub(super) fn new(commit: u64) -> Self {
        let inner = Inner {
            written: commit,
            segment: None,
            synced: commit,
            seen: commit,
            syncing: false,
            waiting: VecDeque::new(),
            failed: false,
            syncs: 0,
            largest: 0,
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

    /// How many syncs have made commits durable, and the most commits that one of them did.
    pub(super) fn syncs(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.syncs, inner.largest)
    }

    /// Whether a sync has failed, or [`Group::fail`] was called.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Fails all later commits, because what the disk holds is unknown. Returns whether they failed
    /// already.
    pub(super) fn fail(&self) -> bool {
        let had_failed = std::mem::replace(&mut self.lock().failed, true);
        self.changed.notify_all();
        had_failed
    }

    /// Notes a commit that was written to the log. Callers have the writer, so the calls come in
    /// the order of the commits.
    pub(super) fn enter(&self, state: Arc<State>, durable: bool, segment: Arc<dyn Backing>) {
        let mut inner = self.lock();
        inner.written = state.counts.commit;
        inner.segment = Some(segment);
        inner.waiting.push_back(Waiting { state, durable });
    }

    /// Drops the last segment if all of it is durable: a removed file keeps its room on the disk
    /// while a handle has it open.
    pub(super) fn release_segment(&self) {
        let mut inner = self.lock();
        if inner.synced >= inner.written {
            inner.segment = None;
        }
    }

    /// Waits until readers see `commit`. Syncs the log for that, unless another thread is doing so.
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

    /// Syncs what is in the log, or waits for the thread that is in a sync.
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
        // If the sync panics, in a user's own backing, the drop of this wakes the waiting threads.
        let mut ending = SyncEnds { group: self, synced: None };
        let synced = step::take(Step::LogSync, || segment.sync_data());
        if synced.is_ok() || step::skip(Step::Poison) {
            ending.synced = Some(if synced.is_ok() { target } else { 0 });
        }
        drop(ending);
        synced.inspect_err(|error| trace::poisoned(&*segment, error)).map(|()| self.lock())
    }
}

/// Tells the waiting threads how a sync ended, when it is dropped.
struct SyncEnds<'g> {
    group: &'g Group,
    /// The newest durable commit; `None` if the sync failed or panicked.
    synced: Option<u64>,
}

impl Drop for SyncEnds<'_> {
    fn drop(&mut self) {
        let mut inner = self.group.lock();
        inner.syncing = false;
        match self.synced {
            Some(synced) => {
                let group = synced.saturating_sub(inner.synced);
                inner.synced += group;
                inner.syncs += 1;
                inner.largest = inner.largest.max(group);
            }
            None => inner.failed = true,
        }
        self.group.changed.notify_all();
    }
}

impl Inner {
    /// Shows readers all commits that they may see.
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

/// The error of a commit if its sync, or the sync of an earlier commit, has failed.
fn lost() -> Error {
    Error::new(ErrorKind::Poisoned, "commit")
        .detail("a write or sync of the log failed, so whether the log has the commit is unknown")
        .advice("reopen the store: it then has every acknowledged commit")
}
