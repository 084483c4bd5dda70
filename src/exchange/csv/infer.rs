//! The type of a column, by the texts in it.
//!
//! A type is chosen only if it gives every value back: see the table at [`CsvReader::infer`]. The
//! rule for numbers is that of [`Field::parse_text`]. The facts about a column are a few flags and
//! extremes, so that threads can look at parts of a file in any order and merge the results.
//!
//! [`CsvReader::infer`]: super::reader::CsvReader::infer

use super::narrow::Extent;
use super::options::CsvOptions;
use super::parse::{self, Cell, Day, Decimal, Time};
use super::strays::{Stray, Strays};
use super::wanted::Wanted;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Fit, TimeUnit, fit_float, fit_integer, time_text};

/// Kinds of text, as flags: a column may have seen several.
pub(in crate::exchange) mod kind {
    pub(in crate::exchange) const BOOL: u16 = 1;
    /// A number that an `int64` and a `float64` keep.
    pub(in crate::exchange) const INTEGER: u16 = 1 << 1;
    /// A number that only an `int64` keeps.
    pub(in crate::exchange) const LONG_INTEGER: u16 = 1 << 2;
    /// A number that only a `float64` keeps.
    pub(in crate::exchange) const FLOAT: u16 = 1 << 3;
    /// The same, of digits alone. Others beside it will not fit, if it counts or names something.
    pub(in crate::exchange) const HUGE_INTEGER: u16 = 1 << 4;
    pub(in crate::exchange) const DATE: u16 = 1 << 5;
    pub(in crate::exchange) const LOCAL_TIME: u16 = 1 << 6;
    pub(in crate::exchange) const UTC_TIME: u16 = 1 << 7;
    /// Anything else.
    pub(in crate::exchange) const TEXT: u16 = 1 << 8;
}

/// The longest fraction of a second that a unit holds.
const FRACTION_DIGITS_MAX: usize = 9;

/// The facts about values that tell a type from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::exchange) struct Facts {
    pub(in crate::exchange) kinds: u16,
    fraction_digits: usize,
    /// Whether there was a time or date outside the range of nanoseconds since 1970.
    far_times: bool,
}

/// The facts about one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    facts: Facts,
    nulls: bool,
    /// Whether there was a quoted null: a null, unless the column is text.
    quoted_nulls: bool,
    longest_bytes: usize,
    /// The numbers, if the narrowest types are asked for.
    extent: Extent,
    /// The texts of no other type.
    strays: Strays,
}

impl Seen {
    /// Notes a text that means null.
    #[inline]
    pub(super) fn null_text(&mut self, cell: Cell<'_>, is_quoted: bool, options: &CsvOptions) {
        if is_quoted && !options.quoted_null {
            self.longest_bytes = self.longest_bytes.max(cell.text().len());
            self.quoted_nulls = true;
        } else {
            self.nulls = true;
        }
    }

    /// Notes a text that is not null, for these options.
    #[inline]
    pub(super) fn value(
        &mut self,
        cell: Cell<'_>,
        options: &CsvOptions,
        lines_before: impl FnOnce() -> u64,
    ) {
        self.text(cell, lines_before);
        if options.wanted.narrow {
            self.number(cell);
        }
    }

    /// Notes a text that is not null; `lines_before` counts the line ends before its row.
    #[inline]
    pub(super) fn text(&mut self, cell: Cell<'_>, lines_before: impl FnOnce() -> u64) {
        self.longest_bytes = self.longest_bytes.max(cell.text().len());
        if !self.strays.are_many() {
            let kind = self.facts.kind_of(cell);
            self.facts.kinds |= kind;
            if kind == kind::TEXT {
                self.strays.note(cell.text(), lines_before);
            }
        }
    }

    /// Adds the facts about values of a type other than text, but for their lengths
    /// ([`Seen::length`]).
    #[inline]
    pub(super) fn facts(&mut self, facts: Facts) {
        self.facts.merge(facts);
    }

    /// Adds the length of a text, for a column that is text for sure and beside [`Seen::facts`].
    #[inline]
    pub(super) fn length(&mut self, len_bytes: usize) {
        self.longest_bytes = self.longest_bytes.max(len_bytes);
    }

    /// Whether the column is text for sure.
    #[inline]
    pub(super) fn is_text(&self) -> bool {
        self.strays.are_many()
    }

    /// Notes the same text as before so many times more, one of no other type.
    pub(super) fn same_strays(&mut self, values: u64) {
        self.strays.note_again(values);
    }

    /// Whether the last text that was noted is of no other type; tells a known text by that.
    #[inline]
    pub(super) fn notes_stray(
        &mut self,
        cell: Cell<'_>,
        options: &CsvOptions,
        lines_before: impl FnOnce() -> u64,
    ) -> bool {
        let values = self.strays.values();
        self.value(cell, options, lines_before);
        self.strays.values() > values
    }

    /// Notes a text that [`Seen::text`] was given, for the narrowest types.
    pub(super) fn number(&mut self, cell: Cell<'_>) {
        if !self.strays.are_many() {
            self.extent.note(cell);
        }
    }

    /// Adds the facts about the next part of the file, whose lines count from `lines_before` on.
    pub(super) fn merge(&mut self, other: &Self, lines_before: u64) {
        self.facts.merge(other.facts);
        self.nulls |= other.nulls;
        self.quoted_nulls |= other.quoted_nulls;
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.extent.merge(&other.extent);
        self.strays.merge(&other.strays, lines_before);
    }

    /// The field that gives every text back, or the one that was asked for.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if the length of a text does not fit in 32 bits.
    pub(super) fn field(&self, name: &str, wanted: &Wanted) -> Result<Field> {
        let field = wanted.adapted(self.inferred(name, wanted.narrow)?);
        let is_text = matches!(field.data_type(), DataType::Utf8(_));
        let nulls = self.nulls || self.quoted_nulls && !is_text;
        let without_values = self.facts.kinds == 0 && !self.quoted_nulls;
        Ok(if nulls || without_values { field.nullable() } else { field })
    }

    fn inferred(&self, name: &str, narrow: bool) -> Result<Field> {
        let (integer, float) = match narrow {
            true => (self.extent.integer(), self.extent.float()),
            false => (DataType::Int64, DataType::Float64),
        };
        Ok(match self.facts.kinds {
            kind::BOOL => Field::new(name, DataType::Bool),
            kind::DATE => Field::new(name, DataType::Date32),
            numbers if only(numbers, kind::INTEGER | kind::LONG_INTEGER) => {
                Field::new(name, integer)
            }
            numbers if only(numbers, kind::INTEGER | kind::FLOAT | kind::HUGE_INTEGER) => {
                match numbers & kind::FLOAT {
                    0 => self.text_field(name)?,
                    _ => Field::new(name, float),
                }
            }
            times if only(times, kind::DATE | kind::LOCAL_TIME) => self.time_field(name, false)?,
            times if only(times, kind::DATE | kind::UTC_TIME) => self.time_field(name, true)?,
            _ => self.text_field(name)?,
        })
    }

    /// The texts that alone make the field text, and the field without them; `None` unless they are
    /// a few of `rows`.
    pub(super) fn without_strays(
        &self,
        name: &str,
        rows: u64,
        wanted: &Wanted,
    ) -> Option<(Field, &[Stray], u64)> {
        if wanted.type_of(name).is_some() {
            return None;
        }
        let (texts, values) = self.strays.few(rows)?;
        let facts = Facts { kinds: self.facts.kinds & !kind::TEXT, ..self.facts };
        let field = Self { facts, ..self.clone() }.field(name, wanted).ok()?;
        let is_text = matches!(field.data_type(), DataType::Utf8(_));
        (!is_text).then_some((field, texts, values))
    }

    fn time_field(&self, name: &str, utc: bool) -> Result<Field> {
        match self.facts.time_unit() {
            Some(unit) if utc => Ok(Field::new(name, DataType::Timestamp(unit)).utc()),
            Some(unit) => Ok(Field::new(name, DataType::Timestamp(unit))),
            None => self.text_field(name),
        }
    }

    fn text_field(&self, name: &str) -> Result<Field> {
        let width = u32::try_from(self.longest_bytes.max(1)).map_err(|_| {
            let detail = format!("field {name}: a text has {} bytes", self.longest_bytes);
            Error::new(ErrorKind::InvalidSchema, "infer").detail(detail)
        })?;
        Ok(Field::new(name, DataType::Utf8(width)))
    }
}

impl Facts {
    /// Notes a number that its field keeps.
    #[inline]
    pub(super) fn decimal(&mut self, decimal: Decimal) {
        self.kinds |= kept_kind(decimal);
    }

    /// Notes an integer of a few digits.
    #[inline]
    pub(super) fn short_integer(&mut self) {
        self.kinds |= kind::INTEGER;
    }

    /// Notes a date.
    #[inline]
    pub(super) fn day(&mut self, day: Day) {
        self.kinds |= kind::DATE;
        self.far_times |= !day.fits_nanoseconds();
    }

    /// Notes a time.
    #[inline]
    pub(super) fn time(&mut self, time: &Time) {
        self.kinds |= self.time_kind(time);
    }

    /// Notes one of the words for true and false.
    #[inline]
    pub(super) fn truth(&mut self) {
        self.kinds |= kind::BOOL;
    }

    #[inline]
    pub(in crate::exchange) fn merge(&mut self, other: Self) {
        self.kinds |= other.kinds;
        self.fraction_digits = self.fraction_digits.max(other.fraction_digits);
        self.far_times |= other.far_times;
    }

    #[inline]
    fn kind_of(&mut self, cell: Cell<'_>) -> u16 {
        if let Some(decimal) = parse::decimal(cell) {
            return decimal_kind(decimal, cell);
        }
        match cell.text() {
            b"true" | b"false" | b"True" | b"False" | b"TRUE" | b"FALSE" => kind::BOOL,
            [b'0'..=b'9', ..] => {
                if let Some(day) = parse::day(cell) {
                    self.far_times |= !day.fits_nanoseconds();
                    return kind::DATE;
                }
                match parse::time(cell) {
                    Some(time) => self.time_kind(&time),
                    None => self.other_kind(cell.text()),
                }
            }
            // Also `nan` and `inf`.
            [b'-' | b'.' | b'n' | b'N' | b'i' | b'I', ..] => self.other_kind(cell.text()),
            _ => kind::TEXT,
        }
    }

    #[inline]
    fn time_kind(&mut self, time: &Time) -> u16 {
        self.fraction_digits = self.fraction_digits.max(time.fraction_digits);
        self.far_times |= !time.fits_nanoseconds();
        if time.utc { kind::UTC_TIME } else { kind::LOCAL_TIME }
    }

    /// The kind of a text that the fast ways do not know.
    #[cold]
    fn other_kind(&mut self, text: &[u8]) -> u16 {
        // A row with a field that is not UTF-8 is bad, and comes not so far.
        let number = std::str::from_utf8(text).map_or(kind::TEXT, number_kind);
        if number != kind::TEXT || !matches!(text, [b'0'..=b'9', ..]) {
            return number;
        }
        self.time_text_kind(text)
    }

    /// The kind of a text that may be a time in any of its forms.
    pub(in crate::exchange) fn time_text_kind(&mut self, text: &[u8]) -> u16 {
        match time_text(text) {
            Some(time) if time.fraction_digits() <= FRACTION_DIGITS_MAX => {
                self.fraction_digits = self.fraction_digits.max(time.fraction_digits());
                self.second(time.seconds());
                if time.has_zone() { kind::UTC_TIME } else { kind::LOCAL_TIME }
            }
            _ => kind::TEXT,
        }
    }

    /// Notes a second since 1970.
    pub(in crate::exchange) fn second(&mut self, second: i128) {
        self.far_times |= !i64::try_from(second).is_ok_and(parse::fits_nanoseconds);
    }

    /// The unit for every fraction, if all times are within its range.
    pub(in crate::exchange) fn time_unit(&self) -> Option<TimeUnit> {
        Some(match self.fraction_digits {
            0 => TimeUnit::Second,
            1..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ if self.far_times => return None,
            _ => TimeUnit::Nanosecond,
        })
    }
}

/// Whether `kinds` has at least one of the flags `allowed`, and no other.
fn only(kinds: u16, allowed: u16) -> bool {
    kinds != 0 && kinds & !allowed == 0
}

/// The kind of a number in plain decimal form, of 15 digits or fewer if it has a point: a `float64`
/// keeps it.
#[inline]
fn decimal_kind(decimal: Decimal, cell: Cell<'_>) -> u16 {
    match decimal.has_leading_zeros(cell) {
        true => kind::TEXT, // no number type gives the zeros back
        false => kept_kind(decimal),
    }
}

/// The same, of one without leading zeros.
#[inline]
fn kept_kind(decimal: Decimal) -> u16 {
    if decimal.has_point || decimal.is_minus_zero() {
        kind::FLOAT
    } else if decimal.mantissa <= parse::EXACT_FLOAT_MAX
        || decimal.mantissa as f64 as u64 == decimal.mantissa
    {
        kind::INTEGER
    } else {
        kind::LONG_INTEGER
    }
}

/// The kind of a text if it is a number that a type keeps; else that of text.
fn number_kind(text: &str) -> u16 {
    let is_float = matches!(fit_float::<f64>(text), Ok(Fit::Exact(_)));
    let is_digits = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    match fit_integer::<i64>(text) {
        Ok(Fit::Exact(_)) if is_float => kind::INTEGER,
        Ok(Fit::Exact(_)) => kind::LONG_INTEGER,
        _ if !is_float => kind::TEXT,
        Err(_) if is_digits => kind::HUGE_INTEGER,
        _ => kind::FLOAT,
    }
}

#[cfg(test)]
mod tests;
