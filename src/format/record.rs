//! Rust types as records, and as fields of records.
//!
//! [`Record`] is what a typed store requires of its type. `#[derive(Record)]` requires a
//! [`FieldType`] of each field, or a [`Record`] of a nested one. Both build on zerocopy's traits: a
//! field's type is valid for every bit pattern and has no padding and no interior mutability; the
//! derive adds that the fields fill the record.

use std::mem::{align_of, size_of};
use std::slice;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::annotations::DisplayHint;
use super::data_type::DataType;
use super::field::Field;
use super::schema::{MAX_RECORD_BYTES, Schema};
use crate::error::{Error, ErrorKind, Result};

/// A type whose values are records: plain bytes of a fixed layout, read in place.
///
/// Derive it:
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Nullable, Record};
///
/// #[derive(Clone, Copy, Record)]
/// #[repr(C, packed)]
/// struct Flight {
///     number: u16,
///     #[record(timestamp = "s", utc)]
///     departure: i64,
///     delay: Nullable<i16>,
/// }
/// assert_eq!(Flight::schema().unwrap().record_size(), 2 + 8 + 3);
/// # }
/// ```
///
/// # Safety
/// The implementor promises, for the type itself and not only for values made by safe code:
/// - every pattern of `size_of::<Self>()` bytes is a valid value;
/// - no byte of it is padding;
/// - it has no interior mutability, and holds no pointer or reference;
/// - where [`Record::schema`] succeeds, its record size is `size_of::<Self>()` and its alignment is
///   `align_of::<Self>()`.
#[allow(unsafe_code)] // Safe code cannot check the trait's promise: `derive(Record)` does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record",
    note = "derive it: `#[derive(Clone, Copy, flatrec::Record)] #[repr(C)]`",
    note = "a `bytemuck::Pod` type can be stored as `flatrec::PodRecord<{Self}>`"
)]
pub unsafe trait Record: Copy + Send + Sync + 'static {
    /// Whether a field has the host's byte order. Files are little-endian, so a big-endian host
    /// refuses such a type; [`le`](crate::le) has types for every host.
    const NATIVE_ENDIAN: bool;

    /// The fields, record size and alignment of this type.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`](crate::ErrorKind::InvalidSchema) if the type has no bytes or
    /// more than 16 MiB, or an alignment above 4096.
    fn schema() -> Result<Schema>;

    /// Whether records of the schema `found` in a file can be read as this type.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch) with every difference; an
    /// error of [`Record::schema`].
    fn check_schema(found: &Schema) -> Result<()> {
        Self::schema()?.check_found(found)
    }
}

/// A type of a record's field.
///
/// | Rust type | field |
/// | --- | --- |
/// | [`Bool`](crate::Bool) | `bool` |
/// | [`Enum<E>`](crate::Enum) | `uint8` … `uint64`, `int8` … `int64`, with the names of values |
/// | [`Char`](crate::Char) | `uint32`, shown as the character |
/// | [`Uuid`](crate::Uuid) | `binary(16)`, shown as a UUID |
/// | `i8` … `i128`, `u8` … `u128`, `f32`, `f64` | `int8` … `float64`, on little-endian hosts |
/// | [`le::I16`](crate::le) … `le::F64` | the same, on every host |
/// | [`be::I16`](crate::be) … `be::F64` | the same, stored big-endian |
/// | [`Utf8<N>`](crate::Utf8) | `utf8(N)` |
/// | `[u8; N]` | `binary(N)` |
/// | `[T; N]` of any other of these | a fixed array |
/// | `[[T; N]; M]` and so on, up to 8 dimensions | a fixed array with a shape |
/// | [`Nullable<T>`](crate::Nullable) | the same, nullable |
///
/// A date is an `i32`, and a timestamp or a duration an `i64`, with an attribute of the derive.
/// [`TimeUnit`](crate::TimeUnit) converts timestamps and durations. A struct that derives
/// [`Record`] can be nested in another one with the attribute `nested`. A newtype can also be a
/// field:
///
/// ```
/// use flatrec::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
/// use flatrec::{DataType, Field, FieldType};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "flatrec::zerocopy")]
/// #[repr(transparent)]
/// struct UserId(u32);
///
/// impl FieldType for UserId {
///     const DATA_TYPE: DataType = DataType::UInt32;
///     const NATIVE_ENDIAN: bool = true;
/// }
/// assert_eq!(Field::of::<UserId>("user").to_string(), "user: uint32 at 0");
/// ```
#[diagnostic::on_unimplemented(
    message = "a record cannot hold `{Self}`: it does not implement `flatrec::FieldType`",
    label = "for an enum, write `flatrec::Enum<{Self}>`",
    note = "derive `flatrec::RecordEnum` for the enum: its number is stored, and its names",
    note = "for a struct, derive `flatrec::Record` and write `#[record(nested)]` above the field",
    note = "for a newtype, implement `flatrec::FieldType`, as its documentation shows",
    note = "use `flatrec::Bool` for `bool`, `flatrec::Char` for `char`, \
            `flatrec::Nullable<T>` for `Option<T>`, `flatrec::Utf8<N>` for text, `u64` or `i64` \
            for `usize` or `isize`"
)]
pub trait FieldType:
    Copy + Send + Sync + 'static + FromBytes + IntoBytes + Immutable + KnownLayout
{
    /// The type of the value, or of one element of an array.
    const DATA_TYPE: DataType;
    /// The number of elements of a fixed array.
    const ARRAY_LEN: Option<u32> = None;
    /// Whether a presence byte precedes the value.
    const NULLABLE: bool = false;
    /// Whether the bytes are in the host's order and there are several of them.
    const NATIVE_ENDIAN: bool = false;
    /// Whether the bytes are stored big-endian.
    const BIG_ENDIAN: bool = false;
    /// The names of values, for an enumeration: they become the field's
    /// [variants](Field::with_variants).
    const VARIANTS: &'static [(&'static str, i128)] = &[];
    /// Whether an array of this type is `binary(N)` and not an array: only for `u8`.
    #[doc(hidden)]
    const IS_BYTE: bool = false;
    /// The form in which values are shown, if it is not the type's.
    const DISPLAY: Option<DisplayHint> = None;
    /// The lengths of the dimensions of an array.
    #[doc(hidden)]
    const SHAPE: Shape = match Self::ARRAY_LEN {
        Some(len) => Shape::NONE.within(len),
        None => Shape::NONE,
    };
    /// Why this combination of types cannot be a field. Not an assertion, so that the derive can
    /// point at the field.
    #[doc(hidden)]
    const PROBLEM: Option<&'static str> = None;
}

// The numbers are many: an error does not list them among the types that are field types.
macro_rules! field_types {
    ($($native:ty, $ordered:ident, $data_type:ident;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl FieldType for $native {
            const DATA_TYPE: DataType = DataType::$data_type;
            const NATIVE_ENDIAN: bool = true;
        }
        #[diagnostic::do_not_recommend]
        impl FieldType for zerocopy::little_endian::$ordered {
            const DATA_TYPE: DataType = DataType::$data_type;
        }
        #[diagnostic::do_not_recommend]
        impl FieldType for zerocopy::big_endian::$ordered {
            const DATA_TYPE: DataType = DataType::$data_type;
            const BIG_ENDIAN: bool = true;
        }
    )*};
}

field_types! {
    i16, I16, Int16;
    i32, I32, Int32;
    i64, I64, Int64;
    u16, U16, UInt16;
    u32, U32, UInt32;
    u64, U64, UInt64;
    i128, I128, Int128;
    u128, U128, UInt128;
    f32, F32, Float32;
    f64, F64, Float64;
}

#[diagnostic::do_not_recommend]
impl FieldType for i8 {
    const DATA_TYPE: DataType = DataType::Int8;
}

#[diagnostic::do_not_recommend]
impl FieldType for u8 {
    const DATA_TYPE: DataType = DataType::UInt8;
    const IS_BYTE: bool = true;
}

impl<T: FieldType, const N: usize> FieldType for [T; N] {
    const DATA_TYPE: DataType =
        if T::IS_BYTE { DataType::Binary(element_count(N)) } else { T::DATA_TYPE };
    const ARRAY_LEN: Option<u32> = match T::ARRAY_LEN {
        _ if T::IS_BYTE => None,
        None => Some(element_count(N)),
        Some(inner) => Some(element_count(N).saturating_mul(inner)),
    };
    const NATIVE_ENDIAN: bool = T::NATIVE_ENDIAN;
    const BIG_ENDIAN: bool = T::BIG_ENDIAN;
    const VARIANTS: &'static [(&'static str, i128)] = T::VARIANTS;
    const DISPLAY: Option<DisplayHint> = T::DISPLAY;
    const SHAPE: Shape = if T::IS_BYTE { Shape::NONE } else { T::SHAPE.within(element_count(N)) };
    const PROBLEM: Option<&'static str> = if T::PROBLEM.is_some() {
        T::PROBLEM
    } else if T::SHAPE.dimensions() == Shape::DIMENSIONS_MAX {
        Some("an array has at most 8 dimensions: write one array of all elements")
    } else if T::NULLABLE {
        Some("an element of an array cannot be null: write `Nullable<[T; N]>`")
    } else {
        match Self::ARRAY_LEN {
            Some(len) => length_problem(len as usize),
            None => length_problem(N),
        }
    };
}

/// The lengths of an array's dimensions.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Innermost first.
    lens: [u32; Self::DIMENSIONS_MAX],
    dimensions: usize,
}

impl Shape {
    const DIMENSIONS_MAX: usize = 8;
    const NONE: Self = Self { lens: [0; Self::DIMENSIONS_MAX], dimensions: 0 };

    /// The shape of an array of `len` such elements. An array with too many dimensions has a
    /// `PROBLEM`.
    const fn within(mut self, len: u32) -> Self {
        if self.dimensions < Self::DIMENSIONS_MAX {
            self.lens[self.dimensions] = len;
            self.dimensions += 1;
        }
        self
    }

    pub(super) const fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn lens(&self) -> impl Iterator<Item = u32> {
        self.lens.into_iter().take(self.dimensions).rev()
    }
}

/// The length of an array or text in a schema's type; it saturates to an invalid length.
pub(super) const fn element_count(len: usize) -> u32 {
    if len > MAX_RECORD_BYTES as usize { u32::MAX } else { len as u32 }
}

pub(super) const fn length_problem(len: usize) -> Option<&'static str> {
    match len {
        0 => Some("a field needs at least one element: write a length above 0"),
        _ if element_count(len) == u32::MAX => {
            Some("a field has at most 16 MiB: write a smaller length")
        }
        _ => None,
    }
}

/// Why `T` cannot be a field; `None` if it can. It may combine types that do not go together, or
/// its constants may not describe its bytes.
#[doc(hidden)]
pub(super) const fn field_type_problem<T: FieldType>() -> Option<&'static str> {
    if T::PROBLEM.is_some() {
        return T::PROBLEM;
    }
    let elements = match T::ARRAY_LEN {
        Some(len) => len as u64,
        None => 1,
    };
    let described = T::DATA_TYPE.size_bytes() as u64 * elements + T::NULLABLE as u64;
    if size_of::<T>() as u64 != described {
        return Some("the constants of FieldType describe another size than the type's");
    }
    None
}

/// A `bytemuck::Pod` type as a record.
///
/// Its schema is one field, `data: binary(N)`: the file does not know what the bytes mean. It opens
/// every file with records of its size, so the maker of the file can give a schema that describes
/// them.
///
/// ```
/// use flatrec::{PodRecord, Record};
/// let schema = PodRecord::<[u32; 4]>::schema()?;
/// assert_eq!(schema.fields()[0].to_string(), "data: binary(16) at 0");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PodRecord<T: bytemuck::Pod>(pub T);

// SAFETY: `Pod` promises that every bit pattern is valid, that there is no padding, no interior
// mutability and no pointer; `repr(transparent)` keeps size and alignment, which `schema` states.
#[allow(unsafe_code)]
unsafe impl<T: bytemuck::Pod + Send + Sync> Record for PodRecord<T> {
    /// The content is unknown, so it counts as being in the host's byte order.
    const NATIVE_ENDIAN: bool = true;

    fn schema() -> Result<Schema> {
        let (size, alignment) = size_and_alignment::<T>()?;
        Schema::new(vec![Field::new("data", DataType::Binary(size))], size, alignment)
    }

    fn check_schema(found: &Schema) -> Result<()> {
        Self::schema()?.check_found_size(found)
    }
}

/// The size and the alignment of a type, in the types of a schema.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if one of them does not fit in 32 bits.
pub(super) fn size_and_alignment<T>() -> Result<(u32, u32)> {
    let (size, alignment) = (size_of::<T>(), align_of::<T>());
    match (u32::try_from(size), u32::try_from(alignment)) {
        (Ok(size), Ok(alignment)) => Ok((size, alignment)),
        _ => Err(Error::new(ErrorKind::InvalidSchema, "check").detail(format!(
            "a record must have 1 to {MAX_RECORD_BYTES} bytes, not {size} aligned to {alignment}"
        ))),
    }
}

/// The bytes of `records`.
#[allow(unsafe_code)] // Safe code cannot turn `Record`'s promise into bytes.
pub(crate) fn bytes_of<R: Record>(records: &[R]) -> &[u8] {
    // SAFETY: the slice is initialised memory of that many bytes (`Record`: no padding), which
    // stays unchanged during the borrow (`Record`: no interior mutability); u8 needs no alignment.
    unsafe { slice::from_raw_parts(records.as_ptr().cast::<u8>(), size_of_val(records)) }
}

/// As [`bytes_of`], for changing.
#[allow(unsafe_code)] // Safe code cannot turn `Record`'s promise into bytes.
pub(crate) fn bytes_of_mut<R: Record>(records: &mut [R]) -> &mut [u8] {
    let len_bytes = size_of_val(records);
    // SAFETY: the slice is initialised memory of that many bytes (`Record`: no padding), borrowed
    // exclusively; all bytes stored there make an `R` (`Record`); u8 needs no alignment.
    unsafe { slice::from_raw_parts_mut(records.as_mut_ptr().cast::<u8>(), len_bytes) }
}

/// A record of zeros.
#[allow(unsafe_code)] // Safe code cannot use `Record`'s promise.
pub(crate) fn zeroed<R: Record>() -> R {
    // SAFETY: every pattern of bytes is an `R`, zeros too (`Record`).
    unsafe { std::mem::zeroed() }
}

/// `bytes` as records, if they are a whole number of them at an address aligned for them.
#[allow(unsafe_code)] // Safe code cannot use `Record`'s promise.
pub(crate) fn from_bytes<R: Record>(bytes: &[u8]) -> Option<&[R]> {
    let records = bytes.as_ptr().cast::<R>();
    let size = size_of::<R>();
    if size == 0 || bytes.len() % size != 0 || !records.is_aligned() {
        return None;
    }
    // SAFETY: the pointer is aligned and the length a whole number of records (both just checked);
    // the bytes are initialised and borrowed for as long; every pattern is an `R` (`Record`).
    Some(unsafe { slice::from_raw_parts(records, bytes.len() / size) })
}

/// `bytes` as one record, if they are exactly one at an address aligned for it.
pub(crate) fn one_from_bytes<R: Record>(bytes: &[u8]) -> Option<&R> {
    match from_bytes(bytes)? {
        [record] => Some(record),
        _ => None,
    }
}

/// As [`one_from_bytes`], for changing.
#[allow(unsafe_code)] // Safe code cannot use `Record`'s promise.
pub(crate) fn one_from_bytes_mut<R: Record>(bytes: &mut [u8]) -> Option<&mut R> {
    let record = bytes.as_mut_ptr().cast::<R>();
    if bytes.len() != size_of::<R>() || !record.is_aligned() {
        return None;
    }
    // SAFETY: aligned and of the record's length (both just checked), borrowed exclusively for as
    // long; every pattern is an `R`, and a stored `R` leaves every byte initialised, because it has
    // no padding (`Record`).
    Some(unsafe { &mut *record })
}
