//! The settings of the tests in the environment (CONTRIBUTING.md lists them).

use std::time::Duration;

/// A number from the environment, if it is set.
///
/// # Panics
/// If the value is not a number.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// The duration of a test: `FLATREC_SECONDS`.
pub(crate) fn seconds(otherwise: u64) -> Duration {
    Duration::from_secs(number("FLATREC_SECONDS").unwrap_or(otherwise))
}

/// The number of cases of a test: `FLATREC_CASES`.
pub(crate) fn cases(otherwise: u64) -> u64 {
    number("FLATREC_CASES").unwrap_or(otherwise)
}

/// The seed of a test's random numbers: `FLATREC_SEED`.
pub(crate) fn seed(otherwise: u64) -> u64 {
    number("FLATREC_SEED").unwrap_or(otherwise)
}
