//! The derive's output for a struct without a fault that the derive itself sees.
//!
//! Everything that the compiler checks goes through one constant a field, so that a bad field is
//! one error. The constant comes from `Schema::field_of`, an inherent function of the type that the
//! implemented trait's own method returns. So the struct's soundness does not depend on the path to
//! flatrec, which a user can set.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Field, Path};

use super::Column;
use crate::attributes::{ItemAttributes, Meaning, Repr};
use crate::types::text;

pub(super) struct Output<'a> {
    pub(super) item: &'a ItemAttributes,
    pub(super) flatrec: &'a Path,
    pub(super) ident: &'a Ident,
    pub(super) repr: Repr,
    pub(super) columns: &'a [Column<'a>],
}

impl Output<'_> {
    pub(super) fn tokens(&self) -> TokenStream {
        let Self { flatrec, ident, .. } = self;
        let infos = (0..self.columns.len()).map(|number| self.info(number));
        let checks = (0..self.columns.len()).map(|number| self.check(number));
        let layout = self.layout();
        let names = (0..self.columns.len()).map(info_name);
        let parts = (0..self.columns.len()).filter_map(|number| self.part(number));
        let getters = self.item.getters.then(|| self.getters());
        quote! {
            #getters
            const _: () = {
                #(#infos)*
                #(#checks)*
                #layout

                // SAFETY: every field of the compiled struct is a `FieldType`, a `Record` or an
                // array of one, so any bytes are valid, none is padding, and there is no interior
                // mutability; the assertions above show that there are no other fields and that
                // these fill the struct; `of_record` states the struct's own size and alignment.
                #[automatically_derived]
                unsafe impl #flatrec::Record for #ident {
                    const NATIVE_ENDIAN: bool = false #(|| #names.native_endian())*;

                    fn schema() -> ::core::result::Result<#flatrec::Schema, #flatrec::Error> {
                        <#flatrec::Schema>::of_record::<Self>([#(#parts),*].into())
                    }
                }
            };
        }
    }

    /// A method for each field, which copies its value.
    fn getters(&self) -> TokenStream {
        let ident = self.ident;
        let fields = self.columns.iter().filter(|column| !column.attributes.skip);
        let methods = fields.map(|Column { field, .. }| {
            let Field { ident, ty, vis, attrs, .. } = *field;
            let name = ident.as_ref().map(IdentExt::unraw).to_token_stream();
            let document = format!("The value of the field `{name}`.");
            let documents = attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
            let documents: Vec<_> = documents.collect();
            let document = documents.is_empty().then(|| quote! { #[doc = #document] });
            quote! {
                #(#documents)*
                #document
                #[allow(dead_code)]
                #[inline]
                #vis const fn #ident(&self) -> #ty {
                    self.#ident
                }
            }
        });
        quote! {
            impl #ident {
                #(#methods)*
            }
        }
    }

    /// The constant that says what the compiler's type of a field is.
    fn info(&self, number: usize) -> TokenStream {
        let (flatrec, name) = (self.flatrec, info_name(number));
        let Column { field, fault, .. } = &self.columns[number];
        let own = projection(self.ident, field);
        let (start, _) = extent(&field.ty);
        if self.columns[number].attributes.is_nested() {
            let info = quote_spanned! {start=> <#flatrec::Schema>::nested_of(#own) };
            return quote! { const #name: #flatrec::derived::NestedInfo = #info; };
        }
        let message = fault.as_ref().map(|fault| {
            // This error implies that of `field_of`, so that the compiler leaves the other out.
            let (message, label) = (in_format(&fault.message), in_format(&fault.advice));
            let call = quote_spanned! {start=> check(#own); };
            quote! {
                #[diagnostic::on_unimplemented(message = #message, label = #label)]
                trait FieldOfRecord: #flatrec::FieldType {}
                #[diagnostic::do_not_recommend]
                impl<T: #flatrec::FieldType> FieldOfRecord for T {}
                const fn check<R, T: FieldOfRecord>(_: fn(R) -> T) {}
                #call
            }
        });
        let info = quote_spanned! {start=> <#flatrec::Schema>::field_of(#own) };
        quote! {
            const #name: #flatrec::derived::FieldInfo = { #message #info };
        }
    }

    /// The assertions that a schema can describe a field, and that its attribute fits its type.
    fn check(&self, number: usize) -> TokenStream {
        let name = info_name(number);
        let Column { field, fault, .. } = &self.columns[number];
        let problem = match fault.as_ref().filter(|fault| fault.of_combination) {
            Some(fault) => fault.message.to_token_stream(),
            None => quote! { problem },
        };
        let problem = panic(&field.ty, &problem);
        let misuse = self.retyped(number).map(|(retyped, needs)| {
            let needs = format!("{needs} in place of `{}`", text(&field.ty));
            let panic = panic(&field.ty, &needs);
            quote! { if #retyped.is_none() { #panic } }
        });
        quote! {
            const _: () = match #name.problem() {
                ::core::option::Option::Some(problem) => #problem,
                ::core::option::Option::None => { #misuse }
            };
        }
    }

    /// The schema's field or nested record; `None` for a skipped one.
    fn part(&self, number: usize) -> Option<TokenStream> {
        let (flatrec, ident, info) = (self.flatrec, self.ident, info_name(number));
        let Column { field, attributes, .. } = &self.columns[number];
        let (name, member) = (&attributes.name, &field.ident);
        let offset = quote! { ::core::mem::offset_of!(#ident, #member) };
        if attributes.skip {
            return None;
        }
        if attributes.is_nested() {
            return Some(quote! { #info.part(#name, #offset) });
        }
        let info = match self.retyped(number) {
            Some((retyped, _)) => quote! { #retyped.unwrap_or(#info) },
            None => info.to_token_stream(),
        };
        let utc = attributes.utc.then(|| quote! { .utc() });
        Some(quote! { #flatrec::derived::Part::from(#info.field(#name, #offset) #utc) })
    }

    /// What an attribute makes of the field, which is `None` if it does not fit, and what it needs.
    fn retyped(&self, number: usize) -> Option<(TokenStream, &'static str)> {
        let (flatrec, info) = (self.flatrec, info_name(number));
        Some(match self.columns[number].attributes.meaning.as_ref()? {
            Meaning::Date => (
                quote! { #info.date() },
                "`date` needs a signed integer of 32 bits: write `i32` or `flatrec::le::I32`",
            ),
            Meaning::Display(name, variant) => (
                quote! { #info.display(#flatrec::DisplayHint::#variant) },
                match *name {
                    "uuid" => "`display = \"uuid\"` needs 16 bytes: write `[u8; 16]`",
                    "ipv6" => "`display = \"ipv6\"` needs 16 bytes: write `[u8; 16]`",
                    "ipv4" => "`display = \"ipv4\"` needs 4 bytes: write `[u8; 4]`",
                    "char" => "`display = \"char\"` needs 32 bits: write `flatrec::Char`",
                    _ => "`display = \"hex\"` needs bytes or an unsigned integer: write `[u8; N]`",
                },
            ),
            Meaning::Nested => return None,
            Meaning::Utf8 => (quote! { #info.utf8() }, "`utf8` needs bytes: write `[u8; N]`"),
            Meaning::Timestamp(unit) => (
                quote! { #info.timestamp(#flatrec::TimeUnit::#unit) },
                "`timestamp` needs a signed integer of 64 bits: write `i64` or `flatrec::le::I64`",
            ),
            Meaning::Duration(unit) => (
                quote! { #info.duration(#flatrec::TimeUnit::#unit) },
                "`duration` needs a signed integer of 64 bits: write `i64` or `flatrec::le::I64`",
            ),
        })
    }

    /// The assertions that there are no other fields, and that the fields fill the struct.
    fn layout(&self) -> TokenStream {
        let Self { flatrec, ident, columns, .. } = self;
        let members = columns.iter().map(|column| &column.field.ident);
        let infos: Vec<Ident> = (0..columns.len()).map(info_name).collect();
        let mut end = quote! { 0usize };
        let mut gaps = Vec::new();
        for (Column { field, .. }, info) in columns.iter().zip(&infos) {
            let member = &field.ident;
            let start = quote! { ::core::mem::offset_of!(#ident, #member) };
            gaps.push(quote! { (#start).wrapping_sub(#end) });
            end = quote! { #start + #info.size() };
        }
        gaps.push(quote! { ::core::mem::size_of::<#ident>().wrapping_sub(#end) });
        let count = gaps.len();
        let checks = (0..count).map(|number| self.check_gap(number));
        // A macro may write the struct and be given its name: the names of both would differ.
        let too_large = panic(ident, &quote_spanned! {ident.span()=> problem });
        quote_spanned! {ident.span()=>
            const _: fn(#ident) = |#ident { #(#members: _),* }: #ident| {};
            const __FLATREC_GAPS: [usize; #count] = [#(#gaps),*];
            // The padding beside a field of another type is not that of the type to write.
            const __FLATREC_FIELDS: bool = true #(&& #infos.problem().is_none())*;
            #(#checks)*
            const _: () = match #flatrec::derived::size_problem::<#ident>() {
                ::core::option::Option::Some(problem) if __FLATREC_FIELDS => #too_large,
                _ => {}
            };
        }
    }

    /// The assertion that there is no padding before a field, or after the last.
    fn check_gap(&self, number: usize) -> TokenStream {
        let (flatrec, columns) = (self.flatrec, self.columns);
        let name = |number: usize| columns[number].field.ident.to_token_stream().to_string();
        let at = &columns[number.min(columns.len() - 1)].field.ident;
        let (place, where_to) = match number {
            0 => (format!("before `{}`", name(0)), "before it"),
            _ if number == columns.len() => (format!("after `{}`", name(number - 1)), "after it"),
            _ => (format!("between `{}` and `{}`", name(number - 1), name(number)), "between them"),
        };
        let packed = if self.repr.can_be_packed { ", or state `#[repr(C, packed)]`" } else { "" };
        let before = format!("`{}` has ", self.ident);
        let middle = format!(" of padding {place}, which a file cannot hold: write ");
        let after = format!(" {where_to}{packed}");
        let first = self.first_padding();
        let panic = panic(at, &quote! { TEXT.as_str() });
        quote! {
            const _: () = if __FLATREC_FIELDS && __FLATREC_GAPS[#number] != 0 {
                const TEXT: #flatrec::derived::Text = #flatrec::derived::padding(
                    &__FLATREC_GAPS, #number, [#before, #middle, #after], #first,
                );
                #panic
            };
        }
    }

    /// The number of the first name `_padding`, `_padding2`, … that no field has.
    fn first_padding(&self) -> usize {
        let numbers = self.columns.iter().filter_map(|Column { field, .. }| {
            let name = field.ident.as_ref()?.to_string();
            match name.strip_prefix("_padding")? {
                "" => Some(1),
                number => number.parse().ok(),
            }
        });
        numbers.max().unwrap_or(0) + 1
    }
}

fn info_name(number: usize) -> Ident {
    format_ident!("__FLATREC_FIELD_{number}")
}

/// A function from the struct to one of its fields, whose type the compiler infers.
///
/// The field's type as read by the derive is not used: an attribute macro after the derive may have
/// replaced it. A pattern names the struct's own field, where `record.field` might lead to that of
/// another struct; and it copies, because a packed field has no reference.
fn projection(ident: &Ident, field: &Field) -> TokenStream {
    let member = &field.ident;
    let (start, end) = extent(&field.ty);
    let mut function = quote_spanned! {start=> |#ident { #member: __flatrec_field, .. }: #ident| };
    let body = quote_spanned! {start=> __flatrec_field };
    function.extend(quote_spanned! {end=> { #body } });
    function
}

/// A panic with a text, which the compiler shows at `at`.
fn panic(at: &impl ToTokens, text: &impl ToTokens) -> TokenStream {
    let (start, end) = extent(at);
    let mut panic = quote_spanned! {start=> ::core::panic! };
    panic.extend(quote_spanned! {end=> ("{}", #text) });
    panic
}

/// The places of the first and the last token. An error is shown from the one to the other.
fn extent(of: &impl ToTokens) -> (Span, Span) {
    let mut tokens = of.to_token_stream().into_iter();
    let first = tokens.next();
    let last = tokens.last().or_else(|| first.clone());
    let start = first.map_or_else(Span::call_site, |token| match token {
        TokenTree::Group(group) => group.span_open(),
        token => token.span(),
    });
    let end = last.map_or_else(Span::call_site, |token| match token {
        TokenTree::Group(group) => group.span_close(),
        token => token.span(),
    });
    (start, end)
}

/// The text for an attribute in which braces have a meaning.
fn in_format(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
