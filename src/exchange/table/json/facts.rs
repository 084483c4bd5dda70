//! The types of values, by their texts: as those of CSV, except that a string is no number.

use super::object::{Literal, shape_of};
use crate::error::{Error, ErrorKind, Result, named};
use crate::format::{DataType, Field, Fit, TimeUnit, fit_float, fit_integer, time_text};

/// Kinds of values, as flags: a name may have seen several.
mod kind {
    pub(super) const BOOL: u16 = 1;
    /// A number that an `int64` and a `float64` keep.
    pub(super) const INTEGER: u16 = 1 << 1;
    /// A number that only an `int64` keeps.
    pub(super) const LONG_INTEGER: u16 = 1 << 2;
    /// A number that only a `float64` keeps.
    pub(super) const FLOAT: u16 = 1 << 3;
    /// The same, of digits alone.
    pub(super) const HUGE_INTEGER: u16 = 1 << 4;
    /// A string for a float that is no number of JSON: `NaN`, `inf` or `-inf`.
    pub(super) const NOT_FINITE: u16 = 1 << 5;
    pub(super) const DATE: u16 = 1 << 6;
    pub(super) const LOCAL_TIME: u16 = 1 << 7;
    pub(super) const UTC_TIME: u16 = 1 << 8;
    /// Anything else.
    pub(super) const TEXT: u16 = 1 << 9;
}

/// The longest fraction of a second that a unit holds.
const FRACTION_DIGITS_MAX: usize = 9;
/// The least and the greatest second that nanoseconds since 1970 reach.
const NANOSECONDS: std::ops::RangeInclusive<i128> =
    (i64::MIN / 1_000_000_000) as i128..=(i64::MAX / 1_000_000_000 - 1) as i128;

/// The facts about the values of one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    kinds: u16,
    longest_bytes: usize,
    fraction_digits: usize,
    far_times: bool,
    /// The rows with a value that is not null.
    pub(super) values: u64,
    /// The line of the first value, and its shape if it is an array.
    first: Option<(u64, Vec<u32>)>,
    /// Another line, and why its value cannot be in the same field as the first.
    fault: Option<(u64, String)>,
}

impl Facts {
    /// Notes a value on a line.
    pub(super) fn note(&mut self, literal: &Literal<'_>, line: u64) {
        let shape = match literal {
            Literal::Null => return,
            Literal::Array(array) => shape_of(array, &mut |element| self.note_single(&element)),
            single => {
                self.note_single(single);
                Ok(Vec::new())
            }
        };
        self.values += 1;
        match shape {
            Ok(shape) => self.note_shape(line, &shape),
            Err(why) => self.fault = self.fault.take().or(Some((line, why))),
        }
    }

    fn note_shape(&mut self, line: u64, shape: &[u32]) {
        match &self.first {
            None => self.first = Some((line, shape.to_vec())),
            Some((_, first)) if first != shape && self.fault.is_none() => {
                let what = |shape: &[u32]| match shape {
                    [] => "no array".to_owned(),
                    [len] => format!("an array of {len}"),
                    shape => format!("an array of the shape {shape:?}"),
                };
                let why = format!("{}, and the value on line", what(shape));
                let (first_line, first) = (self.first.as_ref().map_or(0, |it| it.0), what(first));
                self.fault = Some((line, format!("{why} {first_line} is {first}")));
            }
            Some(_) => {}
        }
    }

    /// Adds the facts of the lines after these.
    pub(super) fn merge(&mut self, other: &Self) {
        self.kinds |= other.kinds;
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.fraction_digits = self.fraction_digits.max(other.fraction_digits);
        self.far_times |= other.far_times;
        self.values += other.values;
        if let Some((line, shape)) = &other.first {
            self.note_shape(*line, shape);
        }
        if self.fault.is_none() {
            self.fault.clone_from(&other.fault);
        }
    }

    fn note_single(&mut self, literal: &Literal<'_>) {
        let text = match literal {
            Literal::Bare(text) => {
                self.kinds |= bare_kind(text);
                text
            }
            Literal::Text(text) => {
                self.kinds |= self.text_kind(text);
                &**text
            }
            Literal::Null | Literal::Array(_) => return,
        };
        self.longest_bytes = self.longest_bytes.max(text.len());
    }

    fn text_kind(&mut self, text: &str) -> u16 {
        if matches!(text, "NaN" | "inf" | "-inf") {
            return kind::NOT_FINITE;
        }
        if !text.starts_with(|first: char| first.is_ascii_digit()) || text.len() < 10 {
            return kind::TEXT;
        }
        if text.len() == 10 {
            let day = Field::new("day", DataType::Date32);
            let mut days = [0; 4];
            if day.parse_text(text, &mut days).is_ok() {
                let seconds = i128::from(i32::from_le_bytes(days)) * 86_400;
                self.far_times |= !NANOSECONDS.contains(&seconds);
                return kind::DATE;
            }
        }
        match time_text(text.as_bytes()) {
            Some(time) if time.fraction_digits() <= FRACTION_DIGITS_MAX => {
                self.fraction_digits = self.fraction_digits.max(time.fraction_digits());
                self.far_times |= !NANOSECONDS.contains(&time.seconds());
                if time.has_zone() { kind::UTC_TIME } else { kind::LOCAL_TIME }
            }
            _ => kind::TEXT,
        }
    }

    /// The field that gives every value back.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for values of several shapes, and arrays that have no place;
    /// [`ErrorKind::InvalidSchema`] if the length of a text does not fit in 32 bits.
    pub(super) fn field(&self, name: &str, rows: u64) -> Result<Field> {
        if let Some((line, why)) = &self.fault {
            return Err(Error::new(ErrorKind::Unsupported, "infer")
                .detail(format!("field {}: the value on line {line} is {why}", named(name)))
                .advice(
                    "a field has one value, or arrays of one length: change them, or leave the \
                     field out",
                ));
        }
        let mut field = Field::new(name, self.data_type()?);
        if matches!(field.data_type(), DataType::Timestamp(_)) && self.kinds & kind::UTC_TIME != 0 {
            field = field.utc();
        }
        if let Some((_, shape)) = self.first.as_ref().filter(|(_, shape)| !shape.is_empty()) {
            field = field.with_shape(shape.iter().copied());
        }
        Ok(if self.values < rows || self.values == 0 { field.nullable() } else { field })
    }

    fn data_type(&self) -> Result<DataType> {
        let only = |allowed: u16| self.kinds != 0 && self.kinds & !allowed == 0;
        let floats = kind::INTEGER | kind::FLOAT | kind::HUGE_INTEGER | kind::NOT_FINITE;
        let has_float = self.kinds & kind::FLOAT != 0
            || self.kinds & kind::NOT_FINITE != 0 && self.kinds & kind::INTEGER != 0;
        let times = kind::DATE | kind::LOCAL_TIME;
        Ok(match self.time_unit() {
            _ if only(kind::BOOL) => DataType::Bool,
            _ if only(kind::INTEGER | kind::LONG_INTEGER) => DataType::Int64,
            _ if only(floats) && has_float => DataType::Float64,
            _ if only(kind::DATE) => DataType::Date32,
            Some(unit) if only(times) || only(kind::DATE | kind::UTC_TIME) => {
                DataType::Timestamp(unit)
            }
            _ => DataType::Utf8(u32::try_from(self.longest_bytes.max(1)).map_err(|_| {
                let detail = format!("a text has {} bytes", self.longest_bytes);
                Error::new(ErrorKind::InvalidSchema, "infer").detail(detail)
            })?),
        })
    }

    /// The unit for every fraction, if all times are within its range.
    fn time_unit(&self) -> Option<TimeUnit> {
        Some(match self.fraction_digits {
            0 => TimeUnit::Second,
            1..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ if self.far_times => return None,
            _ => TimeUnit::Nanosecond,
        })
    }
}

/// The kind of a number or a bool.
fn bare_kind(text: &str) -> u16 {
    if matches!(text, "true" | "false") {
        return kind::BOOL;
    }
    let is_float = matches!(fit_float::<f64>(text), Ok(Fit::Exact(_)));
    let is_digits = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    match fit_integer::<i64>(text) {
        // A number with a point or an exponent is a float, if one keeps it.
        Ok(Fit::Exact(_)) if is_float && !is_digits => kind::FLOAT,
        Ok(Fit::Exact(_)) if is_float => kind::INTEGER,
        Ok(Fit::Exact(_)) => kind::LONG_INTEGER,
        _ if !is_float => kind::TEXT,
        Err(_) if is_digits => kind::HUGE_INTEGER,
        _ => kind::FLOAT,
    }
}
