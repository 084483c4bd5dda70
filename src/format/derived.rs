//! What the output of `#[derive(Record)]` calls, and nobody else: no part of the public interface.
//!
//! The functions that check run in constants, so that a struct that is no record does not compile.
//! A record and what makes it one:
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
//! A type of which not every byte is valid:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(timestamp = "ms")] at: i64, flag: bool, rest: [u8; 7] }
//! ```
//!
//! An attribute that the field's bytes cannot bear:
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

use super::record::{FieldType, field_type_problem};
use super::schema::{DataType, Field, MAX_ALIGNMENT_BYTES, MAX_RECORD_BYTES, TimeUnit};

// The functions that take a function from a record to its field ask the compiler for the field's
// type: what the derive reads may not be what the struct has by the time that it is compiled.

/// Why the type of a field is none after all.
pub const fn field_type_problem_of<R, T: FieldType>(_: fn(R) -> T) -> Option<&'static str> {
    field_type_problem::<T>()
}

/// Whether the field's bytes are in the host's order.
pub const fn native_endian<R, T: FieldType>(_: fn(R) -> T) -> bool {
    T::NATIVE_ENDIAN
}

/// The field's type in a schema, unless an attribute says another.
pub const fn data_type<R, T: FieldType>(_: fn(R) -> T) -> DataType {
    T::DATA_TYPE
}

/// A field, at `offset` bytes of a struct that [`check_size`] has passed.
pub fn field<R, T: FieldType>(_: fn(R) -> T, name: &str, offset: usize) -> Field {
    let offset = u32::try_from(offset).expect("it lies in a record, of at most 16 MiB");
    Field::of::<T>(name).at(offset)
}

/// Fails to compile if no file can hold records of `T`'s size or alignment.
pub const fn check_size<T>() {
    assert!(size_of::<T>() > 0, "a record has at least one byte");
    assert!(size_of::<T>() <= MAX_RECORD_BYTES as usize, "a record has at most 16 MiB");
    assert!(align_of::<T>() <= MAX_ALIGNMENT_BYTES as usize, "a record is aligned to 4096 at most");
}

/// The type of a field with the attribute `date`; `None` if its bytes are none.
pub const fn date(own: DataType) -> Option<DataType> {
    match own {
        DataType::Int32 => Some(DataType::Date32),
        _ => None,
    }
}

/// The type of a field with the attribute `timestamp`; `None` if its bytes are none.
pub const fn timestamp(own: DataType, unit: TimeUnit) -> Option<DataType> {
    match own {
        DataType::Int64 => Some(DataType::Timestamp(unit)),
        _ => None,
    }
}

/// The type of a field with the attribute `utf8`; `None` if its bytes are none.
pub const fn utf8(own: DataType) -> Option<DataType> {
    match own {
        DataType::Binary(len) => Some(DataType::Utf8(len)),
        _ => None,
    }
}
