//! Enumerations as fields: a number that is sound for any bytes, and the names of its values.

use std::fmt;
use std::hash::Hash;

use zerocopy::little_endian::{I16, I32, I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::data_type::DataType;
use super::record::FieldType;
use crate::error::{Error, ErrorKind};

/// An `enum` without data, whose variants are numbers. Derive it, and store it as an [`Enum`]:
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Enum, Record, RecordEnum};
///
/// #[derive(Clone, Copy, Debug, PartialEq, RecordEnum)]
/// #[repr(u8)]
/// enum Side {
///     Buy = 1,
///     #[record(rename = "SELL")]
///     Sell = 2,
/// }
///
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Order {
///     side: Enum<Side>,
/// }
///
/// let order = Order { side: Side::Buy.into() };
/// assert_eq!(order.side.get(), Ok(Side::Buy));
/// // The schema has the names, so text, conditions and exports use them.
/// let schema = Order::schema().unwrap();
/// assert_eq!(schema.field("side").unwrap().variant_of(2).unwrap().name(), "SELL");
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum that a record can hold",
    note = "derive it: `#[derive(Clone, Copy, flatrec::RecordEnum)] #[repr(u8)]`"
)]
pub trait RecordEnum: Copy + Send + Sync + 'static {
    /// The integer of the `repr`: `u8` to `u64` or `i8` to `i64`.
    type Repr: EnumRepr;
    /// The name of the `enum`, for errors.
    const NAME: &'static str;
    /// The names of the variants and their numbers, each of which fits in [`RecordEnum::Repr`].
    /// Names are not empty, differ, are not decimal integers and have no control characters.
    const VARIANTS: &'static [(&'static str, i128)];

    /// The number of this variant.
    fn number(self) -> Self::Repr;

    /// The variant with that number.
    fn from_number(number: Self::Repr) -> Option<Self>;
}

/// The integers of 1 to 8 bytes, which a [`RecordEnum`] can be.
pub trait EnumRepr:
    sealed::Sealed
    + Copy
    + Eq
    + Hash
    + fmt::Display
    + Into<i128>
    + TryFrom<i128>
    + Send
    + Sync
    + 'static
{
    /// The type of the bytes in a record, which are little-endian on every host.
    type Stored: FieldType + Unaligned + From<Self> + Into<Self>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! representations {
    ($($integer:ty, $stored:ty;)*) => {$(
        impl sealed::Sealed for $integer {}
        impl EnumRepr for $integer {
            type Stored = $stored;
        }
    )*};
}

representations! {
    i8, i8;
    i16, I16;
    i32, I32;
    i64, I64;
    u8, u8;
    u16, U16;
    u32, U32;
    u64, U64;
}

/// A variant of `E` as its number, little-endian and unaligned.
///
/// A file can have any bytes, and an `enum` has invalid ones. So a record holds the number, and
/// [`Enum::get`] gives the variant, or the number as an error if no variant has it: a newer program
/// may have written one that this program does not know.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Enum, RecordEnum};
///
/// #[derive(Clone, Copy, Debug, PartialEq, RecordEnum)]
/// #[repr(u8)]
/// enum Side {
///     Buy = 1,
///     Sell = 2,
/// }
///
/// let side = Enum::from(Side::Sell);
/// assert!(side == Side::Sell);
/// assert_eq!(format!("{side:?}"), "Sell");
///
/// let unknown = Enum::<Side>::from_number(7);
/// assert_eq!(unknown.get().unwrap_err().to_string(), "`Side` has no variant of the number 7");
/// assert_eq!(format!("{unknown:?}"), "7");
/// # }
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct Enum<E: RecordEnum>(<E::Repr as EnumRepr>::Stored);

impl<E: RecordEnum> Enum<E> {
    /// A variant.
    pub fn new(variant: E) -> Self {
        Self::from_number(variant.number())
    }

    /// A number, which may be that of no variant.
    pub fn from_number(number: E::Repr) -> Self {
        Self(<E::Repr as EnumRepr>::Stored::from(number))
    }

    /// The number.
    pub fn number(self) -> E::Repr {
        self.0.into()
    }

    /// The variant.
    ///
    /// # Errors
    /// The number, if no variant has it.
    pub fn get(self) -> Result<E, UnknownVariant> {
        let number = self.number();
        E::from_number(number).ok_or(UnknownVariant { number: number.into(), of: E::NAME })
    }

    /// The name of the variant, if one has the number.
    pub fn name(self) -> Option<&'static str> {
        let number: i128 = self.number().into();
        E::VARIANTS.iter().find(|(_, value)| *value == number).map(|(name, _)| *name)
    }
}

impl<E: RecordEnum> From<E> for Enum<E> {
    fn from(variant: E) -> Self {
        Self::new(variant)
    }
}

impl<E: RecordEnum + Default> Default for Enum<E> {
    fn default() -> Self {
        Self::new(E::default())
    }
}

impl<E: RecordEnum> PartialEq for Enum<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl<E: RecordEnum> Eq for Enum<E> {}

impl<E: RecordEnum> PartialEq<E> for Enum<E> {
    fn eq(&self, other: &E) -> bool {
        self.number() == other.number()
    }
}

impl<E: RecordEnum> Hash for Enum<E> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

/// The variant's name; the number, if no variant has it.
impl<E: RecordEnum> fmt::Debug for Enum<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The variant's name; the number, if no variant has it.
impl<E: RecordEnum> fmt::Display for Enum<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => fmt::Display::fmt(&self.number(), f),
        }
    }
}

impl<E: RecordEnum> FieldType for Enum<E> {
    const DATA_TYPE: DataType = <<E::Repr as EnumRepr>::Stored as FieldType>::DATA_TYPE;
    const VARIANTS: &'static [(&'static str, i128)] = E::VARIANTS;
}

/// The number in an [`Enum`] that no variant has.
///
/// It becomes an [`Error`] of the kind [`ErrorKind::InvalidValue`], so that `?` works in functions
/// that return [`flatrec::Result`](crate::Result).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnknownVariant {
    number: i128,
    of: &'static str,
}

impl UnknownVariant {
    /// The number.
    pub fn number(&self) -> i128 {
        self.number
    }

    /// The name of the `enum`.
    pub fn enum_name(&self) -> &'static str {
        self.of
    }
}

impl fmt::Display for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no variant of the number {}", self.of, self.number)
    }
}

impl std::error::Error for UnknownVariant {}

impl From<UnknownVariant> for Error {
    fn from(unknown: UnknownVariant) -> Self {
        Self::new(ErrorKind::InvalidValue, "read a variant").source_error(unknown)
    }
}
