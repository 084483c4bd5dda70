//! A field whose values become text again and again: the types of nearly all fields have a way that
//! looks at the type once. [`Field::format_text`] handles the rest, including all errors.

use super::civil;
use super::write::{push_float, push_integer};
use crate::error::Result;
use crate::format::data_type::{DataType, TimeUnit};
use crate::format::field::Field;
use crate::format::types::unpadded;
use crate::format::value::Value;

/// A field, prepared to append its values as text.
#[derive(Clone, Debug)]
pub(crate) struct PreparedField {
    field: Field,
    way: Way,
    /// The place of the presence byte, if there is one, and of the value.
    start: usize,
    end: usize,
    nullable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    Date,
    Time { unit: TimeUnit, utc: bool },
    Text,
    General,
}

impl PreparedField {
    pub(crate) fn new(field: &Field) -> Self {
        let has_own_text = field.display().is_some() || !field.variants().is_empty();
        let way = match field.data_type() {
            DataType::Utf8(_) if field.array_len().is_none() => Way::Text,
            _ if field.array_len().is_some() || field.is_big_endian() || has_own_text => {
                Way::General
            }
            DataType::Bool => Way::Bool,
            DataType::Int8 => Way::Int8,
            DataType::Int16 => Way::Int16,
            DataType::Int32 => Way::Int32,
            DataType::Int64 => Way::Int64,
            DataType::UInt8 => Way::UInt8,
            DataType::UInt16 => Way::UInt16,
            DataType::UInt32 => Way::UInt32,
            DataType::UInt64 => Way::UInt64,
            DataType::Float32 => Way::Float32,
            DataType::Float64 => Way::Float64,
            DataType::Date32 => Way::Date,
            DataType::Timestamp(unit) => Way::Time { unit, utc: field.is_utc() },
            _ => Way::General,
        };
        // A field that lies outside every record has the general way, which says so.
        let (way, start, end) = match field.range() {
            Some((start, _, end)) => (way, start, end),
            None => (Way::General, 0, 0),
        };
        Self { way, start, end, nullable: field.is_nullable(), field: field.clone() }
    }

    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    /// Whether the field has single texts, which may need quotes.
    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        self.way == Way::Text
    }

    /// The value's bytes, if the record has them, `Some(None)` for null, `None` for anything wrong.
    #[inline]
    fn value<'r>(&self, record: &'r [u8]) -> Option<Option<&'r [u8]>> {
        let bytes = record.get(self.start..self.end)?;
        if !self.nullable {
            return Some(Some(bytes));
        }
        match bytes {
            [1, value @ ..] => Some(Some(value)),
            [0, ..] => Some(None),
            _ => None,
        }
    }

    /// The text in a record, `None` for null, of a field that [has texts](PreparedField::is_text).
    ///
    /// # Errors
    /// As [`Field::read`].
    #[inline]
    pub(crate) fn text<'r>(&self, record: &'r [u8]) -> Result<Option<&'r str>> {
        match self.value(record) {
            Some(Some(value)) if self.way == Way::Text => {
                match std::str::from_utf8(unpadded(value)) {
                    Ok(text) => Ok(Some(text)),
                    Err(_) => self.general_text(record),
                }
            }
            Some(None) => Ok(None),
            _ => self.general_text(record),
        }
    }

    #[cold]
    fn general_text<'r>(&self, record: &'r [u8]) -> Result<Option<&'r str>> {
        Ok(match self.field.read(record)? {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// As [`Field::format_text`].
    ///
    /// # Errors
    /// As [`Field::format_text`].
    #[inline]
    pub(crate) fn push(&self, record: &[u8], out: &mut String) -> Result<()> {
        match self.value(record) {
            Some(None) if self.way != Way::General => Ok(()),
            Some(Some(value)) if self.push_fast(value, out) => Ok(()),
            _ => self.field.format_text(record, out),
        }
    }

    /// Appends the value if its type and bytes are common ones, and returns whether it did.
    #[inline]
    fn push_fast(&self, value: &[u8], out: &mut String) -> bool {
        macro_rules! number {
            ($type:ty, $push:expr) => {
                match value.first_chunk() {
                    Some(bytes) => $push(<$type>::from_le_bytes(*bytes), out),
                    None => return false,
                }
            };
        }
        match self.way {
            Way::Bool => match value {
                [0] => out.push_str("false"),
                [1] => out.push_str("true"),
                _ => return false,
            },
            Way::Int8 => number!(i8, push_integer),
            Way::Int16 => number!(i16, push_integer),
            Way::Int32 => number!(i32, push_integer),
            Way::Int64 => number!(i64, push_integer),
            Way::UInt8 => number!(u8, push_integer),
            Way::UInt16 => number!(u16, push_integer),
            Way::UInt32 => number!(u32, push_integer),
            Way::UInt64 => number!(u64, push_integer),
            Way::Float32 => number!(f32, push_float),
            Way::Float64 => number!(f64, push_float),
            Way::Date => number!(i32, |days: i32, out| civil::push_date(days.into(), out)),
            Way::Time { unit, utc } => {
                number!(i64, |time, out| civil::push_timestamp(time, unit, utc, out));
            }
            Way::Text | Way::General => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Error;

    fn any_field() -> impl Strategy<Value = Field> {
        let unit = prop_oneof![
            Just(TimeUnit::Second),
            Just(TimeUnit::Millisecond),
            Just(TimeUnit::Microsecond),
            Just(TimeUnit::Nanosecond),
        ];
        let data_type = prop_oneof![
            Just(DataType::Bool),
            Just(DataType::Int8),
            Just(DataType::Int16),
            Just(DataType::Int32),
            Just(DataType::Int64),
            Just(DataType::Int128),
            Just(DataType::UInt8),
            Just(DataType::UInt16),
            Just(DataType::UInt32),
            Just(DataType::UInt64),
            Just(DataType::UInt128),
            Just(DataType::Float32),
            Just(DataType::Float64),
            Just(DataType::Date32),
            unit.clone().prop_map(DataType::Timestamp),
            unit.prop_map(DataType::Duration),
            Just(DataType::Utf8(5)),
            Just(DataType::Binary(3)),
        ];
        (data_type, any::<[bool; 4]>()).prop_map(|(data_type, [nullable, big, array, utc])| {
            let field = Field::new("f", data_type);
            let field = if nullable { field.nullable() } else { field };
            let is_time = matches!(data_type, DataType::Timestamp(_));
            let field = if utc && is_time { field.utc() } else { field };
            let field = if big { field.big_endian() } else { field };
            if array { field.array(2) } else { field }
        })
    }

    fn shown(result: Result<String>) -> Result<String, String> {
        result.map_err(|error: Error| error.to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Finds a value that the fast ways write in another form, or a damaged one that they take.
        #[test]
        fn every_field_is_written_as_format_text_writes_it(
            field in any_field(),
            bytes in prop::collection::vec(
                prop_oneof![3 => any::<u8>(), 1 => Just(0), 1 => Just(1), 1 => Just(b'a')],
                0..40,
            ),
            small in any::<bool>(),
        ) {
            let mut record = bytes;
            if small && record.len() > 3 {
                record[3..].fill(0);
            }
            let mut expected = String::from("x");
            let expected = field.format_text(&record, &mut expected).map(|()| expected);
            let prepared = PreparedField::new(&field);
            let mut found = String::from("x");
            let found = match prepared.is_text() {
                true => prepared.text(&record).map(|text| {
                    found.push_str(text.unwrap_or_default());
                    found
                }),
                false => prepared.push(&record, &mut found).map(|()| found),
            };
            prop_assert_eq!(shown(found), shown(expected));
        }
    }
}
