//! A field whose values become text again and again: the types of nearly all fields have a way that
//! looks at the type once. [`Field::format_text`] handles the rest, including all errors.

use super::padded::{self, Copied, Marks};
use super::room::{self, Days, Room};
use crate::error::Result;
use crate::format::data_type::{DataType, TimeUnit};
use crate::format::field::Field;
use crate::format::types::unpadded;
use crate::format::value::Value;

/// A field, prepared to write its values as text.
#[derive(Clone, Debug)]
pub(crate) struct PreparedField {
    field: Field,
    pub(super) way: Way,
    pub(super) place: Place,
}

/// The place of a field in a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The place of the presence byte, if there is one, and of the value.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) nullable: bool,
}

impl Place {
    pub(super) fn value(self) -> usize {
        self.start + usize::from(self.nullable)
    }

    pub(super) fn width(self) -> usize {
        self.end - self.value()
    }
}

/// How common values of a type become text.
#[derive(Clone, Debug)]
pub(super) enum Way {
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
    Date(Box<Days>),
    Time(Box<Days>, TimeUnit, bool),
    Text,
    /// Only [`Field::format_text`] knows.
    General,
}

impl PreparedField {
    pub(crate) fn new(field: &Field) -> Self {
        // A field that lies outside every record has no fast way: the other one says so.
        let (way, start, end) = match field.range() {
            Some((start, _, end)) => (Way::of(field), start, end),
            None => (Way::General, 0, 0),
        };
        let place = Place { start, end, nullable: field.is_nullable() };
        Self { way, place, field: field.clone() }
    }

    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    /// The least length of a record that has the field.
    pub(crate) fn end(&self) -> usize {
        self.place.end
    }

    /// Whether the field has single texts, which may need quotes.
    #[inline]
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.way, Way::Text)
    }

    /// The room that a common value needs.
    pub(crate) fn room_bytes(&self) -> usize {
        match self.way {
            Way::Text => padded::room_bytes(self.place.width()),
            _ => room::ROOM_BYTES,
        }
    }

    /// The value's bytes, if the record has them, `Some(None)` for null, `None` for anything wrong.
    #[inline]
    fn value<'r>(&self, record: &'r [u8]) -> Option<Option<&'r [u8]>> {
        let bytes = record.get(self.place.start..self.place.end)?;
        if !self.place.nullable {
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

    /// Copies the text in a record to the start of `into`, of a field that [has
    /// texts](PreparedField::is_text); `None` for null and for anything wrong.
    #[inline(always)] // As `padded::copy`.
    pub(crate) fn copy_text(
        &self,
        record: &[u8],
        into: &mut [u8],
        marks: impl Marks,
    ) -> Option<Copied> {
        let value = self.value(record)??;
        padded::copy(record.get(..self.place.end)?, value.len(), into, marks)
    }

    /// Writes the value at the start of `room`, and returns the length of its text, which is that
    /// of [`Field::format_text`]: 0 for null. `None` if only that knows, with all errors.
    #[inline(always)] // Once in each of two loops over the fields of a record.
    pub(crate) fn put(&mut self, record: &[u8], room: &mut Room) -> Option<usize> {
        macro_rules! number {
            ($type:ty, $value:expr) => {
                <$type>::from_le_bytes(*$value.first_chunk()?)
            };
        }
        let Some(value) = self.value(record)? else { return Some(0) };
        Some(match &mut self.way {
            Way::Bool => match value {
                [0] => room::put_bool(false, room),
                [1] => room::put_bool(true, room),
                _ => return None,
            },
            Way::Int8 => room::put_signed(number!(i8, value).into(), room),
            Way::Int16 => room::put_signed(number!(i16, value).into(), room),
            Way::Int32 => room::put_signed(number!(i32, value).into(), room),
            Way::Int64 => room::put_signed(number!(i64, value), room),
            Way::UInt8 => room::put_unsigned(number!(u8, value).into(), room),
            Way::UInt16 => room::put_unsigned(number!(u16, value).into(), room),
            Way::UInt32 => room::put_unsigned(number!(u32, value).into(), room),
            Way::UInt64 => room::put_unsigned(number!(u64, value), room),
            Way::Float32 => room::put_float32(number!(f32, value), room)?,
            Way::Float64 => room::put_float64(number!(f64, value), room)?,
            Way::Date(days) => days.put(number!(i32, value).into(), room)?,
            Way::Time(days, unit, utc) => days.put_time(number!(i64, value), *unit, *utc, room)?,
            Way::Text | Way::General => return None,
        })
    }
}

impl Way {
    fn of(field: &Field) -> Self {
        let is_foreign = field.is_big_endian() || field.has_own_text();
        match field.data_type() {
            _ if field.array_len().is_some() => Self::General,
            DataType::Utf8(_) => Self::Text,
            _ if is_foreign => Self::General,
            DataType::Bool => Self::Bool,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Date32 => Self::Date(Box::new(Days::new())),
            DataType::Timestamp(unit) => Self::Time(Box::new(Days::new()), unit, field.is_utc()),
            DataType::Int128 | DataType::UInt128 | DataType::Duration(_) | DataType::Binary(_) => {
                Self::General
            }
        }
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
            (1_u32..40).prop_map(DataType::Utf8),
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

    #[derive(Clone, Copy)]
    struct LetterA;

    impl Marks for LetterA {
        fn has(self, byte: u8) -> bool {
            byte == b'a'
        }

        fn end(self) -> u8 {
            b'a' + 1
        }

        fn in_word(self, word: u64) -> u64 {
            padded::equal_in(word, b'a')
        }
    }

    /// The text after an `x`, as the writers of rows find it.
    fn text_of(prepared: &mut PreparedField, record: &[u8]) -> Result<String> {
        let mut found = String::from("x");
        let mut room = [b'?'; room::ROOM_BYTES];
        let put = match prepared.is_text() {
            true => prepared.copy_text(record, &mut room, LetterA).and_then(|copied| {
                let text = &room[..copied.len];
                assert_eq!(copied.is_clean, text.is_ascii() && !text.contains(&b'a'));
                copied.is_clean.then_some(copied.len)
            }),
            false => prepared.put(record, &mut room),
        };
        match put {
            Some(len) => found.push_str(std::str::from_utf8(&room[..len]).unwrap()),
            None => prepared.field().format_text(record, &mut found)?,
        }
        Ok(found)
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
            let found = text_of(&mut PreparedField::new(&field), &record);
            prop_assert_eq!(shown(found), shown(expected));
        }
    }
}
