//! Batches of Arrow as rows: its files and streams, and Parquet.
//!
//! ```text
//! Places or Text -> batches -> Values (a column) -> records, as wide as the texts in them need
//! ```

#[cfg(feature = "parquet")]
mod parquet;
mod types;
mod values;

use std::cell::Cell;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, Schema as ArrowSchema};

use self::types::{Leaf, leaves_of};
use self::values::Values;
use super::source::{Block, Column, Decimals, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Input;
use crate::exchange::input::Text;
use crate::format::{DataType, Field, Schema};

#[cfg(feature = "parquet")]
pub(super) use self::parquet::{ParquetFile, Unit};

/// The key in the metadata of a schema that an export of this crate writes.
pub(in crate::exchange) const OWN: &str = "flatrec";
/// An error on a big-endian machine: the libraries of these formats copy bytes as numbers.
pub(in crate::exchange) fn check_byte_order(operation: &'static str) -> Result<()> {
    if cfg!(target_endian = "little") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, operation)
        .detail("Arrow and Parquet need a little-endian machine")
        .advice("use another format, such as NDJSON, here"))
}

/// The start of a file, after which the messages are those of a stream.
const FILE_MAGIC: &[u8] = b"ARROW1\0\0";
/// The most rows of a block.
const ROWS_MAX: usize = 4096;
/// The most bytes of a block's records, if a record is shorter.
const BLOCK_BYTES: usize = 2 << 20;

/// The rows of a file or a stream of Arrow.
///
/// # Errors
/// An error of reading; [`ErrorKind::InvalidValue`] for a damaged file, and
/// [`ErrorKind::Unsupported`] for a type that has no place in a store, and on a big-endian machine.
pub(super) fn open_arrow<'i>(
    input: &'i mut Input,
    keep: bool,
    (target, decimals): (Option<&Schema>, Decimals),
) -> Result<Box<dyn Source + 'i>> {
    check_byte_order("read")?;
    let places = if input.is_stream() { None } else { Some(input.places()?) };
    let done_bytes = Rc::new(Cell::new(0));
    let mut magic = [0; 8];
    if let Some(places) = &places {
        let filled = places.fill_at(0, &mut magic).map_err(|error| Error::io("read", error))?;
        if magic[..filled].starts_with(b"ARROW1") {
            let reader = places.reader(0, places.len_bytes());
            let reader = Counted { inner: reader, done_bytes: Rc::clone(&done_bytes) };
            let reader = FileReader::try_new(BufReader::new(reader), None).map_err(damaged)?;
            let schema = reader.schema();
            return source(Box::new(reader), &schema, None, done_bytes, (target, decimals));
        }
    }
    let text = TextReader(input.read_bytes(keep)?);
    let mut reader = BufReader::new(Counted { inner: text, done_bytes: Rc::clone(&done_bytes) });
    // A file of Arrow that is compressed as a whole: a stream follows its magic. The end repeats
    // what the stream says.
    let head = reader.fill_buf().map_err(|error| damaged(error.into()))?;
    if let Some(rest) = head.strip_prefix(FILE_MAGIC) {
        // Zeros pad it, to 8 bytes or more. A message begins with others.
        let padding = rest.iter().take_while(|&&byte| byte == 0).count();
        reader.consume(FILE_MAGIC.len() + padding);
    }
    let reader = StreamReader::try_new(reader, None).map_err(|error| {
        let error = damaged(error);
        match error.io_error() {
            Some(_) => error,
            None => error.advice(
                "give a file or a stream of Arrow, uncompressed or with compressed buffers",
            ),
        }
    })?;
    let schema = reader.schema();
    source(
        Box::new(ToTheEnd { reader, has_ended: false }),
        &schema,
        None,
        done_bytes,
        (target, decimals),
    )
}

/// The batches of a stream, and then the rest of its bytes: the checksum of compressed data comes
/// last.
struct ToTheEnd<R: Read> {
    reader: StreamReader<R>,
    has_ended: bool,
}

impl<R: Read> Iterator for ToTheEnd<R> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let batch = self.reader.next();
        if batch.is_some() {
            return batch;
        }
        self.has_ended = true;
        let rest = io::copy(self.reader.get_mut(), &mut io::sink());
        rest.err().map(|error| Err(error.into()))
    }
}

/// What became of reading a batch.
type Batches<'i> = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + 'i>;

fn source<'i>(
    batches: Batches<'i>,
    schema: &ArrowSchema,
    rows_left: Option<u64>,
    done_bytes: Rc<Cell<u64>>,
    (target, decimals): (Option<&Schema>, Decimals),
) -> Result<Box<dyn Source + 'i>> {
    let leaves = leaves_of(schema, target, decimals)?;
    let column = |leaf: &Leaf| {
        let mut column = leaf.column.clone();
        let wanted = target.and_then(|target| target.field(column.field.name()));
        let wanted = wanted.map(Field::data_type).filter(|it| matches!(it, DataType::Binary(_)));
        if let (true, DataType::Binary(_), Some(wanted)) =
            (column.is_width_measured, column.field.data_type(), wanted)
        {
            // The length of a value is that of the field, or the value does not fit.
            column.field = column.field.made_of(wanted);
            column.is_width_measured = false;
        }
        column
    };
    let columns: Vec<Column> = leaves.iter().map(column).collect();
    // Names that differ, and at least one.
    Schema::packed(columns.iter().map(|column| column.field.clone()))?;
    let wanted = columns.iter().map(|column| target?.field(column.field.name()).cloned());
    let wanted = wanted.collect();
    let (batch, at) = (None, 0);
    Ok(Box::new(ArrowSource { batches, leaves, columns, wanted, batch, at, rows_left, done_bytes }))
}

/// The error of the library that reads Arrow.
fn damaged(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(why, error) => match error.raw_os_error() {
            Some(_) => Error::io("read", error),
            None => invalid(&why),
        },
        other => invalid(&other.to_string()),
    }
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidValue, "read")
        .detail(format!("the file is damaged, or of another format: {why}"))
        .advice("copy it again, or write it again")
}

struct ArrowSource<'i> {
    batches: Batches<'i>,
    leaves: Vec<Leaf>,
    columns: Vec<Column>,
    /// The field that each column fills, if it is known.
    wanted: Vec<Option<Field>>,
    batch: Option<RecordBatch>,
    /// The rows of the batch that are done.
    at: usize,
    rows_left: Option<u64>,
    done_bytes: Rc<Cell<u64>>,
}

impl ArrowSource<'_> {
    /// The batch with rows left, and how many of them are done.
    fn batch(&mut self) -> Result<Option<(RecordBatch, usize)>> {
        loop {
            if let Some(batch) = self.batch.take().filter(|batch| self.at < batch.num_rows()) {
                return Ok(Some((batch, self.at)));
            }
            self.at = 0;
            match self.batches.next() {
                Some(batch) => self.batch = Some(batch.map_err(damaged)?),
                None => return Ok(None),
            }
        }
    }

    /// The fields of a block of these rows, at their places, and the length of a record.
    fn fields(&self, values: &[Values<'_>], rows: std::ops::Range<usize>) -> (Vec<Field>, usize) {
        let mut end = 0usize;
        let mut fields = Vec::with_capacity(values.len());
        for ((column, values), wanted) in self.columns.iter().zip(values).zip(&self.wanted) {
            let mut field = column.field.clone();
            let measured = u32::try_from(values.width_of(rows.clone())).unwrap_or(u32::MAX);
            match (field.data_type(), wanted.as_ref().map(Field::data_type)) {
                // As wide as the field that it fills, if that is wide enough.
                (DataType::Utf8(least), Some(DataType::Utf8(wanted))) => {
                    let least = if column.is_width_measured { 1 } else { least };
                    let width = if measured <= wanted { wanted } else { measured.max(least) };
                    field = field.made_of(DataType::Utf8(width));
                }
                (DataType::Utf8(least), _) => {
                    field = field.made_of(DataType::Utf8(measured.max(least)));
                }
                (DataType::Binary(_), _) if column.is_width_measured => {
                    field = field.made_of(DataType::Binary(measured));
                }
                _ => {}
            }
            let has_null = || values.has_null(rows.clone());
            field = match wanted {
                Some(wanted) if wanted.is_nullable() => field.nullable(),
                Some(_) if field.is_nullable() && !has_null() => field.present(),
                _ => field,
            };
            let offset = u32::try_from(end).unwrap_or(u32::MAX);
            end = end.saturating_add(field.size_bytes() as usize);
            fields.push(field.at(offset));
        }
        (fields, end)
    }
}

impl Source for ArrowSource<'_> {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn rows_left(&self) -> Option<u64> {
        self.rows_left
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        block.faults.clear();
        block.rounded.clear();
        block.records.clear();
        let Some((batch, from)) = self.batch()? else { return Ok(false) };
        let leaves = self.leaves.iter().zip(&self.columns);
        let values: Vec<Values<'_>> =
            leaves.map(|(leaf, it)| Values::new(&batch, leaf, it.field.data_type())).collect();
        let mut to = batch.num_rows().min(from + ROWS_MAX);
        let (mut fields, mut record_bytes) = self.fields(&values, from..to);
        // A long text makes every record of its block as long.
        while to - from > 1 && (to - from).saturating_mul(record_bytes) > BLOCK_BYTES {
            to = from + (to - from).div_ceil(2).min((BLOCK_BYTES / record_bytes).max(1));
            (fields, record_bytes) = self.fields(&values, from..to);
        }
        block.records.resize((to - from) * record_bytes, 0);
        block.record_bytes = record_bytes;
        for (column, (values, field)) in values.iter().zip(&fields).enumerate() {
            let start = field.offset() as usize;
            let value = start + usize::from(field.is_nullable());
            let end = start + field.size_bytes() as usize;
            let records = block.records.chunks_exact_mut(record_bytes);
            for (number, (row, record)) in (from..to).zip(records).enumerate() {
                let put = values.put(row, &mut record[value..end]);
                for _ in 0..values.rounded.take() {
                    block.rounded.push(number);
                }
                match put {
                    Ok(is_there) if field.is_nullable() => record[start] = is_there.into(),
                    Ok(true) => {}
                    Ok(false) => {
                        let why = "it is null, and the field cannot be".to_owned();
                        block.faults.push((number, column, why));
                    }
                    Err(why) => block.faults.push((number, column, why)),
                }
            }
        }
        drop(values);
        block.rounded.sort_unstable();
        block.faults.sort_by_key(|(row, column, _)| (*row, *column));
        block.faults.dedup_by_key(|(row, ..)| *row);
        block.fields = Arc::from(fields);
        block.read_bytes = self.done_bytes.get();
        self.rows_left = self.rows_left.map(|left| left.saturating_sub((to - from) as u64));
        (self.batch, self.at) = (Some(batch), to);
        Ok(true)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let mut left = rows;
        while left > 0 {
            let Some((batch, from)) = self.batch()? else {
                return Err(Error::new(ErrorKind::Truncated, "resume reading")
                    .detail(format!("there are fewer than {rows} rows"))
                    .advice("start again from the beginning"));
            };
            let step = crate::number::smaller(left, batch.num_rows() - from);
            (self.batch, self.at) = (Some(batch), from + step);
            left -= step as u64;
        }
        self.rows_left = self.rows_left.map(|all| all.saturating_sub(rows));
        Ok(())
    }
}

/// A text as the standard library reads bytes.
struct TextReader<'i>(Text<'i>);

impl Read for TextReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.fill(into).map_err(|error| {
            match error.io_error().and_then(io::Error::raw_os_error) {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::other(error.to_string()),
            }
        })
    }
}

/// Counts the bytes read.
struct Counted<R> {
    inner: R,
    done_bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.done_bytes.set(self.done_bytes.get() + read as u64);
        Ok(read)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
