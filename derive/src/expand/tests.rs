//! The refusals of the derive itself, with their messages. The `derived` module of flatrec has
//! those of the compiler for the derive's output.

use super::*;
use syn::parse_quote;

fn refusal(input: DeriveInput) -> String {
    let error = expand(&input).expect_err("the derive accepts it");
    error.into_iter().map(|error| error.to_string()).collect::<Vec<_>>().join(" | ")
}

#[track_caller]
fn assert_refused(input: DeriveInput, expected: &str) {
    let message = refusal(input);
    assert!(message.contains(expected), "{message}");
}

#[test]
fn accepts_every_attribute() {
    let input = parse_quote! {
        #[repr(C, align(8))]
        #[record(crate = "crate::vendored::flatrec", getters)]
        struct Everything {
            #[record(timestamp = "us", utc, rename = "at")]
            time: i64,
            #[record(duration = "ns")]
            took: i64,
            #[record(date)]
            r#type: i32,
            #[record(utf8)]
            name: [u8; 4],
            #[record(skip)]
            padding: [u8; 8],
        }
    };
    let output = expand(&input).unwrap().to_string();
    assert!(output.contains("unsafe impl crate :: vendored :: flatrec :: Record for Everything"));
    assert!(output.contains("\"type\" ,"), "{output}");
    assert!(output.contains("\"at\" ,"), "{output}");
    assert!(!output.contains("\"padding\""), "{output}");
}

#[test]
fn needs_a_stated_layout() {
    assert_refused(parse_quote! { struct A { a: u8 } }, "add `#[repr(C)]`");
    assert_refused(parse_quote! { #[repr(packed)] struct A { a: u8 } }, "add `#[repr(C)]`");
    assert_refused(parse_quote! { #[repr(transparent)] struct A { a: u8 } }, "write `#[repr(C)]`");
    assert_refused(parse_quote! { #[repr(align(8))] struct A { a: u8 } }, "add `#[repr(C)]`");
}

#[test]
fn needs_named_fields_of_a_plain_struct() {
    assert_refused(parse_quote! { #[repr(C)] struct A(u8); }, "need names");
    assert_refused(parse_quote! { #[repr(C)] struct A; }, "need names");
    assert_refused(parse_quote! { #[repr(C)] struct A {} }, "at least one field");
    assert_refused(parse_quote! { #[repr(u8)] enum A { B } }, "an enum cannot be a record");
    assert_refused(parse_quote! { #[repr(C)] union A { b: u8 } }, "a union cannot be a record");
    assert_refused(parse_quote! { #[repr(C)] struct A<T> { a: T } }, "cannot be generic");
    assert_refused(parse_quote! { #[repr(C)] struct A<'a> { a: Of<'a> } }, "cannot be generic");
    assert_refused(parse_quote! { #[repr(C)] struct A<const N: usize> { a: u8 } }, "generic");
}

#[test]
fn needs_attributes_that_make_sense() {
    let field = |attribute: TokenStream| parse_quote! { #[repr(C)] struct A { #attribute a: i64 } };
    assert_refused(field(quote!(#[record(timestamp = "h")])), "\"ms\"");
    assert_refused(field(quote!(#[record(timestamp)])), "needs its unit");
    assert_refused(field(quote!(#[record(utc)])), "belongs to a timestamp");
    assert_refused(field(quote!(#[record(date, utc)])), "belongs to a timestamp");
    assert_refused(field(quote!(#[record(duration = "h")])), "the unit of a duration");
    assert_refused(field(quote!(#[record(duration = "s", utc)])), "belongs to a timestamp");
    assert_refused(field(quote!(#[record(date, utf8)])), "one of");
    assert_refused(field(quote!(#[record(nullable)])), "unknown attribute");
    assert_refused(field(quote!(#[record(rename = "")])), "1 to 1024 bytes");
    assert_refused(field(quote!(#[record(rename = "a\nb")])), "control characters");
    assert_refused(field(quote!(#[record(skip)])), "not skipped");
}

#[test]
fn needs_distinct_names() {
    let input = parse_quote! { #[repr(C)] struct A { a: u8, #[record(rename = "a")] b: u8 } };
    assert_refused(input, "two fields have the name \"a\"");
}

#[test]
fn reports_every_fault_at_once() {
    let input = parse_quote! {
        struct A<T> { #[record(timestamp = "h")] a: T, #[record(color)] b: u8 }
    };
    let message = refusal(input);
    for part in ["add `#[repr(C)]`", "cannot be generic", "\"ms\"", "unknown attribute `color`"] {
        assert!(message.contains(part), "{message}");
    }
}
