//! Walks through the records for which a condition is true.

mod copies;
mod handles;
mod matches;
#[cfg(feature = "rayon")]
mod parallel;
mod parts;
mod verdicts;

pub use copies::MatchingCopies;
pub use matches::Matches;
#[cfg(test)]
pub(super) use verdicts::Verdicts;
