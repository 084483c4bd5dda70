//! Records of an input's own fields as records of a schema.
//!
//! A value is copied if both fields have the same type, and otherwise becomes the same value of the
//! other type. A value that this type does not hold exactly makes its row bad.

use std::collections::HashMap;

use super::source::{BadRow, Block, Column};
use crate::error::{Cause, Error, ErrorKind, Result, named, quoted};
use crate::format::{DataType, Field, Schema, Value};
use crate::maintenance::{convert, is_convertible};

/// How many unmatched columns and fields an error names.
const DIFFERENCES_MAX: usize = 10;

/// The pairs of a column and a field with the same name.
#[derive(Debug)]
pub(super) struct Pairs<'s> {
    schema: &'s Schema,
    /// For each column the number of its field.
    fields: Vec<usize>,
    round: bool,
}

impl<'s> Pairs<'s> {
    /// As [`Pairs::new`], for the columns of an input.
    pub(super) fn of_columns(columns: &[Column], schema: &'s Schema, round: bool) -> Result<Self> {
        let fields: Vec<Field> = columns.iter().map(|it| it.field.clone()).collect();
        Self::new(&fields, schema, round)
    }

    /// Pairs the columns with the fields.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] for a column without a field, a field without a column, and
    /// types of which no value is the same.
    fn new(columns: &[Field], schema: &'s Schema, round: bool) -> Result<Self> {
        let places = schema.fields().iter().map(Field::name).zip(0..);
        let mut unpaired: HashMap<&str, usize> = places.collect();
        let mut fields = Vec::with_capacity(columns.len());
        let mut differences = Vec::new();
        for column in columns {
            let Some(place) = unpaired.remove(column.name()) else {
                differences.push(format!("no field for column {}", quoted(column.name())));
                continue;
            };
            let field = &schema.fields()[place];
            if let Err(why) = is_convertible(column, field) {
                let (from, to) = (type_of(column), type_of(field));
                let name = named(field.name());
                differences.push(format!("column {name} is {from}, and its field {to}: {why}"));
            }
            fields.push(place);
        }
        let missing = schema.fields().iter().filter(|field| unpaired.contains_key(field.name()));
        differences
            .extend(missing.map(|field| format!("no column for field {}", quoted(field.name()))));
        if differences.is_empty() {
            return Ok(Self { schema, fields, round });
        }
        let more = differences.len().saturating_sub(DIFFERENCES_MAX);
        differences.truncate(DIFFERENCES_MAX);
        if more > 0 {
            differences.push(format!("and {more} more"));
        }
        Err(Error::new(ErrorKind::SchemaMismatch, "match columns")
            .detail(differences.join("; "))
            .advice("every field needs a column and every column a field"))
    }

    /// The name of a field.
    pub(super) fn name(&self, field: usize) -> &'s str {
        self.schema.fields()[field].name()
    }

    /// Makes records of the rows of `block`.
    pub(super) fn fit(&self, block: &mut Block) {
        let mut result = std::mem::take(&mut block.result);
        result.records.clear();
        result.bad.clear();
        (result.loaded, result.nulls, result.rounded) = (0, 0, 0);
        let pairs = self.fields.iter().zip(block.fields.iter());
        let ways: Vec<Way<'_>> =
            pairs.map(|(&to, from)| Way::new(from, (to, &self.schema.fields()[to]))).collect();
        let record_bytes = self.schema.record_size() as usize;
        if block.faults.is_empty() && self.is_same(block, &ways) {
            let rows = || block.records.chunks_exact(record_bytes);
            let nulls: Option<u64> =
                rows().map(|row| ways.iter().map(|way| way.nulls(row)).sum::<Option<u64>>()).sum();
            if let Some(nulls) = nulls {
                result.loaded = block.rows() as u64;
                result.rounded = block.rounded.len() as u64;
                result.nulls = nulls;
                std::mem::swap(&mut result.records, &mut block.records);
                block.result = result;
                return;
            }
        }
        let mut faults = block.faults.iter().peekable();
        let mut rounded_rows = block.rounded.iter().peekable();
        for (number, row) in block.records.chunks_exact(block.record_bytes).enumerate() {
            let mut by_source = 0;
            while rounded_rows.next_if_eq(&&number).is_some() {
                by_source += 1;
            }
            if let Some((_, column, why)) = faults.next_if(|(faulty, ..)| *faulty == number) {
                let field = self.fields[*column];
                let reason = format!("field {}: {why}", shown(&self.schema.fields()[field]));
                result.bad.push(BadRow { row: number, field, reason, cause: None, text: None });
                continue;
            }
            let start = result.records.len();
            result.records.resize(start + record_bytes, 0);
            match self.put(&ways, row, &mut result.records[start..]) {
                Ok((nulls, rounded)) => {
                    result.loaded += 1;
                    result.nulls += nulls;
                    result.rounded += rounded + by_source;
                }
                Err(mut bad) => {
                    bad.row = number;
                    result.records.truncate(start);
                    result.bad.push(bad);
                }
            }
        }
        block.result = result;
    }

    /// Whether the rows are records of the schema byte for byte, if their values are valid.
    fn is_same(&self, block: &Block, ways: &[Way<'_>]) -> bool {
        let is_same = |way: &Way<'_>| way.is_same && way.from.offset() == way.to.offset();
        let field_bytes: u32 = ways.iter().map(|way| way.to.size_bytes()).sum();
        block.record_bytes == self.schema.record_size() as usize
            && field_bytes == self.schema.record_size()
            && ways.iter().all(is_same)
    }

    fn put(&self, ways: &[Way<'_>], row: &[u8], record: &mut [u8]) -> Result<(u64, u64), BadRow> {
        let (mut nulls, mut rounded) = (0, 0);
        for way in ways {
            if way.is_same {
                if let Some(null) = way.nulls(row) {
                    nulls += null;
                    let from = way.from.offset() as usize;
                    let to = way.to.offset() as usize;
                    let len = way.to.size_bytes() as usize;
                    record[to..to + len].copy_from_slice(&row[from..from + len]);
                    continue;
                }
            }
            let is_null = way.from.is_null(row).unwrap_or(false);
            nulls += u64::from(is_null);
            rounded += u64::from(way.put(row, record, self.round).map_err(|why| {
                let text = text_of(way.from, row).filter(|_| !is_null);
                let quote = text.as_ref().map_or(String::new(), |text| {
                    format!("{}: ", quoted(&crate::error::cut(text, 40)))
                });
                let reason = format!("field {}: {quote}{why}", shown(way.to));
                let is_number = |field: &Field| is_number(field.data_type());
                let cause = (is_number(way.from) && is_number(way.to) && !is_null)
                    .then_some(Cause::UnfitNumber);
                BadRow { row: 0, field: way.number, reason, cause, text }
            })?);
        }
        Ok((nulls, rounded))
    }
}

/// From one column to one field.
struct Way<'f> {
    from: &'f Field,
    to: &'f Field,
    number: usize,
    /// Whether the bytes are the same, presence byte included.
    is_same: bool,
    check: Check,
}

/// Which bytes of a field have patterns that are no value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Presence,
    Value,
}

impl<'f> Way<'f> {
    fn new(from: &'f Field, (number, to): (usize, &'f Field)) -> Self {
        let layout = |field: &Field| {
            let is_null = field.is_nullable();
            (field.data_type(), field.array_len(), is_null, field.is_big_endian())
        };
        let check = match from.data_type() {
            DataType::Bool | DataType::Utf8(_) => Check::Value,
            _ if from.is_nullable() => Check::Presence,
            _ => Check::Nothing,
        };
        let is_same = layout(from) == layout(to) && from.scale() == to.scale();
        Self { from, to, number, is_same, check }
    }

    /// How many nulls the field of a row is, 0 or 1; `None` if its bytes are no value.
    #[inline]
    fn nulls(&self, row: &[u8]) -> Option<u64> {
        match self.check {
            Check::Nothing => Some(0),
            Check::Presence => match row[self.from.offset() as usize] {
                // The value's bytes are then zero, as the format says.
                0 => self.is_zero(row).then_some(1),
                1 => Some(0),
                _ => None,
            },
            Check::Value => match self.from.read(row).ok()? {
                Value::Null => self.is_zero(row).then_some(1),
                Value::Array(array) => array.iter().all(|it| it.is_ok()).then_some(0),
                _ => Some(0),
            },
        }
    }

    fn is_zero(&self, row: &[u8]) -> bool {
        let start = self.from.offset() as usize;
        row[start..start + self.from.size_bytes() as usize].iter().all(|&byte| byte == 0)
    }

    /// Stores the value of `row` in `record`, and returns whether it is another one.
    #[cold]
    fn put(&self, row: &[u8], record: &mut [u8], round: bool) -> Result<bool, String> {
        if let Err(error) = self.from.read(row) {
            let why = error.into_detail();
            return Err(why.split_once("): ").map_or(why.clone(), |(_, why)| why.to_owned()));
        }
        let converted = convert((self.from, row), (self.to, record), None);
        let is_pair = is_number(self.from.data_type()) && is_number(self.to.data_type());
        if converted.is_ok() || !round || !is_pair || self.from.array_len().is_some() {
            return converted.map(|()| false);
        }
        let mut text = String::new();
        self.from.format_text(row, &mut text).map_err(|error| error.to_string())?;
        let rounded = self.to.parse_text_rounded(&text, record);
        rounded.map(|_| true).map_err(|error| error.into_detail())
    }
}

fn is_number(data_type: DataType) -> bool {
    use DataType::{Float32, Float64, Int128, UInt128};
    data_type.integer_range().is_some() || matches!(data_type, Int128 | UInt128 | Float32 | Float64)
}

fn type_of(field: &Field) -> String {
    match field.array_len() {
        None => field.data_type().to_string(),
        Some(len) => format!("{}[{len}]", field.data_type()),
    }
}

fn shown(field: &Field) -> String {
    format!("{} ({})", named(field.name()), type_of(field))
}

fn text_of(field: &Field, row: &[u8]) -> Option<String> {
    let mut text = String::new();
    field.format_text(row, &mut text).ok().map(|()| text)
}

/// The row as a line of CSV, for the user; nothing for values that cannot be read.
pub(super) fn row_text(fields: &[Field], row: &[u8]) -> String {
    let mut line = String::new();
    for (number, field) in fields.iter().enumerate() {
        if number > 0 {
            line.push(',');
        }
        let text = text_of(field, row).unwrap_or_default();
        match text.contains(['"', ',', '\n', '\r']) {
            true => line.extend(["\"", &text.replace('"', "\"\""), "\""]),
            false => line.push_str(&text),
        }
    }
    line
}
