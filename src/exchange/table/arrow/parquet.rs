//! Parquet as batches of Arrow.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::{check_byte_order, invalid, source};
use crate::error::Result;
use crate::exchange::Input;
use crate::exchange::input::{Places, PlacesReader};
use crate::exchange::table::source::Source;
use crate::format::Schema;

/// The rows of a batch.
const BATCH_ROWS: usize = 4096;

/// The rows of a Parquet file.
///
/// # Errors
/// As [`open_arrow`](super::open_arrow);
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a stream.
pub(in crate::exchange::table) fn open_parquet<'i>(
    input: &'i mut Input,
    target: Option<&Schema>,
) -> Result<Box<dyn Source + 'i>> {
    check_byte_order("read")?;
    let read_bytes = Arc::new(AtomicU64::new(0));
    let chunks = Chunks { places: input.places()?, read_bytes: Arc::clone(&read_bytes) };
    let damaged = |error: ParquetError| invalid(&error.to_string());
    let builder = ParquetRecordBatchReaderBuilder::try_new(chunks).map_err(damaged)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).ok();
    let schema = Arc::clone(builder.schema());
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(damaged)?;
    let done_bytes = Rc::new(Cell::new(0));
    let shown = Rc::clone(&done_bytes);
    let batches = reader.inspect(move |_| shown.set(read_bytes.load(Ordering::Relaxed)));
    source(Box::new(batches), &schema, rows, done_bytes, target)
}

/// The bytes of the file, for the library that reads it.
struct Chunks {
    places: Places,
    read_bytes: Arc<AtomicU64>,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.places.len_bytes()
    }
}

impl ChunkReader for Chunks {
    type T = io::BufReader<PlacesReader>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(io::BufReader::new(self.places.reader(start, self.places.len_bytes())))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let left = self.places.len_bytes().saturating_sub(start);
        if length as u64 > left {
            return Err(ParquetError::EOF("the file ends too early".into()));
        }
        let mut bytes = vec![0; length];
        let filled = self.places.fill_at(start, &mut bytes)?;
        if filled < length {
            return Err(ParquetError::EOF("the file ends too early".into()));
        }
        self.read_bytes.fetch_add(filled as u64, Ordering::Relaxed);
        Ok(bytes.into())
    }
}
