//! The cost of sliding windows, by their size: scans and random reads with a budget of views for
//! two thirds of the file, beside one view of everything.
//!
//! 128 MB of file, 80 MiB of budget: a scan always drops the oldest windows first, so every pass
//! maps every window again; about two of three random reads find their window mapped.

mod common;

use common::{Item, RECORDS, Sample};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use flatrec::WindowedStore;

const BUDGET_BYTES: u64 = 80 << 20;
/// 64 KiB to 64 MiB.
const WINDOWS_BYTES: [u64; 6] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20];
const RANDOM_READS: usize = 20_000;

fn main() {
    let sample = Sample::make();
    let mut criterion = common::criterion();
    scan(&mut criterion, &sample);
    random(&mut criterion, &sample);
    criterion.final_summary();
}

fn scan(criterion: &mut Criterion, sample: &Sample) {
    let name = "windows: scan 1M records of 125 bytes, budget 80 MiB";
    let mut group = common::group(criterion, name, RECORDS);
    let expected = common::expected(Item::digest);

    let store = sample.open_store();
    common::measure(&mut group, "whole view", expected, || {
        store.iter().fold(0, |sum, (_, item)| sum.wrapping_add(item.digest()))
    });
    for window_bytes in WINDOWS_BYTES {
        let store = WindowedStore::<Item>::options()
            .max_mapped_bytes(BUDGET_BYTES)
            .window_bytes(window_bytes)
            .open(&sample.path);
        let store = store.expect("open windowed");
        measure(&mut group, window_bytes, expected, || {
            let items = store.iter().map(|found| found.expect("a record").1);
            items.fold(0_u64, |sum, item| sum.wrapping_add(item.digest()))
        });
        assert!(store.view_counters().mapped_bytes <= BUDGET_BYTES);
    }
    group.finish();
}

fn random(criterion: &mut Criterion, sample: &Sample) {
    let name = "windows: random get of 125 bytes, budget 80 MiB";
    let mut group = common::group(criterion, name, RANDOM_READS as u64);
    let ids = &common::shuffled_ids()[..RANDOM_READS];
    let expected = ids.iter().fold(0, |sum: u64, &id| sum.wrapping_add(Item::new(id).digest()));

    let store = sample.open_store();
    common::measure(&mut group, "whole view", expected, || {
        ids.iter().fold(0, |sum, &id| sum.wrapping_add(store.get(id).expect("a record").digest()))
    });
    for window_bytes in WINDOWS_BYTES {
        let store = WindowedStore::<Item>::options()
            .max_mapped_bytes(BUDGET_BYTES)
            .window_bytes(window_bytes)
            .open(&sample.path);
        let store = store.expect("open windowed");
        measure(&mut group, window_bytes, expected, || {
            ids.iter().fold(0, |sum, &id| {
                let item = store.get(id).expect("a window").expect("a record");
                sum.wrapping_add(item.digest())
            })
        });
        assert!(store.view_counters().mapped_bytes <= BUDGET_BYTES);
    }
    group.finish();
}

/// Measures `work` as one point of the curve over the windows' sizes, in KiB.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    window_bytes: u64,
    expected: u64,
    mut work: impl FnMut() -> u64,
) {
    let kib = window_bytes >> 10;
    assert_eq!(work(), expected, "windows of {kib} KiB give a wrong result");
    let id = BenchmarkId::new("window KiB", kib);
    group.bench_function(id, |bencher| bencher.iter(&mut work));
}
