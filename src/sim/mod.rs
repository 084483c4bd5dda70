//! Crash tests: random histories of stores on a simulated disk, where the power is cut, processes
//! are killed and calls fail.
//!
//! What holds of all of them:
//!
//! - The disk is a [`Backing`](crate::io::Backing), so that the code that is tested is the code
//!   that runs. What it may do to a store is written in docs/DURABILITY.md, as is what it leaves
//!   out.
//! - Everything follows from a seed, so that what was found can be found again.
//! - A history stops at the first broken promise; a call that fails without cause is one.
//!
//! A *world* is one history's disk, store and expectations. Lives of the store (`exclusive`,
//! `transactional`) and what befalls it between them (`trouble`) act on the world, `history` puts
//! them together, and `run` goes from seed to seed.

mod damage;
mod directory;
mod disk;
mod exclusive;
mod history;
mod inode;
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
