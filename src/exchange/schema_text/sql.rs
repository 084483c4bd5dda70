//! Schemas as a table of SQL, for the CSV of an export.
//!
//! | field | SQL |
//! | --- | --- |
//! | `bool` | `BOOLEAN` |
//! | `int8`, `uint8`, `int16` | `SMALLINT` |
//! | `uint16`, `int32` | `INTEGER` |
//! | `uint32`, `int64` | `BIGINT` |
//! | `uint64`, `int128`, `uint128` | `NUMERIC` of as many digits |
//! | `float32`, `float64` | `REAL`, `DOUBLE PRECISION` |
//! | `date32` | `DATE` |
//! | `timestamp` | `TIMESTAMP`, with `WITH TIME ZONE` in UTC |
//! | `duration` | `INTERVAL` |
//! | `utf8(10)`, a form or names of values | `VARCHAR` |
//! | `binary(4)`, with the form `uuid` | `VARCHAR` of hexadecimal digits, `UUID` |
//! | with an epoch | `NUMERIC(38, 9)` |
//! | fixed array | `VARCHAR`: JSON |

use super::check_record_name;
use crate::error::Result;
use crate::format::{DataType, DisplayHint, Field, Schema, Variant};

/// A statement that creates the table `name` with a column for each field, in standard SQL as
/// PostgreSQL, DuckDB and SQLite read it. The columns take the values of a CSV export.
///
/// ```
/// use flatrec::exchange::schema_to_sql;
/// use flatrec::{DataType, Field, Schema, TimeUnit};
/// let schema = Schema::packed([
///     Field::new("at", DataType::Timestamp(TimeUnit::Millisecond)).utc(),
///     Field::new("dep delay", DataType::Int16).nullable(),
/// ])?;
/// assert_eq!(
///     schema_to_sql(&schema, "flights")?,
///     "CREATE TABLE flights (\n    \
///          \"at\" TIMESTAMP WITH TIME ZONE NOT NULL,\n    \
///          \"dep delay\" SMALLINT\n\
///      );\n"
/// );
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not an
/// identifier: ASCII letters, digits and underscores, not a digit first.
pub fn schema_to_sql(schema: &Schema, name: &str) -> Result<String> {
    check_record_name(name)?;
    let columns: Vec<String> = schema.fields().iter().map(column).collect();
    Ok(format!("CREATE TABLE {name} (\n    {}\n);\n", columns.join(",\n    ")))
}

fn column(field: &Field) -> String {
    let name = field.name().replace('"', "\"\"");
    let null = if field.is_nullable() { "" } else { " NOT NULL" };
    format!("\"{name}\" {}{null}", type_of(field))
}

fn type_of(field: &Field) -> String {
    if field.array_len().is_some() {
        return "VARCHAR".into();
    }
    match field.display() {
        Some(DisplayHint::Uuid) => return "UUID".into(),
        Some(_) => return "VARCHAR".into(),
        None => {}
    }
    if !field.variants().is_empty() {
        return variants(field);
    }
    if field.epoch().is_some() {
        return "NUMERIC(38, 9)".into();
    }
    match field.data_type() {
        DataType::Bool => "BOOLEAN".into(),
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => "SMALLINT".into(),
        DataType::UInt16 | DataType::Int32 => "INTEGER".into(),
        DataType::UInt32 | DataType::Int64 => "BIGINT".into(),
        DataType::UInt64 => "NUMERIC(20)".into(),
        // DuckDB has no decimals of so many digits; there it is HUGEINT or UHUGEINT.
        DataType::Int128 | DataType::UInt128 => "NUMERIC(39)".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE PRECISION".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(_) if field.is_utc() => "TIMESTAMP WITH TIME ZONE".into(),
        DataType::Timestamp(_) => "TIMESTAMP".into(),
        DataType::Duration(_) => "INTERVAL".into(),
        DataType::Utf8(len) => format!("VARCHAR({len})"),
        DataType::Binary(len) => format!("VARCHAR({})", u64::from(len) * 2),
    }
}

/// Text: an export has the names of values.
fn variants(field: &Field) -> String {
    let longest = field.variants().iter().map(|variant: &Variant| variant.name().len()).max();
    // Another value has its number, of up to 20 characters.
    format!("VARCHAR({})", longest.unwrap_or(0).max(20))
}
