//! Maintenance: checks whole stores, copies them, changes their schemas, saves damaged ones and
//! rebuilds checksums.
//!
//! Everything here reads records by calls and never through a map, so that an unreadable sector is
//! an error and not a signal. `scan` says for each block and record how far it can be trusted.

mod backup;
mod compact;
mod copy;
mod damaged;
mod migrate;
mod problem;
mod rebuild;
mod salvage;
mod scan;
mod verify;

pub use backup::{BackupReport, backup};
pub use compact::{CompactOptions, CompactReport, compact};
pub use copy::CopyOptions;
pub use migrate::{MigrateOptions, MigrateReport, MisfitValue, migrate};
#[cfg(feature = "exchange")]
pub(crate) use migrate::{convert, is_convertible};
pub use problem::Problem;
pub use rebuild::{RebuildReport, rebuild_checksums, rebuild_checksums_with_progress};
pub use salvage::{Lost, SalvageOptions, SalvageReport, salvage, salvage_with_progress};
pub use verify::{VerifyOptions, VerifyReport, verify};
