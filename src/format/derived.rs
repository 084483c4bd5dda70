//! The functions that the output of `#[derive(Record)]` calls. They are not part of the public API.
//!
//! The checks run in constants, so that a struct with a fault does not compile. A valid record:
//!
//! ```
//! # #[cfg(feature = "derive")] {
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Good { #[record(timestamp = "ms")] at: i64, flag: flatrec::Bool, rest: [u8; 7] }
//! # }
//! ```
//!
//! Padding between fields, and behind the last:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { flag: flatrec::Bool, #[record(timestamp = "ms")] at: i64, rest: [u8; 7] }
//! ```
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(timestamp = "ms")] at: i64, flag: flatrec::Bool, rest: [u8; 6] }
//! ```
//!
//! A type with invalid bit patterns:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(timestamp = "ms")] at: i64, flag: bool, rest: [u8; 7] }
//! ```
//!
//! An attribute that does not fit the field's bytes:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(timestamp = "ms")] at: u64, flag: flatrec::Bool, rest: [u8; 7] }
//! ```
//!
//! Arrays of arrays, and nulls inside arrays:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { at: i64, matrix: [[f32; 2]; 2] }
//! ```
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { many: [flatrec::Nullable<u8>; 2] }
//! ```
//!
//! A record that is not `Copy`:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(timestamp = "ms")] at: i64, flag: flatrec::Bool, rest: [u8; 7] }
//! ```

use std::mem::{align_of, size_of};

use super::data_type::{DataType, TimeUnit};
use super::field::Field;
use super::record::{FieldType, field_type_problem};
use super::schema::{MAX_ALIGNMENT_BYTES, MAX_RECORD_BYTES};

// Some functions take a function from a record to its field, so that the compiler supplies the
// field's type: the type that the derive reads may change before the struct is compiled.

/// Why this type cannot be a field's; `None` if it can.
pub const fn field_type_problem_of<R, T: FieldType>(_: fn(R) -> T) -> Option<&'static str> {
    field_type_problem::<T>()
}

/// Whether the field's bytes are in the host's order.
pub const fn native_endian<R, T: FieldType>(_: fn(R) -> T) -> bool {
    T::NATIVE_ENDIAN
}

/// The field's type in a schema, unless an attribute changes it.
pub const fn data_type<R, T: FieldType>(_: fn(R) -> T) -> DataType {
    T::DATA_TYPE
}

/// A field at byte `offset` of a struct, after a check by [`check_size`].
pub fn field<R, T: FieldType>(_: fn(R) -> T, name: &str, offset: usize) -> Field {
    let offset = u32::try_from(offset).expect("offsets in a record are below 16 MiB");
    Field::of::<T>(name).at(offset)
}

/// Fails to compile if no file can hold records of `T`'s size or alignment.
pub const fn check_size<T>() {
    assert!(size_of::<T>() > 0, "a record has at least one byte");
    assert!(size_of::<T>() <= MAX_RECORD_BYTES as usize, "a record has at most 16 MiB");
    assert!(align_of::<T>() <= MAX_ALIGNMENT_BYTES as usize, "a record is aligned to 4096 at most");
}

/// The type of a field with the attribute `date`; `None` if its bytes cannot be one.
pub const fn date(own: DataType) -> Option<DataType> {
    match own {
        DataType::Int32 => Some(DataType::Date32),
        _ => None,
    }
}

/// The type of a field with the attribute `timestamp`; `None` if its bytes cannot be one.
pub const fn timestamp(own: DataType, unit: TimeUnit) -> Option<DataType> {
    match own {
        DataType::Int64 => Some(DataType::Timestamp(unit)),
        _ => None,
    }
}

/// The type of a field with the attribute `utf8`; `None` if its bytes cannot be one.
pub const fn utf8(own: DataType) -> Option<DataType> {
    match own {
        DataType::Binary(len) => Some(DataType::Utf8(len)),
        _ => None,
    }
}
