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
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::encodings::properties;
use crate::error::{Error, ErrorKind, Result};

/// The rows of a row group, and the bytes of its records, if a record is shorter: it is in memory
/// until it is written.
const GROUP_ROWS: usize = 128 << 10;
const GROUP_BYTES: usize = 32 << 20;

/// The rows of a row group of records of this length.
pub(super) fn group_rows(record_bytes: usize) -> usize {
    (GROUP_BYTES / record_bytes.max(1)).clamp(1, GROUP_ROWS)
}

/// Writes batches, compressed by zstd.
///
/// Parquet has no seconds: they become milliseconds. The first batch decides how each column is
/// encoded.
pub(super) struct ParquetWriter<W: Write> {
    schema: SchemaRef,
    group_rows: usize,
    open: Option<Open>,
    shared: Shared,
    out: W,
}

/// What is known from the first batch on.
struct Open {
    file: SerializedFileWriter<Shared>,
    maker: Arc<GroupMaker>,
    group: Option<Group>,
}

/// Encodes row groups, also on other threads.
pub(super) struct GroupMaker {
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

/// The columns of a row group, as far as there are rows.
pub(super) struct Group {
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

/// The encoded columns of a row group.
pub(super) type Chunks = Vec<ArrowColumnChunk>;

impl GroupMaker {
    pub(super) fn begin(&self) -> Result<Group> {
        let columns = self.factory.create_column_writers(0).map_err(failed)?;
        Ok(Group { columns, rows: 0 })
    }

    /// Adds the rows of a batch to a group.
    pub(super) fn add(&self, group: &mut Group, batch: &RecordBatch) -> Result<()> {
        let mut columns = group.columns.iter_mut();
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            let column = in_milliseconds(column).map_err(super::arrow::failed)?;
            for (leaf, writer) in
                compute_leaves(field, &column).map_err(failed)?.iter().zip(&mut columns)
            {
                writer.write(leaf).map_err(failed)?;
            }
        }
        group.rows += batch.num_rows();
        Ok(())
    }
}

impl Group {
    pub(super) fn finish(self) -> Result<Chunks> {
        let chunks = self.columns.into_iter().map(|column| column.close().map_err(failed));
        chunks.collect()
    }
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
    pub(super) fn new(out: W, schema: &SchemaRef, record_bytes: usize) -> Self {
        let fields = schema.fields().iter().map(|field| without_seconds(field));
        let metadata = schema.metadata().clone();
        let schema = Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata));
        let group_rows = group_rows(record_bytes);
        Self { schema, group_rows, open: None, shared: Shared::default(), out }
    }

    /// The maker of row groups, for columns like those of this batch.
    pub(super) fn maker(&mut self, first: Option<&RecordBatch>) -> Result<Arc<GroupMaker>> {
        Ok(Arc::clone(&self.opened(first)?.maker))
    }

    fn opened(&mut self, first: Option<&RecordBatch>) -> Result<&mut Open> {
        if self.open.is_none() {
            let (shared, schema) = (self.shared.clone(), Arc::clone(&self.schema));
            let writer = ArrowWriter::try_new(shared, schema, Some(properties(first)));
            let (file, factory) =
                writer.and_then(ArrowWriter::into_serialized_writer).map_err(failed)?;
            let maker = Arc::new(GroupMaker { schema: Arc::clone(&self.schema), factory });
            self.open = Some(Open { file, maker, group: None });
        }
        self.open.as_mut().ok_or_else(|| Error::new(ErrorKind::Unsupported, "export"))
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            let group_rows = self.group_rows;
            let open = self.opened(Some(batch))?;
            let mut group = match open.group.take() {
                Some(group) => group,
                None => open.maker.begin()?,
            };
            let rows = (batch.num_rows() - at).min(group_rows - group.rows);
            open.maker.add(&mut group, &batch.slice(at, rows))?;
            at += rows;
            match group.rows < group_rows {
                true => open.group = Some(group),
                false => self.write_group(group.finish()?)?,
            }
        }
        Ok(())
    }

    /// Writes a row group.
    pub(super) fn write_group(&mut self, chunks: Chunks) -> Result<()> {
        let open = self.opened(None)?;
        let mut group = open.file.next_row_group().map_err(failed)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        pass_on(&self.shared, &mut self.out)
    }

    pub(super) fn finish(mut self) -> Result<W> {
        if let Some(group) = self.opened(None)?.group.take() {
            self.write_group(group.finish()?)?;
        }
        if let Some(open) = self.open.take() {
            open.file.close().map_err(failed)?;
        }
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
