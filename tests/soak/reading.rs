//! Readers beside the writer, as threads of the test and as processes.

use std::path::PathBuf;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use flatrec::{Database, ReadOnlyDatabase, Snapshot};

use super::rows::{Look, Row, look};
use crate::support::random::Random;

/// A reader that works until `is_over`.
pub(crate) struct Reading<'r> {
    pub(crate) path: PathBuf,
    pub(crate) random: Random,
    /// The newest acknowledged commit. A reader that begins a snapshot now must see it.
    pub(crate) made: &'r AtomicU64,
    pub(crate) is_over: &'r (dyn Fn() -> bool + Sync),
    /// Takes a report of each snapshot after the reader has checked it.
    pub(crate) tell: &'r (dyn Fn(&str) + Sync),
    /// The writer's handle, in rounds where the writer lives in this process.
    pub(crate) writer: Option<&'r RwLock<Option<Database<Row>>>>,
    /// A reader that all threads share, and the newest commit that it has shown.
    pub(crate) common: Option<(&'r ReadOnlyDatabase<Row>, &'r AtomicU64)>,
    /// The longest time for which the reader holds a snapshot.
    pub(crate) longest: Duration,
    /// The newest commit that the open reader has seen.
    pub(crate) last: u64,
}

impl Reading<'_> {
    /// Reads in random ways.
    ///
    /// # Panics
    /// If a snapshot shows what it must not.
    pub(crate) fn run(mut self) {
        let mut reader = self.open();
        while !(self.is_over)() {
            // Readers that never rest leave the writer no time for changes.
            self.rest(20);
            match self.random.below(64) {
                0..4 => {
                    drop(reader);
                    reader = self.open();
                }
                4 => self.hold(&reader),
                5..13 => self.wait(&reader),
                13..29 => self.follow(&reader),
                29..40 if self.writer.is_some() => self.read_beside_the_writer(),
                40..50 if self.common.is_some() => self.read_with_others(),
                _ => {
                    let snapshot = self.begin(&reader);
                    self.look(&snapshot);
                }
            }
        }
    }

    fn open(&mut self) -> ReadOnlyDatabase<Row> {
        // After a crash one reader may see a commit that another sees only when the next writer has
        // found it. The same reader never goes back.
        self.last = 0;
        Database::open_read_only(&self.path).expect("a reader must open beside any writer")
    }

    fn rest(&mut self, millis: u64) {
        std::thread::sleep(Duration::from_micros(self.random.below(millis * 1000)));
    }

    fn begin(&mut self, reader: &ReadOnlyDatabase<Row>) -> Snapshot<Row> {
        let told = reader.commit_id().get().max(self.last);
        let made = self.made.load(SeqCst);
        let snapshot = reader.begin_read().expect("a reader must read beside any writer");
        let commit = snapshot.commit_id().get();
        assert!(commit >= told, "the reader saw commit {told}, but the snapshot is at {commit}");
        assert!(commit >= made, "the writer made commit {made}, but the snapshot is at {commit}");
        self.last = commit;
        snapshot
    }

    fn look(&self, snapshot: &Snapshot<Row>) -> Look {
        let look = look(snapshot);
        (self.tell)(&format!("seen {}", look.commit));
        look
    }

    /// Checks that the snapshot still shows the same.
    fn look_again(&self, snapshot: &Snapshot<Row>, before: Look) {
        assert_eq!(look(snapshot), before, "a snapshot changed");
        (self.tell)("again");
    }

    /// Holds snapshots of different commits for a while, and checks them repeatedly.
    fn hold(&mut self, reader: &ReadOnlyDatabase<Row>) {
        // Most times are short, so that some checkpoints write.
        let part = self.random.below(1000) as f64 / 1000.0;
        let until = Instant::now() + self.longest.mul_f64(part * part * part);
        let mut held = Vec::new();
        while Instant::now() < until && !(self.is_over)() {
            if held.len() < 4 {
                let snapshot = self.begin(reader);
                let look = self.look(&snapshot);
                held.push((snapshot, look));
            }
            self.rest(20);
            let which = self.random.below(held.len() as u64) as usize;
            self.look_again(&held[which].0, held[which].1);
            if self.random.below(6) == 0 {
                held.swap_remove(which);
            }
        }
        for (snapshot, look) in held {
            self.look_again(&snapshot, look);
        }
    }

    fn wait(&mut self, reader: &ReadOnlyDatabase<Row>) {
        let after = reader.commit_id().get();
        let at_most = Duration::from_millis(self.random.below(50));
        if reader.wait(after.into(), at_most).expect("a reader must wait beside any writer") {
            let snapshot = self.begin(reader);
            let commit = snapshot.commit_id().get();
            assert!(commit > after, "the wait for a commit after {after} ended at {commit}");
            self.look(&snapshot);
            (self.tell)("waited");
        }
    }

    /// Refreshes one snapshot.
    fn follow(&mut self, reader: &ReadOnlyDatabase<Row>) {
        let mut snapshot = self.begin(reader);
        let mut before = self.look(&snapshot);
        for _ in 0..self.random.below(8) {
            let is_newest = snapshot.is_newest();
            if self.random.below(2) == 0 {
                self.look_again(&snapshot, before);
            }
            let made = self.made.load(SeqCst);
            let moved = snapshot.refresh().expect("a snapshot must refresh beside any writer");
            assert!(
                is_newest || moved,
                "the snapshot of commit {} was not the newest, but did not refresh",
                before.commit
            );
            let after = self.look(&snapshot);
            assert!(
                after.commit >= made,
                "the writer made commit {made}, but the snapshot is at {after:?}"
            );
            assert!(
                after.commit >= before.commit,
                "the snapshot went from {before:?} to {after:?}"
            );
            assert!(
                after.number >= before.number,
                "the snapshot went from {before:?} to {after:?}"
            );
            assert!(after.count >= before.count, "the snapshot went from {before:?} to {after:?}");
            (self.tell)("refreshed");
            before = after;
            self.last = after.commit;
        }
    }

    /// Takes a snapshot from the writer's handle, and holds it for a short time.
    fn read_beside_the_writer(&mut self) {
        let Some(writer) = self.writer else { return };
        let made = self.made.load(SeqCst);
        let snapshot = writer.read().unwrap().as_ref().map(Database::begin_read);
        let Some(snapshot) = snapshot.map(Result::unwrap) else { return };
        let commit = snapshot.commit_id().get();
        assert!(commit >= made, "the writer made commit {made}, but its handle shows {commit}");
        self.look_often(&snapshot);
    }

    /// Takes a snapshot from the shared reader.
    fn read_with_others(&mut self) {
        let Some((reader, last)) = self.common else { return };
        let told = reader.commit_id().get().max(last.load(SeqCst)).max(self.made.load(SeqCst));
        let snapshot = reader.begin_read().expect("a reader must read beside any writer");
        let commit = snapshot.commit_id().get();
        assert!(commit >= told, "the reader saw commit {told}, but the snapshot is at {commit}");
        last.fetch_max(commit, SeqCst);
        self.look_often(&snapshot);
    }

    fn look_often(&mut self, snapshot: &Snapshot<Row>) {
        let first = self.look(snapshot);
        for _ in 0..self.random.below(4) {
            self.rest(2);
            self.look_again(snapshot, first);
        }
    }
}
