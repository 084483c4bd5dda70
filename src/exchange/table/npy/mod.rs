//! Arrays of numpy: .npy and .npz.
//!
//! ```text
//! Places or Text -> Header (literal, dtype) -> Rows (elements in order) -> Decoder (records)
//! ```
//!
//! The first index of an array counts the rows. An array of records has a column for each field,
//! any other array one column.

mod decoder;
mod dtype;
mod header;
mod literal;
mod place;
mod rows;
mod zip;

use std::sync::Arc;

use self::decoder::Decoder;
use self::header::Header;
use self::rows::{Columns, Rows};
use self::zip::{Entry, EntryStream};
use super::source::{Block, Column, Source};
use crate::error::{Error, ErrorKind, Result, quoted};
use crate::exchange::Input;
use crate::exchange::input::Places;
use crate::format::{Field, Schema};

pub(crate) use self::place::{ArrayPlace, PlacedField, ValueDecoder};

/// The records of a block, in bytes, if a record is shorter.
const BLOCK_BYTES: usize = 1 << 20;
/// The name of the column of an array that has no records.
const NAME: &str = "value";

/// The array of a .npy file. `target` says what bytes mean for which numpy has no type.
///
/// # Errors
/// An error of reading; [`ErrorKind::InvalidValue`] for a damaged header,
/// [`ErrorKind::Unsupported`] for an array that cannot be rows.
pub(super) fn open_npy<'i>(
    input: &'i mut Input,
    keep: bool,
    target: Option<&Schema>,
) -> Result<Box<dyn Source + 'i>> {
    let places = if input.is_stream() { None } else { Some(input.places()?) };
    let mut text = input.read_bytes(keep)?;
    let header = Header::read(|into| text.fill(into))?;
    let rows = match header.is_by_columns() {
        false => Rows::Stream(Box::new(text)),
        true => match places.filter(|_| text.is_plain()) {
            Some(places) => {
                check_length(&places, &header)?;
                Rows::Columns(Columns::new(places, &header, header.len_bytes))
            }
            None => return Err(by_columns("a stream, or compressed")),
        },
    };
    let mut maker = Maker::default();
    maker.add(&header, NAME, "", rows, target)?;
    Ok(Box::new(maker.source()?))
}

/// The arrays of a .npz file, of which one may be chosen: that one as rows, or all as columns.
///
/// # Errors
/// As [`open_npy`]; [`ErrorKind::InvalidArgument`] for a stream, for a name that no array has, and
/// for arrays of different lengths.
pub(super) fn open_npz<'i>(
    input: &'i mut Input,
    array: Option<&str>,
    target: Option<&Schema>,
) -> Result<Box<dyn Source + 'i>> {
    let places = input.places()?;
    let all = zip::entries(&places)?;
    let chosen: Vec<&Entry> = match array {
        Some(name) => vec![zip::named(&all, name)?],
        None => all.iter().collect(),
    };
    let mut maker = Maker::default();
    for entry in &chosen {
        let about = |error: Error| match (error.io_error(), chosen.len()) {
            (None, 2..) => in_array(error, &entry.name),
            _ => error,
        };
        let mut stream = EntryStream::new(&places, entry);
        let header = Header::read(|into| rows::Stream::fill(&mut stream, into)).map_err(about)?;
        let rows = match header.is_by_columns() {
            false => Rows::Stream(Box::new(stream)),
            true if entry.is_stored => {
                let start = entry.start + header.len_bytes;
                Rows::Columns(Columns::new(places.clone(), &header, start))
            }
            true => return Err(about(by_columns("compressed"))),
        };
        let prefix = if chosen.len() > 1 { format!("{}.", entry.name) } else { String::new() };
        maker.add(&header, &entry.name, &prefix, rows, target).map_err(about)?;
    }
    maker.check_lengths(&chosen)?;
    Ok(Box::new(maker.source()?))
}

/// The error with the name of the array that it is about.
fn in_array(error: Error, name: &str) -> Error {
    let advice = error.what_to_do().map(str::to_owned);
    let (kind, operation) = (error.kind(), error.operation().to_owned());
    let why = format!("array {}: {}", quoted(name), error.into_detail());
    let error = Error::new(kind, operation).detail(why);
    match advice {
        Some(advice) => error.advice(advice),
        None => error,
    }
}

fn by_columns(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "read")
        .detail(format!(
            "the array is in Fortran's order, column after column, which cannot be read from what \
             is {what}"
        ))
        .advice("save it in C's order: numpy.ascontiguousarray(array), or give a plain file")
}

/// Refuses a file that is shorter than its array.
fn check_length(places: &Places, header: &Header) -> Result<()> {
    let value_bytes = header.dtype.size_bytes as u64;
    let array_bytes =
        header.shape.iter().try_fold(value_bytes, |bytes, &len| bytes.checked_mul(len));
    let end = array_bytes.and_then(|bytes| bytes.checked_add(header.len_bytes));
    match end {
        Some(end) if end <= places.len_bytes() => Ok(()),
        _ => Err(Error::new(ErrorKind::Truncated, "read")
            .detail("the file ends before the end of the array that its header describes")
            .advice("copy it again, or save it again")),
    }
}

/// One array of the rows.
struct Part<'i> {
    rows: Rows<'i>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Maker<'i> {
    parts: Vec<Part<'i>>,
    columns: Vec<Column>,
    lengths: Vec<u64>,
    record_bytes: usize,
}

impl<'i> Maker<'i> {
    /// Adds an array: a column with that `name`, or a column for each field of its records, whose
    /// names get the `prefix`.
    fn add(
        &mut self,
        header: &Header,
        name: &str,
        prefix: &str,
        rows: Rows<'i>,
        target: Option<&Schema>,
    ) -> Result<()> {
        let (length, shape) = header.rows()?;
        let mut dtype = header.dtype.clone();
        dtype.leaves.iter_mut().for_each(|leaf| leaf.name.insert_str(0, prefix));
        let places = (self.record_bytes, self.columns.len());
        let (decoder, columns) =
            Decoder::new(&dtype, (name, &shape), target, places).map_err(|why| {
                let error = Error::new(ErrorKind::Unsupported, "read").detail(why);
                error.advice("divide it into several arrays")
            })?;
        let sizes = columns.iter().map(|column| column.field.size_bytes() as usize);
        self.record_bytes += sizes.sum::<usize>();
        self.columns.extend(columns);
        self.lengths.push(length);
        self.parts.push(Part { rows, decoder, buffer: Vec::new() });
        Ok(())
    }

    /// Refuses arrays of different lengths.
    fn check_lengths(&self, entries: &[&Entry]) -> Result<()> {
        let first = self.lengths.first();
        let Some(other) = self.lengths.iter().position(|length| Some(length) != first) else {
            return Ok(());
        };
        let shown =
            |at: usize| format!("{} has {} rows", quoted(&entries[at].name), self.lengths[at]);
        Err(Error::new(ErrorKind::InvalidArgument, "read")
            .detail(format!("its arrays have different lengths: {}, {}", shown(0), shown(other)))
            .advice("choose one of them with TableReader::array"))
    }

    fn source(self) -> Result<NpySource<'i>> {
        // Names that differ, and a record that is not too long.
        let schema = Schema::packed(self.columns.iter().map(|column| column.field.clone()))?;
        let rows_left = self.lengths.first().copied().unwrap_or(0);
        let fields = Arc::from(schema.fields());
        let record_bytes = self.record_bytes;
        let Self { parts, columns, .. } = self;
        Ok(NpySource { parts, columns, fields, record_bytes, rows_left })
    }
}

struct NpySource<'i> {
    parts: Vec<Part<'i>>,
    columns: Vec<Column>,
    fields: Arc<[Field]>,
    record_bytes: usize,
    rows_left: u64,
}

impl Source for NpySource<'_> {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn rows_left(&self) -> Option<u64> {
        Some(self.rows_left)
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        block.faults.clear();
        block.records.clear();
        if self.rows_left == 0 {
            self.parts.iter_mut().try_for_each(|part| part.rows.check_end())?;
            return Ok(false);
        }
        let record_bytes = self.record_bytes;
        let most = (BLOCK_BYTES / record_bytes).max(1);
        let rows = usize::try_from(self.rows_left).map_or(most, |left| left.min(most));
        block.fields = Arc::clone(&self.fields);
        block.record_bytes = record_bytes;
        block.records.resize(rows * record_bytes, 0);
        for part in &mut self.parts {
            let Part { rows: elements, decoder, buffer } = part;
            if decoder.is_copy(record_bytes) {
                elements.fill(&mut block.records)?;
                continue;
            }
            buffer.resize(rows * decoder.element_bytes, 0);
            elements.fill(buffer)?;
            let records = block.records.chunks_exact_mut(record_bytes);
            let pairs = buffer.chunks_exact(decoder.element_bytes).zip(records);
            for (row, (element, record)) in pairs.enumerate() {
                if let Err((column, why)) = decoder.decode(element, record) {
                    block.faults.push((row, column, why));
                }
            }
        }
        // One fault of a row is enough.
        block.faults.sort_by_key(|(row, column, _)| (*row, *column));
        block.faults.dedup_by_key(|(row, ..)| *row);
        block.read_bytes = self.parts.iter().map(|part| part.rows.read_bytes()).sum();
        self.rows_left -= rows as u64;
        Ok(true)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        if rows > self.rows_left {
            return Err(Error::new(ErrorKind::Truncated, "resume reading")
                .detail(format!("the array has fewer than {rows} rows"))
                .advice("start again from the beginning"));
        }
        for part in &mut self.parts {
            part.rows.skip(rows, part.decoder.element_bytes)?;
        }
        self.rows_left -= rows;
        Ok(())
    }
}
