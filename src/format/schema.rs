//! The schema: the fields of a record, their types and their places.
//!
//! Invariants of every [`Schema`] (checked by [`Schema::new`], so no other code checks them): at
//! least one field; names non-empty, unique and without control characters; fields in the order of
//! their offsets, without overlap, within the record; the record between 1 byte and 16 MiB.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// The largest record, and the largest stride: 16 MiB.
pub const MAX_RECORD_BYTES: u32 = 16 << 20;

/// The largest alignment of a record: a page, the smallest alignment of a mapping.
pub(crate) const MAX_ALIGNMENT_BYTES: u32 = 4096;

/// The longest name of a field, in bytes of UTF-8.
pub(crate) const MAX_NAME_BYTES: usize = 1024;

/// The unit of a timestamp field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeUnit {
    /// Seconds since 1970-01-01T00:00:00.
    Second,
    /// Milliseconds since 1970-01-01T00:00:00.
    Millisecond,
    /// Microseconds since 1970-01-01T00:00:00.
    Microsecond,
    /// Nanoseconds since 1970-01-01T00:00:00.
    Nanosecond,
}

impl TimeUnit {
    const ALL: [Self; 4] = [Self::Second, Self::Millisecond, Self::Microsecond, Self::Nanosecond];

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
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// Days since 1970-01-01 in the proleptic Gregorian calendar, 4 bytes signed.
    Date32,
    /// Time since 1970-01-01T00:00:00 without leap seconds, 8 bytes signed.
    Timestamp(TimeUnit),
    /// Text of at most so many bytes of UTF-8, padded with NUL bytes.
    Utf8(u32),
    /// Exactly so many bytes.
    Binary(u32),
}

impl DataType {
    /// The length in bytes of one element.
    pub const fn size_bytes(self) -> u32 {
        match self {
            Self::Bool | Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 | Self::Date32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 | Self::Timestamp(_) => 8,
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
            "timestamp" => {
                TimeUnit::ALL.into_iter().find(|unit| unit.name() == argument).map(Self::Timestamp)
            }
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
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Date32 => "date32",
            Self::Timestamp(_) | Self::Utf8(_) | Self::Binary(_) => return None,
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp(unit) => write!(f, "timestamp({})", unit.name()),
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
                "types are bool, int8 to int64, uint8 to uint64, float32, float64, date32, \
                 timestamp(s|ms|us|ns), utf8(N), binary(N)",
            )
        })
    }
}

/// One field of a record: its name, its type, and its place.
///
/// ```
/// use flatrec::{DataType, Field};
/// let field = Field::new("delay", DataType::Int64).nullable();
/// assert_eq!(field.size_bytes(), 9); // a presence byte, then the value
/// assert_eq!(field.to_string(), "delay: int64 nullable at 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) offset: u32,
    /// `None` for a single value; `Some(n)` for a fixed array of `n` ≥ 1 elements.
    pub(crate) array_len: Option<u32>,
    pub(crate) nullable: bool,
    pub(crate) big_endian: bool,
    pub(crate) utc: bool,
}

impl Field {
    /// A single value at offset 0 (see [`Field::at`] and [`Schema::packed`]).
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            offset: 0,
            array_len: None,
            nullable: false,
            big_endian: false,
            utc: false,
        }
    }

    /// The same field at `offset` bytes from the start of the record.
    pub fn at(mut self, offset: u32) -> Self {
        self.offset = offset;
        self
    }

    /// The same field as a fixed array of `len` elements.
    pub fn array(mut self, len: u32) -> Self {
        self.array_len = Some(len);
        self
    }

    /// The same field with a presence byte (1 present, 0 null) before the value.
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same field with its elements stored big-endian (foreign files).
    pub fn big_endian(mut self) -> Self {
        self.big_endian = true;
        self
    }

    /// The same timestamp field, with values known to be in UTC: their text ends in `Z`.
    pub fn utc(mut self) -> Self {
        self.utc = true;
        self
    }

    /// The field's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of one element.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Bytes from the start of the record to the field (to its presence byte, if nullable).
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The number of elements, for a fixed array.
    pub fn array_len(&self) -> Option<u32> {
        self.array_len
    }

    /// Whether a presence byte precedes the value.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether elements are stored big-endian.
    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// Whether this timestamp is known to be in UTC.
    pub fn is_utc(&self) -> bool {
        self.utc
    }

    /// The bytes of the field in a record, including its presence byte.
    ///
    /// Saturates for fields that no schema accepts.
    pub fn size_bytes(&self) -> u32 {
        let elements = self.array_len.unwrap_or(1);
        let value = self.data_type.size_bytes().saturating_mul(elements);
        value.saturating_add(u32::from(self.nullable))
    }

    /// Everything except the name: `int64 nullable at 8`.
    pub(crate) fn layout(&self) -> FieldLayout<'_> {
        FieldLayout(self)
    }
}

/// [`Field::layout`]'s text.
pub(crate) struct FieldLayout<'a>(&'a Field);

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.layout())
    }
}

impl fmt::Display for FieldLayout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Field { data_type, array_len, nullable, big_endian, utc, offset, .. } = *self.0;
        write!(f, "{data_type}")?;
        if let Some(len) = array_len {
            write!(f, "[{len}]")?;
        }
        for (set, word) in [(nullable, "nullable"), (big_endian, "big-endian"), (utc, "utc")] {
            if set {
                write!(f, " {word}")?;
            }
        }
        write!(f, " at {offset}")
    }
}

/// The fields of a record, its size and its alignment.
///
/// ```
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([
///     Field::new("id", DataType::UInt32),
///     Field::new("name", DataType::Utf8(10)),
///     Field::new("score", DataType::Float64).nullable(),
/// ])?;
/// assert_eq!(schema.record_size(), 4 + 10 + 9);
/// assert_eq!(schema.field("name").unwrap().offset(), 4);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<Field>,
    record_size: u32,
    alignment: u32,
}

impl Schema {
    /// A schema of `fields` at their offsets, in records of `record_size` bytes aligned to
    /// `alignment`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if an invariant of the module does not hold: no field, an
    /// empty, over-long or repeated name, overlapping fields, a field past the record's end, a
    /// record larger than 16 MiB, an alignment that is not a power of two or does not divide the
    /// size.
    pub fn new(mut fields: Vec<Field>, record_size: u32, alignment: u32) -> Result<Self> {
        fields.sort_by_key(|field| field.offset);
        let invalid = |detail: String| Error::new(ErrorKind::InvalidSchema, "check").detail(detail);
        if fields.is_empty() {
            return Err(invalid("a record needs at least one field".into()));
        }
        for field in &fields {
            check_field(field).map_err(|detail| invalid(format!("field {field}: {detail}")))?;
        }
        if record_size == 0 || record_size > MAX_RECORD_BYTES {
            return Err(invalid(format!(
                "a record must have 1 to {MAX_RECORD_BYTES} bytes, not {record_size}"
            )));
        }
        if !alignment.is_power_of_two()
            || alignment > MAX_ALIGNMENT_BYTES
            || record_size % alignment != 0
        {
            return Err(invalid(format!(
                "alignment {alignment} must be a power of two up to \
                 {MAX_ALIGNMENT_BYTES} that divides the record size {record_size}"
            )));
        }
        let mut names = std::collections::HashSet::with_capacity(fields.len());
        let mut end = 0u64;
        for field in &fields {
            if !names.insert(field.name.as_str()) {
                return Err(invalid(format!("two fields are named {:?}", field.name)));
            }
            if u64::from(field.offset) < end {
                return Err(invalid(format!("field {field}: overlaps the field before it")));
            }
            end = u64::from(field.offset) + u64::from(field.size_bytes());
            if end > u64::from(record_size) {
                return Err(invalid(format!(
                    "field {field}: ends at byte {end}, past the record's {record_size}"
                )));
            }
        }
        Ok(Self { fields, record_size, alignment })
    }

    /// A schema of `fields` in the given order, without gaps.
    ///
    /// # Errors
    /// As [`Schema::new`].
    pub fn packed(fields: impl IntoIterator<Item = Field>) -> Result<Self> {
        let mut offset = 0u32;
        let mut placed = Vec::new();
        for field in fields {
            let field = field.at(offset);
            offset = offset.saturating_add(field.size_bytes());
            placed.push(field);
        }
        Self::new(placed, offset, 1)
    }

    /// The fields, in the order of their offsets.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field with that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Bytes of one record.
    pub fn record_size(&self) -> u32 {
        self.record_size
    }

    /// The alignment of a record in bytes.
    pub fn alignment(&self) -> u32 {
        self.alignment
    }
}

/// The fault of a field by itself.
fn check_field(field: &Field) -> Result<(), &'static str> {
    if field.name.is_empty() {
        return Err("the name is empty");
    }
    if field.name.len() > MAX_NAME_BYTES {
        return Err("the name is longer than 1024 bytes");
    }
    if field.name.chars().any(char::is_control) {
        return Err("the name has a control character");
    }
    if field.array_len == Some(0) {
        return Err("an array needs at least one element");
    }
    if field.data_type.size_bytes() == 0 {
        return Err("utf8 and binary need at least one byte");
    }
    if field.utc && !matches!(field.data_type, DataType::Timestamp(_)) {
        return Err("only a timestamp can be in UTC");
    }
    Ok(())
}

#[cfg(test)]
pub(in crate::format) mod tests;
