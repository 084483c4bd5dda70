//! Readers beside the writer: threads of the test, and processes of their own.

use std::path::PathBuf;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use flatrec::{Database, ReadOnlyDatabase, Snapshot};

use super::rows::{Look, Row, look};
use crate::support::random::Random;

/// A reader at work, until `is_over`.
pub(crate) struct Reading<'r> {
    pub(crate) path: PathBuf,
    pub(crate) random: Random,
    /// The newest acknowledged commit: every reader that begins now sees it.
    pub(crate) made: &'r AtomicU64,
    pub(crate) is_over: &'r (dyn Fn() -> bool + Sync),
    /// Told of each snapshot, once it has been looked at.
    pub(crate) tell: &'r (dyn Fn(&str) + Sync),
    /// Where the writer's handle is, in rounds where it lives in this process.
    pub(crate) writer: Option<&'r RwLock<Option<Database<Row>>>>,
    /// A reader that all threads share, and the newest commit that it has shown any of them.
    pub(crate) common: Option<(&'r ReadOnlyDatabase<Row>, &'r AtomicU64)>,
    /// How long a snapshot is held at most.
    pub(crate) longest: Duration,
    /// The newest commit that the reader has seen that is open.
    pub(crate) last: u64,
}

impl Reading<'_> {
    /// Reads in one way after the other.
    ///
    /// # Panics
    /// If anything is seen that must not be.
    pub(crate) fn run(mut self) {
        let mut reader = self.open();
        while !(self.is_over)() {
            // Readers that never rest would leave the writer no time to change anything.
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
        // What one reader has seen of a writer that died another may see a little later, when the
        // next writer has found it: never the same reader.
        self.last = 0;
        Database::open_read_only(&self.path).expect("a reader opens beside any writer")
    }

    fn rest(&mut self, millis: u64) {
        std::thread::sleep(Duration::from_micros(self.random.below(millis * 1000)));
    }

    fn begin(&mut self, reader: &ReadOnlyDatabase<Row>) -> Snapshot<Row> {
        let told = reader.commit_id().get().max(self.last);
        let made = self.made.load(SeqCst);
        let snapshot = reader.begin_read().expect("a reader reads beside any writer");
        let commit = snapshot.commit_id().get();
        assert!(commit >= told, "commit {told} was seen before, and {commit} is read");
        assert!(commit >= made, "commit {made} was made before, and {commit} is read");
        self.last = commit;
        snapshot
    }

    fn look(&self, snapshot: &Snapshot<Row>) -> Look {
        let look = look(snapshot);
        (self.tell)(&format!("seen {}", look.commit));
        look
    }

    /// Looks again at what should not have changed.
    fn look_again(&self, snapshot: &Snapshot<Row>, before: Look) {
        assert_eq!(look(snapshot), before, "a snapshot has changed");
        (self.tell)("again");
    }

    /// Holds some snapshots of different commits for a while, and looks at them again and again.
    fn hold(&mut self, reader: &ReadOnlyDatabase<Row>) {
        // Mostly for short, so that checkpoints get somewhere at times.
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
        if reader.wait(after.into(), at_most).expect("waiting") {
            let snapshot = self.begin(reader);
            let commit = snapshot.commit_id().get();
            assert!(commit > after, "waited for more than commit {after}, and {commit} is read");
            self.look(&snapshot);
            (self.tell)("waited");
        }
    }

    /// Lets one snapshot move on.
    fn follow(&mut self, reader: &ReadOnlyDatabase<Row>) {
        let mut snapshot = self.begin(reader);
        let mut before = self.look(&snapshot);
        for _ in 0..self.random.below(8) {
            let is_newest = snapshot.is_newest();
            if self.random.below(2) == 0 {
                self.look_again(&snapshot, before);
            }
            let made = self.made.load(SeqCst);
            let moved = snapshot.refresh().expect("a snapshot moves on beside any writer");
            assert!(is_newest || moved, "commit {} was not the newest, and is", before.commit);
            let after = self.look(&snapshot);
            assert!(after.commit >= made, "commit {made} was made before, and {after:?} is read");
            assert!(after.commit >= before.commit, "from {before:?} back to {after:?}");
            assert!(after.number >= before.number, "from {before:?} back to {after:?}");
            assert!(after.count >= before.count, "from {before:?} back to {after:?}");
            (self.tell)("refreshed");
            before = after;
            self.last = after.commit;
        }
    }

    /// Takes a snapshot of the writer's own handle, and holds it for a little.
    fn read_beside_the_writer(&mut self) {
        let Some(writer) = self.writer else { return };
        let made = self.made.load(SeqCst);
        let snapshot = writer.read().unwrap().as_ref().map(Database::begin_read);
        let Some(snapshot) = snapshot.map(Result::unwrap) else { return };
        let commit = snapshot.commit_id().get();
        assert!(commit >= made, "commit {made} was made before, and the writer shows {commit}");
        self.look_often(&snapshot);
    }

    /// Takes a snapshot of the reader that others use at the same time.
    fn read_with_others(&mut self) {
        let Some((reader, last)) = self.common else { return };
        let told = reader.commit_id().get().max(last.load(SeqCst)).max(self.made.load(SeqCst));
        let snapshot = reader.begin_read().expect("a reader reads beside any writer");
        let commit = snapshot.commit_id().get();
        assert!(commit >= told, "commit {told} was seen before, and {commit} is read");
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
