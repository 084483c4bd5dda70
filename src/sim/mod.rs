//! A simulated disk, and random histories of a store on it: power cuts, killed processes and
//! failing calls, as many a second as real ones take hours.

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
mod world;

pub use run::{CrashReport, CrashTest, Violation};
