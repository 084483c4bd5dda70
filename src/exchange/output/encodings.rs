//! How the columns of a Parquet file are encoded.
//!
//! A dictionary makes a column with few different values small, and only takes time for others, so
//! the first rows decide. Integers without one are stored as differences.

use std::collections::HashSet;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType as Arrow;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

/// Fewer rows do not decide.
const ROWS_MIN: usize = 1000;

/// The properties of a file that begins with these rows.
pub(super) fn properties(first: Option<&RecordBatch>) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(None);
    let schema = first.map(RecordBatch::schema);
    let fields = schema.iter().flat_map(|schema| schema.fields().iter());
    let columns = first.iter().flat_map(|batch| batch.columns());
    for (field, column) in fields.zip(columns).filter(|(_, column)| are_mostly_different(column)) {
        let path = ColumnPath::new(vec![field.name().clone()]);
        builder = builder.set_column_dictionary_enabled(path.clone(), false);
        if is_integer(column.data_type()) {
            builder = builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    builder.build()
}

/// Whether Parquet has the values as integers of 32 or 64 bits.
fn is_integer(data_type: &Arrow) -> bool {
    data_type.is_integer()
        || matches!(data_type, Arrow::Date32 | Arrow::Timestamp(..) | Arrow::Duration(_))
}

/// Whether more than half of the values differ.
fn are_mostly_different(column: &ArrayRef) -> bool {
    let rows = column.len();
    let width = match column.data_type() {
        Arrow::Utf8 => {
            let texts = column.as_string::<i32>();
            let different: HashSet<&str> = texts.iter().flatten().collect();
            return rows >= ROWS_MIN && different.len() > rows / 2;
        }
        other => other.primitive_width(),
    };
    let data = column.to_data();
    match (width, data.buffers()) {
        (Some(width), [values]) if rows >= ROWS_MIN => {
            let values = values.as_slice().chunks_exact(width).take(rows);
            values.collect::<HashSet<_>>().len() > rows / 2
        }
        _ => false,
    }
}
