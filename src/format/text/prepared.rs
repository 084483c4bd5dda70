//! A field whose values become text again and again: the types of nearly all fields have a way that
//! looks at the type once. [`Field::format_text`] handles the rest, including all errors.

use super::civil;
use super::write::{push_float, push_integer};
use crate::error::Result;
use crate::format::data_type::DataType;
use crate::format::field::Field;
use crate::format::types::unpadded;
use crate::format::value::Value;

/// A field, prepared to append its values as text.
#[derive(Clone, Debug)]
pub(crate) struct PreparedField {
    field: Field,
    /// The type, if its common values have a way of their own.
    fast: Option<DataType>,
    /// The place of the presence byte, if there is one, and of the value.
    start: usize,
    end: usize,
    nullable: bool,
}

impl PreparedField {
    pub(crate) fn new(field: &Field) -> Self {
        let data_type = field.data_type();
        let is_single = field.array_len().is_none();
        let is_fast = match data_type {
            DataType::Utf8(_) => is_single,
            _ => is_single && !field.is_big_endian() && !field.has_own_text(),
        };
        // A field that lies outside every record has no fast way: the other one says so.
        let (is_fast, start, end) = match field.range() {
            Some((start, _, end)) => (is_fast, start, end),
            None => (false, 0, 0),
        };
        let fast = is_fast.then_some(data_type);
        Self { fast, start, end, nullable: field.is_nullable(), field: field.clone() }
    }

    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    /// Whether the field has single texts, which may need quotes.
    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.fast, Some(DataType::Utf8(_)))
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
            Some(Some(value)) if self.is_text() => match std::str::from_utf8(unpadded(value)) {
                Ok(text) => Ok(Some(text)),
                Err(_) => self.general_text(record),
            },
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
            Some(None) => Ok(()),
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
        let Some(data_type) = self.fast else { return false };
        match data_type {
            DataType::Bool => match value {
                [0] => out.push_str("false"),
                [1] => out.push_str("true"),
                _ => return false,
            },
            DataType::Int8 => number!(i8, push_integer),
            DataType::Int16 => number!(i16, push_integer),
            DataType::Int32 => number!(i32, push_integer),
            DataType::Int64 => number!(i64, push_integer),
            DataType::UInt8 => number!(u8, push_integer),
            DataType::UInt16 => number!(u16, push_integer),
            DataType::UInt32 => number!(u32, push_integer),
            DataType::UInt64 => number!(u64, push_integer),
            DataType::Float32 => number!(f32, push_float),
            DataType::Float64 => number!(f64, push_float),
            DataType::Date32 => number!(i32, |days: i32, out| civil::push_date(days.into(), out)),
            DataType::Timestamp(unit) => {
                number!(i64, |time, out| civil::push_timestamp(
                    time,
                    unit,
                    self.field.is_utc(),
                    out
                ));
            }
            DataType::Int128
            | DataType::UInt128
            | DataType::Duration(_)
            | DataType::Utf8(_)
            | DataType::Binary(_) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Error;
    use crate::format::data_type::TimeUnit;

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
