//! Records as batches of Arrow.
//!
//! The types are those of [`schema_to_arrow`](crate::exchange::schema_to_arrow). Metadata of a
//! field has what Arrow has no type for: the width of a text, a shape, a scale.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types as t;
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, PrimitiveArray, RecordBatch,
    StringArray, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{ArrowError, DataType as Arrow, Field as ArrowField, Schema as ArrowSchema};

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::schema_text::notes;
use crate::exchange::table::{OWN, check_byte_order};
use crate::format::{DataType, Field, TimeUnit, Value};

/// The most rows of a batch, and the most bytes of its records, if a record is shorter.
const ROWS_MAX: usize = 8192;
const BYTES_MAX: usize = 4 << 20;

/// Records of a store as batches of Arrow, of up to 8192 rows.
///
/// ```
/// use flatrec::exchange::RecordBatches;
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let schema = Schema::packed([Field::new("id", DataType::UInt16)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append_packed(&[1, 0, 2, 0])?;
/// let batches: Vec<_> = RecordBatches::new(schema.fields(), store.iter()).collect();
/// assert_eq!(batches.len(), 1);
/// assert_eq!(batches[0].as_ref().unwrap().num_rows(), 2);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordBatches<I> {
    records: I,
    maker: BatchMaker,
    has_ended: bool,
}

impl<'r, I: Iterator<Item = (u64, &'r [u8])>> RecordBatches<I> {
    /// Batches of these fields of `records`, which come with their numbers: those of a snapshot or
    /// a store.
    pub fn new(fields: &[Field], records: impl IntoIterator<IntoIter = I>) -> Self {
        let maker = BatchMaker::new(fields, None);
        Self { records: records.into_iter(), maker, has_ended: false }
    }

    /// The schema of every batch.
    pub fn schema(&self) -> arrow_schema::SchemaRef {
        Arc::clone(&self.maker.schema)
    }
}

impl<'r, I: Iterator<Item = (u64, &'r [u8])>> Iterator for RecordBatches<I> {
    /// A batch, or the error of a record that cannot be read, which ends the batches.
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        while !self.maker.is_full() {
            let Some((id, record)) = self.records.next() else {
                self.has_ended = true;
                return self.maker.take().transpose();
            };
            if let Err(error) = self.maker.push(id, record) {
                self.has_ended = true;
                return Some(Err(error.record(id)));
            }
        }
        self.maker.take().transpose()
    }
}

/// The error of the library that writes Arrow.
pub(super) fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io("write", error),
        other => Error::new(ErrorKind::Unsupported, "export").detail(other.to_string()),
    }
}

/// Gathers records for a batch.
#[derive(Debug)]
pub(super) struct BatchMaker {
    fields: Vec<Field>,
    /// Those whose bytes may be no value.
    checked: Vec<Field>,
    pub(super) schema: arrow_schema::SchemaRef,
    /// The column with the numbers of the records.
    has_ids: bool,
    ids: Vec<u64>,
    records: Vec<u8>,
    record_bytes: usize,
}

impl BatchMaker {
    /// A maker of batches of these fields, after a column with that name for the numbers.
    pub(super) fn new(fields: &[Field], id: Option<&str>) -> Self {
        let id_field = id.map(|name| ArrowField::new(name, Arrow::UInt64, false));
        let arrow: Vec<ArrowField> =
            id_field.into_iter().chain(fields.iter().map(arrow_field)).collect();
        let own = HashMap::from([(OWN.to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
        let schema = Arc::new(ArrowSchema::new_with_metadata(arrow, own));
        let (ids, records) = Default::default();
        let is_checked = |field: &&Field| {
            field.is_nullable() || matches!(field.data_type(), DataType::Bool | DataType::Utf8(_))
        };
        let checked = fields.iter().filter(is_checked).cloned().collect();
        let fields = fields.to_vec();
        Self { fields, checked, schema, has_ids: id.is_some(), ids, records, record_bytes: 0 }
    }

    /// Whether there are no records for a batch.
    #[cfg(feature = "parquet")]
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.ids.len() >= ROWS_MAX || self.records.len() >= BYTES_MAX
    }

    /// Adds record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] and [`ErrorKind::OutOfRange`] as [`Field::read`].
    pub(super) fn push(&mut self, id: u64, record: &[u8]) -> Result<()> {
        check_byte_order("export")?;
        let start = self.records.len();
        for field in &self.checked {
            match field.read(record)? {
                Value::Array(array)
                    if matches!(field.data_type(), DataType::Bool | DataType::Utf8(_)) =>
                {
                    array.iter().try_for_each(|element| element.map(drop))?;
                }
                _ => {}
            }
        }
        self.record_bytes = record.len();
        self.ids.push(id);
        self.records.extend_from_slice(record);
        // The bytes of a null mean nothing, and need not be text.
        for field in self.fields.iter().filter(|field| field.is_nullable()) {
            let at = start + field.offset() as usize;
            if self.records[at] == 0 {
                self.records[at..at + field.size_bytes() as usize].fill(0);
            }
        }
        Ok(())
    }

    /// The batch of the records so far, if there are some.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if Arrow refuses a column.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.ids.is_empty() {
            return Ok(None);
        }
        let ids = std::mem::take(&mut self.ids);
        let rows = Rows { records: &self.records, record_bytes: self.record_bytes };
        let columns: Result<Vec<ArrayRef>> =
            self.fields.iter().map(|field| array_of(field, &rows)).collect();
        let mut columns = columns?;
        if self.has_ids {
            columns.insert(0, Arc::new(UInt64Array::from(ids)));
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed);
        self.records.clear();
        batch.map(Some)
    }
}

/// A field as one of Arrow's, as `flatrec schema --as arrow` prints it.
fn arrow_field(field: &Field) -> ArrowField {
    let element = element_of(field);
    let data_type = match field.array_len() {
        None => element,
        Some(len) => Arrow::FixedSizeList(item(element), len as i32),
    };
    let notes = notes(field).into_iter().map(|(key, value)| (key.to_owned(), value));
    let mut metadata: HashMap<String, String> = notes.collect();
    if let DataType::Utf8(width) = field.data_type() {
        metadata.insert("width".to_owned(), width.to_string());
    }
    ArrowField::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata)
}

fn item(element: Arrow) -> Arc<ArrowField> {
    Arc::new(ArrowField::new("item", element, true))
}

fn element_of(field: &Field) -> Arrow {
    let zone = || field.is_utc().then(|| Arc::from("UTC"));
    match field.data_type() {
        DataType::Bool => Arrow::Boolean,
        DataType::Int8 => Arrow::Int8,
        DataType::Int16 => Arrow::Int16,
        DataType::Int32 => Arrow::Int32,
        DataType::Int64 => Arrow::Int64,
        DataType::UInt8 => Arrow::UInt8,
        DataType::UInt16 => Arrow::UInt16,
        DataType::UInt32 => Arrow::UInt32,
        DataType::UInt64 => Arrow::UInt64,
        DataType::Int128 | DataType::UInt128 => Arrow::Decimal256(39, 0),
        DataType::Float32 => Arrow::Float32,
        DataType::Float64 => Arrow::Float64,
        DataType::Date32 => Arrow::Date32,
        DataType::Timestamp(unit) => Arrow::Timestamp(unit_of(unit), zone()),
        DataType::Duration(unit) => Arrow::Duration(unit_of(unit)),
        DataType::Utf8(_) => Arrow::Utf8,
        DataType::Binary(len) => Arrow::FixedSizeBinary(len as i32),
    }
}

fn unit_of(unit: TimeUnit) -> arrow_schema::TimeUnit {
    match unit {
        TimeUnit::Second => arrow_schema::TimeUnit::Second,
        TimeUnit::Millisecond => arrow_schema::TimeUnit::Millisecond,
        TimeUnit::Microsecond => arrow_schema::TimeUnit::Microsecond,
        TimeUnit::Nanosecond => arrow_schema::TimeUnit::Nanosecond,
    }
}

/// The records of a batch.
struct Rows<'r> {
    records: &'r [u8],
    record_bytes: usize,
}

impl<'r> Rows<'r> {
    /// The bytes of a field in each record, without its presence byte.
    fn values(&self, field: &Field) -> impl Iterator<Item = &'r [u8]> {
        let start = field.offset() as usize + usize::from(field.is_nullable());
        let end = (field.offset() + field.size_bytes()) as usize;
        self.records.chunks_exact(self.record_bytes).map(move |record| &record[start..end])
    }

    /// The numbers of a field, those of arrays one after another.
    fn numbers<T>(&self, field: &Field, number: impl Fn(&[u8]) -> T) -> Vec<T> {
        let width = field.data_type().size_bytes() as usize;
        match field.array_len() {
            // The iterator knows its length.
            None => self.values(field).map(|bytes| number(&bytes[..width])).collect(),
            Some(_) => {
                self.values(field).flat_map(|it| it.chunks_exact(width)).map(number).collect()
            }
        }
    }

    /// Which records have a value, if some may have none.
    fn nulls(&self, field: &Field) -> Option<NullBuffer> {
        if !field.is_nullable() {
            return None;
        }
        let at = field.offset() as usize;
        let records = self.records.chunks_exact(self.record_bytes);
        Some(NullBuffer::from_iter(records.map(|record| record[at] != 0)))
    }
}

/// The column of a field.
fn array_of(field: &Field, rows: &Rows<'_>) -> Result<ArrayRef> {
    let nulls = rows.nulls(field);
    let Some(len) = field.array_len() else { return Ok(elements(field, rows, nulls)) };
    let values = elements(field, rows, None);
    let list = FixedSizeListArray::try_new(item(element_of(field)), len as i32, values, nulls);
    Ok(Arc::new(list.map_err(failed)?))
}

/// The values of a field, those of arrays one after another.
fn elements(field: &Field, rows: &Rows<'_>, nulls: Option<NullBuffer>) -> ArrayRef {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let big = field.is_big_endian();
    let width = field.data_type().size_bytes() as usize;
    let values = rows.values(field).flat_map(move |value| value.chunks_exact(width));
    macro_rules! numbers {
        ($type:ty, $native:ty) => {
            Arc::new(PrimitiveArray::<$type>::new(
                rows.numbers(field, |bytes| <$native>::from_le_bytes(ordered(bytes, big))).into(),
                nulls,
            ))
        };
    }
    macro_rules! times {
        ($type:ty) => {
            with_zone::<$type>(
                rows.numbers(field, |bytes| i64::from_le_bytes(ordered(bytes, big))).into(),
                nulls,
                field.is_utc(),
            )
        };
    }
    match field.data_type() {
        DataType::Bool => {
            let bits: BooleanBuffer = values.map(|bytes| bytes[0] == 1).collect();
            Arc::new(BooleanArray::new(bits, nulls))
        }
        DataType::Int8 => numbers!(t::Int8Type, i8),
        DataType::Int16 => numbers!(t::Int16Type, i16),
        DataType::Int32 => numbers!(t::Int32Type, i32),
        DataType::Int64 => numbers!(t::Int64Type, i64),
        DataType::UInt8 => numbers!(t::UInt8Type, u8),
        DataType::UInt16 => numbers!(t::UInt16Type, u16),
        DataType::UInt32 => numbers!(t::UInt32Type, u32),
        DataType::UInt64 => numbers!(t::UInt64Type, u64),
        DataType::Float32 => numbers!(t::Float32Type, f32),
        DataType::Float64 => numbers!(t::Float64Type, f64),
        DataType::Date32 => numbers!(t::Date32Type, i32),
        DataType::Timestamp(Second) => times!(t::TimestampSecondType),
        DataType::Timestamp(Millisecond) => times!(t::TimestampMillisecondType),
        DataType::Timestamp(Microsecond) => times!(t::TimestampMicrosecondType),
        DataType::Timestamp(Nanosecond) => times!(t::TimestampNanosecondType),
        DataType::Duration(Second) => numbers!(t::DurationSecondType, i64),
        DataType::Duration(Millisecond) => numbers!(t::DurationMillisecondType, i64),
        DataType::Duration(Microsecond) => numbers!(t::DurationMicrosecondType, i64),
        DataType::Duration(Nanosecond) => numbers!(t::DurationNanosecondType, i64),
        DataType::Int128 => wide(
            values.map(|bytes| i256::from_i128(i128::from_le_bytes(ordered(bytes, big)))).collect(),
            nulls,
        ),
        DataType::UInt128 => wide(
            values
                .map(|bytes| i256::from_parts(u128::from_le_bytes(ordered(bytes, big)), 0))
                .collect(),
            nulls,
        ),
        DataType::Utf8(_) => texts(values, nulls),
        DataType::Binary(len) => {
            let bytes: Vec<u8> = values.flatten().copied().collect();
            Arc::new(FixedSizeBinaryArray::new(len as i32, Buffer::from_vec(bytes), nulls))
        }
    }
}

fn with_zone<T: t::ArrowTimestampType>(
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
    is_utc: bool,
) -> ArrayRef {
    let array = PrimitiveArray::<T>::new(values, nulls);
    match is_utc {
        true => Arc::new(array.with_timezone("UTC")),
        false => Arc::new(array),
    }
}

fn wide(values: ScalarBuffer<i256>, nulls: Option<NullBuffer>) -> ArrayRef {
    let array = PrimitiveArray::<t::Decimal256Type>::new(values, nulls);
    // 39 digits hold every number of 128 bits.
    Arc::new(array.with_data_type(Arrow::Decimal256(39, 0)))
}

/// Texts without their padding; they were checked when they came.
fn texts<'v>(values: impl Iterator<Item = &'v [u8]>, nulls: Option<NullBuffer>) -> ArrayRef {
    let mut bytes = Vec::new();
    let lengths: Vec<usize> = values
        .map(|value| {
            let len = value.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            bytes.extend_from_slice(&value[..len]);
            len
        })
        .collect();
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
    Arc::new(StringArray::new(offsets, Buffer::from_vec(bytes), nulls))
}

/// The bytes in little-endian order.
fn ordered<const N: usize>(bytes: &[u8], is_big_endian: bool) -> [u8; N] {
    let mut ordered = [0; N];
    ordered.copy_from_slice(bytes);
    if is_big_endian {
        ordered.reverse();
    }
    ordered
}
