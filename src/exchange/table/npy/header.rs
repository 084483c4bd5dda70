//! The header of a .npy file (NEP 1).
//!
//! ```text
//! 0   93 'N' 'U' 'M' 'P' 'Y'   version: 2 bytes   header length: u16 (version 1) or u32 (2, 3)
//!     {'descr': …, 'fortran_order': …, 'shape': …}   Latin-1, or UTF-8 in version 3
//! ```

use super::dtype::{Dtype, Refused};
use super::literal::Literal;
use crate::error::{Error, ErrorKind, Result, quoted};

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// A longer header is refused: 16 MiB name a million fields.
const TEXT_BYTES_MAX: usize = 16 << 20;
const AGAIN: &str = "write the array again with numpy.save";

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
    /// The length of the header, after which the elements begin.
    pub(super) len_bytes: u64,
}

impl Header {
    /// Reads the header from `fill`, which fills its argument as far as there are bytes.
    ///
    /// # Errors
    /// An error of `fill`; [`ErrorKind::InvalidValue`] for what is no header, and
    /// [`ErrorKind::Unsupported`] for types that have no place in a store.
    pub(super) fn read(mut fill: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<Self> {
        let mut start = [0; 8];
        if fill(&mut start)? < start.len() || !start.starts_with(MAGIC) {
            return Err(bad("it does not begin with \\x93NUMPY, so it is no numpy array".into())
                .advice("give a file that numpy.save wrote"));
        }
        let [.., version, _] = start;
        let mut length = [0; 4];
        let length = match version {
            1 => &mut length[..2],
            2 | 3 => &mut length[..],
            other => {
                return Err(bad(format!("version {other} of the format is unknown")).advice(AGAIN));
            }
        };
        let truncated = || bad("it ends within its header".into()).advice("copy it again");
        if fill(length)? < length.len() {
            return Err(truncated());
        }
        let len_bytes = start.len() + length.len();
        let len = length.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
        if len > TEXT_BYTES_MAX {
            let why = format!("its header has {len} bytes, more than {TEXT_BYTES_MAX}");
            return Err(bad(why).advice(AGAIN));
        }
        // The length may be wrong: memory grows with the bytes that are there.
        let mut text = Vec::new();
        while text.len() < len {
            let from = text.len();
            text.resize(len.min(from + (64 << 10)), 0);
            if fill(&mut text[from..])? < text.len() - from {
                return Err(truncated());
            }
        }
        let text = match version {
            3 => String::from_utf8(text).map_err(|error| {
                bad(format!("its header is not UTF-8: {}", error.utf8_error())).advice(AGAIN)
            })?,
            _ => text.into_iter().map(char::from).collect(),
        };
        Self::of(&text, (len_bytes + len) as u64)
    }

    /// The header with that text.
    fn of(text: &str, len_bytes: u64) -> Result<Self> {
        let (descr, order, shape) = entries(text)?;
        let missing = |key: &str| bad(format!("its header lacks {key:?}")).advice(AGAIN);
        let descr = descr.ok_or_else(|| missing("descr"))?;
        let fortran_order = match order.ok_or_else(|| missing("fortran_order"))? {
            Literal::Bool(order) => order,
            other => {
                let why = format!("fortran_order in its header is {}, no bool", other.kind());
                return Err(bad(why).advice(AGAIN));
            }
        };
        let Literal::Tuple(lengths) = shape.ok_or_else(|| missing("shape"))? else {
            return Err(bad("shape in its header is no tuple".into()).advice(AGAIN));
        };
        let length = |length: &Literal| match length {
            Literal::Integer(length) => u64::try_from(*length).ok(),
            _ => None,
        };
        let lengths: Option<Vec<u64>> = lengths.iter().map(length).collect();
        let Some(shape) = lengths else {
            let why = "shape in its header has something other than lengths".to_owned();
            return Err(bad(why).advice(AGAIN));
        };
        let dtype = Dtype::new(&descr).map_err(|(why, advice): Refused| {
            Error::new(ErrorKind::Unsupported, "read").detail(why).advice(advice)
        })?;
        Ok(Self { dtype, fortran_order, shape, len_bytes })
    }
}

impl Header {
    /// Whether the values of a column lie together, and not those of a row.
    pub(super) fn is_by_columns(&self) -> bool {
        self.fortran_order && self.shape.len() > 1
    }

    /// The number of rows, and the lengths of the other dimensions, which each row has.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an array that has no rows.
    pub(super) fn rows(&self) -> Result<(u64, Vec<u32>)> {
        let refused = |why: &str, advice: &'static str| {
            Err(Error::new(ErrorKind::Unsupported, "read").detail(why.to_owned()).advice(advice))
        };
        let Some((&rows, inner)) = self.shape.split_first() else {
            let why = "the array has no dimension, so it has no rows";
            return refused(why, "give it one: array.reshape(1)");
        };
        if self.dtype.is_structured && !inner.is_empty() {
            let why = "an array of records with several dimensions";
            return refused(why, "give it one: array.ravel()");
        }
        let lengths = inner.iter().map(|&len| u32::try_from(len).ok().filter(|&len| len > 0));
        match lengths.collect() {
            Some(shape) => Ok((rows, shape)),
            None => refused("the rows of the array have no values", "leave it out"),
        }
    }
}

/// The values of the three keys of a header.
type Entries = (Option<Literal>, Option<Literal>, Option<Literal>);

fn entries(text: &str) -> Result<Entries> {
    let literal = Literal::parse(text).map_err(|fault| {
        let place = text[..fault.at].chars().count() + 1;
        bad(format!("its header, at character {place}: {}", fault.why)).advice(AGAIN)
    })?;
    let Literal::Dict(entries) = literal else {
        return Err(bad(format!("its header is {}, no dict", literal.kind())).advice(AGAIN));
    };
    let (mut descr, mut order, mut shape) = (None, None, None);
    for (key, value) in entries {
        match key {
            Literal::Text(key) if key == "descr" => descr = Some(value),
            Literal::Text(key) if key == "fortran_order" => order = Some(value),
            Literal::Text(key) if key == "shape" => shape = Some(value),
            Literal::Text(key) => {
                let why = format!("its header has an unknown key {}", quoted(&key));
                return Err(bad(why).advice(AGAIN));
            }
            other => {
                let why = format!("a key of its header is {}", other.kind());
                return Err(bad(why).advice(AGAIN));
            }
        }
    }
    Ok((descr, order, shape))
}

fn bad(detail: String) -> Error {
    Error::new(ErrorKind::InvalidValue, "read").detail(detail)
}
