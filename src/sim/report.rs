//! What histories did, and the promises that they saw broken.

/// What a [`CrashTest`](super::CrashTest) did, and what it found.
///
/// ```
/// let report = flatrec::sim::CrashTest::new(1).histories(1).run(|_| {});
/// assert!(report.recoveries > 0);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CrashReport {
    /// Histories lived through.
    pub histories: u64,
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Times that the power was cut.
    pub power_cuts: u64,
    /// Times that the process was killed.
    pub kills: u64,
    /// Calls that were made to fail.
    pub failed_calls: u64,
    /// Times that a store was opened, to write, on a disk without room for what it wanted to make.
    pub opened_without_room: u64,
    /// Bytes of stores at rest that were changed behind their backs.
    pub damaged_bytes: u64,
    /// Times that a store was opened after one of these and held against what it must hold.
    pub recoveries: u64,
    /// Promises that were broken.
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
    /// The history's seed: `CrashTest::new(seed).histories(1)` is this history again.
    pub seed: u64,
    /// What was found, and what should have been.
    pub what: String,
    /// What happened before, down to the calls on the disk.
    pub steps: Vec<String>,
}

impl CrashReport {
    /// Counts another history's report in.
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
