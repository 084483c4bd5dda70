//! Whether the first row, which was taken for the header, has data.
//!
//! A file of numbers without a header would lose its first row to the names of its columns.

use super::options::CsvOptions;
use crate::error::{Error, ErrorKind, Result, quoted};
use crate::format::{DataType, Field, Fit, fit_float};

/// How many names an error shows.
const SHOWN_MAX: usize = 3;

/// Whether the header may be data: its names are also values of those columns that are not text.
/// `fields` have the names, and `rows` came after them.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] if it looks more like data than like names: there is no column of
/// text, or one of those values is not a plain number such as a year.
pub(super) fn may_be_data(fields: &[Field], rows: u64, options: &CsvOptions) -> Result<bool> {
    if options.header_is_sure {
        return Ok(false);
    }
    // Without rows every column is text.
    let is_typed = |field: &&Field| rows == 0 || !matches!(field.data_type(), DataType::Utf8(_));
    let typed: Vec<&Field> = fields.iter().filter(is_typed).collect();
    let could_be_value = |field: &&Field| match rows {
        0 => fit_float::<f64>(field.name()).is_ok(),
        _ => options.null_texts.iter().any(|text| text == field.name()) || is_value(field),
    };
    if typed.is_empty() || !typed.iter().all(could_be_value) {
        return Ok(false);
    }
    let is_plain = |field: &&Field| field.name().bytes().all(|byte| byte.is_ascii_digit());
    if typed.len() < fields.len() && typed.iter().all(is_plain) {
        return Ok(true);
    }
    let shown: Vec<String> =
        typed.iter().take(SHOWN_MAX).map(|field| quoted(field.name())).collect();
    let more = if typed.len() > SHOWN_MAX { ", …" } else { "" };
    let what = match (rows, typed.len()) {
        (0, 1) => "is a number, and no row follows",
        (0, _) => "are numbers, and no row follows",
        (_, 1) => "could be a value of its column",
        _ => "could be values of their columns",
    };
    let names = if typed.len() == 1 { "its name" } else { "its names" };
    Err(Error::new(ErrorKind::InvalidValue, "read the header of")
        .detail(format!("{names} {}{more} {what}", shown.join(", ")))
        .advice(
            "if the first row is data, use CsvOptions::header(false); if it has the names, \
             CsvOptions::header(true)",
        ))
}

/// Whether the name of the field is a text of its type, or one that would make it a similar type.
fn is_value(field: &Field) -> bool {
    let name = field.name();
    let is_number = field.data_type().integer_range().is_some()
        || matches!(field.data_type(), DataType::Float32 | DataType::Float64);
    let is_date = || Field::new("day", DataType::Date32).parse_text(name, &mut [0; 4]).is_ok();
    let alone = field.clone().at(0);
    let mut record = vec![0; alone.size_bytes() as usize];
    alone.parse_text(name, &mut record).is_ok()
        || is_number && matches!(fit_float::<f64>(name), Ok(Fit::Exact(_)))
        || matches!(field.data_type(), DataType::Timestamp(_)) && is_date()
}
