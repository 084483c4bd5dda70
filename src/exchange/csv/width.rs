//! Stores that would be much larger than their text: each record has room for the longest text of
//! each column, so one long text makes every record as long.

use std::cmp::Reverse;

use super::options::CsvOptions;
use crate::error::{Error, ErrorKind, quoted};
use crate::format::{DataType, Field, MAX_RECORD_BYTES, Schema};

/// A smaller store is written however little text it holds.
const STORE_BYTES_MIN: u64 = 16 << 20;
/// The bytes of a store for each byte of its text, at most. A number takes nine at most, and its
/// text two with the delimiter.
const BYTES_PER_TEXT_BYTE_MAX: u64 = 16;

/// The widest column of an inferred schema, of those whose width the caller did not choose.
pub(super) struct Widest {
    pub(super) column: usize,
    pub(super) len_bytes: usize,
}

/// The widest column, if a store of these rows would be too large for their text because of the
/// widths that inference chose.
pub(super) fn too_wide(
    schema: &Schema,
    options: &CsvOptions,
    rows: u64,
    text_bytes: u64,
) -> Option<Widest> {
    let wanted = &options.wanted;
    let is_own = |field: &Field| {
        let is_text = matches!(field.data_type(), DataType::Utf8(_));
        wanted.type_of(field.name()).is_none() && !(is_text && wanted.text_width.is_some())
    };
    let own = || schema.fields().iter().enumerate().filter(|(_, field)| is_own(field));
    let own_bytes: u64 = own().map(|(_, field)| u64::from(field.size_bytes())).sum();
    let store_bytes = rows.saturating_mul(own_bytes);
    let is_small = store_bytes <= STORE_BYTES_MIN
        || store_bytes <= text_bytes.saturating_mul(BYTES_PER_TEXT_BYTE_MAX);
    if is_small {
        return None;
    }
    widest(own())
}

/// The widest column, if a record of these fields would have more bytes than a record can.
pub(super) fn too_large(fields: &[Field]) -> Option<Widest> {
    match record_bytes(fields) > u64::from(MAX_RECORD_BYTES) {
        true => widest(fields.iter().enumerate()),
        false => None,
    }
}

fn record_bytes(fields: &[Field]) -> u64 {
    fields.iter().map(|field| u64::from(field.size_bytes())).sum()
}

fn widest<'f>(fields: impl Iterator<Item = (usize, &'f Field)>) -> Option<Widest> {
    let texts = fields.filter_map(|(column, field)| match field.data_type() {
        DataType::Utf8(width) => Some((width, Reverse(column))),
        _ => None,
    });
    texts.max().map(|(width, Reverse(column))| Widest { column, len_bytes: width as usize })
}

impl Widest {
    /// The error for a record that would be too large; `line` has the longest text, if one has it.
    pub(super) fn record_error(&self, fields: &[Field], line: Option<u64>) -> Error {
        let Self { column, len_bytes } = self;
        let name = quoted(fields[*column].name());
        let line = line.map_or(String::new(), |line| format!(", on line {line}"));
        let record_bytes = record_bytes(fields);
        Error::new(ErrorKind::InvalidSchema, "infer a schema of")
            .detail(format!(
                "the longest text of column {name} has {len_bytes} bytes{line}, and a record would \
                 have {record_bytes}; {MAX_RECORD_BYTES} is the most"
            ))
            .advice(
                "look for a quote that is never closed; give the column a smaller width \
                 (CsvOptions::text_width_of) and set rows that do not fit aside \
                 (CsvReader::on_reject); or give a schema",
            )
    }

    /// The error for such a store.
    pub(super) fn error(
        &self,
        schema: &Schema,
        rows: u64,
        text_bytes: u64,
        line: Option<u64>,
    ) -> Error {
        let Self { column, len_bytes } = self;
        let name = quoted(schema.fields()[*column].name());
        let line = line.map_or(String::new(), |line| format!(", on line {line}"));
        let record_bytes = schema.record_size();
        let store_bytes = rows.saturating_mul(u64::from(record_bytes));
        Error::new(ErrorKind::InvalidSchema, "infer a schema of")
            .detail(format!(
                "the longest text of column {name} has {len_bytes} bytes{line}, so {rows} records \
                 of {record_bytes} bytes would take {store_bytes} bytes, for {text_bytes} bytes of \
                 text"
            ))
            .advice(
                "give the column a smaller width (CsvOptions::text_width_of), and set rows that do \
                 not fit aside (CsvReader::on_reject)",
            )
    }
}
