//! Where the rows of an array lie in its file, for readers that leave them there.

use super::NAME;
use super::decoder::{Decoder, values_of};
use super::dtype::{Kind, Leaf};
use super::header::{Header, MAGIC};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, MAX_RECORD_BYTES};

/// The place of an array's rows, and what their bytes mean.
#[derive(Debug)]
pub(crate) struct ArrayPlace {
    /// Bytes from the start of the file to the first row.
    pub(crate) data_offset: u64,
    pub(crate) rows: u64,
    /// Bytes from one row to the next; saturates for rows that no file has.
    pub(crate) row_bytes: u64,
    pub(crate) fields: Vec<PlacedField>,
    /// The lengths of all dimensions.
    pub(crate) shape: Vec<u64>,
}

/// A field of a row.
#[derive(Debug)]
pub(crate) struct PlacedField {
    /// The field of the records that the loader makes; big-endian if it has no decoder and its
    /// bytes are.
    pub(crate) field: Field,
    /// Its place in the row.
    pub(crate) at: u64,
    /// Its bytes there.
    pub(crate) width: u64,
    /// How its bytes become a value of the field, if they are not that already.
    pub(crate) decoder: Option<ValueDecoder>,
}

/// Makes a value of the bytes of one that no field has as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValueDecoder {
    decoder: Decoder,
    /// The field over the bytes, if there is a type for them.
    in_place: Option<Field>,
}

impl ArrayPlace {
    /// The bytes with which each file begins.
    pub(crate) const MAGIC: &'static [u8] = MAGIC;

    /// Reads a header from `fill`, which fills its argument as far as there are bytes.
    ///
    /// # Errors
    /// An error of `fill`; [`ErrorKind::InvalidValue`] for a damaged header;
    /// [`ErrorKind::Unsupported`] for an array without rows that lie in one piece.
    pub(crate) fn read(fill: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<Self> {
        let header = Header::read(fill)?;
        let (rows, shape) = header.rows()?;
        if header.is_by_columns() {
            return Err(Error::new(ErrorKind::Unsupported, "read")
                .detail(
                    "the array is in Fortran's order, column after column, so its rows do not lie \
                     in one piece",
                )
                .advice(
                    "read it with a TableReader, or save it in C's order: \
                     numpy.ascontiguousarray(array)",
                ));
        }
        let size_bytes = header.dtype.size_bytes as u64;
        let row_bytes =
            shape.iter().fold(size_bytes, |bytes, &len| bytes.saturating_mul(len.into()));
        // Before fields are made, whose places would not fit into 32 bits.
        if row_bytes > u64::from(MAX_RECORD_BYTES) {
            return Err(Error::new(ErrorKind::InvalidSchema, "read")
                .detail(format!("a row has {row_bytes} bytes, and a record 16 MiB at most")));
        }
        let values = values_of(&header.dtype, NAME, &shape);
        let fields = values.iter().map(|(leaf, valid)| PlacedField::new(leaf, *valid)).collect();
        let Header { len_bytes: data_offset, shape, .. } = header;
        Ok(Self { data_offset, rows, row_bytes, fields, shape })
    }
}

impl PlacedField {
    fn new(leaf: &Leaf, valid: Option<usize>) -> Self {
        let at = valid.unwrap_or(leaf.at) as u64;
        let width = leaf.size_bytes() + u64::from(valid.is_some());
        let (decoder, mut field) = Decoder::of_value(leaf, valid.is_some());
        let in_order = |field: Field| match leaf.big_endian && leaf.kind.size_bytes() > 1 {
            true => field.big_endian(),
            false => field,
        };
        let in_place = match leaf.kind {
            Kind::Number(_) | Kind::Bytes(_) | Kind::Void(_) => {
                field = in_order(field);
                return Self { field, at, width, decoder: None };
            }
            // A time that is no time is not null there.
            Kind::Time(_) if valid.is_none() => Some(in_order(field.clone().present())),
            Kind::Time(_) => Some(in_order(field.clone())),
            Kind::Half | Kind::Days | Kind::Unicode(_) => None,
        };
        Self { field, at, width, decoder: Some(ValueDecoder { decoder, in_place }) }
    }
}

impl ValueDecoder {
    /// Makes the value in `record`, whose bytes are zero, of its bytes in the file.
    ///
    /// # Errors
    /// Why the field cannot hold it.
    pub(crate) fn decode(&self, from: &[u8], record: &mut [u8]) -> Result<(), String> {
        self.decoder.decode(from, record).map_err(|(_, why)| why)
    }

    /// Fills `into` with the bytes in the file of the value in `record`.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn encode(&self, record: &[u8], into: &mut [u8]) -> Result<(), String> {
        self.decoder.encode(record, into)
    }

    /// The field over the bytes in the file, if there is a type for them.
    pub(crate) fn in_place(&self) -> Option<&Field> {
        self.in_place.as_ref()
    }
}
