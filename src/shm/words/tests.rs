//! Waiters for the bell: when they wake, and how often they look.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::channel;

use super::*;
use crate::io::{Access, Backing, FileBacking};

const CHANGE: usize = 0;
const BELL: usize = 1;
const WAITERS: usize = 2;

/// A waiter that no bell wakes looks again after a second.
const UNWOKEN: Duration = Duration::from_secs(1);

fn words() -> Arc<SharedWords> {
    Arc::new(SharedWords::in_memory(3))
}

/// Finds readers that learn of a commit only when they look by themselves, each second.
#[test]
fn a_waiter_wakes_when_the_bell_rings() {
    const TIMES: u32 = 6;
    let started = Instant::now();
    for _ in 0..TIMES {
        let words = words();
        let (looks, looked) = channel();
        let waiting = Arc::clone(&words);
        let waiter = std::thread::spawn(move || {
            waiting.wait_until(BELL, WAITERS, 60 * UNWOKEN, || {
                looks.send(()).unwrap();
                Ok(waiting.load(CHANGE) != 0)
            })
        });
        looked.recv().unwrap();
        assert_eq!(words.load(WAITERS), 1, "it is counted as long as it waits");
        // Time to fall asleep, without which any waiter finds the change.
        std::thread::sleep(UNWOKEN / 50);
        words.store(CHANGE, 1);
        words.ring(BELL, WAITERS);
        assert!(waiter.join().unwrap().unwrap());
        assert_eq!(words.load(WAITERS), 0);
    }
    assert!(started.elapsed() < TIMES * UNWOKEN / 2, "{:?}", started.elapsed());
}

/// Finds a bell that costs a system call for each commit though no reader waits.
#[test]
fn a_bell_without_waiters_stays_silent() {
    let words = words();
    words.ring(BELL, WAITERS);
    assert_eq!(words.load(BELL), 0);
    words.store(WAITERS, 1);
    words.ring(BELL, WAITERS);
    assert_ne!(words.load(BELL), 0);
}

/// Finds a waiter that keeps a processor busy, or waits for longer than it was told.
#[test]
fn a_waiter_sleeps_until_its_time_is_over() {
    let words = words();
    let looks = AtomicU32::new(0);
    let started = Instant::now();
    let waited = words.wait_until(BELL, WAITERS, UNWOKEN / 5, || {
        looks.fetch_add(1, Ordering::Relaxed);
        Ok(false)
    });
    assert!(!waited.unwrap());
    let (looks, lasted) = (looks.load(Ordering::Relaxed), started.elapsed());
    assert!(looks <= 4 && (UNWOKEN / 5..UNWOKEN * 9 / 10).contains(&lasted), "{looks}, {lasted:?}");
}

/// A reader that may not write the lock file cannot count itself, so no bell rings for it. Finds
/// one that looks as seldom as the others.
#[test]
fn a_waiter_that_may_not_write_looks_by_itself() {
    let file = FileBacking::temporary(4096).unwrap();
    let view = |access| file.view(0, 4096, access).unwrap();
    let words = SharedWords::of_view(view(Access::ReadWrite)).unwrap();
    let seen = SharedWords::of_view(view(Access::ReadOnly)).unwrap();
    let started = Instant::now();
    let mut looks = 0;
    let waited = seen.wait_until(BELL, WAITERS, 60 * UNWOKEN, || {
        looks += 1;
        words.store(CHANGE, looks);
        Ok(seen.load(CHANGE) == 4)
    });
    assert!(waited.unwrap());
    assert!(started.elapsed() < UNWOKEN, "{:?}", started.elapsed());
    assert_eq!(words.load(WAITERS), 0);
}

/// Finds words that a processor cannot read and write as a whole.
#[test]
fn words_begin_on_multiples_of_their_length() {
    let file = FileBacking::temporary(4096).unwrap();
    let words = |offset| SharedWords::of_view(file.view(offset, 64, Access::ReadOnly).unwrap());
    assert_eq!(words(64).unwrap().len(), 8);
    assert_eq!(words(65).unwrap_err().kind(), ErrorKind::InvalidArgument);
}
