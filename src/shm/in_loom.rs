//! [`super::protocol`] over loom's atomics: a writer and a reader where they meet, in every order
//! and under loom's memory model.
//!
//! The first test loads, stores and fences words with the orders of shared words
//! ([`super::words`]), which are sequential. The second uses loads that acquire and stores that
//! release; there each fence is needed. The array has one record, a cell in which loom detects a
//! write beside a read; so has the log.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;

use super::protocol::{
    CheckpointLimit, ENTRY_WORDS, FIRST_ENTRY, ReadPoint, ReaderSide, Shared, Span, TableEntry,
    WriterSide,
};
use crate::error::Result;
use crate::step::{self, Step};

const STORE: u64 = 7;
/// The words before this one are used, followed by those of one entry.
const WORDS: usize = 32;

/// How words are accessed.
#[derive(Clone, Copy)]
struct Orders {
    load: Ordering,
    store: Ordering,
}

const SEQUENTIAL: Orders = Orders { load: Ordering::SeqCst, store: Ordering::SeqCst };
const WEAKER: Orders = Orders { load: Ordering::Acquire, store: Ordering::Release };

struct Words {
    orders: Orders,
    words: Vec<AtomicU64>,
    record: UnsafeCell<()>,
    segment: UnsafeCell<()>,
}

#[derive(Clone)]
struct Port(Arc<Words>);

impl Port {
    fn new(orders: Orders) -> Self {
        let words = (0..WORDS + ENTRY_WORDS).map(|_| AtomicU64::new(0)).collect();
        let (record, segment) = (UnsafeCell::new(()), UnsafeCell::new(()));
        Self(Arc::new(Words { orders, words, record, segment }))
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        &self.0.words[if word < FIRST_ENTRY { word } else { word - FIRST_ENTRY + WORDS }]
    }
}

impl Shared for Port {
    fn load(&self, word: usize) -> u64 {
        self.word(word).load(self.0.orders.load)
    }

    fn store(&self, word: usize, value: u64) {
        self.word(word).store(value, self.0.orders.store);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn entries(&self) -> Result<usize> {
        Ok(1)
    }

    fn is_alive(&self, _: usize) -> Result<bool> {
        Ok(true)
    }

    // The one entry always has an owner that has announced itself, and nothing is wiped here.
    fn has_other_entries(&self, _: &[usize]) -> Result<bool> {
        Ok(false)
    }

    fn has_other_names(&self, _: &[u64]) -> Result<bool> {
        Ok(false)
    }

    fn ring(&self) {}
}

/// What a checkpoint up to commit 2 is offered.
fn offered(writer: &WriterSide<Port>) -> u64 {
    let limit = writer.limit(2).expect("loom's words have no errors");
    limit.map_or(0, |CheckpointLimit { through, .. }| through)
}

/// A store with the published commits 1 and 2, neither of them in the array, and a reader that
/// knows the first.
fn in_use(
    orders: Orders,
    run: impl Fn(WriterSide<Port>, ReaderSide<Port>) + Send + Sync + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let port = Port::new(orders);
        let writer = WriterSide::new(port.clone(), STORE);
        writer.begin(1, 0, 1).expect("loom's words have no errors");
        let entry = TableEntry { number: 0, name: None };
        run(writer, ReaderSide::new(port, STORE, Some(entry), 2));
    });
}

/// The reader reads in the array the record that the second commit changes; a checkpoint tries to
/// write it there, at most twice.
fn snapshot_and_checkpoint(orders: Orders) {
    in_use(orders, |writer, reader| {
        let (mark, seen) = reader.mark();
        writer.publish(2);
        let reader = thread::spawn(move || {
            let span = Span { lineage: mark.lineage, oldest: seen, newest: seen, since: 0 };
            let point = ReadPoint { mark, commit: seen, at_rest: false };
            if reader.begin(span, &point) {
                reader.shared().0.record.with(|_| ());
            }
            reader.say(None);
        });
        for _ in 0..2 {
            if offered(&writer) == 2 {
                writer.shared().0.record.with_mut(|_| ());
                break;
            }
        }
        reader.join().expect("it does not panic");
        assert_eq!(offered(&writer), 2);
    });
}

/// The reader reads the log from the first commit on; the writer tries to reuse it.
fn log_and_recycling(orders: Orders) {
    in_use(orders, |writer, reader| {
        let (mark, _) = reader.mark();
        let reader = thread::spawn(move || {
            if reader.need(1, mark) {
                reader.shared().0.segment.with(|_| ());
            }
            reader.need_nothing();
        });
        for _ in 0..2 {
            if writer.retire(1).expect("loom's words have no errors") == 1 {
                writer.shared().0.segment.with_mut(|_| ());
                break;
            }
        }
        reader.join().expect("it does not panic");
        assert_eq!(writer.retire(1).expect("loom's words have no errors"), 1);
    });
}

fn fails_without(step: Step, check: fn(Orders)) {
    let checked = || step::without(&[step], || check(WEAKER));
    assert!(catch_unwind(AssertUnwindSafe(checked)).is_err(), "no order of steps notices");
}

#[test]
fn in_loom_a_record_stays_while_a_reader_reads_it() {
    snapshot_and_checkpoint(SEQUENTIAL);
    snapshot_and_checkpoint(WEAKER);
}

#[test]
fn in_loom_the_log_stays_while_a_reader_reads_it() {
    log_and_recycling(SEQUENTIAL);
    log_and_recycling(WEAKER);
}

macro_rules! noticed {
    ($($name:ident: $step:ident, $check:expr;)*) => {
        $(#[test]
        fn $name() {
            fails_without(Step::$step, $check);
        })*
    };
}

noticed! {
    loom_without_target_first: TargetFirst, snapshot_and_checkpoint;
    loom_without_target_fence: TargetFence, snapshot_and_checkpoint;
    loom_without_entry_scan: EntryScan, snapshot_and_checkpoint;
    loom_without_reader_fence: ReaderFence, snapshot_and_checkpoint;
    loom_without_reader_recheck: ReaderRecheck, snapshot_and_checkpoint;
    loom_without_retired_first: RetiredFirst, log_and_recycling;
    loom_without_retired_fence: RetiredFence, log_and_recycling;
    loom_without_needs_scan: NeedsScan, log_and_recycling;
    loom_without_need_fence: NeedFence, log_and_recycling;
    loom_without_need_recheck: NeedRecheck, log_and_recycling;
}
