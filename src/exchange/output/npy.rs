//! Records as .npy, the file format of numpy arrays (NEP 1).
//!
//! ```text
//! 0   93 'N' 'U' 'M' 'P' 'Y'   1 0   header length: u16 (version 1) or u32 (version 2)
//!     {'descr': [('id', '<i8'), …], 'fortran_order': False, 'shape': (n,), }   spaces, LF
//!     record 0, record 1, …       the header's end, and so record 0, is at a multiple of 64
//! ```
//!
//! The records are those of the store, byte for byte and unchecked; bytes between fields become
//! void fields without a name, which numpy treats as padding.

use std::io::Write;

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::schema_text::numpy;
use crate::format::Schema;

const MAGIC: &[u8] = b"\x93NUMPY";
const ALIGNMENT_BYTES: usize = 64;

/// Writes records as a structured numpy array, which `numpy.load` reads.
///
/// Types and names are those of [`schema_to_numpy`](crate::exchange::schema_to_numpy): a `date32`
/// is an `int32`, days since 1970 (in numpy, `days.astype("M8[D]")` makes dates of them), and a
/// nullable field `x` becomes two, `x__valid` and `x`. Records are written as they are, without a
/// check of their values: use [`verify`](crate::verify).
///
/// ```
/// use flatrec::exchange::NpyWriter;
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([Field::new("id", DataType::UInt16)])?;
/// let mut npy = NpyWriter::new(Vec::new(), &schema, 2)?;
/// npy.write(&[1, 0])?;
/// npy.write(&[2, 0])?;
/// let bytes = npy.finish()?;
/// assert_eq!(bytes.len(), 128 + 2 * 2);
/// let header = "{'descr': [('id', '<u2')], 'fortran_order': False, 'shape': (2,), }";
/// assert!(bytes[10..].starts_with(header.as_bytes()));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Debug)]
pub struct NpyWriter<W: Write> {
    out: W,
}

impl<W: Write> NpyWriter<W> {
    /// Writes the header of an array of `count` records.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn new(mut out: W, schema: &Schema, count: u64) -> Result<Self> {
        out.write_all(&header(schema, count, count)?).map_err(|error| Error::io("write", error))?;
        Ok(Self { out })
    }

    /// Writes one or more consecutive records. `numpy.load` reads as many as the header says.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn write(&mut self, records: &[u8]) -> Result<()> {
        self.out.write_all(records).map_err(|error| Error::io("write", error))
    }

    /// Flushes and returns the writer underneath.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn finish(mut self) -> Result<W> {
        self.out.flush().map_err(|error| Error::io("write", error))?;
        Ok(self.out)
    }
}

/// The header of an array of `count` records, as long as the header for `most`, which is at least
/// `count`.
pub(super) fn header(schema: &Schema, count: u64, most: u64) -> Result<Vec<u8>> {
    let descr = numpy::descr(schema);
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({count},), }}");
    let text_len = text.len() + most.to_string().len() - count.to_string().len();
    // The text is ASCII. The spaces and the line end extend it to a multiple of 64.
    let padded_len =
        |start: usize| (start + text_len + 1).next_multiple_of(ALIGNMENT_BYTES) - start;
    let mut header = MAGIC.to_vec();
    let start = header.len() + 2 + 2;
    let len = match u16::try_from(padded_len(start)) {
        Ok(len) => {
            header.extend_from_slice(&[1, 0]);
            header.extend_from_slice(&len.to_le_bytes());
            usize::from(len)
        }
        Err(_) => {
            let len = padded_len(start + 2);
            header.extend_from_slice(&[2, 0]);
            let len_bytes = u32::try_from(len).map_err(|_| {
                let detail = format!("the header has {len} bytes; an npy file allows 2^32");
                Error::new(ErrorKind::Unsupported, "export").detail(detail)
            })?;
            header.extend_from_slice(&len_bytes.to_le_bytes());
            len
        }
    };
    let text_end = header.len() + len - 1;
    header.extend_from_slice(text.as_bytes());
    header.resize(text_end, b' ');
    header.push(b'\n');
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{DataType, Field};

    #[test]
    fn the_header_ends_at_a_multiple_of_64_in_both_versions() {
        for (fields, version) in [(1usize, 1u8), (3, 1), (2900, 1), (3400, 2)] {
            let names = (0..fields).map(|at| Field::new(format!("field_{at:04}"), DataType::Int8));
            let schema = Schema::packed(names).unwrap();
            let header = header(&schema, 5, 5).unwrap();
            assert_eq!(header[..8], [0x93, b'N', b'U', b'M', b'P', b'Y', version, 0]);
            let stated = match version {
                1 => 10 + usize::from(u16::from_le_bytes([header[8], header[9]])),
                _ => 12 + u32::from_le_bytes([8, 9, 10, 11].map(|at| header[at])) as usize,
            };
            assert_eq!(stated, header.len(), "{fields} fields");
            assert_eq!(header.len() % 64, 0, "{fields} fields");
            assert_eq!(header.last(), Some(&b'\n'));
            for most in [5, 50, u64::MAX] {
                let len = super::header(&schema, most, most).unwrap().len();
                assert_eq!(super::header(&schema, 5, most).unwrap().len(), len, "{fields} fields");
            }
        }
    }
}
