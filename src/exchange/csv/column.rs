//! From the text of a column to the bytes of its field.
//!
//! Common forms of text have a fast path for each common type. [`Field::parse_text`] handles the
//! rest, including errors.

pub(super) mod tile;

use std::collections::HashMap;

use super::infer::Facts;
use super::nulls::NullTexts;
use super::options::CsvOptions;
use super::parse::{self, Cell};
use crate::error::{Cause, Error, ErrorKind, Result, named, quoted};
use crate::format::{DataType, Field, Schema, fit_float};

/// The bytes with which values other than texts begin, in the common forms.
const VALUE_STARTS: &[u8] = b"-.0123456789tTfF";
/// How many unmatched columns and fields an error names.
const DIFFERENCES_MAX: usize = 10;

/// One column of a file, and the field that it fills.
#[derive(Clone, Debug)]
pub(super) struct Column {
    field: Field,
    way: Way,
    nulls: NullTexts,
    /// Whether a number that does not fit becomes the nearest one.
    round: bool,
    /// Whether a quoted text that means null is itself, because the field is text.
    keeps_quoted: bool,
    /// Whether a text that means null may be a number, a date, a time or a truth value.
    nulls_may_be_values: bool,
    /// The place of the presence byte (if any) and the value in the record.
    start: usize,
    value: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Integer { min: i64, max: i64 },
    Float,
    Date,
    Time { per_second: i64, utc: bool },
    Bool,
    Text,
    General,
}

impl Column {
    /// The column of a field; `nulls` are the texts for null of those without their own.
    fn new(field: &Field, options: &CsvOptions, nulls: &NullTexts) -> Self {
        let integer = |min: i64, max: i64| Way::Integer { min, max };
        let way = match field.data_type() {
            _ if field.array_len().is_some() || field.is_big_endian() => Way::General,
            _ if field.has_own_text() => Way::General,
            DataType::Int8 => integer(i8::MIN.into(), i8::MAX.into()),
            DataType::Int16 => integer(i16::MIN.into(), i16::MAX.into()),
            DataType::Int32 => integer(i32::MIN.into(), i32::MAX.into()),
            DataType::Int64 => integer(i64::MIN, i64::MAX),
            DataType::UInt8 => integer(0, u8::MAX.into()),
            DataType::UInt16 => integer(0, u16::MAX.into()),
            DataType::UInt32 => integer(0, u32::MAX.into()),
            DataType::UInt64 => integer(0, i64::MAX),
            DataType::Float64 => Way::Float,
            DataType::Date32 => Way::Date,
            DataType::Timestamp(unit) => {
                Way::Time { per_second: unit.per_second(), utc: field.is_utc() }
            }
            DataType::Bool => Way::Bool,
            DataType::Utf8(_) => Way::Text,
            _ => Way::General,
        };
        // A schema's fields lie within its record, whose size fits in memory.
        let start = field.offset() as usize;
        let is_text = matches!(field.data_type(), DataType::Utf8(_)) && field.array_len().is_none();
        let has_own = options.wanted.null_texts_of(field.name()).next().is_some();
        let nulls = match field.null_words() {
            [] if !has_own => nulls.clone(),
            _ => NullTexts::new(options.null_words_of(field, nulls.texts())),
        };
        let nulls_may_be_values = VALUE_STARTS.iter().any(|&first| nulls.begin_with(first));
        Self {
            way,
            nulls,
            round: options.round,
            keeps_quoted: is_text && !options.quoted_null,
            nulls_may_be_values,
            start,
            value: start + usize::from(field.is_nullable()),
            end: start + field.size_bytes() as usize,
            field: field.clone(),
        }
    }

    /// The columns for `names`, in order. With a header each fills the field with its name;
    /// otherwise the field at its place.
    pub(super) fn for_schema(
        schema: &Schema,
        names: &[String],
        options: &CsvOptions,
    ) -> Result<Vec<Self>> {
        let mismatch = |detail: String| {
            let advice =
                advice_on_names(names, "every field needs a column and every column a field");
            Error::new(ErrorKind::SchemaMismatch, "match columns").detail(detail).advice(advice)
        };
        let fields = schema.fields();
        options.wanted.check_null_texts(fields.iter().map(Field::name))?;
        let nulls = NullTexts::new(options.with_null_texts(schema.null_words()));
        if !options.header {
            if names.len() != fields.len() {
                let (columns, fields) = (names.len(), fields.len());
                return Err(mismatch(format!("{columns} columns for {fields} fields")));
            }
            return Ok(fields.iter().map(|field| Self::new(field, options, &nulls)).collect());
        }
        let mut unpaired: HashMap<&str, &Field> =
            fields.iter().map(|field| (field.name(), field)).collect();
        let mut columns = Vec::with_capacity(names.len());
        let mut differences = Vec::new();
        for name in names {
            match unpaired.remove(name.as_str()) {
                Some(field) => columns.push(Self::new(field, options, &nulls)),
                None => differences.push(format!("no field for column {}", quoted(name))),
            }
        }
        let missing = fields.iter().filter(|field| unpaired.contains_key(field.name()));
        differences
            .extend(missing.map(|field| format!("no column for field {}", quoted(field.name()))));
        if differences.is_empty() {
            return Ok(columns);
        }
        // A few suffice; a wide file could have thousands.
        let more = differences.len().saturating_sub(DIFFERENCES_MAX);
        differences.truncate(DIFFERENCES_MAX);
        if more > 0 {
            differences.push(format!("and {more} more"));
        }
        Err(mismatch(differences.join("; ")))
    }

    /// The places of the columns, in the order of their fields.
    pub(super) fn order(columns: &[Self]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|&at| columns[at].start);
        order
    }

    pub(super) fn name(&self) -> &str {
        self.field.name()
    }

    /// Whether the text means null, in quotes or not.
    #[inline]
    pub(super) fn is_null(&self, text: &[u8]) -> bool {
        self.nulls.has(text)
    }

    /// Whether a quoted text that means null is itself here.
    #[inline]
    pub(super) fn keeps_quoted(&self) -> bool {
        self.keeps_quoted
    }

    /// Makes the field null in a record, whose bytes are zero, for the text that means null.
    ///
    /// # Errors
    /// Why that is impossible: the field is not nullable.
    #[inline]
    pub(super) fn put_null(&self, text: &[u8]) -> Result<(), Refused> {
        match self.field.is_nullable() {
            true => Ok(()),
            false => Err(self.refused_null(text)),
        }
    }

    #[cold]
    fn refused_null(&self, text: &[u8]) -> Refused {
        let (name, data_type) = (named(self.name()), self.field.data_type());
        let text = String::from_utf8_lossy(text);
        let why = match &*text {
            "" => "is empty but not nullable".to_owned(),
            word => format!("has {}, a word for null, but is not nullable", quoted(word)),
        };
        format!("field {name} ({data_type}) {why}").into()
    }

    /// Stores the value of the text in `record`, whose bytes are zero, if text and type are common
    /// ones, and returns whether it did. [`Column::put_general`] stores all others.
    ///
    /// Notes then in `facts` what tells the type, but nothing of a field of text.
    #[inline]
    pub(super) fn put(
        &self,
        cell: Cell<'_>,
        known_utf8: bool,
        record: &mut [u8],
        facts: &mut Facts,
    ) -> bool {
        let into = &mut record[self.start..self.end];
        let (presence, value) = into.split_at_mut(self.value - self.start);
        let is_put = self.put_fast(cell, known_utf8, value, facts);
        if is_put {
            presence.fill(1);
        }
        is_put
    }

    /// Whether the field is text, in the common form.
    #[inline]
    pub(super) fn is_plain_text(&self) -> bool {
        matches!(self.way, Way::Text)
    }

    #[inline]
    fn put_fast(
        &self,
        cell: Cell<'_>,
        known_utf8: bool,
        value: &mut [u8],
        facts: &mut Facts,
    ) -> bool {
        match self.way {
            Way::Integer { min, max } => {
                let integer = integer(cell, min, max, facts);
                if let Some(integer) = integer {
                    // In range: the omitted bytes repeat the sign.
                    value.copy_from_slice(&integer.to_le_bytes()[..value.len()]);
                }
                integer.is_some()
            }
            Way::Float => copy(float(cell, facts).map(f64::to_le_bytes), value),
            Way::Date => copy(date(cell, facts).map(i32::to_le_bytes), value),
            Way::Time { per_second, utc } => {
                copy(time(cell, per_second, utc, facts).map(i64::to_le_bytes), value)
            }
            Way::Bool => copy(truth(cell, facts).map(|truth| [truth]), value),
            Way::Text => {
                let text = cell.text();
                let fits = known_utf8 && text.len() <= value.len() && text.last() != Some(&0);
                if fits {
                    value[..text.len()].copy_from_slice(text);
                }
                fits
            }
            Way::General => false,
        }
    }

    /// Stores the value of the text in `record`, whose bytes are zero. Returns whether it is not
    /// the text's own, but the nearest one.
    ///
    /// # Errors
    /// Why the text is not such a value.
    #[cold]
    pub(super) fn put_general(&self, text: &[u8], record: &mut [u8]) -> Result<bool, Refused> {
        let text = std::str::from_utf8(text)
            .map_err(|error| format!("field {}: text: {error}", named(self.name())))?;
        let put = match self.round {
            true => self.field.parse_text_rounded(text, record),
            false => self.field.parse_text(text, record).map(|()| false),
        };
        Ok(put?)
    }
}

/// The integer, in the common form.
#[inline]
fn integer(cell: Cell<'_>, min: i64, max: i64, facts: &mut Facts) -> Option<i64> {
    let Some(integer) = parse::short_integer(cell) else {
        return long_integer(cell, min, max, facts);
    };
    if !(min..=max).contains(&integer) {
        return None;
    }
    facts.short_integer();
    Some(integer)
}

fn long_integer(cell: Cell<'_>, min: i64, max: i64, facts: &mut Facts) -> Option<i64> {
    let decimal = parse::decimal(cell)?;
    if decimal.has_leading_zeros(cell) || decimal.is_minus_zero() {
        return None;
    }
    let integer = decimal.integer().filter(|integer| (min..=max).contains(integer))?;
    facts.decimal(decimal);
    Some(integer)
}

#[inline(always)]
fn float(cell: Cell<'_>, facts: &mut Facts) -> Option<f64> {
    let decimal = parse::decimal(cell).filter(|it| !it.has_leading_zeros(cell))?;
    let float = decimal.float()?;
    facts.decimal(decimal);
    Some(float)
}

/// Days since 1970.
#[inline(always)]
fn date(cell: Cell<'_>, facts: &mut Facts) -> Option<i32> {
    let day = parse::day(cell)?;
    facts.day(day);
    Some(day.since_1970())
}

/// The time in its unit since 1970.
#[inline(always)]
fn time(cell: Cell<'_>, per_second: i64, utc: bool, facts: &mut Facts) -> Option<i64> {
    let time = parse::time(cell).filter(|time| time.utc == utc)?;
    let units = time.in_units(per_second)?;
    facts.time(&time);
    Some(units)
}

#[inline(always)]
fn truth(cell: Cell<'_>, facts: &mut Facts) -> Option<u8> {
    let truth = match cell.text() {
        b"true" | b"True" | b"TRUE" => 1,
        b"false" | b"False" | b"FALSE" => 0,
        _ => return None,
    };
    facts.truth();
    Some(truth)
}

#[inline]
fn copy<const N: usize>(bytes: Option<[u8; N]>, value: &mut [u8]) -> bool {
    match bytes {
        Some(bytes) => {
            value.copy_from_slice(&bytes);
            true
        }
        None => false,
    }
}

/// Why a row or a value is refused, in words, and for programs if one can do something about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) cause: Option<Cause>,
    /// The text of the value, if it is not null.
    pub(super) text: Option<String>,
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self { reason, cause: None, text: None }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { cause: error.cause(), reason: error.into_detail(), text: None }
    }
}

/// The advice about the names of columns, `otherwise` unless they look like a row of data: a number
/// is no name.
pub(super) fn advice_on_names(names: &[String], otherwise: &'static str) -> &'static str {
    match looks_like_data(names) {
        true => "the first row looks like data: if it is, use CsvOptions::header(false)",
        false => otherwise,
    }
}

/// Whether one of the names is a number.
pub(super) fn looks_like_data(names: &[String]) -> bool {
    names.iter().any(|name| fit_float::<f64>(name).is_ok())
}

#[cfg(test)]
mod tests;
