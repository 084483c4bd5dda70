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
//! The path to flatrec must not redirect the assertions. The first is a record; the second asks
//! functions and a trait of the same names that accept everything:
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
//!     pub use flatrec::{DataType, Error, Field, FieldType, Record, derived};
//!     use derived::Part;
//!     pub struct Schema;
//!     impl Schema {
//!         pub const fn field_of<R, T>(_: fn(R) -> T) -> derived::FieldInfo {
//!             flatrec::Schema::field_of::<R, u8>(|_| 0)
//!         }
//!         pub fn of_record<T>(parts: Vec<Part>) -> Result<flatrec::Schema, Error> {
//!             flatrec::Schema::of_record::<T>(parts)
//!         }
//!     }
//! }
//! #[derive(Clone, Copy, flatrec::Record)]
//! #[record(crate = "elsewhere")]
//! #[repr(C)]
//! struct Bad { a: bool }
//! ```

mod output;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, Fields, GenericParam, Result};

use crate::attributes::{FieldAttributes, ItemAttributes, check_repr};
use crate::problems::Problems;
use crate::types::{Fault, fault, fault_of_nested};
use output::Output;

/// A field and what is known of it.
struct Column<'a> {
    field: &'a Field,
    attributes: FieldAttributes,
    /// The fault of its type, if the compiler refuses that.
    fault: Option<Fault>,
}

/// The `impl` for `input` and its assertions, or all of its faults.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let mut problems = Problems::default();
    let (item, outcome) = ItemAttributes::parse(input);
    problems.note(outcome);
    let repr = problems.note(check_repr(input));
    let mut attributes = Vec::new();
    let mut faults = Vec::new();
    let mut refused = false;
    for field in &fields {
        let described = problems.note(FieldAttributes::parse(field));
        let nested = described.as_ref().is_some_and(FieldAttributes::is_nested);
        let fault = if nested { fault_of_nested(&field.ty) } else { fault(&field.ty) };
        if let Some(fault) = fault.as_ref().filter(|fault| fault.certain) {
            refused = true;
            problems.add(Error::new_spanned(&field.ty, &fault.message));
        }
        attributes.extend(described);
        faults.push(fault);
    }
    problems.note(check_not_generic(input, refused));
    if attributes.len() == fields.len() {
        problems.note(check_names(&fields, &attributes));
    }
    problems.finish()?;

    let repr = repr.unwrap_or_default(); // There is one, because no problem was noted.
    let columns = fields.into_iter().zip(attributes).zip(faults);
    let columns: Vec<Column<'_>> =
        columns.map(|((field, attributes), fault)| Column { field, attributes, fault }).collect();
    Ok(Output { item: &item, flatrec: &item.flatrec, ident: &input.ident, repr, columns: &columns }
        .tokens())
}

/// The faults of `input`, and an `impl` in the place of the one that is missing, so that each use
/// of the record does not become an error of its own. The faults keep all of it from compiling.
pub(crate) fn refusal(input: &DeriveInput, faults: &Error) -> TokenStream {
    let flatrec = ItemAttributes::parse(input).0.flatrec;
    let ident = &input.ident;
    let faults = faults.to_compile_error();
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    let bounds = bounds.into_iter().flat_map(|bounds| &bounds.predicates);
    quote! {
        #[automatically_derived]
        unsafe impl #parameters #flatrec::Record for #ident #arguments
        where
            for<'__flatrec> Self: #flatrec::derived::Mended<'__flatrec, { #faults }>,
            #(#bounds,)*
        {
            const NATIVE_ENDIAN: bool = false;

            fn schema() -> ::core::result::Result<#flatrec::Schema, #flatrec::Error> {
                ::core::unreachable!()
            }
        }
    }
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    let ident = &input.ident;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            Fields::Unnamed(_) | Fields::Unit => {
                let message = format!(
                    "a record's fields need names, which the file keeps: write \
                     `struct {ident} {{ name: type, … }}`"
                );
                return Err(Error::new(ident.span(), message));
            }
        },
        Data::Enum(_) => {
            let message = format!(
                "an enum cannot be a record, because not every byte is one of its variants: \
                 derive `flatrec::RecordEnum`, and write a struct with a field `Enum<{ident}>`"
            );
            return Err(Error::new(ident.span(), message));
        }
        Data::Union(_) => {
            let message = "a union cannot be a record, because a file does not know which of its \
                           fields is in use: write a struct";
            return Err(Error::new(ident.span(), message));
        }
    };
    if fields.is_empty() {
        let message = format!(
            "a record needs at least one field: write `struct {ident} {{ name: type, … }}`"
        );
        return Err(Error::new(ident.span(), message));
    }
    Ok(fields.iter().collect())
}

/// Refuses parameters, except lifetimes of a struct that goes without them if the `refused` types
/// of its fields are replaced.
fn check_not_generic(input: &DeriveInput, refused: bool) -> Result<()> {
    let is_lifetime = |parameter: &GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    if input.generics.params.is_empty() || refused && input.generics.params.iter().all(is_lifetime)
    {
        return Ok(());
    }
    let message = "a record cannot be generic, because a file has one layout, which is checked \
                   where the struct is written: write a struct for each type or length, for \
                   example with a `macro_rules!`";
    Err(Error::new_spanned(&input.generics, message))
}

fn check_names(fields: &[&Field], described: &[FieldAttributes]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for attributes in described.iter().filter(|attributes| !attributes.skip) {
        if !seen.insert(&attributes.name) {
            let message = format!(
                "two fields have the name {:?}: write `#[record(rename = \"…\")]` with another \
                 name at one of them",
                attributes.name
            );
            return Err(Error::new(attributes.name_span, message));
        }
    }
    if seen.is_empty() {
        let message = "a record needs a field that is not skipped: remove `skip` from one";
        return Err(Error::new_spanned(&fields[0].ident, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
