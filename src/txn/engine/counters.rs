//! What a database has done since it was opened. Any thread reads it, also while a transaction has
//! the writer.
//!
//! Only the thread that has the writer changes the atomics, so it adds by a load and a store. What
//! other counts say, these do not repeat: the number of a commit counts commits, and the group
//! counts syncs under the lock that it holds anyway.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::info::CheckpointInfo;
use super::super::recovered::RecoveredState;
use super::checkpoint::Made;
use crate::error::Result;

pub(super) struct Counters {
    /// The number of the newest commit when the store was opened.
    pub(super) opened_at: u64,
    /// How many records the log that was found counts without a checksum.
    unsummed_at_open: u64,
    aborted: AtomicU64,
    log_files: AtomicU64,
    log_len_bytes: AtomicU64,
    log_written_bytes: AtomicU64,
    checkpoints: Mutex<CheckpointInfo>,
}

impl Counters {
    pub(super) fn new(found: &RecoveredState) -> Self {
        Self {
            opened_at: found.counts.commit,
            unsummed_at_open: found.unsummed,
            aborted: AtomicU64::new(0),
            log_files: AtomicU64::new(0),
            log_len_bytes: AtomicU64::new(0),
            log_written_bytes: AtomicU64::new(0),
            checkpoints: Mutex::default(),
        }
    }

    /// Counts a transaction that ended without a commit.
    #[cold]
    pub(super) fn count_aborted(&self) {
        add(&self.aborted, 1);
    }

    pub(super) fn aborted(&self) -> u64 {
        self.aborted.load(Relaxed)
    }

    /// Counts bytes that a commit has written to the log.
    #[inline]
    pub(super) fn count_written(&self, len_bytes: u64) {
        add(&self.log_written_bytes, len_bytes);
    }

    pub(super) fn log_written_bytes(&self) -> u64 {
        self.log_written_bytes.load(Relaxed)
    }

    /// Shows the number of the log's files, and the bytes of its frames.
    #[inline]
    pub(super) fn show_log(&self, (files, len_bytes): (u64, u64)) {
        self.log_files.store(files, Relaxed);
        self.log_len_bytes.store(len_bytes, Relaxed);
    }

    /// What [`Counters::show_log`] showed last.
    pub(super) fn log_size(&self) -> (u64, u64) {
        (self.log_files.load(Relaxed), self.log_len_bytes.load(Relaxed))
    }

    /// How many records the log counts without a checksum, when the array holds the commits up to
    /// `held`. This version sums all records that it logs.
    pub(super) fn unsummed(&self, held: u64) -> u64 {
        if held >= self.opened_at { 0 } else { self.unsummed_at_open }
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, CheckpointInfo> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a checkpoint ended, and counts it if it `reached` a later commit than the one
    /// before.
    pub(super) fn note(&self, made: &Result<Made>, reached: bool, took: Duration) {
        let mut noted = self.checkpoints();
        noted.failure = made.as_ref().err().map(ToString::to_string);
        let Ok(made) = made else { return };
        noted.held_back = made.held_back.map(|by| by.to_string());
        if reached {
            noted.made += 1;
            noted.records += made.records;
            noted.total_time += took;
            noted.longest = noted.longest.max(took);
        }
    }
}

/// Adds to a counter that no other thread changes.
#[inline]
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}
