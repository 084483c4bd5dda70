//! Binary tables of FITS, the format of astronomy.
//!
//! A file is a list of headers, each with data. The table is the first extension `BINTABLE`, or the
//! one that the parameter names by its `EXTNAME` or its number. All numbers are big-endian.

mod header;

use self::header::Header;
use super::super::charset::Charset;
use super::super::column::{Column, Encoding, TextEnd};
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Parts};
use super::super::scaled::{Raw, Scaled, Scaling};
use super::super::source::{READ, Source, corrupt, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field};

/// How every file begins.
const MAGIC: &[u8] = b"SIMPLE  =";
/// The most headers that are looked at.
const HEADERS_MAX: u64 = 10_000;
/// The most columns, by the standard.
const COLUMNS_MAX: u64 = 999;

pub(super) fn detect(source: &Source) -> Result<Option<ForeignLayout>> {
    match source.at_most(0, MAGIC.len())? == MAGIC {
        true => layout(source, None).map(Some),
        false => Ok(None),
    }
}

pub(super) fn layout(source: &Source, wanted: Option<&str>) -> Result<ForeignLayout> {
    if source.at_most(0, MAGIC.len())? != MAGIC {
        return Err(corrupt(0, "a FITS file begins with SIMPLE"));
    }
    let mut next = Header::read(source, 0)?.end_of_data()?;
    let mut tables = Vec::new();
    for number in 1..HEADERS_MAX {
        // Some writers leave out zeros at the end.
        if next >= source.len_bytes() {
            break;
        }
        let header = Header::read(source, next)?;
        next = header.end_of_data()?;
        if header.text("XTENSION") != Some("BINTABLE") {
            continue;
        }
        let name = header.text("EXTNAME").unwrap_or_default().to_owned();
        let is_wanted = wanted.is_none_or(|wanted| {
            wanted.eq_ignore_ascii_case(&name) || wanted.parse() == Ok(number)
        });
        if is_wanted {
            return table(&header, number, &name);
        }
        tables.push(match name.is_empty() {
            true => number.to_string(),
            false => format!("{number} ({name})"),
        });
    }
    let Some(wanted) = wanted else {
        return Err(unsupported(0, "a FITS file without a binary table (BINTABLE)"));
    };
    Err(Error::new(ErrorKind::InvalidArgument, READ)
        .detail(format!("the file has no binary table {wanted:?}"))
        .advice(format!("its binary tables are {}", tables.join(", "))))
}

fn table(header: &Header, number: u64, name: &str) -> Result<ForeignLayout> {
    if header.length("NAXIS")? != 2 || header.integer("BITPIX")? != Some(8) {
        return Err(corrupt(header.start, "a table has NAXIS 2 and BITPIX 8"));
    }
    let (stride, count) = (header.length("NAXIS1")?, header.length("NAXIS2")?);
    let columns = header.length("TFIELDS")?;
    if columns > COLUMNS_MAX {
        return Err(corrupt(header.start, format!("a table of {columns} columns")));
    }
    let mut parts = Parts::new(ForeignKind::Fits, header.end, count, stride);
    let mut at = 0_u64;
    for column in 1..=columns {
        let described = Described::read(header, column)?;
        let width = described.width();
        if ["TDMIN", "TDMAX"].iter().any(|key| header.has(&described.key(key))) {
            let what = "the least and the greatest of its values (TDMIN, TDMAX)";
            parts.edits.summarised.push((described.name.clone(), what));
        }
        if let Some(column) = described.column(u32::try_from(at).unwrap_or(u32::MAX))? {
            parts.columns.push(column);
        }
        at = at.saturating_add(width);
    }
    if at != stride {
        let detail = format!("the columns have {at} bytes, and NAXIS1 is {stride}");
        return Err(corrupt(header.start, detail));
    }
    if header.has("CHECKSUM") || header.has("DATASUM") {
        parts.edits.sealed_by = Some("a checksum (CHECKSUM, DATASUM)");
    }
    parts.facts.push(("extension", number.to_string()));
    if !name.is_empty() {
        parts.facts.push(("extension name", name.to_owned()));
    }
    parts.checked()
}

/// A column as the header describes it.
struct Described<'h> {
    header: &'h Header,
    number: u64,
    name: String,
    /// The letter of its type, and how many elements it has.
    code: u8,
    repeat: u32,
    shape: Vec<u32>,
}

impl<'h> Described<'h> {
    fn read(header: &'h Header, number: u64) -> Result<Self> {
        let form = header
            .text(&format!("TFORM{number}"))
            .ok_or_else(|| corrupt(header.start, format!("the header has no TFORM{number}")))?;
        let bad = || corrupt(header.start, format!("TFORM{number} is {form:?}"));
        let digits = form.bytes().take_while(u8::is_ascii_digit).count();
        let repeat = if digits == 0 { Some(1) } else { form[..digits].parse().ok() };
        let repeat: u32 = repeat.ok_or_else(bad)?;
        let code = *form.as_bytes().get(digits).ok_or_else(bad)?;
        if b"PQ".contains(&code) {
            return Err(unsupported(
                header.start,
                format!("column {number} ({form}): its arrays have no fixed length"),
            )
            .advice("a layout file can describe the other columns"));
        }
        if !b"LXBIJKAEDCM".contains(&code) {
            return Err(bad());
        }
        let name = header.text(&format!("TTYPE{number}")).unwrap_or_default();
        let name = match name.is_empty() {
            true => format!("col{number}"),
            false => name.to_owned(),
        };
        let shape = match header.text(&format!("TDIM{number}")) {
            None => Vec::new(),
            Some(text) => shape_of(text)
                .ok_or_else(|| corrupt(header.start, format!("TDIM{number} is {text:?}")))?,
        };
        Ok(Self { header, number, name, code, repeat, shape })
    }

    fn key(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.number)
    }

    /// The bytes of the column.
    fn width(&self) -> u64 {
        let repeat = u64::from(self.repeat);
        match self.code {
            b'X' => repeat.div_ceil(8),
            b'L' | b'B' | b'A' => repeat,
            b'I' => repeat * 2,
            b'J' | b'E' => repeat * 4,
            b'K' | b'D' | b'C' => repeat * 8,
            _ => repeat * 16,
        }
    }

    /// The column at `at`; `None` if it has no bytes.
    fn column(&self, at: u32) -> Result<Option<Column>> {
        let Some(width) = u32::try_from(self.width()).ok().filter(|&width| width > 0) else {
            return Ok(None);
        };
        let (field, encoding) = match self.code {
            b'A' => self.text(width)?,
            b'X' => (Field::new(&*self.name, DataType::Binary(width)), Encoding::Plain),
            b'L' => {
                let field = self.array(Field::new(&*self.name, DataType::Bool))?;
                let field = if self.repeat == 1 { field.nullable() } else { field };
                (field, Encoding::FitsLogical)
            }
            _ => self.number()?,
        };
        Ok(Some(Column { field, at, width, encoding }))
    }

    fn text(&self, width: u32) -> Result<(Field, Encoding)> {
        let encoding = Encoding::Text(TextEnd::Space, Charset::Utf8);
        // The first dimension of an array of texts is their width.
        let Some((&len, shape)) = self.shape.split_last() else {
            return Ok((Field::new(&*self.name, DataType::Utf8(width)), encoding));
        };
        let field = Field::new(&*self.name, DataType::Utf8(len));
        let texts = shape.iter().fold(1, |texts: u32, &next| texts.saturating_mul(next));
        if texts.checked_mul(len) != Some(width) {
            return Err(self.bad_shape());
        }
        let field = if shape.is_empty() { field } else { field.with_shape(shape.iter().copied()) };
        Ok((field, encoding))
    }

    fn number(&self) -> Result<(Field, Encoding)> {
        let (scale, zero) = (
            self.header.float(&self.key("TSCAL"))?.unwrap_or(1.0),
            self.header.float(&self.key("TZERO"))?.unwrap_or(0.0),
        );
        let raw = match self.code {
            b'B' => Raw::Unsigned8,
            b'I' => Raw::Signed16,
            b'J' => Raw::Signed32,
            b'K' => Raw::Signed64,
            b'E' | b'C' => Raw::Float32,
            _ => Raw::Float64,
        };
        let null = match raw.is_integer() {
            true => self.header.integer(&self.key("TNULL"))?,
            false => None,
        };
        // Elements of an array cannot be null one by one, so they keep their values.
        let null = null.filter(|_| self.repeat == 1);
        let scaling = match (scale, raw.unsigned_zero()) {
            (1.0, _) if zero == 0.0 => Scaling::None,
            // As a pattern of bits: 2^63 is one of 64 bits, whose sign does not matter.
            (1.0, Some(offset)) if zero == offset as f64 => Scaling::Offset(offset as i64),
            _ => Scaling::Linear { scale, zero },
        };
        let scaled = Scaled { raw, null, scaling };
        let mut field = self.array(Field::new(&*self.name, scaled.data_type()))?;
        if null.is_some() {
            field = field.nullable();
        }
        if null.is_some() || scaling != Scaling::None {
            return Ok((field, Encoding::Scaled(scaled)));
        }
        if field.data_type().size_bytes() > 1 {
            field = field.big_endian();
        }
        Ok((field, Encoding::Plain))
    }

    /// The field with the column's elements.
    fn array(&self, field: Field) -> Result<Field> {
        // Complex numbers are pairs.
        let is_complex = b"CM".contains(&self.code);
        let len = self.repeat.saturating_mul(if is_complex { 2 } else { 1 });
        let mut shape = self.shape.clone();
        match shape.is_empty() {
            true if self.repeat > 1 => shape.push(self.repeat),
            true => {}
            false => {
                let product = shape.iter().fold(1, |len: u32, &next| len.saturating_mul(next));
                if product != self.repeat {
                    return Err(self.bad_shape());
                }
            }
        }
        if is_complex {
            shape.push(2);
        }
        Ok(match (&*shape, len) {
            ([], 1) => field,
            ([len], _) => field.array(*len),
            _ => field.with_shape(shape),
        })
    }

    fn bad_shape(&self) -> Error {
        let (key, repeat) = (self.key("TDIM"), self.repeat);
        corrupt(self.header.start, format!("{key} does not have the {repeat} elements"))
    }
}

/// The dimensions of `(a,b,…)`, the last of which varies fastest here.
fn shape_of(text: &str) -> Option<Vec<u32>> {
    let list = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let mut shape = Vec::new();
    for number in list.split(',') {
        shape.push(number.trim().parse().ok().filter(|&len| len > 0)?);
    }
    shape.reverse();
    Some(shape)
}
