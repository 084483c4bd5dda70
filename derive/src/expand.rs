//! From the struct to its `impl Record` and the assertions that make it true.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Path, Result, Type};

use crate::attributes::{FieldAttributes, Meaning, check_repr, crate_path};

/// The `impl` for `input` and its assertions; all that is wrong with it, if anything is.
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
    let types: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let native: Vec<TokenStream> = types
        .iter()
        .map(|ty| quote_spanned! {ty.span()=> <#ty as #flatrec::FieldType>::NATIVE_ENDIAN})
        .collect();
    let columns = fields
        .iter()
        .zip(&described)
        .filter(|(_, attributes)| !attributes.skip)
        .map(|(field, attributes)| column(&flatrec, ident, field, attributes));
    let assertions = assertions(&flatrec, ident, &fields);
    let meanings = fields.iter().zip(&described).filter_map(|(field, attributes)| {
        let data_type = retyped(&flatrec, &field.ty, attributes)?;
        Some(quote_spanned! {field.ty.span()=> const _: #flatrec::DataType = #data_type; })
    });
    Ok(quote! {
        #assertions
        #(#meanings)*

        // SAFETY: every field is a `FieldType`, so any bytes are valid, none is padding, and there
        // is no interior mutability; the assertions above show that the fields fill the struct;
        // `schema` states the struct's own size and alignment.
        #[automatically_derived]
        unsafe impl #flatrec::Record for #ident {
            const NATIVE_ENDIAN: bool = false #(|| #native)*;

            fn schema() -> #flatrec::Result<#flatrec::Schema> {
                #flatrec::derived::schema::<Self>([#(#columns),*].into())
            }
        }
    })
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
            let message = "an enum is no record, since not every byte is one of its variants: \
                           store an integer and convert it";
            return Err(Error::new(input.ident.span(), message));
        }
        Data::Union(_) => {
            return Err(Error::new(input.ident.span(), "a union is no record: use a struct"));
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
    let (name, member, ty) = (&attributes.name, &field.ident, &field.ty);
    let mut column = quote_spanned! {ty.span()=>
        #flatrec::derived::field::<#ty>(#name, ::core::mem::offset_of!(#ident, #member))
    };
    if let Some(data_type) = retyped(flatrec, ty, attributes) {
        column.extend(quote! { .retyped(const { #data_type }) });
    }
    if attributes.utc {
        column.extend(quote! { .utc() });
    }
    column
}

/// The type that an attribute gives the field; computing it fails if the bytes do not fit.
fn retyped(flatrec: &Path, ty: &Type, attributes: &FieldAttributes) -> Option<TokenStream> {
    let own = quote! { <#ty as #flatrec::FieldType>::DATA_TYPE };
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
    Some(quote_spanned! {ty.span()=>
        match #flatrec::derived::#data_type {
            ::core::option::Option::Some(data_type) => data_type,
            ::core::option::Option::None => ::core::panic!(#needs),
        }
    })
}

/// Assertions that hold at compile time: the fields' types are what they say, and fill the struct.
fn assertions(flatrec: &Path, ident: &Ident, fields: &[&Field]) -> TokenStream {
    let mut end = quote! { 0usize };
    let mut assertions = TokenStream::new();
    for field in fields {
        let (member, ty) = (&field.ident, &field.ty);
        assertions.extend(quote_spanned! {ty.span()=>
            const _: () = match #flatrec::derived::field_type_problem::<#ty>() {
                ::core::option::Option::None => {}
                ::core::option::Option::Some(problem) => ::core::panic!("{}", problem),
            };
        });
        assertions.extend(quote_spanned! {field.span()=>
            const _: () = ::core::assert!(
                ::core::mem::offset_of!(#ident, #member) == #end,
                "there is padding before this field: order the fields from large to small, write \
                 the padding out as bytes with #[record(skip)], or use #[repr(C, packed)]"
            );
        });
        end = quote! {
            ::core::mem::offset_of!(#ident, #member) + ::core::mem::size_of::<#ty>()
        };
    }
    assertions.extend(quote_spanned! {ident.span()=>
        const _: () = ::core::assert!(
            ::core::mem::size_of::<#ident>() == #end,
            "there is padding behind the last field: write it out as bytes with \
             #[record(skip)], or use #[repr(C, packed)]"
        );
        const _: () = #flatrec::derived::check_size::<#ident>();
    });
    assertions
}

/// All that is wrong, so that one compilation tells of everything.
#[derive(Default)]
struct Problems(Option<Error>);

impl Problems {
    /// The value, or nothing and its error noted.
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
