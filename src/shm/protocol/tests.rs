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
}

impl Words {
    fn new(entries: usize) -> Self {
        let words = RefCell::new(vec![0; FIRST_ENTRY + entries * ENTRY_WORDS]);
        Self { words, alive: RefCell::new(vec![true; entries]), rings: Cell::new(0) }
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

    fn has_other_names(&self, _: &[u64]) -> Result<bool> {
        Ok(false)
    }

    fn ring(&self) {
        self.rings.set(self.rings.get() + 1);
    }
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
}
