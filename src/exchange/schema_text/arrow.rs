//! Schemas as Python code for pyarrow.
//!
//! | field | Arrow |
//! | --- | --- |
//! | `bool`, integers, floats | the same |
//! | `int128`, `uint128` | `decimal256(39, 0)` |
//! | `date32`, `timestamp`, `duration` | the same, with the time zone UTC |
//! | `utf8(10)`, `binary(4)` | `string`, `binary(4)` |
//! | fixed array | a list of fixed size |

use super::json::variants_to_json;
use super::numpy::literal;
use crate::format::{DataType, Field, Schema};

/// The schema as Python code: an expression that makes a `pyarrow.Schema`, where `pyarrow` is
/// imported as `pa`. Variants, forms of display, scales and epochs are metadata of its fields.
///
/// ```
/// use flatrec::exchange::schema_to_arrow;
/// use flatrec::{DataType, Field, Schema, TimeUnit};
/// let schema = Schema::packed([
///     Field::new("at", DataType::Timestamp(TimeUnit::Millisecond)).utc(),
///     Field::new("rgb", DataType::UInt8).array(3).nullable(),
/// ])?;
/// assert_eq!(
///     schema_to_arrow(&schema),
///     "pa.schema([\n    \
///          pa.field('at', pa.timestamp('ms', tz='UTC'), nullable=False),\n    \
///          pa.field('rgb', pa.list_(pa.uint8(), 3)),\n\
///      ])\n"
/// );
/// # Ok::<(), flatrec::Error>(())
/// ```
pub fn schema_to_arrow(schema: &Schema) -> String {
    let fields: Vec<String> = schema.fields().iter().map(field_to_arrow).collect();
    format!("pa.schema([\n    {},\n])\n", fields.join(",\n    "))
}

fn field_to_arrow(field: &Field) -> String {
    let name = literal(field.name());
    let element = element(field);
    let data_type = match field.array_len() {
        Some(len) => format!("pa.list_({element}, {len})"),
        None => element,
    };
    let null = if field.is_nullable() { "" } else { ", nullable=False" };
    let notes =
        notes(field).into_iter().map(|(key, value)| format!("'{key}': {}", literal(&value)));
    let notes: Vec<String> = notes.collect();
    let metadata = match notes.is_empty() {
        true => String::new(),
        false => format!(", metadata={{{}}}", notes.join(", ")),
    };
    format!("pa.field({name}, {data_type}{null}{metadata})")
}

fn element(field: &Field) -> String {
    match field.data_type() {
        DataType::Bool => "pa.bool_()".into(),
        DataType::Int128 | DataType::UInt128 => "pa.decimal256(39, 0)".into(),
        DataType::Timestamp(unit) if field.is_utc() => {
            format!("pa.timestamp('{}', tz='UTC')", unit.name())
        }
        DataType::Timestamp(unit) => format!("pa.timestamp('{}')", unit.name()),
        DataType::Duration(unit) => format!("pa.duration('{}')", unit.name()),
        DataType::Utf8(_) => "pa.string()".into(),
        DataType::Binary(len) => format!("pa.binary({len})"),
        simple => format!("pa.{simple}()"),
    }
}

/// What Arrow has no type for, as keys and values of a column's metadata.
pub(in crate::exchange) fn notes(field: &Field) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    if !field.variants().is_empty() {
        notes.push(("variants", variants_to_json(field).to_string()));
    }
    if let Some(display) = field.display() {
        notes.push(("display", display.name().to_owned()));
    }
    if let Some(scale) = field.scale() {
        notes.push(("scale", scale.to_string()));
    }
    if let Some(unit) = field.epoch() {
        notes.push(("epoch", unit.name().to_owned()));
    }
    if !field.shape().is_empty() {
        notes.push(("shape", format!("{:?}", field.shape())));
    }
    notes
}
