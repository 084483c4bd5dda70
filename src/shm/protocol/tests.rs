//! What the protocol says about readers and writers that are at rest: one call at a time, over
//! words in memory. [`super::super::model`] runs them beside one another.

use std::cell::{Cell, RefCell};

use super::*;

const STORE_WORD: u64 = 7;
const OTHER_STORE: u64 = 8;
const WRITING_PROCESS: u64 = 11;
const READING_PROCESS: u64 = 22;

/// Words of one process, and which entries have living owners.
struct Words {
    words: RefCell<Vec<u64>>,
    alive: RefCell<Vec<bool>>,
    rings: Cell<u32>,
    /// Whether a reader without an entry has the data file open.
    has_hidden: Cell<bool>,
}

impl Words {
    fn new(entries: usize) -> Self {
        let words = RefCell::new(vec![0; FIRST_ENTRY + entries * ENTRY_WORDS]);
        let alive = RefCell::new(vec![true; entries]);
        Self { words, alive, rings: Cell::new(0), has_hidden: Cell::new(false) }
    }

    /// A writer that has found commit `found`, with the commits up to `held` in the array.
    fn writer(&self, found: u64, held: u64) -> WriterSide<&Self> {
        let writer = WriterSide::new(self, STORE_WORD);
        writer.begin(found, held, WRITING_PROCESS).unwrap();
        writer
    }

    fn reader(&self, number: usize) -> ReaderSide<&Self> {
        let entry = TableEntry { number, name: None };
        ReaderSide::new(self, STORE_WORD, Some(entry), READING_PROCESS)
    }
}

impl Shared for &Words {
    fn load(&self, word: usize) -> u64 {
        self.words.borrow()[word]
    }

    fn store(&self, word: usize, value: u64) {
        self.words.borrow_mut()[word] = value;
    }

    fn fence(&self) {}

    fn entries(&self) -> Result<usize> {
        Ok(self.alive.borrow().len())
    }

    fn is_alive(&self, entry: usize) -> Result<bool> {
        Ok(self.alive.borrow()[entry])
    }

    fn has_other_entries(&self, entries: &[usize]) -> Result<bool> {
        let alive = self.alive.borrow();
        Ok((0..alive.len()).any(|entry| alive[entry] && !entries.contains(&entry)))
    }

    fn has_other_names(&self, names: &[u64]) -> Result<bool> {
        assert!(names.is_sorted(), "{names:?}");
        Ok(self.has_hidden.get())
    }

    fn ring(&self) {
        self.rings.set(self.rings.get() + 1);
    }
}

/// Whether a reader of the present mark can begin to read this commit in the array.
fn can_begin(reader: &ReaderSide<&Words>, commit: u64) -> bool {
    let (mark, _) = reader.mark();
    let span = Span { lineage: mark.lineage, oldest: commit, newest: commit, since: 0 };
    let can = reader.begin(span, &ReadPoint { mark, commit, at_rest: false });
    reader.say(None);
    can
}

fn span(lineage: u64, oldest: u64, newest: u64) -> Option<Span> {
    Some(Span { lineage, oldest, newest, since: 0 })
}

/// Finds a writer that lets readers sleep through a commit until they look by themselves.
#[test]
fn readers_are_woken_for_each_commit() {
    let words = Words::new(0);
    let writer = words.writer(3, 3);
    let before = words.rings.get();
    writer.publish(4);
    assert_eq!(words.rings.get(), before + 1);
}

/// Finds a writer that overwrites what a reader reads, and one that keeps readers out for good
/// after an interrupted checkpoint.
#[test]
fn a_writer_that_begins_keeps_the_target_of_an_interrupted_checkpoint() {
    // The target before, what the writer finds, what the array holds, and the target after.
    for (before, found, held, target) in
        [(9, 7, 5, 7), (6, 7, 5, 6), (3, 7, 5, 5), (0, 0, 0, 0), (9, 7, 7, 7)]
    {
        let words = Words::new(1);
        let reader = words.reader(0);
        words.writer(0, 0).limit(before).unwrap().unwrap();
        let rings = words.rings.get();
        words.writer(found, held);
        assert!(words.rings.get() > rings, "readers learn that there is another writer");
        assert_eq!(reader.mark().1, found, "what readers may see");
        for commit in 0..=found + 1 {
            let case = format!("{before} {found} {held}: {commit}");
            assert_eq!(can_begin(&reader, commit), commit >= target, "{case}");
        }
        assert!(!reader.need(held, reader.mark().0), "the log that the array holds is retired");
        assert!(reader.need(held + 1, reader.mark().0));
    }
    // Words that another store had say nothing of this one.
    let words = Words::new(1);
    WriterSide::new(&words, OTHER_STORE).begin(2, 2, WRITING_PROCESS).unwrap();
    words.writer(7, 5);
    assert_eq!([6, 7].map(|commit| can_begin(&words.reader(0), commit)), [false, true]);
    WriterSide::new(&words, OTHER_STORE).begin(9, 9, WRITING_PROCESS).unwrap();
    assert!(can_begin(&words.reader(0), 1), "the target is that of the other store");
}

/// Finds a recovery that does not notice readers of lost commits, or sees some where none are left.
#[test]
fn commits_are_lost_that_this_store_published_and_does_not_have() {
    let words = Words::new(0);
    words.writer(5, 5);
    let writer = WriterSide::new(&words, STORE_WORD);
    assert_eq!([4, 5, 6].map(|found| writer.has_lost(found)), [true, false, false]);
    assert!(!WriterSide::new(&words, OTHER_STORE).has_lost(4));
}

/// Finds commits of two histories that readers cannot tell apart, and readers that are taken for
/// strangers because of another reader.
#[test]
fn the_lineage_changes_if_a_reader_reads_what_was_lost() {
    let found = 5;
    // What a reader reads, and whether it is of the present lineage.
    for (newest, reads, is_present, changes) in [
        (6, true, true, true),
        (5, true, true, false),
        (6, false, true, false),
        (6, true, false, false),
    ] {
        let words = Words::new(2);
        words.writer(6, 0);
        let (one, other) = (words.reader(0), words.reader(1));
        let lineage = one.mark().0.lineage;
        let other_lineage = if is_present { lineage } else { lineage + 1 };
        one.say(span(lineage, 3, 4));
        other.say(span(other_lineage, 3, newest));
        if !reads {
            other.say(None);
        }
        words.writer(found, 0);
        let case = format!("{newest} {reads} {is_present}");
        assert_eq!(one.mark().0.lineage != lineage, changes, "{case}");
    }
}

/// Finds a checkpoint that goes past a reader, and one that is held back by a reader that allows
/// it.
#[test]
fn a_checkpoint_goes_as_far_as_readers_allow() {
    let words = Words::new(2);
    let writer = words.writer(0, 0);
    let reader = ReaderSide::new(
        &words,
        STORE_WORD,
        Some(TableEntry { number: 0, name: Some(8) }),
        READING_PROCESS,
    );
    let other = ReaderSide::new(
        &words,
        STORE_WORD,
        Some(TableEntry { number: 1, name: Some(3) }),
        READING_PROCESS,
    );
    let limit = |target| {
        let limit = writer.limit(target).unwrap().unwrap();
        (limit.through, limit.blocker.map(|seen| (seen.process, seen.since)))
    };
    reader.say(Some(Span { lineage: 0, oldest: 5, newest: 9, since: 77 }));
    assert_eq!(limit(5), (5, None), "it reads commit 5, and no older one");
    assert_eq!(limit(6), (5, Some((READING_PROCESS, 77))));
    assert_eq!([4, 5].map(|commit| can_begin(&other, commit)), [false, true]);
    reader.say(None);
    assert_eq!(limit(8), (8, None));
    assert_eq!(limit(6), (6, None));
    assert_eq!([7, 8].map(|commit| can_begin(&other, commit)), [false, true], "8 was written");
    // Nothing is written beside a reader that the writer does not see.
    words.has_hidden.set(true);
    assert_eq!(writer.limit(9).unwrap(), None);
    assert!(writer.is_blind().unwrap());
    assert!(can_begin(&other, 8), "nothing was written");
    words.has_hidden.set(false);
    assert!(!writer.is_blind().unwrap());
}

/// Finds a log that is reused while a reader needs it, and one that no reader comes to again.
#[test]
fn a_log_stays_from_the_first_commit_that_a_reader_needs() {
    let words = Words::new(3);
    let writer = words.writer(9, 0);
    let readers = [0, 1, 2].map(|number| words.reader(number));
    let (mark, _) = readers[0].mark();
    assert!(readers[0].need(3, mark) && readers[1].need(8, mark));
    assert_eq!(writer.retire(6).unwrap(), 2);
    assert_eq!([2, 3].map(|commit| readers[2].need(commit, mark)), [false, true]);
    readers[0].need_nothing();
    readers[2].need_nothing();
    assert_eq!(writer.retire(6).unwrap(), 6, "what the other needs is newer");
    assert_eq!(writer.retire(4).unwrap(), 4);
    assert!(!readers[0].need(5, mark), "it was retired, and may be overwritten");
    // What another writer says does not hold for the mark of this one.
    words.writer(9, 0);
    assert!(!readers[0].need(9, mark));
    // Without words of this store there is nothing to be retired by.
    WriterSide::new(&words, OTHER_STORE).begin(99, 99, WRITING_PROCESS).unwrap();
    let (mark, _) = readers[0].mark();
    assert!(!mark.has_words && readers[0].need(5, mark));
}

/// Finds a message that says for how long the wrong reader reads.
#[test]
fn it_is_known_for_how_long_the_writers_process_reads() {
    let words = Words::new(0);
    let writer = words.writer(9, 0);
    writer.note_own(Some(3));
    (&words).store(OWN_SINCE, super::super::now() - 100);
    writer.note_own(Some(3));
    assert!((100..3700).contains(&writer.own_held_for()), "{}", writer.own_held_for());
    writer.note_own(Some(4));
    assert!(writer.own_held_for() < 100);
}

/// Finds a writer that never lets its readers drop what the array holds.
#[test]
fn readers_learn_what_the_array_holds() {
    let words = Words::new(1);
    let writer = words.writer(3, 1);
    let reader = words.reader(0);
    assert_eq!(reader.held(), 1);
    writer.hold(3);
    assert_eq!(reader.held(), 3);
}

/// Finds a writer that waits for readers of newer commits, or not for those of older ones.
#[test]
fn a_commit_is_read_while_a_living_reader_reads_it_or_an_older_one() {
    let words = Words::new(2);
    let writer = words.writer(9, 0);
    let is_read = || [4, 5, 6].map(|commit| writer.is_read(commit).unwrap());
    assert_eq!(is_read(), [false; 3], "no entry has an owner that says so");
    let reader = words.reader(1);
    assert_eq!(is_read(), [false; 3], "it has the store open, and reads nothing");
    reader.say(span(0, 5, 9));
    assert_eq!(is_read(), [false, true, true]);
    words.alive.borrow_mut()[1] = false;
    assert_eq!(is_read(), [false; 3], "it has died");
    words.alive.borrow_mut()[1] = true;
    (&words).store(entry_word(1, ENTRY_STORE), OTHER_STORE);
    assert_eq!(is_read(), [false; 3], "it reads another store");
    (&words).store(entry_word(1, ENTRY_STORE), STORE_WORD);
    reader.leave();
    assert_eq!(is_read(), [false; 3], "it has left");
}

/// Finds a log that one reader, which has stopped, holds for ever.
#[test]
fn a_log_that_was_given_up_is_there_for_no_reader() {
    let words = Words::new(1);
    let writer = words.writer(9, 0);
    let reader = words.reader(0);
    let (mark, _) = reader.mark();
    assert!(reader.need(5, mark));
    assert_eq!(writer.retire(7).unwrap(), 4);
    writer.give_up(7);
    assert_eq!([7, 8].map(|commit| reader.need(commit, mark)), [false, true]);
    writer.give_up(2);
    assert!(!reader.need(7, mark), "it does not come back");
}

/// Finds a list of readers without the one that no entry has, or with one of another store.
#[test]
fn the_read_of_the_writers_own_process_is_told() {
    let words = Words::new(1);
    let writer = words.writer(9, 0);
    let others = |store| {
        let reader = ReaderSide::new(&words, store, None, READING_PROCESS);
        assert_eq!(reader.others(false).unwrap(), [], "there is no writer");
        reader.others(true).unwrap()
    };
    assert_eq!(others(STORE_WORD), []);
    writer.note_own(Some(6));
    let seen = others(STORE_WORD);
    assert_eq!(seen.iter().map(|it| (it.process, it.oldest)).collect::<Vec<_>>(), [(11, Some(6))]);
    assert!(super::super::seconds_since(seen[0].since) < 3600, "not since 1970");
    assert_eq!(others(OTHER_STORE), []);
    writer.note_own(None);
    assert_eq!(others(STORE_WORD), []);
}

/// Finds an error that names no process, or one that wrote to another store.
#[test]
fn the_process_that_writes_is_known_by_the_words_of_its_store() {
    let words = Words::new(0);
    assert_eq!(writer_of(&&words, STORE_WORD), None);
    words.writer(1, 1);
    assert_eq!(writer_of(&&words, STORE_WORD), Some(WRITING_PROCESS));
    assert_eq!(writer_of(&&words, OTHER_STORE), None);
    (&words).store(MAGIC, MAGIC_VALUE + 1);
    assert_eq!(writer_of(&&words, STORE_WORD), None, "words of another version");
    (&words).store(MAGIC, MAGIC_VALUE);
    (&words).store(WRITER, 0);
    assert_eq!(writer_of(&&words, STORE_WORD), None, "no process has this number");
}

/// Finds a reader that does not say of which of two commits with one number it is.
#[test]
fn a_reader_of_a_later_lineage_is_no_stranger() {
    let words = Words::new(1);
    words.writer(5, 5);
    let reader = words.reader(0);
    reader.say(span(reader.mark().0.lineage, 5, 5));
    let writer = words.writer(4, 4);
    assert!(writer.has_strangers().unwrap(), "it reads a commit that was lost");
    let (mark, _) = reader.mark();
    reader.say(span(mark.lineage, 4, 4));
    assert!(!writer.has_strangers().unwrap());
    assert_eq!(writer.limit(9).unwrap().map(|limit| limit.through), Some(4));
    reader.say(span(mark.lineage + 1, 4, 4));
    reader.say(None);
    assert!(!writer.has_strangers().unwrap(), "it reads nothing");
}
