//! The words of a lock file: when they are made, and how far each handle sees them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::protocol::PUBLISHED;
use super::*;
use crate::os::skip::skip;

const WORD_BYTES: u64 = 8;

fn lock_file(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}

fn open(data: &Path) -> Arc<SideLock> {
    Arc::new(SideLock::open_or_create(data).unwrap())
}

fn words_in(lock: &Arc<SideLock>) -> LockWords {
    LockWords::open(lock).unwrap().unwrap()
}

/// Finds a handle that makes words where it may only look, one that reads past the end of a lock
/// file without words, and one that overlooks words.
#[test]
fn words_are_found_in_a_file_that_is_long_enough() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("x.rec");
    std::fs::write(&data, b"data").unwrap();
    let lock = open(&data);
    let file = std::fs::File::options().write(true).open(lock_file(&data)).unwrap();
    let page = FIRST_ENTRY as u64 * WORD_BYTES;
    for (len_bytes, are_there) in
        [(0, false), (WORD_BYTES, false), (page - 1, false), (page, true), (2 * page, true)]
    {
        file.set_len(len_bytes).unwrap();
        let found = LockWords::open_if_there(&lock).unwrap();
        assert_eq!(found.is_some(), are_there, "{len_bytes} bytes");
        if !are_there {
            assert_eq!(file.metadata().unwrap().len(), len_bytes, "it has only looked");
        }
    }
}

/// Does `work` on a thread that has lost root's right to write every file.
#[cfg(target_os = "linux")]
fn bound_by_permissions<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let bound = || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::DAC_OVERRIDE);
        set_capabilities(None, sets).unwrap();
        work()
    };
    std::thread::scope(|threads| threads.spawn(bound).join().unwrap())
}

#[cfg(not(target_os = "linux"))]
fn bound_by_permissions<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// As above, for a user that may not write the lock file.
#[test]
fn a_handle_that_may_not_write_makes_no_words() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("x.rec");
    std::fs::write(&data, b"data").unwrap();
    drop(open(&data));
    let file = std::fs::File::options().write(true).open(lock_file(&data)).unwrap();
    let permitted = file.metadata().unwrap().permissions();
    let mut refused = permitted.clone();
    refused.set_readonly(true);
    std::fs::set_permissions(lock_file(&data), refused).unwrap();
    let lock = bound_by_permissions(|| SideLock::open_for_reading(&data).unwrap().unwrap());
    std::fs::set_permissions(lock_file(&data), permitted).unwrap();
    let lock = Arc::new(lock);
    if lock.is_writable() {
        return skip!("this user may write to every file");
    }
    let page = FIRST_ENTRY as u64 * WORD_BYTES;
    for (len_bytes, are_there) in [(0, false), (WORD_BYTES, false), (page, true), (2 * page, true)]
    {
        file.set_len(len_bytes).unwrap();
        let found = LockWords::open(&lock).unwrap();
        assert_eq!(found.is_some(), are_there, "{len_bytes} bytes");
    }
}

/// Finds a writer that overlooks readers whose entries were added after it had opened the store,
/// and readers that have no room for an entry.
#[test]
fn entries_that_are_added_are_seen_by_all() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("x.rec");
    std::fs::write(&data, b"data").unwrap();
    let writer = words_in(&open(&data));
    let entries = |words: &LockWords| {
        let entries = words.entries().unwrap();
        let len_bytes = std::fs::metadata(lock_file(&data)).unwrap().len();
        let len_words = usize::try_from(len_bytes / WORD_BYTES).unwrap();
        assert_eq!(entries, (len_words - FIRST_ENTRY) / ENTRY_WORDS);
        entries
    };
    let holder = open(&data);
    let mut taken = 0;
    let mut readers = Vec::new();
    for process in 1..=3 {
        let before = entries(&writer);
        assert!(taken < before, "the last reader has added entries");
        // Others take all that there are.
        for entry in taken..before {
            assert!(holder.try_lock_entry(entry as u64).unwrap());
        }
        assert!(!writer.is_alive(before).unwrap());
        assert_eq!(writer.load(entry_word(before, ENTRY_PROCESS)), 0);
        let (words, entry) = words_in(&open(&data)).take_entry().unwrap();
        assert_eq!(entry, before);
        words.store(entry_word(entry, ENTRY_PROCESS), process);
        assert!(entries(&writer) > before);
        assert_eq!(writer.load(entry_word(entry, ENTRY_PROCESS)), process);
        assert!(writer.is_alive(entry).unwrap() && !writer.is_alive(entry + 1).unwrap());
        assert!(writer.is_alive(0).unwrap());
        taken = before + 1;
        readers.push((words, entry));
    }
    writer.store(PUBLISHED, 7);
    for (words, entry) in readers {
        assert_eq!(words.load(PUBLISHED), 7, "they share the other words");
        drop(words);
        assert!(!writer.is_alive(entry).unwrap(), "later ones live on");
    }
}

/// Finds a reader that waits without being counted, or that no commit wakes.
#[test]
fn a_writer_rings_for_a_waiter_of_another_handle() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("x.rec");
    std::fs::write(&data, b"data").unwrap();
    let (writer, reader) = (words_in(&open(&data)), words_in(&open(&data)));
    writer.ring();
    assert_eq!(reader.load(BELL), 0, "none waits");
    let mut counted = 0;
    let mut look = || {
        counted = writer.load(WAITERS);
        writer.ring();
        Ok(false)
    };
    assert!(!reader.wait_until(Duration::ZERO, &mut look).unwrap());
    assert_eq!((counted, writer.load(WAITERS)), (1, 0));
    assert_ne!(reader.load(BELL), 0);
    assert!(reader.wait_until(Duration::ZERO, || Ok(true)).unwrap());
}

/// Finds a writer that takes room on the disk for each byte of a lock file that has become long.
#[test]
fn a_long_lock_file_has_no_more_entries_than_there_may_be_readers() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("x.rec");
    std::fs::write(&data, b"data").unwrap();
    let words = words_in(&open(&data));
    let file = std::fs::File::options().write(true).open(lock_file(&data)).unwrap();
    file.set_len(4 * ENTRIES_MAX * ENTRY_WORDS as u64 * WORD_BYTES).unwrap();
    assert_eq!(words.entries().unwrap() as u64, ENTRIES_MAX);
}
