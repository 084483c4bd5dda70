//! Crash tests: random histories of stores on a simulated disk, with power cuts, killed processes
//! and failing calls.
//!
//! Invariants:
//!
//! - The disk is a [`Backing`](crate::io::Backing), so the test runs the production code.
//!   docs/DURABILITY.md says what the disk may do to a store, and what it leaves out.
//! - Everything follows from a seed, so every finding can be repeated.
//! - A history stops at the first broken promise; a call that fails without a cause is one.
//!
//! A *world* is the disk, the store and the expectations of one history. Lives of the store
//! (`exclusive`, `transactional`) and the events between them (`trouble`) act on the world,
//! `history` combines them, and `run` goes from seed to seed.

#[cfg(test)]
mod cuts;
mod damage;
mod directory;
mod disk;
mod exclusive;
mod history;
mod inode;
#[cfg(test)]
mod leftovers;
mod model;
#[cfg(test)]
mod mutations;
mod random;
mod report;
mod room;
mod run;
mod transactional;
mod trouble;
#[cfg(test)]
mod troubled;
mod world;

pub use report::{CrashReport, Violation};
pub use run::CrashTest;
