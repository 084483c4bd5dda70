//! Schemas as numpy's structured types.
//!
//! | field | numpy |
//! | --- | --- |
//! | `bool` | `?` |
//! | integers, floats | `<i1` … `<u8`, `<f4`, `<f8`; `>` if stored big-endian |
//! | `date32` | `<i4`: days since 1970 (numpy's own dates have 8 bytes) |
//! | `timestamp(ms)` | `<M8[ms]` |
//! | `utf8(10)`, `binary(4)` | `S10`, `V4` |
//! | nullable | a `u1` called `x__valid` (1 present, 0 null), then `x` |
//! | fixed array | the element's type with a shape |

use super::{Names, Piece, STATUS, pieces, stride_with_deletes};
use crate::error::Result;
use crate::format::{DataType, Field, Schema};

/// A Python literal that `numpy.dtype(...)` accepts: names, formats, offsets, itemsize.
///
/// With it numpy reads a store in place, from the data offset in [`StoreInfo`](crate::StoreInfo):
///
/// ```python
/// dtype = numpy.dtype({'names': …})
/// records = numpy.memmap("flights.rec", dtype=dtype, mode="r", offset=65536, shape=(count,))
/// ```
///
/// A nullable field `x` becomes two: `x__valid`, 1 for a value and 0 for null, and `x`. Text is
/// bytes in numpy (`S10`), and a `date32` is an `int32`: days since 1970, which
/// `records["day"].astype("M8[D]")` turns into dates.
///
/// ```
/// use flatrec::exchange::schema_to_numpy;
/// use flatrec::{DataType, Field, Schema, TimeUnit};
/// let schema = Schema::packed([
///     Field::new("at", DataType::Timestamp(TimeUnit::Millisecond)),
///     Field::new("delay", DataType::Int16).nullable(),
/// ])?;
/// assert_eq!(
///     schema_to_numpy(&schema),
///     "{'names': ['at', 'delay__valid', 'delay'], \
///      'formats': ['<M8[ms]', 'u1', '<i2'], 'offsets': [0, 8, 9], 'itemsize': 11}"
/// );
/// # Ok::<(), flatrec::Error>(())
/// ```
pub fn schema_to_numpy(schema: &Schema) -> String {
    dtype(schema, None)
}

/// As [`schema_to_numpy`], for reading a store with deletes in place: the last field, `status`, is
/// 1 for a live record and 2 for a deleted one, whose other bytes have no meaning.
///
/// ```python
/// records = numpy.memmap("flights.rec", dtype=dtype, mode="r", offset=65536, shape=(count,))
/// records = records[records["status"] == 1]
/// ```
///
/// ```
/// use flatrec::exchange::slots_to_numpy;
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// assert_eq!(
///     slots_to_numpy(&schema)?,
///     "{'names': ['n', 'status'], 'formats': ['<u8', 'u1'], 'offsets': [0, 8], 'itemsize': 9}"
/// );
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidSchema`](crate::ErrorKind::InvalidSchema) for records that a store with
/// deletes cannot have.
pub fn slots_to_numpy(schema: &Schema) -> Result<String> {
    Ok(dtype(schema, Some(stride_with_deletes(schema)?)))
}

/// With a stride, that of a store with deletes, the status byte is a field.
fn dtype(schema: &Schema, stride: Option<u32>) -> String {
    let mut names = names_of(schema);
    let (mut listed, mut formats, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
    for field in schema.fields() {
        if field.is_nullable() {
            listed.push(literal(&valid_name(field, &mut names)));
            formats.push("'u1'".to_owned());
            offsets.push(field.offset().to_string());
        }
        listed.push(literal(field.name()));
        formats.push(match field.array_len() {
            None => format!("'{}'", format_of(field)),
            Some(len) => format!("('{}', ({len},))", format_of(field)),
        });
        offsets.push((field.offset() + u32::from(field.is_nullable())).to_string());
    }
    if stride.is_some() {
        listed.push(literal(&names.unique(STATUS.to_owned())));
        formats.push("'u1'".to_owned());
        offsets.push(schema.record_size().to_string());
    }
    format!(
        "{{'names': [{}], 'formats': [{}], 'offsets': [{}], 'itemsize': {}}}",
        listed.join(", "),
        formats.join(", "),
        offsets.join(", "),
        stride.unwrap_or_else(|| schema.record_size())
    )
}

/// The list of fields for the header of a .npy file; bytes between fields become void fields
/// without a name.
pub(in crate::exchange) fn descr(schema: &Schema) -> String {
    let mut names = names_of(schema);
    let mut entries = Vec::new();
    for piece in pieces(schema) {
        match piece {
            Piece::Gap { len_bytes, .. } => entries.push(format!("('', '|V{len_bytes}')")),
            Piece::Field(field) => {
                if field.is_nullable() {
                    entries.push(format!("({}, '|u1')", literal(&valid_name(field, &mut names))));
                }
                let (name, format) = (literal(field.name()), format_of(field));
                entries.push(match field.array_len() {
                    None => format!("({name}, '{format}')"),
                    Some(len) => format!("({name}, '{format}', ({len},))"),
                });
            }
        }
    }
    format!("[{}]", entries.join(", "))
}

fn names_of(schema: &Schema) -> Names {
    Names::new(schema.fields().iter().map(|field| field.name().to_owned()))
}

/// The name of the presence byte of a nullable field.
fn valid_name(field: &Field, names: &mut Names) -> String {
    names.unique(format!("{}__valid", field.name()))
}

/// numpy's code for one element.
fn format_of(field: &Field) -> String {
    let order = if field.is_big_endian() { '>' } else { '<' };
    let code = match field.data_type() {
        DataType::Bool => return "?".into(),
        DataType::Int8 => return "i1".into(),
        DataType::UInt8 => return "u1".into(),
        DataType::Int16 => "i2",
        DataType::Int32 | DataType::Date32 => "i4",
        DataType::Int64 => "i8",
        DataType::UInt16 => "u2",
        DataType::UInt32 => "u4",
        DataType::UInt64 => "u8",
        DataType::Float32 => "f4",
        DataType::Float64 => "f8",
        DataType::Timestamp(unit) => return format!("{order}M8[{}]", unit.name()),
        DataType::Duration(unit) => return format!("{order}m8[{}]", unit.name()),
        // numpy has no such integers.
        DataType::Int128 | DataType::UInt128 => return "V16".into(),
        DataType::Utf8(len) => return format!("S{len}"),
        DataType::Binary(len) => return format!("V{len}"),
    };
    format!("{order}{code}")
}

/// A Python string literal in ASCII.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::from("'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => {
                literal.push('\\');
                literal.push(letter);
            }
            ' '..='~' => literal.push(letter),
            _ => literal.push_str(&format!("\\U{:08x}", u32::from(letter))),
        }
    }
    literal.push('\'');
    literal
}
