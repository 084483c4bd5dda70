//! The settings that a test takes from its environment (CONTRIBUTING.md lists them).

use std::time::Duration;

/// A number from the environment, if it is set there.
///
/// # Panics
/// If what is set is not a number.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// How long a test works: `FLATREC_SECONDS`.
pub(crate) fn seconds(otherwise: u64) -> Duration {
    Duration::from_secs(number("FLATREC_SECONDS").unwrap_or(otherwise))
}

/// How many cases a test tries: `FLATREC_CASES`.
pub(crate) fn cases(otherwise: u64) -> u64 {
    number("FLATREC_CASES").unwrap_or(otherwise)
}

/// Which random numbers a test draws: `FLATREC_SEED`.
pub(crate) fn seed(otherwise: u64) -> u64 {
    number("FLATREC_SEED").unwrap_or(otherwise)
}
