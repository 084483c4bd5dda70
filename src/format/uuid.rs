//! UUIDs as fields.

use std::fmt;
use std::str::FromStr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::annotations::DisplayHint;
use super::data_type::DataType;
use super::record::FieldType;
use crate::error::{Error, ErrorKind, Result};

/// The bytes before which the text has a hyphen.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// A UUID: 16 bytes in the order of its text. Text, conditions and exports show it so.
///
/// With the feature `uuid` it converts from and to `uuid::Uuid`, which makes new ones.
///
/// ```
/// use flatrec::Uuid;
/// let id: Uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse()?;
/// assert_eq!(id.bytes()[..2], [0x67, 0xe5]);
/// assert_eq!(id.to_string(), "67e55044-10b1-426f-9247-bb680e5fe0c8");
/// assert_eq!(Uuid::from_u128(id.to_u128()), id);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The UUID with these bytes, in the order of its text. Without a version, as `Uuid::default()`
    /// is, it is the nil UUID.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order of the text.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The UUID whose text has the hexadecimal digits of `number`.
    pub const fn from_u128(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// The number whose hexadecimal digits are those of the text.
    pub const fn to_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The UUID of 32 hexadecimal digits, with the four hyphens or without any.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let hyphens = match text.len() {
            32 => &[][..],
            36 => &HYPHENS[..],
            _ => return None,
        };
        let (mut bytes, mut at) = ([0; 16], 0);
        for (index, byte) in bytes.iter_mut().enumerate() {
            if hyphens.contains(&index) {
                (text[at] == b'-').then_some(())?;
                at += 1;
            }
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let value = digit(text[at])? << 4 | digit(text[at + 1])?;
            *byte = u8::try_from(value).expect("two hexadecimal digits are a byte");
            at += 2;
        }
        Some(Self(bytes))
    }
}

impl FieldType for Uuid {
    const DATA_TYPE: DataType = DataType::Binary(16);
    const DISPLAY: Option<DisplayHint> = Some(DisplayHint::Uuid);
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes of the text, so that a width given by the caller counts.
        let mut text = String::with_capacity(36);
        for (index, byte) in self.0.iter().enumerate() {
            if HYPHENS.contains(&index) {
                text.push('-');
            }
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
            text.extend([digit(byte >> 4), digit(byte & 15)]);
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a text that is not 32 hexadecimal digits, with the
    /// hyphens of a UUID or without any.
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "read a UUID")
                .detail(format!("{text:?} is not 32 hexadecimal digits"))
                .advice("write it as 67e55044-10b1-426f-9247-bb680e5fe0c8, or without the hyphens")
        })
    }
}

#[cfg(feature = "uuid")]
impl From<uuid::Uuid> for Uuid {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.into_bytes())
    }
}

#[cfg(feature = "uuid")]
impl From<Uuid> for uuid::Uuid {
    fn from(id: Uuid) -> Self {
        Self::from_bytes(id.0)
    }
}

#[cfg(feature = "uuid")]
impl PartialEq<uuid::Uuid> for Uuid {
    fn eq(&self, other: &uuid::Uuid) -> bool {
        self.0 == *other.as_bytes()
    }
}
