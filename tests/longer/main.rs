//! Random histories, threads, and calls that fail: tests that find more the longer they run, which
//! `PROPTEST_CASES` and `FLATREC_SECONDS` set. They are a program of their own because `.ci/run`
//! runs them for long, and for that builds this program alone with optimisation.

#[path = "../support/mod.rs"]
mod support;

mod database_faults;
mod database_model;
mod database_threads;
mod exchange_round_trip;
mod format_properties;
mod model;
