//! Random histories, on one thread or on several.

use std::iter::from_fn;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::history;
use super::report::{CrashReport, Violation};
use super::world::World;

/// The time between two progress reports.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// A test of the promise that commits survive: random histories of stores on a simulated disk, with
/// power cuts, killed processes and failing calls at the worst moments.
///
/// A history follows from its seed. It opens a store several times, commits, rolls back,
/// checkpoints, takes snapshots, and is interrupted. Afterwards the store must be exactly in the
/// state after a commit, with all promised commits.
///
/// ```
/// use flatrec::sim::CrashTest;
/// let report = CrashTest::new(7).histories(3).run(|_| {});
/// assert_eq!(report.histories, 3);
/// assert!(report.violations.is_empty(), "{:?}", report.violations);
/// ```
#[derive(Clone, Debug)]
pub struct CrashTest {
    seed: u64,
    histories: Option<u64>,
    time_limit: Option<Duration>,
    violations_max: usize,
    threads: usize,
}

impl CrashTest {
    /// Histories of the seeds from `seed` on, until one breaks a promise or a limit is reached. The
    /// default limit is 100 histories.
    pub fn new(seed: u64) -> Self {
        Self { seed, histories: None, time_limit: None, violations_max: 1, threads: 1 }
    }

    /// Ends after so many histories.
    pub fn histories(mut self, histories: u64) -> Self {
        self.histories = Some(histories);
        self
    }

    /// Ends after this time, at the end of the running history.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Ends after so many histories have broken a promise; the default is 1.
    pub fn violations_max(mut self, violations: usize) -> Self {
        self.violations_max = violations.max(1);
        self
    }

    /// Runs so many histories at a time, each on a thread; the default is 1, the caller's thread.
    ///
    /// # Panics
    ///
    /// If `threads` is 0.
    ///
    /// ```
    /// use flatrec::sim::CrashTest;
    /// let test = CrashTest::new(7).histories(9);
    /// let (one, three) = (test.run(|_| {}), test.clone().threads(3).run(|_| {}));
    /// assert_eq!((one.histories, one.commits), (three.histories, three.commits));
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "a crash test needs a thread");
        self.threads = threads;
        self
    }

    /// Runs the histories; calls `progress` with the report now and then.
    pub fn run(&self, progress: impl FnMut(&CrashReport)) -> CrashReport {
        let histories = match (self.histories, self.time_limit) {
            (Some(histories), _) => histories,
            (None, Some(_)) => u64::MAX,
            (None, None) => 100,
        };
        let mut results =
            Results { test: self, total: CrashReport::default(), progress, told: Instant::now() };
        let start = Instant::now();
        let late = || self.time_limit.is_some_and(|limit| start.elapsed() >= limit);
        let next = AtomicU64::new(0);
        let take = || {
            let number = next.fetch_add(1, Ordering::Relaxed);
            (number < histories && !late()).then(|| self.seed.wrapping_add(number))
        };
        if self.threads == 1 {
            let _ = from_fn(take).map(one).try_for_each(|end| results.add(end));
        } else {
            thread::scope(|threads| {
                // Without room for finished histories, each thread sees soon that the test ends.
                let (sender, receiver) = mpsc::sync_channel(0);
                for _ in 0..self.threads {
                    let sender = sender.clone();
                    threads.spawn(move || {
                        // An error says that the test has ended.
                        let _ = from_fn(take).map(one).try_for_each(|end| sender.send(end));
                    });
                }
                drop(sender);
                let _ = receiver.into_iter().try_for_each(|end| results.add(end));
            });
        }
        results.total.violations.sort_by_key(|violation| violation.seed);
        results.total
    }
}

/// What the histories so far have shown.
struct Results<'a, P> {
    test: &'a CrashTest,
    total: CrashReport,
    progress: P,
    /// When it was last told.
    told: Instant,
}

impl<P: FnMut(&CrashReport)> Results<'_, P> {
    /// Adds a history; breaks when enough of them have broken a promise.
    fn add(&mut self, end: End) -> ControlFlow<()> {
        self.total.add(&end.report);
        if let Some(what) = end.broken {
            self.total.violations.push(explain(end.seed, what));
        }
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            (self.progress)(&self.total);
        }
        if self.total.violations.len() < self.test.violations_max {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// How a history ended.
struct End {
    seed: u64,
    report: CrashReport,
    /// The broken promise.
    broken: Option<String>,
}

fn one(seed: u64) -> End {
    let mut world = World::new(seed, false);
    let broken = live(&mut world);
    End { seed, report: world.report, broken }
}

fn live(world: &mut World) -> Option<String> {
    let lived = catch_unwind(AssertUnwindSafe(|| history::live(world)));
    match lived {
        Ok(Ok(())) => None,
        Ok(Err(what)) => Some(what),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("panicked: {}", text.unwrap_or("without a word")))
        }
    }
}

/// Runs the history again with a trace.
fn explain(seed: u64, what: String) -> Violation {
    let mut world = World::new(seed, true);
    let again = live(&mut world);
    let mut steps = world.disk.take_trace();
    if again.as_ref() != Some(&what) {
        steps.push(format!("(this time: {})", again.as_deref().unwrap_or("no fault")));
    }
    Violation { seed, what, steps }
}
