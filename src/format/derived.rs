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
//! Nulls inside arrays:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { many: [flatrec::Nullable<u8>; 2] }
//! ```
//!
//! A nested record that is not one, and padding behind a nested record:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy)]
//! #[repr(C)]
//! struct Inner { flag: bool }
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(nested)] inner: Inner }
//! ```
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Inner { one: u8 }
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! struct Bad { #[record(nested)] inner: Inner, rest: u16 }
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

use super::annotations::{DisplayHint, Variant};
use super::data_type::{DataType, TimeUnit};
use super::field::Field;
use super::record::{FieldType, field_type_problem};
use super::schema::{MAX_ALIGNMENT_BYTES, MAX_RECORD_BYTES, Schema};

pub use super::nested::{Nested, NestedInfo, Part};
pub use super::record::Shape;

/// The condition on which the derive's stand-in for a record with faults exists. `FAULTS` is a
/// block of errors, and the compiler reports no unsatisfied condition that contains an error. So a
/// use of the record adds no error, even if the struct is not `Copy`. The lifetime defers the
/// question to that use.
pub trait Mended<'a, const FAULTS: usize>: Copy + Send + Sync + 'static {}

/// The compiler's type of a field. [`Schema::field_of`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    data_type: DataType,
    array_len: Option<u32>,
    nullable: bool,
    big_endian: bool,
    native_endian: bool,
    variants: &'static [(&'static str, i128)],
    display: Option<DisplayHint>,
    shape: Shape,
    size: usize,
    problem: Option<&'static str>,
}

impl Field {
    /// A field with the layout of the Rust type `T`, at offset 0.
    ///
    /// ```
    /// use flatrec::{Field, Nullable};
    /// let field = Field::of::<Nullable<[f32; 3]>>("position").at(8);
    /// assert_eq!(field.to_string(), "position: float32[3] nullable at 8");
    /// ```
    pub fn of<T: FieldType>(name: impl Into<String>) -> Self {
        const {
            if let Some(problem) = field_type_problem::<T>() {
                panic!("{}", problem);
            }
        }
        FieldInfo::of::<T>().named(name.into())
    }
}

/// These belong to the type that [`Record::schema`](super::Record::schema) returns, so that the
/// derive's output reaches them whatever path to this crate it is given.
impl Schema {
    /// What is known of a record's field. The function from the record to its field is there so
    /// that the compiler supplies the field's type: the type that the derive reads may change
    /// before the struct is compiled.
    #[doc(hidden)]
    pub const fn field_of<R, T: FieldType>(_: fn(R) -> T) -> FieldInfo {
        FieldInfo::of::<T>()
    }
}

impl FieldInfo {
    const fn of<T: FieldType>() -> Self {
        Self {
            data_type: T::DATA_TYPE,
            array_len: T::ARRAY_LEN,
            nullable: T::NULLABLE,
            big_endian: T::BIG_ENDIAN,
            native_endian: T::NATIVE_ENDIAN,
            variants: T::VARIANTS,
            display: T::DISPLAY,
            shape: T::SHAPE,
            size: size_of::<T>(),
            problem: field_type_problem::<T>(),
        }
    }

    /// Why this type cannot be a field's; `None` if it can.
    pub const fn problem(&self) -> Option<&'static str> {
        self.problem
    }

    /// Whether the field's bytes are in the host's order.
    pub const fn native_endian(&self) -> bool {
        self.native_endian
    }

    /// How many bytes the field has.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The field with the attribute `date`; `None` if its bytes cannot be one.
    pub const fn date(&self) -> Option<Self> {
        match self.data_type {
            DataType::Int32 => self.retyped(DataType::Date32),
            _ => None,
        }
    }

    /// The field with the attribute `timestamp`; `None` if its bytes cannot be one.
    pub const fn timestamp(&self, unit: TimeUnit) -> Option<Self> {
        match self.data_type {
            DataType::Int64 => self.retyped(DataType::Timestamp(unit)),
            _ => None,
        }
    }

    /// The field with the attribute `duration`; `None` if its bytes cannot be one.
    pub const fn duration(&self, unit: TimeUnit) -> Option<Self> {
        match self.data_type {
            DataType::Int64 => self.retyped(DataType::Duration(unit)),
            _ => None,
        }
    }

    /// The field with the attribute `utf8`; `None` if its bytes cannot be one.
    pub const fn utf8(&self) -> Option<Self> {
        match self.data_type {
            DataType::Binary(len) => self.retyped(DataType::Utf8(len)),
            _ => None,
        }
    }

    /// The field with the attribute `display`; `None` if its values have no such form.
    pub const fn display(&self, display: DisplayHint) -> Option<Self> {
        if display.takes(self.data_type) && self.variants.is_empty() {
            Some(Self { display: Some(display), ..*self })
        } else {
            None
        }
    }

    /// The same bytes as values of another type; `None` if the values have names.
    const fn retyped(&self, data_type: DataType) -> Option<Self> {
        if self.variants.is_empty() { Some(Self { data_type, ..*self }) } else { None }
    }

    /// The schema's field at byte `offset` of a struct, after a check by [`size_problem`].
    pub fn field(&self, name: &str, offset: usize) -> Field {
        let offset = u32::try_from(offset).expect("offsets in a record are below 16 MiB");
        self.named(name.to_owned()).at(offset)
    }

    /// The field with that name, at offset 0.
    fn named(&self, name: String) -> Field {
        let mut field = Field::new(name, self.data_type);
        field.array_len = self.array_len;
        field.nullable = self.nullable;
        field.big_endian = self.big_endian;
        if self.shape.dimensions() > 1 {
            field = field.with_shape(self.shape.lens());
        }
        if let Some(display) = self.display {
            field = field.with_display(display);
        }
        let variants = self.variants.iter().map(|&(name, value)| Variant::new(value, name));
        field.with_variants(variants)
    }
}

/// Why no file can hold records of `T`'s size or alignment; `None` if one can.
pub const fn size_problem<T>() -> Option<&'static str> {
    if size_of::<T>() == 0 {
        return Some("a record has at least one byte: write a field");
    }
    if size_of::<T>() > MAX_RECORD_BYTES as usize {
        return Some("a record has at most 16 MiB: write smaller fields, or several records");
    }
    if align_of::<T>() > MAX_ALIGNMENT_BYTES as usize {
        return Some("a record is aligned to 4096 bytes at most: write `align(4096)` or less");
    }
    None
}

/// The message about the padding `gaps[at]`. `parts` surround its size and the field to write in
/// its place, which takes the first of the names `_padding`, `_padding2` and so on that neither an
/// existing field (these end before `first`) nor the padding before it takes.
pub const fn padding(gaps: &[usize], at: usize, parts: [&str; 3], first: usize) -> Text {
    let mut number = first;
    let mut before = 0;
    while before < at {
        number += (gaps[before] != 0) as usize;
        before += 1;
    }
    let text = Text::new().with(parts[0]).with_number(gaps[at]);
    let text = text.with(if gaps[at] == 1 { " byte" } else { " bytes" }).with(parts[1]);
    let text = text.with("`#[record(skip)] _padding");
    let text = if number > 1 { text.with_number(number) } else { text };
    text.with(": [u8; ").with_number(gaps[at]).with("]`").with(parts[2])
}

/// A text that is made while the compiler runs.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; Self::BYTES_MAX],
    len: usize,
}

impl Text {
    const BYTES_MAX: usize = 2048;

    const fn new() -> Self {
        Self { bytes: [0; Self::BYTES_MAX], len: 0 }
    }

    /// The text, cut at the greatest length.
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "the struct has padding, which a file cannot hold",
        }
    }

    const fn with(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() && self.len < Self::BYTES_MAX {
            self.bytes[self.len] = text[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    const fn with_number(mut self, number: usize) -> Self {
        if number >= 10 {
            self = self.with_number(number / 10);
        }
        let digit = [b'0' + (number % 10) as u8];
        match std::str::from_utf8(&digit) {
            Ok(digit) => self.with(digit),
            Err(_) => self,
        }
    }
}
