//! flatrec: a database for records that all have the same size, in one flat, memory-mapped file.
//!
//! Record `i` lies at `data_offset + i * stride`, so finding one is arithmetic and reading one
//! follows a pointer. Start with a type that derives [`Record`], and one of these handles:
//!
//! - [`Database`]: threads read records in a [`Snapshot`], and change them in a
//!   [`WriteTransaction`];
//! - [`ReadOnlyDatabase`]: follows a writer from any process. Code for both takes a
//!   [`ReadableDatabase`];
//! - [`Store`]: loads or changes the same file alone, without a log;
//! - [`WindowedStore`]: a store that maps no more than a budget of bytes;
//! - [`DynDatabase`], [`DynReadOnlyDatabase`], [`DynStore`], [`DynWindowedStore`]: the same, with
//!   the schema from the file in place of a Rust type.
//!
//! [`map`] has mapping objects and views for files and shared memory of any layout.
//!
//! ```
//! # #[cfg(feature = "derive")] {
//! use flatrec::{Record, Store};
//!
//! #[derive(Clone, Copy, Record)]
//! #[repr(C)]
//! struct Point {
//!     x: f64,
//!     y: f64,
//! }
//!
//! let mut points = Store::<Point>::temporary().unwrap();
//! points.append(&Point { x: 1.0, y: 2.0 }).unwrap();
//! points.flush().unwrap(); // durable, and counted
//! assert_eq!(points.get(0).unwrap().y, 2.0); // in place
//! # }
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `derive` (default) | `#[derive(Record)]` and `#[derive(RecordEnum)]` |
//! | `text` | field values from and to text, times and dates included |
//! | `query` | conditions over fields, as in `scan --where` of the command |
//! | `exchange` | CSV, NDJSON and npy in and out; schemas as text; foreign files in place |
//! | `jiff`, `chrono` | timestamps, durations and dates from and to the types of that crate |
//! | `uuid` | `Uuid` from and to the type of that crate |
//! | `serde` | `Bool`, `Char`, `Enum`, `Nullable`, `Utf8` and `Uuid` as values of serde |
//! | `rayon` | parallel walks: `par_chunks`; with `query` `par_filter`, `par_count_where` |
//! | `tracing` | events of recovery, checkpoints, waits and failures for the crate `tracing` |
//! | `sim` | crash tests on a simulated disk: power cuts, killed processes, failing calls |
//!
//! Building `exchange` needs a C compiler, for zstd; the other features need none.
//!
//! The `flatrec` command is a crate of its own, `flatrec-cli`.
//!
//! # Documents
//!
//! - [`guide`](documents::guide): which handle to open, how to read, and the types of fields;
//! - [`cli`](documents::cli): how to use the command;
//! - [`durability`](documents::durability): what a commit survives, and why; backups;
//! - [`concurrency`](documents::concurrency): what readers and the writer are promised;
//! - [`observability`](documents::observability): facts for metrics; events for `tracing`;
//! - [`safety`](documents::safety): every hazard of mapped files; permissions; faults;
//! - [`platforms`](documents::platforms): what differs on Windows, on 32 bits and big-endian;
//! - [`stability`](documents::stability): what later versions keep; which compilers build flatrec;
//! - [`format`](documents::format): every byte, enough for a reader in another language;
//! - [`documents`]: these and all others.

#![cfg_attr(docsrs, feature(doc_cfg))]

// The fuzz targets' code and the hooked backing use the public API; the crate's own tests use both.
#[cfg(test)]
extern crate self as flatrec;

mod array;
mod db;
#[cfg(any(doc, doctest))]
pub mod documents;
mod error;
#[cfg(feature = "exchange")]
pub mod exchange;
#[cfg(feature = "exchange")]
pub mod foreign;
mod format;
mod io;
mod maintenance;
mod mapping;
mod number;
mod os;
mod overlay;
#[cfg(feature = "query")]
pub mod query;
mod shm;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod step;
mod store;
mod sums;
mod trace;
mod txn;
mod wal;

/// File mapping objects and views over storage that grows.
///
/// A [`Mapping`](map::Mapping) is a growable array of bytes (a new, existing, temporary or
/// inherited file, named shared memory, anonymous memory) opened with one
/// [`Access`](map::Access); a [`View`](map::View) is one mapped range of it. Views may overlap, and
/// are coherent with each other.
///
/// The model is that of Win32's file mapping. [`documents::win32`] compares its vocabulary with
/// that of POSIX and of this module, call by call, and shows the classic program in both; the
/// example `win32_model` runs it.
pub mod map {
    #[doc(hidden)]
    pub use crate::io::sealed;
    pub use crate::io::{Access, Backing, FileBacking, Grown, OpenSide, Properties, View};
    pub use crate::mapping::{Mapping, TypedView};
    pub use crate::os::Advised;
}

#[doc(hidden)]
pub use crate::array::WriteBack;
pub use crate::array::{RecordGuard, ViewCounters, WindowGuard};
pub use crate::io::install_fault_guard;
pub use crate::shm::Wait;
pub use db::{
    BorrowedWriter, Chunk, Chunks, CommitEvents, Database, DynDatabase, DynReadOnlyDatabase,
    OwnedWriteTransaction, OwnedWriter, ReadOnlyDatabase, ReadableDatabase, Snapshot,
    SnapshotRecords, TransactionRecords, WriteTransaction, WriterOwnership,
};
pub use error::{Cause, Error, ErrorKind, Result, printable};
#[cfg(feature = "derive")]
pub use flatrec_derive::{Record, RecordEnum};
#[cfg(any(feature = "chrono", feature = "jiff"))]
pub use format::CalendarDate;
#[doc(hidden)]
pub use format::derived;
#[cfg(any(fuzzing, all(test, feature = "derive", feature = "text")))]
#[doc(hidden)]
pub use format::fuzzing;
pub use format::{
    ArrayValue, Bool, Char, DataType, DisplayHint, Enum, EnumRepr, Field, FieldType, Group,
    MAX_RECORD_BYTES, Nullable, PodRecord, PointInTime, Record, RecordEnum, Schema, SchemaChange,
    TimeSpan, TimeUnit, UnknownVariant, Utf8, Uuid, Value, Variant, be, le,
};
pub use maintenance::{
    BackupReport, CompactOptions, CompactReport, CopyOptions, Lost, MigrateOptions, MigrateReport,
    MisfitValue, Problem, RebuildReport, SalvageOptions, SalvageReport, VerifyOptions,
    VerifyReport, backup, compact, migrate, rebuild_checksums, rebuild_checksums_with_progress,
    salvage, salvage_with_progress, verify,
};
pub use os::Survives;
pub use os::{Advice, FaultCounts, FileSystemKind, Residency, process_faults, thread_faults};
pub use store::{
    Copies, DynEdit, DynStore, DynWindowedStore, Edit, Records, Store, TryRecords, WindowedStore,
};
pub use sums::{Checksums, DamagedBlock};
pub use txn::{
    Activity, Checkpoint, CheckpointInfo, CommitId, CreateOptions, Durability, LogInfo,
    OpenOptions, ReadOptions, ReaderInfo, Receipt, Row, SlotInfo, StoreInfo, WriterInfo,
};
pub use wal::LeftoverFile;
#[cfg(any(fuzzing, all(test, feature = "derive", feature = "text")))]
#[doc(hidden)]
pub use wal::fuzzing as log_fuzzing;
/// The crate with the traits behind [`FieldType`], for `#[zerocopy(crate = "flatrec::zerocopy")]`.
pub use zerocopy;
