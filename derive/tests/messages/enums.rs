//! Enums: what the derive refuses, and how a record must spell them.

use crate::compiler::Compiler;
use crate::{Row, check, skip};

const ENUM: &str =
    "#[derive(Clone, Copy, flatrec::RecordEnum)]\n#[repr(u8)]\nenum Side { Buy, Sell }\n";

/// Finds a bare enum whose error does not say how to write the field.
#[test]
fn a_bare_enum_is_refused_with_the_type_to_write() {
    let compiler = match Compiler::find() {
        Ok(compiler) => compiler,
        Err(why) => return skip::skip!("no compiler for programs beside this test: {why}"),
    };
    let faults = compiler.check(&Row::of_field(ENUM, "Clone, Copy, ", "Side"));
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].at, "Side");
    assert!(faults[0].label.contains("write `flatrec::Enum<Side>`"), "{}", faults[0].label);
}

/// Finds an enum with a fault that is several errors, also where a record holds it, or code of the
/// derive that a strict lint of a user reports.
#[test]
fn an_enum_with_a_fault_is_one_error() {
    let strict = "#![forbid(unsafe_code)]\n#![deny(warnings, missing_docs, nonstandard_style)]\n\
                  //! A program.\n/// A side.\n#[derive(Clone, Copy, flatrec::RecordEnum)]\n\
                  #[repr(i8)]\npub enum Side { /// Buys.\nBuy = -1, /// Sells.\nSell }\n";
    let of = |declaration: &str| {
        let derived = format!("#[derive(Clone, Copy, flatrec::RecordEnum)]\n{declaration}\n");
        Row::of_field(&derived, "Clone, Copy, ", "flatrec::Enum<Side>")
    };
    check(&[
        Row::new("without a fault", of("#[repr(u64)]\nenum Side { Buy = 1, Sell = !0 }"), &[]),
        Row::new("strict lints", strict, &[]),
        Row::new(
            "no repr",
            of("enum Side { Buy }"),
            &[(
                "Side",
                "the integer of an enum in a record must be stated, because files outlive \
                 compilers: add `#[repr(u8)]`, or the same of another of `u8` to `u64` and `i8` \
                 to `i64`",
            )],
        ),
        Row::new(
            "data",
            of("#[repr(u8)]\nenum Side { Buy(u8) }"),
            &[(
                "Buy(u8)",
                "a variant in a record cannot have data, because a record holds only its number: \
                 write `Buy` alone, and fields of the record beside it",
            )],
        ),
    ]);
}
