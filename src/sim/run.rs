//! Random histories, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
}

impl CrashTest {
    /// Histories of the seeds from `seed` on, until one breaks a promise or a limit is reached. The
    /// default limit is 100 histories.
    pub fn new(seed: u64) -> Self {
        Self { seed, histories: None, time_limit: None, violations_max: 1 }
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

    /// Runs the histories; calls `progress` with the report now and then.
    pub fn run(&self, mut progress: impl FnMut(&CrashReport)) -> CrashReport {
        let start = Instant::now();
        let mut told = start;
        let mut total = CrashReport::default();
        let histories = match (self.histories, self.time_limit) {
            (Some(histories), _) => histories,
            (None, Some(_)) => u64::MAX,
            (None, None) => 100,
        };
        while total.histories < histories && total.violations.len() < self.violations_max {
            if self.time_limit.is_some_and(|limit| start.elapsed() >= limit) {
                break;
            }
            let seed = self.seed.wrapping_add(total.histories);
            let (report, broken) = one(seed, false);
            total.add(&report);
            if let Some(what) = broken {
                total.violations.push(explain(seed, what));
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                progress(&total);
            }
        }
        total
    }
}

/// Runs a history, and returns its report and what went wrong.
fn one(seed: u64, traced: bool) -> (CrashReport, Option<String>) {
    let mut world = World::new(seed, traced);
    let broken = live(&mut world);
    (world.report, broken)
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
