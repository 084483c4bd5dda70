//! From an `enum` without data to its `impl RecordEnum`.
//!
//! Nothing here is `unsafe`: a record holds the number, and the compiler's own conversions and
//! patterns make numbers of variants and variants of numbers.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::attributes::{ItemAttributes, VariantAttributes};
use crate::problems::Problems;

/// The integers that a variant can be.
const INTEGERS: [&str; 8] = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];

/// The `impl` for `input`, or all of its faults.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        let message = "only an enum has variants: a struct derives `flatrec::Record`";
        return Err(Error::new(input.ident.span(), message));
    };
    let mut problems = Problems::default();
    let (ItemAttributes { flatrec, .. }, outcome) = ItemAttributes::parse(input);
    problems.note(outcome);
    let integer = problems.note(integer(input));
    if !input.generics.params.is_empty() {
        let message = "an enum in a record cannot be generic, because its variants have no data: \
                       remove the parameters";
        problems.add(Error::new_spanned(&input.generics, message));
    }
    let mut names: Vec<String> = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = format!(
                "a variant in a record cannot have data, because a record holds only its number: \
                 write `{}` alone, and fields of the record beside it",
                variant.ident
            );
            problems.add(Error::new_spanned(variant, message));
        }
        let Some(attributes) = problems.note(VariantAttributes::parse(variant)) else { continue };
        if names.contains(&attributes.name) {
            let message = format!(
                "two variants have the name {:?}: write `#[record(rename = \"…\")]` with another \
                 name at one of them",
                attributes.name
            );
            problems.add(Error::new(attributes.span, message));
        }
        names.push(attributes.name);
    }
    problems.finish()?;

    let ident = &input.ident;
    let name = ident.to_string();
    let variants: Vec<&Ident> = data.variants.iter().map(|variant| &variant.ident).collect();
    let numbers: Vec<Ident> =
        (0..variants.len()).map(|number| format_ident!("NUMBER_{number}")).collect();
    Ok(quote! {
        #[automatically_derived]
        impl #flatrec::RecordEnum for #ident {
            type Repr = #integer;
            const NAME: &'static str = #name;
            const VARIANTS: &'static [(&'static str, ::core::primitive::i128)] =
                &[#((#names, Self::#variants as ::core::primitive::i128)),*];

            fn number(self) -> #integer {
                self as #integer
            }

            fn from_number(number: #integer) -> ::core::option::Option<Self> {
                #(const #numbers: #integer = #ident::#variants as #integer;)*
                #[allow(unreachable_patterns)] // The variants may take all numbers.
                match number {
                    #(#numbers => ::core::option::Option::Some(Self::#variants),)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    })
}

/// The faults of `input`, and an `impl` in the place of the one that is missing, so that each use
/// of the enum does not become an error of its own.
pub(crate) fn refusal(input: &DeriveInput, faults: &Error) -> TokenStream {
    let flatrec = ItemAttributes::parse(input).0.flatrec;
    let ident = &input.ident;
    let faults = faults.to_compile_error();
    let stand_in = input.generics.params.is_empty().then(|| {
        quote! {
            #[automatically_derived]
            impl #flatrec::RecordEnum for #ident {
                type Repr = ::core::primitive::u8;
                const NAME: &'static str = "";
                const VARIANTS: &'static [(&'static str, ::core::primitive::i128)] = &[];

                fn number(self) -> ::core::primitive::u8 {
                    ::core::unreachable!()
                }

                fn from_number(_: ::core::primitive::u8) -> ::core::option::Option<Self> {
                    ::core::unreachable!()
                }
            }
        }
    });
    quote! { #faults #stand_in }
}

/// The type of the variants' numbers.
fn integer(input: &DeriveInput) -> Result<TokenStream> {
    let mut found = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            found = found.take().or_else(|| meta.path.get_ident().cloned());
            Ok(())
        })?;
    }
    let known = found.filter(|found| INTEGERS.iter().any(|integer| found == integer));
    match known {
        Some(integer) => Ok(quote! { ::core::primitive::#integer }),
        None => {
            let message = "the integer of an enum in a record must be stated, because files \
                           outlive compilers: add `#[repr(u8)]`, or the same of another of `u8` \
                           to `u64` and `i8` to `i64`";
            Err(Error::new(input.ident.span(), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[track_caller]
    fn assert_refused(input: DeriveInput, expected: &str) {
        let error = expand(&input).expect_err("the derive accepts it");
        let messages: Vec<_> = error.into_iter().map(|error| error.to_string()).collect();
        assert!(messages.join(" | ").contains(expected), "{messages:?}");
    }

    /// Finds a name or a path that an attribute gives and the output does not have.
    #[test]
    fn accepts_every_attribute() {
        let input = parse_quote! {
            #[repr(i16)]
            #[record(crate = "crate::vendored")]
            enum Side { #[record(rename = "BUY")] Buy = -1, r#Sell, }
        };
        let output = expand(&input).unwrap().to_string();
        for part in ["crate :: vendored :: RecordEnum for Side", "(\"BUY\" ,", "(\"Sell\" ,"] {
            assert!(output.contains(part), "{part}: {output}");
        }
        assert!(output.contains("type Repr = :: core :: primitive :: i16"), "{output}");
    }

    /// Finds an enum whose numbers or names a file cannot keep.
    #[test]
    fn needs_a_stated_integer_and_variants_that_are_numbers_with_names() {
        let repr = "add `#[repr(u8)]`";
        assert_refused(parse_quote! { enum A { B } }, repr);
        assert_refused(parse_quote! { #[repr(C)] enum A { B } }, repr);
        assert_refused(parse_quote! { #[repr(usize)] enum A { B } }, repr);
        assert_refused(parse_quote! { #[repr(u128)] enum A { B } }, repr);
        assert_refused(parse_quote! { #[repr(u8)] enum A { B(u8) } }, "write `B` alone");
        assert_refused(parse_quote! { #[repr(u8)] enum A { B {} } }, "write `B` alone");
        assert_refused(parse_quote! { #[repr(u8)] enum A<T> { B } }, "cannot be generic");
        assert_refused(
            parse_quote! { #[repr(u8)] struct A { b: u8 } },
            "derives `flatrec::Record`",
        );
        let variant = |attribute: TokenStream| parse_quote! { #[repr(u8)] enum A { #attribute B } };
        assert_refused(variant(quote!(#[record(rename = "")])), "a variant's name");
        assert_refused(variant(quote!(#[record(rename = "12")])), "a variant's name");
        assert_refused(variant(quote!(#[record(rename = "a\nb")])), "a variant's name");
        assert_refused(variant(quote!(#[record(skip)])), "a variant takes `rename = \"name\"`");
        let long = "a".repeat(65_536);
        assert_refused(variant(quote!(#[record(rename = #long)])), "65535");
        let twice = parse_quote! { #[repr(u8)] enum A { B, #[record(rename = "B")] C } };
        assert_refused(twice, "two variants have the name \"B\"");
    }
}
