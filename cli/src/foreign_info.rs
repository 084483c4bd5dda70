//! What `info` shows of a foreign file.

use std::io::Write;

use flatrec::exchange::schema_to_json;
use flatrec::foreign::ForeignFile;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::info::{bytes, fields, flattened};
use crate::output::{Column, Format, Sheet};

/// Writes the facts of `file`.
pub(crate) fn write(
    file: &ForeignFile,
    format: Format,
    out: &mut impl Write,
) -> Result<(), Failure> {
    match format {
        Format::Table => {
            let mut lines = Sheet::new(vec![
                Column::text("file"),
                Column::text(file.path().display().to_string()),
            ]);
            for (name, value) in lines_of(file)? {
                lines.row([name.into(), value.into()]);
            }
            lines.write(Format::Table, &mut *out)?;
            writeln!(out)?;
            fields(file.schema()).write(Format::Table, out)?;
        }
        Format::Csv => flattened(object(file)?).write(Format::Csv, out)?,
        Format::Ndjson => writeln!(out, "{}", object(file)?)?,
    }
    Ok(())
}

fn lines_of(file: &ForeignFile) -> Result<Vec<(&'static str, String)>, Failure> {
    let layout = file.layout();
    let records = match layout.has_deletes() {
        true => format!("{}, with the deleted ones", file.count()),
        false => file.count().to_string(),
    };
    let values = match layout.has_decoder() {
        true => "decoded, record by record",
        false => "as they lie in the file",
    };
    let mut lines = vec![
        ("kind", layout.kind().to_string()),
        ("records", records),
        ("stride", bytes(layout.stride().into())),
        ("data offset", bytes(layout.data_offset())),
        ("file length", bytes(file.len_bytes()?)),
        ("values", values.to_owned()),
    ];
    lines.extend(layout.facts().iter().map(|(name, value)| (*name, value.clone())));
    Ok(lines)
}

/// All facts, for programs.
pub(crate) fn object(file: &ForeignFile) -> Result<Value, Failure> {
    let layout = file.layout();
    let schema: Option<Value> = serde_json::from_str(&schema_to_json(file.schema())).ok();
    let facts = layout.facts().iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    Ok(json!({
        "path": file.path().to_string_lossy(),
        "kind": layout.kind().name(),
        "record_numbers": file.count(),
        "deletes": layout.has_deletes(),
        "stride_bytes": layout.stride(),
        "data_offset_bytes": layout.data_offset(),
        "file_len_bytes": file.len_bytes()?,
        "decoded": layout.has_decoder(),
        "facts": Map::from_iter(facts),
        "schema": schema,
    }))
}
