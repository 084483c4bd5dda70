//! Threads of a test that wait for one another, and that fail instead of hanging.

use std::sync::{Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// What has happened in a test.
#[derive(Debug, Default)]
pub(crate) struct Script {
    reached: Mutex<Vec<&'static str>>,
    changed: Condvar,
}

impl Script {
    pub(crate) fn reach(&self, what: &'static str) {
        self.reached.lock().unwrap().push(what);
        self.changed.notify_all();
    }

    pub(crate) fn has(&self, what: &'static str) -> bool {
        self.reached.lock().unwrap().contains(&what)
    }

    /// Returns whether it happens in time.
    pub(crate) fn is_reached(&self, what: &'static str, at_most: Duration) -> bool {
        let reached = self.reached.lock().unwrap();
        let wait = |all: &mut Vec<_>| !all.contains(&what);
        !self.changed.wait_timeout_while(reached, at_most, wait).unwrap().1.timed_out()
    }

    /// Waits until it has happened, and fails if that takes longer.
    pub(crate) fn wait(&self, what: &'static str, at_most: Duration) {
        assert!(self.is_reached(what, at_most), "this did not happen: {what}");
    }
}

/// Does `work` in a thread, and returns what it returns. Fails if that takes longer than `limit`.
pub(crate) fn ends_within<V: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> V + Send + 'static,
) -> V {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = work();
        done.send(()).unwrap();
        result
    });
    match wait.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap(),
    }
}
