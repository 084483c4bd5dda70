//! The results of histories, and the broken promises.

/// The result of a [`CrashTest`](super::CrashTest).
///
/// ```
/// let report = flatrec::sim::CrashTest::new(1).histories(1).run(|_| {});
/// assert!(report.recoveries > 0);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CrashReport {
    /// Histories run.
    pub histories: u64,
    /// Acknowledged commits.
    pub commits: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Kills of the process.
    pub kills: u64,
    /// Calls that failed on purpose.
    pub failed_calls: u64,
    /// How often a store was opened for writing on a disk too full for it.
    pub opened_without_room: u64,
    /// Bytes of closed stores that were changed without their knowledge.
    pub damaged_bytes: u64,
    /// How often a store was opened after one of these and compared with what it must hold.
    pub recoveries: u64,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

/// A history in which the store broke a promise.
///
/// ```
/// let report = flatrec::sim::CrashTest::new(1).histories(1).run(|_| {});
/// for violation in &report.violations {
///     println!("seed {}: {}", violation.seed, violation.what);
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// The history's seed: `CrashTest::new(seed).histories(1)` repeats the history.
    pub seed: u64,
    /// What was found, and what was expected.
    pub what: String,
    /// The events before, including the calls on the disk.
    pub steps: Vec<String>,
}

impl CrashReport {
    /// Adds another history's report.
    pub(super) fn add(&mut self, history: &Self) {
        self.histories += 1;
        self.commits += history.commits;
        self.power_cuts += history.power_cuts;
        self.kills += history.kills;
        self.failed_calls += history.failed_calls;
        self.opened_without_room += history.opened_without_room;
        self.damaged_bytes += history.damaged_bytes;
        self.recoveries += history.recoveries;
    }
}
