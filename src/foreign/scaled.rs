//! Big-endian numbers with a scale, an offset, or a number that means null, as FITS has them.

use crate::format::{DataType, Field};
use crate::number::len_of;

/// How the numbers of a column become values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaled {
    pub(super) raw: Raw,
    /// The number that means null; only for a single integer.
    pub(super) null: Option<i64>,
    pub(super) scaling: Scaling,
}

/// The numbers in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Unsigned8,
    Signed16,
    Signed32,
    Signed64,
    Float32,
    Float64,
}

/// What is done with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scaling {
    None,
    /// The integer and this one make an integer of the other sign: `uint16` of `int16`.
    Offset(i64),
    /// `zero + scale * number`, a `float64`.
    Linear {
        scale: f64,
        zero: f64,
    },
}

impl Raw {
    pub(super) fn is_integer(self) -> bool {
        !matches!(self, Self::Float32 | Self::Float64)
    }

    /// The offset that makes an unsigned integer of a signed one, or the other way.
    pub(super) fn unsigned_zero(self) -> Option<i128> {
        match self {
            Self::Unsigned8 => Some(-128),
            Self::Signed16 => Some(1 << 15),
            Self::Signed32 => Some(1 << 31),
            Self::Signed64 => Some(1 << 63),
            Self::Float32 | Self::Float64 => None,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Unsigned8 => DataType::UInt8,
            Self::Signed16 => DataType::Int16,
            Self::Signed32 => DataType::Int32,
            Self::Signed64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
        }
    }

    /// The integer in these bytes.
    fn integer(self, bytes: &[u8]) -> i64 {
        let sign = match self {
            Self::Unsigned8 => 0,
            _ => bytes.first().map_or(0, |&first| if first & 0x80 != 0 { -1 } else { 0 }),
        };
        bytes.iter().fold(sign, |number, &byte| number << 8 | i64::from(byte))
    }

    /// Fills these bytes with the lowest ones of an integer.
    fn put_integer(bytes: &mut [u8], value: i64) {
        let from = value.to_be_bytes();
        bytes.copy_from_slice(&from[from.len() - bytes.len()..]);
    }

    /// Fills these bytes with the nearest number.
    fn put(self, bytes: &mut [u8], value: f64) -> Result<(), String> {
        match (self, bytes.len()) {
            (Self::Float32, 4) => bytes.copy_from_slice(&(value as f32).to_be_bytes()),
            (Self::Float64, 8) => bytes.copy_from_slice(&value.to_be_bytes()),
            // A cast gives the nearest integer of 64 bits.
            _ => Self::put_integer(bytes, value.round() as i64),
        }
        match self.is_integer() && self.float(bytes) != value.round() {
            true => Err("the file has no number for it".to_owned()),
            false => Ok(()),
        }
    }

    /// The number in these bytes.
    fn float(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::Float32, &[a, b, c, d]) => f32::from_be_bytes([a, b, c, d]).into(),
            (Self::Float64, &[a, b, c, d, e, f, g, h]) => {
                f64::from_be_bytes([a, b, c, d, e, f, g, h])
            }
            _ => self.integer(bytes) as f64,
        }
    }
}

impl Scaled {
    /// The type of the values.
    pub(super) fn data_type(&self) -> DataType {
        match (self.scaling, self.raw) {
            (Scaling::Linear { .. }, _) => DataType::Float64,
            (Scaling::Offset(_), Raw::Unsigned8) => DataType::Int8,
            (Scaling::Offset(_), Raw::Signed16) => DataType::UInt16,
            (Scaling::Offset(_), Raw::Signed32) => DataType::UInt32,
            (Scaling::Offset(_), Raw::Signed64) => DataType::UInt64,
            (_, raw) => raw.data_type(),
        }
    }

    /// Fills `field` in `record`, which is zero there, with the values of `from`.
    pub(super) fn decode(&self, from: &[u8], field: &Field, record: &mut [u8]) {
        let mut at = len_of(field.offset());
        if field.is_nullable() {
            if self.null == Some(self.raw.integer(from)) {
                return; // the presence byte is 0
            }
            record[at] = 1;
            at += 1;
        }
        let width = len_of(self.raw.data_type().size_bytes());
        let size = len_of(field.data_type().size_bytes());
        for bytes in from.chunks_exact(width) {
            let into = &mut record[at..at + size];
            at += size;
            match self.scaling {
                Scaling::Linear { scale, zero } => {
                    let value = zero + scale * self.raw.float(bytes);
                    into.copy_from_slice(&value.to_le_bytes());
                }
                Scaling::Offset(offset) => {
                    // The sum has the bits of the type, whatever its sign.
                    let value = self.raw.integer(bytes).wrapping_add(offset);
                    into.copy_from_slice(&value.to_le_bytes()[..size]);
                }
                Scaling::None => {
                    into.copy_from_slice(bytes);
                    into.reverse();
                }
            }
        }
    }
}

impl Scaled {
    /// Fills `into` with the numbers for the values in `bytes`, which are those of `field`.
    ///
    /// # Errors
    /// A value for which there is no number.
    pub(super) fn encode(
        &self,
        field: &Field,
        bytes: &[u8],
        into: &mut [u8],
    ) -> Result<(), String> {
        let bytes = match (field.is_nullable(), bytes.first()) {
            (true, Some(0)) => {
                Raw::put_integer(into, self.null.unwrap_or(0));
                return Ok(());
            }
            (true, _) => &bytes[1..],
            (false, _) => bytes,
        };
        let width = len_of(self.raw.data_type().size_bytes());
        let size = len_of(field.data_type().size_bytes());
        for (value, into) in bytes.chunks_exact(size).zip(into.chunks_exact_mut(width)) {
            let mut wide = [0; 8];
            wide[..size].copy_from_slice(value);
            match self.scaling {
                Scaling::Linear { scale, zero } => {
                    self.raw.put(into, (f64::from_le_bytes(wide) - zero) / scale)?;
                }
                Scaling::Offset(offset) => {
                    let number = i64::from_le_bytes(wide).wrapping_sub(offset);
                    Raw::put_integer(into, number);
                }
                Scaling::None => {
                    into.copy_from_slice(value);
                    into.reverse();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_the_other_sign_have_all_their_values() {
        for (raw, data_type, bytes, value) in [
            (Raw::Unsigned8, DataType::Int8, &[0][..], "-128"),
            (Raw::Unsigned8, DataType::Int8, &[255], "127"),
            (Raw::Signed16, DataType::UInt16, &[0x80, 0], "0"),
            (Raw::Signed16, DataType::UInt16, &[0x7F, 0xFF], "65535"),
            (Raw::Signed32, DataType::UInt32, &[0, 0, 0, 1], "2147483649"),
            (Raw::Signed64, DataType::UInt64, &[0xFF; 8], "9223372036854775807"),
            (Raw::Signed64, DataType::UInt64, &[0x80, 0, 0, 0, 0, 0, 0, 0], "0"),
        ] {
            let offset = raw.unsigned_zero().unwrap() as i64;
            let scaled = Scaled { raw, null: None, scaling: Scaling::Offset(offset) };
            assert_eq!(scaled.data_type(), data_type);
            let field = Field::new("n", data_type);
            let mut record = vec![0; len_of(field.size_bytes())];
            scaled.decode(bytes, &field, &mut record);
            let mut text = String::new();
            field.format_text(&record, &mut text).unwrap();
            assert_eq!(text, value, "{raw:?} {bytes:?}");
            let mut back = vec![0; bytes.len()];
            scaled.encode(&field, &record, &mut back).unwrap();
            assert_eq!(back, bytes, "{raw:?}");
        }
    }
}
