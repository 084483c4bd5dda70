//! Formats of other programs, in and out: CSV, NDJSON and npy, and schemas as text.
//!
//! Invariants:
//!
//! - Rows keep the order of the file and of the store, whatever the threads do.
//! - A row that does not fit is the error, or is set aside with its reason; no row is dropped, and
//!   no value is changed to fit.
//! - A file gets its name only when it is complete ([`UnpublishedFile`]).
//!
//! Surprises in the files:
//!
//! - CSV: a blank line is skipped in a file of two or more columns, and is a row with a null value
//!   in a file of one.
//! - NDJSON: JSON has only finite numbers, so floats may be the strings `"NaN"`, `"inf"` and
//!   `"-inf"`.
//! - npy: a `date32` is an `int32`, days since 1970, because numpy's own dates have 8 bytes.
//!   Records are written as they are; [`verify`](crate::verify) checks values, an export to npy
//!   does not.
//!
//! ```
//! use flatrec::DynStore;
//! use flatrec::exchange::{CsvOptions, CsvReader, Input};
//! # let dir = tempfile::tempdir().unwrap();
//! # let csv = dir.path().join("delays.csv");
//! # let path = dir.path().join("delays.rec");
//! # std::fs::write(&csv, "flight,delay\nUA1545,2\nAA1141,NA\n").unwrap();
//! let options = CsvOptions::new().null_text("NA");
//! let mut reader = CsvReader::new(Input::open(&csv)?, options);
//! let schema = reader.infer(None)?.schema;
//! let mut store = DynStore::create(&path, &schema)?;
//! let report = reader.load(&schema, &mut store)?;
//! store.close()?;
//! assert_eq!((report.loaded, report.nulls), (2, 1));
//! # Ok::<(), flatrec::Error>(())
//! ```

mod csv;
mod input;
mod output;
mod progress;
mod schema_text;
mod sink;
mod table;
mod threads;
mod unpublished;

pub use csv::{CsvOptions, CsvReader, Inferred, Reject, Strays};
pub use input::Input;
#[cfg(feature = "arrow")]
pub use output::RecordBatches;
pub use output::{
    CsvWriter, Export, ExportFormat, ExportReport, Exporter, NdjsonWriter, NpyWriter, RejectWriter,
};
pub use progress::{LoadPoint, LoadReport, Progress};
pub(crate) use schema_text::field_from_json;
pub use schema_text::{
    schema_from_json, schema_to_arrow, schema_to_c, schema_to_json, schema_to_json_without_layout,
    schema_to_numpy, schema_to_rust, schema_to_sql, slots_to_c, slots_to_numpy,
};
pub use sink::RecordSink;
pub(crate) use table::{ArrayPlace, PlacedField, ValueDecoder};
pub use table::{InputFormat, TableReader};
pub use unpublished::UnpublishedFile;
