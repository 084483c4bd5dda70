//! Records as Parquet.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMillisecondType, TimestampSecondType};
use arrow_array::{Array as _, ArrayRef, FixedSizeListArray, PrimitiveArray, RecordBatch};
use arrow_schema::{
    ArrowError, DataType as Arrow, Field as ArrowField, Schema, SchemaRef, TimeUnit,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, ErrorKind, Result};

/// The rows of a row group: it is in memory until it is written.
const GROUP_ROWS: usize = 128 << 10;

/// Writes batches, compressed by zstd.
///
/// Parquet has no seconds: they become milliseconds.
pub(super) struct ParquetWriter<W: Write> {
    schema: SchemaRef,
    writer: ArrowWriter<Shared>,
    shared: Shared,
    out: W,
}

/// The bytes that are not yet written to the place of the file. The library asks for a writer that
/// could go to another thread, and the writer underneath cannot.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(from);
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> ParquetWriter<W> {
    pub(super) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let fields = schema.fields().iter().map(|field| without_seconds(field));
        let metadata = schema.metadata().clone();
        let schema = Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata));
        let shared = Shared::default();
        let writer = ArrowWriter::try_new(shared.clone(), Arc::clone(&schema), Some(properties));
        Ok(Self { schema, writer: writer.map_err(failed)?, shared, out })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Result<Vec<ArrayRef>, ArrowError> =
            batch.columns().iter().map(in_milliseconds).collect();
        let batch = columns
            .and_then(|columns| RecordBatch::try_new(Arc::clone(&self.schema), columns))
            .map_err(super::arrow::failed)?;
        self.writer.write(&batch).map_err(failed)?;
        pass_on(&self.shared, &mut self.out)
    }

    pub(super) fn finish(mut self) -> Result<W> {
        self.writer.close().map_err(failed)?;
        pass_on(&self.shared, &mut self.out)?;
        Ok(self.out)
    }
}

fn without_seconds(field: &ArrowField) -> ArrowField {
    let data_type = match field.data_type() {
        Arrow::Timestamp(TimeUnit::Second, zone) => {
            Arrow::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        Arrow::FixedSizeList(item, len) => {
            Arrow::FixedSizeList(Arc::new(without_seconds(item)), *len)
        }
        other => other.clone(),
    };
    field.clone().with_data_type(data_type)
}

/// The same times in milliseconds, if the column has seconds.
fn in_milliseconds(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        Arrow::Timestamp(TimeUnit::Second, zone) => {
            let times = column.as_primitive::<TimestampSecondType>();
            let times: PrimitiveArray<TimestampMillisecondType> = times.try_unary(|seconds| {
                seconds.checked_mul(1000).ok_or_else(|| {
                    ArrowError::ComputeError(format!(
                        "a time of {seconds} s since 1970 is out of the range of milliseconds, \
                         and Parquet has no seconds"
                    ))
                })
            })?;
            Ok(Arc::new(times.with_timezone_opt(zone.clone())))
        }
        Arrow::FixedSizeList(item, len) => {
            let list = column.as_fixed_size_list();
            let item = Arc::new(without_seconds(item));
            let values = in_milliseconds(list.values())?;
            let list = FixedSizeListArray::try_new(item, *len, values, list.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// Writes the bytes so far to their place.
fn pass_on(shared: &Shared, out: &mut impl Write) -> Result<()> {
    let mut bytes = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    let written = out.write_all(&bytes);
    bytes.clear();
    written.map_err(|error| Error::io("write", error))
}

fn failed(error: ParquetError) -> Error {
    Error::new(ErrorKind::Unsupported, "export").detail(error.to_string())
}
