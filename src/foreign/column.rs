//! The columns of a foreign record: where a field's bytes lie, and how they become its value.

use super::charset::Charset;
use super::scaled::Scaled;
use crate::exchange::ValueDecoder;
use crate::format::Field;

/// A field of a foreign record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    /// The field of the records that a decoder makes. Its offset has no meaning, and it is
    /// big-endian if its bytes in the file are.
    pub(super) field: Field,
    /// Its place in the file's record.
    pub(super) at: u32,
    /// The bytes there.
    pub(super) width: u32,
    pub(super) encoding: Encoding,
}

/// How the bytes in the file become a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Encoding {
    /// They are those of the field's type, in the field's byte order.
    Plain,
    /// A text in each element, which ends as the [`TextEnd`] says.
    Text(TextEnd, Charset),
    /// A value as text, with spaces around it. A blank is null.
    Parsed,
    /// A number of dBASE, in ASCII, with so many digits after its point.
    Number { decimals: u8 },
    /// A date of dBASE, in ASCII.
    Date,
    /// A logical value of dBASE.
    Logical,
    /// Logical values of FITS.
    FitsLogical,
    /// Big-endian numbers with a scale, or with one that means null.
    Scaled(Scaled),
    /// So many bits of a byte, which other columns share.
    Bits { shift: u8, bits: u8 },
    /// Seconds since 1970 and microseconds.
    SecondsAndMicros,
    /// An address of IPv4 or IPv6.
    Address,
    /// A value of numpy that no field has as it is: a time, a short float, a wide text.
    Npy(Box<ValueDecoder>),
}

/// The end of a text within its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextEnd {
    /// The first NUL byte; what follows has no meaning, as in C.
    Nul,
    /// The last byte that is neither a space nor NUL.
    Space,
}

impl Column {
    /// A column with the bytes of the field's type at `at`.
    pub(super) fn plain(field: Field, at: u32) -> Self {
        let width = field.size_bytes();
        Self { field, at, width, encoding: Encoding::Plain }
    }

    /// The byte after the column; saturates for a column that no layout accepts.
    pub(super) fn end(&self) -> u32 {
        self.at.saturating_add(self.width)
    }

    /// Whether the bytes in the file are a value of the field's type, without a decoder.
    pub(super) fn is_plain(&self) -> bool {
        self.encoding == Encoding::Plain
    }

    /// Whether the column may lie in bytes of another one.
    pub(super) fn shares_bytes(&self) -> bool {
        matches!(self.encoding, Encoding::Bits { .. })
    }

    /// Whether the field can show the bytes in place. A text then shows its padding, too.
    pub(super) fn has_place(&self) -> bool {
        match &self.encoding {
            Encoding::Plain => true,
            Encoding::Text(..) => self.field.size_bytes() == self.width,
            Encoding::Npy(decoder) => decoder.in_place().is_some(),
            _ => false,
        }
    }

    /// The field over the bytes in the file.
    pub(super) fn field_in_place(&self) -> Field {
        let field = match &self.encoding {
            Encoding::Npy(decoder) => decoder.in_place().unwrap_or(&self.field),
            _ => &self.field,
        };
        field.clone().at(self.at)
    }

    /// The field of the records that a decoder makes.
    pub(super) fn native_field(&self) -> Field {
        let mut field = self.field.clone();
        field.big_endian = false;
        field
    }
}
