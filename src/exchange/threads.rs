//! How many threads work on a text.

use std::num::NonZero;
use std::thread;

/// More threads than this would wait for the one that reads and writes.
const THREADS_MAX: usize = 8;

/// As many threads as the machine has processors, up to a limit.
pub(super) fn by_default() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX)
}
