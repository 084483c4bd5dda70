//! Keeps the progress of a load: makes it durable and writes it down at intervals.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use flatrec::DynStore;
use flatrec::exchange::{LoadPoint, RecordSink};

use super::unfinished::Unfinished;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::paths::with_ending;
use crate::rejects::Rejects;

/// The interval: the most work that an interruption loses, except for the last rows of the input.
const PAUSE: Duration = Duration::from_secs(2);
/// On a slow disk, keeping the progress takes at most this part of the time.
const SHARE_OF_TIME: u32 = 10;

/// Keeps the progress of a load into a new store.
pub(crate) struct Keeper<'k> {
    store: &'k Path,
    rejects: Option<&'k RefCell<Rejects>>,
    progress: Unfinished,
    /// Whether a progress file exists.
    kept: bool,
    /// Why the last progress could not be written; the one before stays valid.
    failed: Option<io::Error>,
    every_bytes: Option<u64>,
    last: Instant,
    pause: Duration,
}

impl<'k> Keeper<'k> {
    /// A keeper of `progress`, for the store that will be at `store`; `kept` says whether it is
    /// written down. With `every_bytes` it is kept after so many bytes of the input, at any time.
    pub(crate) fn new(
        store: &'k Path,
        rejects: Option<&'k RefCell<Rejects>>,
        progress: Unfinished,
        kept: bool,
        every_bytes: Option<u64>,
    ) -> Self {
        let (last, pause) = (Instant::now(), PAUSE);
        Self { store, rejects, progress, kept, failed: None, every_bytes, last, pause }
    }

    /// The keeper of a load that began before: the first interval does, too.
    pub(crate) fn since(self, started: Instant) -> Self {
        Self { last: started, ..self }
    }

    fn is_due(&self, point: &LoadPoint) -> bool {
        let bytes = point.offset_bytes - self.progress.point.offset_bytes;
        self.last.elapsed() >= self.pause || self.every_bytes.is_some_and(|every| bytes >= every)
    }

    /// Makes all rows before `point` durable, and writes that down.
    fn keep(&mut self, store: &mut DynStore, point: &LoadPoint) -> flatrec::Result<()> {
        let started = Instant::now();
        store.flush()?;
        if let Some(rejects) = self.rejects {
            self.progress.rejects = rejects.borrow_mut().so_far()?;
        }
        self.progress.point = *point;
        // A load that cannot be resumed later may still succeed now.
        self.failed = self.progress.write(self.store).err();
        if self.failed.is_none() {
            self.kept = true;
            store.keep_unfinished(true);
            if let Some(rejects) = self.rejects {
                rejects.borrow_mut().keep(true);
            }
        }
        self.pause = PAUSE.max(started.elapsed() * SHARE_OF_TIME);
        self.last = Instant::now();
        Ok(())
    }

    /// Ends a failed load: keeps what can be resumed, and removes everything else.
    pub(crate) fn give_up(self, store: &mut DynStore, failure: Failure) -> Failure {
        if !self.kept {
            return failure;
        }
        if failure.is_passing() {
            return self.cut(failure);
        }
        self.discard(store);
        failure
    }

    /// Removes everything that was kept.
    pub(crate) fn discard(self, store: &mut DynStore) {
        if self.kept {
            store.keep_unfinished(false);
            if let Some(rejects) = self.rejects {
                rejects.borrow_mut().keep(false);
            }
            Unfinished::remove(self.store);
        }
    }

    /// The failure of a load, with advice to resume if something is kept.
    pub(crate) fn cut(self, failure: Failure) -> Failure {
        if !self.kept {
            return failure;
        }
        let mut text = format!(
            "what was loaded is kept in {}: the same command with --resume continues it, \
             and without --resume starts over",
            with_ending(self.store, "-unfinished").display(),
        );
        if let Some(error) = self.failed {
            text.push_str(&format!("  (the last part was not kept: {error})"));
        }
        Failure::Cut(Box::new(failure), text)
    }

    /// Removes the kept progress of a finished load.
    pub(crate) fn finish(self) {
        if self.kept {
            Unfinished::remove(self.store);
        }
    }
}

/// A store during a load, until a signal asks for the end.
pub(crate) struct Loading<'l, 'k> {
    pub(crate) store: &'l mut DynStore,
    pub(crate) interrupt: &'l Interrupt,
    pub(crate) keeper: Option<&'l mut Keeper<'k>>,
}

impl RecordSink for Loading<'_, '_> {
    fn append_records(&mut self, records: &[u8]) -> flatrec::Result<()> {
        self.interrupt.check()?;
        self.store.append_packed(records).map(drop)
    }

    fn reached(&mut self, point: &LoadPoint) -> flatrec::Result<()> {
        match &mut self.keeper {
            Some(keeper) if keeper.is_due(point) => keeper.keep(self.store, point),
            _ => Ok(()),
        }
    }
}
