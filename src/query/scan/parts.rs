//! Parts of a range of records, counted by several threads.

use std::ops::Range;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::error::{Error, Result};

/// How many bytes of records a thread counts at a time.
const PART_BYTES: u64 = 4 << 20;

/// The sum of the counts of all parts of `ids`, by up to `threads` threads, this one among them. It
/// does all the work if the system gives it no other.
///
/// # Errors
/// The error of the first part that has one.
pub(super) fn count(
    ids: Range<u64>,
    stride: usize,
    threads: usize,
    count_part: impl Fn(Range<u64>) -> Result<u64> + Sync,
) -> Result<u64> {
    let part = (PART_BYTES / stride as u64).max(1);
    let parts = ids.end.saturating_sub(ids.start).div_ceil(part);
    let next = AtomicU64::new(0);
    let work = || -> (u64, Option<(u64, Error)>) {
        let mut count = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= parts {
                return (count, None);
            }
            let start = ids.start + number * part;
            match count_part(start..ids.end.min(start.saturating_add(part))) {
                Ok(counted) => count += counted,
                Err(error) => {
                    // All parts before this one were begun, and will be counted to their ends.
                    next.store(parts, Ordering::Relaxed);
                    return (count, Some((number, error)));
                }
            }
        }
    };
    let counted = thread::scope(|scope| {
        let others: Vec<_> = (1..parts.min(threads as u64))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut counted = vec![work()];
        for other in others {
            match other.join() {
                Ok(found) => counted.push(found),
                Err(message) => panic::resume_unwind(message),
            }
        }
        counted
    });
    let (counts, errors): (Vec<u64>, Vec<_>) = counted.into_iter().unzip();
    match errors.into_iter().flatten().min_by_key(|(number, _)| *number) {
        Some((_, error)) => Err(error),
        None => Ok(counts.iter().sum()),
    }
}
