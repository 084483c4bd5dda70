//! The types of fields, in Arrow's vocabulary, and their names in text.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The unit of a timestamp or duration field. Timestamps count their units since
/// 1970-01-01T00:00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl TimeUnit {
    pub(super) const ALL: [Self; 4] =
        [Self::Second, Self::Millisecond, Self::Microsecond, Self::Nanosecond];

    /// The unit with that short name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// How many of this unit make a second.
    pub const fn per_second(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }

    /// The unit's short name: `s`, `ms`, `us` or `ns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        }
    }
}

/// The type of one element of a field, in Arrow's vocabulary.
///
/// Its `Display` is the text that schema files and error messages use: `int64`, `utf8(10)`,
/// `timestamp(ms)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// One byte, 0 or 1.
    Bool,
    /// Signed, 1 byte.
    Int8,
    /// Signed, 2 bytes.
    Int16,
    /// Signed, 4 bytes.
    Int32,
    /// Signed, 8 bytes.
    Int64,
    /// Unsigned, 1 byte.
    UInt8,
    /// Unsigned, 2 bytes.
    UInt16,
    /// Unsigned, 4 bytes.
    UInt32,
    /// Unsigned, 8 bytes.
    UInt64,
    /// Signed, 16 bytes.
    Int128,
    /// Unsigned, 16 bytes.
    UInt128,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// Days since 1970-01-01 in the proleptic Gregorian calendar, 4 bytes signed.
    Date32,
    /// Time since 1970-01-01T00:00:00 without leap seconds, 8 bytes signed.
    Timestamp(TimeUnit),
    /// A length of time, 8 bytes signed.
    Duration(TimeUnit),
    /// Text of at most so many bytes of UTF-8, padded with NUL bytes.
    Utf8(u32),
    /// Exactly so many bytes.
    Binary(u32),
}

impl DataType {
    /// The least and the greatest value of an integer type that 64 bits hold.
    pub(crate) const fn integer_range(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::Int8 => (i8::MIN as i128, i8::MAX as i128),
            Self::Int16 => (i16::MIN as i128, i16::MAX as i128),
            Self::Int32 => (i32::MIN as i128, i32::MAX as i128),
            Self::Int64 => (i64::MIN as i128, i64::MAX as i128),
            Self::UInt8 => (0, u8::MAX as i128),
            Self::UInt16 => (0, u16::MAX as i128),
            Self::UInt32 => (0, u32::MAX as i128),
            Self::UInt64 => (0, u64::MAX as i128),
            _ => return None,
        })
    }

    /// The length in bytes of one element.
    pub const fn size_bytes(self) -> u32 {
        match self {
            Self::Bool | Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 | Self::Date32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 | Self::Timestamp(_) | Self::Duration(_) => {
                8
            }
            Self::Int128 | Self::UInt128 => 16,
            Self::Utf8(n) | Self::Binary(n) => n,
        }
    }
}

impl DataType {
    /// The type with that name, if it needs no argument.
    fn simple(name: &str) -> Option<Self> {
        [
            Self::Bool,
            Self::Int8,
            Self::Int16,
            Self::Int32,
            Self::Int64,
            Self::UInt8,
            Self::UInt16,
            Self::UInt32,
            Self::UInt64,
            Self::Int128,
            Self::UInt128,
            Self::Float32,
            Self::Float64,
            Self::Date32,
        ]
        .into_iter()
        .find(|data_type| data_type.simple_name() == Some(name))
    }

    fn with_argument(text: &str) -> Option<Self> {
        let (name, argument) = text.strip_suffix(')')?.split_once('(')?;
        match name {
            "timestamp" => TimeUnit::named(argument).map(Self::Timestamp),
            "duration" => TimeUnit::named(argument).map(Self::Duration),
            // `parse` would also take a sign, which a length must not have.
            _ if !argument.bytes().all(|byte| byte.is_ascii_digit()) => None,
            "utf8" => argument.parse().ok().map(Self::Utf8),
            "binary" => argument.parse().ok().map(Self::Binary),
            _ => None,
        }
    }

    /// The name of a type without an argument.
    const fn simple_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Int128 => "int128",
            Self::UInt128 => "uint128",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Date32 => "date32",
            Self::Timestamp(_) | Self::Duration(_) | Self::Utf8(_) | Self::Binary(_) => {
                return None;
            }
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp(unit) => write!(f, "timestamp({})", unit.name()),
            Self::Duration(unit) => write!(f, "duration({})", unit.name()),
            Self::Utf8(n) => write!(f, "utf8({n})"),
            Self::Binary(n) => write!(f, "binary({n})"),
            simple => f.write_str(simple.simple_name().unwrap_or_default()),
        }
    }
}

/// Reads what `Display` writes: `int64`, `utf8(10)`, `timestamp(ms)`.
///
/// ```
/// use flatrec::DataType;
/// assert_eq!("utf8(10)".parse::<DataType>()?, DataType::Utf8(10));
/// assert!("text".parse::<DataType>().is_err());
/// # Ok::<(), flatrec::Error>(())
/// ```
impl FromStr for DataType {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if the text does not name a type.
    fn from_str(text: &str) -> Result<Self> {
        Self::simple(text).or_else(|| Self::with_argument(text)).ok_or_else(|| {
            Error::new(ErrorKind::InvalidSchema, "parse type").detail(format!("{text:?}")).advice(
                "types are bool, int8 to int128, uint8 to uint128, float32, float64, date32, \
                 timestamp(s|ms|us|ns), duration(s|ms|us|ns), utf8(N), binary(N)",
            )
        })
    }
}
