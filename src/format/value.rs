//! Field values by name or number, for code that learns the schema from the file.
//!
//! Reading borrows from the record and copies nothing. Every failure is an error, because the
//! record may be damaged or the field may belong to another schema.

use super::data_type::{DataType, TimeUnit};
use super::field::Field;
use super::types::{unpadded, write_padded};
use crate::error::{Error, ErrorKind, Result, named};
use crate::number::len_of;

/// The value of a field in one record.
///
/// ```
/// use flatrec::{DataType, Field, Schema, Value};
/// let schema = Schema::packed([
///     Field::new("id", DataType::UInt32),
///     Field::new("name", DataType::Utf8(10)).nullable(),
/// ])?;
/// let (id, name) = (&schema.fields()[0], &schema.fields()[1]);
/// let mut record = vec![0; 15];
/// id.write(&mut record, &Value::UInt(7))?;
/// name.write(&mut record, &"Ada".into())?;
/// assert_eq!(id.read(&record)?, Value::UInt(7));
/// assert_eq!(name.read(&record)?, Value::Text("Ada"));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// The null of a nullable field.
    Null,
    /// A value of a `bool` field.
    Bool(bool),
    /// A value of a signed integer field of up to 8 bytes.
    Int(i64),
    /// A value of an unsigned integer field of up to 8 bytes.
    UInt(u64),
    /// A value of an `int128` field.
    Int128(i128),
    /// A value of a `uint128` field.
    UInt128(u128),
    /// A value of a `float32` field.
    Float32(f32),
    /// A value of a `float64` field.
    Float(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Time since 1970-01-01T00:00:00, in that unit.
    Timestamp(i64, TimeUnit),
    /// A length of time, in that unit.
    Duration(i64, TimeUnit),
    /// A value of a `utf8` field, without padding.
    Text(&'a str),
    /// A value of a `binary` field.
    Binary(&'a [u8]),
    /// A value of a fixed array.
    Array(ArrayValue<'a>),
}

/// The elements of a fixed array in one record.
///
/// ```
/// use flatrec::{DataType, Field, Value};
/// let field = Field::new("axes", DataType::Int16).array(3);
/// let mut record = [0; 6];
/// field.write_elements(&mut record, &[Value::Int(1), Value::Int(-2), Value::Int(3)])?;
/// let Value::Array(axes) = field.read(&record)? else { panic!("an array field") };
/// assert_eq!(axes.len(), 3);
/// assert_eq!(axes.get(1)?, Value::Int(-2));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ArrayValue<'a> {
    data_type: DataType,
    big_endian: bool,
    len: usize,
    bytes: &'a [u8],
}

impl<'a> ArrayValue<'a> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements. A schema allows no such array.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The type of each element.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Element `index`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last; [`ErrorKind::Corrupt`] as [`Field::read`].
    pub fn get(&self, index: usize) -> Result<Value<'a>> {
        let width = width_bytes(self.data_type);
        let bytes = index
            .checked_mul(width)
            .and_then(|start| self.bytes.get(start..start.checked_add(width)?))
            .filter(|_| index < self.len);
        let Some(bytes) = bytes else {
            return Err(Error::new(ErrorKind::OutOfRange, "read element")
                .detail(format!("element {index} of {}", self.len)));
        };
        read_element(self.data_type, self.big_endian, bytes)
            .map_err(|why| Error::new(ErrorKind::Corrupt, "read element").detail(why))
    }

    /// All elements in order; the errors are those of [`ArrayValue::get`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Value<'a>>> + use<'a> {
        let array = *self;
        (0..array.len).map(move |index| array.get(index))
    }
}

impl PartialEq for ArrayValue<'_> {
    /// Values are compared, not their byte order; an element that cannot be read equals nothing.
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self.data_type == other.data_type
            && self.iter().zip(other.iter()).all(|pair| matches!(pair, (Ok(a), Ok(b)) if a == b))
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident,)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

value_from! {
    bool => Bool,
    i8 => Int, i16 => Int, i32 => Int, i64 => Int,
    u8 => UInt, u16 => UInt, u32 => UInt, u64 => UInt,
    i128 => Int128, u128 => UInt128,
    f32 => Float32, f64 => Float,
    &'a str => Text, &'a [u8] => Binary,
}

impl Field {
    /// The field's value in `record`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if the record is too short for this field; [`ErrorKind::Corrupt`]
    /// if a `bool` or presence byte is neither 0 nor 1, or text is not UTF-8.
    pub fn read<'a>(&self, record: &'a [u8]) -> Result<Value<'a>> {
        let corrupt = |why: String| self.error(ErrorKind::Corrupt, "read", why);
        let Some((presence, bytes)) = self.range().and_then(|range| {
            let (start, value, end) = range;
            Some((record.get(start..value)?, record.get(value..end)?))
        }) else {
            return Err(self.too_short("read", record.len()));
        };
        match presence {
            [] | [1] => {}
            [0] => return Ok(Value::Null),
            other => return Err(corrupt(format!("its presence byte is {}, not 0 or 1", other[0]))),
        }
        match self.array_len {
            None => read_element(self.data_type, self.big_endian, bytes).map_err(corrupt),
            Some(len) => Ok(Value::Array(ArrayValue {
                data_type: self.data_type,
                big_endian: self.big_endian,
                len: len_of(len),
                bytes,
            })),
        }
    }

    /// Whether the field is null in `record`, without reading its value.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] and [`ErrorKind::Corrupt`] as [`Field::read`].
    pub fn is_null(&self, record: &[u8]) -> Result<bool> {
        if !self.nullable {
            return Ok(false);
        }
        match usize::try_from(self.offset).ok().and_then(|offset| record.get(offset)) {
            None => Err(self.too_short("read", record.len())),
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            Some(other) => {
                let why = format!("its presence byte is {other}, not 0 or 1");
                Err(self.error(ErrorKind::Corrupt, "read", why))
            }
        }
    }

    /// Stores `value` in the field's place in `record`.
    ///
    /// Integers go into any integer or float field that holds them exactly, a [`Value::Float`] into
    /// a `float32` by rounding, a timestamp or a duration into another unit if nothing is lost.
    /// Null leaves zeros.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] if the field cannot hold the value: another type, out of range,
    /// text or bytes of the wrong length, text that ends in NUL, null in a field that is not
    /// nullable. The record is then unchanged, except an array, of which some elements may be
    /// written. [`ErrorKind::OutOfRange`] if the record is too short for this field.
    pub fn write(&self, record: &mut [u8], value: &Value<'_>) -> Result<()> {
        match (value, self.array_len) {
            (Value::Null, _) => self.write_null(record),
            (Value::Array(array), Some(_)) => self.write_each(record, array.len, array.iter()),
            (_, None) => self.write_with("write", record, |bytes| {
                write_element(self.data_type, self.big_endian, bytes, value)
            }),
            (_, Some(_)) => Err(self.error(
                ErrorKind::InvalidValue,
                "write",
                "an array does not take a single value".into(),
            )),
        }
    }

    /// Stores `elements` in the field's place in `record`: as many as the array has.
    ///
    /// # Errors
    /// As [`Field::write`]; [`ErrorKind::InvalidValue`] also if their number differs from the
    /// array's.
    pub fn write_elements(&self, record: &mut [u8], elements: &[Value<'_>]) -> Result<()> {
        self.write_each(record, elements.len(), elements.iter().map(|element| Ok(*element)))
    }

    fn write_each<'v>(
        &self,
        record: &mut [u8],
        len: usize,
        elements: impl Iterator<Item = Result<Value<'v>>>,
    ) -> Result<()> {
        let expected = self.array_len.map_or(0, len_of);
        if len != expected {
            let why = format!("{len} elements do not fit an array of {expected}");
            return Err(self.error(ErrorKind::InvalidValue, "write", why));
        }
        let width = width_bytes(self.data_type).max(1);
        self.write_with("write", record, |bytes| {
            for (bytes, element) in bytes.chunks_exact_mut(width).zip(elements) {
                let element = element.map_err(|error| error.to_string())?;
                write_element(self.data_type, self.big_endian, bytes, &element)?;
            }
            Ok(())
        })
    }

    fn write_null(&self, record: &mut [u8]) -> Result<()> {
        if !self.nullable {
            let why = "the field is not nullable".into();
            return Err(self.error(ErrorKind::InvalidValue, "write", why));
        }
        let record_len = record.len();
        let Some(bytes) = self.range().and_then(|(start, _, end)| record.get_mut(start..end))
        else {
            return Err(self.too_short("write", record_len));
        };
        bytes.fill(0);
        Ok(())
    }

    /// Lets `write` fill the value's bytes, then marks the value present.
    pub(super) fn write_with(
        &self,
        verb: &'static str,
        record: &mut [u8],
        write: impl FnOnce(&mut [u8]) -> Result<(), String>,
    ) -> Result<()> {
        let record_len = record.len();
        let Some((start, value, end)) = self.range().filter(|&(_, _, end)| end <= record_len)
        else {
            return Err(self.too_short(verb, record_len));
        };
        write(&mut record[value..end])
            .map_err(|why| self.error(ErrorKind::InvalidValue, verb, why))?;
        record[start..value].fill(1);
        Ok(())
    }

    /// The places of the presence byte (if any), the value and the next field. `None` past the
    /// largest address, which a schema's fields never reach.
    pub(in crate::format) fn range(&self) -> Option<(usize, usize, usize)> {
        let start = usize::try_from(self.offset).ok()?;
        let value = start.checked_add(usize::from(self.nullable))?;
        let elements = usize::try_from(self.array_len.unwrap_or(1)).ok()?;
        let end = width_bytes(self.data_type).checked_mul(elements)?.checked_add(value)?;
        Some((start, value, end))
    }

    pub(super) fn error(&self, kind: ErrorKind, verb: &'static str, why: String) -> Error {
        let name = named(&self.name);
        Error::new(kind, verb).detail(format!("field {name} ({}): {why}", self.data_type))
    }

    fn too_short(&self, verb: &'static str, record_len: usize) -> Error {
        let why = format!("the record has only {record_len} bytes");
        self.error(ErrorKind::OutOfRange, verb, why)
    }
}

pub(super) fn width_bytes(data_type: DataType) -> usize {
    len_of(data_type.size_bytes())
}

/// The `N` bytes of an element in little-endian order.
///
/// # Panics
/// If there are not `N` of them: callers cut elements by the size of their type.
fn ordered<const N: usize>(bytes: &[u8], big_endian: bool) -> [u8; N] {
    let mut ordered = [0; N];
    ordered.copy_from_slice(bytes);
    if big_endian {
        ordered.reverse();
    }
    ordered
}

/// The value of one element; `bytes` has exactly the length of its type.
pub(super) fn read_element(
    data_type: DataType,
    big: bool,
    bytes: &[u8],
) -> Result<Value<'_>, String> {
    Ok(match data_type {
        DataType::Bool => match bytes {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return Err(format!("its bool byte is {bytes:?}, not 0 or 1")),
        },
        DataType::Int8 => Value::Int(i8::from_le_bytes(ordered(bytes, big)).into()),
        DataType::Int16 => Value::Int(i16::from_le_bytes(ordered(bytes, big)).into()),
        DataType::Int32 => Value::Int(i32::from_le_bytes(ordered(bytes, big)).into()),
        DataType::Int64 => Value::Int(i64::from_le_bytes(ordered(bytes, big))),
        DataType::UInt8 => Value::UInt(u8::from_le_bytes(ordered(bytes, big)).into()),
        DataType::UInt16 => Value::UInt(u16::from_le_bytes(ordered(bytes, big)).into()),
        DataType::UInt32 => Value::UInt(u32::from_le_bytes(ordered(bytes, big)).into()),
        DataType::UInt64 => Value::UInt(u64::from_le_bytes(ordered(bytes, big))),
        DataType::Int128 => Value::Int128(i128::from_le_bytes(ordered(bytes, big))),
        DataType::UInt128 => Value::UInt128(u128::from_le_bytes(ordered(bytes, big))),
        DataType::Float32 => Value::Float32(f32::from_le_bytes(ordered(bytes, big))),
        DataType::Float64 => Value::Float(f64::from_le_bytes(ordered(bytes, big))),
        DataType::Date32 => Value::Date(i32::from_le_bytes(ordered(bytes, big))),
        DataType::Timestamp(unit) => {
            Value::Timestamp(i64::from_le_bytes(ordered(bytes, big)), unit)
        }
        DataType::Duration(unit) => Value::Duration(i64::from_le_bytes(ordered(bytes, big)), unit),
        DataType::Utf8(_) => Value::Text(
            std::str::from_utf8(unpadded(bytes)).map_err(|error| format!("text: {error}"))?,
        ),
        DataType::Binary(_) => Value::Binary(bytes),
    })
}

/// Stores `value` in `into`, which has exactly the length of its type; unchanged on failure.
pub(super) fn write_element(
    data_type: DataType,
    big: bool,
    into: &mut [u8],
    value: &Value<'_>,
) -> Result<(), String> {
    match (data_type, *value) {
        (DataType::Bool, Value::Bool(value)) => into.copy_from_slice(&[u8::from(value)]),
        (DataType::Float32, Value::Float32(value)) => put(into, big, value.to_le_bytes()),
        (DataType::Float32, Value::Float(value)) => {
            put(into, big, narrowed(value)?.to_le_bytes());
        }
        (DataType::Float64, Value::Float32(value)) => {
            put(into, big, f64::from(value).to_le_bytes());
        }
        (DataType::Float64, Value::Float(value)) => put(into, big, value.to_le_bytes()),
        (DataType::Date32, Value::Date(days)) => put(into, big, days.to_le_bytes()),
        (DataType::Timestamp(unit), Value::Timestamp(time, from)) => {
            put(into, big, in_unit(time, from, unit)?.to_le_bytes());
        }
        (DataType::Duration(unit), Value::Duration(time, from)) => {
            put(into, big, in_unit(time, from, unit)?.to_le_bytes());
        }
        (DataType::Utf8(_), Value::Text(text)) => write_padded(text, into)?,
        (DataType::Binary(_), Value::Binary(bytes)) => {
            if bytes.len() != into.len() {
                return Err(format!(
                    "the value has {} bytes, the field {}",
                    bytes.len(),
                    into.len()
                ));
            }
            into.copy_from_slice(bytes);
        }
        (_, Value::Int(value)) => write_integer(data_type, big, into, value.into())?,
        (_, Value::UInt(value)) => write_integer(data_type, big, into, value.into())?,
        (_, Value::Int128(value)) => write_integer(data_type, big, into, value)?,
        (DataType::UInt128, Value::UInt128(value)) => put(into, big, value.to_le_bytes()),
        (_, Value::UInt128(value)) => match i128::try_from(value) {
            Ok(value) => write_integer(data_type, big, into, value)?,
            Err(_) => write_large(data_type, big, into, value)?,
        },
        _ => return Err(format!("the value has another type: {value:?}")),
    }
    Ok(())
}

pub(super) fn put<const N: usize>(into: &mut [u8], big_endian: bool, mut little_endian: [u8; N]) {
    if big_endian {
        little_endian.reverse();
    }
    into.copy_from_slice(&little_endian);
}

/// Stores an integer in a field of any type that can hold it exactly.
fn write_integer(
    data_type: DataType,
    big: bool,
    into: &mut [u8],
    value: i128,
) -> Result<(), String> {
    let range = |_| format!("{value} is out of range");
    match data_type {
        DataType::Int8 => put(into, big, i8::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::Int16 => put(into, big, i16::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::Int32 => put(into, big, i32::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::Int64 => put(into, big, i64::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::UInt8 => put(into, big, u8::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::UInt16 => put(into, big, u16::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::UInt32 => put(into, big, u32::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::UInt64 => put(into, big, u64::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::Int128 => put(into, big, value.to_le_bytes()),
        DataType::UInt128 => put(into, big, u128::try_from(value).map_err(range)?.to_le_bytes()),
        DataType::Float32 if is_exact(value.unsigned_abs(), f32::MANTISSA_DIGITS) => {
            put(into, big, (value as f32).to_le_bytes());
        }
        DataType::Float64 if is_exact(value.unsigned_abs(), f64::MANTISSA_DIGITS) => {
            put(into, big, (value as f64).to_le_bytes());
        }
        DataType::Float32 | DataType::Float64 => {
            return Err(format!("{value} has more digits than a {data_type}"));
        }
        _ => return Err(format!("the field does not take the integer {value}")),
    }
    Ok(())
}

/// Stores an integer of more than 127 bits in a field of any type but its own.
fn write_large(data_type: DataType, big: bool, into: &mut [u8], value: u128) -> Result<(), String> {
    match data_type {
        DataType::Float32 if is_exact(value, f32::MANTISSA_DIGITS) => {
            put(into, big, (value as f32).to_le_bytes());
        }
        DataType::Float64 if is_exact(value, f64::MANTISSA_DIGITS) => {
            put(into, big, (value as f64).to_le_bytes());
        }
        _ => return Err(format!("{value} is out of range")),
    }
    Ok(())
}

/// Whether a float with so many binary digits has exactly this value. No integer of 128 bits is out
/// of its range.
fn is_exact(magnitude: u128, digits: u32) -> bool {
    // Shifted by its zeros, it has one digit or more.
    magnitude == 0 || u128::BITS - magnitude.leading_zeros() - magnitude.trailing_zeros() <= digits
}

/// The nearest `f32`; a finite number without one is refused.
fn narrowed(value: f64) -> Result<f32, String> {
    let narrow = value as f32; // rounds to nearest
    if narrow.is_infinite() && value.is_finite() {
        return Err(format!("{value:?} is out of range"));
    }
    Ok(narrow)
}

/// The time of a field in another unit, if that loses nothing.
fn in_unit(time: i64, from: TimeUnit, to: TimeUnit) -> Result<i64, String> {
    if from == to {
        return Ok(time);
    }
    i64::try_from(time_in_unit(time.into(), from, to)?)
        .map_err(|_| format!("{time} {} is out of range in {}", from.name(), to.name()))
}

/// A time in another unit, if that loses nothing.
pub(crate) fn time_in_unit(time: i128, from: TimeUnit, to: TimeUnit) -> Result<i128, String> {
    let scaled = time
        .checked_mul(to.per_second().into())
        .ok_or_else(|| format!("{time} {} is out of range", from.name()))?;
    let per_second = i128::from(from.per_second());
    if scaled % per_second != 0 {
        return Err(format!("{time} {} is not a whole number of {}", from.name(), to.name()));
    }
    Ok(scaled / per_second)
}

#[cfg(test)]
mod tests;
