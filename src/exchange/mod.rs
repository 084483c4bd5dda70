//! CSV, NDJSON and npy in and out, and schemas as text.
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

pub use csv::{CsvOptions, CsvReader, Inferred, LoadReport, Reject};
pub use input::Input;
pub use output::{
    CsvWriter, ExportFormat, ExportReport, Exporter, NdjsonWriter, NpyWriter, RejectWriter,
};
pub use progress::Progress;
pub use schema_text::{
    schema_from_json, schema_to_c, schema_to_json, schema_to_numpy, schema_to_rust,
};
pub use sink::RecordSink;
