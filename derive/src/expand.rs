//! From the struct to its `impl Record` and the assertions that make it sound.
//!
//! The compiled struct may differ from the one that the derive reads: an attribute macro below the
//! derive changes it afterwards. So every assertion is about the compiled struct's own fields. If
//! the change leaves a valid record, it is one:
//!
//! ```
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! #[flatrec_changed::change(u8 => i8)]
//! struct Good { a: u8, b: [u8; 3] }
//! let schema = <Good as flatrec::Record>::schema().unwrap();
//! let fields: Vec<String> = schema.fields().iter().map(ToString::to_string).collect();
//! assert_eq!(fields, ["a: int8 at 0", "b: int8[3] at 1"]);
//! ```
//!
//! The following once compiled as a record, too, and safe code held a `bool` of 7:
//!
//! ```compile_fail
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! #[flatrec_changed::change(u8 => bool)]
//! struct Bad { a: u8, b: [u8; 3] }
//! ```
//!
//! These are not records either, with a field that the derive has not seen, without bytes or with
//! some:
//!
//! ```compile_fail
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! #[flatrec_changed::change(u8 => u8, hidden: ())]
//! struct Bad { a: u8 }
//! ```
//!
//! ```compile_fail
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C, packed)]
//! #[flatrec_changed::change(u8 => u8, hidden: bool)]
//! struct Bad { a: u8 }
//! ```
//!
//! Another struct's field with that name, which method calls and field accesses would find:
//!
//! ```compile_fail
//! # #[derive(Clone, Copy)]
//! # struct Other { a: u8 }
//! # impl std::ops::Deref for Bad {
//! #     type Target = Other;
//! #     fn deref(&self) -> &Other { &Other { a: 1 } }
//! # }
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! #[flatrec_changed::change(a => b)]
//! struct Bad { a: u8 }
//! ```
//!
//! Padding, after the removal of `packed`:
//!
//! ```compile_fail
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C, packed)]
//! #[flatrec_changed::change(packed => align(4))]
//! struct Bad { a: u8, b: flatrec::le::U32 }
//! ```
//!
//! Another item than a struct:
//!
//! ```compile_fail
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[repr(C)]
//! #[flatrec_changed::change(struct => union)]
//! struct Bad { a: u8 }
//! ```
//!
//! The path to flatrec must not redirect the assertions. The first is a record; the second asks a
//! trait of the same name that accepts everything:
//!
//! ```
//! mod elsewhere { pub use flatrec::*; }
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[record(crate = "elsewhere")]
//! #[repr(C)]
//! struct Good { a: u8 }
//! ```
//!
//! ```compile_fail
//! mod elsewhere {
//!     pub use flatrec::{DataType, Field, Record, Result, Schema};
//!     pub trait FieldType {}
//!     impl<T> FieldType for T {}
//!     pub mod derived {
//!         use super::*;
//!         pub const fn native_endian<R, T>(_: fn(R) -> T) -> bool { false }
//!         pub const fn field_type_problem_of<R, T>(_: fn(R) -> T) -> Option<&'static str> { None }
//!         pub const fn check_size<T>() {}
//!         pub fn field<R, T>(_: fn(R) -> T, name: &str, _: usize) -> Field {
//!             Field::new(name, DataType::UInt8)
//!         }
//!     }
//! }
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[record(crate = "elsewhere")]
//! #[repr(C)]
//! struct Bad { a: bool }
//! ```

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Path, Result};

use crate::attributes::{FieldAttributes, Meaning, check_repr, crate_path};

/// The `impl` for `input` and its assertions, or all of its faults.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let flatrec = crate_path(input)?;
    let mut problems = Problems::default();
    problems.note(check_repr(input));
    problems.note(check_not_generic(input));
    let described: Vec<FieldAttributes> =
        fields.iter().filter_map(|field| problems.note(FieldAttributes::parse(field))).collect();
    problems.finish()?;
    check_names(&fields, &described)?;

    let ident = &input.ident;
    let native = fields.iter().map(|field| {
        let own = projection(ident, field);
        quote_spanned! {field.ty.span()=> #flatrec::derived::native_endian(#own)}
    });
    let columns = fields
        .iter()
        .zip(&described)
        .filter(|(_, attributes)| !attributes.skip)
        .map(|(field, attributes)| column(&flatrec, ident, field, attributes));
    let assertions = assertions(&flatrec, ident, &fields);
    let meanings = fields.iter().zip(&described).filter_map(|(field, attributes)| {
        let data_type = retyped(&flatrec, ident, field, attributes)?;
        Some(quote_spanned! {field.ty.span()=> const _: #flatrec::DataType = #data_type; })
    });
    Ok(quote! {
        #assertions
        #(#meanings)*

        // SAFETY: every field of the compiled struct is a `FieldType`, so any bytes are valid, none
        // is padding, and there is no interior mutability; the assertions above show that there are
        // no other fields and that these fill the struct; `schema_of` states the struct's own size
        // and alignment.
        #[automatically_derived]
        unsafe impl #flatrec::Record for #ident {
            const NATIVE_ENDIAN: bool = false #(|| #native)*;

            fn schema() -> #flatrec::Result<#flatrec::Schema> {
                <Self as #flatrec::Record>::schema_of([#(#columns),*].into())
            }
        }
    })
}

/// A function from the struct to one of its fields, whose type the compiler infers.
///
/// The field's type as read by the derive is not used: an attribute macro after the derive may have
/// replaced it. A pattern names the struct's own field, where `record.field` might lead to that of
/// another struct; and it copies, because a packed field has no reference.
fn projection(ident: &Ident, field: &Field) -> TokenStream {
    let member = &field.ident;
    quote_spanned! {field.ty.span()=>
        |#ident { #member: __flatrec_field, .. }: #ident| __flatrec_field
    }
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            Fields::Unnamed(_) | Fields::Unit => {
                let message = "a record's fields need names: `struct … { name: type, … }`";
                return Err(Error::new(input.ident.span(), message));
            }
        },
        Data::Enum(_) => {
            let message = "an enum cannot be a record, because not every byte is one of its \
                           variants: store an integer and convert it";
            return Err(Error::new(input.ident.span(), message));
        }
        Data::Union(_) => {
            return Err(Error::new(input.ident.span(), "a union cannot be a record: use a struct"));
        }
    };
    if fields.is_empty() {
        return Err(Error::new(input.ident.span(), "a record needs at least one field"));
    }
    Ok(fields.iter().collect())
}

fn check_not_generic(input: &DeriveInput) -> Result<()> {
    if input.generics.params.is_empty() {
        return Ok(());
    }
    let message = "a record cannot be generic: its layout is checked where it is written";
    Err(Error::new(input.generics.span(), message))
}

fn check_names(fields: &[&Field], described: &[FieldAttributes]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for (field, attributes) in fields.iter().zip(described) {
        if !attributes.skip && !seen.insert(&attributes.name) {
            let message = format!("two fields are named {:?}", attributes.name);
            return Err(Error::new(field.span(), message));
        }
    }
    if seen.is_empty() {
        return Err(Error::new(fields[0].span(), "a record needs a field that is not skipped"));
    }
    Ok(())
}

/// The expression that makes the schema's field.
fn column(
    flatrec: &Path,
    ident: &Ident,
    field: &Field,
    attributes: &FieldAttributes,
) -> TokenStream {
    let (name, member, own) = (&attributes.name, &field.ident, projection(ident, field));
    let mut column = quote_spanned! {field.ty.span()=>
        #flatrec::derived::field(#own, #name, ::core::mem::offset_of!(#ident, #member))
    };
    if let Some(data_type) = retyped(flatrec, ident, field, attributes) {
        column.extend(quote! { .retyped(const { #data_type }) });
    }
    if attributes.utc {
        column.extend(quote! { .utc() });
    }
    column
}

/// The type that an attribute gives the field; computing it fails if the bytes do not fit.
fn retyped(
    flatrec: &Path,
    ident: &Ident,
    field: &Field,
    attributes: &FieldAttributes,
) -> Option<TokenStream> {
    let own = projection(ident, field);
    let own = quote! { #flatrec::derived::data_type(#own) };
    let (data_type, needs) = match attributes.meaning.as_ref()? {
        Meaning::Date => {
            (quote! { date(#own) }, "a date is a 32-bit signed integer: i32 or le::I32")
        }
        Meaning::Utf8 => {
            (quote! { utf8(#own) }, "the attribute utf8 is for an array of bytes: [u8; N]")
        }
        Meaning::Timestamp(unit) => {
            let unit = format_ident!("{unit}");
            (
                quote! { timestamp(#own, #flatrec::TimeUnit::#unit) },
                "a timestamp is a 64-bit signed integer: i64 or le::I64",
            )
        }
    };
    Some(quote_spanned! {field.ty.span()=>
        match #flatrec::derived::#data_type {
            ::core::option::Option::Some(data_type) => data_type,
            ::core::option::Option::None => ::core::panic!(#needs),
        }
    })
}

/// Assertions at compile time: the fields' types are as described, there are no other fields, and
/// the fields fill the struct.
///
/// The struct's soundness does not depend on the path to `flatrec`, which a user can set: a method
/// of the implemented trait itself checks that a field is a `FieldType`, and this code checks the
/// rest.
fn assertions(flatrec: &Path, ident: &Ident, fields: &[&Field]) -> TokenStream {
    let mut end = quote! { 0usize };
    let (mut checks, mut problems) = (TokenStream::new(), TokenStream::new());
    for field in fields {
        let (member, own) = (&field.ident, projection(ident, field));
        problems.extend(quote_spanned! {field.ty.span()=>
            const _: fn() = || <#ident as #flatrec::Record>::has_field(#own);
            const _: () = match #flatrec::derived::field_type_problem_of(#own) {
                ::core::option::Option::None => {}
                ::core::option::Option::Some(problem) => ::core::panic!("{}", problem),
            };
        });
        checks.extend(quote_spanned! {field.span()=>
            ::core::assert!(
                ::core::mem::offset_of!(#ident, #member) == #end,
                "there is padding before this field: order the fields from large to small, write \
                 the padding out as bytes with #[record(skip)], or use #[repr(C, packed)]"
            );
        });
        end = quote! { ::core::mem::offset_of!(#ident, #member) + size_of_field(#own) };
    }
    let members = fields.iter().map(|field| &field.ident);
    quote_spanned! {ident.span()=>
        #problems
        const _: fn(#ident) = |#ident { #(#members: _),* }: #ident| {};
        const _: () = {
            const fn size_of_field<R, T>(_: fn(R) -> T) -> usize {
                ::core::mem::size_of::<T>()
            }
            #checks
            ::core::assert!(
                ::core::mem::size_of::<#ident>() == #end,
                "there is padding after the last field: write it out as bytes with \
                 #[record(skip)], or use #[repr(C, packed)]"
            );
        };
        const _: () = #flatrec::derived::check_size::<#ident>();
    }
}

/// All faults, so that one compilation reports everything.
#[derive(Default)]
struct Problems(Option<Error>);

impl Problems {
    /// The value, or `None` after noting its error.
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.0 {
                    Some(first) => first.combine(error),
                    None => self.0 = Some(error),
                }
                None
            }
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;
