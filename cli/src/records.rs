//! Writes records to standard output, in any format.

use std::io::Write;

use flatrec::exchange::{CsvWriter, NdjsonWriter};
use flatrec::{DataType, Field, Schema, Value};

use crate::failure::Failure;
use crate::output::{Column, Format, Table};

/// Records as rows of selected fields.
pub(crate) enum Records<W: Write> {
    /// With the record's number before the fields.
    Table(Vec<Field>, Table<W>),
    Csv(CsvWriter<W>),
    Ndjson(NdjsonWriter<W>),
}

impl<W: Write> Records<W> {
    /// Records of these fields of the schema. With `id`, each row begins with the record's number,
    /// in a column of that name.
    pub(crate) fn new(
        out: W,
        format: Format,
        fields: &[Field],
        schema: &Schema,
        id: Option<&str>,
    ) -> Result<Self, Failure> {
        Ok(match format {
            Format::Table => {
                let mut columns = vec![Column::number(id.unwrap_or("#"))];
                columns.extend(fields.iter().map(|field| match is_number(field) {
                    true => Column::number(field.name()),
                    false => Column::text(field.name()),
                }));
                Self::Table(fields.to_vec(), Table::new(out, columns))
            }
            Format::Csv => {
                let mut csv = CsvWriter::new(out, fields, b',').null_words(schema.null_words());
                if let Some(id) = id {
                    csv = csv.id_column(id);
                }
                csv.header()?;
                Self::Csv(csv)
            }
            Format::Ndjson => {
                let ndjson = NdjsonWriter::new(out, fields);
                Self::Ndjson(match id {
                    Some(id) => ndjson.id_column(id),
                    None => ndjson,
                })
            }
        })
    }

    /// An error about the record does not name it: `Failure::in_record` does.
    pub(crate) fn write(&mut self, id: u64, record: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Table(fields, table) => {
                let mut row = vec![id.to_string()];
                for field in fields {
                    row.push(cell(field, record)?);
                }
                table.row(&row)?;
            }
            Self::Csv(csv) => csv.write_numbered(id, record)?,
            Self::Ndjson(ndjson) => ndjson.write_numbered(id, record)?,
        }
        Ok(())
    }

    /// Writes the rows held back, including a table's first rows, in columns as wide as they need.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Table(_, table) => table.flush()?,
            Self::Csv(csv) => csv.flush()?,
            Self::Ndjson(ndjson) => ndjson.flush()?,
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Table(_, table) => table.finish()?,
            Self::Csv(csv) => csv.finish()?.flush()?,
            Self::Ndjson(ndjson) => ndjson.finish()?.flush()?,
        }
        Ok(())
    }
}

/// A field's value as a table shows it.
pub(crate) fn cell(field: &Field, record: &[u8]) -> Result<String, Failure> {
    let mut text = String::new();
    match field.read(record) {
        Ok(Value::Null) => text.push_str("null"),
        Ok(_) => field.format_text(record, &mut text)?,
        Err(error) => return Err(error.into()),
    }
    Ok(text)
}

fn is_number(field: &Field) -> bool {
    use DataType::*;
    field.array_len().is_none()
        && !matches!(field.data_type(), Bool | Date32 | Timestamp(_) | Utf8(_) | Binary(_))
}
