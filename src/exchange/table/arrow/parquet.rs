//! Parquet as batches of Arrow.
//!
//! A file is cut into units: a row group, or a part of a large one. Each thread decodes units of
//! its own, with its own place in the file.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::{check_byte_order, invalid, source};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Input;
use crate::exchange::input::{Places, PlacesReader};
use crate::exchange::table::source::{Column, Decimals, Source};
use crate::format::Schema;

/// The rows of a batch.
const BATCH_ROWS: usize = 4096;
/// The most rows of a unit.
const UNIT_ROWS: usize = 128 << 10;

/// A Parquet file, to be read in units.
pub(in crate::exchange::table) struct ParquetFile {
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    target: Option<Schema>,
    decimals: Decimals,
    columns: Vec<Column>,
}

/// Rows of one row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange::table) struct Unit {
    group: usize,
    first: usize,
    rows: usize,
}

fn damaged(error: ParquetError) -> Error {
    invalid(&error.to_string())
}

impl ParquetFile {
    /// Reads what the end of the file says of it.
    ///
    /// # Errors
    /// As [`open_arrow`](super::open_arrow);
    /// [`ErrorKind::InvalidArgument`] for a stream.
    pub(in crate::exchange::table) fn open(
        input: &Input,
        (target, decimals): (Option<&Schema>, Decimals),
    ) -> Result<Self> {
        check_byte_order("read")?;
        let chunks = Chunks { places: input.places()?, read_bytes: Arc::default() };
        let metadata = ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::new());
        let metadata = metadata.map_err(damaged)?;
        refuse_codecs(&metadata)?;
        let target = target.cloned();
        let mut file = Self { chunks, metadata, target, decimals, columns: Vec::new() };
        file.columns = file.source_of(Vec::new(), None, None)?.columns().to_vec();
        Ok(file)
    }

    pub(in crate::exchange::table) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of rows.
    pub(in crate::exchange::table) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    /// The units from row `from` on.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if there are fewer rows.
    pub(in crate::exchange::table) fn units(&self, from: u64) -> Result<Vec<Unit>> {
        let mut units = Vec::new();
        let mut skipped = usize::try_from(from).unwrap_or(usize::MAX);
        for (group, facts) in self.metadata.metadata().row_groups().iter().enumerate() {
            let rows = usize::try_from(facts.num_rows()).map_err(|_| invalid("negative rows"))?;
            let mut first = skipped.min(rows);
            skipped -= first;
            while first < rows {
                let len = UNIT_ROWS.min(rows - first);
                units.push(Unit { group, first, rows: len });
                first += len;
            }
        }
        if skipped > 0 {
            return Err(Error::new(ErrorKind::Truncated, "resume reading")
                .detail(format!("there are fewer than {from} rows"))
                .advice("start again from the beginning"));
        }
        Ok(units)
    }

    /// Which columns have a null in some row, as far as the file says so.
    pub(in crate::exchange::table) fn nulls(&self, column: usize) -> Option<bool> {
        let mut nulls = 0;
        for group in self.metadata.metadata().row_groups() {
            let chunk = group.columns().get(column)?;
            if chunk.column_descr().max_rep_level() > 0 {
                return None;
            }
            nulls += chunk.statistics()?.null_count_opt()?;
        }
        Some(nulls > 0)
    }

    /// The rows of a unit; with `leaves`, those columns of them alone.
    pub(in crate::exchange::table) fn unit(
        &self,
        unit: Unit,
        leaves: Option<&[usize]>,
    ) -> Result<Box<dyn Source>> {
        self.source_of(vec![unit.group], Some((unit.first, unit.rows)), leaves)
    }

    /// All rows.
    pub(in crate::exchange::table) fn all(&self) -> Result<Box<dyn Source>> {
        let groups = (0..self.metadata.metadata().num_row_groups()).collect();
        self.source_of(groups, None, None)
    }

    fn source_of(
        &self,
        groups: Vec<usize>,
        rows: Option<(usize, usize)>,
        leaves: Option<&[usize]>,
    ) -> Result<Box<dyn Source>> {
        let (chunks, metadata) = (self.chunks.clone(), self.metadata.clone());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata)
            .with_batch_size(BATCH_ROWS)
            .with_row_groups(groups);
        if let Some((first, rows)) = rows {
            builder = builder.with_offset(first).with_limit(rows);
        }
        if let Some(leaves) = leaves {
            let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves.iter().copied());
            builder = builder.with_projection(mask);
        }
        let reader = builder.build().map_err(damaged)?;
        let schema = arrow_array::RecordBatchReader::schema(&reader);
        // The metadata of the file's schema, which a projection leaves out.
        let schema = (*schema).clone().with_metadata(self.metadata.schema().metadata().clone());
        let done_bytes = Rc::new(Cell::new(0));
        let (shown, read_bytes) = (Rc::clone(&done_bytes), Arc::clone(&self.chunks.read_bytes));
        let batches = reader.inspect(move |_| shown.set(read_bytes.load(Ordering::Relaxed)));
        let rows = rows.map(|(_, rows)| rows as u64);
        let wishes = (self.target.as_ref(), self.decimals);
        source(Box::new(batches), &schema, rows, done_bytes, wishes)
    }
}

/// Refuses columns whose compression is not read.
fn refuse_codecs(metadata: &ArrowReaderMetadata) -> Result<()> {
    let groups = metadata.metadata().row_groups().iter();
    let mut codecs = groups.flat_map(|group| group.columns()).map(|column| column.compression());
    match codecs.find(|it| matches!(it, Compression::BROTLI(_) | Compression::LZO)) {
        Some(codec) => Err(Error::new(ErrorKind::Unsupported, "read")
            .detail(format!("columns are compressed by {codec}"))
            .advice("write the file with zstd, snappy, lz4 or gzip")),
        None => Ok(()),
    }
}

/// The bytes of the file, for the library that reads it.
#[derive(Clone)]
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
