//! Random histories, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::history;
use super::report::{CrashReport, Violation};
use super::world::World;

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// A test of the promises that commits survive: random histories of stores on a simulated disk,
/// with power cuts, killed processes and failing calls at the worst of moments.
///
/// What a history does follows from its seed. Each opens a store several times, commits, rolls
/// back, checkpoints, takes snapshots, and is cut short; whatever it finds afterwards must be the
/// state after a commit, whole, with nothing missing that was promised.
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
    /// Histories of the seeds from `seed` on, until one breaks a promise or nobody wants more: 100
    /// of them unless said.
    pub fn new(seed: u64) -> Self {
        Self { seed, histories: None, time_limit: None, violations_max: 1 }
    }

    /// Ends after so many histories.
    pub fn histories(mut self, histories: u64) -> Self {
        self.histories = Some(histories);
        self
    }

    /// Ends after this time, with the history that is under way then.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Goes on until so many histories have broken a promise; 1 unless said.
    pub fn violations_max(mut self, violations: usize) -> Self {
        self.violations_max = violations.max(1);
        self
    }

    /// Lives through the histories; `progress` is told now and then how far it has come.
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

/// Lives through a history; what it did, and what went wrong.
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

/// Lives through the history again, and writes down what happens.
fn explain(seed: u64, what: String) -> Violation {
    let mut world = World::new(seed, true);
    let again = live(&mut world);
    let mut steps = world.disk.take_trace();
    if again.as_ref() != Some(&what) {
        steps.push(format!("(this time: {})", again.as_deref().unwrap_or("nothing was wrong")));
    }
    Violation { seed, what, steps }
}
