//! The types of values, by their texts: as those of CSV, except that a string is no number.

use super::object::{Literal, shape_of};
use crate::error::{Error, ErrorKind, Result, named};
use crate::exchange::csv::{Extent, Facts as SingleFacts, kind};
use crate::format::{DataType, Field, Fit, fit_float, fit_integer};

/// A string for a float that is no number of JSON: `NaN`, `inf` or `-inf`. A kind besides those of
/// [`kind`].
const NOT_FINITE: u16 = kind::TEXT << 1;

/// The facts about the values of one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    single: SingleFacts,
    extent: Extent,
    longest_bytes: usize,
    /// The strings that mean null unless the field is text: how many, and the longest.
    null_texts: u64,
    longest_null_bytes: usize,
    /// The rows with a value that is not null.
    pub(super) values: u64,
    /// The line of the first value, and its shape if it is an array.
    first: Option<(u64, Vec<u32>)>,
    /// Another line, and why its value cannot be in the same field as the first.
    fault: Option<(u64, String)>,
}

impl Facts {
    /// Notes a value on a line.
    pub(super) fn note(&mut self, literal: &Literal<'_>, line: u64, narrow: bool) {
        let shape = match literal {
            Literal::Null => return,
            Literal::Array(array) => {
                shape_of(array, &mut |element| self.note_single(&element, narrow))
            }
            single => {
                self.note_single(single, narrow);
                Ok(Vec::new())
            }
        };
        self.values += 1;
        match shape {
            Ok(shape) => self.note_shape(line, &shape),
            Err(why) => self.fault = self.fault.take().or(Some((line, why))),
        }
    }

    /// Notes a string that means null unless the field is text.
    pub(super) fn note_null_text(&mut self, text: &str) {
        self.null_texts += 1;
        self.longest_null_bytes = self.longest_null_bytes.max(text.len());
    }

    /// Whether there is no value, whatever the field is.
    pub(super) fn is_only_null(&self) -> bool {
        self.values == 0 && self.null_texts == 0
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
        self.single.merge(other.single);
        self.extent.merge(&other.extent);
        self.null_texts += other.null_texts;
        self.longest_null_bytes = self.longest_null_bytes.max(other.longest_null_bytes);
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.values += other.values;
        if let Some((line, shape)) = &other.first {
            self.note_shape(*line, shape);
        }
        if self.fault.is_none() {
            self.fault.clone_from(&other.fault);
        }
    }

    fn note_single(&mut self, literal: &Literal<'_>, narrow: bool) {
        let text = match literal {
            Literal::Bare(text) => {
                if narrow {
                    self.extent.note_text(text);
                }
                self.single.kinds |= bare_kind(text);
                text
            }
            Literal::Text(text) => {
                self.single.kinds |= self.text_kind(text);
                &**text
            }
            Literal::Null | Literal::Array(_) => return,
        };
        self.longest_bytes = self.longest_bytes.max(text.len());
    }

    fn text_kind(&mut self, text: &str) -> u16 {
        if matches!(text, "NaN" | "inf" | "-inf") {
            return NOT_FINITE;
        }
        if !text.starts_with(|first: char| first.is_ascii_digit()) || text.len() < 10 {
            return kind::TEXT;
        }
        if text.len() == 10 {
            let day = Field::new("day", DataType::Date32);
            let mut days = [0; 4];
            if day.parse_text(text, &mut days).is_ok() {
                self.single.second(i128::from(i32::from_le_bytes(days)) * 86_400);
                return kind::DATE;
            }
        }
        self.single.time_text_kind(text.as_bytes())
    }

    /// The field that gives every value back.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for values of several shapes, and arrays that have no place;
    /// [`ErrorKind::InvalidSchema`] if the length of a text does not fit in 32 bits.
    pub(super) fn field(&self, name: &str, rows: u64, narrow: bool) -> Result<Field> {
        if let Some((line, why)) = &self.fault {
            return Err(Error::new(ErrorKind::Unsupported, "infer")
                .detail(format!("field {}: the value on line {line} is {why}", named(name)))
                .advice(
                    "a field has one value, or arrays of one length: change them, or leave the \
                     field out",
                ));
        }
        let mut data_type = self.data_type()?;
        let mut values = self.values;
        match data_type {
            DataType::Utf8(width) => {
                let longest = u32::try_from(self.longest_null_bytes).unwrap_or(u32::MAX);
                data_type = DataType::Utf8(width.max(longest));
                values += self.null_texts;
            }
            DataType::Int64 if narrow => data_type = self.extent.integer(),
            DataType::Float64 if narrow => data_type = self.extent.float(),
            _ => {}
        }
        let mut field = Field::new(name, data_type);
        if matches!(field.data_type(), DataType::Timestamp(_))
            && self.single.kinds & kind::UTC_TIME != 0
        {
            field = field.utc();
        }
        if let Some((_, shape)) = self.first.as_ref().filter(|(_, shape)| !shape.is_empty()) {
            field = field.with_shape(shape.iter().copied());
        }
        Ok(if values < rows || values == 0 { field.nullable() } else { field })
    }

    fn data_type(&self) -> Result<DataType> {
        let only = |allowed: u16| self.single.kinds != 0 && self.single.kinds & !allowed == 0;
        let floats = kind::INTEGER | kind::FLOAT | kind::HUGE_INTEGER | NOT_FINITE;
        let has_float = self.single.kinds & kind::FLOAT != 0
            || self.single.kinds & NOT_FINITE != 0 && self.single.kinds & kind::INTEGER != 0;
        let times = kind::DATE | kind::LOCAL_TIME;
        Ok(match self.single.time_unit() {
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
