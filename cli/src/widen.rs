//! The command that gives a store room for a value that did not fit in an append.

use std::path::Path;

use flatrec::{DataType, DynStore, Field, Schema, TimeUnit, Value, query};

use crate::field_names;
use crate::shell;
use crate::strays;

/// How to append the row whose value is the fault of `error`; `None` if no option helps.
pub(crate) fn advice(error: &flatrec::Error, schema: &Schema, store: &Path) -> Option<String> {
    let field = schema.field(error.field_name()?)?;
    let nullable = || shell::option("--nullable", &query::written_name(field.name()));
    let (mut before, mut then, mut after) = (String::new(), String::new(), String::new());
    let option = match error.value_text() {
        None => nullable()?,
        Some(text) if is_word(field, text) => {
            let null = strays::null_in(field.name(), text)?;
            let as_text = wider(field, text, store);
            if field.is_nullable() {
                before = format!("if {text:?} means null, append with {null}");
                let Some(as_text) = as_text else { return Some(before) };
                before.push_str("; ");
                as_text
            } else {
                let nullable = nullable()?;
                then = format!(" with {null}");
                if let Some(as_text) = as_text {
                    after = format!(
                        "; if {text:?} is more than a word for null, {as_text} instead of \
                         {nullable} makes the field text, and the append needs no {null}"
                    );
                }
                nullable
            }
        }
        Some(text) => wider(field, text, store)?,
    };
    let store = shell::path(store)?;
    Some(format!(
        "{before}to make the store take it: flatrec migrate {store} {option} (then append \
         again{then}){after}"
    ))
}

/// Whether the text in a field that is not text may be a word for null.
fn is_word(field: &Field, text: &str) -> bool {
    let is_text = matches!(field.data_type(), DataType::Utf8(_) | DataType::Binary(_));
    let has_form = field.display().is_some() || !field.variants().is_empty();
    !is_text && !has_form && field.array_len().is_none() && strays::is_word(text)
}

/// The option with which the field takes the text and keeps the values that it has.
fn wider(field: &Field, text: &str, store: &Path) -> Option<String> {
    let has_form = field.display().is_some() || !field.variants().is_empty();
    if has_form || field.epoch().is_some() || field.array_len().is_some() {
        return None;
    }
    let name = field_names::before_equals(field.name());
    if let DataType::Utf8(width_bytes) = field.data_type() {
        let is_longer = text.len() > width_bytes as usize;
        return is_longer
            .then(|| shell::option("--type", &format!("{name}=utf8({})", text.len())))?;
    }
    let fits = |data_type: &DataType| {
        let wide = Field::new("wide", *data_type);
        let is_time = matches!(data_type, DataType::Timestamp(_));
        let wide = if field.is_utc() && is_time { wide.utc() } else { wide };
        let mut record = vec![0; wide.size_bytes() as usize];
        let mut takes = |text: &str| wide.parse_text(text, &mut record).is_ok();
        takes(text) && (keeps_any(field.data_type(), *data_type) || all_fit(store, field, takes))
    };
    let data_type = types_above(field.data_type())?.into_iter().find(fits);
    let data_type = data_type.unwrap_or_else(|| {
        // The longest text of a number, a date or a time.
        let width_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        DataType::Utf8(width_bytes.max(40))
    });
    shell::option("--type", &format!("{name}={data_type}"))
}

/// Whether `to` keeps every value of `from`, for two types that [`types_above`] pairs.
fn keeps_any(from: DataType, to: DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (Int64 | UInt64, _) | (Timestamp(_), _) => false,
        (Date32, to) => to == Timestamp(TimeUnit::Second),
        _ => true,
    }
}

/// So many records are read to find a type; of a larger store the advice is text, which keeps all.
const RECORDS_MAX: usize = 5_000_000;

/// Whether the texts of all values of the field fit.
fn all_fit(store: &Path, field: &Field, mut takes: impl FnMut(&str) -> bool) -> bool {
    let Ok(store) = DynStore::open_read_only(store) else { return false };
    let (mut records, mut text) = (store.copies(..), String::new());
    for _ in 0..RECORDS_MAX {
        let record = match records.next_record() {
            Ok(Some((_, record))) => record,
            ended => return matches!(ended, Ok(None)),
        };
        text.clear();
        let is_null = matches!(field.read(record), Ok(Value::Null));
        if !is_null && (field.format_text(record, &mut text).is_err() || !takes(&text)) {
            return false;
        }
    }
    false
}

/// The types that keep the values of `data_type`, the narrowest first.
fn types_above(data_type: DataType) -> Option<Vec<DataType>> {
    use DataType::*;
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let integers = || {
        let wider = |other: &DataType| other.size_bytes() > data_type.size_bytes();
        [Int16, Int32, Int64].into_iter().filter(wider).chain([Float64]).collect()
    };
    Some(match data_type {
        UInt64 => vec![Int64, Float64],
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => integers(),
        Float32 => vec![Float64],
        Date32 => [Second, Millisecond, Microsecond, Nanosecond].map(Timestamp).into(),
        Timestamp(_) => [Millisecond, Microsecond, Nanosecond].map(Timestamp).into(),
        Bool | Float64 => Vec::new(),
        _ => return None,
    })
}
