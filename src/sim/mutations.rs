//! Breaks each step of the protocol on purpose: the simulation must notice.

use super::CrashTest;
use crate::step::{Step, without};

/// How many histories may pass before one shows that something is broken.
const HISTORIES: u64 = 1500;

fn found(steps: &[Step]) -> Option<(u64, String)> {
    let test = CrashTest::new(1).histories(HISTORIES);
    let report = without(steps, || test.run(|_| {}));
    let violation = report.violations.into_iter().next()?;
    Some((report.histories, violation.what))
}

#[test]
#[ignore]
fn survey() {
    use Step::*;
    let mut all: Vec<Vec<Step>> = [LogSync, CheckpointLogSync, Poison, SegmentSync, SegmentZeroSync, SegmentNameSync, GrowthSync, BulkSync, CheckpointDataSync, HeaderSync, OtherSlot, HeaderLast, ReleaseLast, RecoverySync, AbsorbSync, FlushDataSync, SnapshotTarget, BlockCheck, Settle, SumsSync].iter().map(|s| vec![*s]).collect();
    all.push(vec![SaltCheck, ChainCheck, NumberCheck]);
    all.push(vec![SaltCheck, NumberCheck]);
    all.push(vec![ChainCheck, NumberCheck]);
    all.push(vec![SaltCheck, ChainCheck]);
    for step in all {
        let t = std::time::Instant::now();
        let f = found(&step);
        eprintln!("{step:?}: {:?} {:?}", t.elapsed(), f.map(|(n, w)| (n, w.chars().take(150).collect::<String>())));
    }
}
