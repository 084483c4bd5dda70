//! The values of a column of a batch.

use std::cell::Cell;
use std::rc::Rc;

use arrow_array::cast::AsArray as _;
use arrow_array::types as t;
use arrow_array::{Array, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch};
use arrow_buffer::i256;
use arrow_schema::{DataType as Arrow, TimeUnit};

use super::types::{Leaf, scale_of};
use crate::format::{DataType, Field};

/// The milliseconds of a day.
const DAY_MILLISECONDS: i64 = 86_400_000;

/// A column of a batch: its rows, and the values in them.
pub(super) struct Values<'b> {
    /// The structures that the column is in, outermost first, and the column.
    outer: Vec<&'b dyn Array>,
    /// The places of the values, if the column has numbers of values.
    keys: Option<Vec<usize>>,
    /// The lists from the outermost to the innermost.
    lists: Vec<&'b arrow_array::FixedSizeListArray>,
    /// The values, and those that are null within a list.
    array: &'b dyn Array,
    typed: Typed<'b>,
    count: usize,
    /// The length of a value in a record.
    pub(super) width: usize,
    /// How many numbers were rounded since the caller took this.
    pub(super) rounded: Rc<Cell<u32>>,
}

enum Typed<'b> {
    Bool(&'b BooleanArray),
    /// Numbers of any kind, by their bytes.
    Number(Box<PutNumber<'b>>),
    Bytes(Box<dyn Fn(usize) -> &'b [u8] + 'b>, IsText),
    Nothing,
}

/// Stores the number at a place, or says why it cannot.
type PutNumber<'b> = dyn Fn(usize, &mut [u8]) -> Result<(), String> + 'b;

#[derive(Clone, Copy, PartialEq, Eq)]
enum IsText {
    Yes,
    No,
}

impl<'b> Values<'b> {
    /// The values of a column, which become values of that type.
    pub(super) fn new(batch: &'b RecordBatch, leaf: &Leaf, data_type: DataType) -> Self {
        let mut array: &dyn Array = batch.column(leaf.path[0]);
        let mut outer = vec![array];
        for &child in &leaf.path[1..] {
            array = array.as_struct().column(child);
            outer.push(array);
        }
        let mut lists = Vec::new();
        while let Some(list) = array.as_fixed_size_list_opt() {
            lists.push(list);
            array = list.values();
        }
        let mut keys = None;
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            keys = Some(match dictionary.values().is_empty() {
                true => vec![0; dictionary.len()],
                false => dictionary.normalized_keys(),
            });
            array = &**dictionary.values();
        }
        let rounded = Rc::default();
        let typed = match scale_of(&leaf.element) {
            Some(scale) if data_type == DataType::Float64 => floats(array, scale, &rounded),
            _ => typed(array, &leaf.element, data_type),
        };
        let width = data_type.size_bytes() as usize;
        Self { outer, keys, lists, array, typed, count: leaf.count, width, rounded }
    }

    /// The place of the first value of a row; `None` if the row is null.
    #[inline]
    fn place(&self, row: usize) -> Option<usize> {
        if self.outer.iter().any(|array| array.is_null(row)) {
            return None;
        }
        if let Some(keys) = &self.keys {
            let place = keys[row];
            return (!self.array.is_null(place)).then_some(place);
        }
        let of_list =
            |at: usize, list: &&arrow_array::FixedSizeListArray| list.value_offset(at) as usize;
        Some(self.lists.iter().fold(row, of_list))
    }

    /// Whether one of these rows is null.
    pub(super) fn has_null(&self, mut rows: std::ops::Range<usize>) -> bool {
        matches!(self.typed, Typed::Nothing) || rows.any(|row| self.place(row).is_none())
    }

    /// The length of the longest text of these rows, and of the first bytes that are no text.
    pub(super) fn width_of(&self, rows: std::ops::Range<usize>) -> usize {
        let Typed::Bytes(bytes, is_text) = &self.typed else { return self.width };
        let mut places = rows.filter_map(|row| self.place(row));
        let longest = |place: usize| {
            (place..place + self.count).map(|at| bytes(at).len()).max().unwrap_or_default()
        };
        match is_text {
            IsText::Yes => places.map(longest).max().unwrap_or_default().max(1),
            IsText::No => places.next().map_or(1, longest).max(1),
        }
    }

    /// Stores the value of a row in `into`, which is as long as the field without its presence
    /// byte, and whose bytes are zero. Returns whether there is a value.
    ///
    /// # Errors
    /// Why the value has no place there.
    #[inline]
    pub(super) fn put(&self, row: usize, into: &mut [u8]) -> Result<bool, String> {
        let Some(place) = self.place(row) else { return Ok(false) };
        if self.lists.is_empty() {
            return self.put_one(place, into);
        }
        if into.is_empty() {
            return Ok(true);
        }
        let width = into.len() / self.count;
        for (at, into) in (place..).zip(into.chunks_exact_mut(width)) {
            if self.lists.iter().skip(1).any(|list| list.null_count() > 0) || self.array.is_null(at)
            {
                return Err("null in a list, whose elements cannot be null".into());
            }
            self.put_one(at, into)?;
        }
        Ok(true)
    }

    #[inline]
    fn put_one(&self, place: usize, into: &mut [u8]) -> Result<bool, String> {
        match &self.typed {
            Typed::Bool(array) => into[0] = array.value(place).into(),
            Typed::Number(put) => put(place, into)?,
            Typed::Bytes(bytes, is_text) => {
                let bytes = bytes(place);
                match is_text {
                    IsText::Yes if bytes.last() == Some(&0) => {
                        return Err("a text that ends in NUL, as the padding does".into());
                    }
                    IsText::No if bytes.len() != into.len() => {
                        let (found, wanted) = (bytes.len(), into.len());
                        return Err(format!("it has {found} bytes instead of {wanted}"));
                    }
                    _ => into[..bytes.len()].copy_from_slice(bytes),
                }
            }
            Typed::Nothing => return Ok(false),
        }
        Ok(true)
    }
}

/// A number's bytes as a store has them.
trait Bytes: Copy {
    fn put(self, into: &mut [u8]);
}

macro_rules! bytes {
    ($($type:ty)*) => {$(
        impl Bytes for $type {
            #[inline]
            fn put(self, into: &mut [u8]) {
                into.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

bytes! { i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 }

fn numbers<'b, T: ArrowPrimitiveType>(array: &'b dyn Array) -> Typed<'b>
where
    T::Native: Bytes,
{
    let array: &PrimitiveArray<T> = array.as_primitive();
    Typed::Number(Box::new(move |at, into| {
        array.value(at).put(into);
        Ok(())
    }))
}

/// Decimals as integers of their last digit.
fn decimals<'b, T: ArrowPrimitiveType>(
    array: &'b dyn Array,
    data_type: DataType,
    wide: fn(T::Native) -> i256,
) -> Typed<'b> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Typed::Number(Box::new(move |at, into| {
        let number = wide(array.value(at));
        let out_of_range = || format!("{number} is out of the range of {data_type}");
        if data_type == DataType::UInt128 {
            let (low, high) = number.to_parts();
            if high != 0 {
                return Err(out_of_range());
            }
            into.copy_from_slice(&low.to_le_bytes());
            return Ok(());
        }
        let number = number.to_i128().ok_or_else(out_of_range)?;
        if let Some((least, greatest)) = data_type.integer_range() {
            if !(least..=greatest).contains(&number) {
                return Err(out_of_range());
            }
        }
        let len = into.len();
        into.copy_from_slice(&number.to_le_bytes()[..len]);
        Ok(())
    }))
}

/// Decimals as the nearest floats, by their texts.
fn floats<'b>(array: &'b dyn Array, scale: i8, rounded: &Rc<Cell<u32>>) -> Typed<'b> {
    fn by<'b, T: ArrowPrimitiveType>(
        array: &'b dyn Array,
        scale: i8,
        rounded: Rc<Cell<u32>>,
    ) -> Typed<'b>
    where
        T::Native: std::fmt::Display,
    {
        let array: &PrimitiveArray<T> = array.as_primitive();
        let field = Field::new("decimal", DataType::Float64);
        Typed::Number(Box::new(move |at, into| {
            let text = format!("{}e{}", array.value(at), -i32::from(scale));
            let is_rounded = field.parse_text_rounded(&text, into);
            let is_rounded = is_rounded.map_err(|error| error.into_detail())?;
            rounded.set(rounded.get() + u32::from(is_rounded));
            Ok(())
        }))
    }
    let rounded = Rc::clone(rounded);
    match array.data_type() {
        Arrow::Decimal32(..) => by::<t::Decimal32Type>(array, scale, rounded),
        Arrow::Decimal64(..) => by::<t::Decimal64Type>(array, scale, rounded),
        Arrow::Decimal128(..) => by::<t::Decimal128Type>(array, scale, rounded),
        _ => by::<t::Decimal256Type>(array, scale, rounded),
    }
}

fn typed<'b>(array: &'b dyn Array, element: &Arrow, data_type: DataType) -> Typed<'b> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    match element {
        Arrow::Boolean => Typed::Bool(array.as_boolean()),
        Arrow::Int8 => numbers::<t::Int8Type>(array),
        Arrow::Int16 => numbers::<t::Int16Type>(array),
        Arrow::Int32 => numbers::<t::Int32Type>(array),
        Arrow::Int64 => numbers::<t::Int64Type>(array),
        Arrow::UInt8 => numbers::<t::UInt8Type>(array),
        Arrow::UInt16 => numbers::<t::UInt16Type>(array),
        Arrow::UInt32 => numbers::<t::UInt32Type>(array),
        Arrow::UInt64 => numbers::<t::UInt64Type>(array),
        Arrow::Float16 => {
            let array: &PrimitiveArray<t::Float16Type> = array.as_primitive();
            Typed::Number(Box::new(move |at, into| {
                array.value(at).to_f32().put(into);
                Ok(())
            }))
        }
        Arrow::Float32 => numbers::<t::Float32Type>(array),
        Arrow::Float64 => numbers::<t::Float64Type>(array),
        Arrow::Date32 => numbers::<t::Date32Type>(array),
        Arrow::Date64 => days(array),
        Arrow::Timestamp(Second, _) => numbers::<t::TimestampSecondType>(array),
        Arrow::Timestamp(Millisecond, _) => numbers::<t::TimestampMillisecondType>(array),
        Arrow::Timestamp(Microsecond, _) => numbers::<t::TimestampMicrosecondType>(array),
        Arrow::Timestamp(Nanosecond, _) => numbers::<t::TimestampNanosecondType>(array),
        Arrow::Duration(Second) => numbers::<t::DurationSecondType>(array),
        Arrow::Duration(Millisecond) => numbers::<t::DurationMillisecondType>(array),
        Arrow::Duration(Microsecond) => numbers::<t::DurationMicrosecondType>(array),
        Arrow::Duration(Nanosecond) => numbers::<t::DurationNanosecondType>(array),
        Arrow::Time32(Second) => times::<t::Time32SecondType>(array),
        Arrow::Time32(_) => times::<t::Time32MillisecondType>(array),
        Arrow::Time64(Microsecond) => numbers::<t::Time64MicrosecondType>(array),
        Arrow::Time64(_) => numbers::<t::Time64NanosecondType>(array),
        Arrow::Decimal32(..) => {
            decimals::<t::Decimal32Type>(array, data_type, |it| i256::from_i128(it.into()))
        }
        Arrow::Decimal64(..) => {
            decimals::<t::Decimal64Type>(array, data_type, |it| i256::from_i128(it.into()))
        }
        Arrow::Decimal128(..) => decimals::<t::Decimal128Type>(array, data_type, i256::from_i128),
        Arrow::Decimal256(..) => decimals::<t::Decimal256Type>(array, data_type, |it| it),
        _ => bytes_of(array, element),
    }
}

fn bytes_of<'b>(array: &'b dyn Array, element: &Arrow) -> Typed<'b> {
    macro_rules! bytes {
        ($array:expr, $is_text:expr, $value:expr) => {{
            let array = $array;
            Typed::Bytes(Box::new(move |at| $value(array.value(at))), $is_text)
        }};
    }
    match element {
        Arrow::Utf8 => bytes!(array.as_string::<i32>(), IsText::Yes, str::as_bytes),
        Arrow::LargeUtf8 => bytes!(array.as_string::<i64>(), IsText::Yes, str::as_bytes),
        Arrow::Utf8View => bytes!(array.as_string_view(), IsText::Yes, str::as_bytes),
        Arrow::Binary => bytes!(array.as_binary::<i32>(), IsText::No, |it| it),
        Arrow::LargeBinary => bytes!(array.as_binary::<i64>(), IsText::No, |it| it),
        Arrow::BinaryView => bytes!(array.as_binary_view(), IsText::No, |it| it),
        Arrow::FixedSizeBinary(_) => bytes!(array.as_fixed_size_binary(), IsText::No, |it| it),
        _ => Typed::Nothing,
    }
}

/// Milliseconds since 1970 as days.
fn days(array: &dyn Array) -> Typed<'_> {
    let array: &PrimitiveArray<t::Date64Type> = array.as_primitive();
    Typed::Number(Box::new(move |at, into| {
        let time = array.value(at);
        let days = i32::try_from(time.div_euclid(DAY_MILLISECONDS));
        match days {
            Ok(days) if time.rem_euclid(DAY_MILLISECONDS) == 0 => days.put(into),
            Ok(_) => return Err(format!("{time} ms since 1970 is not the midnight of a date")),
            Err(_) => return Err(format!("{time} ms since 1970 is out of the range of dates")),
        }
        Ok(())
    }))
}

/// Times of a day in 32 bits.
fn times<T: ArrowPrimitiveType<Native = i32>>(array: &dyn Array) -> Typed<'_> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Typed::Number(Box::new(move |at, into| {
        i64::from(array.value(at)).put(into);
        Ok(())
    }))
}
