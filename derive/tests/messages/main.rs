//! What the compiler says about a record with a fault: each row is a program of its own, and its
//! errors are compared by place and text. The compiler's notes, which change from version to
//! version, are not compared.
//!
//! The programs are checked by the compiler itself against the library that cargo built for this
//! test. With `--nocapture` each row prints how many errors and lines it has.

#[path = "../../../tests/support/skip.rs"]
mod skip;

mod attributes;
mod compiler;
mod enums;
mod nested;
mod structs;
mod types;

use std::sync::atomic::{AtomicUsize, Ordering};

use compiler::{Compiler, Fault};

/// What a record's struct derives beside it.
const COPY: &str = "Clone, Copy, ";

/// The attributes that a field takes, which `{takes}` stands for in an expected text.
const TAKES: &str = "`timestamp = \"us\"`, `duration = \"us\"`, `date`, `utf8`, `utc`, \
                     `display = \"uuid\"`, `nested`, `rename = \"name\"` and `skip`";

/// A program and the errors that the compiler must report, in the order of their places.
struct Row {
    name: String,
    program: String,
    /// The part of the program that an error marks, and its text.
    expected: Vec<(String, String)>,
}

impl Row {
    fn new(name: &str, program: impl Into<String>, expected: &[(&str, &str)]) -> Self {
        let expected = expected.iter();
        let expected = expected.map(|(at, text)| (at.to_string(), text.replace("{takes}", TAKES)));
        Self { name: name.to_owned(), program: program.into(), expected: expected.collect() }
    }

    /// A record that is used and has one field.
    fn of_field(declarations: &str, derives: &str, field_type: &str) -> String {
        format!(
            "{declarations}\n#[derive({derives}flatrec::Record)]\n#[repr(C)]\n\
             struct A {{ a: {field_type} }}\n\
             fn user(_: flatrec::Store<A>) {{}}\n"
        )
    }
}

/// Rows: a name, the program, and the parts of it that are marked, with their texts.
type Programs = &'static [(&'static str, &'static str, &'static [(&'static str, &'static str)])];

/// Compiles every row, on all processors, and compares.
fn check(rows: &[Row]) {
    let compiler = match Compiler::find() {
        Ok(compiler) => compiler,
        Err(why) => return skip::skip!("no compiler for programs beside this test: {why}"),
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            let faults = compiler.check(&row.program);
            let lines: usize = faults.iter().map(|fault| fault.lines).sum();
            println!("{}: {} errors, {lines} lines", row.name, faults.len());
            let found: Vec<_> =
                faults.into_iter().map(|Fault { at, text, .. }| (at, text)).collect();
            if found != row.expected {
                wrong.push(format!(
                    "{}:\n{}\nexpected {:#?}\nfound {found:#?}",
                    row.name, row.program, row.expected
                ));
            }
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Finds a type that the derive refuses by its name alone, and code of the derive that a strict
/// lint of a user reports.
#[test]
fn records_without_a_fault_compile_without_a_word() {
    let newtype = "
        mod my {
            use flatrec::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
            #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[zerocopy(crate = \"flatrec::zerocopy\")]
            #[repr(transparent)]
            pub struct Duration(u32);
            impl flatrec::FieldType for Duration {
                const DATA_TYPE: flatrec::DataType = flatrec::DataType::UInt32;
            }
        }";
    let known_name = &format!("{newtype}\nuse my::Duration;");
    let strict = "#![forbid(unsafe_code)]\n\
                  #![deny(warnings, missing_docs, unused, nonstandard_style)]\n\
                  //! A program.\n/// A record.\n#[derive(Clone, Copy, flatrec::Record)]\n\
                  #[repr(C)]\npub struct A { /// Its time.\n#[record(timestamp = \"us\", utc)]\n\
                  pub at: i64, /// Its name.\n#[record(utf8)]\npub name: [u8; 8] }\n";
    let getters = "#![forbid(unsafe_code)]\n\
                   #![deny(warnings, missing_docs, unused, nonstandard_style)]\n\
                   //! A program.\n/// A record.\n#[derive(Clone, Copy, flatrec::Record)]\n\
                   #[record(getters)]\n#[repr(C, packed)]\npub struct A { /// Its id.\n\
                   pub r#type: u32, at: flatrec::Nullable<u16>, #[record(skip)] _rest: u8 }\n\
                   /// Reads.\npub fn read(of: &A) -> u32 { of.r#type() }\n";
    let by_macro = "
        macro_rules! record {
            ($name:ident, $of:ty, $at:ident) => {
                #[derive(Clone, Copy, flatrec::Record)]
                #[repr(C)]
                struct $name { $at: [$of; 2], all: $of }
            };
        }
        record!(A, u64, first);
        record!(B, flatrec::be::F32, second);";
    let inside = "
        fn f() -> flatrec::Result<flatrec::Schema> {
            #[derive(Clone, Copy, flatrec::Record)]
            #[repr(C)]
            struct A { r#type: [u8; 4] }
            <A as flatrec::Record>::schema()
        }";
    check(&[
        Row::new("a newtype of a known name", Row::of_field(known_name, COPY, "Duration"), &[]),
        Row::new("an array of it", Row::of_field(newtype, COPY, "[my::Duration; 2]"), &[]),
        Row::new("an integer of 128 bits", Row::of_field("", COPY, "u128"), &[]),
        Row::new("strict lints", strict, &[]),
        Row::new("getters", getters, &[]),
        Row::new("by a macro", by_macro, &[]),
        Row::new("in a function", inside, &[]),
    ]);
}
