//! Crash tests: random histories of stores on a simulated disk, where the power is cut, processes
//! are killed and calls fail.
//!
//! The disk is a [`Backing`](crate::io::Backing), so that the code that is tested is the code that
//! runs. What it may do to a store is written in docs/DURABILITY.md, as is what it leaves out.
//! Everything follows from a seed, so that what was found can be found again.

mod directory;
mod disk;
mod exclusive;
mod history;
mod inode;
mod model;
#[cfg(test)]
mod mutations;
mod random;
mod run;
mod transactional;
mod trouble;
#[cfg(test)]
mod troubled;
mod world;

pub use run::{CrashReport, CrashTest, Violation};
