//! Field types that plain Rust types cannot express: a `bool` and an `Option` have invalid bit
//! patterns, and a `str` has no fixed size.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::annotations::DisplayHint;
use super::data_type::DataType;
use super::record::{FieldType, Shape, element_count, length_problem};

use crate::error::{Error, ErrorKind, Result};

/// A `bool` of one byte, valid for every bit pattern: 0 is false, the rest is true.
///
/// It only ever writes 0 and 1. [`Field::read`](crate::Field::read) reports other bytes as damage;
/// this type cannot fail and takes them for true.
///
/// ```
/// use flatrec::Bool;
/// let flag = Bool::from(true);
/// assert!(flag.get());
/// assert!(flag == true);
/// assert_eq!(Bool::default(), Bool::new(false));
/// ```
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct Bool(u8);

impl Bool {
    /// The byte for `value`.
    pub const fn new(value: bool) -> Self {
        Self(value as u8)
    }

    /// The value.
    pub const fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    fn from(value: bool) -> Self {
        Self::new(value)
    }
}

impl From<Bool> for bool {
    fn from(value: Bool) -> Self {
        value.get()
    }
}

impl fmt::Debug for Bool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

impl fmt::Display for Bool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get(), f)
    }
}

impl PartialEq for Bool {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Bool {}

impl PartialEq<bool> for Bool {
    fn eq(&self, other: &bool) -> bool {
        self.get() == *other
    }
}

impl Hash for Bool {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl FieldType for Bool {
    const DATA_TYPE: DataType = DataType::Bool;
}

/// A Unicode scalar value as a `u32`, little-endian and unaligned. A `char` has invalid patterns of
/// bytes; this type is valid for any, and [`Char::get`] tells.
///
/// ```
/// use flatrec::Char;
/// let grade = Char::from('Ä');
/// assert_eq!(grade.get(), Some('Ä'));
/// assert!(grade == 'Ä');
/// assert_eq!(Char::from_number(0xD800).get(), None); // half a surrogate pair
/// ```
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Char(U32);

impl Char {
    /// The number of `value`.
    pub const fn new(value: char) -> Self {
        Self::from_number(value as u32)
    }

    /// A number, which may be that of no character.
    pub const fn from_number(number: u32) -> Self {
        Self(U32::new(number))
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// The character; `None` if the number is not a Unicode scalar value.
    pub const fn get(self) -> Option<char> {
        char::from_u32(self.number())
    }
}

impl From<char> for Char {
    fn from(value: char) -> Self {
        Self::new(value)
    }
}

impl PartialEq<char> for Char {
    fn eq(&self, other: &char) -> bool {
        self.number() == u32::from(*other)
    }
}

/// The character in quotes; the number, if it is not a Unicode scalar value.
impl fmt::Debug for Char {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => fmt::Debug::fmt(&value, f),
            None => fmt::Debug::fmt(&self.number(), f),
        }
    }
}

/// A number that is not a Unicode scalar value shows as U+FFFD.
impl fmt::Display for Char {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get().unwrap_or(char::REPLACEMENT_CHARACTER), f)
    }
}

impl FieldType for Char {
    const DATA_TYPE: DataType = DataType::UInt32;
    const DISPLAY: Option<DisplayHint> = Some(DisplayHint::Char);
}

/// A value or null: a presence byte, then the value, unaligned.
///
/// Valid for every bit pattern: a presence byte of 0 is null, the rest is present. This type writes
/// zeros as a null's value bytes and never reads them.
///
/// ```
/// use flatrec::Nullable;
/// let delay = Nullable::some(-5i16);
/// assert_eq!(delay.get(), Some(-5));
/// assert_eq!(Nullable::<i16>::null().get(), None);
/// assert_eq!(Nullable::from(None::<i16>), Nullable::null());
/// assert!(delay.is_some() && delay == Some(-5));
/// assert_eq!(delay.map(|minutes| f64::from(minutes) / 60.0).unwrap_or(0.0), -5.0 / 60.0);
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C, packed)]
pub struct Nullable<T: Copy> {
    present: u8,
    value: T,
}

impl<T: Copy> Nullable<T> {
    /// A present value.
    pub const fn some(value: T) -> Self {
        Self { present: 1, value }
    }

    /// The value, if present.
    pub const fn get(self) -> Option<T> {
        if self.present != 0 { Some(self.value) } else { None }
    }

    /// Whether a value is present.
    pub const fn is_some(self) -> bool {
        self.present != 0
    }

    /// Whether it is null.
    pub const fn is_none(self) -> bool {
        self.present == 0
    }

    /// The value, or `default` for null.
    pub fn unwrap_or(self, default: T) -> T {
        self.get().unwrap_or(default)
    }

    /// What `change` makes of the value; null stays null.
    pub fn map<U: Copy + FromBytes>(self, change: impl FnOnce(T) -> U) -> Nullable<U> {
        self.get().map(change).into()
    }
}

impl<T: Copy + FromBytes> Nullable<T> {
    /// Null, with all bytes zero.
    pub fn null() -> Self {
        Self { present: 0, value: T::new_zeroed() }
    }
}

impl<T: Copy + FromBytes> Default for Nullable<T> {
    fn default() -> Self {
        Self::null()
    }
}

impl<T: Copy + FromBytes> From<Option<T>> for Nullable<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(Self::null, Self::some)
    }
}

impl<T: Copy> From<Nullable<T>> for Option<T> {
    fn from(value: Nullable<T>) -> Self {
        value.get()
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for Nullable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

impl<T: Copy + PartialEq> PartialEq for Nullable<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Copy + Eq> Eq for Nullable<T> {}

/// Not the other way round: with two comparisons of `Option`, the compiler would infer less.
impl<T: Copy + PartialEq> PartialEq<Option<T>> for Nullable<T> {
    fn eq(&self, other: &Option<T>) -> bool {
        self.get() == *other
    }
}

impl<T: Copy + Hash> Hash for Nullable<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl<T: FieldType> FieldType for Nullable<T> {
    const DATA_TYPE: DataType = T::DATA_TYPE;
    const ARRAY_LEN: Option<u32> = T::ARRAY_LEN;
    const NULLABLE: bool = true;
    const NATIVE_ENDIAN: bool = T::NATIVE_ENDIAN;
    const BIG_ENDIAN: bool = T::BIG_ENDIAN;
    const VARIANTS: &'static [(&'static str, i128)] = T::VARIANTS;
    const DISPLAY: Option<DisplayHint> = T::DISPLAY;
    const SHAPE: Shape = T::SHAPE;
    const PROBLEM: Option<&'static str> = if T::NULLABLE {
        Some("a schema cannot describe a Nullable of a Nullable")
    } else {
        T::PROBLEM
    };
}

/// Text of at most `N` bytes of UTF-8, padded with NUL bytes.
///
/// Text that ends in NUL would look like padding and is refused.
///
/// ```
/// use flatrec::Utf8;
/// let carrier = Utf8::<8>::new("Ærø")?;
/// assert_eq!(carrier.as_str()?, "Ærø");
/// assert!(Utf8::<2>::new("long").is_err());
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(
    Clone,
    Copy,
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
pub struct Utf8<const N: usize>([u8; N]);

impl<const N: usize> Utf8<N> {
    /// The text, padded.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] if it has more than `N` bytes or ends in NUL.
    pub fn new(text: &str) -> Result<Self> {
        let mut bytes = [0; N];
        write_padded(text, &mut bytes)
            .map_err(|why| Error::new(ErrorKind::InvalidValue, "make text").detail(why))?;
        Ok(Self(bytes))
    }

    /// A text that is written in the program. In a constant, a text that does not fit does not
    /// compile; [`Utf8::new`] is for other texts.
    ///
    /// ```
    /// use flatrec::Utf8;
    /// const ACME: Utf8<8> = Utf8::literal("ACME");
    /// assert_eq!(ACME, "ACME");
    /// ```
    ///
    /// ```compile_fail
    /// const LONG: flatrec::Utf8<8> = flatrec::Utf8::literal("ACME Ltd.");
    /// ```
    ///
    /// # Panics
    /// If the text has more than `N` bytes or ends in NUL.
    pub const fn literal(text: &str) -> Self {
        let text = text.as_bytes();
        assert!(text.len() <= N, "the text has more bytes than the field");
        assert!(text.is_empty() || text[text.len() - 1] != 0, "the text ends in NUL");
        let mut bytes = [0; N];
        let mut at = 0;
        while at < text.len() {
            bytes[at] = text[at];
            at += 1;
        }
        Self(bytes)
    }

    /// The text, without its padding.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not UTF-8, for example in a damaged file.
    pub fn as_str(&self) -> Result<&str> {
        std::str::from_utf8(self.as_unpadded_bytes())
            .map_err(|error| Error::new(ErrorKind::Corrupt, "read text").source_error(error))
    }

    /// The bytes without their padding, whether they are UTF-8 or not.
    pub fn as_unpadded_bytes(&self) -> &[u8] {
        unpadded(&self.0)
    }
}

impl<const N: usize> Default for Utf8<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> TryFrom<&str> for Utf8<N> {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl<const N: usize> FromStr for Utf8<N> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl<const N: usize> PartialEq<str> for Utf8<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_unpadded_bytes() == other.as_bytes()
    }
}

impl<const N: usize> PartialEq<&str> for Utf8<N> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl<const N: usize> fmt::Debug for Utf8<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_unpadded_bytes()), f)
    }
}

/// Bytes that are not UTF-8 show as U+FFFD.
impl<const N: usize> fmt::Display for Utf8<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&String::from_utf8_lossy(self.as_unpadded_bytes()), f)
    }
}

impl<const N: usize> FieldType for Utf8<N> {
    const DATA_TYPE: DataType = DataType::Utf8(element_count(N));
    const PROBLEM: Option<&'static str> = length_problem(N);
}

/// The bytes before the NUL bytes at the end of `bytes`.
pub(super) fn unpadded(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &bytes[..len]
}

/// Fills `into` with `text` and NUL bytes after it; the error says why that is impossible.
pub(super) fn write_padded(text: &str, into: &mut [u8]) -> Result<(), String> {
    if text.len() > into.len() {
        return Err(format!("the text has {} bytes, the field only {}", text.len(), into.len()));
    }
    if text.ends_with('\0') {
        return Err("the text ends in NUL, the byte that pads it".into());
    }
    let (value, padding) = into.split_at_mut(text.len());
    value.copy_from_slice(text.as_bytes());
    padding.fill(0);
    Ok(())
}
