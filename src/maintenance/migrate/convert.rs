//! One value as a value of another type, if that type holds it exactly.

use crate::error::Error;
use crate::format::{DataType, Field, TimeUnit, Value, time_in_unit};
use crate::number::len_of;

/// The seconds of a day.
const DAY_SECONDS: i128 = 86_400;

/// Whether values of one field can become values of another at all.
pub(crate) fn is_possible(from: &Field, to: &Field) -> Result<(), &'static str> {
    if from.array_len() != to.array_len() {
        return Err("an array keeps the number of its elements");
    }
    if from.scale().is_some() && to.scale().is_some() && from.scale() != to.scale() {
        return Err("a decimal keeps its scale");
    }
    let (from, to) = (from.data_type(), to.data_type());
    let is_text = |data_type| matches!(data_type, DataType::Utf8(_));
    let possible = Kind::of(from) == Kind::of(to)
        || is_text(from)
        || is_text(to)
        || Kind::of(from).becomes(Kind::of(to));
    match possible {
        // Text is read and written by code of its own.
        true if is_text(from) != is_text(to) && !cfg!(feature = "text") => {
            Err("values become text, or text values, with the feature text only")
        }
        true => Ok(()),
        false => Err("no value of this type is one of that type"),
    }
}

/// Types whose values can be the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer,
    Float,
    Date,
    Timestamp,
    Duration,
    Text,
    Binary(u32),
}

impl Kind {
    fn of(data_type: DataType) -> Self {
        match data_type {
            DataType::Bool => Self::Bool,
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(_) => Self::Timestamp,
            DataType::Duration(_) => Self::Duration,
            DataType::Utf8(_) => Self::Text,
            DataType::Binary(len) => Self::Binary(len),
            _ => Self::Integer,
        }
    }

    fn becomes(self, to: Self) -> bool {
        use Kind::{Bool, Date, Duration, Float, Integer, Timestamp};
        matches!(
            (self, to),
            (Integer, Bool | Float | Timestamp | Duration)
                | (Bool | Float | Timestamp | Duration, Integer)
                | (Date, Timestamp)
                | (Timestamp, Date)
        )
    }
}

/// Stores the value of `from` in `record` in `to`'s place in `into`. Null becomes the bytes of
/// `fill` where `to` cannot be null. After an error `into` may have a part of the value.
pub(crate) fn convert(
    (from, record): (&Field, &[u8]),
    (to, into): (&Field, &mut [u8]),
    fill: Option<&[u8]>,
) -> Result<(), String> {
    match from.read(record).map_err(|error| error.to_string())? {
        Value::Null if to.is_nullable() => write(to, into, &Value::Null),
        Value::Null => {
            let fill = fill.ok_or("it is null, and the new field cannot be")?;
            let start = len_of(to.offset());
            into[start..start + fill.len()].copy_from_slice(fill);
            Ok(())
        }
        _ if is_text(from) != is_text(to) => by_text((from, record), (to, into)),
        Value::Array(array) => {
            let elements: Result<Vec<Value<'_>>, String> = array
                .iter()
                .map(|element| element_of(element.map_err(|error| error.to_string())?, from, to))
                .collect();
            to.write_elements(into, &elements?).map_err(|error| why(&error))
        }
        value => write(to, into, &element_of(value, from, to)?),
    }
}

fn is_text(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Utf8(_))
}

fn write(to: &Field, into: &mut [u8], value: &Value<'_>) -> Result<(), String> {
    to.write(into, value).map_err(|error| why(&error))
}

/// The reason alone: the caller names the field.
fn why(error: &Error) -> String {
    let text = error.to_string();
    text.split_once("): ").map_or(text.clone(), |(_, why)| why.to_owned())
}

#[cfg(feature = "text")]
fn by_text((from, record): (&Field, &[u8]), (to, into): (&Field, &mut [u8])) -> Result<(), String> {
    let mut text = String::new();
    from.format_text(record, &mut text).map_err(|error| error.to_string())?;
    // As in a file of texts.
    let is_null = is_text(from) && (text.is_empty() || to.null_words().contains(&text));
    if is_null && to.is_nullable() {
        return write(to, into, &Value::Null);
    }
    to.parse_text(&text, into).map_err(|error| why(&error))
}

#[cfg(not(feature = "text"))]
fn by_text(_: (&Field, &[u8]), _: (&Field, &mut [u8])) -> Result<(), String> {
    Err("values become text with the feature text only".into())
}

/// A value of `from`'s type as one of `to`'s, exactly.
fn element_of<'v>(value: Value<'v>, from: &Field, to: &Field) -> Result<Value<'v>, String> {
    let to_kind = Kind::of(to.data_type());
    Ok(match (value, to_kind) {
        (Value::Float(number), Kind::Integer) => whole(number)?,
        (Value::Float32(number), Kind::Integer) => whole(number.into())?,
        (Value::Float(number), Kind::Float) if to.data_type() == DataType::Float32 => {
            single(number)?
        }
        (Value::Bool(value), Kind::Integer) => Value::Int(value.into()),
        (Value::Int(0) | Value::UInt(0) | Value::Int128(0) | Value::UInt128(0), Kind::Bool) => {
            Value::Bool(false)
        }
        (Value::Int(1) | Value::UInt(1) | Value::Int128(1) | Value::UInt128(1), Kind::Bool) => {
            Value::Bool(true)
        }
        (integer, Kind::Bool) if Kind::of(from.data_type()) == Kind::Integer => {
            return Err(format!("{integer:?} is neither 0 nor 1"));
        }
        (Value::Timestamp(time, unit), Kind::Integer) => {
            time_in_unit(time.into(), unit, from.epoch().unwrap_or(unit)).map(Value::Int128)?
        }
        (Value::Duration(time, _), Kind::Integer) => Value::Int(time),
        (Value::Timestamp(time, unit), Kind::Date) => date(time, unit)?,
        (Value::Date(days), Kind::Timestamp) => {
            Value::Timestamp(time_of(i128::from(days) * DAY_SECONDS)?, TimeUnit::Second)
        }
        (value, Kind::Timestamp | Kind::Duration) => match integer(&value) {
            None => value,
            Some(number) => time(number, to)?,
        },
        (value, _) => value,
    })
}

fn integer(value: &Value<'_>) -> Option<i128> {
    match *value {
        Value::Int(number) => Some(number.into()),
        Value::UInt(number) => Some(number.into()),
        Value::Int128(number) => Some(number),
        Value::UInt128(number) => i128::try_from(number).ok(),
        _ => None,
    }
}

/// An integer as a time of `to`: it counts the unit of `to`'s numbers in text, or `to`'s own.
fn time(number: i128, to: &Field) -> Result<Value<'static>, String> {
    match to.data_type() {
        DataType::Timestamp(unit) => {
            let number = time_in_unit(number, to.epoch().unwrap_or(unit), unit)?;
            Ok(Value::Timestamp(time_of(number)?, unit))
        }
        DataType::Duration(unit) => Ok(Value::Duration(time_of(number)?, unit)),
        _ => Err("it is no time".into()),
    }
}

fn time_of(number: i128) -> Result<i64, String> {
    i64::try_from(number).map_err(|_| format!("{number} is out of range"))
}

fn date(time: i64, unit: TimeUnit) -> Result<Value<'static>, String> {
    let day = DAY_SECONDS * i128::from(unit.per_second());
    let time = i128::from(time);
    if time % day != 0 {
        return Err("it is not the midnight of a date".into());
    }
    i32::try_from(time / day).map(Value::Date).map_err(|_| "its date is out of range".into())
}

/// A float that is an integer.
fn whole(number: f64) -> Result<Value<'static>, String> {
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    if number.trunc() != number || is_negative_zero {
        return Err(format!("{number:?} is no integer"));
    }
    // A cast saturates, so the result is compared. From 2^127 on only unsigned numbers are larger.
    let signed = number as i128;
    if signed as f64 == number && signed != i128::MAX {
        return Ok(Value::Int128(signed));
    }
    let unsigned = number as u128;
    match unsigned as f64 == number && unsigned != u128::MAX {
        true => Ok(Value::UInt128(unsigned)),
        false => Err(format!("{number:?} is out of range")),
    }
}

/// A float that 32 bits hold.
fn single(number: f64) -> Result<Value<'static>, String> {
    let narrow = number as f32; // rounds to nearest
    match f64::from(narrow) == number || number.is_nan() {
        true => Ok(Value::Float32(narrow)),
        false => Err(format!("{number:?} has more digits than a float32, or is out of its range")),
    }
}
