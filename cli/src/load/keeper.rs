//! Keeping the progress of a load: every now and then it is made durable and written down.

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

/// How often progress is kept: what a cut costs at most, but for the last rows of the input.
const PAUSE: Duration = Duration::from_secs(2);
/// Where the disk is slow, no more than this part of the time goes into keeping it.
const SHARE_OF_TIME: u32 = 10;

/// Keeps the progress of a load into a new store.
pub(crate) struct Keeper<'k> {
    store: &'k Path,
    rejects: Option<&'k RefCell<Rejects>>,
    progress: Unfinished,
    /// Whether a file says how to go on.
    kept: bool,
    /// Why the last progress could not be written down; what was before still is.
    failed: Option<io::Error>,
    every_bytes: Option<u64>,
    last: Instant,
    pause: Duration,
}

impl<'k> Keeper<'k> {
    /// A keeper of `progress`, which is that of the store that will be at `store`; `kept` if that
    /// is written down. With `every_bytes` of the input it is kept, whatever the time.
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
        // A load that could not go on later is still one that may succeed now.
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

    /// Ends a load that has failed: what can go on later is kept, and everything else removed.
    pub(crate) fn give_up(self, store: &mut DynStore, failure: Failure) -> Failure {
        if !self.kept {
            return failure;
        }
        if failure.is_passing() {
            return self.cut(failure);
        }
        store.keep_unfinished(false);
        if let Some(rejects) = self.rejects {
            rejects.borrow_mut().keep(false);
        }
        Unfinished::remove(self.store);
        failure
    }

    /// The failure of a load of which something is kept, if anything is.
    pub(crate) fn cut(self, failure: Failure) -> Failure {
        if !self.kept {
            return failure;
        }
        let mut text = format!(
            "what was loaded is kept in {}: the same command with --resume goes on from there, \
             without it starts over",
            with_ending(self.store, "-unfinished").display(),
        );
        if let Some(error) = self.failed {
            text.push_str(&format!(" (the last of it was not kept: {error})"));
        }
        Failure::Cut(Box::new(failure), text)
    }

    /// Forgets what was kept of a load that is finished.
    pub(crate) fn finish(self) {
        if self.kept {
            Unfinished::remove(self.store);
        }
    }
}

/// A store that is being loaded, until the end is asked for.
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
