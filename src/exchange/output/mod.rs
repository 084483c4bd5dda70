//! Records as text and as npy, to any writer or into a file.

#[cfg(feature = "arrow")]
mod arrow;
#[cfg(feature = "arrow")]
mod batches;
mod csv;
#[cfg(feature = "parquet")]
mod encodings;
mod export;
mod first_line;
mod kind;
mod lanes;
mod ndjson;
mod npy;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod rejects;
mod sink;
mod walks;
mod words;

#[cfg(feature = "arrow")]
pub use arrow::RecordBatches;
pub use csv::CsvWriter;
pub use export::{Export, ExportReport, Exporter};
pub use kind::ExportFormat;
pub use ndjson::NdjsonWriter;
pub use npy::NpyWriter;
pub use rejects::RejectWriter;

use std::io::Write;

use crate::error::{Error, Result};
use crate::format::TextBuffer;

/// The size of the buffer before the writer underneath is called.
const BUFFER_BYTES: usize = 64 << 10;

/// Text in a buffer before a writer.
#[derive(Debug)]
struct Buffer<W> {
    text: TextBuffer,
    out: W,
}

impl<W: Write> Buffer<W> {
    fn new(out: W) -> Self {
        Self { text: TextBuffer::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4), out }
    }

    fn flush_if_full(&mut self) -> Result<()> {
        if self.text.len() < BUFFER_BYTES {
            return Ok(());
        }
        self.write_out()
    }

    fn write_out(&mut self) -> Result<()> {
        let written = self.out.write_all(self.text.as_bytes());
        self.text.clear();
        written.map_err(|error| Error::io("write", error))
    }

    /// Writes the buffer, and then `text`, which is long.
    fn write_through(&mut self, text: &[u8]) -> Result<()> {
        self.write_out()?;
        self.out.write_all(text).map_err(|error| Error::io("write", error))
    }

    fn flush(&mut self) -> Result<()> {
        self.write_out()?;
        self.out.flush().map_err(|error| Error::io("write", error))
    }

    fn finish(mut self) -> Result<W> {
        self.flush()?;
        Ok(self.out)
    }
}

/// Appends `text` as a JSON string.
fn push_json_string(text: &str, into: &mut String) {
    // Serialising a `str` cannot fail.
    into.push_str(&serde_json::to_string(text).unwrap_or_default());
}
