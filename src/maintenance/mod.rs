//! Maintenance: looking at whole stores, copying them, and mending what can be mended.
//!
//! Everything here reads records by calls and never through a map, so that what a device cannot
//! read is an error; `scan` says of each block and record how far it is to be trusted.

mod backup;
mod compact;
mod copy;
mod damaged;
mod problem;
mod rebuild;
mod salvage;
mod scan;
mod verify;

pub use backup::{BackupReport, backup};
pub use compact::{CompactReport, compact};
pub use copy::CopyOptions;
pub use problem::Problem;
pub use rebuild::{Rebuilt, rebuild_checksums, rebuild_checksums_with_progress};
pub use salvage::{Lost, SalvageOptions, SalvageReport, salvage, salvage_with_progress};
pub use verify::{VerifyReport, verify};
