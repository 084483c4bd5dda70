//! Random histories of stores on a simulated disk: power cuts, killed processes, failing calls.
//! `FLATREC_HISTORIES` says how many, `FLATREC_SEED` which seed is the first.

#![cfg(feature = "sim")]

mod support;

use flatrec::sim::CrashTest;
use support::settings;

/// Finds a history after which a store lacks an acknowledged commit, or shows a part of one.
#[test]
fn no_history_breaks_a_promise() {
    let default = if cfg!(debug_assertions) { 150 } else { 1500 };
    let histories = settings::number("FLATREC_HISTORIES").unwrap_or(default);
    let seed = settings::seed(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = CrashTest::new(seed).histories(histories).threads(threads).run(|_| {});
    if let Some(violation) = report.violations.first() {
        println!("{}", violation.steps.join("\n"));
        panic!("seed {}: {}", violation.seed, violation.what);
    }
    assert_eq!(report.histories, histories);
    // Histories without such events would test nothing.
    assert!(report.commits > 5 * histories && report.recoveries > histories, "{report:?}");
    let (without_room, damaged) = (report.opened_without_room, report.damaged_bytes);
    assert!(without_room > histories / 50 && damaged > histories / 50, "{report:?}");
    assert!(report.power_cuts > histories / 2 && report.kills > histories / 4, "{report:?}");
}
