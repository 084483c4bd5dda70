//! Types that are not those of fields, and combinations of types.

use crate::{COPY, Row, check};

/// Finds a fault that is several errors, or none that says what to write, also where the record is
/// used.
#[test]
fn a_type_with_a_fault_is_one_error_that_says_what_to_write() {
    let rows = OF_COPY.iter().map(|(declarations, of, message)| {
        Row::new(of, Row::of_field(declarations, COPY, of), &[(of, message)])
    });
    check(&rows.collect::<Vec<_>>());
}

/// The same of types whose record cannot be `Copy`.
#[test]
fn a_type_that_is_not_copy_is_one_error_that_says_what_to_write() {
    let rows = OF_OTHERS
        .iter()
        .map(|(of, message)| Row::new(of, Row::of_field("", "", of), &[(of, message)]));
    check(&rows.collect::<Vec<_>>());
}

/// Finds a fault of the derive beside one of the compiler's own, and one of two that is lost.
#[test]
fn each_of_several_faults_is_an_error() {
    let rows = SEVERAL.iter().map(|(name, program, expected)| Row::new(name, *program, expected));
    check(&rows.collect::<Vec<_>>());
}

/// Declarations, the type of the field, and the text of the error.
const OF_COPY: &[(&str, &str, &str)] = &[
    (
        "",
        "bool",
        "a record cannot hold `bool`: not every pattern of its bytes is valid (write \
         `flatrec::Bool`)",
    ),
    (
        "",
        "char",
        "a record cannot hold `char`: not every pattern of its bytes is valid (write \
         `flatrec::Char`)",
    ),
    (
        "",
        "usize",
        "a record cannot hold `usize`: its size depends on the machine (write `u64`, or the \
         same of `u32`)",
    ),
    (
        "",
        "isize",
        "a record cannot hold `isize`: its size depends on the machine (write `i64`, or the \
         same of `i32`)",
    ),
    (
        "",
        "Option<u32>",
        "a record cannot hold `Option<u32>`: Rust does not promise its layout (write \
         `flatrec::Nullable<u32>`)",
    ),
    (
        "#[derive(Clone, Copy)] #[repr(u8)] pub enum Side { Buy = 1 }",
        "Option<Side>",
        "a record cannot hold `Option<Side>`: Rust does not promise its layout (write \
         `flatrec::Nullable<Side>`, with `flatrec::Enum<…>` around the name of an enum)",
    ),
    (
        "",
        "Option<bool>",
        "a record cannot hold `Option<bool>`: not every pattern of its bytes is valid (write \
         `flatrec::Nullable<flatrec::Bool>`)",
    ),
    (
        "",
        "Option<char>",
        "a record cannot hold `Option<char>`: not every pattern of its bytes is valid (write \
         `flatrec::Nullable<flatrec::Char>`)",
    ),
    (
        "",
        "Option<(u8, u8)>",
        "a record cannot hold `Option<(u8, u8)>`: Rust does not promise its layout (write each \
         element as a field of its own)",
    ),
    (
        "",
        "Option<Option<u8>>",
        "a record cannot hold `Option<Option<u8>>`: Rust does not promise its layout (write \
         `flatrec::Nullable<u8>`)",
    ),
    (
        "",
        "[bool; 4]",
        "a record cannot hold `[bool; 4]`: not every pattern of its bytes is valid (write \
         `[flatrec::Bool; 4]`)",
    ),
    (
        "",
        "[usize; 2]",
        "a record cannot hold `[usize; 2]`: its size depends on the machine (write `[u64; 2]`, \
         or the same of `u32`)",
    ),
    (
        "",
        "[Option<i16>; 3]",
        "a record cannot hold `[Option<i16>; 3]`: a schema has no type for it (write \
         `flatrec::Nullable<[i16; 3]>`: a whole array can be null, and an element cannot)",
    ),
    (
        "",
        "[[bool; 2]; 4]",
        "a record cannot hold `[[bool; 2]; 4]`: not every pattern of its bytes is valid (write \
         `[[flatrec::Bool; 2]; 4]`)",
    ),
    (
        "",
        "[[flatrec::Nullable<u8>; 2]; 4]",
        "a record cannot hold `[[flatrec::Nullable<u8>; 2]; 4]`: a schema has no type for it \
         (write `flatrec::Nullable<[[u8; 2]; 4]>`: a whole array can be null, and an element \
         cannot)",
    ),
    (
        "",
        "std::option::Option<u8>",
        "a record cannot hold `std::option::Option<u8>`: Rust does not promise its layout \
         (write `flatrec::Nullable<u8>`)",
    ),
    (
        "",
        "&'static str",
        "a record cannot hold `&'static str`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with `#[record(utf8)]`: \
         N is the longest text, in bytes)",
    ),
    (
        "",
        "&'static [u16]",
        "a record cannot hold `&'static [u16]`: its content lies elsewhere in memory, and a \
         file keeps only the record (write `[u16; N]`: N is the greatest length; a field beside \
         it can hold the length in use)",
    ),
    (
        "",
        "&'static u64",
        "a record cannot hold `&'static u64`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `u64`: the value itself)",
    ),
    (
        "",
        "*const u8",
        "a record cannot hold `*const u8`: its value has a meaning only in this process (store \
         an id or an index, for example as `u64`)",
    ),
    (
        "",
        "fn(u8) -> u8",
        "a record cannot hold `fn(u8) -> u8`: its value has a meaning only in this process \
         (store an id or an index, for example as `u64`)",
    ),
    (
        "",
        "(u32, f32)",
        "a record cannot hold `(u32, f32)`: Rust does not promise its layout (write each \
         element as a field of its own)",
    ),
    ("", "()", "a record cannot hold `()`: a field needs bytes (remove the field)"),
    (
        "",
        "flatrec::Nullable<bool>",
        "a record cannot hold `flatrec::Nullable<bool>`: not every pattern of its bytes is \
         valid (write `flatrec::Nullable<flatrec::Bool>`)",
    ),
    (
        "",
        "flatrec::Nullable<flatrec::Nullable<u8>>",
        "a record cannot hold `flatrec::Nullable<flatrec::Nullable<u8>>`: a schema has no type \
         for it (write `flatrec::Nullable<u8>`: null once)",
    ),
    (
        "",
        "[flatrec::Nullable<u8>; 4]",
        "a record cannot hold `[flatrec::Nullable<u8>; 4]`: a schema has no type for it (write \
         `flatrec::Nullable<[u8; 4]>`: a whole array can be null, and an element cannot)",
    ),
    ("", "[u8; 0]", "a record cannot hold `[u8; 0]`: a field needs bytes (remove the field)"),
    ("", "[f64; 0]", "a record cannot hold `[f64; 0]`: a field needs bytes (remove the field)"),
    ("", "[u8; 20_000_000]", "a field has at most 16 MiB: write a smaller length"),
    ("", "flatrec::Utf8<0>", "a field needs at least one element: write a length above 0"),
    (
        "",
        "std::num::NonZeroU32",
        "a record cannot hold `std::num::NonZeroU32`: 0 is not valid, and a file can hold it \
         (write `u32`)",
    ),
    (
        "",
        "std::num::NonZero<i16>",
        "a record cannot hold `std::num::NonZero<i16>`: 0 is not valid, and a file can hold it \
         (write `i16`)",
    ),
    (
        "",
        "std::num::Wrapping<u8>",
        "a record cannot hold `std::num::Wrapping<u8>`: a schema has no type for it (write `u8`)",
    ),
    (
        "",
        "std::time::Duration",
        "a record cannot hold `std::time::Duration`: Rust does not promise its layout (write \
         `i64` with `#[record(duration = \"us\")]`)",
    ),
    (
        "",
        "std::time::SystemTime",
        "a record cannot hold `std::time::SystemTime`: Rust does not promise its layout (write \
         `i64` with `#[record(timestamp = \"us\", utc)]`)",
    ),
    (
        "",
        "std::time::Instant",
        "a record cannot hold `std::time::Instant`: its value has a meaning only in this \
         process (write `i64` with `#[record(timestamp = \"us\", utc)]`, of `SystemTime`)",
    ),
    (
        "",
        "std::net::Ipv4Addr",
        "a record cannot hold `std::net::Ipv4Addr`: a schema has no type for it (write `[u8; \
         4]` with `#[record(display = \"ipv4\")]`, and `octets`)",
    ),
    (
        "",
        "std::net::Ipv6Addr",
        "a record cannot hold `std::net::Ipv6Addr`: a schema has no type for it (write `[u8; \
         16]` with `#[record(display = \"ipv6\")]`, and `octets`)",
    ),
    (
        "mod chrono {\n    #[derive(Clone, Copy)]\n    pub(crate) struct NaiveDate(u32);\n    \
         #[derive(Clone, Copy)]\n    pub(crate) struct Utc;\n    #[derive(Clone, Copy)]\n    \
         pub(crate) struct DateTime<T>(T);\n}\n",
        "chrono::NaiveDate",
        "a record cannot hold `chrono::NaiveDate`: Rust does not promise its layout (write \
         `i32` with `#[record(date)]`)",
    ),
    (
        "mod chrono {\n    #[derive(Clone, Copy)]\n    pub(crate) struct NaiveDate(u32);\n    \
         #[derive(Clone, Copy)]\n    pub(crate) struct Utc;\n    #[derive(Clone, Copy)]\n    \
         pub(crate) struct DateTime<T>(T);\n}\n",
        "chrono::DateTime<chrono::Utc>",
        "a record cannot hold `chrono::DateTime<chrono::Utc>`: Rust does not promise its \
         layout (write `i64` with `#[record(timestamp = \"us\", utc)]`)",
    ),
    (
        "mod uuid {\n    #[derive(Clone, Copy)]\n    pub(crate) struct Uuid(u128);\n}\n",
        "uuid::Uuid",
        "a record cannot hold `uuid::Uuid`: a schema has no type for it (write \
         `flatrec::Uuid`, which the feature `uuid` converts)",
    ),
    (
        "#[derive(Clone, Copy)]\n#[repr(u8)]\nenum Side { Buy = 1, Sell = 2 }\n",
        "Side",
        "a record cannot hold `Side`: it does not implement `flatrec::FieldType`",
    ),
    (
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct Header { id: u8 }\n",
        "Header",
        "a record cannot hold `Header`: it does not implement `flatrec::FieldType`",
    ),
    (
        "#[derive(Clone, Copy)]\nstruct Header { id: u8 }\n",
        "[Header; 2]",
        "a record cannot hold `Header`: it does not implement `flatrec::FieldType`",
    ),
    (
        "#[derive(Clone, Copy)]\nstruct Unit;\n",
        "Unit",
        "a record cannot hold `Unit`: it does not implement `flatrec::FieldType`",
    ),
    (
        "type Flag = bool;\n",
        "Flag",
        "a record cannot hold `bool`: it does not implement `flatrec::FieldType`",
    ),
    (
        "type Maybe = Option<u8>;\n",
        "Maybe",
        "a record cannot hold `Option<u8>`: it does not implement `flatrec::FieldType`",
    ),
    (
        "type Twice = flatrec::Nullable<flatrec::Nullable<u8>>;\n",
        "Twice",
        "a schema cannot describe a Nullable of a Nullable",
    ),
    (
        "type Deep = [[[[[[[[[u16; 1]; 1]; 1]; 1]; 1]; 1]; 1]; 1]; 1];\n",
        "Deep",
        "an array has at most 8 dimensions: write one array of all elements",
    ),
    (
        "type Row = [flatrec::Nullable<u8>; 4];\n",
        "Row",
        "an element of an array cannot be null: write `Nullable<[T; N]>`",
    ),
    (
        "type None = [f32; 0];\n",
        "None",
        "a field needs at least one element: write a length above 0",
    ),
];

/// The type of the field, and the text of the error.
const OF_OTHERS: &[(&str, &str)] = &[
    (
        "String",
        "a record cannot hold `String`: its content lies elsewhere in memory, and a file keeps \
         only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with `#[record(utf8)]`: N is \
         the longest text, in bytes)",
    ),
    (
        "Vec<f32>",
        "a record cannot hold `Vec<f32>`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `[f32; N]`: N is the greatest length; a field beside it \
         can hold the length in use)",
    ),
    (
        "Vec<bool>",
        "a record cannot hold `Vec<bool>`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `[flatrec::Bool; N]`: N is the greatest length; a field \
         beside it can hold the length in use)",
    ),
    (
        "Box<[u8]>",
        "a record cannot hold `Box<[u8]>`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `[u8; N]`: N is the greatest length; a field beside it \
         can hold the length in use)",
    ),
    (
        "Box<str>",
        "a record cannot hold `Box<str>`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with `#[record(utf8)]`: \
         N is the longest text, in bytes)",
    ),
    (
        "Box<u64>",
        "a record cannot hold `Box<u64>`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `u64`: the value itself)",
    ),
    (
        "std::sync::Arc<u32>",
        "a record cannot hold `std::sync::Arc<u32>`: its content lies elsewhere in memory, and \
         a file keeps only the record (write `u32`: the value itself)",
    ),
    (
        "std::cell::Cell<u16>",
        "a record cannot hold `std::cell::Cell<u16>`: a record in a file cannot be changed \
         through a shared reference (write `u16`: the value itself)",
    ),
    (
        "std::sync::atomic::AtomicU32",
        "a record cannot hold `std::sync::atomic::AtomicU32`: a record in a file cannot be \
         changed through a shared reference (write `u32`: the value itself)",
    ),
    (
        "std::path::PathBuf",
        "a record cannot hold `std::path::PathBuf`: its content lies elsewhere in memory, and \
         a file keeps only the record (write `[u8; N]`: N is the greatest length, in bytes)",
    ),
    (
        "std::collections::HashMap<u8, u8>",
        "a record cannot hold `std::collections::HashMap<u8, u8>`: its content lies elsewhere \
         in memory, and a file keeps only the record (store its entries as records of their \
         own)",
    ),
    (
        "std::marker::PhantomData<u8>",
        "a record cannot hold `std::marker::PhantomData<u8>`: a field needs bytes (remove the \
         field)",
    ),
    (
        "Box<dyn Fn()>",
        "a record cannot hold `Box<dyn Fn()>`: its content lies elsewhere in memory, and a \
         file keeps only the record (write a type of fixed size)",
    ),
    (
        "[String; 2]",
        "a record cannot hold `[String; 2]`: its content lies elsewhere in memory, and a file \
         keeps only the record (write `[flatrec::Utf8<N>; 2]`, or `[u8; N]` with \
         `#[record(utf8)]`: N is the longest text, in bytes)",
    ),
    (
        "Option<String>",
        "a record cannot hold `Option<String>`: its content lies elsewhere in memory, and a \
         file keeps only the record (write `flatrec::Nullable<flatrec::Utf8<N>>`, or `[u8; N]` \
         with `#[record(utf8)]`: N is the longest text, in bytes)",
    ),
];

/// A name, the program, and the parts of it that are marked with their texts.
const SEVERAL: crate::Programs = &[
    (
        "[u8] without a use",
        "#[derive(flatrec::Record)]\n#[repr(C)]\nstruct A { a: [u8] }\n",
        &[(
            "[u8]",
            "a record cannot hold `[u8]`: its content lies elsewhere in memory, and a file \
                 keeps only the record (write `[u8; N]`: N is the greatest length; a field \
                 beside it can hold the length in use)",
        )],
    ),
    (
        "str without a use",
        "#[derive(flatrec::Record)]\n#[repr(C)]\nstruct A { a: str }\n",
        &[(
            "str",
            "a record cannot hold `str`: its content lies elsewhere in memory, and a file \
                 keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with \
                 `#[record(utf8)]`: N is the longest text, in bytes)",
        )],
    ),
    (
        "String in a Copy struct",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { a: String }\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[
            ("A", "the trait `Copy` cannot be implemented for this type"),
            (
                "String",
                "a record cannot hold `String`: its content lies elsewhere in memory, and a \
                 file keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with \
                 `#[record(utf8)]`: N is the longest text, in bytes)",
            ),
        ],
    ),
    (
        "String in a record that is used everywhere",
        "#[derive(flatrec::Record)]\n#[repr(C)]\nstruct A { a: String }\nfn user(mut store: \
         flatrec::Store<A>, a: &A) -> flatrec::Result<u64> {\n    for (_, record) in store.iter() { \
         println!(\"{}\", record.a); }\n    let database = \
         flatrec::Database::<A>::create(\"a\")?;\n    let first: Option<&A> = store.get(0);\n   \
         if first.is_some() { database.begin_write()?.append(a)?; }\n    store.append(a)\n}\n",
        &[(
            "String",
            "a record cannot hold `String`: its content lies elsewhere in memory, and a \
                 file keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with \
                 `#[record(utf8)]`: N is the longest text, in bytes)",
        )],
    ),
    (
        "two bad fields",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { a: bool, b: char, c: \
         u64 }\n",
        &[
            (
                "bool",
                "a record cannot hold `bool`: not every pattern of its bytes is valid (write \
                 `flatrec::Bool`)",
            ),
            (
                "char",
                "a record cannot hold `char`: not every pattern of its bytes is valid (write \
                 `flatrec::Char`)",
            ),
        ],
    ),
];
