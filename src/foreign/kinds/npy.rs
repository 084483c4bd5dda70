//! Arrays of numpy: `.npy`. Each row is a record, at its place after the header.

use super::super::column::{Column, Encoding};
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Parts};
use super::super::source::{READ, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{ArrayPlace, PlacedField};
use crate::format::Geometry;

pub(super) fn detect(source: &Source) -> Result<Option<ForeignLayout>> {
    match source.at_most(0, ArrayPlace::MAGIC.len())? == ArrayPlace::MAGIC {
        true => layout(source).map(Some),
        false => Ok(None),
    }
}

pub(super) fn layout(source: &Source) -> Result<ForeignLayout> {
    let mut at = 0;
    let read = ArrayPlace::read(|into| {
        let filled = source.fill(at, into)?;
        at += filled as u64;
        Ok(filled)
    });
    let place = read.map_err(of_layout)?;
    let mut parts = Parts::new(ForeignKind::Npy, place.data_offset, place.rows, place.row_bytes);
    parts.columns = place.fields.into_iter().map(column).collect();
    let lengths: Vec<String> = place.shape.iter().map(u64::to_string).collect();
    parts.facts.push(("shape", lengths.join(" x ")));
    let layout = parts.checked()?;
    // Opening the file finds one that is too short.
    let end = Geometry::new(layout.data_offset, layout.stride.into())?.offset_of(layout.count)?;
    if source.len_bytes() > end {
        return Err(Error::new(ErrorKind::Corrupt, READ)
            .offset(end)
            .detail("there are bytes after the last row that its header counts")
            .advice("save each array to a file of its own"));
    }
    Ok(layout)
}

fn column(placed: PlacedField) -> Column {
    // Places that 32 bits do not hold are past the longest record, which no layout has.
    let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let encoding = match placed.decoder {
        None => Encoding::Plain,
        Some(decoder) => Encoding::Npy(Box::new(decoder)),
    };
    Column { at: narrow(placed.at), width: narrow(placed.width), field: placed.field, encoding }
}

/// The error of a header as one of a layout.
fn of_layout(error: Error) -> Error {
    let kind = match error.kind() {
        _ if error.io_error().is_some() => return error,
        ErrorKind::InvalidValue => ErrorKind::Corrupt,
        ErrorKind::Unsupported => ErrorKind::UnsupportedFormat,
        _ => return error,
    };
    let advice = error.what_to_do().map(str::to_owned);
    let found = Error::new(kind, READ).detail(error.into_detail());
    match advice {
        Some(advice) => found.advice(advice),
        None => found,
    }
}
