//! Watches and their thread. In tests the thread looks by itself only once an hour, so a bell that
//! nothing rings, or a commit that a watch misses, makes a test fail.

use super::super::lock_words::LockWords;
use super::super::protocol::{BELL, FIRST_ENTRY, PUBLISHED, Shared as _, WAITERS, WriterSide};
use super::*;
use crate::io::{Access, Backing as _, FileBacking};

const LONG: Duration = Duration::from_secs(60);

fn writer() -> WriterSide<LockWords> {
    let writer = WriterSide::new(LockWords::in_memory(), 7);
    writer.begin(0, 0, 1).unwrap();
    writer
}

fn watched(writer: &WriterSide<LockWords>) -> WatchedWords {
    WatchedWords::of(writer.shared(), writer.store())
}

fn watch_of(writer: &WriterSide<LockWords>) -> ServedWatch {
    ServedWatch::new(watched(writer)).unwrap()
}

impl ServedWatch {
    fn is_set(&self) -> bool {
        self.watch.signal().wait(Duration::ZERO).unwrap()
    }

    fn becomes_set(&self) -> bool {
        self.watch.signal().wait(LONG).unwrap()
    }

    fn arm(&self) {
        self.watch.arm(|| true).unwrap();
    }
}

/// Finds a commit that rings no bell, or a thread that sleeps through one.
#[test]
fn the_bell_of_each_commit_sets_an_armed_watch() {
    let writer = writer();
    let watch = watch_of(&writer);
    for commit in 1..300 {
        watch.arm();
        assert!(!watch.is_set());
        writer.publish(commit);
        assert!(watch.becomes_set(), "commit {commit}");
    }
    // A writer that opens the store, too: it may have found fewer commits.
    watch.arm();
    writer.begin(299, 0, 1).unwrap();
    assert!(watch.becomes_set());
}

/// The commit comes between the two steps of arming. Finds a watch that looks at the words, or
/// counts itself, too late.
#[test]
fn a_commit_while_a_watch_is_armed_sets_it() {
    let writer = writer();
    let watch = watch_of(&writer);
    for commit in 1..100 {
        // Asked just before the commit, the answer is still yes.
        let answer_before_the_commit = || {
            writer.publish(commit);
            true
        };
        watch.watch.arm(answer_before_the_commit).unwrap();
        assert!(watch.becomes_set(), "commit {commit}");
    }
    watch.watch.arm(|| false).unwrap();
    assert!(watch.is_set(), "the owner does not know the newest commit");
}

/// Finds a watch that costs the writer a system call a commit although its signal is set.
#[test]
fn only_an_armed_watch_is_counted() {
    let writer = writer();
    let word = |word| writer.shared().load(word);
    let watch = watch_of(&writer);
    assert!(watch.is_set());
    assert_eq!(word(WAITERS), 0);
    for commit in 1..4 {
        watch.arm();
        watch.arm();
        assert_eq!(word(WAITERS), 1);
        writer.publish(2 * commit);
        assert!(watch.becomes_set());
        assert_eq!(word(WAITERS), 0);
        let bell = word(BELL);
        writer.publish(2 * commit + 1);
        assert_eq!(word(BELL), bell, "the writer rang for no waiter");
        watch.watch.arm(|| false).unwrap();
        assert_eq!(word(WAITERS), 0);
    }
    watch.arm();
    let other = watch_of(&writer);
    other.arm();
    assert_eq!(word(WAITERS), 2);
    drop((watch, other));
    assert_eq!(word(WAITERS), 0);
}

/// Finds a watch that another store's writer wakes with each commit.
#[test]
fn the_commits_of_another_store_set_no_watch() {
    let writer = writer();
    let stranger = WriterSide::new(LockWords::in_memory(), 8);
    stranger.begin(0, 0, 1).unwrap();
    let watch = ServedWatch::new(WatchedWords::of(stranger.shared(), 7)).unwrap();
    let own = watch_of(&writer);
    watch.arm();
    own.arm();
    (1..10).for_each(|commit| stranger.publish(commit));
    writer.publish(1);
    assert!(own.becomes_set());
    assert!(!watch.is_set());
    stranger.begin(10, 10, 1).unwrap();
    assert!(watch.becomes_set(), "a writer has opened the store that took this one's place");
}

/// A reader that may not write the words is not counted, and no bell rings for it. Finds a watch
/// that waits for one, beside a watch with a bell or alone.
#[test]
fn the_thread_looks_at_words_that_it_may_not_write() {
    let words = FIRST_ENTRY * size_of::<u64>();
    let file = FileBacking::temporary(words as u64).unwrap();
    let view = |access| SharedWords::of_view(file.view(0, words, access).unwrap()).unwrap();
    let (words, seen) = (view(Access::ReadWrite), view(Access::ReadOnly));
    let watch = ServedWatch::new(WatchedWords::of_words(seen, 0)).unwrap();
    let with_bell = watch_of(&writer());
    with_bell.arm();
    for commit in 1..20 {
        watch.arm();
        assert!(!watch.is_set());
        words.store(PUBLISHED, commit);
        assert!(watch.becomes_set(), "commit {commit}");
    }
    assert_eq!(words.load(WAITERS), 0);
    drop(with_bell);
    watch.arm();
    words.store(PUBLISHED, 100);
    assert!(watch.becomes_set());
}

/// Finds a watch that is forgotten because the system can wait for fewer words.
#[test]
fn more_stores_than_the_system_can_wait_for_are_watched() {
    let writers: Vec<_> = (0..2 * os::WORDS_MAX).map(|_| writer()).collect();
    let watches: Vec<_> = writers.iter().map(watch_of).collect();
    watches.iter().for_each(ServedWatch::arm);
    for (writer, watch) in writers.iter().zip(&watches) {
        assert!(!watch.is_set());
        writer.publish(1);
        assert!(watch.becomes_set());
    }
    drop(watches);
    assert!(writers.iter().all(|writer| writer.shared().load(WAITERS) == 0));
}

/// Finds a thread that outlives its watches, one a watch, or one that does not come back. Also by
/// looking alone, as on systems that cannot wait for several words.
#[test]
fn the_thread_lives_from_the_first_watch_to_the_last() {
    for can_wait in [true, false] {
        let by = Arc::new(BellThread::new(std::process::id()));
        by.can_wait.store(can_wait, Ordering::Relaxed);
        let served = |writer: &WriterSide<LockWords>| {
            let watch = Arc::new(Watch::new(watched(writer)).unwrap());
            by.enter(Arc::clone(&watch)).unwrap();
            ServedWatch { watch, by: Arc::clone(&by) }
        };
        // The thread, the watches and this function share it.
        let others = || Arc::strong_count(&by) - 1;
        for round in 1..5 {
            assert_eq!(others(), 0);
            let writers: Vec<_> = (0..round * 3).map(|_| writer()).collect();
            let watches: Vec<_> = writers.iter().map(&served).collect();
            assert_eq!(others(), 1 + watches.len());
            for (writer, watch) in writers.iter().zip(watches) {
                watch.arm();
                writer.publish(1);
                assert!(watch.becomes_set());
            }
            assert!(by.lock().thread.is_none());
        }
        assert_eq!(others(), 0);
    }
}

/// Finds watches that get in each other's way, and a thread that misses one.
#[test]
fn watches_come_and_go_beside_commits() {
    let writer = writer();
    let published = || writer.shared().load(PUBLISHED);
    thread::scope(|scope| {
        let come_and_go = || {
            for _ in 0..50 {
                let watch = watch_of(&writer);
                let known = published();
                watch.watch.arm(|| published() == known).unwrap();
                assert!(watch.becomes_set());
                assert!(published() > known);
            }
        };
        let followers: Vec<_> = (0..4).map(|_| scope.spawn(come_and_go)).collect();
        let mut commit = 0;
        while followers.iter().any(|follower| !follower.is_finished()) {
            commit += 1;
            writer.publish(commit);
            thread::yield_now();
        }
    });
}
